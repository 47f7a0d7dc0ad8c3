"""Naive Bayes: the generative counterpart of logistic regression."""

from ._moments import ClassMoments, class_moments
from ._shared_variance import SharedVarianceGaussianNB

__all__ = ["ClassMoments", "SharedVarianceGaussianNB", "class_moments"]
