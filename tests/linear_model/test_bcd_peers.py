"""The same coefficients as scikit-learn's and scipy's solvers of the same objectives."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import minimize
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from skkd.linear_model import BCDClassifier, BCDRegressor
from tests.linear_model._bcd import classification, objective, regression

WEIGHT = np.random.RandomState(5).choice([0.5, 1.0, 3.0], size=60)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csc_array])
class TestRegression:
    @pytest.mark.parametrize("alpha", [0.5, 0.02])
    def test_lasso(self, alpha, layout, positive, intercept, weight):
        X, y = regression(seed=1)
        params = {"positive": positive, "fit_intercept": intercept}
        peer = Lasso(alpha, tol=1e-13, max_iter=100_000, **params)
        peer.fit(sparse.csc_matrix(X) if layout is sparse.csc_array else X, y, weight)
        ours = BCDRegressor(alpha, penalty="l1", tol=1e-12, **params).fit(layout(X), y, weight)
        assert_allclose(ours.coef_, peer.coef_, atol=2e-6)
        assert ours.intercept_ == pytest.approx(peer.intercept_, abs=2e-6)
        assert np.array_equal(ours.active_set_, np.flatnonzero(peer.coef_))

    def test_elastic_net(self, layout, positive, intercept, weight):
        X, y = regression(seed=2)
        params = {"positive": positive, "fit_intercept": intercept, "l1_ratio": 0.3}
        peer = ElasticNet(0.1, tol=1e-13, max_iter=100_000, **params)
        peer.fit(sparse.csc_matrix(X) if layout is sparse.csc_array else X, y, weight)
        ours = BCDRegressor(0.1, penalty="elasticnet", tol=1e-12, **params)
        ours.fit(layout(X), y, weight)
        assert_allclose(ours.coef_, peer.coef_, atol=1e-5)
        assert ours.intercept_ == pytest.approx(peer.intercept_, abs=1e-5)

    def test_ridge(self, layout, positive, intercept, weight):
        X, y = regression(seed=3)
        total = len(y) if weight is None else weight.sum()
        ours = BCDRegressor(0.2, positive=positive, fit_intercept=intercept, tol=1e-12)
        ours.fit(layout(X), y, weight)
        peer = Ridge(0.2 * total, positive=positive, fit_intercept=intercept, tol=1e-12)
        peer.fit(X, y, weight)
        assert_allclose(ours.coef_, peer.coef_, atol=1e-5)
        assert ours.intercept_ == pytest.approx(peer.intercept_, abs=1e-5)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("penalty", ["l1", "elasticnet", "l2"])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csc_array])
def test_logistic_regression(layout, penalty, n_classes, weight):
    X, y = classification(p=8, n_classes=n_classes, seed=4)
    alpha, ratio = 0.03, {"l1": 1.0, "elasticnet": 0.4, "l2": 0.0}[penalty]
    C = 1.0 / (alpha * (len(y) if weight is None else weight.sum()))
    solver = "newton-cg" if penalty == "l2" else "saga"
    peer = LogisticRegression(C=C, l1_ratio=ratio, solver=solver, tol=1e-9, max_iter=50_000)
    peer.fit(X, y, weight)
    ours = BCDClassifier(alpha, penalty=penalty, l1_ratio=0.4, tol=1e-12)
    ours.fit(layout(X), y, weight)
    assert_allclose(ours.coef_, peer.coef_, atol=2e-5)
    assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=2e-5)
    assert np.array_equal(ours.predict(layout(X)), peer.predict(X))


@pytest.mark.parametrize("layout", [np.asarray, sparse.csc_array])
def test_l1_logistic_regression_of_liblinear(layout):
    X, y = classification(seed=6)
    peer = LogisticRegression(
        C=1.0 / (0.02 * 60),
        l1_ratio=1,
        solver="liblinear",
        fit_intercept=False,
        tol=1e-10,
        max_iter=100_000,
        random_state=0,
    )
    peer.fit(X, y)
    ours = BCDClassifier(0.02, penalty="l1", fit_intercept=False, tol=1e-12).fit(layout(X), y)
    assert_allclose(ours.coef_, peer.coef_, atol=2e-5)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_squared_hinge_of_liblinear(penalty):
    X, y = classification(p=10, seed=7)
    # Their squared hinge is twice ours.
    C = 1.0 / (2 * 0.05 * 60)
    peer = LinearSVC(
        penalty=penalty,
        C=C,
        dual=False,
        fit_intercept=False,
        tol=1e-10,
        max_iter=100_000,
        random_state=0,
    )
    peer.fit(X, y)
    ours = BCDClassifier(
        0.05, penalty=penalty, loss="squared_hinge", fit_intercept=False, tol=1e-12
    )
    ours.fit(X, y)
    assert_allclose(ours.coef_, peer.coef_, atol=2e-5)
    assert np.array_equal(ours.predict(X), peer.predict(X))
    assert not hasattr(ours, "predict_proba") and not hasattr(ours, "predict_log_proba")


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("bounds", [(-0.2, 0.3), (0.0, 0.4), (-np.inf, 0.1)])
@pytest.mark.parametrize("penalty", [None, "l2"])
def test_bounds_of_lbfgs(penalty, bounds, n_classes):
    X, y = classification(p=6, n_classes=n_classes, seed=8)
    ours = BCDClassifier(0.1, penalty=penalty, bounds=bounds, tol=1e-11).fit(X, y)
    k, p = ours.coef_.shape
    at = BCDClassifier(0.1, penalty=penalty)
    at.classes_ = ours.classes_

    def value(params):
        at.coef_, at.intercept_ = params[: k * p].reshape(k, p), params[k * p :]
        return objective(at, X, y)

    found = minimize(
        value,
        np.zeros(k * p + k),
        bounds=[bounds] * (k * p) + [(None, None)] * k,
        method="L-BFGS-B",
        options={"maxfun": 10**5, "ftol": 1e-14, "gtol": 1e-8},
    )
    assert ours.objective_ <= found.fun + 1e-9
    assert ours.objective_ == pytest.approx(found.fun, rel=1e-5)


@pytest.mark.parametrize("n", [60, 20])
def test_least_squares(n):
    """No penalty: the projection of y on the columns, also where they are dependent."""
    X, y = regression(n=n)
    ours = BCDRegressor(penalty=None, tol=1e-12).fit(X, y)
    design = np.column_stack([X, np.ones(n)])
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert_allclose(ours.predict(X), fitted, atol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_regression_without_a_penalty(n_classes):
    X, y = classification(n=200, p=4, n_classes=n_classes, seed=9)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(X, y)
    ours = BCDClassifier(penalty=None, tol=1e-12).fit(X, y)
    assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-5)
    if n_classes > 2:  # the free constant is used up
        assert_allclose(ours.coef_.sum(axis=0), 0.0, atol=1e-12)
