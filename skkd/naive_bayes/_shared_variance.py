r"""Linear Gaussian naive Bayes: features independent within a class, variances shared by classes.

With class shares :math:`\pi_k`, class means :math:`\mu_k` and pooled variances :math:`\sigma_j^2`

.. math::
    f_k(x) = \sum_j \frac{\mu_{kj}}{\sigma_j^2} x_j
        + \log \pi_k - \frac12 \sum_j \frac{\mu_{kj}^2}{\sigma_j^2}, \qquad
    P(y = k \mid x) = \mathrm{softmax}(f(x))_k ;

the term :math:`-\frac12 \sum_j x_j^2 / \sigma_j^2` is the same for all classes and cancels.

Reference: Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
generative classifiers: theory and implications", ICML 2023.
"""

import math
import warnings
from numbers import Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._backend import (
    device_of,
    float_dtypes,
    input_namespace,
    is_numpy,
    move_to,
    namespace,
    to_numpy,
)
from .._base import LogitClassifierMixin, SkkdEstimator, linear_scores
from .._validation import validate_classification
from ._moments import ClassMoments, encode, measure, sorted_classes

__all__ = ["SharedVarianceGaussianNB"]

# Above this the products x_j w_j that cancel in a logit would leave their rounding in it, and X
# is centred before it is multiplied.
_LARGEST = {"float32": 1e3, "float64": 1e6}
_ENOUGH_ROWS = 20  # per class
_PANEL = 2**17  # numbers centred at a time


class SharedVarianceGaussianNB(LogitClassifierMixin, SkkdEstimator):
    r"""Gaussian naive Bayes with one variance per feature: a linear classifier in closed form.

    Maximises the likelihood :math:`\prod_i \pi_{y_i} \prod_j N(x_{ij}; \mu_{y_i j}, \sigma_j^2)`,
    which one pass over the data does. Also known as diagonal linear discriminant analysis.

    Parameters
    ----------
    priors : array-like of shape (n_classes,), default=None
        Prior probabilities of the classes, in the order of ``classes_``; None takes the shares
        of the classes in the data. Variances are pooled by those shares in either case.
    var_smoothing : float >= 0, default=1e-9
        Added to every variance, so that features which are constant within classes have one.
    smoothing : {"absolute", "relative"}, default="absolute"
        Whether `var_smoothing` is added as it is, in squared units of the feature, or times the
        largest variance of a feature, as scikit-learn's GaussianNB does.
    ddof : {0, "K"}, default=0
        Variances divide by the sum of weights n, or by n minus the number of classes, which is
        unbiased.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels, sorted.
    class_count_ : array of shape (n_classes,)
        Sum of the weights of each class.
    class_prior_ : array of shape (n_classes,)
        Probabilities of the classes.
    theta_ : array of shape (n_classes, n_features)
        Mean of each feature in each class; 0 in a class not seen yet.
    var_ : array of shape (n_features,)
        Variance of each feature, `var_smoothing` included.
    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the linear scores; for two classes of their difference.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts; -inf for a class not seen yet.
    moments_ : ClassMoments
        What the model knows of the data; moments of other data may be added.
    n_samples_seen_ : int
        Rows of positive weight.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : array of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Raises
    ------
    ValueError
        If `priors` are no probabilities, a variance is zero and `var_smoothing` too, or
        ``ddof="K"`` leaves nothing to divide by.

    Warns
    -----
    UserWarning
        If a feature is constant within classes but differs between them, given twenty rows per
        class or more: it then decides alone.

    See Also
    --------
    class_moments : Moments of a part of the data, for files larger than memory.
    sklearn.naive_bayes.GaussianNB : A variance for each class and feature; quadratic.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Correlated features.

    Notes
    -----
    Samples needed to come close to the best error grow with the logarithm of the number of
    features, where logistic regression's grow in proportion; its limit, though, is never better
    than that of logistic regression [1]_ [2]_.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
       generative classifiers: theory and implications", ICML 2023.
    .. [2] Ng, A. Y., Jordan, M. I., "On discriminative vs. generative classifiers: a comparison
       of logistic regression and naive Bayes", NeurIPS 2001.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skkd.naive_bayes import SharedVarianceGaussianNB
    >>> X, y = load_wine(return_X_y=True)
    >>> model = SharedVarianceGaussianNB().fit(X, y)
    >>> model.coef_.shape, model.var_.shape
    ((3, 13), (13,))
    >>> round(model.score(X, y), 3)
    0.966
    """

    _parameter_constraints: dict = {
        "priors": ["array-like", None],
        "var_smoothing": [Interval(Real, 0, None, closed="left")],
        "smoothing": [StrOptions({"absolute", "relative"})],
        "ddof": [StrOptions({"K"}), Options(Real, {0})],
    }
    _accept_sparse = False

    def __init__(self, *, priors=None, var_smoothing=1e-9, smoothing="absolute", ddof=0):
        self.priors = priors
        self.var_smoothing = var_smoothing
        self.smoothing = smoothing
        self.ddof = ddof

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model, forgetting earlier data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Integer weights equal repetition, zero weight equals removal.

        Returns
        -------
        self : SharedVarianceGaussianNB
            The fitted estimator.
        """
        data = validate_classification(
            self, X, y, sample_weight, accept_sparse=False, ensure_all_finite=False
        )
        _, end = self._watched(X, y, max_iter=1, task_name="pass", attributes=None)
        moments = measure(
            data.X,
            data.y,
            data.classes,
            data.sample_weight,
            getattr(self, "feature_names_in_", None),
            type(self).__name__,
        )
        self._learn(moments, data.X.dtype)
        end()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Learn from more rows; the model is that of all rows so far, however they were split.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call, and may be left out later.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : SharedVarianceGaussianNB
            The fitted estimator.
        """
        first = not hasattr(self, "classes_")
        xp, _, device = input_namespace(X)
        X, y = validate_data(
            self, X, y, reset=first, dtype=float_dtypes(xp, device), ensure_all_finite=False
        )
        labels = self._partial_classes(classes, y, first)
        codes = move_to(encode(y, labels), xp=xp, device=device)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=X.dtype, ensure_non_negative=True
            )
        names = getattr(self, "feature_names_in_", None)
        moments = measure(X, codes, labels, sample_weight, names, type(self).__name__)
        self._learn(moments if first else self.moments_ + moments, X.dtype)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_moments(self, moments):
        """Fit the model to moments that were computed part by part.

        Parameters
        ----------
        moments : ClassMoments
            The sum of the moments of all parts.

        Returns
        -------
        self : SharedVarianceGaussianNB
            The fitted estimator, as ``fit`` on all rows would give it.
        """
        if not isinstance(moments, ClassMoments):
            raise TypeError(
                f"moments must come from skkd.naive_bayes.class_moments, got {type(moments)}"
            )
        if moments.classes.shape[0] < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes, but the moments hold only "
                f"{to_numpy(moments.classes).tolist()}; add those of other parts, or name all "
                "labels in class_moments(..., classes=...)"
            )
        self.n_features_in_ = moments.n_features
        if moments.feature_names is not None:
            self.feature_names_in_ = moments.feature_names
        elif hasattr(self, "feature_names_in_"):  # of an earlier fit
            del self.feature_names_in_
        self._learn(moments, moments.means.dtype)
        return self

    @property
    def moments_(self):
        """What the model knows of the data."""
        check_is_fitted(self)
        return ClassMoments(
            self.classes_,
            self.class_count_,
            self._means,
            self._scatter,
            self.n_samples_seen_,
            getattr(self, "feature_names_in_", None),
        )

    def decision_function(self, X):
        """Linear scores of samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        scores : array of shape (n_samples,) or (n_samples, n_classes)
            For two classes the log-odds of ``classes_[1]``, else :math:`f_k(x)`, which is
            ``X @ coef_.T + intercept_``.
        """
        Z = self._logits(X, "decision_function")
        if Z.shape[1] == 1:
            return Z[:, 0]
        X = self._checked(X, "decision_function")
        # What the logits leave out because it is the same for all classes.
        common = self._center / self.var_
        return Z + (X @ common - 0.5 * self._center @ common)[:, None]

    def predict_joint_log_proba(self, X):
        r"""Logarithm of the joint density of samples and classes.

        It is :math:`\log \pi_k + \sum_j \log N(x_j; \mu_{kj}, \sigma_j^2)`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        log_density : array of shape (n_samples, n_classes)
            In the order of ``classes_``; the quadratic term is included.
        """
        X = self._checked(X, "predict_joint_log_proba")
        xp = namespace(X)
        away = X - self._center
        _, weights, offsets = self._about_center(xp.astype(self._center, self._means.dtype))
        with np.errstate(invalid="ignore"):
            squares = (away * away) @ (1.0 / self.var_)
        self._refuse_not_finite(X, squares)
        scores = away @ xp.astype(weights, X.dtype).T + xp.astype(offsets, X.dtype)
        constant = 0.5 * xp.sum(xp.log(2.0 * math.pi * self.var_))
        return scores - (0.5 * squares + constant)[:, None]

    def _learn(self, moments, dtype):
        """Set all attributes from the moments of the data."""
        xp = namespace(moments.means)
        # First what may fail: a batch that is refused leaves the model as it was.
        prior, variance = self._class_prior(moments), self._feature_variance(moments)
        self._warn_of_constants(moments)
        self._prior, self._variance = prior, variance
        self.classes_, self.n_samples_seen_ = moments.classes, moments.n_samples
        self.class_count_, self._means = moments.counts, moments.means
        self._scatter = moments.scatter
        self.class_prior_ = xp.astype(self._prior, dtype)
        self.theta_ = xp.astype(moments.means, dtype)
        self.var_ = xp.astype(self._variance, dtype)
        center = moments.counts @ moments.means / xp.sum(moments.counts)
        self._center = xp.astype(center, dtype)
        self._set_scores(xp.astype(self._center, center.dtype), dtype)

    def _set_scores(self, center, dtype):
        """Set the linear scores: those of the definition, and those used to decide."""
        xp = namespace(center)
        zero = xp.zeros_like(center)
        _, coef, intercept = self._about_center(zero)
        means, weights, offsets = self._about_center(center)
        if means.shape[0] == 2:
            weights = ((means[1, :] - means[0, :]) / self._variance)[None, :]
            offsets, coef = (offsets[1] - offsets[0])[None], weights
            intercept = offsets - weights @ center
        # The sum of x_j w_j for x in the middle of the data: what cancels unless x is centred.
        size = float(xp.max(xp.sum(xp.abs(weights * center), axis=1)))
        self._center_first = size > _LARGEST["float32" if dtype == xp.float32 else "float64"]
        if not self._center_first:
            offsets = offsets - weights @ center
        self.coef_, self.intercept_ = xp.astype(coef, dtype), xp.astype(intercept, dtype)
        self._weights, self._offsets = xp.astype(weights, dtype), xp.astype(offsets, dtype)

    def _about_center(self, center):
        """Class means less `center`, their scores for x less `center`, and the offsets.

        A class not seen yet is put in the center, with a probability of zero.
        """
        xp = namespace(center)
        seen = self.class_count_ > 0
        means = xp.where(seen[:, None], self._means - center, 0.0)
        scores = means / self._variance
        shares = xp.where(seen & (self._prior > 0), self._prior, 1.0)
        logs = xp.where(seen & (self._prior > 0), xp.log(shares), -math.inf)
        return means, scores, logs - 0.5 * xp.sum(means * scores, axis=1)

    def _linear(self, X):
        """Scores up to what is common to all classes."""
        if not self._center_first:
            return linear_scores(X, self._weights.T, self._offsets)
        if not is_numpy(X):
            return (X - self._center) @ self._weights.T + self._offsets
        Z = np.empty((X.shape[0], self._weights.shape[0]), dtype=np.result_type(X, self._weights))
        rows = max(_PANEL // X.shape[1], 1)  # a panel at a time: no copy of X
        for low in range(0, X.shape[0], rows):
            Z[low : low + rows] = (X[low : low + rows] - self._center) @ self._weights.T
        Z += self._offsets
        return Z

    def _class_prior(self, moments):
        """Probabilities of the classes, checked if they were given."""
        xp, counts = namespace(moments.counts), moments.counts
        if self.priors is None:
            return counts / xp.sum(counts)
        priors = np.asarray(self.priors, dtype=np.float64)
        if priors.shape != counts.shape:
            raise ValueError(
                f"priors must have one entry for each of the {counts.shape[0]} classes, got an "
                f"array of shape {priors.shape}"
            )
        if not np.all(priors >= 0) or abs(priors.sum() - 1.0) > 1e-8:
            raise ValueError(
                f"priors must be >= 0 and sum to 1, got {priors.tolist()} with sum {priors.sum()}"
            )
        return xp.asarray(priors, dtype=counts.dtype, device=device_of(counts))

    def _feature_variance(self, moments):
        """Pooled variances, smoothed."""
        xp = namespace(moments.scatter)
        denominator = float(xp.sum(moments.counts))
        if self.ddof == "K":
            denominator -= int(xp.count_nonzero(moments.counts))
            if denominator <= 0:
                raise ValueError(
                    f'ddof="K" divides by n - K = {denominator:g}; give more rows than classes, '
                    "or set ddof=0"
                )
        smoothing = self.var_smoothing
        if self.smoothing == "relative":
            smoothing = smoothing * xp.max(moments.total_variance)
        variance = moments.scatter / denominator + smoothing
        if not bool(xp.all(variance > 0)):
            raise ValueError(
                f"the variance of {self._named(variance == 0)} within classes is zero and "
                f"var_smoothing={self.var_smoothing} adds nothing to it; set var_smoothing > 0 or "
                "drop constant features (sklearn.feature_selection.VarianceThreshold)"
            )
        return variance

    def _warn_of_constants(self, moments):
        """Warn of features that alone tell classes apart without doubt."""
        xp = namespace(moments.scatter)
        if moments.n_samples < _ENOUGH_ROWS * moments.classes.shape[0]:
            return  # among few rows a constant is no surprise
        between = moments.total_variance * xp.sum(moments.counts) - moments.scatter
        # Rounding leaves about the square of the relative precision of a mean.
        rounding = 1e3 * float(xp.finfo(between.dtype).eps)
        sure = (moments.scatter <= rounding**2 * between) & (between > 0)
        if bool(xp.any(sure)):
            warnings.warn(
                f"{self._named(sure)} is constant within classes but differs between them; it "
                "decides alone, with a variance of var_smoothing. Check that it is no copy of the "
                "label",
                UserWarning,
                stacklevel=5,
            )

    def _named(self, mask):
        """Names or numbers of some features, for a message."""
        index = np.flatnonzero(to_numpy(mask))
        names = getattr(self, "feature_names_in_", None)
        shown = [str(i) if names is None else repr(names[i]) for i in index[:5]]
        more = f" and {index.size - 5} more" if index.size > 5 else ""
        return f"feature{'s' if index.size > 1 else ''} {', '.join(shown)}{more}"

    def _partial_classes(self, classes, y, first):
        """Labels of the first call of partial_fit, which later calls must repeat or leave out."""
        if first:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit")
            labels = sorted_classes(classes, y)
            if labels.shape[0] < 2:
                raise ValueError(
                    f"partial_fit needs at least 2 classes, got {to_numpy(labels).tolist()}"
                )
            return labels
        if classes is not None:
            given = to_numpy(sorted_classes(classes, y))
            if not np.array_equal(given, to_numpy(self.classes_)):
                raise ValueError(
                    f"classes={given.tolist()} differ from those of the first call to "
                    f"partial_fit, {to_numpy(self.classes_).tolist()}; leave them out or call fit"
                )
        return self.classes_
