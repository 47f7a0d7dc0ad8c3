"""The compiled pass of students against the array-API code of the same objective."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkd.losses import KLLoss, MultinomialLogLoss, Target, WeightedSum
from skkd.objectives import LinearObjective, _rows
from skkd.objectives._student_rows import StudentRows

KL = KLLoss(temperature=2.0)
TERMS = {
    "labels": [(0.7, MultinomialLogLoss())],
    "teacher": [(0.9, KL)],
    "both": [(0.1, MultinomialLogLoss()), (0.9, KL)],
    "teacher first": [(0.9, KLLoss(temperature=1.0)), (0.1, MultinomialLogLoss())],
    "cross-entropies": [
        (0.3, MultinomialLogLoss()),
        (0.5, KLLoss(temperature=3.5, form="cross_entropy")),
    ],
}


def objectives(monkeypatch, terms, k, dtype=np.float64, *, scale=1.0, n=701, p=9, **options):
    """The same objective with the compiled pass and without, and parameters."""
    rng = np.random.default_rng(k)
    X, teacher = rng.standard_normal((n, p)), scale * rng.standard_normal((n, k))
    y, weight = rng.integers(0, k, n), rng.random(n) if options.pop("weighted", True) else None
    if weight is not None:
        weight[:5] = 0.0
        weight = weight.astype(dtype)
    W = (scale * rng.standard_normal((p + options.get("fit_intercept", True), k))).astype(dtype)
    found = []
    for compiled in (True, False):
        monkeypatch.setattr(_rows, "_SMALL_BYTES", 0 if compiled else 2**40)
        monkeypatch.setattr("skkd.losses._compiled.SMALL", 0 if compiled else 2**40)
        monkeypatch.setattr("skkd.objectives._blocks._BLOCK_BYTES", 2**13)
        target = Target(y, teacher.astype(dtype))
        found.append(
            LinearObjective(
                WeightedSum(terms), X.astype(dtype), target, weight, n_outputs=k, **options
            )
        )
    assert isinstance(found[0]._rows, StudentRows)
    assert not isinstance(found[1]._rows, StudentRows)
    return *found, W


def assert_same(one, two, W, rounding):
    value, gradient = one.value_and_gradient(W)
    expected, slope = two.value_and_gradient(W)
    size = np.max(np.abs(slope))
    assert_allclose(value, expected, rtol=rounding)
    assert gradient.dtype == W.dtype
    assert_allclose(gradient, slope, rtol=0, atol=rounding * size)
    V = np.cos(np.arange(W.size)).reshape(W.shape).astype(W.dtype)
    image, wanted = one.linearize(W)(V), two.linearize(W)(V)
    assert_allclose(image, wanted, rtol=0, atol=rounding * np.max(np.abs(wanted)))


@pytest.mark.parametrize("k", [2, 7, 16, 17])  # BLAS takes over beyond 16
@pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS)
def test_computes_the_same(monkeypatch, terms, k):
    assert_same(*objectives(monkeypatch, terms, k, alpha=0.1), 1e-11)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_with_and_without(monkeypatch, weighted, fit_intercept):
    options = {"weighted": weighted, "fit_intercept": fit_intercept}
    assert_same(*objectives(monkeypatch, TERMS["both"], 5, **options), 1e-11)


@pytest.mark.parametrize("k", [3, 40])
def test_float32(monkeypatch, k):
    assert_same(*objectives(monkeypatch, TERMS["both"], k, np.float32), 2e-5)


def test_large_logits(monkeypatch):
    one, two, W = objectives(monkeypatch, TERMS["both"], 4, scale=1e4)
    value, gradient = one.value_and_gradient(W)
    expected, slope = two.value_and_gradient(W)
    assert_allclose(value, expected, rtol=1e-12)
    assert_allclose(gradient, slope, rtol=1e-9, atol=1e-12 * np.max(np.abs(slope)))


def test_threads_do_not_matter(monkeypatch):
    one, _, W = objectives(monkeypatch, TERMS["both"], 5)
    assert len(one._rows.runs) > 1
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(one._rows, "n_threads", threads)
        results.append(one.value_and_gradient(W))
    assert results[0][0] == results[1][0]
    assert_array_equal(results[0][1], results[1][1])


def test_rows_of_no_weight_do_not_count(monkeypatch):
    """Not even where their features are as large as can be."""
    one, _, W = objectives(monkeypatch, TERMS["both"], 5)
    before = one.value_and_gradient(W)
    one._rows.X[:5] = 1e100
    after = one.value_and_gradient(W)
    assert_allclose(after[0], before[0], rtol=1e-13)
    assert_allclose(after[1], before[1], rtol=1e-12)


@pytest.mark.parametrize(
    "terms",
    [
        [(0.5, MultinomialLogLoss()), (0.5, MultinomialLogLoss())],
        [(1.0, MultinomialLogLoss()), (1.0, KL), (1.0, KLLoss(temperature=4.0))],
    ],
)
def test_other_sums_take_the_usual_way(monkeypatch, terms):
    monkeypatch.setattr(_rows, "_SMALL_BYTES", 0)
    rng = np.random.default_rng(0)
    X, teacher = rng.standard_normal((50, 3)), rng.standard_normal((50, 4))
    target = Target(rng.integers(0, 4, 50), teacher)
    objective = LinearObjective(WeightedSum(terms), X, target, n_outputs=4)
    assert not isinstance(objective._rows, StudentRows)
    assert np.isfinite(objective.value_and_gradient(objective.zeros())[0])
