r"""Coordinate descent on a small quadratic with absolute values and bounds.

.. math::
    \min_u \; q_0^\top (u - u_0) + \tfrac12 (u - u_0)^\top H (u - u_0)
    + \sum_j \lambda_j |u_j|, \qquad l \le u \le h
"""

import math

from ._jit import njit

__all__ = ["sweep_coordinates"]


@njit
def sweep_coordinates(H, q, u, l1, lower, upper, n_sweeps):
    """Sweep over the coordinates; `u` and the gradient `q` at it change in place.

    Returns
    -------
    largest : float
        Largest step of the last sweep, each in units of one over the root of its curvature.
    """
    largest = 0.0
    for _ in range(n_sweeps):
        largest = 0.0
        for j in range(len(u)):
            curvature = H[j, j]
            old = u[j]
            if curvature > 0.0:
                target = old - q[j] / curvature
                shrunk = max(abs(target) - l1[j] / curvature, 0.0)
                new = shrunk if target > 0.0 else -shrunk
            elif l1[j] > abs(q[j]):
                new = 0.0
            else:
                continue
            new = min(max(new, lower[j]), upper[j])
            step = new - old
            if step != 0.0:
                u[j] = new
                largest = max(largest, abs(step) * math.sqrt(max(curvature, 0.0)))
                for i in range(len(u)):
                    q[i] += step * H[j, i]
        if largest == 0.0:
            break
    return largest
