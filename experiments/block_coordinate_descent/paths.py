"""One run: the distance to the optimum after each iteration, and the time it took.

The clock runs while the method computes and stands while its progress is looked at. It begins
before the datafit is built, so what a rule must know in advance (constants of every block, row
sums of the whole Hessian) is part of its time; compilation is not.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

from skkd.solvers import block_coordinate_descent

from . import blocks, sets

TOLERANCE = 1e-8  # of f(x) - f*: the paper stops there
_RULES = (
    "partition",
    "selection",
    "update",
    "block_size",
    "score_norm",
    "iht_init",
    "random_state",
)


@dataclass(frozen=True)
class Step:
    """What one iteration has reached, `seconds` after the start."""

    iteration: int
    seconds: float
    gap: float
    iterate: Any


def rules_of(configuration: dict) -> dict:
    """Keyword arguments of the solver that a configuration names."""
    return {key: configuration[key] for key in _RULES if configuration.get(key) is not None}


def follow(name: str, size: str, rules: dict, max_iter: int) -> Iterator[Step]:
    """Iterate over a run, the start included; it ends when the optimum is reached.

    Parameters
    ----------
    name, size : str
        The problem.
    rules : dict
        As of :func:`rules_of`.
    max_iter : int
        Number of iterations.

    Yields
    ------
    Step
    """
    if size != "tiny":
        _compile(name, *sorted(rules.items()))
    problem = sets.load(name, size)
    rules = {**rules, "partition": blocks.partition(rules.get("partition"), problem.data)}
    steps = islice(_timed(problem, rules), max_iter + 1)
    for iteration, (seconds, iterate) in enumerate(steps):
        gap = problem.gap(iterate.params, iterate.value)
        yield Step(iteration, seconds, gap, iterate)
        if gap < TOLERANCE:
            return


def curve(steps: Iterator[Step], every: bool = False) -> dict:
    """Record a run: gaps and times at some of its iterations.

    Every iteration is kept up to the 20th, then each fifth and the last; all of them if `every`.
    ``rises`` counts the iterations after which the objective was higher, beyond rounding;
    ``setup`` is when the first update was made, by which all that the rules need in advance was
    computed.
    """
    rows, rises, before = [], 0, np.inf
    last = None
    for last in steps:
        if every or last.iteration <= 20 or last.iteration % 5 == 0:
            rows.append(last)
        value = last.iterate.value
        rises += value > before + 1e-12 * abs(before) if before < np.inf else 0
        before = value
    if rows[-1] is not last:
        rows.append(last)
    return {
        "iterations": [row.iteration for row in rows],
        "gaps": [_short(row.gap) for row in rows],
        "seconds": [_short(row.seconds) for row in rows],
        "reached": last.iteration if last.gap < TOLERANCE else None,
        "gap": last.gap,
        "rises": int(rises),
        "setup": rows[min(1, len(rows) - 1)].seconds,
    }


def _timed(problem, rules):
    start = time.perf_counter()
    path = block_coordinate_descent(problem.make_datafit(), problem.penalty, problem.start, **rules)
    spent = time.perf_counter() - start
    while True:
        start = time.perf_counter()
        iterate = next(path)
        spent += time.perf_counter() - start
        yield spent, iterate


@cache
def _compile(name, *rules):
    """Run a few iterations of the same rules on a tiny problem."""
    for _ in follow(name, "tiny", dict(rules), max_iter=5):
        pass


def _short(value):
    """Six digits are more than a figure shows."""
    return float(f"{value:.6g}")
