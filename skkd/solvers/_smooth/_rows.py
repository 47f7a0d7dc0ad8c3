r"""Products with a design matrix, shared among threads in chunks whose cut is fixed.

Two designs: dense rows, chunk by chunk, so that a chunk is still in cache when it is used the
second time; and CSC columns. Logits and residuals are laid out class by class, shape (k, n).
"""

import numpy as np
import scipy.sparse as sp

from ..._threads import blas_threads, run_in_threads

__all__ = ["DenseRows", "SparseRows", "make_rows"]

# Bytes of a chunk: the third-level cache keeps it, and the dozen calls on it are worth their cost.
_CHUNK = 2**21
_SPARSE_CHUNK = 2**16  # nonzeros
_MAX_CHUNKS = 32


def make_rows(X, dtype=np.float64):
    """The design of a dense or a CSC matrix, which computes in `dtype`."""
    return SparseRows(X) if sp.issparse(X) else DenseRows(X, dtype)


def _cut(n, size):
    """Slices that cut ``range(n)`` into parts of about `size`."""
    size = max(1, size, -(-n // _MAX_CHUNKS))
    return [slice(low, min(low + size, n)) for low in range(0, n, size)]


class DenseRows:
    """Rows of a dense matrix in any memory order; it is not copied.

    Parameters
    ----------
    A : array of shape (n, p)
        The design.
    dtype : dtype
        In which products are computed; chunks of another type are converted one by one.
    """

    sparse = False

    def __init__(self, A, dtype=np.float64):
        self.A, self.dtype, self.shape = A, np.dtype(dtype), A.shape
        self.chunks = _cut(A.shape[0], _CHUNK // max(1, A.shape[1] * A.itemsize))

    def each(self, function):
        """``[function(rows) for rows in chunks]``, shared among threads."""
        return run_in_threads(function, self.chunks, blas_threads() if len(self.chunks) > 1 else 1)

    def logits_of(self, W, rows):
        """``W @ A.T`` for the rows of one chunk; W as of :meth:`coefficients`."""
        return (self._rows(rows) @ W.T).T

    def coefficients(self, V):
        """`V` of shape (p, k), transposed and in the type of the products."""
        return np.ascontiguousarray(V.T, dtype=self.dtype)

    def logits(self, V):
        """``V.T @ A.T``, shape (k, n)."""
        W = np.ascontiguousarray(V.T, dtype=self.dtype)
        Z = np.empty((W.shape[0], self.shape[0]), dtype=self.dtype)

        def one(rows):
            np.matmul(W, self._rows(rows).T, out=Z[:, rows])

        self.each(one)
        return Z

    def pullback(self, R):
        """``A.T @ R.T`` in float64, shape (p, k)."""
        dtype = self.dtype
        one = lambda rows: R[:, rows].astype(dtype, copy=False) @ self._rows(rows)  # noqa: E731
        return self._sum(one).T

    def weighted_gram(self, curvature, stride=1):
        """``sum_i h_i a_i a_i'`` and ``sum_i h_i a_i`` over every `stride`-th row, scaled up."""

        def one(rows):
            root = np.sqrt(curvature[rows][::stride] * stride).astype(self.dtype, copy=False)
            B = self._rows(rows)[::stride] * root[:, None]
            return np.vstack([B.T @ B, root @ B])

        G = self._sum(one)
        return G[:-1], G[-1]

    def column_squares(self, curvature):
        """``sum_i h_i a_ij^2`` and ``sum_i h_i a_ij``."""
        h = curvature[None]
        squares = self._sum(lambda rows: h[:, rows] @ self._rows(rows) ** 2)
        return squares[0], self.pullback(h)[:, 0]

    def row_squares(self):
        """Squared norms of the rows."""
        parts = self.each(lambda rows: np.einsum("ij,ij->i", self._rows(rows), self._rows(rows)))
        return np.concatenate(parts)

    def part(self, stride):
        """Every `stride`-th row, copied."""
        return DenseRows(self.A[::stride].copy(), self.dtype)

    def _rows(self, rows):
        return self.A[rows].astype(self.dtype, copy=False)

    def _sum(self, one):
        parts = self.each(one)
        total = parts[0].astype(np.float64)
        for part in parts[1:]:
            total += part
        return total


class SparseRows:
    """Columns of a CSC matrix; products are computed in float64."""

    sparse = True
    dtype = np.dtype(np.float64)

    def __init__(self, X):
        self.X, self.shape = X, X.shape
        self.chunks = [self._view(X.data, part) for part in self._parts()]
        self._slices = self._parts()

    def _parts(self):
        """Slices of columns with about as many nonzeros each."""
        indptr, p = self.X.indptr, self.shape[1]
        count = min(_MAX_CHUNKS, max(1, int(indptr[-1]) // _SPARSE_CHUNK))
        ends = np.searchsorted(indptr, np.linspace(0, indptr[-1], count + 1)[1:-1])
        ends = np.unique(np.concatenate([[0], ends, [p]]))
        return [slice(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:], strict=True)]

    def _view(self, data, part):
        X, (a, b) = self.X, (self.X.indptr[part.start], self.X.indptr[part.stop])
        indptr = X.indptr[part.start : part.stop + 1] - a
        shape = (self.shape[0], part.stop - part.start)
        return sp.csc_array((data[a:b], X.indices[a:b], indptr), shape=shape)

    def logits(self, V):
        """``V.T @ A.T``, shape (k, n)."""
        V = np.ascontiguousarray(V, dtype=float)
        if V.shape[1] == 1:
            v = V[:, 0]
            parts = self._run(lambda i: self.chunks[i] @ v[self._slices[i]])
            return sum(parts[1:], parts[0])[None]
        parts = self._run(lambda i: self.chunks[i] @ V[self._slices[i]])
        return np.ascontiguousarray(sum(parts[1:], parts[0]).T)

    def pullback(self, R):
        """``A.T @ R.T``, shape (p, k)."""
        if R.shape[0] == 1:
            r = R[0]
            return np.concatenate(self._run(lambda i: self.chunks[i].T @ r))[:, None]
        R = np.ascontiguousarray(R.T)
        return np.concatenate(self._run(lambda i: self.chunks[i].T @ R))

    def weighted_gram(self, curvature, stride=1):
        """As of dense rows; for few columns, since the rows used become dense."""
        B = self.X[::stride].toarray() if stride > 1 else self.X.toarray()
        dense = DenseRows(B)
        return dense.weighted_gram(curvature[::stride] * stride)

    def column_squares(self, curvature):
        """``sum_i h_i a_ij^2`` and ``sum_i h_i a_ij``."""
        squares = self.X.data.astype(float) ** 2
        parts = [self._view(squares, part).T @ curvature for part in self._slices]
        return np.concatenate(parts), self.pullback(curvature[None])[:, 0]

    def row_squares(self):
        """Squared norms of the rows."""
        return np.bincount(self.X.indices, self.X.data.astype(float) ** 2, self.shape[0])

    def part(self, stride):
        """Every `stride`-th row, copied."""
        return SparseRows(sp.csc_matrix(self.X[::stride]))

    def _run(self, one):
        items = range(len(self.chunks))
        return run_in_threads(one, items, blas_threads() if len(self.chunks) > 1 else 1)
