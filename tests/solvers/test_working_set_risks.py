"""Risks of margins: derivatives, conjugates, and the intercept that belongs to them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax

from skkd.solvers import LinearProblem
from skkd.solvers._working_set._risks import make_risk

from ._linear_problems import KINDS, losses, row_weights

SHRINKS = np.linspace(0.0, 1.0, 11)


def case(kind, *, n=30, weighted=False, fit_intercept=True, seed=0):
    """A problem with nothing but targets, random margins, and the dimensions of an intercept."""
    rng = np.random.default_rng(seed)
    k = 3 if kind == "softmax" else 1
    y = rng.standard_normal(n) if kind == "squared" else rng.integers(0, max(k, 2), n)
    weights = rng.uniform(0.0, 1.0, n) if weighted else None
    if weighted:
        weights[:3] = 0.0
        weights /= weights.sum()
    problem = LinearProblem(
        np.zeros((n, 1)),
        y,
        loss="log" if kind == "softmax" else kind,
        n_outputs=k,
        weights=weights,
        fit_intercept=fit_intercept,
    )
    margins = 2.0 * rng.standard_normal((n, k))
    return problem, (margins if k > 1 else margins[:, 0])


def plain_value(problem, margins, intercept=0.0):
    Z = (margins + intercept).reshape(len(margins), -1)
    return row_weights(problem) @ losses(problem, Z)


every_kind = pytest.mark.parametrize("kind", KINDS)
binary = pytest.mark.parametrize("kind", ["log", "squared_hinge"])
every_weight = pytest.mark.parametrize("weighted", [False, True])


@every_kind
@every_weight
class TestDerivatives:
    def test_value(self, kind, weighted):
        problem, margins = case(kind, weighted=weighted, fit_intercept=False)
        risk = make_risk(problem)
        intercept = 0.7 if problem.n_outputs == 1 else np.array([0.7, -0.2, 0.0])
        expected = plain_value(problem, margins, intercept)
        assert risk.value(margins, intercept) == pytest.approx(expected, rel=1e-14)
        zero = 0.0 if problem.n_outputs == 1 else np.zeros(3)
        assert risk.look(margins, zero).value == pytest.approx(plain_value(problem, margins))

    def test_pull_is_the_negative_gradient(self, kind, weighted):
        problem, margins = case(kind, weighted=weighted, fit_intercept=False)
        pull = make_risk(problem).look(margins, np.zeros(problem.n_outputs).squeeze()).pull
        h = 1e-6
        for place in np.ndindex(margins.shape):
            step = np.zeros_like(margins)
            step[place] = h
            rise = plain_value(problem, margins + step) - plain_value(problem, margins - step)
            assert pull[place] == pytest.approx(-rise / (2 * h), abs=1e-9)


@binary
@every_weight
def test_curvature_is_the_derivative_of_the_pull(kind, weighted):
    problem, margins = case(kind, weighted=weighted, fit_intercept=False)
    if kind == "squared_hinge":  # away from the corner
        margins[np.abs(np.abs(margins) - 1.0) < 1e-3] = 0.0
    risk = make_risk(problem)
    h = 1e-6
    ahead, behind = (risk.look(margins + t, 0.0).pull for t in (h, -h))
    assert_allclose(risk.look(margins, 0.0).curvature, (behind - ahead) / (2 * h), atol=1e-9)


def test_curvature_of_the_softmax_intercepts():
    problem, margins = case("softmax", weighted=True, fit_intercept=False)
    risk = make_risk(problem)
    h = 1e-5
    for c, unit in enumerate(np.eye(3)):
        slope = [risk.look(margins, t * unit).pull.sum(axis=0) for t in (h, -h)]
        curvature = risk.intercept_curvature(risk.look(margins, np.zeros(3)))
        assert_allclose(curvature[c], (slope[1] - slope[0]) / (2 * h), atol=1e-9)


@every_kind
@every_weight
@pytest.mark.parametrize("seed", range(5))
class TestDual:
    def test_lies_below_the_risk_of_every_point(self, kind, weighted, seed):
        """D(tau) <= R(z) + tau <v, z>: the conjugate inequality, at any two points."""
        problem, margins = case(kind, weighted=weighted, fit_intercept=False, seed=seed)
        risk = make_risk(problem)
        zero = np.zeros(problem.n_outputs).squeeze()
        look = risk.look(margins, zero)
        rng = np.random.default_rng(seed + 100)
        for scale in (0.0, 0.5, 1.0, 10.0):
            other = scale * rng.standard_normal(margins.shape)
            for shrink in SHRINKS:
                primal = plain_value(problem, other) + shrink * np.sum(look.pull * other)
                assert risk.dual(look, shrink) <= primal + 1e-12

    def test_is_attained_at_the_point_itself(self, kind, weighted, seed):
        """Fenchel's equality for the pull of the point."""
        problem, margins = case(kind, weighted=weighted, fit_intercept=False, seed=seed)
        risk = make_risk(problem)
        look = risk.look(margins, np.zeros(problem.n_outputs).squeeze())
        primal = look.value + np.sum(look.pull * margins)
        assert risk.dual(look, 1.0) == pytest.approx(primal, rel=1e-12, abs=1e-14)

    def test_bounds_the_best_intercept_alone(self, kind, weighted, seed):
        """With a settled intercept the dual of the pull is the risk at zero margins."""
        problem, margins = case(kind, weighted=weighted, seed=seed)
        risk = make_risk(problem)
        zero = np.zeros(problem.n_outputs).squeeze()
        look = risk.look(0.0 * margins, zero, 1e-15)
        assert risk.dual(look, 1.0) == pytest.approx(look.value, rel=1e-12)
        for shrink in SHRINKS:
            assert risk.dual(look, shrink) <= look.value + 1e-14

    def test_of_nothing_is_nothing(self, kind, weighted, seed):
        problem, margins = case(kind, weighted=weighted, seed=seed)
        risk = make_risk(problem)
        look = risk.look(margins, np.zeros(problem.n_outputs).squeeze(), 1e-15)
        assert risk.dual(look, 0.0) == pytest.approx(0.0, abs=1e-14)

    def test_best_shrink_is_allowed_and_good(self, kind, weighted, seed):
        problem, margins = case(kind, weighted=weighted, seed=seed)
        risk = make_risk(problem)
        look = risk.look(margins, np.zeros(problem.n_outputs).squeeze(), 1e-15)
        for limit in (0.0, 0.3, 1.0, np.inf):
            for extra in (0.0, 0.5):
                shrink = risk.best_shrink(look, limit, extra)
                assert 0.0 <= shrink <= limit
                if kind == "squared":  # the best of all: the dual is a parabola
                    tried = np.linspace(0.0, min(limit, 5.0), 200)
                    values = [risk.dual(look, t) - t * t * extra for t in tried]
                    got = risk.dual(look, shrink) - shrink * shrink * extra
                    assert got >= max(values) - 1e-12
                else:
                    assert shrink == min(1.0, limit)


@every_kind
@every_weight
class TestIntercept:
    def test_is_settled(self, kind, weighted):
        problem, margins = case(kind, weighted=weighted)
        risk = make_risk(problem)
        look = risk.look(margins, np.zeros(problem.n_outputs).squeeze(), 1e-15)
        assert np.abs(look.pull.sum(axis=0)).max() < 1e-15
        value = plain_value(problem, margins, look.intercept)
        assert look.value == pytest.approx(value, rel=1e-13)
        for step in np.random.default_rng(0).standard_normal((20, problem.n_outputs)):
            other = look.intercept + (step if problem.n_outputs > 1 else step[0])
            assert value <= plain_value(problem, margins, other) + 1e-14

    def test_does_not_move_where_there_is_none(self, kind, weighted):
        problem, margins = case(kind, weighted=weighted, fit_intercept=False)
        zero = np.zeros(problem.n_outputs).squeeze()
        look = make_risk(problem).look(margins, zero, 1e-15)
        assert np.all(look.intercept == 0.0)

    def test_refining_goes_on_from_a_look(self, kind, weighted):
        problem, margins = case(kind, weighted=weighted)
        risk = make_risk(problem)
        start = np.zeros(problem.n_outputs).squeeze()
        rough = risk.look(margins, start, np.inf)
        fine = risk.refine(rough, margins, start, 1e-15)
        assert_allclose(fine.intercept, risk.look(margins, start, 1e-15).intercept, atol=1e-9)
        again = risk.refine(fine, margins, start, 1e-15)
        assert_allclose(again.intercept, fine.intercept, atol=1e-14)


@binary
@pytest.mark.parametrize("rare", [1e-2, 1e-6, 1e-12])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_intercept_of_labels_of_which_one_is_rare(kind, rare, scale):
    """All rows of one label, and a tiny weight of the other."""
    n = 50
    rng = np.random.default_rng(0)
    y = np.ones(n, dtype=int)
    y[0] = 0
    weights = np.full(n, (1.0 - rare) / (n - 1))
    weights[0] = rare
    problem = LinearProblem(np.zeros((n, 1)), y, loss=kind, weights=weights)
    margins = scale * rng.standard_normal(n)
    look = make_risk(problem).look(margins, 0.0, 1e-15)
    assert np.isfinite(look.intercept)
    assert abs(look.pull.sum()) <= 1e-15
    if scale == 0.0 and kind == "log":  # as exact as the derivative allows
        expected = np.log((1.0 - rare) / rare)
        assert look.intercept == pytest.approx(expected, rel=1e-12, abs=2e-15 / rare)


@every_kind
@pytest.mark.parametrize("far", [30.0, 1e3, 1e6, 1e12])
def test_intercept_that_is_far_away(kind, far):
    """From where the loss is flat or steep on all rows, as after a shift of the columns."""
    problem, margins = case(kind)
    risk = make_risk(problem)
    shift = far * np.array([1.0, -2.0, 0.5])[: problem.n_outputs].squeeze()
    zero = np.zeros(problem.n_outputs).squeeze()
    near = risk.look(margins, zero, 1e-15)
    for sign in (1.0, -1.0):
        look = risk.look(margins + sign * shift, zero, 1e-15)
        assert np.abs(look.pull.sum(axis=0)).max() < 4e-16 * far
        assert look.value == pytest.approx(near.value, rel=1e-15 * far + 1e-12)


@binary
@pytest.mark.parametrize("spread", [1e2, 1e6])
def test_intercept_of_margins_far_apart(kind, spread):
    """The derivative is a staircase: between the steps there is nothing for Newton to go by."""
    problem, margins = case(kind, n=31)
    risk = make_risk(problem)
    look = risk.look(spread * margins, 0.0, 1e-13)
    for other in np.concatenate([[0.0], -spread * margins, look.intercept + np.array([-1.0, 1.0])]):
        assert look.value <= risk.value(spread * margins, other) * (1 + 1e-12)


@pytest.mark.parametrize("rare", [1e-2, 1e-6])
def test_intercepts_of_three_classes_of_which_one_is_rare(rare):
    y = np.array([0, 1, 2])
    weights = np.array([0.5 - rare / 2, 0.5 - rare / 2, rare])
    problem = LinearProblem(np.zeros((3, 1)), y, loss="log", n_outputs=3, weights=weights)
    look = make_risk(problem).look(np.zeros((3, 3)), np.zeros(3), 1e-15)
    assert_allclose(softmax(look.intercept), weights, rtol=1e-6)


@pytest.mark.parametrize("far", [50.0, 1e3, 1e6])
def test_log_and_softmax_far_from_zero_are_finite_and_agree(far):
    """Two classes of a softmax are a logit, also where an exponential would overflow."""
    y = np.array([0, 1, 0, 1])
    margins = far * np.array([1.0, 1.0, -1.0, -1.0])
    log = make_risk(LinearProblem(np.zeros((4, 1)), y, loss="log", fit_intercept=False))
    pair = make_risk(
        LinearProblem(np.zeros((4, 1)), y, loss="log", n_outputs=2, fit_intercept=False)
    )
    one = log.look(margins, 0.0)
    two = pair.look(np.column_stack([np.zeros(4), margins]), np.zeros(2))
    assert one.value == pytest.approx(0.5 * far, rel=1e-12)
    assert two.value == pytest.approx(one.value, rel=1e-12)
    assert_allclose(two.pull[:, 1], one.pull, atol=1e-15)
    for shrink in SHRINKS:
        assert np.isfinite(log.dual(one, shrink))
        assert pair.dual(two, shrink) == pytest.approx(log.dual(one, shrink), abs=1e-12)
