"""The parts of the study: from one configuration to one record."""

import math
from itertools import islice

import numpy as np

from skkd.linear_model import BatchPerceptron
from skkd.losses import BinaryLogLoss, ExponentialLoss
from skkd.solvers import (
    LogisticRisk,
    Normalized,
    averaged,
    gradient_descent,
    max_margin_descent,
)

from . import methods, sets


def separation(configuration: dict) -> dict:
    """Updates until all rows are right, beside the bound of the method's theorem."""
    data = _load(configuration)
    method, step = configuration["method"], configuration["step"]
    return methods.separate(data, method, step, configuration["max_iter"])


def limit(configuration: dict) -> dict:
    """Distance of theta_t / gamma from the perceptron that is the method's limit.

    ``distance`` has an entry for each of the first updates, relative to the perceptron's norm;
    it ends with the first iterate of the perceptron that separates, after which that stands
    still while the smooth method goes on.
    """
    data, step = _load(configuration), configuration["step"]
    smooth, _ = methods.trajectory(data, configuration["method"], step)
    perceptron, _ = methods.trajectory(data, configuration["method"], math.inf)
    distance, closest = [], math.inf
    for ours, its in islice(zip(smooth, perceptron, strict=False), 1, configuration["n_iter"] + 1):
        gap = np.linalg.norm(ours.params / step - its.params)
        distance.append(float(gap / np.linalg.norm(its.params)))
        closest = min(closest, float(np.abs(its.logits).min()))
        if its.errors == 0:
            break
    return {**data.facts(), "distance": distance, "worst": max(distance), "tie": closest == 0.0}


def unreliable(configuration: dict) -> dict:
    """Loss, gradient and accuracy of the first iterates of LR+GD on the rows of Theorem 4.1."""
    data, step = _load(configuration), configuration["step"]
    path, objective = methods.trajectory(data, "constant", step)
    record = {}
    for t, iterate in enumerate(islice(path, 3)):
        record[f"theta_{t}"] = (iterate.params[:, 0] / step).tolist()
        record[f"loss_{t}"] = methods.risk(objective, iterate)
        record[f"gradient_norm_{t}"] = methods.gradient_norm(iterate)
        record[f"accuracy_{t}"] = 1.0 - float(iterate.errors)
    return record


def trajectory(configuration: dict) -> dict:
    """Accuracy, loss and gradient norm after each update; only accuracy in the limit."""
    data, step = _load(configuration), configuration["step"]
    path, objective = methods.trajectory(data, configuration["method"], step)
    iterates = islice(path, configuration["n_iter"] + 1)
    accuracy, loss, norm = [], [], []
    for iterate in iterates:
        accuracy.append(1.0 - float(iterate.errors))
        if step < math.inf:
            loss.append(methods.risk(objective, iterate))
            norm.append(methods.gradient_norm(iterate))
    hits = [t for t, value in enumerate(accuracy) if value == 1.0]
    record = {"accuracy": accuracy, "loss": loss, "gradient_norm": norm}
    record["smoothness"] = _smoothness(data)
    return {**data.facts(), **record, "updates": hits[0] if hits else None}


def bias(configuration: dict) -> dict:
    """Margin of the normalised iterate, relative to the largest, at a few numbers of updates.

    The step is given in units of 1 / L, L the smoothness of the logistic loss.
    """
    data, method = _load(configuration), configuration["method"]
    smoothness = _smoothness(data)
    if method.startswith("max_margin"):
        step = None
        objective = methods.binary_objective(ExponentialLoss(), data)
        momentum = method == "max_margin_momentum"
        path = max_margin_descent(objective, data.radius, momentum=momentum)
    else:
        step = configuration["step_times_smoothness"] / smoothness
        path, _ = methods.trajectory(data, method, step)
    times = _spread(configuration["n_iter"])
    margins, wanted = [], set(times)
    for t, iterate in enumerate(islice(path, configuration["n_iter"] + 1)):
        if t in wanted:
            norm = float(np.linalg.norm(iterate.params))
            margins.append(float(iterate.margin) / norm / data.margin)
    return {**data.facts(), "step": step, "times": times, "relative_margin": margins}


def trap(configuration: dict) -> dict:
    """First average of iterates that separates, for two forms of the adaptive step.

    ``averaged`` counts the iterates in that average, the start included: the t of the theorem.
    """
    data, step = _load(configuration), configuration["step"]
    exponential = configuration["method"] == "exponential"
    loss, rule = (
        (ExponentialLoss(), Normalized(step))
        if exponential
        else (BinaryLogLoss(), LogisticRisk(step))
    )
    objective = methods.binary_objective(loss, data)
    path = averaged(gradient_descent(objective, objective.zeros(), step=rule), objective)
    averages = enumerate(islice(path, configuration["max_iter"]), start=1)
    count = next((t for t, iterate in averages if iterate.errors == 0), None)
    bound = methods.bound(data, "risk_adaptive_average", step)
    return {**data.facts(), "averaged": count, "bound": bound}


def twin(configuration: dict) -> dict:
    """Updates of the infinite step and of the batch perceptron that it should be."""
    data, max_iter = _load(configuration), configuration["max_iter"]
    method, normalized = configuration["method"], configuration["method"] == "normalized"
    infinite = methods.separate(data, method, math.inf, max_iter)["updates"]
    model = BatchPerceptron(normalized=normalized, fit_intercept=False, max_iter=max_iter)
    model.fit(data.X, data.y)
    return {"updates": infinite, "perceptron_updates": model.n_iter_to_separate_}


def _load(configuration):
    chosen = {key: configuration[key] for key in ("ratio", "seed", "file") if key in configuration}
    return sets.load(configuration["set"], **chosen)


def _smoothness(data):
    """L of the logistic loss: gradient descent with steps below 2 / L is monotone."""
    return float(np.linalg.eigvalsh(data.X.T @ data.X)[-1]) / (4 * data.X.shape[0])


def _spread(n_iter):
    """About thirty numbers from 1 to `n_iter`, evenly spread on a log scale."""
    return sorted({int(round(t)) for t in np.geomspace(1, n_iter, 30)})


PARTS = {
    "worst_case": separation,
    "growth": separation,
    "limit": limit,
    "unreliable": unreliable,
    "separate": separation,
    "trajectory": trajectory,
    "multiclass": separation,
    "bias": bias,
    "trap": trap,
    "twin": twin,
}
