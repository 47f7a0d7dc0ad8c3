import io

import numpy as np
import pytest

pd = pytest.importorskip("pandas")

from experiments._harness.claims import (  # noqa: E402
    Claim,
    Outcome,
    count,
    judge,
    rich_table,
    show_value,
)

RESULTS = pd.DataFrame({"error": [0.5, 0.25]})


def verdict(measure, results=RESULTS):
    return judge([Claim("id", "A sentence [with brackets].", 0.1, measure)], results)[0]


@pytest.mark.parametrize(
    ("holds", "status"),
    [
        (True, "holds"),
        (np.True_, "holds"),
        (np.False_, "does not hold"),
        (None, "not measured"),
    ],
)
def test_status(holds, status):
    found = verdict(lambda results: Outcome(results["error"].max(), holds))
    assert (found.status, found.measured, found.trace) == (status, "0.5", "")


def test_measure_that_raises_is_an_error_with_its_message():
    found = verdict(lambda results: results["absent"])
    assert found.status == "error"
    assert found.measured == "KeyError: 'absent'"
    assert "Traceback" in found.trace


@pytest.mark.parametrize("returned", [0.7, Outcome(0.7, 0.7), Outcome(1, "yes"), Outcome(1, 1)])
def test_anything_but_an_outcome_is_an_error(returned):
    assert verdict(lambda results: returned).status == "error"


def test_one_that_raises_does_not_stop_the_others():
    claims = [
        Claim("a", "A.", None, lambda results: 1 / 0),
        Claim("b", "B.", None, lambda results: Outcome(1, True)),
    ]
    assert count(judge(claims, RESULTS)) == {"holds": 1, "error": 1}


def test_without_results_nothing_is_measured():
    found = verdict(lambda results: Outcome(results["error"].max(), True), RESULTS.iloc[:0])
    assert (found.status, found.measured) == ("not measured", "no results")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (np.float64(1 / 3), "0.3333"), (np.int64(123456), "123456"), ("n²", "n²")],
)
def test_show_value(value, text):
    assert show_value(value) == text


def test_table_is_readable_at_100_columns_in_a_file():
    console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=100)
    claim = Claim("long", "A [bold] sentence that goes on. " * 6, "a number " * 8, None)
    claims = [
        Claim(claim.id, claim.sentence, claim.paper, lambda results: Outcome("word " * 30, None))
    ]
    console.print(rich_table("study: title", judge(claims, RESULTS)))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 100
    assert "not measured" in text and "[bold]" in text and "\x1b" not in text
