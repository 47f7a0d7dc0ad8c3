r"""Sweeps of block coordinate descent for a quadratic plus a sum of group norms.

For :math:`\tfrac12 \|t - M w\|^2 + \tfrac{l_2}{2} \|w\|^2 + \sum_g \lambda_g \|w_g\|` a sweep
minimises over one group after the other, exactly. Let :math:`M_g^\top M_g = V E V^\top` and
:math:`q = V^\top M_g^\top (r + M_g w_g)`. The minimiser is zero if :math:`\|q\| \le \lambda_g`;
otherwise it is :math:`\tau V (I + \tau (E + l_2 I))^{-1} q` for the one :math:`\tau > 0` with
:math:`\|(I + \tau (E + l_2 I))^{-1} q\| = \lambda_g`. Newton's method on the reciprocal of that
norm, nearly a line in :math:`\tau`, finds it in two or three steps, as in trust-region methods
(Moré and Sorensen, 1983).
"""

import math

import numpy as np

from ._jit import njit

__all__ = ["sweep_groups", "sweep_sparse_groups"]


@njit
def sweep_groups(M, is_gram, state, w, tau, groups, blocks, lam, l2, active, n):
    """Run sweeps in place; see the module docstring.

    Parameters
    ----------
    M : array of shape (p, m)
        Columns of the design as rows, or their Gram matrix.
    is_gram : bool
        Which of the two.
    state : array of shape (m,)
        The residual ``t - M w``, or the products of the columns with it; kept up to date.
    w : array of shape (p,)
        Coefficients.
    tau : array of shape (n_groups,)
        ``||w_g|| / lam_g``; the next root is sought from here.
    groups : array of shape (n_groups, 3), int64
        Where group g begins and ends in `w`, and where it begins in `blocks`.
    blocks : array
        Of each group of size s: s eigenvalues E, then the s x s eigenvectors V row by row.
    lam : array of shape (n_groups,)
        Strength of each norm.
    l2 : float
        Strength of the ridge.
    active : bool
        Whether groups at zero are passed over.
    n : int
        Number of sweeps.

    Returns
    -------
    changes : int
        Groups that became zero or nonzero during the last sweep.
    """
    room = np.empty((3, w.shape[0]))
    changes = 0
    for sweep in range(n):
        for g in range(lam.shape[0]):
            before = tau[g]
            if active and before == 0.0:
                continue
            low, high = groups[g, 0], groups[g, 1]
            for j in range(low, high):
                total = state[j]
                if not is_gram:
                    total = 0.0
                    for i in range(state.shape[0]):
                        total += M[j, i] * state[i]
                room[0, j - low] = total
            if _minimise(w, tau, g, low, high - low, blocks, groups[g, 2], lam[g], l2, room):
                for j in range(low, high):
                    step = room[0, j - low]
                    for i in range(state.shape[0]):
                        state[i] -= step * M[j, i]
            if sweep == n - 1 and (before == 0.0) != (tau[g] == 0.0):
                changes += 1
    return changes


@njit
def sweep_sparse_groups(data, rows, columns, means, state, shift, w, tau, groups, blocks, lam, l2, active, n):
    """As :func:`sweep_groups` on sparse columns, centred without being filled in.

    The residual is ``state + shift * root``, where root, of norm one, is the direction that
    centring removes; column j of the design is ``sparse_j - means[j] * root``, its entries those
    of `data` and `rows` from ``columns[j]`` to ``columns[j + 1]``.

    Returns
    -------
    changes, shift : int, float
        As in :func:`sweep_groups`, and the new multiple of the root.
    """
    room = np.empty((3, w.shape[0]))
    changes = 0
    for sweep in range(n):
        for g in range(lam.shape[0]):
            before = tau[g]
            if active and before == 0.0:
                continue
            low, high = groups[g, 0], groups[g, 1]
            for j in range(low, high):
                total = shift * means[j]
                for i in range(columns[j], columns[j + 1]):
                    total += data[i] * state[rows[i]]
                room[0, j - low] = total
            if _minimise(w, tau, g, low, high - low, blocks, groups[g, 2], lam[g], l2, room):
                for j in range(low, high):
                    step = room[0, j - low]
                    shift += means[j] * step
                    for i in range(columns[j], columns[j + 1]):
                        state[rows[i]] -= step * data[i]
            if sweep == n - 1 and (before == 0.0) != (tau[g] == 0.0):
                changes += 1
    return changes, shift


@njit
def _minimise(w, tau, g, low, size, blocks, block, lam, l2, room):
    """Minimise over one group, whose products with the residual are in room[0].

    The change of the coefficients is left in room[0]; the result says whether there is any.
    """
    vectors = block + size
    square = 0.0
    for k in range(size):
        c, old = 0.0, 0.0
        for j in range(size):
            c += blocks[vectors + j * size + k] * room[0, j]
            old += blocks[vectors + j * size + k] * w[low + j]
        room[2, k] = old
        room[1, k] = c + blocks[block + k] * old
        square += room[1, k] * room[1, k]
    if square <= lam * lam:
        if tau[g] == 0.0:
            return False
        tau[g] = 0.0
        for k in range(size):
            room[0, k] = -w[low + k]
            w[low + k] = 0.0
        return True
    t = tau[g]
    for _ in range(50):
        square, slope = 0.0, 0.0
        for k in range(size):
            curvature = blocks[block + k] + l2
            share = 1.0 / (1.0 + t * curvature)
            c = room[1, k] * share
            square += c * c
            slope += c * c * share * curvature
        error = math.sqrt(square) / lam - 1.0
        if abs(error) < 1e-14 or slope <= 0.0:
            break
        t = max(t + square * error / slope, 0.1 * t)
        if abs(error) < 1e-7:  # the next error is of the order of this one squared
            break
    tau[g] = t
    for k in range(size):
        room[1, k] = t * room[1, k] / (1.0 + t * (blocks[block + k] + l2)) - room[2, k]
    for j in range(size):
        step = 0.0
        for k in range(size):
            step += blocks[vectors + j * size + k] * room[1, k]
        room[0, j] = step
        w[low + j] += step
    return True
