"""Descent on a Gram matrix, against slow and obvious NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkd._kernels import quadratic_descent as kernels


class Quadratic:
    """A problem in the leading rows of a larger buffer, as the solver hands it over."""

    def __init__(self, m=12, *, seed=0, l1=0.5, lower=-np.inf, upper=np.inf, rank=None, room=5):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((rank or 2 * m, m)) * rng.uniform(0.5, 2.0, m)
        self.m = m
        self.gram = np.full((m + room, m + room), np.nan, dtype=np.float32)
        self.gram[:m, :m] = A.T @ A
        self.G = self.gram[:m, :m].astype(float)
        self.b = self.G @ rng.standard_normal(m) + rng.standard_normal(m)
        self.l1 = l1 * rng.uniform(0.0, 2.0, m) * np.abs(self.b).mean()
        self.lower, self.upper = np.full(m, float(lower)), np.full(m, float(upper))
        self.rng = rng

    def start(self, share_at_zero=0.3):
        """A random point within the bounds."""
        w = np.clip(self.rng.standard_normal(self.m), self.lower, self.upper)
        w[self.rng.random(self.m) < share_at_zero] = 0.0
        return w

    def q(self, w):
        return self.b - self.G @ w

    def objective(self, w):
        return 0.5 * w @ self.G @ w - self.b @ w + self.l1 @ np.abs(w)

    @property
    def limits(self):
        return self.l1, self.lower, self.upper

    def sweep(self, w, n_sweeps=1, tol=0.0):
        """Sweep in place; return q, the violation and the switches."""
        q = self.q(w)
        out = kernels.coordinate_sweeps(self.gram, q, w, self.m, *self.limits, n_sweeps, tol)
        return q, *out

    def best_coordinate(self, w, j):
        """The best value of one coordinate: the best of all candidates."""
        target = self.b[j] - self.G[j] @ w + self.G[j, j] * w[j]
        candidates = [0.0]
        if self.G[j, j] > 0.0:
            right, left = (target - self.l1[j]) / self.G[j, j], (target + self.l1[j]) / self.G[j, j]
            candidates += [np.clip(right, 0.0, self.upper[j]), np.clip(left, self.lower[j], 0.0)]
        values = [0.5 * self.G[j, j] * u**2 - target * u + self.l1[j] * abs(u) for u in candidates]
        return candidates[int(np.argmin(values))]


CASES = {
    "l1": {},
    "no l1": {"l1": 0.0},
    "positive": {"lower": 0.0},
    "negative": {"upper": 0.0},
    "bounds": {"lower": -0.3, "upper": 0.2},
    "bounds alone": {"l1": 0.0, "lower": -0.3, "upper": 0.2},
    "singular": {"rank": 5, "l1": 0.2},
}
every_case = pytest.mark.parametrize("case", CASES)
every_seed = pytest.mark.parametrize("seed", range(5))


@every_case
@every_seed
class TestSweeps:
    def test_minimise_each_coordinate_exactly(self, case, seed):
        quadratic = Quadratic(seed=seed, **CASES[case])
        start = quadratic.start()
        w, steps = start.copy(), np.empty(quadratic.m)
        for j in range(quadratic.m):
            best = quadratic.best_coordinate(w, j)
            steps[j] = (best - w[j]) * quadratic.G[j, j]
            w[j] = best
        got = start.copy()
        _, violation, switches = quadratic.sweep(got)
        assert_allclose(got, w, atol=1e-11)
        assert violation == pytest.approx(np.abs(steps).max(), abs=1e-10)
        assert switches == np.count_nonzero(np.sign(start) != np.sign(w))

    def test_keep_the_gradient(self, case, seed):
        quadratic = Quadratic(seed=seed, **CASES[case])
        w = quadratic.start()
        q, _, _ = quadratic.sweep(w, n_sweeps=7)
        assert_allclose(q, quadratic.q(w), atol=1e-11)

    def test_every_sweep_decreases_the_objective(self, case, seed):
        quadratic = Quadratic(seed=seed, **CASES[case])
        w = quadratic.start()
        values = [quadratic.objective(w)]
        for _ in range(10):
            quadratic.sweep(w)
            values.append(quadratic.objective(w))
        assert np.all(np.diff(values) <= 1e-12)
        assert values[1] < values[0]

    def test_tend_to_the_optimum_and_stop_there(self, case, seed):
        quadratic = Quadratic(seed=seed, **CASES[case])
        w = quadratic.start()
        q, violation, switches = quadratic.sweep(w, n_sweeps=100_000, tol=1e-11)
        assert violation <= 1e-11
        assert switches == 0
        for j in range(quadratic.m):
            assert quadratic.best_coordinate(w, j) == pytest.approx(w[j], abs=1e-9)
        again = w.copy()
        quadratic.sweep(again, n_sweeps=1000, tol=1e-8)  # one sweep, whatever was allowed
        assert_allclose(again, w, atol=1e-10)


def test_sweeps_count_every_kind_of_switch():
    gram = np.eye(5, dtype=np.float32)
    w = np.array([0.0, 2.0, 1.0, -1.0, 0.0])
    b = np.array([3.0, 0.5, -3.0, -4.0, 0.5])  # becomes nonzero, zero, changes sign, stays, stays
    l1, infinity = np.ones(5), np.full(5, np.inf)
    violation, switches = kernels.coordinate_sweeps(
        gram, b - w, w, 5, l1, -infinity, infinity, 1, 0.0
    )
    assert_array_equal(w, [2.0, 0.0, -2.0, -3.0, 0.0])
    assert switches == 3
    assert violation == 3.0


def test_sweeps_end_early_only_below_the_tolerance():
    quadratic = Quadratic(seed=3)
    once, often = quadratic.start(), None
    often = once.copy()
    _, violation, _ = quadratic.sweep(once)
    quadratic.sweep(often, n_sweeps=50, tol=violation)
    assert_array_equal(often, once)
    quadratic.sweep(often, n_sweeps=50, tol=0.999 * violation)
    assert not np.array_equal(often, once)


def test_sweeps_leave_columns_of_zeros_and_the_rest_of_the_buffers_alone():
    quadratic = Quadratic(seed=1)
    quadratic.gram[4, : quadratic.m] = quadratic.gram[: quadratic.m, 4] = 0.0
    quadratic.G[4] = quadratic.G[:, 4] = 0.0
    w, q = np.full(quadratic.m + 3, 7.0), np.full(quadratic.m + 3, 8.0)
    w[: quadratic.m] = quadratic.start()
    w[4] = 0.0
    q[: quadratic.m] = quadratic.q(w[: quadratic.m])
    kernels.coordinate_sweeps(quadratic.gram, q, w, quadratic.m, *quadratic.limits, 5, 0.0)
    assert w[4] == 0.0
    assert np.isfinite(q).all()
    assert_array_equal(w[quadratic.m :], 7.0)
    assert_array_equal(q[quadratic.m :], 8.0)


class TestSupportSystem:
    def gather(self, quadratic, w, ridge=0.0):
        m = quadratic.m
        support, matrix, slope = np.empty(m, dtype=np.int64), np.empty(m * m), np.empty(m)
        size = kernels.support_system(
            quadratic.gram, quadratic.q(w), w, m, *quadratic.limits, ridge, support, matrix, slope
        )
        return support[:size], matrix[: size**2].reshape(size, size), slope[:size]

    @every_case
    def test_the_ridge_is_a_share_of_the_diagonal(self, case):
        quadratic = Quadratic(seed=0, **CASES[case])
        w = quadratic.start()
        plain, ridged = (self.gather(quadratic, w, ridge)[1] for ridge in (0.0, 0.5))
        assert_allclose(ridged - plain, np.diag(0.5 * plain.diagonal()), atol=1e-12)

    @every_case
    @every_seed
    def test_gathers_the_gradient_and_the_hessian_of_the_free(self, case, seed):
        quadratic = Quadratic(seed=seed, **CASES[case])
        w = quadratic.start()
        support, matrix, slope = self.gather(quadratic, w)
        free = (w > quadratic.lower) & (w < quadratic.upper) & ((w != 0.0) | (case == "no l1"))
        if case == "bounds alone":  # zero is no kink there
            free = (w > -0.3) & (w < 0.2)
        assert_array_equal(support, np.flatnonzero(free))
        assert_allclose(matrix, quadratic.G[np.ix_(support, support)])
        for a, j in enumerate(support):
            if quadratic.l1[j] == 0.0 or abs(w[j]) > 1e-5:
                step = np.zeros(quadratic.m)
                step[j] = 1e-6
                rise = quadratic.objective(w + step) - quadratic.objective(w - step)
                assert slope[a] == pytest.approx(rise / 2e-6, abs=1e-6)

    @pytest.mark.parametrize("side", ["lower", "upper"])
    def test_zero_is_a_limit_where_a_bound_is_there(self, side):
        quadratic = Quadratic(l1=0.0, **{side: 0.0})
        assert self.gather(quadratic, np.zeros(quadratic.m))[0].size == 0

    def test_newton_step_on_the_support_is_exact(self):
        quadratic = Quadratic(l1=0.0)
        w = quadratic.start()
        support, matrix, slope = self.gather(quadratic, w)
        step = -np.linalg.solve(matrix, slope)
        assert_allclose(quadratic.q(w + step), 0.0, atol=1e-10)


class TestBentPath:
    def walk(self, quadratic, w, direction, support=None):
        """Take the path in place; return q and the number of bends."""
        q = quadratic.q(w)
        support = np.flatnonzero(w) if support is None else support
        bends = kernels.bent_path(
            quadratic.gram, q, w, quadratic.m, *quadratic.limits,
            support, direction.copy(), np.empty(quadratic.m),
        )  # fmt: skip
        return q, bends

    def limits(self, quadratic, start, support, direction):
        """Where each coordinate of the support stops: at zero or at a bound."""
        low, high = quadratic.lower[support], quadratic.upper[support]
        kinked = quadratic.l1[support] > 0.0
        low = np.where(kinked & (start[support] > 0.0), np.maximum(low, 0.0), low)
        high = np.where(kinked & (start[support] < 0.0), np.minimum(high, 0.0), high)
        return np.where(direction > 0.0, high, low)

    def first_minimum(self, quadratic, start, support, direction):
        """Piece by piece, at the times when coordinates stop; each piece is a parabola."""
        ends = self.limits(quadratic, start, support, direction)
        times = (ends - start[support]) / direction

        def point(t):
            w = start.copy()
            w[support] = np.where(times <= t, ends, start[support] + t * direction)
            return w

        t = 0.0
        for stop in [*np.unique(times), np.inf]:
            moving = np.where(times > t, direction, 0.0)
            kinks = quadratic.l1[support] * np.sign(start[support])
            slope = (kinks - quadratic.q(point(t))[support]) @ moving
            curvature = moving @ quadratic.G[np.ix_(support, support)] @ moving
            ahead = -slope / curvature if slope < 0.0 else 0.0
            if ahead < stop - t:
                return t + ahead, point
            t = stop
        raise AssertionError("the last piece has no end")

    @every_case
    @every_seed
    @pytest.mark.parametrize("kind", ["newton", "random"])
    def test_ends_at_the_first_minimum_along_the_path(self, case, seed, kind):
        quadratic = Quadratic(seed=seed, **CASES[case])
        start = quadratic.start()
        inside = (start > quadratic.lower) & (start < quadratic.upper)
        support = np.flatnonzero(inside & (start != 0.0))
        slope = quadratic.l1[support] * np.sign(start[support]) - quadratic.q(start)[support]
        if kind == "newton":
            H = quadratic.G[np.ix_(support, support)] + 1e-3 * np.eye(support.size)
            direction = -2.0 * np.linalg.solve(H, slope)
        else:
            direction = quadratic.rng.standard_normal(support.size)
            direction *= -np.sign(slope @ direction)
        w = start.copy()
        q, bends = self.walk(quadratic, w, direction, support)
        time, point = self.first_minimum(quadratic, start, support, direction)
        assert_allclose(w, point(time), atol=1e-8)
        assert_allclose(q, quadratic.q(w), atol=1e-10)
        on_the_way = [quadratic.objective(point(t)) for t in np.linspace(0.0, time, 100)]
        assert np.all(np.diff(on_the_way) < 0.0)
        assert quadratic.objective(w) <= min(on_the_way) + 1e-9
        assert np.all((quadratic.lower <= w) & (w <= quadratic.upper))
        # Those that were stopped stand exactly at their limit.
        stopped = [
            j
            for j in support
            if (quadratic.l1[j] > 0.0 and w[j] == 0.0)
            or w[j] in (quadratic.lower[j], quadratic.upper[j])
        ]
        assert len(stopped) == bends

    def test_newton_direction_without_a_kink_ends_at_the_minimum_in_one_step(self):
        quadratic = Quadratic(l1=0.0)
        w = quadratic.start(share_at_zero=0.0)
        direction = np.linalg.solve(quadratic.G, quadratic.q(w))
        q, bends = self.walk(quadratic, w, direction)
        assert bends == 0
        assert_allclose(w, np.linalg.solve(quadratic.G, quadratic.b), atol=1e-9)
        assert_allclose(q, 0.0, atol=1e-9)

    def test_does_not_climb(self):
        quadratic = Quadratic(l1=0.0)
        w = quadratic.start(share_at_zero=0.0)
        before = w.copy()
        self.walk(quadratic, w, -np.linalg.solve(quadratic.G, quadratic.q(w)))
        assert_array_equal(w, before)

    def test_all_may_be_stopped(self):
        quadratic = Quadratic(lower=0.0)
        quadratic.b[:] = -10.0
        w = np.linspace(0.1, 1.0, quadratic.m)
        q, bends = self.walk(quadratic, w, -np.ones(quadratic.m))
        assert bends == quadratic.m
        assert_array_equal(w, 0.0)
        assert_allclose(q, quadratic.b, atol=1e-12)

    def test_two_that_meet_their_limits_together(self):
        quadratic = Quadratic(m=4, lower=0.0, upper=0.3)
        quadratic.b[:] = [50.0, 50.0, -50.0, -50.0]
        w = np.array([0.1, 0.1, 0.2, 0.2])
        self.walk(quadratic, w, np.array([1.0, 1.0, -1.0, -1.0]))
        assert_array_equal(w, [0.3, 0.3, 0.0, 0.0])

    def test_a_direction_without_end_is_not_taken(self):
        quadratic = Quadratic(m=3, l1=0.0)
        quadratic.gram[:3, :3] = 0.0
        quadratic.G[:] = 0.0
        w = np.ones(3)
        self.walk(quadratic, w, np.sign(quadratic.b))
        assert_array_equal(w, 1.0)

    def test_a_flat_direction_ends_at_the_bound(self):
        quadratic = Quadratic(m=3, l1=0.0, lower=-4.0, upper=5.0)
        quadratic.gram[:3, :3] = 0.0
        quadratic.G[:] = 0.0
        w = np.ones(3)
        self.walk(quadratic, w, np.sign(quadratic.b))
        assert_array_equal(w, np.where(quadratic.b > 0.0, 5.0, -4.0))

    @every_seed
    def test_bounds_hold_to_the_last_bit(self, seed):
        rng = np.random.default_rng(seed)
        for lower, upper in [(-0.1, 0.1), (-1 / 3, 0.7), (0.0, 1e-3)]:
            quadratic = Quadratic(m=20, seed=seed, lower=lower, upper=upper)
            for _ in range(50):
                w = rng.uniform(lower, upper, 20)
                self.walk(quadratic, w, 10.0 * quadratic.q(w))
                assert lower <= w.min()
                assert w.max() <= upper
