"""Gradient alignment against the authors' optimiser, and I_alpha on Gaussians against the truth.

The cases and what made them are described beside them, in ``data/distillation/PROVENANCE.md``.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skkd.distillation import mi_alpha_bound
from skkd.distillation._dual_objective import DualHeadObjective
from skkd.losses import BinaryKLNormLoss, MultinomialLogLoss, Target

DATA = Path(__file__).parent / "data" / "distillation"
CASES = [c for c in json.loads((DATA / "index.json").read_text()) if c["method"] == "grad_align"]
ARRAYS = np.load(DATA / "cases.npz")
GAUSSIAN = json.loads((DATA / "mi_alpha_gaussian.json").read_text())
ALPHAS = [0, 0.01, 0.1, 0.5, 0.9, 1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_aligned_direction(case):
    X, y, teacher, U, V1, V2, *expected = (
        ARRAYS[f"{case['id']}/{name}"]
        for name in ("X", "y", "teacher", "U", "V1", "V2", "gU", "gV1", "gV2")
    )
    heads = [
        (MultinomialLogLoss(), Target(y)),
        (BinaryKLNormLoss(temperature=case["params"]["temperature"]), Target(y, teacher)),
    ]
    objective = DualHeadObjective(
        X,
        heads,
        (1.0, 1.0),
        1.0 / len(y),
        n_components=U.shape[1],
        n_outputs=V1.shape[1],
        alpha=0.0,
        fit_intercept=False,
    )
    params = objective.pack(U, V1, V2)
    direction = objective.evaluate(params).gradient
    assert_allclose(direction, objective.pack(*expected), rtol=case["rtol"], atol=case["atol"])
    plain = objective.value_and_gradient(params)[1]
    conflict = np.abs(direction - plain).max()
    assert conflict > 1e-3 if "projection active" in case["note"] else conflict < 1e-12


def test_there_are_cases_with_and_without_conflict():
    notes = [case["note"] for case in CASES]
    assert any("projection active" in note for note in notes)
    assert any("no conflict" in note for note in notes)


@pytest.fixture(scope="module", params=[(0.5, 16), (0.5, 64), (0.9, 16), (0.9, 64)])
def setting(request):
    """True information, stored rows by alpha, and our mean and spread over 150 batches."""
    rho, K = request.param
    rows = [g for g in GAUSSIAN if g["rho"] == rho and g["K"] == K]
    d, n_batches = rows[0]["d"], 150
    rng = np.random.default_rng(7)
    values = np.empty((n_batches, len(ALPHAS)))
    for b in range(n_batches):
        x = rng.standard_normal((K, d))
        y = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal((K, d))
        F = log_density_ratio(x, y, rho)
        values[b] = [mi_alpha_bound(F, np.zeros(K), alpha)[0] for alpha in ALPHAS]
    return {"truth": -0.5 * d * np.log(1 - rho**2), "rows": rows, "K": K, "values": values}


def log_density_ratio(x, y, rho):
    """``log p(y | x) - log p(y)`` of every x with every y, the best critic; its baseline is 1."""
    residual = y[None, :, :] - rho * x[:, None, :]
    terms = 0.5 * y[None, :, :] ** 2 - 0.5 * residual**2 / (1 - rho**2)
    return terms.sum(axis=2) - 0.5 * x.shape[1] * np.log(1 - rho**2)


def test_true_information(setting):
    for row in setting["rows"]:
        assert row["true_mi"] == pytest.approx(setting["truth"], rel=1e-12)


def test_bias_falls_and_variance_grows_towards_zero(setting):
    means, spreads = setting["values"].mean(axis=0), setting["values"].std(axis=0)
    assert np.all(np.diff(means[1:]) < 0), "alpha = 0.01 ... 1: the bound falls"
    assert np.all(np.diff(spreads[1:]) < 0), "and so does its spread"
    standard_error = spreads / np.sqrt(len(setting["values"]))
    assert np.all(means < setting["truth"] + 4 * standard_error), "a lower bound"
    assert abs(means[0] - setting["truth"]) < 4 * standard_error[0], "without bias at 0"


def test_means_and_spreads_are_in_the_stored_bands(setting):
    stored = {row["alpha"]: row for row in setting["rows"]}
    assert sorted(stored) == ALPHAS
    means, spreads = setting["values"].mean(axis=0), setting["values"].std(axis=0)
    n = len(setting["values"])
    for alpha, mean, spread in zip(ALPHAS, means, spreads, strict=True):
        row = stored[alpha]
        assert abs(mean - row["mean"]) < 5 * row["sd"] * np.sqrt(1 / n + 1 / 600)
        assert 0.6 < spread / row["sd"] < 1.6


def test_infonce_is_capped(setting):
    assert setting["values"][:, -1].max() <= np.log(setting["K"] - 1) + 1e-12
