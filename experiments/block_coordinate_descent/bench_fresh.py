"""What a fresh process pays: imports and compilation, memory; and the overhead of a call.

Each measurement is made in a process of its own. The cache of compiled functions is a folder that
is empty at first; the second process finds what the first one left.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments._harness.timing import Table, measure
from experiments.block_coordinate_descent.bench_peers import PEERS, applicable, fit
from experiments.block_coordinate_descent.bench_problems import Spec, build

__all__ = ["first_calls", "memory", "overhead"]

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-6
NOT_INSTALLED = "not installed"
FIRST = (
    Spec("lasso", "200x5000", 0.01),
    Spec("lasso", "2000x50000 sparse", 0.1),
    Spec("enet", "200x5000", 0.01, 0.5),
    Spec("logistic", "200x5000", 0.1),
    Spec("group", "100x5000 iid", 0.1),
    Spec("ridge", "200x5000", 1.0),
    Spec("l2-logistic", "200x500 2 classes", 1.0),
    Spec("multinomial", "200x500 10 classes", 1.0),
)
# Methods that notice soon that nothing is to be done: snapml and saga take seconds.
LIGHT = ("skkd", "skglm", "celer", "scikit-learn", "scikit-learn liblinear", "glmnet")
# Those whose first call differs from the later ones, and the library everybody has.
METHODS = ("skkd", "skglm", "celer", "scikit-learn", "scikit-learn lbfgs", "scikit-learn liblinear")


def first_calls(quick):
    """Return the table of imports and first fits in fresh processes."""
    rows = []
    for spec in FIRST[:1] if quick else FIRST:
        for name in METHODS:
            peer = PEERS[name]
            if spec.family in peer.families:
                rows.append((str(spec), name, *_first(name, spec)))
    columns = (
        "problem",
        "method",
        "import [s]",
        "first fit, empty cache [s]",
        "first fit, filled cache [s]",
        "second fit [s]",
        "remarks",
    )
    notes = (
        "import: of the method's package and all it imports, with the cache filled. The fit comes "
        "after the import; second fit: the next one in that process."
    )
    return Table("First call in a fresh process", columns, rows, notes)


def _first(name, spec):
    if not PEERS[name].installed:
        return None, None, None, None, NOT_INSTALLED
    with tempfile.TemporaryDirectory() as cache:
        empty = _child("first", name, spec, NUMBA_CACHE_DIR=cache)
        filled = _child("first", name, spec, NUMBA_CACHE_DIR=cache)
    error = empty.get("error") or filled.get("error") or "-"
    cells = (filled.get("import"), empty.get("first"), filled.get("first"), filled.get("second"))
    return *cells, error


def memory(quick):
    """Return the table of peak memory beyond X."""
    spec = Spec("lasso", "200x5000" if quick else "1000x10000", 0.01)
    rows = []
    others = (replace(spec, fit_intercept=True), replace(spec, fraction=0.1))
    for each in (spec, *others * (not quick)):
        for name in ("skkd", "skglm", "celer", "scikit-learn", "glmnet"):
            rows.append((str(each), name, *_memory(name, each)))
    columns = ("problem", "method", "peak beyond X [MiB]", "over X", "remarks")
    notes = (
        "Growth of the peak resident set in a fit to 1e-6, X in memory column after column and a "
        "small fit made before, so that libraries are loaded. Measured on Linux only."
    )
    return Table("Peak memory of the dense Lasso", columns, rows, notes)


def _memory(name, spec):
    if not PEERS[name].installed:
        return None, None, NOT_INSTALLED
    found = _child("memory", name, spec)
    if "error" in found:
        return None, None, found["error"]
    return found["extra"] / 2**20, found["extra"] / found["X"], "-"


def overhead(quick):
    """Return the table of times of a fit in which nothing is to be found."""
    rows = []
    for family, data in (("lasso", "200x500"), ("logistic", "200x500")):
        problem = build(Spec(family, data, 1.001))
        calls = {
            name: (
                lambda name=name, problem=problem, setting=settings[0]: fit(
                    name, problem, TOLERANCE, setting
                )
            )
            if PEERS[name].installed
            else None
            for name, settings in applicable(problem).items()
            if name in LIGHT
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timings = measure(calls, repeats=9 if quick else 51, max_seconds=20.0)
        for name, timing in timings.items():
            rows.append((str(problem.spec), name, 1e3 * timing.median, timing.problem or "-"))
    columns = ("problem", "method", "median [ms]", "remarks")
    notes = "alpha is just above the least with a zero solution: one product with X, no iteration."
    return Table("Overhead of a fit at 200 x 500", columns, rows, notes)


def _child(task, name, spec, **environment):
    """Run a task in a fresh process; its answer, or the last line of its ``error``."""
    order = json.dumps({"task": task, "name": name, "spec": spec.to_json()})
    done = subprocess.run(
        [sys.executable, "-m", "experiments.block_coordinate_descent.bench_fresh", order],
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS="ignore") | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def _answer(order):
    warnings.simplefilter("ignore")
    name, spec = order["name"], Spec(**order["spec"])
    return (_first_here if order["task"] == "first" else _memory_here)(name, spec)


def _first_here(name, spec):
    problem = build(spec)
    tol = _fair_tolerance(name)
    setting = applicable(problem)[name][0]
    start = time.perf_counter()
    # skkd loads its parts when they are used: asking for the class is what a user's import does.
    __import__(PEERS[name].module + (".linear_model" if name in ("skkd", "sklearn") else ""))
    imported = time.perf_counter()
    fit(name, problem, tol, setting)
    first = time.perf_counter()
    fit(name, problem, tol, setting)
    second = time.perf_counter()
    return {"import": imported - start, "first": first - imported, "second": second - first}


def _memory_here(name, spec):
    problem = build(spec)
    problem.X_rows = None  # not part of what is measured
    small = build(replace(spec, data="200x500"))
    settings = applicable(small)[name][0]
    fit(name, small, _fair_tolerance(name), settings)
    # The peak so far is that of making X; Linux lets a process count anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = _kibibytes("VmRSS")
    fit(name, problem, _fair_tolerance(name), settings)
    return {"extra": 1024 * (_kibibytes("VmHWM") - before), "X": problem.X.nbytes}


def _kibibytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def _fair_tolerance(name):
    """Tolerances that mean about the same: celer's and glmnet's are squares."""
    return TOLERANCE**2 if name == "glmnet" else TOLERANCE


if __name__ == "__main__":
    np.seterr(all="ignore")
    print(json.dumps(_answer(json.loads(sys.argv[1]))))
