"""Small datafits of every kind, and their formulas in plain dense NumPy."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit, logsumexp, softmax

from skkd.objectives import (
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Softmax,
    SquaredHinge,
    SVMDual,
)

N_ROWS, N_COLUMNS, N_CLASSES = 13, 6, 4
L2 = 0.3


def rows(seed=0, *, zero_column=True):
    """A badly scaled matrix with some zeros, one zero column and two equal columns."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((N_ROWS, N_COLUMNS)) * (rng.random((N_ROWS, N_COLUMNS)) < 0.8)
    A *= [1.0, 4.0, 0.2, 1.0, 2.0, 1.0]
    A[:, 5] = A[:, 3]
    if zero_column:
        A[:, 2] = 0.0
    return A


def laplacian(n=8, seed=0):
    """Laplacian of a random graph of `n` nodes plus some mass on the diagonal."""
    rng = np.random.default_rng(seed)
    W = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.4), 1)
    W = W + W.T
    return np.diag(W.sum(axis=0) + rng.random(n)) - W


@dataclass(frozen=True)
class Case:
    """A kind of datafit: how to make one, and its formulas at ``x`` without the ridge."""

    name: str
    make: Any  # (A, weight=, l2=) -> datafit
    value: Any  # (A, weight, x) -> float
    hessian: Any  # (A, weight, x) -> (N, N)
    weighted: bool = True
    third_order: bool = True
    matrix: Any = field(default=rows)

    def __str__(self):
        return self.name


def _targets(n):
    return np.random.default_rng(1).standard_normal(n)


def signs(n):
    """Labels -1 and 1."""
    return np.where(np.arange(n) % 3 == 0, -1.0, 1.0)


def classes(n):
    """Labels 0 to 3."""
    return np.arange(n) % N_CLASSES


def _softmax_hessian(A, w, x):
    P = softmax(A @ x.reshape(-1, N_CLASSES), axis=1)
    H = np.zeros((x.size, x.size))
    for a, p, weight in zip(A, P, w, strict=True):
        H += weight * np.kron(np.outer(a, a), np.diag(p) - np.outer(p, p))
    return H


def _softmax_value(A, w, x):
    Z = A @ x.reshape(-1, N_CLASSES)
    return w @ (logsumexp(Z, axis=1) - Z[np.arange(len(Z)), classes(len(Z))])


def _hinge_hessian(A, w, x):
    return A.T @ ((w * (signs(len(A)) * (A @ x) < 1))[:, None] * A)


def _logistic_hessian(A, w, x):
    return A.T @ ((w * expit(A @ x) * expit(-A @ x))[:, None] * A)


CASES = [
    Case(
        "least-squares",
        lambda A, weight=None, l2=0.0: LeastSquares(
            A, _targets(A.shape[0]), l2=l2, sample_weight=weight
        ),
        lambda A, w, x: 0.5 * w @ (A @ x - _targets(len(A))) ** 2,
        lambda A, w, x: A.T @ (w[:, None] * A),
    ),
    Case(
        "logistic",
        lambda A, weight=None, l2=0.0: Logistic(A, signs(A.shape[0]), l2=l2, sample_weight=weight),
        lambda A, w, x: w @ np.logaddexp(0, -signs(len(A)) * (A @ x)),
        _logistic_hessian,
    ),
    Case(
        "squared-hinge",
        lambda A, weight=None, l2=0.0: SquaredHinge(
            A, signs(A.shape[0]), l2=l2, sample_weight=weight
        ),
        lambda A, w, x: 0.5 * w @ np.maximum(0, 1 - signs(len(A)) * (A @ x)) ** 2,
        _hinge_hessian,
        third_order=False,
    ),
    Case(
        "softmax",
        lambda A, weight=None, l2=0.0: Softmax(
            A, classes(A.shape[0]), l2=l2, sample_weight=weight, n_classes=N_CLASSES
        ),
        _softmax_value,
        _softmax_hessian,
    ),
    Case(
        "svm-dual",
        lambda A, weight=None, l2=0.0: SVMDual(A, signs(A.shape[0]), l2=l2),
        lambda A, w, x: 0.5 * np.sum((A.T @ (signs(len(A)) * x)) ** 2) - x.sum(),
        lambda A, w, x: (signs(len(A))[:, None] * A) @ (signs(len(A))[:, None] * A).T,
        weighted=False,
    ),
    Case(
        "graph",
        lambda A, weight=None, l2=0.0: GraphQuadratic(A, _targets(A.shape[0]), l2=l2),
        lambda A, w, x: 0.5 * x @ A @ x - _targets(len(A)) @ x,
        lambda A, w, x: A,
        weighted=False,
        matrix=laplacian,
    ),
]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr_array": sparse.csr_array,
    "csc_matrix": sparse.csc_matrix,
}


def problem(case, layout="C", *, weights=False, l2=L2, seed=0):
    """A datafit of a case, its matrix and its weights, which are ones where it has none."""
    A = case.matrix(seed=seed)
    n = A.shape[0]
    weight = np.random.default_rng(2).integers(0, 4, n).astype(float) if weights else None
    make = {"weight": weight} if weights else {}
    datafit = case.make(LAYOUTS[layout](A), l2=l2, **make)
    return datafit, A, np.ones(n) if weight is None else weight


def blocks(datafit, rng):
    """Blocks of several sizes in random order; for softmax of one, of some and of all classes."""
    N = datafit.n_variables
    found = [rng.permutation(N)[:size] for size in (1, 2, 5, N)]
    if isinstance(datafit, Softmax):
        K = datafit.n_classes
        found += [np.arange(0, N, K), np.array([1, 3, K + 1, 2 * K + 3]), np.arange(2 * K)]
    return found


def points(datafit, rng):
    """Points near zero, of usual size, and of extreme logits."""
    return [size * rng.standard_normal(datafit.n_variables) for size in (1e-3, 1.0, 30.0)]
