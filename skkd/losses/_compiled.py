"""The door from losses to compiled loops, for matrices of logits that are worth it.

The array-API code of each loss is the reference and the only path for other libraries and small
data. For large dense NumPy logits the loops of :mod:`skkd._kernels` compute the same to rounding,
several times faster: one pass over the logits where the plain code makes twenty.

A loss whose preparation only softens the teacher's logits prepares nothing then (:func:`deferred`):
the compiled pass does it on the way.
"""

import numpy as np

from .._threads import blas_threads, run_in_threads

__all__ = [
    "compiled",
    "deferred",
    "flat_pass",
    "own_losses",
    "pass_over_rows",
    "ranking_pass",
    "rankings",
    "softmax_curvature",
    "standardized",
    "unstandardized",
]

# Entries of a matrix of logits from which on loading the kernels (a third of a second, once)
# is not felt beside what they save.
SMALL = 2**15
# Entries of a chunk: long enough that handing it to a thread is nothing, short enough that no
# thread waits long for the last.
_CHUNK = 2**12
_ALONE = 2**16  # entries up to which waking a thread takes as long as it saves
_CHUNKS = 32


def compiled(Z):
    """Whether `Z` is dense NumPy logits of enough entries."""
    return (
        type(Z) is np.ndarray
        and Z.ndim == 2
        and Z.size > SMALL
        and Z.dtype in (np.float32, np.float64)
        and Z.shape[1] > 1
    )


def deferred(target):
    """Whether the target was left as it is by the preparation, for the compiled pass to do."""
    return isinstance(target.prepared, tuple) and not target.prepared


def pass_over_rows(kernel, Z, others, weight, arguments, *, before=(), chunk=_CHUNK):
    """Run a kernel over chunks of rows.

    Parameters
    ----------
    kernel : callable
        ``kernel(*before, Z, by_class, *others, factors, *arguments, G, low, high)``.
    Z : array of shape (n, C)
        Logits.
    others : tuple
        Matrices, which are passed with a flag of their layout, and vectors.
    weight : float or array of shape (n,)
        Weights of rows.
    chunk : int, default=2**12
        Fewest entries worth a thread.

    Returns
    -------
    value : 0-d array
        Summed loss, in float64.
    gradient : array of shape (n, C)
        Laid out as `Z` is.
    """
    inner, by_class = laid_out(Z)
    given = []
    for other in others:
        given += laid_out(other) if other.ndim == 2 else (np.ascontiguousarray(other),)
    factors = np.atleast_1d(np.asarray(weight, dtype=np.float64))
    G = np.empty(inner.shape, dtype=Z.dtype)

    def work(rows):
        return kernel(
            *before, inner, by_class, *given, factors, *arguments, G, rows.start, rows.stop
        )

    values = run_in_threads(work, _chunks(*Z.shape, chunk), blas_threads())
    return np.float64(sum(values)), G.T if by_class else G


def flat_pass(kernel, Z, T, weight, arguments, *, before, chunk=_CHUNK):
    """As :func:`pass_over_rows` for losses of single entries, which may forget about rows.

    None where they may not: rows that weigh differently, or matrices laid out differently.
    """
    same = Z.flags.c_contiguous and T.flags.c_contiguous
    if not (
        isinstance(weight, float) and (same or (Z.flags.f_contiguous and T.flags.f_contiguous))
    ):
        return None
    z, t = (A.reshape(1, -1) if same else A.T.reshape(1, -1) for A in (Z, T))
    value, G = pass_over_rows(kernel, z.T, (t.T,), weight, arguments, before=before, chunk=chunk)
    return value, G.reshape(Z.shape) if same else G.reshape(Z.T.shape).T


def own_losses(Z, y):
    """Cross-entropy of each row, shape (n,)."""
    from .._kernels.softmax_losses import label_losses

    inner, by_class = laid_out(Z)
    out = np.empty(Z.shape[0], dtype=Z.dtype)

    def work(rows):
        label_losses(inner, by_class, y, out, rows.start, rows.stop)

    run_in_threads(work, _chunks(*Z.shape), blas_threads())
    return out


def softmax_curvature(Z, weight, temperature):
    """Return ``V -> s (diag(p) - p p^T) V``, p the softmax of ``Z / temperature``."""
    from .._kernels.softmax_products import product_rows, softmax_rows

    inner, by_class = laid_out(Z)
    P = np.empty(Z.shape[::-1], dtype=Z.dtype)
    factors = np.atleast_1d(np.asarray(weight, dtype=np.float64))
    chunks = _chunks(*Z.shape)
    run_in_threads(
        lambda rows: softmax_rows(inner, by_class, temperature, P, rows.start, rows.stop),
        chunks,
        blas_threads(),
    )

    def product(V):
        inner, by_class = laid_out(V)
        G = np.empty(inner.shape, dtype=V.dtype)
        run_in_threads(
            lambda rows: product_rows(P, inner, by_class, factors, G, rows.start, rows.stop),
            chunks,
            blas_threads(),
        )
        return G.T if by_class else G

    return product


def rankings(teacher_logits, y):
    """Classes of each row, the label first and the others by falling logit; ties in order."""
    T = np.ascontiguousarray(teacher_logits)
    order = np.empty(T.shape, dtype=np.intp)

    def work(rows):
        _rank(T[rows], y[rows], order[rows])

    run_in_threads(work, _chunks(*T.shape), blas_threads())
    return order


def ranking_pass(Z, teacher_logits, y, order, weight, temperature):
    """Value and gradient of a ranking loss; `order` None is found on the way."""
    from .._kernels.ranking import ranking_rows

    Z = np.ascontiguousarray(Z)
    T = np.ascontiguousarray(teacher_logits)
    uniform = temperature is None
    factors = np.atleast_1d(np.asarray(weight, dtype=np.float64))
    G = np.empty_like(Z)

    def work(rows):
        if order is None:
            own = np.empty((rows.stop - rows.start, T.shape[1]), dtype=np.intp)
            _rank(T[rows], y[rows], own)
        else:
            own = order[rows]
        return ranking_rows(
            *(Z, T, own, rows.start, uniform, factors),
            *(1.0 if uniform else temperature, G, rows.start, rows.stop),
        )

    return np.float64(sum(run_in_threads(work, _chunks(*Z.shape), blas_threads()))), G


def standardized(Z, eps):
    """Standardised rows and their standard deviations, shape (n,)."""
    from .._kernels.logit_losses import standardize_rows

    inner, by_class = laid_out(Z)
    S, spread = np.empty(Z.shape[::-1], dtype=Z.dtype), np.empty(Z.shape[0], dtype=Z.dtype)

    def work(rows):
        standardize_rows(inner, by_class, eps, S, spread, rows.start, rows.stop)

    run_in_threads(work, _chunks(*Z.shape), blas_threads())
    return S.T, spread


def unstandardized(gradient, scores, spread, eps, like):
    """Gradient in the logits, laid out as `like`, from that in the scores."""
    from .._kernels.logit_losses import unstandardize_rows

    D, S = np.ascontiguousarray(gradient.T), scores.T
    by_class = laid_out(like)[1]
    G = np.empty(like.shape[::-1] if by_class else like.shape, dtype=like.dtype)

    def work(rows):
        unstandardize_rows(D, S, spread, eps, G, by_class, rows.start, rows.stop)

    run_in_threads(work, _chunks(*like.shape), blas_threads())
    return G.T if by_class else G


def laid_out(A):
    """`A` or its transpose, whichever is contiguous, and whether it is the transpose."""
    if A.flags.c_contiguous and A.shape[1] > 1:  # a column is both: take it as a long row
        return A, False
    if A.flags.f_contiguous:
        return A.T, True
    return np.ascontiguousarray(A), False


def _rank(T, y, order):
    from .._kernels.ranking import finish_ranking

    # Not a stable sort, which is several times slower: ties are put in order afterwards.
    order[...] = np.argsort(T, axis=1)
    finish_ranking(T, y, order)


def _chunks(n_rows, n_classes, least=_CHUNK):
    """Slices of rows, a function of the shape alone."""
    if n_classes == 1:  # one long row
        per_chunk = max(least, -(-n_rows // _CHUNKS))
        return [slice(low, min(low + per_chunk, n_rows)) for low in range(0, n_rows, per_chunk)]
    if n_rows * n_classes <= _ALONE:
        return [slice(0, n_rows)]
    per_chunk = max(least // n_classes, -(-n_rows // _CHUNKS), 1)
    per_chunk = -(-per_chunk // 256) * 256 if n_classes < 512 else -(-per_chunk // 32) * 32
    return [slice(low, min(low + per_chunk, n_rows)) for low in range(0, n_rows, per_chunk)]
