r"""L-BFGS in the metric of an approximate Hessian, guided by gradients alone.

A step costs one pass: the product of X with the direction, along which trial steps then cost no
more than the losses of the logits, and one product of X' with the residuals where it ends. Steps
are judged by the slope there, which for a convex function says as much as its value and keeps its
accuracy longer.

References
----------
Nocedal, J., Wright, S. J., "Numerical Optimization", 2nd ed., Springer 2006, algorithm 7.4.
"""

import numpy as np

__all__ = ["descend"]

_MEMORY = 20
_MAX_TRIALS = 25


def descend(objective, x, metric, measure, tol, *, max_passes, pairs, fall=0.0, patience=30):
    """Minimise an objective of this package.

    Parameters
    ----------
    objective : object
        ``start(x)`` and ``accept(t)`` return gradients; in between, ``image(d)`` is what stands
        for a direction d in inner products with gradients, ``aim(d, image)`` sets the direction
        and ``slope(t)`` is the derivative along ``x - t d``.
    x : array
        Where to start.
    metric : callable
        ``metric(objective, passes, deviation)`` returns a preconditioner with ``solve``; it is
        asked before every step, and told by how much the slope missed zero after the last one, as
        a share of the slope before it.
    measure : callable
        Maps a gradient and its squared norm in the metric to the number that is to fall below
        `tol`.
    tol : float
        See above.
    max_passes : int
        Most gradients to evaluate.
    pairs : list
        Pairs of the L-BFGS method, oldest first; it is extended.
    fall : float, default=0.0
        Share of the first squared norm below which only rounding is left.
    patience : int, default=30
        Steps without a halving of the measure after which only rounding is left.

    Returns
    -------
    x : array
        The last point, or the best if only rounding is left.
    """
    g = objective.start(x)
    passes, deviation, preconditioner, largest = 1, 1.0, None, 0.0
    best, idle, mark = (np.inf, x), 0, np.inf
    while True:
        known, preconditioner = preconditioner, metric(objective, passes, deviation)
        if preconditioner is not known and preconditioner.is_newton:
            pairs.clear()
        d, image = _direction(objective, g, pairs, preconditioner)
        square = float(np.vdot(g, image))
        if passes == 1:
            largest = max(square, objective.start_square(preconditioner))
        size = measure(g, square)
        if size < best[0]:
            best = size, x
        idle, mark = (0, size) if size < 0.5 * mark else (idle + 1, mark)
        if square <= 0.0 and pairs:  # the metric of a row space is not quite symmetric
            pairs.clear()
            continue
        if idle > patience:
            return best[1]
        if size <= tol or not square > fall * largest or passes >= max_passes:
            return x
        objective.aim(d, image)
        t, deviation = _search(objective, square)
        passes += 1
        new = objective.accept(t)
        if t == 0.0:  # the metric misleads, or only rounding is left
            if not pairs:
                return best[1]
            pairs.clear()
            continue
        s, image = -t * d, -t * image
        curvature = float(np.vdot(image, new - g))
        if curvature > 0.0 and np.isfinite(curvature):
            pairs.append((s, image, new - g, 1.0 / curvature))
            del pairs[:-_MEMORY]
        x, g = x + s, new


def _direction(objective, g, pairs, metric):
    """The two-loop recursion: what is subtracted from x, and its image."""
    q = g
    weights = []
    for _, image_s, y, rho in reversed(pairs):
        a = rho * float(np.vdot(image_s, q))
        weights.append(a)
        q = q - a * y
    d = metric.solve(q)
    image = objective.image(d)
    for (s, image_s, y, rho), a in zip(pairs, reversed(weights), strict=True):
        share = a - rho * float(np.vdot(y, image))
        if image is not d:
            image += share * image_s
        d += share * s
    return d, image


def _search(objective, slope):
    """A step with a small slope at its end, and how much of the slope was left at t = 1.

    By secants, in a bracket once there is one. Where none is found in time, the longest step that
    is known to end before the minimum, perhaps zero.
    """
    low, slope_low, high, slope_high = 0.0, -slope, None, None
    t, deviation = 1.0, None
    shortest, longest = objective.slopes
    for _ in range(_MAX_TRIALS):
        end = objective.slope(t)
        deviation = abs(end) / slope if deviation is None else deviation
        if shortest * slope <= end <= longest * slope:
            return t, deviation
        if end < 0.0:
            rise = end - slope_low
            reach = t - end * (t - low) / rise if rise > 0.0 else np.inf
            low, slope_low = t, end
            if high is None:
                t = min(max(reach, 1.5 * t), 5.0 * t)
                continue
            slope_high *= 0.5  # Illinois
        else:
            slope_low *= 1.0 if high is None else 0.5
            high, slope_high = t, end if np.isfinite(end) else -10.0 * slope_low
        share = slope_low / (slope_low - slope_high)
        t = low + min(max(share, 0.01), 0.99) * (high - low)
        if not low < t < high:
            break
    objective.slope(low)
    return low, deviation
