"""Calibration and risk-coverage metrics: definitions, bins, ties, weights and refusals."""

import math
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

from skkd.metrics import (
    area_under_risk_coverage,
    area_under_risk_coverage_scorer,
    excess_area_under_risk_coverage,
    excess_area_under_risk_coverage_scorer,
    expected_calibration_error,
    expected_calibration_error_scorer,
    reliability_curve,
)

from ._libraries import put

STRATEGIES = ("uniform", "quantile", "adaptive")
AREAS = (area_under_risk_coverage, excess_area_under_risk_coverage)
METRICS = (expected_calibration_error, *AREAS)


def problem(n=200, n_classes=4, seed=0, decimals=None):
    """Labels and probabilities; rounded confidences have ties."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(n_classes), size=n)
    if decimals is not None:
        proba = np.round(proba[:, :-1], decimals)
        proba = np.column_stack([proba, 1.0 - proba.sum(axis=1)]).clip(0.0)
        proba /= proba.sum(axis=1, keepdims=True)
    y = np.array([rng.choice(n_classes, p=np.sqrt(p) / np.sqrt(p).sum()) for p in proba])
    y[:n_classes] = np.arange(n_classes)
    return y, proba


def binary(confidences, right):
    """Labels and probabilities of two classes with the given confidences in class 1 or above."""
    return np.asarray(right, dtype=int), np.asarray(confidences, dtype=float)


# -- bins ------------------------------------------------------------------------------------------


def uniform_error(y, proba, n_bins, norm="l1"):
    """The definition, one bin at a time."""
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == y
    gaps, shares = [], []
    for j in range(n_bins):
        inside = (confidence > j / n_bins) & (confidence <= (j + 1) / n_bins)
        if inside.any():
            gaps.append(abs(right[inside].mean() - confidence[inside].mean()))
            shares.append(inside.mean())
    gaps, shares = np.array(gaps), np.array(shares)
    return {"l1": shares @ gaps, "l2": np.sqrt(shares @ gaps**2), "max": gaps.max()}[norm]


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("n_bins", [1, 2, 10, 15, 1000])
def test_uniform_bins_are_the_definition(n_bins, norm):
    y, proba = problem()
    found = expected_calibration_error(y, proba, n_bins=n_bins, norm=norm)
    assert found == pytest.approx(uniform_error(y, proba, n_bins, norm), rel=1e-12)
    assert expected_calibration_error(y, proba) == expected_calibration_error(y, proba, n_bins=15)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_bins", [3, 7, 10, 15])
def test_the_upper_end_of_a_uniform_bin_is_in_it(n_bins, dtype):
    ends = (np.arange(n_bins + 1) / n_bins).astype(dtype)
    y = np.arange(n_bins + 1) % 2
    curve = reliability_curve(y, ends, n_bins=n_bins, pos_label=1)
    # 0 and the first end share the first bin; every other end has a bin of its own.
    assert_array_equal(curve.weight, [2.0] + [1.0] * (n_bins - 1))
    assert_allclose(curve.upper, ends[1:])
    assert_allclose(curve.lower, ends[:-1])
    above = np.nextafter(ends[1:-1], dtype(1))
    curve = reliability_curve(y[:-2], above, n_bins=n_bins, pos_label=1)
    assert_allclose(curve.lower, ends[1:-1])


def test_confidences_of_exactly_zero_and_one():
    curve = reliability_curve([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0], pos_label=1)
    assert_array_equal(curve.confidence, [0.0, 1.0])
    assert_array_equal(curve.accuracy, [0.0, 1.0])
    assert curve.lower[0] == 0.0 and curve.upper[-1] == 1.0
    assert expected_calibration_error([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0]) == 0.0
    assert expected_calibration_error([0, 0, 1, 1], [1.0, 1.0, 0.0, 0.0]) == 1.0
    # A softmax in float32 may sum to a little more than one.
    assert reliability_curve([0, 1], [0.0, 1.0 + 1e-7], pos_label=1).upper[-1] == 1.0


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_bins", [4, 5, 10])
def test_bins_of_a_class_are_those_of_scikit_learn(strategy, n_bins):
    rng = np.random.default_rng(0)
    p = rng.random(200)
    y = (rng.random(200) < p**2).astype(int)
    accuracy, confidence = calibration_curve(y, p, n_bins=n_bins, strategy=strategy)
    for proba in (p, np.column_stack([1 - p, p])):
        curve = reliability_curve(y, proba, n_bins=n_bins, strategy=strategy, pos_label=1)
        assert_allclose(curve.accuracy, accuracy)
        assert_allclose(curve.confidence, confidence)


def test_equal_mass_without_ties():
    y, proba = problem(n=60)
    curve = reliability_curve(y, proba, n_bins=6, strategy="quantile")
    assert_array_equal(curve.weight, np.full(6, 10.0))
    ordered = np.sort(proba.max(axis=1))
    assert_allclose(curve.upper, ordered[9::10])
    assert_allclose(curve.lower, np.append(ordered[0], ordered[9:-1:10]))
    assert_allclose(curve.confidence, ordered.reshape(6, 10).mean(axis=1))


@pytest.mark.parametrize(
    ("confidences", "n_bins", "weights"),
    [
        ([0.1, 0.2, 0.2, 0.2, 0.2, 0.3], 2, [5, 1]),
        ([0.1, 0.2, 0.2, 0.2, 0.2, 0.3], 3, [5, 1]),  # the second bin ends where the first does
        ([0.1, 0.2, 0.2, 0.2, 0.2, 0.3], 6, [1, 4, 1]),
        ([0.5] * 6, 4, [6]),
        ([0.1, 0.2, 0.3], 100, [1, 1, 1]),
    ],
)
def test_equal_confidences_stay_together(confidences, n_bins, weights):
    y, p = binary(confidences, np.arange(len(confidences)) % 2)
    curve = reliability_curve(y, p, n_bins=n_bins, strategy="quantile", pos_label=1)
    assert_array_equal(curve.weight, weights)


def sweep(confidence, right):
    """The monotonic sweep, by sorting and cutting; no ties."""
    right = right[np.argsort(confidence)].astype(float)
    n, chosen = len(right), 1
    for b in range(2, n + 1):
        ends = [math.ceil(j * n / b) for j in range(b + 1)]
        means = [right[i:j].mean() for i, j in zip(ends[:-1], ends[1:], strict=True)]
        if any(later < earlier - 1e-12 for earlier, later in zip(means, means[1:], strict=False)):
            break
        chosen = b
    return chosen


@pytest.mark.parametrize("seed", range(8))
def test_adaptive_bins_are_the_monotonic_sweep(seed):
    rng = np.random.default_rng(seed)
    p = rng.random(150)
    right = rng.random(150) < p
    n_bins = sweep(p, right)
    curve = reliability_curve(right.astype(int), p, strategy="adaptive", pos_label=1)
    assert len(curve.weight) == n_bins
    assert np.all(np.diff(curve.accuracy) >= 0)
    same = reliability_curve(right.astype(int), p, n_bins=n_bins, strategy="quantile", pos_label=1)
    assert_array_equal(curve.accuracy, same.accuracy)


def test_adaptive_ends():
    p = np.linspace(0.01, 0.99, 50)
    perfect = (np.arange(50) >= 25).astype(int)
    assert len(reliability_curve(perfect, p, strategy="adaptive", pos_label=1).weight) == 50
    reversed_ = reliability_curve(1 - perfect, p, strategy="adaptive", pos_label=1)
    assert len(reversed_.weight) == 1
    assert len(reliability_curve([1], [0.5], strategy="adaptive", pos_label=1).weight) == 1


def test_adaptive_is_quick_where_it_never_stops():
    p = np.linspace(0.5, 1.0, 20_000)
    y = np.ones(20_000, dtype=int)
    curve = reliability_curve(y, p, strategy="adaptive", pos_label=1)
    assert len(curve.weight) == 1000
    assert curve.error() == pytest.approx(0.25)


# -- what is given ---------------------------------------------------------------------------------


def test_forms_of_two_classes():
    rng = np.random.default_rng(1)
    p = rng.random(80).round(2)
    codes = (rng.random(80) < p).astype(int)
    names = np.array(["no", "yes"])[codes]
    both = np.column_stack([1 - p, p])
    for metric in METRICS:
        expected = metric(codes, p)
        assert metric(codes, p[:, None]) == metric(codes, both) == expected
        assert metric(names, p) == metric(names.astype(object), both) == expected
        assert metric(pd.Series(names), pd.DataFrame(both)) == expected
        assert metric(names.tolist(), both.tolist()) == expected
        swapped = metric(names, both[:, ::-1], labels=["yes", "no"])
        # Only a tie of both classes is decided by the order of columns.
        if not np.any(p == 0.5):
            assert swapped == pytest.approx(expected, rel=1e-14)


def test_a_class_of_choice():
    y, proba = problem(n_classes=3)
    names = np.array(["a", "b", "c"])[y]
    for k, name in enumerate("abc"):
        direct = expected_calibration_error((y == k).astype(int), proba[:, k], pos_label=1)
        assert expected_calibration_error(names, proba, pos_label=name) == direct
        one = expected_calibration_error(
            np.where(y == k, name, "rest"), proba[:, k], pos_label=name
        )
        assert one == direct
    # In a single column stands the probability of the class asked for, whichever it is.
    p, codes = proba[:, 0], (y == 0).astype(int)
    down = expected_calibration_error(1 - codes, p, pos_label=0, labels=[0, 1])
    assert down == expected_calibration_error(codes, p, pos_label=1)
    assert expected_calibration_error([7, 7], [0.5, 0.5], pos_label=7) == 0.5
    assert expected_calibration_error([7, 7], [0.5, 0.5], pos_label=8) == 0.5


def test_classes_that_do_not_occur():
    y, proba = problem(n_classes=4)
    kept = y != 2
    by_hand = uniform_error(y[kept], proba[kept], 15)
    found = expected_calibration_error(y[kept], proba[kept], labels=[0, 1, 2, 3])
    assert found == pytest.approx(by_hand)
    for metric in METRICS:
        with pytest.raises(ValueError, match="stands for 4. Pass labels="):
            metric(y[kept], proba[kept])
    assert expected_calibration_error([1, 1], [0.5, 1.0]) == pytest.approx(
        expected_calibration_error(["b", "b"], [0.5, 1.0], labels=["a", "b"])
    )
    with pytest.raises(ValueError, match="stands for 2. Pass labels="):
        expected_calibration_error(["b", "b"], [0.5, 1.0])


@pytest.mark.parametrize("dispatch", [False, True])
@pytest.mark.parametrize("library", ["torch", "strict"])
def test_array_libraries(library, dispatch):
    y, proba = problem(decimals=2)
    weight = np.random.default_rng(2).random(200)
    with config_context(array_api_dispatch=dispatch):
        for metric in METRICS:
            expected = metric(y, proba, sample_weight=weight)
            given_ = [put(library, x) for x in (y, proba)]
            found = metric(*given_, sample_weight=put(library, weight))
            assert type(found) is float
            assert found == pytest.approx(expected, rel=1e-14)
            assert metric(y, given_[1], sample_weight=weight) == pytest.approx(expected)
            single = proba.astype(np.float32)
            assert metric(y, put(library, single)) == metric(y, single)


# -- weights and order -----------------------------------------------------------------------------


def all_results(y, proba, sample_weight=None):
    """Every metric, as one vector."""
    found = [metric(y, proba, sample_weight=sample_weight) for metric in AREAS]
    for strategy in STRATEGIES:
        for norm in ("l1", "l2", "max"):
            found.append(
                expected_calibration_error(
                    y, proba, n_bins=7, strategy=strategy, norm=norm, sample_weight=sample_weight
                )
            )
    return np.array(found)


LEVELS = np.linspace(0, 1, 9).tolist()


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_weight_is_a_number_of_repetitions(data):
    n = data.draw(st.integers(3, 12))
    p = np.array(data.draw(st.lists(st.sampled_from(LEVELS), min_size=n, max_size=n)))
    y = np.array(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    weight = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    weight[0] = 1
    repeated = np.repeat(np.arange(n), weight)
    found = all_results(y, p, weight)
    assert_allclose(found, all_results(y[repeated], p[repeated]), rtol=1e-13, atol=1e-15)
    assert np.all((found >= 0) & (found <= 1 + 1e-12))


@pytest.mark.parametrize("decimals", [1, None])
def test_the_order_of_rows_changes_nothing_at_all(decimals):
    rng = np.random.default_rng(3)
    y, proba = problem(decimals=decimals)
    weight = rng.random(200)
    expected = all_results(y, proba, weight)
    for _ in range(3):
        order = rng.permutation(200)
        assert_array_equal(all_results(y[order], proba[order], weight[order]), expected)


def test_scale_of_weights():
    """Shares do not depend on the unit of the weights; neither do bins, for all its rounding."""
    y, proba = problem(decimals=1)
    for strategy in STRATEGIES:
        options = {"strategy": strategy, "n_bins": 10}
        plain = expected_calibration_error(y, proba, **options)
        for unit in (0.1, 1 / 3, 1e-9, 1e9):
            weighted = expected_calibration_error(
                y, proba, sample_weight=np.full(200, unit), **options
            )
            assert weighted == pytest.approx(plain, rel=1e-11)


def test_half_a_row_lies_between_none_and_one():
    y, proba = problem(n=40)
    for area in AREAS:
        values = [area(y, proba, sample_weight=np.append(np.ones(39), w)) for w in (0.0, 0.5, 1.0)]
        assert min(values[0], values[2]) < values[1] < max(values[0], values[2])


# -- risk and coverage -----------------------------------------------------------------------------


def area_of_one_order(confidence, errors):
    errors = errors[np.argsort(-confidence, kind="stable")]
    return np.mean(np.cumsum(errors) / np.arange(1, len(errors) + 1))


def test_area_is_the_definition():
    y, proba = problem()
    confidence, errors = proba.max(axis=1), (proba.argmax(axis=1) != y).astype(float)
    area = area_of_one_order(confidence, errors)
    assert area_under_risk_coverage(y, proba) == pytest.approx(area, rel=1e-13)
    n, r = len(y), int(errors.sum())
    least = sum(i / (n - r + i) for i in range(1, r + 1)) / n
    excess = excess_area_under_risk_coverage(y, proba)
    assert excess == pytest.approx(area - least, rel=1e-12)


def test_ties_are_averaged_over_their_orders():
    confidence = np.array([0.9, 0.7, 0.7, 0.7, 0.6, 0.6])
    errors = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    y = (errors == 0).astype(int)
    areas = [
        area_of_one_order(confidence[list(order)], errors[list(order)])
        for order in permutations(range(6))
    ]
    found = area_under_risk_coverage(y, confidence)
    assert found == pytest.approx(np.mean(areas), rel=1e-13)
    assert min(areas) < found < max(areas)


def test_area_without_information_is_the_error_rate():
    y = np.array([1, 1, 1, 0, 0])
    assert area_under_risk_coverage(y, np.full(5, 0.8)) == pytest.approx(0.4, rel=1e-14)


def test_extreme_areas():
    p = np.linspace(0.6, 0.9, 10)
    best = (np.arange(10) >= 4).astype(int)
    assert excess_area_under_risk_coverage(best, p) == pytest.approx(0.0, abs=1e-15)
    assert area_under_risk_coverage(best, p) > 0
    assert area_under_risk_coverage(np.ones(10, dtype=int), p) == 0.0
    assert area_under_risk_coverage(np.zeros(10, dtype=int), p) == pytest.approx(1.0)
    assert excess_area_under_risk_coverage(np.zeros(10, dtype=int), p) == pytest.approx(0.0)
    assert area_under_risk_coverage([1], [0.9]) == 0.0


def test_area_of_many_rows_keeps_its_digits():
    """One error at the end of n rows: 1 / n^2, however large n is."""
    n = 10**9
    weight = np.array([n - 1, 1])
    found = area_under_risk_coverage([1, 0], [0.9, 0.8], sample_weight=weight)
    assert found == pytest.approx(1 / n**2, rel=1e-6)


# -- refusals --------------------------------------------------------------------------------------

GOOD = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.2, 0.6, 0.2]])


def changed(row, values):
    proba = GOOD.copy()
    proba[row] = values
    return proba


@pytest.mark.parametrize(
    ("y", "proba", "options", "message"),
    [
        ([0, 2, 1], changed(1, [0.1, np.nan, 0.8]), {}, "row 1 has NaN"),
        ([0, 2, 1], changed(2, [0.2, 0.7, 0.2]), {}, "row 2 sums to 1.1"),
        ([0, 2, 1], np.log(GOOD), {}, "not logits"),
        ([0, 2, 1], 5 * GOOD, {}, "range from 0.5 to 4"),
        ([0, 1, 1], [0.5, np.inf, 0.1], {}, "row 1 has NaN or inf"),
        ([0, 1, 1], [0.5, 1.2, 0.1], {}, "range from 0.1 to 1.2"),
        ([0, 1, 1], [0.5, -0.2, 0.1], {}, "range from -0.2"),
        ([0, 2, 1], GOOD[:2], {}, "inconsistent numbers"),
        ([0, 2, 1], GOOD[:, :2] / GOOD[:, :2].sum(axis=1)[:, None], {}, "stands for 2"),
        ([0, 2, 1], GOOD, {"labels": [0, 1]}, "each of the 3 classes"),
        ([0, 2, 1], GOOD, {"labels": [0, 1, 1]}, "each of the 3 classes"),
        ([0, 2, 1], GOOD, {"labels": ["a", "b", "c"]}, "y_true contains \\[0, 1, 2\\]"),
        ([0, 2, 1], GOOD, {"labels": [0, 1, 3]}, "y_true contains \\[2\\]"),
        ([0.5, 2.5, 1.5], GOOD, {}, "(?i)unknown label type"),
        ([[0], [2], [1]], GOOD, {}, "y_true must be of shape"),
        ([], np.empty((0, 3)), {}, "y_proba must be of shape"),
        ([0, 2, 1], GOOD[None], {}, "inconsistent numbers|y_proba must be of shape"),
        ([0, 2, 1], GOOD.astype(str), {}, "real numbers"),
        ([0, 2, 1], GOOD, {"sample_weight": [1, -1, 1]}, "(?i)negative"),
        ([0, 2, 1], GOOD, {"sample_weight": [1, np.nan, 1]}, "NaN"),
        ([0, 2, 1], GOOD, {"sample_weight": [0, 0, 0]}, "at least one non-zero"),
        ([0, 2, 1], GOOD, {"sample_weight": [1, 1]}, "inconsistent numbers"),
    ],
)
@pytest.mark.parametrize("metric", METRICS)
def test_what_is_refused(metric, y, proba, options, message):
    with pytest.raises(ValueError, match=message):
        metric(y, proba, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_bins": 0}, "n_bins"),
        ({"n_bins": 2.5}, "n_bins"),
        ({"strategy": "equal"}, "strategy"),
        ({"norm": "l3"}, "norm"),
        ({"pos_label": 7}, "pos_label=7 is not among the labels"),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error([0, 2, 1], GOOD, **options)


def test_other_refusals():
    with pytest.raises(ValueError, match="norm='l3'; allowed are"):
        reliability_curve([0, 2, 1], GOOD).error("l3")
    with pytest.raises(ValueError, match="contains 3 classes"):
        expected_calibration_error([0, 1, 2], [0.1, 0.2, 0.3], pos_label=1)


def test_probabilities_of_other_types():
    y, proba = problem()
    expected = expected_calibration_error(y, proba)
    for metric in METRICS:
        single = metric(y, proba.astype(np.float32))
        assert single == pytest.approx(metric(y, proba), rel=1e-5)
    rough = proba.astype(np.float16)  # its rows sum to one within a thousandth
    assert expected_calibration_error(y, rough) == pytest.approx(expected, abs=0.02)
    certain = np.eye(4, dtype=int)[y]
    assert expected_calibration_error(y, certain) == 0.0
    assert expected_calibration_error(y, certain.astype(bool)) == 0.0


# -- scorers ---------------------------------------------------------------------------------------

SCORERS = {
    expected_calibration_error_scorer: expected_calibration_error,
    area_under_risk_coverage_scorer: area_under_risk_coverage,
    excess_area_under_risk_coverage_scorer: excess_area_under_risk_coverage,
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("scorer", SCORERS, ids=lambda s: SCORERS[s].__name__)
def test_scorers_are_the_metrics_negated(scorer, n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes, :2], np.array(["a", "b", "c"])[y[y < n_classes]]
    model = LogisticRegression().fit(X, y)
    proba, weight = model.predict_proba(X), np.arange(len(y)) % 3
    assert scorer(model, X, y) == -SCORERS[scorer](y, proba)
    weighted = scorer(model, X, y, sample_weight=weight)
    assert weighted == -SCORERS[scorer](y, proba, sample_weight=weight)


@pytest.mark.parametrize("routing", [False, True])
def test_scorers_in_cross_validation(routing):
    X, y = load_iris(return_X_y=True)
    y = np.array(["a", "b", "c"])[y]
    with config_context(enable_metadata_routing=routing):
        names = {SCORERS[scorer].__name__: scorer for scorer in SCORERS}
        search = GridSearchCV(
            LogisticRegression(max_iter=1000),
            {"C": [1e-3, 1.0]},
            scoring=names,
            refit="expected_calibration_error",
            cv=3,
        ).fit(X[:, :2], y)
        assert np.isfinite(search.cv_results_["mean_test_area_under_risk_coverage"]).all()
        assert search.best_params_ == {"C": 1.0}
        scores = cross_val_score(
            LogisticRegression(max_iter=1000),
            X[:, :2],
            y,
            scoring=expected_calibration_error_scorer,
            cv=3,
        )
        assert np.all((scores < 0) & (scores > -0.3))
