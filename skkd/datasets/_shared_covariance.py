r"""Gaussian classes with one covariance: samples, the best rule, and exact errors of linear rules.

Class k has prior :math:`\pi_k` and :math:`x \mid k \sim N(\mu_k, \Sigma)`, the same
:math:`\Sigma` for all classes. The best rule and the limit of shared-variance naive Bayes are
linear, :math:`\operatorname{argmax}_k \; w_k^\top x + b_k` with

.. math::
    w_k = P \mu_k, \qquad b_k = \log \pi_k - \tfrac12 \mu_k^\top P \mu_k, \qquad
    P = \Sigma^{-1} \ \text{(best)}, \quad \operatorname{diag}(\Sigma)^{-1} \ \text{(naive Bayes)} .

The scores of a linear rule are Gaussian within each class, so that its error is known without a
test set; for two classes, with :math:`w = w_1 - w_0, b = b_1 - b_0, \sigma^2 = w^\top \Sigma w`,

.. math::
    \pi_0 \Phi\Big(\frac{w^\top \mu_0 + b}{\sigma}\Big)
        + \pi_1 \Phi\Big(-\frac{w^\top \mu_1 + b}{\sigma}\Big) .

Reference: Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
generative classifiers: theory and implications", ICML 2023.
"""

import numpy as np
from scipy.linalg import cho_solve
from sklearn.utils import check_random_state, gen_batches

from .._backend import to_numpy
from ._rule_risk import argmax_error

__all__ = ["SharedCovarianceGaussians"]

_PANEL = 2**20  # numbers multiplied by the root of the covariance at a time
_TOL = 1e-4
_DECIDE = "decision_function"
_AFFINE = 1e-5  # of a spread of scores, or of their size: float32 pipelines must pass


class SharedCovarianceGaussians:
    r"""Gaussian classes :math:`N(\mu_k, \Sigma)` with priors :math:`\pi_k`.

    Gives samples, the best linear rule, the limit of naive Bayes, and the error of any linear
    rule or fitted linear classifier in this population.

    Parameters
    ----------
    means : array-like of shape (n_classes, n_features)
        Class means.
    covariance : array-like of shape (n_features,) or (n_features, n_features)
        Variances of independent features, or a positive definite matrix.
    priors : array-like of shape (n_classes,), default=None
        Probabilities of the classes; None for equal ones.

    Attributes
    ----------
    means : ndarray of shape (n_classes, n_features)
        As given, in float64.
    covariance : ndarray of shape (n_features,) or (n_features, n_features)
        As given, in float64.
    priors : ndarray of shape (n_classes,)
        Probabilities of the classes.

    Raises
    ------
    ValueError
        If shapes disagree, the covariance is not positive definite, or `priors` are no
        probabilities.

    See Also
    --------
    make_shared_variance_mixture : Samples of the paper's simulation.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
       generative classifiers: theory and implications", ICML 2023.

    Examples
    --------
    >>> from skkd.datasets import SharedCovarianceGaussians
    >>> classes = SharedCovarianceGaussians([[0.0, 0.0], [2.0, 2.0]], [[1.0, 0.6], [0.6, 4.0]])
    >>> f"{classes.bayes_error():.4f} {classes.naive_bayes_error():.4f}"
    '0.1535 0.1577'
    """

    def __init__(self, means, covariance, priors=None):
        self.means = _checked_means(means)
        self.covariance = _checked_covariance(covariance, self.means.shape[1])
        self.priors = _checked_priors(priors, self.means.shape[0])
        self._root = _root(self.covariance)

    def sample(self, n_samples, random_state=None, *, labels=None):
        """Draw rows and their classes.

        Parameters
        ----------
        n_samples : int >= 1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Source of the randomness.
        labels : array-like of shape (n_samples,), default=None
            Classes of the rows, 0 to K - 1; None draws them by their priors.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows.
        y : ndarray of shape (n_samples,)
            Classes, 0 to K - 1.
        """
        rng = check_random_state(random_state)
        n_classes, n_features = self.means.shape
        if labels is None:
            y = rng.choice(n_classes, n_samples, p=self.priors)
        else:
            y = _checked_labels(labels, n_samples, n_classes)
        X = rng.standard_normal((len(y), n_features))
        for rows in gen_batches(len(y), max(1, _PANEL // n_features)):
            X[rows] = self._colour(X[rows]) + self.means[y[rows]]
        return X, y

    def bayes_rule(self):
        r"""Coefficients of the best rule, :math:`w_k = \Sigma^{-1} \mu_k`.

        Returns
        -------
        coef : ndarray of shape (n_classes, n_features)
            Vectors :math:`w_k`.
        intercept : ndarray of shape (n_classes,)
            :math:`b_k = \log \pi_k - \tfrac12 w_k^\top \mu_k`.
        """
        return self._rule(self.means, naive=False)

    def naive_bayes_rule(self):
        r"""Limit of shared-variance naive Bayes, whatever the correlations are.

        The pooled within-class variances tend to the diagonal of the covariance, so that
        :math:`w_k = \operatorname{diag}(\Sigma)^{-1} \mu_k`.

        Returns
        -------
        coef : ndarray of shape (n_classes, n_features)
            Vectors :math:`w_k`.
        intercept : ndarray of shape (n_classes,)
            :math:`b_k = \log \pi_k - \tfrac12 w_k^\top \mu_k`.
        """
        return self._rule(self.means, naive=True)

    def bayes_error(self, *, tol=_TOL):
        """Error of the best rule: no classifier has a smaller one.

        Parameters
        ----------
        tol : float > 0, default=1e-4
            As in :meth:`rule_error`.

        Returns
        -------
        error : float
            Probability of a wrong class.
        """
        return self._error_of_own_rule(naive=False, tol=tol)

    def naive_bayes_error(self, *, tol=_TOL):
        """Error that shared-variance naive Bayes tends to as samples grow.

        Parameters
        ----------
        tol : float > 0, default=1e-4
            As in :meth:`rule_error`.

        Returns
        -------
        error : float
            Probability of a wrong class.
        """
        return self._error_of_own_rule(naive=True, tol=tol)

    def rule_error(self, coef, intercept, *, tol=_TOL):
        r"""Error of the rule :math:`\operatorname{argmax}_k \; w_k^\top x + b_k`, without samples.

        For two classes, and for rules whose vectors differ along one line only, the result has
        all digits, errors of 1e-100 included. For others it is integrated numerically and `tol`
        bounds the relative uncertainty, or a warning says that it does not; the points are fixed,
        so that the same rule always has the same error. That takes milliseconds for up to seven
        classes, but seconds for fifteen and a minute for thirty.

        Parameters
        ----------
        coef : array-like of shape (n_classes, n_features), or (1, n_features) or (n_features,)
            Vectors :math:`w_k`. A single one is a rule for two classes: class 1 where
            :math:`w^\top x + b > 0`.
        intercept : float or array-like of shape (n_classes,) or (1,)
            Intercepts :math:`b_k`; a class with -inf is never predicted.
        tol : float > 0, default=1e-4
            Largest relative uncertainty, where the error must be integrated numerically.

        Returns
        -------
        error : float
            Probability of a wrong class.

        Warns
        -----
        ConvergenceWarning
            If `tol` is not reached with the largest number of points.
        """
        n_classes = self.means.shape[0]
        return self._error_of_scores(coef, intercept, np.arange(n_classes), tol)

    def estimator_error(self, estimator, *, tol=_TOL):
        """Error of a fitted linear classifier: its risk in the population, without a test set.

        Serves as ``risk`` of :func:`~skkd.model_selection.compare_learning_curves`. Classes that
        the classifier never saw count as mistakes whenever they occur.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``classes_`` among 0 to K - 1, and ``coef_`` and ``intercept_`` or a
            `decision_function` that is affine in the features, as a pipeline of scalers and a
            linear classifier has.
        tol : float > 0, default=1e-4
            As in :meth:`rule_error`.

        Returns
        -------
        error : float
            Probability of a wrong class.

        Examples
        --------
        >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
        >>> from skkd.datasets import make_shared_variance_mixture
        >>> X, y, distribution = make_shared_variance_mixture(
        ...     500, 10, random_state=0, return_distribution=True
        ... )
        >>> model = LinearDiscriminantAnalysis().fit(X, y)
        >>> f"{distribution.estimator_error(model):.4f}, best {distribution.bayes_error():.4f}"
        '0.0099, best 0.0095'
        """
        labels = self._labels_of(estimator)
        coef = to_numpy(getattr(estimator, "coef_", np.empty(0)))
        if coef.ndim == 2 and coef.shape[0] in (len(labels), len(labels) - 1):
            intercept = to_numpy(estimator.intercept_)
            if self._decides_by(estimator, coef, intercept):
                return self._error_of_scores(coef, intercept, labels, tol)
        return argmax_error(*self._probed(estimator), self.priors, labels, tol=tol)

    def _rule(self, means, *, naive):
        coef = self._solve(means, naive)
        with np.errstate(divide="ignore"):  # a class of prior 0 is never predicted
            return coef, np.log(self.priors) - 0.5 * np.sum(coef * means, axis=1)

    def _error_of_own_rule(self, *, naive, tol):
        # Away from the origin the terms of an intercept cancel: the error does not depend on it.
        means = self.means - self.priors @ self.means
        coef, intercept = self._rule(means, naive=naive)
        centers, factor = means @ coef.T + intercept, self._spread(coef)
        return argmax_error(centers, factor, self.priors, np.arange(len(means)), tol=tol)

    def _error_of_scores(self, coef, intercept, labels, tol):
        coef, intercept = _checked_rule(coef, intercept, len(labels), self.means.shape[1])
        centers = self.means @ coef.T + intercept
        return argmax_error(centers, self._spread(coef), self.priors, labels, tol=tol)

    def _labels_of(self, estimator):
        classes = getattr(estimator, "classes_", None)
        known = np.arange(len(self.priors))
        labels = None if classes is None else np.asarray(to_numpy(classes))
        if labels is None or not np.all(np.isin(labels, known)):
            raise ValueError(
                f"{type(estimator).__name__} has classes_={classes!r}; want a fitted classifier "
                f"whose classes are among 0 to {len(known) - 1}, the classes of this distribution"
            )
        return labels.astype(np.intp)

    def _decides_by(self, estimator, coef, intercept):
        """Whether its scores are ``X @ coef.T + intercept``; those of one-against-one are not."""
        if not isinstance(estimator.coef_, np.ndarray) or not hasattr(estimator, _DECIDE):
            return True
        expected = self.means @ coef.T + intercept
        found = np.reshape(estimator.decision_function(self.means), expected.shape)
        size = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
        return np.allclose(found, expected, rtol=_AFFINE, atol=_AFFINE * size)

    def _probed(self, estimator):
        """Scores of an affine `decision_function`: means by class, and factor."""
        if not hasattr(estimator, _DECIDE):
            raise ValueError(
                f"{type(estimator).__name__} has neither coef_ with one row per class nor a "
                "decision_function; estimate its error with `sample` and `score`"
            )
        n_classes, n_features = self.means.shape
        middle = self.priors @ self.means
        away = self._colour(np.vstack([np.eye(n_features), np.full((1, n_features), -1.0)]))
        points = np.vstack([self.means, middle, middle + away])
        scores = np.asarray(to_numpy(estimator.decision_function(points)), dtype=np.float64)
        if scores.ndim == 1:
            scores = np.column_stack([np.zeros_like(scores), scores])
        centers, moved = scores[:n_classes], scores[n_classes + 1 :] - scores[n_classes]
        factor, last = moved[:-1], moved[-1]
        allowed = _AFFINE * (np.abs(scores).max() + np.abs(factor).sum(axis=0).max())
        if np.abs(last + factor.sum(axis=0)).max() > allowed:
            raise ValueError(
                f"the decision_function of {type(estimator).__name__} is not affine in the "
                "features; estimate its error with `sample` and `score`"
            )
        return centers, factor.T

    def _colour(self, noise):
        """Rows of independent standard normal numbers, given the covariance."""
        return noise * self._root if self._root.ndim == 1 else noise @ self._root.T

    def _spread(self, coef):
        """Scores are their mean plus this times standard normal numbers."""
        return coef * self._root if self._root.ndim == 1 else coef @ self._root

    def _solve(self, means, naive):
        if self.covariance.ndim == 1:
            return means / self.covariance
        if naive:
            return means / np.diag(self.covariance)
        return cho_solve((self._root, True), means.T).T


def _checked_means(means):
    means = np.array(means, dtype=np.float64)
    if means.ndim != 2 or min(means.shape) < 1 or len(means) < 2 or not np.isfinite(means).all():
        raise ValueError(
            f"means must be finite, one row for each of at least two classes, got {means.shape}"
        )
    return means


def _checked_covariance(covariance, n_features):
    covariance = np.array(covariance, dtype=np.float64)
    shapes = (n_features,), (n_features, n_features)
    if covariance.shape not in shapes or not np.isfinite(covariance).all():
        raise ValueError(
            f"covariance must be a finite array of shape {shapes[0]}, the variances, or "
            f"{shapes[1]}, got shape {covariance.shape}"
        )
    if covariance.ndim == 2 and not np.allclose(covariance, covariance.T, rtol=1e-10, atol=0):
        raise ValueError("covariance must be symmetric; pass (covariance + covariance.T) / 2")
    return covariance


def _root(covariance):
    """Standard deviations, or the lower Cholesky factor."""
    if covariance.ndim == 1:
        if np.all(covariance > 0):
            return np.sqrt(covariance)
        raise ValueError(f"covariance must have variances > 0, got {covariance.min()}")
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        least = np.linalg.eigvalsh(covariance)[0]
        raise ValueError(
            f"covariance must be positive definite, got a smallest eigenvalue of {least:.3g}"
        ) from None


def _checked_priors(priors, n_classes):
    if priors is None:
        return np.full(n_classes, 1.0 / n_classes)
    priors = np.array(priors, dtype=np.float64)
    valid = priors.shape == (n_classes,) and np.all(priors >= 0) and abs(priors.sum() - 1) <= 1e-8
    if not valid:
        raise ValueError(
            f"priors must be {n_classes} numbers >= 0 that sum to 1, got {priors.tolist()}"
        )
    return priors / priors.sum()


def _checked_labels(labels, n_samples, n_classes):
    labels = np.asarray(labels)
    if labels.shape != (n_samples,) or not np.all(np.isin(labels, np.arange(n_classes))):
        raise ValueError(
            f"labels must be n_samples={n_samples} integers from 0 to {n_classes - 1}, got "
            f"shape {labels.shape} and values {np.unique(labels)[:9].tolist()}"
        )
    return labels.astype(np.intp)


def _checked_rule(coef, intercept, n_scores, n_features):
    """Vectors and intercepts as one row and one number for each score."""
    coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    intercept = np.atleast_1d(np.asarray(intercept, dtype=np.float64))
    if n_scores == 2 and coef.shape[0] == 1:
        coef = np.vstack([np.zeros_like(coef), coef])
        intercept = np.concatenate([np.zeros_like(intercept), intercept])
    if coef.shape != (n_scores, n_features) or intercept.shape != (n_scores,):
        raise ValueError(
            f"the rule must have coefficients of shape ({n_scores}, {n_features}) and "
            f"{n_scores} intercepts, or one of each for two classes, got shapes {coef.shape} and "
            f"{intercept.shape}"
        )
    finite = np.all(np.isfinite(coef)) and np.all(intercept < np.inf)
    if not finite or not np.any(intercept > -np.inf):
        raise ValueError(
            "the rule must be finite; only intercepts may be -inf, for classes that are never "
            "predicted, and not all of them"
        )
    return coef, intercept
