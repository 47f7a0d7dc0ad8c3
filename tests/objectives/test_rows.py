"""Plain, blocked and compiled passes over the rows are one and the same function.

Every kind is forced on the same data, with blocks small enough that there are many and the last
is short. Sums are added up in another order: 1e-12 in float64, 1e-5 in float32.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkd.losses import (
    BinaryLogLoss,
    ExponentialLoss,
    MultinomialLogLoss,
    PerceptronLoss,
    Target,
)
from skkd.objectives import LinearObjective, _blocks, _rows
from skkd.objectives._blocks import BlockedRows, CompiledMarginRows, CompiledSoftmaxRows
from skkd.objectives._rows import Rows
from tests.losses._cases import CASES, CLASSIFICATION

N, P = 1003, 7
COMPILED_MARGIN = ("BinaryLogLoss", "ExponentialLoss", "PerceptronLoss")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """About 36 rows to a block in float64."""
    monkeypatch.setattr(_blocks, "_BLOCK_BYTES", 2**11)


def kinds(case):
    """Every way to pass over the rows that this loss has, but for the plain one."""
    found = [] if case.loss.batch_coupled else [BlockedRows]
    if case.name in COMPILED_MARGIN:
        found.append(CompiledMarginRows)
    if case.name == "MultinomialLogLoss":
        found.append(CompiledSoftmaxRows)
    return found


KINDS = [(case, kind) for case in CASES for kind in kinds(case)]
IDS = [f"{case}-{kind.__name__}" for case, kind in KINDS]


def problem(case, *, weights="array", dtype=np.float64, order="C", n=N):
    """Rows, targets and weights of which some are zero."""
    rng = np.random.default_rng(0)
    X = np.asarray(rng.standard_normal((n, P)), dtype=dtype, order=order)
    target = case.target(n, rng, dtype)
    if weights == "uniform":
        return X, target, 1.0 / n
    weight = rng.random(n) * (rng.random(n) < 0.8)
    return X, target, (weight / weight.sum()).astype(dtype)


def assert_same_pass(one, two, W, rtol):
    """Everything that an evaluation gives, of both."""
    normalizes = [False, True] if one.tracks_errors else [False]
    for normalized in normalizes:
        a, b = one.evaluate(W, normalized), two.evaluate(W, normalized)
        assert_allclose(a.logits, b.logits, rtol=rtol, atol=rtol)
        assert a.logits.dtype == b.logits.dtype == W.dtype
        assert a.gradient.dtype == b.gradient.dtype == W.dtype
        assert_allclose(a.gradient, b.gradient, rtol=rtol, atol=rtol)
        if one.tracks_errors:
            assert_allclose(a.errors, b.errors, rtol=1e-6 if W.dtype == np.float32 else 1e-13)
            assert_allclose(a.margin, b.margin, rtol=rtol)
        if normalized:
            assert_allclose(a.log_mass, b.log_mass, rtol=rtol, atol=rtol)
        else:
            assert a.log_mass is b.log_mass is None
    for a, b in zip(one.value_and_gradient(W), two.value_and_gradient(W), strict=True):
        assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weights", ["uniform", "array"])
@pytest.mark.parametrize(("case", "kind"), KINDS, ids=IDS)
def test_blocked_and_compiled_rows_equal_plain_ones(case, kind, weights, fit_intercept):
    X, target, weight = problem(case, weights=weights)
    W = np.random.default_rng(1).standard_normal((P + fit_intercept, case.k))
    plain = Rows(case.loss, X, target, weight, fit_intercept)
    other = kind(case.loss, X, target, weight, fit_intercept)
    assert len(other.runs) > 10
    assert_same_pass(other, plain, W, 1e-12)
    assert_allclose(other.logits(W), plain.logits(W), rtol=1e-13)
    assert_allclose(other.column_squares(), plain.column_squares(), rtol=1e-13)
    V = np.random.default_rng(2).standard_normal(W.shape)
    assert_allclose(other.linearize(W)(V), plain.linearize(W)(V), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("case", "kind"), KINDS, ids=IDS)
def test_float32_rows(case, kind):
    X, target, weight = problem(case, dtype=np.float32)
    W = np.random.default_rng(1).standard_normal((P + 1, case.k)).astype(np.float32)
    plain = Rows(case.loss, X, target, weight, True)
    assert_same_pass(kind(case.loss, X, target, weight, True), plain, W, 2e-5)


@pytest.mark.parametrize("order", ["F", "strided"])
@pytest.mark.parametrize(("case", "kind"), [p for p in KINDS if p[1] is not CompiledMarginRows])
def test_other_memory_orders(case, kind, order):
    X, target, weight = problem(case, order="F")
    if order == "strided":
        X = np.repeat(X, 2, axis=0)[::2]
    W = np.random.default_rng(1).standard_normal((P + 1, case.k))
    plain = Rows(case.loss, X, target, weight, True)
    assert_same_pass(kind(case.loss, X, target, weight, True), plain, W, 1e-12)


@pytest.mark.parametrize("n", [1, 31, 32, 33, 36, 37, 577])
@pytest.mark.parametrize(("case", "kind"), KINDS[:1] + KINDS[1:2] + [KINDS[-1]])
def test_any_number_of_rows(case, kind, n):
    """Blocks, runs and the groups of four rows in the kernels all have odd ends."""
    X, target, weight = problem(case, weights="uniform", n=n)
    W = np.random.default_rng(1).standard_normal((P + 1, case.k))
    plain = Rows(case.loss, X, target, weight, True)
    assert_same_pass(kind(case.loss, X, target, weight, True), plain, W, 1e-12)


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(("case", "kind"), KINDS, ids=IDS)
def test_results_do_not_depend_on_the_number_of_threads(case, kind, normalized):
    X, target, weight = problem(case)
    rows = kind(case.loss, X, target, weight, True)
    W = np.random.default_rng(1).standard_normal((P + 1, case.k))
    V = np.random.default_rng(2).standard_normal(W.shape)
    results = []
    for n_threads in (1, 2, 3, 16):
        rows.n_threads = n_threads
        evaluation = rows.evaluate(W, normalized and rows.tracks_errors)
        value, gradient = rows.value_and_gradient(W)
        results.append([evaluation.logits, evaluation.gradient, value, gradient])
        results[-1].append(rows.linearize(W)(V))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert_array_equal(a, b)  # bit for bit


def test_which_rows_are_chosen(monkeypatch):
    monkeypatch.setattr(_rows, "_SMALL_BYTES", 0)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3)), rng.integers(0, 2, 50).astype(float)

    def chosen(loss, X, y, **options):
        return type(LinearObjective(loss, X, Target(y), **options)._rows)

    assert chosen(BinaryLogLoss(), X, y) is CompiledMarginRows
    assert chosen(BinaryLogLoss(), np.asfortranarray(X), y) is BlockedRows
    assert chosen(BinaryLogLoss(), X, 0.9 * y) is BlockedRows  # soft targets
    assert chosen(MultinomialLogLoss(), X, y.astype(int), n_outputs=2) is CompiledSoftmaxRows
    soft = np.stack([y, 1 - y], axis=1)
    assert chosen(MultinomialLogLoss(), X, soft, n_outputs=2) is BlockedRows


def test_integer_valued_float_labels_work_at_every_size(monkeypatch):
    """Plain rows take labels 0.0, 1.0, 2.0; what is chosen for large X must not refuse them."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3)), rng.integers(0, 3, 50).astype(float)
    W = rng.standard_normal((4, 3))
    small = LinearObjective(MultinomialLogLoss(), X, Target(y), n_outputs=3)
    monkeypatch.setattr(_rows, "_SMALL_BYTES", 0)
    large = LinearObjective(MultinomialLogLoss(), X, Target(y), n_outputs=3)
    assert_allclose(large.value_and_gradient(W)[0], small.value_and_gradient(W)[0], rtol=1e-13)


def margin_problem(low, high, dtype):
    """Rows whose margins at W are integers between low and high: exact in float32 too."""
    rng = np.random.default_rng(0)
    margins = rng.integers(low, high + 1, N).astype(float)
    margins[rng.integers(N)] = low
    y = rng.integers(0, 2, N).astype(float)
    X = np.stack([margins * (2 * y - 1), rng.integers(-3, 4, N)], axis=1)
    return X.astype(dtype), y.astype(dtype), margins, np.array([[1.0], [0.0]], dtype=dtype)


def softmax_gradient(X, y, margins, weight):
    """Gradient over mass where pulls are exp(-m): a softmax over the rows, in float64."""
    logs = np.log(weight) - margins
    peak = logs.max()
    q = np.exp(logs - peak)
    log_mass = peak + np.log(q.sum())
    return -(q / q.sum() * (2 * y - 1)) @ X.astype(float), log_mass


LOWEST = [41, 60, 90, 299, 300, 301, 700, 709, 746, 1000, 100_000]


@pytest.mark.parametrize(
    ("loss", "low"),
    # The logistic pull is exp(-m) for large margins only.
    [(BinaryLogLoss(), low) for low in LOWEST]
    + [(ExponentialLoss(), low) for low in [-10_000, -800, 0, *LOWEST]],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [Rows, BlockedRows, CompiledMarginRows])
def test_normalized_gradient_where_every_pull_underflows(loss, kind, dtype, low):
    """The paper's large steps reach such logits; the ratio of two zeros is still an average."""
    X, y, margins, W = margin_problem(low, low + 30, dtype)
    weight = np.full(N, 1.0 / N, dtype=dtype)
    evaluation = kind(loss, X, Target(y), weight, False).evaluate(W, True)
    gradient, log_mass = softmax_gradient(X, y, margins, weight.astype(float))
    # A float32 logit of 1e5 has a spacing of 1e-2, but the ones here are integers.
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    assert_allclose(evaluation.gradient[:, 0], gradient, rtol=rtol, atol=rtol)
    assert_allclose(evaluation.log_mass, log_mass, rtol=rtol)
    assert evaluation.margin == low


@pytest.mark.parametrize("kind", [Rows, BlockedRows])
@pytest.mark.parametrize(
    "case", [c for c in CLASSIFICATION if c.k > 1 and c.loss.separable], ids=str
)
def test_multiclass_rows_far_on_the_right_side(case, kind):
    y = np.random.default_rng(0).integers(0, 4, N)
    X = 2000.0 * np.eye(4)[y] + np.random.default_rng(1).integers(0, 3, (N, 4))
    evaluation = kind(case.loss, X, Target(y), 1.0 / N, False).evaluate(np.eye(4), True)
    assert np.isfinite(evaluation.gradient).all()
    vanishes = "Perceptron" in case.name or "Hinge" in case.name
    assert (evaluation.log_mass == -np.inf) == vanishes
    assert evaluation.errors == 0


@pytest.mark.parametrize("kind", [Rows, BlockedRows, CompiledMarginRows])
def test_zero_weight_rows_neither_pull_nor_scale(kind):
    """The worst rows are taken out by weight; whole blocks of them, so that some are empty."""
    X, y, _, W = margin_problem(1000, 1030, np.float64)
    weight = np.ones(N)
    X[100:300] *= -1.0
    weight[100:300] = 0.0
    weight /= weight.sum()
    kept = weight > 0
    for loss in (BinaryLogLoss(), ExponentialLoss(), PerceptronLoss()):
        a = kind(loss, X, Target(y), weight, False).evaluate(W, True)
        b = Rows(loss, X[kept], Target(y[kept]), weight[kept], False).evaluate(W, True)
        assert_allclose(a.gradient, b.gradient, rtol=1e-12)
        assert_allclose(a.log_mass, b.log_mass)
        assert (a.errors, a.margin) == (b.errors, b.margin)


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
@pytest.mark.parametrize("kind", [Rows, BlockedRows, CompiledMarginRows])
def test_an_exponential_that_overflows_is_infinite_everywhere(kind):
    """A line search that steps too far must be told so, whatever the size of X."""
    X, y, _, W = margin_problem(-10_000, -9_000, np.float64)
    rows = kind(ExponentialLoss(), X, Target(y), 1.0 / N, False)
    value, _ = rows.value_and_gradient(W)
    assert value == np.inf
    assert rows.evaluate(W, False).margin == -10_000
