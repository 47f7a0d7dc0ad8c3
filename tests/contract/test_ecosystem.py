"""What scikit-learn's users do around an estimator: pipelines, searches, frames, files, devices."""

import io
import pickle

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_wine
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils._array_api import move_estimator_to

from skkd._backend import numpy_namespace, to_numpy
from skkd.linear_model import BatchPerceptron, LogisticRegressionGD, MaxMarginGD
from tests._discovery import all_estimators
from tests.contract._instances import instances, shortened

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_wine(return_X_y=True)
NAMES = load_wine().target_names
CLASSES = [LogisticRegressionGD, BatchPerceptron, MaxMarginGD]
MODELS = instances()


def short(cls, **params):
    return shortened(cls(**params), 20)


def pipeline(cls, **params):
    return make_pipeline(StandardScaler(), short(cls, **params))


def assert_same_coef(one, other):
    """Up to rounding: a frame gives its columns in another memory order."""
    scale = np.abs(other.coef_).max()
    assert np.abs(one.coef_ - other.coef_).max() <= 1e-8 * scale


def target(model):
    """Labels of three classes, or of two for a model that knows no more; centred to regress on."""
    if is_regressor(model):
        return y - y.mean()
    tags = get_tags(model).classifier_tags
    if tags is None:  # a transformer that looks at labels
        return y
    return y if tags.multi_class else (y == 1).astype(int)


def prefix(cls):
    return cls.__name__.lower()


@pytest.mark.parametrize("model", [m for m in MODELS if hasattr(m, "predict")], ids=repr)
def test_in_a_pipeline_under_cross_validation(model):
    cv, least = KFold(3, shuffle=True, random_state=0), 0.9 if is_classifier(model) else 0.3
    pipe = make_pipeline(StandardScaler(), clone(model))
    assert cross_validate(pipe, X, target(model), cv=cv)["test_score"].mean() > least


@pytest.mark.parametrize("cls", CLASSES)
def test_grid_search_in_two_processes_finds_what_one_finds(cls):
    grid = {f"{prefix(cls)}__fit_intercept": [True, False]}
    found = [GridSearchCV(pipeline(cls), grid, cv=3, n_jobs=n).fit(X, y) for n in (None, 2)]
    one, two = (search.cv_results_["mean_test_score"] for search in found)
    assert one == pytest.approx(two)
    assert found[0].best_params_ == found[1].best_params_
    assert found[0].best_score_ > 0.9


@pytest.mark.parametrize("cls", CLASSES)
def test_in_meta_estimators(cls):
    for meta in (
        OneVsRestClassifier(pipeline(cls)),
        VotingClassifier([("one", pipeline(cls)), ("two", pipeline(cls))]),
        CalibratedClassifierCV(pipeline(cls), cv=3),
    ):
        assert meta.fit(X, NAMES[y]).score(X, NAMES[y]) > 0.95
    logits = cross_val_predict(pipeline(cls), X, y, method="decision_function", cv=3)
    assert logits.shape == (len(y), 3)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_clone_and_parameters(model):
    fitted = clone(model).fit(X, target(model))
    again = clone(fitted)
    # As text: a teacher among the parameters is cloned, too, and no estimator equals another.
    assert repr(again.get_params(deep=False)) == repr(model.get_params(deep=False))
    assert not hasattr(again, "coef_")
    same = type(model)(**model.get_params(deep=False))
    assert repr(same.get_params(deep=False)) == repr(model.get_params(deep=False))


def _through_pickle(model):
    return pickle.loads(pickle.dumps(model))


def _through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def _through_skops(model):
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(model)
    ours = [f"{type(model).__module__}.{type(model).__name__}"]
    # Nothing but our own class needs trust: fitted attributes are arrays, numbers and strings.
    assert skops.get_untrusted_types(data=data) == ours
    return skops.loads(data, trusted=ours)


@pytest.mark.parametrize("through", [_through_pickle, _through_joblib, _through_skops])
@pytest.mark.parametrize("labels", [y, NAMES[y]], ids=["numbers", "words"])
@pytest.mark.parametrize("cls", CLASSES)
def test_round_trip(cls, labels, through):
    fitted = short(cls).fit(X, labels)
    again = through(fitted)
    assert set(vars(again)) == set(vars(fitted))
    assert np.array_equal(again.predict(X), fitted.predict(X))
    assert np.array_equal(again.decision_function(X), fitted.decision_function(X))
    assert (again.n_iter_, again.separated_) == (fitted.n_iter_, fitted.separated_)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("cls", CLASSES)
def test_frames_in(cls, library):
    frames = pytest.importorskip(library)
    names = load_wine().feature_names
    frame = frames.DataFrame(dict(zip(names, X.T, strict=True)))
    labels = frames.Series(NAMES[y].astype(str).tolist())
    fitted = short(cls).fit(frame, labels)
    assert fitted.feature_names_in_.tolist() == names
    plain = short(cls).fit(X, NAMES[y])
    assert_same_coef(fitted, plain)
    assert np.array_equal(fitted.predict(frame), plain.predict(X))
    other = (
        frame.rename(columns={names[0]: "another"})
        if library == "pandas"
        else frame.rename({names[0]: "another"})
    )
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(other)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("cls", CLASSES)
def test_output_of_transformers_is_irrelevant(cls, output):
    if output != "default":
        pytest.importorskip(output)
    expected = pipeline(cls).fit(X, y)
    with config_context(transform_output=output):
        fitted = pipeline(cls).fit(X, y)
        labels = fitted.predict(X)
    assert np.array_equal(labels, expected.predict(X)) and isinstance(labels, np.ndarray)
    assert_same_coef(fitted[-1], expected[-1])


class TestMetadata:
    """sample_weight through a Pipeline and a GridSearchCV, with routing off and on."""

    weight = np.random.RandomState(0).choice([0.5, 1.0, 3.0], size=len(y))

    def expected(self, cls):
        rows = StandardScaler().fit_transform(X)
        return short(cls).fit(rows, y, sample_weight=self.weight).coef_

    @pytest.mark.parametrize("cls", CLASSES)
    def test_routing_off(self, cls):
        with config_context(enable_metadata_routing=False):
            weight = {f"{prefix(cls)}__sample_weight": self.weight}
            fitted = pipeline(cls).fit(X, y, **weight)
            assert np.array_equal(fitted[-1].coef_, self.expected(cls))
            grid = {f"{prefix(cls)}__max_iter": [20]}
            search = GridSearchCV(pipeline(cls), grid, cv=2).fit(X, y, **weight)
            assert np.array_equal(search.best_estimator_[-1].coef_, self.expected(cls))
            with pytest.raises(RuntimeError, match="metadata routing is enabled"):
                short(cls).set_fit_request(sample_weight=True)

    @pytest.mark.parametrize("cls", CLASSES)
    def test_routing_on(self, cls):
        with config_context(enable_metadata_routing=True):
            last = short(cls).set_fit_request(sample_weight=True)
            last.set_score_request(sample_weight=True)
            scaler = StandardScaler().set_fit_request(sample_weight=False)
            pipe = make_pipeline(scaler, last)
            assert np.array_equal(
                pipe.fit(X, y, sample_weight=self.weight)[-1].coef_, self.expected(cls)
            )
            search = GridSearchCV(pipe, {f"{prefix(cls)}__max_iter": [20]}, cv=2)
            search.fit(X, y, sample_weight=self.weight)
            assert np.array_equal(search.best_estimator_[-1].coef_, self.expected(cls))
            scores = cross_validate(pipe, X, y, params={"sample_weight": self.weight}, cv=2)
            assert np.isfinite(scores["test_score"]).all()

    @pytest.mark.parametrize("cls", CLASSES)
    def test_routing_on_under_another_name(self, cls):
        with config_context(enable_metadata_routing=True):
            last = short(cls).set_fit_request(sample_weight="importance")
            pipe = make_pipeline(StandardScaler(), last)
            pipe.fit(X, y, importance=self.weight)
        assert np.array_equal(pipe[-1].coef_, self.expected(cls))

    @pytest.mark.parametrize("cls", CLASSES)
    def test_routing_on_wants_an_answer(self, cls):
        with (
            config_context(enable_metadata_routing=True),
            pytest.raises(UnsetMetadataPassedError, match="sample_weight"),
        ):
            cross_validate(short(cls), X, y, params={"sample_weight": self.weight})


@pytest.mark.parametrize("cls", all_estimators(), ids=lambda cls: cls.__name__)
def test_representation_links_to_the_documentation(cls):
    model = next(model for model in MODELS if type(model) is cls)
    html = clone(model).fit(X, target(model))._repr_html_()
    module = ".".join(cls.__module__.split(".")[:2])
    assert f"https://skkd.readthedocs.io/en/stable/generated/{module}.{cls.__name__}.html" in html


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
@pytest.mark.parametrize("cls", CLASSES)
class TestArrayLibraries:
    def test_words_as_labels_of_arrays(self, cls, library):
        xp = pytest.importorskip(library)
        with config_context(array_api_dispatch=True):
            rows = xp.asarray(X)
            fitted = short(cls).fit(rows, NAMES[y])
            labels = fitted.predict(rows)
            assert fitted.score(rows, NAMES[y]) > 0.3
        assert isinstance(labels, np.ndarray) and set(labels) <= set(NAMES)
        assert isinstance(fitted.coef_, type(rows))

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_dtype_is_kept(self, cls, library, dtype):
        xp = pytest.importorskip(library)
        with config_context(array_api_dispatch=True):
            rows = xp.asarray(X.astype(dtype))
            fitted = short(cls).fit(rows, xp.asarray(y))
            logits = fitted.decision_function(rows)
        expected = getattr(xp, dtype)
        assert fitted.coef_.dtype == fitted.intercept_.dtype == logits.dtype == expected

    def test_fitted_there_used_here(self, cls, library):
        xp = pytest.importorskip(library)
        rows = StandardScaler().fit_transform(X)
        with config_context(array_api_dispatch=True):
            fitted = short(cls).fit(xp.asarray(rows), xp.asarray(y))
            there = to_numpy(fitted.decision_function(xp.asarray(rows)))
            with pytest.raises(ValueError, match="must use the same namespace"):
                fitted.predict(rows)
            moved = move_estimator_to(fitted, numpy_namespace, "cpu")
        assert moved.decision_function(rows) == pytest.approx(there, rel=1e-12, abs=1e-12)
        assert isinstance(moved.coef_, np.ndarray)
        assert moved.score(rows, y) > 0.9


def test_without_dispatch_torch_is_read_as_numpy():
    torch = pytest.importorskip("torch")
    rows = torch.asarray(X)
    fitted = short(LogisticRegressionGD).fit(rows, y)
    assert isinstance(fitted.coef_, np.ndarray)
    assert np.array_equal(fitted.coef_, short(LogisticRegressionGD).fit(X, y).coef_)
