r"""Entropic transport between two sets of rows: costs, rounds of scaling, and their way back.

Costs are :math:`D_{ij} = \sum_c |p_{ic} - q_{jc}|`, and :math:`K = e^{-D / \epsilon}`. A round
scales rows and then columns; both need the same row of K, which is therefore read once per round:
the product with the row gives its scaling, and the row times that scaling is added to the columns'
sums. The way back through a round has the same shape.

Floor: 3 n^2 C operations on vectors for the costs, 6 n^2 C for their gradient, and one read of K
for each round forwards and backwards.

All functions work on the rows `low` to `high`, so that threads can share them.
"""

from ._jit import njit, njit_divide
from ._vector_math import exp

__all__ = [
    "backward_round",
    "cost_rows",
    "first_adjoints",
    "forward_round",
    "plan_gradient",
    "pull_rows",
]

# A panel of the transposed second set stays in the second-level cache while rows pass over it.
_PANEL_COLUMNS = 512
_PANEL_CLASSES = 32


@njit_divide
def cost_rows(P, QT, scale, D, K, low, high):
    """Fill rows of ``D_ij = sum_c |P_ic - QT_cj|`` and of ``K = exp(scale D)``."""
    n_classes, n = QT.shape
    D[low:high] = 0
    for left in range(0, n, _PANEL_COLUMNS):
        right = min(left + _PANEL_COLUMNS, n)
        for first in range(0, n_classes, _PANEL_CLASSES):
            last = min(first + _PANEL_CLASSES, n_classes)
            i = low
            while i + 2 <= high:
                _add_costs_of_two(P[i], P[i + 1], QT, first, last, left, right, D[i], D[i + 1])
                i += 2
            if i < high:
                _add_costs(P[i], QT, first, last, left, right, D[i])
    factor = K.dtype.type(scale)
    for i in range(low, high):
        d, k = D[i], K[i]
        for j in range(n):
            k[j] = exp(d[j] * factor)


@njit
def _add_costs_of_two(p, r, QT, first, last, left, right, of_p, of_r):
    """Costs of two rows against a panel of classes first..last and columns left..right."""
    m = right - left
    of_p, of_r = of_p[left:right], of_r[left:right]
    c = first
    while c + 4 <= last:
        p0, p1, p2, p3 = p[c], p[c + 1], p[c + 2], p[c + 3]
        r0, r1, r2, r3 = r[c], r[c + 1], r[c + 2], r[c + 3]
        q0, q1 = QT[c, left:right], QT[c + 1, left:right]
        q2, q3 = QT[c + 2, left:right], QT[c + 3, left:right]
        for j in range(m):
            a, b, d, e = q0[j], q1[j], q2[j], q3[j]
            of_p[j] += (abs(p0 - a) + abs(p1 - b)) + (abs(p2 - d) + abs(p3 - e))
            of_r[j] += (abs(r0 - a) + abs(r1 - b)) + (abs(r2 - d) + abs(r3 - e))
        c += 4
    while c < last:
        p0, r0 = p[c], r[c]
        q0 = QT[c, left:right]
        for j in range(m):
            of_p[j] += abs(p0 - q0[j])
            of_r[j] += abs(r0 - q0[j])
        c += 1


@njit
def _add_costs(p, QT, first, last, left, right, of_p):
    m = right - left
    of_p = of_p[left:right]
    for c in range(first, last):
        p0 = p[c]
        q0 = QT[c, left:right]
        for j in range(m):
            of_p[j] += abs(p0 - q0[j])


@njit
def pull_rows(G, P, QT, out, low, high):
    """Fill rows of ``out_ic = sum_j G_ij sign(P_ic - QT_cj)``; the sign of zero is zero."""
    n_classes, n = QT.shape
    out[low:high] = 0
    for left in range(0, n, _PANEL_COLUMNS):
        right = min(left + _PANEL_COLUMNS, n)
        for first in range(0, n_classes, _PANEL_CLASSES):
            last = min(first + _PANEL_CLASSES, n_classes)
            for i in range(low, high):
                p, pull, g = P[i], out[i], G[i, left:right]
                c = first
                while c + 2 <= last:
                    above, below = _signed_sums(
                        g, p[c], p[c + 1], QT[c, left:right], QT[c + 1, left:right]
                    )
                    pull[c] += above
                    pull[c + 1] += below
                    c += 2
                if c < last:
                    q = QT[c, left:right]
                    pull[c] += _signed_sums(g, p[c], p[c], q, q)[0]


@njit
def _signed_sums(g, p0, p1, q0, q1):
    """``sum_j g_j sign(p - q_j)`` for two classes."""
    zero = g.dtype.type(0)
    sum0, sum1, less0, less1 = zero, zero, zero, zero
    for j in range(g.shape[0]):
        weight, a, b = g[j], q0[j], q1[j]
        sum0 += weight if p0 > a else zero
        less0 += weight if p0 < a else zero
        sum1 += weight if p1 > b else zero
        less1 += weight if p1 < b else zero
    return sum0 - less0, sum1 - less1


@njit_divide
def forward_round(K, wb, w, a, sums, low, high):
    """``a_i = 1 / sum_j K_ij wb_j``; fill `sums` with ``sum_i w_i a_i K_ij`` over these rows."""
    n = K.shape[1]
    one, zero = K.dtype.type(1), K.dtype.type(0)
    sums[:] = 0
    i = low
    while i + 2 <= high:
        k0, k1 = K[i], K[i + 1]
        u0, u1 = zero, zero
        for j in range(n):
            u0 += k0[j] * wb[j]
            u1 += k1[j] * wb[j]
        a[i], a[i + 1] = one / u0, one / u1
        x0, x1 = w[i] * a[i], w[i + 1] * a[i + 1]
        for j in range(n):
            sums[j] += x0 * k0[j] + x1 * k1[j]
        i += 2
    if i < high:
        k0 = K[i]
        u0 = zero
        for j in range(n):
            u0 += k0[j] * wb[j]
        a[i] = one / u0
        x0 = w[i] * a[i]
        for j in range(n):
            sums[j] += x0 * k0[j]


@njit
def backward_round(K, x, w, a, of_a, y, sums, low, high):
    """``y_i = a_i (of_a_i - w_i a_i sum_j K_ij x_j)``; `sums` gets ``sum_i y_i K_ij``."""
    n = K.shape[1]
    zero = K.dtype.type(0)
    sums[:] = 0
    i = low
    while i + 2 <= high:
        k0, k1 = K[i], K[i + 1]
        t0, t1 = zero, zero
        for j in range(n):
            t0 += k0[j] * x[j]
            t1 += k1[j] * x[j]
        y0 = a[i] * (of_a[i] - w[i] * a[i] * t0)
        y1 = a[i + 1] * (of_a[i + 1] - w[i + 1] * a[i + 1] * t1)
        y[i], y[i + 1] = y0, y1
        for j in range(n):
            sums[j] += y0 * k0[j] + y1 * k1[j]
        i += 2
    if i < high:
        k0 = K[i]
        t0 = zero
        for j in range(n):
            t0 += k0[j] * x[j]
        y0 = a[i] * (of_a[i] - w[i] * a[i] * t0)
        y[i] = y0
        for j in range(n):
            sums[j] += y0 * k0[j]


@njit
def first_adjoints(K, D, wa, wb, of_a, sums, low, high):
    """Row sums of ``wa_i K_ij D_ij wb_j`` into `of_a`; `sums` gets ``sum_i wa_i K_ij D_ij``."""
    sums[:] = 0
    for i in range(low, high):
        k, d = K[i], D[i]
        row, x = K.dtype.type(0), wa[i]
        for j in range(K.shape[1]):
            cost = k[j] * d[j]
            row += cost * wb[j]
            sums[j] += x * cost
        of_a[i] = x * row


@njit
def plan_gradient(K, D, wa, wb, inverse_epsilon, through, low, high):
    """Turn the rounds' terms into the gradient in the costs, in place.

    ``K (wa wb^T (1 - D / epsilon) + through / epsilon)``, entry by entry.
    """
    inverse, one = K.dtype.type(inverse_epsilon), K.dtype.type(1)
    for i in range(low, high):
        k, d, out = K[i], D[i], through[i]
        x = wa[i]
        for j in range(K.shape[1]):
            out[j] = k[j] * (x * wb[j] * (one - d[j] * inverse) + out[j] * inverse)
