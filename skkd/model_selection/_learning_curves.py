"""Paired learning curves: every estimator learns from the same subsets.

A difference of two learning curves is known far better than the curves themselves if both learners
see the same samples, because what is peculiar to a subset then cancels [1]_. Subsets are drawn
again until every class occurs, and what scales the features is fitted on the subset alone.

References
----------
.. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
   generative classifiers: theory and implications", ICML 2023.
"""

import math
import time
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed

from ._curves import LearningCurves
from ._scores import as_numpy, named_score
from ._splits import SubsetSampler, given_splits, n_test_samples, resolve_train_sizes

__all__ = ["compare_learning_curves"]


@validate_params(
    {
        "estimators": [dict],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "train_sizes": ["array-like", None],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "test_size": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            None,
        ],
        "X_test": ["array-like", "sparse matrix", None],
        "y_test": ["array-like", None],
        "splits": [dict, None],
        "stratify": ["boolean"],
        "nested": ["boolean"],
        "require_all_classes": ["boolean"],
        "max_redraws": [Interval(Integral, 0, None, closed="left")],
        "scaler": [HasMethods(["fit", "transform"]), None],
        "scoring": [StrOptions({"error", "log_loss"}), callable],
        "risk": [callable, None],
        "return_indices": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def compare_learning_curves(
    estimators,
    X,
    y,
    *,
    train_sizes=None,
    n_repeats=5,
    test_size=None,
    X_test=None,
    y_test=None,
    splits=None,
    stratify=False,
    nested=False,
    require_all_classes=True,
    max_redraws=100,
    scaler=None,
    scoring="error",
    risk=None,
    return_indices=False,
    random_state=None,
    n_jobs=None,
):
    r"""Learning curves of several classifiers, paired: all learn from the same subsets.

    For each repeat and each size m, one subset of m samples is drawn; clones of all estimators
    are fitted on it and scored on the same test set. Estimators keep their own ``random_state``.

    Parameters
    ----------
    estimators : dict of str to estimator
        Classifiers by name; they are cloned and stay unfitted.
    X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        Labels.
    train_sizes : array-like of int or float
        Numbers of training samples, or shares in (0, 1] of the samples that can be drawn, rounded
        down. They are sorted, and each is used once. Required unless `splits` is given.
    n_repeats : int >= 1, default=5
        Repeats per size. Ignored where `splits` is given.
    test_size : int >= 1 or float in (0, 1), default=None
        Samples, or share of the samples, that each repeat sets aside anew, by
        :func:`sklearn.model_selection.train_test_split`; subsets are drawn from the others. None
        tests on `X_test`, or, without one, on all samples that are not in the subset.
    X_test : {array-like, sparse matrix, data frame} of shape (n_test, n_features), default=None
        One test set for all repeats; subsets are then drawn from all of X.
    y_test : array-like of shape (n_test,), default=None
        Labels of `X_test`.
    splits : dict of int to sequence, default=None
        The splits themselves, in place of all drawing: ``splits[m][r]`` is the pair of row
        indices (train, test) of repeat r with m training samples, or None for a repeat that is
        left out. With `X_test` or `risk`, `test` is None. The ``splits`` of an earlier result
        compare other estimators on the same subsets.
    stratify : bool, default=False
        Whether test sets and subsets keep the shares of the classes.
    nested : bool, default=False
        Whether the subsets of a repeat contain each other.
    require_all_classes : bool, default=True
        Whether a subset without one of the classes is drawn again.
    max_redraws : int >= 0, default=100
        How often at most.
    scaler : transformer, default=None
        A clone is fitted on each subset alone and then applied to the test set.
    scoring : {"error", "log_loss"} or callable, default="error"
        ``scoring(estimator, X_test, y_test)`` returns a number, the lower the better. The log-loss
        is infinite where the label of a test sample got probability zero.
    risk : callable, default=None
        ``risk(estimator)`` returns the exact risk of a fitted estimator in the population, in
        place of a test set and of `scoring`. With a `scaler`, it is given a fitted
        :class:`~sklearn.pipeline.Pipeline` of the steps "scaler" and "estimator".
    return_indices : bool, default=False
        Whether the result holds the `splits`.
    random_state : int, RandomState instance or None, default=None
        Source of the splits, one seed per repeat; the result is the same for every `n_jobs`.
    n_jobs : int, default=None
        Processes; None is 1 unless in a :obj:`joblib.parallel_backend` context.

    Returns
    -------
    curves : LearningCurves
        Scores and times by estimator, size and repeat.

    Raises
    ------
    ValueError
        If sizes or splits do not fit the data, or no subset with all classes was found.

    See Also
    --------
    crossing_point : Where two of the curves cross.
    samples_to_reach : How many samples a target takes.
    sklearn.model_selection.learning_curve : One estimator, by cross-validation.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
       generative classifiers: theory and implications", ICML 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from skkd.model_selection import compare_learning_curves
    >>> X, y = load_wine(return_X_y=True)
    >>> curves = compare_learning_curves(
    ...     {"naive Bayes": GaussianNB(), "neighbours": KNeighborsClassifier(5)},
    ...     X,
    ...     y,
    ...     train_sizes=[20, 40, 80],
    ...     test_size=0.5,
    ...     scaler=MinMaxScaler(),
    ...     random_state=0,
    ... )
    >>> curves.test_scores.shape
    (2, 3, 5)
    """
    _check_estimators(estimators)
    X, y = indexable(X, y)
    check_classification_targets(y)
    classes, codes = np.unique(as_numpy(y), return_inverse=True)
    own_test = _own_test(test_size, X_test, y_test, risk, splits, classes)
    if splits is None:
        n_test = None if test_size is None else n_test_samples(test_size, codes.size)
        sampler = SubsetSampler(
            codes=codes,
            classes=classes,
            n_test=n_test,
            test_on_rest=n_test is None and not own_test,
            stratify=stratify,
            nested=nested,
            require_all_classes=require_all_classes,
            max_redraws=max_redraws,
        )
        sizes = _sizes(train_sizes, sampler)
        cells, n_redraws = _drawn_splits(sampler, sizes, n_repeats, random_state)
    else:
        _refuse_both(train_sizes=train_sizes, splits=splits)
        sizes, cells = given_splits(
            splits, codes, classes, require_all_classes=require_all_classes, own_test=own_test
        )
        n_redraws = None
    judge, label = (risk, "risk") if risk is not None else named_score(scoring)
    data = _Data(X, y, X_test, y_test, scaler)
    measured = Parallel(n_jobs=n_jobs)(
        delayed(_measure)(estimators, data, cell, judge, risk is not None, f"repeat {r}")
        for row in cells
        for r, cell in enumerate(row)
    )
    shape = (len(cells), len(cells[0]), 3, len(estimators))
    scores, fit_times, score_times = np.reshape(measured, shape).transpose(2, 3, 0, 1)
    return LearningCurves(
        train_sizes=sizes,
        names=tuple(estimators),
        test_scores=scores,
        scoring=label,
        fit_times=fit_times,
        score_times=score_times,
        n_redraws=n_redraws,
        splits=dict(zip(sizes.tolist(), cells, strict=True)) if return_indices else None,
    )


@dataclass(frozen=True, eq=False)
class _Data:
    """All samples, and how those of a split are made ready."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    scaler: Any

    def of_split(self, train, test):
        """Training rows and labels, test rows and labels, and the fitted scaler."""
        X, y, X_test, y_test = self.X, self.y, self.X_test, self.y_test
        if test is not None:
            X_test, y_test = _safe_indexing(X, test), _safe_indexing(y, test)
        X, y = _safe_indexing(X, train), _safe_indexing(y, train)
        if self.scaler is None:
            return X, y, X_test, y_test, None
        scaler = clone(self.scaler).fit(X, y)
        X_test = None if X_test is None else scaler.transform(X_test)
        return scaler.transform(X), y, X_test, y_test, scaler


def _check_estimators(estimators):
    if not estimators:
        raise ValueError("estimators is empty; give at least one, as in {'name': estimator}")
    for name, estimator in estimators.items():
        if not hasattr(estimator, "fit") or isinstance(estimator, type):
            raise TypeError(
                f"estimators[{name!r}] must be an instance with a fit method, got {estimator!r}"
            )


def _own_test(test_size, X_test, y_test, risk, splits, classes):
    """Tell whether scores need no rows of X, having checked what was given for them."""
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test belong together; one of them is missing")
    _refuse_both(test_size=test_size, X_test=X_test)
    _refuse_both(test_size=test_size, risk=risk)
    _refuse_both(X_test=X_test, risk=risk)
    _refuse_both(test_size=test_size, splits=splits)
    if y_test is not None:
        indexable(X_test, y_test)
        unknown = np.setdiff1d(as_numpy(y_test), classes)
        if unknown.size:
            raise ValueError(
                f"y_test holds classes that y lacks, such as {unknown[0]!s}; no estimator can "
                "predict them: leave such rows out"
            )
    return X_test is not None or risk is not None


def _refuse_both(**arguments):
    if all(value is not None for value in arguments.values()):
        one, other = arguments
        raise ValueError(f"{one} and {other} exclude each other; give one of them")


def _sizes(train_sizes, sampler):
    if train_sizes is None:
        raise ValueError("give train_sizes, the numbers of training samples, or splits")
    n_samples = sampler.codes.size
    available, reason = n_samples, "rows of X"
    if sampler.n_test is not None:
        available, reason = n_samples - sampler.n_test, f"{n_samples} less {sampler.n_test} to test"
    elif sampler.test_on_rest:
        available, reason = n_samples - 1, f"{n_samples} less 1, because the rest is tested on"
    least = sampler.classes.size if sampler.require_all_classes else 1
    return resolve_train_sizes(train_sizes, available=available, least=least, reason=reason)


def _drawn_splits(sampler, sizes, n_repeats, random_state):
    """Splits by size and repeat, and how often each was drawn again."""
    rng = check_random_state(random_state)
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_repeats)
    repeats = [sampler.draw(sizes.tolist(), seed) for seed in seeds]
    by_size = [list(row) for row in zip(*(splits for splits, _ in repeats), strict=True)]
    return by_size, np.array([counts for _, counts in repeats]).T


def _measure(estimators, data, cell, judge, is_risk, where):
    """Scores, seconds to fit and seconds to score of all estimators on one split."""
    if cell is None:
        return np.full((3, len(estimators)), np.nan)
    X, y, X_test, y_test, scaler = data.of_split(*cell)
    found = np.empty((3, len(estimators)))
    for column, (name, estimator) in enumerate(estimators.items()):
        try:
            start = time.perf_counter()
            fitted = clone(estimator).fit(X, y)
            middle = time.perf_counter()
            score = judge(_whole(scaler, fitted)) if is_risk else judge(fitted, X_test, y_test)
            end = time.perf_counter()
            found[:, column] = _number(score), middle - start, end - middle
        except Exception as error:
            error.add_note(f"(estimator {name!r}, {len(cell[0])} training samples, {where})")
            raise
    return found


def _whole(scaler, estimator):
    if scaler is None:
        return estimator
    return Pipeline([("scaler", scaler), ("estimator", estimator)])


def _number(score):
    score = float(score)
    if math.isnan(score):
        raise ValueError("the score is NaN; a score must be a number, the lower the better")
    return score
