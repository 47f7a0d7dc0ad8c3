r"""Weighted Plackett-Luce likelihoods: two scans over the classes of each row, in ranked order.

With :math:`L_k` the log-sum-exp of the ranked logits from k on, the gradient is
:math:`g_i = e^{s_i - L_i} A_i - \alpha_i` where
:math:`A_i = A_{i-1} e^{L_i - L_{i-1}} + \alpha_i \le \sum_k \alpha_k`. All factors are at most 1,
so that nothing overflows; the first scan, from the last class on, leaves them behind.
"""

import numpy as np

from ._jit import njit, njit_divide
from ._tiles import peaks, row_factors, shifted_exponentials, tile_rows
from ._vector_math import exp, log_above_one

__all__ = ["best_rows", "finish_ranking", "ranking_rows", "zipf_rows"]


@njit
def finish_ranking(T, y, order):
    """Turn an argsort of each row of `T` into a ranking: label first, then falling, ties in order.

    Parameters
    ----------
    T : array of shape (n, C)
        Teacher logits.
    y : array of shape (n,)
        Labels.
    order : array of shape (n, C)
        Rising order of each row, in any order within ties; overwritten.
    """
    n_classes = T.shape[1]
    for i in range(T.shape[0]):
        row, t = order[i], T[i]
        for k in range(n_classes // 2):
            row[k], row[n_classes - 1 - k] = row[n_classes - 1 - k], row[k]
        first = 0
        for k in range(1, n_classes + 1):
            if k == n_classes or t[row[k]] != t[row[first]]:
                if k - first > 1:
                    row[first:k].sort()
                first = k
        place = 0
        while row[place] != y[i]:
            place += 1
        for k in range(place, 0, -1):
            row[k] = row[k - 1]
        row[0] = y[i]


@njit
def best_rows(Z, T, falling, order, low, high):
    """The classes of the largest logits in `Z`, in the order of those in `T`.

    Parameters
    ----------
    Z, T : arrays of shape (n, C)
        Logits that choose, and logits that order.
    falling : bool
        Whether the class that `T` puts first comes first.
    order : array of shape (n, k)
        Receives the classes; ties as in `Z`, and there by class.
    """
    k = order.shape[1]
    values = np.empty(k, Z.dtype)
    sign = T.dtype.type(1 if falling else -1)
    for i in range(low, high):
        z, t, best = Z[i], T[i], order[i]
        for c in range(z.shape[0]):
            place = min(c, k)
            if place == k and not z[c] > values[k - 1]:
                continue
            place = min(place, k - 1)
            while place > 0 and values[place - 1] < z[c]:
                values[place], best[place] = values[place - 1], best[place - 1]
                place -= 1
            values[place], best[place] = z[c], c
        for j in range(1, k):
            c, place = best[j], j
            while place > 0 and sign * t[best[place - 1]] < sign * t[c]:
                best[place] = best[place - 1]
                place -= 1
            best[place] = c


@njit
def zipf_rows(score, order, y, mass, out, low, high):
    """Shares ``1 / rank`` of each class but the label's, scaled to sum to `mass`.

    Parameters
    ----------
    score : array of shape (n, C)
        What ranks the classes; ties by class.
    order : array of shape (n, C)
        The label first, then the other classes by falling score, as of :func:`finish_ranking`.
    y : array of shape (n,)
        Labels.
    out : array of shape (n, C)
        Receives the shares.
    """
    n_classes = score.shape[1]
    harmonic = 0.0
    for rank in range(1, n_classes + 1):
        harmonic += 1.0 / rank
    for i in range(low, high):
        own, row = score[i, y[i]], score[i]
        ahead = 0  # classes before the label
        for c in range(n_classes):
            ahead += row[c] > own or (row[c] == own and c < y[i])
        scale = mass / (harmonic - 1.0 / (ahead + 1))
        out[i, y[i]] = 0
        for j in range(1, n_classes):
            rank = j if j <= ahead else j + 1
            out[i, order[i, j]] = scale / rank


@njit_divide
def ranking_rows(Z, T, order, first_of_order, uniform, factors, temperature, G, low, high):
    """Fill rows `low` to `high` of `G` and return the summed loss.

    Parameters
    ----------
    Z, T, G : arrays of shape (n, C)
        Logits of student and teacher, and the gradient.
    order : array of shape (_, C)
        Rankings of the rows from `first_of_order` on.
    uniform : bool
        Whether all classes weigh 1 / C; else the softmax of ``T / temperature`` weighs them.
    factors : array of shape (n,) or (1,)
        Weights of the rows.
    """
    n_classes = Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    S, W = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    share, ratio = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    room = np.empty((3, rows), Z.dtype)
    factor, sums, peak = room[0], room[1], room[2]
    inverse, one = Z.dtype.type(1.0 / temperature), Z.dtype.type(1)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        ranks = order[first - first_of_order : first - first_of_order + m]
        row_factors(factors, first, m, 1.0, factor)
        _gather(Z, first, ranks, S)
        if uniform:
            W[:, :m] = one / n_classes
        else:
            _gather(T, first, ranks, share)
            peaks(share, m, peak)
            shifted_exponentials(share, m, inverse, peak, W, sums)
            for i in range(m):
                sums[i] = one / sums[i]
            for k in range(n_classes):
                for i in range(m):
                    W[k, i] *= sums[i]
        _scan_up(S, W, m, share, ratio, room[1:])
        for i in range(m):
            value += np.float64(factor[i]) * sums[i]
            peak[i] = 0
        for k in range(n_classes):
            for i in range(m):
                pull = peak[i] + W[k, i]
                S[k, i] = factor[i] * (pull * share[k, i] - W[k, i])
                peak[i] = pull * ratio[k, i]
        _scatter(S, first, ranks, G)
    return value


@njit
def _gather(A, first, ranks, out):
    for i in range(ranks.shape[0]):
        row, rank = A[first + i], ranks[i]
        for k in range(ranks.shape[1]):
            out[k, i] = row[rank[k]]


@njit
def _scatter(tile, first, ranks, A):
    for i in range(ranks.shape[0]):
        row, rank = A[first + i], ranks[i]
        for k in range(ranks.shape[1]):
            row[rank[k]] = tile[k, i]


@njit_divide
def _scan_up(S, W, m, share, ratio, room):
    """From the last class on: ``share = exp(s_k - L_k)``, ``ratio = exp(L_{k+1} - L_k)``.

    The loss of each row is left in ``room[0]``.
    """
    last = S.shape[0] - 1
    value, peak = room[0], room[1]
    zero, one = S.dtype.type(0), S.dtype.type(1)
    total = np.empty(m, S.dtype)
    for i in range(m):
        peak[i] = S[last, i]
        total[i] = one
        value[i] = zero
        share[last, i], ratio[last, i] = one, zero
    for k in range(last - 1, -1, -1):
        for i in range(m):
            x = S[k, i] - peak[i]
            e = exp(-abs(x))
            above = x > zero
            old = total[i] * (e if above else one)
            own = one if above else e
            new = old + own
            inverse = one / new
            ratio[k, i] = old * inverse
            share[k, i] = own * inverse
            total[i] = new
            peak[i] = max(peak[i], S[k, i])
            value[i] += W[k, i] * (log_above_one(new) + max(-x, zero))
