"""Solvers: endless generators of iterates, adapters around them, and the driver that stops them.

A study of a trajectory is ``itertools.islice(gradient_descent(objective, W0, step=...), 100)``; an
estimator is ``run(solver, max_iter=..., criterion=..., tol=...)``.
"""

from ._adapters import averaged, best, first_hit, rounds
from ._driver import SolverResult, errors, gradient_norm, run
from ._gradient_descent import gradient_descent
from ._iterates import Iterate
from ._lbfgs import lbfgs
from ._max_margin import MarginIterate, max_margin_descent
from ._newton import newton
from ._step_rules import Constant, Limit, LogisticRisk, Normalized, StepRule

__all__ = [
    "Constant",
    "Iterate",
    "Limit",
    "LogisticRisk",
    "MarginIterate",
    "Normalized",
    "SolverResult",
    "StepRule",
    "averaged",
    "best",
    "errors",
    "first_hit",
    "gradient_descent",
    "gradient_norm",
    "lbfgs",
    "max_margin_descent",
    "newton",
    "rounds",
    "run",
]
