"""Columns of a working set, products with them, and Anderson's weights."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skkd.solvers._working_set import _columns, _design
from skkd.solvers._working_set._anderson import extrapolation_weights
from skkd.solvers._working_set._columns import ColumnStore, products, symmetric_product
from skkd.solvers._working_set._design import Design

from ._linear_problems import LAYOUTS, dense

every_layout = pytest.mark.parametrize("layout", LAYOUTS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def matrix(n=30, p=20, *, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.uniform(-3.0, 3.0, p)
    X[rng.random((n, p)) < 0.3] = 0.0
    return X.astype(dtype)


def row_weights(n, seed=1):
    weights = np.random.default_rng(seed).uniform(0.1, 1.0, n)
    return weights / weights.sum()


@every_layout
@every_dtype
class TestDesign:
    def test_correlations(self, layout, dtype):
        X = matrix(dtype=dtype)
        v = np.random.default_rng(0).standard_normal((30, 3))
        design = Design(LAYOUTS[layout](X))
        eps = 50 * np.finfo(dtype).eps
        got = design.correlations(v)
        assert got.dtype == float
        assert_allclose(got, X.astype(float).T @ v, atol=eps, rtol=eps)
        assert_allclose(design.correlations(v[:, 0]), got[:, 0], atol=eps, rtol=eps)

    def test_correlations_in_shares(self, layout, dtype, monkeypatch):
        """Many columns are shared by two threads; how they are cut changes nothing."""
        X = matrix(dtype=dtype)
        v = np.random.default_rng(0).standard_normal(30).astype(dtype)
        whole = Design(LAYOUTS[layout](X)).correlations(v)
        monkeypatch.setattr(_design, "_SHARE", 3 * 30 * X.itemsize)  # 20 columns, 3 at a time
        eps = 50 * np.finfo(dtype).eps
        assert_allclose(Design(LAYOUTS[layout](X)).correlations(v), whole, atol=eps, rtol=eps)

    @pytest.mark.parametrize("size", [0, 1, 5, 9, 15, 20])  # more than half: with all columns
    def test_product(self, layout, dtype, size):
        X = matrix(dtype=dtype)
        rng = np.random.default_rng(0)
        indices = np.sort(rng.choice(20, size, replace=False))
        design = Design(LAYOUTS[layout](X))
        for coef in (rng.standard_normal(size), rng.standard_normal((size, 3))):
            got = design.product(indices, coef)
            assert got.dtype == float
            assert_allclose(got, X[:, indices].astype(float) @ coef, atol=1e-12)

    def test_columns_and_parts(self, layout, dtype):
        X = matrix(dtype=dtype)
        indices = np.array([7, 2, 19])
        design = Design(LAYOUTS[layout](X))
        columns = design.columns(indices)
        assert_array_equal(columns, X[:, indices])
        assert columns.dtype == dtype
        assert columns.T.flags.c_contiguous
        part = design.part(indices)
        assert part.shape == (30, 3)
        assert_array_equal(dense(part.X), X[:, indices])
        v = np.arange(30.0)
        assert_allclose(part.correlations(v), design.correlations(v)[indices], rtol=1e-5)


def expected_store(X, weights, centred):
    """Means, sizes and unit columns in float64."""
    X = X.astype(float)
    means = weights @ X if centred else np.zeros(X.shape[1])
    sizes = np.sqrt(weights @ (X - means) ** 2)
    sizes[sizes == 0.0] = 1.0
    return means, sizes, (X - means) / sizes


@every_layout
@every_dtype
@pytest.mark.parametrize("centred", [True, False])
class TestColumnStore:
    def assert_holds(self, store, X, weights, centred, features):
        means, sizes, columns = expected_store(X[:, features], weights, centred)
        assert store.size == len(features)
        assert store.rows.dtype == np.float32
        assert store.rows.flags.c_contiguous
        assert_allclose(store.means, means, rtol=1e-12, atol=1e-13)
        assert_allclose(store.sizes, sizes, rtol=1e-6)
        assert_allclose(store.rows, columns.T, atol=1e-5, rtol=1e-5)

    def test_means_sizes_and_unit_columns(self, layout, dtype, centred):
        X, weights = matrix(dtype=dtype), row_weights(30)
        store = ColumnStore(Design(LAYOUTS[layout](X)), weights, centred)
        features = np.array([3, 0, 11])
        store.change(np.empty(0, dtype=np.intp), features)
        self.assert_holds(store, X, weights, centred, features)
        assert_allclose(np.vecdot(store.rows, store.rows * weights), 1.0, rtol=1e-5)
        if centred:
            assert_allclose(store.rows @ weights, 0.0, atol=1e-6)

    def test_keeps_what_it_is_told_to_keep(self, layout, dtype, centred):
        X, weights = matrix(dtype=dtype), row_weights(30)
        store = ColumnStore(Design(LAYOUTS[layout](X)), weights, centred)
        rng = np.random.default_rng(0)
        features = np.empty(0, dtype=np.intp)
        for _ in range(30):
            kept = np.sort(rng.choice(features.size, rng.integers(features.size + 1), False))
            others = np.setdiff1d(np.arange(20), features[kept])
            new = rng.choice(others, rng.integers(others.size + 1), replace=False)
            features = np.concatenate([features[kept], new])
            store.change(kept, new)
            self.assert_holds(store, X, weights, centred, features)

    def test_columns_of_zeros_and_constants(self, layout, dtype, centred):
        X, weights = matrix(dtype=dtype), row_weights(30)
        X[:, 4] = 0.0
        X[:, 5], X[:, 6], X[:, 7] = 0.1, -1e9, 1e-20
        store = ColumnStore(Design(LAYOUTS[layout](X)), weights, centred)
        store.change(np.empty(0, dtype=np.intp), np.arange(3, 9))
        assert_array_equal(store.rows[1], 0.0)
        assert store.sizes[1] == 1.0
        if centred:
            assert_array_equal(store.rows[2:5], 0.0)
            assert_array_equal(store.sizes[2:5], 1.0)
        else:
            assert_allclose(np.abs(store.rows[2:5]), 1.0, rtol=1e-6)

    @pytest.mark.parametrize("power", [-30, -20, -6, 6, 20, 30])
    def test_scales_at_which_squares_leave_the_range(self, layout, dtype, centred, power):
        X, weights = matrix(dtype=np.float64), row_weights(30)
        factor = 10.0**power
        scaled = (X * factor).astype(dtype)
        store = ColumnStore(Design(LAYOUTS[layout](scaled)), weights, centred)
        store.change(np.empty(0, dtype=np.intp), np.arange(20))
        means, sizes, columns = expected_store(X, weights, centred)
        assert_allclose(store.sizes, sizes * factor, rtol=1e-5)
        assert_allclose(store.means, means * factor, rtol=1e-5, atol=1e-6 * factor)
        assert_allclose(store.rows, columns.T, atol=1e-5, rtol=1e-4)

    def test_scales_that_differ_among_the_columns(self, layout, dtype, centred):
        X, weights = matrix(dtype=np.float64), row_weights(30)
        factors = 10.0 ** np.linspace(-30, 30, 20)
        store = ColumnStore(Design(LAYOUTS[layout]((X * factors).astype(dtype))), weights, centred)
        store.change(np.empty(0, dtype=np.intp), np.arange(20))
        _, sizes, columns = expected_store(X, weights, centred)
        assert_allclose(store.sizes, sizes * factors, rtol=1e-5)
        assert_allclose(store.rows, columns.T, atol=1e-5, rtol=1e-4)

    def test_large_means_do_not_drown_the_columns(self, layout, dtype, centred):
        if not centred:
            return
        rng = np.random.default_rng(0)
        X = np.round(rng.standard_normal((30, 4)) * 8.0) + 2.0**16  # exact in float32 too
        X = X.astype(dtype)
        weights = row_weights(30)
        store = ColumnStore(Design(LAYOUTS[layout](X)), weights, centred)
        store.change(np.empty(0, dtype=np.intp), np.arange(4))
        self.assert_holds(store, X, weights, centred, np.arange(4))


@pytest.mark.parametrize("limit", [0.0, np.inf], ids=["shared", "plain"])
@pytest.mark.parametrize("m", [1, 2, 7, 40])
@every_dtype
class TestProducts:
    def test_symmetric_product(self, limit, m, dtype, monkeypatch):
        monkeypatch.setattr(_columns, "_WORTH_SHARING", limit)
        rows = np.random.default_rng(0).standard_normal((m, 25)).astype(dtype)
        got = symmetric_product(rows)
        assert got.dtype == dtype
        assert_array_equal(got, got.T)
        eps = 30 * np.finfo(dtype).eps
        assert_allclose(got, rows.astype(float) @ rows.T.astype(float), atol=eps, rtol=eps)

    def test_products_into_a_part_of_a_buffer(self, limit, m, dtype, monkeypatch):
        monkeypatch.setattr(_columns, "_WORTH_SHARING", limit)
        rng = np.random.default_rng(0)
        a, b = (rng.standard_normal((size, 25)).astype(dtype) for size in (m, 9))
        buffer = np.full((m + 2, 12), np.nan, dtype=dtype)
        products(a, b, buffer[2:, :9])
        eps = 30 * np.finfo(dtype).eps
        assert_allclose(buffer[2:, :9], a.astype(float) @ b.T.astype(float), atol=eps, rtol=eps)
        assert np.isnan(buffer[:2]).all()
        assert np.isnan(buffer[:, 9:]).all()


def test_products_above_the_threshold():
    """Sizes at which two threads share the work, unforced."""
    rows = np.random.default_rng(0).standard_normal((300, 500)).astype(np.float32)
    assert rows.size * 300 > 2 * _columns._WORTH_SHARING
    exact = rows.astype(float) @ rows.T.astype(float)
    assert_allclose(symmetric_product(rows), exact, atol=1e-3)
    out = np.empty((300, 300), dtype=np.float32)
    products(rows, rows, out)
    assert_allclose(out, exact, atol=1e-3)


class TestAnderson:
    def iterates(self, rates, start, count):
        """Points of a linear iteration towards zero, one contraction for each coordinate."""
        return np.array([start * rates**t for t in range(count)])

    def test_weights_sum_to_one_and_are_the_best(self):
        rng = np.random.default_rng(0)
        points = rng.standard_normal((6, 10))
        weights = extrapolation_weights(points)
        assert weights.sum() == pytest.approx(1.0)
        differences = np.diff(points, axis=0)
        best = np.linalg.norm(weights @ differences)
        for _ in range(100):
            other = rng.standard_normal(5)
            other += (1.0 - other.sum()) / 5
            assert best <= np.linalg.norm(other @ differences) + 1e-12
            near = weights + 1e-3 * (other - other.sum() / 5)
            near /= near.sum()
            assert best <= np.linalg.norm(near @ differences) + 1e-9

    def test_extrapolates_a_linear_iteration_to_its_end(self):
        """Exact with one more point than there are different contractions."""
        points = self.iterates(np.array([0.9, 0.5, -0.3]), np.array([3.0, -2.0, 5.0]), 6)
        extrapolated = extrapolation_weights(points) @ points[1:]
        assert np.abs(extrapolated).max() < 1e-4 * np.abs(points[-1]).max()

    @pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1e200])
    def test_gives_up_where_nothing_moves_or_numbers_end(self, value):
        points = np.zeros((6, 3))
        points[::2] += value
        with np.errstate(over="ignore", invalid="ignore"):
            weights = extrapolation_weights(points)
        assert weights is None

    def test_scale_does_not_matter(self):
        points = np.random.default_rng(0).standard_normal((6, 4))
        for factor in (1e-100, 1e-8, 1e8, 1e100):
            assert_allclose(
                extrapolation_weights(factor * points), extrapolation_weights(points), rtol=1e-8
            )


def test_design_of_sparse_parts_stays_sparse():
    design = Design(sp.csc_array(matrix()))
    assert design.part(np.arange(3)).sparse
