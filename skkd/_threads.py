"""Threads: BLAS held to one while our own workers share the rows.

A block of rows small enough for the cache is too small for BLAS to share among threads; the rows
are shared instead, one run of blocks per worker. How rows are cut never depends on the number of
workers, so neither do results.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

__all__ = ["blas_threads", "run_in_threads", "single_blas_thread"]


class _Blas:
    """The process-wide BLAS thread limit, and how many of us want it to be one."""

    def __init__(self):
        self.lock = threading.Lock()
        self.users = 0
        self.threads = None
        self.limit = None

    def count(self):
        """Threads of the BLAS libraries as the user or joblib set them."""
        if self.users:  # the limit in force is our own
            return self.threads
        counts = [library.num_threads for library in _controller().lib_controllers]
        return max(1, min(counts, default=1))


_blas = _Blas()
_blas_controller = None
_pool = None


def blas_threads():
    """Threads that BLAS may use, at least 1; limits set by the user or by joblib count."""
    with _blas.lock:
        return _blas.count()


@contextmanager
def single_blas_thread():
    """Hold BLAS to one thread.

    The limit is global to the process. Several threads may be inside at once: the first one in
    sets it and the last one out lifts it, so that none restores another one's limit.
    """
    state = _blas
    with state.lock:
        if state.users == 0:
            state.threads = state.count()
            state.limit = _controller().limit(limits=1)
        state.users += 1
    try:
        yield
    finally:
        with state.lock:
            state.users -= 1
            if state.users == 0:
                state.limit.restore_original_limits()


def run_in_threads(function, items, n_threads):
    """``[function(item) for item in items]`` on up to `n_threads` threads, in order.

    For work that releases the GIL.
    """
    global _pool
    if n_threads == 1 or len(items) == 1:
        return [function(item) for item in items]
    if _pool is None or _pool._max_workers < n_threads:
        _pool = ThreadPoolExecutor(n_threads, thread_name_prefix="skkd")
    return list(_pool.map(function, items))


def _controller():
    """Controller of the BLAS libraries; finding them takes milliseconds, so it is kept."""
    global _blas_controller
    if _blas_controller is None:
        _blas_controller = ThreadpoolController().select(user_api="blas")
    return _blas_controller


def _start_afresh():
    """After a fork: the child inherits neither the workers nor a promise to restore BLAS."""
    global _blas, _pool
    _blas, _pool = _Blas(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
