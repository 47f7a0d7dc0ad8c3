"""A run is killed as the system kills it, whole process group at once, and run again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pandas")
pytest.importorskip("rich")
pytest.importorskip("matplotlib")

from experiments._harness.results import load_results  # noqa: E402

from ._toys import stored, write_slow_study  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX process groups")


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", ["1", "2"])
def test_killed_run_goes_on_where_it_was(studies, out, n_jobs):
    log = write_slow_study(studies, seconds=0.25)
    command = [sys.executable, "-m", "experiments", "run", "slow", "--n-jobs", n_jobs]
    command += ["--studies", str(studies), "--out", str(out)]
    with subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL
    ) as process:
        _wait(lambda: len(stored(out, "slow")) >= 3)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    time.sleep(0.4)  # nothing of the group may go on
    kept = stored(out, "slow")
    assert 3 <= len(kept) < 8
    assert log.read_text().count("start") < 8

    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"{len(kept)} already stored, {8 - len(kept)} computed, 0 failed" in again.stdout
    lines = log.read_text().splitlines()
    for document in kept.values():
        assert lines.count(f"start {document['configuration']['i']}") == 1
    assert kept.items() <= stored(out, "slow").items()  # not even the time stamps moved
    assert load_results(out, "slow").frame["square"].tolist() == [i**2 for i in range(8)]
    assert not list(out.glob("**/*.tmp"))


def _wait(condition, seconds=60):
    stop = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < stop, "the run did not come so far"
        time.sleep(0.02)
