"""Where a working-set solver goes wrong: pools, scales, constants, threads, numbers not finite."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

from skkd.solvers import LinearProblem, NotFiniteError, coefficient_path, linear_descent
from skkd.solvers._working_set import WorkingSet, _solver
from skkd.solvers._working_set._risks import make_risk
from skkd.solvers._working_set._sparse_models import _System

from ._linear_problems import (
    KINDS,
    LAYOUTS,
    dense,
    objective,
    problem,
    reference,
    solve,
    worst_violation,
)

every_kind = pytest.mark.parametrize("kind", KINDS)
binary = pytest.mark.parametrize("kind", ["squared", "log", "squared_hinge"])
both_stores = pytest.mark.parametrize("layout", ["C", "csc"])


def chain(layout, *, length=3, n=60, p=45):
    """Each feature matters only once the one before is in: y = a, x = a + b, b + c, c + d, ..."""
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n, p + 1)))
    Q *= np.sqrt(n)
    X = Q[:, 1:].copy()  # columns that are orthogonal to all that matters
    for i in range(length):
        X[:, i] = Q[:, i] + Q[:, i + 1]
    return LinearProblem(LAYOUTS[layout](X), Q[:, 0].copy(), fit_intercept=False, l1=0.02)


@both_stores
class TestPool:
    def test_opens_again_for_a_coordinate_that_it_missed(self, layout, monkeypatch):
        monkeypatch.setattr(_solver, "_POOL_GAP", np.inf)  # a pool as early as can be
        case = chain(layout, length=5)
        solver = WorkingSet(case)
        pools, looks = [], []
        for iterate in solver.iterates(1e-12):
            looks.append((solver.whole, iterate.gap))
            if solver._pool is not None:
                pools.append(solver._pool[0])
            if iterate.gap <= 1e-12 or iterate.index == 50:
                break
        support = np.flatnonzero(iterate.params[:-1])
        assert_array_equal(support, np.arange(5))
        assert any(not np.isin(support, pool).all() for pool in pools)  # it did miss one
        assert iterate.gap <= 1e-12
        assert worst_violation(case, iterate.params) < 1e-9
        assert all(np.isfinite(gap) == whole for whole, gap in looks)
        assert {whole for whole, _ in looks} == {True, False}

    def test_is_left_for_good_at_the_end(self, layout):
        case = problem("squared", n=200, p=600, layout=layout, l1=0.3)
        solver = WorkingSet(case)
        iterates = list(islice(solver.iterates(1e-11), 12))
        assert any(iterate.gap == np.inf for iterate in iterates)
        end = next(iterate for iterate in iterates if iterate.gap <= 1e-11)
        assert end.value == pytest.approx(reference(case)[1], rel=1e-9)

    @pytest.mark.parametrize("kind", ["log", "squared_hinge"])
    def test_in_classification(self, layout, kind):
        case = problem(kind, n=200, p=600, layout=layout, l1=0.4)
        assert any(iterate.gap == np.inf for iterate in islice(linear_descent(case, tol=1e-11), 10))
        end = solve(case)
        assert end.converged
        assert worst_violation(case, end.params) < 1e-7


class TestFiniteTermination:
    """For the squared loss, one Newton step on the right support is the end."""

    @both_stores
    @pytest.mark.parametrize("l2", [0.0, 0.1])
    @pytest.mark.parametrize("seed", range(4))
    def test_squared(self, layout, l2, seed):
        case = problem("squared", n=80, p=60, seed=seed, layout=layout, l1=0.05, l2=l2)
        solver = WorkingSet(case)
        gaps, signs = [], []
        for iterate in solver.iterates(1e-15):
            gaps.append(iterate.gap)
            signs.append(np.sign(iterate.params[:-1]))
            if iterate.gap < 1e-13 or iterate.index == 30:
                break
        assert gaps[-1] < 1e-13
        right = next(i for i, s in enumerate(signs) if np.array_equal(s, signs[-1]))
        # float32 Gram matrices and inexact conjugate gradients leave a share of the error.
        assert len(gaps) - 1 - right <= 3
        assert len(gaps) <= 10

    @pytest.mark.parametrize("kind", ["log", "squared_hinge", "softmax"])
    @both_stores
    def test_the_support_is_found_and_kept(self, kind, layout):
        case = problem(kind, n=150, p=60, layout=layout, l1=0.2)
        final = np.sign(solve(case).params[:-1])
        signs = [np.sign(i.params[:-1]) for i in islice(linear_descent(case, tol=1e-12), 12)]
        right = [np.array_equal(s, final) for s in signs]
        first = right.index(True)
        assert all(right[first:])
        assert first <= 8

    @pytest.mark.parametrize("kind", ["log", "squared_hinge", "softmax"])
    def test_convergence_is_superlinear(self, kind):
        case = problem(kind, n=150, p=20, l1=0.1)
        gaps = [i.gap for i in islice(linear_descent(case, tol=1e-14), 12)]
        small = next(i for i, gap in enumerate(gaps) if gap < 1e-4)
        assert min(gaps[small : small + 3]) < 1e-10


@every_kind
@both_stores
class TestScales:
    def scaled(self, kind, layout, factors, **options):
        """The same problem in other units: the penalty is on the coefficients of the new units."""
        case = problem(kind, n=60, p=30, **options)
        return replace(case, X=LAYOUTS[layout](case.X * factors))

    def assert_solved(self, case, tol=1e-7):
        end = solve(case, tol=tol * objective(case, 0.0 * _zeros(case)), max_iter=300)
        assert end.converged
        assert end.iterate.status is None
        assert np.isfinite(end.params).all()
        assert end.iterate.value == pytest.approx(objective(case, end.params), rel=1e-9)
        return end

    @pytest.mark.parametrize("seed", range(4))
    def test_columns_of_all_sizes(self, kind, layout, seed):
        factors = 10.0 ** np.random.default_rng(seed).uniform(-6.0, 6.0, 30)
        for l1 in (1e-2, 1e-6):
            case = self.scaled(kind, layout, factors, l1=1.0, seed=seed)
            largest = case.l1 * factors.max()
            self.assert_solved(replace(case, l1=l1 * largest))

    @pytest.mark.parametrize("factor", [1e-25, 1e-8, 1e8, 1e25])
    def test_units(self, kind, layout, factor):
        """The optimum is that of factor one, in other units."""
        plain = problem(kind, n=60, p=30, l1=0.1)
        expected = solve(plain)
        case = self.scaled(kind, layout, factor, l1=0.1)
        end = self.assert_solved(replace(case, l1=plain.l1 * factor), tol=1e-10)
        assert end.iterate.value == pytest.approx(expected.iterate.value, rel=1e-9)
        assert_allclose(end.params[:-1] * factor, expected.params[:-1], atol=1e-3)

    @pytest.mark.parametrize("mean", [1e3, 1e6])
    def test_large_means(self, kind, layout, mean):
        plain = problem(kind, n=60, p=30, l1=0.1)
        expected = solve(plain)
        case = replace(plain, X=LAYOUTS[layout](plain.X + mean))
        end = self.assert_solved(case, tol=1e-7)
        assert end.iterate.value == pytest.approx(expected.iterate.value, rel=1e-6)

    def test_columns_of_zeros_and_constants(self, kind, layout):
        plain = problem(kind, n=60, p=30, l1=0.1)
        expected = solve(plain)
        X = np.hstack([plain.X, np.zeros((60, 1)), np.full((60, 2), [0.1, -1e6])])
        case = replace(plain, X=LAYOUTS[layout](X))
        for start in (None, np.ones((34, case.n_outputs))):
            end = solve(case, start, tol=1e-10)
            assert end.converged
            assert end.iterate.value == pytest.approx(expected.iterate.value, rel=1e-9)
            assert np.all(end.params[30:33] == 0.0)
            assert_allclose(end.params[:30], expected.params[:30], atol=1e-3)

    def test_constants_without_an_l1_norm(self, kind, layout):
        """Nothing but rounding is left of them: their coefficients must not run away."""
        plain = problem(kind, n=200, p=5)
        X = np.hstack([plain.X, np.full((200, 2), [0.1, 3.3])])
        for bounds in [(0.0, np.inf), (-1.0, 1.0), (0.0, 5.0)]:
            case = replace(plain, lower=bounds[0], upper=bounds[1])
            expected = solve(case, tol=1e-10)
            end = solve(replace(case, X=LAYOUTS[layout](X)), tol=1e-10)
            assert end.converged
            assert end.iterate.value == pytest.approx(expected.iterate.value, rel=1e-8)
            assert np.abs(end.params[5:7]).max() < 1.0

    def test_duplicated_columns(self, kind, layout):
        plain = problem(kind, n=60, p=30, l1=0.05)
        case = replace(plain, X=LAYOUTS[layout](np.hstack([plain.X, plain.X[:, :10]])))
        end = solve(case, tol=1e-9)
        assert end.converged
        assert end.iterate.value == pytest.approx(solve(plain).iterate.value, rel=1e-8)


def _zeros(case):
    return np.zeros((case.X.shape[1] + 1, case.n_outputs))


@pytest.mark.parametrize("l2", [1.0, 1e3, 1e6])
@both_stores
@every_kind
def test_strong_ridge(kind, layout, l2):
    """Far above the squared norms of the columns."""
    case = problem(kind, layout=layout, l1=0.01, l2=l2)
    end = solve(case)
    assert end.converged
    assert worst_violation(case, end.params) < 1e-6 * case.l2


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("mean", [0.0, 1e7])
def test_norms_of_sparse_columns(fit_intercept, mean):
    """Of a tiny column behind a huge one, of an empty one, and where the mean hides the rest."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 8)) * 10.0 ** np.array([7, -7, 0, 7, -7, 0, 0, 0])
    X[rng.random(X.shape) < 0.3] = 0.0
    X[:, 2] = rng.standard_normal(50) + mean
    X[:, 5], X[:, 7] = 0.0, 0.1
    case = LinearProblem(sp.csc_array(X), rng.standard_normal(50), fit_intercept=fit_intercept)
    risk = make_risk(case)
    look = risk.look(np.zeros(50), 0.0)
    system = _System(case.X, risk.weights, look, fit_intercept, case.X.indices)
    centred = X - fit_intercept * X.mean(axis=0)
    centred[:, 7] *= not fit_intercept
    assert_allclose(system.norms, (centred**2).mean(axis=0), rtol=1e-6, atol=0.0)
    assert_allclose(system.means, fit_intercept * X.mean(axis=0), rtol=1e-12)
    assert system.norms[5] == 0.0


def test_indices_of_64_bits():
    case = problem("squared", layout="csc", l1=0.1)
    X = case.X.copy()
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    assert_array_equal(solve(replace(case, X=X)).params, solve(case).params)


@every_kind
@both_stores
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_not_finite(kind, layout, bad):
    case = problem(kind, n=30, p=20, layout=layout, l1=0.1)
    X = dense(case.X).copy()
    X[17, 11] = bad
    for acceleration in ("newton", None):
        with pytest.raises(NotFiniteError, match="not finite"):
            solve(replace(case, X=LAYOUTS[layout](X)), acceleration=acceleration)


@binary
@both_stores
def test_bounds_are_met_to_the_last_bit(kind, layout):
    for upper in (0.1, 0.3, 1.0 / 3.0, 0.7):
        case = problem(kind, n=60, p=30, layout=layout, l1=0.001, lower=-upper, upper=upper)
        w = solve(case).params[:-1]
        assert np.abs(w).max() == upper
        assert np.count_nonzero(np.abs(w) == upper) > 1
        assert not np.any((np.abs(w) > upper * (1 - 1e-12)) & (np.abs(w) < upper))


@every_kind
@pytest.mark.parametrize("layout", ["C", "F", "csc"])
def test_threads_of_blas_do_not_matter(kind, layout):
    """Sizes at which products are shared by threads."""
    case = problem(kind, n=400, p=600, layout=layout, l1=0.05)
    runs = []
    for limit in (1, 2):
        with threadpool_limits(limits=limit, user_api="blas"):
            runs.append(list(islice(linear_descent(case, tol=1e-10), 6)))
    for a, b in zip(*runs, strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-6)
    ends = []
    for limit in (1, 2):
        with threadpool_limits(limits=limit, user_api="blas"):
            ends.append(solve(case, tol=1e-12))
    assert_allclose(ends[0].params, ends[1].params, atol=1e-6)
    assert ends[0].iterate.value == pytest.approx(ends[1].iterate.value, rel=1e-11)


def test_one_row_and_one_column():
    for n, p in [(1, 1), (1, 5), (5, 1)]:
        X, y = np.arange(1.0, n * p + 1).reshape(n, p), np.arange(1.0, n + 1)
        for fit_intercept in (True, False):
            case = LinearProblem(X, y, l1=0.01, fit_intercept=fit_intercept)
            end = solve(case)
            assert end.converged
            assert worst_violation(case, end.params) < 1e-6


def test_a_path_does_not_disturb_what_was_yielded():
    case = problem("squared", n=50, p=100, l1=0.5)
    seen = []
    for target, iterates in coefficient_path(
        [replace(case, l1=f * case.l1) for f in (1.0, 0.3)], tol=1e-10
    ):
        last = next(i for i in islice(iterates, 50) if i.gap <= 1e-10)
        seen.append((target, last, last.params.copy(), last.block.copy()))
    for target, last, params, block in seen:
        assert_array_equal(last.params, params)
        assert_array_equal(last.block, block)
        assert last.value == pytest.approx(objective(target, params), rel=1e-12)
