"""Learning curves on splits that are given, and the record that comes out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB

from skkd.model_selection import LearningCurves, compare_learning_curves

from ._recorder import IRIS, PAIR, SPECIES, compare

# Splits that are given


def test_splits_of_an_earlier_result():
    first = compare(test_size=0.3, return_indices=True)
    second = compare({"lr": LogisticRegression(max_iter=500), **PAIR}, splits=first.splits)
    assert_array_equal(second.test_scores[1:], first.test_scores)
    assert_array_equal(second.train_sizes, first.train_sizes)
    assert second.n_redraws is None


def test_splits_of_train_test_split():
    """Designs of other programs can be replayed, those with repeats left out too."""
    rows = np.arange(150)
    splits = {
        m: [train_test_split(rows, train_size=m, random_state=s) for s in range(3)]
        for m in (40, 20)
    }
    splits[20][1] = None
    curves = compare(splits=splits)
    assert curves.train_sizes.tolist() == [20, 40]
    assert curves.test_scores.shape == (2, 2, 3)
    assert np.isnan(curves.test_scores[:, 0, 1]).all() and np.isnan(curves.test_scores).sum() == 2
    assert_allclose(curves.mean_scores[:, 0], curves.test_scores[:, 0, [0, 2]].mean(axis=1))
    X, X_test, y, y_test = train_test_split(IRIS, SPECIES, train_size=40, random_state=2)
    expected = 1 - GaussianNB().fit(X, y).score(X_test, y_test)
    found = compare({"nb": GaussianNB()}, splits=splits).test_scores[0, 1, 2]
    assert found == pytest.approx(expected, abs=1e-12)


def test_splits_without_test_rows():
    rows = np.arange(0, 150, 5)
    options = {"splits": {30: [(rows, None)]}, "return_indices": True}
    curves = compare(X_test=IRIS, y_test=SPECIES, **options)
    assert curves.test_scores.shape == (2, 1, 1)
    assert curves.splits[30][0][1] is None
    assert compare(risk=lambda one: 0.5, **options).test_scores.tolist() == [[[0.5]], [[0.5]]]


GOOD = (np.arange(0, 150, 5), np.arange(1, 150, 5))


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, "must be a dict that maps"),
        ({0.2: [GOOD]}, "keys of splits are numbers of samples"),
        ({29: [GOOD]}, r"splits\[29\]\[0\] has 30 training rows, but its key says 29"),
        ({30: [GOOD, GOOD], 3: [GOOD]}, r"as many repeats for each size, at least 1; got \[1, 2\]"),
        ({30: []}, r"at least 1; got \[0\]"),
        ({30: [None]}, r"splits\[30\] leaves out every repeat"),
        ({30: [(GOOD[0], GOOD[0])]}, r"tests on rows that it trains on: \[0, 5, 10, 15, 20\]"),
        ({30: [(GOOD[0], None)]}, "names no test rows"),
        ({30: [(GOOD[0] + 100, GOOD[1])]}, r"must lie in 0..149, got 100 to 245"),
        ({30: [(GOOD[0] - 1, GOOD[1])]}, r"must lie in 0..149, got -1 to 144"),
        ({30: [(GOOD[0], SPECIES == 1)]}, "non-empty 1-D array of integers.*np.flatnonzero"),
        ({30: [(np.arange(30), np.arange(100, 140))]}, r"\[30\]\[0\] lack class 1; put None there"),
    ],
)
def test_bad_splits(splits, message):
    with pytest.raises(ValueError, match=message):
        compare(splits=splits)


def test_splits_exclude_other_designs():
    splits = {30: [GOOD]}
    with pytest.raises(ValueError, match="train_sizes and splits exclude each other"):
        compare_learning_curves(PAIR, IRIS, SPECIES, splits=splits, train_sizes=[30])
    with pytest.raises(ValueError, match="test_size and splits exclude each other"):
        compare(splits=splits, test_size=3)
    with pytest.raises(ValueError, match="names test rows, but X_test or risk"):
        compare(splits=splits, risk=len)


# The record


def test_record():
    curves = compare()
    assert isinstance(curves, LearningCurves)
    assert curves.names == ("nb", "knn") and curves.n_repeats == 5
    assert curves.splits is None
    assert_array_equal(curves.scores_of("knn"), curves.test_scores[1])
    with pytest.raises(
        ValueError, match=r"no estimator is named 'svm'; the names are \['nb', 'knn'"
    ):
        curves.scores_of("svm")


def test_frame():
    curves = compare()
    frame = curves.to_frame()
    assert list(frame.columns) == [
        "estimator", "train_size", "repeat", "score", "fit_time", "score_time",
    ]  # fmt: skip
    row = frame[(frame.estimator == "knn") & (frame.train_size == 30) & (frame.repeat == 3)]
    assert row.score.item() == curves.test_scores[1, 1, 3]
    assert len(frame) == 20
    made = LearningCurves([1], ("a",), [[[0.5]]]).to_frame()
    assert list(made.columns) == ["estimator", "train_size", "repeat", "score"]


@pytest.mark.parametrize(
    ("sizes", "scores", "message"),
    [
        ([1, 2], [[0.1, 0.2]], r"shape \(1, 2\)"),
        ([1, 2], [[[0.1]]], r"must be \(1, 2\) plus one axis of repeats"),
        ([2, 1], [[[0.1], [0.2]]], "must be positive and increase"),
        ([0, 1], [[[0.1], [0.2]]], "must be positive and increase"),
    ],
)
def test_bad_records(sizes, scores, message):
    with pytest.raises(ValueError, match=message):
        LearningCurves(sizes, ("a",), scores)


def test_display_is_found_here_too():
    from skkd import model_selection, plotting

    assert model_selection.LearningCurveComparisonDisplay is plotting.LearningCurveComparisonDisplay
    assert "LearningCurveComparisonDisplay" in dir(model_selection)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = model_selection.nothing
