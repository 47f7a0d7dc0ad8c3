"""Which instances of each public estimator enter scikit-learn's checks.

An estimator that is not listed enters with its defaults; one that needs arguments, or whose
parameters choose between methods, gets an entry here.
"""

import math

from sklearn.base import clone

from skkd.linear_model import BatchPerceptron, LogisticRegressionGD, MaxMarginGD
from skkd.semi_supervised import HarmonicLabelPropagation
from tests._discovery import all_estimators

# Steps of 10 make chaotic trajectories, of which a check that compares two fits to 1e-7 can only
# look at the start: they stop at separation. Instances that go on after it take stable steps.
INSTANCES = {
    LogisticRegressionGD: [
        LogisticRegressionGD(),
        LogisticRegressionGD("constant"),
        LogisticRegressionGD("risk_adaptive", 0.01),
        LogisticRegressionGD(step_size=math.inf),
        LogisticRegressionGD("constant", math.inf),
        LogisticRegressionGD("risk_adaptive", math.inf),
        LogisticRegressionGD(multi_class="kesler"),
        LogisticRegressionGD(fit_intercept=False),
        LogisticRegressionGD("constant", 0.1, stop="max_iter", keep="last"),
        LogisticRegressionGD("normalized", 0.1, stop="max_iter", keep="average"),
        LogisticRegressionGD("constant", 0.1, stop="gradient", alpha=0.1, class_weight="balanced"),
    ],
    BatchPerceptron: [
        BatchPerceptron(),
        BatchPerceptron(normalized=False, class_weight="balanced"),
        BatchPerceptron(keep="average"),
        BatchPerceptron(keep="last", fit_intercept=False),
    ],
    MaxMarginGD: [
        MaxMarginGD(),
        MaxMarginGD(momentum=False, fit_intercept=False),
    ],
    HarmonicLabelPropagation: [
        HarmonicLabelPropagation(),
        HarmonicLabelPropagation("rbf", solver="direct"),
        HarmonicLabelPropagation(solver="cg", ridge=0.1),
        HarmonicLabelPropagation(solver="tree-bcd", selection="greedy-tree"),
        HarmonicLabelPropagation("rbf", solver="tree-bcd", selection="tree-partition"),
        HarmonicLabelPropagation(solver="tree-bcd", selection="red-black"),
        HarmonicLabelPropagation(solver="tree-bcd", selection="random-tree"),
    ],
}

# A fit that continues from the last one depends on what came before, which the checks exclude;
# tests/linear_model/test_warm_start.py has its own.
# A precomputed kernel takes a square X, which most checks do not give.
NOT_FOR_CHECKS = {("warm_start", True), ("kernel", "precomputed")}

# The checks fit most instances some hundred times, often on labels that no line separates.
MAX_ITER = 100


def instances():
    """Every instance under test: at least one of every public estimator, with short runs."""
    found = []
    for cls in all_estimators():
        for estimator in INSTANCES.get(cls) or [cls()]:
            if "max_iter" in estimator.get_params():
                estimator = clone(estimator).set_params(max_iter=MAX_ITER)
            found.append(estimator)
    return found


def expected_failures(estimator):
    """Single checks that an instance cannot pass, each with the reason."""
    parameters = estimator.get_params()
    if isinstance(estimator, HarmonicLabelPropagation):
        return {
            "check_classifiers_classes": "it uses -1 as the label of a class, which marks samples "
            "without a label here; it excuses scikit-learn's LabelPropagation by name"
        }
    if parameters.get("step") == "risk_adaptive" and parameters["step_size"] == math.inf:
        return {
            "check_class_weight_classifiers": "the row of worst margin is the same whatever the "
            "weights, so that a class weight cannot move the decision towards its class"
        }
    if "class_weight" in parameters and not parameters.get("fit_intercept", True):
        return {
            "check_class_weight_classifiers": "it wants nearly all of a cloud around the origin "
            "in one class, but a rule through the origin halves such a cloud"
        }
    return {}
