r"""Backtracking by interpolation, with safeguards.

With :math:`\varphi = G_b^\top p < 0` a step :math:`\alpha` is accepted when

.. math:: f(x + \alpha p) \le f(x) + c_1 \alpha \varphi, \qquad c_1 = 10^{-10} .

The next trial minimises the parabola, later the cubic, through what is known. It is kept within 0.1
and 0.6 of the last one; after 25 trials the search gives up. A decrease that is too small to be
seen in f, because it drowns in the rounding of f, is taken on trust.
"""

import math

__all__ = ["SUFFICIENT", "backtrack"]

SUFFICIENT = 1e-10
_MAX_TRIALS = 25
_SHRINK_MOST = 0.1
_SHRINK_LEAST = 0.6
_ROUNDING = 8.9e-16
_VISIBLE = 1e3


def backtrack(start, slope, value_at, demand=None):
    """Find a step that decreases the objective.

    Parameters
    ----------
    start : float
        Objective at step zero.
    slope : float
        Derivative, or model change, per unit of step; negative.
    value_at : callable
        Objective at a step.
    demand : callable, default=None
        ``demand(step)`` gives the change of which `SUFFICIENT` times must be reached; None takes
        ``step * slope``.

    Returns
    -------
    step : float
        The first acceptable step tried, 1 first; zero where there is none.
    """
    if not slope < 0:
        return 0.0
    noise = _ROUNDING * abs(start)
    step, last = 1.0, None
    for _ in range(_MAX_TRIALS):
        value = value_at(step)
        change = step * slope if demand is None else demand(step)
        slack = noise if -change <= _VISIBLE * noise else 0.0
        if value <= start + SUFFICIENT * change + slack:
            return step
        excess = value - start - step * slope
        proposal = _interpolated(slope, (step, excess), last)
        last = step, excess
        step = min(max(proposal, _SHRINK_MOST * step), _SHRINK_LEAST * step)
    return 0.0


def _interpolated(slope, point, last):
    """Minimiser of the parabola through one trial, or of the cubic through two."""
    step, excess = point
    parabola = -slope * step**2 / (2.0 * excess) if math.isfinite(excess) and excess > 0 else 0.0
    if last is None or not math.isfinite(last[1]) or not math.isfinite(excess):
        return parabola
    earlier, its_excess = last
    factor = 1.0 / ((step - earlier) * earlier**2 * step**2)
    cubic = factor * (earlier**2 * excess - step**2 * its_excess)
    square = factor * (-(earlier**3) * excess + step**3 * its_excess)
    radicand = square**2 - 3.0 * cubic * slope
    if cubic == 0 or not radicand >= 0:
        return parabola
    proposal = (-square + math.sqrt(radicand)) / (3.0 * cubic)
    return proposal if math.isfinite(proposal) else parabola
