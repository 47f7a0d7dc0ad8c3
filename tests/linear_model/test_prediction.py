"""Fitted attributes, decisions and probabilities."""

import math

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit, log_expit, softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skkd.linear_model import BatchPerceptron, LogisticRegressionGD, MaxMarginGD
from tests.linear_model._data import overlapping, separable

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

MODELS = [
    LogisticRegressionGD(max_iter=50),
    LogisticRegressionGD("constant", 1.0, multi_class="kesler", max_iter=50),
    LogisticRegressionGD("risk_adaptive", 1.0, max_iter=50),
    BatchPerceptron(max_iter=50),
    MaxMarginGD(max_iter=50),
]
WITHOUT_PROBABILITIES = [BatchPerceptron(), MaxMarginGD()]


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_shapes_and_decisions(model, fit_intercept, n_classes):
    X, y = overlapping(n_classes=n_classes)
    model = clone(model).set_params(fit_intercept=fit_intercept).fit(X, y)
    k = 1 if n_classes == 2 else n_classes
    assert model.coef_.shape == (k, 3) and model.intercept_.shape == (k,)
    assert fit_intercept or np.all(model.intercept_ == 0)
    Z = X @ model.coef_.T + model.intercept_
    logits = model.decision_function(X)
    assert logits == pytest.approx(Z[:, 0] if k == 1 else Z, rel=1e-12, abs=1e-12)
    chosen = (Z[:, 0] > 0).astype(int) if k == 1 else Z.argmax(axis=1)
    assert np.array_equal(model.predict(X), chosen)
    assert isinstance(model.n_iter_, int) and isinstance(model.separated_, bool)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_coefficients_sum_to_zero_over_more_than_two_classes(model):
    X, y = overlapping(n_classes=3)
    model = clone(model).fit(X, y)
    scale = np.abs(model.coef_).max()
    assert np.abs(model.coef_.sum(axis=0)).max() <= 1e-12 * scale
    assert abs(model.intercept_.sum()) <= 1e-12 * scale


@pytest.mark.parametrize("labels", [[False, True], [-1, 1], [3, 8], ["a", "b"], [1.0, 2.0]])
def test_positive_class_is_the_larger_label(labels):
    X, y = separable()
    named = np.array(labels)[(y > 0).astype(int)]
    model = LogisticRegressionGD(fit_intercept=False).fit(X, named)
    assert model.classes_.tolist() == labels
    assert np.array_equal(model.predict(X), named)
    assert np.array_equal(model.decision_function(X) > 0, y > 0)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e8])
def test_probabilities(n_classes, scale):
    X, y = overlapping(n_classes=n_classes)
    model = LogisticRegressionGD(stop="max_iter", max_iter=30).fit(X, y)
    Z = scale * X @ model.coef_.T + model.intercept_
    P, log_P = model.predict_proba(scale * X), model.predict_log_proba(scale * X)
    if n_classes == 2:
        expected = np.hstack([expit(-Z), expit(Z)])
        expected_log = np.hstack([log_expit(-Z), log_expit(Z)])
    else:
        expected = softmax(Z, axis=1)
        expected_log = Z - np.logaddexp.reduce(Z, axis=1, keepdims=True)
    assert pytest.approx(expected, abs=1e-12) == P
    assert P.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    # Finite also where the probability is zero in floating point.
    assert np.isfinite(log_P).all()
    assert log_P == pytest.approx(expected_log, rel=1e-10, abs=1e-10)
    assert scale < 1e8 or (P.min() == 0.0 and log_P.min() < -1e6)


@pytest.mark.parametrize("model", WITHOUT_PROBABILITIES, ids=repr)
def test_no_probabilities_where_there_is_no_likelihood(model):
    assert not hasattr(model, "predict_proba") and not hasattr(model, "predict_log_proba")


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_unfitted(model):
    with pytest.raises(NotFittedError):
        clone(model).predict(np.zeros((2, 3)))


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_and_dense_agree(model, n_classes, dtype):
    X, y = overlapping(n_classes=n_classes)
    X = np.where(np.abs(X) < 0.5, 0.0, X).astype(dtype)
    model = clone(model).set_params(max_iter=15)
    dense = clone(model).fit(X, y)
    assert dense.coef_.dtype == dense.intercept_.dtype == dtype
    assert dense.decision_function(X).dtype == dtype
    tolerance = (1e-10 if dtype == "float64" else 1e-3) * float(np.abs(dense.coef_).max())
    for layout in (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array):
        fitted = clone(model).fit(layout(X), y)
        assert fitted.coef_.dtype == dtype
        assert np.abs(fitted.coef_ - dense.coef_).max() <= tolerance
        assert fitted.n_iter_ == dense.n_iter_
        logits = fitted.decision_function(layout(X))
        assert logits == pytest.approx(fitted.decision_function(X), abs=50 * tolerance)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_read_only_and_oddly_laid_out_rows(model):
    X, y = overlapping()
    expected = clone(model).set_params(max_iter=15).fit(X, y)
    frozen = X.copy()
    frozen.setflags(write=False)
    for rows in (frozen, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X.tolist()):
        fitted = clone(model).set_params(max_iter=15).fit(rows, y)
        scale = np.abs(expected.coef_).max()
        assert np.abs(fitted.coef_ - expected.coef_).max() <= 1e-10 * scale


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_training_data_is_left_alone(model):
    X, y = overlapping()
    weight = np.ones(len(y))
    before = X.copy(), y.copy(), weight.copy()
    clone(model).fit(X, y, sample_weight=weight)
    for array, copy in zip((X, y, weight), before, strict=True):
        assert np.array_equal(array, copy)


def test_two_classes_of_softmax_are_the_binary_method():
    """Labels of which only two occur: whatever multi_class, it is the one-logit problem."""
    X, y = separable()
    one = LogisticRegressionGD(multi_class="multinomial").fit(X, y)
    other = LogisticRegressionGD(multi_class="kesler").fit(X, y)
    assert np.array_equal(one.coef_, other.coef_)


@pytest.mark.parametrize("step", ["normalized", "constant", "risk_adaptive"])
def test_infinite_step_is_the_perceptron(step):
    """Of LogisticRegressionGD and of BatchPerceptron, for two classes and Kesler's."""
    for n_classes in (2, 3):
        X, y = separable(n_samples=80, margin=0.1, n_classes=n_classes)
        one = LogisticRegressionGD(step, math.inf, multi_class="kesler").fit(X, y)
        other = BatchPerceptron(step == "normalized").fit(X, y)
        if step == "risk_adaptive":
            assert one.separated_  # the row of worst margin: no batch perceptron
            continue
        assert one.n_iter_ == other.n_iter_
        scale = np.abs(other.coef_).max()
        assert np.abs(one.coef_ - other.coef_).max() <= 1e-13 * scale


def test_worst_margin_limit_steps_to_the_worst_row():
    X, y = separable(margin=0.05)
    X = 1e-3 * X  # nothing is near but what ties
    M = y[:, None] * X
    theta = M.mean(axis=0)  # at the origin all rows are worst
    for count in range(1, 40):
        model = LogisticRegressionGD(
            "risk_adaptive",
            math.inf,
            stop="max_iter",
            keep="last",
            max_iter=count,
            fit_intercept=False,
        ).fit(X, y)
        assert model.coef_[0] == pytest.approx(theta, rel=1e-10)
        theta = theta + M[np.argmin(M @ theta)]
