"""Which instances of each public estimator enter scikit-learn's checks.

An estimator that is not listed enters with its defaults; one that needs arguments, or whose
parameters choose between methods, gets an entry here.
"""

import math

from sklearn.base import clone
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.pipeline import make_pipeline

from skkd.distillation import (
    DistilledLogisticRegression,
    DualHeadDistilledClassifier,
    LELPDistilledClassifier,
    MCMILogisticRegression,
    MIAlphaProjection,
    SelfDistilledLogisticRegression,
)
from skkd.linear_model import (
    BatchPerceptron,
    BCDClassifier,
    BCDRegressor,
    LogisticRegressionGD,
    MaxMarginGD,
)
from skkd.naive_bayes import SharedVarianceGaussianNB
from skkd.semi_supervised import HarmonicLabelPropagation
from tests._discovery import all_estimators

# Rules of block coordinate descent that go together, and reach every option of every rule. Most
# data of the checks have no more than ten variables, one block by default: where the size is left
# alone there is nothing to select, and the gap is certified after every update.
SMOOTH_RULES = [
    {"partition": "order", "selection": "cyclic", "update": "gradient", "block_size": 1},
    {"partition": "random", "selection": "random", "update": "adaptive", "block_size": 2},
    {"partition": "sort", "selection": "gsl", "update": "bound", "block_size": 2},
    {"partition": "average", "selection": "lipschitz", "update": "newton"},
    {"partition": "hsort", "selection": "gsq", "update": "newton", "block_size": 3},
    {"partition": "haverage", "selection": "gs", "update": "bound", "block_size": 2},
    {"selection": "gsd", "update": "newton", "record_path": True},
    {"selection": "gsd-h", "update": "bound", "fit_intercept": False},
    {"selection": "iht", "update": "newton"},
    {"selection": "perm", "update": "cubic", "block_size": 1},
]
PENALISED_RULES = [
    {"penalty": "l1", "alpha": 0.01, "selection": "gs-q", "update": "prox-newton"},
    {
        "penalty": "elasticnet",
        "alpha": 0.01,
        "selection": "gs-r",
        "update": "prox-gradient",
        "block_size": 2,
    },
    {"penalty": None, "positive": True, "selection": "gs-s", "update": "two-metric"},
]
WORKING_SETS = [
    {"penalty": "l1", "alpha": 0.01},
    {"penalty": "l1", "alpha": 0.01, "working_set": False, "acceleration": None},
    {"penalty": "l1", "alpha": 0.01, "fit_intercept": False, "acceleration": "anderson"},
    {"penalty": "elasticnet", "alpha": 0.01, "positive": True, "working_set": True},
    {"penalty": "l2", "alpha": 0.1, "bounds": (-10.0, 10.0), "acceleration": "newton"},
    {"penalty": "l1", "alpha": 0.01, "stopping": "max_iter", "record_path": True},
    {"penalty": "group_l1", "alpha": 0.01, "groups": 1},
]
# The checks compare predictions of two fits to 1e-7, of which the gap is about the square.
TIGHT = {"tol": 1e-13}
TIGHTEST = {"tol": 1e-20}  # where everything is smooth

# A teacher with embeddings, whose fit is exact and never warns.
FEATURES = make_pipeline(
    RBFSampler(gamma=0.03, n_components=30, random_state=0),
    LogisticRegression(solver="newton-cholesky", tol=1e-12),
)

# Steps of 10 make chaotic trajectories, of which a check that compares two fits to 1e-7 can only
# look at the start: they stop at separation. Instances that go on after it take stable steps.
INSTANCES = {
    BCDRegressor: [
        BCDRegressor(**TIGHTEST),
        BCDRegressor(alpha=0.01, **TIGHTEST),
        BCDRegressor(penalty=None, **TIGHTEST),
        *[BCDRegressor(**params, **TIGHT) for params in WORKING_SETS],
        *[BCDRegressor(**{"alpha": 0.01, **rules}) for rules in SMOOTH_RULES],
        BCDRegressor(0.01, selection="gsd", update="exact", block_size=3),
        *[BCDRegressor(**rules) for rules in PENALISED_RULES],
    ],
    BCDClassifier: [
        BCDClassifier(**TIGHTEST),
        BCDClassifier(alpha=0.01, class_weight="balanced", **TIGHTEST),
        *[BCDClassifier(**params, **TIGHT) for params in WORKING_SETS],
        BCDClassifier(0.01, loss="squared_hinge", class_weight="balanced", **TIGHTEST),
        BCDClassifier(0.01, penalty="l1", loss="squared_hinge", **TIGHT),
        *[BCDClassifier(**{"alpha": 0.01, **rules}) for rules in SMOOTH_RULES],
        *[BCDClassifier(**rules) for rules in PENALISED_RULES],
    ],
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
    SharedVarianceGaussianNB: [
        SharedVarianceGaussianNB(),
        SharedVarianceGaussianNB(smoothing="relative", ddof="K"),
    ],
    DistilledLogisticRegression: [
        DistilledLogisticRegression(GaussianNB(), cv="refit"),
        DistilledLogisticRegression(
            GaussianNB(),
            loss="js",
            cv="refit",
            alpha=0.1,
            init="zero",
            solver="lbfgs",
            teacher_method="predict_proba",
        ),
        DistilledLogisticRegression(
            LogisticRegression(tol=1e-12),
            loss="dkd",
            loss_params={"beta": 1.0},
            cv="refit",
            alpha=0.01,
            class_weight="balanced",
            solver="newton",
            teacher_method="decision_function",
        ),
        DistilledLogisticRegression(loss="ce", alpha=0.01, solver="rounds", fit_intercept=False),
        DistilledLogisticRegression(
            GaussianNB(),
            loss="sinkhorn",
            cv="refit",
            alpha=3.0,
            solver="minibatch",
            batch_size=1000,  # one batch: partitions are not the same for weights and copies
            n_rounds=1,
            teacher_method="predict_log_proba",
        ),
    ],
    DualHeadDistilledClassifier: [
        DualHeadDistilledClassifier(
            BernoulliNB(), cv="refit", n_components=2, alpha=0.03, tol=1e-9, random_state=0
        ),
        DualHeadDistilledClassifier(
            BernoulliNB(), cv="refit", loss="binary_kl", gradient_alignment=True, random_state=0
        ),
        DualHeadDistilledClassifier(
            BernoulliNB(),
            cv="refit",
            loss="kl",
            fit_intercept=False,
            alpha=0.03,
            tol=1e-9,
            random_state=0,
        ),
    ],
    LELPDistilledClassifier: [
        LELPDistilledClassifier(FEATURES, 2, alpha=0.03, tol=1e-10, random_state=0),
        LELPDistilledClassifier(
            FEATURES,
            2,
            alpha=0.03,
            tol=1e-10,
            random_rotation=False,
            null_space=False,
            fit_intercept=False,
        ),
    ],
    # Two classes determine one direction; a second one would be what rounding makes it.
    MIAlphaProjection: [MIAlphaProjection(1, random_state=0)],
    SelfDistilledLogisticRegression: [
        SelfDistilledLogisticRegression(n_rounds=3, alpha=0.01, tol=1e-10),
        SelfDistilledLogisticRegression(
            "born_again",
            n_rounds=2,
            schedule="constant",
            class_weight="balanced",
            alpha=0.01,
            tol=1e-10,
        ),
        SelfDistilledLogisticRegression(
            "uskd", n_rounds=2, rank_score="authors", alpha=0.01, tol=1e-10
        ),
        SelfDistilledLogisticRegression(
            n_rounds=3, inner="partial", schedule="linear", fit_intercept=False
        ),
    ],
    MCMILogisticRegression: [
        MCMILogisticRegression(alpha=0.01, tol=1e-10),
        MCMILogisticRegression(
            0.1,
            centroid="fixed",
            class_weight="balanced",
            fit_intercept=False,
            alpha=0.01,
            tol=1e-10,
        ),
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
# The update "exact" is for quadratics; BCDRegressor has it.
# Standardised logits refuse two classes, which most checks have; a teacher that is fitted before
# would have to know each check's data. What a teacher is asked for is tested with teacher_logits.
NOT_FOR_CHECKS = {
    ("warm_start", True),
    ("kernel", "precomputed"),
    ("update", "exact"),
    ("standardize_logits", True),
    ("cv", "prefit"),
    ("prefit", True),
    ("teacher_method", "decision_function"),
    ("teacher_method", "predict_log_proba"),
    ("teacher_method", "predict_proba"),
}

# The checks fit most instances some hundred times, often on labels that no line separates.
MAX_ITER = 50


def instances():
    """Every instance under test: at least one of every public estimator, with short runs."""
    listed = [model for cls in all_estimators() for model in INSTANCES.get(cls) or [cls()]]
    return [shortened(model, MAX_ITER) for model in listed]


def shortened(estimator, max_iter):
    """A clone with fewer iterations, where the estimator makes any."""
    estimator = clone(estimator)
    if "max_iter" in estimator.get_params():
        estimator.set_params(max_iter=max_iter)
    return estimator


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
