"""Losses by name: the facade that takes plain arrays, and its errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skkd.losses import (
    BinaryLogLoss,
    ExponentialLoss,
    MulticlassPerceptronLoss,
    MultinomialLogLoss,
    PairwiseLoss,
    PerceptronLoss,
    SquaredHingeLoss,
    SquaredLoss,
    Target,
    get_loss,
    list_losses,
)

FORMS = {
    "log_loss": (BinaryLogLoss(), MultinomialLogLoss()),
    "kesler_log_loss": (BinaryLogLoss(), PairwiseLoss(BinaryLogLoss())),
    "exponential": (ExponentialLoss(), PairwiseLoss(ExponentialLoss())),
    "perceptron": (PerceptronLoss(), MulticlassPerceptronLoss()),
    "kesler_perceptron": (PerceptronLoss(), PairwiseLoss(PerceptronLoss())),
    "squared_hinge": (SquaredHingeLoss(), PairwiseLoss(SquaredHingeLoss())),
    "squared_error": (SquaredLoss(), SquaredLoss()),
}


def problem(name, k, rng):
    """Logits of six rows, and labels or values for them."""
    Z = rng.standard_normal((6, k))
    if name == "squared_error":
        return Z, rng.standard_normal((6, k))
    return Z, rng.integers(0, max(k, 2), 6)


def test_list_is_sorted_and_complete():
    assert list_losses() == sorted(list_losses())
    assert set(FORMS) <= set(list_losses())


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("name", FORMS)
def test_each_name_is_its_loss(name, k, rng):
    Z, y = problem(name, k, rng)
    loss = FORMS[name][k > 1]
    weight = np.array([2.0, 1.0, 1.0, 0.0, 3.0, 1.0])
    dense = y if k > 1 and name != "squared_error" else y.astype(float)
    value, gradient = get_loss(name).value_and_gradient(Z, y=y, sample_weight=weight)
    expected = loss.value_and_gradient(Z, Target(dense), weight / weight.sum())
    assert type(value) is float
    assert_allclose(value, expected[0], rtol=1e-14)
    assert_allclose(gradient, expected[1], rtol=1e-13, atol=1e-17)
    # No weights: the plain mean.
    value, gradient = get_loss(name).value_and_gradient(Z, y=y)
    assert_allclose(value, loss.value_and_gradient(Z, Target(dense), 1.0 / 6)[0], rtol=1e-14)


@pytest.mark.parametrize("name", FORMS)
def test_one_dimensional_logits_are_one_column(name, rng):
    Z, y = problem(name, 1, rng)
    value, gradient = get_loss(name).value_and_gradient(Z[:, 0], y=y.reshape(-1))
    expected = get_loss(name).value_and_gradient(Z, y=y.reshape(-1))
    assert gradient.shape == (6,)
    assert value == expected[0]
    assert_allclose(gradient, expected[1][:, 0], rtol=0)


def test_gradient_keeps_the_dtype_of_the_logits(rng):
    Z, y = problem("log_loss", 3, rng)
    gradient = get_loss("log_loss").value_and_gradient(Z.astype(np.float32), y=y)[1]
    assert gradient.dtype == np.float32


def test_soft_labels(rng):
    Z, T = rng.standard_normal((6, 3)), rng.dirichlet(np.ones(3), 6)
    value, _ = get_loss("log_loss").value_and_gradient(Z, y=T)
    log_p = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
    assert_allclose(value, -np.mean(np.sum(T * log_p, axis=1)), rtol=1e-14)


def test_flags_are_those_of_the_loss():
    loss = get_loss("log_loss")
    assert loss.convex
    assert loss.needs_labels
    assert not (loss.needs_teacher or loss.batch_coupled or loss.stateful)
    assert loss.min_classes == 2
    assert repr(loss) == "get_loss('log_loss')"
    with pytest.raises(AttributeError):
        loss.no_such_flag  # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": None}, "needs labels: pass y"),
        ({"y": np.array([0, 1, 2])}, "y has 3 rows but student_logits has 2"),
        ({"sample_weight": np.array([1.0, 1.0, 1.0])}, r"shape \(3,\), expected \(2,\)"),
        ({"sample_weight": np.array([1.0, -0.5])}, "non-negative"),
        ({"sample_weight": np.array([0.0, 0.0])}, "positive sum"),
        ({"sample_weight": np.array([1.0, np.nan])}, "sample_weight"),
    ],
)
def test_errors_say_what_was_got(arguments, message):
    call = {"y": np.array([0, 1]), **arguments}
    with pytest.raises(ValueError, match=message):
        get_loss("log_loss").value_and_gradient(np.zeros((2, 3)), **call)


@pytest.mark.parametrize("y", [[0, 3], [-1, 1]])
def test_labels_outside_the_classes_are_refused(y):
    with pytest.raises(ValueError, match="label"):
        get_loss("log_loss").value_and_gradient(np.zeros((2, 3)), y=np.array(y))


@pytest.mark.parametrize("y", [[-1, 1], [0, 2]])
def test_binary_labels_outside_0_and_1_are_refused(y):
    """Labels -1 and +1 would be probabilities of -1: a wrong number, not an error."""
    with pytest.raises(ValueError, match="label"):
        get_loss("log_loss").value_and_gradient(np.ones(2), y=np.array(y))


def test_unknown_names_and_parameters():
    with pytest.raises(ValueError, match=r"unknown loss 'hinge_loss'.*log_loss"):
        get_loss("hinge_loss")
    with pytest.raises(TypeError, match="takes no parameters, got temperature"):
        get_loss("log_loss", temperature=2.0)
