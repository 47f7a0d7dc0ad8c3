"""Losses of distillation against the authors' own code and torch autograd: values and gradients.

The cases and what made them are described beside them, in ``data/distillation/PROVENANCE.md``.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from skkd.losses import get_loss

DATA = Path(__file__).parent / "data" / "distillation"
INDEX = json.loads((DATA / "index.json").read_text())
ARRAYS = np.load(DATA / "cases.npz")

# method of the case -> (name of the loss, parameters that the case leaves open)
METHODS = {
    "ce": ("ce", {}),
    "label_smoothing": ("label_smoothing", {}),
    "kl": ("kl", {}),
    "kl_zscore": ("kl", {"standardize": True}),
    "kd_ce_mmcls": ("kl", {"form": "cross_entropy"}),
    "rkl": ("reverse_kl", {}),
    "js": ("js", {}),
    "mse": ("mse", {}),
    "binary_kl": ("binary_kl", {}),
    "binary_kl_norm": ("binary_kl_norm", {}),
    "dkd": ("dkd", {}),
    "dkd_zscore": ("dkd", {"standardize": True}),
    "nkd": ("nkd", {}),
    "wsld": ("wsld", {}),
    "pld": ("pld", {}),
}
# One test for each method: a case takes a millisecond, a test item several.
CASES = {method: [case for case in INDEX if case["method"] == method] for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_value_and_gradient(method):
    assert CASES[method], f"no stored case of {method}"
    for case in CASES[method]:
        name, extra = METHODS[method]
        params = dict(case["params"])
        factor = params.pop("alpha") if method == "kd_ce_mmcls" else 1.0
        arrays = {key: ARRAYS[f"{case['id']}/{key}"] for key in _stored(case["id"])}
        value, gradient = get_loss(name, **extra, **params).value_and_gradient(
            arrays["student"], arrays.get("teacher"), y=arrays.get("y")
        )
        tolerance = {"rtol": case["rtol"], "atol": case["atol"], "err_msg": case["id"]}
        np.testing.assert_allclose(factor * value, arrays["loss"], **tolerance)
        np.testing.assert_allclose(factor * gradient, arrays["grad"], **tolerance)
        assert gradient.dtype == arrays["student"].dtype


def _stored(identifier):
    prefix = identifier + "/"
    return [name.removeprefix(prefix) for name in ARRAYS.files if name.startswith(prefix)]
