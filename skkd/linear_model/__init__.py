"""Linear classifiers and regressors."""

from ._logistic_gd import LogisticRegressionGD
from ._margins import iteration_bound, separation_margin
from ._max_margin import MaxMarginGD
from ._perceptron import BatchPerceptron

__all__ = [
    "BatchPerceptron",
    "LogisticRegressionGD",
    "MaxMarginGD",
    "iteration_bound",
    "separation_margin",
]
