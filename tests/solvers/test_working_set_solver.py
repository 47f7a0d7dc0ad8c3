"""The working-set solver: optima, options that must not matter, and how it ends."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkd.solvers import linear_descent
from skkd.solvers._working_set import WorkingSet

from ._linear_problems import (
    KINDS,
    LAYOUTS,
    PENALTIES,
    dense,
    objective,
    problem,
    reference,
    solve,
    solved,
    worst_violation,
)

every_kind = pytest.mark.parametrize("kind", KINDS)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES)
every_layout = pytest.mark.parametrize("layout", LAYOUTS)
both_stores = pytest.mark.parametrize("layout", ["C", "csc"])
both = pytest.mark.parametrize("fit_intercept", [True, False])


def laid_out(case, layout, dtype=np.float64):
    return replace(case, X=LAYOUTS[layout](dense(case.X).astype(dtype)))


@every_kind
@every_penalty
@both
@both_stores
def test_reaches_the_optimum(kind, penalty, fit_intercept, layout):
    case, _, optimum = solved(kind, penalty, fit_intercept)
    case = laid_out(case, layout)
    end = solve(case)
    assert end.converged
    assert end.iterate.gap <= 1e-12
    assert end.iterate.status is None
    assert end.iterate.value == pytest.approx(objective(case, end.params), rel=1e-13)
    assert end.iterate.value == pytest.approx(optimum, rel=1e-10)
    assert worst_violation(case, end.params) < 1e-6
    assert np.all((case.lower <= end.params[:-1]) & (end.params[:-1] <= case.upper))
    assert fit_intercept or np.all(end.params[-1] == 0.0)


@every_kind
@every_penalty
@both_stores
def test_never_climbs(kind, penalty, layout):
    case = laid_out(solved(kind, penalty)[0], layout)
    values = [iterate.value for iterate in islice(linear_descent(case, tol=1e-12), 10)]
    assert np.all(np.diff(values) <= 4e-15 * values[0])
    assert values[-1] < values[0]


@every_kind
@both_stores
def test_tall_and_wide(kind, layout):
    for n, p in [(300, 10), (20, 200), (3, 40), (50, 1)]:
        case = problem(kind, n=n, p=p, layout=layout, l1=0.2)
        end = solve(case)
        assert end.converged
        assert worst_violation(case, end.params) < 1e-6


@every_kind
@both_stores
def test_weighted_rows_equal_repeated_ones(kind, layout):
    case = problem(kind, layout=layout, l1=0.1)
    counts = np.random.default_rng(0).integers(0, 4, case.X.shape[0])
    weighted = replace(case, weights=counts / counts.sum())
    repeated = replace(
        case, X=LAYOUTS[layout](np.repeat(dense(case.X), counts, axis=0)),
        y=np.repeat(case.y, counts),
    )  # fmt: skip
    end, twin = solve(weighted), solve(repeated)
    assert end.converged
    assert end.iterate.value == pytest.approx(twin.iterate.value, rel=1e-11)
    assert_allclose(end.params, twin.params, atol=1e-5)


@every_kind
@both_stores
class TestOptions:
    @pytest.mark.parametrize("acceleration", ["newton", "anderson", None])
    @pytest.mark.parametrize("working_set", [True, False])
    @pytest.mark.parametrize("penalty", ["l1", "elastic net", "l1 bounds"])
    def test_reach_the_same_optimum(self, kind, layout, acceleration, working_set, penalty):
        case, _, optimum = solved(kind, penalty)
        case = laid_out(case, layout)
        end = solve(case, tol=1e-10 * optimum, working_set=working_set, acceleration=acceleration)
        assert end.converged
        assert end.iterate.gap <= 1e-10 * optimum
        assert end.iterate.value == pytest.approx(optimum, rel=2e-10)

    def test_acceleration_and_working_set_change_the_way(self, kind, layout):
        case = problem(kind, n=60, p=150, layout=layout, l1=0.05)
        options = [
            {},
            {"acceleration": "anderson"},
            {"acceleration": None},
            {"working_set": False},
        ]
        runs = [list(islice(linear_descent(case, tol=1e-9, **o), 8)) for o in options]
        blocks = [iterates[1].block.size for iterates in runs]
        assert blocks[0] < blocks[3] == 150 * case.n_outputs
        values = [[iterate.value for iterate in iterates] for iterates in runs]
        for i, j in [(0, 1), (1, 2), (0, 3)]:
            assert values[i] != values[j]


@every_kind
@every_layout
def test_order_and_sparsity_do_not_matter(kind, layout):
    case = problem(kind, n=50, p=120, l1=0.1)
    expected = solve(case)
    end = solve(laid_out(case, layout))
    assert end.iterate.value == pytest.approx(expected.iterate.value, rel=1e-12)
    assert_allclose(end.params, expected.params, atol=1e-6)


@every_kind
@every_layout
def test_float32(kind, layout):
    """The optimum of the data as they are in float32; gaps down to what float32 can show."""
    case = laid_out(problem(kind, l1=0.1), layout, np.float32)
    end = solve(case, tol=1e-6)
    assert end.converged
    exact = solve(laid_out(case, "C"))  # the same numbers in float64
    assert end.iterate.value <= exact.iterate.value + 2e-6
    assert worst_violation(case, end.params) < 1e-3 * case.l1 + 1e-4
    floor = solve(case, tol=0.0, max_iter=60)  # ends by itself
    assert floor.iterate.status == "stagnated" or floor.iterate.gap == 0.0
    assert floor.iterate.value == pytest.approx(exact.iterate.value, rel=1e-6)


@every_kind
@both_stores
class TestEnd:
    def test_stagnation_ends_what_rounding_stops(self, kind, layout):
        case = laid_out(solved(kind, "l1")[0], layout)
        for iterate in islice(linear_descent(case, tol=0.0), 60):
            if iterate.status == "stagnated" or iterate.gap == 0.0:
                break
        assert iterate.status == "stagnated" or iterate.gap == 0.0
        assert iterate.gap < 1e-13 * max(1.0, iterate.value)

    def test_from_the_optimum_two_passes_are_enough(self, kind, layout):
        for penalty in ("l1", "elastic net", "l1 bounds"):
            case = laid_out(solved(kind, penalty)[0], layout)
            params = solve(case, tol=1e-13).params
            again = solve(case, params, tol=1e-11)
            assert again.converged
            assert again.n_iter <= 2

    def test_from_anywhere_to_the_same_optimum(self, kind, layout):
        case = laid_out(solved(kind, "elastic net")[0], layout)
        expected = solve(case)
        rng = np.random.default_rng(0)
        for scale in (0.1, 10.0):
            start = scale * rng.standard_normal(expected.params.shape)
            before = start.copy()
            end = solve(case, start)
            assert end.converged
            assert end.iterate.value == pytest.approx(expected.iterate.value, rel=1e-11)
            assert_array_equal(start, before)

    def test_a_start_outside_the_bounds_is_moved_inside(self, kind, layout):
        case, _, optimum = solved(kind, "l1 bounds")
        start = np.full((case.X.shape[1] + 1, case.n_outputs), 3.0)
        end = solve(laid_out(case, layout), start)
        assert end.converged
        assert end.iterate.value == pytest.approx(optimum, rel=1e-10)

    def test_two_runs_agree_to_the_last_bit(self, kind, layout):
        case = problem(kind, n=60, p=150, layout=layout, l1=0.05)
        first, second = (list(islice(linear_descent(case, tol=1e-12), 8)) for _ in range(2))
        for a, b in zip(first, second, strict=True):
            assert_array_equal(a.params, b.params)
            assert (a.value, a.gap) == (b.value, b.gap)

    def test_retargeting_equals_a_fresh_start(self, kind, layout):
        case = problem(kind, n=50, p=120, layout=layout, l1=0.5)
        solver = WorkingSet(case)
        for l1, l2 in [(0.5, 0.0), (0.1, 0.0), (0.1, 0.3), (0.3, 0.01), (0.05, 0.0)]:
            target = replace(case, l1=2.0 * l1 * case.l1, l2=l2 * case.l1)
            iterates = solver.retarget(target).iterates(1e-12)
            last = next(i for i in islice(iterates, 100) if i.gap <= 1e-12)
            fresh = solve(target)
            assert last.value == pytest.approx(fresh.iterate.value, rel=1e-11)
            assert worst_violation(target, last.params) < 1e-6
            assert_allclose(last.params, fresh.params, atol=1e-5)


@every_kind
def test_strength_at_which_everything_is_zero(kind):
    case = problem(kind, l1=1.0)
    end = solve(replace(case, l1=1.0001 * case.l1))
    assert end.converged
    assert np.all(end.params[:-1] == 0.0)
    assert end.n_iter == 0  # the start is the optimum
    beyond = linear_descent(replace(case, l1=1.0001 * case.l1), tol=1e-12)
    assert all(np.all(i.params[:-1] == 0.0) for i in islice(beyond, 3))  # and stays it
    assert np.any(solve(replace(case, l1=0.99 * case.l1)).params[:-1] != 0.0)


def test_reference_is_independent_and_sharp():
    """The slow method against a problem whose solution is known: an orthonormal design."""
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((30, 6)))
    case = problem(n=30, p=6, fit_intercept=False)
    case = replace(case, X=Q * np.sqrt(30), l1=0.3)
    c = case.X.T @ case.y / 30
    expected = np.sign(c) * np.maximum(np.abs(c) - 0.3, 0.0)
    params, _ = reference(case)
    assert_allclose(params[:-1, 0], expected, atol=1e-7)
    assert_allclose(solve(case).params[:-1, 0], expected, atol=1e-10)
