"""What the machine is and how fast it can read memory: the context of every timing.

A first-order method on a dense matrix reads the matrix once per product, so the time of a pass
is bounded from below by bytes / bandwidth. A benchmark reports how close it comes to that.
"""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata

import numpy as np

LIBRARIES = (
    "skkd",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "joblib",
    "threadpoolctl",
    "pandas",
    "dask",
)
# Named where they are installed: the versions of those we are timed beside.
PEERS = (
    "skglm",
    "celer",
    "glum",
    "mord",
    "POT",
    "python-glmnet",
    "scikit-learn-intelex",
    "snapml",
    "statsmodels",
    "torch",
)
_ABSENT = "not installed"


@dataclass(frozen=True)
class Bandwidth:
    """Sustained read bandwidth in bytes per second."""

    single_thread: float
    all_threads: float
    n_threads: int
    n_bytes: int


def read_bandwidth(n_bytes: int = 2**29, dtype="float64", repeats: int = 5) -> Bandwidth:
    """Measure how fast this machine reads an array that does not fit its caches.

    Parameters
    ----------
    n_bytes : int, default=2**29
        Size of the buffer. It must be far larger than the last-level cache (tens of MB on
        current processors, hundreds on some servers), or the cache is what is measured.
    dtype : {"float64", "float32"}, default="float64"
        Type of the elements.
    repeats : int, default=5
        The best of so many readings counts: disturbances only ever make one slower.

    Returns
    -------
    Bandwidth
    """
    from joblib import cpu_count
    from threadpoolctl import threadpool_limits

    n_threads = cpu_count()
    parts = np.array_split(np.empty(n_bytes // np.dtype(dtype).itemsize, dtype), n_threads)
    # BLAS is held to one thread: the threads are ours, so that the split is known and does not
    # depend on whether the BLAS at hand threads its dot product.
    with threadpool_limits(limits=1), ThreadPoolExecutor(n_threads) as pool:
        # Written by the thread that reads it: on a machine with several memory controllers, the
        # first write decides where a page lives. Zeros never written would share one page.
        list(pool.map(_fill, parts))
        single = min(_seconds(lambda: [_read(part) for part in parts]) for _ in range(repeats))
        together = min(_seconds(lambda: list(pool.map(_read, parts))) for _ in range(repeats))
    total = sum(part.nbytes for part in parts)
    return Bandwidth(total / single, total / together, n_threads, total)


def environment() -> dict:
    """Describe the machine and the libraries.

    Returns
    -------
    dict
        ``cpu``, ``cores`` (physical and logical), ``system``, ``python``, ``blas`` (one entry for
        each thread pool that threadpoolctl sees) and ``libraries``; JSON-able.
    """
    import scipy.linalg  # noqa: F401  SciPy carries a BLAS of its own; loaded so that it is seen
    from joblib import cpu_count
    from threadpoolctl import threadpool_info

    pools = [
        {
            "library": pool["internal_api"],
            "version": pool.get("version"),
            "architecture": pool.get("architecture"),
            "threads": pool["num_threads"],
        }
        # Sorted: the order is that of loading, and equal environments must compare equal.
        for pool in sorted(threadpool_info(), key=lambda pool: pool["filepath"])
    ]
    versions = {name: _version(name) for name in LIBRARIES + PEERS}
    return {
        "cpu": _cpu_model(),
        "cores": {"physical": cpu_count(only_physical_cores=True), "logical": os.cpu_count()},
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "blas": pools,
        "libraries": {
            name: version
            for name, version in versions.items()
            if version != _ABSENT or name in LIBRARIES
        },
    }


def describe_environment(found: dict) -> dict[str, str]:
    """Write :func:`environment` in a few lines for people, by heading."""
    cores, pools = found["cores"], found["blas"]
    threads = [
        f"{pool['library']} {pool['version'] or ''} ({pool['threads']} threads)" for pool in pools
    ]
    return {
        "Processor": f"{found['cpu']}, {cores['physical']} cores, {cores['logical']} threads",
        "System": f"{found['system']}, Python {found['python']}",
        "Thread pools": "; ".join(threads) or "none",
        "Libraries": ", ".join(f"{name} {v}" for name, v in found["libraries"].items()),
    }


def _read(part):
    # A dot product of a vector with itself reads each element from memory once and needs one
    # vectorised multiply-add for it, so memory is what limits it, in both precisions. np.sum adds
    # pairwise, which on float32 can be slower than the memory; a copy would also write. NumPy
    # releases the interpreter lock during the product, so threads do run at the same time.
    return np.dot(part, part)


def _fill(part):
    part[:] = 1.0


def _seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model n")]
    except OSError:  # not Linux
        names = []
    return next((name for name in names if not name.isdigit()), platform.processor() or "unknown")


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return _ABSENT
