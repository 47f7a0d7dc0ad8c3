r"""Parts of a pass over a few rows of a student: logits, products with a Hessian, pullback.

Products of a few logits, which BLAS spends more on packing than on computing, take four rows of X
at a time: each number of W or R that is read serves all four. Logits and gradients are class by
class: (k, m) for m rows, (k, p) for p features.
"""

import numpy as np

from ._jit import njit

__all__ = ["curvature_rows", "narrow_logits", "narrow_pullback"]


@njit
def narrow_logits(W, b, X, Z):
    """``Z = W X^T + b``."""
    whole = X.shape[0] - X.shape[0] % 4
    for i in range(0, whole, 4):
        r, s, t, u = X[i], X[i + 1], X[i + 2], X[i + 3]
        for c in range(W.shape[0]):
            w, z = W[c], Z[c]
            in_r, in_s, in_t, in_u = b[c], b[c], b[c], b[c]
            for j in range(w.shape[0]):
                in_r += r[j] * w[j]
                in_s += s[j] * w[j]
                in_t += t[j] * w[j]
                in_u += u[j] * w[j]
            z[i], z[i + 1], z[i + 2], z[i + 3] = in_r, in_s, in_t, in_u
    for i in range(whole, X.shape[0]):
        for c in range(W.shape[0]):
            total = b[c]
            for j in range(W.shape[1]):
                total += X[i, j] * W[c, j]
            Z[c, i] = total


@njit
def narrow_pullback(R, X, share, G, g):
    """Add ``R X`` to `G` and the sums of the rows of `R` to `g`; `share` is room like `G`."""
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
    for c in range(R.shape[0]):
        total = 0.0
        for i in range(R.shape[1]):
            total += R[c, i]
        g[c] += total
        for j in range(share.shape[1]):
            G[c, j] += share[c, j]


@njit
def curvature_rows(U, P, Q, ce, kd, factors, first, R):
    """``R = s (ce (diag(p) - p p^T) + kd (diag(q) - q q^T)) u`` for each row.

    `P` and `Q` are (k, n); `U` and `R` hold the rows from `first` on.
    """
    k, m = U.shape
    means = np.zeros((2, m), U.dtype)
    of_p, of_q = means[0], means[1]
    to_ce, to_kd = U.dtype.type(ce), U.dtype.type(kd)
    for c in range(k):
        u, p, q = U[c], P[c, first : first + m], Q[c, first : first + m]
        for i in range(m):
            of_p[i] += p[i] * u[i]
        for i in range(m):
            of_q[i] += q[i] * u[i]
    one = factors.shape[0] == 1
    for c in range(k):
        u, r, p, q = U[c], R[c], P[c, first : first + m], Q[c, first : first + m]
        for i in range(m):
            r[i] = to_ce * p[i] * (u[i] - of_p[i]) + to_kd * q[i] * (u[i] - of_q[i])
        for i in range(m):
            r[i] *= factors[0] if one else factors[first + i]
