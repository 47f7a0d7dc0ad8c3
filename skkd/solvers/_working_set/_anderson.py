r"""Anderson extrapolation of coordinate sweeps.

From the points after K sweeps, :math:`w_1, ..., w_K`, the combination :math:`\sum_k c_k w_k` with
:math:`\sum_k c_k = 1` is taken whose combined differences :math:`w_{k} - w_{k-1}` are shortest.

References
----------
Bertrand, Q., Massias, M., "Anderson acceleration of coordinate descent", AISTATS 2021.
"""

import numpy as np

__all__ = ["SWEEPS", "extrapolation_weights"]

SWEEPS = 5  # between extrapolations


def extrapolation_weights(points):
    """Weights of the last K points, for K + 1 points given as rows; None if they do not help.

    Parameters
    ----------
    points : array of shape (K + 1, m)
        The points in order.

    Returns
    -------
    weights : array of shape (K,) or None
        They sum to one.
    """
    differences = np.diff(points, axis=0)
    gram = differences @ differences.T
    size = gram.trace()
    if not 0.0 < size < np.inf:
        return None
    gram[np.diag_indices_from(gram)] += 1e-12 * size
    solution = np.linalg.solve(gram, np.ones(len(gram)))
    total = solution.sum()
    return solution / total if total != 0.0 and np.isfinite(total) else None
