"""Iteration counts: Table 1 of Tyurin 2024 (arXiv 2412.08424), and wine for more classes."""

import math

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale

from skkd.datasets import make_worst_case_separable
from skkd.linear_model import (
    BatchPerceptron,
    LogisticRegressionGD,
    iteration_bound,
    separation_margin,
)


# The paper's row of Table 1 (n = 1000): the normalised method and gradient descent at step 100.
# The other counts of gradient descent were made with 60 digits.
@pytest.mark.parametrize(
    ("step", "step_size", "count"),
    [
        ("normalized", 100.0, 2),
        ("normalized", 10.0, 2),
        ("normalized", 1.0, 16),
        ("normalized", 0.1, 157),
        ("normalized", math.inf, 2),
        ("constant", 10.0, 729),
        ("constant", 100.0, 308),
        ("constant", 1e4, 301),
        ("constant", math.inf, 301),
    ],
)
def test_worst_case_counts(step, step_size, count):
    X, y = make_worst_case_separable(1000)
    model = LogisticRegressionGD(step, step_size, fit_intercept=False).fit(X, y)
    assert (model.n_iter_, model.n_iter_to_separate_) == (count, count)
    assert model.score(X, y) == 1.0


@pytest.mark.parametrize(
    ("n_samples", "normalized", "count"),
    [(1000, False, 301), (1000, True, 2), (100, False, 31)],
)
def test_worst_case_counts_of_perceptrons(n_samples, normalized, count):
    X, y = make_worst_case_separable(n_samples)
    assert BatchPerceptron(normalized, fit_intercept=False).fit(X, y).n_iter_ == count


@pytest.mark.parametrize(
    ("step_size", "count", "bound"),
    [(0.1, 33, 1117), (1.0, 10, 487), (10.0, 8, 423), (100.0, 12, 417)],
)
def test_wine_counts_and_bounds(step_size, count, bound):
    """Softmax on standardised wine; margin and radius are those of the rows with a one added."""
    X, y = load_wine(return_X_y=True)
    X = scale(X)
    model = LogisticRegressionGD(step_size=step_size).fit(X, y)
    assert model.n_iter_to_separate_ == count
    margin, direction = separation_margin(X, y, fit_intercept=True)
    assert direction.shape == (3, 14)
    radius = np.sqrt((X**2).sum(axis=1).max() + 1.0)
    found = iteration_bound("normalized", len(y), radius, margin, step_size, n_classes=3)
    assert round(found) == bound
