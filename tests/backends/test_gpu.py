"""The same numbers on a GPU; skipped where CuPy finds none.

What these tests run is what ``test_same_numbers`` runs on other libraries.
"""

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

pytestmark = pytest.mark.gpu

LOG_LOSSES = [BINARY[0], MULTICLASS[0], MULTICLASS[2]]


@pytest.fixture
def double():
    """CuPy arrays of float64."""
    return library("cupy-float64")


@pytest.fixture
def single():
    """CuPy arrays of float32."""
    return library("cupy-float32")


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_stable_steps(case, weights, double):
    same_path(double, case, Constant(0.05), length=25, weights=weights, alpha=0.1)


@pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=str)
def test_stable_steps_in_float32(case, single):
    same_path(single, case, Constant(0.05), length=25, alpha=0.1)


@pytest.mark.parametrize("case", [c for c in CLASSIFICATION if c.loss.separable], ids=str)
def test_first_iterates_of_large_normalized_steps(case, double):
    same_path(double, case, Normalized(1e4), length=50, tol=1e-6)


@pytest.mark.parametrize("case", LOG_LOSSES, ids=str)
def test_logistic_risk(case, double):
    same_path(double, case, LogisticRisk(5.0), length=50, tol=1e-6)


@pytest.mark.parametrize("case", [c for c in CLASSIFICATION if "Perceptron" in c.name], ids=str)
def test_perceptrons(case, double):
    same_path(double, case, Limit(), length=50)


@pytest.mark.parametrize("case", [*LOG_LOSSES, VALUES[1]], ids=str)
@pytest.mark.parametrize("solver", [lbfgs, newton])
def test_one_quasi_newton_method_for_all(solver, case, double):
    # When conjugate gradients end depends on rounding: of Newton's method only the optimum counts.
    same_solution(double, solver, case, tol=1e-10, path=8 if solver is lbfgs else 0)


@pytest.mark.parametrize("check_every", [None, 1, 7])
@pytest.mark.parametrize("keep", ["last", "best", "average"])
def test_stopping_is_exact_however_late_the_host_looks(keep, check_every, double):
    same_stop(double, BINARY[0], Constant(2.0), keep, check_every=check_every)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegressionGD(),
        LogisticRegressionGD("constant", 2.0, keep="average"),
        LogisticRegressionGD("risk_adaptive", 1.0),
        BatchPerceptron(),
        BatchPerceptron(normalized=False),
    ],
    ids=repr,
)
def test_estimators(model, n_classes, double):
    counts = ("n_iter_", "separated_", "n_iter_to_separate_")
    same_estimator(double, model, n_classes, integers=counts, tol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_max_margin_gd(n_classes, double):
    model = MaxMarginGD(tol=0.05)
    same_estimator(double, model, n_classes, integers=("n_iter_", "separated_"), tol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_naive_bayes(n_classes, double, single):
    same_naive_bayes(double, n_classes)
    same_naive_bayes(single, n_classes)
