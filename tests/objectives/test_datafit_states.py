"""States: after any steps they say what a fresh evaluation at the same point says."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkd.objectives import Datafit, DatafitState, LeastSquares, SVMDual
from skkd.objectives._datafits import _base, _gram
from tests.objectives._datafits import CASES, LAYOUTS, blocks, problem, rows, signs


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def check_against_fresh(state, rng, rtol=1e-9):
    """Everything the state says, against the datafit at a copy of its point."""
    datafit, x = state.datafit, state.x.copy()
    assert_allclose(state.value(), datafit.value(x), rtol=rtol, atol=rtol)
    for block in blocks(datafit, rng):
        expected = datafit.gradient(x, block)
        assert_allclose(state.gradient(block), expected, rtol=rtol, atol=rtol)
        expected = datafit.hessian_block(x, block)
        assert_allclose(state.hessian_block(block), expected, rtol=rtol, atol=rtol)
    assert_allclose(state.gradient(), datafit.gradient(x), rtol=rtol, atol=rtol)
    for block in blocks(datafit, rng):
        assert_allclose(state.gradient(block), datafit.gradient(x, block), rtol=rtol, atol=rtol)


def step(state, rng, size=0.3):
    """A step of a random block."""
    datafit = state.datafit
    block = rng.permutation(datafit.n_variables)[: rng.integers(1, 5)]
    d = size * rng.standard_normal(len(block))
    state.apply(block, d)
    return block, d


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_many_steps_equal_a_fresh_start(case, layout, rng):
    datafit, _, _ = problem(case, layout, weights=case.weighted)
    state = datafit.init(np.zeros(datafit.n_variables))
    x = np.zeros(datafit.n_variables)
    for k in range(300):
        if k % 3 == 0:
            state.gradient()  # sometimes the gradient is there when a step is made
        block, d = step(state, rng)
        x[block] += d
    assert_array_equal(state.x, x)
    check_against_fresh(state, rng)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_line_is_the_value_along_the_block(case, layout, rng):
    datafit, _, _ = problem(case, layout, weights=case.weighted)
    state = datafit.init(rng.standard_normal(datafit.n_variables))
    for block in blocks(datafit, rng):
        d = rng.standard_normal(len(block))
        along = state.line(block, d)
        before = state.x.copy()
        for t in (0.0, 1e-3, 0.5, -2.0):
            y = state.x.copy()
            y[block] += t * d
            assert_allclose(along(t), datafit.value(y), rtol=1e-10, atol=1e-10)
        assert_array_equal(state.x, before)
        assert isinstance(along(1.0), float)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_state_owns_its_point_and_lends_nothing(case, rng):
    datafit, _, _ = problem(case)
    x = rng.standard_normal(datafit.n_variables)
    given = x.copy()
    state = datafit.init(x)
    gradient = state.gradient()
    copy = gradient.copy()
    step(state, rng)
    assert_array_equal(x, given)
    assert_array_equal(gradient, copy)
    state.gradient()[:] = 0.0
    check_against_fresh(state, rng)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_kept_is_refreshed(case, rng, monkeypatch):
    monkeypatch.setattr(_base, "REFRESH_EVERY", 10)
    datafit, _, _ = problem(case)
    state = datafit.init(np.zeros(datafit.n_variables))
    calls = []
    refresh = state.refresh
    monkeypatch.setattr(state, "refresh", lambda: (calls.append(None), refresh()))
    for _ in range(25):
        step(state, rng)
    assert len(calls) == 2
    check_against_fresh(state, rng)


@pytest.mark.parametrize("make", [LeastSquares, SVMDual])
@pytest.mark.parametrize("gram", [True, False, "auto"])
@pytest.mark.parametrize("layout", ["C", "csr_array"])
def test_the_stored_hessian_changes_no_answer(make, gram, layout, rng):
    A = rows()
    targets = np.ones(len(A)) if make is LeastSquares else signs(len(A))
    datafit = make(LAYOUTS[layout](A), targets, l2=0.1, gram=gram)
    state = datafit.init(np.zeros(datafit.n_variables))
    for _ in range(100):
        step(state, rng)
        assert_allclose(state.gradient(), datafit.gradient(state.x), rtol=1e-9, atol=1e-9)
    check_against_fresh(state, rng)
    stored = "hessian" in vars(datafit)
    # "auto" stores it for dense rows only.
    assert stored == (gram is True or (gram == "auto" and layout == "C"))


def test_gram_auto_waits_until_storing_pays(rng):
    A = rng.standard_normal((20, 80))
    datafit = LeastSquares(A, np.ones(20))
    state = datafit.init(np.zeros(80))
    for k in range(30):
        state.gradient()
        state.gradient()  # the same point again: nothing is computed
        step(state, rng)
        assert ("hessian" in vars(datafit)) == (k >= 80 / _gram.SPEEDUP)


def test_a_run_does_not_depend_on_the_runs_before_it(rng):
    A = rng.standard_normal((20, 40))
    datafit = LeastSquares(A, np.ones(20))

    def path():
        state, values = datafit.init(np.zeros(40)), []
        for _ in range(50):
            block = np.argsort(-np.abs(state.gradient()))[:3]
            state.apply(block, -state.gradient(block) / datafit.block_lipschitz(block))
            values.append(state.value())
        return values

    assert path() == path()


def test_a_step_with_the_stored_hessian_reads_no_row(rng):
    # After the switch the gradient follows without a product with the whole of A.
    datafit = LeastSquares(rows(), np.ones(13), gram=True)
    state = datafit.init(np.zeros(6))
    state.gradient()
    step(state, rng)
    datafit.pulled_back = None  # a product would fail
    assert np.all(np.isfinite(state.gradient()))


def test_the_columns_kept_are_those_of_the_block_asked_for(rng):
    datafit, _, _ = problem(CASES[1])
    state = datafit.init(rng.standard_normal(datafit.n_variables))
    block = np.array([0, 1])
    state.gradient(block)
    block[:] = [3, 4]  # the caller's array is the caller's
    assert_allclose(state.gradient(block), datafit.gradient(state.x, block), rtol=1e-12)


class Quartic(Datafit):
    """``sum_i (x_i - 1)^4 + x_i^2``, with nothing but value and gradient."""

    n_variables = 3

    def value(self, x):
        return float(np.sum((x - 1) ** 4 + x**2))

    def gradient(self, x, block=None):
        G = 4 * (x - 1) ** 3 + 2 * x
        return G if block is None else G[block]


def test_the_plain_state_serves_any_datafit(rng):
    datafit = Quartic()
    state = datafit.init([0, 0, 0])
    assert type(state) is DatafitState
    block, d = np.array([2, 0]), np.array([1.0, 2.0])
    along = state.line(block, d)
    assert along(0.5) == datafit.value(np.array([1.0, 0.0, 0.5]))
    state.apply(block, d)
    assert_array_equal(state.x, [2.0, 0.0, 1.0])
    assert state.value() == datafit.value(state.x)
    assert_array_equal(state.gradient(block), datafit.gradient(state.x)[block])


@pytest.mark.parametrize("name", ["hessian_block", "hessian_bound", "third_order", "bound_product"])
def test_what_a_datafit_leaves_out_is_marked_and_named(name):
    datafit = Quartic()
    method = getattr(datafit, name)
    assert method.absent
    assert not getattr(datafit.value, "absent", False)
    arguments = {"hessian_block": 2, "third_order": 1, "hessian_bound": 1, "bound_product": 1}
    with pytest.raises(NotImplementedError, match=rf"Quartic defines no {name}.*choose"):
        method(*[None] * arguments[name])


def test_the_point_must_be_a_flat_vector():
    datafit, _, _ = problem(CASES[0])
    with pytest.raises(ValueError, match=r"shape \(5,\).*6 variables"):
        datafit.init(np.zeros(5))
