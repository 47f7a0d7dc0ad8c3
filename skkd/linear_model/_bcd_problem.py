"""From the arguments of ``fit`` to a linear problem: checks, weights, strengths, groups."""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight, assert_all_finite, validate_data

from .._backend import input_namespace, is_numpy
from .._validation import validate_classification
from ..solvers import Groups, LinearProblem
from ._bcd_rules import follows_rules

__all__ = [
    "check_finite",
    "check_same_classes",
    "make_problem",
    "on_host",
    "validate_labels",
    "validate_regression",
    "with_alpha",
]


def on_host(estimator, X):
    """Refuse arrays of another library: coordinate descent is sequential and runs on NumPy."""
    xp, _, _ = input_namespace(X)
    if is_numpy(X) or xp.__name__.rpartition(".")[2] == "numpy":
        return
    raise TypeError(
        f"{type(estimator).__name__} updates coordinates one after the other, on NumPy; got an "
        f"array of {type(X).__module__.partition('.')[0]}. Move it to the host first, with "
        "numpy.asarray(x) or x.get()"
    )


def validate_regression(estimator, X, y, sample_weight):
    """X in float32 or float64, y in float64, weights that sum to one or None."""
    on_host(estimator, X)
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse="csc",
        dtype=[np.float64, np.float32],
        ensure_all_finite=_must_look(estimator),
        y_numeric=True,
    )
    return canonical(X), y.astype(np.float64, copy=False), row_weights(sample_weight, X)


def _must_look(estimator):
    """Whether X must be checked for infinities and NaN before the fit.

    The first pass of a working set over X meets any, at no cost (:func:`check_finite`).
    """
    return estimator.penalty not in ("l1", "elasticnet") or follows_rules(estimator)


def validate_labels(estimator, X, y, sample_weight):
    """X in float32 or float64, integer labels, weights that sum to one or None, and the classes."""
    on_host(estimator, X)
    data = validate_classification(
        estimator,
        X,
        y,
        sample_weight,
        estimator.class_weight,
        accept_sparse="csc",
        ensure_all_finite=_must_look(estimator),
    )
    weights = data.sample_weight
    if weights is not None:
        weights = weights.astype(np.float64)
        weights /= weights.sum()
    return canonical(data.X), data.y, weights, data.classes


def check_same_classes(estimator, classes):
    """Refuse to continue a fit on other classes."""
    old = estimator.classes_
    if old.shape != classes.shape or not np.all(old == classes):
        raise ValueError(
            f"warm_start=True continues from a fit on the classes {old.tolist()}, but y has "
            f"{classes.tolist()}; set warm_start=False or fit a new estimator"
        )


def row_weights(sample_weight, X):
    """Weights that sum to one in float64, or None if all rows weigh alike."""
    if sample_weight is None:
        return None
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    return weights / weights.sum()


def canonical(X):
    """Sparse columns with sorted 32-bit row indices and no duplicates; dense arrays as they are."""
    if not sparse.issparse(X):
        return X
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    if X.indices.dtype != np.int32:
        X = type(X)((X.data, X.indices.astype(np.int32), X.indptr), shape=X.shape)
    return X


def check_finite(estimator, X):
    """Complain about X, of which numbers were computed that are not finite."""
    values = X.data if sparse.issparse(X) else X
    assert_all_finite(values, input_name="X", estimator_name=type(estimator).__name__)
    raise ValueError(
        "products of the entries of X overflow; scale the features, for instance with "
        "sklearn.preprocessing.StandardScaler"
    )


def strengths(penalty, alpha, l1_ratio):
    """Strengths of the (group) L1 norm and of the ridge."""
    if penalty is None:
        return 0.0, 0.0
    if penalty == "elasticnet":
        return alpha * l1_ratio, alpha * (1.0 - l1_ratio)
    return (0.0, alpha) if penalty == "l2" else (alpha, 0.0)


def with_alpha(problem, penalty, alpha, l1_ratio):
    """The same problem at another strength of the penalty."""
    l1, l2 = strengths(penalty, alpha, l1_ratio)
    return replace(problem, l1=l1, l2=l2)


def limits(positive, bounds):
    """Lower and upper bound of every coefficient."""
    pair = (-np.inf, np.inf) if bounds is None else bounds
    numbers = len(pair) == 2 and all(isinstance(bound, Real) for bound in pair)
    lower, upper = pair if numbers else (np.nan, np.nan)
    if positive:
        lower = max(lower, 0.0)
    if not lower <= 0.0 <= upper or lower == upper:
        raise ValueError(
            f"bounds must be a pair (lower, upper) with lower <= 0 <= upper and lower < upper, got "
            f"bounds={bounds!r} and positive={positive}"
        )
    return float(lower), float(upper)


def make_problem(estimator, X, y, weights, *, loss, n_outputs=1):
    """The linear problem of an estimator's parameters on validated data."""
    penalty = estimator.penalty
    l1, l2 = strengths(penalty, estimator.alpha, estimator.l1_ratio)
    lower, upper = limits(estimator.positive, estimator.bounds)
    groups = None
    if penalty == "group_l1":
        groups = make_groups(estimator.groups, X.shape[1])
        if (lower, upper) != (-np.inf, np.inf):
            raise ValueError(
                "penalty='group_l1' cannot be combined with positive=True or bounds; use "
                "penalty='l1' or 'elasticnet', or leave the coefficients free"
            )
    return LinearProblem(
        X, y, loss, weights, n_outputs, estimator.fit_intercept, l1, l2, lower, upper, groups
    )


def make_groups(groups, n_features):
    """Groups from a size, labels of the features, or lists of indices."""
    if groups is None:
        raise ValueError(
            "penalty='group_l1' needs groups: the size of consecutive groups, an array with the "
            "label of each feature's group, or a list of arrays of feature indices"
        )
    members = _members(groups, n_features)
    order = np.concatenate(members)
    if not np.array_equal(np.sort(order), np.arange(n_features)):
        raise ValueError(
            f"groups must hold each of the {n_features} features exactly once, got {order.size} "
            f"indices of which {np.unique(order).size} are distinct"
        )
    sizes = np.array([m.size for m in members])
    return Groups(order, np.concatenate([[0], np.cumsum(sizes)]), np.sqrt(sizes.astype(float)))


def _members(groups, n_features):
    if isinstance(groups, Integral):
        return np.split(np.arange(n_features), np.arange(groups, n_features, groups))
    if len(groups) and all(np.ndim(g) == 1 for g in groups):
        members = [np.asarray(g, dtype=np.intp) for g in groups]
        return [m for m in members if m.size]
    labels = np.asarray(groups)
    if labels.shape != (n_features,):
        raise ValueError(
            f"an array of groups must label each feature: expected shape ({n_features},), got "
            f"{labels.shape}"
        )
    _, codes = np.unique(labels, return_inverse=True)
    return [np.flatnonzero(codes == g) for g in range(codes.max() + 1)]
