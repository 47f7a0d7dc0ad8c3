"""Learning curves of naive Bayes and logistic regression on real data, as the reference has them.

The reference draws ``train_test_split(X, y, train_size=m, random_state=seed)`` for the seeds 0 to
4, without strata, scales to [0, 1] by the training part and tests on all other rows. Where a class
is missing among the training rows it has no number.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

from skkd.model_selection import compare_learning_curves, crossing_point
from skkd.naive_bayes import SharedVarianceGaussianNB

FILE = Path(__file__).parent / "data" / "nb" / "nb_vs_lr_real.json"
REFERENCE = json.loads(FILE.read_text())
LOADERS = {"digits": load_digits, "breast_cancer": load_breast_cancer, "wine": load_wine}
ESTIMATORS = {
    "naive Bayes": SharedVarianceGaussianNB(),
    "logistic regression": LogisticRegression(C=1.0, max_iter=1000),
}


def reference_scores(name):
    """Errors of shape (2, sizes, repeats); NaN where a class was missing."""
    rows = [[pair or [np.nan, np.nan] for pair in row] for row in REFERENCE[name].values()]
    return np.array(rows).transpose(2, 0, 1)


def reference_splits(name, y):
    """The splits of the reference; None where a class is missing among the training rows."""
    splits = {}
    for m in map(int, REFERENCE[name]):
        pairs = [
            train_test_split(np.arange(y.size), train_size=m, random_state=s) for s in range(5)
        ]
        complete = [np.unique(y[train]).size == np.unique(y).size for train, _ in pairs]
        splits[m] = [pair if good else None for pair, good in zip(pairs, complete, strict=True)]
    return splits


@pytest.fixture(scope="module", params=sorted(LOADERS))
def replay(request):
    X, y = LOADERS[request.param](return_X_y=True)
    splits = reference_splits(request.param, y)
    curves = compare_learning_curves(ESTIMATORS, X, y, splits=splits, scaler=MinMaxScaler())
    return request.param, curves


def test_the_same_splits_lack_a_class(replay):
    name, curves = replay
    assert_array_equal(np.isnan(curves.test_scores), np.isnan(reference_scores(name)))


def test_naive_bayes_is_exact(replay):
    name, curves = replay
    assert_allclose(curves.test_scores[0], reference_scores(name)[0], rtol=0, atol=1e-12)


def test_logistic_regression_is_near(replay):
    name, curves = replay
    assert_allclose(curves.test_scores[1], reference_scores(name)[1], rtol=0, atol=2e-3)


def test_digits_have_two_regimes(replay):
    name, curves = replay
    found = crossing_point(curves, *curves.names, random_state=0)
    if name == "digits":
        assert 50 < found.crossing < 100
        assert found.leaders == ("logistic regression",)
        assert found.stays_ahead_from == 100
        low, high = found.interval
        assert low < found.crossing < high < 200
    if name == "wine":  # logistic regression is ahead from the start
        assert found.crossing is None
        assert found.stays_ahead_from == 20
