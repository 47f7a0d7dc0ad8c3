"""Gaps, warm starts and the other promises of the generator of smooth solvers."""

from itertools import islice

import numpy as np
import pytest
from scipy import sparse

from skkd._threads import single_blas_thread
from skkd.solvers import run
from skkd.solvers._smooth import smooth_iterates

from ._smooth_problems import LOSSES, changed, make_problem, solve, value_and_gradient

SIZES = [(200, 10), (2000, 8), (30, 70)]


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("n", "p"), SIZES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gap_bounds_the_suboptimality(loss, n, p, intercept):
    problem = make_problem(loss, n, p, fit_intercept=intercept, l2=0.03)
    best = solve(problem, tol=1e-15).value
    rng = np.random.default_rng(0)
    for size in (0.0, 0.01, 0.3, 3.0):
        start = size * rng.standard_normal((p + 1, problem.n_outputs))
        start[-1] *= intercept
        for it in islice(smooth_iterates(problem, start, tol=1e-12), 4):
            value, _ = value_and_gradient(problem, it.params)
            assert it.value == pytest.approx(value, rel=1e-10)
            assert it.gap >= (value - best) * (1.0 - 1e-6) - 1e-14


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gap_is_sharp_near_the_optimum(loss):
    # For a quadratic the gap exceeds the suboptimality by the condition number at most.
    problem = make_problem(loss, l2=1.0)
    best = solve(problem, tol=1e-16).value
    start = solve(problem, tol=1e-16).params + 1e-3
    if problem.n_outputs > 1:
        start += 1e-3 * np.arange(problem.n_outputs)
    it = next(smooth_iterates(problem, start, tol=1.0))
    assert best < it.value
    assert it.gap < 20.0 * (it.value - best)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), SIZES)
def test_a_warm_start_at_the_optimum_is_certified_at_once(loss, n, p):
    problem = make_problem(loss, n, p)
    it = solve(problem, tol=1e-13)
    first = next(smooth_iterates(problem, it.params, tol=1e-10))
    assert first.index == 0
    assert first.gap <= 1e-10
    np.testing.assert_allclose(first.params, it.params, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("form", [np.asarray, sparse.csc_matrix])
@pytest.mark.parametrize(("n", "p"), [(200, 10), (30, 70), (20, 200)])
def test_any_start_leads_to_the_optimum(loss, form, n, p):
    problem = make_problem(loss, n, p)
    problem = changed(problem, X=form(problem.X))
    best = solve(problem, tol=1e-13)
    start = np.random.default_rng(0).standard_normal((p + 1, problem.n_outputs))
    it = solve(problem, start, tol=1e-13)
    assert it.value == pytest.approx(best.value, rel=1e-9)
    np.testing.assert_allclose(it.params[:-1], best.params[:-1], atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_looser_tolerance_costs_fewer_passes(loss):
    problem = make_problem(loss, 3000, 20, l2=1e-4)
    loose, tight = (solve(problem, tol=tol) for tol in (1e-3, 1e-12))
    assert loose.gap <= 1e-3
    assert tight.gap <= 1e-12
    assert loose.index <= tight.index <= 6


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), SIZES)
def test_iterates_descend_and_do_not_share_memory(loss, n, p):
    problem = make_problem(loss, n, p)
    iterates = list(islice(smooth_iterates(problem, tol=1e-14), 4))
    kept = [it.params.copy() for it in iterates]
    values = [it.value for it in iterates]
    assert all(b <= a + 1e-13 * abs(a) for a, b in zip(values, values[1:], strict=False))
    assert [it.index for it in iterates] == list(range(len(iterates)))
    iterates[0].params[:] = np.nan
    assert all(np.array_equal(a, it.params) for a, it in zip(kept[1:], iterates[1:], strict=True))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), SIZES)
def test_stagnates_where_rounding_ends_it(loss, n, p):
    result = run(
        smooth_iterates(make_problem(loss, n, p), tol=0.0),
        max_iter=200,
        tol=0.0,
        criterion=lambda it: np.asarray(it.gap),
    )
    assert result.iterate.status == "stagnated" or result.iterate.gap == 0.0
    assert result.iterate.gap < 1e-13


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csc_matrix])
def test_threads_do_not_change_results(loss, form, monkeypatch):
    problem = make_problem(loss, 6000, 100)  # several chunks of rows
    problem = changed(problem, X=form(problem.X))

    def with_threads(count):
        for module in ("_rows", "_scaling", "_row_space"):
            monkeypatch.setattr(f"skkd.solvers._smooth.{module}.blas_threads", lambda: count)
        with single_blas_thread():
            return solve(problem, tol=1e-9).params

    assert np.array_equal(with_threads(1), with_threads(3))
