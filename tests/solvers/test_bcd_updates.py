"""Each update lowers the objective by as much as its guarantee says, on every problem."""

import numpy as np
import pytest

from skkd.solvers import block_coordinate_descent

from ._bcd_problems import QUADRATIC, SEPARABLE, SMOOTH, datafit, penalty

STEPS = 25


def random_blocks(n_variables, rng, size=4):
    while True:
        yield rng.choice(n_variables, size, replace=False)


def steps(f, g, update, rng, blocks=None, count=STEPS, **options):
    """``(x before, x after, block)`` of updates of random blocks from a random point."""
    blocks = blocks or random_blocks(f.n_variables, rng)
    sequence = [next(blocks) for _ in range(count)]
    x0 = 0.1 * rng.standard_normal(f.n_variables)
    if g is not None:
        x0 = g.prox(x0, 1e-3, np.arange(f.n_variables))
    iterates = block_coordinate_descent(f, g, x0, selection=sequence, update=update, **options)
    points = [iterate.params for iterate in iterates]
    return list(zip(points[:-1], points[1:], sequence, strict=True))


def guaranteed(update, f, x, after, block):
    """Decrease that the update promises."""
    G = f.gradient(x)[block]
    if update == "gradient":
        return G @ G / (2 * f.block_lipschitz(block))
    if update == "bound":
        return 0.5 * G @ np.linalg.pinv(f.hessian_bound(block), hermitian=True, rcond=1e-12) @ G
    if update == "cubic":
        return f.third_order(block) / 12 * np.linalg.norm((after - x)[block]) ** 3
    return 0.0


@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("update", ["gradient", "bound", "adaptive", "newton", "cubic", "exact"])
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_updates_keep_their_promise(name, update, l2):
    if (update == "exact" and name not in QUADRATIC) or (
        update == "cubic" and name == "squared hinge"
    ):
        pytest.skip("the rule does not apply to this function")
    rng = np.random.default_rng(1)
    f = datafit(name, l2=l2)
    moved = 0
    for x, after, block in steps(f, None, update, rng):
        start, end = f.value(x), f.value(after)
        rounding = 1e-12 * max(abs(start), abs(f.value(np.zeros_like(x))))
        assert end <= start - guaranteed(update, f, x, after, block) + rounding
        untouched = np.setdiff1d(np.arange(len(x)), block)
        np.testing.assert_array_equal(after[untouched], x[untouched])
        moved += end < start
    assert moved > STEPS // 2


@pytest.mark.parametrize("update", ["bound", "newton", "exact"])
@pytest.mark.parametrize("name", QUADRATIC)
def test_matrix_updates_minimise_a_quadratic_over_the_block(name, update):
    rng = np.random.default_rng(2)
    f = datafit(name, l2=0.1)
    for x, after, block in steps(f, None, update, rng):
        before, left = f.gradient(x)[block], f.gradient(after)[block]
        assert np.linalg.norm(left) <= 1e-11 * np.linalg.norm(f.gradient(x))
        decrease = 0.5 * before @ np.linalg.solve(f.hessian_bound(block), before)
        assert f.value(x) - f.value(after) == pytest.approx(decrease, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("shrink", [1.0, 0.9])
def test_adaptive_estimates_stay_below_twice_the_constant(shrink):
    rng = np.random.default_rng(3)
    f = datafit("logistic")
    blocks = random_blocks(f.n_variables, rng)
    for x, after, block in steps(f, None, "adaptive", rng, blocks, adaptive_shrink=shrink):
        G = f.gradient(x)[block]
        constant = np.linalg.norm(G) / np.linalg.norm((after - x)[block])
        assert f.value(after) <= f.value(x) - G @ G / (2 * constant) + 1e-12 * f.value(x)
        assert constant <= 2 * max(f.lipschitz().sum(), 1.0)


def proximal_decrease(f, g, x, block):
    """Decrease of the model that a proximal step with the block's constant promises."""
    G, constant = f.gradient(x)[block], f.block_lipschitz(block)
    target = g.prox(x[block] - G / constant, 1 / constant, block)
    trial = x.copy()
    trial[block] = target
    d = target - x[block]
    return -(G @ d + 0.5 * constant * d @ d + g.value(trial) - g.value(x))


@pytest.mark.parametrize("update", ["prox-gradient", "prox-newton", "two-metric"])
@pytest.mark.parametrize("kind", SEPARABLE)
@pytest.mark.parametrize("name", SMOOTH)
def test_updates_with_a_separable_penalty_decrease_the_objective(name, kind, update):
    rng = np.random.default_rng(4)
    f = datafit(name, l2=0.1)
    g = penalty(kind, f.n_variables)
    moved = 0
    for x, after, block in steps(f, g, update, rng):
        start, end = f.value(x) + g.value(x), f.value(after) + g.value(after)
        promise = 0.0
        if update == "prox-gradient" or (update == "prox-newton" and f.quadratic):
            promise = proximal_decrease(f, g, x, block)
        assert np.isfinite(end)
        assert end <= start - promise + 1e-12 * max(abs(start), 1.0)
        moved += end < start
    assert moved >= 1


@pytest.mark.parametrize("update", ["prox-gradient", "prox-newton"])
@pytest.mark.parametrize("name", ["least squares", "logistic", "softmax"])
def test_updates_with_groups_decrease_the_objective(name, update):
    rng = np.random.default_rng(5)
    f = datafit(name)
    g = penalty("group l1", f.n_variables)
    pairs = ([*g.groups[i], *g.groups[i + 1]] for i in [0, 2, 0, 1, 2] * 5)
    for x, after, block in steps(f, g, update, rng, pairs):
        start, end = f.value(x) + g.value(x), f.value(after) + g.value(after)
        promise = proximal_decrease(f, g, x, np.array(block)) if f.quadratic else 0.0
        assert end <= start - promise + 1e-12 * start


@pytest.mark.parametrize("kind", SEPARABLE)
def test_prox_newton_minimises_a_quadratic_over_the_block(kind):
    rng = np.random.default_rng(6)
    f = datafit("least squares", l2=0.1)
    g = penalty(kind, f.n_variables)
    for _, after, block in steps(f, g, "prox-newton", rng):
        distance = np.asarray(g.subdiff_distance(after, f.gradient(after)))[block]
        assert np.max(distance) <= 1e-9 * np.max(np.abs(f.gradient(0 * after)))


@pytest.mark.parametrize("update", ["gradient", "bound", "adaptive", "newton", "cubic"])
def test_zero_columns_stay_where_they_are(update):
    from skkd.objectives import LeastSquares

    rng = np.random.default_rng(7)
    A = rng.standard_normal((20, 6))
    A[:, [1, 4]] = 0.0
    f = LeastSquares(A, rng.standard_normal(20))
    x0 = rng.standard_normal(6)
    blocks = [np.array([0, 1]), np.array([1, 4]), np.arange(6)]
    *_, last = block_coordinate_descent(f, None, x0, selection=blocks, update=update)
    np.testing.assert_array_equal(last.params[[1, 4]], x0[[1, 4]])
    assert np.all(np.isfinite(last.params))


@pytest.mark.parametrize("update", ["prox-gradient", "prox-newton", "two-metric"])
def test_zero_columns_go_where_the_penalty_sends_them(update):
    from skkd.objectives import LeastSquares
    from skkd.penalties import L1
    from skkd.solvers import minimize_bcd

    rng = np.random.default_rng(8)
    A = rng.standard_normal((20, 6))
    A[:, 4] = 0.0
    f = LeastSquares(A, rng.standard_normal(20))
    x0 = np.ones(6)
    result = minimize_bcd(f, L1(0.5), x0, update=update, block_size=6, max_iter=5000, tol=1e-9)
    assert result.success
    assert result.x[4] == 0.0


def test_bounds_are_met_exactly():
    from skkd.objectives import LeastSquares
    from skkd.penalties import Box
    from skkd.solvers import minimize_bcd

    rng = np.random.default_rng(9)
    A = rng.standard_normal((30, 10))
    f = LeastSquares(A, 5 * A.sum(axis=1))
    for update in ("prox-gradient", "prox-newton", "two-metric"):
        result = minimize_bcd(f, Box(0.1, 0.7), update=update, block_size=3, max_iter=5000)
        assert result.success
        np.testing.assert_array_equal(result.x, 0.7)
