"""Penalties: proximal maps by brute force, optimality, conjugates by Fenchel and Young."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize

from skkd.penalties import L1, L2, Box, ElasticNet, GroupL1, NonNegative, Penalty

N = 6
STRENGTHS = np.array([0.0, 0.3, 1.0, 2.0, 0.3, 0.0])
SEPARABLE = {
    "l1": L1(0.7),
    "l1 by coordinate": L1(STRENGTHS),
    "l1 positive": L1(0.7, positive=True),
    "l1 positive by coordinate": L1(STRENGTHS, positive=True),
    "l2": L2(1.3),
    "l2 by coordinate": L2(STRENGTHS),
    "elastic net": ElasticNet(0.9, 0.4),
    "elastic net by coordinate": ElasticNet(STRENGTHS, 0.4),
    "elastic net positive": ElasticNet(0.9, 0.4, positive=True),
    "box": Box(-0.5, 1.0),
    "box by coordinate": Box([-1, 0, 0, 0.2, -2, 0], [1, 0, 0.5, 0.4, -1, 3]),
    "half-lines": Box([-math.inf] * 3 + [-1] * 3, [1] * 3 + [math.inf] * 3),
    "nonnegative": NonNegative(),
}
LABELS = ["b", "a", "b", "c", "a", "a"]
GROUPED = {
    "groups": GroupL1(0.6, LABELS),
    "groups weighted": GroupL1(0.6, LABELS, weights=[1.0, 0.0, 3.0]),
    "groups listed": GroupL1(0.6, [[0, 2], [5, 4, 1], [3]]),
}
ALL = SEPARABLE | GROUPED

separable = pytest.mark.parametrize("penalty", SEPARABLE.values(), ids=SEPARABLE)
grouped = pytest.mark.parametrize("penalty", GROUPED.values(), ids=GROUPED)
every = pytest.mark.parametrize("penalty", ALL.values(), ids=ALL)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def least_on_a_grid(function, center):
    """Minimiser of a convex function on the line; grids that close in, so no kink is missed."""
    low, high = center - 10.0, center + 10.0
    for _ in range(12):
        grid = np.union1d(np.linspace(low, high, 201), [x for x in (0.0,) if low <= x <= high])
        best = int(np.argmin([function(u) for u in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return grid[best]


@separable
def test_prox_is_the_minimiser_found_by_search(penalty, rng):
    block = rng.permutation(N)
    steps = rng.random(N) + 0.1
    v = 2.0 * rng.standard_normal(N)
    ours = penalty.prox(v, steps, block)
    for position, j in enumerate(block):

        def objective(u, position=position, j=j):
            value = penalty.coordinate_value(np.array([u]), np.array([j]))[0]
            return 0.5 * (u - v[position]) ** 2 + steps[position] * value

        if isinstance(penalty, Box) and np.all(penalty.lower == penalty.upper):
            continue
        feasible = objective(ours[position])
        assert feasible < math.inf
        found = least_on_a_grid(objective, ours[position])
        # The value is flat at its minimum: points are compared to the root of its accuracy.
        assert_allclose(ours[position], found, atol=1e-6)
        assert feasible <= objective(found) + 1e-12


@grouped
def test_prox_of_groups_is_the_minimiser_found_by_search(penalty, rng):
    v = 1.5 * rng.standard_normal(N)
    v[3] = 0.01
    ours = penalty.prox(v, 0.8)

    def objective(u):
        return 0.5 * np.sum((u - v) ** 2) + 0.8 * penalty.value(u)

    starts = [v, np.zeros(N), ours + 0.1 * rng.standard_normal(N)]
    found = min(
        (
            optimize.minimize(
                objective,
                start,
                method="Nelder-Mead",
                options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 20_000, "maxfev": 40_000},
            )
            for start in starts
        ),
        key=lambda result: result.fun,
    )
    assert objective(ours) <= found.fun + 1e-12
    assert_allclose(ours, found.x, atol=1e-5)
    for _ in range(200):
        assert objective(ours) <= objective(ours + 0.1 * rng.standard_normal(N))


@every
def test_prox_is_the_point_whose_subdifferential_holds_the_residual(penalty, rng):
    for step in (0.05, 1.0, 7.0):
        v = 3.0 * rng.standard_normal(N)
        u = penalty.prox(v, step)
        # 0 in u - v + step * dg(u): the gradient (u - v) / step has distance zero.
        assert_allclose(penalty.subdiff_distance(u, (u - v) / step), 0.0, atol=1e-12)


@every
def test_prox_of_a_block_is_a_part_of_the_whole(penalty, rng):
    v = 2.0 * rng.standard_normal(N)
    whole = penalty.prox(v, 0.5)
    for block in (np.array([1, 4, 5]), np.array([2, 3, 0]), np.array([4, 3, 5, 1])):
        # To the rounding of sums over a group in another order.
        assert_allclose(penalty.prox(v[block], 0.5, block), whole[block], rtol=1e-15)
        assert_allclose(
            penalty.prox(v[block], np.full(len(block), 0.5), block), whole[block], rtol=1e-14
        )


@every
def test_prox_never_expands(penalty, rng):
    for _ in range(50):
        u, v = 3 * rng.standard_normal((2, N))
        moved = np.linalg.norm(penalty.prox(u, 0.9) - penalty.prox(v, 0.9))
        assert moved <= np.linalg.norm(u - v) * (1 + 1e-14)


@separable
def test_value_is_the_sum_over_coordinates(penalty, rng):
    x = penalty.prox(rng.standard_normal(N), 0.2)
    values = penalty.coordinate_value(x)
    assert values.shape == (N,)
    assert_allclose(penalty.value(x), values.sum(), rtol=1e-14)
    block = np.array([3, 0])
    assert_array_equal(penalty.coordinate_value(x[block], block), values[block])
    assert isinstance(penalty.value(x), float)


@every
def test_values_of_blocks_add_up(penalty, rng):
    x = penalty.prox(rng.standard_normal(N), 0.2)
    blocks = [np.array([5, 1, 4]), np.array([2, 0]), np.array([3])]
    values = [penalty.block_value(x[block], block) for block in blocks]
    assert_allclose(sum(values), penalty.value(x), rtol=1e-14)
    assert all(isinstance(value, float) for value in values)


@separable
def test_pieces_are_the_penalty(penalty, rng):
    block = np.array([4, 0, 3])
    l1, l2, lower, upper = penalty.pieces(block)
    assert l1.shape == l2.shape == lower.shape == upper.shape == (3,)
    for _ in range(20):
        u = 2 * rng.standard_normal(3)
        expected = np.where((u < lower) | (u > upper), math.inf, l1 * np.abs(u) + 0.5 * l2 * u**2)
        assert_allclose(penalty.coordinate_value(u, block), expected, rtol=1e-14)
    l1[:] = lower[:] = 7.0  # the caller's own
    assert not np.any(penalty.pieces(block)[0] == 7.0)
    assert not np.any(penalty.pieces(block)[2] == 7.0)


def test_values_are_those_of_the_formulas(rng):
    x = rng.standard_normal(N)
    one, two = np.abs(x).sum(), 0.5 * x @ x
    assert_allclose(L1(0.7).value(x), 0.7 * one)
    assert_allclose(L2(0.7).value(x), 0.7 * two)
    assert_allclose(ElasticNet(0.7, 0.2).value(x), 0.7 * (0.2 * one + 0.8 * two))
    groups = np.sqrt(2) * np.hypot(x[0], x[2]) + np.sqrt(3) * np.linalg.norm(x[[1, 4, 5]])
    assert_allclose(GROUPED["groups"].value(x), 0.6 * (groups + abs(x[3])))
    assert L1(1.0, positive=True).value(np.array([1.0, -1e-300])) == math.inf
    assert NonNegative().value(np.array([1.0, -1e-300])) == math.inf
    assert NonNegative().value(np.array([1.0, 0.0])) == 0.0


@every
def test_subdiff_distance_is_zero_exactly_at_the_minimum(penalty, rng):
    # A strongly convex quadratic plus the penalty, minimised by proximal gradient.
    B = rng.standard_normal((12, N))
    H, c = B.T @ B, 4 * rng.standard_normal(N)
    step = 1 / np.linalg.eigvalsh(H)[-1]
    x = penalty.prox(np.zeros(N), step)
    assert penalty.subdiff_distance(x, H @ x - c).max() > 1e-2
    for _ in range(5000):
        x = penalty.prox(x - step * (H @ x - c), step)
    assert_allclose(penalty.subdiff_distance(x, H @ x - c), 0.0, atol=1e-10)

    def objective(u):
        return 0.5 * u @ H @ u - c @ u + penalty.value(u)

    for _ in range(300):
        trial = penalty.prox(x + 0.1 * rng.standard_normal(N), 1e-9)
        assert objective(trial) >= objective(x) - 1e-9


@separable
def test_subdiff_distance_is_the_distance_to_an_interval(penalty, rng):
    # The subdifferential of a function of one variable lies between its one-sided slopes.
    h = 1e-7
    for _ in range(20):
        x = penalty.prox(1.5 * rng.standard_normal(N), 0.5)
        G = 2 * rng.standard_normal(N)
        here = penalty.coordinate_value(x)
        with np.errstate(invalid="ignore"):
            left = (here - penalty.coordinate_value(x - h)) / h
            right = (penalty.coordinate_value(x + h) - here) / h
        expected = np.maximum(0, np.maximum(left + G, -G - right))
        assert_allclose(penalty.subdiff_distance(x, G), expected, atol=1e-6)


@grouped
def test_subdiff_distance_of_groups_is_that_of_the_members(penalty, rng):
    x = np.array([0.0, 1.0, 0.0, 0.0, 2.0, -2.0])
    G = rng.standard_normal(N)
    distance = penalty.subdiff_distance(x, G)
    for group, weight in zip(penalty.groups, penalty.weights, strict=True):
        size = np.linalg.norm(x[group])
        if size:
            slope = G[group] + 0.6 * weight * x[group] / size
            assert_allclose(distance[group], np.linalg.norm(slope))
        else:
            excess = max(np.linalg.norm(G[group]) - 0.6 * weight, 0.0)
            assert_allclose(distance[group], excess)


@pytest.mark.parametrize(
    "penalty", [L1(0.1, positive=True), NonNegative(), ElasticNet(1.0, 0.5, positive=True)]
)
def test_a_broken_constraint_is_infinitely_far(penalty):
    distance = penalty.subdiff_distance(np.array([-1.0, 0.0]), np.array([1.0, 1.0]))
    assert_array_equal(distance, [math.inf, 0.0])


@every
def test_conjugate_obeys_fenchel_and_young(penalty, rng):
    for _ in range(200):
        x = penalty.prox(3 * rng.standard_normal(N), rng.random())
        u = rng.standard_normal(N)
        assert penalty.value(x) + penalty.conjugate(u) >= x @ u - 1e-12
    # Equality exactly for subgradients, of which a proximal step gives one.
    for step in (0.2, 2.0):
        v = 3 * rng.standard_normal(N)
        x = penalty.prox(v, step)
        u = (v - x) / step
        assert_allclose(penalty.value(x) + penalty.conjugate(u), x @ u, atol=1e-11)


@every
def test_dual_norm_scales_into_the_domain(penalty, rng):
    for _ in range(50):
        u = 3 * rng.standard_normal(N)
        scale = penalty.dual_norm(u)
        assert scale >= 0
        if scale == math.inf:  # no scaling helps
            assert penalty.conjugate(1e-9 * u) == math.inf
        elif scale == 0:
            assert penalty.conjugate(1e9 * u) < math.inf
        else:
            assert penalty.conjugate(u / scale) < math.inf
            assert penalty.conjugate(1.001 * u / scale) == math.inf


def test_dual_norms_are_those_of_the_formulas():
    u = np.array([3.0, -4.0])
    assert L1(0.5).dual_norm(u) == 8.0
    assert L1(0.5, positive=True).dual_norm(u) == 6.0
    assert GroupL1(0.5, [0, 0], weights=[2.0]).dual_norm(u) == 5.0
    assert ElasticNet(0.5, 0.5).dual_norm(u) == 0.0
    assert NonNegative().dual_norm(u) == math.inf
    assert NonNegative().dual_norm(-np.abs(u)) == 0.0
    assert L1([0.0, 1.0]).dual_norm(np.array([0.0, 2.0])) == 2.0
    assert L1([0.0, 1.0]).dual_norm(u) == math.inf


def test_support_is_where_the_penalty_is_smooth():
    x = np.array([0.0, 1.0, -2.0])
    assert_array_equal(L1(1.0).support(x), [False, True, True])
    assert_array_equal(L1([0.0, 1.0, 1.0]).support(x), [True, True, True])
    assert_array_equal(L1(0.0, positive=True).support(np.abs(x)), [False, True, True])
    assert_array_equal(ElasticNet(1.0, 0.1).support(x), [False, True, True])
    assert_array_equal(L2(1.0).support(x), [True, True, True])
    assert_array_equal(Box(-2.0, 1.0).support(x), [True, False, False])
    assert_array_equal(NonNegative().support(np.abs(x)), [False, True, True])
    assert_array_equal(GroupL1(1.0, [0, 0, 1]).support(x), [True, True, True])
    assert_array_equal(GroupL1(1.0, [0, 1, 1]).support(x), [False, True, True])
    free = GroupL1(1.0, [0, 1, 1], weights=[0.0, 1.0])
    assert_array_equal(free.support(np.zeros(3)), [True, False, False])


def test_a_prox_gives_exact_zeros_without_a_sign():
    u = L1(1.0).prox(np.array([-0.5, 0.5, -0.0]), 1.0)
    assert_array_equal(np.signbit(u), [False] * 3)
    assert_array_equal(u, 0.0)


def test_groups_may_be_labels_or_lists():
    labelled, listed = GROUPED["groups"], GROUPED["groups listed"]
    assert [group.tolist() for group in labelled.groups] == [[1, 4, 5], [0, 2], [3]]
    assert [group.tolist() for group in listed.groups] == [[0, 2], [5, 4, 1], [3]]
    x = np.arange(N) - 2.5
    assert_allclose(labelled.value(x), listed.value(x), rtol=1e-15)
    assert_allclose(labelled.prox(x, 0.4), listed.prox(x, 0.4), rtol=1e-14)
    assert_allclose(labelled.weights, np.sqrt([3, 2, 1]))


def test_groups_of_one_are_the_l1_penalty(rng):
    singles, l1 = GroupL1(0.4, np.arange(N)), L1(0.4)
    x, G = rng.standard_normal((2, N))
    assert_allclose(singles.prox(x, 0.5), l1.prox(x, 0.5), rtol=1e-12)
    assert_allclose(singles.subdiff_distance(x, G), l1.subdiff_distance(x, G), rtol=1e-12)
    assert_allclose(singles.value(x), l1.value(x), rtol=1e-12)


@pytest.mark.parametrize("size", [1e-180, 1e180])
def test_groups_of_extreme_size_keep_their_direction(size):
    penalty = GroupL1(size, [0, 0], weights=[1.0])
    x = size * np.array([3.0, 4.0])
    assert_allclose(penalty.prox(x, 1.0), size * np.array([2.4, 3.2]), rtol=1e-14)
    assert_allclose(penalty.subdiff_distance(x, -x / 5), 0.0, atol=1e-15 * size)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: L1(-1.0), "alpha must be finite and at least 0, got -1.0"),
        (lambda: L1(math.nan), "alpha must be finite"),
        (lambda: L1(np.ones((2, 2))), r"alpha has shape \(2, 2\)"),
        (lambda: ElasticNet(1.0, 1.5), "l1_ratio is 1.5.*between 0 and 1"),
        (lambda: ElasticNet(1.0, None), "l1_ratio is None"),
        (lambda: Box(1.0, 0.0), "above its upper bound"),
        (lambda: Box(math.nan, 0.0), "NaN"),
        (lambda: Box(math.inf, math.inf), "above its upper bound"),
        (lambda: Box(-math.inf, -math.inf), "minus infinity"),
        (lambda: GroupL1([1.0, 2.0], [0, 1]), "one number.*weights"),
        (lambda: GroupL1(1.0, [[0, 1], [1, 2]]), "exactly once"),
        (lambda: GroupL1(1.0, [[0, 1], [3]]), "exactly once"),
        (lambda: GroupL1(1.0, [[0, 1], []]), "none may be empty"),
        (lambda: GroupL1(1.0, []), "one label for each coordinate"),
        (lambda: GroupL1(1.0, [0, 1], weights=[1.0]), "there are 2 groups"),
        (lambda: GroupL1(1.0, [0, 1], weights=[1.0, -1.0]), "weights must be finite"),
        (lambda: GROUPED["groups"].prox(np.ones(2), 1.0, np.array([0, 1])), "a part of a group"),
        (
            lambda: GROUPED["groups"].prox(np.ones(2), np.array([1.0, 2.0]), np.array([0, 2])),
            "step differs within a group",
        ),
    ],
)
def test_bad_input_is_refused_with_a_remedy(make, complaint):
    with pytest.raises(ValueError, match=f"(?s){complaint}"):
        make()


def test_values_of_single_coordinates_do_not_exist_for_groups():
    assert not GROUPED["groups"].is_separable
    assert not hasattr(GROUPED["groups"], "pieces")
    with pytest.raises(NotImplementedError, match="GroupL1 has no values of single coordinates"):
        GROUPED["groups"].coordinate_value(np.ones(1), np.array([0]))


def test_what_a_penalty_leaves_out_is_named():
    class Nothing(Penalty):
        pass

    for name, count in {"prox": 2, "subdiff_distance": 2, "support": 1, "conjugate": 1}.items():
        with pytest.raises(NotImplementedError, match=f"Nothing defines no {name}"):
            getattr(Nothing(), name)(*[np.zeros(1)] * count)


def test_arrays_of_devices_are_refused():
    torch = pytest.importorskip("torch")
    for make in (L1, L2, NonNegativeUpTo, GroupsOf):
        with pytest.raises(TypeError, match=r"(?s)array of torch.*NumPy.*\.cpu\(\)\.numpy\(\)"):
            make(torch.ones(3))


def NonNegativeUpTo(upper):
    return Box(0.0, upper)


def GroupsOf(labels):
    return GroupL1(1.0, labels)
