"""Generators of data with known ground truth."""

from ._bcd import make_bcd_problem
from ._gaussian_classes import (
    gaussian_rule_error,
    make_shared_variance_mixture,
    mixture_bayes_error,
)
from ._separable import make_separable, make_worst_case_separable
from ._shared_covariance import SharedCovarianceGaussians

__all__ = [
    "SharedCovarianceGaussians",
    "gaussian_rule_error",
    "make_bcd_problem",
    "make_separable",
    "make_shared_variance_mixture",
    "make_worst_case_separable",
    "mixture_bayes_error",
]
