"""Gaussian classes: what is drawn, and the exact error of linear rules on it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal, norm
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from skkd.datasets import (
    SharedCovarianceGaussians,
    gaussian_rule_error,
    make_shared_variance_mixture,
    mixture_bayes_error,
)
from skkd.naive_bayes import SharedVarianceGaussianNB


def some_classes(n_classes, p=5, seed=0, spread=1.5):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((p, p))
    means = spread * rng.standard_normal((n_classes, p))
    return SharedCovarianceGaussians(means, A @ A.T + np.eye(p), rng.dirichlet(np.ones(n_classes)))


class TestDesign:
    def test_easy_means_and_variances(self):
        X, y = make_shared_variance_mixture(60_000, 5, 2, random_state=0)
        assert np.bincount(y).tolist() == [30_000, 30_000]
        for k, mean in enumerate((-1.0, 1.0)):
            assert_allclose(X[y == k].mean(axis=0), mean, atol=0.06)
            assert_allclose(X[y == k].var(axis=0), [5, 5, 1, 1, 1], rtol=0.05)
            assert_allclose(np.cov(X[y == k].T) * (1 - np.eye(5)), 0.0, atol=0.15)

    @pytest.mark.parametrize(("n_classes", "center"), [(3, 1.0), (4, 2.0), (5, 4.0)])
    def test_rescaling(self, n_classes, center):
        made = [
            make_shared_variance_mixture(
                30, 4, n_classes, rescale=rescale, random_state=3, return_distribution=True
            )
            for rescale in (False, True)
        ]
        (X, y, raw), (scaled, same, moved) = made
        assert np.array_equal(y, same)
        assert_allclose(scaled, (X - center) / center)
        assert_allclose(moved.means, (raw.means - center) / center)
        assert moved.bayes_error() == pytest.approx(raw.bayes_error(), rel=1e-12)
        doubled = np.append(-1.0, 2.0 ** np.arange(n_classes - 1))
        assert_allclose(raw.means, doubled[:, None] * np.ones(4))

    def test_correlated(self):
        _, _, found = make_shared_variance_mixture(
            5, 6, covariance="correlated", correlation=0.3, return_distribution=True
        )
        deviations = np.sqrt(np.diag(found.covariance))
        assert_allclose(np.diag(found.covariance), [6, 6, 6, 1, 1, 1])
        correlations = found.covariance / np.outer(deviations, deviations)
        assert_allclose(correlations[~np.eye(6, dtype=bool)], 0.3)

    @pytest.mark.parametrize("p", [1, 2, 7, 300])
    def test_correlated_is_positive_definite(self, p):
        error = mixture_bayes_error(p, covariance="correlated", correlation=0.99)
        assert 0.0 <= error < 0.5

    def test_order_and_remainder(self):
        X, y = make_shared_variance_mixture(11, 3, 3, shuffle=False, random_state=0)
        assert y.tolist() == [0] * 4 + [1] * 4 + [2] * 3
        again, _ = make_shared_variance_mixture(11, 3, 3, shuffle=False, random_state=0)
        assert np.array_equal(X, again)
        _, shuffled = make_shared_variance_mixture(11, 3, 3, random_state=0)
        assert np.bincount(shuffled).tolist() == [4, 4, 3] and sorted(shuffled) != list(shuffled)

    def test_priors(self):
        _, y = make_shared_variance_mixture(20_000, 2, 3, priors=[0.7, 0.2, 0.1], random_state=0)
        assert_allclose(np.bincount(y) / 20_000, [0.7, 0.2, 0.1], atol=0.02)

    def test_means_and_covariances_of_ones_own(self):
        means, covariance = [[0.0, 0.0], [2.0, 1.0]], [[2.0, 1.0], [1.0, 2.0]]
        X, y = make_shared_variance_mixture(
            50_000, 2, 2, means=means, covariance=covariance, random_state=1
        )
        assert_allclose(X[y == 1].mean(axis=0), means[1], atol=0.05)
        assert_allclose(np.cov(X[y == 0].T), covariance, atol=0.08)


class TestErrors:
    @pytest.mark.parametrize("n_classes", [2, 3, 6])
    def test_bayes_error_of_the_design_is_the_closed_form(self, n_classes):
        n = 12
        a = np.append(-1.0, 2.0 ** np.arange(n_classes - 1))
        d = np.sqrt(6 / 12 + 6)
        expected = 2 / n_classes * np.sum(norm.cdf(-np.diff(a) * d / 2))
        assert mixture_bayes_error(n, n_classes) == pytest.approx(expected, rel=1e-11)

    def test_two_classes_with_priors(self):
        classes = some_classes(2)
        w, b = np.array([0.3, -1.0, 0.2, 0.7, 0.1]), 0.4
        sigma = np.sqrt(w @ classes.covariance @ w)
        scores = (classes.means @ w + b) / sigma
        expected = classes.priors @ norm.cdf([scores[0], -scores[1]])
        for coef, intercept in ((w, b), (w[None], [b]), ([0 * w, w], [0.0, b])):
            assert classes.rule_error(coef, intercept) == pytest.approx(expected, rel=1e-13)
        found = gaussian_rule_error(w, b, classes.means, classes.covariance, classes.priors)
        assert found == pytest.approx(expected, rel=1e-13)

    def test_far_tails_keep_their_digits(self):
        classes = SharedCovarianceGaussians([[-30.0], [30.0]], [1.0])
        assert classes.bayes_error() == pytest.approx(norm.sf(30.0), rel=1e-12)

    @pytest.mark.parametrize(("n_classes", "p"), [(3, 5), (4, 5), (7, 5), (3, 2), (5, 3), (7, 2)])
    def test_any_rule_against_a_large_sample(self, n_classes, p):
        """With few features the scores are dependent: their joint distribution is singular."""
        classes = some_classes(n_classes, p, seed=n_classes)
        rng = np.random.default_rng(n_classes)
        coef, intercept = classes.bayes_rule()
        coef = coef + 0.2 * rng.standard_normal(coef.shape)
        X, y = classes.sample(200_000, 0)
        observed = np.mean(np.argmax(X @ coef.T + intercept, axis=1) != y)
        exact = classes.rule_error(coef, intercept)
        deviation = np.sqrt(exact * (1 - exact) / len(y))
        assert abs(observed - exact) < 4 * deviation + 1e-4 * exact

    @pytest.mark.parametrize(("n_classes", "p"), [(3, 2), (3, 5), (4, 3), (6, 8)])
    def test_any_rule_against_scipy(self, n_classes, p):
        """Scipy's points are random, its accuracy about 1e-6 for a regular covariance."""
        classes = some_classes(n_classes, p, seed=n_classes)
        coef, intercept = classes.bayes_rule()
        coef = coef + 0.2 * np.random.default_rng(0).standard_normal(coef.shape)
        right = 0.0
        for k in range(n_classes):
            others = np.arange(n_classes) != k
            rows = coef[k] - coef[others]
            lead = rows @ classes.means[k] + (intercept[k] - intercept[others])
            right += classes.priors[k] * multivariate_normal.cdf(
                lead,
                np.zeros(n_classes - 1),
                rows @ classes.covariance @ rows.T,
                abseps=1e-6,
                releps=1e-6,
                maxpts=100_000,
            )
        found = classes.rule_error(coef, intercept)
        assert found == pytest.approx(1 - right, rel=2e-4, abs=1e-5)

    @pytest.mark.parametrize("spread", [0.5, 2.5, 6.0])
    def test_tolerance_is_kept(self, spread):
        classes = some_classes(5, seed=3, spread=spread)
        rule = classes.bayes_rule()
        exact = classes.rule_error(*rule, tol=1e-5)
        for tol in (1e-2, 1e-3, 1e-4):
            assert classes.rule_error(*rule, tol=tol) == pytest.approx(exact, rel=4 * tol)

    def test_tolerance_that_is_not_reached(self):
        classes = some_classes(5, seed=3)
        with pytest.warns(ConvergenceWarning, match="more than tol=1.0e-12 times it"):
            classes.bayes_error(tol=1e-12)

    def test_three_equal_neighbours_in_the_tail(self):
        """Vertices of a triangle far apart: errors of pairs add up, all but nothing overlaps."""
        angles = 2 * np.pi * np.arange(3) / 3
        classes = SharedCovarianceGaussians(8 * np.c_[np.cos(angles), np.sin(angles)], [1.0, 1.0])
        half = np.linalg.norm(classes.means[0] - classes.means[1]) / 2
        assert classes.bayes_error() == pytest.approx(2 * norm.sf(half), rel=1e-6)

    @pytest.mark.parametrize("bend", [1e-15, 1e-12, 1e-9, 1e-6])
    def test_nearly_on_a_line_agrees_with_on_a_line(self, bend):
        classes = make_shared_variance_mixture(4, 6, 4, return_distribution=True)[2]
        coef, intercept = classes.bayes_rule()
        bent = coef + bend * np.random.default_rng(0).standard_normal(coef.shape)
        exact = classes.rule_error(coef, intercept)
        assert classes.rule_error(bent, intercept) == pytest.approx(exact, rel=1e-5)

    def test_equal_scores_go_to_the_first(self):
        classes = some_classes(4)
        coef, intercept = classes.bayes_rule()
        coef[2], intercept[2] = coef[1], intercept[1]
        X, y = classes.sample(200_000, 0)
        chosen = np.argmax(X @ coef.T + intercept, axis=1)
        assert not np.any(chosen == 2)
        exact = classes.rule_error(coef, intercept)
        assert exact == pytest.approx(np.mean(chosen != y), abs=0.005)
        intercept[2] = -np.inf
        assert classes.rule_error(coef, intercept) == pytest.approx(exact, rel=4e-4)

    def test_class_of_prior_zero(self):
        means = [[-1.0, 0.0], [0.0, 3.0], [1.0, 0.0]]
        three = SharedCovarianceGaussians(means, [1.0, 2.0], [0.4, 0.0, 0.6])
        two = SharedCovarianceGaussians([means[0], means[2]], [1.0, 2.0], [0.4, 0.6])
        assert three.bayes_rule()[1][1] == -np.inf
        assert three.bayes_error() == pytest.approx(two.bayes_error(), rel=1e-14)

    def test_far_from_the_origin(self):
        classes = some_classes(2)
        moved = SharedCovarianceGaussians(classes.means + 1e6, classes.covariance, classes.priors)
        assert moved.bayes_error() == pytest.approx(classes.bayes_error(), rel=1e-7)
        assert moved.naive_bayes_error() == pytest.approx(classes.naive_bayes_error(), rel=1e-7)

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_naive_bayes_and_best_limits_in_closed_form(self, n_classes):
        n, rho = 30, 0.4
        classes = make_shared_variance_mixture(
            2,
            n,
            n_classes,
            covariance="correlated",
            correlation=rho,
            rescale=False,
            return_distribution=True,
        )[2]
        ones, inverse = np.ones(n), 1 / np.diag(classes.covariance)
        naive = inverse.sum() / np.sqrt(inverse @ classes.covariance @ inverse)
        best = np.sqrt(ones @ np.linalg.solve(classes.covariance, ones))
        half = np.diff(np.append(-1.0, 2.0 ** np.arange(n_classes - 1))) / 2
        for d, found in (
            (naive, classes.naive_bayes_error()),
            (best, classes.bayes_error()),
        ):
            assert found == pytest.approx(2 / n_classes * norm.cdf(-half * d).sum(), rel=1e-10)
        assert classes.naive_bayes_error() > 2 * classes.bayes_error()

    def test_rules_that_decide_without_looking(self):
        classes = some_classes(3)
        for k in range(3):
            error = classes.rule_error(np.zeros((3, 5)), np.eye(3)[k])
            assert error == pytest.approx(1 - classes.priors[k], abs=1e-15)
        two = some_classes(2)
        assert two.rule_error(np.zeros(5), 0.0) == pytest.approx(1 - two.priors[0])

    def test_a_class_that_never_wins(self):
        classes = SharedCovarianceGaussians([[-2.0], [0.0], [2.0]], [1.0])
        error = classes.rule_error([[-1.0], [0.0], [1.0]], [0.0, -5.0, 0.0])
        assert error == pytest.approx((1 + 2 * norm.sf(2.0)) / 3, rel=1e-12)

    def test_no_rule_beats_bayes(self):
        classes = some_classes(4)
        least, rng = classes.bayes_error(), np.random.default_rng(0)
        coef, intercept = classes.bayes_rule()
        for _ in range(20):
            other = coef + rng.standard_normal(coef.shape) * 10.0 ** rng.uniform(-3, 0)
            assert classes.rule_error(other, intercept) > least * (1 - 1e-6)

    def test_naive_bayes_rule_is_what_naive_bayes_learns(self):
        classes = some_classes(3)
        X, y = classes.sample(400_000, 0)
        model = SharedVarianceGaussianNB().fit(X, y)
        coef, _ = classes.naive_bayes_rule()
        assert_allclose(model.coef_, coef, atol=0.02 * np.abs(coef).max())
        limit = classes.rule_error(*classes.naive_bayes_rule())
        assert classes.estimator_error(model) == pytest.approx(limit, abs=1e-3)

    def test_fitted_estimators_of_two_classes(self):
        classes = some_classes(2)
        X, y = classes.sample(100_000, 0)
        lda = LinearDiscriminantAnalysis().fit(X, y)
        assert classes.estimator_error(lda) == pytest.approx(classes.bayes_error(), rel=1e-2)

    @pytest.mark.parametrize("n_classes", [2, 4])
    def test_pipeline_of_scalers(self, n_classes):
        classes = some_classes(n_classes)
        X, y = classes.sample(300, 0)
        lda = LinearDiscriminantAnalysis().fit(X, y)
        pipeline = make_pipeline(MinMaxScaler(), LinearDiscriminantAnalysis()).fit(X, y)
        found = classes.estimator_error(pipeline)
        assert found == pytest.approx(classes.estimator_error(lda), rel=1e-3)  # it is invariant

    def test_class_that_was_never_seen(self):
        classes = some_classes(4)
        X, y = classes.sample(500, 0)
        seen = y != 1
        model = LinearDiscriminantAnalysis().fit(X[seen], y[seen])
        fresh, truth = classes.sample(200_000, 1)
        observed = np.mean(model.predict(fresh) != truth)
        assert classes.estimator_error(model) == pytest.approx(observed, abs=0.005)
        pair = np.isin(y, [1, 3])
        model.fit(X[pair], y[pair])
        observed = np.mean(model.predict(fresh) != truth)
        assert classes.estimator_error(model) == pytest.approx(observed, abs=0.005)
        naive = SharedVarianceGaussianNB().partial_fit(X[seen], y[seen], classes=range(4))
        observed = np.mean(naive.predict(fresh) != truth)
        assert classes.estimator_error(naive) == pytest.approx(observed, abs=0.005)

    def test_estimators_that_cannot_be_judged(self):
        classes = some_classes(3)
        X, y = classes.sample(200, 0)
        with pytest.raises(ValueError, match="GaussianNB has neither coef_ with one row per"):
            classes.estimator_error(GaussianNB().fit(X, y))
        with pytest.raises(ValueError, match="QuadraticDiscriminantAnalysis is not affine"):
            classes.estimator_error(QuadraticDiscriminantAnalysis().fit(X, y))
        # Its coef_ has three rows as well: one for each pair of classes.
        with pytest.raises(ValueError, match="SVC is not affine"):
            classes.estimator_error(SVC(kernel="linear").fit(X, y))
        with pytest.raises(ValueError, match="want a fitted classifier whose classes are among 0"):
            classes.estimator_error(LinearDiscriminantAnalysis().fit(X, y + 1))
        with pytest.raises(ValueError, match="classes_=None"):
            classes.estimator_error(LinearDiscriminantAnalysis())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0, 1.0], [1.0]), "means must be"),
        (([[0.0], [1.0]], [1.0, 1.0]), "covariance must be a finite array"),
        (([[0.0], [1.0]], [0.0]), "variances > 0"),
        ((np.eye(2), [[1.0, 2.0], [2.0, 1.0]]), "eigenvalue of -1"),
        ((np.eye(2), [[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        (([[0.0], [1.0]], [1.0], [0.5, 0.4]), "sum to 1"),
    ],
)
def test_bad_distributions(arguments, message):
    with pytest.raises(ValueError, match=message):
        SharedCovarianceGaussians(*arguments)


def test_bad_rules_and_designs():
    with pytest.raises(ValueError, match="the rule must have coefficients of shape"):
        some_classes(3).rule_error(np.zeros((2, 5)), [0.0, 0.0])
    with pytest.raises(ValueError, match=r"means must have shape \(3,\) or \(3, 4\)"):
        make_shared_variance_mixture(10, 4, 3, means=[0.0, 1.0])
    with pytest.raises(ValueError, match="the rule must be finite"):
        some_classes(3).rule_error(np.full((3, 5), np.nan), [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="the rule must be finite"):
        some_classes(3).rule_error(np.zeros((3, 5)), [-np.inf] * 3)
    with pytest.raises(ValueError, match=r"labels must be n_samples=3 integers from 0 to 2"):
        some_classes(3).sample(3, labels=[0, 1, 3])
    with pytest.raises(ValueError, match="correlation"):
        mixture_bayes_error(10, covariance="correlated", correlation=1.0)
