"""A process that fits on request: for methods in an environment of their own, and for scouting.

A fit that takes too long cannot be interrupted from within, only its process can be ended; and a
peer that needs another NumPy needs another interpreter. The arrays are handed over as files, the
orders as lines of JSON, and the time is taken in the process that fits.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from scipy import sparse

from experiments.block_coordinate_descent.bench_peers import PEERS, fit
from experiments.block_coordinate_descent.bench_problems import Spec, build, dataset

__all__ = ["Overdue", "Shelf", "Worker"]

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0  # imports, compilation and loading, besides the time of a fit
COMPILING_FITS = 4  # a loose fit does not yet need all that is compiled


class Overdue(Exception):
    """A fit took longer than allowed; its process was ended."""


class Shelf:
    """Data sets as files in a folder, each written once; the last one is kept in memory."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self._last = (None, None)

    def get(self, name):
        """Return the arrays of a data set, made if they are not there."""
        if self._last[0] != name:
            self._last = (name, None)  # free the old one before the new one is loaded
            self._last = (name, self._load(name))
        return self._last[1]

    def _load(self, name):
        base = self.folder / name.replace(" ", "_")
        marker = base.with_suffix(".scores.npy")
        if not marker.exists():
            X, rows, scores = dataset(name)
            self._save(base, X)
            np.save(marker, scores)
            return X, rows, scores
        if base.with_suffix(".npz").exists():
            X = sparse.load_npz(base.with_suffix(".npz"))
            return X, X.tocsr(), np.load(marker)
        X = np.load(base.with_suffix(".npy"))
        return X, np.ascontiguousarray(X), np.load(marker)

    def _save(self, base, X):
        if sparse.issparse(X):
            sparse.save_npz(base.with_suffix(".npz"), X, compressed=False)
        else:
            np.save(base.with_suffix(".npy"), X)


class Worker:
    """A process that waits for fits.

    Parameters
    ----------
    folder : path
        Where the :class:`Shelf` is.
    python : str, optional
        Its interpreter, by default this one.
    threads : int, optional
        Number of BLAS and OpenMP threads; the libraries' own choice by default.
    """

    def __init__(self, folder, python=sys.executable, threads=None):
        self.folder, self.python, self.threads = Path(folder), python, threads
        self._process = None
        self._fits = Counter()
        self._spec = None

    def fit(self, name, spec, tol, setting, seconds=30.0):
        """Fit; return the seconds it took, the coefficients and the intercept.

        Raises
        ------
        Overdue
            It took longer than `seconds`. The next call starts a new process.
        RuntimeError
            The method raised; its message.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        order = {"name": name, "spec": spec.to_json(), "tol": tol, "setting": setting}
        reply = self._ask(order, seconds + self._grace(name, spec))
        if "error" in reply:
            raise RuntimeError(reply["error"])
        with np.load(reply["file"]) as found:
            return reply["seconds"], found["coef"], found["intercept"]

    def _grace(self, name, spec):
        fits = COMPILING_FITS if PEERS[name].compiles else 1
        kind = (name, spec.family, "sparse" in spec.data or "text" in spec.data)
        young = self._fits[kind] < fits or spec != self._spec
        self._fits[kind] += 1
        self._spec = spec
        return START_SECONDS * young

    def close(self):
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
        self._process, self._spec = None, None
        self._fits.clear()

    def _start(self):
        self.close()
        environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS="ignore")
        if self.threads:
            for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
                environment[variable] = str(self.threads)
        self._process = subprocess.Popen(
            [self.python, "-m", "experiments.block_coordinate_descent.bench_worker", self.folder],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, order, seconds):
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise RuntimeError("its process could not be started") from error
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                self.close()
                raise Overdue(f"over {seconds:g} s")
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            raise RuntimeError(f"its process ended with status {status}")
        return json.loads(line)


def serve(folder):
    """Answer orders until standard input ends."""
    # Libraries print; the pipe of replies is kept for replies.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    shelf, last = Shelf(folder), (None, None)
    with contextlib.suppress(KeyboardInterrupt):
        for line in sys.stdin:
            order = json.loads(line)
            spec = Spec(**order["spec"])
            if last[0] != spec:
                last = (spec, build(spec, shelf.get(spec.data)))
            print(json.dumps(_answer(order, last[1], folder)), file=replies, flush=True)


def _answer(order, problem, folder):
    warnings.simplefilter("ignore")
    try:
        fresh = fit if PEERS[order["name"]].installed else _absent
        start = time.perf_counter()
        coef, intercept = fresh(order["name"], problem, order["tol"], order["setting"])
        seconds = time.perf_counter() - start
    except Exception as error:  # whatever a peer raises is an answer
        return {"error": f"{type(error).__name__}: {error}"}
    path = str(Path(folder) / f"reply-{os.getpid()}.npz")
    np.savez(path, coef=coef, intercept=intercept)
    return {"seconds": seconds, "file": path}


def _absent(name, *_):
    raise ModuleNotFoundError(f"no module {PEERS[name].module!r} in {sys.executable}")


if __name__ == "__main__":
    serve(sys.argv[1])
