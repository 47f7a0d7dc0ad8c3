"""Problems that single precision cannot solve, and sparse rows without a unique solution."""

import numpy as np
import pytest
from scipy import sparse

from skkd.solvers import LinearProblem, coefficient_gap, linear_descent, null_value, run


def nearly_separable(seed, n, p, n_classes):
    rng = np.random.RandomState(seed)
    X = sparse.random(n, p, 0.3, "csc", random_state=rng)
    X.data += 0.5
    z = X @ rng.standard_normal(p)
    y = (z > np.median(z)).astype(int)
    return X, y if n_classes == 2 else y + (rng.random_sample(n) > 0.6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("shape", [(40, 15), (15, 40), (30, 300)])
@pytest.mark.parametrize("l2", [1e-8, 1e-6])
@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_weak_penalties_on_nearly_separable_data(layout, l2, shape, n_classes, fit_intercept):
    X, y = nearly_separable(3, *shape, n_classes)
    problem = LinearProblem(
        X if layout == "sparse" else X.toarray(),
        y,
        "log",
        n_outputs=1 if n_classes == 2 else 3,
        fit_intercept=fit_intercept,
        l2=l2,
    )
    tol = 1e-10 * null_value(problem)
    result = run(linear_descent(problem, tol=tol), max_iter=100, tol=tol, criterion=coefficient_gap)
    assert result.iterate.gap <= tol


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", [(40, 15), (15, 40), (30, 300)])
def test_sparse_least_squares_of_least_norm(shape, weighted, fit_intercept):
    rng = np.random.RandomState(0)
    X = sparse.random(*shape, 0.3, "csc", random_state=rng)
    y = X @ rng.standard_normal(shape[1]) + rng.standard_normal(shape[0]) + 3.0
    weights = rng.randint(0, 3, shape[0]) + 0.0 if weighted else np.ones(shape[0])
    weights /= weights.sum()
    problem = LinearProblem(X, y, weights=weights, fit_intercept=fit_intercept)
    result = run(
        linear_descent(problem, tol=1e-14), max_iter=5, tol=1e-14, criterion=coefficient_gap
    )
    rows, root = X.toarray(), np.sqrt(weights)
    if fit_intercept:
        rows = rows - weights @ rows
        y = y - weights @ y
    expected = np.linalg.pinv(rows * root[:, None]) @ (root * y)
    assert result.params[:-1, 0] == pytest.approx(expected, rel=1e-6, abs=1e-7)
