"""The teacher of maximal conditional mutual information: objective, optimum, bounds, endings."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import InvalidParameterError

from skkd.distillation import DistilledLogisticRegression, MCMILogisticRegression
from skkd.losses import CMILoss, MultinomialLogLoss, Target, TwoColumns, WeightedSum
from skkd.objectives import LinearObjective
from tests.contract._callbacks import Recorder, StopAt
from tests.distillation._rows import overlapping, scores, separable

ALPHA = 0.02
TIGHT = {"alpha": ALPHA, "tol": 1e-9}
MODELS = [
    MCMILogisticRegression(**TIGHT),
    MCMILogisticRegression(0.2, centroid="fixed", **TIGHT),
    MCMILogisticRegression(fit_intercept=False, **TIGHT),
]


def means(P, y, share):
    """Weighted mean of the rows of each class."""
    return np.stack(
        [np.average(P[y == k], axis=0, weights=share[y == k]) for k in range(P.shape[1])]
    )


def written_out(X, y, share, cmi_weight, n_classes, centroids=None):
    """The objective of flattened parameters, without the package; centroids of each W itself."""

    def f(w):
        W = w.reshape(X.shape[1] + 1, -1)
        Z = X @ W[:-1] + W[-1]
        log_p = log_softmax(Z if n_classes > 2 else np.hstack([-0.5 * Z, 0.5 * Z]), axis=1)
        P = np.exp(log_p)
        Q = means(P, y, share) if centroids is None else centroids
        divergence = (P * (log_p - np.log(Q)[y])).sum(axis=1)
        rows = -log_p[np.arange(len(y)), y] - cmi_weight * divergence
        return share @ rows + 0.5 * ALPHA * (W[:-1] ** 2).sum()

    return f


def flat(model):
    return np.vstack([model.coef_.T, model.intercept_[None, :]]).ravel()


def central_differences(f, w, h=1e-5):
    steps = h * np.eye(len(w))
    return np.array([(f(w + step) - f(w - step)) / (2 * h) for step in steps])


def assert_same(one, other, atol):
    assert_allclose(one.coef_, other.coef_, rtol=0, atol=atol)
    center = other.intercept_ - (other.intercept_.mean() if len(other.intercept_) > 1 else 0)
    assert_allclose(one.intercept_, center, rtol=0, atol=atol)


@pytest.mark.parametrize("n_classes", [2, 3])
class TestObjective:
    def test_gradient_with_recomputed_centroids(self, n_classes):
        X, y, weight = overlapping(n_classes)
        share = weight / weight.sum()
        loss = WeightedSum([(1.0, MultinomialLogLoss()), (-0.7, CMILoss())])
        loss = TwoColumns(loss) if n_classes == 2 else loss
        n_outputs = 1 if n_classes == 2 else n_classes
        objective = LinearObjective(
            loss, X, loss.prepare(Target(y)), weight, n_outputs=n_outputs, alpha=ALPHA
        )
        f = written_out(X, y, share, 0.7, n_classes)
        for seed in range(3):
            W = np.random.default_rng(seed).standard_normal(objective.shape)
            value, gradient = objective.value_and_gradient(W)
            assert value == pytest.approx(f(W.ravel()), rel=1e-12)
            differences = central_differences(f, W.ravel()).reshape(W.shape)
            if n_classes > 2:  # free constant: the objective leaves out what rounding leaves there
                differences -= differences.mean(axis=1, keepdims=True)
                gradient = gradient - gradient.mean(axis=1, keepdims=True)
            assert_allclose(gradient, differences, atol=1e-9)

    @pytest.mark.parametrize("cmi_weight", [0.1, 0.5])
    def test_fit_is_a_minimum_of_the_formula(self, n_classes, cmi_weight):
        X, y, weight = overlapping(n_classes)
        f = written_out(X, y, weight / weight.sum(), cmi_weight, n_classes)
        model = MCMILogisticRegression(cmi_weight, **TIGHT).fit(X, y, weight)
        assert model.converged_
        assert model.loss_value_ == pytest.approx(f(flat(model)), rel=1e-12)
        assert_allclose(central_differences(f, flat(model)), 0.0, atol=1e-8)
        rng = np.random.default_rng(0)
        for _ in range(20):
            assert (
                f(flat(model) + 1e-2 * rng.standard_normal(flat(model).shape)) > model.loss_value_
            )

    def test_fixed_centroids_are_those_of_the_likelihood_solution(self, n_classes):
        X, y, weight = overlapping(n_classes)
        share = weight / weight.sum()
        plain = MCMILogisticRegression(0.0, **TIGHT).fit(X, y, weight)
        f = written_out(X, y, share, 0.4, n_classes, plain.centroids_)
        model = MCMILogisticRegression(0.4, centroid="fixed", **TIGHT).fit(X, y, weight)
        assert model.loss_value_ == pytest.approx(f(flat(model)), rel=1e-12)
        assert_allclose(central_differences(f, flat(model)), 0.0, atol=1e-8)
        exact = MCMILogisticRegression(0.4, **TIGHT).fit(X, y, weight)
        assert np.abs(exact.coef_ - model.coef_).max() > 1e-3

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("fit_intercept", [False, True])
    def test_without_information_it_is_logistic_regression(
        self, n_classes, weighted, fit_intercept
    ):
        X, y, weight = overlapping(n_classes)
        weight = weight if weighted else np.ones(len(y))
        peer = LogisticRegression(
            C=1 / (ALPHA * weight.sum()), tol=1e-12, max_iter=10000, fit_intercept=fit_intercept
        ).fit(X, y, weight)
        model = MCMILogisticRegression(0.0, fit_intercept=fit_intercept, **TIGHT)
        assert_same(model.fit(X, y, weight), peer, 1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
class TestInformation:
    def test_grows_with_its_weight(self, n_classes):
        X, y, _ = overlapping(n_classes)
        models = [MCMILogisticRegression(c, **TIGHT).fit(X, y) for c in (0.0, 0.2, 0.5)]
        information = [model.cmi_ for model in models]
        assert 1.1 * information[0] < information[1] and 1.1 * information[1] < information[2]

    @pytest.mark.parametrize("cmi_weight", [0.0, 0.5, 5.0])
    @pytest.mark.parametrize("centroid", ["exact", "fixed"])
    def test_is_between_zero_and_the_entropy_of_the_classes(self, n_classes, cmi_weight, centroid):
        X, y, _ = overlapping(n_classes)
        model = MCMILogisticRegression(cmi_weight, centroid=centroid, alpha=ALPHA).fit(X, y)
        assert 0.0 < model.cmi_ <= math.log(n_classes)
        if cmi_weight == 5.0:  # one of many local minima, but far from where it started
            start = MCMILogisticRegression(0.0, alpha=ALPHA).fit(X, y).cmi_
            assert model.cmi_ > 3.0 * start

    def test_of_constant_predictions_is_zero(self, n_classes):
        y = np.arange(12) % n_classes
        model = MCMILogisticRegression().fit(np.zeros((12, 2)), y)
        assert model.cmi_ == pytest.approx(0.0, abs=1e-15)

    def test_attributes_are_those_of_the_predictions(self, n_classes):
        X, y, weight = overlapping(n_classes)
        share = weight / weight.sum()
        for model in MODELS:
            model = clone(model).fit(X, y, weight)
            P = softmax(scores(model, X), axis=1)
            Q = means(P, y, share)
            assert_allclose(model.predict_proba(X), P, atol=1e-12)
            assert_allclose(model.centroids_, Q, rtol=1e-10)
            assert model.cmi_ == pytest.approx(share @ (P * np.log(P / Q[y])).sum(axis=1), rel=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
class TestData:
    def test_weights_are_repetition(self, model, n_classes):
        X, y, weight = overlapping(n_classes)
        copies = np.repeat(np.arange(len(y)), weight.astype(int))
        weighted = clone(model).fit(X, y, weight)
        repeated = clone(model).fit(X[copies], y[copies])
        assert_same(weighted, repeated, 1e-6)
        assert weighted.cmi_ == pytest.approx(repeated.cmi_, rel=1e-7)
        assert_allclose(weighted.centroids_, repeated.centroids_, atol=1e-7)

    def test_class_weights_are_weights(self, model, n_classes):
        X, y, weight = overlapping(n_classes)
        per_class = {k: 1.0 + k for k in range(n_classes)}
        given = clone(model).set_params(class_weight=per_class).fit(X, y, weight)
        assert_same(given, clone(model).fit(X, y, weight * (1.0 + y)), 1e-7)

    def test_rows_without_weight_bring_no_class(self, model, n_classes):
        X, y, weight = overlapping(n_classes)
        y = y.copy()
        y[weight == 0] = 9
        kept = weight > 0
        model = clone(model).fit(X, y, weight)
        assert model.centroids_.shape == (n_classes, n_classes)
        assert_allclose(model.centroids_.sum(axis=1), 1.0, rtol=1e-12)
        assert_same(model, clone(model).fit(X[kept], y[kept], weight[kept]), 1e-7)

    def test_sparse_rows(self, model, n_classes):
        X, y, weight = overlapping(n_classes)
        X = np.where(np.abs(X) > 0.5, X, 0.0)
        dense = clone(model).fit(X, y, weight)
        assert_same(clone(model).fit(sparse.csr_array(X), y, weight), dense, 1e-7)

    def test_float32_is_kept(self, model, n_classes):
        X, y, _ = overlapping(n_classes)
        model = clone(model).set_params(tol=1e-5)
        single = clone(model).fit(X.astype(np.float32), y)
        assert single.coef_.dtype == single.centroids_.dtype == np.float32
        assert_same(single, clone(model).fit(X, y), 2e-3)


class TestEndings:
    def test_too_few_updates_for_the_start(self):
        X, y, _ = overlapping(3)
        with pytest.warns(ConvergenceWarning, match="cross-entropy problem.*max_iter=2 updates"):
            model = MCMILogisticRegression(max_iter=2).fit(X, y)
        assert (model.n_iter_, model.converged_) == (2, False)

    def test_too_few_updates_for_the_rest(self):
        X, y, _ = overlapping(3)
        start = MCMILogisticRegression(0.0, **TIGHT).fit(X, y)
        with pytest.warns(ConvergenceWarning, match="the problem was not solved to tol=1e-09"):
            model = MCMILogisticRegression(max_iter=start.n_iter_ + 3, **TIGHT).fit(X, y)
        assert model.n_iter_ == start.n_iter_ + 3 and model.cmi_ > start.cmi_

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_separable_rows_without_penalty(self, n_classes):
        X, y = separable(n_classes)
        with pytest.warns(ConvergenceWarning, match="alpha=0 and a linear rule separates"):
            model = MCMILogisticRegression(alpha=0.0).fit(X, y)
        assert not model.converged_ and np.isfinite(model.coef_).all()

    def test_a_callback_stops(self, recwarn):
        X, y, _ = overlapping(3)
        recorder = Recorder()
        whole = MCMILogisticRegression(**TIGHT).set_callbacks(recorder).fit(X, y)
        assert len(recorder.coefs) == whole.n_iter_
        for update in (1, whole.n_iter_ - 2):
            stopped = MCMILogisticRegression(**TIGHT).set_callbacks(StopAt(update)).fit(X, y)
            assert stopped.n_iter_ == update + 1
            assert np.array_equal(stopped.coef_, recorder.coefs[update])
            assert np.isfinite([stopped.cmi_, stopped.loss_value_]).all()
        assert not recwarn.list


def test_is_a_teacher():
    X, y, _ = overlapping(3)
    teacher = make_pipeline(RBFSampler(random_state=0), MCMILogisticRegression(alpha=1e-3))
    teacher.fit(X, y)
    student = DistilledLogisticRegression(teacher, cv="prefit", prob_floor=0.0).fit(X, y)
    assert_allclose(softmax(student.teacher_logits_, axis=1), teacher.predict_proba(X), atol=1e-12)


def test_a_linear_teacher_is_matched():
    X, y, _ = overlapping(3)
    student = DistilledLogisticRegression(
        MCMILogisticRegression(alpha=ALPHA),
        cv="refit",
        alpha=0.0,
        ce_weight=0.0,
        kd_weight=1.0,
        prob_floor=0.0,
        tol=1e-10,
    ).fit(X, y)
    assert student.fidelity(X)["kl"] < 1e-10


def test_warm_start_finds_the_same():
    X, y, _ = overlapping(3)
    cold = MCMILogisticRegression(**TIGHT).fit(X, y)
    model = MCMILogisticRegression(warm_start=True, **TIGHT).fit(X, y).fit(X, y)
    assert_same(model, cold, 1e-6)
    with pytest.raises(ValueError, match="5 features.*but the data has 4 features"):
        model.fit(X[:, :4], y)


@pytest.mark.parametrize("params", [{"cmi_weight": -0.1}, {"centroid": "moving"}, {"tol": -1}])
def test_parameters_out_of_range(params):
    X, y, _ = overlapping(2)
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        MCMILogisticRegression(**params).fit(X, y)
