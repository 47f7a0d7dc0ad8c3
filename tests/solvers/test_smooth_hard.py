"""Weights, scales and degenerate data for the smooth solvers."""

import itertools

import numpy as np
import pytest
from scipy import sparse

from skkd.solvers import run
from skkd.solvers._linear_problem import LinearProblem
from skkd.solvers._smooth import smooth_iterates

from ._smooth_problems import LOSSES, changed, make_problem, solve, value_and_gradient

FORMS = [np.asarray, sparse.csc_matrix]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("n", "p"), [(90, 6), (25, 60)])
@pytest.mark.parametrize("loss", LOSSES)
def test_weights_are_repetition(loss, n, p, form):
    problem = make_problem(loss, n, p)
    counts = np.random.default_rng(0).integers(0, 4, n)
    counts[:4] = 2
    weighted = changed(problem, X=form(problem.X), weights=counts / counts.sum())
    X, y = np.repeat(problem.X, counts, axis=0), np.repeat(problem.y, counts)
    repeated = changed(problem, X=form(X), y=y)
    a, b = solve(weighted, tol=1e-14), solve(repeated, tol=1e-14)
    assert a.value == pytest.approx(b.value, rel=1e-10)
    np.testing.assert_allclose(a.params, b.params, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), [(2000, 12), (200, 12)])
def test_columns_of_any_scale(loss, n, p):
    scales = 10.0 ** np.linspace(-4, 4, p)
    problem = make_problem(loss, n, p, scales=scales, l2=1e-8)
    it = solve(problem, tol=1e-10)
    value, G = value_and_gradient(problem, it.params)
    assert np.sum(G[:-1] ** 2) / (2.0 * problem.l2) < 2e-10
    other = solve(changed(problem, X=sparse.csc_matrix(problem.X)), tol=1e-7, max_iter=500)
    assert value <= other.value + 1e-10


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), [(2000, 10), (100, 10), (10, 40)])
def test_columns_far_from_zero(loss, n, p):
    near = make_problem(loss, n, p)
    far = changed(near, X=near.X + 1e4)
    a, b = solve(near, tol=1e-12), solve(far, tol=1e-9)
    assert b.value == pytest.approx(a.value, rel=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e100])
def test_units_of_all_columns(loss, scale):
    problem = make_problem(loss)
    scaled = changed(problem, X=problem.X * scale, l2=problem.l2 * scale**2)
    a, b = solve(problem, tol=1e-12), solve(scaled, tol=1e-12)
    np.testing.assert_allclose(b.params[:-1] * scale, a.params[:-1], atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), [(150, 6), (20, 60)])
def test_idle_columns_get_no_coefficient(loss, form, n, p):
    problem = make_problem(loss, n, p)
    X = problem.X.copy()
    X[:, 1], X[:, 3] = 0.0, 7.0
    it = solve(changed(problem, X=form(X)), tol=1e-14)
    assert not it.params[1].any()
    np.testing.assert_allclose(it.params[3], 0.0, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), [(150, 6), (20, 60)])
def test_twins_share_their_coefficient(loss, form, n, p):
    problem = make_problem(loss, n, p)
    X = np.hstack([problem.X, problem.X[:, :2]])
    it = solve(changed(problem, X=form(X)), tol=1e-14)
    np.testing.assert_allclose(it.params[:2], it.params[p : p + 2], atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("p", [2, 30])
def test_repeated_rows(loss, intercept, p):
    problem = make_problem(loss, 12, p, fit_intercept=intercept)
    twice = changed(problem, X=np.vstack([problem.X] * 2), y=np.concatenate([problem.y] * 2))
    np.testing.assert_allclose(
        solve(problem, tol=1e-14).params, solve(twice, tol=1e-14).params, atol=1e-6
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("p", [1, 3, 20])
@pytest.mark.parametrize("loss", ["log", "squared_hinge", "multinomial"])
def test_one_row_per_class(loss, p, form):
    k = 4 if loss == "multinomial" else 2
    X = np.random.default_rng(0).standard_normal((k, p))
    outputs = k if loss == "multinomial" else 1
    name = "log" if loss == "multinomial" else loss
    problem = LinearProblem(form(X), np.arange(k), name, n_outputs=outputs, l2=0.1)
    it = solve(problem, tol=1e-13)
    assert np.abs(value_and_gradient(problem, it.params)[1]).max() < 1e-6


@pytest.mark.parametrize("loss", ["log", "squared_hinge"])
@pytest.mark.parametrize(("n", "p"), [(20_000, 5), (5_000, 200), (100, 300)])
def test_a_single_positive_row(loss, n, p):
    rng = np.random.default_rng(0)
    y = np.zeros(n, dtype=int)
    y[n // 2] = 1
    problem = LinearProblem(rng.standard_normal((n, p)), y, loss, l2=1e-4)
    it = solve(problem, tol=1e-12)
    assert np.abs(value_and_gradient(problem, it.params)[1]).max() < 1e-6


@pytest.mark.parametrize(("n", "p"), [(8_000, 5), (60, 200)])
def test_a_class_of_one_row(n, p):
    problem = make_problem("multinomial", n, p, l2=1e-4)
    y = np.where(problem.y == 3, 0, problem.y)
    y[n // 2] = 3
    it = solve(changed(problem, y=y), tol=1e-12)
    assert np.abs(value_and_gradient(changed(problem, y=y), it.params)[1]).max() < 1e-6


@pytest.mark.parametrize("loss", ["log", "squared_hinge", "multinomial"])
@pytest.mark.parametrize(("n", "p"), [(50, 4), (10, 40)])
def test_a_single_class(loss, n, p):
    problem = make_problem(loss, n, p, l2=1e-3)
    problem = changed(problem, y=np.ones(n, dtype=int))
    iterates = list(itertools.islice(smooth_iterates(problem, tol=1e-10), 20))
    assert np.isfinite(iterates[-1].value)
    assert iterates[-1].value < 1e-6


@pytest.mark.parametrize("l2", [1e-8, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), [(300, 10), (20, 60)])
def test_penalties_of_any_strength(loss, l2, n, p):
    problem = make_problem(loss, n, p, l2=l2)
    it = solve(problem, tol=1e-9)
    assert it.gap <= 1e-9


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", ["log", "squared_hinge", "multinomial"])
@pytest.mark.parametrize("form", FORMS)
def test_no_penalty(loss, form, intercept):
    problem = make_problem(loss, 400, 5, l2=0.0, spread=1.0, fit_intercept=intercept)
    problem = changed(problem, X=form(problem.X))
    it = solve(problem, tol=1e-14)
    assert np.isnan(it.gap)
    assert np.abs(value_and_gradient(problem, it.params)[1]).max() < 1e-6


@pytest.mark.parametrize("loss", ["log", "squared_hinge", "multinomial"])
def test_no_penalty_and_dependent_columns(loss):
    problem = make_problem(loss, 400, 5, l2=0.0, spread=1.0)
    X = np.hstack([problem.X, problem.X[:, :3], np.ones((400, 1))])
    a, b = solve(problem, tol=1e-14), solve(changed(problem, X=X), tol=1e-14)
    assert b.value == pytest.approx(a.value, rel=1e-9)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("n", "p", "rank"), [(50, 8, 8), (50, 8, 3), (8, 30, 8), (8, 30, 3)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_least_squares_of_least_norm(n, p, rank, dtype, intercept):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, p))
    X = X.astype(dtype)
    y = rng.standard_normal(n)
    it = solve(LinearProblem(X, y, fit_intercept=intercept, l2=0.0), tol=1e-20)
    centred = X.astype(float) - intercept * X.mean(axis=0, dtype=float)
    best = np.linalg.pinv(centred, rcond=1e-5) @ (y - intercept * y.mean())
    np.testing.assert_allclose(it.params[:-1, 0], best, atol=1e-5 if dtype is np.float32 else 1e-9)


@pytest.mark.parametrize(("n", "p"), [(200, 10), (10, 80)])
def test_sparse_least_squares(n, p):
    rng = np.random.default_rng(0)
    X = sparse.random(n, p, 0.2, "csc", rng=rng)
    y = rng.standard_normal(n)
    it = solve(LinearProblem(X, y, l2=0.0), tol=1e-16)
    centred = X.toarray() - X.toarray().mean(axis=0)
    residual = y - y.mean() - centred @ it.params[:-1, 0]
    assert np.abs(centred.T @ residual).max() < 1e-5


@pytest.mark.parametrize("loss", ["log", "multinomial"])
@pytest.mark.parametrize(("n", "p"), [(60, 3), (20, 50)])
def test_separable_classes_without_penalty_end(loss, n, p):
    problem = make_problem(loss, n, p, l2=0.0)
    y = (problem.X[:, 0] > 0).astype(int) + (loss == "multinomial") * (problem.X[:, 0] > 1)
    problem = changed(problem, y=y, n_outputs=3 if loss == "multinomial" else 1)
    result = run(
        smooth_iterates(problem, tol=1e-30),
        max_iter=15,
        tol=1e-30,
        criterion=lambda it: np.asarray(it.violation),
    )
    assert result.iterate.value < 1e-3
    assert np.all(np.isfinite(result.params))
