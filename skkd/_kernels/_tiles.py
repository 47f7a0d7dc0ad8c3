"""Tiles: a few dozen rows of logits laid out class by class.

Sums over classes then run over the vector lanes of many rows at once, whatever the number of
classes, and two classes are as fast as a thousand. A tile stays in the second-level cache while
a loss makes its three or four passes over it. Loops write one tile each: LLVM must check that
arrays do not overlap, and gives up on loops that need more than eight such checks.
"""

from ._jit import njit, njit_divide
from ._vector_math import exp

__all__ = ["load", "peaks", "row_factors", "shifted_exponentials", "store", "tile_rows"]

_TILE_BYTES = 2**17


@njit
def tile_rows(n_classes, itemsize):
    """Rows of a tile: a multiple of 16 from 32 to 256, more for matrices taken as one long row."""
    if n_classes == 1:
        return 2048
    return max(32, min(256, _TILE_BYTES // (n_classes * itemsize) // 16 * 16))


@njit
def load(A, by_class, low, m, tile):
    """Copy m rows from row `low` on into ``tile[:, :m]``.

    `A` is (n, C), or (C, n) if `by_class`.
    """
    n_classes = tile.shape[0]
    if by_class:
        for k in range(n_classes):
            out, given = tile[k], A[k, low : low + m]  # a slice: an index of low + i may be < 0,
            for i in range(m):  # and the check for that would keep the loop scalar
                out[i] = given[i]
        return
    whole = m - m % 4
    for i in range(0, whole, 4):
        a, b, c, d = A[low + i], A[low + i + 1], A[low + i + 2], A[low + i + 3]
        for k in range(n_classes):
            out = tile[k]
            out[i], out[i + 1], out[i + 2], out[i + 3] = a[k], b[k], c[k], d[k]
    for i in range(whole, m):
        for k in range(n_classes):
            tile[k, i] = A[low + i, k]


@njit
def store(tile, by_class, low, m, A):
    """The way back of :func:`load`."""
    n_classes = tile.shape[0]
    if by_class:
        for k in range(n_classes):
            out, given = A[k, low : low + m], tile[k]
            for i in range(m):
                out[i] = given[i]
        return
    whole = m - m % 4
    for i in range(0, whole, 4):
        a, b, c, d = A[low + i], A[low + i + 1], A[low + i + 2], A[low + i + 3]
        for k in range(n_classes):
            out = tile[k]
            a[k], b[k], c[k], d[k] = out[i], out[i + 1], out[i + 2], out[i + 3]
    for i in range(whole, m):
        for k in range(n_classes):
            A[low + i, k] = tile[k, i]


@njit
def peaks(tile, m, peak):
    """Largest entry of each row."""
    for i in range(m):
        peak[i] = tile[0, i]
    for k in range(1, tile.shape[0]):
        for i in range(m):
            peak[i] = max(peak[i], tile[k, i])


@njit_divide
def shifted_exponentials(tile, m, inverse_temperature, peak, E, sums):
    """Replace logits z by ``x = (z - peak) / T``; fill ``E = exp(x)`` and its sums over classes."""
    for i in range(m):
        sums[i] = 0
    for k in range(tile.shape[0]):
        for i in range(m):
            x = (tile[k, i] - peak[i]) * inverse_temperature
            tile[k, i] = x
            e = exp(x)
            E[k, i] = e
            sums[i] += e


@njit
def row_factors(factors, first, m, scale, out):
    """``scale`` times the weights of a tile's rows; one entry of `factors` stands for all."""
    one = factors.shape[0] == 1
    for i in range(m):
        out[i] = scale * (factors[0] if one else factors[first + i])
