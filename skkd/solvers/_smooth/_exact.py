r"""The objective in float64, with a certified duality gap.

Let :math:`P(W, b) = \sum_i s_i \phi_i(W^\top x_i + b) + \frac{\lambda}{2} \|W\|^2` and take any
multipliers :math:`\beta_i` in the domain of :math:`\phi_i^*` with
:math:`\sum_i s_i \beta_i = 0` (that is what a free intercept asks of them). The dual value is
:math:`D = -\sum_i s_i \phi_i^*(\beta_i) - \|X^\top s\beta\|^2 / (2 \lambda)`, and completing the
square gives, with :math:`z_i = W^\top x_i + b`,

.. math::
    P - D = \frac{\|\lambda W + X^\top s \beta\|^2}{2 \lambda}
    + \sum_i s_i \bigl( \phi_i(z_i) + \phi_i^*(\beta_i) - z_i^\top \beta_i \bigr) .

For :math:`\beta_i = \nabla \phi_i(z_i)` the sum vanishes, and so the gap is
:math:`\|\nabla_W P\|^2 / (2 \lambda)` wherever the gradient g in the intercept is zero. Where it is
not, the multipliers :math:`\beta_i = \nabla \phi_i - \nabla^2 \phi_i c` are taken, with c one
Newton step of the intercept, :math:`(\sum_i s_i \nabla^2 \phi_i) c = g`. They sum to zero, and the
sum is at most :math:`\kappa\, g^\top c / 2`; :math:`\kappa` tends to 1 with c (``feasible_shift``
of the losses).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._intercept import settle
from ._rows import make_rows

__all__ = ["Exact", "Point"]

_SETTLED = 1.05  # kappa below which the intercept needs no further step of its own


@dataclass(frozen=True, slots=True)
class Point:
    """The objective at one point.

    Attributes
    ----------
    W, b : array of shape (p, k), array of shape (k,)
        The point.
    value, gap : float
        Objective and duality gap; NaN for the gap without a penalty.
    G : array of shape (p, k)
        Gradient in W once the intercept has made one more Newton step.
    Z, R : array of shape (k, n)
        Logits and residuals, likewise after that step (residuals to first order).
    step : array of shape (k,)
        That step: the intercept to go on from is ``b - step``.
    """

    W: Any
    b: Any
    value: float
    gap: float
    G: Any
    Z: Any
    R: Any
    step: Any


class Exact:
    """Evaluates a problem in float64."""

    def __init__(self, problem, loss):
        self.rows, self.loss = make_rows(problem.X), loss
        self.l2, self.fit_intercept = problem.l2, problem.fit_intercept

    def at(self, W, b):
        """The :class:`Point` at W, its intercept moved from `b` until little is left to do."""
        base = self.rows.logits(W)
        value, R = self.loss.look(base + b[:, None])
        slope = step = np.zeros_like(b)
        if self.fit_intercept:
            start = b
            b, R, slope, step = settle(self.loss, lambda c: self._look(base, c)[1], b, R, _SETTLED)
            if b is not start:
                value, R = self._look(base, b)
        kappa = self.loss.feasible_shift(R, step) if step.any() else 1.0
        moved = self.loss.moved(R, step) if step.any() else R
        G = self.rows.pullback(moved)
        G += self.l2 * W
        gap = np.nan
        if self.l2 > 0.0:
            gap = float(np.vdot(G, G)) / (2.0 * self.l2)
            if slope.any():
                gap += 0.5 * float(slope @ step) * kappa if step.any() else np.inf
        value += 0.5 * self.l2 * float(np.vdot(W, W))
        return Point(W, b, value, gap, G, base + (b - step)[:, None], moved, step)

    def _look(self, base, b):
        return self.loss.look(base + b[:, None])
