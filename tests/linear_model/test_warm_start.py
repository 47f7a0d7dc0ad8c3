"""Continuing from the last solution."""

import math

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from skkd.linear_model import BatchPerceptron, LogisticRegressionGD
from tests.linear_model._data import overlapping, separable

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

STEPS = [
    ("normalized", 0.5),
    ("constant", 0.5),
    ("risk_adaptive", 0.5),
    ("normalized", 10.0),
    ("normalized", math.inf),
    ("constant", math.inf),
]


@pytest.mark.parametrize(("step", "step_size"), STEPS)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_two_halves_make_a_whole(step, step_size, fit_intercept):
    X, y = overlapping()
    params = {"fit_intercept": fit_intercept, "stop": "max_iter", "keep": "last"}
    whole = LogisticRegressionGD(step, step_size, max_iter=60, **params).fit(X, y)
    half = LogisticRegressionGD(step, step_size, max_iter=30, warm_start=True, **params)
    half.fit(X, y).fit(X, y)
    assert np.array_equal(half.coef_, whole.coef_)
    assert np.array_equal(half.intercept_, whole.intercept_)
    assert half.n_iter_ == 30


@pytest.mark.parametrize("step_size", [0.5, 2.0])
@pytest.mark.parametrize("multi_class", ["multinomial", "kesler"])
def test_two_halves_make_a_whole_for_more_classes(step_size, multi_class):
    """Not to the bit: intercepts are centred in between."""
    X, y = overlapping(n_classes=3)
    params = {"multi_class": multi_class, "stop": "max_iter", "keep": "last"}
    whole = LogisticRegressionGD("constant", step_size, max_iter=60, **params).fit(X, y)
    half = LogisticRegressionGD("constant", step_size, max_iter=30, warm_start=True, **params)
    half.fit(X, y).fit(X, y)
    assert half.coef_ == pytest.approx(whole.coef_, abs=1e-12 * np.abs(whole.coef_).max())


def test_without_warm_start_a_second_fit_forgets_the_first():
    X, y = overlapping()
    model = LogisticRegressionGD(stop="max_iter", keep="last", max_iter=30).fit(X, y)
    first = model.coef_
    assert np.array_equal(model.fit(X, y).coef_, first)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "model", [LogisticRegressionGD(), BatchPerceptron(), BatchPerceptron(False)], ids=repr
)
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix])
def test_no_update_on_separated_data(model, n_classes, layout):
    X, y = separable(n_classes=n_classes)
    model = clone(model).set_params(warm_start=True).fit(layout(X), y)
    assert model.n_iter_ > 0
    coef, intercept = model.coef_.copy(), model.intercept_.copy()
    model.fit(layout(X), y)
    assert (model.n_iter_, model.n_iter_to_separate_, model.separated_) == (0, 0, True)
    assert model.coef_ == pytest.approx(coef, rel=1e-14)
    assert model.intercept_ == pytest.approx(intercept, rel=1e-12)


def test_new_rows_are_learnt_from_where_the_old_ones_ended():
    X, y = separable(n_samples=400, n_features=10, margin=0.05)
    cold = LogisticRegressionGD(fit_intercept=False).fit(X, y)
    model = LogisticRegressionGD(fit_intercept=False, warm_start=True).fit(X[:380], y[:380])
    model.fit(X, y)
    assert model.separated_ and model.n_iter_ < cold.n_iter_


@pytest.mark.parametrize("cls", [LogisticRegressionGD, BatchPerceptron])
def test_other_features_or_classes_are_an_error(cls):
    X, y = separable()
    model = cls(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="4 features.*but the data has 3 features"):
        model.fit(X[:, :3], y)
    with pytest.raises(ValueError, match="classes -1, 1.*classes no, yes.*warm_start=False"):
        model.fit(X, np.where(y > 0, "yes", "no"))
    X3, y3 = separable(n_classes=3)
    with pytest.raises(ValueError, match="classes 0, 1, 2"):
        model.fit(X3, y3)


def test_a_failed_warm_start_leaves_the_solution_alone():
    X, y = separable()
    model = LogisticRegressionGD(warm_start=True).fit(X, y)
    labels = model.predict(X)
    with pytest.raises(ValueError, match="warm_start=True continues"):
        model.fit(X[:, :3], y)
    assert np.array_equal(model.classes_, [-1, 1])
    # n_features_in_ is the one thing that scikit-learn's validation has changed.
    model.n_features_in_ = 4
    assert np.array_equal(model.predict(X), labels)


def test_intercept_may_be_added_or_dropped_between_fits():
    X, y = overlapping()
    model = LogisticRegressionGD(warm_start=True, stop="max_iter", keep="last", max_iter=5)
    model.fit(X, y).set_params(fit_intercept=False).fit(X, y)
    assert np.all(model.intercept_ == 0)
    model.set_params(fit_intercept=True).fit(X, y)
    assert np.all(np.isfinite(model.intercept_))
