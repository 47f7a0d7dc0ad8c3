"""Logits of a teacher, for the rows it was fitted on too: cross-fitting.

A teacher has often learnt its training rows by heart, and its answers there say little about rows
it has not seen. So the rows are split into folds, and the logits of a row are those of a teacher
fitted on the other folds; a row without label is asked of a teacher fitted on all labelled rows.
"""

from dataclasses import dataclass
from inspect import Parameter, signature
from numbers import Real
from typing import Any

import numpy as np
from sklearn import get_config  # type: ignore[attr-defined]
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params, _check_sample_weight, _num_samples

from .._backend import input_namespace, move_to
from .._validation import class_codes
from ._given_logits import check_teacher_logits
from ._teacher_folds import check_cv, plan_folds, require_classes, rows_of
from ._teacher_scores import (
    check_method,
    is_foreign,
    on_host,
    response_logits,
    shown,
    teacher_classes,
    teacher_name,
    warn_if_not_log_probabilities,
)

__all__ = [
    "check_teacher_logits",
    "fit_teacher",
    "teacher_logits",
    "warn_if_not_log_probabilities",
]


def teacher_logits(
    teacher,
    X,
    y=None,
    *,
    method="auto",
    cv=5,
    prob_floor=1e-6,
    sample_weight=None,
    classes=None,
    params=None,
    n_jobs=None,
):
    """Logits of a teacher for training rows, from teachers that have not seen them.

    Probabilities p over C classes become ``log((1 - e) p + e / C)`` with ``e = prob_floor``, which
    is finite where a teacher is certain. Nothing else is done to what the teacher says.

    Parameters
    ----------
    teacher : classifier
        Cloned before it is fitted, unless ``cv="prefit"``. With a ``random_state`` of its own its
        answers are the same in every call and for every `n_jobs`.
    X : array, sparse matrix, list or DataFrame of shape (n, p)
        Rows, handed to the teacher in the form they have. Arrays of a GPU library go to NumPy first
        if the teacher does not support them.
    y : array of shape (n,), default=None
        Labels. Not needed, and not read, with ``cv="prefit"``.
    method : {"auto", "predict_log_proba", "predict_proba", "decision_function"}, default="auto"
        What the teacher is asked for; "auto" takes the first of the three that it has. Scores of a
        ``decision_function`` are logits as they are; one column d for two classes becomes
        (-d/2, d/2).
    cv : int, splitter, list of (train, test), "refit" or "prefit", default=5
        An integer means that many stratified folds, not shuffled, so that the folds depend on the
        order of the rows; a splitter splits the rows of positive weight; the test parts of a list
        must hold each of these exactly once. "refit" asks one teacher about the rows that it was
        fitted on: cheap, and too sure of itself. "prefit" uses the teacher as it is; whether it has
        seen the rows is then yours to know.
    prob_floor : float in [0, 1), default=1e-6
        Weight of the uniform distribution mixed into probabilities. It matters for losses that
        compare logits: 1e-3 and 1e-12 are 20 apart.
    sample_weight : array of shape (n,), default=None
        Weights, which reach the teacher as they are. Rows of zero weight teach nothing, and get
        the logits of a teacher fitted on all others. Not read with "prefit".
    classes : array of shape (C,), default=None
        Order of the columns; by default the sorted labels, with "prefit" that of the teacher.
    params : dict, default=None
        More arguments of the teacher's ``fit``; those with one entry per row are split like X.
        Not read with "prefit".
    n_jobs : int, default=None
        Number of folds fitted at the same time, as in scikit-learn.

    Returns
    -------
    logits : array of shape (n, C)
        In the floating point type of X, and in its library and on its device with scikit-learn's
        ``array_api_dispatch``; float64 if X is no floating point array.

    Raises
    ------
    ValueError
        If a class is missing in a fold or in the teacher, the splits leave rows out, the teacher
        cannot take weights or has no such method, or its answers are not finite.

    See Also
    --------
    sklearn.model_selection.cross_val_predict : Out-of-fold answers as they come.
    sklearn.calibration.CalibratedClassifierCV : Probabilities for a teacher that has only scores.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skkd.distillation import teacher_logits
    >>> X, y = load_iris(return_X_y=True)
    >>> logits = teacher_logits(GaussianNB(), X, y)
    >>> logits.shape
    (150, 3)
    >>> float((logits.argmax(axis=1) == y).mean())
    0.953...
    """
    logits, _ = fit_teacher(
        teacher,
        X,
        y,
        method=method,
        cv=cv,
        prob_floor=prob_floor,
        sample_weight=sample_weight,
        classes=classes,
        params=params,
        n_jobs=n_jobs,
        keep_teacher=False,
    )
    return _like(logits, X)


def fit_teacher(
    teacher,
    X,
    y=None,
    *,
    method="auto",
    cv=5,
    prob_floor=1e-6,
    sample_weight=None,
    classes=None,
    unlabeled=None,
    params=None,
    n_jobs=None,
    keep_teacher=True,
):
    """Logits of a teacher as in :func:`teacher_logits`, and the teacher fitted on all that teaches.

    Parameters
    ----------
    teacher, X, y, method, cv, prob_floor, sample_weight, classes, params, n_jobs
        As in :func:`teacher_logits`.
    unlabeled : bool array of shape (n,), default=None
        Rows whose entry in y means that there is no label. They teach nothing, and get the logits
        of the teacher fitted on all rows that do, as do rows of zero weight.
    keep_teacher : bool, default=True
        Whether to fit a teacher on all rows when no row needs it.

    Returns
    -------
    logits : ndarray of shape (n, C) of float64
        On the host.
    fitted : estimator or None
        The teacher fitted on all rows that teach; `teacher` itself with ``cv="prefit"``; None
        without `keep_teacher`.
    """
    check_cv(cv)
    check_method(method)
    if not (isinstance(prob_floor, Real) and 0.0 <= prob_floor < 1.0):
        raise ValueError(f"prob_floor must be a number from 0 to below 1, got {prob_floor!r}")
    options = {"method": method, "prob_floor": float(prob_floor)}
    if isinstance(cv, str) and cv == "prefit":
        known = _prefit_classes(teacher)
        classes = known if classes is None else _on_host_1d(classes)
        logits = response_logits(teacher, _for_teacher(teacher, X), classes, **options)
        return logits, teacher if keep_teacher else None
    data = _lessons(teacher, X, y, sample_weight, classes, unlabeled, params)
    tasks = _tasks(cv, data, keep_teacher)
    # Clones are made here, all of the same state: no fold sees what another one drew.
    results = Parallel(n_jobs=n_jobs)(
        delayed(_taught)(
            clone(teacher), data, train, asked, options, keep_teacher and i == len(tasks) - 1
        )
        for i, (train, asked) in enumerate(tasks)
    )
    logits = np.empty((data.codes.size, len(data.classes)))
    for (_, asked), (answers, _) in zip(tasks, results, strict=True):
        if asked.size:
            logits[asked] = answers
    return logits, results[-1][1]


@dataclass(frozen=True)
class _Lessons:
    """What teachers are taught, all rows of it.

    Attributes
    ----------
    X, y
        As the teacher takes them.
    labels : ndarray of shape (n,)
        Labels on the host.
    codes : ndarray of shape (n,)
        Positions of the labels in `classes`; -1 for rows that do not teach.
    present : ndarray
        Rows that teach.
    classes : ndarray of shape (C,)
        Order of the columns.
    params : dict
        Arguments of ``fit``; those with one entry per row are split.
    """

    X: Any
    y: Any
    labels: Any
    codes: Any
    present: Any
    classes: Any
    params: Any


def _lessons(teacher, X, y, sample_weight, classes, unlabeled, params):
    """Everything the teachers need, checked."""
    if y is None:
        raise ValueError(
            "y is None, but the teacher is to be fitted; give the labels, or use cv='prefit' with "
            "a fitted teacher"
        )
    if not hasattr(teacher, "fit"):
        raise ValueError(
            f"the teacher must be a classifier with a method fit, got {teacher!r}; give an "
            "estimator, or pass teacher_logits"
        )
    (X,) = indexable(_for_teacher(teacher, X))
    labels = _on_host_1d(y)
    if labels.shape != (_num_samples(X),):
        raise ValueError(
            f"y must have one label for each of the {_num_samples(X)} rows of X, got an array of "
            f"shape {labels.shape}"
        )
    weight = None if sample_weight is None else _raw_weight(sample_weight, labels.size)
    teaches = _teaching_rows(labels.size, unlabeled, weight)
    classes, codes = _codes(labels, teaches, classes)
    y_taught = y if _on_device(X) and _on_device(y) else labels
    params = _with_weight(teacher, dict(params or {}), weight, teaches, X)
    return _Lessons(X, y_taught, labels, codes, np.flatnonzero(teaches), classes, params)


def _tasks(cv, data, keep_teacher):
    """Rows to teach and rows to ask about, for one teacher after the other; all rows come last."""
    if isinstance(cv, str):
        return [(data.present, np.arange(data.codes.size))]
    tasks = plan_folds(cv, data.X, data.labels, data.codes, data.classes)
    absent = np.flatnonzero(data.codes < 0)
    return [*tasks, (data.present, absent)] if keep_teacher or absent.size else tasks


def _taught(teacher, data, train, asked, options, keep):
    """Fit a teacher on some rows and ask it about others."""
    params = _check_method_params(data.X, data.params, indices=train)
    teacher.fit(rows_of(data.X, train), rows_of(data.y, train), **params)
    logits = None
    if asked.size:
        logits = response_logits(teacher, rows_of(data.X, asked), data.classes, **options)
    return logits, teacher if keep else None


def _on_device(x):
    """Whether scikit-learn is to compute with arrays of another library than NumPy as they are."""
    return get_config()["array_api_dispatch"] and is_foreign(x)


def _for_teacher(teacher, X):
    """`X` as it is, or in NumPy if it is an array that the teacher cannot work with."""
    keeps = _on_device(X) and get_tags(teacher).array_api_support
    return X if keeps else on_host(X)


def _like(logits, X):
    """`logits` in the dtype of `X`, and where that is."""
    name = str(getattr(X, "dtype", "")).rpartition(".")[2]
    logits = logits.astype(np.float32, copy=False) if name == "float32" else logits
    if not _on_device(X):
        return logits
    xp, _, device = input_namespace(X)
    return move_to(logits, xp=xp, device=device)


def _on_host_1d(values):
    values = np.asarray(on_host(values))
    return column_or_1d(values) if values.ndim == 2 else values


def _prefit_classes(teacher):
    if not hasattr(teacher, "classes_"):  # most often for want of a fit
        raise NotFittedError(
            f"cv='prefit' uses the teacher as it is, but {teacher_name(teacher)} has no classes_: "
            "it is not fitted, or is no classifier. Fit it first, let it be fitted here by cv=5 or "
            "cv='refit', or pass teacher_logits"
        )
    return teacher_classes(teacher)


def _teaching_rows(n_samples, unlabeled, weight):
    """Mask of the rows with a label and a positive weight."""
    teaches = np.ones(n_samples, dtype=bool) if weight is None else weight > 0
    if unlabeled is not None:
        unlabeled = np.asarray(on_host(unlabeled))
        if unlabeled.shape != (n_samples,) or unlabeled.dtype != bool:
            raise ValueError(
                f"unlabeled must be a mask of {n_samples} booleans, one per row, got shape "
                f"{unlabeled.shape} of {unlabeled.dtype}"
            )
        teaches = teaches & ~unlabeled
    if not teaches.any():
        raise ValueError(
            "no row has a label and a positive weight, so there is nothing to fit a teacher on; "
            "label some rows, or use cv='prefit' with a teacher fitted elsewhere"
        )
    return teaches


def _codes(labels, teaches, classes):
    """Order of the classes, and the position of every label in it; -1 for rows that teach not."""
    codes = np.full(labels.size, -1, dtype=np.int64)
    found, inverse = class_codes(labels[teaches])
    if classes is None:
        codes[teaches] = inverse
        return found, codes
    classes = _on_host_1d(classes)
    position = {label: i for i, label in enumerate(classes.tolist())}
    unknown = [label for label in found.tolist() if label not in position]
    if unknown or len(position) != len(classes):
        raise ValueError(
            f"classes must name every label of y once, but they are {shown(classes.tolist())} and "
            f"the labels {shown(found.tolist())}; add what is missing, or leave classes out"
        )
    codes[teaches] = np.array([position[label] for label in found.tolist()])[inverse]
    remedy = "Leave it out of classes, give such rows, or use cv='prefit' with a teacher that does"
    require_classes(codes[teaches], classes, "X and y", remedy)
    return classes, codes


def _raw_weight(sample_weight, n_samples):
    """Weights as the user gave them, in float64 on the host."""
    rows = np.empty((n_samples, 1))
    return _check_sample_weight(
        on_host(sample_weight), rows, dtype=np.float64, ensure_non_negative=True
    )


def _with_weight(teacher, params, weight, teaches, X):
    """Arguments of ``fit`` with the weights among them, under the name that the teacher knows."""
    if weight is None:
        return params
    name = _weight_argument(teacher)
    if name is None:
        if np.all(weight[teaches] == 1.0):  # these say no more than which rows are there
            return params
        raise ValueError(_cannot_take_weights(teacher))
    if name in params:
        raise ValueError(
            f"the weights of the teacher are given twice, as sample_weight and in params as "
            f"{name!r}; leave one of them out"
        )
    if _on_device(X):
        xp, _, device = input_namespace(X)
        weight = move_to(weight, xp=xp, device=device)
    return {**params, name: weight}


def _weight_argument(teacher):
    """Name under which ``teacher.fit`` takes weights; None if it does not."""
    if get_config()["enable_metadata_routing"]:
        routing = get_routing_for_object(teacher)
        if isinstance(routing, MetadataRouter):
            return "sample_weight" if routing.consumes("fit", ["sample_weight"]) else None
    if isinstance(teacher, Pipeline):
        step, last = teacher.steps[-1]
        inner = _weight_argument(last)
        return None if inner is None else f"{step}__{inner}"
    if isinstance(teacher, BaseSearchCV):
        return _weight_argument(teacher.estimator)
    accepted = signature(teacher.fit).parameters if hasattr(teacher, "fit") else {}
    open_ended = any(p.kind is Parameter.VAR_KEYWORD for p in accepted.values())
    return "sample_weight" if "sample_weight" in accepted or open_ended else None


def _cannot_take_weights(teacher):
    routed = get_config()["enable_metadata_routing"] and isinstance(
        get_routing_for_object(teacher), MetadataRouter
    )
    first = (
        "call set_fit_request(sample_weight=True) on the step that is to receive them"
        if routed
        else "use a teacher whose fit takes sample_weight"
    )
    return (
        f"sample_weight is given, but the teacher {teacher_name(teacher)} cannot take it; {first}, "
        "fit the teacher yourself and use cv='prefit', pass teacher_logits, or leave sample_weight "
        "out"
    )
