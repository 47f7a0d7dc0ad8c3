"""Objectives: a loss pulled back through a map from parameters to logits."""

from ._classification import classification_objective
from ._linear import Evaluation, LinearObjective

__all__ = ["Evaluation", "LinearObjective", "classification_objective"]
