"""SharedVarianceGaussianNB: its definition, its peers, and data at the edge."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.covariance import EmpiricalCovariance
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB

from skkd.naive_bayes import SharedVarianceGaussianNB

WINE = load_wine(return_X_y=True)
BINARY = (WINE[0][WINE[1] < 2], WINE[1][WINE[1] < 2])


class DiagonalCovariance(EmpiricalCovariance):
    """What makes scikit-learn's LDA assume independent features."""

    def fit(self, X, y=None):
        super().fit(X)
        self.covariance_ = np.diag(np.diag(self.covariance_))
        return self


def diagonal_lda(**params):
    return LinearDiscriminantAnalysis(
        solver="lsqr", covariance_estimator=DiagonalCovariance(), **params
    )


def by_definition(X, y, eps=1e-9):
    """Means, variances and shares of classes, by loops over classes."""
    classes = np.unique(y)
    means = np.array([X[y == k].mean(axis=0) for k in classes])
    shares = np.array([np.mean(y == k) for k in classes])
    within = np.array([X[y == k].var(axis=0) + eps for k in classes])
    return means, shares @ within, shares


@pytest.mark.parametrize("data", [WINE, BINARY, load_iris(return_X_y=True)])
def test_attributes_are_those_of_the_definition(data):
    X, y = data
    means, variance, shares = by_definition(X, y)
    model = SharedVarianceGaussianNB().fit(X, y)
    assert_allclose(model.theta_, means, rtol=1e-13)
    assert_allclose(model.var_, variance, rtol=1e-12)
    assert_allclose(model.class_prior_, shares, rtol=1e-14)
    coef = means / variance
    intercept = np.log(shares) - 0.5 * np.sum(means * coef, axis=1)
    if shares.size == 2:
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    assert_allclose(model.coef_, coef, rtol=1e-10)
    assert_allclose(model.intercept_, intercept, rtol=1e-9)
    scores = X @ coef.T + intercept
    assert_allclose(model.decision_function(X), np.squeeze(scores), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("data", [WINE, BINARY], ids=["three classes", "two classes"])
def test_lda_with_a_diagonal_covariance_is_the_same_model(data):
    X, y = data
    ours, lda = SharedVarianceGaussianNB(var_smoothing=0.0).fit(X, y), diagonal_lda().fit(X, y)
    assert_allclose(ours.coef_, lda.coef_, rtol=1e-9)
    assert_allclose(ours.intercept_, lda.intercept_, rtol=1e-9)
    assert_allclose(ours.decision_function(X), lda.decision_function(X), rtol=1e-9, atol=1e-9)
    assert_allclose(ours.predict_proba(X), lda.predict_proba(X), atol=1e-9)
    assert np.array_equal(ours.predict(X), lda.predict(X))


@pytest.mark.parametrize("data", [WINE, BINARY], ids=["three classes", "two classes"])
def test_joint_density_includes_the_quadratic_term(data):
    X, y = data
    model = SharedVarianceGaussianNB().fit(X, y)
    density = norm.logpdf(X[:, None, :], model.theta_, np.sqrt(model.var_)).sum(axis=2)
    expected = density + np.log(model.class_prior_)
    joint = model.predict_joint_log_proba(X)
    assert_allclose(joint, expected, rtol=1e-10)
    normalised = joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)
    assert_allclose(model.predict_log_proba(X), normalised, atol=1e-9)


def test_variances_of_gaussian_nb_pooled_by_class_are_ours():
    X, y = WINE
    theirs = GaussianNB(var_smoothing=0.0).fit(X, y)
    ours = SharedVarianceGaussianNB(var_smoothing=0.0).fit(X, y)
    assert_allclose(ours.var_, theirs.class_prior_ @ theirs.var_, rtol=1e-11)


def test_relative_smoothing_is_that_of_gaussian_nb():
    X, y = WINE
    added = GaussianNB(var_smoothing=0.25).fit(X, y).epsilon_
    plain = SharedVarianceGaussianNB(var_smoothing=0.0).fit(X, y)
    smooth = SharedVarianceGaussianNB(var_smoothing=0.25, smoothing="relative").fit(X, y)
    assert_allclose(smooth.var_ - plain.var_, added, rtol=1e-9)


def test_ddof_k_is_unbiased():
    X, y = WINE
    biased, unbiased = (
        SharedVarianceGaussianNB(var_smoothing=0.0, ddof=ddof).fit(X, y) for ddof in (0, "K")
    )
    assert_allclose(unbiased.var_, biased.var_ * len(y) / (len(y) - 3), rtol=1e-13)


def test_given_priors_move_only_intercepts():
    X, y = WINE
    free, given = (SharedVarianceGaussianNB(priors=p).fit(X, y) for p in (None, [0.5, 0.3, 0.2]))
    assert_allclose(given.coef_, free.coef_, rtol=1e-14)
    moved = np.log([0.5, 0.3, 0.2]) - np.log(free.class_prior_)
    assert_allclose(given.intercept_ - free.intercept_, moved, atol=1e-8)
    assert given.class_prior_.tolist() == [0.5, 0.3, 0.2]


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ([0.5, 0.5], "one entry for each of the 3 classes"),
        ([0.5, 0.6, -0.1], ">= 0 and sum to 1"),
        ([0.5, 0.3, 0.3], ">= 0 and sum to 1"),
        ([0.5, math.nan, 0.5], ">= 0 and sum to 1"),
    ],
)
def test_priors_that_are_none(priors, message):
    with pytest.raises(ValueError, match=message):
        SharedVarianceGaussianNB(priors=priors).fit(*WINE)


class TestNumerics:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_unit_spread_around_a_million(self, dtype, n_classes):
        rng = np.random.default_rng(0)
        y = rng.integers(0, n_classes, 4000)
        X = rng.standard_normal((4000, 6)) + y[:, None]
        far = (X + 1e6).astype(dtype)
        near = far.astype(np.float64) - 1e6
        expected = SharedVarianceGaussianNB().fit(near, y)
        model = SharedVarianceGaussianNB().fit(far, y)
        digits = 1e-6 if dtype == "float32" else 1e-9
        assert_allclose(model.var_, expected.var_, rtol=digits)
        assert_allclose(model.predict_proba(far), expected.predict_proba(near), atol=digits)
        assert_allclose(
            model.predict_joint_log_proba(far), expected.predict_joint_log_proba(near), rtol=digits
        )
        assert np.array_equal(model.predict(far), expected.predict(near))

    def test_classes_far_apart_keep_their_spread(self):
        rng = np.random.default_rng(1)
        y = rng.integers(0, 3, 3000)
        noise = rng.standard_normal((3000, 4))
        X = noise + 1e7 * y[:, None] * [0.0, 1.0, 1.0, 0.0]
        expected = by_definition(noise, y)[1]
        assert_allclose(SharedVarianceGaussianNB().fit(X, y).var_, expected, rtol=1e-8)

    def test_an_outlier_in_the_first_row_costs_no_digits(self):
        rng = np.random.default_rng(2)
        X, y = rng.standard_normal((500, 3)), rng.integers(0, 2, 500)
        X[0] = 1e9
        weights = np.ones(500)
        weights[0] = 0.0
        model = SharedVarianceGaussianNB().fit(X, y, sample_weight=weights)
        expected = SharedVarianceGaussianNB().fit(X[1:], y[1:])
        assert_allclose(model.var_, expected.var_, rtol=1e-12)

    def test_row_order_does_not_matter(self):
        X, y = WINE
        order = np.random.default_rng(0).permutation(len(y))
        one, two = SharedVarianceGaussianNB().fit(X, y), SharedVarianceGaussianNB()
        two.fit(X[order], y[order])
        assert_allclose(one.coef_, two.coef_, rtol=1e-12)
        assert_allclose(one.intercept_, two.intercept_, rtol=1e-12)

    def test_float32_stays(self):
        X, y = WINE
        model = SharedVarianceGaussianNB().fit(X.astype(np.float32), y)
        for name in ("theta_", "var_", "coef_", "intercept_", "class_prior_"):
            assert getattr(model, name).dtype == np.float32
        assert model.predict_proba(X.astype(np.float32)).dtype == np.float32

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_not_finite_rows_are_refused_everywhere(self, bad):
        X, y = WINE
        spoilt = X.copy()
        spoilt[5, 3] = bad
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            SharedVarianceGaussianNB().fit(spoilt, y)
        weights = np.ones(len(y))
        weights[5] = 0.0  # a row without weight is checked all the same
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            SharedVarianceGaussianNB().fit(spoilt, y, sample_weight=weights)
        model = SharedVarianceGaussianNB().fit(X, y)
        for method in ("predict", "predict_proba", "decision_function", "predict_joint_log_proba"):
            with pytest.raises(ValueError, match=r"NaN|infinity"):
                getattr(model, method)(spoilt)

    def test_squares_that_overflow_are_named(self):
        X, y = WINE
        with pytest.raises(ValueError, match="squares of X overflow"):
            SharedVarianceGaussianNB().fit(X * 1e200, y)


class TestConstantFeatures:
    def test_a_constant_feature_has_no_effect(self):
        X, y = WINE
        with_constant = np.column_stack([X, np.full(len(y), 0.1)])
        one, two = SharedVarianceGaussianNB().fit(X, y), SharedVarianceGaussianNB()
        two.fit(with_constant, y)
        assert_allclose(two.predict_proba(with_constant), one.predict_proba(X), atol=1e-12)
        assert two.var_[-1] == 1e-9

    def test_a_copy_of_the_label_warns_and_decides(self):
        X, y = WINE
        leaking = np.column_stack([X, 10 * y])
        with pytest.warns(UserWarning, match="feature 13 is constant within classes"):
            model = SharedVarianceGaussianNB().fit(leaking, y)
        assert model.score(leaking, y) == 1.0

    def test_a_warning_names_the_column(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"size": WINE[0][:, 0], "answer": WINE[1].astype(float)})
        with pytest.warns(UserWarning, match="'answer' is constant"):
            SharedVarianceGaussianNB().fit(frame, WINE[1])

    def test_no_variance_and_no_smoothing(self):
        X, y = load_digits(return_X_y=True)
        with pytest.raises(ValueError, match=r"features 0, 32, 39 within classes is zero"):
            SharedVarianceGaussianNB(var_smoothing=0.0).fit(X, y)

    def test_one_row_per_class_is_nearest_mean(self):
        X, y = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]]), np.array([0, 1, 2])
        model = SharedVarianceGaussianNB().fit(X, y)
        assert model.var_.tolist() == [1e-9, 1e-9]
        queries = np.array([[0.5, 0.5], [2.0, 0.1], [1.0, 2.9]])
        assert model.predict(queries).tolist() == [0, 1, 2]
        assert np.isfinite(model.predict_proba(queries)).all()
        with pytest.raises(ValueError, match="give more rows than classes"):
            SharedVarianceGaussianNB(ddof="K").fit(X, y)

    def test_one_class_is_refused(self):
        with pytest.raises(ValueError, match="only one class"):
            SharedVarianceGaussianNB().fit(WINE[0], np.zeros(len(WINE[1]), dtype=int))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_are_repetitions(n_classes):
    X, y = WINE if n_classes == 3 else BINARY
    weights = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = SharedVarianceGaussianNB(ddof="K").fit(X, y, sample_weight=weights)
    repeated = SharedVarianceGaussianNB(ddof="K")
    repeated.fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    for name in ("theta_", "var_", "class_count_", "class_prior_", "coef_", "intercept_"):
        assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-11)
    assert_allclose(weighted.predict_log_proba(X), repeated.predict_log_proba(X), atol=1e-9)
