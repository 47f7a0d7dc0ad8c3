"""Methods that are the same method in another coat."""

import math
from itertools import islice

import numpy as np
import pytest

from skkd.linear_model import LogisticRegressionGD, separation_margin
from skkd.losses import BinaryLogLoss, MultinomialLogLoss, PairwiseLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import Constant, Normalized, gradient_descent
from tests.theory._sets import MANY_CLASSES, SETS


def two_column_path(loss, X, labels, step, count):
    """Differences of the two columns along a trajectory of K = 2 logits."""
    objective = LinearObjective(loss, X, Target(labels), n_outputs=2, fit_intercept=False)
    path = gradient_descent(objective, objective.zeros(), step=step)
    return np.stack([it.params[:, 1] - it.params[:, 0] for it in islice(path, count)])


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("loss", [MultinomialLogLoss(), PairwiseLoss(BinaryLogLoss())], ids=repr)
@pytest.mark.parametrize("rule", [Constant, Normalized])
@pytest.mark.parametrize("step_size", [0.05, 5.0])
def test_softmax_of_two_classes_is_the_binary_method_at_twice_the_step(name, loss, rule, step_size):
    X, y = SETS[name]
    differences = two_column_path(loss, X, (y > 0).astype(int), rule(step_size), 4)
    step = "constant" if rule is Constant else "normalized"
    for count in range(1, 4):
        model = LogisticRegressionGD(
            step, 2 * step_size, stop="max_iter", keep="last", max_iter=count, fit_intercept=False
        ).fit(X, y)
        scale = np.abs(model.coef_).max()
        assert np.abs(model.coef_[0] - differences[count]).max() <= 1e-8 * scale


@pytest.mark.parametrize("name", ["wide margin", "iris setosa", "worst case 10"])
def test_margin_of_two_columns_is_the_root_of_two_times_the_binary_one(name):
    """mu_K = max over unit W of min (w_right - w_wrong) a = sqrt(2) mu."""
    X, y = SETS[name]
    margin, direction = separation_margin(X, y)
    W = np.stack([-direction, direction]) / math.sqrt(2)
    right = (y > 0).astype(int)
    Z = X @ W.T
    n = np.arange(len(y))
    gaps = Z[n, right] - Z[n, 1 - right]
    assert np.linalg.norm(W) == pytest.approx(1.0)
    assert gaps.min() == pytest.approx(math.sqrt(2) * margin, rel=1e-8)


@pytest.mark.parametrize("name", MANY_CLASSES)
@pytest.mark.parametrize("step", ["constant", "normalized", "risk_adaptive"])
def test_kesler_is_the_binary_method_on_kesler_rows(name, step):
    """Rows written out: n (K - 1) binary rows of n_features * K columns."""
    X, y, _ = MANY_CLASSES[name]
    K = y.max() + 1
    rows = np.zeros((len(y), K, K, X.shape[1]))
    for k in range(K):
        rows[np.arange(len(y)), k, y] += X
        rows[np.arange(len(y)), k, k] -= X
    rows = rows[y[:, None] != np.arange(K)].reshape(len(y) * (K - 1), -1)
    params = {"stop": "max_iter", "keep": "last", "max_iter": 4, "fit_intercept": False}
    kesler = LogisticRegressionGD(step, 1.0, multi_class="kesler", **params).fit(X, y)
    # Both signs, so that there are two classes: each row twice, which changes no mean.
    signs = np.repeat([1, -1], len(rows))
    binary = LogisticRegressionGD(step, 1.0, **params).fit(np.vstack([rows, -rows]), signs)
    assert kesler.coef_.reshape(-1) == pytest.approx(binary.coef_[0], rel=1e-9, abs=1e-12)


def test_intercept_is_a_column_of_ones():
    X, y, _ = MANY_CLASSES["wine"]
    ones = np.hstack([X, np.ones((len(X), 1))])
    params = {"stop": "max_iter", "keep": "last", "max_iter": 10}
    one = LogisticRegressionGD(step_size=0.5, **params).fit(X, y)
    other = LogisticRegressionGD(step_size=0.5, fit_intercept=False, **params).fit(ones, y)
    assert one.coef_ == pytest.approx(other.coef_[:, :-1], rel=1e-9, abs=1e-12)
    assert one.intercept_ == pytest.approx(other.coef_[:, -1], rel=1e-9, abs=1e-12)
    with_one, direction = separation_margin(X, y, fit_intercept=True)
    written_out, same = separation_margin(ones, y)
    assert with_one == pytest.approx(written_out, rel=1e-9)
    assert direction == pytest.approx(same, abs=1e-8)
