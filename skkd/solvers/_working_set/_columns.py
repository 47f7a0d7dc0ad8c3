"""The columns of a working set in float32, centred, ready for Gram matrices."""

import numpy as np

__all__ = ["ColumnStore", "symmetric_product"]


class ColumnStore:
    """Dense columns of X in float32, less their weighted means where there is an intercept.

    Subtracting a constant from a column only moves the intercept, and keeps float32 sums free of
    the cancellation that a large mean would bring.

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
        self._buffer = np.empty((0, design.shape[0]), dtype=np.float32)
        self._means = np.empty(0)
        self.size = 0

    @property
    def rows(self):
        """The columns, each a contiguous row, shape (size, n)."""
        return self._buffer[: self.size]

    @property
    def means(self):
        """The weighted means of the columns; zeros without centring."""
        return self._means[: self.size]

    def change(self, kept, new):
        """Keep the columns at positions `kept` and put the features `new` behind them."""
        size = kept.size + new.size
        old, old_means = self._buffer, self._means
        if size > old.shape[0]:
            room = size + size // 2 if old.shape[0] else size
            self._buffer = np.empty((room, old.shape[1]), dtype=np.float32)
            self._means = np.zeros(room)
        if self._buffer is not old or kept.size < self.size:
            self._buffer[: kept.size] = old[kept]
            self._means[: kept.size] = old_means[kept]
        self.size = size
        if new.size:
            self._fill(slice(kept.size, size), new)

    def _fill(self, places, features):
        columns = self._design.columns(features).T
        if self._centred:
            means = columns @ self._weights
            self._means[places] = means
            np.subtract(columns, means[:, None], out=self._buffer[places], casting="same_kind")
        else:
            self._means[places] = 0.0
            self._buffer[places] = columns


def symmetric_product(rows):
    """``rows @ rows.T``; NumPy computes one half and mirrors it."""
    return rows @ rows.T
