r"""Weights, means and pooled squares of classes, from rows of any array library.

With a shift c near the data, chosen from a few rows spread over all of them,

.. math::
    \mu_{kj} = c_j + D_{kj} / n_k, \qquad
    S_j = \sum_i s_i (x_{ij} - \mu_{y_i j})^2 = Q_j - \sum_k D_{kj}^2 / n_k

where :math:`D_{kj}` and :math:`Q_j` are sums of :math:`x_{ij} - c_j` and of its square. The
subtraction is safe unless the classes of a feature lie far apart compared to its spread. Such
features, and only they, are read a second time, with their class means as shift.
"""

import numpy as np

from .._backend import device_of, is_numpy, namespace, one_hot, sum_dtype
from .._threads import blas_threads, run_in_threads

__all__ = ["class_sums"]

# Below this many bytes a pass is over before loading the compiled one (a third of a second) has
# paid for itself.
_SMALL_BYTES = 2**23
# Rows that are handed to a thread; results do not depend on the number of threads.
_CHUNK_BYTES = 2**24
# Rows converted at a time, where a conversion is needed.
_PANEL = {True: 2**20, False: 2**28}
_SHIFT_ROWS = 64
# Share of the squares that lies within classes, below which the subtraction loses too much.
_FAR = 1e-4


def class_sums(X, codes, n_classes, weights=None):
    """Weight, mean and squares of each class.

    Parameters
    ----------
    X : array of shape (n, p)
        Rows, float32 or float64, not checked for NaN and infinity, which end up in the result.
    codes : array of shape (n,)
        Classes as integers 0..K-1.
    n_classes : int
        Number of classes K.
    weights : array of shape (n,) or None
        Weights >= 0.

    Returns
    -------
    counts : array of shape (K,)
        Weight of each class.
    means : array of shape (K, p)
        Mean of each class; 0 for a class without weight.
    scatter : array of shape (p,)
        Weighted squares of deviations from the mean of the own class.

    Notes
    -----
    All three are in float64 where the device of `X` has it.
    """
    xp = namespace(X)
    shift = _shift(X)
    compiled = is_numpy(X) and X.nbytes > _SMALL_BYTES
    add = _compiled_sums if compiled else _sums
    counts, sums, squares = add(X, codes, n_classes, weights, shift)
    safe = xp.where(counts > 0, counts, 1.0)[:, None]
    means = sums / safe
    scatter = squares - xp.sum(sums * means, axis=0)
    means = xp.where(counts[:, None] > 0, means + shift, 0.0)
    far = xp.nonzero((scatter < _FAR * squares) & (squares > 0))[0]
    if far.shape[0] > 0:
        exact = _squares_about(means, X, codes, weights, far)
        scatter = _with_entries(scatter, far, exact)
    return counts, means, scatter


def _shift(X):
    """Mean of some rows: a point amid the data, equal to the value of a constant feature."""
    xp = namespace(X)
    dtype = sum_dtype(X)
    step = max(1, X.shape[0] // _SHIFT_ROWS)
    rows = xp.astype(X[: min(step * _SHIFT_ROWS, X.shape[0]) : step, :], dtype)
    return rows[0, :] + xp.mean(rows - rows[:1, :], axis=0)


def _compiled_sums(X, codes, n_classes, weights, shift):
    """Sums about the shift by the compiled pass, rows shared among threads."""
    from .._kernels.class_moments import add_class_sums

    weights = np.ones(1) if weights is None else weights
    rows = max(_CHUNK_BYTES // (X.shape[1] * X.itemsize), 32 * n_classes)
    panel = X.shape[0] if X.flags.c_contiguous else max(rows // 16, 1)

    def sums_of(chunk):
        found = np.zeros(n_classes), np.zeros((n_classes, X.shape[1])), np.zeros(X.shape[1])
        for part in _slices(chunk.start, chunk.stop, panel):
            own = weights if weights.shape[0] == 1 else weights[part]
            add_class_sums(np.ascontiguousarray(X[part]), codes[part], own, shift, *found)
        return found

    chunks = list(_slices(0, X.shape[0], rows))
    found = run_in_threads(sums_of, chunks, blas_threads())
    return tuple(sum(parts) for parts in zip(*found, strict=True))


def _sums(X, codes, n_classes, weights, shift):
    """Sums about the shift by two matrix products for each panel of rows."""
    xp, dtype = namespace(X), sum_dtype(X)
    room = {"dtype": dtype, "device": device_of(X)}
    counts, sums = xp.zeros((n_classes,), **room), xp.zeros((n_classes, X.shape[1]), **room)
    squares = xp.zeros((X.shape[1],), **room)
    for part, member, own in _panels(X, codes, n_classes, weights):
        deviations = xp.astype(X[part, :], dtype) - shift
        if own is not None:  # a row without weight counts as absent, whatever it holds
            deviations = xp.where(own[:, None] > 0, deviations, 0.0)
        counts = counts + xp.sum(member, axis=0)
        sums = sums + member.T @ deviations
        squares = squares + _weighted_squares(deviations, own)
    return counts, sums, squares


def _squares_about(means, X, codes, weights, features):
    """Squares of deviations from the class means, of some features."""
    xp, dtype = namespace(X), sum_dtype(X)
    means = xp.take(means, features, axis=1)
    squares = xp.zeros((features.shape[0],), dtype=dtype, device=device_of(X))
    for part, _, own in _panels(X, codes, 0, weights):
        values = xp.astype(xp.take(X[part, :], features, axis=1), dtype)
        deviations = values - xp.take(means, codes[part], axis=0)
        if own is not None:
            deviations = xp.where(own[:, None] > 0, deviations, 0.0)
        squares = squares + _weighted_squares(deviations, own)
    return squares


def _panels(X, codes, n_classes, weights):
    """Yield slices of rows with their weighted class indicators (n, K) and weights."""
    xp, dtype = namespace(X), sum_dtype(X)
    for part in _slices(0, X.shape[0], max(_PANEL[is_numpy(X)] // (8 * X.shape[1]), 1)):
        own = None if weights is None else xp.astype(weights[part], dtype)
        member = xp.astype(one_hot(codes[part], n_classes), dtype)
        yield part, member if own is None else member * own[:, None], own


def _weighted_squares(deviations, weights):
    squares = deviations * deviations
    if weights is None:
        return namespace(deviations).sum(squares, axis=0)
    return weights @ squares


def _with_entries(x, index, values):
    """`x` with ``x[index] = values``, also where arrays cannot be written to."""
    xp = namespace(x)
    positions = xp.arange(x.shape[0], dtype=index.dtype, device=device_of(x))
    found = xp.astype(positions[:, None] == index[None, :], x.dtype)
    return xp.where(xp.sum(found, axis=1) > 0, found @ values, x)


def _slices(start, stop, length):
    for low in range(start, stop, length):
        yield slice(low, min(low + length, stop))
