"""Values against trusted peers, and the identities that tie the losses to one another."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn._loss import loss as peer
from sklearn.metrics import log_loss

from skkd.losses import (
    BinaryLogLoss,
    MultinomialLogLoss,
    PairwiseLoss,
    SquaredLoss,
    Target,
    WorstMarginLoss,
)

from ._cases import BINARY, CASES, CLASSIFICATION, pair_margins, random_weights, rows_and_gradient


@pytest.mark.parametrize("soft", [False, True])
def test_binary_log_loss_agrees_with_scikit_learn(soft, rng):
    z, y = 4.0 * rng.standard_normal(50), rng.random(50)
    y = y if soft else np.round(y)
    values, slopes = rows_and_gradient(BinaryLogLoss(), z[:, None], Target(y))
    expected, gradient = peer.HalfBinomialLoss().loss_gradient(y_true=y, raw_prediction=z)
    assert_allclose(values, expected, rtol=1e-13)
    assert_allclose(slopes[:, 0], gradient, rtol=1e-13, atol=1e-16)


def test_multinomial_log_loss_agrees_with_scikit_learn(rng):
    Z, y = 4.0 * rng.standard_normal((50, 5)), rng.integers(0, 5, 50)
    loss = peer.HalfMultinomialLoss(n_classes=5)
    values, slopes = rows_and_gradient(MultinomialLogLoss(), Z, Target(y))
    expected, gradient = loss.loss_gradient(y_true=y.astype(float), raw_prediction=Z)
    # The peer subtracts from a sum of all classes: its small losses are good to 1e-15 absolute.
    assert_allclose(values, expected, rtol=1e-13, atol=1e-14)
    assert_allclose(slopes, gradient, rtol=1e-12, atol=1e-15)
    proba = np.exp(Z - Z.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    weight = random_weights(50)
    assert_allclose(
        MultinomialLogLoss().value_and_gradient(Z, Target(y), weight)[0],
        log_loss(y, proba, sample_weight=weight, labels=np.arange(5)),
        rtol=1e-13,
    )


def test_squared_loss_agrees_with_scikit_learn(rng):
    z, y = rng.standard_normal((2, 50))
    values, slopes = rows_and_gradient(SquaredLoss(), z[:, None], Target(y))
    # scikit-learn's squared loss is half the square as well.
    assert_allclose(values, peer.HalfSquaredError().loss(y_true=y, raw_prediction=z), rtol=1e-14)
    assert_allclose(slopes[:, 0], z - y, rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "phi"),
    [
        ("BinaryLogLoss", lambda m: np.logaddexp(0, -m)),
        ("ExponentialLoss", lambda m: np.exp(-m)),
        ("SquaredHingeLoss", lambda m: 0.5 * np.maximum(0, 1 - m) ** 2),
        ("PerceptronLoss", lambda m: np.maximum(0, -m)),
    ],
)
def test_margin_losses_are_the_textbook_formulas(name, phi, rng):
    Z, y = 3.0 * rng.standard_normal((50, 1)), rng.integers(0, 2, 50).astype(float)
    base = next(case.loss for case in BINARY if case.name == name)
    assert_allclose(base.value(Z, Target(y)), phi(pair_margins(Z, y)[:, 0]), rtol=1e-13)
    Z, y = 3.0 * rng.standard_normal((50, 4)), rng.integers(0, 4, 50)
    pairs = phi(pair_margins(Z, y)).mean(axis=1)
    assert_allclose(PairwiseLoss(base).value(Z, Target(y)), pairs, rtol=1e-13)


@pytest.mark.parametrize("pairwise", [False, True])
def test_worst_margin_is_the_worst_of_all_rows_and_pairs(pairwise, rng):
    if pairwise:
        loss, Z, y = PairwiseLoss(WorstMarginLoss()), rng.standard_normal((9, 4)), np.arange(9) % 4
    else:
        loss, Z, y = WorstMarginLoss(), rng.standard_normal((9, 1)), np.arange(9) % 2
    value, gradient = loss.value_and_gradient(Z, Target(y), 1.0 / 9)
    assert value == -pair_margins(Z, y).min()
    assert np.count_nonzero(gradient) == (2 if pairwise else 1)


def test_two_classes_are_a_binary_problem(rng):
    z, y = 5.0 * rng.standard_normal(40), rng.integers(0, 2, 40)
    Z = np.stack([-z / 2, z / 2], axis=1)
    weight = random_weights(40)
    value, slope = BinaryLogLoss().value_and_gradient(z[:, None], Target(y.astype(float)), weight)
    for loss in (MultinomialLogLoss(), PairwiseLoss(BinaryLogLoss())):
        value2, slope2 = loss.value_and_gradient(Z, Target(y), weight)
        assert_allclose(value2, value, rtol=1e-14)
        # d/dz of both columns together.
        assert_allclose(0.5 * (slope2[:, 1] - slope2[:, 0]), slope[:, 0], rtol=1e-12)


@pytest.mark.parametrize("case", BINARY, ids=str)
def test_pairs_of_two_classes_are_the_base_loss(case, rng):
    z, y = 2.0 * rng.standard_normal(20), rng.integers(0, 2, 20)
    Z = np.stack([-z / 2, z / 2], axis=1)
    weight = random_weights(20)
    value, slope = case.loss.value_and_gradient(z[:, None], Target(y.astype(float)), weight)
    value2, slope2 = PairwiseLoss(case.loss).value_and_gradient(Z, Target(y), weight)
    assert_allclose(value2, value, rtol=1e-13)
    assert_allclose(slope2, np.concatenate([-slope, slope], axis=1), rtol=1e-13)


def test_soft_targets_that_are_hard(rng):
    Z, y = 5.0 * rng.standard_normal((30, 4)), rng.integers(0, 4, 30)
    weight = random_weights(30)
    loss = MultinomialLogLoss()
    hard, soft = Target(y), Target(np.eye(4)[y])
    for a, b in zip(
        loss.value_and_gradient(Z, hard, weight),
        loss.value_and_gradient(Z, soft, weight),
        strict=True,
    ):
        assert_allclose(b, a, rtol=1e-12, atol=1e-16)
    V = rng.standard_normal(Z.shape)
    assert_allclose(
        loss.linearize(Z, soft, weight)(V), loss.linearize(Z, hard, weight)(V), rtol=1e-12
    )


@pytest.mark.parametrize(("loss", "k"), [(BinaryLogLoss(), 1), (MultinomialLogLoss(), 3)])
def test_a_soft_target_is_a_mixture_of_hard_ones(loss, k, rng):
    """The loss is linear in the target: rows split by class, weighted by its probability."""
    Z = 2.0 * rng.standard_normal((10, k))
    T = rng.dirichlet(np.ones(max(k, 2)), size=10)
    soft = loss.value(Z, Target(T[:, 1] if k == 1 else T))
    hard = [
        loss.value(Z, Target(np.full(10, c, dtype=float if k == 1 else int)))
        for c in range(T.shape[1])
    ]
    assert_allclose(soft, np.sum(T * np.stack(hard, axis=1), axis=1), rtol=1e-13)


@pytest.mark.parametrize("case", CLASSIFICATION, ids=str)
def test_margin_is_positive_exactly_where_argmax_is_right(case):
    rng = np.random.default_rng(0)
    # Small integers tie often, and differences of them are exact.
    Z = rng.integers(-2, 3, (300, case.k)).astype(float)
    target = case.target(300, rng)
    margin = case.loss.margin(Z, target)
    expected = pair_margins(Z, target.y).min(axis=1)
    assert_array_equal(margin, expected)
    if case.k > 1:
        others = Z.copy()
        others[np.arange(300), target.y] = -np.inf
        right = Z[np.arange(300), target.y] > others.max(axis=1)
        assert_array_equal(margin > 0, right)
    assert (margin == 0).sum() > 20  # ties did occur; they are not right


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float32_stays_float32(case):
    rng = np.random.default_rng(1)
    Z = rng.standard_normal((7, case.k)).astype(np.float32)
    target = case.target(7, rng, np.float32)
    for weight in (1.0 / 7, random_weights(7).astype(np.float32)):
        value, gradient = case.loss.value_and_gradient(Z, target, weight)
        assert gradient.dtype == np.float32
        assert value.ndim == 0
        if case.loss.separable:
            assert case.loss.value(Z, target).dtype == np.float32
            # Rows are added up in float64.
            assert value.dtype == np.float64
        if not case.loss.batch_coupled:
            assert case.loss.linearize(Z, target, weight)(Z).dtype == np.float32
        if case.labels == "hard":
            assert case.loss.margin(Z, target).dtype == np.float32
            assert case.loss.normalized_gradient(Z, target, weight)[0].dtype == np.float32


def test_rows_of_a_target(rng):
    target = Target(np.arange(6), rng.standard_normal((6, 3)))
    part = target.rows(slice(2, 4))
    assert_array_equal(part.y, [2, 3])
    assert_array_equal(part.teacher_logits, target.teacher_logits[2:4])
    assert Target(np.arange(6)).rows(slice(0, 2)).teacher_logits is None
