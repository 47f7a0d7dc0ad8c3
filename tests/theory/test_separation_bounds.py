"""Each method separates within the number of updates that its theorem allows.

Theorem numbers are those of Tyurin 2024 (arXiv 2412.08424); all start from zero.
"""

import math

import numpy as np
import pytest
from sklearn.linear_model import Perceptron

from skkd.datasets import make_worst_case_separable
from skkd.linear_model import (
    BatchPerceptron,
    LogisticRegressionGD,
    iteration_bound,
    separation_margin,
)
from skkd.losses import ExponentialLoss
from skkd.solvers import Normalized
from tests.theory._sets import MANY_CLASSES, SETS, STEPS, iterates, signed


def bound_on(name, method, step_size=math.inf):
    M, radius, margin, _ = signed(name)
    return iteration_bound(method, len(M), radius, margin, step_size)


def updates(model, name, bound):
    """Updates that a model needed; it may not make more than the bound allows."""
    model.set_params(max_iter=max(1, math.floor(bound)), fit_intercept=False)
    model.fit(*SETS[name])
    assert model.separated_
    return model.n_iter_


@pytest.mark.parametrize("name", SETS)
def test_theorem_33_batch_perceptron(name):
    bound = bound_on(name, "batch_perceptron")
    assert 1 <= updates(BatchPerceptron(normalized=False), name, bound) <= bound


@pytest.mark.parametrize("n_samples", [20, 50, 100, 333, 1000, 2000])
@pytest.mark.parametrize("method", ["batch perceptron", "gradient descent"])
def test_theorem_51_batch_perceptron_needs_of_the_order_of_n_updates(n_samples, method):
    """Separated once the lone row was added k > 0.3 n + 0.2 times; margin and radius are fixed."""
    X, y = make_worst_case_separable(n_samples)
    if method == "batch perceptron":
        model = BatchPerceptron(normalized=False, fit_intercept=False)
    else:
        model = LogisticRegressionGD("constant", 1e6, fit_intercept=False)
    count = model.fit(X, y).n_iter_
    needed = 0.3 * n_samples + 0.2
    assert needed < count <= needed + 2
    assert BatchPerceptron(fit_intercept=False).fit(X, y).n_iter_ == 2


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("shuffle", [False, True])
def test_theorem_52_online_perceptron(name, shuffle):
    """scikit-learn's does not count its updates, but its coefficients tell their bounds."""
    X, y = SETS[name]
    M, radius, margin, direction = signed(name)
    peer = Perceptron(
        shuffle=shuffle, fit_intercept=False, max_iter=20_000, tol=None, random_state=0
    )
    theta = peer.fit(X, y).coef_[0]
    assert (M @ theta > 0).all()
    # k updates: k mu <= <theta, theta*> and ||theta||^2 <= k R^2, whence k <= R^2 / mu^2.
    most = theta @ direction / margin
    assert np.linalg.norm(theta) <= math.sqrt(most) * radius * (1 + 1e-9)
    assert theta @ theta / radius**2 <= bound_on(name, "perceptron") * (1 + 1e-9)


@pytest.mark.parametrize("name", SETS)
def test_theorem_53_normalized_batch_perceptron(name):
    bound = bound_on(name, "normalized_batch_perceptron")
    assert 1 <= updates(BatchPerceptron(normalized=True), name, bound) <= bound


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("step_size", STEPS)
def test_theorem_61_normalized_steps(name, step_size):
    bound = bound_on(name, "normalized", step_size)
    model = LogisticRegressionGD("normalized", step_size)
    assert 1 <= updates(model, name, bound) <= bound


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("step_size", STEPS[1:])
def test_plain_gradient_descent_of_any_step(name, step_size):
    bound = bound_on(name, "constant", step_size)
    model = LogisticRegressionGD("constant", step_size)
    assert 1 <= updates(model, name, min(bound, 5000)) <= bound


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("step_size", STEPS)
def test_progress_along_the_best_direction(name, step_size):
    """The inequalities that the proof of Theorem 6.1 combines, at every update before the end."""
    M, radius, margin, direction = signed(name)
    path = iterates(M, 40, Normalized(step_size))
    slack = 2 * step_size * math.log(2 * len(M) - 1)
    for t, theta in enumerate(path):
        assert theta @ direction >= step_size * margin * t * (1 - 1e-9)
        assert theta @ theta <= t * (step_size**2 * radius**2 + slack) * (1 + 1e-9)
        if (M @ theta > 0).all():
            break


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("step_size", STEPS[1:])
def test_average_of_exponential_risk_descent_separates(name, step_size):
    M, radius, margin, _ = signed(name)
    bound = iteration_bound("risk_adaptive", len(M), radius, margin, step_size)
    count = min(math.floor(bound) + 1, 10_000)
    path = iterates(M, count, Normalized(step_size), ExponentialLoss())
    averages = np.cumsum(path, axis=0) / np.arange(1, count + 1)[:, None]
    first = int(np.argmax((averages @ M.T > 0).all(axis=1)))
    assert (M @ averages[first] > 0).all()
    assert first + 1 <= bound + 1


@pytest.mark.parametrize("name", ["wide margin", "iris setosa", "worst case 10"])
@pytest.mark.parametrize("step_size", [1.0, 100.0])
def test_average_kept_by_the_estimator_separates_within_the_bound(name, step_size):
    M, radius, margin, _ = signed(name)
    bound = iteration_bound("risk_adaptive", len(M), radius, margin, step_size)
    model = LogisticRegressionGD("risk_adaptive", step_size, keep="average")
    assert updates(model, name, bound + 1) <= bound + 1


@pytest.mark.parametrize("name", MANY_CLASSES)
@pytest.mark.parametrize("step_size", [1.0, 10.0, 100.0, math.inf])
@pytest.mark.parametrize("method", ["softmax", "kesler", "perceptron", "plain kesler"])
def test_bounds_for_more_classes(name, step_size, method):
    X, y, fit_intercept = MANY_CLASSES[name]
    margin, direction = separation_margin(X, y, fit_intercept=fit_intercept)
    radius = math.sqrt((X**2).sum(axis=1).max() + fit_intercept)
    step = "constant" if method == "plain kesler" else "normalized"
    multi_class = "multinomial" if method == "softmax" else "kesler"
    bound = iteration_bound(
        step, len(y), radius, margin, step_size, len(direction), multi_class=multi_class
    )
    max_iter = min(math.floor(bound), 5000)
    if method == "perceptron":
        model = BatchPerceptron(fit_intercept=fit_intercept, max_iter=max_iter)
    else:
        model = LogisticRegressionGD(
            step,
            step_size,
            multi_class=multi_class,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
        )
    model.fit(X, y)
    assert model.separated_ and model.score(X, y) == 1.0
