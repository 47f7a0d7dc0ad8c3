"""Generators of data with known ground truth."""

from ._separable import make_separable, make_worst_case_separable

__all__ = ["make_separable", "make_worst_case_separable"]
