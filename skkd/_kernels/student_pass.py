r"""Whole passes over the rows of a student: logits, loss and gradient, a few rows at a time.

.. math:: Z = XW + b, \qquad G = X^\top R(Z)

for R the gradient of cross-entropy and distillation, or the product with their Hessian. With few
logits both products wait for X: rows are taken in pieces that stay in the second-level cache from
one to the other, too small to come back to Python in between. Products of many logits are made by
BLAS, on one thread.

Floor: one read of X; 4 n p k flops. Weights, logits and gradients are class by class: (k, p).
"""

import numpy as np

from ._jit import njit, njit_divide
from .labels_and_teacher import labels_and_teacher_rows

__all__ = ["curvature_pass", "student_pass"]

_PIECE_BYTES = 2**18
_NARROW = 16  # logits up to which BLAS spends more on packing than on products


@njit
def piece_rows(X):
    """Rows of a piece."""
    return max(32, min(512, _PIECE_BYTES // (X.shape[1] * X.itemsize)))


@njit
def student_pass(X, W, b, T, y, factors, ce, kd, temperature, entropy, G, g, low, high):
    """Summed loss of the rows `low` to `high`, see :func:`labels_and_teacher_rows`.

    `W` is (k, p), `b` (k,); `G` (k, p) and `g` (k,), float64, receive the gradient.
    """
    k, p = W.shape
    rows = piece_rows(X)
    share = np.empty((k, p), X.dtype)
    G[:] = 0
    g[:] = 0
    value = 0.0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        piece = X[first : first + m]
        Z, R = _logits(W, b, piece)
        own = factors if factors.shape[0] == 1 else factors[first : first + m]
        value += labels_and_teacher_rows(
            *(Z, True, T[first : first + m], False, y[first : first + m], own, ce, kd),
            *(temperature, entropy, R, 0, m),
        )
        _add_pullback(R, piece, share, G, g)
    return value


@njit_divide
def curvature_pass(X, V, b, P, Q, ce, kd, factors, G, g, low, high):
    """Product with the Hessian, ``s (ce (diag(p) - p p^T) + kd (diag(q) - q q^T))`` in each row.

    `P` and `Q` are (k, n).
    """
    k, p = V.shape
    rows = piece_rows(X)
    share = np.empty((k, p), X.dtype)
    room = np.empty((3, rows), X.dtype)
    mean_p, mean_q, factor = room[0], room[1], room[2]
    to_ce, to_kd = X.dtype.type(ce), X.dtype.type(kd)
    G[:] = 0
    g[:] = 0
    for first in range(low, high, rows):
        m = min(rows, high - first)
        piece = X[first : first + m]
        U, R = _logits(V, b, piece)
        for i in range(m):
            factor[i] = factors[0] if factors.shape[0] == 1 else factors[first + i]
            mean_p[i] = 0
            mean_q[i] = 0
        for c in range(k):
            u, a, e = U[c], P[c, first : first + m], Q[c, first : first + m]
            for i in range(m):
                mean_p[i] += a[i] * u[i]
            for i in range(m):
                mean_q[i] += e[i] * u[i]
        for c in range(k):
            u, a, e, r = U[c], P[c, first : first + m], Q[c, first : first + m], R[c]
            for i in range(m):
                r[i] = to_ce * a[i] * (u[i] - mean_p[i]) + to_kd * e[i] * (u[i] - mean_q[i])
            for i in range(m):
                r[i] *= factor[i]
        _add_pullback(R, piece, share, G, g)


@njit
def _logits(W, b, piece):
    """Logits (k, m) of a piece of rows, and room of the same shape."""
    if W.shape[0] > _NARROW:
        Z = np.dot(W, piece.T)
    else:
        Z = np.empty((W.shape[0], piece.shape[0]), piece.dtype)
        _narrow_product(W, piece, Z)
    for c in range(Z.shape[0]):
        Z[c] += b[c]
    return Z, np.empty_like(Z)


@njit
def _narrow_product(W, X, Z):
    """``Z = W X^T``, four rows of X at a time: each number of W read serves four of them."""
    whole = X.shape[0] - X.shape[0] % 4
    zero = Z.dtype.type(0)
    for i in range(0, whole, 4):
        r, s, t, u = X[i], X[i + 1], X[i + 2], X[i + 3]
        for c in range(W.shape[0]):
            w, z = W[c], Z[c]
            in_r, in_s, in_t, in_u = zero, zero, zero, zero
            for j in range(w.shape[0]):
                in_r += r[j] * w[j]
                in_s += s[j] * w[j]
                in_t += t[j] * w[j]
                in_u += u[j] * w[j]
            z[i], z[i + 1], z[i + 2], z[i + 3] = in_r, in_s, in_t, in_u
    for i in range(whole, X.shape[0]):
        for c in range(W.shape[0]):
            total = zero
            for j in range(W.shape[1]):
                total += X[i, j] * W[c, j]
            Z[c, i] = total


@njit
def _narrow_pullback(R, X, share):
    """``share = R X``, in the same way."""
    share[:] = 0
    whole = X.shape[0] - X.shape[0] % 4
    for i in range(0, whole, 4):
        r, s, t, u = X[i], X[i + 1], X[i + 2], X[i + 3]
        for c in range(R.shape[0]):
            own, out = R[c], share[c]
            to_r, to_s, to_t, to_u = own[i], own[i + 1], own[i + 2], own[i + 3]
            for j in range(out.shape[0]):
                out[j] += to_r * r[j] + to_s * s[j] + to_t * t[j] + to_u * u[j]
    for i in range(whole, X.shape[0]):
        for c in range(R.shape[0]):
            for j in range(share.shape[1]):
                share[c, j] += R[c, i] * X[i, j]


@njit
def _add_pullback(R, piece, share, G, g):
    if R.shape[0] > _NARROW:
        np.dot(R, piece, share)
    else:
        _narrow_pullback(R, piece, share)
    for c in range(R.shape[0]):
        total = 0.0
        for i in range(R.shape[1]):
            total += R[c, i]
        g[c] += total
        for j in range(share.shape[1]):
            G[c, j] += share[c, j]
