"""scikit-learn's callbacks: logs, progress, early stop, and what a pickle keeps of them."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkd.datasets import make_separable
from skkd.linear_model import BatchPerceptron, LogisticRegressionGD, MaxMarginGD
from tests.contract._callbacks import Recorder, StopAt
from tests.contract._instances import instances

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Labels with noise: no line separates them, so that every update is made.
NOISY = make_classification(120, 6, flip_y=0.3, random_state=0)
ITERATIVE = [
    clone(model).set_params(max_iter=12)
    for model in instances()
    if "max_iter" in model.get_params()
]
CLASSES = [LogisticRegressionGD, BatchPerceptron, MaxMarginGD]


@pytest.mark.parametrize("model", [m for m in ITERATIVE if hasattr(m, "predict")], ids=repr)
def test_scoring_monitor_logs_one_row_per_update(model):
    scoring, lowest = ("accuracy", 0) if is_classifier(model) else ("r2", -1)
    monitor = ScoringMonitor(scoring=scoring)
    model = clone(model).set_callbacks(monitor).fit(*NOISY)
    log = monitor.get_logs().data_as_pandas
    updates = log[log["task_name"] == "update"]
    assert updates["task_id"].tolist() == list(range(model.n_iter_))
    assert updates[scoring].between(lowest, 1).all()


def test_scoring_monitor_sees_the_iterate_of_its_update():
    X, y = NOISY
    monitor = ScoringMonitor(scoring="accuracy")
    LogisticRegressionGD(max_iter=6).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    for count, logged in enumerate(log[log["task_name"] == "update"]["accuracy"], start=1):
        model = LogisticRegressionGD(stop="max_iter", keep="last", max_iter=count).fit(X, y)
        assert logged == pytest.approx(model.score(X, y))


def test_probabilities_can_be_monitored():
    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = LogisticRegressionGD("constant", 0.5, stop="max_iter", max_iter=10)
    model.set_callbacks(monitor).fit(*NOISY)
    log = monitor.get_logs().data_as_pandas
    scores = log[log["task_name"] == "update"]["neg_log_loss"].to_numpy()
    assert len(scores) == 10 and np.all(np.diff(scores) > 0)


@pytest.mark.parametrize("model", ITERATIVE, ids=repr)
@pytest.mark.parametrize("update", [0, 4])
def test_early_stop_stops_and_n_iter_tells(model, update):
    stopped = clone(model).set_callbacks(StopAt(update)).fit(*NOISY)
    # Fast solvers are done before the fifth update.
    assert stopped.n_iter_ == min(update + 1, clone(model).fit(*NOISY).n_iter_)
    answer = stopped.predict if hasattr(stopped, "predict") else stopped.transform
    assert np.isfinite(answer(NOISY[0])).all()


@pytest.mark.parametrize("cls", CLASSES)
def test_early_stop_gives_no_warning(cls, recwarn):
    cls(max_iter=50).set_callbacks(StopAt(2)).fit(*NOISY)
    assert not recwarn.list


@pytest.mark.parametrize("cls", CLASSES)
def test_callbacks_change_nothing(cls):
    X, y = NOISY
    watched = cls(max_iter=15).set_callbacks(Recorder()).fit(X, y)
    alone = cls(max_iter=15).fit(X, y)
    assert np.array_equal(watched.coef_, alone.coef_)
    assert watched.n_iter_ == alone.n_iter_


def test_watching_ends_with_separation():
    X, y = make_separable(50, 4, 0.3, random_state=0)
    recorder = Recorder()
    model = LogisticRegressionGD(step_size=0.1).set_callbacks(recorder).fit(X, y)
    assert len(recorder.coefs) == model.n_iter_ > 1
    assert np.array_equal(recorder.coefs[-1], model.coef_)
    assert recorder.scores[-1] == 1.0 > recorder.scores[0]


def test_progress_bar_works(capsys):
    pytest.importorskip("rich")
    model = LogisticRegressionGD(max_iter=20).set_callbacks(ProgressBar()).fit(*NOISY)
    assert model.n_iter_ == 20
    assert "LogisticRegressionGD" in capsys.readouterr().out


def test_progress_bar_and_monitor_through_a_grid_search():
    pytest.importorskip("rich")
    monitor = ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(
        StandardScaler(), LogisticRegressionGD(max_iter=3).set_callbacks(monitor)
    )
    search = GridSearchCV(pipeline, {"logisticregressiongd__step_size": [0.1, 1.0]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(*NOISY)
    assert search.best_estimator_[-1].n_iter_ == 3


@pytest.mark.parametrize("cls", CLASSES)
def test_callbacks_are_cloned_pickled_and_removed(cls):
    model = cls(max_iter=30).set_callbacks(StopAt(3))
    for copy in (clone(model), pickle.loads(pickle.dumps(model))):
        assert copy.fit(*NOISY).n_iter_ == 4
    assert model.set_callbacks().fit(*NOISY).n_iter_ == 30
    fitted = cls(max_iter=5).set_callbacks(ScoringMonitor(scoring="accuracy")).fit(*NOISY)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(NOISY[0]), fitted.predict(NOISY[0]))
