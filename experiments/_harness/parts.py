"""Parts of the table of results: a study whose configurations name their ``part``."""

from collections.abc import Callable
from functools import wraps

from experiments._harness.claims import Outcome

__all__ = ["of_part", "part", "pick"]


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
