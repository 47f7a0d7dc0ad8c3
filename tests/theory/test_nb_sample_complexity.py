"""How many samples naive Bayes needs, and where two regimes come from.

The explicit forms: with m_c samples in the smallest class, n features and K classes,

    P(max |mean - its estimate| > e) <= 2 n K exp(-m_c e^2 / (2 s_max^2)),
    P(max |variance estimate / variance - 1| > e) <= 2 n exp(-(m - K) e^2 / 8),   0 < e < 1.
"""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import binom
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from skkd.datasets import SharedCovarianceGaussians, make_shared_variance_mixture
from skkd.metrics import logistic_h_consistency_bound
from skkd.naive_bayes import SharedVarianceGaussianNB

DELTA = 0.2
REPEATS = 200
# With probability 1 - 1e-6 no more repeats fail than this, if the bound is right.
MOST_FAILURES = binom.ppf(1 - 1e-6, REPEATS, DELTA)


def worst_estimates(classes, per_class, seed):
    """Largest error of a mean, and of a variance in relative terms, in each repeat."""
    n_classes = len(classes.priors)
    labels = np.repeat(np.arange(n_classes), per_class)
    means, variances = [], []
    for repeat in range(REPEATS):
        X, y = classes.sample(len(labels), seed * REPEATS + repeat, labels=labels)
        model = SharedVarianceGaussianNB(ddof="K", var_smoothing=0.0).fit(X, y)
        means.append(np.abs(model.theta_ - classes.means).max())
        variances.append(np.abs(model.var_ / classes.covariance - 1).max())
    return np.array(means), np.array(variances)


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 100])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_estimates_concentrate(n, n_classes):
    rng = np.random.default_rng(0)
    means = rng.standard_normal((n_classes, n))
    classes = SharedCovarianceGaussians(means, rng.uniform(0.5, 2.0, n))
    error = 0.5
    largest = classes.covariance.max()
    for_means = math.ceil(2 * largest / error**2 * math.log(2 * n * n_classes / DELTA))
    for_variances = math.ceil((8 / error**2 * math.log(2 * n / DELTA) + n_classes) / n_classes)
    assert np.sum(worst_estimates(classes, for_means, 1)[0] > error) <= MOST_FAILURES
    assert np.sum(worst_estimates(classes, for_variances, 2)[1] > error) <= MOST_FAILURES


def test_the_bounds_are_within_a_small_factor():
    """A quarter of the samples is not enough: the test above could fail."""
    n, error = 100, 0.5
    classes = SharedCovarianceGaussians(np.zeros((2, n)), np.ones(n))
    for_means = 2 / error**2 * math.log(4 * n / DELTA)
    for_variances = (8 / error**2 * math.log(2 * n / DELTA) + 2) / 2
    assert np.mean(worst_estimates(classes, math.ceil(for_means / 4), 3)[0] > error) > DELTA
    assert np.mean(worst_estimates(classes, math.ceil(for_variances / 4), 4)[1] > error) > DELTA


class TestTwoRegimes:
    """Independent features: one limit. Correlated ones: logistic regression's is lower."""

    def classes(self, covariance):
        return make_shared_variance_mixture(2, 20, covariance=covariance, return_distribution=True)[
            2
        ]

    def test_limits(self):
        easy, correlated = self.classes("easy"), self.classes("correlated")
        assert easy.rule_error(*easy.naive_bayes_rule()) == easy.bayes_error()
        ours = correlated.rule_error(*correlated.naive_bayes_rule())
        assert ours > 5 * correlated.bayes_error()

    @pytest.mark.parametrize("C", [1.0, 1e4])
    def test_naive_bayes_leads_first_and_loses_in_the_end(self, C):
        """Whatever the penalty of logistic regression; errors are exact, not measured."""
        classes = make_shared_variance_mixture(
            2, 100, covariance="correlated", correlation=0.3, return_distribution=True
        )[2]
        limit = classes.naive_bayes_error()
        error = {}
        for m in (20, 400):
            found = []
            for seed in range(8):
                X, y = classes.sample(m, seed, labels=np.arange(m) % 2)
                models = SharedVarianceGaussianNB(), LogisticRegression(C=C, max_iter=2000)
                found.append([classes.estimator_error(model.fit(X, y)) for model in models])
            error[m] = np.mean(found, axis=0)
        naive, logistic = error[20]
        assert naive < 0.5 * logistic and naive < 1.5 * limit
        naive, logistic = error[400]
        assert logistic < 0.1 * naive and naive == pytest.approx(limit, rel=0.1)

    def test_lda_tends_to_the_best_rule(self):
        classes = self.classes("correlated")
        X, y = classes.sample(50_000, 0)
        found = classes.estimator_error(LinearDiscriminantAnalysis().fit(X, y))
        assert found == pytest.approx(classes.bayes_error(), rel=0.1)


@pytest.mark.slow
def test_samples_needed_grow_slowly_for_naive_bayes_and_fast_for_logistic_regression():
    """The paper's stopping rule on its design, with the exact error: ten times the features."""

    def needed(model, n, sizes):
        classes = make_shared_variance_mixture(2, n, return_distribution=True)[2]
        labels = np.arange(max(sizes)) % 2
        counts = []
        for seed in range(3):
            X, y = classes.sample(len(labels), seed, labels=labels)
            errors = (classes.estimator_error(model.fit(X[:m], y[:m])) for m in sizes)
            target = classes.bayes_error() + 0.01
            counts.append(next(m for m, e in zip(sizes, errors, strict=True) if e < target))
        return np.mean(counts)

    naive = [needed(SharedVarianceGaussianNB(), n, range(4, 60, 2)) for n in (60, 600)]
    logistic = [
        needed(LogisticRegression(max_iter=1000), n, range(n // 2, 3 * n, n // 10))
        for n in (60, 600)
    ]
    assert naive[1] < 1.5 * naive[0]
    assert logistic[1] > 5 * logistic[0]


class TestMinimizabilityGaps:
    """In a restricted class the bound holds with both gaps added, and without them it does not.

    Scores w x of one feature, through the origin; x is 1 with probability 0.9 and 10 otherwise.
    """

    x, weight = np.array([1.0, 10.0]), np.array([0.9, 0.1])

    def risks(self, w, positive):
        """Errors and log-loss of w, or of the best score for each x alone where w is None."""
        if w is None:
            entropy = -xlogy(positive, positive) - xlogy(1 - positive, 1 - positive)
            return self.weight @ np.minimum(positive, 1 - positive), self.weight @ entropy
        z = w * self.x
        log_loss = positive * np.logaddexp(0, -z) + (1 - positive) * np.logaddexp(0, z)
        return self.weight @ np.where(z > 0, 1 - positive, positive), self.weight @ log_loss

    def best(self, positive):
        errors = min(self.risks(w, positive)[0] for w in (-1.0, 1.0))
        fitted = minimize_scalar(lambda w: self.risks(w, positive)[1], bracket=(-1.0, 1.0))
        return fitted.x, errors, fitted.fun

    @pytest.mark.parametrize("seed", range(10))
    def test_bound_with_gaps(self, seed):
        rng = np.random.default_rng(seed)
        positive = rng.uniform(size=2)
        _, best_errors, best_loss = self.best(positive)
        free_errors, free_loss = self.risks(None, positive)
        error_gap, loss_gap = best_errors - free_errors, best_loss - free_loss
        assert error_gap >= -1e-15 and loss_gap >= -1e-12
        for w in rng.standard_normal(20):
            errors, loss = self.risks(w, positive)
            bound = logistic_h_consistency_bound(max(loss - best_loss, 0.0) + max(loss_gap, 0.0))
            assert errors - best_errors + error_gap <= bound + 1e-9

    def test_without_gaps_it_fails(self):
        positive = np.array([0.6, 0.0])
        w, best_errors, best_loss = self.best(positive)
        errors, loss = self.risks(w, positive)
        assert loss - best_loss < 1e-12  # so that the bound without gaps is next to nothing
        assert errors - best_errors == pytest.approx(0.08)
