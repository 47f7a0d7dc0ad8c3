"""Two heads on one map: gradients, alignment, limits, and what the second head is for."""

from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

from skkd.distillation import DualHeadDistilledClassifier
from skkd.distillation._dual_objective import DualHeadObjective, LocalStep, aligned
from skkd.losses import BinaryKLNormLoss, MultinomialLogLoss, Target
from skkd.solvers import gradient_descent

X, y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
T = np.log(GaussianNB().fit(X, y).predict_proba(X) + 1e-3)


def small_objective(*, factors=(1.0, 1.0), alpha=0.1, weight=1 / 30, fit_intercept=True):
    rng = np.random.default_rng(0)
    rows, labels = rng.standard_normal((30, 4)), rng.integers(0, 3, 30)
    target = Target(labels, 3.0 * rng.standard_normal((30, 3)))
    heads = [(MultinomialLogLoss(), Target(labels)), (BinaryKLNormLoss(), target)]
    shape = {"n_components": 2, "n_outputs": 3}
    objective = DualHeadObjective(
        rows, heads, factors, weight, alpha=alpha, fit_intercept=fit_intercept, **shape
    )
    size = sum(a * b for a, b in objective.shapes)
    return objective, 0.5 * rng.standard_normal(size)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gradient_is_that_of_the_value(fit_intercept):
    weight = np.random.default_rng(1).dirichlet(np.ones(30))
    objective, params = small_objective(
        factors=(0.7, 1.3), weight=weight, fit_intercept=fit_intercept
    )
    _, gradient = objective.value_and_gradient(params)
    for k, move in enumerate(1e-6 * np.eye(len(params))):
        up, down = (objective.value_and_gradient(params + s * move)[0] for s in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / 2e-6, abs=1e-7)


def test_head_gradients_add_up():
    objective, params = small_objective(alpha=0.0)
    (first, second), _, _ = objective.head_gradients(params)
    assert_allclose(first + second, objective.value_and_gradient(params)[1], rtol=1e-12)


def test_alignment_only_removes_conflict():
    a, b = np.array([1.0, 0.0]), np.array([0.5, 2.0])
    assert_allclose(aligned(a, b), a + b)
    conflicting = np.array([-3.0, 2.0])
    assert_allclose(aligned(a, conflicting), [1.0, 2.0])
    # One-sided: the first gradient is kept whole.
    assert_allclose(aligned(conflicting, a), conflicting + a - (-3.0 / 13.0) * conflicting)
    assert_allclose(aligned(np.zeros(2), a), a)


def test_aligned_steps_do_not_raise_the_cross_entropy_at_first_order():
    objective, params = small_objective(factors=(1.0, 20.0), alpha=0.0)
    (first, second), _, _ = objective.head_gradients(params)
    assert first @ second < 0, "the case must be one of conflict"
    direction = objective.evaluate(params).gradient
    assert direction @ first == pytest.approx(first @ first)
    assert (first + second) @ first < direction @ first


def test_local_steps_descend():
    objective, params = small_objective(factors=(1.0, 0.0))
    moment = objective.largest_curvature(np.ones(4))
    exact = np.linalg.eigvalsh(objective.X.T @ objective.X / 30).max()
    assert moment == pytest.approx(exact, rel=1e-3)
    path = gradient_descent(objective, params, step=LocalStep((0.5, 0.0), moment))
    values = [objective.value_and_gradient(it.params)[0] for it in islice(path, 60)]
    assert np.all(np.diff(values) < 0)


def test_without_teacher_and_bottleneck_it_is_logistic_regression():
    """As the penalty on the factors vanishes the fit is that of the labels alone."""
    rows, labels = make_classification(300, 5, n_redundant=0, flip_y=0.2, random_state=0)
    model = DualHeadDistilledClassifier(
        n_components=5, kd_weight=0.0, alpha=1e-9, tol=1e-8, random_state=0
    )
    model.fit(rows, labels, teacher_logits=np.zeros((300, 2)))
    peer = LogisticRegression(C=np.inf, tol=1e-8).fit(rows, labels)
    assert_allclose(model.coef_, peer.coef_, rtol=1e-3, atol=1e-4)
    assert_allclose(model.intercept_, peer.intercept_, rtol=1e-3, atol=1e-4)


def test_both_heads_share_the_map():
    model = DualHeadDistilledClassifier(n_components=2, random_state=0)
    model.fit(X, y, teacher_logits=T)
    assert model.converged_ and model.teacher_ is None
    span = np.linalg.qr(model.components_.T)[0]
    for coef in (model.coef_, model.aux_coef_):
        assert coef.shape == (3, 4)
        assert_allclose(coef - (coef @ span) @ span.T, 0.0, atol=1e-9)
    assert abs(model.intercept_.mean()) < 1e-12
    # The second head follows the teacher's scale, the first the labels.
    aux = X @ model.aux_coef_.T + model.aux_intercept_
    assert np.corrcoef(aux.ravel(), T.ravel())[0, 1] > 0.8


def test_the_second_head_moves_the_map_where_rank_is_scarce():
    fits = [
        DualHeadDistilledClassifier(n_components=1, kd_weight=w, random_state=0).fit(
            X, y, teacher_logits=T[:, ::-1] if w else T
        )
        for w in (0.0, 5.0)
    ]
    directions = [m.components_[0] / np.linalg.norm(m.components_[0]) for m in fits]
    assert abs(directions[0] @ directions[1]) < 0.999


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("loss", ["binary_kl_norm", "binary_kl", "kl"])
def test_start_of_the_heads_does_not_decide(loss, binary):
    keep = y < 2 if binary else slice(None)
    fits = [
        DualHeadDistilledClassifier(
            n_components=1 + (not binary), loss=loss, alpha=0.01, tol=1e-7, random_state=seed
        ).fit(X[keep], y[keep], teacher_logits=T[keep][:, : 2 if binary else 3])
        for seed in (0, 1)
    ]
    assert_allclose(fits[0].loss_value_, fits[1].loss_value_, rtol=1e-6)
    assert_allclose(fits[0].coef_, fits[1].coef_, atol=1e-3)
    assert fits[0].coef_.shape == ((1, 4) if binary else (3, 4))


def test_two_columns_and_their_difference_teach_the_same():
    keep = y < 2
    model = DualHeadDistilledClassifier(n_components=1, random_state=0)
    columns = clone(model).fit(X[keep], y[keep], teacher_logits=T[keep, :2])
    difference = clone(model).fit(X[keep], y[keep], teacher_logits=T[keep, 1] - T[keep, 0])
    assert_allclose(columns.coef_, difference.coef_, rtol=1e-8)


@pytest.mark.parametrize("aligned_steps", [True, False])
def test_weights_are_repetitions(aligned_steps):
    repeats = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), repeats)
    options = {"alpha": 0.03, "tol": 1e-9 if not aligned_steps else 0.0, "random_state": 0}
    model = DualHeadDistilledClassifier(
        n_components=2, gradient_alignment=aligned_steps, max_iter=200, **options
    )
    fits = []
    for args in ((X, y, repeats.astype(float), T), (X[rows], y[rows], None, T[rows])):
        with pytest.warns(ConvergenceWarning) if aligned_steps else _silent():
            fits.append(clone(model).fit(*args))
    assert_allclose(fits[0].coef_, fits[1].coef_, rtol=1e-5, atol=1e-6)


def _silent():
    from contextlib import nullcontext

    return nullcontext()


def test_alignment_reaches_a_good_fit_and_says_when_it_stops_early():
    model = DualHeadDistilledClassifier(
        n_components=2, gradient_alignment=True, max_iter=300, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="aligned direction"):
        model.fit(X, y, teacher_logits=T)
    assert model.score(X, y) > 0.93
    assert model.n_iter_ == 300 and not model.converged_


def test_a_teacher_is_cross_fitted():
    model = DualHeadDistilledClassifier(GaussianNB(), n_components=2, random_state=0).fit(X, y)
    assert isinstance(model.teacher_, GaussianNB)
    assert model.score(X, y) > 0.93
    with pytest.raises(ValueError, match="pass teacher=.*or teacher_logits="):
        DualHeadDistilledClassifier().fit(X, y)


@pytest.mark.parametrize("routing", [True, False])
def test_logits_are_split_with_the_rows(routing):
    model = DualHeadDistilledClassifier(n_components=2, max_iter=50, tol=1e-2, random_state=0)
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(model, {"kd_weight": [0.1, 1.0]}, cv=3)
        search.fit(X, y, teacher_logits=T)
    assert search.best_score_ > 0.9


def test_more_components_than_features_are_not_used():
    model = DualHeadDistilledClassifier(n_components=50, random_state=0, tol=1e-2)
    assert model.fit(X, y, teacher_logits=T).components_.shape == (4, 4)
