"""A quadratic with group norms whose columns are sparse and centred without being filled in."""

import numpy as np
import scipy.sparse as sp

from ._group_quadratic import GroupQuadratic

__all__ = ["SparseGroupQuadratic"]

_LARGEST_GRAM = 2000  # coefficients that Newton's method is worth trying with
_SWEEP_RATE = 4e8  # entries per second


class SparseGroupQuadratic(GroupQuadratic):
    """As :class:`GroupQuadratic`; a column is a sparse one less a multiple of the root.

    The root is the unit vector along `scale`.

    The state of the sweeps is the residual less a multiple of the root, and that multiple last.
    """

    def __init__(self, target, l2, scale, centred):
        super().__init__(target, l2, scale, centred)
        self._length = np.sqrt(scale @ scale)
        self.root = scale / self._length
        self._sparse = sp.csr_array((0, target.size))
        self._gram = None

    @property
    def _shares(self):
        """Multiples of the root that are taken off the scaled columns."""
        return self.means * self._length

    def restart(self, w):
        super().restart(w)
        self._state = np.append(self._state, 0.0)

    def residual(self):
        fit = self._sparse.T @ self.w
        return self.target - (self._orthogonal(fit) if self.centred else fit)

    def products(self, vector):
        return self._sparse @ vector

    def newton_gram(self):
        if self._gram is None and self.w.size <= _LARGEST_GRAM:
            self._gram = (self._sparse @ self._sparse.T).toarray()
            self._gram -= np.outer(self._shares, self._shares)
            self.rows_target = self._sparse @ self.target
        return self._gram

    def newton_fits(self):
        """Whether the Gram matrix may be formed."""
        return self.w.size <= _LARGEST_GRAM

    def _run(self, active, n):
        from ..._kernels.group_descent import sweep_sparse_groups

        fixed = self._table, self._blocks, self.lam, self.l2
        sweep_sparse_groups(*self._columns, self._state, self.w, self.tau, *fixed, active, n)

    def _orthogonal(self, vector):
        return vector - (self.root @ vector) * self.root

    def _correlations(self):
        return self._sparse @ self._state[:-1] + self._state[-1] * self._shares

    def _square_of(self, w, state):
        sparse, shift = state[:-1], state[-1]
        if not self.centred:
            return sparse @ sparse
        return max(sparse @ sparse + shift * (2.0 * (self.root @ sparse) + shift), 0.0)

    def _sweep_cost(self):
        share = np.count_nonzero(self.w) / max(self.w.size, 1)
        return 1e-6 + 2.0 * share * self._sparse.nnz / _SWEEP_RATE

    def _store(self, columns, old):
        self._note_means(columns)
        rows = columns.copy()
        rows.data *= self.scale[rows.indices]
        A = sp.csr_array(sp.vstack((self._sparse, rows), format="csr")) if old else rows
        self._sparse, self._gram = A, None
        # Unsigned indices spare the kernels a test for negative ones; one dtype, one compilation.
        indices = A.indices.astype(np.uint32), A.indptr.astype(np.int64)
        self._columns = A.data, *indices, self._shares

    def _small_grams(self, lows, size):
        from ..._kernels.group_descent import sparse_grams

        out = np.empty((lows.size, size, size))
        sparse_grams(*self._columns, lows, size, self.target.size, out)
        return out
