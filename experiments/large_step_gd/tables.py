"""Reading the table of results: parts of it, counts, and words for claims."""

import math
from collections.abc import Callable
from functools import wraps

from experiments._harness import Outcome

FILE_NEEDED = "not measured: give the file, --data {name}=FILE.npz"


def part(results, name: str):
    """Rows of one part of the study, without the columns of the others."""
    if "part" not in results:
        return results.iloc[:0]
    return results[results["part"] == name].dropna(axis=1, how="all")


def of_part(name: str) -> Callable:
    """Hand a measure the rows of one part; without any the claim is not measured."""

    def decorate(measure):
        @wraps(measure)
        def measured(results):
            rows = part(results, name)
            if rows.empty:
                return Outcome(f"no results of the part {name!r}", None)
            return measure(rows)

        return measured

    return decorate


def pick(rows, **wanted):
    """Rows with the wanted values, in a list any of them; none where a column is absent."""
    for column, value in wanted.items():
        if column not in rows:
            return rows.iloc[:0]
        values = value if isinstance(value, (list, tuple)) else [value]
        rows = rows[rows[column].isin(values)]
    return rows


def column(rows, name: str):
    """A column; NaN throughout where it is absent, because no record has a value."""
    return rows[name] if name in rows else rows["part"].map(lambda _: math.nan)


def counts(rows, key: str, order, name: str = "updates") -> tuple[list, str]:
    """Values for each of `order` in the column `key`, and the same as text."""
    by_key = dict(zip(rows[key], column(rows, name), strict=True))
    found = [by_key.get(one, math.nan) for one in order]
    return found, ", ".join(whole(one) for one in found)


def whole(number) -> str:
    """An integer as text, a word for none."""
    return "none" if number is None or math.isnan(number) else f"{number:.0f}"


def label(row) -> str:
    """A training set in a few characters: ``mnist 4-9 10:1``."""
    name = row["set"].replace(":", " ")
    ratio = row.get("ratio", 1)
    return f"{name} {ratio:g}:1" if ratio > 1 else name
