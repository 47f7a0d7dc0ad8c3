"""What datafits accept, and the sentences in which they refuse the rest."""

import math
from numbers import Real

import numpy as np
from scipy import sparse

from ..._backend import is_numpy, namespace

__all__ = [
    "column_matrix",
    "number",
    "on_host",
    "one_hot_rows",
    "require_finite",
    "row_weights",
    "square_matrix",
    "vector",
]

# Relative difference of two entries that are meant to be equal.
ROUNDING = 1e-12


def column_matrix(A, name="A"):
    """`A` in float64 with fast columns: Fortran-ordered or CSC without repeated entries."""
    A = on_host(A, name)
    if sparse.issparse(A):
        A = sparse.csc_array(A, dtype=np.float64)
        if not A.has_canonical_format:
            A = A.copy()
            A.sum_duplicates()
        require_finite(A.data, name)
    else:
        A = np.asfortranarray(A, dtype=np.float64)
        require_finite(A, name)
    if A.ndim != 2 or 0 in A.shape:
        raise ValueError(
            f"{name} has shape {A.shape}, but must be a matrix with at least one row and one "
            "column; reshape a single column with A[:, None]"
        )
    return A


def square_matrix(A, name="A"):
    """Symmetric `A` as a CSR matrix in float64 with a non-negative diagonal."""
    A = sparse.csr_array(column_matrix(A, name))
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"{name} has shape {A.shape}, but must be square")
    difference = abs(A - A.T).max()
    if difference > ROUNDING * abs(A).max():
        raise ValueError(
            f"{name} must be symmetric, but an entry differs from its mirror image by "
            f"{difference:g}; the symmetric part 0.5 * ({name} + {name}.T) has the same quadratic"
        )
    if A.diagonal().min() < 0:
        raise ValueError(
            f"{name} has the negative diagonal entry {A.diagonal().min():g}, so the quadratic has "
            "no minimum; for a graph pass its Laplacian, degrees minus weights"
        )
    A.sort_indices()
    return A


def vector(b, n, name="b"):
    """`b` as a finite float64 vector of length `n`, copied."""
    b = np.array(on_host(b, name), dtype=np.float64)
    if b.shape != (n,):
        raise ValueError(f"{name} has shape {b.shape}, but must have shape ({n},)")
    require_finite(b, name)
    return b


def row_weights(sample_weight, n):
    """Weights of the rows as a vector without negative entries; None where all count once."""
    if sample_weight is None:
        return None
    weight = vector(sample_weight, n, "sample_weight")
    if weight.min() < 0:
        raise ValueError(
            f"sample_weight has the negative entry {weight.min():g}; weights must be at least 0, "
            "and a weight of 0 removes a row"
        )
    return weight


def one_hot_rows(Y, n, n_classes=None, name="Y"):
    """Rows of probabilities in float64 from such rows, or from labels 0, 1, ..."""
    Y = np.asarray(on_host(Y, name))
    if Y.ndim == 1:
        return _encoded(vector(Y, n, name), n_classes, name)
    Y = np.asfortranarray(Y, dtype=np.float64)
    if Y.ndim != 2 or Y.shape[0] != n or Y.shape[1] < 2:
        raise ValueError(
            f"{name} has shape {Y.shape}, but must hold one label for each of the {n} rows, or "
            "one column for each of at least 2 classes"
        )
    require_finite(Y, name)
    if Y.min() < 0 or np.abs(Y.sum(axis=1) - 1.0).max() > 1e-8:
        raise ValueError(f"each row of {name} must hold probabilities: none negative, sum 1")
    return Y


def _encoded(labels, n_classes, name):
    """One-hot rows of integer labels."""
    if n_classes is None:
        n_classes = max(2, int(labels.max()) + 1)
    if labels.min() < 0 or labels.max() >= n_classes or np.any(labels % 1):
        raise ValueError(
            f"{name} holds labels from {labels.min():g} to {labels.max():g}, but they must be the "
            f"integers 0 to {n_classes - 1}; encode them with sklearn.preprocessing.LabelEncoder"
        )
    rows = np.zeros((len(labels), n_classes), order="F")
    rows[np.arange(len(labels)), labels.astype(np.intp)] = 1.0
    return rows


def number(value, name):
    """`value` as a finite float that is not negative."""
    if not isinstance(value, Real) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is {value!r}, but must be a finite number of at least 0")
    return float(value)


def on_host(A, name):
    """`A` as a NumPy array or a sparse matrix; arrays of other libraries are refused."""
    if is_numpy(A):
        return A
    try:
        xp = namespace(A)
    except TypeError:  # a list, a data frame: no array of any library
        return np.asarray(A)
    library = xp.__name__.rpartition(".")[2]
    if library == "numpy":
        return np.asarray(A)
    raise TypeError(
        f"{name} is an array of {library}, but block coordinate descent is sequential by nature "
        "and runs on NumPy arrays and SciPy sparse matrices: move the data to the host first, "
        f"as with {name}.cpu().numpy() for torch or cupy.asnumpy({name}) for CuPy"
    )


def require_finite(values, name):
    """Refuse NaN and infinite entries."""
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinite entries; remove or impute them first")
