"""Rows as metrics of confidence see them: gathered by confidence, each with its weight."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_consistent_length

from .._backend import namespace, to_numpy
from ._inputs import as_array, positions, probability_columns, row_weights

__all__ = ["Outcomes", "outcomes"]


@dataclass(frozen=True)
class Outcomes:
    """Rows gathered by confidence: all that any metric here depends on.

    `value` holds the distinct confidences, increasing; `mass` the weight of each and `right` the
    weight of its right rows. `dtype` is the type in which the confidences were given.
    """

    value: np.ndarray
    mass: np.ndarray
    right: np.ndarray
    dtype: np.dtype


def outcomes(y_true, y_proba, sample_weight, labels, pos_label=None):
    """Check what was given and gather it."""
    check_consistent_length(y_true, y_proba)
    columns = probability_columns(y_proba, "y_proba")
    weight = row_weights(sample_weight, columns.shape[0])
    if pos_label is None:
        codes, _ = positions(y_true, labels, columns.shape[1])
        xp = namespace(columns)
        confidence = to_numpy(xp.max(columns, axis=1))
        right = to_numpy(xp.argmax(columns, axis=1)) == codes
    else:
        column, right = _one_against_rest(y_true, y_proba, columns.shape[1], labels, pos_label)
        confidence = to_numpy(columns[:, column])
    return _gathered(confidence, right, weight)


def _one_against_rest(y_true, y_proba, n_classes, labels, pos_label):
    """Column of the probabilities of `pos_label`, and which rows are of that class."""
    single = len(np.shape(y_proba)) == 1 or np.shape(y_proba)[1] == 1
    if single and labels is None:
        found = np.unique(to_numpy(as_array(y_true, "y_true", shapes=(1,))[0])).tolist()
        others = [label for label in found if label != pos_label]
        if len(others) < 2:
            if not others:  # nor does it matter what the other class is called
                return 1, np.ones(len(y_true), dtype=bool)
            labels = [*others, pos_label]
    codes, labels = positions(y_true, labels, n_classes)
    if pos_label not in labels.tolist():
        raise ValueError(f"pos_label={pos_label!r} is not among the labels {labels.tolist()}")
    index = labels.tolist().index(pos_label)
    return (1 if single else index), codes == index


def _gathered(confidence, right, weight):
    """Sum weights over rows of equal confidence; rows of no weight are dropped."""
    kept = weight > 0
    dtype = confidence.dtype
    confidence, right, weight = confidence[kept].astype(np.float64), right[kept], weight[kept]
    # Equal rows are sorted as well: sums then do not depend on the order of rows, to the last bit.
    order = np.lexsort((weight, right, confidence))
    confidence, right, weight = confidence[order], right[order], weight[order]
    starts = np.flatnonzero(np.diff(confidence, prepend=-1.0))
    return Outcomes(
        confidence[starts],
        np.add.reduceat(weight, starts),
        np.add.reduceat(weight * right, starts),
        dtype,
    )
