"""The exact margin against quadratic programs, its certificate, and the bounds made of it."""

import math
from time import process_time

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.datasets import load_digits, load_iris
from sklearn.utils._param_validation import InvalidParameterError

from skkd.datasets import make_separable, make_worst_case_separable
from skkd.linear_model import iteration_bound, separation_margin
from tests.linear_model._data import overlapping, separable


def signed_rows(X, y, fit_intercept=False):
    """Signed rows for two classes, Kesler's for more, written out."""
    if fit_intercept:
        X = np.hstack([X, np.ones((len(X), 1))])
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) == 2:
        return np.where(codes == 1, 1.0, -1.0)[:, None] * X
    rows = []
    for x, right in zip(X, codes, strict=True):
        for other in range(len(classes)):
            if other != right:
                W = np.zeros((len(classes), X.shape[1]))
                W[right], W[other] = x, -x
                rows.append(W.reshape(-1))
    return np.array(rows)


def margin_by_program(M):
    """Smallest norm of a vector with all products at least 1, inverted (SLSQP)."""
    found = minimize(
        lambda w: 0.5 * w @ w,
        np.linalg.lstsq(M, np.ones(len(M)), rcond=None)[0],
        jac=lambda w: w,
        constraints={"type": "ineq", "fun": lambda w: M @ w - 1.0, "jac": lambda w: M},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    assert found.success
    return 1.0 / np.linalg.norm(found.x), found.x / np.linalg.norm(found.x)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix, sparse.csc_array])
def test_agrees_with_a_quadratic_program(seed, n_classes, fit_intercept, layout):
    X, y = separable(n_samples=25, n_features=3, seed=seed, n_classes=n_classes)
    margin, direction = separation_margin(layout(X), y, fit_intercept=fit_intercept)
    M = signed_rows(X, y, fit_intercept)
    expected, expected_direction = margin_by_program(M)
    assert margin == pytest.approx(expected, rel=1e-6)
    assert direction.reshape(-1) == pytest.approx(expected_direction, abs=1e-5)
    assert direction.shape == (
        (X.shape[1] + fit_intercept,) if n_classes == 2 else (n_classes, X.shape[1] + fit_intercept)
    )
    # Its own certificate: of unit norm, and with that margin.
    assert np.linalg.norm(direction) == pytest.approx(1.0, abs=1e-12)
    assert (M @ direction.reshape(-1)).min() == pytest.approx(margin, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_scales_with_the_rows(scale):
    X, y = separable()
    margin, direction = separation_margin(X, y)
    scaled, same = separation_margin(scale * X, y)
    assert scaled == pytest.approx(scale * margin, rel=1e-9)
    assert same == pytest.approx(direction, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_extreme_units(scale):
    """Right, or an error that says what to do; never a silent zero."""
    X, y = separable()
    try:
        margin, _ = separation_margin(scale * X, y)
    except ValueError as error:
        assert "scale" in str(error)
        return
    assert margin / scale == pytest.approx(separation_margin(X, y)[0], rel=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_not_separable(n_classes, fit_intercept):
    X, y = overlapping(n_classes=n_classes)
    assert separation_margin(X, y, fit_intercept=fit_intercept) == (0.0, None)
    X, y = separable(n_classes=n_classes)
    labels = np.unique(y)
    X, y = np.vstack([X, X[:1]]), np.append(y, labels[labels != y[0]][0])
    assert separation_margin(X, y, fit_intercept=fit_intercept) == (0.0, None)


def test_rows_of_zeros_are_not_separable_but_for_the_intercept():
    X, y = separable()
    X = np.vstack([X, np.zeros(4)])
    assert separation_margin(X, np.append(y, 1)) == (0.0, None)
    assert separation_margin(np.zeros((2, 3)), [0, 1]) == (0.0, None)
    assert separation_margin([[0.0], [2.0]], [0, 1]) == (0.0, None)
    assert separation_margin([[0.0], [2.0]], [0, 1], fit_intercept=True)[0] > 0


@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5, 1e-6])
def test_nearly_separable(gap):
    """Two rows at a distance `gap` from the border, whatever the others do."""
    X = np.array([[gap, 1.0], [gap, -1.0], [0.5, 0.3], [-0.7, 0.2]])
    margin, direction = separation_margin(X, [1, 1, 1, 0])
    assert margin == pytest.approx(gap, rel=1e-6)
    assert direction == pytest.approx([1.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("n_samples", [2, 10, 1000])
def test_worst_case_margin(n_samples):
    margin, direction = separation_margin(*make_worst_case_separable(n_samples))
    assert margin == pytest.approx(0.5, rel=1e-12)
    assert direction == pytest.approx([1.0, 0.0], abs=1e-9)


def test_order_repetition_and_labels_are_irrelevant():
    X, y = separable()
    margin, direction = separation_margin(X, y)
    order = np.random.RandomState(0).permutation(len(y))
    again, same = separation_margin(np.tile(X[order], (3, 1)), np.tile(y[order], 3))
    assert again == pytest.approx(margin, rel=1e-9)
    assert same == pytest.approx(direction, abs=1e-8)
    named, same = separation_margin(X, np.where(y > 0, "right", "left"))
    assert named == margin and np.array_equal(same, direction)


def test_more_features_than_rows():
    X = np.random.RandomState(0).standard_normal((20, 200))
    y = np.arange(20) % 2
    margin, direction = separation_margin(X, y)
    products = signed_rows(X, y) @ direction
    assert products.min() == pytest.approx(margin, rel=1e-9)
    assert margin == pytest.approx(margin_by_program(signed_rows(X, y))[0], rel=1e-6)


def test_multiclass_iris_is_not_separable_and_digits_are():
    assert separation_margin(*load_iris(return_X_y=True), fit_intercept=True) == (0.0, None)
    X, y = load_digits(return_X_y=True)
    margin, direction = separation_margin(X[:300], y[:300])
    assert direction.shape == (10, 64)
    Z = X[:300] @ direction.T
    own = Z[np.arange(300), y[:300]]
    Z[np.arange(300), y[:300]] = -np.inf
    assert (own - Z.max(axis=1)).min() == pytest.approx(margin, rel=1e-9)


@pytest.mark.slow
def test_time_on_many_rows():
    X, y = make_separable(2000, 200, margin=0.05, random_state=0)
    begin = process_time()
    margin, _ = separation_margin(X, y)
    assert process_time() - begin < 20.0
    assert margin >= 0.05


def test_bad_arguments():
    X, y = separable()
    with pytest.raises(ValueError, match="at least 2 classes, got only one"):
        separation_margin(X, np.ones(len(y)))
    with pytest.raises(InvalidParameterError, match="'tol' parameter of separation_margin"):
        separation_margin(X, y, tol=1.0)
    with pytest.raises(ValueError, match="Unknown label type"):
        separation_margin(X, X[:, 0])
    with pytest.raises(ValueError, match="NaN"):
        separation_margin(np.full((2, 1), np.nan), [0, 1])


# n = 50, R = 2, mu = 1/2, gamma = 4: R^2/mu^2 = 16 and 2 / (gamma mu^2) = 2.
LOG = math.log(99)


@pytest.mark.parametrize(
    ("method", "n_classes", "multi_class", "bound"),
    [
        ("normalized", 2, "multinomial", 16 + 2 * LOG),
        ("constant", 2, "multinomial", 100 * (16 + 2 * LOG)),
        ("risk_adaptive", 2, "multinomial", 16 + 2 * math.log(50)),
        ("batch_perceptron", 2, "multinomial", 50 * 16),
        ("normalized_batch_perceptron", 2, "multinomial", 16),
        ("perceptron", 2, "multinomial", 16),
        ("normalized", 3, "multinomial", 32 + 2 * math.log(2 * 99)),
        ("normalized", 3, "kesler", 32 + 2 * math.log(199)),
        ("constant", 3, "kesler", 200 * (32 + 2 * math.log(199))),
        ("risk_adaptive", 3, "multinomial", 32 + 2 * math.log(100)),
        ("batch_perceptron", 3, "multinomial", 100 * 32),
        ("normalized_batch_perceptron", 3, "kesler", 32),
        ("perceptron", 3, "kesler", 32),
    ],
)
def test_bounds_are_those_of_the_theorems(method, n_classes, multi_class, bound):
    found = iteration_bound(method, 50, 2.0, 0.5, 4.0, n_classes, multi_class=multi_class)
    assert found == pytest.approx(bound, rel=1e-14)


@pytest.mark.parametrize("multi_class", ["multinomial", "kesler"])
def test_bound_of_infinite_steps(multi_class):
    two = iteration_bound("normalized", 50, 2.0, 0.5, math.inf, multi_class=multi_class)
    more = iteration_bound("normalized", 50, 2.0, 0.5, math.inf, 5, multi_class=multi_class)
    assert (two, more) == (16.0, 32.0)


def test_softmax_bound_at_two_classes_is_the_binary_one():
    """K = 2 softmax has mu_K = sqrt(2) mu and runs at twice the step."""
    margin, step = 0.3, 1.7
    binary = iteration_bound("normalized", 50, 2.0, margin, 2 * step)
    mu_k = math.sqrt(2) * margin
    softmax = 2 * 2.0**2 / mu_k**2 + 2 * math.log(99) / (step * mu_k**2)
    assert binary == pytest.approx(softmax, rel=1e-14)


def test_no_bound_is_made_up():
    with pytest.raises(ValueError, match="no bound is known.*multi_class='kesler'"):
        iteration_bound("constant", 50, 2.0, 0.5, 1.0, n_classes=3)
    for bad in ({"margin": 0.0}, {"radius": -1.0}, {"step_size": 0}, {"n_classes": 1}):
        arguments = {"n_samples": 50, "radius": 2.0, "margin": 0.5, "step_size": 1.0, **bad}
        with pytest.raises(InvalidParameterError, match=f"'{next(iter(bad))}' parameter"):
            iteration_bound("normalized", **arguments)
    with pytest.raises(InvalidParameterError, match="'method' parameter"):
        iteration_bound("newton", 50, 2.0, 0.5, 1.0)
