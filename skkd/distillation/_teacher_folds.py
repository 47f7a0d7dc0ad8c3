"""Which rows teach, and which rows each teacher is asked about.

A row teaches if it has a label and a positive weight; all other rows are absent, as far as folds
and classes go. Every row that teaches is asked of the one teacher that did not see it; absent rows
are asked of a teacher of all rows that teach.
"""

from collections.abc import Iterable
from numbers import Integral

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import _safe_indexing

from ._teacher_scores import shown

__all__ = ["check_cv", "plan_folds", "require_classes", "rows_of"]


def check_cv(cv):
    """Refuse what is neither a number of folds, a splitter, splits, "refit" nor "prefit"."""
    is_count = isinstance(cv, Integral) and not isinstance(cv, bool)
    if is_count and cv >= 2:
        return
    if isinstance(cv, str) and cv in ("refit", "prefit"):
        return
    if not (is_count or isinstance(cv, str | bool)) and (
        hasattr(cv, "split") or isinstance(cv, Iterable)
    ):
        return
    raise ValueError(
        "cv must be a number of folds of at least 2, a splitter such as StratifiedKFold, a list of "
        f"(train, test) pairs of row indices, 'refit' or 'prefit', got {cv!r}"
    )


def rows_of(X, rows):
    """Rows of an array, matrix, list or frame; `X` itself if these are all of them in order."""
    n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
    if rows.size == n_samples and np.array_equal(rows, np.arange(n_samples)):
        return X
    return _safe_indexing(X, rows)


def plan_folds(cv, X, labels, codes, classes):
    """Pairs of training and test rows.

    Parameters
    ----------
    cv : int, splitter or iterable of (train, test)
        A splitter sees the rows that teach only; pairs hold indices into all rows.
    X, labels
        All rows and their labels.
    codes : ndarray of shape (n,)
        Classes of the rows, -1 for absent rows.
    classes : ndarray of shape (C,)
        Labels of the classes.

    Returns
    -------
    folds : list of (train, test)
        Indices into all rows; the test parts hold every row that teaches exactly once.
    """
    present = np.flatnonzero(codes >= 0)
    if isinstance(cv, Integral):
        _require_members(cv, codes[present], classes)
        local = StratifiedKFold(int(cv)).split(present[:, None], codes[present])
    elif hasattr(cv, "split"):
        local = _split(cv, rows_of(X, present), rows_of(labels, present))
    else:
        return _given_folds(list(cv), codes, classes)
    folds = [(present[train], present[test]) for train, test in local]
    return _checked(folds, codes, classes, f"the splitter {cv!r}")


def require_classes(codes, classes, where, remedy):
    """Refuse training rows that lack a class."""
    absent = np.flatnonzero(np.bincount(codes, minlength=len(classes)) == 0)
    if absent.size:
        names = shown(np.asarray(classes)[absent].tolist())
        raise ValueError(
            f"{where} have no row with a label and a positive weight of {_classes(absent.size)} "
            f"{names}, so the teacher would not know {'it' if absent.size == 1 else 'them'}. "
            + remedy
        )


def _classes(count):
    return "class" if count == 1 else "the classes"


def _require_members(n_folds, codes, classes):
    counts = np.bincount(codes, minlength=len(classes))
    few = int(np.argmin(counts))
    if counts[few] >= n_folds:
        return
    label, count = np.asarray(classes)[few : few + 1].tolist()[0], int(counts[few])
    smaller = f"cv={count}, " if count >= 2 else ""
    raise ValueError(
        f"class {label!r} has {count} labelled row{'s' if count != 1 else ''} of positive weight, "
        f"fewer than the cv={n_folds} folds. Use {smaller}cv='refit' (logits of the rows the "
        "teacher was fitted on), cv='prefit' with a teacher fitted on other data, or more rows of "
        "that class"
    )


def _split(splitter, X, labels):
    try:
        return list(splitter.split(X, labels))
    except ValueError as error:
        raise ValueError(
            f"the splitter {splitter!r} could not split the {len(labels)} rows that have a label "
            f"and a positive weight: {error}. A splitter that needs more than X and y, such as "
            "groups, can be called beforehand: cv=list(splitter.split(X, y, groups))"
        ) from error


def _given_folds(pairs, codes, classes):
    """Folds of a list of pairs, less their absent rows."""
    folds = []
    for i, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(
                f"cv[{i}] must be a pair (train, test) of arrays of row indices, got "
                f"{type(pair).__name__}"
            )
        train, test = (
            _row_indices(rows, codes.size, f"the {part} rows of cv[{i}]")
            for rows, part in zip(pair, ("training", "test"), strict=True)
        )
        folds.append((train[codes[train] >= 0], test[codes[test] >= 0]))
    folds = [(train, test) for train, test in folds if test.size]
    return _checked(folds, codes, classes, "the list of splits given as cv")


def _row_indices(rows, n_samples, what):
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise ValueError(
            f"{what} must be a 1-D array of integers, got shape {rows.shape} of {rows.dtype}; turn "
            "a mask into indices with np.flatnonzero"
        )
    rows = rows.astype(np.intp)
    if rows.size and (rows.min() < 0 or rows.max() >= n_samples):
        raise ValueError(
            f"{what} must lie in 0..{n_samples - 1}, got {rows.min()} to {rows.max()}; where the "
            "rows are themselves split, as in GridSearchCV, give a splitter and no list"
        )
    return rows


def _checked(folds, codes, classes, source):
    """Folds that ask every row that teaches of exactly one teacher, which has not seen it."""
    asked = np.zeros(codes.size, dtype=np.intp)
    for i, (train, test) in enumerate(folds):
        np.add.at(asked, test, 1)
        shared = np.intersect1d(train, test)
        if shared.size:
            raise ValueError(
                f"fold {i} of {source} tests on rows that it trains on: {shown(shared.tolist())}; "
                "take them out of one of the two, or use cv='refit' for logits of training rows"
            )
        require_classes(
            codes[train],
            classes,
            f"the training rows of fold {i} of {source}",
            "Use stratified folds (an integer cv, or StratifiedKFold), other splits, cv='refit', "
            "or more rows of that class",
        )
    _require_partition(asked, codes >= 0, source)
    return folds


def _require_partition(asked, teaching, source):
    missing = np.flatnonzero(teaching & (asked == 0)).tolist()
    twice = np.flatnonzero(asked > 1).tolist()
    faults = [f"rows {shown(missing)} are in none"] if missing else []
    faults += [f"rows {shown(twice)} are in more than one"] if twice else []
    if faults:
        raise ValueError(
            f"the test parts of {source} must hold every labelled row of positive weight exactly "
            f"once, but {' and '.join(faults)}. Use a splitter whose test sets are a partition, "
            "such as KFold (not ShuffleSplit or a repeated one), or mend the list"
        )
