"""What students with directions of their own share."""

import numpy as np
from sklearn.utils import get_tags

__all__ = ["leading_directions", "takes_sparse"]


def leading_directions(cross, n_components, rng):
    """Orthonormal columns: left singular vectors, filled up with random directions.

    Parameters
    ----------
    cross : array of shape (p, q)
        Products of features with what they are to explain, on the host.
    n_components : int
        Number of columns, at most p.
    rng : RandomState
        Draws what is missing beyond the rank of `cross`.

    Returns
    -------
    directions : ndarray of shape (p, n_components) of float64
        The largest entry of a singular vector is positive.
    """
    left, sizes, _ = np.linalg.svd(np.asarray(cross, dtype=np.float64), full_matrices=False)
    rank = int(np.sum(sizes > 1e-7 * max(sizes[0], np.finfo(np.float64).tiny)))
    left = left[:, : min(rank, n_components)]
    peaks = left[np.argmax(np.abs(left), axis=0), np.arange(left.shape[1])]
    left = left * np.where(peaks < 0, -1.0, 1.0)
    missing = n_components - left.shape[1]
    if missing == 0:
        return left
    filler = rng.standard_normal((left.shape[0], missing))
    filler -= left @ (left.T @ filler)
    return np.concatenate([left, np.linalg.qr(filler)[0]], axis=1)


def takes_sparse(teacher):
    """Whether a student with that teacher, or without one, can be fitted to sparse rows."""
    return teacher is None or bool(get_tags(teacher).input_tags.sparse)
