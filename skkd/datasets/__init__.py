"""Generators of data with known ground truth."""

from ._bcd import make_bcd_problem
from ._separable import make_separable, make_worst_case_separable

__all__ = ["make_bcd_problem", "make_separable", "make_worst_case_separable"]
