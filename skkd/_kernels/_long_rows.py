r"""Losses of softened probabilities for rows of many classes, stored one after the other.

From some fifty classes on a row fills the vector lanes by itself. Nothing is laid out anew then,
and a row stays in the first-level cache while it is read, turned into exponentials and written
back.
:mod:`.softmax_losses` calls these where they apply; arguments are as there.
"""

import math

import numpy as np

from ._jit import njit, njit_divide
from ._vector_math import exp

__all__ = [
    "CROSS_ENTROPY",
    "JS",
    "KL",
    "LONG_ROW",
    "REVERSE_KL",
    "long_divergence_rows",
    "long_label_losses",
    "long_label_rows",
]

KL, CROSS_ENTROPY, REVERSE_KL, JS = 0, 1, 2, 3
LONG_ROW = 48  # classes


@njit_divide
def long_divergence_rows(kind, Z, T, factors, temperature, G, low, high):
    """KL, CROSS_ENTROPY or REVERSE_KL of the softmaxes of ``Z / temperature``, ``T / ...``."""
    n_classes = Z.shape[1]
    lanes = np.empty(16, Z.dtype)
    room = np.empty((4, n_classes), Z.dtype)
    p, e_p, q, e_q = room[0], room[1], room[2], room[3]
    inverse = Z.dtype.type(1.0 / temperature)
    value = 0.0
    for i in range(low, high):
        factor = temperature * (factors[0] if factors.shape[0] == 1 else factors[i])
        sum_p = _row_softened(Z[i], _row_peak(Z[i], lanes), inverse, p, e_p)
        sum_q = _row_softened(T[i], _row_peak(T[i], lanes), inverse, q, e_q)
        log_p, log_q = math.log(sum_p), math.log(sum_q)
        if kind == REVERSE_KL:
            _row_gaps(p, q, Z.dtype.type(log_q - log_p))
            mean = _row_product(e_p, p) / sum_p
            value += factor * mean
            _row_covariance(e_p, p, Z.dtype.type(mean), Z.dtype.type(factor / sum_p), G[i])
        else:
            if kind == KL:
                _row_gaps(q, p, Z.dtype.type(0))
                value += factor * (_row_product(e_q, q) / sum_q + (log_p - log_q))
            else:
                value += factor * (log_p - _row_product(e_q, p) / sum_q)
            to_p, to_q = Z.dtype.type(factor / sum_p), Z.dtype.type(factor / sum_q)
            _row_difference(e_p, to_p, e_q, to_q, G[i])
    return temperature * value


@njit_divide
def _row_softened(z, peak, inverse, x, e):
    """Fill ``x = (z - peak) / T`` and ``e = exp(x)``; return the sum of the latter."""
    for k in range(z.shape[0]):
        x[k] = (z[k] - peak) * inverse
    total = z.dtype.type(0)
    for k in range(z.shape[0]):
        e[k] = exp(x[k])
        total += e[k]
    return np.float64(total)


@njit
def _row_gaps(a, b, shift):
    for k in range(a.shape[0]):
        a[k] = a[k] - b[k] + shift


@njit
def _row_product(a, b):
    total = a.dtype.type(0)
    for k in range(a.shape[0]):
        total += a[k] * b[k]
    return np.float64(total)


@njit
def _row_covariance(e, a, mean, scale, g):
    for k in range(e.shape[0]):
        g[k] = scale * e[k] * (a[k] - mean)


@njit
def _row_difference(a, to_a, b, to_b, g):
    for k in range(a.shape[0]):
        g[k] = to_a * a[k] - to_b * b[k]


@njit_divide
def long_label_rows(Z, y, factors, epsilon, G, low, high):
    """Cross-entropy to labels smoothed by `epsilon`."""
    n_classes = Z.shape[1]
    lanes = np.empty(16, Z.dtype)
    value = 0.0
    for i in range(low, high):
        z, g, right = Z[i], G[i], y[i]
        factor = factors[0] if factors.shape[0] == 1 else factors[i]
        peak = _row_peak(z, lanes)
        own = z[right]
        mean = _row_exponentials(z, peak, g)
        mine = g[right]
        g[right] = 0
        rest = _row_sum(g)
        smooth = epsilon * (np.float64(own - peak) - mean / n_classes) if epsilon > 0 else 0.0
        gap = np.float64(peak - own)
        value += factor * (smooth + gap + math.log1p(rest + (np.float64(mine) - 1.0)))
        scale = factor / (rest + mine)
        _row_scale(g, Z.dtype.type(scale), Z.dtype.type(factor * epsilon / n_classes))
        g[right] = factor * epsilon * (1.0 - 1.0 / n_classes) - rest * scale
    return value


@njit
def _row_peak(z, lanes):
    """Largest entry; lanes of their own, because a maximum may not be reordered."""
    lanes[:] = z[0]
    whole = z.shape[0] - z.shape[0] % 16
    for k in range(0, whole, 16):
        part = z[k : k + 16]
        for j in range(16):
            lanes[j] = max(lanes[j], part[j])
    peak = lanes[0]
    for j in range(1, 16):
        peak = max(peak, lanes[j])
    for k in range(whole, z.shape[0]):
        peak = max(peak, z[k])
    return peak


@njit_divide
def _row_exponentials(z, peak, g):
    """Fill ``g = exp(z - peak)`` and return the sum of the exponents."""
    exponents = z.dtype.type(0)
    for k in range(z.shape[0]):
        x = z[k] - peak
        g[k] = exp(x)
        exponents += x
    return exponents


@njit
def _row_sum(g):
    total = g.dtype.type(0)
    for k in range(g.shape[0]):
        total += g[k]
    return np.float64(total)


@njit
def _row_scale(g, scale, share):
    for k in range(g.shape[0]):
        g[k] = g[k] * scale - share


@njit_divide
def long_label_losses(Z, y, out, low, high):
    """Cross-entropy of each row into `out`."""
    lanes = np.empty(16, Z.dtype)
    for i in range(low, high):
        z = Z[i]
        peak = _row_peak(z, lanes)
        right = y[i]
        rest = _sum_of_exponentials(z[:right], peak)
        rest += _sum_of_exponentials(z[right + 1 :], peak)
        mine = math.exp(np.float64(z[right] - peak))
        out[i] = np.float64(peak - z[right]) + math.log1p(np.float64(rest) + (mine - 1.0))


@njit
def _sum_of_exponentials(z, peak):
    total = z.dtype.type(0)
    for k in range(z.shape[0]):
        total += exp(z[k] - peak)
    return total
