"""Losses in logit space: value, gradient and Hessian-vector product, knowing no features."""

from ._base import ClassificationLoss, Loss, Target
from ._log_loss import BinaryLogLoss, MultinomialLogLoss
from ._margin import (
    BinaryMarginLoss,
    ExponentialLoss,
    PerceptronLoss,
    SquaredHingeLoss,
    WorstMarginLoss,
)
from ._multiclass import MulticlassLoss
from ._pairwise import MulticlassPerceptronLoss, PairwiseLoss
from ._registry import NamedLoss, get_loss, list_losses
from ._squared import SquaredLoss

__all__ = [
    "BinaryLogLoss",
    "BinaryMarginLoss",
    "ClassificationLoss",
    "ExponentialLoss",
    "Loss",
    "MulticlassLoss",
    "MulticlassPerceptronLoss",
    "MultinomialLogLoss",
    "NamedLoss",
    "PairwiseLoss",
    "PerceptronLoss",
    "SquaredHingeLoss",
    "SquaredLoss",
    "Target",
    "WorstMarginLoss",
    "get_loss",
    "list_losses",
]
