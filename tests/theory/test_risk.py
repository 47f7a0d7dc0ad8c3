"""Bounds on the risk: exponential steps, plain steps of any size, and what small risk implies."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skkd.datasets import make_worst_case_separable
from skkd.losses import ExponentialLoss
from skkd.solvers import Constant, LogisticRisk, Normalized
from tests.theory._sets import (
    SETS,
    STEPS,
    iterates,
    log_exponential_risk,
    risk,
    signed,
)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("step_size", STEPS)
def test_exponential_risk_of_the_average(name, step_size):
    """phi(average of t iterates) <= -(gamma / 2) (mu^2 t - R^2), phi = log mean exp(-margin)."""
    M, radius, margin, _ = signed(name)
    path = iterates(M, 300, Normalized(step_size), ExponentialLoss())
    counts = np.arange(1, 301)
    averages = np.cumsum(path, axis=0) / counts[:, None]
    phi = np.array([log_exponential_risk(M, theta) for theta in averages])
    bound = -0.5 * step_size * (margin**2 * counts - radius**2)
    assert np.all(phi <= bound + 1e-9 * (1 + np.abs(bound)))
    # And the logistic risk is below the exponential one.
    assert all(risk(M, averages[t - 1]) <= math.exp(min(bound[t - 1], 500)) for t in (1, 50, 300))


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("step_size", [0.1, 1.0, 10.0, 100.0])
def test_average_risk_of_plain_descent(name, step_size):
    """Mean risk of the iterates <= [1 + (log(g^2 s t) + s/2)^2 / 2] / (g^2 s t), rows of norm 1."""
    M, radius, margin, _ = signed(name)
    M, relative = M / radius, margin / radius
    risks = [risk(M, theta) for theta in iterates(M, 400, Constant(step_size))]
    means = np.cumsum(risks) / np.arange(1, 401)
    for t in (1, 10, 100, 400):
        scale = relative**2 * step_size * t
        if scale >= 1:
            assert means[t - 1] <= (1 + (math.log(scale) + step_size / 2) ** 2 / 2) / scale


def test_logistic_risk_rule_has_no_such_burn_in():
    """The trap: at huge risks that rule is a batch perceptron, and as slow on the worst case."""
    X, y = make_worst_case_separable(100)
    M = y[:, None] * X
    for step, loss, soon in (
        (Normalized(1e4), ExponentialLoss(), True),
        (LogisticRisk(1e4), None, False),
    ):
        path = iterates(M, 100, step, loss)
        averages = np.cumsum(path, axis=0)
        first = 1 + int(np.argmax((averages @ M.T > 0).all(axis=1)))
        assert (first <= 10) is soon
        assert soon or 50 <= first <= 90


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), step_size=st.floats(0.1, 1e3), n_samples=st.integers(2, 40))
def test_risk_below_log_two_over_n_means_separation(seed, step_size, n_samples):
    rng = np.random.RandomState(seed)
    M = rng.standard_normal((n_samples, 3)) + [1.0, 0.0, 0.0]
    for theta in iterates(M, 15, Constant(step_size)):
        if risk(M, theta) < math.log(2) / n_samples:
            assert (M @ theta > 0).all()


def test_that_threshold_is_sharp():
    """One row at margin just below zero, all others right: the risk is log 2 / n, and a bit."""
    M = np.array([[-1e-9, 0.0]] + [[1e3, 0.0]] * 9)
    assert risk(M, np.array([1.0, 0.0])) == pytest.approx(math.log(2) / 10, rel=1e-6)
