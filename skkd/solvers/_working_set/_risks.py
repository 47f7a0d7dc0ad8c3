r"""Risks of a linear model as functions of the margins, with their conjugates.

For margins z and intercept b, :math:`R(z, b) = \sum_i s_i \phi(y_i, z_i + b)`. Of a risk the
working-set solver needs the pull :math:`v = -\partial R / \partial z`, the curvature
:math:`h = \partial^2 R / \partial z^2`, and the dual value of a shrunken pull

.. math::
    D(\tau) = -\sum_i s_i \phi^*(y_i, -\tau v_i / s_i), \qquad 0 \le \tau \le 1,

which is the dual objective of the risk wherever :math:`\sum_i v_i = 0` (free intercept).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Look", "make_risk"]

_REACH = 50.0  # margins beyond which a loss is settled, for weights above exp(-50)


@dataclass(frozen=True, slots=True)
class Look:
    """A risk at one point.

    Attributes
    ----------
    intercept : float, or array of shape (k,)
        Intercept of the point.
    value : float
        The risk.
    pull : array of shape (n,) or (n, k)
        Negative gradient in the margins.
    curvature : array of shape (n,), or None
        Second derivative in each margin; None where it is the weight of the row, or not diagonal.
    state : array
        What :meth:`dual` needs besides.
    """

    intercept: Any
    value: float
    pull: Any
    curvature: Any
    state: Any


def make_risk(problem):
    """The risk of a linear problem."""
    n = problem.X.shape[0]
    weights = np.full(n, 1.0 / n) if problem.weights is None else problem.weights
    if problem.loss == "squared":
        return SquaredRisk(problem.y, weights, problem.fit_intercept)
    if problem.loss == "log" and problem.n_outputs > 1:
        return SoftmaxRisk(problem.y, weights, problem.fit_intercept, problem.n_outputs)
    signs = 2.0 * problem.y - 1.0
    cls = LogRisk if problem.loss == "log" else SquaredHingeRisk
    return cls(signs, weights, problem.fit_intercept)


class SquaredRisk:
    """Half the weighted mean of squares; the best intercept comes with every look."""

    quadratic = True

    def __init__(self, y, weights, fit_intercept):
        self.y, self.weights, self.fit_intercept = y, weights, fit_intercept

    def look(self, margins, intercept, tol=0.0):
        """The risk at the best intercept for `margins`."""
        residual = self.y - margins
        if self.fit_intercept:
            intercept = float(self.weights @ residual)
            residual -= intercept
        pull = self.weights * residual
        if self.fit_intercept:  # the second round takes away what rounding left
            rest = float(pull.sum())
            intercept += rest
            residual -= rest
            pull = self.weights * residual
        return Look(intercept, 0.5 * float(pull @ residual), pull, None, residual)

    def value(self, margins, intercept):
        """The risk at exactly this intercept."""
        residual = self.y - margins - intercept
        return 0.5 * float(self.weights @ (residual * residual))

    def refine(self, look, margins, intercept, tol):
        """A look is as good as it gets."""
        return self.look(margins, intercept) if look is None else look

    def dual(self, look, shrink):
        """Dual value of the pull times `shrink`."""
        with_targets = float(look.pull @ self.y)
        return shrink * with_targets - shrink * shrink * look.value

    def best_shrink(self, look, limit, extra):
        """The factor up to `limit` with the largest dual value less ``shrink**2 * extra``."""
        curvature = 2.0 * (look.value + extra)
        if curvature <= 0.0:
            return min(1.0, limit)
        return min(max(float(look.pull @ self.y) / curvature, 0.0), limit)


class _BinaryRisk:
    """What the risks of signed margins share: the intercept, by Newton's method and bisection."""

    quadratic = False

    def __init__(self, signs, weights, fit_intercept):
        self.signs, self.weights, self.fit_intercept = signs, weights, fit_intercept

    def value(self, margins, intercept):
        """The risk at exactly this intercept."""
        return self._look(margins, intercept).value

    def look(self, margins, intercept, tol=np.inf):
        """The risk; the intercept moves until its derivative is at most `tol`."""
        return self.refine(self._look(margins, intercept), margins, intercept, tol)

    def refine(self, look, margins, intercept, tol):
        """A look, taken if there is none, from which the intercept moves on."""
        if look is None:
            look = self._look(margins, intercept)
        if not self.fit_intercept:
            return look
        best, least, before = look, np.inf, np.inf
        low, high = -np.inf, np.inf
        for _ in range(100):
            slope = float(look.pull.sum())
            if abs(slope) < least:
                best, least = look, abs(slope)
            if least <= tol:
                break
            low, high = (look.intercept, high) if slope > 0.0 else (low, look.intercept)
            slow, before = abs(slope) > 0.5 * before, abs(slope)
            step = slope / max(float(look.curvature.sum()), 1e-300)
            rounding = 4e-16 * max(1.0, abs(look.intercept))
            if abs(step) < (max(1e-9, rounding) if slow else rounding):
                break
            target = look.intercept + step
            if slow or abs(step) > 3.0:  # the loss may be flat here: stay within reach of the data
                low, high = max(low, -margins.max() - _REACH), min(high, _REACH - margins.min())
                if slow or not low < target < high:
                    target = 0.5 * (low + high)
            look = self._look(margins, target)
        return best

    def best_shrink(self, look, limit, extra):
        """The largest allowed factor: the pull itself is nearly optimal near the solution."""
        return min(1.0, limit)


class LogRisk(_BinaryRisk):
    """Logistic loss, ``log(1 + exp(-y z))``."""

    def _look(self, margins, intercept):
        signed = self.signs * (margins + intercept)
        small = np.exp(-np.abs(signed))
        below = 1.0 / (1.0 + small)
        wrong = np.where(signed < 0.0, below, small * below)
        value = float(self.weights @ (np.maximum(-signed, 0.0) + np.log(1.0 + small)))
        pull = self.weights * self.signs * wrong
        curvature = self.weights * (small * below * below)
        return Look(intercept, value, pull, curvature, wrong)

    def dual(self, look, shrink):
        """Weighted entropy of the shrunken probabilities of the wrong class."""
        a = shrink * look.state
        return float(self.weights @ -(_xlogx(a) + _xlogx(1.0 - a)))


class SquaredHingeRisk(_BinaryRisk):
    """Half the squared hinge, ``max(0, 1 - y z)**2 / 2``."""

    def _look(self, margins, intercept):
        short = np.maximum(0.0, 1.0 - self.signs * (margins + intercept))
        pull = self.weights * self.signs * short
        value = 0.5 * float(self.weights @ (short * short))
        return Look(intercept, value, pull, self.weights * (short > 0.0), short)

    def dual(self, look, shrink):
        """Conjugate of the squared hinge."""
        a = shrink * look.state
        return float(self.weights @ (a - 0.5 * a * a))


class SoftmaxRisk:
    """Multinomial logistic loss; margins and intercepts have one column per class."""

    quadratic = False

    def __init__(self, codes, weights, fit_intercept, n_classes):
        self.codes = np.asarray(codes, dtype=np.intp)
        self.targets = np.zeros((self.codes.size, n_classes))
        self.targets[np.arange(self.codes.size), self.codes] = 1.0
        self.weights, self.fit_intercept = weights, fit_intercept

    def value(self, margins, intercept):
        """The risk at exactly these intercepts."""
        return self._look(margins, intercept).value

    def look(self, margins, intercept, tol=np.inf):
        """The risk; the intercepts move until their derivatives are at most `tol`."""
        return self.refine(self._look(margins, intercept), margins, intercept, tol)

    def refine(self, look, margins, intercept, tol):
        """A look, taken if there is none, from which the intercepts move on."""
        if look is None:
            look = self._look(margins, intercept)
        for _ in range(30):
            slope = look.pull.sum(axis=0)
            if not self.fit_intercept or np.abs(slope).max() <= tol:
                break
            step = self.intercept_inverse(look) @ slope
            size = np.abs(step).max()
            if size < 4e-16 * np.abs(look.intercept).max():  # rounding
                break
            near = size < 10.0  # else the loss may be flat here
            trial = self._descend(margins, look, step) if near else None
            trial = trial or self._cycle(margins, look)
            if trial is None:
                break
            look = trial
        return look

    def _descend(self, margins, look, step):
        slope = np.abs(look.pull.sum(axis=0)).max()
        for _ in range(30):
            trial = self._look(margins, look.intercept + step)
            if np.abs(trial.pull.sum(axis=0)).max() < slope:
                return trial
            step = 0.5 * step
        return None

    def _cycle(self, margins, look):
        """One intercept after the other, each class against the rest; None if it does not help."""
        intercept = np.array(look.intercept)
        for c in range(intercept.size):
            rest = np.delete(margins + intercept, c, axis=1)
            top = rest.max(axis=1)
            against = top + np.log(np.exp(rest - top[:, None]).sum(axis=1))
            signs = 2.0 * self.targets[:, c] - 1.0
            risk = LogRisk(signs, self.weights, True)
            intercept[c] = risk.look(margins[:, c] - against, intercept[c], 1e-15).intercept
        trial = self._look(margins, intercept - intercept.mean())
        return trial if trial.value < look.value else None

    def intercept_curvature(self, look):
        """Hessian in the intercepts, shape (k, k)."""
        P = look.state
        return np.diag(self.weights @ P) - (P * self.weights[:, None]).T @ P

    def intercept_inverse(self, look):
        """Pseudo-inverse of that Hessian, blind to what all intercepts have in common."""
        H = self.intercept_curvature(look)
        inverse = np.linalg.pinv(H + H.trace() / H.shape[0], hermitian=True)
        return inverse - inverse.mean(axis=0)

    def _look(self, margins, intercept):
        Z = margins + intercept
        Z -= Z.max(axis=1, keepdims=True)
        P = np.exp(Z)
        total = P.sum(axis=1)
        P /= total[:, None]
        own = Z[np.arange(self.codes.size), self.codes]
        value = float(self.weights @ (np.log(total) - own))
        pull = self.weights[:, None] * (self.targets - P)
        return Look(intercept, value, pull, None, P)

    def dual(self, look, shrink):
        """Weighted entropy of the probabilities, moved towards the labels."""
        a = self.targets - shrink * (self.targets - look.state)
        return float(self.weights @ -_xlogx(a).sum(axis=1))

    def best_shrink(self, look, limit, extra):
        """The largest allowed factor."""
        return min(1.0, limit)


def _xlogx(a):
    return a * np.log(np.maximum(a, 1e-300))
