r"""Rows of a student that learns from labels and from a softened teacher, a few at a time.

.. math:: Z = XW + b, \qquad \nabla_W = X^\top R(Z)

for R the gradient of the loss, or the product with its Hessian. With few logits both products wait
for X, with many their temporary arrays do. Rows are taken in pieces that stay in the second-level
cache from the first product to the second; loss and narrow products are compiled
(:mod:`skkd._kernels.student_pass`), wide products are BLAS's.

Floor: one read of X; 4 n p k flops; two exponentials for each row and class.
"""

import numpy as np

from .._threads import run_in_threads, single_blas_thread
from ..losses import KLLoss, MultinomialLogLoss, WeightedSum
from ._blocks import BlockedRows

__all__ = ["StudentRows"]

_PIECE_BYTES = 2**18
_NARROW = 16  # logits up to which the compiled products are faster than those of BLAS


class StudentRows(BlockedRows):
    """Cross-entropy of hard labels, :class:`KLLoss`, or a weighted sum of both."""

    def __init__(self, loss, X, target, weight, fit_intercept, n_logits):
        super().__init__(loss, X, target, weight, fit_intercept, n_logits)
        self._factors = np.atleast_1d(np.asarray(weight, dtype=np.float64))
        self._ce = self._kd = 0.0
        self._temperature, self._entropy = 1.0, 0.0
        self._y, self._teacher = np.zeros(len(X), dtype=np.intp), X
        for (factor, term), part in zip(loss.terms, target.prepared, strict=True):
            if isinstance(term, KLLoss):
                self._kd, self._temperature = factor, term.temperature
                self._entropy = float(term.form == "kl")
                self._teacher = part.teacher_logits
            else:
                self._ce, self._y = factor, part.y

    @staticmethod
    def supports(loss, X, target):
        """Rows stored one after the other, integer labels, a teacher that is not prepared."""
        if type(loss) is not WeightedSum or not X.flags.c_contiguous or len(loss.terms) > 2:
            return False
        return len({type(term) for _, term in loss.terms}) == len(loss.terms) and all(
            _supported(term, part)
            for (_, term), part in zip(loss.terms, target.prepared, strict=True)
        )

    def value_and_gradient(self, W):
        from .._kernels.labels_and_teacher import labels_and_teacher_rows

        loss = (self._ce, self._kd, self._temperature, self._entropy)

        def residual(Z, piece, R):
            own = self._factors if len(self._factors) == 1 else self._factors[piece]
            given = (self._teacher[piece], False, self._y[piece], own)
            return labels_and_teacher_rows(Z, True, *given, *loss, R, 0, Z.shape[1])

        return self._passed(W, residual)

    def linearize(self, W):
        from .._kernels.softmax_products import softmax_rows
        from .._kernels.student_pass import curvature_rows

        Z = self.logits(W).T
        P, Q = (np.empty_like(Z) if factor else None for factor in (self._ce, self._kd))

        def soften(run):
            low, high = run[0].start, run[-1].stop
            if self._ce:
                softmax_rows(Z, True, 1.0, P, low, high)
            if self._kd:
                softmax_rows(Z, True, self._temperature, Q, low, high)

        run_in_threads(soften, self.runs, self.n_threads)
        P, Q = P if self._ce else Q, Q if self._kd else P

        def residual(U, piece, R):
            curvature_rows(U, P, Q, self._ce, self._kd, self._factors, piece.start, R)
            return 0.0

        return lambda V: self._passed(V, residual)[1]

    def _passed(self, W, residual):
        """Sum of ``residual(Z, piece, R)`` over the pieces, and ``X^T R``."""
        p = self.X.shape[1]
        b = W[p] if self.fit_intercept else np.zeros(W.shape[1], dtype=W.dtype)
        coef, offsets = np.ascontiguousarray(W[:p].T), np.ascontiguousarray(b)
        narrow = W.shape[1] <= _NARROW

        def one_run(run):
            logits, pull_back = _products(narrow)
            value, G, g = 0.0, np.zeros(coef.shape), np.zeros(len(coef))
            share = np.empty_like(coef)
            Z = R = None
            for piece in _pieces(run, self.X):
                X = self.X[piece]
                if Z is None or Z.shape[1] != len(X):
                    Z, R = np.empty((2, len(coef), len(X)), dtype=coef.dtype)
                logits(coef, offsets, X, Z)
                value += residual(Z, piece, R)
                pull_back(R, X, share, G, g)
            return value, G, g

        with single_blas_thread():
            values, coefs, shifts = zip(
                *run_in_threads(one_run, self.runs, self.n_threads), strict=True
            )
        gradient = np.empty((p + int(self.fit_intercept), W.shape[1]))
        gradient[:p] = sum(coefs).T
        if self.fit_intercept:
            gradient[p] = sum(shifts)
        return np.float64(sum(values)), gradient.astype(W.dtype)


def _supported(term, part):
    if type(term) is KLLoss:
        return part.prepared == () and part.teacher_logits.flags.c_contiguous
    return (
        type(term) is MultinomialLogLoss
        and part.y.ndim == 1
        and np.issubdtype(part.y.dtype, np.integer)
    )


def _pieces(run, X):
    """Slices of the rows of a run, of multiples of four rows but for the last."""
    rows = max(32, min(1024, _PIECE_BYTES // (X.shape[1] * X.itemsize)) // 4 * 4)
    low, high = run[0].start, run[-1].stop
    return [slice(first, min(first + rows, high)) for first in range(low, high, rows)]


def _products(narrow):
    """``Z = W X^T + b``; and ``R X``, with the sums of R, added to what is there."""
    if narrow:
        from .._kernels.student_pass import narrow_logits, narrow_pullback

        return narrow_logits, narrow_pullback
    return _logits, _pullback


def _logits(W, b, X, Z):
    np.matmul(W, X.T, out=Z)
    Z += b[:, None]


def _pullback(R, X, share, G, g):
    np.matmul(R, X, out=share)
    G += share
    g += np.sum(R, axis=1, dtype=np.float64)
