"""Datafits against their formulas: values, derivatives, and the bounds that steps rely on."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skkd.objectives import LeastSquares, Logistic, Softmax, SVMDual
from tests.objectives._datafits import (
    CASES,
    L2,
    LAYOUTS,
    N_CLASSES,
    blocks,
    classes,
    points,
    problem,
    rows,
    signs,
)

WEIGHTED = [case for case in CASES if case.weighted]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def full_bound(datafit):
    """The bound on the whole Hessian, column by column."""
    return np.array([datafit.bound_product(e) for e in np.eye(datafit.n_variables)]).T


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_is_that_of_the_formula(case, layout, rng):
    datafit, A, w = problem(case, layout, weights=case.weighted)
    for x in points(datafit, rng):
        expected = case.value(A, w, x) + 0.5 * L2 * x @ x
        assert_allclose(datafit.value(x), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_is_the_slope_of_the_value(case, layout, rng):
    datafit, _, _ = problem(case, layout, weights=case.weighted)
    x = rng.standard_normal(datafit.n_variables)
    h = 1e-6
    slopes = [
        (datafit.value(x + h * e) - datafit.value(x - h * e)) / (2 * h)
        for e in np.eye(datafit.n_variables)
    ]
    gradient = datafit.gradient(x)
    assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6)
    for block in blocks(datafit, rng):
        assert_allclose(datafit.gradient(x, block), gradient[block], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_hessian_block_is_that_of_the_formula(case, layout, rng):
    datafit, A, w = problem(case, layout, weights=case.weighted)
    for x in points(datafit, rng):
        whole = case.hessian(A, w, x) + L2 * np.eye(datafit.n_variables)
        for block in blocks(datafit, rng):
            H = datafit.hessian_block(x, block)
            assert_allclose(H, whole[np.ix_(block, block)], rtol=1e-10, atol=1e-10)
            assert_allclose(H, H.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_hessian_is_the_slope_of_the_gradient(case, rng):
    datafit, _, _ = problem(case, weights=case.weighted)
    x = rng.standard_normal(datafit.n_variables)
    h = 1e-6
    slopes = [
        (datafit.gradient(x + h * e) - datafit.gradient(x - h * e)) / (2 * h)
        for e in np.eye(datafit.n_variables)
    ]
    everything = np.arange(datafit.n_variables)
    assert_allclose(datafit.hessian_block(x, everything), slopes, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_hessian_bound_exceeds_every_hessian_block(case, rng):
    datafit, A, w = problem(case, weights=case.weighted)
    for block in blocks(datafit, rng):
        bound = datafit.hessian_bound(block)
        for x in [*points(datafit, rng), np.zeros(datafit.n_variables)]:
            whole = case.hessian(A, w, x) + L2 * np.eye(datafit.n_variables)
            slack = np.linalg.eigvalsh(bound - whole[np.ix_(block, block)])
            assert slack[0] >= -1e-12 * np.trace(bound)


def test_softmax_bound_is_reached():
    # One row; the block holds two of four classes. With the probability shared by these two and
    # one other class that plays the reference, some direction bends as much as the bound allows.
    datafit = Softmax([[1.0]], [0], n_classes=N_CLASSES)
    block = np.array([0, 1])
    bound = datafit.hessian_bound(block)
    halves = datafit.hessian_block(np.array([50.0, 50.0, 0.0, 0.0]), block)
    direction = np.array([1.0, -1.0])
    assert_allclose(direction @ halves @ direction, direction @ bound @ direction, rtol=1e-12)
    assert_allclose(datafit.hessian_bound(block[:1]), [[0.25]])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_block_lipschitz_bounds_the_change_of_the_gradient(case, rng):
    datafit, _, _ = problem(case, weights=case.weighted)
    for block in blocks(datafit, rng):
        L = datafit.block_lipschitz(block)
        assert_allclose(L, np.linalg.eigvalsh(datafit.hessian_bound(block))[-1], rtol=1e-10)
        for x in points(datafit, rng):
            for size in (1e-2, 1.0, 10.0):
                y = x.copy()
                d = size * rng.standard_normal(len(block))
                y[block] += d
                change = np.linalg.norm(datafit.gradient(y, block) - datafit.gradient(x, block))
                assert change <= L * np.linalg.norm(d) * (1 + 1e-10) + 1e-10


@pytest.mark.parametrize("case", CASES, ids=str)
def test_lipschitz_constants_are_those_of_single_coordinates(case):
    datafit, _, _ = problem(case, weights=case.weighted)
    singles = [datafit.block_lipschitz(np.array([i])) for i in range(datafit.n_variables)]
    assert_allclose(datafit.lipschitz(), singles, rtol=1e-12)


@pytest.mark.parametrize("case", [case for case in CASES if case.third_order], ids=str)
def test_third_order_bounds_the_change_of_the_hessian(case, rng):
    datafit, _, _ = problem(case, weights=case.weighted)
    for block in blocks(datafit, rng):
        M = datafit.third_order(block)
        assert (M == 0.0) == (datafit.quadratic or not datafit.lipschitz()[block].max() > L2)
        for x in [np.zeros(datafit.n_variables), *points(datafit, rng)]:
            for size in (1e-2, 0.5, 3.0):
                y = x.copy()
                d = size * rng.standard_normal(len(block))
                y[block] += d
                change = datafit.hessian_block(y, block) - datafit.hessian_block(x, block)
                assert np.linalg.norm(change, 2) <= M * np.linalg.norm(d) + 1e-10


@pytest.mark.parametrize(
    ("datafit", "block"),
    [
        (Logistic([[2.0]], [1]), np.array([0])),
        (Softmax([[2.0]], [0], n_classes=2), np.array([0])),
        (Softmax([[2.0]], [0], n_classes=2), np.array([0, 1])),
    ],
)
def test_third_order_is_reached(datafit, block):
    # Where the second derivative of the logistic function is largest, at log(2 + sqrt(3)).
    direction = np.array([1.0, -1.0])[: len(block)] / np.sqrt(len(block))
    x = np.zeros(datafit.n_variables)
    logit = np.log(2 + np.sqrt(3))
    x[block] = direction * logit / (2.0 * np.sum(np.abs(direction)))
    y = x.copy()
    h = 1e-5
    y[block] += h * direction
    change = datafit.hessian_block(y, block) - datafit.hessian_block(x, block)
    assert_allclose(np.linalg.norm(change, 2) / h, datafit.third_order(block), rtol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_bound_product_row_sums_and_norm_are_those_of_one_matrix(case, layout, rng):
    datafit, A, w = problem(case, layout, weights=case.weighted)
    H = full_bound(datafit)
    assert_allclose(datafit.bound_row_sums(), np.abs(H).sum(axis=1), rtol=1e-12)
    top = np.linalg.eigvalsh(H)[-1]
    assert top * (1 - 1e-12) <= datafit.bound_norm() <= top * (1 + 1e-10)
    x = rng.standard_normal(datafit.n_variables)
    whole = case.hessian(A, w, x) + L2 * np.eye(datafit.n_variables)
    assert np.linalg.eigvalsh(H - whole)[0] >= -1e-12 * top
    everything = np.arange(datafit.n_variables)
    assert_allclose(H, datafit.hessian_bound(everything), rtol=1e-12, atol=1e-12)


def test_softmax_bound_is_a_kronecker_product():
    A = rows()
    w = np.arange(len(A)) + 1.0
    datafit = Softmax(A, classes(len(A)), sample_weight=w, n_classes=N_CLASSES)
    coupling = 0.5 * (np.eye(N_CLASSES) - 1.0 / N_CLASSES)
    assert_allclose(
        full_bound(datafit), np.kron(A.T @ (w[:, None] * A), coupling), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", WEIGHTED, ids=str)
def test_integer_weights_equal_repetition(case, layout, rng):
    A = case.matrix()
    n = len(A)
    weight = rng.integers(0, 4, n)
    # The targets of a case depend on the position of a row, so rows are repeated by hand.
    plain = case.make(A)
    repeated = np.repeat(np.arange(n), weight)
    target = plain.Y[repeated] if isinstance(plain, Softmax) else plain.b[repeated]
    extended = type(plain)(A[repeated], target)
    weighted = case.make(LAYOUTS[layout](A), weight=weight)
    x = rng.standard_normal(plain.n_variables)
    block = rng.permutation(plain.n_variables)[:4]
    for name, arguments in {
        "value": (x,),
        "gradient": (x,),
        "hessian_block": (x, block),
        "hessian_bound": (block,),
        "lipschitz": (),
        "block_lipschitz": (block,),
        "bound_row_sums": (),
        "bound_norm": (),
        "bound_product": (x,),
        **({"third_order": (block,)} if case.third_order else {}),
    }.items():
        ours = getattr(weighted, name)(*arguments)
        theirs = getattr(extended, name)(*arguments)
        assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_zero_column_has_the_constant_zero(layout):
    for case in WEIGHTED:
        datafit, _, _ = problem(case, layout, l2=0.0)
        K = datafit.n_classes if isinstance(datafit, Softmax) else 1
        block = 2 * K + np.arange(K)
        assert np.all(datafit.lipschitz()[block] == 0.0)
        assert datafit.block_lipschitz(block) == 0.0
        assert np.all(datafit.bound_row_sums()[block] == 0.0)
        assert np.all(datafit.gradient(np.ones(datafit.n_variables), block) == 0.0)
        assert np.all(datafit.hessian_bound(block) == 0.0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_matrix_of_zeros_has_constants_zero(layout):
    A = LAYOUTS[layout](np.zeros((3, 2)))
    for datafit in (LeastSquares(A, np.ones(3)), Logistic(A, np.ones(3)), SVMDual(A, signs(3))):
        assert datafit.bound_norm() == 0.0
        assert np.all(datafit.bound_row_sums() == 0.0)


def test_extreme_logits_overflow_nowhere():
    A = np.array([[1e3], [-1e3]])
    x = np.array([10.0])
    logistic = Logistic(A, [1, 1])
    assert logistic.value(x) == 1e4
    assert_allclose(logistic.gradient(x), [1e3])
    two = Softmax(A, [1, 1])
    assert_allclose(two.value(np.array([0.0, 10.0])), 1e4)
    assert_allclose(two.gradient(np.array([0.0, 10.0])), [-1e3, 1e3])


def test_two_classes_of_softmax_are_the_logistic_loss(rng):
    A = rows()
    b = signs(len(A))
    logistic, two = Logistic(A, b), Softmax(A, b > 0)
    x = rng.standard_normal(A.shape[1])
    X = np.column_stack([np.zeros_like(x), x]).ravel()
    assert_allclose(two.value(X), logistic.value(x), rtol=1e-13)
    assert_allclose(two.gradient(X).reshape(-1, 2)[:, 1], logistic.gradient(x), rtol=1e-11)


def test_soft_labels_are_mixtures_of_labels(rng):
    A = rows()
    Y = rng.dirichlet(np.ones(3), len(A))
    x = rng.standard_normal(3 * A.shape[1])
    mixture = sum(
        Softmax(A, np.full(len(A), c), sample_weight=Y[:, c], n_classes=3).value(x)
        for c in range(3)
    )
    assert_allclose(Softmax(A, Y).value(x), mixture, rtol=1e-13)


def test_svm_dual_is_the_dual_of_the_hinge_loss(rng):
    # At the minimum over the box the values of primal and dual add up to zero.
    from scipy.optimize import minimize

    X, y, C = rng.standard_normal((30, 3)), signs(30), 0.7
    datafit = SVMDual(X, y)
    found = minimize(
        datafit.value,
        np.zeros(30),
        jac=datafit.gradient,
        bounds=[(0, C)] * 30,
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 10_000},
    )
    w = X.T @ (found.x * y)
    primal = 0.5 * w @ w + C * np.maximum(0, 1 - y * (X @ w)).sum()
    assert_allclose(primal, -found.fun, rtol=1e-6)
