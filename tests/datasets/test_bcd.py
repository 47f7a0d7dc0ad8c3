"""The test problems of block coordinate descent are the paper's where they can be."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve
from sklearn.utils._param_validation import InvalidParameterError

from skkd.datasets import make_bcd_problem

SMALL = {
    "A": {"n_samples": 30, "n_features": 80},
    "B": {"n_samples": 30, "n_features": 80},
    "C": {"n_samples": 30, "n_features": 40, "n_classes": 4},
    "D": {"shape": (6, 9), "n_labelled": 7},
    "E": {"n_samples": 90, "n_labelled": 10},
    "A_l1": {"n_samples": 30, "n_features": 80, "alpha": 7.0},
}
# Optimum of the authors' own run on the lattice.
LATTICE_OPTIMUM = -1045999575.2270696


@pytest.fixture(scope="module")
def lattice():
    return make_bcd_problem("D")


def test_lattice_has_the_optimum_of_the_paper(lattice):
    assert lattice.exact and lattice.n_variables == 2400
    x = spsolve(sparse.csc_array(lattice.A), lattice.b)
    value = 0.5 * x @ (lattice.A @ x) - lattice.b @ x
    assert value == pytest.approx(LATTICE_OPTIMUM, rel=1e-10)
    assert lattice.f_star == pytest.approx(LATTICE_OPTIMUM, rel=1e-10)


def test_lattice_graph_is_the_lattice(lattice):
    graph = lattice.graph.toarray()
    assert (graph == graph.T).all() and set(np.unique(graph)) == {0.0, 1e5}
    assert graph.sum() / 1e5 == 2 * 2 * 50 * 49
    # Column-major: node (r, c) is r + 50 c, its neighbours one row and one column away.
    assert np.flatnonzero(graph[7 + 50 * 3]).tolist() == [107, 156, 158, 207]


def test_lattice_that_is_no_square():
    problem = make_bcd_problem("D", shape=(3, 4), n_labelled=2)
    degrees = (problem.graph.toarray() > 0).sum(axis=1)
    assert problem.shape == (3, 4) and degrees.sum() == 2 * (2 * 4 + 3 * 3)
    assert degrees.reshape(4, 3).tolist() == [[2, 3, 2], [3, 4, 3], [3, 4, 3], [2, 3, 2]]


@pytest.mark.parametrize("name", ["D", "E"])
def test_propagation_is_harmonic(name):
    problem = make_bcd_problem(name, **SMALL[name])
    values = np.empty(problem.graph.shape[0])
    values[problem.labelled], values[problem.unlabelled] = problem.y, problem.x_star
    mean = (problem.graph @ values) / problem.graph.sum(axis=1)
    scale = np.abs(problem.y).max()
    assert mean[problem.unlabelled] == pytest.approx(problem.x_star, abs=1e-10 * scale)
    # The constant that turns f into the energy is the labels' own.
    edges = 0.25 * (problem.graph.toarray() * np.subtract.outer(values, values) ** 2).sum()
    laplacian = np.diag(problem.graph.sum(axis=1)) - problem.graph.toarray()
    rows = laplacian[np.ix_(problem.labelled, problem.labelled)]
    assert problem.f_star + 0.5 * problem.y @ rows @ problem.y == pytest.approx(edges, rel=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 64, 97])  # one component, then thrice two
def test_moons_have_a_label_in_each_component(seed):
    problem = make_bcd_problem("E", n_samples=60, n_labelled=8, random_state=seed)
    n_components, component = sparse.csgraph.connected_components(problem.graph)
    assert n_components == (1 if seed == 0 else 2)
    assert set(component[problem.labelled]) == set(range(n_components))
    assert np.linalg.eigvalsh(problem.A.toarray())[0] > 0
    assert set(problem.y) <= {1.0, 2.0} and problem.labelled.size == 8
    assert (np.diff(problem.graph.indptr) >= 5).all()


def test_moons_with_too_few_labels():
    with pytest.raises(ValueError, match="has 2 components and each needs a label"):
        make_bcd_problem("E", n_samples=60, n_labelled=1, random_state=1)


def design(rng, n, p):
    A = rng.randn(n, p) + 1
    A *= 10 * rng.randn(p)
    A *= rng.rand(n, p) < 10 * np.log(n) / n
    return A


def test_recipe_of_the_logistic_problem():
    """Written out once more, in the order in which the authors' code draws."""
    n, p = SMALL["B"].values()
    rng = np.random.RandomState(1)
    A = design(rng, n, p)
    w = rng.randn(p) * (rng.rand(p) < 0.1)
    b = np.sign(A @ w) * np.sign(rng.rand(n) - 0.1)
    problem = make_bcd_problem("B", **SMALL["B"])
    assert np.array_equal(problem.A.toarray(), A) and np.array_equal(problem.coef, w)
    assert np.array_equal(problem.b, np.where(b == 0, 1.0, b))


def test_recipe_of_the_softmax_problem():
    n, p, k = SMALL["C"].values()
    rng = np.random.RandomState(1)
    A = design(rng, n, p)
    W = rng.randn(p, k)
    labels = np.argmax(A @ W + rng.randn(n, k), axis=1)
    problem = make_bcd_problem("C", **SMALL["C"])
    assert np.array_equal(problem.A.toarray(), A) and np.array_equal(problem.b, labels)
    assert problem.n_variables == p * k and problem.n_classes == k


@pytest.mark.slow
def test_logistic_problem_of_the_paper():
    problem = make_bcd_problem("B")
    assert problem.exact and problem.A.shape == (1000, 10_000) and problem.f_star == 0.0
    assert problem.A.nnz / 1e7 == pytest.approx(0.0691366, abs=1e-12)
    assert [int((problem.b == side).sum()) for side in (-1, 1)] == [450, 550]


@pytest.mark.slow
def test_least_squares_problem_of_the_paper_size():
    problem = make_bcd_problem("A")
    assert not problem.exact and problem.f_star == 0.0
    assert 0.5 * problem.b @ problem.b == pytest.approx(5.98e6, rel=1e-3)


def test_optimum_of_least_squares_is_known_only_where_it_is():
    wide, tall = make_bcd_problem("A", **SMALL["A"]), make_bcd_problem("A", n_features=10)
    x = np.linalg.lstsq(wide.A.toarray(), wide.b)[0]
    assert wide.f_star == 0.0 and np.abs(wide.A @ x - wide.b).max() < 1e-8 * np.abs(wide.b).max()
    assert tall.f_star is None
    assert make_bcd_problem("A_l1", **SMALL["A_l1"]).f_star is None


@pytest.mark.parametrize("name", SMALL)
def test_exact_only_as_the_paper_draws(name):
    assert not make_bcd_problem(name, **SMALL[name]).exact
    assert not make_bcd_problem(name, **SMALL[name], random_state=2).exact


def test_another_seed_is_not_exact(lattice):
    other = make_bcd_problem("D", random_state=2)
    assert not other.exact and not np.array_equal(other.labelled, lattice.labelled)
    same = make_bcd_problem("D", shape=(50, 50), n_labelled=100, random_state=1)
    assert same.exact and np.array_equal(same.b, lattice.b)


@pytest.mark.parametrize("name", SMALL)
def test_seed_decides(name):
    first = make_bcd_problem(name, **SMALL[name], random_state=5)
    again = make_bcd_problem(name, **SMALL[name], random_state=np.random.RandomState(5))
    other = make_bcd_problem(name, **SMALL[name], random_state=6)
    assert (first.A != again.A).nnz == 0 and np.array_equal(first.b, again.b)
    assert not np.array_equal(first.b, other.b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "A", "n_labelled": 3}, "n_labelled=3 has no meaning for problem 'A'"),
        ({"name": "D", "n_samples": 3}, "no meaning for problem 'D', whose sizes are: shape, n_la"),
        ({"name": "D", "shape": (4, 1)}, r"shape=\(4, 1\); want two integers from 2 up"),
        ({"name": "D", "shape": (4, 4, 4)}, "want two integers"),
        ({"name": "D", "shape": (2, 2), "n_labelled": 4}, "n_labelled=4 of 4 nodes"),
        ({"name": "E", "n_samples": 20, "n_labelled": 20}, "want fewer labels than nodes"),
        ({"name": "B", "alpha": 1.0}, "alpha=1.0 has no meaning"),
    ],
)
def test_sizes_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_bcd_problem(**arguments)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"name": "F"}, "name"),
        ({"name": "A", "n_samples": 0}, "n_samples"),
        ({"name": "C", "n_classes": 1}, "n_classes"),
        ({"name": "A_l1", "alpha": 0.0}, "alpha"),
        ({"name": "D", "shape": 5}, "shape"),
    ],
)
def test_bad_arguments(arguments, name):
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of make_bcd_problem"):
        make_bcd_problem(**arguments)
