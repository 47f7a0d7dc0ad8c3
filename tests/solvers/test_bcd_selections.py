"""Partitions and selections: each chooses what its formula says."""

from itertools import islice

import numpy as np
import pytest

from skkd.objectives import GraphQuadratic, LeastSquares
from skkd.solvers import block_coordinate_descent
from skkd.solvers._bcd._partitions import average_order
from skkd.solvers._bcd._selections import top

from ._bcd_problems import datafit, lattice, penalty


def first_block(f, g=None, x0=None, *, update=None, **rules):
    rules = {"update": update or ("gradient" if g is None else "prox-gradient"), **rules}
    return next(islice(block_coordinate_descent(f, g, x0, **rules), 1, None)).block


def blocks_of(count, f, g=None, **rules):
    return [it.block for it in islice(block_coordinate_descent(f, g, **rules), 1, count + 1)]


@pytest.fixture
def point():
    f = datafit("least squares")
    x = 0.3 * np.random.default_rng(11).standard_normal(f.n_variables)
    return f, x, f.gradient(x)


BLOCKS = [np.array([0, 5, 7]), np.array([1, 2, 3]), np.array([4, 6, 8]), np.array([9, 10, 11])]


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("rule", ["gs", "gsl", "gsd", "gsq"])
@pytest.mark.parametrize("seed", range(5))
def test_fixed_blocks_are_scored_by_their_formulas(rule, norm, seed):
    f = datafit("logistic")
    x = np.random.default_rng(seed).standard_normal(f.n_variables)
    G, L = f.gradient(x), f.lipschitz()

    def score(b):
        constant = f.block_lipschitz(b)
        if rule == "gsq":
            return G[b] @ np.linalg.solve(f.hessian_bound(b), G[b])
        if norm == "l2":
            return np.sum(G[b] ** 2 / {"gs": 1.0, "gsl": constant, "gsd": L[b]}[rule])
        return np.sum(np.abs(G[b]) / np.sqrt({"gs": 1.0, "gsl": constant, "gsd": L[b]}[rule]))

    best = BLOCKS[int(np.argmax([score(b) for b in BLOCKS]))]
    chosen = first_block(f, None, x, partition=BLOCKS, selection=rule, score_norm=norm)
    np.testing.assert_array_equal(chosen, best)


@pytest.mark.parametrize("rule", ["gs", "gsd", "gsd-h"])
def test_variable_blocks_take_the_largest_scores(rule, point):
    f, x, G = point
    divisors = {
        "gs": 1.0,
        "gsd": f.lipschitz(),
        "gsd-h": np.abs(f.hessian_bound(np.arange(12))).sum(1),
    }
    scores = np.abs(G) / np.sqrt(divisors[rule])
    chosen = first_block(f, None, x, selection=rule, block_size=5)
    np.testing.assert_array_equal(chosen, np.sort(np.argsort(-scores)[:5]))


def test_the_best_scores_with_ties_to_the_lowest_index():
    scores = np.array([1.0, 3.0, 2.0, 3.0, 2.0, 2.0])
    np.testing.assert_array_equal(top(scores, 3), [1, 2, 3])
    np.testing.assert_array_equal(top(scores, 4), [1, 2, 3, 4])
    np.testing.assert_array_equal(top(np.zeros(5), 2), [0, 1])
    np.testing.assert_array_equal(top(scores, 9), np.arange(6))


def test_equal_blocks_go_to_the_first():
    f = LeastSquares(np.eye(6), np.ones(6))
    chosen = first_block(f, partition=[[4, 5], [0, 1], [2, 3]], selection="gs")
    np.testing.assert_array_equal(chosen, [4, 5])


@pytest.mark.parametrize("seed", range(5))
def test_hard_thresholding_promises_no_less_than_the_diagonal_rule(seed):
    f = datafit("least squares", seed)
    x = np.random.default_rng(seed).standard_normal(f.n_variables)
    G = f.gradient(x)

    def promise(b):
        return G[b] @ np.linalg.solve(f.hessian_bound(b), G[b])

    found = first_block(f, None, x, selection="iht", block_size=4)
    simple = first_block(f, None, x, selection="gsd", block_size=4)
    assert promise(found) >= promise(simple) * (1 - 1e-12)
    assert len(found) == 4


@pytest.mark.parametrize("rule", ["gs-q", "gs-r", "gs-s"])
@pytest.mark.parametrize("kind", ["l1", "elastic net", "nonnegative", "box"])
@pytest.mark.parametrize("fixed", [False, True])
def test_scores_of_separable_penalties(rule, kind, fixed):
    f = datafit("least squares")
    g = penalty(kind, f.n_variables, 5.0)
    everything = np.arange(f.n_variables)
    x = g.prox(np.random.default_rng(3).standard_normal(f.n_variables), 0.1, everything)
    G, L = f.gradient(x), f.lipschitz()
    u = g.prox(x - G / L, 1 / L, everything)
    change = g.coordinate_value(u, everything) - g.coordinate_value(x, everything)
    scores = {
        "gs-q": -(G * (u - x) + 0.5 * L * (u - x) ** 2 + change),
        "gs-r": np.abs(u - x),
        "gs-s": g.subdiff_distance(x, G),
    }[rule]
    assert np.all(scores >= -1e-9)
    if fixed:
        sums = [np.sum(scores[b] if rule == "gs-q" else scores[b] ** 2) for b in BLOCKS]
        expected = BLOCKS[int(np.argmax(sums))]
        chosen = first_block(f, g, x, partition=BLOCKS, selection=rule)
    else:
        expected = np.sort(np.argsort(-scores, kind="stable")[:4])
        chosen = first_block(f, g, x, selection=rule, block_size=4)
    np.testing.assert_array_equal(chosen, expected)


@pytest.mark.parametrize("rule", ["gs-q", "gs-r", "gs-s"])
def test_scores_of_groups(rule):
    f = datafit("least squares")
    g = penalty("group l1", f.n_variables, 3.0)
    x = np.random.default_rng(4).standard_normal(f.n_variables)
    x[g.groups[1]] = 0.0
    G = f.gradient(x)
    scores = []
    for group in g.groups:
        L = f.block_lipschitz(group)
        trial = x.copy()
        trial[group] = g.prox(x[group] - G[group] / L, 1 / L, group)
        d = (trial - x)[group]
        decrease = -(G[group] @ d + 0.5 * L * d @ d + g.value(trial) - g.value(x))
        distance = np.max(np.asarray(g.subdiff_distance(x, G))[group])
        scores.append({"gs-q": decrease, "gs-r": np.linalg.norm(d), "gs-s": distance}[rule])
    chosen = first_block(f, g, x, partition=g.groups, selection=rule)
    np.testing.assert_array_equal(chosen, g.groups[int(np.argmax(scores))])


def test_the_adaptive_update_lends_its_estimates_to_gsl():
    f = LeastSquares(np.diag([10.0, 1.0, 1.0, 1.0]), np.array([1.0, 3.0, 2.0, 2.5]))
    rules = {"partition": [[0], [1], [2], [3]], "selection": "gsl"}
    assert blocks_of(1, f, update="gradient", **rules)[0] == [1]
    # All estimates are one at first: the largest entry of the gradient wins.
    sequence = blocks_of(6, f, update="adaptive", **rules)
    assert [int(b[0]) for b in sequence[:3]] == [0, 1, 3]


@pytest.mark.parametrize("n", [5, 6])
def test_average_order_alternates_between_the_ends(n):
    scores = np.arange(n)[::-1].astype(float)
    expected = {5: [4, 0, 3, 1, 2], 6: [5, 0, 4, 1, 3, 2]}[n]
    np.testing.assert_array_equal(average_order(scores), expected)


@pytest.mark.parametrize("partition", ["order", "random", "sort", "average", "hsort", "haverage"])
def test_named_partitions_cover_every_variable_once(partition):
    f = datafit("least squares")
    blocks = blocks_of(3, f, partition=partition, selection="cyclic", block_size=5, random_state=0)
    assert [len(b) for b in blocks] == [5, 5, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate(blocks)), np.arange(12))
    constants = f.bound_row_sums() if partition.startswith("h") else f.lipschitz()
    if partition.endswith("sort"):
        assert np.all(np.diff(constants[np.concatenate(blocks)]) >= 0)


def test_equal_constants_keep_their_order():
    f = LeastSquares(np.eye(6), np.ones(6))
    blocks = blocks_of(3, f, partition="sort", selection="cyclic", block_size=2)
    np.testing.assert_array_equal(np.concatenate(blocks), np.arange(6))


def test_labels_and_lists_are_partitions():
    f = datafit("least squares")
    labels = np.arange(12) % 3
    by_label = blocks_of(3, f, partition=labels, selection="cyclic")
    by_list = blocks_of(
        3, f, partition=[np.flatnonzero(labels == k) for k in range(3)], selection="cyclic"
    )
    np.testing.assert_array_equal(by_label, by_list)
    np.testing.assert_array_equal(
        by_label, blocks_of(3, f, partition=labels.tolist(), selection="cyclic")
    )


def test_permutations_are_drawn_anew_when_they_are_used_up():
    f = datafit("least squares")
    blocks = blocks_of(6, f, selection="perm", block_size=5, random_state=0)
    assert [len(b) for b in blocks] == [5, 5, 2] * 2
    for half in (blocks[:3], blocks[3:]):
        np.testing.assert_array_equal(np.sort(np.concatenate(half)), np.arange(12))
    assert not np.array_equal(np.concatenate(blocks[:3]), np.concatenate(blocks[3:]))
    cyclic = blocks_of(6, f, selection="cyclic", block_size=5, random_state=0)
    assert all(np.array_equal(a, b) for a, b in zip(blocks, cyclic, strict=True))


@pytest.mark.parametrize("fixed", [False, True])
def test_lipschitz_sampling_follows_the_constants(fixed):
    scales = np.sqrt([1.0, 2.0, 3.0, 10.0, 0.0])
    f = LeastSquares(np.diag(scales), np.ones(5))
    partition = [[i] for i in range(5)] if fixed else "variable"
    blocks = blocks_of(
        4000, f, partition=partition, selection="lipschitz", block_size=1, random_state=1
    )
    shares = np.bincount(np.concatenate(blocks), minlength=5) / 4000
    expected = scales**2 / np.sum(scales**2)
    assert np.all(np.abs(shares - expected) <= 4 * np.sqrt(expected * (1 - expected) / 4000))


@pytest.mark.parametrize("partition", ["variable", "sort"])
def test_uniform_sampling_is_uniform(partition):
    f = datafit("least squares")
    blocks = blocks_of(
        3000, f, partition=partition, selection="random", block_size=3, random_state=2
    )
    assert all(len(np.unique(b)) == 3 for b in blocks)
    counts = np.bincount(np.concatenate(blocks), minlength=12)
    assert np.all(np.abs(counts / 3000 - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 3000))


@pytest.mark.parametrize("rule", ["tree-gs", "tree-gsl", "tree-gsd", "tree-random"])
def test_tree_rules_choose_maximal_forests_by_score(rule):
    from skkd.solvers._bcd._forests import greedy_forest, is_forest

    matrix, right, _ = lattice()
    f = GraphQuadratic(matrix, right)
    x = np.random.default_rng(0).standard_normal(f.n_variables)
    G = np.abs(f.gradient(x))
    block = first_block(f, None, x, selection=rule, update="exact", random_state=0)
    assert is_forest(matrix, block)
    for other in np.setdiff1d(np.arange(f.n_variables), block):
        assert not is_forest(matrix, np.append(block, other))
    if rule != "tree-random":
        rows = np.asarray(abs(matrix).sum(axis=1)).ravel()
        divisor = {"tree-gs": 1.0, "tree-gsl": matrix.diagonal(), "tree-gsd": rows}[rule]
        order = np.argsort(-G / np.sqrt(divisor), kind="stable")
        np.testing.assert_array_equal(block, greedy_forest(matrix, order))


@pytest.mark.parametrize("partition", ["red-black", "tree"])
def test_graph_partitions_solve_their_blocks_exactly(partition):
    matrix, right, _ = lattice()
    f = GraphQuadratic(matrix, right, l2=0.01)
    iterates = block_coordinate_descent(f, partition=partition, selection="cyclic")
    for iterate in islice(iterates, 1, 6):
        left = f.gradient(iterate.params)[iterate.block]
        assert np.max(np.abs(left)) <= 1e-12 * np.max(np.abs(right))


def test_large_blocks_with_cycles_are_solved_too():
    matrix, right, _ = lattice(26, 22)
    f = GraphQuadratic(matrix, right)
    (_, last) = block_coordinate_descent(f, selection=[np.arange(f.n_variables)], update="exact")
    assert np.max(np.abs(f.gradient(last.params))) <= 1e-10 * np.max(np.abs(right))


def test_block_size_follows_the_support():
    f = datafit("least squares")
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 80))
    f = LeastSquares(A, A[:, :9] @ np.ones(9))
    sizes = []
    for it in islice(block_coordinate_descent(f, penalty("l1", 80, 2.0), block_size="auto"), 1, 8):
        sizes.append((len(it.block), len(it.support)))
    assert sizes[0][0] == 10
    for (_, support), (size, _) in zip(sizes[:-1], sizes[1:], strict=True):
        assert size == max(10, 2 * support)
