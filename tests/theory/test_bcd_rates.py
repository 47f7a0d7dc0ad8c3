r"""What theory says about block coordinate descent, checked step by step.

E is the distance of the objective to its minimum, mu the strong convexity constant, m the number
of blocks.

* Linear rates: uniform sampling and GS :math:`1 - \mu / (m \max L_b)`, Lipschitz sampling and GSL
  :math:`1 - \mu / \sum L_b`; sampling in expectation, which is computed exactly by trying every
  block. The constants are ordered as the paper orders them.
* Guaranteed decreases: the block of GSQ with the matrix step is best.
* One step for a whole quadratic; forests on a lattice contract like block Gauss-Seidel.
* Without strong convexity :math:`E_k \le 2 m \max L_b R^2 / k` for GS with gradient steps, R the
  largest distance of an iterate to the minimiser. It follows from
  :math:`E_k - E_{k+1} \ge \|G\|^2 / (2 m \max L_b)` and :math:`E_k \le \|G\| R`.
* Active sets: within :math:`\delta / (2 L)` of the solution a proximal step on a block puts its
  zeros at zero, and the number of iterations until then is bounded; after that variable blocks
  larger than the support end a quadratic in a step or two.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

from itertools import islice

import numpy as np
import pytest

from skkd.objectives import Datafit, GraphQuadratic, LeastSquares, Logistic
from skkd.penalties import L1, Box, ElasticNet, NonNegative
from skkd.solvers import block_coordinate_descent, lattice_combs, minimize_bcd

BLOCKS = np.split(np.arange(24), 8)


def quadratic(seed=0, n=60, p=24):
    """Least squares with its minimum and strong convexity constant."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p)) * np.exp(0.5 * rng.standard_normal(p))
    f = LeastSquares(A, A @ rng.standard_normal(p) + rng.standard_normal(n))
    solution = np.linalg.lstsq(A, f_target(f, A), rcond=None)[0]
    return f, f.value(solution), np.linalg.eigvalsh(A.T @ A)[0]


def f_target(f, A):
    """Right-hand side whose least-squares solution is the minimiser of f."""
    # The gradient at zero is -A'b; any b with that product has the same solution.
    return np.linalg.lstsq(A.T, -f.gradient(np.zeros(A.shape[1])), rcond=None)[0]


def constants(f):
    return np.array([f.block_lipschitz(b) for b in BLOCKS])


def excesses(f, minimum, count=60, **rules):
    x0 = np.random.default_rng(1).standard_normal(f.n_variables)
    iterates = block_coordinate_descent(f, None, x0, partition=BLOCKS, **rules)
    return np.array([it.value for it in islice(iterates, count)]) - minimum


@pytest.mark.parametrize(
    ("selection", "update", "rate"),
    [
        ("gs", "gradient", "max"),
        ("gsl", "gradient", "sum"),
        ("gsl", "bound", "sum"),
        ("gsq", "bound", "sum"),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_greedy_rules_contract_at_their_rate(selection, update, rate, seed):
    f, minimum, mu = quadratic(seed)
    L = constants(f)
    factor = 1 - mu / (len(BLOCKS) * L.max() if rate == "max" else L.sum())
    E = excesses(f, minimum, selection=selection, update=update)
    reached = E[1:][E[:-1] > 1e-10 * E[0]]
    assert np.all(reached <= factor * E[: len(reached)] * (1 + 1e-9))


@pytest.mark.parametrize("seed", range(4))
def test_sampling_contracts_at_its_rate_in_expectation(seed):
    f, minimum, mu = quadratic(seed)
    L = constants(f)
    rng = np.random.default_rng(seed)
    for _ in range(10):
        x = rng.standard_normal(f.n_variables)
        after = []
        for b in BLOCKS:
            *_, last = block_coordinate_descent(f, None, x, selection=[b], update="gradient")
            after.append(last.value - minimum)
        E = f.value(x) - minimum
        assert np.mean(after) <= (1 - mu / (len(L) * L.max())) * E
        assert np.dot(after, L) / L.sum() <= (1 - mu / L.sum()) * E


@pytest.mark.parametrize("seed", range(6))
def test_guarantees_of_the_rules_are_ordered(seed):
    f, minimum, mu = quadratic(seed)
    rng = np.random.default_rng(seed)
    L = constants(f)
    H = [f.hessian_bound(b) for b in BLOCKS]
    for _ in range(10):
        x = rng.standard_normal(f.n_variables)
        G, E = f.gradient(x), f.value(x) - minimum
        by_norm = np.array([G[b] @ G[b] for b in BLOCKS])
        gsl = 0.5 * by_norm / L
        gsq = np.array(
            [0.5 * G[b] @ np.linalg.solve(h, G[b]) for b, h in zip(BLOCKS, H, strict=True)]
        )
        diagonal = np.array([0.5 * np.sum(G[b] ** 2 / f.lipschitz()[b]) / 3 for b in BLOCKS])
        assert mu / (len(L) * L.max()) <= mu / L.sum() <= gsl.max() / E <= gsq.max() / E
        assert diagonal.max() <= gsq.max()
        decreases = {}
        for rule, update in [("gsq", "bound"), ("gsl", "gradient")]:
            iterates = block_coordinate_descent(
                f, None, x, partition=BLOCKS, selection=rule, update=update
            )
            first, second = islice(iterates, 2)
            decreases[rule] = first.value - second.value
        assert decreases["gsq"] == pytest.approx(gsq.max(), rel=1e-8)
        assert decreases["gsl"] >= gsl.max() * (1 - 1e-9)
        assert decreases["gsq"] >= gsl.max() * (1 - 1e-9)


@pytest.mark.parametrize("update", ["bound", "newton", "exact"])
def test_one_step_on_all_variables_minimises_a_quadratic(update):
    f, minimum, _ = quadratic()
    result = minimize_bcd(f, update=update, block_size=24, tol=1e-12)
    assert result.nit == 1
    assert result.fun == pytest.approx(minimum, rel=1e-12)


def lattice(n_rows, n_columns, seed=0):
    """Lattice quadratic with random weights and a few labelled nodes removed."""
    rng = np.random.default_rng(seed)
    size = n_rows * n_columns
    W = np.zeros((size, size))
    for node in range(size):
        r, c = node % n_rows, node // n_rows
        if r + 1 < n_rows:
            W[node, node + 1] = W[node + 1, node] = 0.5 + rng.random()
        if c + 1 < n_columns:
            W[node, node + n_rows] = W[node + n_rows, node] = 0.5 + rng.random()
    labelled = np.sort(rng.choice(size, size // 12, replace=False))
    free = np.setdiff1d(np.arange(size), labelled)
    A = (np.diag(W.sum(axis=1)) - W)[np.ix_(free, free)]
    b = W[np.ix_(free, labelled)] @ rng.standard_normal(len(labelled))
    return A, b, lattice_combs(n_rows, n_columns, nodes=free)


@pytest.mark.parametrize("shape", [(8, 8), (6, 11)])
def test_two_combs_contract_like_block_gauss_seidel(shape):
    A, b, combs = lattice(*shape)
    assert len(combs) == 2
    order = np.concatenate(combs)
    permuted = A[np.ix_(order, order)]
    lower = permuted.copy()
    lower[: len(combs[0]), len(combs[0]) :] = 0.0
    iteration = np.eye(len(A)) - np.linalg.solve(lower, permuted)
    radius = np.max(np.abs(np.linalg.eigvals(iteration)))
    assert 0 < radius < 1

    f = GraphQuadratic(A, b)
    minimum = f.value(np.linalg.solve(A, b))
    iterates = block_coordinate_descent(f, partition=combs, selection="cyclic", update="exact")
    cycles = np.array([it.value for it in islice(iterates, 2, 120, 2)]) - minimum
    visible = cycles > 1e-9 * abs(minimum)
    ratios = (cycles[1:] / cycles[:-1])[visible[1:]]
    # The objective is a square: it contracts by the square of the radius, no less in any cycle.
    assert np.all(ratios <= radius**2 * (1 + 1e-5))
    assert len(ratios) >= 3
    assert ratios[-1] >= 0.5 * radius**2


class Flat(Datafit):
    """Sum of z^4 / (1 + z^2): convex, with bounded curvature, and none at the minimum."""

    def __init__(self, A, solution):
        self.A, self.n_variables = A, A.shape[1]
        self.b = A @ solution

    def value(self, x):
        square = (self.A @ x - self.b) ** 2
        return float(np.sum(square**2 / (1 + square)))

    def gradient(self, x, block=None):
        z = self.A @ x - self.b
        slope = 2 * z - 2 * z / (1 + z**2) ** 2
        A = self.A if block is None else self.A[:, block]
        return A.T @ slope

    def hessian_bound(self, block):
        return 2.5 * self.A[:, block].T @ self.A[:, block]


@pytest.mark.parametrize("seed", range(3))
def test_without_strong_convexity_the_rate_is_sublinear(seed):
    rng = np.random.default_rng(seed)
    solution = rng.standard_normal(24)
    f = Flat(rng.standard_normal((30, 24)), solution)
    L = constants(f)
    iterates = block_coordinate_descent(f, partition=BLOCKS, selection="gs", update="gradient")
    E, distance = [], []
    for it in islice(iterates, 1500):
        E.append(it.value)
        distance.append(np.linalg.norm(it.params - solution))
    E = np.array(E)
    k = np.arange(1, len(E))
    assert np.all(np.diff(E) <= 0)
    assert np.all(E[1:] <= 2 * len(BLOCKS) * L.max() * max(distance) ** 2 / k)
    # A linear rate would square the ratio over the second half; here the ratio shrinks less.
    assert E[1400] / E[700] > 2 * E[700] / E[1]


def lasso(seed=0, n=80, p=30, share=0.3):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p))
    w = np.where(np.arange(p) < 5, 2.0 * rng.standard_normal(p), 0.0)
    b = A @ w + 0.5 * rng.standard_normal(n)
    return LeastSquares(A, b), share * np.max(np.abs(A.T @ b)), A


def tight(f, g):
    return minimize_bcd(f, g, block_size=f.n_variables, tol=1e-13).x


def nondegeneracy(f, solution, strength):
    """Least distance to the ends of the subdifferential, over the zeros of the solution."""
    zero = solution == 0
    return np.min(strength - np.abs(f.gradient(solution))[zero])


@pytest.mark.parametrize("seed", range(4))
def test_near_the_solution_a_proximal_step_finds_the_zeros_of_its_block(seed):
    f, strength, A = lasso(seed)
    g = L1(strength)
    solution = tight(f, g)
    delta, L = nondegeneracy(f, solution, strength), np.linalg.norm(A, 2) ** 2
    rng = np.random.default_rng(seed)
    for _ in range(50):
        away = rng.standard_normal(len(solution))
        x = solution + away / np.linalg.norm(away) * delta / (2 * L) * rng.random()
        block = rng.choice(len(solution), 5, replace=False)
        *_, last = block_coordinate_descent(f, g, x, selection=[block], update="prox-gradient")
        zeros = block[solution[block] == 0]
        assert np.all(last.params[zeros] == 0)


@pytest.mark.parametrize("selection", ["gs-q", "cyclic"])
@pytest.mark.parametrize("seed", range(4))
def test_active_sets_are_identified_within_the_bound(selection, seed):
    f, strength, A = lasso(seed)
    g = L1(strength)
    solution = tight(f, g)
    eigenvalues = np.linalg.eigvalsh(A.T @ A)
    mu, L = eigenvalues[0], eigenvalues[-1]
    delta = nondegeneracy(f, solution, strength)
    minimum = f.value(solution) + g.value(solution)
    blocks = (
        [[j] for j in range(len(solution))] if selection == "gs-q" else np.split(np.arange(30), 6)
    )
    iterates = block_coordinate_descent(
        f, g, partition=blocks, selection=selection, update="prox-gradient"
    )
    E, same = [], []
    for it in islice(iterates, 600):
        E.append(it.value - minimum)
        same.append(np.array_equal(it.params == 0, solution == 0))
    assert same[-1]
    identified = len(same) - int(np.argmin(same[::-1])) if not all(same) else 0
    # Inside this neighbourhood for good, and then every block once more.
    near = mu * delta**2 / (8 * L**2)
    assert E[-1] <= near
    arrival = int(np.argmax(np.array(E) <= near))
    assert identified <= arrival + len(blocks)
    if selection == "gs-q":  # arrival, too, is bounded: rate mu / (p L_max)
        rho = mu / (len(solution) * f.lipschitz().max())
        bound = np.log(8 * L**2 * E[0] / (mu * delta**2)) / rho
        assert identified <= bound + len(blocks)


@pytest.mark.parametrize("update", ["prox-newton", "two-metric"])
@pytest.mark.parametrize("kind", ["l1", "elastic net", "nonnegative", "box"])
@pytest.mark.parametrize("seed", range(3))
def test_quadratics_end_finitely_once_the_block_holds_the_support(kind, update, seed):
    f, strength, A = lasso(seed, n=60, p=200)
    g = {
        "l1": L1(strength),
        "elastic net": ElasticNet(strength, 0.9),
        "nonnegative": NonNegative(),
        "box": Box(-0.01, 0.01),
    }[kind]
    if kind in ("nonnegative", "box"):
        f = LeastSquares(A, A @ np.where(np.arange(200) < 6, 1.0, 0.0), l2=1.0)
    result = minimize_bcd(
        f, g, update=update, block_size=200, tol=1e-11, max_iter=60, record_path=True
    )
    assert result.success
    # Once the support is the final one for good, an exact step is all that is left. A bound in the
    # way of the projection arc may cut it short, which ends after a few more.
    final = result.support_path[-1]
    other = [k for k, s in enumerate(result.support_path) if not np.array_equal(s, final)]
    assert result.nit <= max(other) + 1 + (1 if update == "prox-newton" else 5)


@pytest.mark.parametrize("update", ["prox-newton", "two-metric"])
def test_variable_blocks_larger_than_the_support_need_few_steps(update):
    f, strength, _ = lasso(3, n=150, p=600)
    counts = {}
    for rule in (update, "prox-gradient"):
        result = minimize_bcd(f, L1(strength), update=rule, block_size=30, tol=1e-10, max_iter=5000)
        assert result.success
        assert 2 * np.count_nonzero(result.x) <= 30
        counts[rule] = result.nit
    assert counts[update] <= 10
    assert counts[update] < counts["prox-gradient"]


@pytest.mark.parametrize("update", ["prox-newton", "two-metric"])
def test_convergence_is_superlinear_for_the_logistic_loss(update):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((120, 300))
    b = np.where(A[:, :4].sum(axis=1) + 0.5 * rng.standard_normal(120) > 0, 1.0, -1.0)
    f = Logistic(A, b)
    g = L1(0.3 * np.max(np.abs(A.T @ b)) / 2)
    result = minimize_bcd(
        f, g, update=update, block_size=60, tol=1e-11, max_iter=100, record_path=True
    )
    assert result.success
    path = result.violation_path / result.violation_path[0]
    settled = [np.array_equal(s, result.support_path[-1]) for s in result.support_path]
    tail = path[settled]
    tail = tail[(tail < 1e-2) & (tail > 1e-13)]
    assert len(tail) >= 2
    # Each step at least raises the number of correct digits by half.
    assert np.all(tail[1:] <= 10 * tail[:-1] ** 1.5)
