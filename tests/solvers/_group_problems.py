"""Small problems with groups, their objectives and a bound from below, written out plainly."""

import numpy as np

from skkd.solvers import run
from skkd.solvers._linear_problem import Groups, LinearProblem
from skkd.solvers._working_set._group import group_iterates


def consecutive(sizes, weights=None):
    """Groups of the given sizes, one behind the other; weights are roots of sizes by default."""
    sizes = np.asarray(sizes)
    weights = np.sqrt(sizes) if weights is None else np.asarray(weights, dtype=float)
    return Groups(np.arange(sizes.sum()), np.concatenate(([0], np.cumsum(sizes))), weights)


def members(groups):
    """The index arrays of the groups."""
    return np.split(groups.order, groups.starts[1:-1])


def data(n, sizes, *, seed=0, rho=0.5, mean=0.0, binary=False, n_true=3):
    """Correlated columns, of which the first groups matter."""
    rng = np.random.default_rng(seed)
    p = int(np.sum(sizes))
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1.0 - rho**2) * X[:, j]
    w = np.zeros(p)
    w[: int(np.sum(sizes[:n_true]))] = rng.standard_normal(int(np.sum(sizes[:n_true])))
    y = X @ w + rng.standard_normal(n)
    return X + mean, (y > np.median(y)).astype(int) if binary else y


def problem(X, y, groups, *, strength=0.1, loss="squared", **options):
    """A problem whose l1 is a share of the smallest one at which everything is zero."""
    options.setdefault("fit_intercept", False)
    return LinearProblem(
        X,
        y,
        loss=loss,
        groups=groups,
        l1=strength * largest_l1(X, y, groups, loss, **options),
        **options,
    )


def largest_l1(X, y, groups, loss="squared", *, weights=None, fit_intercept=False, **_):
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X, dtype=float)
    s = np.full(len(y), 1.0 / len(y)) if weights is None else weights
    pull = s * (y - (s @ y if fit_intercept else 0.5 * (loss == "log")))
    return max(
        np.linalg.norm(X[:, g].T @ pull) / weight
        for g, weight in zip(members(groups), groups.weights, strict=True)
    )


def solve(problem, start=None, *, tol=1e-12, max_iter=200):
    """Run to a certified absolute gap of `tol`."""
    iterates = group_iterates(problem, start, tol=tol)
    return run(iterates, max_iter=max_iter, tol=tol, criterion=lambda iterate: iterate.gap)


def objective(problem, params):
    """The objective, term by term."""
    X = problem.X.toarray() if hasattr(problem.X, "toarray") else problem.X.astype(float)
    n = X.shape[0]
    s = np.full(n, 1.0 / n) if problem.weights is None else problem.weights
    w, b = params[:-1, 0], params[-1, 0]
    z = X @ w + b
    if problem.loss == "squared":
        value = 0.5 * s @ (problem.y - z) ** 2
    else:
        value = s @ np.logaddexp(0.0, -(2 * problem.y - 1) * z)
    norms = [np.linalg.norm(w[g]) for g in members(problem.groups)]
    return value + problem.l1 * problem.groups.weights @ norms + 0.5 * problem.l2 * (w @ w)


def worst_violation(problem, params):
    """Largest distance of zero from the subdifferential, over groups and the intercept."""
    X = problem.X.toarray() if hasattr(problem.X, "toarray") else problem.X.astype(float)
    n = X.shape[0]
    s = np.full(n, 1.0 / n) if problem.weights is None else problem.weights
    w, b = params[:-1, 0], params[-1, 0]
    z = X @ w + b
    mean = z if problem.loss == "squared" else 1.0 / (1.0 + np.exp(-z))
    pull = s * (problem.y - mean)
    worst = abs(pull.sum()) if problem.fit_intercept else 0.0
    for g, weight in zip(members(problem.groups), problem.groups.weights, strict=True):
        c, lam = X[:, g].T @ pull - problem.l2 * w[g], problem.l1 * weight
        norm = np.linalg.norm(w[g])
        rest = max(np.linalg.norm(c) - lam, 0.0) if norm == 0.0 else c - lam * w[g] / norm
        worst = max(worst, np.linalg.norm(rest))
    return worst
