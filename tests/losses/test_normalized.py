"""Normalised gradients, weights, and the perceptrons as limits of smooth losses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skkd.losses import (
    BinaryLogLoss,
    ExponentialLoss,
    MulticlassPerceptronLoss,
    MultinomialLogLoss,
    PairwiseLoss,
    PerceptronLoss,
    Target,
    WorstMarginLoss,
)

from ._cases import (
    BINARY,
    CASES,
    CLASSIFICATION,
    PAIRWISE,
    random_weights,
    rows_and_gradient,
    smooth_point,
)

SUMS = [case for case in CLASSIFICATION if case.loss.separable]
LOG_VALUES = [
    case
    for case in CLASSIFICATION
    if "Log" in case.name or "Exponential" in case.name  # the others vanish: no log
]
COUNTS = st.lists(st.integers(0, 3), min_size=5, max_size=5).filter(any)


def outputs(case, Z, target, weight):
    """Everything that a loss computes under weights, rows first."""
    value, gradient = case.loss.value_and_gradient(Z, target, weight)
    out = {"value": value, "gradient": gradient}
    if not case.loss.batch_coupled:
        out["product"] = case.loss.linearize(Z, target, weight)(np.cos(Z))
    if case.labels == "hard":
        out["normalized"], out["log_mass"] = case.loss.normalized_gradient(Z, target, weight)
    if case in LOG_VALUES:
        out["log_risk"] = case.loss.log_risk(Z, target, weight)
    return out


@pytest.mark.parametrize("weights", ["uniform", "array"])
@pytest.mark.parametrize("case", SUMS, ids=str)
def test_normalized_gradient_times_its_mass_is_the_gradient(case, weights):
    weight = 1.0 / 8 if weights == "uniform" else random_weights(8)
    for seed, scale in enumerate([0.1, 1.0, 5.0]):
        Z, target = smooth_point(case, 8, seed=seed, scale=scale)
        normalized, log_mass = case.loss.normalized_gradient(Z, target, weight)
        gradient = case.loss.value_and_gradient(Z, target, weight)[1]
        assert_allclose(normalized * np.exp(log_mass), gradient, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("case", CLASSIFICATION, ids=str)
def test_normalized_gradient_is_an_average_of_rows(case):
    """Wrong classes' entries are a distribution: what makes steps of any size bounded."""
    Z, target = smooth_point(case, 8, seed=0)
    R, _ = case.loss.normalized_gradient(Z, target, random_weights(8))
    if case.k == 1:
        assert_allclose(np.abs(R).sum(), 1.0, rtol=1e-14)
        return
    assert_allclose(R[R > 0].sum(), 1.0, rtol=1e-14)
    assert_allclose(R.sum(axis=1), 0.0, atol=1e-16)
    assert (R[np.arange(8), target.y] <= 0).all()


@pytest.mark.parametrize("case", CLASSIFICATION, ids=str)
def test_no_wrong_row_means_no_pull(case):
    """A perceptron that is done: mass 0, its log -inf, a zero gradient, and no NaN."""
    y = np.array([0, 1, 0]) if case.k > 1 else np.array([0.0, 1.0, 0.0])
    Z = np.eye(case.k)[y] * 5.0 if case.k > 1 else 5.0 * (2 * y - 1)[:, None]
    R, log_mass = case.loss.normalized_gradient(Z, Target(y), 1.0 / 3)
    assert np.isfinite(R).all()
    if "Perceptron" in case.name or "Hinge" in case.name:
        assert log_mass == -np.inf
        assert not R.any()
    else:
        assert np.isfinite(log_mass)


@settings(deadline=None, max_examples=25)
@given(
    counts=st.lists(st.integers(0, 3), min_size=5, max_size=5).filter(any), seed=st.integers(0, 9)
)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_integer_weights_are_repetition_and_zero_weights_removal(case, counts, seed):
    Z, target = smooth_point(case, 5, seed=seed)
    counts = np.array(counts)
    total = counts.sum()
    rows = np.repeat(np.arange(5), counts)
    one = outputs(case, Z, target, counts / total)
    two = outputs(case, Z[rows], Target(target.y[rows]), np.full(total, 1.0 / total))
    uniform = outputs(case, Z[rows], Target(target.y[rows]), 1.0 / int(total))
    for name, a in one.items():
        for b in (two[name], uniform[name]):
            if np.ndim(b) == 2:  # what repeated rows share is put together again
                together = np.zeros_like(a)
                np.add.at(together, rows, b)
                b = together
            assert_allclose(a, b, rtol=1e-12, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rows_of_zero_weight_may_hold_anything(case):
    """A row that does not count must not win the maximum that the others are scaled by."""
    Z, target = smooth_point(case, 5, seed=3)
    weight = np.array([0.25, 0.25, 0.0, 0.5, 0.0])
    kept = weight > 0
    wild = Z.copy()
    side = -1.0 if case.labels == "values" else 1.0
    wild[~kept] = side * 300.0 * np.sign(wild[~kept])  # right or wrong by far, but no overflow
    one = outputs(case, wild, target, weight)
    two = outputs(case, Z[kept], Target(target.y[kept]), weight[kept])
    for name, b in two.items():
        a = one[name]
        if np.ndim(b) == 2:
            assert not a[~kept].any(), name
            a = a[kept]
        assert_allclose(a, b, rtol=1e-13, err_msg=name)


@pytest.mark.parametrize(
    ("smooth", "limit", "k"),
    [
        (BinaryLogLoss(), PerceptronLoss(), 1),
        (ExponentialLoss(), WorstMarginLoss(), 1),
        (MultinomialLogLoss(), MulticlassPerceptronLoss(), 4),
        (PairwiseLoss(BinaryLogLoss()), PairwiseLoss(PerceptronLoss()), 4),
        (PairwiseLoss(ExponentialLoss()), PairwiseLoss(WorstMarginLoss()), 4),
    ],
    ids=repr,
)
def test_perceptrons_are_the_limits_of_growing_logits(smooth, limit, k):
    case = next(case for case in [*BINARY, *PAIRWISE] if case.k == k)
    Z, target = smooth_point(case, 9, seed=5)
    weight = random_weights(9)
    assert (smooth.margin(Z, target) < 0).any()
    expected, limit_mass = limit.normalized_gradient(Z, target, weight)
    errors = []
    for c in (1.0, 10.0, 1e2, 1e4, 1e6):
        actual, log_mass = smooth.normalized_gradient(c * Z, target, weight)
        errors.append(np.abs(actual - expected).max())
    assert errors[-1] < 1e-14
    assert errors[0] > errors[1] > errors[2] >= errors[3]
    if limit.separable:  # and so do the plain gradients, and the loss itself per unit of c
        value, gradient = smooth.value_and_gradient(1e6 * Z, target, weight)
        limit_value, limit_gradient = limit.value_and_gradient(Z, target, weight)
        assert_allclose(gradient, limit_gradient, atol=1e-14)
        assert_allclose(value / 1e6, limit_value, rtol=1e-6)
        assert_allclose(log_mass, limit_mass, atol=1e-14)


@pytest.mark.parametrize("loss", [PerceptronLoss(), WorstMarginLoss()], ids=repr)
def test_ties_in_the_binary_limits_pull_with_full_weight(loss):
    Z, y = np.zeros((4, 1)), np.array([0.0, 1.0, 1.0, 1.0])
    weight = np.array([0.1, 0.2, 0.3, 0.4])
    R, log_mass = loss.normalized_gradient(Z, Target(y), weight)
    assert_allclose(R[:, 0], [0.1, -0.2, -0.3, -0.4], rtol=1e-15)
    assert_allclose(log_mass, 0.0, atol=1e-15)


def test_tied_wrong_classes_share_the_pull():
    Z = np.array([[1.0, 1.0, 1.0, 0.0], [2.0, 0.0, 0.0, 1.0]])
    R = rows_and_gradient(MulticlassPerceptronLoss(), Z, Target(np.array([0, 0])))[1]
    assert_allclose(R, [[-1.0, 0.5, 0.5, 0.0], [0.0] * 4])


@pytest.mark.parametrize(
    ("smooth", "limit", "k"),
    [
        (BinaryLogLoss(), PerceptronLoss(), 1),
        (MultinomialLogLoss(), MulticlassPerceptronLoss(), 3),
        (PairwiseLoss(BinaryLogLoss()), PairwiseLoss(PerceptronLoss()), 3),
    ],
    ids=repr,
)
def test_origin_pull_is_the_ratio_at_zero_logits(smooth, limit, k):
    """The first step of a limit method is this much shorter than its pulls say."""
    Z, y = np.zeros((6, k)), np.arange(6) % max(k, 2)
    target = Target(y.astype(float) if k == 1 else y)
    one = smooth.value_and_gradient(Z, target, 1.0 / 6)[1]
    other = limit.value_and_gradient(Z, target, 1.0 / 6)[1]
    assert_allclose(one, limit.origin_pull(k) * other, rtol=1e-14)


@pytest.mark.parametrize("case", [c for c in CLASSIFICATION if c.k > 1], ids=str)
def test_soft_targets_are_refused_where_rows_must_be_right_or_wrong(case):
    Z = np.zeros((2, 4))
    with pytest.raises(ValueError, match="hard labels.*value_and_gradient"):
        case.loss.normalized_gradient(Z, Target(np.full((2, 4), 0.25)), 0.5)
