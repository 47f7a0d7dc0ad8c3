"""What happens as the step grows without bound, and as it shrinks.

Theorems 3.2 and 4.1 and section 8 of Tyurin 2024 (arXiv 2412.08424).
"""

import math

import numpy as np
import pytest

from skkd.datasets import make_separable
from skkd.linear_model import LogisticRegressionGD, separation_margin
from skkd.losses import ExponentialLoss
from skkd.solvers import Constant, Normalized
from tests.theory._sets import THEOREM_41, cosine, iterates, objective_of, risk, signed

# Gaussian rows: no iterate of a perceptron is orthogonal to a row (Assumption 3.1 of the paper).
TIE_FREE = [make_separable(30, 4, 0.05, random_state=seed) for seed in range(4)]


def fitted(X, y, step, step_size, count, **params):
    model = LogisticRegressionGD(
        step, step_size, stop="max_iter", keep="last", fit_intercept=False, max_iter=count, **params
    )
    return model.fit(X, y).coef_


@pytest.mark.parametrize("data", TIE_FREE, ids=range(4))
@pytest.mark.parametrize("step", ["constant", "normalized", "risk_adaptive"])
@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_large_steps_tend_to_the_limit(data, step, count):
    if step == "normalized":
        # A normalised smooth step goes on after separation, its limit stands still.
        ends = LogisticRegressionGD(step, math.inf, fit_intercept=False).fit(*data).n_iter_
        count = min(count, ends)
    limit = fitted(*data, step, math.inf, count)
    distances = []
    for step_size in (1e3, 1e5, 1e7):
        distances.append(np.abs(fitted(*data, step, step_size, count) / step_size - limit).max())
    assert distances[-1] <= 1e-9 * np.abs(limit).max()
    assert distances[-1] <= distances[0] + 1e-12


@pytest.mark.parametrize("step", ["constant", "normalized"])
@pytest.mark.parametrize("multi_class", ["multinomial", "kesler"])
def test_large_steps_tend_to_the_limit_for_more_classes(step, multi_class):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((40, 5))
    y = np.argmax(X @ rng.standard_normal((5, 3)), axis=1)
    for count in (1, 2, 5):
        limit = fitted(X, y, step, math.inf, count, multi_class=multi_class)
        large = fitted(X, y, step, 1e7, count, multi_class=multi_class) / 1e7
        assert np.abs(large - limit).max() <= 1e-9 * np.abs(limit).max()


def test_ties_count_as_wrong_in_the_limit_and_half_on_the_way():
    """Theorem 3.2 needs tie-free data; here the third row is orthogonal to the first update."""
    M = np.array([[1.0, 1.0], [1.0, -2.0], [0.0, 1.0]])
    X, y = np.vstack([M, -M]), np.repeat([1, -1], 3)
    first = M.mean(axis=0) / 2
    assert M[2] @ first == 0 and (M[:2] @ first > 0).all()
    assert fitted(X, y, "constant", math.inf, 2)[0] == pytest.approx(first + M[2] / 3)
    assert fitted(X, y, "constant", 1e6, 2)[0] / 1e6 == pytest.approx(first + M[2] / 6)
    # Normalising undoes the half: the only wrong row has all the pull either way.
    for step_size, unit in ((math.inf, 1.0), (1e6, 1e6)):
        theta = fitted(X, y, "normalized", step_size, 2)[0] / unit
        assert theta == pytest.approx(2 * first + M[2])


class TestTheorem41:
    """Rows (1, -1) of label +1 and (-1, -4) of label -1."""

    M = THEOREM_41[1][:, None] * THEOREM_41[0]

    @pytest.mark.parametrize("step_size", [1e-2, 1.0, 1e4, 1e8])
    def test_first_iterate(self, step_size):
        first = iterates(self.M, 2, Constant(step_size))[1]
        assert first / step_size == pytest.approx([0.5, 0.75], rel=1e-14)
        assert (self.M @ first).min() < 0

    def test_loss_and_gradient_are_no_guide(self):
        """One update before separation the loss is without bound and the gradient large."""
        losses, second_losses = [], []
        for step_size in (1e1, 1e2, 1e3, 1e4):
            _, first, second = iterates(self.M, 3, Constant(step_size))
            losses.append(risk(self.M, first))
            second_losses.append(risk(self.M, second))
            assert (self.M @ second > 0).all()
        # The wrong row is at margin -1/4 of the step, and weighs one half.
        assert losses == pytest.approx([0.125 * s for s in (1e1, 1e2, 1e3, 1e4)], rel=0.05)
        assert np.all(np.diff(losses) > 0) and np.all(np.diff(second_losses) <= 0)
        assert second_losses[-1] == 0.0
        assert second / 1e4 == pytest.approx([1.0, 0.25], rel=1e-12)

    def test_gradient_norms(self):
        objective = objective_of(self.M)
        _, first, second = iterates(self.M, 3, Constant(1e4))
        norms = [
            np.linalg.norm(objective.value_and_gradient(theta[:, None])[1])
            for theta in (first, second)
        ]
        assert norms[0] == pytest.approx(math.sqrt(2) / 2, rel=1e-12)
        assert norms[1] == 0.0

    def test_margin_and_radius(self):
        _, radius, margin, direction = signed("theorem 4.1")
        assert radius == pytest.approx(math.sqrt(17), rel=1e-15)
        assert margin == pytest.approx(1.0, rel=1e-12)
        assert direction == pytest.approx([1.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_small_steps_descend_and_turn_to_the_largest_margin(seed):
    """Below 2 / L the loss falls at every step; the direction converges, if only like 1 / log t."""
    X, y = make_separable(30, 3, 0.3, random_state=seed)
    M = y[:, None] * X
    _, direction = separation_margin(X, y)
    smooth = np.linalg.eigvalsh(M.T @ M)[-1] / (4 * len(M))
    path = iterates(M, 3001, Constant(1.9 / smooth))
    losses = np.array([risk(M, theta) for theta in path[:200]])
    assert np.all(np.diff(losses) < 0)
    assert cosine(path[3000], direction) > max(0.98, cosine(path[1], direction))


@pytest.mark.parametrize("seed", range(4))
def test_normalized_exponential_steps_turn_to_the_largest_margin_sooner(seed):
    """The gap in margin falls like 1 / (step t) at least."""
    X, y = make_separable(30, 3, 0.3, random_state=seed)
    M = y[:, None] * X
    margin, _ = separation_margin(X, y)
    gaps = []
    path = iterates(M, 2001, Normalized(0.2), ExponentialLoss())
    for t in (20, 200, 2000):
        gaps.append(margin - (M @ path[t]).min() / np.linalg.norm(path[t]))
        assert 0 <= gaps[-1] <= 60.0 / (t * 0.2)
    assert gaps[2] < gaps[1] < gaps[0]


def test_batch_perceptron_direction_is_not_the_largest_margin():
    """Large steps separate soon, and poorly."""
    X, y = make_separable(30, 3, 0.3, random_state=0)
    M = y[:, None] * X
    margin, _ = separation_margin(X, y)
    theta = fitted(X, y, "constant", math.inf, 500)[0]
    assert (M @ theta > 0).all()
    assert (M @ theta).min() / np.linalg.norm(theta) < 0.9 * margin
