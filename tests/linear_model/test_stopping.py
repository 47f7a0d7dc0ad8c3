"""When the gradient methods stop, which iterate they keep, and what they say about it."""

import math
from time import process_time

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from skkd.linear_model import BatchPerceptron, LogisticRegressionGD
from tests.linear_model._data import overlapping, separable

ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

STEPS = [
    ("normalized", 1.0),
    ("normalized", math.inf),
    ("constant", 1.0),
    ("constant", math.inf),
    ("risk_adaptive", 1.0),
    ("risk_adaptive", math.inf),
]


def trajectory(X, y, count, **params):
    """Parameters of iterates 0..count, each from a fit of its own."""
    path = [np.zeros(X.shape[1])]
    for max_iter in range(1, count + 1):
        model = LogisticRegressionGD(max_iter=max_iter, stop="max_iter", keep="last", **params)
        path.append(model.fit(X, y).coef_[0])
    return np.stack(path)


@pytest.mark.parametrize(("step", "step_size"), STEPS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_stop_max_iter_makes_exactly_that_many_updates(step, step_size, n_classes):
    X, y = separable(n_classes=n_classes)
    model = LogisticRegressionGD(step, step_size, stop="max_iter", keep="last", max_iter=57)
    assert model.fit(X, y).n_iter_ == 57


def test_first_updates_are_those_of_the_formula():
    X, y = separable()
    M = y[:, None] * X
    params = {"step": "normalized", "step_size": 3.0, "fit_intercept": False}
    path = trajectory(X, y, 2, **params)
    assert path[1] == pytest.approx(3.0 * M.mean(axis=0), rel=1e-13)
    pull = 1.0 / (1.0 + np.exp(M @ path[1]))
    assert path[2] == pytest.approx(path[1] + 3.0 * (pull @ M) / pull.sum(), rel=1e-12)


@pytest.mark.parametrize(("step", "step_size"), STEPS)
def test_separated_stops_at_the_first_iterate_that_separates(step, step_size):
    X, y = separable(n_samples=60, margin=0.1)
    model = LogisticRegressionGD(step, step_size, fit_intercept=False).fit(X, y)
    path = trajectory(X, y, model.n_iter_, step=step, step_size=step_size, fit_intercept=False)
    right = (y * (path @ X.T) > 0).all(axis=1)
    assert model.separated_ and right[-1] and not right[:-1].any()
    assert model.n_iter_to_separate_ == model.n_iter_ == len(path) - 1
    assert model.coef_[0] == pytest.approx(path[-1], rel=1e-12)


@ignore_convergence
@pytest.mark.parametrize("separates", [True, False])
def test_keep_average_is_the_mean_of_all_iterates_with_the_start(separates):
    X, y = separable() if separates else overlapping()
    params = {"step": "normalized", "step_size": 2.0, "fit_intercept": False}
    path = trajectory(X, y, 12, **params)
    model = LogisticRegressionGD(stop="max_iter", keep="average", max_iter=12, **params).fit(X, y)
    assert model.coef_[0] == pytest.approx(path.mean(axis=0), rel=1e-12)


@ignore_convergence
@pytest.mark.parametrize("seed", range(4))
def test_keep_best_has_fewest_errors_then_largest_margin(seed):
    X, y = overlapping(seed=seed)
    params = {"step": "normalized", "step_size": 1.0, "fit_intercept": False}
    path = trajectory(X, y, 25, **params)
    signs = 2 * y - 1
    norms = np.linalg.norm(path, axis=1)
    margins = signs * (path @ X.T)
    wrong = (margins <= 0).sum(axis=1)
    relative = margins.min(axis=1) / np.where(norms > 0, norms, np.inf)
    best = max(range(len(path)), key=lambda t: (-wrong[t], relative[t]))
    model = LogisticRegressionGD(keep="best", max_iter=25, **params).fit(X, y)
    assert model.coef_[0] == pytest.approx(path[best], rel=1e-12)
    assert model.n_iter_ == 25


@pytest.mark.parametrize("keep", ["best", "last", "average"])
def test_separated_speaks_of_the_kept_iterate(keep):
    """A trajectory that separates and later does not: the averages of small n show it."""
    found = set()
    for seed in range(20):
        X, y = separable(n_samples=30, n_features=3, margin=0.02, seed=seed)
        for max_iter in (1, 3, 10):
            model = LogisticRegressionGD(
                "constant",
                50.0,
                stop="max_iter",
                keep=keep,
                fit_intercept=False,
                max_iter=max_iter,
            ).fit(X, y)
            right = bool((y * model.decision_function(X) > 0).all())
            assert model.separated_ is right
            found.add((right, model.n_iter_to_separate_ is not None))
    assert {(True, True), (False, False)} <= found
    # Once separated, the best stays separated.
    assert keep != "best" or (False, True) not in found


@pytest.mark.parametrize("keep", ["best", "last", "average"])
@pytest.mark.parametrize(
    "cls", [LogisticRegressionGD, BatchPerceptron], ids=lambda cls: cls.__name__
)
def test_stopped_at_separation_returns_a_separating_iterate(cls, keep):
    X, y = separable(n_samples=200, n_features=10, margin=0.05)
    model = cls(keep=keep, fit_intercept=False).fit(X, y)
    assert model.separated_ and model.score(X, y) == 1.0
    assert model.n_iter_ == model.n_iter_to_separate_


def test_gradient_stop_without_convergence_warns_of_step_size():
    X, y = overlapping()
    model = LogisticRegressionGD("constant", 1e-3, stop="gradient", max_iter=3)
    with pytest.warns(ConvergenceWarning, match="increase max_iter.*smaller step_size"):
        model.fit(X, y)


@pytest.mark.parametrize("step", ["normalized", "constant", "risk_adaptive"])
def test_gradient_stop_looks_at_the_largest_entry_of_the_true_gradient(step):
    """Also where the step is made from a normalised one."""
    X, y = separable(margin=0.5)
    M = y[:, None] * X
    params = {"stop": "gradient", "tol": 1e-2, "fit_intercept": False, "keep": "last"}

    def largest(model):
        m = M @ model.coef_[0]
        pull = np.exp(-m) if step == "risk_adaptive" else 1.0 / (1.0 + np.exp(m))
        return np.abs(pull @ M / len(M)).max()

    model = LogisticRegressionGD(step, 1.0, **params).fit(X, y)
    assert largest(model) <= 1e-2
    sooner = LogisticRegressionGD(step, 1.0, max_iter=model.n_iter_ - 1, **params)
    with pytest.warns(ConvergenceWarning, match="did not fall to tol=0.01"):
        sooner.fit(X, y)
    assert largest(sooner) > 1e-2


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_stop_reaches_the_optimum_of_sklearn(n_classes, weighted):
    X, y = overlapping(n_classes=n_classes, n_samples=90)
    weight = np.random.RandomState(0).uniform(0.2, 2.0, len(y)) if weighted else np.ones(len(y))
    alpha = 0.01
    model = LogisticRegressionGD(
        "constant", 2.0, stop="gradient", alpha=alpha, keep="last", tol=1e-9, max_iter=20000
    ).fit(X, y, sample_weight=weight)
    peer = LogisticRegression(C=1.0 / (alpha * weight.sum()), tol=1e-12, max_iter=10000)
    peer.fit(X, y, sample_weight=weight)
    assert model.coef_ == pytest.approx(peer.coef_, abs=1e-5)
    # The peer leaves the common constant of the intercepts where it was.
    centred = peer.intercept_ - (peer.intercept_.mean() if n_classes > 2 else 0.0)
    assert model.intercept_ == pytest.approx(centred, abs=1e-5)
    assert model.n_iter_ < 20000


@pytest.mark.parametrize("step", ["normalized", "constant", "risk_adaptive"])
@pytest.mark.parametrize(
    ("step_size", "dtype"),
    [
        (1e4, "float64"),
        (1e8, "float64"),
        (1e100, "float64"),
        (1e300, "float64"),
        (1e4, "float32"),
        (1e30, "float32"),
    ],
)
@pytest.mark.parametrize("n_classes", [2, 3])
@ignore_convergence
def test_huge_steps_never_give_nan(step, step_size, dtype, n_classes):
    for X, y in (separable(n_classes=n_classes), overlapping(n_classes=n_classes)):
        X = X.astype(dtype)
        model = LogisticRegressionGD(step, step_size, max_iter=40).fit(X, y)
        for array in (
            model.coef_,
            model.intercept_,
            model.decision_function(X),
            model.predict_proba(X),
            model.predict_log_proba(X),
        ):
            assert np.isfinite(array).all()


def test_overflow_says_what_to_do():
    X, y = overlapping()
    with pytest.raises(ValueError, match="overflowed.*scale the features"):
        LogisticRegressionGD("constant", 1e305, max_iter=30).fit(1e5 * X, y)


@ignore_convergence
@pytest.mark.slow
def test_grid_search_on_data_that_is_not_separable_is_affordable():
    X, y = load_breast_cancer(return_X_y=True)
    grid = {"logisticregressiongd__step_size": [0.1, 1.0, 10.0]}
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegressionGD()), grid)
    begin = process_time()  # not the wall clock: other processes do not count
    search.fit(X, y)
    assert process_time() - begin < 10.0
    assert search.best_score_ > 0.94


WHY = "was not separated in max_iter=50 updates"


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix, sparse.csc_array])
@pytest.mark.parametrize("cls", [LogisticRegressionGD, BatchPerceptron])
class TestWarnings:
    def test_overlap(self, cls, layout):
        X, y = overlapping()
        with pytest.warns(ConvergenceWarning, match=f"{WHY}.*classes overlap.*increase max_iter"):
            model = cls(max_iter=50).fit(layout(X), y)
        assert not model.separated_ and model.n_iter_to_separate_ is None
        assert model.n_iter_ == 50

    def test_zero_row_without_intercept(self, cls, layout):
        X, y = separable()
        X[11] = 0.0
        with pytest.warns(ConvergenceWarning, match="row 11 is all zero.*fit_intercept=True"):
            cls(max_iter=50, fit_intercept=False).fit(layout(X), y)

    def test_contradicting_rows(self, cls, layout):
        X, y = separable()
        X[9], y[9] = X[4], -y[4]
        with pytest.warns(ConvergenceWarning, match="rows 4 and 9 have the same features"):
            cls(max_iter=50).fit(layout(X), y)

    def test_rows_without_weight_are_no_reason(self, cls, layout):
        X, y = overlapping()
        X[8], X[9] = X[4], 0.0
        y[8] = 1 - y[4]
        weight = np.ones(len(y))
        weight[[8, 9]] = 0.0
        with pytest.warns(ConvergenceWarning, match="If the classes overlap"):
            cls(max_iter=50, fit_intercept=False).fit(layout(X), y, sample_weight=weight)

    def test_one_warning_only(self, cls, layout):
        X, y = overlapping()
        with pytest.warns(ConvergenceWarning) as record:
            cls(max_iter=50).fit(layout(X), y)
        assert len(record) == 1


def test_warning_tells_the_share_of_wrong_weight():
    X, y = overlapping()
    with pytest.warns(ConvergenceWarning, match="the best iterate is kept") as record:
        model = LogisticRegressionGD(max_iter=50).fit(X, y)
    wrong = 100 * (1 - model.score(X, y))
    assert f"{wrong:.3g}% of the training weight" in str(record[0].message)


@pytest.mark.parametrize("cls", [LogisticRegressionGD, BatchPerceptron])
def test_zero_row_with_intercept_is_no_obstacle(cls):
    X, y = separable()
    X[0] = 0.0
    X[:, 0] += 0.5 * y
    assert cls(max_iter=5000).fit(X, y).separated_


@pytest.mark.parametrize("cls", [LogisticRegressionGD, BatchPerceptron])
def test_one_class_is_an_error(cls):
    X, _ = separable()
    with pytest.raises(ValueError, match="at least 2 classes.*only one class: 3"):
        cls().fit(X, np.full(len(X), 3))


@pytest.mark.parametrize("step", ["normalized", "risk_adaptive"])
def test_penalty_needs_the_constant_step(step):
    with pytest.raises(ValueError, match=r"alpha=0\.5; use alpha=0 or step='constant'"):
        LogisticRegressionGD(step, alpha=0.5).fit(*separable())


def test_penalty_vanishes_in_the_limit():
    with pytest.raises(ValueError, match="the penalty vanishes.*finite step_size"):
        LogisticRegressionGD("constant", math.inf, alpha=0.5).fit(*separable())


def test_gradient_stop_needs_a_smooth_loss():
    with pytest.raises(ValueError, match="stop='gradient' needs.*stop='separated'"):
        LogisticRegressionGD("constant", math.inf, stop="gradient").fit(*separable())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", "newton"),
        ("step_size", 0.0),
        ("step_size", -1.0),
        ("step_size", math.nan),
        ("multi_class", "ovr"),
        ("fit_intercept", "yes"),
        ("max_iter", 0),
        ("max_iter", 1.5),
        ("stop", "loss"),
        ("tol", -1e-3),
        ("keep", "first"),
        ("alpha", -1.0),
        ("class_weight", "even"),
        ("warm_start", 3),
    ],
)
def test_bad_parameters(name, value):
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of Logistic"):
        LogisticRegressionGD(**{name: value}).fit(*separable())


def test_only_step_and_step_size_are_positional():
    with pytest.raises(TypeError):
        LogisticRegressionGD("normalized", 1.0, "kesler")
    with pytest.raises(TypeError):
        BatchPerceptron(True, False)
