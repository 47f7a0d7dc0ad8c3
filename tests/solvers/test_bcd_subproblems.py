"""Models of one block: factors of singular matrices, cubic steps, exact minimisers."""

import numpy as np
import pytest
from scipy.optimize import minimize

from skkd.solvers._bcd._armijo import backtrack
from skkd.solvers._bcd._factors import Factor
from skkd.solvers._bcd._subproblems import group_minimum, piecewise_minimum, proximal_minimum
from skkd.solvers._bcd._updates import cubic_step


def gram(tau, rank, seed, spread=1.0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rank, tau)) * np.exp(spread * rng.standard_normal(tau))
    return A.T @ A


def random_pieces(tau, kind, rng):
    zero, infinite = np.zeros(tau), np.full(tau, np.inf)
    l1 = np.exp(rng.standard_normal(tau))
    return {
        "l1": (l1, zero, -infinite, infinite),
        "positive": (l1, zero, zero, infinite),
        "elastic": (l1, l1[::-1].copy(), -infinite, infinite),
        "nonnegative": (zero, zero, zero, infinite),
        "box": (zero, zero, zero - 0.1, zero + 0.3),
        "all": (l1, 1.0 + zero, zero - 0.5, zero + 0.5),
    }[kind]


def violation(H, gradient, x, u, pieces):
    """Distance to optimality, each in units of the root of its curvature."""
    l1, squares, lower, upper = pieces
    slope = gradient + H @ (u - x) + squares * u
    right = slope + np.where(u >= 0, l1, -l1)
    left = slope + np.where(u > 0, l1, -l1)
    distance = np.zeros_like(u)
    distance = np.where(u < upper, np.maximum(distance, -right), distance)
    distance = np.where(u > lower, np.maximum(distance, left), distance)
    return np.max(distance / np.sqrt(np.diagonal(H)))


@pytest.mark.parametrize("kind", ["l1", "positive", "elastic", "nonnegative", "box", "all"])
@pytest.mark.parametrize(("tau", "rank"), [(1, 5), (8, 30), (60, 70), (40, 15)])
@pytest.mark.parametrize("seed", range(3))
def test_piecewise_models_are_minimised_to_the_last_digits(kind, tau, rank, seed):
    rng = np.random.default_rng(seed + 100)
    H = gram(tau, rank, seed)
    # As for least squares, the gradient lies in the range of H.
    gradient = H @ rng.standard_normal(tau) * 3
    pieces = random_pieces(tau, kind, rng)
    x = np.clip(rng.standard_normal(tau), pieces[2], pieces[3])
    u = piecewise_minimum(H, gradient, x, pieces)
    scale = np.max(np.abs(gradient) / np.sqrt(np.diagonal(H)))
    assert np.all((u >= pieces[2]) & (u <= pieces[3]))
    assert violation(H, gradient, x, u, pieces) <= 1e-11 * scale


def test_a_minimiser_is_left_alone():
    rng = np.random.default_rng(0)
    H, gradient = gram(10, 30, 0), rng.standard_normal(10)
    pieces = random_pieces(10, "l1", rng)
    first = piecewise_minimum(H, gradient, np.zeros(10), pieces)
    again = piecewise_minimum(H, gradient + H @ first, first, pieces)
    np.testing.assert_allclose(again, first, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(again == 0, first == 0)


def test_a_variable_without_curvature_goes_where_the_absolute_value_sends_it():
    H = np.diag([2.0, 0.0])
    pieces = (np.ones(2), np.zeros(2), np.full(2, -np.inf), np.full(2, np.inf))
    u = piecewise_minimum(H, np.array([-4.0, 0.0]), np.array([0.0, 3.0]), pieces)
    np.testing.assert_allclose(u, [1.5, 0.0])


def group_model(H, gradient, x, groups, weights, u):
    d = u - x
    norms = sum(w * np.linalg.norm(u[g]) for g, w in zip(groups, weights, strict=True))
    return gradient @ d + 0.5 * d @ H @ d + norms


@pytest.mark.parametrize("sizes", [(3,), (2, 2, 2), (1, 4, 3, 5)])
@pytest.mark.parametrize("strength", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_group_models_satisfy_their_optimality_conditions(sizes, strength, seed):
    rng = np.random.default_rng(seed)
    tau = sum(sizes)
    H = gram(tau, tau + 3, seed)
    gradient = 3 * rng.standard_normal(tau)
    groups = np.split(rng.permutation(tau), np.cumsum(sizes)[:-1])
    weights = strength * np.sqrt(sizes) * np.max(np.abs(gradient)) / 3
    x = rng.standard_normal(tau)
    u = group_minimum(H, gradient, x, groups, weights)
    slope = gradient + H @ (u - x)
    scale = np.max(np.abs(gradient)) + np.max(np.abs(H @ x))
    for group, weight in zip(groups, weights, strict=True):
        radius = np.linalg.norm(u[group])
        if radius == 0:
            assert np.linalg.norm(slope[group]) <= weight * (1 + 1e-10)
        else:
            distance = np.linalg.norm(slope[group] + weight * u[group] / radius)
            assert distance <= 1e-10 * scale


def test_group_without_weight_is_least_squares():
    H, gradient = gram(4, 10, 1), np.arange(1.0, 5.0)
    u = group_minimum(H, gradient, np.zeros(4), [np.arange(4)], np.zeros(1))
    np.testing.assert_allclose(u, -np.linalg.solve(H, gradient), rtol=1e-9)


def test_proximal_steps_find_the_minimiser_of_the_other_methods():
    rng = np.random.default_rng(3)
    H, gradient = gram(6, 20, 3, spread=0.3), 3 * rng.standard_normal(6)
    pieces = random_pieces(6, "l1", rng)
    expected = piecewise_minimum(H, gradient, np.zeros(6), pieces)

    def prox(v, step):
        return np.sign(v) * np.maximum(np.abs(v) - step * pieces[0], 0.0)

    found = proximal_minimum(H, gradient, np.zeros(6), prox)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("constant", [1e-8, 1.0, 1e6])
@pytest.mark.parametrize("rank", [2, 5, 20])
def test_cubic_steps_are_stationary_and_beat_a_general_minimiser(constant, rank):
    rng = np.random.default_rng(rank)
    H, gradient = gram(5, rank, rank, spread=0.3), rng.standard_normal(5)
    d = cubic_step(gradient, H, constant)
    radius = np.linalg.norm(d)
    residual = gradient + H @ d + 0.5 * constant * radius * d
    assert np.linalg.norm(residual) <= 1e-9 * (
        np.linalg.norm(gradient) + np.linalg.norm(H) * radius
    )

    def model(step):
        return gradient @ step + 0.5 * step @ H @ step + constant / 6 * np.linalg.norm(step) ** 3

    rival = minimize(model, d + 0.1 * radius * rng.standard_normal(5), method="Nelder-Mead")
    assert model(d) <= rival.fun + 1e-10 * abs(model(d))


def test_cubic_step_without_third_derivative_is_newton():
    H, gradient = gram(4, 9, 0), np.arange(1.0, 5.0)
    np.testing.assert_allclose(
        cubic_step(gradient, H, 0.0), -np.linalg.solve(H, gradient), rtol=1e-10
    )
    np.testing.assert_array_equal(cubic_step(np.zeros(4), H, 1.0), np.zeros(4))


@pytest.mark.parametrize("rank", [3, 6, 30])
def test_factors_solve_with_the_pseudo_inverse_whatever_the_scale(rank):
    rng = np.random.default_rng(rank)
    H = gram(6, rank, rank, spread=0.0)
    scale = 10.0 ** rng.uniform(-6, 6, 6)
    rhs = H @ rng.standard_normal(6)
    factor = Factor(H * scale * scale[:, None])
    solution = factor.solve(scale * rhs)
    np.testing.assert_allclose(H @ (scale * solution), rhs, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(factor.root.T @ (factor.root @ (scale * rhs)), solution, rtol=1e-8)


def test_factors_leave_variables_without_curvature_alone():
    H = np.diag([4.0, 0.0])
    np.testing.assert_array_equal(Factor(H).solve(np.array([2.0, 0.0])), [0.5, 0.0])
    np.testing.assert_array_equal(Factor(np.zeros((2, 2))).solve(np.zeros(2)), np.zeros(2))


def test_backtracking_interpolates_within_its_safeguards():
    tried = []

    def steep(step):  # minimum at 0.01, far below the safeguard of a tenth
        tried.append(step)
        return -step + 50.0 * step**2

    step = backtrack(0.0, -1.0, steep)
    assert steep(step) < 0
    assert all(
        0.1 - 1e-12 <= b / a <= 0.6 + 1e-12 for a, b in zip(tried, tried[1:-1], strict=False)
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_backtracking_leaves_the_region_where_values_are_not_finite(bad):
    assert 0 < backtrack(1.0, -1.0, lambda t: bad if t > 0.01 else 1.0 - t) <= 0.01


def test_backtracking_gives_up_where_nothing_decreases():
    assert backtrack(1.0, -1.0, lambda t: 2.0) == 0.0
    assert backtrack(1.0, 0.0, lambda t: 0.0) == 0.0
