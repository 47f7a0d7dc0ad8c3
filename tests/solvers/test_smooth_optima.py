"""Optima of smooth linear models: stored ones, and those of other solvers."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from skkd.solvers._linear_problem import LinearProblem

from ..golden._bcd_cases import optima
from ._smooth_problems import LOSSES, changed, make_problem, reference, solve, value_and_gradient

STORED = [
    key.removesuffix("|coef")
    for key in optima()[0]
    if key.endswith("|coef") and key.split("|")[1] in ("ridge", "logl2", "multil2")
]


def stored_problem(case, **options):
    """Mean loss, so the stored sums are n times ours."""
    data, _ = optima()
    tag, kind, strength, intercept = case.split("|")
    X, y, signs, classes = (data[f"{tag}|{name}"] for name in ("X", "y", "yb", "yc"))
    number = float(strength[2:])
    options = {"fit_intercept": intercept == "int", **options}
    if kind == "ridge":
        return LinearProblem(X, y, l2=number / len(y), **options)
    options |= {"loss": "log", "l2": 1 / (number * len(y))}
    if kind == "logl2":
        return LinearProblem(X, (signs > 0).astype(int), **options)
    return LinearProblem(X, classes.astype(int), n_outputs=4, **options)


@pytest.mark.parametrize("form", [np.ascontiguousarray, np.asfortranarray, sparse.csc_matrix])
@pytest.mark.parametrize("case", STORED)
def test_stored_optima(case, form):
    data, info = optima()
    problem = stored_problem(case)
    n = problem.X.shape[0]
    problem = changed(problem, X=form(problem.X))
    best = info[case]["obj"] / n
    it = solve(problem, tol=1e-14 * best)
    assert it.value == pytest.approx(best, rel=1e-10)
    coef = np.atleast_2d(data[f"{case}|coef"]).T
    p = problem.X.shape[1]
    np.testing.assert_allclose(it.params[:p], coef[:p], atol=1e-6 * np.abs(coef).max())
    if coef.shape[0] > p:  # the last entry is the intercept; of softmax up to a constant
        shift = it.params[p] - coef[p]
        np.testing.assert_allclose(shift - shift.mean() * (len(shift) > 1), 0.0, atol=1e-6)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("n", "p"), [(300, 5), (60, 40), (30, 80), (8, 200)])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_vanishes(loss, n, p, intercept):
    problem = make_problem(loss, n, p, fit_intercept=intercept)
    it = solve(problem, tol=1e-14)
    value, G = value_and_gradient(problem, it.params)
    assert it.value == pytest.approx(value, rel=1e-12)
    assert np.abs(G).max() < 1e-7
    if not intercept:
        assert not it.params[-1].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_agrees_with_another_solver(loss):
    problem = make_problem(loss)
    value, params = reference(problem)
    it = solve(problem)
    assert it.value == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(it.params[:-1], params[:-1], atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), [(5000, 6), (3000, 90)])
def test_many_rows_use_a_first_guess_and_some_of_the_rows(loss, n, p, dtype):
    problem = make_problem(loss, n, p)
    problem = changed(problem, X=problem.X.astype(dtype))
    it = solve(problem, tol=1e-13)
    assert np.abs(value_and_gradient(problem, it.params)[1]).max() < 1e-6


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("n", "p"), [(400, 30), (40, 300)])
def test_sparse_is_dense(loss, intercept, n, p):
    problem = make_problem(loss, n, p, fit_intercept=intercept)
    mask = np.random.default_rng(1).random((n, p)) < 0.1
    dense = changed(problem, X=problem.X * mask)
    a = solve(dense, tol=1e-13)
    b = solve(changed(dense, X=sparse.csc_matrix(dense.X)), tol=1e-13)
    assert a.value == pytest.approx(b.value, rel=1e-10)
    np.testing.assert_allclose(a.params, b.params, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_memory_orders_agree(loss):
    problem = make_problem(loss, 500, 20)
    a = solve(problem)
    b = solve(changed(problem, X=np.asfortranarray(problem.X)))
    np.testing.assert_allclose(a.params, b.params, atol=1e-5)


def test_data_are_not_written_to():
    for loss in LOSSES:
        for n, p in ((200, 5), (20, 60)):
            problem = make_problem(loss, n, p, weights=np.full(n, 1 / n))
            X, y = problem.X.copy(), problem.y.copy()
            for array in (problem.X, problem.y, problem.weights):
                array.flags.writeable = False
            solve(problem)
            assert np.array_equal(problem.X, X)
            assert np.array_equal(problem.y, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "p"), [(300, 20), (30, 200)])
def test_ridge_is_ridge(n, p, dtype):
    problem = make_problem("squared", n, p)
    problem = changed(problem, X=problem.X.astype(dtype))
    peer = Ridge(alpha=n * problem.l2).fit(np.asarray(problem.X, dtype=float), problem.y)
    it = solve(problem, tol=1e-16)
    np.testing.assert_allclose(it.params[:-1, 0], peer.coef_, atol=1e-8)
    assert it.params[-1, 0] == pytest.approx(peer.intercept_, abs=1e-8)
