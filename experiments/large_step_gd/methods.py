"""The methods of the study, as skkd's estimators and as trajectories of its solver layer.

``constant`` (the paper's LR+GD) and ``normalized`` take a step size, ``inf`` for the perceptrons
that are their limits; ``risk_adaptive`` is gradient descent on the log of the exponential risk,
whose theorem is about the average of the iterates (``risk_adaptive_average``).
"""

import math
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skkd.linear_model import BatchPerceptron, LogisticRegressionGD, iteration_bound
from skkd.losses import BinaryLogLoss, PerceptronLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import Constant, Limit, Normalized, gradient_descent

_ESTIMATORS = {
    "constant": {"step": "constant"},
    "normalized": {"step": "normalized"},
    "kesler_normalized": {"step": "normalized", "multi_class": "kesler"},
    "risk_adaptive": {"step": "risk_adaptive"},
    "risk_adaptive_average": {"step": "risk_adaptive", "keep": "average"},
}


def separate(data, method: str, step: float, max_iter: int) -> dict:
    """Run a method from zero until every row is right, or for `max_iter` updates.

    Parameters
    ----------
    data : TrainingSet
        The rows.
    method : str
        A method of this module, ``batch_perceptron``, ``normalized_batch_perceptron`` or
        ``perceptron``.
    step : float
        Step size; the perceptrons ignore it.
    max_iter : int
        Most updates.

    Returns
    -------
    dict
        ``updates`` (None if the rows were not separated), ``bound`` (None without theorem or
        margin) and ``accuracy`` of the iterate with the fewest errors.
    """
    record = {**data.facts(), "bound": bound(data, method, step)}
    if method == "perceptron":
        updates = _online_perceptron(data, max_iter)
        return {**record, "updates": updates, "accuracy": None}
    model = _estimator(method, step, max_iter)
    with warnings.catch_warnings():
        # A set that is not separated is a result here: `updates` says so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(data.X, data.y)
    accuracy = model.score(data.X, data.y)
    return {**record, "updates": model.n_iter_to_separate_, "accuracy": accuracy}


def bound(data, method: str, step: float) -> float | None:
    """Bound of the method's theorem on this set, None where there is none."""
    if not data.margin > 0 or method == "risk_adaptive":
        return None
    limits = {"constant": "batch_perceptron", "normalized": "normalized_batch_perceptron"}
    theorem = method.removesuffix("_average")
    if step == math.inf and data.n_classes == 2:
        theorem = limits.get(theorem, theorem)
    multi_class = "multinomial"
    if theorem == "kesler_normalized":
        theorem, multi_class = "normalized", "kesler"
    # The margin of more than two classes is one of Kesler rows, the radius one of samples.
    facts = (data.X.shape[0], data.radius, data.margin, step, data.n_classes)
    return iteration_bound(theorem, *facts, multi_class=multi_class)


def trajectory(data, method: str, step: float):
    """Endless iterates from zero of ``constant`` or ``normalized``, and their objective.

    With ``step=inf`` the iterates are in units of the step.
    """
    limit = step == math.inf
    objective = binary_objective(PerceptronLoss() if limit else BinaryLogLoss(), data)
    if method == "constant":
        rule = Limit() if limit else Constant(step)
    else:
        rule = Normalized(1.0 if limit else step)
    return gradient_descent(objective, objective.zeros(), step=rule), objective


def binary_objective(loss, data):
    """A loss of two classes on the rows, without an intercept."""
    return LinearObjective(loss, data.X, Target(data.y.astype(float)), fit_intercept=False)


def risk(objective, iterate) -> float:
    """Mean loss at an iterate."""
    return float(objective.value(iterate.params, logits=iterate.logits))


def gradient_norm(iterate) -> float:
    """Norm of the gradient of the loss at an iterate, also where the step was normalised."""
    scale = 1.0 if iterate.log_mass is None else math.exp(float(iterate.log_mass))
    return scale * float(np.linalg.norm(iterate.gradient))


def _estimator(method, step, max_iter):
    common = {"fit_intercept": False, "max_iter": max_iter}
    if method.endswith("batch_perceptron"):
        return BatchPerceptron(normalized=method.startswith("normalized"), **common)
    return LogisticRegressionGD(step_size=step, **common, **_ESTIMATORS[method])


def _online_perceptron(data, max_updates):
    """Updates of Rosenblatt's perceptron, rows in order, until all are right; None if never.

    scikit-learn's counts passes, not updates.
    """
    M = (2.0 * data.y - 1.0)[:, None] * data.X
    theta, updates, right, i = np.zeros(M.shape[1]), 0, 0, 0
    while right < M.shape[0]:
        if M[i] @ theta > 0:
            right += 1
        elif updates == max_updates:
            return None
        else:
            theta += M[i]
            updates, right = updates + 1, 0
        i = (i + 1) % M.shape[0]
    return updates
