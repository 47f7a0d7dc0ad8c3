"""L-BFGS and Newton-CG: SciPy's optimum, few evaluations, an honest end.

The objective at the optimum must agree with SciPy's L-BFGS-B, run to its last digit, to 1e-8
relative; the gradient there says more, and is asked for as well.
"""

import itertools
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from skkd.losses import (
    BinaryLogLoss,
    ExponentialLoss,
    MultinomialLogLoss,
    SquaredHingeLoss,
    SquaredLoss,
    Target,
)
from skkd.objectives import LinearObjective
from skkd.solvers import gradient_norm, lbfgs, newton, run

from ._problems import LOSSES, Counted, noisy_problem

SOLVERS = [lbfgs, newton]
BAD_SCALES = np.logspace(-4, 4, 8)


def optimum(solver, objective, *, tol=1e-11, max_iter=500, **options):
    """Run a solver to a small gradient."""
    return run(
        solver(objective, objective.zeros(), **options),
        max_iter=max_iter,
        tol=tol,
        criterion=gradient_norm,
    )


def scipy_optimum(objective, memory=30, max_iter=20_000):
    """SciPy's L-BFGS-B on the same objective, to its last digit."""
    shape = objective.shape

    def function(w):
        value, gradient = objective.value_and_gradient(w.reshape(shape))
        return float(value), gradient.reshape(-1)

    options = {"maxiter": max_iter, "maxfun": 50_000, "ftol": 0.0, "gtol": 1e-12, "maxcor": memory}
    start = np.zeros(shape[0] * shape[1])
    return minimize(function, start, jac=True, method="L-BFGS-B", options=options)


@pytest.mark.parametrize("alpha", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_optimum_is_scipys(solver, name, alpha):
    objective = noisy_problem(*LOSSES[name], alpha=alpha)
    result = optimum(solver, objective)
    assert result.converged
    assert_allclose(objective.value_and_gradient(result.params)[1], 0.0, atol=1e-9)
    assert_allclose(result.iterate.value, scipy_optimum(objective).fun, rtol=1e-8)
    assert result.n_iter < (100 if solver is lbfgs else 15)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", ["binary", "multinomial", "squared"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_badly_scaled_columns_cost_nothing(solver, name, fit_intercept):
    """Units from 1e-4 to 1e4: the preconditioner undoes them, where SciPy needs hundreds."""
    options = {"alpha": 0.0, "fit_intercept": fit_intercept}
    objective = noisy_problem(*LOSSES[name], scales=BAD_SCALES, **options)
    result = optimum(solver, objective, tol=1e-9)
    assert result.converged
    assert result.n_iter < 60
    # The same problem in good units, which SciPy can solve.
    good = noisy_problem(*LOSSES[name], scales=1.0, **options)
    assert_allclose(result.iterate.value, scipy_optimum(good).fun, rtol=1e-8)


def test_without_preconditioner_badly_scaled_columns_are_slow():
    """What the diagonal buys: the test above must not pass by accident."""
    objective = noisy_problem(*LOSSES["binary"], alpha=0.0, scales=BAD_SCALES)
    assert not optimum(lbfgs, objective, tol=1e-9, max_iter=60, diagonal=None).converged
    # Not there after a hundred iterations; left alone it needs many more.
    assert scipy_optimum(objective, memory=10, max_iter=100).nit == 100


@pytest.mark.parametrize("name", LOSSES)
def test_one_read_of_the_rows_per_update(name):
    objective = Counted(noisy_problem(*LOSSES[name]))
    result = optimum(lbfgs, objective, tol=1e-8)
    assert objective.evaluations <= 1.25 * result.n_iter + 3


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_values_descend_and_iterates_are_consistent(solver, name):
    """Each iterate's value and gradient are those at its parameters, the last one's too."""
    objective = noisy_problem(*LOSSES[name])
    iterates = list(islice(solver(objective, objective.zeros()), 200))
    assert [iterate.index for iterate in iterates[:5]] == [0, 1, 2, 3, 4]
    values = np.array([float(iterate.value) for iterate in iterates])
    # Once differences drown in rounding, steps are accepted by their slopes alone.
    assert np.all(np.diff(values) <= 4 * np.finfo(float).eps * np.abs(values[1:]))
    for iterate in [*iterates[:6], iterates[-1]]:
        value, gradient = objective.value_and_gradient(iterate.params)
        assert_allclose(iterate.value, value, rtol=1e-14)
        assert_allclose(iterate.gradient, gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_failed_search_yields_the_iterate_it_started_from(solver):
    """|w - 0.3| has a kink at its minimum, so that the search there must give up."""

    class Kink:
        def value_and_gradient(self, W):
            return np.sum(np.abs(W - 0.3)), np.sign(W - 0.3)

        def linearize(self, W):
            return lambda V: V

    last = list(islice(solver(Kink(), np.array([[1.0]]), diagonal=None), 50))[-1]
    assert last.status is not None
    value, gradient = Kink().value_and_gradient(last.params)
    assert_allclose(last.value, value)
    assert_allclose(last.gradient, gradient)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_tolerance_zero_ends_in_stagnation_which_is_convergence(solver, name):
    objective = noisy_problem(*LOSSES[name])
    result = run(
        solver(objective, objective.zeros()), max_iter=300, tol=0.0, criterion=gradient_norm
    )
    assert result.converged
    assert result.n_iter < 150
    assert_allclose(result.iterate.value, scipy_optimum(objective).fun, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", SOLVERS)
def test_an_objective_that_reaches_zero_has_converged(solver, dtype):
    """More columns than rows: the squared loss vanishes, and so does what it is measured by."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((10, 30)).astype(dtype), rng.standard_normal(10).astype(dtype)
    objective = LinearObjective(SquaredLoss(), X, Target(y))
    result = run(solver(objective, objective.zeros()), max_iter=300)
    assert float(result.iterate.value) < (1e-28 if dtype == np.float64 else 1e-11)
    assert result.converged


@pytest.mark.parametrize("name", ["binary", "multinomial", "squared"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_float32(solver, name):
    """Parameters stay float32; the objective is right to its rounding; the end is an honest one."""
    double = noisy_problem(*LOSSES[name])
    y = double.target.y
    single = LinearObjective(
        double.loss,
        double.X.astype(np.float32),
        Target(y.astype(np.float32) if y.dtype == np.float64 else y),
        n_outputs=double.shape[1],
        alpha=double.alpha,
    )
    for iterate in islice(solver(single, single.zeros()), 4):
        assert iterate.params.dtype == np.float32
        assert iterate.gradient.dtype == np.float32
    result = run(solver(single, single.zeros()), max_iter=300, tol=0.0, criterion=gradient_norm)
    assert result.converged
    assert_allclose(result.iterate.value, optimum(lbfgs, double).iterate.value, rtol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_start_at_the_optimum_stays_there(solver):
    objective = noisy_problem(*LOSSES["binary"])
    best = optimum(lbfgs, objective).params
    start = best.copy()
    result = run(solver(objective, best), max_iter=20, tol=1e-9, criterion=gradient_norm)
    assert result.n_iter == 0
    assert (best == start).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_column_of_zeros_and_a_zero_gradient(solver):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3)), rng.integers(0, 2, 50).astype(float)
    X[:, 1] = 0.0
    objective = LinearObjective(BinaryLogLoss(), X, Target(y))
    result = optimum(solver, objective)
    assert result.converged
    assert result.params[1, 0] == 0.0
    blank = LinearObjective(SquaredLoss(), np.zeros((4, 2)), Target(np.zeros(4)))
    result = run(solver(blank, blank.zeros()), max_iter=5)
    assert result.converged
    assert not result.params.any()


@pytest.mark.parametrize("solver", SOLVERS)
def test_separable_data_without_penalty_runs_off_without_a_nan(solver):
    """The infimum is at infinity: values go to zero, nothing breaks."""
    X = np.array([[1.0, 0.2], [-1.0, 0.1], [2.0, -0.3], [-2.0, 0.4]])
    objective = LinearObjective(BinaryLogLoss(), X, Target(np.array([1.0, 0.0, 1.0, 0.0])))
    result = run(solver(objective, objective.zeros()), max_iter=100)
    assert np.isfinite(result.params).all()
    assert 0 <= float(result.iterate.value) < 1e-8


def test_hinge_and_exponential_on_large_rows():
    """An exponential that overflows at a trial step must only make the step shorter."""
    rng = np.random.default_rng(0)
    X = 100.0 * rng.standard_normal((3000, 60))
    y = (X @ rng.standard_normal(60) + 300.0 * rng.standard_normal(3000) > 0).astype(float)
    for loss in (SquaredHingeLoss(), ExponentialLoss()):
        objective = LinearObjective(loss, X, Target(y), alpha=0.1)
        result = optimum(lbfgs, objective, tol=1e-7)
        assert result.converged


class Rosenbrock:
    """A curved valley: not convex, and the classic of line searches."""

    def __init__(self):
        self.evaluations = 0

    def value_and_gradient(self, W):
        self.evaluations += 1
        x, y = W[:, 0]
        value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
        gradient = [-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)]
        return np.float64(value), np.array(gradient)[:, None]


@pytest.mark.parametrize("start", [(-1.2, 1.0), (3.0, -3.0), (0.0, 10.0)])
def test_rosenbrock(start):
    objective = Rosenbrock()
    result = run(
        lbfgs(objective, np.array(start)[:, None], diagonal=None),
        max_iter=200,
        tol=1e-9,
        criterion=gradient_norm,
    )
    assert result.converged
    assert_allclose(result.params[:, 0], [1.0, 1.0], rtol=1e-8)
    assert objective.evaluations < 120


@pytest.mark.parametrize("memory", [1, 3, 30])
def test_any_memory(memory):
    objective = noisy_problem(*LOSSES["multinomial"])
    assert optimum(lbfgs, objective, memory=memory).converged


def test_compact_form_is_the_two_loop_recursion():
    """Iterates against a textbook L-BFGS that is given the same steps."""
    objective = noisy_problem(*LOSSES["binary"])
    iterates = list(islice(lbfgs(objective, objective.zeros(), memory=4, diagonal=None), 12))
    S, Y = [], []
    for one, two in zip(iterates[:-1], iterates[1:], strict=True):
        g = one.gradient[:, 0]
        q, alphas = g.copy(), []
        for s, y in reversed(list(zip(S, Y, strict=True))):
            alphas.append(s @ q / (s @ y))
            q = q - alphas[-1] * y
        if S:
            q = q * (S[-1] @ Y[-1]) / (Y[-1] @ Y[-1])
        for (s, y), a in zip(zip(S, Y, strict=True), reversed(alphas), strict=True):
            q = q + s * (a - y @ q / (s @ y))
        move = (two.params - one.params)[:, 0]
        cosine = -(move @ q) / np.linalg.norm(move) / np.linalg.norm(q)
        assert_allclose(cosine, 1.0, atol=1e-12)
        S, Y = [*S, move][-4:], [*Y, (two.gradient - one.gradient)[:, 0]][-4:]


def test_newton_converges_superlinearly():
    objective = noisy_problem(*LOSSES["binary"])
    norms = [
        float(np.linalg.norm(iterate.gradient))
        for iterate in islice(newton(objective, objective.zeros()), 8)
        if iterate.status is None
    ]
    # The forcing term is sqrt(norm): order 1.5 near the optimum, until rounding is met.
    near = [(a, b) for a, b in itertools.pairwise(norms) if 1e-9 < a < 1e-1]
    assert len(near) >= 2
    assert all(b <= 10.0 * a**1.4 for a, b in near)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_unknown_diagonal_is_refused(solver):
    objective = noisy_problem(*LOSSES["binary"])
    with pytest.raises(ValueError, match="\"auto\", None or an array, got 'jacobi'"):
        next(solver(objective, objective.zeros(), diagonal="jacobi"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["multinomial", "pairwise"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_no_drift_along_the_flat_direction(solver, name, dtype):
    """A constant on every intercept changes nothing, so that only rounding could move it."""
    double = noisy_problem(*LOSSES[name])
    objective = LinearObjective(
        double.loss,
        double.X.astype(dtype),
        double.target,
        n_outputs=double.shape[1],
        alpha=double.alpha,
    )
    last = list(islice(solver(objective, objective.zeros()), 60))[-1]
    assert abs(float(last.params[-1].sum())) < (1e-2 if dtype == np.float32 else 1e-10)


def test_multinomial_without_penalty_has_a_flat_direction():
    """Adding a constant to every class changes nothing; the solvers do not drift along it."""
    objective = noisy_problem(MultinomialLogLoss(), 4, alpha=0.0)
    for solver in SOLVERS:
        params = optimum(solver, objective).params
        assert_allclose(params.sum(axis=1), 0.0, atol=1e-10)
