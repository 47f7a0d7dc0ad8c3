"""The metric of the Gram matrix: what it is, what it saves, and when there is none."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skkd.losses import MultinomialLogLoss, SquaredLoss, Target
from skkd.objectives import LinearObjective
from skkd.objectives._blocks import BlockedRows
from skkd.solvers import Metric, gradient_norm, gram_metric, lbfgs, newton, run

SOLVERS = [lbfgs, newton]


def problem(n=300, p=12, k=3, *, dtype=np.float64, alpha=1e-3, **options):
    """Correlated columns: eigenvalues of their covariance from 1 to 1e-4."""
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((p, p)))[0]
    X = (rng.standard_normal((n, p)) * np.logspace(0, -2, p)) @ Q.T
    y = np.argmax(X @ rng.standard_normal((p, k)) * 3 + rng.gumbel(size=(n, k)), axis=1)
    return LinearObjective(
        MultinomialLogLoss(), X.astype(dtype), Target(y), n_outputs=k, alpha=alpha, **options
    )


def solved(solver, objective, tol=1e-9, **options):
    return run(
        solver(objective, objective.zeros(), **options),
        max_iter=2000,
        tol=tol,
        criterion=gradient_norm,
    )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_gram_matrix_is_the_hessian_of_least_squares(weighted, fit_intercept):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    weight = rng.random(30) if weighted else None
    objective = LinearObjective(
        SquaredLoss(), X, Target(X[:, 0]), weight, alpha=0.3, fit_intercept=fit_intercept
    )
    product = objective.linearize(objective.zeros())
    hessian = np.hstack([product(one[:, None]) for one in np.eye(objective.shape[0])])
    assert_allclose(objective.gram(), hessian, atol=1e-13)
    assert_allclose(np.diagonal(objective.gram()), objective.diagonal()[:, 0], atol=1e-13)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_blocks_of_rows_add_up(monkeypatch, weighted, fit_intercept):
    weight = np.random.default_rng(1).random(300) if weighted else None
    plain = problem(sample_weight=weight, fit_intercept=fit_intercept)
    monkeypatch.setattr("skkd.objectives._rows._SMALL_BYTES", 0)
    monkeypatch.setattr("skkd.objectives._blocks._BLOCK_BYTES", 4096)
    blocked = problem(sample_weight=weight, fit_intercept=fit_intercept)
    assert isinstance(blocked._rows, BlockedRows)
    assert sum(map(len, blocked._rows.runs)) > 5
    assert_allclose(blocked.gram(), plain.gram(), atol=1e-14)
    W = np.cos(np.arange(blocked.zeros().size)).reshape(blocked.shape)
    assert_allclose(blocked.linearize(W)(W), plain.linearize(W)(W), atol=1e-13)


def test_the_bound_becomes_the_identity():
    objective = problem()
    R = gram_metric(objective).root
    assert_allclose(R.T @ objective.gram() @ R, np.eye(len(R)), atol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_optimum_does_not_depend_on_it(solver):
    objective = problem()
    with_diagonal = solved(solver, objective, tol=1e-11)
    with_gram = solved(solver, objective, tol=1e-11, metric=gram_metric(objective))
    assert with_diagonal.converged
    assert with_gram.converged
    assert_allclose(with_gram.params, with_diagonal.params, atol=1e-6)


def test_correlations_cost_nothing():
    objective = problem(alpha=1e-6)
    usual = solved(lbfgs, objective)
    metric = solved(lbfgs, objective, metric=gram_metric(objective))
    assert metric.converged
    assert metric.n_iter < 40 < 150 < usual.n_iter


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", SOLVERS)
def test_columns_that_say_nothing_or_the_same_twice(solver, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    X = np.hstack([X, X[:, :1], np.zeros((60, 1)), np.ones((60, 1)), 1e6 * X[:, 1:2]])
    y = rng.integers(0, 3, 60)
    objective = LinearObjective(
        MultinomialLogLoss(), X.astype(dtype), Target(y), n_outputs=3, alpha=0.0
    )
    metric = gram_metric(objective)
    assert np.isfinite(metric.root).all()
    tol = 1e-9 if dtype == np.float64 else 1e-1  # the column of 1e6 has gradients of its size
    result = solved(solver, objective, tol=tol, metric=metric)
    assert result.converged
    plain = LinearObjective(MultinomialLogLoss(), X[:, :3], Target(y), n_outputs=3)
    best = solved(newton, plain).iterate.value
    assert_allclose(result.iterate.value, best, rtol=1e-9 if dtype == np.float64 else 1e-5)


def test_there_is_none_where_it_would_not_pay():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 20)
    wide = rng.standard_normal((20, 500))
    for X in (wide, sparse.csr_array(wide[:, :5]), 1e200 * wide[:, :5]):
        with np.errstate(over="ignore", invalid="ignore"):
            objective = LinearObjective(MultinomialLogLoss(), X, Target(y), n_outputs=3)
            assert gram_metric(objective) is None


def test_other_libraries():
    xp = pytest.importorskip("array_api_strict")
    objective = problem()
    strict = LinearObjective(
        MultinomialLogLoss(),
        xp.asarray(objective.X),
        Target(xp.asarray(objective.target.y)),
        n_outputs=3,
        alpha=1e-3,
    )
    found = solved(lbfgs, strict, metric=gram_metric(strict))
    expected = solved(lbfgs, objective, metric=gram_metric(objective))
    assert_allclose(np.asarray(found.params), expected.params, atol=1e-5)


def test_a_diagonal_metric_scales():
    move = np.arange(6.0).reshape(3, 2)
    root = np.array([[1.0], [2.0], [3.0]])
    assert_allclose(Metric(root).push(move), root * move)
    assert_allclose(Metric(root).solve(move), root**2 * move)
    assert Metric(None).pull(move) is move
