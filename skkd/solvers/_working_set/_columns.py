"""The columns of a working set in float32, centred and of unit size, ready for Gram matrices."""

import numpy as np

from ..._threads import blas_threads, run_in_threads

__all__ = ["ColumnStore", "products", "symmetric_product"]

_WORTH_SHARING = 2e7  # multiplications of a product that two threads should share


class ColumnStore:
    r"""Dense columns of X in float32, less their weighted means where there is an intercept.

    Subtracting a constant from a column only moves the intercept, and keeps float32 sums free of
    the cancellation that a large mean would bring. The size of a column is
    :math:`\sqrt{\sum_i s_i x_i^2}`; columns are divided by it, so that their squares neither
    overflow nor vanish in float32.

    Parameters
    ----------
    design : Design
        Dense or sparse columns.
    weights : array of shape (n,)
        Row weights that sum to one.
    centred : bool
        Whether to subtract means.
    """

    def __init__(self, design, weights, centred):
        self._design, self._weights, self._centred = design, weights, centred
        self._equal = bool(np.all(weights == weights[0]))
        self._buffer = np.empty((0, design.shape[0]), dtype=np.float32)
        self._means = np.empty(0)
        self._sizes = np.empty(0)
        self.size = 0

    @property
    def rows(self):
        """The columns, each a contiguous row, shape (size, n)."""
        return self._buffer[: self.size]

    @property
    def means(self):
        """The weighted means of the columns in X; zeros without centring."""
        return self._means[: self.size]

    @property
    def sizes(self):
        """The numbers that the columns were divided by; 1 for columns of zeros or constants."""
        return self._sizes[: self.size]

    def change(self, kept, new):
        """Keep the columns at positions `kept` and put the features `new` behind them."""
        size = kept.size + new.size
        if size > self._buffer.shape[0] or kept.size < self.size:
            room = max(size + size // 2 if self.size else size, self._buffer.shape[0])
            self._buffer = _moved(self._buffer, kept, room)
            self._means = _moved(self._means, kept, room)
            self._sizes = _moved(self._sizes, kept, room)
        self.size = size
        if new.size:
            self._fill(slice(kept.size, size), new)

    def _fill(self, places, features):
        columns = self._design.columns(features).T
        means = np.zeros(features.size)
        if self._centred:
            columns = columns.astype(np.float64, copy=False)
            means = columns @ self._weights
            columns = columns - means[:, None]
        sizes = self._measure(columns)
        constant = sizes <= 1e-13 * np.abs(means)  # all that is left of them is rounding
        columns[constant], sizes[constant] = 0.0, 1.0
        self._means[places], self._sizes[places] = means, sizes
        factors = (1.0 / sizes)[:, None].astype(columns.dtype)
        np.multiply(columns, factors, out=self._buffer[places], casting="same_kind")

    def _measure(self, columns):
        with np.errstate(over="ignore", under="ignore"):
            if self._equal:
                squares = np.vecdot(columns, columns) * columns.dtype.type(self._weights[0])
            else:
                squares = np.vecdot(columns, columns * self._weights.astype(columns.dtype))
        if np.all((squares > 1e-30) & (squares < 1e30)):
            return np.sqrt(squares.astype(np.float64))
        # Some columns are zero, or their squares leave the range of floats.
        largest = np.abs(columns).max(axis=1).astype(np.float64)
        largest[largest == 0.0] = 1.0
        sizes = largest * np.sqrt(np.square(columns / largest[:, None]) @ self._weights)
        return np.where(sizes == 0.0, 1.0, sizes)


def _moved(old, kept, room):
    """The entries `kept` of an array, at the beginning of a new one."""
    new = np.empty((room, *old.shape[1:]), dtype=old.dtype)
    new[: kept.size] = old[kept]
    return new


def symmetric_product(rows):
    """``rows @ rows.T``, one half computed and mirrored; large ones by two threads."""
    m, n = rows.shape
    if m * m * n < 2 * _WORTH_SHARING:
        return rows @ rows.T
    half = m // 2
    out = np.empty((m, m), dtype=rows.dtype)

    def corner():
        np.matmul(rows[half:], rows[:half].T, out=out[half:, :half])

    def diagonal():
        out[:half, :half] = rows[:half] @ rows[:half].T
        out[half:, half:] = rows[half:] @ rows[half:].T

    run_in_threads(lambda task: task(), [corner, diagonal], min(2, blas_threads()))
    out[:half, half:] = out[half:, :half].T
    return out


def products(a, b, out):
    """``a @ b.T`` into `out`; large ones by two threads."""
    if a.size * b.shape[0] < _WORTH_SHARING:
        np.matmul(a, b.T, out=out)
        return
    half = a.shape[0] // 2

    def part(rows):
        np.matmul(a[rows], b.T, out=out[rows])

    run_in_threads(part, [slice(0, half), slice(half, None)], min(2, blas_threads()))
