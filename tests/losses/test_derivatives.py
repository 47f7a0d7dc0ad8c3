"""Gradients, Hessians, curvature bounds and convexity of every loss.

Finite differences are five-point ones, good to about 1e-11 of the numbers they come from; the
tolerance 1e-9 leaves room for fifth derivatives of the exponential loss.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skkd.losses import BinaryLogLoss, MultinomialLogLoss, PairwiseLoss, Target, WorstMarginLoss

from ._cases import (
    CASES,
    TWICE_DIFFERENTIABLE,
    derivative,
    numerical_gradient,
    random_weights,
    smooth_point,
)

BOUNDED = [case for case in TWICE_DIFFERENTIABLE if case.loss.curvature is not None]


def any_weight(kind, n):
    """Uniform weights are a float, others an array: two branches of every loss."""
    return 1.0 / n if kind == "uniform" else random_weights(n)


def hessian(case, Z, target, weight=1.0):
    """Full Hessian matrix in the flattened logits, column by column."""
    product = case.loss.linearize(Z, target, weight)
    columns = [product(E.reshape(Z.shape)).reshape(-1) for E in np.eye(Z.size)]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("weights", ["uniform", "array"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_is_the_derivative_of_the_value(case, weights):
    Z, target = smooth_point(case, 6, seed=1, scale=1.5)
    weight = any_weight(weights, 6)
    gradient = case.loss.value_and_gradient(Z, target, weight)[1]
    expected = numerical_gradient(
        lambda V: float(case.loss.value_and_gradient(V, target, weight)[0]), Z
    )
    assert_allclose(gradient, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("case", [c for c in CASES if c.loss.separable], ids=str)
def test_value_is_the_weighted_sum_of_rows(case):
    Z, target = smooth_point(case, 6, seed=2)
    weight = random_weights(6)
    rows = case.loss.value(Z, target)
    assert rows.shape == (6,)
    assert_allclose(case.loss.value_and_gradient(Z, target, weight)[0], rows @ weight, rtol=1e-14)
    # Row by row, so that no row looks at another.
    for i in range(6):
        one = case.loss.value(Z[i : i + 1], target.rows(slice(i, i + 1)))
        assert_allclose(one[0], rows[i], rtol=1e-14)


@pytest.mark.parametrize("weights", ["uniform", "array"])
@pytest.mark.parametrize("case", TWICE_DIFFERENTIABLE, ids=str)
def test_hessian_vector_product_is_the_derivative_of_the_gradient(case, weights):
    Z, target = smooth_point(case, 6, seed=3, scale=1.5)
    weight = any_weight(weights, 6)
    product = case.loss.linearize(Z, target, weight)
    for seed in range(3):
        V = np.random.default_rng(seed).standard_normal(Z.shape)
        V /= 3.0 * np.abs(V).max()  # the stencil must not step over a kink
        expected = derivative(
            lambda t, V=V: case.loss.value_and_gradient(Z + t * V, target, weight)[1]
        )
        assert_allclose(product(V), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("case", TWICE_DIFFERENTIABLE, ids=str)
def test_hessian_is_symmetric_and_positive_semidefinite(case):
    Z, target = smooth_point(case, 5, seed=4)
    H = hessian(case, Z, target, random_weights(5))
    assert_allclose(H, H.T, rtol=1e-13, atol=1e-16)
    assert np.linalg.eigvalsh(H).min() >= -1e-15


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("case", BOUNDED, ids=str)
def test_curvature_bounds_the_hessian_of_a_row(case, scale):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        Z, target = scale * rng.standard_normal((1, case.k)), case.target(1, rng)
        H = hessian(case, Z, target)
        assert np.linalg.eigvalsh(H).max() <= case.loss.curvature * (1 + 1e-14)
        assert np.diagonal(H).max() <= case.loss.diagonal_curvature * (1 + 1e-14)


@pytest.mark.parametrize(
    ("loss", "Z"),
    [
        (BinaryLogLoss(), [[0.0]]),
        (MultinomialLogLoss(), [[0.0, 0.0, -800.0]]),
        (PairwiseLoss(BinaryLogLoss()), [[0.0, 0.0]]),
    ],
    ids=repr,
)
def test_curvature_bounds_are_attained(loss, Z):
    """No loss promises less than the truth: steps are chosen from these numbers."""
    Z = np.array(Z)
    y = np.array([1.0]) if Z.shape[1] == 1 else np.array([0])
    product = loss.linearize(Z, Target(y), 1.0)
    H = np.concatenate([product(E[None, :]) for E in np.eye(Z.shape[1])])
    assert_allclose(np.linalg.eigvalsh(H).max(), loss.curvature, rtol=1e-14)
    assert_allclose(np.diagonal(H).max(), loss.diagonal_curvature, rtol=1e-14)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_convex_losses_lie_below_their_chords(case):
    assert case.loss.convex
    weight = random_weights(5)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        A, B = 3.0 * rng.standard_normal((2, 5, case.k))
        target = case.target(5, rng)
        t = rng.random()
        at = [
            float(case.loss.value_and_gradient(Z, target, weight)[0])
            for Z in (A, B, t * A + (1 - t) * B)
        ]
        chord = t * at[0] + (1 - t) * at[1]
        assert at[2] <= chord + 1e-13 * (1 + abs(chord))


@pytest.mark.parametrize("loss", [WorstMarginLoss(), PairwiseLoss(WorstMarginLoss())], ids=repr)
def test_a_loss_without_hessian_says_so(loss):
    Z = np.zeros((2, 3 if loss.min_classes == 2 else 1))
    with pytest.raises(NotImplementedError, match="second derivative"):
        loss.linearize(Z, Target(np.array([0, 1])), 0.5)
