"""What a fit reports is true: objective, duality gap, conditions, warnings."""

import signal
import threading

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skkd.linear_model import BCDClassifier, BCDRegressor
from tests.linear_model._bcd import (
    LAYOUTS,
    fit_quietly,
    gradients,
    objective,
    problem,
    regression,
    violation,
)

PENALTIES = {
    "l1": {"penalty": "l1"},
    "elasticnet": {"penalty": "elasticnet", "l1_ratio": 0.3},
    "l2": {"penalty": "l2"},
    "l1 positive": {"penalty": "l1", "positive": True},
    "elasticnet positive": {"penalty": "elasticnet", "positive": True},
    "l2 positive": {"penalty": "l2", "positive": True},
    "l1 bounds": {"penalty": "l1", "bounds": (-0.2, 0.1)},
    "l1 upper bound": {"penalty": "l1", "bounds": (-np.inf, 0.1)},
    "l2 bounds": {"penalty": "l2", "bounds": (-0.05, 0.05)},
    "l2 no positive": {"penalty": "l2", "bounds": (-1.0, 0.0)},
    "bounds": {"penalty": None, "bounds": (-0.3, 0.3)},
}
GROUPS = {"group_l1": {"penalty": "group_l1", "groups": 5}}
KINDS = ["squared", "log", "softmax", "squared_hinge"]
STRENGTH = {"squared": 0.1, "log": 0.02, "softmax": 0.02, "squared_hinge": 0.05}


def make(kind, penalty, **params):
    return problem(kind, alpha=STRENGTH[kind], **(PENALTIES | GROUPS)[penalty], **params)


@pytest.mark.parametrize("layout", ["C", "csc"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("kind", KINDS)
class TestOptimality:
    def test_conditions_hold(self, kind, penalty, layout):
        model, X, y = make(kind, penalty, tol=1e-11)
        model.fit(LAYOUTS[layout](X), y)
        assert violation(model, X, y) < 1e-5
        lower, upper = model.bounds or (-np.inf, np.inf)
        assert np.all(model.coef_ >= (0.0 if model.positive else lower))
        assert np.all(model.coef_ <= upper)

    def test_conditions_hold_without_an_intercept(self, kind, penalty, layout):
        model, X, y = make(kind, penalty, tol=1e-11, fit_intercept=False)
        model.fit(LAYOUTS[layout](X), y)
        assert violation(model, X, y) < 1e-5
        assert np.all(model.intercept_ == 0.0)

    def test_gap_bounds_the_distance_to_the_optimum(self, kind, penalty, layout):
        """At every stage of the fit, not only at its end."""
        model, X, y = make(kind, penalty, tol=1e-11)
        X = LAYOUTS[layout](X)
        best = clone(model).fit(X, y).objective_
        for max_iter in (1, 2, 3, 5):
            early = clone(model).set_params(max_iter=max_iter, stopping="max_iter").fit(X, y)
            assert early.objective_ == pytest.approx(objective(early, X, y), rel=1e-10)
            assert -1e-12 < early.objective_ - best <= early.dual_gap_ + 1e-12

    def test_tolerance_is_kept(self, kind, penalty, layout):
        model, X, y = make(kind, penalty)
        X = LAYOUTS[layout](X)
        null = clone(model).set_params(alpha=1e9, penalty="l1", bounds=None).fit(X, y).objective_
        best = clone(model).set_params(tol=1e-11).fit(X, y).objective_
        for tol in (1e-2, 1e-5, 1e-8):
            fitted = clone(model).set_params(tol=tol).fit(X, y)
            assert fitted.dual_gap_ <= tol * null
            assert fitted.objective_ - best <= tol * null + 1e-13


@pytest.mark.parametrize("layout", ["C", "csc"])
@pytest.mark.parametrize("kind", ["squared", "log"])
class TestGroups:
    def test_conditions_hold(self, kind, layout):
        model, X, y = make(kind, "group_l1", tol=1e-11)
        model.fit(LAYOUTS[layout](X), y)
        free = clone(model).set_params(penalty=None)
        free.coef_, free.intercept_ = model.coef_, model.intercept_
        free.classes_ = getattr(model, "classes_", None)
        pull = -gradients(free, X, y)[0].ravel()
        weight = model.alpha * np.sqrt(5.0)
        for start in range(0, X.shape[1], 5):
            w, v = model.coef_.ravel()[start : start + 5], pull[start : start + 5]
            if np.any(w):
                assert v == pytest.approx(weight * w / np.linalg.norm(w), abs=1e-6)
            else:
                assert np.linalg.norm(v) <= weight * (1 + 1e-9)

    def test_gap_bounds_the_distance_to_the_optimum(self, kind, layout):
        model, X, y = make(kind, "group_l1", tol=1e-11)
        X = LAYOUTS[layout](X)
        best = clone(model).fit(X, y).objective_
        for max_iter in (1, 2, 3):
            early = clone(model).set_params(max_iter=max_iter, stopping="max_iter").fit(X, y)
            assert early.objective_ == pytest.approx(objective(early, X, y), rel=1e-10)
            assert -1e-12 < early.objective_ - best <= early.dual_gap_ + 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_dual_the_gap_is_nan_and_the_conditions_still_hold(kind):
    model, X, y = problem(kind, penalty=None, positive=True, tol=1e-10)
    if kind == "softmax":  # its classes are separable, where no minimiser exists
        X, y = X[:, :3], np.random.RandomState(1).permutation(y)
    model.fit(X, y)
    assert np.isnan(model.dual_gap_)
    assert violation(model, X, y) < 1e-6
    best = model.objective_
    model.set_params(tol=1e-4).fit(X, y)
    assert model.objective_ - best <= 1e-4 * best


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", ["C", "csc"])
def test_zero_tolerance_ends_at_rounding(kind, layout):
    model, X, y = make(kind, "l1", tol=0.0)
    fit_quietly(model, LAYOUTS[layout](X), y)
    assert model.n_iter_ < 100
    assert model.dual_gap_ < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_a_missed_tolerance_is_told(kind):
    model, X, y = make(kind, "l1", tol=1e-12, max_iter=2)
    with pytest.warns(ConvergenceWarning, match="max_iter=2 iterations; increase max_iter"):
        model.fit(X, y)
    assert model.n_iter_ == 2 and np.isfinite(model.dual_gap_)


@pytest.mark.parametrize("kind", KINDS)
def test_max_iter_as_the_stopping_rule_warns_of_nothing(kind):
    model, X, y = make(kind, "l1", max_iter=3, stopping="max_iter")
    assert model.fit(X, y).n_iter_ == 3
    assert np.isfinite(model.dual_gap_)


class _Hung(Exception):
    pass


def within(seconds, function):
    """Call, and fail if it takes too long: a loop without an end must not stop the suite."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        return function()

    def ring(*_):
        raise _Hung(f"not back after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        return function()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def hostile():
    """Data on which float32 runs out of digits, range or progress."""
    X, y = regression()
    rng = np.random.RandomState(1)
    yield "scales", X * 10.0 ** rng.uniform(-6, 6, X.shape[1]), y
    yield "large", X * 1e25, y
    yield "small", X * 1e-25, y
    yield "mean", X + 1e6, y
    yield "mean float32", (X + 1e4).astype(np.float32), y
    yield "nearly equal", X[:, :1] + 1e-9 * X, y
    yield "equal", np.repeat(X[:, :2], 15, axis=1), y
    yield "one row", X[:1], y[:1]
    yield "constant", np.ones_like(X), y


HOSTILE = {name: (X, y) for name, X, y in hostile()}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.02, 1e-4])
@pytest.mark.parametrize("layout", ["C", "csc"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_data_end_in_a_certificate_or_a_warning(name, kind, layout, alpha, intercept):
    """Never in a livelock, and never in silence with the gap still wide open."""
    X, y = HOSTILE[name]
    if kind != "squared" and len(y) == 1:
        pytest.skip("one row has one class")
    labels = y if kind == "squared" else np.digitize(y, [4.0, 6.0] if kind == "softmax" else [5.0])
    cls = BCDRegressor if kind == "squared" else BCDClassifier
    params = {"loss": "squared_hinge"} if kind == "squared_hinge" else {}
    scale = np.abs(X).max() if name in ("large", "small") else 1.0
    model = cls(alpha * scale, penalty="l1", max_iter=60, fit_intercept=intercept, **params)
    warned = within(20, lambda: fit_quietly(model, LAYOUTS[layout](X), labels))
    assert np.isfinite(model.coef_).all() and np.isfinite(model.objective_)
    null = clone(model).set_params(alpha=1e30 * scale).fit(LAYOUTS[layout](X), labels).objective_
    assert warned == (not model.dual_gap_ <= max(1e-6 * null, 1e-300))
    assert model.objective_ <= null * (1 + 1e-9)


@pytest.mark.parametrize("layout", ["C", "csc"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["scales", "large", "small", "mean", "equal"])
def test_hostile_scales_are_mastered(name, kind, layout):
    """Scale and offset of the columns are no excuse: the gap is certified."""
    X, y = HOSTILE[name]
    labels = y if kind == "squared" else np.digitize(y, [4.0, 6.0] if kind == "softmax" else [5.0])
    cls = BCDRegressor if kind == "squared" else BCDClassifier
    params = {"loss": "squared_hinge"} if kind == "squared_hinge" else {}
    scale = np.abs(X).max() if name in ("large", "small") else 1.0
    model = cls(0.02 * scale, penalty="l1", max_iter=300, **params)
    assert not within(20, lambda: fit_quietly(model, LAYOUTS[layout](X), labels))
    assert model.objective_ == pytest.approx(objective(model, X, labels), rel=1e-6)


def test_y_whose_squares_overflow_is_an_error():
    X, y = regression()
    with pytest.raises(ValueError, match="squares of y overflow; scale y"):
        BCDRegressor(0.1, penalty="l1").fit(X, 1e200 * y)
    with pytest.raises(ValueError, match="products of the entries of X overflow; scale"):
        BCDRegressor(0.1, penalty="l1").fit(sparse.csc_array(1e308 * np.sign(X)), y)
