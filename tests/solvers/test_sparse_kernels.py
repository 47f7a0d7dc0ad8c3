"""Descent on sparse columns: the same steps as on the Gram matrix of the centred dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skkd._kernels import quadratic_descent as dense_kernels
from skkd._kernels import sparse_descent as kernels


class SparseProblem:
    """Weighted sparse columns, centred implicitly, and their dense twins."""

    def __init__(self, *, n=40, m=12, seed=0, centred=True, l1=0.3, l2=0.0, bounds=None):
        rng = np.random.default_rng(seed)
        B = sp.random_array((n, m), density=0.3, rng=rng, data_sampler=rng.standard_normal) * 2.0
        B = sp.csc_array(B + sp.csc_array(B != 0) * 0.5)  # the means are not zero
        self.e = np.sqrt(rng.uniform(0.1, 2.0, n))
        B = sp.csc_array(sp.diags_array(self.e) @ B)
        B.sort_indices()
        self.B, self.n, self.m, self.l2 = B.toarray(), n, m, l2
        self.columns = B.data, B.indices.view(np.uint32), B.indptr.astype(np.int64)
        self.mass = float(self.e @ self.e)
        self.sums = self.B.T @ self.e if centred else np.zeros(m)
        self.means = self.sums / self.mass
        self.C = self.B - np.outer(self.e, self.means)  # the centred columns
        self.norms = (self.C**2).sum(axis=0)
        self.target = 3.0 * rng.standard_normal(n)
        if centred:
            self.target -= self.e * (self.e @ self.target) / self.mass
        self.G = self.C.T @ self.C + l2 * np.eye(m)
        self.b = self.C.T @ self.target
        self.l1 = l1 * np.abs(self.b).max()
        self.lower, self.upper = bounds or (-np.inf, np.inf)
        self.rng = rng

    def start(self, share_at_zero=0.3):
        """A random point within the bounds, with its residual and offset."""
        w = np.clip(self.rng.standard_normal(self.m), self.lower, self.upper)
        w[self.rng.random(self.m) < share_at_zero] = 0.0
        return w, self.target - self.B @ w, np.array([self.means @ w])

    def q(self, w):
        return self.b - self.G @ w

    def sweep(self, w, residual, offset, n_sweeps=1, tol=0.0):
        return kernels.coordinate_sweeps(
            *self.columns, self.sums, self.means, self.norms + self.l2, residual, offset, w,
            self.l1, self.l2, self.lower, self.upper, n_sweeps, tol,
        )  # fmt: skip

    def dense_sweep(self, w, n_sweeps=1, tol=0.0):
        return dense_kernels.coordinate_sweeps(
            self.G, self.q(w), w, self.m, *self.limits, n_sweeps, tol
        )

    def best_coordinate(self, w, j):
        """Soft threshold of one coordinate, within the bounds."""
        target = self.q(w)[j] + self.G[j, j] * w[j]
        best = np.sign(target) * max(abs(target) - self.l1, 0.0) / self.G[j, j]
        return np.clip(best, self.lower, self.upper)

    @property
    def limits(self):
        return tuple(np.full(self.m, float(v)) for v in (self.l1, self.lower, self.upper))

    def solve(self, w, residual, offset, support, reduction=1e-12, max_steps=200):
        """The Newton direction and the image of it."""
        direction, image = np.empty(support.size), np.empty(self.n)
        kernels.conjugate_gradients(
            *self.columns, self.sums, self.means, self.norms, residual, offset, w,
            self.l1, self.l2, support, reduction, max_steps, direction, image,
            np.empty((3, support.size)),
        )  # fmt: skip
        return direction, image

    def walk(self, w, residual, offset, support, direction):
        kernels.bent_path(
            *self.columns, self.means, self.mass, residual, offset, w,
            self.l1, self.l2, self.lower, self.upper,
            support, direction.copy(), self.B[:, support] @ direction,
        )  # fmt: skip

    def dense_walk(self, w, support, direction):
        return dense_kernels.bent_path(
            self.G, self.q(w), w, self.m, *self.limits, support, direction.copy(), np.empty(self.m)
        )

    def assert_consistent(self, w, residual, offset):
        assert_allclose(residual, self.target - self.B @ w, atol=1e-11)
        assert_allclose(offset, self.means @ w, atol=1e-12)


CASES = {
    "l1": {},
    "elastic net": {"l2": 3.0},
    "strong ridge": {"l2": 1e4, "l1": 0.01},
    "bounds": {"bounds": (-0.1, 0.2), "l1": 0.05},
    "positive": {"bounds": (0.0, np.inf), "l1": 0.0},
    "bounds alone": {"bounds": (-0.1, 0.2), "l1": 0.0},
}


@pytest.fixture(params=CASES)
def options(request):
    return CASES[request.param]


every = pytest.mark.parametrize("centred", [True, False])
seeds = pytest.mark.parametrize("seed", range(3))


@every
@seeds
class TestSweeps:
    def test_one_sweep_equals_the_dense_one(self, options, centred, seed):
        problem = SparseProblem(seed=seed, centred=centred, **options)
        w, residual, offset = problem.start()
        twin = w.copy()
        violation, switches = problem.sweep(w, residual, offset)
        dense_violation, dense_switches = problem.dense_sweep(twin)
        assert_allclose(w, twin, atol=1e-12)
        assert violation == pytest.approx(dense_violation, rel=1e-10)
        assert switches == dense_switches
        problem.assert_consistent(w, residual, offset)

    def test_many_sweeps_reach_the_same_optimum(self, options, centred, seed):
        problem = SparseProblem(seed=seed, centred=centred, **options)
        w, residual, offset = problem.start()
        twin = np.zeros(problem.m)
        violation, _ = problem.sweep(w, residual, offset, 20_000, 1e-11)
        assert violation <= 1e-11
        assert problem.dense_sweep(twin, 20_000, 1e-11)[0] <= 1e-11
        assert_allclose(w, twin, atol=1e-9)
        problem.assert_consistent(w, residual, offset)

    def test_sweeps_between_the_whole_ones_leave_zeros_alone(self, options, centred, seed):
        problem = SparseProblem(seed=seed, centred=centred, **options)
        once, often = problem.start(share_at_zero=1.1), problem.start(share_at_zero=1.1)
        problem.sweep(*once)
        problem.sweep(*often, n_sweeps=5)  # four see nothing but zeros, the fifth is whole
        assert_array_equal(often[0], once[0])

    def test_one_sweep_in_five_is_whole(self, options, centred, seed):
        problem = SparseProblem(seed=seed, centred=centred, **options)
        got = problem.start()
        expected = got[0].copy()
        problem.sweep(*got, n_sweeps=7)
        for whole in (False, True, False, False, False, False, True):
            for j in range(problem.m):
                if whole or expected[j] != 0.0:
                    expected[j] = problem.best_coordinate(expected, j)
        assert_allclose(got[0], expected, atol=1e-11)


@seeds
def test_sweeps_stop_once_a_whole_sweep_is_below_the_tolerance(seed):
    problem = SparseProblem(seed=seed)
    point = problem.start()
    problem.sweep(*point, n_sweeps=20_000, tol=1e-12)
    once, often = (tuple(part.copy() for part in point) for _ in range(2))
    problem.sweep(*once, n_sweeps=1, tol=1e-10)
    problem.sweep(*often, n_sweeps=1001, tol=1e-10)  # the first of them is whole
    assert_array_equal(often[0], once[0])


def test_columns_of_zeros_keep_their_place():
    problem = SparseProblem(l1=0.0)
    problem.norms[3] = 0.0
    w, residual, offset = problem.start(share_at_zero=0.0)
    before = w[3]
    problem.sweep(w, residual, offset, 5)
    assert w[3] == before
    problem.assert_consistent(w, residual, offset)


@every
@seeds
class TestConjugateGradients:
    def system(self, problem, w):
        support = np.flatnonzero(w)
        slope = problem.l1 * np.sign(w[support]) - problem.q(w)[support]
        return support, problem.G[np.ix_(support, support)], slope

    def test_solve_the_newton_system(self, options, centred, seed):
        problem = SparseProblem(seed=seed, centred=centred, **options)
        w, residual, offset = problem.start()
        support, H, slope = self.system(problem, w)
        direction, image = problem.solve(w, residual, offset, support)
        assert_allclose(direction, -np.linalg.solve(H, slope), rtol=1e-7, atol=1e-9)
        assert_allclose(image, problem.B[:, support] @ direction, atol=1e-11)
        problem.assert_consistent(w, residual, offset)

    @pytest.mark.parametrize("reduction", [0.5, 0.1, 1e-4])
    def test_stop_at_the_forcing_term(self, options, centred, seed, reduction):
        problem = SparseProblem(seed=seed, centred=centred, **options)
        w, residual, offset = problem.start()
        support, H, slope = self.system(problem, w)
        scale = problem.norms[support] + problem.l2
        first = np.sqrt(slope @ (slope / scale))
        sizes = []
        for steps in range(1, support.size + 2):
            direction, image = problem.solve(w, residual, offset, support, reduction, steps)
            rest = -slope - H @ direction
            sizes.append(np.sqrt(rest @ (rest / scale)))
            assert_allclose(image, problem.B[:, support] @ direction, atol=1e-11)
        done = np.flatnonzero(np.array(sizes) <= reduction * first)
        assert done.size
        assert np.all(np.array(sizes[done[0] :]) == sizes[done[0]])  # no step too many

    def test_every_step_is_a_descent_direction(self, options, centred, seed):
        problem = SparseProblem(seed=seed, centred=centred, **options)
        w, residual, offset = problem.start()
        support, _, slope = self.system(problem, w)
        for steps in (1, 2, 3):
            direction, _ = problem.solve(w, residual, offset, support, 1e-12, steps)
            assert slope @ direction < 0.0


@every
@seeds
class TestBentPath:
    @pytest.mark.parametrize("kind", ["newton", "random"])
    def test_is_the_dense_path(self, options, centred, seed, kind):
        problem = SparseProblem(seed=seed, centred=centred, **options)
        w, residual, offset = problem.start()
        support = np.flatnonzero((w != 0.0) & (problem.lower < w) & (w < problem.upper))
        slope = problem.l1 * np.sign(w[support]) - problem.q(w)[support]
        if kind == "newton":
            direction = -2.0 * np.linalg.solve(problem.G[np.ix_(support, support)], slope)
        else:
            direction = problem.rng.standard_normal(support.size)
            direction *= -np.sign(slope @ direction)
        twin = w.copy()
        problem.walk(w, residual, offset, support, direction)
        problem.dense_walk(twin, support, direction)
        assert_allclose(w, twin, atol=1e-10)
        assert_array_equal(w == 0.0, twin == 0.0)
        assert not np.array_equal(w, problem.start()[0])
        assert problem.lower <= w.min()
        assert w.max() <= problem.upper
        problem.assert_consistent(w, residual, offset)

    def test_does_not_climb(self, options, centred, seed):
        problem = SparseProblem(seed=seed, centred=centred, **options)
        w, residual, offset = problem.start()
        support = np.flatnonzero(w)
        slope = problem.l1 * np.sign(w[support]) - problem.q(w)[support]
        before = w.copy()
        problem.walk(w, residual, offset, support, slope)
        assert_array_equal(w, before)


def test_a_direction_without_end_is_not_taken():
    problem = SparseProblem(l1=0.0)
    w, residual, offset = problem.start()
    support = np.arange(2)
    empty = (np.empty(0), np.empty(0, dtype=np.uint32), np.zeros(problem.m + 1, dtype=np.int64))
    before = w.copy()
    problem.columns = empty
    problem.means = np.zeros(problem.m)
    problem.B = np.zeros_like(problem.B)
    residual[:] = 0.0
    problem.walk(w, residual, offset, support, np.ones(2))
    assert_array_equal(w, before)
