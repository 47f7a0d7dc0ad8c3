"""Reading the table of results: counts, and words for claims."""

import math

FILE_NEEDED = "not measured: give the file, --data {name}=FILE.npz"


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
