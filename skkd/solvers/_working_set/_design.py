r"""Passes over the columns of X: correlations with a vector, products, and single columns.

Dense matrices are read in the order they have, never copied whole; two threads share the columns
when there are enough of them. Sparse matrices are CSC.
"""

import numpy as np
import scipy.sparse as sp

from ..._threads import blas_threads, run_in_threads

__all__ = ["Design"]

# Columns that one worker reads at a time, in bytes: large against the cost of handing them out.
_SHARE = 8_000_000


class Design:
    """The columns of a matrix.

    Parameters
    ----------
    X : array of shape (n, p) or CSC matrix
        Not copied.
    """

    def __init__(self, X):
        self.X = X
        self.shape = X.shape
        self.sparse = sp.issparse(X)
        self._rows = X.T

    def part(self, indices):
        """A design of the columns `indices`, copied."""
        return Design(self.X[:, indices] if self.sparse else self.columns(indices))

    def correlations(self, v):
        """``X.T @ v`` in float64; `v` has shape (n,) or (n, k)."""
        v = v.astype(self.X.dtype, copy=False)
        n, p = self.shape
        width = max(1, _SHARE // (n * self.X.dtype.itemsize))
        if self.sparse or p <= 2 * width:
            return np.asarray(self._rows @ v, dtype=float)
        out = np.empty((p, *v.shape[1:]))

        def part(a):
            out[a : a + width] = self._rows[a : a + width] @ v

        run_in_threads(part, range(0, p, width), min(2, blas_threads()))
        return out

    def product(self, indices, coef):
        """``X[:, indices] @ coef`` in float64; `coef` has shape (m,) or (m, k)."""
        if (10 if self.sparse else 2) * indices.size > self.shape[1]:
            full = np.zeros((self.shape[1], *coef.shape[1:]))
            full[indices] = coef
            return np.asarray(self.X @ full, dtype=float)
        return (self.X[:, indices] if self.sparse else self.columns(indices)) @ coef

    def columns(self, indices):
        """The columns `indices` as a dense array in which each is contiguous."""
        if self.sparse:
            return self.X[:, indices].toarray(order="F")
        return self._rows[indices].T
