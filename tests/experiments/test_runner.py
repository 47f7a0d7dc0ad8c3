import shutil

import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("rich")
pytest.importorskip("matplotlib")

from experiments._harness.results import load_results  # noqa: E402

from ._toys import STUDY, stored, write_slow_study, write_study, write_whole_study  # noqa: E402

FLAKY = """
    from pathlib import Path
    TITLE = REFERENCE = "flaky"

    def configurations(preset, data):
        return [{"i": i} for i in range(4)]

    def run(configuration):
        if configuration["i"] == 1 and not Path(GATE).exists():
            raise RuntimeError("the [gate] is shut")
        return {"square": configuration["i"] ** 2}
"""

CRASHING = """
    import os
    TITLE = REFERENCE = "crashing"

    def configurations(preset, data):
        return [{"i": i} for i in range(3)]

    def run(configuration):
        if configuration["i"] == 1:
            os._exit(3)
        return {"square": configuration["i"] ** 2}
"""


@pytest.fixture
def loky_pool():
    """Stop loky's workers after the test; they would wait for minutes for more work."""
    yield
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def test_run_computes_each_configuration_once(studies, out, call):
    log = write_slow_study(studies, seconds=0)
    status, shown, _ = call("run")
    assert status == 0 and "8 configurations, 0 already stored, 8 computed, 0 failed" in shown
    status, shown, _ = call("run")
    assert status == 0 and "8 already stored, 0 computed" in shown
    assert log.read_text().count("start") == 8
    assert load_results(out, "slow").frame["square"].tolist() == [i**2 for i in range(8)]


def test_row_holds_configuration_and_record_but_nothing_of_the_run(studies, out, call):
    write_study(studies, study=STUDY)
    assert call("run")[0] == 0
    results = load_results(out, "means")
    assert list(results.frame) == ["n", "seed", "error", "path", "diverged", "label", "n_odd"]
    assert len(results.frame["path"][5]) == 20
    assert {"seconds", "finished", "versions"} <= set(results.infos[0])
    assert {"skkd", "numpy", "sklearn"} <= set(results.infos[0]["versions"])


def test_results_do_not_depend_on_n_jobs(studies, out, call, loky_pool):
    write_whole_study(studies)
    frames = []
    for n_jobs in ("1", "2"):
        status, shown, _ = call("run", "--n-jobs", n_jobs)
        assert status == 0 and "6 computed" in shown
        frames.append(load_results(out, "means").frame)
        shutil.rmtree(out)
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_damaged_foreign_and_leftover_files_are_said_and_put_right(studies, out, call):
    log = write_slow_study(studies, seconds=0)
    call("run")
    before = load_results(out, "slow").frame
    first, second, third, *_ = sorted((out / "slow" / "results").iterdir())
    first.write_bytes(first.read_bytes()[:-20])
    second.write_bytes(third.read_bytes())
    (first.parent / f".{third.name}.1.tmp").write_text("half a resu")
    status, shown, _ = call("run")
    assert status == 0 and "6 already stored, 2 computed" in shown
    assert f"{first.name} is damaged" in shown and f"{second.name} is foreign" in shown
    assert "computing it again" in shown and "left by a run that was killed" in shown
    assert log.read_text().count("start") == 10
    assert not list(out.glob("**/*.tmp"))
    pd.testing.assert_frame_equal(load_results(out, "slow").frame, before)


def test_failure_is_shown_the_rest_runs_and_it_is_tried_again(studies, out, call, tmp_path):
    gate = tmp_path / "gate"
    write_study(studies, "flaky", study=FLAKY.replace("GATE", repr(str(gate))))
    status, shown, _ = call("run")
    assert status == 1
    assert "FAILED i=1" in shown and "RuntimeError: the [gate] is shut" in shown
    assert "3 computed, 1 failed" in shown and "Only 3 of 4 configurations" in shown
    results = load_results(out, "flaky")
    assert results.frame["i"].tolist() == [0, 2, 3]
    assert results.missing[0][0] == {"i": 1} and "Traceback" in results.missing[0][1]
    assert "the [gate] is shut" in (out / "report.html").read_text()
    gate.touch()
    status, shown, _ = call("run")
    assert status == 0 and "3 already stored, 1 computed, 0 failed" in shown
    assert not list((out / "flaky" / "errors").iterdir())


@pytest.mark.slow
def test_dead_worker_costs_only_its_configuration(studies, out, call, loky_pool):
    write_study(studies, "crashing", study=CRASHING)
    status, shown, _ = call("run", "--n-jobs", "2")
    assert status == 1 and "2 computed, 1 failed" in shown and "FAILED i=1" in shown
    assert load_results(out, "crashing").frame["i"].tolist() == [0, 2]


def test_new_version_and_new_preset_compute_what_is_new(studies, call):
    write_study(studies, study=STUDY)
    assert "6 computed" in call("run")[1]
    assert "6 already stored, 4 computed" in call("run", "--preset", "paper")[1]
    # Another folder: a module that was imported does not change in the same process.
    write_study(studies, "means_2", study=STUDY + "\n    VERSION = 2\n")
    assert "6 computed" in call("run", "means_2")[1]


def test_changed_data_file_computes_again(studies, out, call, tmp_path):
    write_study(studies, study=STUDY)
    images = tmp_path / "images.npz"
    for content, expected in [("1", "6 computed"), ("1", "6 already"), ("2", "6 computed")]:
        images.write_text(content)
        assert expected in call("run", "--data", f"images={images}")[1]
    document = next(iter(stored(out, "means").values()))
    assert document["configuration"]["file_images"] == str(images)
    assert list(document["inputs"]) == ["images"]


def test_one_blas_thread_whatever_the_backend(studies, out, call):
    source = """
        from threadpoolctl import threadpool_info
        TITLE = REFERENCE = "threads"
        configurations = lambda preset, data: [{"i": 0}]
        run = lambda configuration: {"threads": [p["num_threads"] for p in threadpool_info()]}
    """
    write_study(studies, "threads", study=source)
    assert call("run")[0] == 0
    assert set(load_results(out, "threads").frame["threads"][0]) == {1}
