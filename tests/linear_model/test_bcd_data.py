"""Rows and columns of every kind: order, layout, degenerate data, missing values, tiny samples."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone

from skkd.linear_model import BCDClassifier, BCDRegressor
from tests.linear_model._bcd import (
    LAYOUTS,
    classification,
    coefficients,
    objective,
    regression,
)

MODELS = {
    "lasso": BCDRegressor(0.1, penalty="l1", tol=1e-11),
    "elastic net": BCDRegressor(0.1, penalty="elasticnet", tol=1e-11),
    "ridge": BCDRegressor(0.1, tol=1e-11),
    "group lasso": BCDRegressor(0.1, penalty="group_l1", groups=3, tol=1e-11),
    "positive": BCDRegressor(0.1, penalty="l1", positive=True, tol=1e-11),
    "l1 logistic": BCDClassifier(0.02, penalty="l1", tol=1e-11),
    "l2 logistic": BCDClassifier(0.02, tol=1e-11),
    "group logistic": BCDClassifier(0.02, penalty="group_l1", groups=3, tol=1e-11),
    "squared hinge": BCDClassifier(0.02, penalty="l1", loss="squared_hinge", tol=1e-11),
    "l1 softmax": BCDClassifier(0.02, penalty="l1", tol=1e-11),
    "l2 softmax": BCDClassifier(0.02, tol=1e-11),
}
every_model = pytest.mark.parametrize("name", MODELS)
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def data(name, n=60, p=30, seed=0):
    if isinstance(MODELS[name], BCDRegressor):
        return regression(n, p, seed)
    return classification(n, p, 3 if "softmax" in name else 2, seed)


def fit(name, X, y, **params):
    return clone(MODELS[name]).set_params(**params).fit(X, y)


def assert_same(one, other, atol=2e-5):
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-8, abs=1e-12)
    for a, b in zip(coefficients(one), coefficients(other), strict=True):
        assert_allclose(a, b, atol=atol)


@every_model
class TestInvariance:
    @every_layout
    def test_layout(self, name, layout):
        X, y = data(name)
        assert_same(fit(name, LAYOUTS[layout](X), y), fit(name, X, y))

    @every_layout
    def test_order_of_rows(self, name, layout):
        X, y = data(name)
        order = np.random.RandomState(0).permutation(len(y))
        assert_same(fit(name, LAYOUTS[layout](X[order]), y[order]), fit(name, X, y))

    @every_layout
    def test_order_of_columns(self, name, layout):
        X, y = data(name)
        order = np.random.RandomState(0).permutation(X.shape[1])
        if "group" in name:
            order = np.arange(X.shape[1]).reshape(-1, 3)[::-1, ::-1].ravel()
        moved, plain = fit(name, LAYOUTS[layout](X[:, order]), y), fit(name, X, y)
        moved.coef_ = np.atleast_2d(moved.coef_)[:, np.argsort(order)]
        assert_same(moved, plain)

    @every_layout
    def test_offset_of_columns_moves_the_intercept_only(self, name, layout):
        X, y = data(name)
        offset = np.linspace(-20, 20, X.shape[1])
        moved, plain = fit(name, LAYOUTS[layout](X + offset), y), fit(name, X, y)
        moved.intercept_ = moved.intercept_ + np.atleast_2d(moved.coef_) @ offset
        if "softmax" in name:
            moved.intercept_ -= moved.intercept_.mean()
        assert_same(moved, plain, atol=2e-4)

    @every_layout
    def test_rows_are_left_alone(self, name, layout):
        X, y = data(name)
        X, targets = LAYOUTS[layout](X), y.copy()
        before = X.copy()
        model = fit(name, X, y)
        model.predict(X)
        assert abs(X - before).max() == 0 and np.array_equal(y, targets)

    def test_read_only_rows(self, name, tmp_path):
        X, y = data(name)
        X.tofile(tmp_path / "rows")
        mapped = np.memmap(tmp_path / "rows", dtype=np.float64, mode="r", shape=X.shape)
        y.flags.writeable = False
        assert_same(fit(name, mapped, y), fit(name, X, y))
        frozen = sparse.csc_array(X)
        for part in (frozen.data, frozen.indices, frozen.indptr):
            part.flags.writeable = False
        assert_same(fit(name, frozen, y), fit(name, X, y))

    def test_large_mean(self, name):
        X, y = data(name)
        # Sparse columns are not centred; of the softmax with a ridge 1e6 would cost all digits.
        for layout, mean in (("C", 1e6), ("csc", 1e3 if name == "l2 softmax" else 1e6)):
            moved = fit(name, LAYOUTS[layout](X + mean), y, tol=1e-6)
            plain = fit(name, X, y)
            assert moved.objective_ == pytest.approx(plain.objective_, rel=1e-5)


@every_model
class TestColumns:
    @every_layout
    def test_zero_and_constant_columns_get_nothing(self, name, layout):
        X, y = data(name)
        X[:, 4], X[:, 7], X[:, 9] = 0.0, 7.0, -1e6
        model = fit(name, LAYOUTS[layout](X), y, tol=1e-8)
        coef, _ = coefficients(model)
        assert np.all(coef[:, 4] == 0.0)
        # Entries of 1e6 leave a gradient of 1e6 * eps, of which the intercept takes the rest.
        assert_allclose(coef[:, [7, 9]], 0.0, atol=1e-8)

    @every_layout
    def test_columns_without_entries(self, name, layout):
        _, y = data(name)
        if isinstance(MODELS[name], BCDRegressor):
            expected = y.mean()
        else:
            expected = np.log(np.bincount(y) / len(y))
            expected = expected[1] - expected[0] if expected.size == 2 else expected
        loss = getattr(MODELS[name], "loss", "squared")
        model = fit(name, LAYOUTS[layout](np.zeros((60, 3))), y)
        assert np.all(model.coef_ == 0.0)
        if loss != "squared_hinge":
            expected = expected - (np.mean(expected) if np.size(expected) > 1 else 0.0)
            assert_allclose(np.squeeze(model.intercept_), expected, atol=1e-7)

    @every_layout
    def test_repeated_columns(self, name, layout):
        """The optimum is that of the columns once, but for the shares between equal ones."""
        X, y = data(name, p=9)
        model = fit(name, LAYOUTS[layout](np.hstack([X, X])), y)
        if MODELS[name].penalty != "l1":
            return
        assert model.objective_ == pytest.approx(fit(name, X, y).objective_, rel=1e-8)

    @every_layout
    @pytest.mark.parametrize("shape", [(15, 300), (400, 4), (3, 2)])
    def test_shapes(self, name, layout, shape):
        if "group" in name and shape[1] < 3:
            pytest.skip("less than a group")
        X, y = data(name, *shape)
        model = fit(name, LAYOUTS[layout](X), y)
        if model.penalty != "group_l1":
            assert model.objective_ == pytest.approx(objective(model, X, y), rel=1e-9)

    @every_layout
    def test_float32_is_kept_and_agrees(self, name, layout):
        X, y = data(name)
        model = fit(name, LAYOUTS[layout](X.astype(np.float32)), y.astype(np.float32))
        assert model.coef_.dtype == np.float32 and model.intercept_.dtype == np.float32
        assert model.objective_ == pytest.approx(fit(name, X, y).objective_, rel=1e-5)
        assert_allclose(model.coef_, fit(name, X, y).coef_, atol=5e-3)


@every_model
class TestSparse:
    def test_unsorted_and_repeated_entries(self, name):
        X, y = data(name)
        X *= np.random.RandomState(1).random_sample(X.shape) < 0.5
        whole = sparse.csc_array(X)
        indices, values = whole.indices.copy(), whole.data.copy()
        for start, stop in zip(whole.indptr[:-1], whole.indptr[1:], strict=True):
            indices[start:stop] = indices[start:stop][::-1]
            values[start:stop] = values[start:stop][::-1]
        unsorted = sparse.csc_array((values, indices, whole.indptr), shape=X.shape)
        halves = sparse.csc_array(
            (
                np.repeat(whole.data / 2, 2),
                np.repeat(whole.indices, 2),
                2 * whole.indptr,
            ),
            shape=X.shape,
        )
        expected = fit(name, X, y)
        for matrix in (unsorted, halves):
            before = matrix.nnz, matrix.indices.copy()
            assert_same(fit(name, matrix, y), expected)
            assert matrix.nnz == before[0] and np.array_equal(matrix.indices, before[1])

    def test_indices_of_64_bits_and_explicit_zeros(self, name):
        X, y = data(name)
        X *= np.random.RandomState(1).random_sample(X.shape) < 0.5
        matrix = sparse.csc_array(X + 1.0)
        matrix.data -= 1.0
        matrix.indices = matrix.indices.astype(np.int64)
        matrix.indptr = matrix.indptr.astype(np.int64)
        assert_same(fit(name, matrix, y), fit(name, X, y))
        assert matrix.indices.dtype == np.int64


@every_model
@pytest.mark.parametrize("path", [False, True], ids=["fit", "path"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("bad", "complaint"), [(np.nan, "X contains NaN"), (np.inf, "infinity")])
def test_missing_and_infinite_entries_are_an_error(name, bad, complaint, layout, dtype, path):
    X, y = data(name)
    X = X.astype(dtype)
    X[17, 3] = bad
    model = clone(MODELS[name])
    with pytest.raises(ValueError, match=complaint):
        if path:
            model.path(LAYOUTS[layout](X), y, [0.1, 0.01])
        else:
            model.fit(LAYOUTS[layout](X), y)
    X[17] = 0.0
    model.fit(LAYOUTS[layout](X), y)
    X[17, 3] = bad
    with pytest.raises(ValueError, match=complaint):
        model.predict(LAYOUTS[layout](X))


@pytest.mark.parametrize("weightless", [False, True])
@pytest.mark.parametrize("name", ["lasso", "l1 logistic", "l1 softmax"])
def test_missing_entries_where_no_residual_is(name, weightless):
    """Nothing computed from the rows may hide a NaN: 0 * NaN is NaN."""
    X, y = data(name)
    X[17, 3] = np.nan
    weight = np.ones(60)
    weight[17] = 0.0 if weightless else 1.0
    targets = np.full(60, 5.0) if name == "lasso" else y
    with pytest.raises(ValueError, match="X contains NaN"):
        clone(MODELS[name]).fit(X, targets, sample_weight=weight)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_and_infinite_targets_are_an_error(bad):
    X, y = regression()
    y[3] = bad
    with pytest.raises(ValueError, match="y contains|Input y"):
        BCDRegressor(0.1, penalty="l1").fit(X, y)
    labels = np.where(np.arange(60) % 2, 1.0, 0.0)
    labels[3] = bad
    with pytest.raises(ValueError, match="y contains|Input y"):
        BCDClassifier(0.1, penalty="l1").fit(X, labels)


@every_layout
class TestTargets:
    def test_constant(self, layout):
        X, _ = regression()
        for value in (0.0, 3.0):
            for model in (BCDRegressor(0.1, penalty=p) for p in ("l1", "elasticnet", "l2")):
                model.fit(LAYOUTS[layout](X), np.full(60, value))
                assert_allclose(model.coef_, 0.0, atol=1e-12)
                assert model.intercept_ == pytest.approx(value)
                assert model.dual_gap_ == pytest.approx(0.0, abs=1e-20)

    def test_strong_penalty_leaves_the_mean(self, layout):
        X, y = regression()
        largest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 60
        for factor in (1.0 + 1e-12, 2.0, 1e8):
            model = BCDRegressor(factor * largest, penalty="l1").fit(LAYOUTS[layout](X), y)
            assert np.all(model.coef_ == 0.0) and model.active_set_.size == 0
            assert model.intercept_ == pytest.approx(y.mean(), rel=1e-14)
        model = BCDRegressor(0.999 * largest, penalty="l1", tol=1e-10).fit(LAYOUTS[layout](X), y)
        assert model.active_set_.size == 1

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_strong_penalty_leaves_the_log_odds(self, n_classes, layout):
        X, y = classification(n_classes=n_classes)
        y[:7] = 0
        shares = np.bincount(y) / 60
        model = BCDClassifier(10.0, penalty="l1").fit(LAYOUTS[layout](X), y)
        assert np.all(model.coef_ == 0.0)
        assert_allclose(model.predict_proba(LAYOUTS[layout](X[:1]))[0], shares, rtol=1e-9)
        if n_classes == 3:
            assert model.intercept_.sum() == pytest.approx(0.0, abs=1e-12)

    def test_one_member_of_a_class(self, layout):
        X, _ = regression()
        y = np.zeros(60, dtype=int)
        y[5] = 1
        for penalty in ("l1", "l2", "elasticnet"):
            model = BCDClassifier(1e-3, penalty=penalty, tol=1e-9).fit(LAYOUTS[layout](X), y)
            assert model.objective_ == pytest.approx(objective(model, X, y), rel=1e-9)
            assert np.array_equal(model.predict(LAYOUTS[layout](X)), y)

    def test_separable(self, layout):
        X, y = regression()
        labels = (X[:, 0] > 0).astype(int)
        for alpha in (1e-2, 1e-4, 1e-6):
            model = BCDClassifier(alpha, penalty="l1", tol=1e-8).fit(LAYOUTS[layout](X), labels)
            assert model.score(LAYOUTS[layout](X), labels) == 1.0
            assert model.objective_ == pytest.approx(objective(model, X, labels), rel=1e-9)

    def test_one_row(self, layout):
        X, y = regression()
        for penalty in ("l1", "l2", "elasticnet"):
            model = BCDRegressor(0.1, penalty=penalty).fit(LAYOUTS[layout](X[:1]), y[:1])
            assert np.all(model.coef_ == 0.0) and model.intercept_ == pytest.approx(y[0])

    def test_l1_of_no_strength(self, layout):
        X, y = regression()
        design = np.column_stack([X, np.ones(60)])
        fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
        for penalty in ("l1", "elasticnet", "l2"):
            model = BCDRegressor(0.0, penalty=penalty, tol=1e-12).fit(LAYOUTS[layout](X), y)
            assert_allclose(model.predict(LAYOUTS[layout](X)), fitted, atol=1e-4)
