r"""Products with a few columns of a matrix, dense or sparse, and the size of its Gram matrix.

With row weights :math:`w` the Gram matrix is :math:`A^\top \mathrm{diag}(w) A`. It is never formed
whole here: sums over its rows come from panels of columns, its norm from the smaller of
:math:`A^\top A` and :math:`A A^\top` or from the Lanczos method.
"""

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, eigsh

__all__ = [
    "absolute_row_sums",
    "add_product",
    "gram",
    "gram_norm",
    "rounded_up",
    "scaled",
    "segments",
    "squared_norms",
    "squared_row_norms",
    "take",
    "top_of_operator",
]

# Most bytes of one panel of the Gram matrix.
PANEL_BYTES = 48_000_000
# Up to this size of its smaller side a Gram matrix is formed and its spectrum computed exactly.
DENSE_SPECTRUM = 1000


def segments(indptr, block):
    """Positions of the stored entries of the columns `block`, and how many each column has."""
    starts = indptr[block]
    counts = indptr[block + 1] - starts
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if ends.size else 0) + np.repeat(
        starts - ends + counts, counts
    ), counts


def take(A, block):
    """Columns `block` of `A`: a Fortran-ordered array or a CSC matrix."""
    if not sparse.issparse(A):
        return A.T[block].T
    positions, counts = segments(A.indptr, block)
    indptr = np.concatenate(([0], np.cumsum(counts)))
    entries = (A.data[positions], A.indices[positions], indptr)
    return sparse.csc_array(entries, shape=(A.shape[0], len(block)))


def add_product(z, columns, d):
    """Add ``columns @ d`` to `z` in place; sparse columns touch the rows they have entries in."""
    if sparse.issparse(columns):
        np.add.at(z, columns.indices, columns.data * np.repeat(d, np.diff(columns.indptr)))
    else:
        z += columns @ d


def scaled(columns, factor):
    """Entry by entry product of `columns` with `factor`, of shape (n,) or that of `columns`."""
    if not sparse.issparse(columns):
        return columns * (factor[:, None] if factor.ndim == 1 else factor)
    if factor.ndim == 1:
        factors = factor[columns.indices]
    else:
        factors = factor[columns.indices, _column_of_entries(columns)]
    entries = (columns.data * factors, columns.indices, columns.indptr)
    return sparse.csc_array(entries, shape=columns.shape)


def gram(columns, weight=None):
    """Gram matrix of `columns`, dense and exactly symmetric."""
    if sparse.issparse(columns):
        if weight is not None:
            columns = scaled(columns, np.sqrt(weight))
        product = (columns.T @ columns).toarray()
        return 0.5 * (product + product.T)
    if weight is None:
        return columns.T @ columns
    height = max(1, PANEL_BYTES // (8 * columns.shape[1]))
    product, root = 0.0, np.sqrt(weight)
    for start in range(0, columns.shape[0], height):
        rows = slice(start, start + height)
        panel = columns[rows] * root[rows, None]
        product = product + panel.T @ panel
    return product


def squared_norms(A, weight=None):
    """Squares of the norms of all columns: the diagonal of the Gram matrix."""
    if sparse.issparse(A):
        squares = A.data**2 if weight is None else A.data**2 * weight[A.indices]
        return np.bincount(_column_of_entries(A), squares, minlength=A.shape[1])
    if weight is None:
        return np.einsum("ij,ij->j", A, A)
    return np.einsum("ij,ij,i->j", A, A, weight)


def squared_row_norms(columns):
    """Squares of the Euclidean norms of the rows of `columns`."""
    if sparse.issparse(columns):
        return np.bincount(columns.indices, columns.data**2, minlength=columns.shape[0])
    return np.einsum("ij,ij->i", columns, columns)


def absolute_row_sums(A, weight=None):
    """Sums over the rows of the absolute Gram matrix, from one panel of its columns at a time."""
    width = max(1, PANEL_BYTES // (8 * max(A.shape)))
    sums = np.empty(A.shape[1])
    for start in range(0, A.shape[1], width):
        stop = min(start + width, A.shape[1])
        panel = A[:, start:stop]
        if weight is not None:
            panel = scaled(panel, weight)
        panel = A.T @ panel
        if sparse.issparse(panel):
            sums[start:stop] = np.asarray(abs(panel).sum(axis=0)).ravel()
        else:
            np.abs(panel, out=panel)
            sums[start:stop] = panel.sum(axis=0)
    return sums


def gram_norm(A, weight=None):
    """Largest eigenvalue of the Gram matrix, rounded up so that it bounds all of them."""
    if not np.any(squared_norms(A, weight)):
        return 0.0
    if min(A.shape) <= DENSE_SPECTRUM:
        return rounded_up(_dense_top(A, weight), min(A.shape))
    return _lanczos_top(A, weight)


def _dense_top(A, weight):
    """Largest eigenvalue of the smaller of the two Gram matrices."""
    if A.shape[1] <= A.shape[0]:
        small = gram(A, weight)
    else:
        small = gram(A.T.tocsc() if sparse.issparse(A) else A.T)
        if weight is not None:
            root = np.sqrt(weight)
            small *= root[:, None] * root
    last = small.shape[0] - 1
    return linalg.eigh(small, eigvals_only=True, subset_by_index=[last, last])[0]


def _lanczos_top(A, weight):
    """Largest eigenvalue by the Lanczos method, from a fixed start, with its residual added."""
    tall = A.shape[0] >= A.shape[1]
    root = np.ones(1) if weight is None else np.sqrt(weight)

    def product(v):
        v = np.ravel(v)
        return A.T @ (root**2 * (A @ v)) if tall else root * (A @ (A.T @ (root * v)))

    m = min(A.shape)
    operator = LinearOperator((m, m), matvec=product, dtype=np.float64)
    return top_of_operator(operator)


def top_of_operator(operator):
    """Largest eigenvalue of a symmetric operator, plus what the Lanczos method may have missed."""
    m = operator.shape[0]
    start = np.random.default_rng(0).standard_normal(m)
    values, vectors = eigsh(operator, k=1, which="LA", v0=start, tol=1e-10)
    residual = np.linalg.norm(operator @ vectors[:, 0] - values[0] * vectors[:, 0])
    return rounded_up(values[0] + residual, m)


def rounded_up(value, size):
    """An eigenvalue of a matrix of `size` rows, plus the rounding errors of computing it."""
    return float(value) * (1.0 + 4.0 * size * np.finfo(np.float64).eps)


def _column_of_entries(A):
    return np.repeat(np.arange(A.shape[1]), np.diff(A.indptr))
