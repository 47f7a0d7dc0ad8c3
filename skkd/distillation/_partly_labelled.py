"""Rows of which some have labels: what stands for the missing ones, and how the others weigh."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from .._backend import device_of, input_namespace, namespace, to_numpy, total

__all__ = ["class_weighted", "filled_labels", "not_taught", "total_weight"]


def total_weight(data):
    """Total weight of the rows."""
    if data.sample_weight is None:
        return float(data.X.shape[0])
    return float(to_numpy(total(data.sample_weight)))


def not_taught(data, labelled):
    """Rows that the teacher is not to see: without label, or of no weight."""
    rows = np.zeros(data.X.shape[0], dtype=bool) if labelled is None else ~labelled
    if data.sample_weight is not None:
        rows = rows | (to_numpy(data.sample_weight) == 0)
    return rows


def filled_labels(y, labelled, sample_weight):
    """Labels with some existing one where there is none, to pass the checks of labels."""
    xp, _, device = input_namespace(y)
    usable = labelled
    if sample_weight is not None:
        weighted = labelled & (np.asarray(to_numpy(sample_weight)) > 0)
        usable = weighted if weighted.any() else labelled
    first = int(np.flatnonzero(usable)[0])
    if (
        not hasattr(y, "dtype")
        or isinstance(y, np.ndarray)
        or not hasattr(y, "__array_namespace__")
    ):
        labels = np.array(y)
        labels[~labelled] = labels[first]
        return labels
    return xp.where(xp.asarray(labelled, device=device), y, y[first])


def class_weighted(data, labelled, class_weight):
    """Multiply the weights of rows with labels by those of their classes."""
    xp, device = namespace(data.X), device_of(data.X)
    codes = to_numpy(data.y)
    given = None if data.sample_weight is None else to_numpy(data.sample_weight)
    classes = to_numpy(data.classes)
    per_class = compute_class_weight(
        class_weight,
        classes=classes,
        y=classes[codes[labelled]],
        sample_weight=None if given is None else given[labelled],
    )
    weight = np.where(labelled, per_class[codes], 1.0) * (1.0 if given is None else given)
    weight = xp.asarray(weight, dtype=data.X.dtype, device=device)
    return type(data)(data.X, data.y, weight, data.classes)
