r"""Losses of softened probabilities, value and gradient in one pass over the logits.

Tiles of rows (:mod:`._tiles`) are read, turned into exponentials, and written back as a gradient
that already holds the weight of each row. The teacher's part is computed beside the student's:
its exponentials cost less than reading two prepared matrices would.

Floor per row and class: two numbers read, one written, two exponentials.

All functions fill the rows `low` to `high` of `G` and return the summed loss. Matrices are (n, C),
or (C, n) if their flag says "by class". `factors` holds the weight of each row, or one for all.
"""

import math

import numpy as np

from ._jit import njit, njit_divide
from ._long_rows import (
    CROSS_ENTROPY,
    JS,
    KL,
    LONG_ROW,
    REVERSE_KL,
    long_divergence_rows,
    long_label_losses,
    long_label_rows,
)
from ._tiles import load, peaks, row_factors, shifted_exponentials, store, tile_rows
from ._vector_math import exp, expm1_negative, log1p_positive, log1p_unit, log_above_one

__all__ = [
    "CROSS_ENTROPY",
    "JS",
    "KL",
    "REVERSE_KL",
    "dkd_rows",
    "divergence_rows",
    "focused_rows",
    "label_losses",
    "label_rows",
    "nkd_rows",
]


@njit_divide
def divergence_rows(kind, Z, z_by_class, T, t_by_class, factors, temperature, beta, G, low, high):
    """KL, CROSS_ENTROPY, REVERSE_KL or JS of the softmaxes of ``Z / temperature``, ``T / ...``."""
    n_classes = Z.shape[0] if z_by_class else Z.shape[1]
    if kind <= REVERSE_KL and n_classes >= LONG_ROW and not (z_by_class or t_by_class):
        return long_divergence_rows(kind, Z, T, factors, temperature, G, low, high)
    rows = tile_rows(n_classes, Z.itemsize)
    P, Q = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    EP, EQ = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    room = np.empty((6, rows), Z.dtype)
    inverse = Z.dtype.type(1.0 / temperature)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, P)
        load(T, t_by_class, first, m, Q)
        peaks(P, m, room[0])
        shifted_exponentials(P, m, inverse, room[0], EP, room[1])
        peaks(Q, m, room[0])
        shifted_exponentials(Q, m, inverse, room[0], EQ, room[2])
        row_factors(factors, first, m, temperature, room[3])
        if kind <= CROSS_ENTROPY:
            sums = _kl(kind, P, Q, EP, EQ, room, m)
        elif kind == REVERSE_KL:
            sums = _reverse_kl(P, Q, EP, room, m)
        else:
            sums = _js(P, Q, EP, EQ, room, m, beta)
        value += sums
        store(P, z_by_class, first, m, G)
    return temperature * value


@njit_divide
def _kl(kind, P, Q, EP, EQ, room, m):
    """Gradient into `P`; value over the temperature."""
    slope_q, sum_p, sum_q, factor, gap, slope_p = (
        room[0],
        room[1],
        room[2],
        room[3],
        room[4],
        room[5],
    )
    for i in range(m):
        gap[i] = 0
        slope_p[i] = factor[i] / sum_p[i]
        slope_q[i] = factor[i] / sum_q[i]
    teacher = P.dtype.type(1 if kind == KL else 0)
    for k in range(P.shape[0]):
        for i in range(m):
            gap[i] += EQ[k, i] * (teacher * Q[k, i] - P[k, i])
        for i in range(m):
            P[k, i] = EP[k, i] * slope_p[i] - EQ[k, i] * slope_q[i]
    value = 0.0
    for i in range(m):
        gap[i] /= sum_q[i]
        gap[i] += log_above_one(sum_p[i]) - teacher * log_above_one(sum_q[i])
    for i in range(m):
        value += factor[i] * gap[i]
    return value


@njit_divide
def _reverse_kl(P, Q, EP, room, m):
    sum_p, sum_q, factor, mean, shift = room[1], room[2], room[3], room[4], room[5]
    for i in range(m):
        mean[i] = 0
        shift[i] = log_above_one(sum_q[i]) - log_above_one(sum_p[i])
    for k in range(P.shape[0]):
        for i in range(m):
            a = P[k, i] - Q[k, i] + shift[i]
            P[k, i] = a
            mean[i] += EP[k, i] * a
    value = 0.0
    for i in range(m):
        mean[i] /= sum_p[i]
        value += factor[i] * mean[i]
        factor[i] /= sum_p[i]
    for k in range(P.shape[0]):
        for i in range(m):
            P[k, i] = factor[i] * EP[k, i] * (P[k, i] - mean[i])
    return value


@njit_divide
def _js(P, Q, EP, EQ, room, m, beta):
    """With ``m`` the mixture: one more exponential and a logarithm for each entry."""
    sum_p, sum_q, factor, mean, shift = room[1], room[2], room[3], room[4], room[5]
    kind = P.dtype.type
    own, log_odds = kind(1.0 - beta), kind(math.log(beta) - math.log1p(-beta))
    log_own = kind(math.log1p(-beta))
    zero = kind(0)
    other = np.zeros(m, P.dtype)
    for i in range(m):
        mean[i] = 0
        shift[i] = log_above_one(sum_q[i]) - log_above_one(sum_p[i])
    for k in range(P.shape[0]):
        for i in range(m):
            Q[k, i] = P[k, i] - Q[k, i] + shift[i]  # log(p / q)
        for i in range(m):
            x = Q[k, i] - log_odds
            tail = log1p_unit(exp(-abs(x)))
            P[k, i] = min(x, zero) - tail - log_own  # log(p / m)
        for i in range(m):
            mean[i] += EP[k, i] * P[k, i]
        for i in range(m):
            other[i] += EQ[k, i] * (P[k, i] - Q[k, i])
    value = 0.0
    for i in range(m):
        mean[i] /= sum_p[i]
        value += factor[i] * (beta * (other[i] / sum_q[i]) + (1.0 - beta) * mean[i])
        factor[i] *= own / sum_p[i]
    for k in range(P.shape[0]):
        for i in range(m):
            P[k, i] = factor[i] * EP[k, i] * (P[k, i] - mean[i])
    return value


@njit_divide
def label_rows(Z, z_by_class, y, factors, epsilon, G, low, high):
    """Cross-entropy to labels smoothed by `epsilon`; 0 is plain cross-entropy.

    The right class's gradient is minus the sum of the others: 1 - p would lose small p.
    """
    n_classes = Z.shape[0] if z_by_class else Z.shape[1]
    if n_classes >= LONG_ROW and not z_by_class:
        return long_label_rows(Z, y, factors, epsilon, G, low, high)
    rows = tile_rows(n_classes, Z.itemsize)
    P, E = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    room = np.empty((5, rows), Z.dtype)
    peak, sums, factor, mean, logs = room[0], room[1], room[2], room[3], room[4]
    one = Z.dtype.type(1)
    share = Z.dtype.type(epsilon / n_classes)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, P)
        peaks(P, m, peak)
        shifted_exponentials(P, m, one, peak, E, sums)
        row_factors(factors, first, m, 1.0, factor)
        loss = 0.0
        for i in range(m):
            mean[i] = 0
        if epsilon > 0:
            for k in range(n_classes):
                for i in range(m):
                    mean[i] += P[k, i]
        for i in range(m):
            right = y[first + i]
            mine, own = E[right, i], P[right, i]
            E[right, i] = 0
            peak[i] = own  # the peak is used up: room for the right class's logit
            sums[i] = mine
            mean[i] = own - mean[i] / n_classes
        _add_others(E, m, P)
        _log_one_plus(P[0], sums, m, logs)
        for i in range(m):
            rest, mine = P[0, i], sums[i]
            smooth = epsilon * mean[i]
            loss += factor[i] * (smooth - peak[i] + logs[i])
            sums[i] = factor[i] / (rest + mine)
            mean[i] = factor[i] * epsilon * (1.0 - 1.0 / n_classes) - rest * sums[i]
        for k in range(n_classes):
            for i in range(m):
                E[k, i] = E[k, i] * sums[i] - factor[i] * share
        for i in range(m):
            E[y[first + i], i] = mean[i]
        value += loss
        store(E, z_by_class, first, m, G)
    return value


@njit_divide
def label_losses(Z, z_by_class, y, out, low, high):
    """Cross-entropy of each row into `out`."""
    n_classes = Z.shape[0] if z_by_class else Z.shape[1]
    if n_classes >= LONG_ROW and not z_by_class:
        long_label_losses(Z, y, out, low, high)
        return
    rows = tile_rows(n_classes, Z.itemsize)
    P = np.empty((n_classes, rows), Z.dtype)
    room = np.empty((2, rows), Z.dtype)
    peak, sums, zero = room[0], room[1], Z.dtype.type(0)
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, P)
        _take_own(P, y, first, m, sums, Z.dtype.type(-1e30))
        peaks(P, m, peak)
        for i in range(m):
            out[first + i] = sums[i] - peak[i]
            sums[i] = 0
        for k in range(n_classes):
            for i in range(m):
                sums[i] += exp(P[k, i] - peak[i])
        own = out[first : first + m]
        for i in range(m):
            odds = own[i] - log_above_one(sums[i])
            own[i] = log1p_unit(exp(-abs(odds))) + max(-odds, zero)


@njit
def _add_others(E, m, out):
    """Sums over classes into the first row of `out`."""
    for i in range(m):
        out[0, i] = 0
    for k in range(E.shape[0]):
        for i in range(m):
            out[0, i] += E[k, i]


@njit_divide
def _log_one_plus(rest, mine, m, out):
    """``log(rest + mine)`` where one of them is at least 1, exact where the other is tiny."""
    one = rest.dtype.type(1)
    for i in range(m):
        out[i] = log1p_positive(rest[i] + (mine[i] - one))


@njit
def _take_own(tile, y, first, m, own, stand_in):
    """Move the right class's logit to `own` and put something below all others in its place."""
    for i in range(m):
        right = y[first + i]
        own[i] = tile[right, i]
        tile[right, i] = stand_in


@njit
def _leave_out(tile, E, y, first, m, sums):
    """Take the right class out of what :func:`shifted_exponentials` made."""
    for i in range(m):
        right = y[first + i]
        sums[i] -= E[right, i]  # at most 1e-308 (1e-38) beside a sum of at least 1
        E[right, i] = 0
        tile[right, i] = 0


@njit_divide
def _decouple(tile, E, y, first, m, inverse, own, peak, sums, stand_in):
    """Others' exponentials into `E`; own log-odds against them into `own`."""
    _take_own(tile, y, first, m, own, stand_in)
    peaks(tile, m, peak)
    shifted_exponentials(tile, m, inverse, peak, E, sums)
    _leave_out(tile, E, y, first, m, sums)
    for i in range(m):
        own[i] = (own[i] - peak[i]) * inverse - log_above_one(sums[i])


@njit_divide
def _two_classes(d):
    """Probabilities and their logs of "right" and "other", from their log-odds."""
    tail = math.log1p(math.exp(-abs(d)))
    small = math.exp(-abs(d))
    large = 1.0 / (1.0 + small)
    small *= large
    if d > 0:
        return large, small, -tail, -tail - d
    return small, large, d - tail, -tail


@njit_divide
def focused_rows(Z, z_by_class, T, t_by_class, y, factors, temperature, alpha, G, low, high):
    """Cross-entropy to the teacher, rows weighted by how wrong student and teacher are.

    The weight, ``1 - exp(-student's loss / teacher's loss)``, counts as a constant.
    """
    n_classes = Z.shape[0] if z_by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    P, Q = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    EP, EQ = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    room = np.empty((6, rows), Z.dtype)
    of_student, of_teacher = np.empty(rows), np.empty(rows)
    inverse = Z.dtype.type(1.0 / temperature)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, P)
        load(T, t_by_class, first, m, Q)
        peaks(P, m, room[0])
        shifted_exponentials(P, m, inverse, room[0], EP, room[1])
        peaks(Q, m, room[0])
        shifted_exponentials(Q, m, inverse, room[0], EQ, room[2])
        _own_losses(P, EP, y, first, m, temperature, room[4], of_student)
        _own_losses(Q, EQ, y, first, m, temperature, room[4], of_teacher)
        row_factors(factors, first, m, temperature, room[3])
        for i in range(m):
            room[3][i] *= -alpha * expm1_negative(-of_student[i] / (of_teacher[i] + 1e-7))
        value += _kl(CROSS_ENTROPY, P, Q, EP, EQ, room, m)
        store(P, z_by_class, first, m, G)
    return temperature * value


@njit_divide
def _own_losses(X, E, y, first, m, temperature, rest, out):
    """Cross-entropy at temperature 1, from ``X = (z - peak) / T`` and ``E = exp(X)``."""
    for i in range(m):
        rest[i] = 0
        right = y[first + i]
        out[i] = E[right, i]
        E[right, i] = 0
    power = X.dtype.type(temperature)
    for k in range(X.shape[0]):
        if temperature == 2.0:
            for i in range(m):
                rest[i] += E[k, i] * E[k, i]
        else:
            for i in range(m):
                rest[i] += exp(X[k, i] * power)
    for i in range(m):
        right = y[first + i]
        E[right, i] = out[i]
        out[i] = temperature * X[right, i]
    for i in range(m):
        others, mine = np.float64(rest[i]), exp(out[i])
        if temperature != 2.0:
            others = max(others - mine, 0.0)
        out[i] = log1p_positive(others + (mine - 1.0)) - out[i]


@njit_divide
def dkd_rows(Z, z_by_class, T, t_by_class, y, factors, temperature, alpha, beta, G, low, high):
    """Decoupled distillation: right class against the rest, and the others among themselves."""
    n_classes = Z.shape[0] if z_by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    P, Q = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    EP, EQ = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    room = np.empty((7, rows), Z.dtype)
    sum_p, sum_q, d_p, d_q, factor, gap = room[1], room[2], room[3], room[4], room[5], room[6]
    inverse = Z.dtype.type(1.0 / temperature)
    stand_in = Z.dtype.type(-1e30)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, P)
        load(T, t_by_class, first, m, Q)
        _decouple(P, EP, y, first, m, inverse, d_p, room[0], sum_p, stand_in)
        _decouple(Q, EQ, y, first, m, inverse, d_q, room[0], sum_q, stand_in)
        row_factors(factors, first, m, temperature, factor)
        for i in range(m):
            gap[i] = 0
        for k in range(n_classes):
            for i in range(m):
                gap[i] += EQ[k, i] * (Q[k, i] - P[k, i])
        for i in range(m):
            p_own, p_rest, log_p_own, log_p_rest = _two_classes(np.float64(d_p[i]))
            q_own, q_rest, log_q_own, log_q_rest = _two_classes(np.float64(d_q[i]))
            own = q_own * (log_q_own - log_p_own) + q_rest * (log_q_rest - log_p_rest)
            others = gap[i] / sum_q[i] + (math.log(sum_p[i]) - math.log(sum_q[i]))
            value += factor[i] * (alpha * own + beta * others)
            # Where both are close to 1 their distances from 1 are what can be subtracted.
            excess = alpha * (q_rest - p_rest if q_own > 0.5 else p_own - q_own)
            d_p[i] = factor[i] * excess
            d_q[i] = factor[i] * beta / sum_q[i]
            gap[i] = factor[i] * (beta - excess) / sum_p[i]
        for k in range(n_classes):
            for i in range(m):
                P[k, i] = EP[k, i] * gap[i] - EQ[k, i] * d_q[i]
        for i in range(m):
            P[y[first + i], i] = d_p[i]
        store(P, z_by_class, first, m, G)
    return temperature * value


@njit_divide
def nkd_rows(Z, z_by_class, T, t_by_class, y, factors, temperature, gamma, G, low, high):
    """Normalised distillation: cross-entropy of the right class, and that of the others."""
    n_classes = Z.shape[0] if z_by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    P, Q = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    E1, EP = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    EQ = np.empty((n_classes, rows), Z.dtype)
    room = np.empty((8, rows), Z.dtype)
    sum_1, sum_p, sum_q = room[1], room[2], room[3]
    d_p, d_q, factor, gap, nothing = room[4], room[5], room[6], room[7], np.zeros(rows, Z.dtype)
    one, inverse = Z.dtype.type(1), Z.dtype.type(1.0 / temperature)
    stand_in = Z.dtype.type(-1e30)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, P)
        load(T, t_by_class, first, m, Q)
        _decouple(P, E1, y, first, m, one, d_p, room[0], sum_1, stand_in)
        _decouple(Q, EQ, y, first, m, one, d_q, room[0], sum_q, stand_in)
        if temperature != 1.0:  # once more, from logits whose peak is 0 now
            _fill(P, y, first, m, stand_in)
            shifted_exponentials(P, m, inverse, nothing, EP, sum_p)
            _leave_out(P, EP, y, first, m, sum_p)
            _fill(Q, y, first, m, stand_in)
            shifted_exponentials(Q, m, inverse, nothing, EQ, sum_q)
            _leave_out(Q, EQ, y, first, m, sum_q)
        row_factors(factors, first, m, 1.0, factor)
        for i in range(m):
            gap[i] = 0
        EP_, sum_ = (E1, sum_1) if temperature == 1.0 else (EP, sum_p)
        for k in range(n_classes):
            for i in range(m):
                gap[i] += EQ[k, i] * P[k, i]
        for i in range(m):
            _, p_rest, log_own, _ = _two_classes(np.float64(d_p[i]))
            q_own = _two_classes(np.float64(d_q[i]))[0]
            others = gap[i] / sum_q[i] - math.log(sum_[i])
            value += factor[i] * (-q_own * log_own - gamma * temperature**2 * others)
            d_p[i] = -factor[i] * q_own * p_rest
            d_q[i] = factor[i] * gamma * temperature
            gap[i] = factor[i] * q_own * p_rest / sum_1[i]
            sum_q[i] = d_q[i] / sum_q[i]
            factor[i] = d_q[i] / sum_[i]
        for k in range(n_classes):
            for i in range(m):
                P[k, i] = E1[k, i] * gap[i] + EP_[k, i] * factor[i] - EQ[k, i] * sum_q[i]
        for i in range(m):
            P[y[first + i], i] = d_p[i]
        store(P, z_by_class, first, m, G)
    return value


@njit
def _fill(tile, y, first, m, value):
    for i in range(m):
        tile[y[first + i], i] = value
