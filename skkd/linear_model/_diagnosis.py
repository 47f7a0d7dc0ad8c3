"""Why a training set was not separated, in a sentence that says what to do about it."""

import numpy as np
from scipy import sparse

from .._backend import device_of, is_numpy, namespace, to_numpy

__all__ = ["why_not_separated"]


def why_not_separated(data, *, fit_intercept):
    """Look for rows that no linear rule can get right.

    Parameters
    ----------
    data : ClassificationData
        The training data.
    fit_intercept : bool
        Whether the rule had an intercept.

    Returns
    -------
    sentence : str
        What was found, and a remedy.
    """
    alive = np.ones(data.X.shape[0], dtype=bool)
    if data.sample_weight is not None:
        alive = to_numpy(data.sample_weight) > 0
    zero = _zero_row(data.X, alive)
    if zero is not None and not fit_intercept:
        return (
            f"It cannot be: row {zero} is all zero, so that without an intercept its logit is "
            "always zero; use fit_intercept=True, or drop such rows."
        )
    pair = _contradiction(data.X, to_numpy(data.y), alive)
    if pair is not None:
        return (
            f"It cannot be: rows {pair[0]} and {pair[1]} have the same features but different "
            "labels; correct the labels or drop one, or accept errors with stop='max_iter'."
        )
    return (
        "If the classes overlap, no step size will separate them (separation_margin tells): use "
        "stop='max_iter' to accept errors or LogisticRegression for a regularised fit. Otherwise "
        "increase max_iter, or scale the features."
    )


def _zero_row(X, alive):
    """Index of a row of zeros that counts, or None."""
    if sparse.issparse(X):
        largest = abs(X).max(axis=1).toarray().reshape(-1)
    else:
        xp = namespace(X)
        largest = to_numpy(xp.max(xp.abs(X), axis=1))
    rows = np.flatnonzero((largest == 0) & alive)
    return int(rows[0]) if rows.size else None


def _contradiction(X, y, alive):
    """Two rows that count, equal but for their labels, or None.

    Equal rows have equal products with any vector; rows are sorted by a random one, and
    neighbours that agree are compared in full.
    """
    direction = np.random.RandomState(0).standard_normal(X.shape[1])
    if is_numpy(X):
        key = X @ direction.astype(X.dtype)
    else:
        xp = namespace(X)
        key = to_numpy(X @ xp.asarray(direction, dtype=X.dtype, device=device_of(X)))
    rows = np.flatnonzero(alive)
    rows = rows[np.lexsort((y[rows], key[rows]))]
    near = np.abs(np.diff(key[rows])) <= 1e-6 * (np.abs(key[rows][1:]) + 1e-30)
    for i in np.flatnonzero(near & (y[rows][1:] != y[rows][:-1]))[:100]:
        a, b = int(rows[i]), int(rows[i + 1])
        if _same(X, a, b):
            return (a, b) if a < b else (b, a)
    return None


def _same(X, a, b):
    if sparse.issparse(X):
        return (X[[a]] != X[[b]]).nnz == 0
    return bool(np.all(to_numpy(X[a, :]) == to_numpy(X[b, :])))
