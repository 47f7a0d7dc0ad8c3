import json
import math
import time

import pytest

from experiments._harness import (
    Elapsed,
    comparison,
    environment,
    measure,
    ratio,
    read_bandwidth,
)
from experiments._harness.machine import describe_environment


def test_first_call_is_apart_and_the_ratio_is_right():
    calls = []

    def compiles_first():
        time.sleep(0.004 if calls else 0.05)
        calls.append(1)

    timings = measure(
        {"ours": compiles_first, "theirs": lambda: time.sleep(0.002)}, repeats=5, warmup=1
    )
    ours = timings["ours"]
    assert ours.first >= 0.05 and len(ours.times) == 5 and len(calls) == 7
    assert 0.004 <= ours.median < ours.first
    found = ratio(timings, "ours", "theirs")
    assert found.value == pytest.approx(ours.median / timings["theirs"].median)
    assert found.low <= found.high
    assert ratio(timings, "theirs", "theirs").value == 1


def test_candidates_take_turns():
    order = []
    measure({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=3, warmup=0)
    rounds = ["".join(order[i : i + 2]) for i in range(0, len(order), 2)]
    assert rounds == ["ab", "ab", "ba", "ab"]


def test_time_taken_elsewhere_counts():
    timings = measure({"here": lambda: 1.0, "elsewhere": lambda: Elapsed(0.5)}, repeats=3)
    assert timings["elsewhere"].times == (0.5, 0.5, 0.5) and timings["elsewhere"].first == 0.5
    assert timings["here"].median < 0.1


def test_time_limit_leaves_one_round():
    timings = measure({"slow": lambda: time.sleep(0.01)}, repeats=100, max_seconds=0)
    assert len(timings["slow"].times) == 1


def test_absent_and_failing_peers_keep_their_rows():
    def fails():
        raise RuntimeError("no licence")

    timings = measure({"us": lambda: None, "absent": None, "broken": fails}, repeats=2)
    assert list(timings) == ["us", "absent", "broken"]
    assert math.isnan(ratio(timings, "absent", "us").value)
    text = comparison("Race", timings, reference="us").to_text()
    assert "not installed" in text and "failed: RuntimeError: no licence" in text


def test_peer_that_fails_late_is_no_timing():
    calls = []

    def tires():
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("tired")

    timings = measure({"us": lambda: None, "them": tires}, repeats=4)
    assert timings["them"].problem == "failed: RuntimeError: tired"
    assert len(timings["us"].times) == 4


def test_everything_absent():
    assert measure({"a": None})["a"].problem == "not installed"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bandwidth_is_positive(dtype):
    found = read_bandwidth(2**22, dtype, repeats=2)
    assert found.single_thread > 1e8 and found.all_threads > 1e8 and found.n_threads >= 1
    assert found.n_bytes == 2**22


def test_environment_is_json_and_readable():
    found = json.loads(json.dumps(environment()))
    assert found["cores"]["logical"] >= 1 and found["blas"]
    assert found["libraries"]["numpy"] != "not installed"
    assert "numpy" in describe_environment(found)["Libraries"]
