"""The driver: where runs stop, what they report, and when they warn."""

import warnings
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from skkd.losses import BinaryLogLoss
from skkd.solvers import (
    Constant,
    Iterate,
    Normalized,
    errors,
    first_hit,
    gradient_descent,
    gradient_norm,
    lbfgs,
    newton,
    run,
)

from ._problems import noisy_problem, separable_problem


def descent(step=None, problem=noisy_problem, **options):
    """Gradient descent on a noisy logistic problem."""
    objective = problem(BinaryLogLoss(), 1, **options)
    return gradient_descent(objective, objective.zeros(), step=step or Constant(0.5))


@pytest.mark.parametrize("max_iter", [1, 2, 10, 11, 25])
@pytest.mark.parametrize("check_every", [None, 1, 10])
def test_exactly_max_iter_updates(max_iter, check_every):
    result = run(descent(), max_iter=max_iter, check_every=check_every)
    assert result.n_iter == result.iterate.index == max_iter
    assert not (result.converged or result.stopped)
    expected = next(islice(descent(), max_iter, None))
    assert (result.params == expected.params).all()


def test_zero_updates_return_the_start():
    result = run(descent(), max_iter=0)
    assert result.n_iter == 0
    assert not result.params.any()


@pytest.mark.parametrize("check_every", [1, 3])
def test_the_criterion_is_looked_at_every_so_often(check_every):
    norms = [float(gradient_norm(iterate)) for iterate in islice(descent(), 60)]
    tol = norms[13]
    first = next(t for t, norm in enumerate(norms) if norm <= tol and t % check_every == 0)
    result = run(descent(), max_iter=100, tol=tol, criterion=gradient_norm, check_every=check_every)
    assert result.converged
    assert result.n_iter == first


def test_the_criterion_is_looked_at_once_more_at_the_end():
    norms = [float(gradient_norm(iterate)) for iterate in islice(descent(), 20)]
    result = run(descent(), max_iter=13, tol=norms[13], criterion=gradient_norm, check_every=1000)
    assert result.converged


def test_a_start_that_meets_the_criterion_costs_no_update():
    result = run(descent(), max_iter=9, tol=np.inf, criterion=gradient_norm)
    assert (result.n_iter, result.converged) == (0, True)


def test_gradient_norm_of_a_normalized_run_is_that_of_the_gradient():
    objective = separable_problem(BinaryLogLoss())
    for iterate in islice(gradient_descent(objective, objective.zeros(), step=Normalized(2.0)), 8):
        expected = np.abs(objective.value_and_gradient(iterate.params)[1]).max()
        assert_allclose(gradient_norm(iterate), expected, rtol=1e-12)


def test_errors_behind_first_hit_remember_a_hit():
    iterate = Iterate(np.zeros((1, 1)), np.zeros((1, 1)), errors=np.float64(0.25))
    assert errors(iterate) == 0.25
    hits = list(
        first_hit([iterate, iterate.replace(errors=np.float64(0.0))], lambda it: it.errors == 0)
    )
    assert [float(errors(it)) for it in hits] == [1.0, 0.0]


def test_callbacks_see_each_update_and_may_stop():
    seen = []

    def on_iterate(iterate):
        seen.append(iterate.index)
        return iterate.index == 4

    result = run(descent(), max_iter=50, on_iterate=on_iterate)
    assert seen == [1, 2, 3, 4]  # the start is no update
    assert result.stopped
    assert not result.converged
    assert result.n_iter == 4


def test_one_warning_with_a_remedy_when_not_converged():
    def remedy(result):
        return f"not there after {result.n_iter} updates; increase max_iter"

    with pytest.warns(ConvergenceWarning, match="not there after 3 updates; increase") as caught:
        run(descent(), max_iter=3, criterion=gradient_norm, remedy=remedy)
    assert len(caught) == 1


@pytest.mark.parametrize("ending", ["converged", "stopped", "no message"])
def test_no_warning_otherwise(ending):
    options = {
        "converged": {"criterion": gradient_norm, "tol": np.inf},
        "stopped": {"on_iterate": lambda iterate: True},
        "no message": {},
    }[ending]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(
            descent(),
            max_iter=3,
            remedy=lambda result: None if ending == "no message" else "x",
            **options,
        )


def test_the_words_of_a_solver_end_a_run():
    plain = Iterate(np.zeros((1, 1)), np.zeros((1, 1)))
    for status, converged in (("stagnated", True), ("failed", False)):
        iterates = [plain, plain.replace(index=1), plain.replace(index=1, status=status), plain]
        result = run(iter(iterates), max_iter=10)
        assert result.converged is converged
        assert result.n_iter == 1
        assert result.iterate.status == status


@pytest.mark.parametrize("solver", [lbfgs, newton])
def test_a_failed_line_search_warns_and_does_not_pretend(solver):
    class Wrong:
        """A gradient of the wrong sign: nothing descends."""

        def value_and_gradient(self, W):
            return np.float64(np.sum(W**2)), -2.0 * W

        def linearize(self, W):
            return lambda V: 2.0 * V

    with pytest.warns(ConvergenceWarning, match="broke down"):
        result = run(
            solver(Wrong(), np.ones((2, 1)), diagonal=None),
            max_iter=10,
            remedy=lambda result: f"broke down: {result.iterate.status}",
        )
    assert result.iterate.status == "failed"
    assert not result.converged


def test_no_iterates_at_all_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="no iterate"):
        run(iter([]), max_iter=3)
