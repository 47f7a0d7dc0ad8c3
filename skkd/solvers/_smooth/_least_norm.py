r"""Least squares without a penalty: the solution of least norm.

Where the columns are linearly dependent, or nearly, the minimiser of :math:`\|w\|` among all
minimisers is taken, from the singular value decomposition of the weighted, centred rows. Singular
values below ``max(n, p) * eps`` times the largest count as zero, with eps of the type of X.
Sparse rows are not decomposed: LSQR, which needs products with them only, tends to the same
solution from zero.
"""

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import LinearOperator, lsqr

from ._metrics import Metric
from ._rows import DenseRows
from ._scaling import Scaling

__all__ = ["LeastNormModel", "SparseLeastNormModel"]

_WELL_CONDITIONED = 1e-3  # smallest pivot of the scaled Gram matrix, as a share of the largest


class LeastNormModel:
    """Solves in one step; takes the same parameters as the other models."""

    def __init__(self, problem, loss, exact):
        root = np.sqrt(loss.weights)
        self.mean = np.zeros(problem.X.shape[1])
        if problem.fit_intercept:
            self.mean = loss.weights @ problem.X
        rows = (problem.X - self.mean) * root[:, None]
        _, sizes, self._V = scipy.linalg.svd(rows, full_matrices=False, overwrite_a=True)
        kept = sizes > max(rows.shape) * np.finfo(problem.X.dtype).eps * sizes.max(initial=0.0)
        self._V = self._V[kept]
        self._inverse = (1.0 / sizes[kept] ** 2)[:, None]
        self._exact = exact

    @classmethod
    def fits(cls, problem, exact, cold):
        """Dense least squares without penalty, unless the columns are clearly independent."""
        if problem.loss != "squared" or problem.l2 > 0.0 or exact.rows.sparse:
            return False
        n, p = problem.X.shape
        return p >= n or not _independent(problem, exact)

    def minimise(self, W, b, point, tol):
        """The solution; see :class:`skkd.solvers._smooth._columns.ColumnModel`."""
        if point is None:
            point = self._exact.at(W, b)
        move = self._V.T @ (self._inverse * (self._V @ point.G))
        # From any start: what lies outside the row space is no part of the least norm solution.
        W = self._V.T @ (self._V @ point.W) - move
        b = point.b - point.step + self.mean @ (point.W - W)
        return W, b

    def halfway(self, W, b, point):
        """Between (W, b) and a point."""
        return 0.5 * (W + point.W), 0.5 * (b + point.b)

    def violation(self, point):
        """Half the squared Newton decrement."""
        return 0.5 * float(np.sum(self._inverse * (self._V @ point.G) ** 2))

    def more_precise(self):
        """There is nothing more precise."""
        return False


class SparseLeastNormModel:
    """LSQR on sparse rows, centred implicitly; takes the same parameters as the other models."""

    def __init__(self, problem, loss, exact):
        X = problem.X
        n, p = X.shape
        self._root = np.sqrt(loss.weights)
        self.mean = np.asarray(loss.weights @ X).ravel() if problem.fit_intercept else np.zeros(p)
        self._exact = exact
        self._rows = LinearOperator(
            (n, p),
            matvec=lambda d: self._root * (X @ d.ravel() - self.mean @ d.ravel()),
            rmatvec=lambda r: X.T @ (self._root * r.ravel()) - self.mean * (self._root @ r.ravel()),
            dtype=np.float64,
        )
        self._most_steps = 10 * min(n, p)

    @classmethod
    def fits(cls, problem, exact, cold):
        """Sparse least squares without penalty."""
        return problem.loss == "squared" and problem.l2 == 0.0 and exact.rows.sparse

    def minimise(self, W, b, point, tol):
        """The solution; see :class:`skkd.solvers._smooth._columns.ColumnModel`."""
        if point is None:
            point = self._exact.at(W, b)
        move = self._step(point, 1e-15)
        W = point.W + move[:, None]
        return W, point.b - point.step - self.mean @ move

    def _step(self, point, accuracy):
        """Least-norm step to the minimiser from a point, to a relative accuracy."""
        target = -point.R[0] / np.where(self._root > 0.0, self._root, 1.0)
        return lsqr(
            self._rows, target, atol=accuracy, btol=accuracy, conlim=0, iter_lim=self._most_steps
        )[0]

    def halfway(self, W, b, point):
        """Between (W, b) and a point."""
        return 0.5 * (W + point.W), 0.5 * (b + point.b)

    def violation(self, point):
        """Half the squared Newton decrement."""
        image = self._rows.matvec(self._step(point, 1e-3))
        return 0.5 * float(image @ image)

    def more_precise(self):
        """There is nothing more precise."""
        return False


def _independent(problem, exact):
    """Whether the scaled Gram matrix of the columns has no small pivot."""
    scaling = Scaling.of_columns(problem.X, problem.fit_intercept)
    rows = DenseRows(scaling.rows(problem.X, np.float32), np.float32)
    p = rows.shape[1]
    metric = Metric(rows, exact.loss, np.zeros(p), problem.fit_intercept, every_row=True)
    G = metric.centred_gram(exact.loss.weights)
    if not np.all(np.isfinite(G)):
        return False
    pivots = np.abs(np.diagonal(scipy.linalg.qr(G, mode="r", pivoting=True)[0]))
    return pivots[-1] > _WELL_CONDITIONED * pivots[0]
