"""Group lasso: optima, certified gaps, and what must not change the result."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from skkd.solvers._linear_problem import Groups, LinearProblem
from skkd.solvers._working_set import _group_losses, _group_newton
from skkd.solvers._working_set._group import group_iterates
from skkd.solvers._working_set._group_quadratic import GroupQuadratic

from ._group_problems import (
    consecutive,
    data,
    largest_l1,
    objective,
    problem,
    solve,
    worst_violation,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "data" / "bcd"
SHAPES = {
    "wide": (40, [5] * 30),
    "tall": (300, [4] * 6),
    "unequal": (60, [1, 7, 2, 12, 3, 1, 5, 20, 4, 6]),
    "square": (50, [10] * 5),
}


@pytest.mark.parametrize("fraction", ["0.2", "0.05"])
@pytest.mark.parametrize("fill", [0, 10**9], ids=["sparse", "dense"])
def test_reference_optima(fraction, fill, monkeypatch):
    monkeypatch.setattr(_group_losses, "_FILL", fill)
    arrays = np.load(GOLDEN / "optima.npz")
    facts = json.loads((GOLDEN / "optima.json").read_text())
    key = f"tall|grouplasso|frac={fraction}|gs=5"
    X, y = arrays["tall|X"], arrays["tall|y"]
    X = sp.csc_array(X) if fill == 0 else X
    groups = consecutive([5] * (X.shape[1] // 5))
    case = LinearProblem(X, y, fit_intercept=False, l1=facts[key]["alpha"], groups=groups)
    result = solve(case, tol=1e-12)
    assert result.converged
    assert result.iterate.value == pytest.approx(facts[key]["obj"], rel=1e-10)
    np.testing.assert_allclose(result.params[:-1, 0], arrays[f"{key}|coef"], atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("strength", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("l2", [0.0, 0.05])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_optimality(shape, strength, l2, fit_intercept):
    n, sizes = SHAPES[shape]
    X, y = data(n, sizes, mean=1.0)
    case = problem(X, y, consecutive(sizes), strength=strength, l2=l2, fit_intercept=fit_intercept)
    result = solve(case, tol=1e-13)
    assert result.converged
    assert result.iterate.value == pytest.approx(objective(case, result.params), rel=1e-13)
    assert worst_violation(case, result.params) < 1e-6 * case.l1
    if not fit_intercept:
        assert result.params[-1, 0] == 0.0


@pytest.mark.parametrize(("shape", "l2"), itertools.product(SHAPES, [0.0, 0.1]))
def test_gap_bounds_the_distance_to_the_optimum(shape, l2):
    n, sizes = SHAPES[shape]
    X, y = data(n, sizes, seed=1)
    case = problem(X, y, consecutive(sizes), strength=0.02, l2=l2, fit_intercept=True)
    optimum = solve(case, tol=1e-14).iterate.value
    iterates = list(itertools.islice(group_iterates(case, tol=1e-14), 6))
    for iterate in iterates:
        assert iterate.value - optimum <= iterate.gap + 1e-14
    assert iterates[0].gap > 1e-2 * iterates[0].value
    assert iterates[-1].gap < 1e-9 * optimum


def test_values_never_rise():
    n, sizes = SHAPES["wide"]
    case = problem(*data(n, sizes), consecutive(sizes), strength=0.01, fit_intercept=True)
    values = [iterate.value for iterate in itertools.islice(group_iterates(case, tol=1e-12), 8)]
    assert np.all(np.diff(values) <= 1e-15)


def test_nothing_enters_at_the_largest_strength():
    X, y = data(40, [3] * 10)
    groups = consecutive([3] * 10)
    top = largest_l1(X, y, groups, fit_intercept=True)
    case = LinearProblem(X, y, l1=1.0000001 * top, groups=groups)
    result = solve(case)
    assert result.n_iter == 0
    assert not result.params[:-1].any()
    assert result.params[-1, 0] == pytest.approx(y.mean())
    assert solve(LinearProblem(X, y, l1=0.9999 * top, groups=groups)).params[:-1].any()


def test_constant_target():
    X, _ = data(30, [2] * 5)
    case = LinearProblem(X, np.full(30, 2.5), l1=0.1, groups=consecutive([2] * 5))
    result = solve(case, tol=0.0)
    assert result.converged
    np.testing.assert_allclose(result.params[:, 0], [0.0] * 10 + [2.5], atol=1e-15)


def test_one_orthonormal_group_in_closed_form():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((30, 4)))[0] * np.sqrt(30)
    y = rng.standard_normal(30)
    groups = consecutive([4], [1.5])
    case = problem(Q, y, groups, strength=0.4, l2=0.3)
    c = Q.T @ y / 30
    expected = max(0.0, 1.0 - case.l1 * 1.5 / np.linalg.norm(c)) * c / (1.0 + case.l2)
    np.testing.assert_allclose(solve(case, tol=1e-15).params[:-1, 0], expected, rtol=1e-10)


def test_single_feature_in_closed_form():
    x, y = np.array([[1.0], [2.0], [-1.0]]), np.array([2.0, 3.0, 1.0])
    case = LinearProblem(x, y, fit_intercept=False, l1=0.5, groups=consecutive([1]))
    # x'x / 3 = 2 and x'y / 3 = 7 / 3
    assert solve(case, tol=1e-15).params[0, 0] == pytest.approx((7.0 / 3.0 - 0.5) / 2.0)


@pytest.mark.parametrize("l2", [0.0, 0.2])
def test_groups_of_one_are_the_lasso(l2):
    from sklearn.linear_model import ElasticNet

    X, y = data(50, [1] * 80, n_true=6)
    case = problem(X, y, consecutive([1] * 80), strength=0.05, l2=l2, fit_intercept=True)
    alpha = case.l1 + l2
    peer = ElasticNet(alpha=alpha, l1_ratio=case.l1 / alpha, tol=1e-12, max_iter=10**5).fit(X, y)
    result = solve(case, tol=1e-14)
    np.testing.assert_allclose(result.params[:-1, 0], peer.coef_, atol=1e-6)
    assert result.params[-1, 0] == pytest.approx(peer.intercept_, abs=1e-6)


def test_zero_and_constant_columns():
    sizes = [3] * 6
    X, y = data(40, sizes)
    X[:, :3] = 0.0  # a group of zeros
    X[:, 4] = 0.0
    X[:, 7] = 5.0  # absorbed by the intercept
    case = problem(X, y, consecutive(sizes), strength=0.05, fit_intercept=True)
    result = solve(case)
    assert result.converged
    assert worst_violation(case, result.params) < 1e-7
    np.testing.assert_array_equal(result.params[[0, 1, 2, 4], 0], 0.0)
    assert result.params[7, 0] == pytest.approx(0.0, abs=1e-8)


def test_duplicated_columns_share_their_coefficient():
    X, y = data(40, [2] * 4, n_true=2)
    case = problem(X, y, consecutive([2] * 4), strength=0.05)
    twice = np.repeat(X, 2, axis=1)
    doubled = LinearProblem(
        twice,
        y,
        fit_intercept=False,
        l1=case.l1,
        groups=consecutive([4] * 4, np.sqrt(2.0) * case.groups.weights),
    )
    result = solve(doubled, tol=1e-14)
    assert result.converged
    assert result.iterate.value == pytest.approx(solve(case, tol=1e-14).iterate.value, rel=1e-10)
    np.testing.assert_allclose(result.params[:-1:2], result.params[1:-1:2], atol=1e-7)


def test_duplicated_groups():
    X, y = data(40, [3] * 5)
    case = problem(np.hstack((X, X)), y, consecutive([3] * 10), strength=0.05)
    result = solve(case, tol=1e-13)
    assert result.converged
    single = LinearProblem(X, y, fit_intercept=False, l1=case.l1, groups=consecutive([3] * 5))
    assert result.iterate.value == pytest.approx(solve(single).iterate.value, rel=1e-9)


def test_weights_mean_repetition():
    X, y = data(30, [4] * 8, mean=0.5)
    counts = np.random.default_rng(0).integers(0, 4, size=30)
    groups = consecutive([4] * 8)
    weighted = problem(
        X, y, groups, strength=0.05, weights=counts / counts.sum(), fit_intercept=True
    )
    repeated = LinearProblem(
        np.repeat(X, counts, axis=0), np.repeat(y, counts), l1=weighted.l1, groups=groups
    )
    one, other = solve(weighted, tol=1e-14), solve(repeated, tol=1e-14)
    assert one.iterate.value == pytest.approx(other.iterate.value, rel=1e-11)
    np.testing.assert_allclose(one.params, other.params, atol=1e-6)


def test_shifted_columns_only_move_the_intercept():
    X, y = data(40, [4] * 8)
    groups = consecutive([4] * 8)
    case = problem(X, y, groups, strength=0.05, fit_intercept=True)
    moved = LinearProblem(X + 100.0, y, l1=case.l1, groups=groups)
    one, other = solve(case, tol=1e-13), solve(moved, tol=1e-13)
    np.testing.assert_allclose(one.params[:-1], other.params[:-1], atol=1e-6)
    assert one.iterate.value == pytest.approx(other.iterate.value, rel=1e-10)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("fill", [0, 10**9])
@pytest.mark.parametrize("shape", ["wide", "tall", "unequal"])
def test_sparse_is_dense(fit_intercept, fill, shape, monkeypatch):
    n, sizes = SHAPES[shape]
    X, y = data(n, sizes, mean=0.3)
    X[np.random.default_rng(1).random(X.shape) < 0.7] = 0.0
    groups = consecutive(sizes)
    dense = problem(X, y, groups, strength=0.05, l2=0.01, fit_intercept=fit_intercept)
    monkeypatch.setattr(_group_losses, "_FILL", fill)
    sparse = problem(
        sp.csc_array(X), y, groups, strength=0.05, l2=0.01, fit_intercept=fit_intercept
    )
    one, other = solve(dense, tol=1e-14), solve(sparse, tol=1e-14)
    assert other.converged
    np.testing.assert_allclose(one.params, other.params, atol=1e-6)
    assert one.iterate.value == pytest.approx(other.iterate.value, rel=1e-11)


def test_sweeps_alone_reach_the_optimum(monkeypatch):
    monkeypatch.setattr(GroupQuadratic, "newton_fits", lambda self: False)
    n, sizes = SHAPES["wide"]
    case = problem(*data(n, sizes), consecutive(sizes), strength=0.1)
    result = solve(case, tol=1e-11)
    assert result.converged
    assert worst_violation(case, result.params) < 1e-4 * case.l1


def test_newton_alone_reaches_the_optimum(monkeypatch):
    monkeypatch.setattr(GroupQuadratic, "_sweep", lambda self: None)
    for shape in SHAPES:
        n, sizes = SHAPES[shape]
        case = problem(*data(n, sizes), consecutive(sizes), strength=0.02, l2=0.01)
        result = solve(case, tol=1e-12)
        assert result.converged
        assert worst_violation(case, result.params) < 1e-5 * case.l1


def test_newton_ends_in_few_steps(monkeypatch):
    steps = []
    direction = _group_newton._direction
    monkeypatch.setattr(
        _group_newton, "_direction", lambda *args: steps.append(1) or direction(*args)
    )
    n, sizes = 60, [10] * 40
    X, y = data(n, sizes, rho=0.9)
    case = problem(X, y, consecutive(sizes), strength=0.01)
    result = solve(case, tol=1e-12)
    assert result.converged
    assert 0 < len(steps) <= 40


@pytest.mark.parametrize("order", ["C", "F"])
def test_float32(order):
    X, y = data(60, [5] * 20)
    X = np.asarray(X, dtype=np.float32, order=order)
    groups = consecutive([5] * 20)
    case = problem(X, y, groups, strength=0.05, fit_intercept=True)
    exact = LinearProblem(X.astype(float), y, l1=case.l1, groups=groups)
    result = solve(case, tol=1e-6 * np.var(y))
    assert result.converged
    assert result.iterate.value == pytest.approx(solve(exact).iterate.value, rel=1e-5)
    assert worst_violation(case, solve(case, tol=0.0).params) < 1e-4 * case.l1


def test_memory_order_is_irrelevant():
    X, y = data(50, [5] * 12)
    groups = consecutive([5] * 12)
    results = [
        solve(problem(np.asarray(X, order=order), y, groups, strength=0.05)).params
        for order in "CF"
    ]
    np.testing.assert_allclose(*results, atol=1e-9)


def test_order_of_groups_and_members_is_irrelevant():
    rng = np.random.default_rng(5)
    sizes = [3, 1, 6, 2, 8, 4, 5]
    X, y = data(40, sizes)
    plain = consecutive(sizes)
    shuffled = rng.permutation(len(sizes))
    parts = np.split(plain.order, plain.starts[1:-1])
    order = np.concatenate([rng.permutation(parts[g]) for g in shuffled])
    starts = np.concatenate(([0], np.cumsum(np.array(sizes)[shuffled])))
    mixed = Groups(order, starts, plain.weights[shuffled])
    one = solve(problem(X, y, plain, strength=0.05), tol=1e-14)
    other = solve(problem(X, y, mixed, strength=0.05), tol=1e-14)
    np.testing.assert_allclose(one.params, other.params, atol=1e-7)


def test_warm_start_needs_nothing_more():
    X, y = data(50, [5] * 30)
    groups = consecutive([5] * 30)
    case = problem(X, y, groups, strength=0.05, fit_intercept=True)
    cold = solve(case, tol=1e-12)
    again = solve(case, cold.params, tol=1e-11)
    assert again.n_iter == 0
    nearby = problem(X, y, groups, strength=0.048, fit_intercept=True)
    warm = solve(nearby, cold.params, tol=1e-12)
    assert warm.n_iter <= solve(nearby, tol=1e-12).n_iter
    np.testing.assert_allclose(warm.params, solve(nearby, tol=1e-12).params, atol=1e-6)


def test_start_is_not_changed():
    X, y = data(30, [3] * 6)
    start = np.ones((19, 1))
    solve(problem(X, y, consecutive([3] * 6)), start)
    np.testing.assert_array_equal(start, 1.0)


@pytest.mark.parametrize("tol", [0.0, 1e-300])
def test_always_ends(tol):
    X, y = data(30, [10] * 30, rho=0.99)
    case = problem(X, y, consecutive([10] * 30), strength=1e-3)
    result = solve(case, tol=tol, max_iter=50)
    assert result.n_iter <= 50
    assert result.iterate.gap < 1e-8 * objective(case, np.zeros_like(result.params))


def test_crippled_inner_solver_ends_with_max_iter(monkeypatch):
    """Livelock: passes that achieve nothing must neither loop inside nor count as converged."""
    monkeypatch.setattr(GroupQuadratic, "solve", lambda *args, **options: None)
    X, y = data(30, [5] * 10)
    result = solve(problem(X, y, consecutive([5] * 10)), max_iter=2)
    assert result.n_iter == 2
    assert not result.converged


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": "squared_hinge"}, "one model for each class"),
        ({"loss": "log", "n_outputs": 3}, "one model for each class"),
        ({"lower": 0.0}, "drop the bounds"),
        ({"l1": 0.0}, "l1 > 0"),
        ({"groups": consecutive([2, 2], [1.0, 0.0])}, "small weight"),
        ({"groups": Groups(np.arange(4), np.array([0, 2, 2, 4]), np.ones(3))}, "empty"),
    ],
)
def test_impossible_problems_are_refused(changes, words):
    options = {"l1": 0.1, "groups": consecutive([2, 2])} | changes
    case = LinearProblem(np.eye(4), np.arange(4.0), **options)
    with pytest.raises(ValueError, match=words):
        group_iterates(case, tol=1e-6)
