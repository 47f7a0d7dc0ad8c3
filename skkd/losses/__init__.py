"""Losses in logit space: value, gradient and Hessian-vector product, knowing no features."""

from ._base import ClassificationLoss, Loss, Target
from ._cmi import CMILoss, class_centroids
from ._combined import Batched, TwoColumns, WeightedSum, two_columns
from ._correlation import BatchCorrelationLoss, ClassCorrelationLoss, DISTLoss
from ._decoupled import DKDLoss, NKDLoss, WSLDLoss
from ._divergences import JSLoss, KLLoss, LabelSmoothingLoss, ReverseKLLoss
from ._log_loss import BinaryLogLoss, MultinomialLogLoss
from ._logit_matching import BinaryKLLoss, BinaryKLNormLoss, LogitMSELoss
from ._margin import (
    BinaryMarginLoss,
    ExponentialLoss,
    PerceptronLoss,
    SquaredHingeLoss,
    WorstMarginLoss,
)
from ._multiclass import MulticlassLoss
from ._pairwise import MulticlassPerceptronLoss, PairwiseLoss
from ._ranking import ListMLELoss, PLDLoss
from ._registry import NamedLoss, get_loss, list_losses, make_loss
from ._selective import GatedJSLoss, PreferenceRankLoss, SelectiveLoss, USKDLoss
from ._squared import SquaredLoss
from ._standardized import Standardized
from ._transport import SinkhornLoss

__all__ = [
    "BatchCorrelationLoss",
    "Batched",
    "BinaryKLLoss",
    "BinaryKLNormLoss",
    "BinaryLogLoss",
    "BinaryMarginLoss",
    "CMILoss",
    "ClassCorrelationLoss",
    "ClassificationLoss",
    "DISTLoss",
    "DKDLoss",
    "ExponentialLoss",
    "GatedJSLoss",
    "JSLoss",
    "KLLoss",
    "LabelSmoothingLoss",
    "ListMLELoss",
    "LogitMSELoss",
    "Loss",
    "MulticlassLoss",
    "MulticlassPerceptronLoss",
    "MultinomialLogLoss",
    "NKDLoss",
    "NamedLoss",
    "PLDLoss",
    "PairwiseLoss",
    "PerceptronLoss",
    "PreferenceRankLoss",
    "ReverseKLLoss",
    "SelectiveLoss",
    "SinkhornLoss",
    "SquaredHingeLoss",
    "SquaredLoss",
    "Standardized",
    "Target",
    "TwoColumns",
    "USKDLoss",
    "WSLDLoss",
    "WeightedSum",
    "WorstMarginLoss",
    "class_centroids",
    "get_loss",
    "list_losses",
    "make_loss",
    "two_columns",
]
