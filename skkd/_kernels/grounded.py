r"""Gaussian elimination of a grounded graph Laplacian without a subtraction.

For weights :math:`W \ge 0` and slack :math:`s \ge 0` the matrix
:math:`A = \mathrm{diag}(W 1 + s) - W` is given by W and s alone. Eliminating node k replaces it by
direct edges between its neighbours and the ground,

.. math::
    W_{ij} \leftarrow W_{ij} + \frac{W_{ik} W_{kj}}{d_k}, \quad
    s_i \leftarrow s_i + \frac{W_{ik} s_k}{d_k}, \quad
    B_i \leftarrow B_i + \frac{W_{ik} B_k}{d_k}, \qquad d_k = s_k + \sum_{j < k} W_{kj} .

Only positive numbers are added, so the solution of :math:`A X = B`, :math:`B \ge 0`, keeps nearly
all of its digits however far the weights are apart, where Cholesky factors may have none left.

References
----------
Grassmann, W., Taksar, M., Heyman, D., "Regenerative analysis and steady state distributions for
Markov chains", Operations Research 33(5), 1985.
"""

from ._jit import njit_in_order

__all__ = ["eliminate_grounded"]


@njit_in_order
def eliminate_grounded(W, slack, X):
    """Solve in place; ``X`` holds the right-hand sides of shape (n, k) and receives the solution.

    ``W``, of which the diagonal is ignored, and ``slack`` are overwritten. Returns the number of a
    node whose component is not grounded, or -1.
    """
    n, n_columns = X.shape
    for k in range(n - 1, -1, -1):
        pivot = slack[k]
        for j in range(k):
            pivot += W[k, j]
        if not pivot > 0.0:
            return k
        for i in range(k):
            share = W[i, k] / pivot
            if share == 0.0:
                continue
            slack[i] += share * slack[k]
            for j in range(k):
                W[i, j] += share * W[k, j]
            for c in range(n_columns):
                X[i, c] += share * X[k, c]
        slack[k] = pivot
    for k in range(n):
        for c in range(n_columns):
            total = X[k, c]
            for j in range(k):
                total += W[k, j] * X[j, c]
            X[k, c] = total / slack[k]
    return -1
