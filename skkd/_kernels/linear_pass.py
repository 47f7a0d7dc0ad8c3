r"""One pass over dense rows: logits, loss and gradient of a binary margin loss, X read once.

For rows :math:`x_i`, signs :math:`y_i` and weights :math:`s_i` a pass computes
:math:`z_i = x_i^\top w + b`, margins :math:`m_i = y_i z_i`, pulls :math:`q_i = -\phi'(m_i)` and

.. math:: g = -\sum_i s_i q_i y_i x_i, \qquad \sum_i s_i \phi(m_i), \qquad \sum_i s_i q_i .

Rows are taken a few dozen at a time, so that the second use of a row finds it in cache. Four rows
share each load of ``w`` and each load and store of ``g``. The exponential is evaluated on whole
blocks by a polynomial that LLVM turns into vector instructions: the library call, one scalar at a
time, cost as much as reading the row.

:func:`softmax_block` is the same idea for K logits per row; there the two products are left to
BLAS.
"""

import math

import numpy as np

from ._jit import njit, njit_in_order

__all__ = ["EXPONENTIAL", "LOGISTIC", "PERCEPTRON", "margin_pass", "softmax_block"]

LOGISTIC, EXPONENTIAL, PERCEPTRON = 0, 1, 2

# Rows per block: enough for the polynomials to run on vectors, and no more than stay in the
# second-level cache until they are read again.
_ROWS = 32
_BLOCK_BYTES = 2**17

_LOG2E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01  # 33 leading bits of log 2: k * _LN2_HIGH is exact
_LN2_LOW = 1.90821492927058770002e-10
_SHIFTER = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer held in the low bits
_UNDERFLOW = -708.0


@njit
def margin_pass(X, signs, weights, w, b, loss, want_value, Z, gradient):
    """Run one pass; see the module docstring.

    Parameters
    ----------
    X : array of shape (n, p), C-contiguous, float32 or float64
    signs : array of shape (n,)
        +1 or -1, in the dtype of X.
    weights : array of shape (n,) or (1,)
        Weights; one entry stands for all rows.
    w : array of shape (p,)
        Coefficients, in the dtype of X.
    b : float
        Intercept.
    loss : int
        LOGISTIC, EXPONENTIAL or PERCEPTRON.
    want_value : bool
        Whether the logistic loss is computed; it costs as much as the exponential.
    Z : array of shape (n,)
        Receives the logits.
    gradient : array of shape (p + 1,), float64
        Receives the gradient, intercept last.

    Returns
    -------
    value, mass, shift, errors, margin : float
        Weighted loss (0 if not wanted), weighted sum of pulls, weight of rows with margin <= 0,
        and smallest margin among rows of positive weight. Gradient, value and mass of the
        exponential loss are to be multiplied by exp(shift); shift is 0 for the others.
    """
    n, p = X.shape
    rows = max(8, min(_ROWS, _BLOCK_BYTES // (p * X.itemsize) // 4 * 4))
    margins, pulls, room = np.empty(_ROWS), np.empty(_ROWS), np.empty(_ROWS)
    s = np.full(_ROWS, np.float64(weights[0]))
    c, partial = np.empty(_ROWS, dtype=X.dtype), np.empty(p, dtype=X.dtype)
    gradient[:] = 0.0
    value, mass, errors, smallest = 0.0, 0.0, 0.0, np.inf
    shift = -np.inf if loss == EXPONENTIAL else 0.0
    for low in range(0, n, rows):
        high = min(low + rows, n)
        m = high - low
        _dots(X, low, high, w, b, Z)
        for i in range(m):
            margins[i] = signs[low + i] * Z[low + i]
        if weights.shape[0] > 1:
            for i in range(m):
                s[i] = weights[low + i]
        worst = _smallest(margins, s, m)
        smallest = min(smallest, worst)
        if loss == EXPONENTIAL and -worst > shift:
            factor = math.exp(shift + worst)  # a streaming log-sum-exp: rescale what is summed
            shift = -worst
            mass *= factor
            value *= factor
            for j in range(p + 1):
                gradient[j] *= factor
        value += _pull(margins, s, loss, shift, want_value, pulls, room, m)
        slope = 0.0
        for i in range(m):
            errors += s[i] if margins[i] <= 0.0 else 0.0
            mass += pulls[i]
            signed = signs[low + i] * pulls[i]
            slope += signed
            c[i] = signed
        gradient[p] -= slope
        partial[:] = 0
        _add_rows(X, low, high, c, partial)
        for j in range(p):
            gradient[j] -= partial[j]
    return value, mass, shift, errors, smallest


@njit
def _pull(margins, s, loss, shift, want_value, pulls, room, m):
    """Fill ``pulls[i] = s[i] * -phi'(margins[i])`` and return the weighted loss.

    Both are divided by exp(shift) if the loss is EXPONENTIAL.
    """
    value = 0.0
    if loss == PERCEPTRON:
        for i in range(m):
            pulls[i] = s[i] if margins[i] <= 0.0 else 0.0
            value += s[i] * max(-margins[i], 0.0)
    elif loss == LOGISTIC:
        for i in range(m):
            pulls[i] = -abs(margins[i])
        _exp_in_place(pulls, room, m)
        if want_value:
            value = _softplus_sum(margins, pulls, s, m)
        for i in range(m):
            small = pulls[i] / (1.0 + pulls[i])
            pulls[i] = s[i] * (small if margins[i] > 0.0 else 1.0 - small)
    else:
        for i in range(m):  # rows of zero weight may lie above the shift
            pulls[i] = min(-margins[i] - shift, 0.0) if s[i] > 0.0 else 0.0
        _exp_in_place(pulls, room, m)
        for i in range(m):
            pulls[i] *= s[i]
            value += pulls[i]
    return value


@njit
def _smallest(margins, s, m):
    """Smallest margin among rows of positive weight; four chains hide the latency of min."""
    a, b, c, d = np.inf, np.inf, np.inf, np.inf
    for i in range(0, m - m % 4, 4):
        a = margins[i] if s[i] > 0.0 and margins[i] < a else a
        b = margins[i + 1] if s[i + 1] > 0.0 and margins[i + 1] < b else b
        c = margins[i + 2] if s[i + 2] > 0.0 and margins[i + 2] < c else c
        d = margins[i + 3] if s[i + 3] > 0.0 and margins[i + 3] < d else d
    for i in range(m - m % 4, m):
        a = margins[i] if s[i] > 0.0 and margins[i] < a else a
    return min(min(a, b), min(c, d))


@njit
def _dots(X, low, high, w, b, Z):
    """``Z[i] = X[i] @ w + b``, four rows at a time."""
    p = X.shape[1]
    zero = w.dtype.type(0)
    i = low
    while i + 4 <= high:
        z0, z1, z2, z3 = zero, zero, zero, zero
        for j in range(p):
            z0 += X[i, j] * w[j]
            z1 += X[i + 1, j] * w[j]
            z2 += X[i + 2, j] * w[j]
            z3 += X[i + 3, j] * w[j]
        Z[i], Z[i + 1], Z[i + 2], Z[i + 3] = z0 + b, z1 + b, z2 + b, z3 + b
        i += 4
    while i < high:
        z0 = zero
        for j in range(p):
            z0 += X[i, j] * w[j]
        Z[i] = z0 + b
        i += 1


@njit
def _add_rows(X, low, high, c, out):
    """``out += c @ X[low:high]``, four rows at a time."""
    p = X.shape[1]
    i = low
    while i + 4 <= high:
        c0, c1, c2, c3 = c[i - low], c[i - low + 1], c[i - low + 2], c[i - low + 3]
        for j in range(p):
            out[j] += c0 * X[i, j] + c1 * X[i + 1, j] + c2 * X[i + 2, j] + c3 * X[i + 3, j]
        i += 4
    while i < high:
        c0 = c[i - low]
        for j in range(p):
            out[j] += c0 * X[i, j]
        i += 1


@njit_in_order
def _exp_in_place(x, scratch, m):
    """``x[:m] = exp(x[:m])`` within 2 ulp for x in [-708, 700]; below that about 1e-308.

    exp(x) = 2^k exp(r) with |r| <= log(2) / 2; the Taylor series of degree 13 is then exact to
    rounding, and 2^k is written directly into the exponent bits. Adding and subtracting the
    shifter rounds to an integer, which a compiler free to reorder sums would optimise away.
    """
    bits = scratch.view(np.int64)
    for i in range(m):
        v = max(x[i], _UNDERFLOW)
        scratch[i] = v * _LOG2E + _SHIFTER
        x[i] = v
    for i in range(m):
        k = scratch[i] - _SHIFTER
        r = (x[i] - k * _LN2_HIGH) - k * _LN2_LOW
        x[i] = 1.0 + r * (
            1.0
            + r
            * (
                1 / 2
                + r
                * (
                    1 / 6
                    + r
                    * (
                        1 / 24
                        + r
                        * (
                            1 / 120
                            + r
                            * (
                                1 / 720
                                + r
                                * (
                                    1 / 5040
                                    + r
                                    * (
                                        1 / 40320
                                        + r
                                        * (
                                            1 / 362880
                                            + r
                                            * (
                                                1 / 3628800
                                                + r
                                                * (
                                                    1 / 39916800
                                                    + r * (1 / 479001600 + r / 6227020800)
                                                )
                                            )
                                        )
                                    )
                                )
                            )
                        )
                    )
                )
            )
        )
        bits[i] = (bits[i] << 52) + (1023 << 52)
    for i in range(m):
        x[i] *= scratch[i]


@njit
def _softplus_sum(margins, exps, weights, m):
    """Sum of ``weights * log(1 + exp(-margins))``, given ``exps = exp(-|margins|)``.

    log(1 + e) = 2 atanh(u), u = e / (2 + e) <= 1/3: sixteen terms of the series reach rounding,
    and small e keep their relative accuracy.
    """
    out = 0.0
    for i in range(m):
        u = exps[i] / (2.0 + exps[i])
        v = u * u
        series = 1.0 + v * (
            1 / 3
            + v
            * (
                1 / 5
                + v
                * (
                    1 / 7
                    + v
                    * (
                        1 / 9
                        + v
                        * (
                            1 / 11
                            + v
                            * (
                                1 / 13
                                + v
                                * (
                                    1 / 15
                                    + v
                                    * (
                                        1 / 17
                                        + v
                                        * (
                                            1 / 19
                                            + v
                                            * (
                                                1 / 21
                                                + v
                                                * (
                                                    1 / 23
                                                    + v
                                                    * (
                                                        1 / 25
                                                        + v * (1 / 27 + v * (1 / 29 + v / 31))
                                                    )
                                                )
                                            )
                                        )
                                    )
                                )
                            )
                        )
                    )
                )
            )
        )
        out += weights[i] * (2.0 * u * series + max(-margins[i], 0.0))
    return out


@njit
def softmax_block(Z, labels, weights, first, scratch):
    """Softmax cross-entropy of a block, logits laid out class by class.

    Parameters
    ----------
    Z : array of shape (K, m), C-contiguous
        Logits; overwritten by the gradient of the weighted loss.
    labels : array of shape (n,)
        Integer labels of all rows.
    weights : array of shape (n,) or (1,)
        Weights of all rows; one entry stands for all.
    first : int
        Index of the block's first row.
    scratch : array of shape (5, m), float64
        Room to work in.

    Returns
    -------
    value : float
        Weighted loss of the block.
    """
    n_classes, m = Z.shape
    peak, others, own, exps, bits = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    for i in range(m):
        peak[i] = Z[0, i]
        others[i] = 0.0
    for k in range(1, n_classes):
        for i in range(m):
            peak[i] = max(peak[i], Z[k, i])
    value = 0.0
    for i in range(m):
        own[i] = Z[labels[first + i], i]
        value_gap = peak[i] - own[i]
        s = weights[0] if weights.shape[0] == 1 else weights[first + i]
        value += s * value_gap
    for k in range(n_classes):
        for i in range(m):
            exps[i] = Z[k, i] - peak[i]
        _exp_in_place(exps, bits, m)
        for i in range(m):
            Z[k, i] = exps[i]
            others[i] += exps[i]
    for i in range(m):
        right = labels[first + i]
        # Sum again without the right class rather than subtract it: 1 - p loses small p.
        rest = 0.0
        for k in range(n_classes):
            rest += 0.0 if k == right else np.float64(Z[k, i])
        s = np.float64(weights[0] if weights.shape[0] == 1 else weights[first + i])
        mine = np.float64(Z[right, i])
        value += s * math.log1p(rest + (mine - 1.0))
        scale = s / (rest + mine)
        own[i] = scale
        others[i] = -scale * rest
    for k in range(n_classes):
        for i in range(m):
            Z[k, i] *= own[i]
    for i in range(m):
        Z[labels[first + i], i] = others[i]
    return value
