"""Transport between large NumPy batches: the loops of :mod:`skkd._kernels.transport` in threads.

Computes what the array-API code of :mod:`skkd.losses._transport` does, to rounding. Rows are cut
into chunks by the shape alone and partial sums added in order, so that results do not depend on the
number of threads.
"""

import numpy as np

from .._threads import blas_threads, run_in_threads

__all__ = ["transport_pays", "transported"]

# Differences from which on loading the kernels (a third of a second, once) is worth it.
_SMALL = 2**17
# Entries of a chunk of rows: of tables of classes and of single matrices.
_CHUNK = 2**17


def transport_pays(P, Q):
    """Whether these rows are dense NumPy ones and many."""
    return (
        type(P) is np.ndarray
        and type(Q) is np.ndarray
        and P.shape[0] * Q.size > _SMALL
        and P.dtype in (np.float32, np.float64)
    )


def transported(P, Q, w, epsilon, n_iter, *, both=False):
    """Cost of the transport and its gradient in `P`; `both` adds that in `Q`, which is `P`."""
    from .._kernels import transport as kernels

    n, n_classes = P.shape
    P, QT = np.ascontiguousarray(P), np.ascontiguousarray(Q.T)
    D, K = np.empty((2, n, n), dtype=P.dtype)
    _in_chunks(
        lambda low, high: kernels.cost_rows(P, QT, -1.0 / epsilon, D, K, low, high), n, n_classes
    )
    value, G = _unrolled(kernels, K, D, w, epsilon, n_iter)
    out = np.empty_like(P)
    _in_chunks(lambda low, high: kernels.pull_rows(G, P, QT, out, low, high), n, n_classes)
    if both:
        other, G = np.empty_like(P), np.ascontiguousarray(G.T)
        _in_chunks(lambda low, high: kernels.pull_rows(G, P, QT, other, low, high), n, n_classes)
        out += other
    return value, out


def _unrolled(kernels, K, D, w, epsilon, n_iter):
    """Cost after the rounds, and its gradient in the costs."""
    n = K.shape[0]
    # Left and right factors of the rounds' terms, row by row.
    left, right = np.empty((2, 2 * n_iter, n), dtype=K.dtype)
    a, b = np.empty((n_iter, n), dtype=K.dtype), np.ones((n_iter + 1, n), dtype=K.dtype)
    for k in range(n_iter):
        wb = w * b[k]
        b[k + 1] = 1.0 / _summed(
            lambda sums, low, high, k=k, wb=wb: kernels.forward_round(
                K, wb, w, a[k], sums, low, high
            ),
            K,
        )
    wa, wb = w * a[-1], w * b[-1]
    of_a = np.empty_like(w)
    of_b = wb * _summed(
        lambda sums, low, high: kernels.first_adjoints(K, D, wa, wb, of_a, sums, low, high), K
    )
    value = np.sum(of_a, dtype=np.float64)
    for k in range(n_iter - 1, -1, -1):
        x, y = right[2 * k], left[2 * k + 1]
        np.multiply(b[k + 1], of_b, out=x)
        np.multiply(w, a[k], out=left[2 * k])
        np.multiply(w, b[k], out=right[2 * k + 1])
        sums = _summed(
            lambda sums, low, high, k=k, x=x, y=y: kernels.backward_round(
                K, x, w, a[k], of_a, y, sums, low, high
            ),
            K,
        )
        of_b = -right[2 * k + 1] * sums
        of_a[:] = 0.0
    through = left.T @ right
    _in_chunks(
        lambda low, high: kernels.plan_gradient(K, D, wa, wb, 1.0 / epsilon, through, low, high), n
    )
    return value, through


def _summed(work, K):
    """Sum over chunks of rows of what ``work(sums, low, high)`` leaves in `sums`."""

    def chunk(low, high):
        sums = np.empty(K.shape[1], dtype=K.dtype)
        work(sums, low, high)
        return sums

    parts = _in_chunks(chunk, K.shape[0])
    return parts[0] if len(parts) == 1 else np.sum(parts, axis=0)


def _in_chunks(work, n, n_classes=1):
    """``work(low, high)`` for chunks of `n` rows of `n` entries times `n_classes` each."""
    rows = max(_CHUNK // (n * n_classes) // 2 * 2, 16)
    lows = range(0, n, rows)
    return run_in_threads(lambda low: work(low, min(low + rows, n)), lows, blas_threads())
