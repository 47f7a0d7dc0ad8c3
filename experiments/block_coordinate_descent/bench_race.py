"""Time the methods of one problem beside each other, each at its cheapest sufficient setting.

In one process, in turns, with a rest before each call; a method that needs an environment of its
own takes its turn in its own process, which measures itself. A method whose scouted time is more
than ``NEAR`` times the best is not timed again: its scouted time is shown, marked ``~``.
"""

import contextlib
import json
import math
import os
import sys
import tempfile
import warnings
from dataclasses import dataclass

import numpy as np

from experiments._harness.timing import Elapsed, Table, measure, ratio
from experiments.block_coordinate_descent.bench_peers import fit
from experiments.block_coordinate_descent.bench_problems import build
from experiments.block_coordinate_descent.bench_scout import missing, optimum, scout
from experiments.block_coordinate_descent.bench_worker import Shelf, Worker

__all__ = ["ADELIE", "OURS", "Race", "details", "means", "summary"]

OURS = "skkd"
ADELIE = "SKKD_BENCH_ADELIE"
TARGETS = (1e-4, 1e-8, 1e-10)
PATH_TARGETS = (1e-6,)
NEAR = 8.0
PAUSE = 0.15  # threads of OpenBLAS spin for 0.11 s after a call


@dataclass
class Entry:
    """One method at one target: its setting and its time in milliseconds."""

    name: str
    setting: dict
    tol: float
    reached: float
    ms: float
    timing: object = None  # None: scouted only

    @property
    def shown(self):
        """The time, with a mark where it was not measured in turn with the others."""
        return f"{self.ms:.4g}" if self.timing else f"~{self.ms:.3g}"


@dataclass
class Row:
    """All that is known of one problem and one number of threads."""

    spec: object
    threads: str
    gap: float
    targets: tuple
    entries: dict  # target -> {name: Entry}
    timings: dict
    words: dict
    closest: dict

    def best_peer(self, target):
        """Return the fastest of the others, None if nobody gets there."""
        others = [e for e in self.entries[target].values() if e.name != OURS]
        return min(others, key=lambda entry: entry.ms, default=None)

    def speedup(self, target):
        """Return the best peer's time over ours with its quartiles; NaN if one is missing."""
        ours, peer = self.entries[target].get(OURS), self.best_peer(target)
        if ours is None or peer is None:
            return math.nan, math.nan, math.nan
        if ours.timing is None or peer.timing is None:
            return peer.ms / ours.ms, math.nan, math.nan
        found = ratio(self.timings, _label(peer), _label(ours))
        return found.value, found.low, found.high


class Race:
    """Data, worker processes and limits that all rows share; to be used in a ``with``.

    Parameters
    ----------
    quick : bool
        Few repeats, short limits, coarse settings, one number of threads.
    names : collection of str, optional
        Only these methods.
    """

    def __init__(self, quick=False, names=None):
        self.names, self.coarse = names, quick
        self.repeats, self.seconds = (3, 5.0) if quick else (9, 30.0)
        self.total, self.near = (4.0, 2.0) if quick else (40.0, NEAR)
        self.threads = (None,) if quick else (None, 1)
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.shelf = Shelf(folder)
        self.scouts = {None: self._worker(folder)}
        self.workers = {}
        python = os.environ.get(ADELIE)
        if python:
            self.scouts["adelie"] = self._worker(folder, python)
            self.workers = {k: self._worker(folder, python, threads=k) for k in self.threads}
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def _worker(self, folder, python=sys.executable, threads=None):
        worker = Worker(folder, python, threads)
        self._stack.callback(worker.close)
        return worker

    def rows(self, spec) -> list:
        """Scout one problem, then time it; one row for each number of threads."""
        problem = build(spec, self.shelf.get(spec.data))
        targets = PATH_TARGETS if spec.path else TARGETS
        best = optimum(problem, self.scouts[None])
        found = scout(problem, best, targets, self.scouts, self.seconds, self.names, self.coarse)
        return [self._row(problem, best, targets, found, threads) for threads in self.threads]

    def _row(self, problem, best, targets, found, threads):
        names = list(dict.fromkeys(rung.name for rung in found.rungs))
        entries = {target: {} for target in targets}
        for target in targets:
            for name in names:
                rung = found.cheapest(name, best, target)
                if rung is not None:
                    entry = Entry(
                        name, rung.setting, rung.tol, missing(rung, best), 1e3 * rung.seconds
                    )
                    entries[target][name] = entry
        timings = self._time(problem, entries, threads)
        return Row(
            problem.spec,
            "all" if threads is None else str(threads),
            best.gap,
            targets,
            entries,
            timings,
            found.words,
            {name: found.closest(name, best) for name in names},
        )

    def _time(self, problem, entries, threads):
        near = {}
        for of_target in entries.values():
            limit = self.near * min((e.ms for e in of_target.values()), default=0.0)
            for entry in of_target.values():
                if entry.ms <= limit or entry.name == OURS:
                    near[_label(entry)] = entry
        calls = {label: self._call(problem, e, threads) for label, e in near.items()}
        with _limited(threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            timings = measure(calls, repeats=self.repeats, max_seconds=self.total, pause=PAUSE)
        for of_target in entries.values():
            for entry in of_target.values():
                timing = timings.get(_label(entry))
                if timing is not None and not timing.problem:
                    entry.timing, entry.ms = timing, 1e3 * timing.median
        return timings

    def _call(self, problem, entry, threads):
        order = (entry.name, problem.spec, entry.tol, entry.setting)
        if entry.name in self.scouts or self.coarse:
            # A quick look is taken in the scouts' process, where all is compiled already.
            worker = self.workers[threads] if entry.name in self.scouts else self.scouts[None]
            return lambda: Elapsed(worker.fit(*order, self.seconds)[0])
        return lambda: fit(entry.name, problem, entry.tol, entry.setting)


def summary(title, rows) -> Table:
    """Tabulate our time beside the best peer's, a row for each problem, threads and target."""
    columns = (
        "problem",
        "threads",
        "target",
        "skkd [ms]",
        "best peer",
        "its setting",
        "its time [ms]",
        "peer / skkd",
        "quartiles",
        "certified",
    )
    cells = [_summary_cells(row, target) for row in rows for target in row.targets]
    notes = (
        "target: relative sub-optimality of the objective. peer / skkd: how many times faster skkd "
        "is, medians of calls in turns. certified: relative duality gap of the optimum that is "
        "compared with. ~: scouted only. threads: of BLAS."
    )
    return Table(title, columns, cells, notes)


def _summary_cells(row, target):
    ours, peer = row.entries[target].get(OURS), row.best_peer(target)
    value, low, high = row.speedup(target)
    why = row.words.get(OURS, "misses it") if ours is None else ours.shown
    return (
        str(row.spec),
        row.threads,
        f"{target:g}",
        why,
        peer.name if peer else "none gets there",
        _setting(peer) if peer else None,
        peer.shown if peer else None,
        None if math.isnan(value) else value,
        "-" if math.isnan(low) else f"{low:.2f}-{high:.2f}",
        f"{row.gap:.1e}",
    )


def details(title, rows) -> Table:
    """Tabulate every method on every problem, absent and failing ones included."""
    targets = rows[0].targets
    columns = ("problem", "threads", "method", *(f"to {t:g} [ms]" for t in targets), "remarks")
    cells = []
    for row in rows:
        names = dict.fromkeys([*row.closest, *row.words])
        cells += [_detail_cells(row, name, targets) for name in names]
    notes = (
        "~: scouted only, being far behind. A method that misses a target says what it reached and "
        "why it stopped. Settings: the tolerance in the method's own terms."
    )
    return Table(title, columns, cells, notes)


def _detail_cells(row, name, targets):
    entries = [row.entries[target].get(name) for target in targets]
    failed = [row.timings[_label(e)].problem for e in entries if e and _label(e) in row.timings]
    remarks = [problem for problem in failed if problem][:1]
    last = next((entry for entry in reversed(entries) if entry), None)
    if last:
        remarks.append(_setting(last))
    if entries[-1] is None:
        reached = row.closest.get(name)
        remarks.append(row.words.get(name, ""))
        remarks.append("" if reached is None else f"reached {reached:.1e}")
    shown = (entry.shown if entry else "-" for entry in entries)
    return str(row.spec), row.threads, name, *shown, "; ".join(filter(None, remarks))


def means(title, rows) -> Table:
    """Tabulate geometric means of the speed-ups, and where we are slower."""
    cells = []
    for threads in dict.fromkeys(row.threads for row in rows):
        for target in rows[0].targets:
            found = {
                str(row.spec): row.speedup(target)[0] for row in rows if row.threads == threads
            }
            known = {key: value for key, value in found.items() if not math.isnan(value)}
            slower = "; ".join(f"{key} ({value:.2f})" for key, value in known.items() if value < 1)
            mean = float(np.exp(np.mean(np.log(list(known.values()))))) if known else None
            worst = min(known.values(), default=None)
            cells.append(
                (threads, f"{target:g}", len(known), len(found) - len(known), mean, worst, slower)
            )
    columns = ("threads", "target", "rows", "without ratio", "geometric mean", "least", "slower on")
    return Table(title, columns, cells, "Of best peer / skkd: above one, skkd is faster.")


def _setting(entry):
    options = ", ".join(f"{key}={value}" for key, value in entry.setting.items())
    return f"tol={entry.tol:.2g}" + (f", {options}" if options else "")


def _label(entry):
    return f"{entry.name} {json.dumps(entry.setting, sort_keys=True)} {entry.tol:.3g}"


@contextlib.contextmanager
def _limited(threads):
    """Hold BLAS, OpenMP and Intel's library to a number of threads; None leaves them alone."""
    if threads is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    intel = sys.modules.get("daal4py")
    before = intel.num_threads() if intel else None
    with threadpool_limits(threads):
        if intel:
            intel.daalinit(threads)
        try:
            yield
        finally:
            if intel:
                intel.daalinit(before)
