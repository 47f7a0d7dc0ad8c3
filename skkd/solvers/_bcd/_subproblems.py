r"""Quadratic models with a penalty, minimised over one block to the last digits.

.. math:: \min_u \; G^\top (u - x) + \tfrac12 (u - x)^\top H (u - x) + g(u) .

Where :math:`g_j(u) = \lambda_j |u| + c_j u^2 / 2` on an interval, sweeps of coordinate descent
find out which variables rest on their kink or bound, and a linear system with the others gives
their values: a finite method, since each sweep and each system lowers the model. Groups are
minimised one at a time, exactly, and then together by Newton's method on those that are not zero.
Any other penalty is minimised by accelerated proximal steps.
"""

import numpy as np
from scipy.optimize import brentq

from ._factors import Factor

__all__ = ["group_minimum", "piecewise_minimum", "proximal_minimum", "reach", "towards_minimum"]

_ROUNDS = 200
_SWEEPS = 5
_PRECISION = 1e-13
_PROXIMAL_STEPS = 2000
_FLAT = 1e-8  # part of a slope along which a singular quadratic has no curvature, to count
_IN_WAY = 1e-5  # part of the largest entry of a direction, for a variable to be moved along it


def piecewise_minimum(H, gradient, x, pieces):
    """Minimise a quadratic with absolute values, squares and bounds.

    Parameters
    ----------
    H : array of shape (tau, tau)
        Positive semidefinite.
    gradient : array of shape (tau,)
        Gradient of the quadratic at `x`.
    x : array of shape (tau,)
        Where to begin, within the bounds.
    pieces : tuple of four arrays of shape (tau,)
        Weights of the absolute values and of half the squares, lower and upper bounds.

    Returns
    -------
    u : ndarray of shape (tau,)
        A minimiser; variables at a kink or bound are exactly there.
    """
    from ..._kernels.block_quadratic import sweep_coordinates

    l1, squares, lower, upper = (np.ascontiguousarray(p, dtype=np.float64) for p in pieces)
    if np.any(squares):
        H = H + np.diag(squares)
        gradient = gradient + squares * x
    H = np.ascontiguousarray(H)
    u = np.array(x, dtype=np.float64)
    roots = np.sqrt(np.maximum(np.diagonal(H), 0.0))
    moving = roots > 0
    size = np.max((np.abs(gradient) + l1)[moving] / roots[moving], initial=0.0)
    for _ in range(_ROUNDS):
        q = gradient + H @ (u - x)
        if sweep_coordinates(H, q, u, l1, lower, upper, _SWEEPS) <= _PRECISION * size:
            break
        _solve_free(H, gradient + H @ (u - x), u, l1, lower, upper)
    return u


def _solve_free(H, q, u, l1, lower, upper):
    """Minimise over the variables off their kink and bounds, as far as they stay off; in place."""
    for _ in range(len(u)):
        kinked = l1 > 0
        free = np.flatnonzero((u > lower) & (u < upper) & ~(kinked & (u == 0)))
        if not len(free):
            return
        start = u[free]
        slope = q[free] + l1[free] * np.sign(start)
        minimum, way = towards_minimum(H[np.ix_(free, free)], slope)
        d, longest = (minimum, 1.0) if way is None else (way, np.inf)
        limit = np.where(d > 0, upper[free], lower[free])
        limit = np.where(kinked[free] & (start * d < 0), 0.0, limit)
        lengths = reach(start, d, limit)
        step = min(longest, float(np.min(lengths)))
        if not np.isfinite(step):
            return
        u[free] = np.where(lengths <= step, limit, start + step * d)
        if step == longest:
            return
        q = q + H[:, free] @ (u[free] - start)


def reach(start, d, limit):
    """How far along `d` each variable gets to its limit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(d == 0, np.inf, (limit - start) / d)


def towards_minimum(H, slope):
    """Step to the minimum of a quadratic, and a way down along which it has no curvature.

    The way is None where there is none, and the quadratic has a minimum.
    """
    factor = Factor(H)
    d = -factor.solve(slope)
    flat = factor.scale * (slope + H @ d)
    # What rounding adds to a way is no part of it: along (1, 1, 1, 1e-16), in which a softmax
    # shifts three free intercepts, the fourth variable would be taken to its bound.
    flat[np.abs(flat) <= _IN_WAY * np.max(np.abs(flat), initial=0.0)] = 0.0
    if np.linalg.norm(flat) > _FLAT * np.linalg.norm(factor.scale * slope):
        return d, -factor.scale * flat
    return d, None


def group_minimum(H, gradient, x, groups, weights):
    """Minimise a quadratic with a weighted norm of each group.

    Parameters
    ----------
    H : array of shape (tau, tau)
        Positive semidefinite.
    gradient : array of shape (tau,)
        Gradient of the quadratic at `x`.
    x : array of shape (tau,)
        Where to begin.
    groups : list of arrays
        Positions of each group; together they are all positions, once each.
    weights : array of shape (n_groups,)
        Factors of the norms.

    Returns
    -------
    u : ndarray of shape (tau,)
        A minimiser; zero groups are exactly zero.
    """
    u = np.array(x, dtype=np.float64)
    spectra = [np.linalg.eigh(H[np.ix_(group, group)]) for group in groups]
    size = float(np.max(np.abs(gradient), initial=0.0) + np.max(weights, initial=0.0))
    for _ in range(_ROUNDS):
        q = gradient + H @ (u - x)
        moved = 0.0
        for group, weight, spectrum in zip(groups, weights, spectra, strict=True):
            curvature = spectrum[0][-1]
            if curvature <= 0:
                continue
            pull = H[np.ix_(group, group)] @ u[group] - q[group]
            new = _group_minimiser(spectrum, pull, weight)
            step = new - u[group]
            moved = max(moved, curvature * float(np.linalg.norm(step)))
            q += H[:, group] @ step
            u[group] = new
        if moved <= _PRECISION * size or len(groups) == 1:
            break
        _newton_on_active_groups(H, gradient + H @ (u - x), u, groups, weights)
    return u


def _group_minimiser(spectrum, pull, weight):
    r"""Minimiser of :math:`u^\top H u / 2 - c^\top u + w \|u\|`.

    Away from zero :math:`(H + (w / r) I) u = c` with :math:`r = \|u\|`: one equation in r.
    """
    values, vectors = spectrum
    size = float(np.linalg.norm(pull))
    if size <= weight:
        return np.zeros_like(pull)
    values = np.maximum(values, 0.0)
    image = vectors.T @ pull
    if weight == 0:
        kept = values > 1e-12 * values[-1]
        return vectors[:, kept] @ (image[kept] / values[kept])

    # |c_i / (lambda_i r + w)| has norm one at the root; the left side decreases in r.
    def excess(radius):
        return float(np.linalg.norm(image / (values * radius + weight))) - 1.0

    low = high = (size - weight) / values[-1]
    while excess(high) > 0 and high < 1e300:
        low, high = high, 2.0 * high
    radius = high if excess(low) <= 0 else brentq(excess, low, high, rtol=8.9e-16)
    return vectors @ (image * radius / (values * radius + weight))


def _newton_on_active_groups(H, q, u, groups, weights):
    """A Newton step on the groups that are not zero, if it lowers the model; in place."""
    active = [(g, w) for g, w in zip(groups, weights, strict=True) if np.any(u[g])]
    if len(active) < 2:
        return
    members = np.concatenate([group for group, _ in active])
    hessian = H[np.ix_(members, members)]
    slope = q[members]
    start = 0
    for group, weight in active:
        radius = float(np.linalg.norm(u[group]))
        unit = u[group] / radius
        part = slice(start, start + len(group))
        slope[part] += weight * unit
        hessian[part, part] += weight / radius * (np.eye(len(group)) - np.outer(unit, unit))
        start += len(group)
    d = -Factor(hessian).solve(slope)
    image = H[np.ix_(members, members)] @ d
    old = u[members]

    def change(step):
        u[members] = old + step * d
        norms = sum(
            weight * (np.linalg.norm(u[group]) - np.linalg.norm(before))
            for (group, weight), before in zip(active, starts, strict=True)
        )
        return step * (q[members] @ d) + 0.5 * step**2 * (d @ image) + norms

    starts = [u[group].copy() for group, _ in active]
    for step in (1.0, 0.5, 0.25, 0.125):
        if change(step) < 0:
            return
    u[members] = old


def proximal_minimum(H, gradient, x, prox):
    """Minimise a quadratic with any penalty by accelerated proximal steps.

    Parameters
    ----------
    H : array of shape (tau, tau)
        Positive semidefinite.
    gradient : array of shape (tau,)
        Gradient of the quadratic at `x`.
    x : array of shape (tau,)
        Where to begin.
    prox : callable
        ``prox(v, step)``.

    Returns
    -------
    u : ndarray of shape (tau,)
        A minimiser, as far as 2000 steps lead.
    """
    constant = float(np.linalg.eigvalsh(H)[-1])
    if constant <= 0:
        return np.array(x)
    u = ahead = np.array(x, dtype=np.float64)
    momentum = 1.0
    for _ in range(_PROXIMAL_STEPS):
        new = prox(ahead - (gradient + H @ (ahead - x)) / constant, 1.0 / constant)
        if np.linalg.norm(new - ahead) <= _PRECISION * np.linalg.norm(new):
            return new
        if (ahead - new) @ (new - u) > 0:  # momentum points uphill: begin anew
            momentum = 1.0
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        ahead = new + (momentum - 1.0) / following * (new - u)
        u, momentum = new, following
    return u
