"""Reading the table of results: differences paired by seed, with their intervals."""

from typing import NamedTuple

import numpy as np
from scipy import stats


class Difference(NamedTuple):
    """Mean over seeds of a paired difference, and its 95 % t-interval."""

    mean: float
    low: float
    high: float
    seeds: int


def interval(values) -> Difference:
    """Mean and t-interval of one value for each seed; infinitely wide for a single one."""
    values = np.asarray(values, dtype=float)
    half = np.inf
    if values.size > 1:
        error = values.std(ddof=1) / np.sqrt(values.size)
        half = stats.t.ppf(0.975, values.size - 1) * error
    mean = float(values.mean())
    return Difference(mean, mean - half, mean + half, values.size)


def by_seed(rows, first: str, second: str, field: str) -> list[float]:
    """`field` of the first student less that of the second, the mean over all cells of a seed."""
    found: dict[int, list[float]] = {}
    for _, row in rows.iterrows():
        names = list(row["students"])
        if first in names and second in names:
            gap = row[field][names.index(first)] - row[field][names.index(second)]
            found.setdefault(int(row["seed"]), []).append(gap)
    return [float(np.mean(found[seed])) for seed in sorted(found)]


def compare(rows, first: str, second: str, field: str = "accuracy") -> Difference | None:
    """Paired difference of two students; None where they are not both in the rows."""
    values = by_seed(rows, first, second, field)
    return interval(values) if values else None


def words(found: Difference, unit: str = "points", factor: float = 100.0) -> str:
    """Write a difference: ``+1.20 points (+0.80 to +1.60)``."""
    mean, low, high = (factor * value for value in found[:3])
    return f"{mean:+.2f} {unit} ({low:+.2f} to {high:+.2f}; {found.seeds} seeds)"
