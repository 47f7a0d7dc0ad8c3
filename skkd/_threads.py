"""Threads: BLAS held to one while our own workers share the rows.

A block of rows small enough for the cache is too small for BLAS to share among threads; the rows
are shared instead, one run of blocks per worker. How rows are cut never depends on the number of
workers, so neither do results.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from scipy import sparse
from threadpoolctl import ThreadpoolController

__all__ = [
    "affine_rows",
    "blas_threads",
    "quiet_single_thread",
    "run_in_threads",
    "single_blas_thread",
]

# Below this many bytes of X a product is left to BLAS; above it, blocks of rows go to workers.
_SMALL_BYTES = 2**23
_BLOCK_BYTES = 2**21


class _State:
    """What the process shares: the limit on BLAS, and the workers."""

    def __init__(self):
        self.limiting = threading.Lock()
        self.threads_before = None
        self.controller = None
        self.pool = None


_state = _State()
_working = threading.local()


def blas_threads():
    """Threads that BLAS may use, at least 1; limits set by the user or by joblib count."""
    before = _state.threads_before
    if before is not None:  # the limit in force is our own
        return before
    counts = [library.num_threads for library in _controller().lib_controllers]
    return max(1, min(counts, default=1))


@contextmanager
def single_blas_thread():
    """Hold BLAS to one thread.

    The limit belongs to the process, and whoever sets it must lift it, in the same thread. So one
    thread at a time is in charge; others that come meanwhile find the limit set and go ahead. If
    they outstay it, they are slower for a moment, not wrong.
    """
    if not _state.limiting.acquire(blocking=False):
        yield
        return
    try:
        _state.threads_before = blas_threads()
        with _controller().limit(limits=1):
            yield
    finally:
        _state.threads_before = None
        _state.limiting.release()


@contextmanager
def quiet_single_thread(X):
    """For NumPy, hold BLAS to one thread and let overflow pass, which is reported at the end.

    Passes over rows bring their own threads; the small products between them, and those of data
    that fits the cache, only wait for BLAS to wake its own.
    """
    if not (isinstance(X, np.ndarray) or sparse.issparse(X)):
        yield
        return
    with single_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        yield


def run_in_threads(function, items, n_threads):
    """``[function(item) for item in items]`` on up to `n_threads` threads, in order.

    For work that releases the GIL. Work that comes here itself is not divided again: the workers
    are taken, and if all of them waited for each other, none would ever finish.
    """
    n_threads = min(n_threads, len(items))
    if n_threads <= 1 or getattr(_working, "here", False):
        return [function(item) for item in items]
    results = [None] * len(items)
    todo = iter(range(len(items)))  # next() on it is atomic: each worker takes what is left

    def work():
        _working.here = True
        try:
            for i in todo:
                results[i] = function(items[i])
        finally:
            _working.here = False

    # The caller works too: were it to sleep, the scheduler would tend to wake two workers on the
    # core that it leaves, and keep them there for milliseconds.
    others = [_pool().submit(work) for _ in range(n_threads - 1)]
    try:
        work()
    finally:
        for other in others:
            other.result()
    return results


def affine_rows(X, V, offset):
    """``X @ V + offset`` for dense NumPy X of many rows and V of few columns.

    BLAS shares products among threads as if both factors were large, and for such shapes two of
    its threads can be slower than one. Here blocks of rows are shared, and the offset is added
    while a block is in cache.
    """
    if X.nbytes <= _SMALL_BYTES:
        return X @ V + offset
    n_threads = blas_threads()
    rows = max(_BLOCK_BYTES // (X.shape[1] * X.itemsize), 1)
    out = np.empty((X.shape[0], V.shape[1]), dtype=np.result_type(X, V, offset))

    def multiply(low):
        block = out[low : low + rows]
        np.matmul(X[low : low + rows], V, out=block)
        block += offset

    with single_blas_thread():
        run_in_threads(multiply, range(0, X.shape[0], rows), n_threads)
    return out


def _pool():
    """Worker threads, started as they are needed."""
    if _state.pool is None:
        workers = max(32, os.cpu_count() or 1)
        _state.pool = ThreadPoolExecutor(workers, thread_name_prefix="skkd")
    return _state.pool


def _controller():
    """Controller of the BLAS libraries; finding them takes milliseconds, so it is kept."""
    if _state.controller is None:
        _state.controller = ThreadpoolController().select(user_api="blas")
    return _state.controller


def _start_afresh():
    """After a fork: the child inherits neither the workers nor the locks' owners."""
    global _state
    _state = _State()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
