"""Logits of any size: no NaN, no warning, full relative accuracy down to the smallest numbers.

References are worked out with mpmath in 60 digits. Relative tolerance 1e-12: a logit of 1e4 is
exact, but one unit in the last place of an exponent of 700 is 1e-13 of the number.
"""

import math

import numpy as np
import pytest
from mpmath import mp, mpf
from numpy.testing import assert_allclose

from skkd.losses import (
    BinaryLogLoss,
    ExponentialLoss,
    MulticlassPerceptronLoss,
    MultinomialLogLoss,
    PairwiseLoss,
    PerceptronLoss,
    Target,
    WorstMarginLoss,
)

from ._cases import rows_and_gradient

LOGITS = [0.0, 1e-300, 1e-9, 0.5, 1.0, 29.9, 30.1, 36.0, 38.0, 100.0, 700.0, 744.0, 746.0, 1e4]
LOGITS = [*LOGITS, *(-z for z in LOGITS)]
# Rows of four logits: one class far ahead, two far ahead and tied, mixtures, all alike, huge.
ROWS = [
    [0.0, 0.0, 0.0, 0.0],
    [30.0, 0.0, -1.0, 2.0],
    [0.0, -600.0, -601.0, -602.0],
    [0.0, 745.0, 1.0, 2.0],
    [1e4, -1e4, 0.0, 1.0],
    [1e4, 1e4, -1e4, 9999.0],
    [-3e3, -3.001e3, -2.999e3, -3e3],
    [40.0, 0.0, 0.0, 0.0],
    [1e-9, 0.0, -1e-9, 0.0],
]
# Half the range: differences of two of them still fit.
HUGE = [[1e300, -1e300, 0.0, 1.0], [0.0, 1e300, 1e300, -1e300], [-1e300, 0.0, 0.0, 1e300]]

# Numbers below 1e-308 have fewer digits.
DENORMAL = 1e-320

mp.dps = 60


def log1p_exp(x):
    """log(1 + e^x) in mpmath, for any x."""
    return mp.log1p(mp.exp(x)) if abs(x) < 1e5 else max(x, mpf(0)) + mp.exp(-abs(x))


def exact(number):
    """The nearest double, 0 where it underflows."""
    return float(number)


def softmax_reference(row, y):
    """Value, log value and gradient of softmax cross-entropy."""
    gaps = [mpf(z) - mpf(row[y]) for z in row]
    odds = [mp.exp(gap) for gap in gaps]
    rest = mp.fsum(odds[:y] + odds[y + 1 :])
    gradient = [exact(q / (1 + rest)) for q in odds]
    gradient[y] = exact(-rest / (1 + rest))
    # log1p of a tiny number needs digits that 1 + rest does not have.
    value = mp.log1p(rest) if rest > mpf(10) ** -30 else rest - rest**2 / 2
    return exact(value), exact(mp.log(value)), gradient


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_binary_log_loss(y):
    Z = np.array(LOGITS)[:, None]
    target = Target(np.full(len(LOGITS), y))
    loss = BinaryLogLoss()
    margins = [mpf(z) * (1 if y else -1) for z in LOGITS]
    value, slope = rows_and_gradient(loss, Z, target)
    phi = [log1p_exp(-m) for m in margins]
    assert_allclose(value, [exact(v) for v in phi], rtol=1e-12, atol=0)
    pull = [exact(1 / (1 + mp.exp(m))) for m in margins]
    assert_allclose(np.abs(slope[:, 0]), pull, rtol=1e-12, atol=0)
    # log(phi) crosses zero where phi is 1: absolute accuracy there.
    logs = [exact(mp.log(v)) if v else exact(-m) for v, m in zip(phi, margins, strict=True)]
    assert_allclose(loss.log_value(Z, target), logs, rtol=1e-12, atol=1e-15)
    log_pull = [exact(-log1p_exp(m)) for m in margins]
    assert_allclose(loss.log_error(Z, target)[:, 0], log_pull, rtol=1e-12, atol=0)


@pytest.mark.parametrize("y", range(4))
def test_multinomial_log_loss(y):
    Z = np.array(ROWS)
    target = Target(np.full(len(ROWS), y))
    loss = MultinomialLogLoss()
    references = [softmax_reference(row, y) for row in ROWS]
    value, slope = rows_and_gradient(loss, Z, target)
    assert_allclose(value, [ref[0] for ref in references], rtol=1e-12, atol=DENORMAL)
    assert_allclose(slope, [ref[2] for ref in references], rtol=1e-12, atol=DENORMAL)
    assert_allclose(
        loss.log_value(Z, target), [ref[1] for ref in references], rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("weights", ["uniform", "array"])
def test_log_risk_where_the_risk_underflows(weights):
    weight = np.array([0.5, 0.25, 0.25]) if weights == "array" else 1.0 / 3
    shares = [mpf(s) for s in np.broadcast_to(weight, (3,))]
    Z, y = np.array([[1000.0], [-1001.0], [5e3]]), np.array([1.0, 0.0, 1.0])
    margins = [1000, 1001, 5000]
    risk = mp.fsum(s * mp.exp(-m) for s, m in zip(shares, margins, strict=True))
    for loss in (BinaryLogLoss(), ExponentialLoss()):
        assert_allclose(loss.log_risk(Z, Target(y), weight), exact(mp.log(risk)), rtol=1e-12)
    Z3, y3 = np.zeros((3, 3)), np.array([0, 1, 2])
    Z3[np.arange(3), y3] = margins
    twice = exact(mp.log(2 * risk))
    assert_allclose(MultinomialLogLoss().log_risk(Z3, Target(y3), weight), twice, rtol=1e-12)
    kesler = PairwiseLoss(BinaryLogLoss()).log_risk(Z3, Target(y3), weight)
    assert_allclose(kesler, exact(mp.log(risk)), rtol=1e-12)


@pytest.mark.parametrize("size", [700.0, 1e4, 1e300])
@pytest.mark.parametrize(
    "loss",
    [
        BinaryLogLoss(),
        ExponentialLoss(),
        PerceptronLoss(),
        WorstMarginLoss(),
        MultinomialLogLoss(),
        MulticlassPerceptronLoss(),
        PairwiseLoss(BinaryLogLoss()),
        PairwiseLoss(ExponentialLoss()),
        PairwiseLoss(PerceptronLoss()),
        PairwiseLoss(WorstMarginLoss()),
    ],
    ids=repr,
)
def test_normalized_gradients_survive_any_logits(loss, size):
    """Right, wrong and undecided rows: the direction stays an average of rows."""
    k = 3 if loss.min_classes == 2 else 1
    for signs in ([1, 1, 1], [-1, -1, -1], [1, -1, 0]):
        signs = np.array(signs, dtype=float)
        if k == 1:
            Z, y = size * signs[:, None], np.ones(3)
        else:
            y = np.array([0, 1, 2])
            Z = size * signs[:, None] * np.eye(3)
        for weight in (1.0 / 3, np.array([0.5, 0.25, 0.25])):
            R, log_mass = loss.normalized_gradient(Z, Target(y), weight)
            assert np.isfinite(R).all()
            assert not np.isnan(log_mass)
            pulled = not ((signs > 0).all() and "Perceptron" in repr(loss))
            assert_allclose(R[R > 0].sum() + (k == 1) * -R[R < 0].sum(), float(pulled), rtol=1e-12)


@pytest.mark.parametrize("size", [1e4, 1e300])
@pytest.mark.parametrize(
    "loss", [MultinomialLogLoss(), PairwiseLoss(BinaryLogLoss()), MulticlassPerceptronLoss()]
)
def test_huge_logits_give_finite_values(loss, size):
    Z = np.array(HUGE) * (size / 1e300)
    for y in range(4):
        target = Target(np.full(3, y))
        value, gradient = loss.value_and_gradient(Z, target, 0.25)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        assert np.isfinite(loss.linearize(Z, target, 0.25)(np.ones_like(Z))).all()
        expected = np.maximum(0.0, Z - Z[:, [y]])
        expected = (
            expected.mean(axis=1) * 4 / 3 if "Pairwise" in repr(loss) else expected.max(axis=1)
        )
        assert_allclose(loss.value(Z, target), expected, rtol=1e-12, atol=1.0)


def test_soft_targets_at_huge_logits():
    Z = np.array([[1e300], [-1e300], [1e4]])
    y = np.array([0.25, 0.5, 1.0])
    value, slope = rows_and_gradient(BinaryLogLoss(), Z, Target(y))
    assert_allclose(value, [0.75e300, 0.5e300, 0.0])
    assert_allclose(slope[:, 0], [0.75, -0.5, 0.0], atol=1e-16)
    T = np.array([[0.5, 0.25, 0.25, 0.0]] * 3)
    value, slope = rows_and_gradient(MultinomialLogLoss(), np.array(HUGE), Target(T))
    assert np.isfinite(value).all()
    assert np.isfinite(slope).all()


def test_float32_keeps_its_own_relative_accuracy():
    Z = np.array([[80.0], [-80.0], [1e30]], dtype=np.float32)
    target = Target(np.ones(3, dtype=np.float32))
    value, slope = rows_and_gradient(BinaryLogLoss(), Z, target)
    assert_allclose(value, [math.exp(-80.0), 80.0, 0.0], rtol=1e-6)
    assert_allclose(slope[:, 0], [-math.exp(-80.0), -1.0, 0.0], rtol=1e-6)
    R, log_mass = BinaryLogLoss().normalized_gradient(
        np.full((2, 1), 1e4, dtype=np.float32), Target(np.ones(2, dtype=np.float32)), 0.5
    )
    assert_allclose(R, -0.5)
    assert_allclose(log_mass, -1e4, rtol=1e-6)


@pytest.mark.parametrize("loss", [ExponentialLoss(), PairwiseLoss(ExponentialLoss())], ids=repr)
def test_an_exponential_that_overflows_on_a_row_of_zero_weight(loss):
    """Zero weight is removal, also where the row's own loss is beyond the largest double."""
    k = 2 if loss.min_classes == 2 else 1
    Z = np.array([[1.0], [-1000.0]]) * ([-0.5, 0.5] if k == 2 else [1.0])
    y = np.array([1, 1]) if k == 2 else np.ones(2)
    value, gradient = loss.value_and_gradient(Z, Target(y), np.array([1.0, 0.0]))
    assert_allclose(value, math.exp(-1.0), rtol=1e-14)
    assert_allclose(np.abs(gradient[0]), math.exp(-1.0), rtol=1e-14)
    assert not gradient[1].any()
