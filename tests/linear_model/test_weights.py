"""Integer weights are repetition, zero weight is removal, class weights are weights."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.class_weight import compute_sample_weight

from skkd.linear_model import BatchPerceptron, LogisticRegressionGD, MaxMarginGD
from tests.linear_model._data import overlapping, separable

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# 15 updates of any step, or any number of small ones: before rounding differences grow.
MODELS = [
    LogisticRegressionGD(max_iter=15),
    LogisticRegressionGD("constant", 0.5, stop="max_iter", keep="last", max_iter=100),
    LogisticRegressionGD("constant", 0.5, stop="max_iter", keep="average", max_iter=100),
    LogisticRegressionGD("risk_adaptive", 0.5, stop="max_iter", keep="last", max_iter=15),
    LogisticRegressionGD(step_size=math.inf, stop="max_iter", keep="last", max_iter=15),
    LogisticRegressionGD("constant", math.inf, stop="max_iter", keep="last", max_iter=15),
    LogisticRegressionGD(multi_class="kesler", step_size=1.0, max_iter=15),
    LogisticRegressionGD("constant", 0.5, alpha=0.1, stop="gradient", max_iter=100),
    BatchPerceptron(max_iter=15),
    BatchPerceptron(normalized=False, max_iter=15),
]
# The largest margin does not depend on weights; the path to it does, so it is taken to the end.
MAX_MARGIN = MaxMarginGD(max_iter=200)
# The row of worst margin is the worst however often it is repeated.
WORST = LogisticRegressionGD("risk_adaptive", math.inf, max_iter=15)

RELATIVE = 1e-10


def parameters(model):
    return np.hstack([model.coef_, model.intercept_[:, None]])


def assert_same_fit(one, other):
    scale = np.abs(parameters(other)).max()
    assert np.abs(parameters(one) - parameters(other)).max() <= RELATIVE * scale
    assert one.n_iter_ == other.n_iter_
    assert one.separated_ == other.separated_
    assert np.array_equal(one.classes_, other.classes_)


@pytest.mark.parametrize("model", [*MODELS, MAX_MARGIN, WORST], ids=repr)
@pytest.mark.parametrize("make", [separable, overlapping])
@pytest.mark.parametrize("n_classes", [2, 3])
class TestEquivalence:
    def test_zero_weight_is_removal(self, model, make, n_classes):
        X, y = make(n_classes=n_classes)
        weight = np.random.RandomState(0).choice([0.0, 0.5, 1.0, 2.0], size=len(y))
        kept = weight > 0
        assert_same_fit(
            clone(model).fit(X, y, sample_weight=weight),
            clone(model).fit(X[kept], y[kept], sample_weight=weight[kept]),
        )

    def test_integer_weight_is_repetition(self, model, make, n_classes):
        X, y = make(n_classes=n_classes)
        repeats = np.random.RandomState(1).randint(1, 4, size=len(y))
        repeated = clone(model).fit(np.repeat(X, repeats, axis=0), np.repeat(y, repeats))
        assert_same_fit(clone(model).fit(X, y, sample_weight=repeats), repeated)

    def test_scale_of_weights_is_irrelevant(self, model, make, n_classes):
        X, y = make(n_classes=n_classes)
        weight = np.random.RandomState(2).uniform(0.5, 2.0, size=len(y))
        assert_same_fit(
            clone(model).fit(X, y, sample_weight=1e6 * weight),
            clone(model).fit(X, y, sample_weight=weight),
        )


@pytest.mark.parametrize("model", [*MODELS, MAX_MARGIN, WORST], ids=repr)
def test_class_without_weight_is_no_class(model):
    X, y = separable(n_classes=3)
    labels = np.array(["a", "b", "c"])[y]
    for absent in "abc":
        weight = (labels != absent).astype(float)
        kept = weight > 0
        fitted = clone(model).fit(X, labels, sample_weight=weight)
        assert list(fitted.classes_) == [label for label in "abc" if label != absent]
        assert fitted.coef_.shape == (1, X.shape[1])
        assert_same_fit(fitted, clone(model).fit(X[kept], labels[kept]))


@pytest.mark.parametrize("model", [*MODELS, MAX_MARGIN, WORST], ids=repr)
def test_only_one_class_with_weight_is_an_error(model):
    X, y = separable()
    with pytest.raises(ValueError, match="at least 2 classes with positive weight"):
        clone(model).fit(X, y, sample_weight=(y == 1).astype(float))


@pytest.mark.parametrize("model", [*MODELS, MAX_MARGIN], ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_wrong_rows_without_weight_block_no_stop(model, n_classes):
    """Rows that contradict all others, far out, but weigh nothing."""
    X, y = separable(n_samples=30, margin=0.5, n_classes=n_classes)
    labels = np.unique(y)
    wrong = labels[(np.searchsorted(labels, y[:5]) + 1) % n_classes]
    X_all, y_all = np.vstack([X, 100.0 * X[:5]]), np.concatenate([y, wrong])
    weight = np.concatenate([np.ones(30), np.zeros(5)])
    limits = {"max_iter": 2000}
    if "stop" in model.get_params():
        limits.update(stop="separated", alpha=0.0)
    fitted = clone(model).set_params(**limits).fit(X_all, y_all, sample_weight=weight)
    assert fitted.separated_
    assert fitted.score(X, y) == 1.0
    assert fitted.n_iter_ < 2000


@pytest.mark.parametrize("step", ["normalized", "risk_adaptive"])
@pytest.mark.parametrize("multi_class", ["multinomial", "kesler"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_wrong_rows_without_weight_do_not_drown_the_others(step, multi_class, n_classes):
    """The pull of rows that are right is e^-1000 here, that of the weightless wrong ones is 1."""
    X, y = separable(n_samples=30, margin=0.5, n_classes=n_classes)
    labels = np.unique(y)
    wrong = labels[(np.searchsorted(labels, y[:5]) + 1) % n_classes]
    weight = np.concatenate([np.ones(30), np.zeros(5)])
    params = {"multi_class": multi_class, "stop": "max_iter", "keep": "last", "max_iter": 12}
    model = LogisticRegressionGD(step, 1e4, **params)
    alone = clone(model).fit(X, y)
    assert alone.n_iter_to_separate_ < 12
    model.fit(np.vstack([X, X[:5]]), np.concatenate([y, wrong]), sample_weight=weight)
    assert_same_fit(model, alone)


CLASS_MODELS = [model for model in MODELS if "class_weight" in model.get_params()]


@pytest.mark.parametrize("model", CLASS_MODELS, ids=repr)
@pytest.mark.parametrize("labels", [(0, 1), ("no", "yes"), (2, 5, 9)])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kind", ["balanced", "dict"])
def test_class_weight_multiplies_sample_weight(model, labels, given, kind):
    X, y = overlapping(n_classes=len(labels))
    X, y = X[10:], np.array(labels)[np.sort(y)][10:]
    class_weight = dict(zip(labels, (0.5, 3.0, 1.0), strict=False)) if kind == "dict" else kind
    weight = np.random.RandomState(0).randint(1, 3, size=len(y)).astype(float)
    fit_weight = weight if given else None
    weight = weight if given else np.ones(len(y))
    if kind == "dict":
        per_row = compute_sample_weight(class_weight, y)
    else:
        # Balanced counts rows by their weight, so that weights stay repetitions.
        repeated = np.repeat(y, weight.astype(int))
        per_row = {
            label: len(repeated) / (len(labels) * np.sum(repeated == label)) for label in labels
        }
        per_row = np.array([per_row[label] for label in y.tolist()])
    assert_same_fit(
        clone(model).set_params(class_weight=class_weight).fit(X, y, sample_weight=fit_weight),
        clone(model).fit(X, y, sample_weight=weight * per_row),
    )


@pytest.mark.parametrize("value", [-2.0, math.inf, math.nan])
def test_bad_class_weight_is_an_error(value):
    X, y = separable()
    with pytest.raises(ValueError, match="class weight"):
        LogisticRegressionGD(class_weight={-1: value, 1: 1.0}).fit(X, y)


def test_class_of_zero_class_weight_is_no_class():
    X, y = separable(n_classes=3)
    model = LogisticRegressionGD(class_weight={0: 0.0, 1: 1.0, 2: 1.0}).fit(X, y)
    assert_same_fit(model, LogisticRegressionGD().fit(X, y, sample_weight=(y > 0).astype(float)))
    X, y = separable()
    with pytest.raises(ValueError, match="at least 2 classes"):
        LogisticRegressionGD(class_weight={-1: 0.0, 1: 1.0}).fit(X, y)


@pytest.mark.parametrize("size", [1e-300, 1e-100, 1e100, 1e300, 1e307, 1e308])
def test_weights_of_any_size(size):
    """Their sum may overflow: then it is an error, or none."""
    X, y = separable()
    expected = LogisticRegressionGD().fit(X, y)
    try:
        fitted = LogisticRegressionGD().fit(X, y, sample_weight=np.full(len(y), size))
    except ValueError as error:
        assert size >= 1e307 and "weight" in str(error)
        return
    assert_same_fit(fitted, expected)


@pytest.mark.parametrize("model", [*MODELS, MAX_MARGIN, WORST], ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_order_of_rows_is_irrelevant(model, n_classes):
    X, y = overlapping(n_classes=n_classes)
    order = np.random.RandomState(3).permutation(len(y))
    assert_same_fit(clone(model).fit(X[order], y[order]), clone(model).fit(X, y))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    weight=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    step_size=st.sampled_from([0.1, 1.0, 10.0, 1e3, math.inf]),
    step=st.sampled_from(["normalized", "constant"]),
    n_classes=st.sampled_from([2, 3]),
)
def test_weights_are_repetitions_for_any_data(seed, weight, step_size, step, n_classes):
    rng = np.random.RandomState(seed)
    X, y, weight = rng.standard_normal((12, 3)), np.arange(12) % n_classes, np.array(weight)
    model = LogisticRegressionGD(step, step_size, stop="max_iter", keep="last", max_iter=5)
    if len(np.unique(y[weight > 0])) < 2:
        with pytest.raises(ValueError, match="at least 2 classes|weight"):
            model.fit(X, y, sample_weight=weight)
        return
    weighted = clone(model).fit(X, y, sample_weight=weight)
    repeated = model.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    scale = np.abs(parameters(repeated)).max()
    assert np.abs(parameters(weighted) - parameters(repeated)).max() <= 1e-8 * scale


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(1e-3, 1e3),
    step=st.sampled_from(["normalized", "constant", "risk_adaptive"]),
)
def test_scaling_rows_is_scaling_the_step(seed, scale, step):
    """Rows c x and step s/c^2 give the logits of x and s: the step's unit is 1 / x^2."""
    X, y = separable(seed=seed)
    params = {"fit_intercept": False, "stop": "max_iter", "keep": "last", "max_iter": 5}
    one = LogisticRegressionGD(step, 2.0, **params).fit(X, y)
    other = LogisticRegressionGD(step, 2.0 / scale**2, **params).fit(scale * X, y)
    expected = one.decision_function(X)
    found = other.decision_function(scale * X)
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), step_size=st.sampled_from([0.1, 10.0, 1e4, math.inf]))
def test_rotation_of_features_rotates_the_solution(seed, step_size):
    X, y = separable(seed=seed)
    Q = np.linalg.qr(np.random.RandomState(seed).standard_normal((4, 4)))[0]
    params = {"fit_intercept": False, "stop": "max_iter", "keep": "last", "max_iter": 4}
    one = LogisticRegressionGD("normalized", step_size, **params).fit(X, y)
    other = LogisticRegressionGD("normalized", step_size, **params).fit(X @ Q, y)
    scale = np.abs(one.coef_).max()
    assert np.abs(other.coef_ - one.coef_ @ Q).max() <= 1e-8 * scale


@pytest.mark.parametrize("step_size", [0.1, 10.0, math.inf])
@pytest.mark.parametrize("step", ["normalized", "constant"])
def test_names_of_labels_are_irrelevant(step, step_size):
    X, y = separable()
    params = {"step": step, "step_size": step_size}
    one = LogisticRegressionGD(**params).fit(X, y)
    words = LogisticRegressionGD(**params).fit(X, np.where(y > 0, "up", "down"))
    swapped = LogisticRegressionGD(**params).fit(X, -y)
    assert np.array_equal(one.coef_, words.coef_)
    assert swapped.coef_ == pytest.approx(-one.coef_, rel=1e-12)
    assert list(words.classes_) == ["down", "up"]


@pytest.mark.parametrize("step_size", [1.0, math.inf])
@pytest.mark.parametrize("step", ["normalized", "constant", "risk_adaptive"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_equivalence_on_rows_that_do_not_fit_into_the_cache(step, step_size, n_classes):
    """Above 1 MiB another, block-wise pass over the rows is taken."""
    X, y = overlapping(n_samples=24_000, n_features=8, n_classes=n_classes)
    assert X.nbytes > 2**20
    weight = np.random.RandomState(0).randint(0, 3, size=len(y))
    model = LogisticRegressionGD(step, step_size, stop="max_iter", keep="last", max_iter=5)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    repeated = clone(model).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    order = np.random.RandomState(1).permutation(len(y))
    assert_same_fit(weighted, repeated)
    assert_same_fit(weighted, clone(model).fit(X[order], y[order], sample_weight=weight[order]))
