"""Message passing on forests, and the partitions of graphs that it is used with."""

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from skkd.solvers._bcd._forest_descent import SELECTIONS, forest_descent
from skkd.solvers._bcd._forests import ForestFactor, greedy_forest, is_forest, solve_forest
from skkd.solvers._bcd._graphs import (
    forest_partition,
    lattice_combs,
    lattice_red_black,
    red_black_partition,
)


def weighted(edges, n, weights=None, dtype=np.float64):
    """Symmetric weights of a graph given by pairs of nodes."""
    edges = np.array(edges, dtype=int).reshape(-1, 2)
    weights = np.ones(len(edges)) if weights is None else np.asarray(weights)
    W = sp.coo_array((weights, (edges[:, 0], edges[:, 1])), shape=(n, n)).tocsr()
    return sp.csr_array(W + W.T, dtype=dtype)


def grounded(W, slack):
    """The Laplacian of the weights with a slack on the diagonal."""
    return sp.csr_array(sp.diags_array(np.asarray(W.sum(axis=1)).ravel() + slack) - W)


def random_tree(n, rng):
    return [(i, int(rng.integers(i))) for i in range(1, n)]


def random_forest(n, n_trees, rng):
    """Trees on scattered nodes; some may be single nodes."""
    names = rng.permutation(n)
    starts = np.r_[0, np.sort(rng.choice(np.arange(1, n), n_trees - 1, replace=False))]
    edges = []
    for i in range(n):
        first = starts[starts <= i][-1]
        if i > first:
            edges.append((names[i], names[rng.integers(first, i)]))
    return edges


def comb(n_teeth, length):
    """A spine with teeth."""
    spine = [(i, i + 1) for i in range(n_teeth - 1)]
    teeth = []
    for tooth in range(n_teeth):
        nodes = [tooth, *(n_teeth + tooth * length + np.arange(length))]
        teeth += list(zip(nodes[:-1], nodes[1:], strict=True))
    return spine + teeth, n_teeth * (length + 1)


def lattice(n_rows, n_columns):
    """Weights 1 between the neighbours of a lattice, numbered down its columns."""

    def path(n):
        return sp.diags_array([np.ones(n - 1), np.ones(n - 1)], offsets=[-1, 1], shape=(n, n))

    W = sp.csr_array(
        sp.kron(sp.eye_array(n_columns), path(n_rows))
        + sp.kron(path(n_columns), sp.eye_array(n_rows))
    )
    W.eliminate_zeros()
    return W


def random_graph(n, n_edges, rng):
    pairs = rng.integers(n, size=(n_edges, 2))
    W = weighted(pairs[pairs[:, 0] != pairs[:, 1]], n)
    W.data[:] = 1.0
    return W


def n_edges(W, block):
    return W[block][:, block].nnz // 2


def n_components(W, block):
    return connected_components(W[block][:, block], directed=False)[0]


FORESTS = {
    "path": lambda rng: ([(i, i + 1) for i in range(39)], 40),
    "star": lambda rng: ([(0, i) for i in range(1, 40)], 40),
    "tree": lambda rng: (random_tree(80, rng), 80),
    "comb": lambda rng: comb(8, 7),
    "forest": lambda rng: (random_forest(90, 13, rng), 90),
    "single nodes": lambda rng: ([], 7),
    "one node": lambda rng: ([], 1),
    "one edge": lambda rng: ([(1, 0)], 2),
}


class TestSolve:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("name", FORESTS)
    def test_equals_a_dense_solve(self, name, seed):
        rng = np.random.default_rng(seed)
        edges, n = FORESTS[name](rng)
        # Entries of both signs: the matrix need not be a Laplacian.
        W = weighted(edges, n, rng.uniform(-1, 1, len(edges)))
        A = sp.csr_array(sp.diags_array(abs(W).sum(axis=1) + rng.uniform(0.5, 1.5, n)) + W)
        rhs = rng.standard_normal((n, 3))
        block = rng.permutation(n)
        expected = np.linalg.solve(A.toarray()[np.ix_(block, block)], rhs)
        assert np.abs(solve_forest(A, block, rhs) - expected).max() <= 1e-12
        assert np.abs(solve_forest(A, block, rhs[:, 1]) - expected[:, 1]).max() <= 1e-12

    @pytest.mark.parametrize("seed", range(5))
    def test_a_block_of_a_larger_graph(self, seed):
        rng = np.random.default_rng(seed)
        W = random_graph(60, 120, rng)
        A = grounded(W, 0.1)
        block = greedy_forest(W, rng.permutation(60))
        rhs = rng.standard_normal(len(block))
        expected = np.linalg.solve(A.toarray()[np.ix_(block, block)], rhs)
        assert np.abs(solve_forest(A, block, rhs) - expected).max() <= 1e-12 * abs(expected).max()

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("name", ["path", "tree", "comb", "forest"])
    def test_weights_that_span_ten_decades(self, name, seed):
        """The residual stays at rounding, whatever the condition number."""
        rng = np.random.default_rng(seed)
        edges, n = FORESTS[name](rng)
        W = weighted(edges, n, 10.0 ** rng.uniform(-5, 5, len(edges)))
        A = grounded(W, 10.0 ** rng.uniform(-5, 5, n))
        rhs = rng.standard_normal(n)
        x = solve_forest(A, np.arange(n), rhs)
        scale = abs(A) @ np.abs(x) + np.abs(rhs)
        assert (np.abs(A @ x - rhs) <= 1e-12 * scale).all()

    @pytest.mark.parametrize("seed", range(3))
    def test_with_slack_every_digit_is_right(self, seed):
        """Against rational arithmetic, where a dense solve has lost half of its digits."""
        rng = np.random.default_rng(seed)
        edges, n = random_tree(12, rng), 12
        weights = 10.0 ** rng.uniform(-5, 5, len(edges))
        slack = np.where(np.arange(n) == 3, 1e-5, 0.0)
        W = weighted(edges, n, weights)
        rhs = rng.uniform(0, 1, n)
        x = ForestFactor(grounded(W, slack), np.arange(n), slack=slack).solve(rhs)
        exact = np.array([float(v) for v in rational_solution(W.toarray(), slack, rhs)])
        assert (np.abs(x - exact) <= 1e-12 * exact).all()

    def test_factors_are_used_again(self):
        rng = np.random.default_rng(0)
        A = grounded(weighted(random_tree(30, rng), 30), 0.2)
        factor = ForestFactor(A, np.arange(30))
        for _ in range(3):
            rhs = rng.standard_normal(30)
            kept = rhs.copy()
            assert np.abs(A @ factor.solve(rhs) - rhs).max() <= 1e-13
            assert np.array_equal(rhs, kept)

    def test_empty_block(self):
        A = grounded(lattice(3, 3), 1.0)
        assert solve_forest(A, [], np.empty(0)).shape == (0,)
        assert solve_forest(A, [], np.empty((0, 2))).shape == (0, 2)
        assert is_forest(A, [])

    def test_stored_zeros_and_duplicates_are_no_edges(self):
        triangle = weighted([(0, 1), (1, 2), (0, 2)], 3, [1.0, 1.0, 0.0])
        assert is_forest(triangle, [0, 1, 2])
        A = sp.csr_array(
            (np.array([2.0, -0.5, -0.5, -1.0, 2.0]), ([0, 0, 0, 1, 1], [0, 1, 1, 0, 1]))
        )
        assert solve_forest(A, [0, 1], [1.0, 0.0]) == pytest.approx([2 / 3, 1 / 3])

    @pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csr_array, sp.csc_array, sp.coo_array])
    def test_sparse_formats(self, kind):
        A = kind(grounded(lattice(4, 1), 1.0))
        assert np.abs(A @ solve_forest(A, np.arange(4), np.ones(4)) - 1.0).max() <= 1e-14

    def test_long_path_needs_no_recursion(self):
        n = 200_000
        A = grounded(lattice(n, 1), 1e-3)
        x = solve_forest(A, np.arange(n), np.ones(n))
        assert np.abs(A @ x - 1.0).max() <= 1e-9


def rational_solution(W, slack, rhs):
    """Solution of the grounded Laplacian in exact arithmetic, by Gauss-Jordan elimination."""
    n = len(W)
    A = [[-Fraction(float(w)) for w in row] for row in W]
    for i in range(n):
        A[i][i] = Fraction(float(slack[i])) - sum(A[i][j] for j in range(n) if j != i)
        A[i].append(Fraction(float(rhs[i])))
    for i in range(n):
        for j in range(n):
            if j != i and A[j][i]:
                factor = A[j][i] / A[i][i]
                A[j] = [a - factor * b for a, b in zip(A[j], A[i], strict=True)]
    return [A[i][n] / A[i][i] for i in range(n)]


class TestRefusals:
    A = grounded(lattice(3, 3), 1.0)

    def test_cycle(self):
        with pytest.raises(ValueError, match="has a cycle.*greedy_forest"):
            solve_forest(self.A, np.arange(9), np.ones(9))
        with pytest.raises(ValueError, match="has a cycle"):
            solve_forest(self.A, [0, 1, 3, 4], np.ones(4))

    @pytest.mark.parametrize("block", [[0, 1, 0], [0, 9], [-1, 2]])
    def test_bad_nodes(self, block):
        with pytest.raises(ValueError, match="distinct row numbers"):
            solve_forest(self.A, block, np.ones(len(block)))
        with pytest.raises(ValueError, match="distinct row numbers"):
            is_forest(self.A, block)
        with pytest.raises(ValueError, match="distinct row numbers"):
            greedy_forest(self.A, block)

    def test_not_positive_definite(self):
        with pytest.raises(ValueError, match="not positive definite.*ridge"):
            solve_forest(grounded(lattice(2, 1), 0.0), [0, 1], np.ones(2))
        with pytest.raises(ValueError, match="not positive definite"):
            ForestFactor(grounded(lattice(2, 1), 0.0), [0, 1], slack=np.zeros(2))

    def test_wrong_right_hand_side(self):
        with pytest.raises(ValueError, match="has shape .*2 nodes"):
            solve_forest(self.A, [0, 2], np.ones(3))

    @pytest.mark.parametrize("bad", [np.eye(3), sp.csr_array((2, 3))])
    def test_not_a_graph(self, bad):
        with pytest.raises(ValueError, match="square sparse matrix"):
            solve_forest(bad, [0], np.ones(1))

    def test_orders(self):
        with pytest.raises(ValueError, match="order must be 'lipschitz'"):
            forest_partition(self.A, order="degree")
        with pytest.raises(ValueError, match="permutation of 0..8"):
            red_black_partition(self.A, order=np.zeros(9, dtype=int))
        with pytest.raises(ValueError, match="at least 1 row"):
            lattice_combs(0, 3)
        with pytest.raises(ValueError, match="numbers from 0 to 8"):
            lattice_red_black(3, 3, nodes=[9])


GRAPHS = {
    "sparse": lambda rng: random_graph(80, 60, rng),
    "dense": lambda rng: random_graph(40, 400, rng),
    "lattice": lambda rng: lattice(9, 8),
    "complete": lambda rng: sp.csr_array(np.ones((9, 9)) - np.eye(9)),
    "no edges": lambda rng: sp.csr_array((6, 6)),
    "forest": lambda rng: weighted(random_forest(50, 5, rng), 50),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", GRAPHS)
class TestPartitions:
    def graph(self, name, seed):
        rng = np.random.default_rng(seed)
        W = GRAPHS[name](rng)
        return grounded(W, 1.0), W, rng

    def test_greedy_forest_is_a_maximal_forest(self, name, seed):
        A, W, rng = self.graph(name, seed)
        order = rng.permutation(A.shape[0])
        forest = greedy_forest(A, order)
        assert forest[0] == order[0] and len(set(forest)) == len(forest)
        place = np.argsort(order)
        assert (np.diff(place[forest]) > 0).all()  # in the order of the scan
        assert n_edges(W, forest) == len(forest) - n_components(W, forest)
        for node in np.setdiff1d(order, forest):
            assert not is_forest(A, np.r_[forest, node])

    def test_greedy_forest_of_some_nodes(self, name, seed):
        A, W, rng = self.graph(name, seed)
        some = rng.permutation(A.shape[0])[: A.shape[0] // 2]
        forest = greedy_forest(A, some)
        assert set(forest) <= set(some) and is_forest(A, forest)

    @pytest.mark.parametrize("order", ["lipschitz", "order", "given"])
    def test_forest_partition(self, name, seed, order):
        A, W, rng = self.graph(name, seed)
        n = A.shape[0]
        given = rng.permutation(n)
        blocks = forest_partition(A, order=given if order == "given" else order)
        assert np.array_equal(np.sort(np.concatenate(blocks)), np.arange(n))
        for block in blocks:  # T7
            assert n_edges(W, block) == len(block) - n_components(W, block)
            assert is_forest(A, block)
        if name in ("forest", "no edges"):
            assert len(blocks) == 1

    def test_forest_partition_is_first_fit(self, name, seed):
        """Against the definition: visit, and test each forest for a cycle."""
        A, W, rng = self.graph(name, seed)
        order = rng.permutation(A.shape[0])
        expected = []
        for node in order:
            for forest in expected:
                if is_forest(A, [*forest, node]):
                    forest.append(node)
                    break
            else:
                expected.append([node])
        found = forest_partition(A, order=order)
        assert [sorted(forest) for forest in expected] == [list(block) for block in found]

    @pytest.mark.parametrize("order", ["lipschitz", "order", "given"])
    def test_colouring_is_proper(self, name, seed, order):
        A, W, rng = self.graph(name, seed)
        n = A.shape[0]
        given = rng.permutation(n)
        blocks = red_black_partition(A, order=given if order == "given" else order)
        assert np.array_equal(np.sort(np.concatenate(blocks)), np.arange(n))
        for block in blocks:  # T7
            assert A[block][:, block].nnz == len(block)  # the diagonal
        if name == "complete":
            assert len(blocks) == n

    def test_colouring_takes_the_least_used_colour(self, name, seed):
        A, W, rng = self.graph(name, seed)
        order = rng.permutation(A.shape[0])
        neighbours = [set(W.indices[W.indptr[i] : W.indptr[i + 1]]) for i in range(len(order))]
        expected = []
        for node in order:
            free = [block for block in expected if not neighbours[node] & set(block)]
            if free:
                min(free, key=len).append(node)
            else:
                expected.append([node])
        found = red_black_partition(A, order=order)
        assert [sorted(block) for block in expected] == [list(block) for block in found]


def test_order_of_visits():
    A = sp.csr_array(sp.diags_array([1.0, 5.0, 5.0, 2.0]) + lattice(4, 1))
    assert [block.tolist() for block in red_black_partition(A)] == [[1, 3], [0, 2]]
    assert red_black_partition(A, order="order")[0].tolist() == [1, 3]
    star = sp.csr_array(sp.diags_array([9.0, 1.0, 1.0, 1.0]) + weighted([(0, 1), (0, 2)], 4))
    assert [block.tolist() for block in red_black_partition(star)] == [[0, 3], [1, 2]]


class TestLattice:
    @pytest.mark.parametrize(("n_rows", "n_columns"), [(12, 12), (5, 8), (8, 5), (7, 7), (2, 6)])
    def test_blocks_cover_the_lattice(self, n_rows, n_columns):
        W = lattice(n_rows, n_columns)
        for blocks in (lattice_combs(n_rows, n_columns), lattice_red_black(n_rows, n_columns)):
            assert np.array_equal(np.sort(np.concatenate(blocks)), np.arange(n_rows * n_columns))
        for block in lattice_red_black(n_rows, n_columns):
            assert W[block][:, block].nnz == 0
        for block in lattice_combs(n_rows, n_columns):
            assert n_components(W, block) == 1
            assert n_edges(W, block) == len(block) - 1

    def test_combs_of_a_square(self):
        combs = lattice_combs(12, 12)
        assert [len(comb) for comb in combs] == [72, 72]
        assert [n_edges(lattice(12, 12), comb) for comb in combs] == [71, 71]

    def test_node_numbers_run_down_the_columns(self):
        red, black = lattice_red_black(2, 3)
        assert red.tolist() == [0, 3, 4] and black.tolist() == [1, 2, 5]
        first, second = lattice_combs(3, 2)
        assert first.tolist() == [0, 1, 3] and second.tolist() == [2, 4, 5]

    @pytest.mark.parametrize("partition", [lattice_combs, lattice_red_black])
    def test_removed_nodes(self, partition):
        rng = np.random.default_rng(0)
        nodes = np.sort(rng.choice(72, 50, replace=False))
        W = lattice(9, 8)[nodes][:, nodes]
        whole = partition(9, 8)
        kept = partition(9, 8, nodes=nodes)
        for block, all_of_it in zip(kept, whole, strict=True):
            assert set(nodes[block]) == set(all_of_it) & set(nodes)
            assert is_forest(W, block)

    @pytest.mark.parametrize("partition", [lattice_combs, lattice_red_black])
    def test_thin_lattices(self, partition):
        for shape in ((1, 1), (1, 5), (5, 1)):
            blocks = partition(*shape)
            assert np.array_equal(np.sort(np.concatenate(blocks)), np.arange(np.prod(shape)))
            assert all(is_forest(lattice(*shape), block) for block in blocks)


class TestDescent:
    def problem(self, seed=0, n=60, n_columns=3):
        rng = np.random.default_rng(seed)
        W = random_graph(n, 150, rng)
        W = W.multiply(sp.csr_array(W.shape) + W)  # weights 1
        slack = np.where(rng.uniform(size=n) < 0.3, rng.uniform(0.1, 1, n), 1e-3)
        A = grounded(W, slack)
        F = rng.dirichlet(np.ones(n_columns), n)
        return A, slack[:, None] * F, slack

    def value(self, A, B, X):
        return 0.5 * np.sum(X * (A @ X)) - np.sum(B * X)

    @pytest.mark.parametrize("with_slack", [True, False])
    @pytest.mark.parametrize("selection", SELECTIONS)
    def test_reaches_the_solution(self, selection, with_slack):
        A, B, slack = self.problem()
        iterates = forest_descent(
            A, B, selection=selection, slack=slack if with_slack else None, random_state=0
        )
        end = next(it for it in iterates if it.violation <= 1e-14)
        assert np.abs(end.params - np.linalg.solve(A.toarray(), B)).max() <= 1e-10

    @pytest.mark.parametrize("selection", SELECTIONS)
    def test_each_update_minimises_over_its_block(self, selection):
        A, B, slack = self.problem()
        iterates = list(islice(forest_descent(A, B, selection=selection, random_state=1), 150))
        for before, after in zip(iterates[:-1], iterates[1:], strict=True):
            rest = np.setdiff1d(np.arange(len(B)), after.block)
            assert np.array_equal(before.params[rest], after.params[rest])
            gradient = A @ after.params - B
            assert np.abs(gradient[after.block]).max() <= 1e-12
            assert after.value <= before.value + 1e-13
            assert after.index == before.index + 1
            assert after.value == pytest.approx(self.value(A, B, after.params), abs=1e-11)
            # T1 for an exact update: the decrease is that of the quadratic model.
            G = (A @ before.params - B)[after.block]
            H = A.toarray()[np.ix_(after.block, after.block)]
            gain = 0.5 * np.sum(G * np.linalg.solve(H, G))
            assert before.value - after.value == pytest.approx(gain, abs=1e-11)

    def test_greedy_block_is_that_of_the_scores(self):
        A, B, slack = self.problem()
        for before, after in zip(
            islice(forest_descent(A, B), 20), islice(forest_descent(A, B), 1, 21), strict=True
        ):
            scores = ((A @ before.params - B) ** 2).sum(axis=1) / A.diagonal()
            # What an update has solved exactly counts as zero, not as its rounding.
            if before.block is not None:
                scores[before.block] = 0.0
            expected = greedy_forest(A, np.argsort(-scores, kind="stable"))
            assert set(expected) == set(after.block)

    def test_violation_is_the_largest_change_of_one_variable(self):
        A, B, slack = self.problem()
        for iterate in islice(forest_descent(A, B), 30):
            change = np.abs(A @ iterate.params - B) / A.diagonal()[:, None]
            assert iterate.violation == pytest.approx(change.max(), abs=1e-13)

    @pytest.mark.parametrize("selection", SELECTIONS)
    def test_guard_bounds_the_error(self, selection):
        A, B, slack = self.problem()
        optimum = np.linalg.solve(A.toarray(), B)
        start = np.full_like(B, 1 / 3)
        options = {"selection": selection, "slack": slack, "random_state": 0}
        errors = []
        for iterate in forest_descent(A, B, start, guard=True, **options):
            assert np.abs(iterate.params - optimum).max() <= iterate.error + 1e-13
            errors.append(iterate.error)
            if iterate.error < 1e-6:
                break
        assert errors[0] == 1.0 and (np.diff(errors) <= 1e-15).all()

    def test_iterates_can_be_kept(self):
        A, B, _ = self.problem()
        kept = [(it.params, it.params.copy()) for it in islice(forest_descent(A, B), 5)]
        assert all(np.array_equal(params, copy) for params, copy in kept)
        assert not np.array_equal(kept[1][0], kept[2][0])

    def test_one_forest_is_solved_in_one_update(self):
        rng = np.random.default_rng(0)
        A = grounded(weighted(random_tree(40, rng), 40), 0.1)
        B = rng.standard_normal((40, 2))
        for selection in ("greedy-tree", "tree-partition", "random-tree"):
            end = next(islice(forest_descent(A, B, selection=selection, random_state=0), 1, None))
            assert np.abs(A @ end.params - B).max() <= 1e-12

    def test_random_forests_follow_the_seed(self):
        A, B, _ = self.problem()
        runs = [
            [it.block for it in islice(forest_descent(A, B, **options), 1, 6)]
            for options in (
                {"selection": "random-tree", "random_state": seed} for seed in (3, 3, 4)
            )
        ]
        same = [np.array_equal(a, b) for a, b in zip(runs[0], runs[1], strict=True)]
        other = [np.array_equal(a, b) for a, b in zip(runs[0], runs[2], strict=True)]
        assert all(same) and not all(other)

    def test_unknown_selection(self):
        A, B, _ = self.problem()
        with pytest.raises(ValueError, match="selection must be one of"):
            next(forest_descent(A, B, selection="gs"))

    def test_comb_descent_contracts_by_a_fixed_factor(self):
        """T4: block Gauss-Seidel on two blocks has an asymptotic rate, its spectral radius."""
        W = lattice(8, 8)
        A = grounded(W, 0.05)
        white, black = lattice_combs(8, 8)
        dense = A.toarray()
        cross = dense[np.ix_(white, black)]
        forth = np.linalg.solve(dense[np.ix_(white, white)], cross)
        back = np.linalg.solve(dense[np.ix_(black, black)], cross.T)
        rate = np.abs(np.linalg.eigvals(back @ forth)).max()
        x, b = np.ones(64), np.zeros(64)
        sizes = []
        for _ in range(60):
            for block, rest in ((white, black), (black, white)):
                x[block] = solve_forest(A, block, b[block] - A[block][:, rest] @ x[rest])
            sizes.append(np.abs(x).max())
        assert sizes[-1] / sizes[-2] == pytest.approx(rate, rel=1e-3)
