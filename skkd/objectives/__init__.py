"""Objectives: a loss pulled back through a map from parameters to logits.

Two kinds live here. :class:`LinearObjective` is a weighted mean, differentiated as a whole, for
gradient descent, L-BFGS and Newton. A :class:`Datafit` is a sum, looked at block by block, for
block coordinate descent.
"""

from ._classification import classification_objective
from ._datafits import (
    Datafit,
    DatafitState,
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Softmax,
    SquaredHinge,
    SVMDual,
)
from ._linear import Evaluation, LinearObjective

__all__ = [
    "Datafit",
    "DatafitState",
    "Evaluation",
    "GraphQuadratic",
    "LeastSquares",
    "LinearObjective",
    "Logistic",
    "SVMDual",
    "Softmax",
    "SquaredHinge",
    "classification_objective",
]
