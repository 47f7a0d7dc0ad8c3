"""Integer weights are repetition, zero weight is removal, class weights are weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.utils.class_weight import compute_sample_weight

from skkd.linear_model import BCDClassifier, BCDRegressor
from tests.linear_model._bcd import LAYOUTS, coefficients, objective
from tests.linear_model.test_bcd_data import MODELS, data

RULES = {
    "rule": BCDRegressor(0.1, penalty="l1", selection="gs-q", tol=1e-11),
    "rule logistic": BCDClassifier(0.02, selection="gsd", update="newton", tol=1e-11),
}
ALL = MODELS | RULES
every_model = pytest.mark.parametrize("name", ALL)
every_layout = pytest.mark.parametrize("layout", ["C", "csc"])


def rows(name):
    return data(name) if name in MODELS else data("lasso" if name == "rule" else "l1 logistic")


def assert_same_fit(one, other):
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-9)
    for a, b in zip(coefficients(one), coefficients(other), strict=True):
        assert_allclose(a, b, atol=2e-5)


@every_layout
@every_model
class TestEquivalence:
    def test_zero_weight_is_removal(self, name, layout):
        X, y = rows(name)
        make = LAYOUTS[layout]
        weight = np.random.RandomState(0).choice([0.0, 0.5, 1.0, 2.0], size=60)
        kept = weight > 0
        assert_same_fit(
            clone(ALL[name]).fit(make(X), y, sample_weight=weight),
            clone(ALL[name]).fit(make(X[kept]), y[kept], sample_weight=weight[kept]),
        )

    def test_integer_weight_is_repetition(self, name, layout):
        X, y = rows(name)
        make = LAYOUTS[layout]
        repeats = np.random.RandomState(1).randint(0, 4, size=60)
        repeated = make(np.repeat(X, repeats, axis=0)), np.repeat(y, repeats)
        assert_same_fit(
            clone(ALL[name]).fit(make(X), y, sample_weight=repeats),
            clone(ALL[name]).fit(*repeated),
        )

    def test_scale_of_weights_is_irrelevant(self, name, layout):
        X, y = rows(name)
        plain = clone(ALL[name]).fit(LAYOUTS[layout](X), y)
        for size in (1e-300, 3.0, 1e300):
            weight = np.full(60, size)
            assert_same_fit(clone(ALL[name]).fit(LAYOUTS[layout](X), y, weight), plain)

    def test_objective_counts_weights(self, name, layout):
        X, y = rows(name)
        weight = np.random.RandomState(2).random_sample(60)
        model = clone(ALL[name]).fit(LAYOUTS[layout](X), y, sample_weight=weight)
        assert model.objective_ == pytest.approx(objective(model, X, y, weight), rel=1e-9)


CLASSIFIERS = [name for name in ALL if isinstance(ALL[name], BCDClassifier)]


@every_layout
@pytest.mark.parametrize("kind", ["balanced", "dict"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_class_weight_multiplies_sample_weight(name, kind, layout):
    X, y = rows(name)
    X, y = LAYOUTS[layout](X[10:]), np.sort(y)[10:]
    class_weight = {0: 0.5, 1: 3.0, 2: 1.0} if kind == "dict" else kind
    if kind == "dict" and y.max() == 1:
        del class_weight[2]
    weight = compute_sample_weight(class_weight, y)
    assert_same_fit(
        clone(ALL[name]).set_params(class_weight=class_weight).fit(X, y),
        clone(ALL[name]).fit(X, y, sample_weight=weight),
    )


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_class_without_weight_is_no_class(name):
    X, y = rows(name)
    y = y + 5
    extra = np.vstack([X, X[:4]]), np.append(y, [9, 9, 9, 9])
    weight = np.append(np.ones(60), np.zeros(4))
    model = clone(ALL[name]).fit(*extra, sample_weight=weight)
    assert 9 not in model.classes_
    assert_same_fit(model, clone(ALL[name]).fit(X, y))


@every_model
@pytest.mark.parametrize(
    ("weight", "complaint"),
    [(-np.ones(60), "[Nn]egative"), (np.zeros(60), "zero|weight"), (np.ones(7), "shape")],
)
def test_bad_weights_are_an_error(name, weight, complaint):
    X, y = rows(name)
    with pytest.raises(ValueError, match=complaint):
        clone(ALL[name]).fit(X, y, sample_weight=weight)
