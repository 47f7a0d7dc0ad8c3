r"""Rows of a student that learns from labels and from a softened teacher, passed over once.

The whole pass is compiled (:mod:`skkd._kernels.student_pass`): several times faster than blocks of
NumPy code for a few logits, where products wait for X, and for many, where temporary arrays do.
"""

import numpy as np

from .._threads import run_in_threads, single_blas_thread
from ..losses import KLLoss, MultinomialLogLoss, WeightedSum
from ._blocks import BlockedRows

__all__ = ["StudentRows"]


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
        from .._kernels.student_pass import student_pass

        coef, offsets = self._by_class(W)
        arguments = (self._teacher, self._y)
        loss = (self._ce, self._kd, self._temperature, self._entropy)

        def one_run(run, G, g):
            rows = slice(run[0].start, run[-1].stop)
            teacher, y = (field[rows] for field in arguments)
            return student_pass(
                *(self.X[rows], coef, offsets, teacher, y, self._of(rows), *loss),
                *(G, g, 0, rows.stop - rows.start),
            )

        return self._added(one_run, W)

    def linearize(self, W):
        from .._kernels.softmax_products import softmax_rows
        from .._kernels.student_pass import curvature_pass

        Z = self.logits(W).T
        P, Q = np.empty_like(Z), np.empty_like(Z) if self._kd else None

        def soften(run):
            low, high = run[0].start, run[-1].stop
            if self._ce:
                softmax_rows(Z, True, 1.0, P, low, high)
            if self._kd:
                softmax_rows(Z, True, self._temperature, Q, low, high)

        run_in_threads(soften, self.runs, self.n_threads)
        P, Q = P if self._ce else Q, Q if self._kd else P

        def product(V):
            coef, offsets = self._by_class(V)

            def one_run(run, G, g):
                rows = slice(run[0].start, run[-1].stop)
                curvature_pass(
                    *(self.X[rows], coef, offsets, P[:, rows], Q[:, rows], self._ce, self._kd),
                    *(self._of(rows), G, g, 0, rows.stop - rows.start),
                )
                return 0.0

            return self._added(one_run, V)[1]

        return product

    def _by_class(self, W):
        """Coefficients (k, p) and intercepts (k,)."""
        p = self.X.shape[1]
        offsets = W[p] if self.fit_intercept else np.zeros(W.shape[1], dtype=W.dtype)
        return np.ascontiguousarray(W[:p].T), np.ascontiguousarray(offsets)

    def _of(self, rows):
        return self._factors if self._factors.shape[0] == 1 else self._factors[rows]

    def _added(self, one_run, like):
        """Sum of the runs' values, and of the gradients that they leave, in order."""
        p, k = self.X.shape[1], like.shape[1]
        places = [(run, np.empty((k, p)), np.empty(k)) for run in self.runs]
        with single_blas_thread():
            values = run_in_threads(lambda place: one_run(*place), places, self.n_threads)
        gradient = np.empty((p + int(self.fit_intercept), k))
        gradient[:p] = sum(G for _, G, _ in places).T
        if self.fit_intercept:
            gradient[p] = sum(g for _, _, g in places)
        return np.float64(sum(values)), gradient.astype(like.dtype)


def _supported(term, part):
    if type(term) is KLLoss:
        return part.prepared == () and part.teacher_logits.flags.c_contiguous
    return (
        type(term) is MultinomialLogLoss
        and part.y.ndim == 1
        and np.issubdtype(part.y.dtype, np.integer)
    )
