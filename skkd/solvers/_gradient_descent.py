"""Gradient descent with interchangeable step rules.

``W <- W - factor * direction``; rule and objective say what both are
(:mod:`skkd.solvers._step_rules`). The generator never ends, never prints and never asks the
device for a number: T updates cost T + 1 passes over the rows, and the margins that decide
separation come from the pass that makes the next direction.
"""

from .._backend import namespace
from ._iterates import Iterate

__all__ = ["gradient_descent"]


def gradient_descent(objective, W, *, step):
    """Iterate gradient descent from `W`.

    Parameters
    ----------
    objective : LinearObjective
        What is minimised.
    W : array of shape (p + 1, k)
        Where to start; it is not changed.
    step : StepRule
        For example ``Constant(0.1)`` or ``Normalized(10.0)``.

    Yields
    ------
    iterate : Iterate
        The start first, then one after each update.

    Raises
    ------
    ValueError
        On the first iterate, if a normalised rule meets a penalty or a loss without error mass.

    Examples
    --------
    >>> from itertools import islice
    >>> import numpy as np
    >>> from skkd.losses import BinaryLogLoss, Target
    >>> from skkd.objectives import LinearObjective
    >>> from skkd.solvers import Normalized, gradient_descent
    >>> X = np.array([[1.0, 0.0], [-1.0, -4.0]])
    >>> objective = LinearObjective(BinaryLogLoss(), X, Target(np.array([1.0, 0.0])))
    >>> path = gradient_descent(objective, objective.zeros(), step=Normalized(10.0))
    >>> [float(iterate.errors) for iterate in islice(path, 2)]
    [1.0, 0.0]
    """
    _check(objective, step)
    xp = namespace(W)
    index = 0
    while True:
        evaluation = objective.evaluate(W, normalized=step.normalized)
        yield Iterate(
            params=W,
            gradient=evaluation.gradient,
            logits=evaluation.logits,
            errors=evaluation.errors,
            margin=evaluation.margin,
            log_mass=evaluation.log_mass,
            index=index,
        )
        move = step.factor(objective, W, evaluation) * evaluation.gradient
        W = W - xp.astype(move, W.dtype)
        index += 1


def _check(objective, step):
    if not step.normalized:
        return
    if not hasattr(objective.loss, "normalized_gradient"):
        raise ValueError(
            f"{step!r} divides by the error mass of a classification loss, which "
            f"{objective.loss!r} does not have; use Constant"
        )
    if objective.alpha:
        raise ValueError(
            f"{step!r} normalises the gradient of the loss alone and cannot carry a penalty, but "
            f"alpha={objective.alpha}; use alpha=0 or Constant"
        )
