"""Datafits: the smooth functions that block coordinate descent minimises."""

from ._base import Datafit, DatafitState
from ._linear import LeastSquares, Logistic, SquaredHinge
from ._quadratic import GraphQuadratic
from ._softmax import Softmax
from ._svm_dual import SVMDual

__all__ = [
    "Datafit",
    "DatafitState",
    "GraphQuadratic",
    "LeastSquares",
    "Logistic",
    "SVMDual",
    "Softmax",
    "SquaredHinge",
]
