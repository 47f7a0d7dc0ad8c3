"""The bound on errors by the log-loss: its numbers, its inverse, and that it holds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import entr, log_softmax, rel_entr, softmax

from skkd.metrics import (
    logistic_h_consistency_bound,
    logistic_h_consistency_transform,
    minimal_log_regret,
)


def test_inverse_over_three_hundred_decades():
    excess = np.concatenate([np.logspace(-300, -1, 300), np.linspace(0.1, 0.693, 50)])
    back = logistic_h_consistency_transform(logistic_h_consistency_bound(excess))
    assert_allclose(back, excess, rtol=1e-12)


@pytest.mark.parametrize("score_bound", [0.01, 0.5, 1.0, 3.0, 30.0])
def test_inverse_with_bounded_scores(score_bound):
    t = np.linspace(0.0, 1.0, 101)
    excess = logistic_h_consistency_transform(t, score_bound=score_bound)
    assert np.all(np.diff(excess) > 0)
    back = logistic_h_consistency_bound(excess, score_bound=score_bound)
    assert_allclose(back, t, atol=1e-10)


@pytest.mark.parametrize("score_bound", [1e-8, 1e-3, 0.3, 0.999, 1.001, 20.0])
def test_bounded_transform_has_all_digits(score_bound):
    mpmath = pytest.importorskip("mpmath")
    kink = math.tanh(score_bound)
    for t in (0.3 * kink, min(kink * (1 + 1e-9), 1.0), 0.5, 1.0):
        with mpmath.workdps(60):
            x, bound = mpmath.mpf(t), mpmath.mpf(score_bound)
            exact = ((1 + x) * mpmath.log1p(x) + ((1 - x) * mpmath.log1p(-x) if t < 1 else 0)) / 2
            if x > mpmath.tanh(bound):
                exact = bound * x - mpmath.log(mpmath.cosh(bound))
        found = logistic_h_consistency_transform(t, score_bound=score_bound)
        assert found == pytest.approx(float(exact), rel=1e-14)
        assert logistic_h_consistency_bound(found, score_bound=score_bound) == pytest.approx(
            t, rel=1e-14
        )


@pytest.mark.parametrize("score_bound", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("t", [0.05, 0.3, 0.9])
def test_bounded_transform_is_the_optimum_over_margins(score_bound, t):
    """Least log-loss of a wrong margin, less that of the best margin, both within 2 L."""
    margins = np.linspace(0.0, 2 * score_bound, 400_001)
    loss = (1 + t) / 2 * np.logaddexp(0, -margins) + (1 - t) / 2 * np.logaddexp(0, margins)
    found = logistic_h_consistency_transform(t, score_bound=score_bound)
    assert math.log(2) - loss.min() == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9])
def test_close_classes_keep_their_digits(gap):
    two = minimal_log_regret([0.5 + gap / 2, 0.5 - gap / 2], 1)
    exact = (0.5 + gap / 2) - (0.5 - gap / 2)  # the difference of the numbers as they are stored
    assert two == pytest.approx(logistic_h_consistency_transform(exact), rel=1e-14)


def test_rows_at_once_are_rows_one_by_one():
    rng = np.random.default_rng(0)
    p, labels = rng.dirichlet(np.full(6, 0.3), size=50), rng.integers(6, size=50)
    p[0] = [0, 0, 1, 0, 0, 0]
    together = minimal_log_regret(p, labels)
    alone = [minimal_log_regret(row, int(label)) for row, label in zip(p, labels, strict=True)]
    assert_allclose(together, alone, rtol=1e-14)
    assert together[0] == pytest.approx(math.log(2) * (labels[0] != 2), rel=1e-15)


def test_series_and_closed_form_meet():
    t = np.nextafter(0.1, [0.0, 1.0])
    assert np.diff(logistic_h_consistency_transform(t))[0] == pytest.approx(0, abs=1e-16)
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        for value in (1e-9, 1e-3, 0.05, 0.0999, 0.1001, 0.5, 0.999):
            x = mpmath.mpf(value)
            exact = ((1 + x) * mpmath.log(1 + x) + (1 - x) * mpmath.log(1 - x)) / 2
            found = logistic_h_consistency_transform(value)
            assert found == pytest.approx(float(exact), rel=2e-15)


def test_ends_and_the_root():
    assert logistic_h_consistency_bound(0.0) == 0.0
    assert logistic_h_consistency_bound(math.log(2)) == logistic_h_consistency_bound(99.0) == 1.0
    assert logistic_h_consistency_bound(math.inf) == 1.0
    assert logistic_h_consistency_transform(1.0) == pytest.approx(math.log(2), rel=1e-15)
    excess = np.linspace(0.001, 0.69, 70)
    assert np.all(logistic_h_consistency_bound(excess) < np.sqrt(2 * excess))


def test_numbers_and_arrays_come_back_as_given():
    assert isinstance(logistic_h_consistency_bound(0.1), float)
    assert logistic_h_consistency_bound([[0.1, 0.2]]).shape == (1, 2)
    assert isinstance(minimal_log_regret([0.5, 0.5], 0), float)
    assert minimal_log_regret([[0.5, 0.5]], [0]).shape == (1,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: logistic_h_consistency_bound(-0.1), "log_loss_excess must be >= 0"),
        (lambda: logistic_h_consistency_bound(math.nan), "log_loss_excess must be >= 0"),
        (lambda: logistic_h_consistency_transform(1.1), r"must be in \[0, 1\]"),
        (lambda: logistic_h_consistency_bound(0.1, score_bound=0), "score_bound"),
        (lambda: minimal_log_regret([0.5, 0.6], 0), "sum to 1"),
        (lambda: minimal_log_regret([0.5, 0.5], 2), "from 0 to 1"),
        (lambda: minimal_log_regret([0.5, 0.5], 0.0), "integer"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


probabilities = st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=7).map(
    lambda x: np.array(x) / np.sum(x)
)


@given(p=probabilities, data=st.data())
def test_the_regret_lies_above_the_transform(p, data):
    j = data.draw(st.integers(0, len(p) - 1))
    regret = minimal_log_regret(p, j)
    assert regret >= logistic_h_consistency_transform(min(p.max() - p[j], 1.0)) - 1e-15


@pytest.mark.parametrize("t", [0.0, 1e-6, 0.1, 0.5, 0.99, 1.0])
def test_two_classes_attain_it(t):
    p = [(1 + t) / 2, (1 - t) / 2, 0.0, 0.0]
    expected = logistic_h_consistency_transform(t)
    # Stored numbers p differ from the formula's by their rounding, which t magnifies.
    assert minimal_log_regret(p, 1) == pytest.approx(expected, rel=4e-16 / max(t, 1e-3) + 1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_the_regret_is_the_optimum_of_the_program(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(rng.integers(3, 7)))
    j = int(rng.integers(len(p)))
    found = minimize(
        lambda z: -np.sum(p * log_softmax(z)) - np.sum(entr(p)),
        np.zeros(len(p)),
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda z: z[j] - z},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert minimal_log_regret(p, j) == pytest.approx(found.fun, abs=1e-7)


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_holds_for_risks(seed):
    """Random conditional probabilities of random points, and scores more or less near them."""
    rng = np.random.default_rng(seed)
    n, n_classes = 30, int(rng.integers(2, 8))
    weight = rng.dirichlet(np.ones(n))
    p = rng.dirichlet(np.full(n_classes, 0.5), size=n)
    scores = np.log(p + 1e-9) + rng.standard_normal((n, n_classes)) * rng.uniform(0.01, 3)
    chosen = np.argmax(scores, axis=1)
    errors = weight @ (p.max(axis=1) - p[np.arange(n), chosen])
    loss = weight @ np.sum(rel_entr(p, softmax(scores, axis=1)), axis=1)
    assert errors <= logistic_h_consistency_bound(loss) + 1e-12
