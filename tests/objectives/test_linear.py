"""The linear objective: derivatives in the parameters for every kind of X, and a trusted peer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from skkd.losses import (
    BinaryLogLoss,
    ExponentialLoss,
    MultinomialLogLoss,
    PairwiseLoss,
    SquaredHingeLoss,
    SquaredLoss,
    Target,
)
from skkd.objectives import LinearObjective
from tests.losses._cases import BINARY, MULTICLASS, SOFT, VALUES, Case, derivative

SMOOTH = [case for case in [*BINARY, *MULTICLASS, *SOFT, *VALUES] if case.smooth]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr_array": sparse.csr_array,
    "csc_array": sparse.csc_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_matrix": sparse.csc_matrix,
}


def make(case, layout="C", *, weights=True, alpha=0.0, fit_intercept=True, dtype=np.float64, n=12):
    """An objective on twelve rows of four features, and parameters to look at."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, 4)) * (rng.random((n, 4)) < 0.7)
    objective = LinearObjective(
        case.loss,
        LAYOUTS[layout](X.astype(dtype)),
        case.target(n, rng, dtype),
        rng.integers(1, 4, n).astype(dtype) if weights else None,
        n_outputs=case.k,
        alpha=alpha,
        fit_intercept=fit_intercept,
    )
    return objective, 0.7 * rng.standard_normal(objective.shape).astype(dtype)


def reference(objective, W):
    """The objective by its formula, in plain dense NumPy."""
    X = objective.X.toarray() if sparse.issparse(objective.X) else objective.X
    coef = W[:-1] if objective.fit_intercept else W
    Z = X @ coef + (W[-1] if objective.fit_intercept else 0.0)
    weight = np.broadcast_to(objective.weight, (X.shape[0],))
    value = weight @ objective.loss.value(Z, objective.target)
    return value + 0.5 * objective.alpha * np.sum(coef**2)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", [BINARY[0], MULTICLASS[0], *VALUES], ids=str)
def test_value_gradient_and_hessian(case, layout, weights, alpha, fit_intercept):
    objective, W = make(case, layout, weights=weights, alpha=alpha, fit_intercept=fit_intercept)
    assert objective.shape == (4 + fit_intercept, case.k)
    value, gradient = objective.value_and_gradient(W)
    assert_allclose(value, reference(objective, W), rtol=1e-13)
    assert_allclose(objective.value(W), value, rtol=1e-14)
    assert_allclose(objective.value(W, objective.logits(W)), value, rtol=1e-14)
    assert_allclose(objective.evaluate(W).gradient, gradient, rtol=1e-14)
    product = objective.linearize(W)
    for seed in range(2):
        V = np.random.default_rng(seed).standard_normal(W.shape)
        slope = derivative(lambda t, V=V: float(objective.value(W + t * V)))
        assert_allclose(np.sum(gradient * V), slope, rtol=1e-9, atol=1e-11)
        bend = derivative(lambda t, V=V: objective.value_and_gradient(W + t * V)[1])
        assert_allclose(product(V), bend, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("layout", ["C", "csr_array"])
@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_every_smooth_loss_through_the_map(case, layout):
    objective, W = make(case, layout, alpha=0.1)
    value, gradient = objective.value_and_gradient(W)
    V = np.random.default_rng(0).standard_normal(W.shape)
    small = 1e-2  # hinges: a step this short meets no kink at the point chosen
    slope = derivative(lambda t: float(objective.value(W + small * t * V))) / small
    assert_allclose(np.sum(gradient * V), slope, rtol=1e-7, atol=1e-9)
    bend = derivative(lambda t: objective.value_and_gradient(W + small * t * V)[1]) / small
    assert_allclose(objective.linearize(W)(V), bend, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("layout", ["C", "F", "csr_array", "csc_array"])
@pytest.mark.parametrize("case", [BINARY[0], MULTICLASS[0], VALUES[0]], ids=str)
def test_float32_is_kept(case, layout):
    objective, W = make(case, layout, alpha=0.1, dtype=np.float32)
    double, _ = make(case, layout, alpha=0.1)
    value, gradient = objective.value_and_gradient(W)
    assert gradient.dtype == objective.logits(W).dtype == np.float32
    assert objective.linearize(W)(W).dtype == np.float32
    assert objective.diagonal().dtype == np.float32
    assert objective.zeros().dtype == np.float32
    assert value.dtype == np.float64  # sums over rows
    assert_allclose(value, double.value(W.astype(float)), rtol=1e-6)
    assert_allclose(gradient, double.value_and_gradient(W.astype(float))[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_diagonal_bounds_the_hessian_diagonal(layout, weights, fit_intercept):
    for case in (BINARY[0], MULTICLASS[0], VALUES[1]):
        objective, W = make(case, layout, weights=weights, alpha=0.2, fit_intercept=fit_intercept)
        diagonal = objective.diagonal()
        assert diagonal.shape == (objective.shape[0], 1)
        product = objective.linearize(0.0 * W)
        for index in np.ndindex(*W.shape):
            E = np.zeros_like(W)
            E[index] = 1.0
            entry = product(E)[index]
            assert entry <= diagonal[index[0], 0] * (1 + 1e-13)
            # Binary at the origin, and squared loss anywhere: the bound is the diagonal itself.
            is_exact = case.k == 1 or isinstance(case.loss, SquaredLoss)
            if is_exact and index[0] < 4:
                assert_allclose(entry, diagonal[index[0], 0], rtol=1e-12)


def test_diagonal_of_an_unbounded_curvature_only_scales_columns():
    case = Case("exponential", ExponentialLoss(), 1, "hard")
    objective, _ = make(case, weights=False, fit_intercept=False)
    squares = np.mean(objective.X**2, axis=0)
    assert_allclose(objective.diagonal()[:, 0], squares, rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-3, 7.0])
def test_the_scale_of_weights_does_not_matter(scale):
    case = BINARY[0]
    objective, W = make(case)
    other = LinearObjective(case.loss, objective.X, objective.target, scale * objective.weight)
    assert_allclose(other.value_and_gradient(W)[1], objective.value_and_gradient(W)[1], rtol=1e-14)


@pytest.mark.parametrize("layout", ["C", "csr_array"])
def test_errors_and_margin_count_only_rows_that_exist(layout):
    X = LAYOUTS[layout](np.array([[1.0], [-1.0], [0.0], [-9.0]]))
    weight = np.array([1.0, 2.0, 1.0, 0.0])
    target = Target(np.ones(4))
    objective = LinearObjective(BinaryLogLoss(), X, target, weight, fit_intercept=False)
    evaluation = objective.evaluate(np.array([[2.0]]))
    # A margin of zero is wrong; the row of zero weight is not there.
    assert evaluation.errors == 0.75
    assert evaluation.margin == -2.0
    again = objective.wrongness(evaluation.logits)
    assert again == (0.75, -2.0)


def test_regression_counts_no_errors():
    objective, W = make(VALUES[0])
    evaluation = objective.evaluate(W)
    assert evaluation.errors is None
    assert evaluation.margin is None


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_scikit_learn_minimises_the_same_objective(n_classes, fit_intercept):
    """alpha = 1 / (C * sum of weights): its optimum is ours, value and gradient."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 6)), rng.integers(0, n_classes, 200)
    weight = rng.integers(1, 4, 200).astype(float)
    C = 0.05
    peer = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-12, max_iter=10_000)
    peer.fit(X, y, sample_weight=weight)
    binary = n_classes == 2
    objective = LinearObjective(
        BinaryLogLoss() if binary else MultinomialLogLoss(),
        X,
        Target(y.astype(float) if binary else y),
        weight,
        n_outputs=1 if binary else n_classes,
        alpha=1.0 / (C * weight.sum()),
        fit_intercept=fit_intercept,
    )
    W = np.concatenate([peer.coef_.T, peer.intercept_[None, :]]) if fit_intercept else peer.coef_.T
    value, gradient = objective.value_and_gradient(W)
    # The peer stops where SciPy's line search no longer sees a decrease: about sqrt(eps).
    assert_allclose(gradient, 0.0, atol=1e-7)
    log_p = peer.predict_log_proba(X)[np.arange(200), y]
    penalty = 0.5 / C * np.sum(peer.coef_**2)
    assert_allclose(value, (-weight @ log_p + penalty) / weight.sum(), rtol=1e-12)


def test_penalty_leaves_the_intercept_alone():
    objective, W = make(VALUES[0], alpha=0.5)
    free, _ = make(VALUES[0], alpha=0.0)
    gap = objective.value_and_gradient(W)[1] - free.value_and_gradient(W)[1]
    assert_allclose(gap[:-1], 0.5 * W[:-1], rtol=1e-13)
    assert not gap[-1].any()


def test_errors_say_what_to_do():
    X, y = np.eye(3), np.array([0, 1, 2])
    with pytest.raises(ValueError, match="at least 2 logits, got n_outputs=1"):
        LinearObjective(MultinomialLogLoss(), X, Target(y))
    with pytest.raises(ValueError, match="sums to zero"):
        LinearObjective(BinaryLogLoss(), X, Target(y > 0), np.zeros(3))
    objective = LinearObjective(BinaryLogLoss(), X, Target(np.ones(3)), alpha=0.1)
    with pytest.raises(ValueError, match=r"alpha=0\.1; use alpha=0"):
        objective.evaluate(objective.zeros(), normalized=True)


@pytest.mark.parametrize(
    ("loss", "k"), [(SquaredHingeLoss(), 1), (PairwiseLoss(BinaryLogLoss()), 3)], ids=repr
)
def test_all_weights_on_one_row(loss, k):
    X, y = np.random.default_rng(0).standard_normal((5, 2)), np.array([1, 0, 1, 0, 1])
    target = Target(y.astype(float) if k == 1 else y)
    many = LinearObjective(loss, X, target, np.array([0, 0, 2.0, 0, 0]), n_outputs=k)
    one = LinearObjective(loss, X[2:3], target.rows(slice(2, 3)), n_outputs=k)
    W = np.random.default_rng(1).standard_normal(many.shape)
    for a, b in zip(many.value_and_gradient(W), one.value_and_gradient(W), strict=True):
        assert_allclose(a, b, rtol=1e-14)
