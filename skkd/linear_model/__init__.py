"""Linear classifiers and regressors."""

from ._bcd_classifier import BCDClassifier
from ._bcd_regressor import BCDRegressor
from ._logistic_gd import LogisticRegressionGD
from ._margins import iteration_bound, separation_margin
from ._max_margin import MaxMarginGD
from ._perceptron import BatchPerceptron

__all__ = [
    "BCDClassifier",
    "BCDRegressor",
    "BatchPerceptron",
    "LogisticRegressionGD",
    "MaxMarginGD",
    "iteration_bound",
    "separation_margin",
]
