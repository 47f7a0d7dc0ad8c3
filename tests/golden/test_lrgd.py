"""Large-step trajectories against torch autograd, mpmath and exact fractions (lrgd/README.md)."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Perceptron

from skkd.linear_model import (
    BatchPerceptron,
    LogisticRegressionGD,
    iteration_bound,
    separation_margin,
)
from skkd.losses import BinaryLogLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import LogisticRisk, first_hit, gradient_descent

FOLDER = Path(__file__).parent / "lrgd"
ARRAYS = dict(np.load(FOLDER / "lrgd_trajectories.npz"))
INFO = json.loads((FOLDER / "lrgd_info.json").read_text())

STEPS = ("0.1", "1", "10", "100", "10000")
STEP_OF = {"gd": "constant", "normalized": "normalized"}
AGAINST = {"theta_mp": 1e-8, "theta": 1e-6}


def data(name):
    return ARRAYS[f"{name}__A"], ARRAYS[f"{name}__y"]


def trajectories(*methods):
    """``(name, method, step, which)`` of every stored trajectory of those methods."""
    return [
        (name, method, step, which)
        for name in INFO
        for method in methods
        for step in STEPS
        for which in AGAINST
        if f"{name}__{method}__{step}__{which}" in ARRAYS
    ]


def stored(name, method, step, which):
    """A trajectory up to its last finite row, and the tolerance it deserves."""
    thetas = ARRAYS[f"{name}__{method}__{step}__{which}"]
    finite = np.isfinite(thetas).all(axis=1)
    end = len(thetas) if finite.all() else int(np.argmin(finite))
    assert end >= 2
    return thetas[:end], AGAINST[which] * np.abs(thetas[:end]).max()


def adaptive_path(name, step):
    """Iterates of the logistic risk-adaptive rule, which is one of the solver layer."""
    X, y = data(name)
    objective = LinearObjective(BinaryLogLoss(), X, Target((y + 1) / 2), fit_intercept=False)
    return gradient_descent(objective, objective.zeros(), step=LogisticRisk(float(step)))


def test_all_trajectories_are_found():
    methods = ("gd", "normalized", "adaptive")
    assert len(trajectories(*methods)) == 4 * 3 * 5 + 3 * 3 * 5  # torch, and mpmath on three sets


@pytest.mark.parametrize(("name", "method", "step", "which"), trajectories(*STEP_OF))
def test_estimator_follows_trajectory(name, method, step, which):
    expected, tolerance = stored(name, method, step, which)
    X, y = data(name)
    last = len(expected) - 1
    for max_iter in sorted({1, 2, 3, last // 2, last} & set(range(1, last + 1))):
        model = LogisticRegressionGD(
            STEP_OF[method],
            float(step),
            stop="max_iter",
            keep="last",
            fit_intercept=False,
            max_iter=max_iter,
        ).fit(X, y)
        assert model.n_iter_ == max_iter
        assert np.abs(model.coef_[0] - expected[max_iter]).max() <= tolerance


@pytest.mark.parametrize(("name", "method", "step", "which"), trajectories("adaptive"))
def test_logistic_risk_rule_follows_trajectory(name, method, step, which):
    expected, tolerance = stored(name, method, step, which)
    path = adaptive_path(name, step)
    thetas = [iterate.params[:, 0] for iterate in islice(path, len(expected))]
    assert np.abs(np.stack(thetas) - expected).max() <= tolerance


@pytest.mark.parametrize("name", INFO)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("method", STEP_OF)
def test_first_separating_iterate(name, method, step):
    X, y = data(name)
    run = INFO[name]["runs"][f"{method}/{step}"]
    model = LogisticRegressionGD(STEP_OF[method], float(step), fit_intercept=False).fit(X, y)
    assert model.n_iter_to_separate_ == model.n_iter_ == run["first_separating_iterate"]
    if "thm61_bound" in run:
        bound = iteration_bound(
            "normalized", len(y), INFO[name]["R"], INFO[name]["mu_dual"], float(step)
        )
        assert bound == pytest.approx(run["thm61_bound"], rel=1e-12)
        assert model.n_iter_ <= bound


@pytest.mark.parametrize("name", INFO)
@pytest.mark.parametrize("step", STEPS)
def test_first_separating_iterate_of_logistic_risk_rule(name, step):
    expected = INFO[name]["runs"][f"adaptive/{step}"]["first_separating_iterate"]
    if expected is None:
        # torch turned NaN before it separated; mpmath did not.
        thetas = ARRAYS.get(f"{name}__adaptive__{step}__theta_mp")
        if thetas is None:
            pytest.skip("the only stored trajectory ends in NaN")
        X, y = data(name)
        expected = int(np.argmax((y * (thetas @ X.T) > 0).all(axis=1)))
        assert expected > 0
    path = first_hit(adaptive_path(name, step), lambda iterate: iterate.errors == 0)
    *_, last = islice(path, 1 + expected)
    assert int(last.hit) == expected


@pytest.mark.parametrize("name", INFO)
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("through", ["BatchPerceptron", "LogisticRegressionGD"])
def test_batch_perceptron_follows_exact_trajectory(name, normalized, through):
    method = "normalized_batch_perceptron" if normalized else "batch_perceptron"
    expected = ARRAYS[f"{name}__{method}__theta"]
    sizes = ARRAYS[f"{name}__{method}__sizes"]
    X, y = data(name)
    for count in range(1, len(expected)):
        if through == "BatchPerceptron":
            model = BatchPerceptron(normalized, fit_intercept=False, keep="last", max_iter=count)
        else:
            model = LogisticRegressionGD(
                "normalized" if normalized else "constant",
                np.inf,
                fit_intercept=False,
                keep="last",
                stop="max_iter",
                max_iter=count,
            )
        separates = count == len(expected) - 1
        if through == "BatchPerceptron" and not separates:
            with pytest.warns(match="was not separated"):
                model.fit(X, y)
        else:
            model.fit(X, y)
        tolerance = 1e-13 * np.abs(expected).max()
        assert np.abs(model.coef_[0] - expected[count]).max() <= tolerance
        wrong = int(np.sum(y * model.decision_function(X) <= 0))
        assert wrong == (0 if separates else sizes[count])
        assert model.separated_ == separates
    assert len(expected) - 1 == INFO[name]["runs"][method]["iterations"]


@pytest.mark.parametrize("name", INFO)
def test_online_perceptron_is_the_stored_peer(name):
    """The peer of Theorem 5.2 is scikit-learn's; should it change, the comparison moves."""
    X, y = data(name)
    peer = Perceptron(shuffle=False, fit_intercept=False, max_iter=10000, tol=None).fit(X, y)
    expected = ARRAYS[f"{name}__sklearn_perceptron__coef"]
    assert peer.score(X, y) == INFO[name]["runs"]["sklearn_perceptron_cyclic"]["train_acc"] == 1.0
    assert peer.coef_[0] == pytest.approx(expected, abs=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("name", INFO)
def test_margin_radius_and_direction(name):
    X, y = data(name)
    margin, direction = separation_margin(X, y)
    assert margin == pytest.approx(INFO[name]["mu_dual"], rel=1e-9)
    assert margin == pytest.approx(INFO[name]["mu_qp"], rel=1e-9)
    assert direction == pytest.approx(np.array(INFO[name]["theta_star"]), abs=1e-8)
    assert np.linalg.norm(X, axis=1).max() == pytest.approx(INFO[name]["R"], rel=1e-14)
