"""Logistic regression with group norms."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from skkd.solvers._linear_problem import LinearProblem
from skkd.solvers._working_set import _group_losses
from skkd.solvers._working_set._group import group_iterates

from ._group_problems import (
    consecutive,
    data,
    largest_l1,
    objective,
    problem,
    solve,
    worst_violation,
)

SHAPES = {
    "wide": (40, [5] * 30),
    "tall": (300, [4] * 6),
    "unequal": (60, [1, 7, 2, 12, 3, 1, 5, 20, 4, 6]),
}


def case_of(shape, seed=0, **options):
    n, sizes = SHAPES[shape]
    X, y = data(n, sizes, mean=1.0, binary=True, seed=seed)
    return problem(X, y, consecutive(sizes), loss="log", **options)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("strength", [0.5, 0.1, 0.02])
@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_optimality(shape, strength, l2, fit_intercept):
    case = case_of(shape, strength=strength, l2=l2, fit_intercept=fit_intercept)
    result = solve(case, tol=1e-13)
    assert result.converged
    assert result.iterate.value == pytest.approx(objective(case, result.params), rel=1e-13)
    assert worst_violation(case, result.params) < 1e-5 * case.l1
    if not fit_intercept:
        assert result.params[-1, 0] == 0.0


@pytest.mark.parametrize(("shape", "l2"), itertools.product(SHAPES, [0.0, 0.1]))
def test_gap_bounds_the_distance_to_the_optimum(shape, l2):
    case = case_of(shape, seed=1, strength=0.05, l2=l2, fit_intercept=True)
    optimum = solve(case, tol=1e-14).iterate.value
    iterates = list(itertools.islice(group_iterates(case, tol=1e-14), 6))
    for iterate in iterates:
        assert iterate.value - optimum <= iterate.gap + 1e-14
    assert iterates[0].gap > 1e-2 * iterates[0].value
    assert iterates[-1].gap < 1e-8


def test_nothing_enters_at_the_largest_strength():
    X, y = data(41, [3] * 10, binary=True)
    groups = consecutive([3] * 10)
    top = largest_l1(X, y, groups, "log", fit_intercept=True)
    result = solve(LinearProblem(X, y, loss="log", l1=1.0000001 * top, groups=groups))
    assert result.n_iter == 0
    share = y.mean()
    assert result.params[-1, 0] == pytest.approx(np.log(share / (1.0 - share)))


def test_groups_of_one_are_the_l1_logistic():
    from sklearn.linear_model import LogisticRegression

    X, y = data(80, [1] * 30, binary=True)
    case = problem(X, y, consecutive([1] * 30), strength=0.1, loss="log")
    peer = LogisticRegression(
        C=1.0 / (80 * case.l1),
        l1_ratio=1.0,
        solver="liblinear",
        fit_intercept=False,
        tol=1e-8,
        max_iter=10_000,
        random_state=0,
    )
    peer.fit(X, y)
    np.testing.assert_allclose(solve(case).params[:-1, 0], peer.coef_[0], atol=1e-4)


def test_weights_mean_repetition():
    X, y = data(40, [4] * 8, mean=0.5, binary=True)
    counts = np.random.default_rng(0).integers(0, 4, size=40)
    groups = consecutive([4] * 8)
    options = {"loss": "log", "fit_intercept": True}
    weighted = problem(X, y, groups, strength=0.1, weights=counts / counts.sum(), **options)
    X2, y2 = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    repeated = LinearProblem(X2, y2, l1=weighted.l1, groups=groups, **options)
    one, other = solve(weighted, tol=1e-14), solve(repeated, tol=1e-14)
    assert one.iterate.value == pytest.approx(other.iterate.value, rel=1e-11)
    np.testing.assert_allclose(one.params, other.params, atol=1e-5)


def test_exchanged_classes_turn_the_signs():
    case = case_of("unequal", strength=0.1, fit_intercept=True)
    turned = LinearProblem(case.X, 1 - case.y, loss="log", l1=case.l1, groups=case.groups)
    np.testing.assert_allclose(
        solve(case, tol=1e-14).params, -solve(turned, tol=1e-14).params, atol=1e-5
    )


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("fill", [0, 10**9])
@pytest.mark.parametrize("shape", SHAPES)
def test_sparse_is_dense(fit_intercept, fill, shape, monkeypatch):
    n, sizes = SHAPES[shape]
    X, y = data(n, sizes, mean=0.3, binary=True)
    X[np.random.default_rng(1).random(X.shape) < 0.7] = 0.0
    options = {"strength": 0.1, "l2": 0.001, "loss": "log", "fit_intercept": fit_intercept}
    dense = problem(X, y, consecutive(sizes), **options)
    monkeypatch.setattr(_group_losses, "_FILL", fill)
    sparse = problem(sp.csc_array(X), y, consecutive(sizes), **options)
    one, other = solve(dense, tol=1e-14), solve(sparse, tol=1e-14)
    assert other.converged
    np.testing.assert_allclose(one.params, other.params, atol=1e-5)
    assert one.iterate.value == pytest.approx(other.iterate.value, rel=1e-11)


def test_separable_data():
    X, y = data(30, [5] * 20, binary=True)
    X[:, 0] += 20.0 * (2 * y - 1)
    case = problem(X, y, consecutive([5] * 20), strength=1e-4, loss="log", fit_intercept=True)
    result = solve(case, tol=1e-12)
    assert result.converged
    assert worst_violation(case, result.params) < 1e-3 * case.l1


def test_float32():
    X, y = data(60, [5] * 20, binary=True)
    groups = consecutive([5] * 20)
    options = {"loss": "log", "groups": groups}
    case = problem(X.astype(np.float32), y, groups, strength=0.05, loss="log", fit_intercept=True)
    result = solve(case, tol=1e-6)
    assert result.converged
    exact = LinearProblem(case.X.astype(float), y, l1=case.l1, **options)
    assert result.iterate.value == pytest.approx(solve(exact).iterate.value, rel=1e-5)


def test_warm_start_needs_nothing_more():
    case = case_of("wide", strength=0.1, fit_intercept=True)
    cold = solve(case, tol=1e-12)
    assert solve(case, cold.params, tol=1e-11).n_iter == 0


@pytest.mark.parametrize("tol", [0.0, 1e-300])
def test_always_ends(tol):
    X, y = data(30, [10] * 30, rho=0.99, binary=True)
    case = problem(X, y, consecutive([10] * 30), strength=1e-2, loss="log")
    result = solve(case, tol=tol, max_iter=50)
    assert result.n_iter <= 50
    assert result.iterate.gap < 1e-8
