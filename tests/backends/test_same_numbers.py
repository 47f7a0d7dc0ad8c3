"""The same numbers from every array library: solver layer and estimators against NumPy."""

import warnings

import pytest

from skkd.linear_model import BatchPerceptron, LogisticRegressionGD, MaxMarginGD
from skkd.solvers import Constant, Limit, LogisticRisk, Normalized, lbfgs, newton
from tests.losses._cases import BINARY, CASES, CLASSIFICATION, MULTICLASS, VALUES

from ._agreement import (
    library,
    same_estimator,
    same_naive_bayes,
    same_path,
    same_solution,
    same_stop,
)

DOUBLE = ["strict-cpu", "strict-device1", "torch-float64"]
SINGLE = ["torch-float32"]
LOG_LOSSES = [BINARY[0], MULTICLASS[0], MULTICLASS[2]]
MULTINOMIAL = MULTICLASS[0]


@pytest.fixture(params=DOUBLE)
def double(request):
    """Libraries that compute in float64."""
    return library(request.param)


@pytest.fixture(params=SINGLE)
def single(request):
    """Libraries that compute in float32."""
    return library(request.param)


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_stable_steps(case, weights, double):
    same_path(double, case, Constant(0.05), length=25, weights=weights, alpha=0.1)


@pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=str)
def test_stable_steps_in_float32(case, single):
    same_path(single, case, Constant(0.05), length=25, alpha=0.1)


@pytest.mark.parametrize("size", [1.0, 1e4])
@pytest.mark.parametrize("case", [c for c in CLASSIFICATION if c.loss.separable], ids=str)
def test_first_iterates_of_large_normalized_steps(case, size, double):
    same_path(double, case, Normalized(size), length=50, tol=1e-6)


@pytest.mark.parametrize("rule", [Constant(10.0), LogisticRisk(5.0)], ids=repr)
@pytest.mark.parametrize("case", LOG_LOSSES, ids=str)
def test_first_iterates_of_other_large_steps(case, rule, double):
    # Ten is several times 2 / L. At 50 softmax amplifies rounding by 1e9 within these iterates.
    same_path(double, case, rule, length=50, tol=1e-8)


@pytest.mark.parametrize("rule", [Limit(), Normalized(1.0)], ids=repr)
@pytest.mark.parametrize("case", [c for c in CLASSIFICATION if "Perceptron" in c.name], ids=str)
def test_perceptrons(case, rule, double):
    same_path(double, case, rule, length=50)


@pytest.mark.parametrize("case", [*LOG_LOSSES, VALUES[1]], ids=str)
@pytest.mark.parametrize("solver", [lbfgs, newton])
def test_one_quasi_newton_method_for_all(solver, case, double):
    # When conjugate gradients end depends on rounding: of Newton's method only the optimum counts.
    same_solution(double, solver, case, tol=1e-10, path=8 if solver is lbfgs else 0)


@pytest.mark.parametrize("case", [*LOG_LOSSES, VALUES[1]], ids=str)
@pytest.mark.parametrize("solver", [lbfgs, newton])
def test_one_quasi_newton_method_in_float32(solver, case, single):
    same_solution(single, solver, case, tol=1e-10, path=8 if solver is lbfgs else 0)


@pytest.mark.parametrize("check_every", [None, 1, 7])
@pytest.mark.parametrize("keep", ["last", "best", "average"])
@pytest.mark.parametrize("case", [BINARY[0], MULTINOMIAL], ids=str)
def test_stopping_is_exact_however_late_the_host_looks(case, keep, check_every, double):
    same_stop(double, case, Constant(2.0), keep, check_every=check_every)


COUNTS = ("n_iter_", "separated_", "n_iter_to_separate_")


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"step": "normalized", "step_size": 10.0},
        {"step": "constant", "step_size": 2.0},
        {"step": "risk_adaptive", "step_size": 1.0},
        {"step": "normalized", "step_size": float("inf")},
        {"step": "constant", "step_size": 0.5, "alpha": 0.01, "stop": "max_iter", "max_iter": 60},
        {"step": "constant", "step_size": 2.0, "keep": "average"},
        {"step": "normalized", "step_size": 1.0, "multi_class": "kesler", "fit_intercept": False},
    ],
    ids=str,
)
def test_logistic_regression_gd(options, n_classes, double):
    model = LogisticRegressionGD(**options)
    same_estimator(double, model, n_classes, integers=COUNTS, tol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("normalized", [True, False])
def test_batch_perceptron(normalized, n_classes, double):
    model = BatchPerceptron(normalized=normalized)
    same_estimator(double, model, n_classes, integers=COUNTS)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_max_margin_gd(n_classes, double):
    model = MaxMarginGD(tol=0.05)
    same_estimator(double, model, n_classes, integers=("n_iter_", "separated_"), tol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_naive_bayes(n_classes, double):
    same_naive_bayes(double, n_classes)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_naive_bayes_in_float32(n_classes, single):
    same_naive_bayes(single, n_classes)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_estimators_in_float32(n_classes, single):
    """Few stable steps; the data is what float32 can hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same_estimator(
            single,
            LogisticRegressionGD(step="constant", step_size=0.3, stop="max_iter", max_iter=20),
            n_classes,
            integers=("n_iter_",),
        )
