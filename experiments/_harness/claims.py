"""A claim: a sentence, the paper's number beside ours, and whether it holds.

A claim that does not hold is a result and is shown as one. A claim whose measurement raises is
a defect: it is shown with its message and makes the run's exit status 1.
"""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What was measured for one claim.

    Parameters
    ----------
    measured : object
        A number or a short text; the reason if the claim was not measured.
    holds : bool or None
        None if the claim could not be measured, e.g. because its data were not given.
    """

    measured: Any
    holds: bool | None


@dataclass(frozen=True)
class Claim:
    """One checkable statement of a paper.

    Parameters
    ----------
    id : str
        Short name, unique in the study.
    sentence : str
        The statement.
    paper : number, str or None
        What the paper reports, None if it gives no number.
    measure : callable
        ``measure(results: pandas.DataFrame) -> Outcome``; one row for each configuration.
    """

    id: str
    sentence: str
    paper: Any
    measure: Callable[[Any], Outcome] = field(repr=False)


@dataclass(frozen=True)
class Verdict:
    """A claim after its measurement; `trace` is the traceback if that raised."""

    claim: Claim
    status: str
    measured: str
    trace: str = ""


# In this order they are counted in summaries.
STATUSES = ("holds", "does not hold", "not measured", "error")
_STYLES = {"holds": "green", "does not hold": "bold red", "error": "bold magenta"}


def judge(claims: Iterable[Claim], results) -> list[Verdict]:
    """Measure every claim on the results; one that raises does not stop the others."""
    return [_judge(claim, results) for claim in claims]


def show_value(value) -> str:
    """Write a paper's or a measured value in a few characters."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    return str(int(value)) if isinstance(value, Integral) else f"{float(value):.4g}"


def count(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many verdicts have each status, statuses without any left out."""
    found = [verdict.status for verdict in verdicts]
    return {status: found.count(status) for status in STATUSES if status in found}


def rich_table(title: str, verdicts: Iterable[Verdict]):
    """Lay the verdicts out as a table of the `rich` library: paper, measured, holds."""
    from rich.table import Table as RichTable
    from rich.text import Text

    # Text, not str: square brackets in a title or a sentence are no markup.
    table = RichTable(
        title=Text(title, style="bold"), title_justify="left", show_lines=True, expand=True
    )
    table.add_column("claim", ratio=5)
    table.add_column("paper", ratio=2)
    table.add_column("measured", ratio=3)
    table.add_column("holds", no_wrap=True, min_width=13)
    for verdict in verdicts:
        table.add_row(
            Text(f"{verdict.claim.id}: {verdict.claim.sentence}"),
            Text(show_value(verdict.claim.paper)),
            Text(verdict.measured),
            Text(verdict.status, style=_STYLES.get(verdict.status, "")),
        )
    return table


def _judge(claim, results):
    if results.empty:
        return Verdict(claim, "not measured", "no results")
    try:
        outcome = claim.measure(results)
        return Verdict(claim, _status(outcome), show_value(outcome.measured))
    except Exception as error:  # whatever a study's code raises is shown with its traceback
        return Verdict(claim, "error", f"{type(error).__name__}: {error}", traceback.format_exc())


def _status(outcome):
    if not isinstance(outcome, Outcome):
        raise TypeError(f"measure returned a {type(outcome).__name__}, want an Outcome")
    if outcome.holds is None:
        return "not measured"
    # Comparisons of DataFrame cells give numpy.bool_, which is no bool; 0.7 is a mistake.
    if type(outcome.holds).__name__ not in ("bool", "bool_"):
        raise TypeError(f"Outcome.holds is {outcome.holds!r}, want True, False or None")
    return "holds" if outcome.holds else "does not hold"
