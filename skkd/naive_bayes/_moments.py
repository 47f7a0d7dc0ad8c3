r"""Sufficient statistics of Gaussian classes with a shared variance, which merge.

The model depends on the data only through the weight :math:`n_k` and mean :math:`\mu_k` of each
class and the pooled squares :math:`S_j = \sum_i s_i (x_{ij} - \mu_{y_i j})^2`. Those of two sets of
rows give those of their union,

.. math::
    \mu_k = \frac{n_k' \mu_k' + n_k'' \mu_k''}{n_k' + n_k''}, \qquad
    S_j = S_j' + S_j'' + \sum_k \frac{n_k' n_k''}{n_k' + n_k''} (\mu_{kj}' - \mu_{kj}'')^2 ,

so that rows may come in any number of parts, in any order, from any machine.

References: Chan, T. F., Golub, G. H., LeVeque, R. J., "Updating formulae and a pairwise algorithm
for computing sample variances", COMPSTAT 1982.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite, check_X_y
from sklearn.utils.validation import _check_sample_weight, _get_feature_names

from .._backend import device_of, float_dtypes, input_namespace, move_to, namespace, to_numpy
from .._validation import class_codes
from ._passes import class_sums

__all__ = ["ClassMoments", "class_moments", "encode", "measure", "sorted_classes"]


@dataclass(frozen=True, eq=False)
class ClassMoments:
    """Weight, mean and pooled squares of classes; ``+`` gives those of all rows together.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        Labels, sorted.
    counts : array of shape (n_classes,)
        Sum of the weights of each class.
    means : array of shape (n_classes, n_features)
        Mean of each class; 0 for a class without weight.
    scatter : array of shape (n_features,)
        Weighted squares of deviations from the mean of the own class, summed over classes.
    n_samples : int
        Rows of positive weight.
    feature_names : array of shape (n_features,) or None
        Names of the features, if the rows came from a frame.

    See Also
    --------
    class_moments : Computes them.
    SharedVarianceGaussianNB.fit_moments : Fits a model to them.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.naive_bayes import class_moments
    >>> X, y = np.array([[0.0], [2.0], [5.0]]), np.array([0, 0, 1])
    >>> whole = class_moments(X[:1], y[:1]) + class_moments(X[1:], y[1:])
    >>> whole.counts.tolist(), whole.means.tolist(), whole.scatter.tolist()
    ([2.0, 1.0], [[1.0], [5.0]], [2.0])
    """

    classes: Any
    counts: Any
    means: Any
    scatter: Any
    n_samples: int
    feature_names: Any = None

    @property
    def n_features(self):
        """Number of features."""
        return self.scatter.shape[0]

    @property
    def total_variance(self):
        """Variance of each feature over all rows, whatever their class; shape (n_features,)."""
        xp = namespace(self.means)
        share = self.counts / xp.sum(self.counts)
        away = self.means - share @ self.means
        return self.scatter / xp.sum(self.counts) + share @ (away * away)

    def __add__(self, other):
        """Moments of the rows of both."""
        if not isinstance(other, ClassMoments):
            return NotImplemented
        names = _common_names(self, other)
        one, two = _with_common_classes(self, other)
        xp = namespace(one.means)
        counts = one.counts + two.counts
        share = two.counts / xp.where(counts > 0, counts, 1.0)
        apart = two.means - one.means
        between = xp.sum((one.counts * share)[:, None] * apart * apart, axis=0)
        means = one.means + share[:, None] * apart
        return ClassMoments(
            one.classes,
            counts,
            means,
            one.scatter + two.scatter + between,
            one.n_samples + two.n_samples,
            names,
        )

    def __radd__(self, other):
        """Let ``sum`` begin with 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented


def class_moments(X, y, *, classes=None, sample_weight=None):
    r"""Sufficient statistics of shared-variance naive Bayes for one part of the data.

    Computes :math:`n_k`, :math:`\mu_k` and :math:`S_j = \sum_i s_i (x_{ij} - \mu_{y_i j})^2`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows; a memory-mapped array is read once, from front to back, and not copied.
    y : array-like of shape (n_samples,)
        Labels. A part need not hold every class, nor more than one.
    classes : array-like of shape (n_classes,), default=None
        All labels there are; None takes those of `y`.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    moments : ClassMoments
        In float64 where the device has it. Add those of other parts with ``+`` or ``sum``.

    Raises
    ------
    ValueError
        If X holds NaN or infinity, its squares overflow, or `y` holds a label not in `classes`.

    See Also
    --------
    SharedVarianceGaussianNB.fit_moments : Fits a model to them.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.naive_bayes import SharedVarianceGaussianNB, class_moments
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((100, 3)), rng.integers(0, 2, 100)
    >>> parts = [class_moments(X[i : i + 10], y[i : i + 10]) for i in range(0, 100, 10)]
    >>> model = SharedVarianceGaussianNB().fit_moments(sum(parts))
    >>> np.allclose(model.var_, SharedVarianceGaussianNB().fit(X, y).var_)
    True
    """
    names = _get_feature_names(X)
    xp, _, device = input_namespace(X)
    X, y = check_X_y(X, y, dtype=float_dtypes(xp, device), ensure_all_finite=False)
    if classes is None:
        classes, codes = class_codes(y)
    else:
        classes = sorted_classes(classes, y)
        codes = encode(y, classes)
    if sample_weight is not None:
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=X.dtype, ensure_non_negative=True
        )
    codes = move_to(codes, xp=xp, device=device)
    return measure(X, codes, classes, sample_weight, names)


def measure(X, codes, classes, weights=None, feature_names=None, estimator_name=None):
    """Moments of checked rows of classes 0..K-1; NaN and infinity in X are found here."""
    xp = namespace(X)
    n_samples = X.shape[0]
    if weights is not None:
        n_samples = int(xp.count_nonzero(weights))
        if n_samples < X.shape[0]:  # these rows are not looked at below
            assert_all_finite(X, estimator_name=estimator_name, input_name="X")
    with np.errstate(over="ignore", invalid="ignore"):
        counts, means, scatter = class_sums(X, codes, classes.shape[0], weights)
    if not bool(xp.all(xp.isfinite(scatter))):
        assert_all_finite(X, estimator_name=estimator_name, input_name="X")
        raise ValueError("the squares of X overflow; scale its columns")
    return ClassMoments(classes, counts, means, scatter, n_samples, feature_names)


def sorted_classes(classes, y):
    """`classes` sorted, in the array library of `y`."""
    xp, is_array_api, device = input_namespace(y)
    if is_array_api:
        classes = xp.asarray(classes, device=device)
    return xp.unique_values(classes if is_array_api else np.asarray(classes))


def encode(y, classes):
    """Positions of the labels `y` among the sorted `classes`."""
    xp, _, _ = input_namespace(y)
    codes = xp.clip(xp.searchsorted(classes, y), 0, classes.shape[0] - 1)
    known = xp.take(classes, codes, axis=0) == y
    if not bool(xp.all(known)):
        strange = np.unique(to_numpy(y)[~to_numpy(known)]).tolist()
        raise ValueError(
            f"y contains labels that are not in classes: {strange[:5]}; classes are "
            f"{to_numpy(classes).tolist()}. Name all labels in the first call of partial_fit, or "
            "in `classes`"
        )
    return codes


def _common_names(one, two):
    """Names of the features of two parts, which must agree where both have them."""
    if one.n_features != two.n_features:
        raise ValueError(
            f"moments of {one.n_features} and of {two.n_features} features cannot be added; "
            "compute both from the same columns"
        )
    if one.feature_names is None or two.feature_names is None:
        return two.feature_names if one.feature_names is None else one.feature_names
    if not np.array_equal(one.feature_names, two.feature_names):
        raise ValueError(
            f"moments of features {one.feature_names.tolist()} and "
            f"{two.feature_names.tolist()} cannot be added; bring the columns in one order"
        )
    return one.feature_names


def _with_common_classes(one, two):
    """Both, with all classes of either."""
    xp, _, _ = input_namespace(one.classes)
    if one.classes.shape == two.classes.shape and bool(xp.all(one.classes == two.classes)):
        return one, two
    classes = xp.unique_values(xp.concat([one.classes, two.classes]))
    return _spread(one, classes), _spread(two, classes)


def _spread(moments, classes):
    """Moments with empty classes added."""
    xp_y, _, _ = input_namespace(classes)
    own = xp_y.searchsorted(classes, moments.classes)
    xp, like = namespace(moments.means), moments.means
    own = move_to(own, xp=xp, device=device_of(like))
    positions = xp.arange(classes.shape[0], dtype=own.dtype, device=device_of(like))
    place = xp.astype(positions[:, None] == own[None, :], like.dtype)
    return replace(
        moments, classes=classes, counts=place @ moments.counts, means=place @ moments.means
    )
