r"""Passes over the rows of X that read it once.

The gradient :math:`X^\top R(XW)` written as two products reads X twice. For a dense NumPy X the
rows are therefore taken in blocks small enough to stay in cache between the two uses
(:mod:`skkd.objectives._blocks`). Other array libraries and sparse matrices take all rows as one
block, here: there the library schedules better than we could.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from .._backend import is_numpy, namespace, total
from ..losses import ClassificationLoss

__all__ = ["Evaluation", "Rows", "make_rows"]

# Below this many bytes the two plain products run from the last-level cache, and a fit is over
# before loading the compiled pass (half a second) has paid for itself.
_SMALL_BYTES = 2**23


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one pass over the rows gives.

    Attributes
    ----------
    logits : array of shape (n, k)
        Logits of every row.
    gradient : array of shape (p + 1, k)
        Gradient of the objective, or of the loss divided by its error mass.
    log_mass : 0-d array, float or None
        Log of the error mass that a normalised pass divided by.
    errors : 0-d array, float or None
        Share of the weight on rows that are wrong (margin <= 0); None where rows are neither.
    margin : 0-d array, float or None
        Smallest margin over rows of positive weight.
    """

    logits: Any
    gradient: Any
    log_mass: Any = None
    errors: Any = None
    margin: Any = None


def make_rows(loss, X, target, weight, fit_intercept, n_logits=1):
    """Choose the way to pass over `X`."""
    dense = is_numpy(X) and not sparse.issparse(X)
    if not dense or not loss.separable or X.nbytes <= _SMALL_BYTES:
        return Rows(loss, X, target, weight, fit_intercept)
    from ._blocks import BlockedRows, CompiledMarginRows, CompiledSoftmaxRows
    from ._student_rows import StudentRows

    for kind in (CompiledMarginRows, CompiledSoftmaxRows, StudentRows):
        if kind.supports(loss, X, target):
            return kind(loss, X, target, weight, fit_intercept, n_logits)
    return BlockedRows(loss, X, target, weight, fit_intercept, n_logits)


class Rows:
    """All rows as one block: any array library, dense or sparse.

    Parameters
    ----------
    loss, X, target, fit_intercept
        As in :class:`skkd.objectives.LinearObjective`.
    weight : float or array of shape (n,)
        Weights that sum to 1.
    """

    def __init__(self, loss, X, target, weight, fit_intercept):
        self.loss = loss
        self.X = X
        self.target = target
        self.weight = weight
        self.fit_intercept = fit_intercept
        self.tracks_errors = isinstance(loss, ClassificationLoss) and target.y.ndim == 1

    def logits(self, W):
        """``X W + b``."""
        return self.X @ W[:-1, :] + W[-1:, :] if self.fit_intercept else self.X @ W

    def pullback(self, R):
        """``X^T R`` and, for the intercept, the sum of the rows of `R`."""
        G = self.X.T @ R
        if not self.fit_intercept:
            return G
        xp = namespace(R)
        return xp.concat([G, xp.astype(total(R, axis=0), R.dtype)[None, :]], axis=0)

    def evaluate(self, W, normalized):
        """Logits, gradient and how wrong the rows are, as an :class:`Evaluation`."""
        Z = self.logits(W)
        R, log_mass = self.residual(Z, self.target, self.weight, normalized)
        errors, margin = self.wrongness(Z, self.target, self.weight)
        return Evaluation(Z, self.pullback(R), log_mass, errors, margin)

    def value_and_gradient(self, W):
        """Loss and its gradient."""
        value, R = self.loss.value_and_gradient(self.logits(W), self.target, self.weight)
        return value, self.pullback(R)

    def linearize(self, W):
        """``V -> H V`` with the loss's state at `W` cached."""
        product = self.loss.linearize(self.logits(W), self.target, self.weight)
        return lambda V: self.pullback(product(self.logits(V)))

    def column_squares(self):
        """``sum_i weight_i x_ij^2``, shape (p,)."""
        X = self.X
        if sparse.issparse(X):
            squares = X.multiply(X)
            if isinstance(self.weight, float):
                return self.weight * np.asarray(squares.sum(axis=0)).reshape(-1)
            return squares.T @ self.weight
        if isinstance(self.weight, float):
            return namespace(X).astype(self.weight * total(X**2, axis=0), X.dtype)
        return self.weight @ X**2

    def gram(self):
        """``sum_i weight_i x_i x_i^T`` with a last column of ones for the intercept, or None.

        None for sparse X, whose Gram matrix is dense.
        """
        if sparse.issparse(self.X):
            return None
        xp = namespace(self.X)
        ones = xp.ones_like(self.X[:, :1])
        return self._gram(xp.concat([self.X, ones], axis=1) if self.fit_intercept else self.X, xp)

    def _gram(self, X, xp):
        if isinstance(self.weight, float):
            return self.weight * (xp.matrix_transpose(X) @ X)
        return xp.matrix_transpose(X) @ (self.weight[:, None] * X)

    def residual(self, Z, target, weight, normalized):
        """Gradient in the logits and, if normalised, the log of the mass divided by."""
        if normalized:
            return self.loss.normalized_gradient(Z, target, weight)
        return self.loss.value_and_gradient(Z, target, weight)[1], None

    def wrongness(self, Z, target, weight):
        """Weight of wrong rows and smallest margin; rows of zero weight do not count."""
        if not self.tracks_errors:
            return None, None
        xp = namespace(Z)
        m = self.loss.margin(Z, target)
        errors = total(weight * xp.astype(m <= 0, m.dtype))
        if not isinstance(weight, float):
            m = xp.where(weight > 0, m, xp.inf)
        return errors, xp.min(m)
