r"""Losses of whole batches and of quantities held fixed: passes over tiles of logits.

Batch losses make their softened probabilities first, laid out class by class, then reduce them over
rows or classes, then turn slopes in the probabilities into slopes in the logits,
:math:`s_i\, p \circ (a - \langle p, a \rangle)`. Each function does its share of rows, `low` to
`high`, or of classes where it says so. Sums over rows are kept in float64.

Matrices of logits and gradients are (n, C), or (C, n) if their flag says "by class"; `PT`, `QT` are
always (C, n). `factors` holds the weight of each row, or one for all.
"""

import math

import numpy as np

from ._jit import njit_divide, njit_in_order
from ._tiles import load, peaks, row_factors, shifted_exponentials, store, tile_rows
from ._vector_math import log_above_one
from .softmax_losses import _decouple, _two_classes

__all__ = [
    "centred_products",
    "class_sums",
    "correlation_gradient",
    "entropy_rows",
    "information_rows",
    "pull_back_rows",
    "row_correlations",
    "row_entropies",
    "self_rows",
    "softmax_rows",
]


@njit_divide
def softmax_rows(Z, by_class, inverse_temperature, PT, peak_of, log_sum_of, low, high):
    """Probabilities into `PT`, and the peak of the scaled logits and the log of their sum."""
    n_classes = Z.shape[0] if by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    X, E = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    peak, sums = np.empty(rows, Z.dtype), np.empty(rows, Z.dtype)
    inverse, one = Z.dtype.type(inverse_temperature), Z.dtype.type(1)
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, by_class, first, m, X)
        peaks(X, m, peak)
        shifted_exponentials(X, m, inverse, peak, E, sums)
        for i in range(m):
            peak_of[first + i] = peak[i]
            log_sum_of[first + i] = log_above_one(sums[i])
            sums[i] = one / sums[i]
        for k in range(n_classes):
            out = PT[k, first : first + m]
            for i in range(m):
                out[i] = E[k, i] * sums[i]


@njit_divide
def pull_back_rows(PT, A, a_by_class, factors, scale, G, g_by_class, low, high):
    """``G_i = scale factor_i p_i (a_i - <p_i, a_i>)``."""
    n_classes = PT.shape[0]
    rows = tile_rows(n_classes, PT.itemsize)
    tile = np.empty((n_classes, rows), PT.dtype)
    mean, factor = np.empty(rows, PT.dtype), np.empty(rows, PT.dtype)
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(A, a_by_class, first, m, tile)
        row_factors(factors, first, m, scale, factor)
        _pull_back(PT, first, m, tile, mean, factor)
        store(tile, g_by_class, first, m, G)


@njit_divide
def _pull_back(PT, first, m, tile, mean, factor):
    """In a tile that holds slopes in the probabilities, those in the logits."""
    n_classes = PT.shape[0]
    for i in range(m):
        mean[i] = 0
    for k in range(n_classes):
        p, a = PT[k, first : first + m], tile[k]
        for i in range(m):
            mean[i] += p[i] * a[i]
    for k in range(n_classes):
        p, a = PT[k, first : first + m], tile[k]
        for i in range(m):
            a[i] = factor[i] * p[i] * (a[i] - mean[i])


@njit_divide
def row_correlations(PT, QT, factors, guard, of_u, of_v, low, high):
    """Weighted sum of the rows' correlations; factors of p and q in their gradients."""
    n_classes = PT.shape[0]
    rows = 256
    room = np.empty((3, rows), PT.dtype)
    uv, uu, vv = room[0], room[1], room[2]
    shift = PT.dtype.type(1.0 / n_classes)
    one = factors.shape[0] == 1
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        room[:] = 0
        for k in range(n_classes):
            p, q = PT[k, first : first + m], QT[k, first : first + m]
            for i in range(m):
                uv[i] += (p[i] - shift) * (q[i] - shift)
            for i in range(m):
                uu[i] += (p[i] - shift) * (p[i] - shift)
            for i in range(m):
                vv[i] += (q[i] - shift) * (q[i] - shift)
        for i in range(m):
            norm_u, norm_v = math.sqrt(uu[i]), math.sqrt(vv[i])
            scale = norm_u * norm_v + guard
            rho = uv[i] / scale
            value += (factors[0] if one else factors[first + i]) * rho
            of_v[first + i] = 1.0 / scale
            of_u[first + i] = -rho * norm_v / (scale * norm_u) if norm_u > 0 else 0.0
    return value


@njit_divide
def centred_products(PT, QT, factors, mass, means, products, low, high):
    """Weighted means and products of the classes `low` to `high`, over all rows.

    Parameters
    ----------
    PT, QT : arrays of shape (C, n)
        Probabilities.
    factors : array of shape (n,) or (1,)
        Weights of the rows.
    mass : float
        Their sum.
    means : array of shape (C, 3), float64
        Receives the means of p and q, and what rounding left of the mean of q after its removal.
    products : array of shape (C, 3), float64
        Receives the weighted sums of u v, u u and v v of centred u and v.
    """
    n = PT.shape[1]
    one = factors.shape[0] == 1
    of_p, of_q = np.empty((2, 1024))
    for k in range(low, high):
        p, q = PT[k], QT[k]
        sum_p, sum_q = 0.0, 0.0
        for i in range(n):
            w = factors[0] if one else factors[i]
            sum_p += w * p[i]
            sum_q += w * q[i]
        mean_p, mean_q = sum_p / mass, sum_q / mass
        u, v, uv, uu, vv = 0.0, 0.0, 0.0, 0.0, 0.0
        for first in range(0, n, of_p.shape[0]):
            m = min(of_p.shape[0], n - first)
            _subtract(p, mean_p, first, m, of_p)
            _subtract(q, mean_q, first, m, of_q)
            for i in range(m):
                w = factors[0] if one else factors[first + i]
                a, b = of_p[i], of_q[i]
                u += w * a
                v += w * b
                uv += w * a * b
                uu += w * a * a
                vv += w * b * b
        # The means' own rounding: a teacher's column without variation must come out as zeros.
        left = v / mass
        means[k, 0], means[k, 1], means[k, 2] = mean_p, mean_q, left
        products[k, 0] = uv - left * u
        products[k, 1] = uu - u * u / mass
        products[k, 2] = max(vv - left * v, 0.0)


@njit_in_order
def _subtract(values, shift, first, m, out):
    """Apart from the sums, which would be free to take the shift out of themselves."""
    for i in range(m):
        out[i] = values[first + i] - shift


@njit_in_order
def correlation_gradient(
    PT, QT, factors, scale, of_u, of_v, means, along_u, along_v, G, g_by_class, low, high
):
    """Gradient in the logits from the factors of p and q of rows and of classes.

    Times `scale`: ``of_u_i (p - 1/C) + of_v_i (q - 1/C) + along_u_k (p - mean) + along_v_k (q -
    mean)``, pulled back through the softmax.
    """
    n_classes = PT.shape[0]
    rows = tile_rows(n_classes, PT.itemsize)
    tile = np.empty((n_classes, rows), PT.dtype)
    mean, factor = np.empty(rows, PT.dtype), np.empty(rows, PT.dtype)
    kind = PT.dtype.type
    shift = kind(1.0 / n_classes)
    for first in range(low, high, rows):
        m = min(rows, high - first)
        a, b = of_u[first : first + m], of_v[first : first + m]
        for k in range(n_classes):
            p, q, out = PT[k, first : first + m], QT[k, first : first + m], tile[k]
            mean_p, mean_q, left = means[k, 0], means[k, 1], means[k, 2]
            in_u, in_v = along_u[k], along_v[k]
            for i in range(m):
                column = in_u * (p[i] - mean_p) + in_v * ((q[i] - mean_q) - left)
                out[i] = a[i] * (p[i] - shift) + b[i] * (q[i] - shift) + kind(column)
        row_factors(factors, first, m, scale, factor)
        _pull_back(PT, first, m, tile, mean, factor)
        store(tile, g_by_class, first, m, G)


@njit_divide
def class_sums(PT, y, factors, sums, low, high):
    """``sums[k, c]``: weighted sum of the probabilities of class k over the rows of label c.

    For the classes `low` to `high`, over all rows.
    """
    one = factors.shape[0] == 1
    for k in range(low, high):
        p, out = PT[k], sums[k]
        out[:] = 0
        for i in range(p.shape[0]):
            out[y[i]] += (factors[0] if one else factors[i]) * p[i]


@njit_divide
def information_rows(Z, by_class, PT, peak_of, log_sum_of, log_centroids, y, factors, G, low, high):
    """Divergence of each row from the centroid of its label; `log_centroids` is class by label."""
    n_classes = PT.shape[0]
    rows = tile_rows(n_classes, PT.itemsize)
    tile = np.empty((n_classes, rows), PT.dtype)
    mean, factor = np.empty(rows, PT.dtype), np.empty(rows, PT.dtype)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, by_class, first, m, tile)
        peak, log_sum = peak_of[first : first + m], log_sum_of[first : first + m]
        labels = y[first : first + m]
        for k in range(n_classes):
            x, log_q = tile[k], log_centroids[k]
            # In two steps: next to a large peak the logarithms would be rounded.
            for i in range(m):
                x[i] = x[i] - peak[i]
            for i in range(m):
                x[i] = x[i] - (log_sum[i] + log_q[labels[i]])
        row_factors(factors, first, m, 1.0, factor)
        _pull_back(PT, first, m, tile, mean, factor)
        for i in range(m):
            value += np.float64(factor[i]) * mean[i]
        store(tile, by_class, first, m, G)
    return value


@njit_divide
def self_rows(Z, by_class, S, s_by_class, focus, y, factors, beta, G, low, high):
    """Self-distillation: `focus` weighs the label's part, the rows of `S` sum to `beta`."""
    n_classes = Z.shape[0] if by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    X, E = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    soft, room = np.empty((n_classes, rows), Z.dtype), np.empty((5, rows), Z.dtype)
    peak, sums, odds, factor, gap = room[0], room[1], room[2], room[3], room[4]
    one, stand_in = Z.dtype.type(1), Z.dtype.type(-1e30)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, by_class, first, m, X)
        load(S, s_by_class, first, m, soft)
        _decouple(X, E, y, first, m, one, odds, peak, sums, stand_in)
        row_factors(factors, first, m, 1.0, factor)
        for i in range(m):
            gap[i] = 0
        for k in range(n_classes):
            for i in range(m):
                gap[i] += soft[k, i] * X[k, i]
        for i in range(m):
            _, rest, log_own, _ = _two_classes(np.float64(odds[i]))
            pull = focus[first + i] * rest
            others = gap[i] - beta * log_above_one(sums[i])
            value += factor[i] * (-focus[first + i] * log_own - others)
            odds[i] = -factor[i] * pull
            sums[i] = factor[i] * (pull + beta) / sums[i]
        for k in range(n_classes):
            for i in range(m):
                E[k, i] = E[k, i] * sums[i] - factor[i] * soft[k, i]
        for i in range(m):
            E[y[first + i], i] = odds[i]
        store(E, by_class, first, m, G)
    return value


@njit_divide
def entropy_rows(Z, by_class, factors, G, low, high):
    """Weighted sum of the entropies of the rows' softmaxes, and its gradient."""
    n_classes = Z.shape[0] if by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    X, E = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    room = np.empty((4, rows), Z.dtype)
    peak, sums, factor, mean = room[0], room[1], room[2], room[3]
    one = Z.dtype.type(1)
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, by_class, first, m, X)
        peaks(X, m, peak)
        shifted_exponentials(X, m, one, peak, E, sums)
        row_factors(factors, first, m, 1.0, factor)
        _mean_exponent(X, E, m, sums, mean)
        for i in range(m):
            value += np.float64(factor[i]) * (log_above_one(sums[i]) - mean[i])
            factor[i] /= sums[i]
        for k in range(n_classes):
            for i in range(m):
                X[k, i] = factor[i] * E[k, i] * (mean[i] - X[k, i])
        store(X, by_class, first, m, G)
    return value


@njit_divide
def row_entropies(Z, by_class, inverse_temperature, out, low, high):
    """Entropy of each row's softmax into `out`."""
    n_classes = Z.shape[0] if by_class else Z.shape[1]
    rows = tile_rows(n_classes, Z.itemsize)
    X, E = np.empty((n_classes, rows), Z.dtype), np.empty((n_classes, rows), Z.dtype)
    room = np.empty((3, rows), Z.dtype)
    peak, sums, mean = room[0], room[1], room[2]
    inverse = Z.dtype.type(inverse_temperature)
    for first in range(low, high, rows):
        m = min(rows, high - first)
        load(Z, by_class, first, m, X)
        peaks(X, m, peak)
        shifted_exponentials(X, m, inverse, peak, E, sums)
        _mean_exponent(X, E, m, sums, mean)
        for i in range(m):
            out[first + i] = log_above_one(sums[i]) - mean[i]


@njit_divide
def _mean_exponent(X, E, m, sums, mean):
    """Mean of each row's exponents under its softmax."""
    for i in range(m):
        mean[i] = 0
    for k in range(X.shape[0]):
        for i in range(m):
            mean[i] += E[k, i] * X[k, i]
    for i in range(m):
        mean[i] /= sums[i]
