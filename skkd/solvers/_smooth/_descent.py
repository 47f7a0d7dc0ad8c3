r"""L-BFGS in the metric of an approximate Hessian, guided by gradients alone.

What is minimised is the objective with a correction of first order,

.. math::
    x \mapsto F_A(x) + \langle g - \nabla F_A(0),\, x \rangle ,

where :math:`F_A` is the objective on a scaled, centred copy A of the rows in float32 (or on some of
the rows) and g its exact gradient at x = 0. So rounding errors of A and of its products vanish with
x: this is iterative refinement. Steps are judged by the slope at their end, which for a convex
function says as much as its value and keeps its accuracy longer.

References
----------
Nocedal, J., Wright, S. J., "Numerical Optimization", 2nd ed., Springer 2006, algorithm 7.4.
"""

import numpy as np

from ._intercept import settle

__all__ = ["Corrected", "descend"]

import os

LOG = os.environ.get("LOG")
_SETTLED = 1.3  # largest kappa of a step of the intercept taken to first order
_MEMORY = 20
_MAX_TRIALS = 20


class Corrected:
    """The corrected objective, as a function of scaled coefficients x of shape (p, k).

    The intercept follows: at every x it has made one Newton step, to first order in the residuals
    also, from where it was at the x before.

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

    def __init__(self, rows, loss, reg, fit_intercept, point=None, dtype=np.float64):
        self.rows, self.loss, self.fit_intercept = rows, loss, fit_intercept
        self._reg = reg[:, None]
        self._dtype = np.dtype(dtype)
        self._point = None
        if point is not None:
            Z, R, g = point
            self._point = Z.astype(dtype, copy=False), R.astype(dtype, copy=False), g
        self._Z = np.empty((loss.n_outputs, rows.shape[0]), dtype=dtype)
        self._R = None
        self.intercept = np.zeros(loss.n_outputs)

    slopes = (-0.9, 0.5)  # at the end of a step, as shares of the slope at its start

    def image(self, d):
        """What stands for d in inner products with gradients: d."""
        return d

    def gradient(self, x, image=None):
        """Gradient at x, the intercept eliminated."""
        self._R, step = self._residuals(x), None
        if self.fit_intercept:
            b, self._R, _, step = settle(self.loss, self._at, self.intercept, self._R, _SETTLED)
            self.intercept = b - step
        base = None if self._point is None else self._point[1]
        g = self.rows.pullback(self.loss.moved(self._R, step, base))
        g += self._reg * x
        if self._point is not None:
            g += self._point[2]
        if g.shape[1] > 1:  # exactly zero: a vector added to all classes changes nothing
            g -= g.mean(axis=1, keepdims=True)
        return g

    def start_square(self, preconditioner):
        """Squared norm of the exact gradient at x = 0 in a metric."""
        if self._point is None:
            return 0.0
        g = self._point[2]
        return float(np.vdot(g, preconditioner.solve(g)))

    def curvature(self):
        """Curvature of the rows at the last point, for one logit."""
        return self.loss.curvature(self._R)

    def class_curvature(self):
        """Mean curvature of the classes at the last point."""
        return self.loss.intercept_hessian(self._R)

    def _residuals(self, x):
        """Residuals at x and the present intercept; leaves the logits without it behind."""
        if self.rows.sparse:
            return self._residual(self.rows.logits(x), slice(None))
        W = self.rows.coefficients(x)
        R = np.empty(self._Z.shape, dtype=self._dtype)

        def one(rows):
            R[:, rows] = self._residual(self.rows.logits_of(W, rows), rows)

        self.rows.each(one)
        return R

    def _residual(self, product, rows):
        Z = self._Z[:, rows]
        if self._point is None:
            Z[:] = product
        else:
            np.add(self._point[0][:, rows], product, out=Z)
        return self._at(self.intercept, rows)

    def _at(self, b, rows=slice(None)):
        Z = self._Z[:, rows]
        return self.loss.residual(Z + b.astype(self._dtype)[:, None], rows)


def descend(objective, x, metric, measure, tol, *, max_passes, pairs, fall=0.0, patience=30):
    """Minimise a :class:`Corrected` objective, or one like it.

    Parameters
    ----------
    objective : Corrected
        With ``gradient`` and ``image``; directions d enter inner products with gradients as their
        image.
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
    image, preconditioner = objective.image(x), None
    g = objective.gradient(x, image)
    passes, deviation, first, best, idle, mark = 1, 1.0, None, (np.inf, x), 0, np.inf
    while True:
        known = preconditioner
        preconditioner = metric(objective, passes, deviation)
        if preconditioner is not known and preconditioner.is_newton:
            pairs.clear()
        d, image_d = _direction(objective, g, pairs, preconditioner)
        square = float(np.vdot(g, image_d))
        if first is None:
            first = max(square, objective.start_square(preconditioner))
        size = measure(g, square)
        if LOG:
            print(
                "        pass",
                passes,
                "size %.2e square %.2e dev %.2f" % (size, square, deviation),
                type(preconditioner).__name__,
            )
        idle += 1
        if size < 0.5 * mark:
            idle, mark = 0, size
        if size < best[0]:
            best = size, x
        if square <= 0.0 and pairs:  # the metric of a row space is not quite symmetric
            pairs.clear()
            continue
        done = size <= tol or not square > fall * first
        if idle > patience:
            return best[1]
        if done or passes >= max_passes:
            return x
        t, g_new, deviation, trials = _search(
            objective, x, image, d, image_d, square, max_passes - passes
        )
        passes += trials
        if t == 0.0:  # the metric misleads, or only rounding is left
            if not pairs:
                return best[1]
            pairs.clear()
            continue
        s, image_s, y = -t * d, -t * image_d, g_new - g
        curvature = float(np.vdot(image_s, y))
        if curvature > 0.0 and np.isfinite(curvature):
            pairs.append((s, image_s, y, 1.0 / curvature))
            del pairs[:-_MEMORY]
        x, image, g = x + s, image + image_s, g_new


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


def _search(objective, x, image, d, image_d, slope, max_trials):
    """A step along -d with a small slope at its end: secants, in a bracket once there is one.

    Where none is found in time, the longest step known to end before the minimum, perhaps zero.
    """
    low, slope_low, high, slope_high, g_low = 0.0, -slope, None, None, None
    t, deviation = 1.0, None
    shortest, longest = objective.slopes
    for trial in range(1, max(1, min(max_trials, _MAX_TRIALS)) + 1):
        g = objective.gradient(x - t * d, image - t * image_d)
        end = -float(np.vdot(g, image_d))
        deviation = abs(end) / slope if deviation is None else deviation
        if LOG == "2": print("            t %.4g end %.3g" % (t, end / slope))
        if shortest * slope <= end <= longest * slope:
            return t, g, deviation, trial
        if end < 0.0:
            rise = end - slope_low
            reach = t - end * (t - low) / rise if rise > 0.0 else np.inf
            low, slope_low, g_low = t, end, g
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
    return low, g_low, deviation, trial
