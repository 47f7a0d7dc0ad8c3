"""Sparse linear models by working sets: greedy variable blocks whose cost is amortised."""

from ._duality import certified_gap
from ._group import group_iterates
from ._risks import make_risk
from ._solver import WorkingSet

__all__ = ["WorkingSet", "certified_gap", "group_iterates", "make_risk"]
