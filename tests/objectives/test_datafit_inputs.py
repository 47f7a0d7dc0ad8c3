"""What datafits accept and refuse, and that no large matrix is ever formed."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skkd.objectives import (
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Softmax,
    SquaredHinge,
    SVMDual,
)
from skkd.objectives._datafits import _columns
from tests.objectives._datafits import LAYOUTS, rows

A = rows()
n = len(A)


def bytes_at_most(function):
    """Result of a call, and the most memory it held at a time."""
    tracemalloc.start()
    try:
        result = function()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: LeastSquares(A, np.ones(n - 1)), r"b has shape \(12,\).*\(13,\)"),
        (lambda: LeastSquares(A[:, 0], np.ones(n)), "matrix.*reshape"),
        (lambda: LeastSquares(A[:0], np.ones(0)), "at least one row"),
        (lambda: LeastSquares(A * np.nan, np.ones(n)), "A holds NaN"),
        (lambda: LeastSquares(sparse.csr_array(A) * np.inf, np.ones(n)), "A holds NaN"),
        (lambda: LeastSquares(A, np.full(n, np.inf)), "b holds NaN"),
        (lambda: LeastSquares(A, np.ones(n), l2=-1.0), "l2 is -1.0.*at least 0"),
        (lambda: LeastSquares(A, np.ones(n), l2="much"), "l2 is 'much'"),
        (lambda: LeastSquares(A, np.ones(n), gram="maybe"), "gram is 'maybe'.*'auto'"),
        (lambda: LeastSquares(A, np.ones(n), sample_weight=-np.ones(n)), "negative entry -1"),
        (lambda: Logistic(A, np.arange(n) % 2), "other than -1 and 1, such as 0.*np.where"),
        (lambda: SquaredHinge(A, np.arange(n) % 2), "other than -1 and 1"),
        (lambda: SVMDual(A, np.arange(n) % 2), "y holds labels other than -1 and 1"),
        (lambda: Softmax(A, np.full(n, 0.5)), "integers 0 to"),
        (lambda: Softmax(A, np.full(n, -1)), "labels from -1.*LabelEncoder"),
        (lambda: Softmax(A, np.full(n, 7), n_classes=3), "labels from 7.*0 to 2"),
        (lambda: Softmax(A, np.ones((n, 3))), "probabilities"),
        (lambda: Softmax(A, np.ones((n, 1))), "at least 2 classes"),
        (lambda: GraphQuadratic(A, np.ones(n)), "square"),
        (lambda: GraphQuadratic([[1.0, 2.0], [0.0, 1.0]], [1, 1]), "symmetric.*0.5"),
        (lambda: GraphQuadratic([[-1.0, 0.0], [0.0, 1.0]], [1, 1]), "negative diagonal.*Laplacian"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(make, complaint):
    with pytest.raises(ValueError, match=f"(?s){complaint}"):
        make()


@pytest.mark.parametrize("make", [LeastSquares, Logistic, SVMDual, Softmax])
def test_arrays_of_devices_are_refused(make):
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"(?s)array of torch.*NumPy.*\.cpu\(\)\.numpy\(\)"):
        make(torch.ones((2, 2)), np.ones(2))
    with pytest.raises(TypeError, match="array of torch"):
        make(np.ones((2, 2)), torch.ones(2))


def test_lists_and_data_frames_are_accepted():
    pandas = pytest.importorskip("pandas")
    expected = LeastSquares(A, np.ones(n)).value(np.ones(6))
    assert LeastSquares(A.tolist(), [1] * n).value(np.ones(6)) == expected
    frame = pandas.DataFrame(A)
    assert LeastSquares(frame, pandas.Series(np.ones(n))).value(np.ones(6)) == expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_input_is_left_alone_and_computed_with_in_float64(layout):
    given = LAYOUTS[layout](A.astype(np.float32))
    before = given.toarray() if sparse.issparse(given) else given.copy()
    b = np.ones(n, dtype=np.float32)
    datafit = LeastSquares(given, b)
    state = datafit.init(np.zeros(6, dtype=np.float32))
    state.apply(np.array([0, 1]), np.array([1.0, 2.0]))
    assert state.x.dtype == state.gradient().dtype == datafit.A.dtype == np.float64
    after = given.toarray() if sparse.issparse(given) else given
    assert np.array_equal(after, before)
    assert np.all(b == 1)


def test_repeated_entries_of_a_sparse_matrix_add_up():
    repeated = sparse.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [0, 0, 1])), shape=(2, 2))
    assert_allclose(LeastSquares(repeated, [0, 0]).lipschitz(), [9.0, 9.0])
    csc = sparse.csc_array(([1.0, 2.0, 3.0], [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    assert_allclose(LeastSquares(csc, [0, 0]).lipschitz(), [9.0, 9.0])
    assert csc.nnz == 3


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weights", [True, False])
def test_panels_of_any_width_give_the_same_sums(layout, weights, monkeypatch):
    weight = np.arange(n) + 1.0 if weights else None
    whole = LeastSquares(LAYOUTS[layout](A), np.ones(n), sample_weight=weight)
    monkeypatch.setattr(_columns, "PANEL_BYTES", 8 * n * 2)
    panels = LeastSquares(LAYOUTS[layout](A), np.ones(n), sample_weight=weight)
    assert_allclose(panels.bound_row_sums(), whole.bound_row_sums(), rtol=1e-13)
    assert_allclose(panels.hessian, whole.hessian, rtol=1e-13, atol=1e-13)


def test_row_sums_of_many_columns_take_little_memory():
    wide = np.random.default_rng(0).standard_normal((5, 4500))
    datafit = LeastSquares(wide, np.ones(5))
    sums, peak = bytes_at_most(datafit.bound_row_sums)
    assert peak < 100e6  # the whole matrix has 162 MB
    some = [0, 2500, 4499]
    assert_allclose(sums[some], np.abs(wide.T[some] @ wide).sum(axis=1), rtol=1e-12)


def test_softmax_of_many_variables_takes_little_memory():
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((30, 1000))
    datafit = Softmax(wide, rng.integers(0, 50, 30), n_classes=50)
    assert datafit.n_variables == 50_000  # a matrix of that size has 20 GB
    d = rng.standard_normal(50_000)

    def everything():
        return datafit.bound_row_sums(), datafit.bound_product(d), datafit.bound_norm()

    (sums, product, norm), peak = bytes_at_most(everything)
    assert peak < 50e6
    G = wide.T @ wide
    assert_allclose(sums[:50], np.full(50, 0.98 * np.abs(G[0]).sum()), rtol=1e-12)
    coupling = 0.5 * (np.eye(50) - 0.02)
    assert_allclose(product, (G @ d.reshape(1000, 50) @ coupling).ravel(), rtol=1e-9, atol=1e-9)
    assert_allclose(norm, 0.5 * np.linalg.eigvalsh(wide @ wide.T)[-1], rtol=1e-10)


@pytest.mark.parametrize("shape", [(200, 60), (60, 200)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weights", [True, False])
def test_norm_by_lanczos_is_a_tight_upper_bound(shape, layout, weights, monkeypatch):
    monkeypatch.setattr(_columns, "DENSE_SPECTRUM", 1)
    rng = np.random.default_rng(3)
    B = rng.standard_normal(shape) + 0.3
    w = rng.random(shape[0]) if weights else None
    H = B.T @ B if w is None else B.T @ (w[:, None] * B)
    top = np.linalg.eigvalsh(H)[-1]
    datafits = [
        LeastSquares(LAYOUTS[layout](B), np.ones(shape[0]), sample_weight=w) for _ in range(2)
    ]
    norms = [datafit.bound_norm() for datafit in datafits]
    assert norms[0] == norms[1]
    assert top * (1 - 1e-13) <= norms[0] <= top * (1 + 1e-6)


def test_norm_of_a_large_graph():
    # The path of N nodes: the largest eigenvalue is 2 + 2 cos(pi / (N + 1)).
    N = 1500
    path = sparse.diags_array([2.0, -1.0, -1.0], offsets=[0, 1, -1], shape=(N, N))
    top = 2 + 2 * np.cos(np.pi / (N + 1))
    assert top <= GraphQuadratic(path, np.zeros(N)).bound_norm() <= top * (1 + 1e-6)


def test_constants_are_computed_once_and_not_shared():
    datafit = Logistic(A, np.ones(n))
    for name in ("lipschitz", "bound_row_sums"):
        first = getattr(datafit, name)()
        first[:] = -1.0
        assert np.all(getattr(datafit, name)() >= 0.0)


def test_the_graph_includes_the_ridge():
    datafit = GraphQuadratic([[2.0, -1.0], [-1.0, 2.0]], [0, 0], l2=0.5)
    assert_allclose(datafit.graph.toarray(), [[2.5, -1.0], [-1.0, 2.5]])
    assert LeastSquares(A, np.ones(n)).graph is None
