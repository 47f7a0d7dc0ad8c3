"""Small problems for the tests of block coordinate descent."""

import numpy as np
import scipy.sparse as sp

from skkd.objectives import (
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Softmax,
    SquaredHinge,
    SVMDual,
)
from skkd.penalties import L1, L2, Box, ElasticNet, GroupL1, NonNegative

QUADRATIC = ("least squares", "graph", "svm dual")
SMOOTH = (*QUADRATIC, "logistic", "squared hinge", "softmax")
SEPARABLE = ("l1", "positive l1", "elastic net", "nonnegative", "box", "l2")


def rows(seed=0, n=40, p=12):
    """Correlated columns of different scales, and labels that no linear rule gets right."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p)) + 0.3 * rng.standard_normal((n, 1))
    A *= np.exp(0.5 * rng.standard_normal(p))
    b = A @ (rng.standard_normal(p) * (rng.random(p) < 0.4)) + rng.standard_normal(n)
    return A, b


def lattice(n_rows=5, n_columns=6, seed=0):
    """Weighted lattice with a few labelled nodes: matrix and right-hand side of the others."""
    rng = np.random.default_rng(seed)
    size = n_rows * n_columns
    W = sp.lil_matrix((size, size))
    for c in range(n_columns):
        for r in range(n_rows):
            node = r + c * n_rows
            if r + 1 < n_rows:
                W[node, node + 1] = W[node + 1, node] = 1.0 + rng.random()
            if c + 1 < n_columns:
                W[node, node + n_rows] = W[node + n_rows, node] = 1.0 + rng.random()
    W = W.tocsr()
    labelled = np.sort(rng.choice(size, 4, replace=False))
    free = np.setdiff1d(np.arange(size), labelled)
    L = sp.diags(np.asarray(W.sum(axis=1)).ravel()) - W
    b = W[free][:, labelled] @ (3.0 * rng.standard_normal(len(labelled)))
    return sp.csr_matrix(L.tocsr()[free][:, free]), b, free


def datafit(name, seed=0, l2=0.0):
    A, b = rows(seed)
    signs = np.where(b > np.median(b), 1.0, -1.0)
    if name == "least squares":
        return LeastSquares(A, b, l2=l2)
    if name == "logistic":
        return Logistic(A, signs, l2=l2)
    if name == "squared hinge":
        return SquaredHinge(A, signs, l2=l2)
    if name == "softmax":
        labels = np.digitize(b, np.quantile(b, [1 / 3, 2 / 3]))
        return Softmax(A[:, :4], labels, l2=l2)
    if name == "graph":
        matrix, right, _ = lattice(seed=seed)
        return GraphQuadratic(matrix, right, l2=l2)
    return SVMDual(A[:, :5] / np.std(A), signs, l2=l2)


def penalty(name, n_variables, strength=1.0):
    if name == "group l1":
        labels = np.arange(n_variables) // 3
        return GroupL1(strength, [np.flatnonzero(labels == g) for g in np.unique(labels)])
    return {
        "l1": lambda: L1(strength),
        "positive l1": lambda: L1(strength, positive=True),
        "elastic net": lambda: ElasticNet(strength, 0.6),
        "nonnegative": lambda: NonNegative(),
        "box": lambda: Box(0.0, 0.3),
        "l2": lambda: L2(strength),
    }[name]()
