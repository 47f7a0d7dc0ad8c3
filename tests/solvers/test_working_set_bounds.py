"""Certified gaps: the bound lies below the optimum wherever it is taken."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from skkd.solvers import Groups, duality_gap, linear_descent
from skkd.solvers._working_set._duality import certified_gap, lower_bound
from skkd.solvers._working_set._risks import make_risk

from ._linear_problems import (
    KINDS,
    LAYOUTS,
    PENALTIES,
    objective,
    problem,
    reference,
    solve,
    solved,
    worst_violation,
)

every_kind = pytest.mark.parametrize("kind", KINDS)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES)
both = pytest.mark.parametrize("fit_intercept", [True, False])


def points(case, best, seed=0):
    """Points near the optimum and far from it, within the bounds."""
    rng = np.random.default_rng(seed)
    for scale in (0.0, 1e-6, 1e-3, 0.1, 1.0, 10.0):
        for share in (0.0, 1.0):
            params = share * best + scale * rng.standard_normal(best.shape)
            params[:-1] = np.clip(params[:-1], case.lower, case.upper)
            params[-1] *= case.fit_intercept
            yield params


@every_kind
@every_penalty
@both
class TestBound:
    def test_lies_below_the_optimum_everywhere(self, kind, penalty, fit_intercept):
        case, best, optimum = solved(kind, penalty, fit_intercept)
        for params in points(case, best):
            gap = certified_gap(case, params)
            value = objective(case, params)
            assert np.isfinite(gap)
            assert value - gap <= optimum + 1e-11 * max(1.0, value)
            assert gap >= value - optimum - 1e-11 * max(1.0, value)

    def test_is_tight_at_the_optimum(self, kind, penalty, fit_intercept):
        case, best, optimum = solved(kind, penalty, fit_intercept)
        assert worst_violation(case, best) < 1e-7  # the slow method is to be trusted
        assert certified_gap(case, best) < 1e-6 * optimum

    def test_tends_to_the_optimum(self, kind, penalty, fit_intercept):
        case, best, _ = solved(kind, penalty, fit_intercept)
        rng = np.random.default_rng(1)
        noise = rng.standard_normal(best.shape)
        noise[-1] *= case.fit_intercept
        gaps = []
        for scale in (1.0, 1e-2, 1e-4):
            params = best + scale * noise
            params[:-1] = np.clip(params[:-1], case.lower, case.upper)
            gaps.append(certified_gap(case, params))
        assert gaps[0] > gaps[1] > gaps[2]
        assert gaps[2] < 1e-2 * gaps[0]

    @pytest.mark.parametrize("layout", ["C", "csc"])
    def test_every_iterate_tells_the_truth(self, kind, penalty, fit_intercept, layout):
        case, _, optimum = solved(kind, penalty, fit_intercept)
        case = replace(case, X=LAYOUTS[layout](case.X))
        iterates = list(islice(linear_descent(case, tol=1e-12), 10))
        assert any(np.isfinite(iterate.gap) for iterate in iterates)
        for iterate in iterates:
            assert iterate.value == pytest.approx(objective(case, iterate.params), rel=1e-12)
            assert iterate.value - iterate.gap <= optimum + 1e-12 * max(1.0, iterate.value)


@every_kind
def test_weighted_rows(kind):
    n = 40
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.0, 1.0, n)
    weights[:5] = 0.0
    case = problem(kind, weights=weights / weights.sum(), l1=0.1)
    end = solve(case)
    assert end.converged
    for params in points(case, end.params):
        value = objective(case, params)
        assert value - certified_gap(case, params) <= end.iterate.value + 1e-11 * max(1.0, value)


@every_kind
def test_shrunken_duals_are_the_best_of_their_kind(kind):
    """No shrinking of the pull that is feasible gives more than the bound."""
    case, best, _ = solved(kind, "l1")
    params = best + 0.1 * np.random.default_rng(0).standard_normal(best.shape)
    risk = make_risk(case)
    margins = case.X @ params[:-1]
    margins = margins[:, 0] if case.n_outputs == 1 else margins
    look = risk.look(margins, params[-1].squeeze(), 1e-15)
    c = (case.X.T @ look.pull).ravel()
    bound = lower_bound(case, risk, look, c, params[:-1].ravel())
    largest = case.l1 / np.abs(c).max()
    feasible = [risk.dual(look, t) for t in np.linspace(0.0, min(1.0, largest), 200)]
    if kind == "squared":
        assert bound >= max(feasible) - 1e-12
    assert bound >= feasible[-1] - 1e-12


def test_the_strong_ridge_has_the_better_bound():
    """Where the ridge is strong, the conjugate of the whole penalty beats shrinking."""
    case = problem(l1=0.01, l2=10.0)
    params = solve(case).params + 1e-3
    w = params[:-1, 0]
    risk = make_risk(case)
    look = risk.look(case.X @ w, 0.0)
    c = case.X.T @ look.pull
    shrink = case.l1 / np.abs(c - case.l2 * w).max()
    by_shrinking = risk.dual(look, shrink) - shrink**2 * 0.5 * case.l2 * (w @ w)
    value = objective(case, np.append(w, look.intercept)[:, None])
    assert value - lower_bound(case, risk, look, c, w) < 0.1 * (value - by_shrinking)


@pytest.mark.parametrize("bounds", [(0.0, np.inf), (-np.inf, 0.0), (-np.inf, 1.0)])
@every_kind
def test_no_dual_no_gap(kind, bounds):
    """With one open side and no penalty the dual point is known only at the optimum."""
    case = problem(kind, lower=bounds[0], upper=bounds[1])
    params = np.zeros((case.X.shape[1] + 1, case.n_outputs))
    assert certified_gap(case, params) == np.inf
    for iterate in islice(linear_descent(case, tol=1e-9), 4):
        assert np.isnan(iterate.gap)
        assert iterate.violation >= 0.0


@every_kind
def test_without_a_dual_the_estimate_holds(kind):
    """The estimate where nothing is certified: as far as the tolerance from the optimum."""
    case = problem(kind, n=200, p=8, lower=0.0)
    end = solve(case, tol=1e-9)
    assert end.converged
    assert worst_violation(case, end.params) < 1e-6
    assert end.iterate.value == pytest.approx(reference(case)[1], rel=1e-9)


def test_intercepts_do_not_drift_together():
    """Only differences of softmax intercepts matter; on separable classes nothing holds them."""
    end = solve(problem("softmax", lower=0.0), tol=1e-9)
    assert abs(end.params[-1].mean()) < 100.0


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
@every_kind
def test_stopping_at_a_gap_keeps_the_promise(kind, tol):
    case, _, optimum = solved(kind, "l1")
    end = solve(case, tol=tol * optimum)
    assert end.converged
    assert end.iterate.value - optimum <= tol * optimum
    assert certified_gap(case, end.params) <= 1.01 * tol * optimum + 1e-14


def test_duality_gap_of_groups_and_of_none():
    groups = Groups(np.arange(12), np.arange(0, 13, 4), np.full(3, 2.0))
    grouped = replace(problem(n=30, p=12, l1=0.1), groups=groups)
    zero = np.zeros((13, 1))
    zero[-1] = grouped.y.mean()
    gap = duality_gap(grouped, zero)
    assert 0.0 < gap < objective(replace(grouped, groups=None), zero)
    plain = replace(grouped, groups=None)
    assert duality_gap(plain, zero) == certified_gap(plain, zero)
