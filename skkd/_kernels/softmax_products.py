r"""Products with the Hessian of a softmax, :math:`s_i (\mathrm{diag}(p_i) - p_i p_i^\top) v_i`.

Probabilities are kept class by class, (C, n), as tiles (:mod:`._tiles`) hold them. Floor per row
and class for a product: two numbers read, one written, two multiplications and additions.
"""

import numpy as np

from ._jit import njit_divide
from ._tiles import load, peaks, row_factors, shifted_exponentials, store, tile_rows

__all__ = ["product_rows", "softmax_rows"]


@njit_divide
def softmax_rows(Z, z_by_class, temperature, P, low, high):
    """Softmax of ``Z / temperature`` into the columns `low` to `high` of `P`, (C, n)."""
    n_classes = P.shape[0]
    rows = tile_rows(n_classes, Z.itemsize)
    X, E = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    room = np.empty((2, rows), Z.dtype)
    peak, sums = room[0], room[1]
    inverse = Z.dtype.type(1.0 / temperature)
    one = Z.dtype.type(1)
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, X)
        peaks(X, m, peak)
        shifted_exponentials(X, m, inverse, peak, E, sums)
        for i in range(m):
            sums[i] = one / sums[i]
        for k in range(n_classes):
            out = P[k, first : first + m]
            for i in range(m):
                out[i] = E[k, i] * sums[i]


@njit_divide
def product_rows(P, V, v_by_class, factors, G, low, high):
    """Rows `low` to `high` of the product, into `G`, laid out as `V` is."""
    n_classes = P.shape[0]
    rows = tile_rows(n_classes, V.itemsize)
    X = np.empty((n_classes, rows), V.dtype)
    room = np.empty((2, rows), V.dtype)
    mean, factor = room[0], room[1]
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(V, v_by_class, first, m, X)
        row_factors(factors, first, m, 1.0, factor)
        for i in range(m):
            mean[i] = 0
        for k in range(n_classes):
            p = P[k, first : first + m]
            for i in range(m):
                mean[i] += p[i] * X[k, i]
        for k in range(n_classes):
            p = P[k, first : first + m]
            for i in range(m):
                X[k, i] = factor[i] * p[i] * (X[k, i] - mean[i])
        store(X, v_by_class, first, m, G)
