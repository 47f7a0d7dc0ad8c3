"""Margin maximisation: bounds that hold at every iterate, and the rates of the theorem."""

from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from skkd.losses import ExponentialLoss, PairwiseLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import max_margin_descent, run
from tests.losses._cases import pair_margins

from ._problems import separable_problem


def signed_rows(objective):
    """The rows M of the problem, Kesler's for several classes, flattened like the parameters."""
    X, y, k = objective.X, objective.target.y, objective.shape[1]
    if k == 1:
        return X * (2 * y - 1)[:, None]
    E = np.eye(k)
    pairs = [(i, j) for i in range(X.shape[0]) for j in range(k) if j != y[i]]
    return np.array([np.outer(X[i], E[y[i]] - E[j]).reshape(-1) for i, j in pairs])


def true_margin(objective):
    """Largest margin by SciPy, as the distance of a cone: min |w|^2 under M w >= 1."""
    M = signed_rows(objective)
    result = minimize(
        lambda w: 0.5 * w @ w,
        np.linalg.lstsq(M, np.ones(M.shape[0]), rcond=None)[0],
        jac=lambda w: w,
        constraints={"type": "ineq", "fun": lambda w: M @ w - 1.0, "jac": lambda w: M},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return 1.0 / np.linalg.norm(result.x)


def radius(objective):
    """Largest norm of a row of M."""
    return float(np.linalg.norm(signed_rows(objective), axis=1).max())


PROBLEMS = {
    "binary": separable_problem(ExponentialLoss(), n=40, p=3),
    "kesler": separable_problem(PairwiseLoss(ExponentialLoss()), 3, n=25, p=3),
}


@pytest.mark.parametrize("momentum", [True, False])
@pytest.mark.parametrize("name", PROBLEMS)
def test_margin_below_truth_below_bound_at_every_iterate(name, momentum):
    objective = PROBLEMS[name]
    truth = true_margin(objective)
    path = max_margin_descent(objective, radius(objective), momentum=momentum)
    margins, bounds = [], []
    for iterate in islice(path, 400):
        margins.append(float(iterate.margin))
        bounds.append(float(iterate.bound))
        assert iterate.margin <= truth * (1 + 1e-9)
        assert iterate.bound >= truth * (1 - 1e-9)
    # The best so far of both: neither ever gets worse.
    assert np.all(np.diff(margins[1:]) >= 0)
    assert np.all(np.diff(bounds) <= 0)
    unit = iterate.params
    assert_allclose(np.linalg.norm(unit), 1.0, rtol=1e-12)
    expected = pair_margins(objective.X @ unit, objective.target.y).min()
    assert_allclose(iterate.margin, expected, rtol=1e-10)
    # The logits of the bound give a point of the simplex, and the bound is |M^T q|.
    m = pair_margins(iterate.dual_logits, objective.target.y).reshape(-1)
    q = np.exp(m.min() - m)
    assert_allclose(
        np.linalg.norm(signed_rows(objective).T @ (q / q.sum())), iterate.bound, rtol=1e-10
    )
    assert_allclose(iterate.gap, (bounds[-1] - margins[-1]) / bounds[-1], rtol=1e-12)


@pytest.mark.parametrize("name", PROBLEMS)
def test_rates(name):
    """Ji, Srebro and Telgarsky 2021: O(log n log t / t^2) with momentum, O(1/t) without."""
    objective = PROBLEMS[name]
    truth, R, n = true_margin(objective), radius(objective), signed_rows(objective).shape[0]
    times = np.array([30, 100, 300, 1000])
    errors = {}
    for momentum in (True, False):
        path = list(islice(max_margin_descent(objective, R, momentum=momentum), int(times[-1]) + 1))
        errors[momentum] = np.array([(truth - float(path[t].margin)) / R for t in times])
    # Theorem 3.1 has the constants 4 (1 + log n) (1 + 2 log(t + 1)) / (mu (t + 1)^2), mu over R.
    bound = 4 * (1 + np.log(n)) * (1 + 2 * np.log(times + 1)) / (truth / R * (times + 1) ** 2)
    assert np.all(errors[True] <= bound + 1e-10)
    # Without momentum log(n) / (mu t), up to a small constant, and no faster in practice.
    assert np.all(errors[False] <= 2 * (1 + np.log(n)) / (truth / R * times))
    assert errors[False][-1] > 10 * errors[True][-1]


def test_the_start_has_no_margin():
    objective = PROBLEMS["binary"]
    start = next(max_margin_descent(objective, radius(objective)))
    assert start.margin == -np.inf
    assert not start.params.any()
    assert start.errors == 1.0
    # q uniform: the mean of the rows.
    assert_allclose(start.bound, np.linalg.norm(signed_rows(objective).mean(axis=0)), rtol=1e-12)


def test_rows_that_are_not_separable_drive_the_bound_to_zero():
    X = np.array([[1.0, 0.5], [-1.0, -0.5], [0.3, 1.0]])
    objective = LinearObjective(ExponentialLoss(), X, Target(np.ones(3)), fit_intercept=False)
    path = max_margin_descent(objective, radius(objective))
    last = list(islice(path, 500))[-1]
    assert float(last.margin) <= 0
    assert float(last.bound) < 0.02


def test_the_units_of_the_rows_only_scale_the_margin():
    objective = PROBLEMS["binary"]
    scaled = LinearObjective(
        ExponentialLoss(), 1e6 * objective.X, objective.target, fit_intercept=False
    )
    one = next(islice(max_margin_descent(objective, radius(objective)), 200, None))
    two = next(islice(max_margin_descent(scaled, radius(scaled)), 200, None))
    assert_allclose(two.params, one.params, rtol=1e-6, atol=1e-8)
    assert_allclose(two.margin, 1e6 * one.margin, rtol=1e-7)


def test_through_the_driver():
    objective = PROBLEMS["binary"]
    result = run(
        max_margin_descent(objective, radius(objective)),
        max_iter=5000,
        tol=1e-3,
        criterion=lambda iterate: iterate.gap,
    )
    assert result.converged
    assert_allclose(float(result.iterate.margin), true_margin(objective), rtol=1e-3)
