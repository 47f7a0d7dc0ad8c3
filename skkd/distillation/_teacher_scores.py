"""From what a fitted teacher says to logits: floors, and the order of the classes.

Probabilities p over C classes become ``log((1 - e) p + e / C)``: a mixture with the uniform
distribution, whose weight e is the floor. It leaves the order of the classes alone, and its
logarithm is at least ``log(e / C)`` however many exact zeros (a forest's, say) there are.
"""

import math
import warnings

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from .._backend import is_numpy, namespace, to_numpy

__all__ = [
    "check_method",
    "is_foreign",
    "on_host",
    "response_logits",
    "rows_shown",
    "shown",
    "teacher_classes",
    "teacher_name",
    "warn_if_not_log_probabilities",
]

METHODS = ("predict_log_proba", "predict_proba", "decision_function")

# Losses that read the teacher's logits as they are, or only their order. All others take a softmax
# of them, which means something only if they are log-probabilities up to a constant per row.
SCORE_LOSSES = frozenset({"mse", "binary_kl", "binary_kl_norm", "list_mle", "preference_rank"})
NO_TEACHER = frozenset({"ce", "label_smoothing", "cmi", "uskd"})

SHOWN = 5  # rows, or labels, that a message lists


def response_logits(fitted, X, classes, *, method, prob_floor):
    """Logits of a fitted teacher, on the host.

    Parameters
    ----------
    fitted : estimator
        The teacher.
    X : array, sparse matrix, list or DataFrame
        Rows in a form that the teacher takes.
    classes : ndarray of shape (C,)
        Order of the columns.
    method : {"auto"} or one of METHODS
        "auto" takes the first of METHODS that the teacher has.
    prob_floor : float
        Weight of the uniform distribution mixed into probabilities.

    Returns
    -------
    logits : ndarray of shape (n, C) of float64
    """
    order = _column_order(fitted, classes)
    method = _resolved(fitted, method)
    with np.errstate(divide="ignore"):  # scikit-learn's log(0): the floor is for these
        scores = getattr(fitted, method)(X)
    where = f"{teacher_name(fitted)}.{method}"
    scores = np.asarray(on_host(scores), dtype=np.float64)
    if method == "decision_function":
        logits = _decision_logits(fitted, scores, len(order), where)
    else:
        _check_shape(scores, len(order), where)
        if np.isnan(scores).any():
            raise ValueError(
                f"{where} gave NaN for {rows_shown(np.isnan(scores).any(axis=1))}; a number is "
                "needed for every class: check the training data of the teacher"
            )
        logits = _floored(scores, method, prob_floor, where)
    _check_finite_scores(logits, where)
    return logits[:, order]


def check_method(method):
    """Refuse names that are no method of a teacher."""
    if method != "auto" and method not in METHODS:
        raise ValueError(
            "the method of a teacher must be 'auto', " + ", ".join(map(repr, METHODS[:-1])) + " or "
            f"{METHODS[-1]!r}, got {method!r}"
        )


def teacher_classes(fitted):
    """Classes of a fitted teacher, on the host.

    Raises
    ------
    ValueError
        If it has none, or one set of them per output.
    """
    classes = getattr(fitted, "classes_", None)
    several = isinstance(classes, list) and any(np.ndim(entry) for entry in classes)
    if classes is None or several:
        has = "several lists of classes, one per output" if several else "no classes_"
        raise ValueError(
            f"the teacher {teacher_name(fitted)} has {has}, so its columns cannot be told apart; "
            "give a classifier of one output, or compute the logits yourself and pass "
            "teacher_logits"
        )
    return np.asarray(on_host(classes))


def _column_order(fitted, classes):
    """Positions of `classes` among those of the teacher, which must be the same ones."""
    position = {label: i for i, label in enumerate(teacher_classes(fitted).tolist())}
    ours = np.asarray(classes).tolist()
    missing = [label for label in ours if label not in position]
    expected = set(ours)
    extra = [label for label in position if label not in expected]
    if missing or extra:
        raise ValueError(
            f"the classes of the teacher {teacher_name(fitted)} are not those of the student: "
            + _missing_and_extra(missing, extra)
            + f". Expected {shown(ours)}, in any order. Fit the teacher on all these classes and "
            "no others, or compute the logits of these classes yourself and pass teacher_logits"
        )
    return [position[label] for label in ours]


def _missing_and_extra(missing, extra):
    parts = [f"missing {shown(missing)}"] if missing else []
    return " and ".join(parts + ([f"beyond them {shown(extra)}"] if extra else []))


def _resolved(teacher, method):
    """Name of the method to call."""
    there = [name for name in METHODS if hasattr(teacher, name)]
    if method == "auto" and there:
        return there[0]
    if method in there:
        return method
    asked = f"one of {METHODS}" if method == "auto" else method
    remedy = f"ask for {' or '.join(map(repr, there))}, " if there else ""
    raise ValueError(
        f"the teacher {teacher_name(teacher)} does not have {asked}; {remedy}choose another "
        "teacher, or pass teacher_logits"
    )


def _floored(scores, method, prob_floor, where):
    """``log((1 - e) p + e / C)``, computed from log p so that a zero floor loses no digits."""
    if method == "predict_proba":
        if scores.min(initial=0.0) < 0.0:
            raise ValueError(
                f"{where} gave negative numbers for {rows_shown((scores < 0).any(axis=1))}; "
                "probabilities are not negative: use method='decision_function' for scores"
            )
        with np.errstate(divide="ignore"):
            scores = np.log(scores)
    if prob_floor > 0:
        return np.logaddexp(
            scores + math.log1p(-prob_floor), math.log(prob_floor / scores.shape[1])
        )
    if np.isneginf(scores).any():
        raise ValueError(
            f"{where} gave probability 0 for {rows_shown(np.isneginf(scores).any(axis=1))}, and "
            "prob_floor=0 leaves its logarithm infinite; set a prob_floor above 0, such as 1e-6"
        )
    return scores


def _decision_logits(fitted, scores, n_classes, where):
    """Scores as logits: as they are, or one log-odds ``d`` as ``(-d/2, d/2)``."""
    if n_classes == 2 and (scores.ndim == 1 or scores.shape[1:] == (1,)):
        return _halves(np.reshape(scores, (-1,)))
    pairs = n_classes * (n_classes - 1) // 2
    is_pairwise = scores.ndim == 2 and scores.shape[1] == pairs != n_classes
    # Three classes have three pairs: only the teacher's own parameter tells which it is.
    innermost = _innermost(fitted)
    if n_classes > 2 and (
        is_pairwise or getattr(innermost, "decision_function_shape", None) == "ovo"
    ):
        raise ValueError(
            f"{where} gave {pairs} columns, one for each pair of the {n_classes} classes, but one "
            "for each class is needed; set decision_function_shape='ovr' in the teacher, or wrap "
            "it in CalibratedClassifierCV"
        )
    _check_shape(scores, n_classes, where)
    return scores


def _halves(d):
    return np.stack([-0.5 * d, 0.5 * d], axis=1)


def _innermost(teacher):
    """The estimator that answers for a fitted pipeline or search."""
    while True:
        if isinstance(teacher, Pipeline):
            teacher = teacher.steps[-1][1]
        elif isinstance(teacher, BaseSearchCV) and hasattr(teacher, "best_estimator_"):
            teacher = teacher.best_estimator_
        else:
            return teacher


def _check_shape(scores, n_classes, where):
    if scores.ndim != 2 or scores.shape[1] != n_classes:
        raise ValueError(
            f"{where} gave an array of shape {scores.shape}, but {n_classes} columns are needed, "
            "one per class; use a classifier of one output with scikit-learn's conventions, or "
            "pass teacher_logits"
        )


def _check_finite_scores(logits, where):
    bad = ~np.isfinite(logits).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{where} gave NaN or infinity for {rows_shown(bad)}; finite scores are needed: check "
            "the training data of the teacher, or use another method"
        )


def warn_if_not_log_probabilities(teacher, method, loss_name):
    """Warn once if a loss is about to take the softmax of scores that are no log-probabilities.

    Parameters
    ----------
    teacher : estimator
        The fitted teacher.
    method : {"auto"} or one of METHODS
        How its logits were made.
    loss_name : str
        Name of the loss, as in ``get_loss``.

    Warns
    -----
    UserWarning
        If the logits are a ``decision_function`` of a model that has no probabilities.
    """
    if loss_name in SCORE_LOSSES | NO_TEACHER or hasattr(teacher, "predict_proba"):
        return
    if _resolved(teacher, method) != "decision_function":
        return
    warnings.warn(
        f"the loss {loss_name!r} takes the softmax of the teacher's logits, but the "
        f"decision_function of {teacher_name(teacher)} gives scores that are no log-probabilities: "
        "how sure the teacher seems then depends on the arbitrary scale of its scores. Wrap it in "
        "sklearn.calibration.CalibratedClassifierCV, set standardize_logits=True, or use the loss "
        "'mse' or 'binary_kl', which take scores as they are",
        UserWarning,
        stacklevel=3,
    )


def is_foreign(x):
    """Tell whether `x` is an array of another library than NumPy; frames and lists are none."""
    if is_numpy(x):
        return False
    try:
        namespace(x)
    except TypeError:
        return False
    return True


def on_host(x):
    """`x` in NumPy if it is an array of another library; frames, lists and matrices as they are."""
    return to_numpy(x) if is_foreign(x) else x


def teacher_name(teacher):
    """What messages call a teacher."""
    return type(teacher).__name__


def shown(labels):
    """A few labels for a message."""
    more = len(labels) - SHOWN
    return ", ".join(map(repr, labels[:SHOWN])) + (f" and {more} more" if more > 0 else "")


def rows_shown(mask):
    """Rows in which `mask` is true, for a message."""
    rows = np.flatnonzero(mask).tolist()
    return f"{'row' if len(rows) == 1 else 'rows'} {shown(rows)}"
