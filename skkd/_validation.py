"""Checks shared by estimators, and the sentences in which they fail."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from ._backend import float_dtypes, input_namespace, is_numpy, move_to, namespace, to_numpy

__all__ = [
    "ClassificationData",
    "check_warm_start",
    "class_codes",
    "last_params",
    "validate_classification",
]


@dataclass(frozen=True)
class ClassificationData:
    """Validated training data of a classifier, all on the device of `X`.

    Attributes
    ----------
    X : array or sparse matrix of shape (n, p)
        Rows, float32 or float64.
    y : array of shape (n,)
        Labels as integers 0..K-1; 0 for rows of zero weight whose class does not occur otherwise.
    sample_weight : array of shape (n,) or None
        Weights times class weights; None if all rows count alike.
    classes : array of shape (K,)
        Sorted labels, in the array library of the labels that were given.
    """

    X: Any
    y: Any
    sample_weight: Any
    classes: Any

    @property
    def n_classes(self):
        """Number of classes with weight."""
        return self.classes.shape[0]


def validate_classification(
    estimator,
    X,
    y,
    sample_weight=None,
    class_weight=None,
    *,
    accept_sparse=("csr", "csc"),
    ensure_all_finite=True,
):
    """Check the arguments of a classifier's ``fit`` and bring them into one array library.

    Rows of zero weight count as absent: a class that only they have is no class.

    Parameters
    ----------
    estimator : estimator
        Receives ``n_features_in_`` and ``feature_names_in_``.
    X, y, sample_weight
        As given to ``fit``.
    class_weight : dict, "balanced" or None, default=None
        As in scikit-learn.
    accept_sparse, ensure_all_finite
        As in scikit-learn's ``check_array``, for X.

    Returns
    -------
    data : ClassificationData

    Raises
    ------
    ValueError
        If the labels are not classes, fewer than two classes have weight, or weights are
        negative or all zero.
    """
    xp, _, device = input_namespace(X)
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse=accept_sparse,
        dtype=float_dtypes(xp, device),
        ensure_all_finite=ensure_all_finite,
    )
    classes, codes = class_codes(y)
    codes = move_to(codes, xp=xp, device=device)
    if sample_weight is not None:
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=X.dtype, ensure_non_negative=True
        )
        classes, codes = _drop_weightless(classes, codes, sample_weight)
    if class_weight is not None:
        sample_weight = _with_class_weight(class_weight, classes, codes, sample_weight, X)
        classes, codes = _drop_weightless(classes, codes, sample_weight)
    if classes.shape[0] < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs samples of at least 2 classes with positive weight, "
            f"but the data contains only one class: {_shown(classes)}. Check how y was selected"
        )
    return ClassificationData(X, codes, sample_weight, classes)


def class_codes(y):
    """Sorted labels, and the position of each entry of `y` among them.

    Raises
    ------
    ValueError
        If `y` holds no classes but, say, real numbers.
    """
    if isinstance(y, np.ndarray) and y.dtype.kind in "iu" and y.size:
        low = int(y.min())
        extent = int(y.max()) - low
        if extent < y.size:  # counting beats sorting, and integers are always classes
            steps = y.astype(np.int64) - low
            present = np.bincount(steps, minlength=extent + 1) > 0
            found = np.flatnonzero(present)
            if 2 * found.size <= y.size:  # else the check has something to say
                return (found + low).astype(y.dtype), (np.cumsum(present) - 1)[steps]
    check_classification_targets(y)
    xp, _, _ = input_namespace(y)
    return xp.unique_inverse(y)


def check_warm_start(estimator, data):
    """Refuse to continue a fit on data of other classes or another number of features."""
    old = [str(label) for label in to_numpy(estimator.classes_).tolist()]
    new = [str(label) for label in to_numpy(data.classes).tolist()]
    n_features = estimator.coef_.shape[1]
    if old != new or n_features != data.X.shape[1]:
        raise ValueError(
            f"warm_start=True continues from a fit on {n_features} features and the classes "
            f"{', '.join(old)}, but the data has {data.X.shape[1]} features and the classes "
            f"{', '.join(new)}; set warm_start=False or fit a new estimator"
        )


def last_params(estimator, data):
    """Parameters (p + 1, k) of the last fit, where `data` is, for a warm start."""
    check_warm_start(estimator, data)
    xp, _, device = input_namespace(data.X)
    W = xp.asarray(estimator.coef_.T, dtype=data.X.dtype, device=device)
    if not estimator.fit_intercept:
        return W
    b = xp.asarray(estimator.intercept_[None, :], dtype=data.X.dtype, device=device)
    return xp.concat([W, b], axis=0)


def _drop_weightless(classes, codes, sample_weight):
    """Remove classes without weight; their rows move to class 0, where they weigh nothing."""
    present = np.unique(to_numpy(codes)[to_numpy(sample_weight) > 0])
    if present.shape[0] == classes.shape[0]:
        return classes, codes
    xp, _, device = input_namespace(classes)
    kept = xp.take(classes, xp.asarray(present, device=device), axis=0)
    new_codes = np.zeros(classes.shape[0], dtype=np.int64)
    new_codes[present] = np.arange(present.shape[0])
    renamed = new_codes[to_numpy(codes)]
    if is_numpy(codes):
        return kept, renamed
    xp, _, device = input_namespace(codes)
    return kept, move_to(renamed, xp=xp, device=device)


def _with_class_weight(class_weight, classes, codes, sample_weight, X):
    """Multiply each row's weight by that of its class."""
    labels = to_numpy(classes)
    given = None if sample_weight is None else to_numpy(sample_weight)
    per_class = compute_class_weight(
        class_weight, classes=labels, y=labels[to_numpy(codes)], sample_weight=given
    )
    if not np.all(np.isfinite(per_class)) or per_class.min() < 0:
        raise ValueError(
            f"class weights must be finite and not negative, got {per_class.tolist()} for the "
            f"classes {_shown(classes)}"
        )
    per_row = per_class[to_numpy(codes)].astype(_dtype_name(X))
    xp, _, device = input_namespace(X)
    per_row = per_row if is_numpy(X) else move_to(per_row, xp=xp, device=device)
    return per_row if sample_weight is None else per_row * sample_weight


def _dtype_name(X):
    xp = namespace(X)
    return "float32" if X.dtype == xp.float32 else "float64"


def _shown(classes):
    return ", ".join(repr(label) for label in to_numpy(classes).tolist())
