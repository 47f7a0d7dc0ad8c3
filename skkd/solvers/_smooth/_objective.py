r"""The objective on scaled columns, corrected to first order.

What is minimised is

.. math::
    x \mapsto F_A(x) + \langle g - \nabla F_A(0),\, x \rangle ,

where :math:`F_A` is the objective on a scaled, centred copy A of the rows in float32 (or on some of
the rows) and g its exact gradient at x = 0. So rounding errors of A and of its products vanish with
x: this is iterative refinement. The intercept is eliminated: at every x it is at its best.
"""

import numpy as np

from ._intercept import settle

__all__ = ["CorrectedObjective", "Logits"]

_REST = 0.1  # share of the intercepts' gradient that a step may leave
_KAPPA = 1.2  # of the last step of the intercept, which is taken to first order


class Logits:
    """Logits along a direction, and residuals there at the best intercept.

    Parameters
    ----------
    loss : loss
        Of the rows.
    fit_intercept : bool
        Whether there is an intercept.
    each : callable
        ``each(function)`` calls ``function(rows)`` for slices that cut the rows.

    Attributes
    ----------
    Z : array of shape (k, n)
        Logits without the intercept.
    intercept : array of shape (k,)
        The intercept.
    R : array of shape (k, n)
        Residuals at the last point looked at.
    moved : array of shape (k, n)
        The same after one more Newton step of the intercept, to first order.
    """

    def __init__(self, loss, fit_intercept, each):
        self.loss, self.fit_intercept, self._each = loss, fit_intercept, each
        self.intercept = np.zeros(loss.n_outputs)
        self.Z = self.R = self.moved = self._S = None

    def look(self, t=0.0, move=None):
        """Evaluate the residuals at ``Z - t move``."""
        moves = t != 0.0

        def residual(b):
            R = np.empty_like(self.Z)
            shift = b.astype(R.dtype)[:, None]

            def one(rows):
                Z = R[:, rows]
                if moves:
                    np.multiply(move[:, rows], -t, out=Z)
                    Z += self.Z[:, rows]
                    Z += shift
                else:
                    np.add(self.Z[:, rows], shift, out=Z)
                self.loss.residual(Z, rows)

            self._each(one)
            return R

        self.R = self.moved = residual(self.intercept)
        if self.fit_intercept and not self._moves_by_known_curvature():
            b, self.R, _, step = settle(self.loss, residual, self.intercept, self.R, _KAPPA)
            self.intercept = b - step
            self.moved = self.loss.moved(self.R, step)
            if step.size > 1:
                self._S = self.loss.intercept_hessian(self.R)

    def _moves_by_known_curvature(self):
        """Try a step of the intercepts with the Hessian of an earlier look, to save forming it."""
        if self._S is None:
            return False
        slope = self.R.sum(axis=1, dtype=float)
        step = self.loss.intercept_step(self.R, slope, self._S)
        if self.loss.feasible_shift(self.R, step) > _KAPPA:
            return False
        moved = self.loss.moved(self.R, step)
        if np.abs(moved.sum(axis=1, dtype=float)).max() > _REST * np.abs(slope).max():
            return False
        self.intercept, self.moved = self.intercept - step, moved
        return True

    def curvature(self):
        """Curvature of the rows, for one logit."""
        return self.loss.curvature(self.R)

    def class_curvature(self):
        """Mean curvature of the classes."""
        return self.loss.intercept_hessian(self.R)


class CorrectedObjective(Logits):
    """The corrected objective, as a function of scaled coefficients x of shape (p, k).

    Parameters
    ----------
    rows : design
        The matrix A.
    loss : loss
        Of the same rows.
    reg : array of shape (p,)
        Curvature of the penalty in each scaled coefficient.
    fit_intercept : bool
        Whether there is an intercept.
    point : tuple of arrays (Z, R, g), default=None
        Logits, residuals and exact scaled gradient at x = 0; None where the logits are zero and
        no correction is wanted.
    dtype : dtype, default=float64
        In which the loss is evaluated.
    """

    slopes = (-0.5, 0.3)  # at the end of a step, as shares of the slope at its start

    def __init__(self, rows, loss, reg, fit_intercept, point=None, dtype=np.float64):
        super().__init__(loss, fit_intercept, rows.each)
        self.rows, self._reg, self._dtype = rows, reg[:, None], np.dtype(dtype)
        self._base, self._R, self._g = (None,) * 3 if point is None else point

    def start(self, x):
        """Gradient at x."""
        self._x = x
        self.Z = self._logits(x)
        if self._base is not None:
            self.Z += self._base
        self.look()
        return self._gradient()

    def image(self, d):
        """What stands for d in inner products with gradients: d."""
        return d

    def aim(self, d, image):
        """Look along -d from now on."""
        self._d, self._move = d, self._logits(d)
        self._linear = float(np.vdot(d, self._reg * self._x))
        if self._g is not None:
            self._linear += float(np.vdot(d, self._g))
        self._square = float(np.vdot(d, self._reg * d))

    def slope(self, t):
        """Derivative at ``x - t d`` along -d."""
        self.look(t, self._move)
        change = self.moved if self._R is None else self.moved - self._R
        parts = self.rows.each(lambda rows: _dot(self._move[:, rows], change[:, rows]))
        return -(sum(parts) + self._linear - t * self._square)

    def accept(self, t):
        """Go to ``x - t d``, where the slope was asked for last; the gradient there."""
        self._move *= t
        self.Z -= self._move
        self._x = self._x - t * self._d
        return self._gradient()

    def start_square(self, preconditioner):
        """Squared norm of the exact gradient at x = 0 in a metric."""
        return 0.0 if self._g is None else float(np.vdot(self._g, preconditioner.solve(self._g)))

    def _logits(self, x):
        return self.rows.logits(x).astype(self._dtype, copy=False)

    def _gradient(self):
        g = self.rows.pullback(self.moved if self._R is None else self.moved - self._R)
        g += self._reg * self._x
        if self._g is not None:
            g += self._g
        if g.shape[1] > 1:  # exactly zero: a vector added to all classes changes nothing
            g -= g.mean(axis=1, keepdims=True)
        return g


def _dot(a, b):
    """Inner product of two parts of arrays with contiguous rows."""
    return sum(float(u @ v) for u, v in zip(a, b, strict=True))
