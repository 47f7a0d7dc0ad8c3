r"""Cross-entropy of the labels and of a teacher's softened probabilities in one pass.

.. math:: c_1\, \mathrm{CE}(y, z) + c_2\, T^2\, \mathrm{KL}(q \| p), \qquad
          p = \mathrm{softmax}(z / T), \quad q = \mathrm{softmax}(t / T)

is what most students minimise. Both parts read the same logits; at T = 2 the exponentials of one
are the squares of those of the other. Floor per row and class: two numbers read, one written, two
exponentials. Arguments are as in :mod:`.softmax_losses`.
"""

import numpy as np

from ._jit import njit_divide
from ._tiles import load, peaks, row_factors, shifted_exponentials, store, tile_rows
from ._vector_math import exp, log1p_positive, log_above_one

__all__ = ["labels_and_teacher_rows"]


@njit_divide
def labels_and_teacher_rows(
    Z, z_by_class, T, t_by_class, y, factors, ce, kd, temperature, entropy, G, low, high
):
    """Fill rows `low` to `high` of `G` and return the summed loss.

    `ce` and `kd` are the factors of the parts, of which one may be 0; `T` or `y` is not looked at
    then. `entropy` is 1, or 0 to leave the teacher's out.
    """
    n_classes = Z.shape[0] if z_by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    P, Q = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    EP, EQ = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    E1 = np.empty((n_classes, rows), Z.dtype)
    room = np.empty((7, rows), Z.dtype)
    peak, sum_p, sum_q, factor = room[0], room[1], room[2], room[3]
    own, sum_1, gap = room[4], room[5], room[6]
    inverse = Z.dtype.type(1.0 / temperature)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, P)
        peaks(P, m, peak)
        shifted_exponentials(P, m, inverse, peak, EP, sum_p)
        row_factors(factors, first, m, 1.0, factor)
        if kd != 0.0:
            load(T, t_by_class, first, m, Q)
            peaks(Q, m, peak)
            shifted_exponentials(Q, m, inverse, peak, EQ, sum_q)
            _teacher_gap(P, Q, EQ, m, entropy, gap)
            value += kd * temperature**2 * _teacher(sum_p, sum_q, m, entropy, factor, gap)
        if ce != 0.0:
            _at_temperature_one(P, EP, m, temperature, E1)
            value += ce * _labels(P, E1, y, first, m, temperature, factor, own, sum_1)
        _combine(EP, EQ, E1, m, ce, kd * temperature, sum_p, sum_q, sum_1, factor, P)
        if ce != 0.0:
            for i in range(m):
                P[y[first + i], i] -= ce * factor[i] * own[i] / sum_1[i]
        store(P, z_by_class, first, m, G)
    return value


@njit_divide
def _at_temperature_one(X, E, m, temperature, out):
    """``exp(T x)`` from x and ``exp(x)``."""
    power = X.dtype.type(temperature)
    for k in range(X.shape[0]):
        if temperature == 2.0:
            for i in range(m):
                out[k, i] = E[k, i] * E[k, i]
        elif temperature == 1.0:
            for i in range(m):
                out[k, i] = E[k, i]
        else:
            for i in range(m):
                out[k, i] = exp(X[k, i] * power)


@njit_divide
def _labels(X, E1, y, first, m, temperature, factor, rest, logs):
    """Weighted cross-entropy of the labels; takes the right class out of `E1`.

    `rest` receives the sum over the other classes, `logs` the sum over all.
    """
    for i in range(m):
        rest[i] = 0
        right = y[first + i]
        logs[i] = E1[right, i]
        E1[right, i] = 0
    for k in range(E1.shape[0]):
        for i in range(m):
            rest[i] += E1[k, i]
    value = 0.0
    for i in range(m):
        value -= factor[i] * temperature * np.float64(X[y[first + i], i])
    one = E1.dtype.type(1)
    for i in range(m):
        value += factor[i] * log1p_positive(rest[i] + (logs[i] - one))
        logs[i] += rest[i]
    return value


@njit_divide
def _teacher_gap(X, Q, EQ, m, entropy, gap):
    kept = X.dtype.type(entropy)
    for i in range(m):
        gap[i] = 0
    for k in range(X.shape[0]):
        for i in range(m):
            gap[i] += EQ[k, i] * (kept * Q[k, i] - X[k, i])


@njit_divide
def _teacher(sum_p, sum_q, m, entropy, factor, gap):
    kept = sum_p.dtype.type(entropy)
    for i in range(m):
        gap[i] /= sum_q[i]
        gap[i] += log_above_one(sum_p[i]) - kept * log_above_one(sum_q[i])
    value = 0.0
    for i in range(m):
        value += factor[i] * gap[i]
    return value


@njit_divide
def _combine(EP, EQ, E1, m, ce, kd, sum_p, sum_q, sum_1, factor, out):
    """The gradient, but for that of the labels' own classes."""
    kind = out.dtype.type
    to_p, to_q, to_1 = np.zeros(m, out.dtype), np.zeros(m, out.dtype), np.zeros(m, out.dtype)
    if kd != 0.0:
        for i in range(m):
            to_p[i] = kind(kd) * factor[i] / sum_p[i]
            to_q[i] = kind(kd) * factor[i] / sum_q[i]
    if ce != 0.0:
        for i in range(m):
            to_1[i] = kind(ce) * factor[i] / sum_1[i]
    for k in range(out.shape[0]):
        if ce != 0.0 and kd != 0.0:
            for i in range(m):
                out[k, i] = EP[k, i] * to_p[i] - EQ[k, i] * to_q[i] + E1[k, i] * to_1[i]
        elif kd != 0.0:
            for i in range(m):
                out[k, i] = EP[k, i] * to_p[i] - EQ[k, i] * to_q[i]
        else:
            for i in range(m):
                out[k, i] = E1[k, i] * to_1[i]
