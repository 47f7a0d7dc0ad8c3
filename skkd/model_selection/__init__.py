"""Comparing learners over sample sizes: paired learning curves, crossings, laws of growth.

:class:`~skkd.plotting.LearningCurveComparisonDisplay` draws them; it can be imported from here too.
"""

import importlib

from ._crossings import CrossingPoint, crossing_point, samples_to_reach
from ._curves import LearningCurves
from ._growth import GrowthComparison, GrowthFit, fit_growth
from ._learning_curves import compare_learning_curves

__all__ = [
    "CrossingPoint",
    "GrowthComparison",
    "GrowthFit",
    "LearningCurves",
    "compare_learning_curves",
    "crossing_point",
    "fit_growth",
    "samples_to_reach",
]

# skkd.plotting imports this package, so its name is resolved when it is asked for (PEP 562).
_DISPLAYS = ("LearningCurveComparisonDisplay",)


def __getattr__(name):
    if name in _DISPLAYS:
        return getattr(importlib.import_module("skkd.plotting"), name)
    raise AttributeError(f"module 'skkd.model_selection' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_DISPLAYS])
