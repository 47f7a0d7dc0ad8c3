"""Losses that compare logits one by one, and logits standardised row by row.

Where all rows weigh alike, a loss of single entries takes the matrix as one long row of classes
of one: then nothing is moved.
"""

import numpy as np

from ._jit import njit_divide
from ._tiles import load, row_factors, store, tile_rows
from ._vector_math import exp, expm1_negative, log1p_unit, log_cosh_of

__all__ = [
    "BINARY_KL",
    "BINARY_KL_NORM",
    "SQUARED",
    "entry_rows",
    "squared_entries",
    "standardize_rows",
    "unstandardize_rows",
]

SQUARED, BINARY_KL, BINARY_KL_NORM = 0, 1, 2


@njit_divide
def entry_rows(kind, Z, z_by_class, T, t_by_class, factors, temperature, center, G, low, high):
    """SQUARED (no factors but the weights), BINARY_KL or BINARY_KL_NORM; see softmax_losses."""
    n_classes = Z.shape[0] if z_by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    P, Q = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    room = np.empty((3, rows), Z.dtype)
    factor, sums, mean = room[0], room[1], room[2]
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, P)
        load(T, t_by_class, first, m, Q)
        row_factors(factors, first, m, temperature, factor)
        for i in range(m):
            sums[i] = 0
        if kind == SQUARED:
            _differences(P, Q, m, center, mean)
            _squared(P, factor, sums, m)
        elif kind == BINARY_KL:
            _binary_kl(P, Q, factor, sums, m, temperature)
        else:
            _binary_kl_norm(P, Q, factor, sums, m, temperature)
        for i in range(m):
            value += np.float64(factor[i]) * sums[i]
        store(P, z_by_class, first, m, G)
    return temperature * value


@njit_divide
def squared_entries(Z, by_class, T, t_by_class, factors, G, low, high):
    """SQUARED for matrices taken as one long row, (1, N): reads two numbers, writes one."""
    z, t, g = Z[0, low:high], T[0, low:high], G[0, low:high]
    twice = Z.dtype.type(2.0 * factors[0])
    value = 0.0
    for first in range(0, high - low, 1024):
        part = Z.dtype.type(0)
        a, b, out = z[first : first + 1024], t[first : first + 1024], g[first : first + 1024]
        for i in range(a.shape[0]):
            gap = a[i] - b[i]
            part += gap * gap
            out[i] = twice * gap
        value += part
    return factors[0] * value


@njit_divide
def _differences(P, Q, m, center, mean):
    for i in range(m):
        mean[i] = 0
    for k in range(P.shape[0]):
        for i in range(m):
            P[k, i] -= Q[k, i]
            mean[i] += P[k, i]
    if not center:
        return
    for i in range(m):
        mean[i] /= P.shape[0]
    for k in range(P.shape[0]):
        for i in range(m):
            P[k, i] -= mean[i]


@njit_divide
def _squared(P, factor, sums, m):
    for k in range(P.shape[0]):
        for i in range(m):
            gap = P[k, i]
            sums[i] += gap * gap
            P[k, i] = (factor[i] + factor[i]) * gap


@njit_divide
def _binary_kl(P, Q, factor, sums, m, temperature):
    kind = P.dtype.type
    inverse, zero, one, half = kind(1.0 / temperature), kind(0), kind(1), kind(0.5)
    for k in range(P.shape[0]):
        for i in range(m):
            s, t = P[k, i] * inverse, Q[k, i] * inverse
            e_s, e_t = exp(-abs(s)), exp(-abs(t))
            logs = log1p_unit(e_s) - log1p_unit(e_t)
            large_s, large_t = one / (one + e_s), one / (one + e_t)
            small_s, small_t = e_s * large_s, e_t * large_t
            p, p_rest = (large_s, small_s) if s > zero else (small_s, large_s)
            q, q_rest = (large_t, small_t) if t > zero else (small_t, large_t)
            down = max(-s, zero) - max(-t, zero)
            up = max(s, zero) - max(t, zero)
            sums[i] += logs + q * down + q_rest * up
            # Where both are close to 1 their distances from 1 are what can be subtracted.
            P[k, i] = factor[i] * (q_rest - p_rest if q > half else p - q)


@njit_divide
def _binary_kl_norm(P, Q, factor, sums, m, temperature):
    kind = P.dtype.type
    inverse, zero, two = kind(0.5 / temperature), kind(0), kind(2)
    half = kind(0.5)
    for k in range(P.shape[0]):
        for i in range(m):
            x = (P[k, i] - Q[k, i]) * inverse
            size = abs(x)
            sums[i] += log_cosh_of(size)
            h = expm1_negative(-two * size)
            slope = half * factor[i] * (h / (two + h))
            P[k, i] = slope if x < zero else -slope


@njit_divide
def standardize_rows(Z, z_by_class, eps, S, spread, low, high):
    """Standardised rows into `S` (C, n), their standard deviations into `spread`."""
    n_classes = Z.shape[0] if z_by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    P = np.empty((n_classes, rows), Z.dtype)
    mean, square = np.empty(rows, Z.dtype), np.empty(rows, Z.dtype)
    one = Z.dtype.type(1)
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, z_by_class, first, m, P)
        for i in range(m):
            mean[i] = 0
            square[i] = 0
        for k in range(n_classes):
            for i in range(m):
                mean[i] += P[k, i]
        for i in range(m):
            mean[i] /= n_classes
        for k in range(n_classes):
            for i in range(m):
                gap = P[k, i] - mean[i]
                P[k, i] = gap
                square[i] += gap * gap
        for i in range(m):
            spread[first + i] = np.sqrt(square[i] / (n_classes - 1))
            mean[i] = one / (spread[first + i] + Z.dtype.type(eps))
        for k in range(n_classes):
            scores = S[k, first : first + m]  # a slice, see load
            for i in range(m):
                scores[i] = P[k, i] * mean[i]


@njit_divide
def unstandardize_rows(D, S, spread, eps, G, g_by_class, low, high):
    """Gradient in the logits from that in the scores, both (C, n); zero for equal logits."""
    n_classes = D.shape[0]
    rows = tile_rows(n_classes, D.itemsize)
    P = np.empty((n_classes, rows), D.dtype)
    mean, along, inverse = np.empty(rows, D.dtype), np.empty(rows, D.dtype), np.empty(rows, D.dtype)
    eps = D.dtype.type(eps)
    one, zero = D.dtype.type(1), D.dtype.type(0)
    for first in range(low, high, rows):
        m = min(rows, high - first)
        for i in range(m):
            mean[i] = 0
            along[i] = 0
        for k in range(n_classes):
            slopes, scores = D[k, first : first + m], S[k, first : first + m]
            for i in range(m):
                mean[i] += slopes[i]
                along[i] += slopes[i] * scores[i]
        for i in range(m):
            sd = spread[first + i]
            flat = sd == zero
            mean[i] /= n_classes
            along[i] *= (sd + eps) / ((n_classes - 1) * (one if flat else sd))
            inverse[i] = zero if flat else one / (sd + eps)
        for k in range(n_classes):
            slopes, scores = D[k, first : first + m], S[k, first : first + m]
            for i in range(m):
                slope = slopes[i] - mean[i] - scores[i] * along[i]
                P[k, i] = slope * inverse[i]
        store(P, g_by_class, first, m, G)
