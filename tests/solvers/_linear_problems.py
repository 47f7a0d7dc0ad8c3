"""Penalised linear models written out plainly: objectives, conditions, and a slow sure optimum."""

from dataclasses import replace
from functools import cache

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

from skkd.solvers import LinearProblem, coefficient_gap, linear_descent, run

KINDS = ["squared", "log", "squared_hinge", "softmax"]
LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csc": sp.csc_array}

# Strengths as shares of the smallest l1 at which everything is zero.
PENALTIES = {
    "l1": {"l1": 0.1},
    "elastic net": {"l1": 0.1, "l2": 0.1},
    "l1 positive": {"l1": 0.1, "lower": 0.0},
    "elastic net negative": {"l1": 0.05, "l2": 0.3, "upper": 0.0},
    "l1 bounds": {"l1": 0.05, "lower": -0.2, "upper": 0.1},
    "l1 upper bound": {"l1": 0.1, "upper": 0.1},
    "l2 positive": {"l2": 0.1, "lower": 0.0},
    "bounds": {"lower": -0.1, "upper": 0.2},
}


def data(n=40, p=25, *, kind="squared", seed=0, rho=0.4, mean=0.5):
    """Correlated columns, a few of which matter, and targets that fit `kind`."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1.0 - rho**2) * X[:, j]
    k = 3 if kind == "softmax" else 1
    W = np.zeros((p, k))
    W[:4] = 2.0 * rng.standard_normal((min(4, p), k))
    Z = X @ W + rng.standard_normal((n, k))
    if kind == "squared":
        y = Z[:, 0] + 3.0
    else:
        y = Z.argmax(axis=1) if k > 1 else (Z[:, 0] > np.quantile(Z[:, 0], 0.4)).astype(int)
    return X + mean, y


def problem(kind="squared", *, n=40, p=25, seed=0, layout="C", l1=0.0, l2=0.0, **options):
    """A problem whose `l1` and `l2` are shares of the smallest l1 that makes everything zero."""
    X, y = data(n, p, kind=kind, seed=seed)
    k = 3 if kind == "softmax" else 1
    loss = "log" if kind == "softmax" else kind
    case = LinearProblem(LAYOUTS[layout](X), y, loss=loss, n_outputs=k, **options)
    largest = largest_l1(case)
    return replace(case, l1=l1 * largest, l2=l2 * largest)


def largest_l1(case):
    """Smallest l1 at which all coefficients are zero."""
    p, k = case.X.shape[1], case.n_outputs
    params = np.zeros((p + 1, k))
    if case.fit_intercept:
        n = case.X.shape[0]
        flat = replace(case, X=np.zeros((n, 1)), l1=0.0, l2=0.0)
        params[-1] = reference(flat)[0][-1]
    return float(np.abs(pulls(case, params)[0]).max())


def row_weights(case):
    n = case.X.shape[0]
    return np.full(n, 1.0 / n) if case.weights is None else case.weights


def dense(X):
    return np.asarray(X.toarray() if sp.issparse(X) else X, dtype=float)


def losses(case, Z):
    """The loss of each row, for logits of shape (n, k)."""
    if case.loss == "squared":
        return 0.5 * (case.y - Z[:, 0]) ** 2
    if case.n_outputs > 1:
        return logsumexp(Z, axis=1) - Z[np.arange(len(Z)), case.y]
    margins = (2 * case.y - 1) * Z[:, 0]
    if case.loss == "log":
        return np.logaddexp(0.0, -margins)
    return 0.5 * np.maximum(0.0, 1.0 - margins) ** 2


def slopes(case, Z):
    """Derivative of the loss of each row in its logits."""
    if case.loss == "squared":
        return Z - np.reshape(case.y, (-1, 1))
    if case.n_outputs > 1:
        return softmax(Z, axis=1) - np.eye(case.n_outputs)[case.y]
    signs = np.reshape(2.0 * case.y - 1.0, (-1, 1))
    if case.loss == "log":
        return -signs * np.exp(log_softmax(np.hstack([0.0 * Z, -signs * Z]), axis=1)[:, 1:])
    return -signs * np.maximum(0.0, 1.0 - signs * Z)


def objective(case, params):
    """The objective, term by term."""
    w = params[:-1]
    value = row_weights(case) @ losses(case, dense(case.X) @ w + params[-1])
    return value + case.l1 * np.abs(w).sum() + 0.5 * case.l2 * (w**2).sum()


def pulls(case, params):
    """Negative gradients of the risk in the coefficients and in the intercepts."""
    X = dense(case.X)
    pull = -row_weights(case)[:, None] * slopes(case, X @ params[:-1] + params[-1])
    return X.T @ pull, pull.sum(axis=0)


def worst_violation(case, params):
    """Largest distance of zero from the subdifferential, over coefficients and intercepts."""
    w = params[:-1]
    of_w, of_intercept = pulls(case, params)
    pull = of_w - case.l2 * w
    low = np.where(w > 0.0, case.l1, -case.l1)  # the subdifferential is [low, high]
    high = np.where(w < 0.0, -case.l1, case.l1)
    low = np.where(w <= case.lower, -np.inf, low)
    high = np.where(w >= case.upper, np.inf, high)
    apart = np.maximum(np.maximum(low - pull, pull - high), 0.0).max()
    return max(apart, np.abs(of_intercept).max() if case.fit_intercept else 0.0)


def reference(case):
    """Parameters and objective of the optimum by L-BFGS-B, coefficients as differences."""
    X, s = dense(case.X), row_weights(case)
    p, k = X.shape[1], case.n_outputs
    size = p * k

    def value_and_gradient(flat):
        W = (flat[:size] - flat[size : 2 * size]).reshape(p, k)
        Z = X @ W + flat[2 * size :]
        R = s[:, None] * slopes(case, Z)
        gradient = (X.T @ R + case.l2 * W).ravel()
        value = (
            s @ losses(case, Z) + case.l1 * flat[: 2 * size].sum() + 0.5 * case.l2 * (W**2).sum()
        )
        intercept = R.sum(axis=0) * case.fit_intercept
        return value, np.concatenate([gradient + case.l1, case.l1 - gradient, intercept])

    bounds = [(0.0, case.upper)] * size + [(0.0, -case.lower)] * size + [(None, None)] * k
    flat = np.zeros(2 * size + k)
    options = {"maxiter": 20_000, "maxfun": 10**6, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 50}
    for _ in range(3):  # from where it ended, with no memory of the curvature
        result = minimize(
            value_and_gradient, flat, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        flat = result.x
    W = (flat[:size] - flat[size : 2 * size]).reshape(p, k)
    params = np.vstack([W, flat[2 * size :]])
    return params, objective(case, params)


@cache
def solved(kind, penalty, fit_intercept=True):
    """A problem with its optimum by the slow method."""
    case = problem(kind, fit_intercept=fit_intercept, **PENALTIES[penalty])
    return case, *reference(case)


def solve(case, start=None, *, tol=1e-12, max_iter=200, **options):
    """Run the solver to an absolute gap of `tol`."""
    iterates = linear_descent(case, start, tol=tol, **options)
    return run(iterates, max_iter=max_iter, tol=tol, criterion=coefficient_gap)
