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
not, the multipliers :math:`\beta_i = \nabla \phi_i - \nabla^2 \phi_i c` are taken, with c one Newton
step of the intercept, :math:`(\sum_i s_i \nabla^2 \phi_i) c = g`. They sum to zero, and the sum is
at most :math:`\kappa\, g^\top c / 2`; :math:`\kappa` tends to 1 with c (``feasible_shift`` of the
losses).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

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
        b, Z, value, R, slope, step, factor = self._settle(base, b)
        value += 0.5 * self.l2 * float(np.vdot(W, W))
        if step.any():
            R = self.loss.moved(R, step)
            Z = Z - step[:, None]
        G = self.rows.pullback(R)
        G += self.l2 * W
        gap = np.nan
        if self.l2 > 0.0:
            excess = 0.5 * float(slope @ step) * factor if slope.any() else 0.0
            gap = float(np.vdot(G, G)) / (2.0 * self.l2) + excess
        return Point(W, b, value, gap, G, Z, R, step)

    def _settle(self, base, b):
        """Newton's method on the intercept: where it ended, and the step that it would make."""
        look = self._look(base, b)
        if not self.fit_intercept:
            return (*look[:4], np.zeros_like(b), np.zeros_like(b), 1.0)
        for _ in range(50):
            *_, R, slope = look
            step, factor = self._step(R, slope)
            if factor <= _SETTLED:
                break
            trial = self._descend(base, look, step)
            if trial is None:
                break
            look = trial
        return (*look, step, factor)

    def _look(self, base, b):
        Z = base + b[:, None] if b.any() else base
        value, R = self.loss.look(Z)
        return b, Z, value, R, R.sum(axis=1)

    def _step(self, R, slope):
        """Newton step of the intercept, and kappa."""
        step = self.loss.intercept_step(R, slope)
        return step, self.loss.feasible_shift(R, step) if step.any() else 1.0

    def _descend(self, base, look, step):
        """A step of the intercept that shrinks its gradient; None if rounding forbids it."""
        size = np.abs(look[-1]).max()
        for _ in range(30):
            trial = self._look(base, look[0] - step)
            if np.abs(trial[-1]).max() < size:
                return trial
            step = 0.5 * step
        return None
