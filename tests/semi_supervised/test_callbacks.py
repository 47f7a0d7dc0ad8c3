"""scikit-learn's callbacks, watching a semi-supervised fit."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.datasets import make_moons

from skkd.semi_supervised import HarmonicLabelPropagation
from tests.contract._callbacks import StopAt

X, TRUTH = make_moons(80, noise=0.1, random_state=0)
Y = np.where(np.arange(80) < 30, TRUTH, -1)
MODELS = [
    HarmonicLabelPropagation(solver="cg"),
    HarmonicLabelPropagation(solver="tree-bcd"),
    HarmonicLabelPropagation(solver="tree-bcd", selection="red-black"),
]


class Keep(StopAt):
    """Keep the distributions of every update's fitted estimator."""

    def __init__(self):
        super().__init__(update=-1)
        self.seen = []

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        if context.task_name == "update":
            self.seen.append(fitted_estimator.label_distributions_)
            assert fitted_estimator.predict_proba(X).shape == (len(X), 2)
        return False


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_early_stop_stops_without_a_warning(model, recwarn):
    for update in (0, 4):
        fitted = clone(model).set_callbacks(StopAt(update)).fit(X, Y)
        assert fitted.n_iter_ == update + 1
        assert len(fitted.objective_path_) == update + 2
    assert not recwarn.list


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_each_update_shows_its_fitted_estimator(model):
    keep = Keep()
    fitted = clone(model).set_callbacks(keep).fit(X, Y)
    assert len(keep.seen) == fitted.n_iter_ > 3
    assert np.array_equal(keep.seen[-1], fitted.label_distributions_)
    assert not np.array_equal(keep.seen[0], keep.seen[1])
    alone = clone(model).fit(X, Y)
    assert np.array_equal(alone.label_distributions_, fitted.label_distributions_)


def test_direct_solve_is_one_update():
    monitor = ScoringMonitor(scoring="accuracy")
    model = HarmonicLabelPropagation(solver="direct").set_callbacks(monitor).fit(X, Y)
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "update").sum() == model.n_iter_ == 1
