"""What metrics of probabilities are given, brought into one form and checked."""

import math

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from .._backend import device_of, log_softmax, namespace, sum_dtype, to_numpy, total
from .._validation import class_codes

__all__ = [
    "as_array",
    "log_probabilities",
    "logit_columns",
    "positions",
    "probability_columns",
    "row_weights",
    "side_by_side",
]

# Probabilities that went through float32, or were printed with six digits, still pass.
_SUM_TOLERANCE = 1e-5


def as_array(values, name, shapes=(1, 2)):
    """The array and its library, in NumPy if it is no array yet; other shapes are refused."""
    try:
        xp = namespace(values)
    except TypeError:
        values = np.asarray(values)
        xp = namespace(values)
    if values.ndim not in shapes or 0 in values.shape:
        allowed = " or ".join(
            "(n_samples,)" if d == 1 else "(n_samples, n_classes)" for d in shapes
        )
        raise ValueError(f"{name} must be of shape {allowed}, got {tuple(values.shape)}")
    return values, xp


def probability_columns(values, name):
    """Rows of probabilities, one column per class, checked; one column p becomes [1 - p, p].

    Raises
    ------
    ValueError
        If an entry is NaN, negative or larger than 1, or a row does not sum to 1.
    """
    values, xp = _floating(values, name)
    _refuse_not_finite(values, name, "probabilities")
    tolerance = max(_SUM_TOLERANCE, math.sqrt(float(xp.finfo(values.dtype).eps)))
    low, high = float(xp.min(values)), float(xp.max(values))
    if low < 0 or high > 1 + tolerance:
        raise ValueError(
            f"{name} must hold probabilities in [0, 1], but its entries range from {low:.6g} to "
            f"{high:.6g}. Pass the output of predict_proba, not logits or decision values"
        )
    if values.ndim == 1 or values.shape[1] == 1:
        positive = xp.reshape(values, (-1,))
        return xp.stack([1.0 - positive, positive], axis=1)
    sums = to_numpy(total(values, axis=1))
    worst = int(np.argmax(np.abs(sums - 1.0)))
    if abs(sums[worst] - 1.0) > tolerance:
        raise ValueError(
            f"rows of {name} must sum to 1 within {tolerance:.1g}, but row {worst} sums to "
            f"{sums[worst]:.6g}. Divide each row by its sum if that is what is meant"
        )
    return values


def logit_columns(values, name):
    """Rows of finite logits, one column per class; one column z becomes [-z/2, z/2]."""
    values, xp = _floating(values, name)
    _refuse_not_finite(values, name, "logits", "; where a probability is 0, pass probabilities")
    if values.ndim == 1 or values.shape[1] == 1:
        half = xp.reshape(values, (-1,)) * 0.5
        return xp.stack([-half, half], axis=1)
    return values


def log_probabilities(columns, *, logits, temperature):
    """Logarithms of softened probabilities in the widest type of the device; -inf for zeros."""
    xp = namespace(columns)
    columns = xp.astype(columns, sum_dtype(columns))
    if not logits:
        columns = xp.where(columns > 0, xp.log(xp.where(columns > 0, columns, 1.0)), -math.inf)
    return log_softmax(columns / temperature)


def positions(labels_of_rows, labels, n_classes, *, name="y_true", columns="y_proba"):
    """Position of each row's label among the columns, and the labels of the columns (NumPy).

    Without `labels` the columns are the labels that occur, sorted.
    """
    labels_of_rows = to_numpy(as_array(labels_of_rows, name, shapes=(1,))[0])
    present, codes = class_codes(labels_of_rows)
    if labels is None:
        labels = _implied_labels(present, n_classes, name, columns)
    labels = to_numpy(as_array(labels, "labels", shapes=(1,))[0])
    lookup = {label: i for i, label in enumerate(labels.tolist())}
    if len(labels) != n_classes or len(lookup) != len(labels):
        raise ValueError(
            f"labels must name each of the {n_classes} classes of {columns} once, in the order of "
            f"its columns, got {labels.tolist()}"
        )
    unknown = [label for label in present.tolist() if label not in lookup]
    if unknown:
        raise ValueError(
            f"{name} contains {unknown}, which is not among the labels {labels.tolist()}"
        )
    return np.asarray([lookup[label] for label in present.tolist()])[codes], labels


def _implied_labels(present, n_classes, name, columns):
    """Sorted labels of the columns where none are given."""
    if len(present) == n_classes:
        return present
    for usual in ([0, 1], [-1, 1]):
        if n_classes == 2 and set(present.tolist()) < set(usual):
            return np.asarray(usual)
    raise ValueError(
        f"{name} contains {len(present)} classes, {present.tolist()}, but {columns} stands for "
        f"{n_classes}. Pass labels=, the class of each column, for instance estimator.classes_"
    )


def row_weights(sample_weight, n_rows):
    """Weights as float64 on the host, ones where there are none."""
    if sample_weight is None:
        return np.ones(n_rows)
    if not np.isscalar(sample_weight):
        sample_weight = to_numpy(as_array(sample_weight, "sample_weight", shapes=(1,))[0])
    check_consistent_length(np.empty(n_rows), sample_weight)
    return _check_sample_weight(
        sample_weight, np.empty((n_rows, 1)), dtype=np.float64, ensure_non_negative=True
    )


def side_by_side(one, other):
    """Both arrays in one library on one device: where they are if that is so, else in NumPy."""
    together = namespace(one) is namespace(other) and device_of(one) == device_of(other)
    return (one, other) if together else (to_numpy(one), to_numpy(other))


def _floating(values, name):
    values, xp = as_array(values, name)
    if not xp.isdtype(values.dtype, "real floating"):
        if not xp.isdtype(values.dtype, ("bool", "integral")):
            raise ValueError(f"{name} must hold real numbers, got dtype {values.dtype}")
        values = xp.astype(values, sum_dtype(values))
    return values, xp


def _refuse_not_finite(values, name, what, remedy=""):
    xp = namespace(values)
    finite = xp.isfinite(values)
    if not bool(xp.all(finite)):
        rows = finite if values.ndim == 1 else xp.all(finite, axis=1)
        row = int(np.argmin(to_numpy(rows)))
        raise ValueError(f"{name} must hold finite {what}, but row {row} has NaN or inf{remedy}")
