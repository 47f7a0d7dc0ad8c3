r"""Products with a design matrix, shared among threads in chunks whose cut is fixed.

Two designs: dense rows in chunks, and CSC columns. Logits and residuals are laid out class by
class, shape (k, n).
"""

import numpy as np
import scipy.sparse as sp

from ..._threads import blas_threads, run_in_threads

__all__ = ["DenseRows", "SparseRows", "make_rows"]

# Bytes of a chunk: enough work for the dozen calls on it.
_CHUNK = 2**21
_SPARSE_CHUNK = 2**16  # nonzeros
_MAX_CHUNKS = 32


def make_rows(X, dtype=np.float64):
    """The design of a dense matrix, which computes in `dtype`, or of a CSC matrix."""
    return SparseRows(X) if sp.issparse(X) else DenseRows(X, dtype)


class _Rows:
    """What designs share."""

    def each(self, function):
        """``[function(rows) for rows in chunks]``, shared among threads."""
        return _share(function, self.chunks)


class DenseRows(_Rows):
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
        size = _CHUNK // max(1, A.shape[1] * A.itemsize)
        size = max(1, size, -(-A.shape[0] // _MAX_CHUNKS))
        n = A.shape[0]
        self.chunks = [slice(low, min(low + size, n)) for low in range(0, n, size)]

    def logits(self, V):
        """``V.T @ A.T`` for V of shape (p, k)."""
        W = V.astype(self.dtype, copy=False)
        Z = np.empty((W.shape[1], self.shape[0]), dtype=self.dtype)

        def one(rows):
            # The product in this order: BLAS does the other at half the speed in float32.
            Z[:, rows] = (self._rows(rows) @ W).T

        self.each(one)
        return Z

    def pullback(self, R):
        """``A.T @ R.T`` in float64, shape (p, k)."""
        dtype = self.dtype
        return self._sum(lambda rows: R[:, rows].astype(dtype, copy=False) @ self._rows(rows)).T

    def weighted_gram(self, curvature, stride=1):
        """Sums of ``h_i a_i a_i'``, ``h_i a_i`` and h_i over every `stride`-th row, scaled up."""
        idle = 2 * np.count_nonzero(curvature) < curvature.size  # rows beyond the margin

        def one(rows):
            h, A = curvature[rows][::stride], self._rows(rows)[::stride]
            if idle:
                kept = np.flatnonzero(h)
                h, A = h[kept], A[kept]
            root = np.sqrt(h * stride).astype(self.dtype, copy=False)
            B = A * root[:, None]
            parts = np.zeros((B.shape[1] + 1, B.shape[1] + 1))
            parts[:-1, :-1] = B.T @ B
            parts[-1] = np.append(root @ B, stride * h.sum())
            return parts

        G = self._sum(one)
        return np.ascontiguousarray(G[:-1, :-1]), G[-1, :-1], float(G[-1, -1])

    def column_squares(self, curvature):
        """``sum_i h_i a_ij^2`` and ``sum_i h_i a_ij``."""
        h = curvature[None].astype(self.dtype, copy=False)
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


class SparseRows(_Rows):
    """Columns of a CSC matrix; products are computed in float64."""

    sparse = True
    dtype = np.dtype(np.float64)

    def __init__(self, X):
        self.X, self.shape = X, X.shape
        self.chunks = [slice(None)]
        self._slices = self._cut()
        self._columns = [self._view(X.data, columns) for columns in self._slices]
        self._transposed = [columns.T for columns in self._columns]  # each costs 0.1 ms to make

    def logits(self, V):
        """``V.T @ A.T`` for V of shape (p, k)."""
        V = V[:, 0] if V.shape[1] == 1 else np.ascontiguousarray(V)
        parts = self._each_column(lambda i: self._columns[i] @ V[self._slices[i]])
        total = sum(parts[1:], parts[0])
        return total[None] if V.ndim == 1 else np.ascontiguousarray(total.T)

    def pullback(self, R):
        """``A.T @ R.T``, shape (p, k)."""
        R = R[0] if R.shape[0] == 1 else np.ascontiguousarray(R.T)
        G = np.concatenate(self._each_column(lambda i: self._transposed[i] @ R))
        return G[:, None] if R.ndim == 1 else G

    def weighted_gram(self, curvature, stride=1):
        """As of dense rows; for few columns, since the rows used become dense."""
        dense = DenseRows((self.X[::stride] if stride > 1 else self.X).toarray())
        return dense.weighted_gram(curvature[::stride] * stride)

    def column_squares(self, curvature):
        """``sum_i h_i a_ij^2`` and ``sum_i h_i a_ij``."""
        squares = self.X.data.astype(float) ** 2
        parts = [self._view(squares, columns).T @ curvature for columns in self._slices]
        return np.concatenate(parts), self.pullback(curvature[None])[:, 0]

    def row_squares(self):
        """Squared norms of the rows."""
        squares = self.X.data.astype(float) ** 2  # summed by a product: bincount is slower
        whole = slice(0, self.shape[1])
        return self._view(squares, whole) @ np.ones(self.shape[1])

    def part(self, stride):
        """Every `stride`-th row, copied."""
        return SparseRows(sp.csc_matrix(self.X[::stride]))

    def _cut(self):
        """Slices of columns with about as many nonzeros each."""
        indptr, p = self.X.indptr, self.shape[1]
        count = min(_MAX_CHUNKS, max(1, int(indptr[-1]) // _SPARSE_CHUNK))
        ends = np.searchsorted(indptr, np.linspace(0, indptr[-1], count + 1)[1:-1])
        ends = np.unique(np.concatenate([[0], ends, [p]]))
        return [slice(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:], strict=True)]

    def _view(self, data, columns):
        X = self.X
        a, b = X.indptr[columns.start], X.indptr[columns.stop]
        indptr = X.indptr[columns.start : columns.stop + 1] - a
        shape = (self.shape[0], columns.stop - columns.start)
        return sp.csc_array((data[a:b], X.indices[a:b], indptr), shape=shape)

    def _each_column(self, one):
        return _share(one, range(len(self._columns)))


def _share(function, items):
    return run_in_threads(function, items, blas_threads() if len(items) > 1 else 1)
