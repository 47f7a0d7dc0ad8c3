"""Figures; matplotlib is loaded when one is drawn."""

from ._learning_curves import LearningCurveComparisonDisplay

__all__ = ["LearningCurveComparisonDisplay"]
