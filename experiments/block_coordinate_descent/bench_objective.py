"""The value of every problem's objective, a certified optimum, and the gap that certifies it.

For ``F(w) = f(X w) + g(w)`` any ``v`` gives the lower bound ``-f*(v) - g*(-X'v)``. Here ``v`` is
the gradient of f at the best point found, scaled until the bound is finite. Nothing of this is
taken from a method that is timed.
"""

import numpy as np
from scipy.special import expit, logsumexp, xlogy

__all__ = ["duality_gap", "polish", "values"]


def values(problem, solution) -> np.ndarray:
    """Return F at a solution, one number for each alpha of the problem."""
    coefs, intercepts = _by_alpha(problem, solution)
    pairs = zip(coefs, intercepts, problem.alphas, strict=True)
    return np.array([_value(problem, w, b, alpha) for w, b, alpha in pairs])


def duality_gap(problem, solution) -> np.ndarray:
    """Return F less a lower bound of its minimum, one number for each alpha."""
    coefs, intercepts = _by_alpha(problem, solution)
    pairs = zip(coefs, intercepts, problem.alphas, strict=True)
    return np.array([_gap(problem, w, b, alpha) for w, b, alpha in pairs])


def polish(problem, solution, n_steps=8):
    """Take Newton steps on the support, signs kept, as long as they close the duality gap."""
    coefs, intercepts = _by_alpha(problem, solution)
    if problem.spec.family == "multinomial" or len(problem.alphas) > 1:
        return solution
    w, b = coefs[0].copy(), float(intercepts[0])
    best = _gap(problem, w, b, problem.alpha)
    for _ in range(n_steps):
        trial = _newton_on_support(problem, w, b)
        if trial is None:
            break
        gap = _gap(problem, *trial, problem.alpha)
        if not gap < best:
            break
        (w, b), best = trial, gap
    return w, b


def _by_alpha(problem, solution):
    """Coefficients (n_alphas, ...) and intercepts (n_alphas, ...) of any solution's shape."""
    coef, intercept = solution
    if len(problem.alphas) > 1:
        coef = np.asarray(coef, dtype=np.float64)
        return coef, np.broadcast_to(np.asarray(intercept, dtype=np.float64), len(coef))
    coef = np.asarray(coef, dtype=np.float64)
    if problem.spec.family == "multinomial":
        return coef[None], np.asarray(intercept, dtype=np.float64).reshape(1, -1)
    return coef.reshape(1, -1), np.asarray(intercept, dtype=np.float64).reshape(-1)


def _value(problem, w, b, alpha):
    if problem.spec.family == "multinomial":
        Z = problem.X_rows @ w.T + b
        loss = np.mean(logsumexp(Z, axis=1) - Z[np.arange(problem.n), problem.labels])
        return loss + 0.5 * alpha * np.sum(w**2)
    z = problem.X @ w + b
    if _is_logistic(problem):
        loss = np.mean(np.logaddexp(0.0, -problem.y * z))
    else:
        loss = 0.5 * np.mean((problem.y - z) ** 2)
    return loss + _penalty(problem, w, alpha)


def _is_logistic(problem):
    return problem.spec.family in ("logistic", "l2-logistic")


def _ratio(problem):
    return problem.spec.l1_ratio if problem.spec.family in ("lasso", "enet", "logistic") else 0.0


def _penalty(problem, w, alpha):
    if problem.groups:
        weights = np.sqrt([len(group) for group in problem.groups])
        norms = np.array([np.linalg.norm(w[group]) for group in problem.groups])
        return alpha * float(weights @ norms)
    l1 = _ratio(problem)
    return alpha * (l1 * np.sum(np.abs(w)) + 0.5 * (1 - l1) * np.sum(w**2))


def _gap(problem, w, b, alpha):
    primal = _value(problem, w, b, alpha)
    if problem.spec.family == "multinomial":
        return primal - _multinomial_bound(problem, w, b, alpha)
    z = problem.X @ w + b
    if _is_logistic(problem):
        pull = expit(-problem.y * z)
        if problem.spec.fit_intercept:
            pull = _balanced(problem.y, pull)
        correlation = problem.X.T @ (problem.y * pull) / problem.n
        s = min(1.0, _feasible(problem, correlation, alpha))
        q = s * pull
        conjugate = np.mean(xlogy(q, q) + xlogy(1 - q, 1 - q))
    else:
        r = problem.y - z
        if problem.spec.fit_intercept:
            r = r - r.mean()
        correlation = problem.X.T @ r / problem.n
        s = min(1.0, _feasible(problem, correlation, alpha))
        conjugate = 0.5 * s**2 * np.mean(r**2) - s * np.mean(r * problem.y)
    return primal + conjugate + _penalty_conjugate(problem, s * correlation, alpha)


def _balanced(y, pull):
    """Scale the heavier class down: then the dual point suits a free intercept."""
    up, down = pull[y > 0].sum(), pull[y < 0].sum()
    return np.where(y > 0, pull * min(1.0, down / up), pull * min(1.0, up / down))


def _feasible(problem, correlation, alpha):
    """Largest multiple of the dual point at which the bound is finite."""
    if problem.groups:
        ratios = [np.linalg.norm(correlation[g]) / np.sqrt(len(g)) for g in problem.groups]
        return alpha / max(ratios)
    if _ratio(problem) == 1.0:
        return alpha / np.max(np.abs(correlation))
    return 1.0


def _penalty_conjugate(problem, c, alpha):
    l1 = _ratio(problem)
    if problem.groups or l1 == 1.0:
        return 0.0
    return np.sum(np.maximum(np.abs(c) - alpha * l1, 0.0) ** 2) / (2 * alpha * (1 - l1))


def _multinomial_bound(problem, w, b, alpha):
    Z = problem.X_rows @ w.T + b
    P = np.exp(Z - logsumexp(Z, axis=1, keepdims=True))
    R = P.copy()
    R[np.arange(problem.n), problem.labels] -= 1.0
    if problem.spec.fit_intercept:
        return -np.inf  # no cheap feasible point; such a row has no certificate
    G = problem.X_rows.T @ R / problem.n
    return -np.mean(np.sum(xlogy(P, P), axis=1)) - np.sum(G**2) / (2 * alpha)


def _newton_on_support(problem, w, b):
    """One Newton step of the smooth function that F is near w; None where it is not to be had."""
    alpha = problem.alpha
    support = np.flatnonzero(w) if _ratio(problem) or problem.groups else np.arange(w.size)
    if support.size > 4_000:
        return None
    A = problem.X[:, support]
    A = A.toarray() if problem.is_sparse else A
    if problem.spec.fit_intercept:
        A = np.column_stack([A, np.ones(problem.n)])
    z = problem.X @ w + b
    if _is_logistic(problem):
        s = expit(-problem.y * z)
        slope, curvature = -problem.y * s / problem.n, s * (1 - s) / problem.n
    else:
        slope, curvature = (z - problem.y) / problem.n, np.full(problem.n, 1 / problem.n)
    gradient, hessian = _penalty_derivatives(problem, w, support, alpha)
    k = A.shape[1] - support.size
    gradient = A.T @ slope + np.append(gradient, np.zeros(k))
    full = (A * curvature[:, None]).T @ A
    full[: support.size, : support.size] += hessian
    full[np.diag_indices_from(full)] += 1e-14 * np.trace(full) / len(full)
    step = np.linalg.solve(full, -gradient)
    new = w.copy()
    new[support] += step[: support.size]
    return new, b + (float(step[-1]) if k else 0.0)


def _penalty_derivatives(problem, w, support, alpha):
    if not problem.groups:
        l1 = _ratio(problem)
        v = w[support]
        return alpha * (l1 * np.sign(v) + (1 - l1) * v), alpha * (1 - l1) * np.eye(support.size)
    gradient, hessian = np.zeros(support.size), np.zeros((support.size, support.size))
    for group in problem.groups:
        inside = np.flatnonzero(np.isin(support, group))
        if inside.size:
            v = w[support[inside]]
            norm, weight = np.linalg.norm(v), alpha * np.sqrt(len(group))
            gradient[inside] = weight * v / norm
            curved = np.eye(v.size) / norm - np.outer(v, v) / norm**3
            hessian[np.ix_(inside, inside)] = weight * curved
    return gradient, hessian
