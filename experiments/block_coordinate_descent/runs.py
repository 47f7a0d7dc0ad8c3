"""Runs by their rules: one table for ours and for the paper's, on which claims are checked.

A run is better than another if it reached the optimum in fewer iterations or, where neither did,
ended closer to it.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import NamedTuple

from experiments._harness import Outcome


class Key(NamedTuple):
    """What a run is: its problem and its rules; forests have no block size."""

    data: str
    size: str
    block_size: int | None
    update: str
    partition: str
    selection: str


@dataclass(frozen=True)
class Run:
    """How far a run came.

    Parameters
    ----------
    gaps : dict of int to float
        Distance to the optimum by iteration.
    reached : int or None
        Iterations to a distance of 1e-8.
    settled : int or None
        Iterations to the support of the optimum.
    seconds : dict of int to float
        Time by iteration.
    """

    gaps: dict[int, float]
    reached: int | None = None
    settled: int | None = None
    seconds: dict[int, float] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """Distance at the end."""
        return self.gaps[max(self.gaps)]

    @property
    def order(self) -> tuple[float, float]:
        """Smaller is better."""
        return (math.inf if self.reached is None else self.reached, self.gap)

    def beats(self, other: "Run") -> bool:
        """Whether this run is better."""
        return self.order < other.order

    def __str__(self):
        return f"{self.gap:.2g}" if self.reached is None else f"in {self.reached} its"


Runs = dict[Key, Run]


def ours(results, replica: bool = False) -> Runs:
    """Our runs; as a `replica`, in the authors' form of the rules where there is one."""
    if "update" not in results:
        return {}
    found = {}
    for row in results.to_dict("records"):
        if row["part"] == "active":
            continue
        authors_form = _text(row, "score_norm") == "l1" or _text(row, "iht_init") == "code"
        key = _key(row)
        if authors_form <= replica and (authors_form or key not in found):
            found[key] = _run(row)
    return found


def _key(row):
    size = None if row["part"] == "forest" else int(row["block_size"])
    names = (row[name] for name in ("update", "partition", "selection"))
    return Key(row["data"], row["size"], size, *names)


def _run(row):
    return Run(
        gaps=dict(zip(row["iterations"], row["gaps"], strict=True)),
        reached=_whole(row.get("reached")),
        settled=_whole(row.get("identified")),
        seconds=dict(zip(row["iterations"], row["seconds"], strict=True)),
    )


def _text(row, name):
    value = row.get(name)
    return value if isinstance(value, str) else None


def _whole(value):
    return None if value is None or math.isnan(value) else int(value)


def panels(runs: Runs, **wanted) -> list[dict[tuple[str, str], Run]]:
    """Group runs that differ in partition and selection only; `wanted` are fields of the key.

    A value of `wanted` may be one of several: a tuple.
    """
    found = {}
    for key, run in runs.items():
        if all(getattr(key, name) in _several(value) for name, value in wanted.items()):
            group = (key.data, key.size, key.block_size, key.update)
            found.setdefault(group, {})[key.partition, key.selection] = run
    return list(found.values())


def _several(value):
    return value if isinstance(value, tuple) else (value,)


def tally(outcomes: Iterable[bool], unit: str = "panels") -> Outcome:
    """Count how often something held; it holds if it always did."""
    outcomes = list(outcomes)
    if not outcomes:
        return Outcome(f"no such {unit}", None)
    text = f"{sum(outcomes)} of {len(outcomes)} {unit}"
    return Outcome(text, all(outcomes))


def on_runs(check: Callable[[Runs], Outcome]) -> Callable:
    """Make a check of runs a measure of the harness."""

    @wraps(check)
    def measure(results):
        return check(ours(results))

    return measure
