"""The line search alone: what it accepts meets the Wolfe conditions, what it is told may be NaN."""

import math

import numpy as np
import pytest

from skkd.solvers._line_search import _CURVATURE, _DECREASE, _MAX_TRIALS, LineSearch

# name -> (function, derivative) of the step, with a negative derivative at zero.
FUNCTIONS = {
    "parabola": (lambda t: (t - 1.7) ** 2, lambda t: 2 * (t - 1.7)),
    "far parabola": (lambda t: (t - 1e5) ** 2, lambda t: 2 * (t - 1e5)),
    "near parabola": (lambda t: (t - 1e-6) ** 2, lambda t: 2 * (t - 1e-6)),
    "quartic": (lambda t: (t - 2) ** 4, lambda t: 4 * (t - 2) ** 3),
    "wave": (lambda t: -math.sin(3 * t) + 0.1 * t, lambda t: -3 * math.cos(3 * t) + 0.1),
    "logistic": (
        lambda t: math.log1p(math.exp(-5 * t)) + 0.01 * t**2,
        lambda t: -5 / (1 + math.exp(5 * t)) + 0.02 * t,
    ),
    # More and Thuente's first test function: a long flat tail before the minimum.
    "more-thuente": (lambda t: -t / (t**2 + 2), lambda t: (t**2 - 2) / (t**2 + 2) ** 2),
}


def search(function, slope, first_step=1.0):
    """Run a search to its end; the trial steps and the search."""
    line = LineSearch(function(0.0), slope(0.0), first_step)
    trials = []
    while line.step is not None:
        trials.append(line.step)
        line.tell(function(line.step), slope(line.step))
    return line, trials


@pytest.mark.parametrize("first_step", [1e-6, 1e-2, 1.0, 30.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_accepted_steps_meet_the_wolfe_conditions(name, first_step):
    function, slope = FUNCTIONS[name]
    line, trials = search(function, slope, first_step)
    t = line.found
    assert t == trials[-1]
    assert function(t) <= function(0.0) + _DECREASE * t * slope(0.0)
    assert abs(slope(t)) <= _CURVATURE * abs(slope(0.0))
    assert len(trials) <= 20
    assert trials[0] == first_step


def test_a_good_first_step_is_taken_at_once():
    line, trials = search(*FUNCTIONS["parabola"], 1.5)
    assert (line.found, len(trials)) == (1.5, 1)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("bad_slope", [math.nan, math.inf, -1e300])
@pytest.mark.parametrize("first_step", [1.0, 64.0])
def test_values_that_are_not_numbers_make_the_step_shorter(bad, bad_slope, first_step):
    """Beyond 0.5 the objective overflows; the minimum lies before."""

    def function(t):
        return bad if t > 0.5 else (t - 0.2) ** 2

    def slope(t):
        return bad_slope if t > 0.5 else 2 * (t - 0.2)

    line, trials = search(function, slope, first_step)
    assert line.found is not None
    assert line.found <= 0.5
    assert trials == sorted(trials, reverse=True) or len(trials) < 15


@pytest.mark.parametrize("bad_slope", [math.nan, math.inf, -math.inf])
def test_a_slope_that_is_not_a_number_makes_the_step_shorter(bad_slope):
    """The value may be finite where the gradient has overflowed."""

    def slope(t):
        return bad_slope if t > 0.5 else 2 * (t - 0.2)

    line, _ = search(lambda t: (t - 0.2) ** 2 - 10.0 * (t > 0.5), slope)
    assert line.found is not None
    assert line.found <= 0.5


@pytest.mark.parametrize("slope0", [0.0, 1.0, math.nan, -math.inf, math.inf])
def test_no_descent_no_search(slope0):
    line = LineSearch(1.0, slope0)
    assert line.step is None
    assert line.found is None


def test_verdicts():
    assert LineSearch(1.0, 0.0).verdict == "stagnated"
    assert LineSearch(1.0, -1e-12).verdict == "stagnated"
    assert LineSearch(1.0, 1.0).verdict == "failed"
    assert LineSearch(0.0, 0.0).verdict == "stagnated"


def test_a_function_that_only_lies_is_given_up_on():
    """It promises descent and always goes up."""
    line, trials = search(lambda t: float(t > 0), lambda t: -1.0)
    assert line.found is None
    assert line.verdict == "failed"
    assert len(trials) <= _MAX_TRIALS


def test_an_unbounded_function_is_given_up_on():
    line, trials = search(lambda t: -t, lambda t: -1.0)
    assert line.found is None
    assert len(trials) <= _MAX_TRIALS
    assert np.isfinite(trials).all()


def test_differences_below_rounding_are_decided_by_slopes():
    """1 + 1e-20 (t - 1)^2 is flat to a computer; its slope is not."""
    line, _ = search(lambda t: 1.0 + 1e-20 * (t - 1.2) ** 2, lambda t: 2e-20 * (t - 1.2))
    assert line.found is not None
    assert abs(line.found - 1.2) <= 0.9 * 1.2
