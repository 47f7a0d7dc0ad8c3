"""Smooth linear problems, their objective and gradient written down a second time, and a driver."""

import numpy as np
from scipy import optimize, sparse

from skkd.solvers import run
from skkd.solvers._linear_problem import LinearProblem
from skkd.solvers._smooth import smooth_iterates

LOSSES = ("squared", "log", "squared_hinge", "multinomial")


def make_problem(loss, n=120, p=7, *, k=4, seed=0, scales=1.0, shift=0.0, spread=2.0, **options):
    """Noisy targets; multinomial stands for the logistic loss with k logits."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    Z = X @ rng.standard_normal((p, k)) * spread / np.sqrt(p)
    X = X * scales + shift
    options.setdefault("l2", 0.01)
    if loss == "squared":
        return LinearProblem(X, Z[:, 0] + rng.standard_normal(n), "squared", **options)
    if loss == "multinomial":
        y = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
        y[:k] = np.arange(k)
        return LinearProblem(X, y, "log", n_outputs=k, **options)
    y = (Z[:, 0] + rng.logistic(size=n) > 0).astype(int)
    y[:2] = 0, 1
    return LinearProblem(X, y, loss, **options)


def changed(problem, **changes):
    """The problem with some fields replaced."""
    fields = {name: getattr(problem, name) for name in LinearProblem.__slots__}
    return LinearProblem(**{**fields, **changes})


def value_and_gradient(problem, params):
    """Objective and gradient at parameters of shape (p + 1, k)."""
    X = problem.X.toarray() if sparse.issparse(problem.X) else problem.X
    X = np.asarray(X, dtype=float)
    n = X.shape[0]
    s = np.full(n, 1 / n) if problem.weights is None else problem.weights
    W, b = params[:-1], params[-1]
    Z = X @ W + b
    if problem.loss == "squared":
        R = Z - problem.y[:, None]
        losses = 0.5 * R[:, 0] ** 2
    elif problem.n_outputs > 1:
        Y = np.eye(problem.n_outputs)[problem.y]
        top = Z.max(axis=1)
        total = np.exp(Z - top[:, None]).sum(axis=1)
        losses = np.log(total) + top - (Z * Y).sum(axis=1)
        R = np.exp(Z - top[:, None]) / total[:, None] - Y
    else:
        signs = 2.0 * problem.y - 1.0
        margins = signs * Z[:, 0]
        if problem.loss == "log":
            losses = np.logaddexp(0.0, -margins)
            R = (-signs * 0.5 * (1.0 - np.tanh(0.5 * margins)))[:, None]
        else:
            short = np.maximum(0.0, 1.0 - margins)
            losses, R = 0.5 * short**2, (-signs * short)[:, None]
    value = s @ losses + 0.5 * problem.l2 * np.sum(W**2)
    G = np.vstack([X.T @ (s[:, None] * R) + problem.l2 * W, s @ R])
    if not problem.fit_intercept:
        G[-1] = 0.0
    return float(value), G


def solve(problem, start=None, *, tol=1e-12, max_iter=100, on_iterate=None):
    """Run the solver as estimators do."""
    result = run(
        smooth_iterates(problem, start, tol=tol),
        max_iter=max_iter,
        tol=tol,
        criterion=lambda it: np.asarray(it.gap if problem.l2 > 0.0 else it.violation),
        on_iterate=on_iterate,
    )
    assert result.converged
    return result.iterate


def reference(problem):
    """The optimum of a well-conditioned problem by SciPy."""
    p, k = problem.X.shape[1], problem.n_outputs

    def fun(x):
        value, G = value_and_gradient(problem, x.reshape(p + 1, k))
        return value, G.ravel()

    start = np.zeros((p + 1) * k)
    found = optimize.minimize(
        fun, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 0, "gtol": 1e-11}
    )
    return found.fun, found.x.reshape(p + 1, k)
