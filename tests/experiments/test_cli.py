import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ._toys import STUDY, write_slow_study, write_study, write_whole_study

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _extras():
    for name in ("pandas", "rich", "matplotlib"):
        pytest.importorskip(name)


def test_list_shows_studies_and_broken_ones(studies, call):
    write_whole_study(studies)
    write_study(studies, "broken", study="raise ImportError('needs spam')")
    status, shown, errors = call("list")
    assert status == 1
    assert "means" in shown and "Means <of> & numbers" in shown and "broken, see below" in shown
    assert "needs spam" in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "menas"], "no study 'menas'; there are: means"),
        (["run", "--n-jobs", "0"], "--n-jobs is 0"),
        (["run", "--scheduler", "tcp://here"], "--backend dask"),
        (["run", "--data", "images"], "NAME=PATH"),
        (["run", "--data", "images=/no/such/file"], "there is no file /no/such/file"),
    ],
)
def test_command_that_makes_no_sense_is_refused(studies, out, call, arguments, message):
    write_study(studies, study=STUDY)
    status, _, errors = call(*arguments)
    assert status == 2 and message in errors and "Traceback" not in errors
    assert not out.exists()


def test_report_of_nothing(studies, call):
    write_study(studies, study=STUDY)
    status, shown, _ = call("report")
    assert status == 1 and "nothing is stored" in shown


def test_missing_extra_is_named(studies, call, monkeypatch):
    write_study(studies, study=STUDY)
    monkeypatch.setattr("experiments._harness.cli.find_spec", lambda name: None)
    status, _, errors = call("run")
    assert status == 2 and "pip install 'skkd[experiments]'" in errors


def test_claim_that_does_not_hold_is_no_failure(studies, call):
    write_whole_study(studies)
    status, shown, _ = call("run")
    assert status == 0
    for text in ("holds", "does not hold", "not measured", "0.893", "report.html", "figures"):
        assert text in shown
    assert max(map(len, shown.split("figures:")[0].splitlines())) <= 100


def test_study_that_cannot_start_does_not_cost_the_others(studies, out, call):
    write_whole_study(studies)
    write_study(studies, "broken", study="raise ImportError('needs spam')")
    status, shown, _ = call("run")
    assert status == 1 and "needs spam" in shown
    assert "means: 6 configurations, 0 already stored, 6 computed, 0 failed" in shown
    assert (out / "report.html").is_file()


def test_unreadable_data_file_is_one_sentence(studies, call):
    source = """
        from experiments._harness import DataFileError
        TITLE, REFERENCE = "t", "r"
        def configurations(preset, data):
            raise DataFileError("images.npz: holds no y")
        def run(configuration):
            return {}
    """
    write_study(studies, study=source)
    status, shown, errors = call("run")
    assert status == 1 and "means: images.npz: holds no y" in shown + errors
    assert "Traceback" not in shown + errors


def test_bench_prints_and_writes(studies, out, call):
    source = """
        from experiments._harness import Table
        run = lambda quick: [Table("quick" if quick else "full", ("a",), [(1.5,)])]
    """
    write_study(studies, study=STUDY, bench=source)
    write_study(studies, "no_bench", study=STUDY)
    status, shown, errors = call("bench", "no_bench", "means", "--quick")
    assert status == 1 and "has no bench.py" in errors
    assert "quick" in shown and "1.5" in (out / "bench" / "means.txt").read_text()
    assert (out / "bench" / "means.json").is_file()


PARTS = """
    from experiments._harness import Table
    PARTS = ("big", "small")

    def run(quick, only=PARTS):
        for part in only:
            yield Table(part, ("a",), [(len(only),)])
"""


def test_bench_of_one_part_keeps_the_others(studies, out, call):
    write_study(studies, study=STUDY, bench=PARTS)
    assert call("bench", "means")[0] == 0
    status, shown, _ = call("bench", "means", "--only", "small")
    assert status == 0 and "small" in shown and "big" not in shown
    tables = json.loads((out / "bench" / "means.json").read_bytes())["tables"]
    assert [(table["title"], table["rows"]) for table in tables] == [
        ("big", [[2]]),
        ("small", [[1]]),
    ]
    # A quick run is never mixed with a full one.
    assert call("bench", "means", "--quick", "--only", "small")[0] == 0
    assert len(json.loads((out / "bench" / "means.json").read_bytes())["tables"]) == 1


def test_unknown_part_of_a_bench_is_refused(studies, call):
    write_study(studies, study=STUDY, bench=PARTS)
    status, _, errors = call("bench", "means", "--only", "huge")
    assert status == 1 and "no part 'huge'; there are: big, small" in errors


def test_tables_before_a_failure_are_kept(studies, out, call):
    source = """
        from experiments._harness import Table

        def run(quick):
            yield Table("first", ("a",), [(1,)])
            raise RuntimeError("interrupted")
    """
    write_study(studies, study=STUDY, bench=source)
    status, shown, errors = call("bench", "means")
    assert status == 1 and "first" in shown and "interrupted" in errors
    assert len(json.loads((out / "bench" / "means.json").read_bytes())["tables"]) == 1


def test_bar_on_a_terminal(studies, call, monkeypatch):
    write_study(studies, study=STUDY)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    status, shown, _ = call("run")
    assert status == 0 and "6/6" in shown and "n=20, seed=1" in shown


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_interrupted_run_says_how_to_go_on(studies, out):
    log = write_slow_study(studies, seconds=0.2)
    command = [sys.executable, "-W", "error", "-m", "experiments", "run", "slow"]
    command += ["--studies", str(studies), "--out", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        stop = time.monotonic() + 60
        while not log.exists() or "end" not in log.read_text():
            assert time.monotonic() < stop
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        errors = process.communicate()[1]
    assert process.returncode == 130
    assert "interrupted" in errors and "Traceback" not in errors
