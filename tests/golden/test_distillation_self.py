"""Progressive self-distillation against the authors' loss: soft labels, value and gradient.

The cases and what made them are described beside them, in ``data/distillation/PROVENANCE.md``.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skkd.distillation._self_distilled import mixed_labels, round_strength
from skkd.losses import BinaryLogLoss, MultinomialLogLoss, Target

DATA = Path(__file__).parent / "data" / "distillation"
CASES = [c for c in json.loads((DATA / "index.json").read_text()) if c["method"] == "pskd"]
ARRAYS = np.load(DATA / "cases.npz")


def read(case):
    """Arrays of a case, its tolerance, and the weight of the predictions in its round."""
    names = ("student", "y", "p_prev", "soft", "loss", "grad")
    params = case["params"]
    strength = round_strength(params["alpha_T"], params["epoch"], params["n_epochs"])
    arrays = [ARRAYS[f"{case['id']}/{name}"] for name in names]
    return *arrays, {"rtol": case["rtol"], "atol": case["atol"]}, strength


def test_there_are_cases():
    assert len(CASES) >= 10


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_soft_labels_value_and_gradient(case):
    Z, y, P, soft, loss, grad, tolerance, strength = read(case)
    labels = mixed_labels(y, P, strength)
    assert labels.dtype == Z.dtype
    assert_allclose(labels, soft, **tolerance)
    value, gradient = MultinomialLogLoss().value_and_gradient(Z, Target(labels), 1.0 / len(y))
    assert_allclose(value, loss, **tolerance)
    assert_allclose(gradient, grad, **tolerance)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c["shape"][1] == 2], ids=lambda case: case["id"]
)
def test_two_classes_as_one_logit(case):
    """The difference of the columns is the logit; its gradient is that of the second column."""
    Z, y, P, _, loss, grad, tolerance, strength = read(case)
    labels = mixed_labels(y.astype(Z.dtype), P[:, 1], strength)
    value, gradient = BinaryLogLoss().value_and_gradient(
        Z[:, 1:] - Z[:, :1], Target(labels), 1.0 / len(y)
    )
    assert_allclose(value, loss, **tolerance)
    assert_allclose(gradient, grad[:, 1:], **tolerance)
