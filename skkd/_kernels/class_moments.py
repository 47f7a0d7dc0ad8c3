r"""Sums and squares by class in one pass over dense rows.

For rows :math:`x_i` of class :math:`y_i` with weight :math:`s_i` and a shift c near the data,

.. math::
    D_{kj} = \sum_{i: y_i = k} s_i (x_{ij} - c_j), \qquad Q_j = \sum_i s_i (x_{ij} - c_j)^2

from which means and variances follow without cancellation as long as c is within a few thousand
standard deviations. A few hundred rows at a time are ordered by class, so that four rows of a class
share each load and store of D and Q; whatever the type of X, sums are kept in float64. Operations
keep their order: a compiler free to sum rows first and to subtract the shift afterwards would lose
the digits that the shift saves.
"""

import numpy as np

from ._jit import njit_in_order

__all__ = ["add_class_sums"]

_BLOCK_BYTES = 2**18


@njit_in_order
def add_class_sums(X, codes, weights, shift, counts, sums, squares):
    """Add the sums of all rows; rows of zero weight are not looked at.

    Parameters
    ----------
    X : array of shape (n, p), C-contiguous, float32 or float64
    codes : array of shape (n,)
        Classes as integers 0..K-1.
    weights : array of shape (n,) or (1,)
        Weights; one entry stands for all rows.
    shift : array of shape (p,), float64
        The shift c.
    counts : array of shape (K,), float64
        Receives the weight of each class.
    sums : array of shape (K, p), float64
        Receives D.
    squares : array of shape (p,), float64
        Receives Q.
    """
    n, p = X.shape
    n_classes = counts.shape[0]
    rows = max(_BLOCK_BYTES // (p * X.itemsize), 8 * n_classes, 8)
    order = np.empty(min(rows, n), dtype=np.int64)
    ends = np.empty(n_classes + 1, dtype=np.int64)
    for low in range(0, n, rows):
        high = min(low + rows, n)
        _order_by_class(codes, weights, low, high, order, ends)
        for k in range(n_classes):
            begin, end = ends[k], ends[k + 1]
            if weights.shape[0] == 1:
                counts[k] += weights[0] * (end - begin)
                _add_rows(X, order, begin, end, weights[0], shift, sums[k], squares)
            else:
                for a in range(begin, end):
                    counts[k] += weights[order[a]]
                _add_weighted(X, order, begin, end, weights, shift, sums[k], squares)


@njit_in_order
def _order_by_class(codes, weights, low, high, order, ends):
    """Fill `order` with the rows low..high by class; those of class k lie in ends[k]..ends[k+1]."""
    ends[:] = 0
    every = weights.shape[0] == 1
    for i in range(low, high):
        if every or weights[i] > 0.0:
            ends[codes[i] + 1] += 1
    for k in range(1, ends.shape[0]):
        ends[k] += ends[k - 1]
    for i in range(low, high):
        if every or weights[i] > 0.0:
            order[ends[codes[i]]] = i
            ends[codes[i]] += 1
    for k in range(ends.shape[0] - 1, 0, -1):  # every end has moved to the next one's place
        ends[k] = ends[k - 1]
    ends[0] = 0


@njit_in_order
def _add_rows(X, order, begin, end, weight, shift, sums, squares):
    """Rows order[begin:end], all of one class and one weight."""
    p = X.shape[1]
    a = begin
    while a + 4 <= end:
        i0, i1, i2, i3 = order[a], order[a + 1], order[a + 2], order[a + 3]
        for j in range(p):
            c = shift[j]
            d0, d1, d2, d3 = X[i0, j] - c, X[i1, j] - c, X[i2, j] - c, X[i3, j] - c
            sums[j] += weight * ((d0 + d1) + (d2 + d3))
            squares[j] += weight * ((d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3))
        a += 4
    while a < end:
        i0 = order[a]
        for j in range(p):
            d0 = X[i0, j] - shift[j]
            sums[j] += weight * d0
            squares[j] += weight * (d0 * d0)
        a += 1


@njit_in_order
def _add_weighted(X, order, begin, end, weights, shift, sums, squares):
    """Rows order[begin:end], all of one class, each with its own weight."""
    p = X.shape[1]
    a = begin
    while a + 2 <= end:
        i0, i1 = order[a], order[a + 1]
        s0, s1 = np.float64(weights[i0]), np.float64(weights[i1])
        for j in range(p):
            c = shift[j]
            d0, d1 = X[i0, j] - c, X[i1, j] - c
            sums[j] += s0 * d0 + s1 * d1
            squares[j] += s0 * (d0 * d0) + s1 * (d1 * d1)
        a += 2
    while a < end:
        i0 = order[a]
        s0 = np.float64(weights[i0])
        for j in range(p):
            d0 = X[i0, j] - shift[j]
            sums[j] += s0 * d0
            squares[j] += s0 * (d0 * d0)
        a += 1
