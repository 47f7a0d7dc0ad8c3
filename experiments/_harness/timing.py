"""Time candidates beside each other, fairly.

The first call of each candidate (imports, compilation, caches) is timed apart. Then the
candidates take turns, so that a machine that slows down or is busy for a while slows all of
them; what is reported is the ratio of the medians, with the quartiles of the ratios of the
calls that were neighbours in time. ::

    timings = measure({"skkd": ours, "sklearn": theirs, "celer": None}, repeats=15)
    table = comparison("Lasso path, n = 10 000", timings, reference="sklearn")

``None`` stands for a peer that is not installed: it keeps its row, with these words in it.
"""

import gc
import math
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from experiments._harness.machine import Bandwidth, environment, read_bandwidth
from experiments._harness.tables import Table

__all__ = [
    "Bandwidth",
    "Elapsed",
    "Ratio",
    "Table",
    "Timing",
    "comparison",
    "environment",
    "measure",
    "ratio",
    "read_bandwidth",
]

NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class Timing:
    """Times of one candidate in seconds.

    Parameters
    ----------
    first : float
        The first call ever.
    times : tuple of float
        The later calls, one for each round.
    median : float
        Median of `times`.
    problem : str
        Why there are no times: not installed, or the error it raised; empty if all is well.
    """

    first: float = math.nan
    times: tuple[float, ...] = ()
    median: float = math.nan
    problem: str = ""


@dataclass(frozen=True)
class Elapsed:
    """What a candidate that works in another process returns: the time taken there counts."""

    seconds: float


@dataclass(frozen=True)
class Ratio:
    """Ratio of two medians and the quartiles of the ratios within each round."""

    value: float
    low: float
    high: float


def measure(
    candidates: dict[str, Callable[[], object] | None],
    repeats: int = 7,
    warmup: int = 1,
    max_seconds: float = 60.0,
    pause: float = 0.0,
) -> dict[str, Timing]:
    """Time candidates in turns.

    Parameters
    ----------
    candidates : dict of str to callable or None
        Functions without arguments that do the same work; None for one that is not installed. One
        that returns an :class:`Elapsed` has taken its time itself.
    repeats : int, default=7
        Number of rounds that are kept.
    warmup : int, default=1
        Rounds between the first call and those that are kept.
    max_seconds : float, default=60.0
        No new round begins after so many seconds, first calls included; one is always made.
    pause : float, default=0.0
        Seconds of rest before each call. Threads of OpenBLAS and OpenMP spin for some 50 ms after
        a call before they sleep, and meanwhile take a core from whoever comes next.

    Returns
    -------
    dict of str to Timing
        In the order of `candidates`. One that raises is taken out, with its error as `problem`.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    stop = time.perf_counter() + max_seconds
    problems = {name: NOT_INSTALLED for name, call in candidates.items() if call is None}
    running = {name: call for name, call in candidates.items() if call is not None}
    with _garbage_collected_between_rounds():
        first = _round(running, problems, pause)
        rounds = _rounds(running, problems, warmup + repeats, stop, pause)
    # Rounds that warm up are dropped only if others are left.
    rounds = rounds[min(warmup, len(rounds) - 1) :]
    return {name: _timing(name, first, rounds, problems) for name in candidates}


def ratio(timings: dict[str, Timing], name: str, reference: str) -> Ratio:
    """Compare a candidate with a reference.

    Parameters
    ----------
    timings : dict of str to Timing
        From :func:`measure`.
    name, reference : str
        The candidate above and the one below the line: 2.0 means that `name` takes twice as long.

    Returns
    -------
    Ratio
        NaN where one of the two has no times.
    """
    above, below = timings[name], timings[reference]
    if above.problem or below.problem:
        return Ratio(math.nan, math.nan, math.nan)
    paired = np.divide(above.times, below.times)
    low, high = np.quantile(paired, [0.25, 0.75])
    return Ratio(above.median / below.median, float(low), float(high))


def comparison(title: str, timings: dict[str, Timing], reference: str, notes: str = "") -> Table:
    """Tabulate timings: first call, median of the later ones, ratio to the reference.

    Parameters
    ----------
    title, notes : str
        Above and below the table.
    timings : dict of str to Timing
        From :func:`measure`.
    reference : str
        The candidate that the others are divided by.

    Returns
    -------
    Table
    """
    columns = ("candidate", "first call [s]", "median [s]", "rounds", f"ratio to {reference}")
    rows = []
    for name, timing in timings.items():
        if timing.problem:
            rows.append((name, None, None, None, timing.problem))
            continue
        times = (timing.first, timing.median, len(timing.times))
        rows.append((name, *times, _show_ratio(ratio(timings, name, reference))))
    return Table(title, columns, rows, notes)


def _show_ratio(ratio):
    if math.isnan(ratio.value):
        return "-"
    return f"{ratio.value:.3g} [{ratio.low:.3g}, {ratio.high:.3g}]"


def _rounds(running, problems, n_rounds, stop, pause):
    rounds, names = [], list(running)
    for i in range(n_rounds):
        if rounds and time.perf_counter() > stop:
            break
        # A different one begins each time: nobody always finds the caches of the same neighbour.
        turn = names[i % len(names) :] + names[: i % len(names)] if names else []
        rounds.append(_round({name: running[name] for name in turn}, problems, pause))
    return rounds


def _round(calls, problems, pause):
    times = {}
    gc.collect()
    for name, call in calls.items():
        if name in problems:
            continue
        time.sleep(pause)
        result = None
        start = time.perf_counter()
        try:
            result = call()
        except Exception as error:  # one peer that fails must not cost the table; its row says so
            problems[name] = f"failed: {type(error).__name__}: {error}"
        elapsed = time.perf_counter() - start
        times[name] = result.seconds if isinstance(result, Elapsed) else elapsed
    return times


def _timing(name, first, rounds, problems):
    if name in problems:
        return Timing(problem=problems[name])
    times = tuple(one[name] for one in rounds)
    return Timing(first[name], times, float(np.median(times)))


@contextmanager
def _garbage_collected_between_rounds():
    # A collection in the middle of a call would be charged to whoever happens to run.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
