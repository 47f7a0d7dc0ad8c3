"""Losses that couple rows or hold quantities of the student fixed, against the authors' code.

The cases and what made them are described beside them, in ``data/distillation/PROVENANCE.md``.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

from skkd.losses import Target, USKDLoss, get_loss

DATA = Path(__file__).parent / "data" / "distillation"
INDEX = json.loads((DATA / "index.json").read_text())
ARRAYS = np.load(DATA / "cases.npz")

AUTHORS = {"reversed": True, "select": "prefix", "entropy_rows": "authors"}

# method of the case -> (name of the loss, its parameters from those of the case)
METHODS = {
    "dist": ("dist", dict),
    "mlkd_cc": ("mlkd_cc", dict),
    "mlkd_bc": ("mlkd_bc", dict),
    "sinkhorn": ("sinkhorn", lambda case: {**case, "reduction": "sum"}),
    "sinkhorn_raw": ("sinkhorn", lambda case: {**case, "reduction": "sum"}),
    "mcmi_ce": ("ce", dict),
    "tsd_gated_jsd": ("gated_js", lambda case: {**case, "reduction": "sum"}),
    "pl_indirect": ("preference_rank", lambda case: _ranking(case, reversed=False)),
    "tsd_indirect_authors": ("preference_rank", lambda case: _ranking(case, reversed=True)),
    "tsd_full_authors": (
        "selective",
        lambda case: {
            "beta": case["beta"],
            "fraction": case["threshold"],
            "rank_weight": case["indirect_alpha"],
            **AUTHORS,
        },
    ),
}


def _ranking(case, *, reversed):
    return {"top_k": case["K"], "temperature": case["T"], "reversed": reversed}


def cases_of(method):
    """Entries of the index and their arrays."""
    cases = [case for case in INDEX if case["method"] == method]
    assert cases, f"no stored case of {method}"
    for case in cases:
        prefix = case["id"] + "/"
        names = [name for name in ARRAYS.files if name.startswith(prefix)]
        yield case, {name.removeprefix(prefix): ARRAYS[name] for name in names}


def assert_as_stored(case, arrays, value, gradient):
    tolerance = {"rtol": case["rtol"], "atol": case["atol"], "err_msg": case["id"]}
    np.testing.assert_allclose(value, arrays["loss"], **tolerance)
    np.testing.assert_allclose(gradient, arrays["grad"], **tolerance)
    assert gradient.dtype == arrays["student"].dtype


@pytest.mark.parametrize("method", METHODS)
def test_value_and_gradient(method):
    name, translate = METHODS[method]
    for case, arrays in cases_of(method):
        loss = get_loss(name, **translate(case["params"]))
        result = loss.value_and_gradient(
            arrays["student"], arrays.get("teacher"), y=arrays.get("y")
        )
        assert_as_stored(case, arrays, *result)


def test_conditional_mutual_information_with_fixed_centroids():
    for case, arrays in cases_of("mcmi_cmi"):
        loss = get_loss("cmi", centroids=arrays["centroids"])
        assert_as_stored(case, arrays, *loss.value_and_gradient(arrays["student"], y=arrays["y"]))


def test_self_distillation_ranks_by_two_heads():
    for case, arrays in cases_of("uskd"):
        params = dict(case["params"])
        mu = params.pop("mu")
        loss = USKDLoss(**params, rank_score="authors")
        Z, y = arrays["student"], arrays["y"]
        auxiliary = arrays["fea"] @ arrays["W"].T + arrays["b"]
        weight = 1.0 / len(y)
        target = loss.prepare(Target(y, auxiliary), Z, weight)
        value, gradient = loss.value_and_gradient(Z, target, weight)
        # The auxiliary head's own loss does not depend on these logits.
        value = value + mu * _smoothed_cross_entropy(auxiliary, y)
        assert_as_stored(case, arrays, value, gradient)


def _smoothed_cross_entropy(logits, y):
    log_p = log_softmax(logits, axis=1)
    own = log_p[np.arange(len(y)), y]
    return -np.mean(0.9 * own + 0.1 * log_p.mean(axis=1))


def test_converged_transport_is_that_of_a_solver():
    for case, arrays in cases_of("sinkhorn_converged"):
        loss = get_loss("sinkhorn", **case["params"], n_iter=1000, reduction="sum")
        value, _ = loss.value_and_gradient(arrays["student"], arrays["teacher"])
        np.testing.assert_allclose(value, arrays["loss"], rtol=case["rtol"], atol=case["atol"])


def test_small_epsilon_comes_down_to_the_exact_transport_cost():
    for case, arrays in cases_of("sinkhorn_converged"):
        n, excess = len(arrays["student"]), []
        for epsilon in (0.1, 0.025, 0.005):  # the last one is done on logarithms
            params = {**case["params"], "epsilon": epsilon, "n_iter": 2000, "reduction": "sum"}
            value, _ = get_loss("sinkhorn", **params).value_and_gradient(
                arrays["student"], arrays["teacher"]
            )
            excess.append(value - float(arrays["emd"]))
            # The entropy of a plan between n rows and n rows exceeds its least by log n at most.
            assert 0 < excess[-1] <= n * epsilon * np.log(n)
        assert excess[0] > 4 * excess[1] > 16 * excess[2]
        assert excess[2] < 1e-3 * arrays["emd"]
