"""Solvers: endless generators of iterates, adapters around them, and the driver that stops them.

A study of a trajectory is ``itertools.islice(gradient_descent(objective, W0, step=...), 100)``; an
estimator is ``run(solver, max_iter=..., criterion=..., tol=...)``.
"""

from ._adapters import averaged, best, first_hit, rounds
from ._bcd import (
    BlockIterate,
    block_coordinate_descent,
    forest_partition,
    lattice_combs,
    lattice_red_black,
    minimize_bcd,
    red_black_partition,
)
from ._driver import SolverResult, errors, gradient_norm, run
from ._gradient_descent import gradient_descent
from ._iterates import Iterate
from ._lbfgs import lbfgs
from ._linear import (
    coefficient_gap,
    coefficient_path,
    duality_gap,
    is_smooth,
    linear_descent,
    null_value,
)
from ._linear_problem import CoefficientIterate, Groups, LinearProblem, NotFiniteError
from ._max_margin import MarginIterate, max_margin_descent
from ._metric import Metric, gram_metric
from ._newton import newton
from ._step_rules import Constant, Limit, LogisticRisk, Normalized, StepRule

__all__ = [
    "BlockIterate",
    "CoefficientIterate",
    "Constant",
    "Groups",
    "Iterate",
    "Limit",
    "LinearProblem",
    "LogisticRisk",
    "MarginIterate",
    "Metric",
    "Normalized",
    "NotFiniteError",
    "SolverResult",
    "StepRule",
    "averaged",
    "best",
    "block_coordinate_descent",
    "coefficient_gap",
    "coefficient_path",
    "duality_gap",
    "errors",
    "first_hit",
    "forest_partition",
    "gradient_descent",
    "gradient_norm",
    "gram_metric",
    "is_smooth",
    "lattice_combs",
    "lattice_red_black",
    "lbfgs",
    "linear_descent",
    "max_margin_descent",
    "minimize_bcd",
    "newton",
    "null_value",
    "red_black_partition",
    "rounds",
    "run",
]
