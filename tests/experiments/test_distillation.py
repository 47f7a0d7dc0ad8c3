"""The study distillation: splits, statistics, every part at a small size, claims and figures."""

import warnings

import numpy as np
import pytest
from scipy import stats

from experiments._harness.claims import judge
from experiments._harness.study import STUDIES, discover
from experiments.distillation import sets, tables

pd = pytest.importorskip("pandas")
STUDY = discover(STUDIES)["distillation"]


@pytest.fixture(scope="module")
def results():
    alphas = [1e-2]
    listed = [
        {"part": "real", "set": "wine", "teacher": "svm", "alphas": alphas},
        {"part": "few", "set": "breast_cancer", "teacher": "svm", "m": 10, "alphas": alphas},
        {"part": "bayes", "teacher": "bayes", "alphas": [1e-3]},
        {"part": "mi_alpha", "rho": 0.9, "K": 16, "d": 5, "batches": 20},
        {"part": "self", "set": "wine", "alpha": 1e-2, "alphas": alphas},
    ]
    # An interval of two seeds is too wide for anything to hold; the simulation is cheap.
    grid = [
        {**one, "seed": seed}
        for one in listed
        for seed in range(5 if one["part"] == "bayes" else 2)
    ]
    return pd.DataFrame([{**one, **STUDY.run(one)} for one in grid])


def test_claims_are_measured_without_error(results):
    found = {one.claim.id: one for one in judge(STUDY.claims(), results)}
    assert not [one.measured for one in found.values() if one.status == "error"]
    assert found["bayes-variance"].status == "holds"
    assert found["pskd-penalty"].status == "holds"
    assert found["lelp"].status == "not measured"


def test_figures_are_drawn_without_warnings(results):
    plt = pytest.importorskip("matplotlib.pyplot")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = []
        for name, _, figure in STUDY.figures(results):
            figure.canvas.draw()
            plt.close(figure)
            names.append(name)
    assert names == ["losses", "few", "mi_alpha"]


def test_grid_has_ten_seeds():
    for preset in ("quick", "paper"):
        grid = STUDY.configurations(preset, {})
        assert len({one["seed"] for one in grid}) >= 10


def test_parts_of_a_split_do_not_meet():
    rows = sets.Rows(np.arange(60.0)[:, None], np.arange(60) % 3)
    parts = sets.split(rows, (20, 10), seed=0)
    values = np.concatenate([part.X[:, 0] for part in parts])
    assert [len(part.y) for part in parts] == [20, 10, 30]
    assert np.unique(values).size == 60


def test_interval_is_that_of_the_paired_t_test():
    first, second = np.array([0.9, 0.8, 0.95, 0.7]), np.array([0.85, 0.82, 0.9, 0.6])
    rows = pd.DataFrame(
        [
            {"seed": i, "students": ["a", "b"], "accuracy": list(pair)}
            for i, pair in enumerate(zip(first, second, strict=True))
        ]
    )
    found = tables.compare(rows, "a", "b")
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    np.testing.assert_allclose(found[1:3], expected)
