r"""The problem that the solvers of linear models share, and what they yield.

.. math::
    \min_{W, b}\; \sum_i s_i\, \phi(y_i, W x_i + b) + \lambda_1 \|W\|_1
    + \frac{\lambda_2}{2} \|W\|^2, \qquad \sum_i s_i = 1,

with bounds on the coefficients or a group norm in place of the L1 norm. Intercepts are free.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CoefficientIterate", "Groups", "LinearProblem", "NotFiniteError"]


@dataclass(frozen=True, slots=True)
class Groups:
    """A partition of the features into groups, each with a weight in the penalty.

    Attributes
    ----------
    order : array of shape (p,)
        Feature indices, the members of a group side by side.
    starts : array of shape (n_groups + 1,)
        Group g is ``order[starts[g] : starts[g + 1]]``.
    weights : array of shape (n_groups,)
        Factor of the norm of each group, such as the square root of its size.
    """

    order: Any
    starts: Any
    weights: Any


@dataclass(frozen=True, slots=True)
class LinearProblem:
    """A penalised linear model on validated data.

    Attributes
    ----------
    X : array of shape (n, p), in any memory order, or CSC matrix with sorted indices
        Rows in float32 or float64.
    y : array of shape (n,)
        Targets in float64 for the squared loss, integer labels 0..K-1 otherwise.
    loss : {"squared", "log", "squared_hinge"}
        Half the squared error; the logistic loss, softmax for more than one output; the squared
        hinge of a binary problem.
    weights : array of shape (n,) or None
        Weights in float64 that sum to one; None weighs all rows alike.
    n_outputs : int
        One logit, or one for each of K > 2 classes.
    fit_intercept : bool
        Whether there are intercepts.
    l1 : float
        Strength of the L1 norm.
    l2 : float
        Strength of the ridge.
    lower : float
        Lower bound of every coefficient, at most 0.
    upper : float
        Upper bound of every coefficient, at least 0.
    groups : Groups or None
        With groups, `l1` is the strength of the sum of weighted group norms.
    """

    X: Any
    y: Any
    loss: str = "squared"
    weights: Any = None
    n_outputs: int = 1
    fit_intercept: bool = True
    l1: float = 0.0
    l2: float = 0.0
    lower: float = -np.inf
    upper: float = np.inf
    groups: Groups | None = None


@dataclass(frozen=True, slots=True)
class CoefficientIterate:
    """State of a solver of a linear problem after some outer passes.

    Attributes
    ----------
    params : array of shape (p + 1, k)
        Coefficients, the intercepts last (zeros without).
    value : float
        Objective at `params`.
    gap : float
        Certified duality gap, an upper bound of how far `value` is above the optimum; infinite
        while nothing is certified, NaN where the problem has no dual bound.
    violation : float
        Where there is no gap, an estimate of how far `value` is above the optimum (half the
        squared Newton decrement).
    index : int
        Outer passes made.
    status : str or None
        "stagnated" once rounding forbids further progress.
    kept : None
        For :func:`skkd.solvers.run`: the last iterate is the one to keep.
    block : array or None
        Coordinates that the last pass worked on, where the solver works on blocks.
    """

    params: Any
    value: float
    gap: float
    violation: float = np.nan
    index: int = 0
    status: str | None = None
    kept: None = None
    block: Any = None


class NotFiniteError(ArithmeticError):
    """Numbers computed from all of X are not finite, so that X is not, or overflows."""
