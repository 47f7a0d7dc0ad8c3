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

__all__ = ["sparse_grams", "sweep_groups", "sweep_sparse_groups"]


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
    """
    room = np.empty((3, w.shape[0]))
    for _ in range(n):
        for g in range(lam.shape[0]):
            if active and tau[g] == 0.0:
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


@njit
def sweep_sparse_groups(
    data, rows, columns, means, state, w, tau, groups, blocks, lam, l2, active, n
):
    """As :func:`sweep_groups` on sparse columns, centred without being filled in.

    Column j of the design is ``sparse_j - means[j] * root``, where root, of norm one, is the
    direction that centring removes; the entries of ``sparse_j`` are those of `data` and `rows`
    from ``columns[j]`` to ``columns[j + 1]``. The residual is ``state[:-1] + state[-1] * root``.
    """
    room = np.empty((3, w.shape[0]))
    last = state.shape[0] - 1
    for _ in range(n):
        for g in range(lam.shape[0]):
            if active and tau[g] == 0.0:
                continue
            low, high = groups[g, 0], groups[g, 1]
            for j in range(low, high):
                room[0, j - low] = _sparse_dot(data, rows, columns[j], columns[j + 1], state)
                room[0, j - low] += state[last] * means[j]
            if _minimise(w, tau, g, low, high - low, blocks, groups[g, 2], lam[g], l2, room):
                for j in range(low, high):
                    step = room[0, j - low]
                    state[last] += means[j] * step
                    for i in range(columns[j], columns[j + 1]):
                        state[rows[i]] -= step * data[i]


@njit
def sparse_grams(data, rows, columns, means, lows, size, n, out):
    """``out[g] = M_g' M_g`` of centred sparse columns, for the groups that begin at `lows`."""
    filled = np.zeros(n)
    for g in range(lows.shape[0]):
        for j in range(size):
            first = lows[g] + j
            for i in range(columns[first], columns[first + 1]):
                filled[rows[i]] = data[i]
            for k in range(j + 1):
                second = lows[g] + k
                out[g, j, k] = _sparse_dot(data, rows, columns[second], columns[second + 1], filled)
                out[g, j, k] -= means[first] * means[second]
                out[g, k, j] = out[g, j, k]
            for i in range(columns[first], columns[first + 1]):
                filled[rows[i]] = 0.0


@njit
def _sparse_dot(data, rows, begin, end, vector):
    """A sparse column times a vector, in four sums that do not wait for one another."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    i = begin
    while i + 4 <= end:
        a += data[i] * vector[rows[i]]
        b += data[i + 1] * vector[rows[i + 1]]
        c += data[i + 2] * vector[rows[i + 2]]
        d += data[i + 3] * vector[rows[i + 3]]
        i += 4
    while i < end:
        a += data[i] * vector[rows[i]]
        i += 1
    return (a + b) + (c + d)


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
