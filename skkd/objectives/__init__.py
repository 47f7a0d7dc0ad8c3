"""Objectives: a loss pulled back through a map from parameters to logits."""

from ._linear import Evaluation, LinearObjective

__all__ = ["Evaluation", "LinearObjective"]
