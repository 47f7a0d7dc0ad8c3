"""The dask backend, on a real local cluster of two worker processes."""

import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("rich")
pytest.importorskip("matplotlib")
distributed = pytest.importorskip("distributed")

from experiments._harness.backends import open_backend  # noqa: E402
from experiments._harness.results import load_results  # noqa: E402
from experiments._harness.runner import plan  # noqa: E402
from experiments._harness.study import discover  # noqa: E402

from ._toys import write_study, write_whole_study  # noqa: E402

SOME_FAIL = """
    import os
    TITLE = REFERENCE = "some fail"

    def configurations(preset, data):
        return [{"i": i} for i in range(6)]

    def run(configuration):
        if configuration["i"] == 1:
            raise ValueError("one")
        return {"process": os.getpid()}
"""


@pytest.mark.slow
def test_dask_gives_the_results_of_one_process(studies, out, tmp_path, call):
    write_whole_study(studies)
    assert call("run")[0] == 0
    alone = load_results(out, "means").frame
    out.rename(tmp_path / "alone")
    write_study(studies, "some_fail", study=SOME_FAIL)
    # One cluster for both: to start it is what takes the time.
    status, shown, _ = call("run", "--backend", "dask", "--n-jobs", "2")
    assert status == 1
    assert "means: 6 configurations, 0 already stored, 6 computed" in shown
    assert "FAILED i=1" in shown and "5 computed, 1 failed" in shown
    pd.testing.assert_frame_equal(load_results(out, "means").frame, alone, check_exact=True)
    assert 1 <= load_results(out, "some_fail").frame["process"].nunique() <= 2


def test_dask_scheduler_that_is_running(studies, out):
    write_study(studies, study=SOME_FAIL)
    study = discover(studies)["means"]
    # In this process, which is fast to start; how it is reached is the same.
    local = {"n_workers": 1, "threads_per_worker": 1, "processes": False}
    local["dashboard_address"] = "127.0.0.1:0"
    with distributed.LocalCluster(**local) as cluster:
        address = cluster.scheduler_address
        with open_backend("dask", n_jobs=1, scheduler=address) as execute:
            finished = list(execute(plan(study, out, "quick", {})))
    failed = [one.task.configuration["i"] for one in finished if one.document is None]
    assert len(finished) == 6 and failed == [1]
