"""Adapters: running means, first hits however late one looks, the best iterate, rounds."""

from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skkd.losses import BinaryLogLoss, MultinomialLogLoss, PerceptronLoss
from skkd.solvers import (
    Constant,
    Iterate,
    Normalized,
    averaged,
    best,
    errors,
    first_hit,
    gradient_descent,
    lbfgs,
    rounds,
    run,
)

from ._problems import Counted, noisy_problem, separable_problem


def separated(iterate):
    """The condition that estimators use."""
    return iterate.errors == 0


def descent(objective, step=None):
    """Gradient descent from the origin."""
    return gradient_descent(objective, objective.zeros(), step=step or Normalized(10.0))


@pytest.mark.parametrize(("loss", "k"), [(BinaryLogLoss(), 1), (MultinomialLogLoss(), 3)])
def test_averaged_is_the_running_mean(loss, k):
    objective = Counted(noisy_problem(loss, k, alpha=0.0))
    plain = list(islice(descent(objective), 12))
    objective.evaluations = 0
    for t, iterate in enumerate(islice(averaged(descent(objective), objective), 12)):
        mean = np.mean([it.params for it in plain[: t + 1]], axis=0)
        assert_allclose(iterate.params, mean, rtol=1e-12, atol=1e-13)
        assert_allclose(iterate.logits, objective.logits(mean), rtol=1e-11, atol=1e-11)
        errors_of_mean, margin = objective.wrongness(objective.logits(mean))
        assert_allclose(iterate.errors, errors_of_mean, rtol=1e-13)
        assert_allclose(iterate.margin, margin, rtol=1e-9)
        assert_array_equal(iterate.gradient, plain[t].gradient)
    assert objective.evaluations == 12  # no further pass over the rows


@pytest.mark.parametrize("freeze", [True, False])
def test_first_hit_notes_the_first(freeze):
    # Large steps are right, wrong again, and right for good: a condition that comes and goes.
    values = [3.0, 2.0, 0.0, 1.0, 0.0]
    iterates = [
        Iterate(np.full((1, 1), v), np.zeros((1, 1)), errors=np.float64(v), index=i)
        for i, v in enumerate(values)
    ]
    seen = list(first_hit(iter(iterates), separated, freeze=freeze))
    assert [int(it.hit) for it in seen] == [-1, -1, 2, 2, 2]
    expected = [3.0, 2.0, 0.0, 0.0, 0.0] if freeze else values
    assert [float(it.params[0, 0]) for it in seen] == expected
    assert [int(it.index) for it in seen] == ([0, 1, 2, 2, 2] if freeze else [0, 1, 2, 3, 4])


def test_first_hit_at_the_start_and_never():
    at_once = next(first_hit(descent(separable_problem(BinaryLogLoss())), lambda it: it.index >= 0))
    assert at_once.hit == 0
    never = list(
        islice(first_hit(descent(noisy_problem(PerceptronLoss(), 1, alpha=0.0)), separated), 9)
    )
    assert all(it.hit == -1 for it in never)


@pytest.mark.parametrize("check_every", [2, 7, 1000])
@pytest.mark.parametrize("keep", ["last", "best", "average"])
def test_looking_late_changes_nothing(check_every, keep):
    def result(check_every):
        objective = separable_problem(BinaryLogLoss(), n=200, gap=0.15, seed=1)
        iterates = descent(objective, Constant(0.03))
        if keep == "average":
            iterates = averaged(iterates, objective)
        iterates = first_hit(iterates, separated)
        if keep == "best":
            iterates = best(iterates)
        return run(iterates, max_iter=3000, criterion=errors, check_every=check_every)

    one, other = result(1), result(check_every)
    assert one.converged
    assert one.n_iter > 10
    assert other.n_iter == one.n_iter == int(other.iterate.hit)
    assert_array_equal(other.params, one.params)
    assert float(other.kept.errors) == 0


def test_the_frozen_iterate_keeps_all_its_fields():
    objective = separable_problem(BinaryLogLoss())
    iterates = list(islice(first_hit(descent(objective), separated), 60))
    hit = int(iterates[-1].hit)
    assert 0 < hit < 59
    for name in ("params", "gradient", "logits", "errors", "margin", "log_mass"):
        assert_array_equal(getattr(iterates[-1], name), getattr(iterates[hit], name))


@pytest.mark.parametrize("freeze", [True, False])
def test_first_hit_passes_the_solvers_status_on(freeze):
    objective = noisy_problem(BinaryLogLoss(), 1)
    solver = lbfgs(objective, objective.zeros())
    result = run(first_hit(solver, lambda it: it.value < -1.0, freeze=freeze), max_iter=500)
    assert result.iterate.status == "stagnated"
    assert result.converged


def fake(errors_, margin, norm, index):
    """An iterate with these facts."""
    params = np.full((1, 1), float(norm))
    return Iterate(
        params, params, errors=np.float64(errors_), margin=np.float64(margin), index=index
    )


def test_best_has_the_fewest_errors_then_the_largest_relative_margin():
    facts = [
        (0.5, -1.0, 1.0),
        (0.2, -2.0, 1.0),  # fewer errors
        (0.2, -3.0, 3.0),  # as many, margin -1 per norm: better
        (0.3, 5.0, 1.0),
        (0.0, 1.0, 2.0),  # none
        (0.0, 1.4, 4.0),  # margin 0.35 per norm: worse
        (0.0, 2.0, 3.0),  # better
        (1e-9, 9.0, 1.0),  # an error of a tiny weight is an error
    ]
    margins = [fact[1] for fact in facts]
    kept = [float(it.kept.margin) for it in best(fake(*f, i) for i, f in enumerate(facts))]
    assert [margins.index(m) for m in kept] == [0, 1, 2, 2, 4, 4, 6, 6]


def test_no_error_beats_an_error_of_tiny_weight():
    facts = [(1e-9, -0.1, 1.0), (0.0, 0.01, 1.0)]
    kept = [float(it.kept.margin) for it in best(fake(*f, i) for i, f in enumerate(facts))]
    assert kept == [-0.1, 0.01]


def test_best_on_a_real_path():
    objective = noisy_problem(BinaryLogLoss(), 1, alpha=0.0)
    iterates = list(islice(best(descent(objective, Constant(50.0))), 50))
    # The origin has no direction: its relative margin counts as zero, like its margin.
    table = [
        (float(it.errors), -float(it.margin) / max(np.linalg.norm(it.params), 1e-300))
        for it in iterates
    ]
    expected = iterates[min(range(50), key=lambda i: table[i])]
    kept = iterates[-1].kept
    for name in ("params", "gradient", "logits", "errors", "margin"):
        assert_array_equal(getattr(kept, name), getattr(expected, name))


def test_the_kept_iterate_knows_its_index():
    facts = [(0.5, -1.0, 1.0), (0.2, -2.0, 1.0), (0.3, -1.0, 1.0)]
    kept = [int(it.kept.index) for it in best(fake(*f, i) for i, f in enumerate(facts))]
    assert kept == [0, 1, 1]


def test_run_returns_what_best_kept():
    objective = noisy_problem(BinaryLogLoss(), 1, alpha=0.0)
    result = run(best(descent(objective, Constant(50.0))), max_iter=30)
    assert result.n_iter == 30
    assert result.kept is result.iterate.kept
    assert_array_equal(result.params, result.kept.params)


def test_rounds_go_on_where_the_last_one_ended():
    objectives = [noisy_problem(BinaryLogLoss(), 1, seed=seed) for seed in range(3)]
    asked = []

    def refresh(params):
        asked.append(params)
        return objectives[len(asked) - 1] if len(asked) <= 3 else None

    def solver(objective, params):
        return islice(gradient_descent(objective, params, step=Constant(0.5)), 4)

    iterates = list(rounds(refresh, solver))
    assert [it.index for it in iterates] == [0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9]
    assert asked[0] is None
    assert_array_equal(iterates[4].params, iterates[3].params)
    W = objectives[0].zeros()
    for objective in objectives:
        for _ in range(3):
            W = W - 0.5 * objective.evaluate(W).gradient
    assert_array_equal(iterates[-1].params, W)
    assert_array_equal(asked[-1], W)
