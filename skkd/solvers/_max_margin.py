r"""Maximum margin by gradient descent on the dual, with momentum.

For rows :math:`M_i` (signed, or Kesler rows) scaled to norm at most 1, with :math:`q_0` uniform,

.. math::
    v_t = -M^\top q_t, \quad g_t = \lambda_t (g_{t-1} + v_t), \quad
    w_{t+1} = w_t - (g_t + v_t), \quad q_{t+1} = \mathrm{softmax}(-M w_{t+1}),

:math:`\lambda_t = t / (t + 1)` with momentum and 0 without. The margin of :math:`w_t / \|w_t\|`
approaches the largest one at rate :math:`O(\log n \log t / t^2)` with momentum, O(1/t) without.
Any q of the simplex bounds it from above: :math:`\mu \le \|M^\top q\|`, which gives a duality gap
that costs nothing.

References
----------
Ji, Z., Srebro, N., Telgarsky, M., "Fast margin maximization via dual acceleration", ICML 2021.
"""

import math
from dataclasses import dataclass
from typing import Any

from .._backend import namespace, norm, scalar

__all__ = ["MarginIterate", "max_margin_descent"]


@dataclass(frozen=True, slots=True)
class MarginIterate:
    """Best primal and dual points so far.

    Attributes
    ----------
    params : array of shape (p + 1, k)
        Direction of unit norm with the largest margin so far; zero at the start.
    margin : 0-d array
        Its margin.
    bound : 0-d array
        Smallest upper bound of the margin so far.
    dual_logits : array of shape (n, k)
        Logits whose softmax over negative margins is the q of `bound`.
    errors : 0-d array
        Weight of the rows that `params` gets wrong.
    position : array of shape (p + 1, k)
        Where the descent itself stands, of any length; it can be continued from there.
    index : int
        Updates made.
    kept : None
        Of the driver's protocol; not used.
    status : None
        Of the driver's protocol; not used.
    """

    params: Any
    margin: Any
    bound: Any
    dual_logits: Any
    errors: Any
    position: Any
    index: int
    kept: Any = None
    status: Any = None

    @property
    def gap(self):
        """Duality gap relative to the upper bound, a 0-d array."""
        return (self.bound - self.margin) / self.bound


def max_margin_descent(objective, radius, *, momentum=True, start=None):
    """Iterate margin maximisation.

    Parameters
    ----------
    objective : LinearObjective
        With the exponential loss, or its Kesler form: its normalised gradient is
        ``-M^T softmax(-M w)``.
    radius : float or 0-d array
        Largest norm of a row of M, by which rows are scaled.
    momentum : bool, default=True
        Whether to accelerate.
    start : array of shape (p + 1, k), default=None
        Position to start from, with momentum gathered afresh; None is the origin.

    Yields
    ------
    iterate : MarginIterate
        The start first, then one after each update.
    """
    xp = namespace(objective.X)
    w = objective.zeros() if start is None else start
    memory = xp.zeros_like(w)
    best = None
    index = 0
    while True:
        scaled = w / radius
        evaluation = objective.evaluate(scaled, normalized=True)
        best = _better(best, w, scaled, evaluation, index)
        yield best
        v = evaluation.gradient / radius
        memory = (index / (index + 1.0) if momentum else 0.0) * (memory + v)
        w = w - (memory + v)
        index += 1


def _better(best, position, params, evaluation, index):
    """The best primal and dual points after one more evaluation."""
    xp = namespace(params)
    size = norm(params)
    at_origin = size == 0
    divisor = xp.where(at_origin, scalar(1.0, size), size)
    unit = params / divisor
    # The origin has no direction and hence no margin.
    margin = xp.astype(xp.asarray(evaluation.margin), size.dtype) / divisor
    margin = xp.where(at_origin, scalar(-math.inf, size), margin)
    bound = norm(evaluation.gradient)
    errors = evaluation.errors
    logits = evaluation.logits
    if best is not None:
        larger = margin > best.margin
        unit = xp.where(larger, unit, best.params)
        margin = xp.where(larger, margin, best.margin)
        errors = xp.where(larger, errors, best.errors)
        tighter = bound < best.bound
        bound = xp.where(tighter, bound, best.bound)
        logits = xp.where(tighter, logits, best.dual_logits)
    return MarginIterate(unit, margin, bound, logits, errors, position, index)
