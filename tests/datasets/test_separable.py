"""Generators of separable data keep what they promise."""

import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skkd.datasets import make_separable, make_worst_case_separable
from skkd.linear_model import separation_margin


@pytest.mark.parametrize("n_samples", [2, 3, 100])
def test_worst_case_rows(n_samples):
    X, y = make_worst_case_separable(n_samples)
    assert X.shape == (n_samples, 2) and X.dtype == np.float64
    assert y.tolist() == [1] + [-1] * (n_samples - 1)
    assert X[0].tolist() == [0.5, -1.0]
    assert (X[1:] == [-0.5, -1.0]).all()
    assert np.linalg.norm(X, axis=1).max() == pytest.approx(np.sqrt(1.25), rel=1e-15)


@pytest.mark.parametrize("n_samples", [2, 5, 400])
@pytest.mark.parametrize("n_features", [1, 2, 30])
@pytest.mark.parametrize("margin", [0.0, 0.1, 1.5, 2.5])
def test_separable_has_its_margin(n_samples, n_features, margin):
    X, y, w = make_separable(n_samples, n_features, margin, random_state=0, coef=True)
    assert X.shape == (n_samples, n_features) and y.shape == (n_samples,)
    assert set(y.tolist()) == {-1, 1}
    assert np.linalg.norm(w) == pytest.approx(1.0, rel=1e-12)
    assert (y * (X @ w)).min() >= margin
    if margin > 0:
        assert separation_margin(X, y)[0] >= margin * (1 - 1e-9)


def test_seed_decides():
    X, y = make_separable(20, 3, random_state=5)
    again, same = make_separable(20, 3, random_state=np.random.RandomState(5))
    other, _ = make_separable(20, 3, random_state=6)
    assert np.array_equal(X, again) and np.array_equal(y, same)
    assert not np.array_equal(X, other)


def test_both_labels_even_in_pairs():
    for seed in range(50):
        assert set(make_separable(2, 3, random_state=seed)[1].tolist()) == {-1, 1}


def test_margin_that_no_row_has():
    with pytest.raises(ValueError, match="margin=9.0 leaves only 0 of.*choose a margin below 3"):
        make_separable(10, 2, margin=9.0, random_state=0)


@pytest.mark.parametrize(
    ("make", "arguments", "name"),
    [
        (make_worst_case_separable, {"n_samples": 1}, "n_samples"),
        (make_separable, {"n_samples": 1, "n_features": 2}, "n_samples"),
        (make_separable, {"n_samples": 9, "n_features": 0}, "n_features"),
        (make_separable, {"n_samples": 9, "n_features": 2, "margin": -0.1}, "margin"),
        (make_separable, {"n_samples": 9, "n_features": 2, "random_state": "x"}, "random_state"),
    ],
)
def test_bad_arguments(make, arguments, name):
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of {make.__name__}"):
        make(**arguments)
