"""Gradient descent and its step rules: exactly the updates that the formulas say."""

from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkd.losses import (
    BinaryLogLoss,
    ExponentialLoss,
    MulticlassPerceptronLoss,
    MultinomialLogLoss,
    PairwiseLoss,
    PerceptronLoss,
    SquaredLoss,
    Target,
    WorstMarginLoss,
)
from skkd.objectives import LinearObjective
from skkd.solvers import Constant, Limit, LogisticRisk, Normalized, gradient_descent, run
from tests.losses._cases import derivative

from ._problems import LOSSES, Counted, noisy_problem, separable_problem


def path(objective, step, length, start=None):
    """The first iterates of gradient descent."""
    start = objective.zeros() if start is None else start
    return list(islice(gradient_descent(objective, start, step=step), length))


@pytest.mark.parametrize("name", LOSSES)
def test_constant_steps_are_the_textbook_update(name):
    objective = noisy_problem(*LOSSES[name])
    W = np.random.default_rng(1).standard_normal(objective.shape)
    start = W.copy()
    for index, iterate in enumerate(path(objective, Constant(0.3), 6, W)):
        assert iterate.index == index
        assert_array_equal(iterate.params, W)
        gradient = objective.evaluate(W).gradient
        assert_array_equal(iterate.gradient, gradient)
        W = W - 0.3 * gradient
    assert_array_equal(start, path(objective, Constant(0.3), 1, start)[0].params)


@pytest.mark.parametrize("name", [n for n in LOSSES if n != "squared"])
def test_normalized_steps_divide_by_the_error_mass(name):
    loss, k = LOSSES[name]
    objective = noisy_problem(loss, k, alpha=0.0)
    W = np.random.default_rng(1).standard_normal(objective.shape)
    one, two = path(objective, Normalized(0.7), 2, W)
    Z = objective.logits(W)
    mass = np.exp(loss.log_error(Z, objective.target)).sum() / Z.shape[0]
    assert_allclose(np.exp(one.log_mass), mass, rtol=1e-13)
    expected = objective.value_and_gradient(W)[1] / mass
    assert_allclose((W - two.params) / 0.7, expected, rtol=1e-11, atol=1e-14)


def test_normalized_exponential_descends_the_log_of_the_risk():
    """The risk-adaptive method: the gradient of log f, f the exponential risk."""
    objective = noisy_problem(ExponentialLoss(), 1, alpha=0.0)
    W = 0.5 * np.random.default_rng(1).standard_normal(objective.shape)
    one, two = path(objective, Normalized(2.0), 2, W)
    for index in np.ndindex(*W.shape):
        E = np.zeros_like(W)
        E[index] = 1.0
        slope = derivative(lambda t, E=E: float(np.log(objective.value_and_gradient(W + t * E)[0])))
        assert_allclose((one.params - two.params)[index], 2.0 * slope, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("scale", [0.0, 1.0, 8.0])
@pytest.mark.parametrize(
    ("loss", "k"),
    [(BinaryLogLoss(), 1), (MultinomialLogLoss(), 3), (PairwiseLoss(BinaryLogLoss()), 3)],
    ids=repr,
)
def test_logistic_risk_descends_log_of_exp_f_minus_one(loss, k, scale):
    objective = separable_problem(loss, k)
    W = scale * np.random.default_rng(1).standard_normal(objective.shape)
    one, two = path(objective, LogisticRisk(1.5), 2, W)
    for index in np.ndindex(*W.shape):
        E = np.zeros_like(W)
        E[index] = 1.0
        slope = derivative(
            lambda t, E=E: float(np.log(np.expm1(objective.value_and_gradient(W + t * E)[0])))
        )
        assert_allclose((one.params - two.params)[index], 1.5 * slope, rtol=1e-7, atol=1e-9)


def test_logistic_risk_where_the_risk_underflows():
    """log(e^f - 1) tends to log f: then the step is the softmax of the margins."""
    objective = separable_problem(BinaryLogLoss())
    W = path(objective, Normalized(10.0), 60)[-1].params
    W = W * (2000.0 / objective.evaluate(W).margin)
    one, two = path(objective, LogisticRisk(1.0), 2, W)
    exponential = LinearObjective(
        ExponentialLoss(), objective.X, objective.target, fit_intercept=False
    )
    expected = exponential.evaluate(W, normalized=True).gradient
    assert_allclose(one.params - two.params, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("step", [Constant(1.0), Normalized(1.0), LogisticRisk(1.0), Limit()])
def test_updates_cost_one_pass_each(step):
    objective = Counted(separable_problem(BinaryLogLoss()))
    list(islice(gradient_descent(objective, objective.zeros(), step=step), 11))
    assert objective.evaluations == 11  # ten updates and the start


def test_the_generator_is_endless():
    """Also where nothing is left to do: stopping is the driver's affair."""
    objective = separable_problem(PerceptronLoss())
    iterates = path(objective, Normalized(1.0), 2000)
    assert len(iterates) == 2000
    assert iterates[-1].errors == 0
    assert_array_equal(iterates[-1].params, iterates[-2].params)


@pytest.mark.parametrize(
    ("smooth", "limit", "k"),
    [
        (BinaryLogLoss(), PerceptronLoss(), 1),
        (MultinomialLogLoss(), MulticlassPerceptronLoss(), 3),
        (PairwiseLoss(BinaryLogLoss()), PairwiseLoss(PerceptronLoss()), 3),
    ],
    ids=repr,
)
@pytest.mark.parametrize("normalized", [False, True])
def test_the_limit_rule_is_the_limit_of_growing_steps(smooth, limit, k, normalized):
    """Iterates over the step tend to those of the perceptron, the first short step included."""
    size = 1e9
    one = separable_problem(smooth, k, n=25, gap=0.05, seed=3)
    two = LinearObjective(limit, one.X, one.target, n_outputs=k, fit_intercept=False)
    steps = (Normalized(size), Normalized(1.0)) if normalized else (Constant(size), Limit())
    a = path(one, steps[0], 9)
    b = path(two, steps[1], 9)
    for x, y in zip(a, b, strict=True):
        if y.errors == 0:
            break  # from here on the smooth method still moves
        assert_allclose(x.params / size, y.params, rtol=1e-6, atol=1e-7)
    assert y.index >= 2


def test_normalized_exponential_tends_to_the_worst_margin():
    one = separable_problem(ExponentialLoss(), n=25, seed=3)
    two = LinearObjective(WorstMarginLoss(), one.X, one.target, fit_intercept=False)
    a, b = path(one, Normalized(1e9), 8), path(two, Normalized(1.0), 8)
    for x, y in zip(a, b, strict=True):
        assert_allclose(x.params / 1e9, y.params, rtol=1e-6, atol=1e-7)


def test_limit_scales_the_first_step_only():
    objective = separable_problem(PerceptronLoss())
    iterates = path(objective, Limit(2.0), 4)
    assert_allclose(iterates[1].params, -0.5 * 2.0 * iterates[0].gradient)
    assert_allclose(iterates[2].params, iterates[1].params - 2.0 * iterates[1].gradient)


@pytest.mark.parametrize("step", [Constant(1e6), Normalized(1e6), LogisticRisk(1e6)])
@pytest.mark.parametrize("loss", [BinaryLogLoss(), MultinomialLogLoss()], ids=repr)
def test_huge_steps_stay_finite(step, loss):
    """Logits of 1e6 and more, rows that contradict each other: never a NaN, never a warning."""
    k = 3 if loss.min_classes == 2 else 1
    objective = noisy_problem(loss, k, alpha=0.0, scales=30.0)
    for iterate in path(objective, step, 40):
        assert np.isfinite(iterate.params).all()
        assert np.isfinite(iterate.gradient).all()


def test_float32_is_kept():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.float32)
    objective = LinearObjective(BinaryLogLoss(), X, Target(y))
    for step in (Constant(1.0), Normalized(1.0), LogisticRisk(1.0), Limit()):
        assert path(objective, step, 4)[-1].params.dtype == np.float32


@pytest.mark.parametrize("size", [0.0, -1.0, np.inf, np.nan])
def test_step_sizes_must_be_positive_and_finite(size):
    with pytest.raises(ValueError, match="positive and finite, got .*Limit rule"):
        Constant(size)


@pytest.mark.parametrize("step", [Normalized(1.0), LogisticRisk(1.0)])
def test_normalized_rules_refuse_what_they_cannot_do(step):
    with pytest.raises(ValueError, match=r"cannot carry a penalty, but alpha=0\.01; use alpha=0"):
        path(noisy_problem(BinaryLogLoss(), 1), step, 1)
    with pytest.raises(ValueError, match="error mass of a classification loss.*use Constant"):
        path(noisy_problem(SquaredLoss(), 1, alpha=0.0), step, 1)


def test_reprs_name_the_step():
    assert repr(Normalized(10.0)) == "Normalized(10)"
    assert repr(LogisticRisk(0.5)) == "LogisticRisk(0.5)"


def test_small_steps_descend_monotonically_to_the_optimum():
    """Steps below 2 / L of an L-smooth convex function: a theorem."""
    objective = noisy_problem(BinaryLogLoss(), 1, alpha=0.1)
    X = np.column_stack([objective.X, np.ones(objective.X.shape[0])])
    L = np.linalg.eigvalsh(X.T @ X).max() / (4 * X.shape[0]) + 0.1
    iterates = path(objective, Constant(1.0 / L), 300)
    values = [float(objective.value(iterate.params, iterate.logits)) for iterate in iterates]
    assert np.all(np.diff(values) <= 1e-15)
    result = run(iter(iterates), max_iter=299)
    # Strong convexity alpha only on the coefficients, but the rate is linear here: 1e-9 is late.
    assert_allclose(result.iterate.gradient, 0.0, atol=1e-9)
