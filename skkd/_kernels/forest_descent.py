r"""One update of a forest-structured block of a quadratic with several right-hand sides.

Over the rows of a block b, :math:`\frac12 \mathrm{tr}(X^\top A X) - \mathrm{tr}(B^\top X)` is least
at :math:`X_b = A_{bb}^{-1} (B_b - A_{bc} X_c)`, and the gradient :math:`G = A X - B` follows at the
cost of the edges that touch b. Where the off-diagonal entries of A are not positive and B and X
are not negative, no digit cancels.
"""

from ._jit import njit_in_order
from .forest import substitute_forest

__all__ = ["forest_update", "rate_nodes"]


@njit_in_order
def forest_update(
    indptr, indices, data, B, X, G, n_counted, block, local, order, parent, multiplier, pivot, rows
):
    """Minimise over a block.

    Parameters
    ----------
    indptr, indices, data : arrays
        A in CSR, symmetric.
    B : array of shape (n, k)
        Linear term.
    X, G : arrays of shape (n, k)
        Variables and gradient; both are changed.
    n_counted : int
        Leading columns that the objective counts.
    block, local, order, parent, multiplier, pivot : arrays
        Of the block's factors; see :mod:`skkd._kernels.forest`.
    rows : array of shape (tau, k)
        Work space.

    Returns
    -------
    decrease : float
        By how much the objective fell.
    """
    size, n_columns = rows.shape
    for k in range(size):
        node = block[k]
        for c in range(n_columns):
            rows[k, c] = B[node, c]
        for e in range(indptr[node], indptr[node + 1]):
            other = indices[e]
            m = local[other]
            if m >= 0 and m < size and block[m] == other:
                continue
            for c in range(n_columns):
                rows[k, c] -= data[e] * X[other, c]
    substitute_forest(order, parent, multiplier, pivot, rows)
    decrease = 0.0
    for k in range(size):
        node = block[k]
        for c in range(n_columns):
            new = rows[k, c]
            rows[k, c] = new - X[node, c]
            X[node, c] = new
            if c < n_counted:
                decrease -= 0.5 * G[node, c] * rows[k, c]
    for k in range(size):
        node = block[k]
        for e in range(indptr[node], indptr[node + 1]):
            for c in range(n_columns):
                G[indices[e], c] += data[e] * rows[k, c]
    for k in range(size):  # what is left there is rounding, which must attract no greedy rule
        for c in range(n_columns):
            G[block[k], c] = 0.0
    return decrease


@njit_in_order
def rate_nodes(G, diagonal, scores):
    r"""Write what an update of each node alone would gain; return the largest change it would make.

    The gain is :math:`\|G_i\|^2 / A_{ii}`, twice the decrease; the change, |G_ic| / A_ii.
    """
    largest = 0.0
    for i in range(G.shape[0]):
        total = 0.0
        for c in range(G.shape[1]):
            total += G[i, c] * G[i, c]
            largest = max(largest, abs(G[i, c]) / diagonal[i])
        scores[i] = total / diagonal[i]
    return largest
