r"""Smooth losses as functions of logits, laid out class by class.

Of :math:`L(Z) = \sum_i s_i \phi_i(z_i)` a solver needs the residual
:math:`R = \partial L / \partial Z` of a block of rows, in the precision of the logits; and, at
certified points, the value, the Hessian in the intercepts and the residual moved along the
curvature,

.. math::
    \tilde R_i = R_i - s_i \nabla^2 \phi_i(z_i)\, c ,

with c such that :math:`\sum_i \tilde R_i = 0` (see :mod:`skkd.solvers._smooth._exact`).
"""

import numpy as np
from scipy.linalg.lapack import dposv

__all__ = ["make_loss"]

_TINY = 1e-100
_ROUNDING = 1e-9
_RARE = 1e-12  # mass of a class that has none
_BIG = 700.0  # exp(_BIG) is finite, and 1 + exp(-_BIG) is 1


def make_loss(problem, rows=None):
    """The loss of a problem, or of some of its rows with their weights made to sum to one.

    Parameters
    ----------
    problem : LinearProblem
        With a smooth loss.
    rows : slice, default=None
        Rows to keep; all if None.
    """
    y = problem.y if rows is None else problem.y[rows]
    weights = problem.weights
    if weights is None:
        weights = np.full(y.shape[0], 1.0 / y.shape[0])
    elif rows is not None:
        weights = weights[rows] / max(float(weights[rows].sum()), np.finfo(float).tiny)
    if problem.loss == "squared":
        return SquaredLoss(np.asarray(y, dtype=float), weights)
    if problem.n_outputs > 1:
        return SoftmaxLoss(y, weights, problem.n_outputs)
    signs = 2.0 * y - 1.0
    return (LogLoss if problem.loss == "log" else SquaredHingeLoss)(signs, weights)


class _Loss:
    """What all losses share."""

    quadratic = False

    def intercept_step(self, R, slope, S=None):
        """Newton step of the intercept for its gradient `slope`; S may be a Hessian close by."""
        if not slope.any():
            return np.zeros_like(slope)
        S = self.intercept_hessian(R) if S is None else S
        if slope.size == 1:
            total = float(S[0, 0])
            seen = total > _TINY * abs(slope[0])
            step = slope / total if seen else np.sign(slope) / _TINY
        else:
            # Vectors added to all classes get an eigenvalue of their own.
            S = S + (S.trace() / S.shape[0] ** 2 + 1e-14 * S.trace() * np.eye(S.shape[0]))
            _, step, info = dposv(S, slope - slope.mean())
            step = step if info == 0 else slope
        return step

    def moved(self, R, step, base=None):
        """``R - along_curvature(R, step) - base``, a new array unless nothing is subtracted."""
        if step is not None and step.any():
            R = R - self.along_curvature(R, step)
        return R if base is None else R - base

    def look(self, Z):
        """The loss and its derivative, of all rows; Z is kept."""
        raise NotImplementedError

    def constant(self, fit_intercept):
        """Best intercept without coefficients (zeros where there is none), and the loss there."""
        raise NotImplementedError


class _OneLogit(_Loss):
    """What losses of one logit share; `weights` are the s_i. Logits have shape (1, m)."""

    n_outputs = 1

    def __init__(self, target, weights):
        self.target, self.weights = target, weights

    def curvature(self, R):
        """Second derivatives in the logits, shape (n,), from the residual."""
        raise NotImplementedError

    def _masses(self):
        """Weights of the two signs, negative first, kept off zero."""
        positive = float(self.weights @ (self.target > 0.0))
        share = min(max(positive, _RARE), 1.0 - _RARE)
        return np.array([1.0 - share, share])

    def intercept_hessian(self, R):
        """Hessian in the intercepts, shape (1, 1)."""
        return np.array([[self.curvature(R).sum()]])

    def along_curvature(self, R, c):
        """``s_i * phi_i'' * c`` of every row."""
        return c[:, None] * self.curvature(R)


class SquaredLoss(_OneLogit):
    """Half the squared error."""

    quadratic = True

    def residual(self, Z, rows=slice(None)):
        """Derivative of the loss, in place of the logits."""
        Z -= self.target[rows]
        Z *= self.weights[rows]
        return Z

    def look(self, Z):
        """The loss and its derivative, of all rows; Z is kept."""
        error = Z - self.target
        R = error * self.weights
        return 0.5 * float(R[0] @ error[0]), R

    def constant(self, fit_intercept):
        """The mean of the targets."""
        mean = float(self.weights @ self.target) if fit_intercept else 0.0
        value, _ = self.look(np.full((1, self.target.size), mean))
        return np.array([mean]), value

    def curvature(self, R):
        """The weights."""
        return self.weights

    def feasible_shift(self, R, c):
        """Factor of the excess that moving the residual costs; infinite if it may not move."""
        return 1.0


class LogLoss(_OneLogit):
    """Logistic loss ``log(1 + exp(-y z))``; the target is the sign."""

    def __init__(self, target, weights):
        super().__init__(target, weights)
        self._pull = -target * weights
        self._inverse = 1.0 / np.where(weights > 0.0, weights, 1.0)

    def residual(self, Z, rows=slice(None)):
        """Derivative of the loss, in place of the logits."""
        Z *= self.target[rows]
        np.minimum(Z, _BIG, out=Z)
        np.exp(Z, out=Z)
        Z += 1.0
        return np.divide(self._pull[rows], Z, out=Z)

    def look(self, Z):
        """The loss and its derivative, of all rows; Z is kept."""
        margins = self.target * Z[0]
        pull = 1.0 / (1.0 + np.exp(np.minimum(margins, _BIG)))
        losses = np.log(np.maximum(pull, 1.0 - pull))
        losses += np.minimum(margins, 0.0)
        return -float(self.weights @ losses), (self._pull * pull)[None]

    def constant(self, fit_intercept):
        """The log odds of the signs."""
        masses = self._masses()
        b = float(np.log(masses[1] / masses[0])) if fit_intercept else 0.0
        return np.array([b]), float(masses @ np.logaddexp(0.0, [b, -b]))

    def curvature(self, R):
        """``s q (1 - q)`` with q the probability of the other class."""
        mass = np.abs(R[0])
        return mass * (1.0 - mass * self._inverse)

    def feasible_shift(self, R, c):
        """Factor of the excess that moving the residual costs; infinite if it may not move.

        Moved from q to ``q - c q (1 - q)``, |c| < 1, the entropy's second derivative
        ``1 / (u (1 - u))`` between the two is at most ``1 / ((1 - |c|)^2 q (1 - q))``.
        """
        size = abs(float(c[0]))
        return (1.0 - size) ** -2 if size < 1.0 else np.inf


class SquaredHingeLoss(_OneLogit):
    """Half the squared hinge, ``max(0, 1 - y z)**2 / 2``; the target is the sign."""

    def residual(self, Z, rows=slice(None)):
        """Derivative of the loss, in place of the logits."""
        sign = self.target[rows]
        Z *= sign
        np.subtract(1.0, Z, out=Z)
        np.maximum(Z, 0.0, out=Z)
        Z *= -sign * self.weights[rows]
        return Z

    def look(self, Z):
        """The loss and its derivative, of all rows; Z is kept."""
        short = np.maximum(1.0 - self.target * Z, 0.0)
        pull = self.weights * short
        return 0.5 * float(pull[0] @ short[0]), -self.target * pull

    def constant(self, fit_intercept):
        """Where the signs' pulls balance."""
        masses = self._masses()
        b = float(masses[1] - masses[0]) if fit_intercept else 0.0
        return np.array([b]), 0.5 * float(masses @ np.array([1.0 + b, 1.0 - b]) ** 2)

    def curvature(self, R):
        """The weight of rows short of margin one."""
        return self.weights * (R[0] != 0.0)

    def feasible_shift(self, R, c):
        """1 for a step of rounding, infinite otherwise: rows it might pull in are not known."""
        moved = R[0] - self.curvature(R) * c[0]
        return 1.0 if abs(c[0]) <= _ROUNDING and np.all(moved * R[0] >= 0.0) else np.inf


class SoftmaxLoss(_Loss):
    """Multinomial logistic loss; logits have shape (k, m)."""

    def __init__(self, labels, weights, n_outputs):
        self.n_outputs = n_outputs
        self._labels = np.asarray(labels, dtype=np.intp)
        self.weights = weights
        own = np.zeros((n_outputs, self._labels.size))
        own[self._labels, np.arange(self._labels.size)] = weights
        inverse = 1.0 / np.where(weights > 0.0, weights, 1.0)
        # Weights, their inverses, and the masses of the labels, by type.
        self._by_type = {
            np.dtype(t): tuple(part.astype(t, copy=False) for part in (weights, inverse, own))
            for t in (np.float32, np.float64)
        }

    def residual(self, Z, rows=slice(None)):
        """Derivative of the loss, in place of the logits."""
        weights, _, own = self._by_type[Z.dtype]
        Z -= Z.max(axis=0)
        np.exp(Z, out=Z)
        Z *= weights[rows] / Z.sum(axis=0)
        Z -= own[:, rows]
        return Z

    def look(self, Z):
        """The loss and its derivative, of all rows; Z is kept."""
        own = self._by_type[Z.dtype][2]
        peak = Z.max(axis=0)
        R = Z - peak
        value = -float(np.vdot(own, R))
        np.exp(R, out=R)
        total = R.sum(axis=0)
        value += float(self.weights @ np.log(total))
        R *= self.weights / total
        R -= own
        return value, R

    def constant(self, fit_intercept):
        """The log masses of the classes."""
        masses = np.bincount(self._labels, self.weights, self.n_outputs)
        masses = np.maximum(masses, _RARE)
        masses /= masses.sum()
        b = np.log(masses) if fit_intercept else np.zeros(self.n_outputs)
        total = np.log(np.exp(b).sum())
        return b - b.mean(), float(total - masses @ b)

    def masses(self, R):
        """``s_i`` times the probabilities, shape (k, n), from the residual."""
        return R + self._by_type[R.dtype][2]

    def intercept_hessian(self, R):
        """``sum_i s_i (diag(p_i) - p_i p_i')``, shape (k, k)."""
        masses = self.masses(R)
        S = -((masses * self._by_type[R.dtype][1]) @ masses.T).astype(float)
        np.einsum("ii->i", S)[:] += masses.sum(axis=1, dtype=float)
        return S

    def along_curvature(self, R, c):
        """``s_i (diag(p_i) - p_i p_i') c`` of every row, shape (k, m)."""
        masses = self.masses(R)
        c = c.astype(R.dtype)
        means = (c @ masses) * self._by_type[R.dtype][1]
        masses *= c[:, None] - means
        return masses

    def feasible_shift(self, R, c):
        """Factor of the excess that moving the residual costs; infinite if it may not move.

        Moved from p to ``p (1 - e)``, ``e = c - p'c``, the divergence is ``sum p h(e)`` with
        ``h(e) = (1 - e) log(1 - e) + e <= e^2 / (2 (1 - |e|))``, and |e| is at most the range
        of c.
        """
        size = float(np.ptp(c))
        return 1.0 / (1.0 - size) if size < 1.0 else np.inf
