"""One door to the solvers of linear problems: who is called, and paths of penalties."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkd.solvers import (
    CoefficientIterate,
    Groups,
    coefficient_gap,
    coefficient_path,
    duality_gap,
    linear_descent,
    null_value,
    run,
)
from skkd.solvers import _linear as door

from ._linear_problems import (
    KINDS,
    PENALTIES,
    objective,
    problem,
    reference,
    solve,
    solved,
    worst_violation,
)

every_kind = pytest.mark.parametrize("kind", KINDS)
both_stores = pytest.mark.parametrize("layout", ["C", "csc"])
GROUPS = Groups(np.arange(24), np.arange(0, 25, 4), np.full(6, 2.0))


def grouped(kind="squared", **options):
    return replace(problem(kind, p=24, **options), groups=GROUPS)


class TestDispatch:
    def called(self, case, monkeypatch, **options):
        """The name of the solver that a problem reaches, and the problem that it receives."""
        from skkd.solvers import _smooth

        calls = []

        class Spy:
            def __init__(self, problem, start, **options):
                calls.append(("working set", problem, options))

            def iterates(self, tol):
                return iter(())

        def group(problem, start, *, tol):
            calls.append(("group", problem, {}))

        def smooth(problem, start, *, tol):
            calls.append(("smooth", problem, {}))

        monkeypatch.setattr(door, "WorkingSet", Spy)
        monkeypatch.setattr(door, "group_iterates", group)
        monkeypatch.setattr(_smooth, "smooth_iterates", smooth)
        linear_descent(case, tol=1e-3, **options)
        assert len(calls) == 1
        return calls[0]

    @every_kind
    @pytest.mark.parametrize("penalty", PENALTIES)
    def test_a_kink_or_a_bound_is_for_working_sets(self, kind, penalty, monkeypatch):
        case = problem(kind, **PENALTIES[penalty])
        name, seen, _ = self.called(case, monkeypatch)
        assert name == "working set"
        assert seen is case

    @every_kind
    @pytest.mark.parametrize("l2", [0.0, 0.1])
    def test_without_either_it_is_smooth(self, kind, l2, monkeypatch):
        assert self.called(problem(kind, l2=l2), monkeypatch)[0] == "smooth"

    def test_groups(self, monkeypatch):
        assert self.called(grouped(l1=0.1), monkeypatch)[0] == "group"

    def test_groups_without_a_strength_are_smooth(self, monkeypatch):
        name, seen, _ = self.called(grouped(l2=0.1), monkeypatch)
        assert name == "smooth"
        assert seen.groups is None

    def test_options_reach_the_working_set(self, monkeypatch):
        options = {"working_set": False, "acceleration": "anderson"}
        assert self.called(problem(l1=0.1), monkeypatch, **options)[2] == options


@every_kind
@both_stores
def test_all_solvers_yield_the_start_first(kind, layout):
    cases = [problem(kind, layout=layout, l1=0.1), problem(kind, layout=layout, l2=0.1)]
    if kind in ("squared", "log"):
        cases.append(grouped(kind, layout=layout, l1=0.1))
    for case in cases:
        shape = (case.X.shape[1] + 1, case.n_outputs)
        start = np.random.default_rng(0).standard_normal(shape)
        if case.n_outputs > 1:  # what a softmax does not see is free
            start -= start.mean(axis=1, keepdims=True)
        for given, expected in ((None, np.zeros(shape)), (start, start)):
            first, second = islice(linear_descent(case, given, tol=1e-6), 2)
            assert isinstance(first, CoefficientIterate)
            assert (first.index, second.index) == (0, 1)
            assert first.params.shape == shape
            assert_allclose(first.params[:-1], expected[:-1], atol=1e-15)
            assert second.value < first.value


@every_kind
@both_stores
class TestPath:
    def walk(self, problems, tol=1e-11):
        """Run every problem of a path to its end."""
        for target, iterates in coefficient_path(problems, tol=tol):
            yield target, run(iterates, max_iter=300, tol=tol, criterion=coefficient_gap)

    @pytest.mark.parametrize("l2", [0.0, 0.1])
    def test_equals_single_fits(self, kind, layout, l2):
        case = problem(kind, n=50, p=80, layout=layout, l1=1.0)
        targets = [
            replace(case, l1=share * case.l1, l2=l2 * share * case.l1)
            for share in (1.0, 0.7, 0.4, 0.4, 0.1, 0.2)
        ]
        for target, end in self.walk(targets):
            assert end.converged
            single = solve(target)
            assert end.iterate.value == pytest.approx(single.iterate.value, abs=2e-11)
            assert worst_violation(target, end.params) < 1e-5
            assert_allclose(end.params, single.params, atol=2e-4)

    def test_needs_fewer_passes_than_single_fits(self, kind, layout):
        case = problem(kind, n=100, p=200, layout=layout, l1=1.0)
        targets = [replace(case, l1=share * case.l1) for share in 0.9 ** np.arange(1, 15)]
        passes = sum(end.n_iter for _, end in self.walk(targets, tol=1e-7))
        assert passes < sum(solve(target, tol=1e-7).n_iter for target in targets)

    def test_bounds(self, kind, layout):
        case = problem(kind, layout=layout, l1=1.0, lower=-0.1, upper=0.2)
        targets = [replace(case, l1=share * case.l1) for share in (0.5, 0.1, 0.01)]
        for target, end in self.walk(targets):
            assert end.converged
            assert end.iterate.value == pytest.approx(reference(target)[1], rel=1e-9)

    def test_ends_where_nothing_is_penalised(self, kind, layout):
        """From kinks to a smooth problem and back."""
        case = problem(kind, n=300, p=6, layout=layout, l1=1.0)
        shares = (0.5, 0.0, 0.1)
        targets = [replace(case, l1=share * case.l1, l2=0.01 * case.l1) for share in shares]
        for target, end in self.walk(targets, tol=1e-9):
            assert end.converged
            assert end.iterate.value == pytest.approx(reference(target)[1], rel=1e-8)

    def test_smooth(self, kind, layout):
        case = problem(kind, n=100, p=10, layout=layout, l2=1.0)
        for target, end in self.walk([replace(case, l2=f * case.l2) for f in (1.0, 0.1, 0.01)]):
            assert end.converged
            assert end.iterate.value == pytest.approx(reference(target)[1], rel=1e-9)

    def test_groups(self, kind, layout):
        if kind not in ("squared", "log"):
            return
        case = grouped(kind, layout=layout, l1=1.0)
        targets = [replace(case, l1=share * case.l1) for share in (0.4, 0.2, 0.05)]
        for target, end in self.walk(targets, tol=1e-9):
            assert end.converged
            fresh = run(
                linear_descent(target, tol=1e-9), max_iter=300, tol=1e-9, criterion=coefficient_gap
            )
            assert end.iterate.value == pytest.approx(fresh.iterate.value, abs=2e-9)
            assert duality_gap(target, end.params) <= 1.01e-9

    def test_starts_where_it_is_told_to(self, kind, layout):
        case = problem(kind, layout=layout, l1=0.1)
        start = solve(case).params
        ((_, iterates),) = islice(coefficient_path([case], start, tol=1e-9), 1)
        assert_array_equal(next(iterates).params[:-1], start[:-1])


@every_kind
@both_stores
def test_null_value(kind, layout):
    """The risk of the best intercepts alone, which a strength large enough leaves."""
    for fit_intercept in (True, False):
        case = problem(kind, layout=layout, l1=1.0, fit_intercept=fit_intercept)
        end = solve(replace(case, l1=1.001 * case.l1))
        assert null_value(case) == pytest.approx(end.iterate.value, rel=1e-12)


@every_kind
def test_duality_gap_is_that_of_the_solver(kind):
    case, _, optimum = solved(kind, "l1")
    iterate = next(i for i in islice(linear_descent(case, tol=1e-9), 5) if np.isfinite(i.gap))
    gap = duality_gap(case, iterate.params)
    assert gap == pytest.approx(iterate.gap, rel=1e-6)
    assert gap >= objective(case, iterate.params) - optimum - 1e-12


def test_coefficient_gap_is_the_estimate_where_there_is_no_gap():
    params = np.zeros((2, 1))
    assert coefficient_gap(CoefficientIterate(params, 1.0, np.nan, 0.3)) == 0.3
    assert coefficient_gap(CoefficientIterate(params, 1.0, 0.2, 0.3)) == 0.2
    assert coefficient_gap(CoefficientIterate(params, 1.0, np.inf)) == np.inf
    assert coefficient_gap(CoefficientIterate(params, 1.0, 0.0)).ndim == 0
