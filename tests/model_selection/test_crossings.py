"""Crossings of learning curves, their bootstrap intervals, and samples to reach a target."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils._param_validation import InvalidParameterError

from skkd.model_selection import LearningCurves, crossing_point, samples_to_reach

SIZES = np.array([10, 20, 50, 100, 200, 500, 1000])


def curves_of(differences, sizes=SIZES, n_repeats=2):
    """Curves whose difference a - b is given, by size or by size and repeat."""
    differences = np.asarray(differences, dtype=float)
    if differences.ndim == 1:
        differences = np.repeat(differences[:, None], n_repeats, axis=1)
    base = np.linspace(0.5, 0.2, len(differences))[:, None]
    scores = np.stack([base + differences / 2, base - differences / 2])
    return LearningCurves(sizes[: len(differences)], ("a", "b"), scores)


def cross(differences, **options):
    return crossing_point(curves_of(differences), "a", "b", random_state=0, **options)


# Crossings


def test_one_crossing_is_interpolated_on_the_logarithm():
    found = cross([-0.3, -0.2, -0.1, 0.2, 0.2, 0.2, 0.2])
    expected = math.exp(math.log(50) + (math.log(100) - math.log(50)) / 3)
    assert found.crossing == pytest.approx(expected, rel=1e-12)
    assert found.crossings.tolist() == [found.crossing]
    assert found.leaders == ("b",)
    assert found.stays_ahead_from == 100
    assert_allclose(found.difference, [-0.3, -0.2, -0.1, 0.2, 0.2, 0.2, 0.2], atol=1e-15)


@pytest.mark.parametrize("c", [33.3, 64.0, 421.0])
def test_exact_where_the_difference_is_linear(c):
    found = cross(np.log(SIZES / c) / 10)
    assert found.crossing == pytest.approx(c, rel=1e-12)


@pytest.mark.parametrize(("sign", "ahead"), [(-1, None), (1, 10)])
def test_no_crossing(sign, ahead):
    found = cross(sign * np.linspace(0.1, 0.01, 7))
    assert found.crossing is None and found.interval is None
    assert found.crossings.size == 0 and found.leaders == ()
    assert found.stays_ahead_from == ahead
    assert found.share_without_crossing == 1.0


def test_many_crossings():
    found = cross([-0.1, 0.1, -0.1, -0.1, 0.1, -0.1, 0.1])
    mids = np.sqrt([10 * 20, 20 * 50, 100 * 200, 200 * 500, 500 * 1000])
    assert_allclose(found.crossings, mids, rtol=1e-12)
    assert found.crossing == found.crossings[-1]
    assert found.leaders == ("b", "a", "b", "a", "b")
    assert found.stays_ahead_from == 1000


def test_last_word_of_the_other():
    found = cross([-0.1, 0.1, 0.1, 0.1, 0.1, 0.1, -0.1])
    assert found.leaders == ("b", "a")
    assert found.crossing == pytest.approx(math.sqrt(500 * 1000))
    assert found.stays_ahead_from is None


def test_order_of_names():
    curves = curves_of([-0.1, 0.1, -0.2, 0.1, 0.2, 0.1, 0.3])
    one = crossing_point(curves, "a", "b", random_state=0)
    two = crossing_point(curves, "b", "a", random_state=0)
    assert_allclose(one.crossings, two.crossings)
    assert one.leaders == two.leaders
    assert one.interval == two.interval
    assert (one.stays_ahead_from, two.stays_ahead_from) == (100, None)
    assert_array_equal(one.difference, -two.difference)


@pytest.mark.parametrize(
    ("differences", "crossings", "ahead"),
    [
        ([-1, -1, 0, 1, 1, 1, 1], [50], 100),  # at the tie itself
        ([-1, 0, 0, 0, 1, 1, 1], [math.sqrt(20 * 100)], 200),  # in the middle of the ties
        ([1, 1, 0, 1, 1, 1, 1], [], 100),  # touches only
        ([0, 0, 1, 1, 1, 1, 1], [], 50),
        ([1, 1, 1, 1, 1, 0, 0], [], None),
        ([-1, 1, 1, 1, 1, 1, 0], [math.sqrt(200)], None),
        ([0, 0, 0, 0, 0, 0, 0], [], None),
    ],
)
def test_ties(differences, crossings, ahead):
    found = cross(0.1 * np.array(differences))
    assert_allclose(found.crossings, crossings, rtol=1e-12)
    assert found.stays_ahead_from == ahead


def test_ties_up_to_rounding():
    """0.1 + 0.2 and 0.3 differ in the last digit, which is no lead."""
    scores = [
        [[0.4, 0.4, 0.4], [0.1, 0.2, 0.3], [0.4, 0.4, 0.4]],
        [[0.3, 0.3, 0.3], [0.3, 0.1, 0.2], [0.3, 0.3, 0.3]],
    ]
    found = crossing_point(LearningCurves([1, 2, 3], ("a", "b"), scores), "a", "b")
    assert found.crossings.size == 0
    assert found.stays_ahead_from == 3
    assert abs(found.difference[1]) < 1e-15


def test_repeats_that_were_left_out():
    differences = np.array([[-0.1, -0.1], [-0.2, 0.1], [0.1, 0.1]])
    full = curves_of(differences)
    scores = full.test_scores.copy()
    scores[:, 1, 0] = np.nan
    found = crossing_point(LearningCurves([10, 20, 50], ("a", "b"), scores), "a", "b")
    assert_allclose(found.difference, [-0.1, 0.1, 0.1], atol=1e-15)
    assert found.stays_ahead_from == 20
    assert found.crossing == pytest.approx(math.sqrt(200))
    low, high = found.interval  # samples without the second repeat skip the middle size
    assert 14 < low <= high < 23


def test_one_size():
    found = cross([0.1])
    assert found.crossing is None and found.stays_ahead_from == 10


# Bootstrap


def noisy_curves(rng, n_repeats, crossing, noise=0.02, slope=0.05):
    """Difference linear in log m; a part of the noise is common to all sizes of a repeat."""
    mean = slope * np.log(SIZES / crossing)
    common = noise * rng.standard_normal((1, n_repeats))
    return curves_of(mean[:, None] + common + noise * rng.standard_normal((7, n_repeats)))


@pytest.mark.parametrize("n_repeats", [5, 20])
def test_interval_covers(n_repeats):
    """95 % intervals hold the true crossing in about 95 of 100 cases, with few repeats too."""
    rng = np.random.RandomState(n_repeats)
    n_trials, covered, widths = 250, 0, []
    for _ in range(n_trials):
        curves = noisy_curves(rng, n_repeats, crossing=80.0)
        low, high = crossing_point(curves, "a", "b", n_bootstrap=300, random_state=rng).interval
        covered += low <= 80.0 <= high
        widths.append(np.log(high / low))
    # Three standard errors of the share, and 2 % that a bootstrap of few repeats lacks.
    error = math.sqrt(0.95 * 0.05 / n_trials)
    assert 0.95 - 0.02 - 3 * error <= covered / n_trials <= 0.95 + 2.5 * error
    assert np.median(widths) < 2.5 / math.sqrt(n_repeats - 2)


def test_interval_narrows_with_the_level():
    curves = noisy_curves(np.random.RandomState(0), 10, 80.0)
    wide, narrow = (
        crossing_point(curves, "a", "b", confidence_level=level, random_state=0)
        for level in (0.99, 0.5)
    )
    assert wide.interval[0] < narrow.interval[0] < narrow.crossing
    assert narrow.crossing < narrow.interval[1] < wide.interval[1]
    assert (wide.confidence_level, narrow.confidence_level) == (0.99, 0.5)


def test_bootstrap_keeps_repeats_whole():
    """Where every repeat crosses at 80, every sample does, however much the repeats differ."""
    slopes = np.random.RandomState(0).uniform(0.01, 1.0, size=8)
    found = crossing_point(curves_of(np.log(SIZES / 80.0)[:, None] * slopes), "a", "b")
    assert_allclose(found.interval, 80.0, rtol=1e-12)
    assert found.share_without_crossing == 0.0


def test_share_without_crossing():
    """Only the second repeat twice, which has probability 1/4, does not cross."""
    differences = np.array([[-0.11, 0.09], [0.29, 0.29]])
    options = {"n_bootstrap": 4000, "random_state": 0}
    found = crossing_point(curves_of(differences), "a", "b", **options)
    assert found.share_without_crossing == pytest.approx(0.25, abs=4 * math.sqrt(0.1875 / 4000))
    assert found.interval[0] == 0.0
    assert 10 < found.interval[1] < 20


def test_interval_that_leaves_the_sizes():
    """Where some samples end with the other one ahead, the crossing may lie beyond all sizes."""
    differences = np.array([[-0.3, -0.3, -0.3], [-0.2, 0.1, 0.2]])
    found = crossing_point(curves_of(differences), "a", "b", random_state=0)
    assert 10 < found.crossing < 20
    assert found.interval[1] == math.inf and 10 < found.interval[0] < 20


def test_seed_of_the_bootstrap():
    curves = noisy_curves(np.random.RandomState(3), 6, 80.0)
    one, same, other = (
        crossing_point(curves, "a", "b", random_state=seed, n_bootstrap=150).interval
        for seed in (0, np.random.RandomState(0), 1)
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize(("n_repeats", "n_bootstrap"), [(1, 1000), (5, 0)])
def test_no_bootstrap(n_repeats, n_bootstrap):
    curves = curves_of(np.log(SIZES / 80.0), n_repeats=n_repeats)
    found = crossing_point(curves, "a", "b", n_bootstrap=n_bootstrap)
    assert found.crossing == pytest.approx(80.0)
    assert found.interval is None and found.share_without_crossing is None


def test_bad_curves():
    with pytest.raises(ValueError, match=r"no estimator is named 'c'; the names are \['a', 'b'\]"):
        crossing_point(curves_of([0.1]), "a", "c")
    infinite = LearningCurves([5, 9], ("a", "b"), [[[0.1], [np.inf]], [[0.1], [0.2]]])
    with pytest.raises(ValueError, match="at 9 samples are infinite"):
        crossing_point(infinite, "a", "b")


@pytest.mark.parametrize(
    ("name", "value"),
    [("result", {}), ("a", 0), ("n_bootstrap", -1), ("confidence_level", 1.0)],
)
def test_bad_arguments(name, value):
    options = {"result": curves_of([0.1]), "a": "a", "b": "b", name: value}
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of crossing_point"):
        crossing_point(**options)


# Samples to reach a target


def errors(*rows):
    """Curves of estimators "a", "b", ... with one repeat or several."""
    scores = [np.reshape(row, (len(row), -1)) for row in rows]
    return LearningCurves(SIZES[: len(rows[0])], "abc"[: len(rows)], scores)


DIP = errors([0.5, 0.10, 0.3, 0.10, 0.09], [0.5, 0.4, 0.3, 0.2, 0.15])


@pytest.mark.parametrize(("rule", "expected"), [("first", 20), ("stays", 100)])
def test_rules(rule, expected):
    reached = samples_to_reach(DIP, 0.1, rule=rule)
    assert reached["a"] == expected
    assert math.isnan(reached["b"])


def test_target_itself_is_not_below():
    assert math.isnan(samples_to_reach(errors([0.3, 0.25]), 0.25, tol=0.0)["a"])
    assert samples_to_reach(errors([0.3, 0.25]), 0.25, tol=1e-12)["a"] == 20


def test_stays_is_decided_by_the_largest_size():
    curves = errors([0.1, 0.1, 0.1, 0.4])
    assert samples_to_reach(curves, 0.1)["a"] == 10
    assert math.isnan(samples_to_reach(curves, 0.1, rule="stays")["a"])


def test_targets_of_their_own():
    assert samples_to_reach(DIP, {"a": 0.0925, "b": 0.3}) == {"a": 20.0, "b": 50.0}
    with pytest.raises(
        ValueError, match=r"target names \['a'\], but the estimators are \['a', 'b'"
    ):
        samples_to_reach(DIP, {"a": 0.1})


def test_mean_and_repeats():
    curves = errors([[0.5, 0.1, 0.5], [0.5, 0.5, 0.5], [0.05, 0.1, 0.5], [0.05, 0.05, 0.5]])
    assert math.isnan(samples_to_reach(curves, 0.1)["a"])
    assert samples_to_reach(curves, 0.25)["a"] == 50
    each = samples_to_reach(curves, 0.1, per_repeat=True)["a"]
    assert_array_equal(each, [50, 10, np.nan])
    stays = samples_to_reach(curves, 0.1, per_repeat=True, rule="stays")["a"]
    assert_array_equal(stays, [50, 50, np.nan])


def test_left_out_repeats_neither_count_nor_break():
    curves = errors([[0.5, np.nan], [0.1, 0.5], [np.nan, 0.1], [0.1, 0.1]])
    stays = samples_to_reach(curves, 0.1, per_repeat=True, rule="stays")["a"]
    assert_array_equal(stays, [20, 50])
    assert samples_to_reach(curves, 0.1)["a"] == 50


@pytest.mark.parametrize(("name", "value"), [("rule", "last"), ("tol", -0.1), ("target", "bayes")])
def test_bad_options(name, value):
    options = {"result": DIP, "target": 0.1, name: value}
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of samples_to_reach"):
        samples_to_reach(**options)
