"""Figures; matplotlib is loaded when one is drawn."""

from ._learning_curves import LearningCurveComparisonDisplay
from ._reliability import ReliabilityDisplay

__all__ = ["LearningCurveComparisonDisplay", "ReliabilityDisplay"]
