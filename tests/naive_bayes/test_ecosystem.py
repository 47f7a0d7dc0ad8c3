"""Naive Bayes in files, frames, searches and under metadata routing."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkd.naive_bayes import SharedVarianceGaussianNB

DATA = load_wine()
X, y, NAMES = DATA.data, DATA.target, DATA.target_names


def through_pickle(model):
    return pickle.loads(pickle.dumps(model))


def through_skops(model):
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(model)
    ours = [f"{type(model).__module__}.{type(model).__name__}"]
    assert skops.get_untrusted_types(data=data) == ours  # nothing but our class needs trust
    return skops.loads(data, trusted=ours)


@pytest.mark.parametrize("through", [through_pickle, through_skops])
@pytest.mark.parametrize("labels", [y, NAMES[y]], ids=["numbers", "words"])
def test_a_file_keeps_the_model_and_what_it_learns_next(labels, through):
    fitted = SharedVarianceGaussianNB().fit(X[:120], labels[:120])
    again = through(fitted)
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert np.array_equal(again.predict(X), fitted.predict(X))
    seen = np.isin(labels, fitted.classes_)
    for model in (fitted, again):
        model.partial_fit(X[120:][seen[120:]], labels[120:][seen[120:]])
    assert np.array_equal(again.coef_, fitted.coef_)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame(dict(zip(DATA.feature_names, X.T, strict=True)))
    labels = frames.Series(NAMES[y].astype(str).tolist())
    fitted = SharedVarianceGaussianNB().fit(frame, labels)
    assert fitted.feature_names_in_.tolist() == DATA.feature_names
    plain = SharedVarianceGaussianNB().fit(X, NAMES[y])
    assert fitted.coef_ == pytest.approx(plain.coef_, rel=1e-12)
    assert np.array_equal(fitted.predict(frame), plain.predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame[DATA.feature_names[::-1]])


def test_grid_search_in_a_pipeline():
    pipe = make_pipeline(StandardScaler(), SharedVarianceGaussianNB())
    grid = {
        "sharedvariancegaussiannb__var_smoothing": [1e-9, 0.1, 10.0],
        "sharedvariancegaussiannb__smoothing": ["absolute", "relative"],
        "sharedvariancegaussiannb__ddof": [0, "K"],
    }
    one, two = (GridSearchCV(pipe, grid, cv=3, n_jobs=n).fit(X, y) for n in (None, 2))
    assert one.best_score_ > 0.95
    assert np.array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])


def test_sample_weights_are_routed():
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    with config_context(enable_metadata_routing=True):
        model = SharedVarianceGaussianNB()
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler(), model)
        pipe[0].set_fit_request(sample_weight=False)
        found = cross_validate(pipe, X, y, params={"sample_weight": weight}, cv=3)
    assert found["test_score"].min() > 0.9


def test_a_constant_parameter_is_checked():
    for wrong in ({"ddof": 1}, {"smoothing": "both"}, {"var_smoothing": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SharedVarianceGaussianNB(**wrong).fit(X, y)
