"""Self-distillation: what each round solves, where the rounds come to rest, and honest endings."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import InvalidParameterError

from skkd.distillation import SelfDistilledLogisticRegression
from skkd.distillation._auxiliary_head import second_view
from tests.contract._callbacks import Recorder, StopAt
from tests.distillation._rows import overlapping, scores, separable

ALPHA = 0.02
TIGHT = {"alpha": ALPHA, "tol": 1e-11}
METHODS = [
    SelfDistilledLogisticRegression(n_rounds=3, **TIGHT),
    SelfDistilledLogisticRegression("born_again", n_rounds=3, **TIGHT),
    SelfDistilledLogisticRegression("uskd", n_rounds=3, **TIGHT),
    SelfDistilledLogisticRegression(n_rounds=3, inner="partial", alpha=ALPHA),
]


def peer(alpha, X, y, weight=None, **params):
    """Scikit-learn's logistic regression of that L2 strength."""
    mass = len(y) if weight is None else weight.sum()
    C = np.inf if alpha == 0 else 1.0 / (alpha * mass)
    return LogisticRegression(C=C, tol=1e-12, max_iter=10000, **params).fit(X, y, weight)


def assert_same(one, other, atol):
    assert_allclose(one.coef_, other.coef_, rtol=0, atol=atol)
    center = other.intercept_ - (other.intercept_.mean() if len(other.intercept_) > 1 else 0)
    assert_allclose(one.intercept_, center, rtol=0, atol=atol)


@pytest.mark.parametrize("n_classes", [2, 3])
class TestFixedPoint:
    """Constant strength s leads to plain cross-entropy with L2 strength alpha / (1 - s)."""

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("strength", [0.3, 0.8])
    def test_is_a_stronger_penalty(self, n_classes, weighted, strength):
        X, y, weight = overlapping(n_classes)
        weight = weight if weighted else None
        model = SelfDistilledLogisticRegression(
            strength=strength, schedule="constant", n_rounds=80, **TIGHT
        ).fit(X, y, weight)
        stronger = peer(ALPHA / (1 - strength), X, y, weight)
        assert_same(model, stronger, 1e-5)
        assert np.abs(model.coef_ - peer(ALPHA, X, y, weight).coef_).max() > 1e-2
        assert model.converged_ and model.history_["change"][-1] < 1e-7

    def test_is_that_of_partial_rounds_too(self, n_classes):
        X, y, _ = overlapping(n_classes)
        model = SelfDistilledLogisticRegression(
            strength=0.5, schedule="constant", n_rounds=80, inner="partial", alpha=ALPHA, tol=1e-8
        ).fit(X, y)
        assert_same(model, peer(2 * ALPHA, X, y), 1e-5)

    def test_without_an_intercept(self, n_classes):
        X, y, _ = overlapping(n_classes)
        model = SelfDistilledLogisticRegression(
            "born_again", strength=0.5, n_rounds=40, fit_intercept=False, **TIGHT
        ).fit(X, y)
        assert_same(model, peer(2 * ALPHA, X, y, fit_intercept=False), 1e-5)

    def test_without_penalty_the_first_round_is_the_last(self, n_classes):
        X, y, _ = overlapping(n_classes)
        model = SelfDistilledLogisticRegression(alpha=0.0, tol=1e-9).fit(X, y)
        assert model.history_["n_iter"][0] > 0
        assert not model.history_["n_iter"][1:].any()
        assert_same(model, peer(0.0, X, y), 1e-5)

    def test_of_predictions_alone_is_zero(self, n_classes):
        X, y, _ = overlapping(n_classes)
        sizes = [
            np.abs(
                SelfDistilledLogisticRegression("born_again", strength=1.0, n_rounds=n, alpha=0.1)
                .fit(X, y)
                .coef_
            ).max()
            for n in (1, 10, 100)
        ]
        assert sizes[0] > 2 * sizes[1] and sizes[1] > 20 * sizes[2]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("schedule", ["linear", "constant"])
def test_rounds_are_those_of_the_formula(n_classes, schedule):
    """Written without the package: SciPy minimises the soft cross-entropy of each round."""
    X, y, weight = overlapping(n_classes, 60)
    share = weight / weight.sum()
    A = np.hstack([X, np.ones((len(X), 1))])
    eye = np.eye(n_classes)[y]
    P, losses, strengths = eye, [], []

    def solve(T):
        def f(w):
            W = w.reshape(A.shape[1], n_classes)
            log_p = log_softmax(A @ W, axis=1)
            # Two classes have one penalised vector: the difference, of which each column is half.
            scale = 2.0 if n_classes == 2 else 1.0
            value = -share @ (T * log_p).sum(axis=1) + 0.5 * scale * ALPHA * (W[:-1] ** 2).sum()
            G = A.T @ (share[:, None] * (np.exp(log_p) - T))
            G[:-1] += scale * ALPHA * W[:-1]
            return value, G.ravel()

        found = minimize(f, np.zeros(A.shape[1] * n_classes), jac=True, tol=1e-14)
        return found.fun, softmax(A @ found.x.reshape(A.shape[1], n_classes), axis=1)

    for e in range(3):
        strengths.append(0.6 * (e + 1) / 3 if schedule == "linear" else 0.6)
        value, P = solve((1 - strengths[-1]) * eye + strengths[-1] * P)
        losses.append(value)
    model = SelfDistilledLogisticRegression(strength=0.6, n_rounds=3, schedule=schedule, **TIGHT)
    model.fit(X, y, weight)
    assert_allclose(model.predict_proba(X), P, atol=2e-6)
    # SciPy leaves predictions of a round 1e-7 off, which the labels of the next one inherit.
    assert_allclose(model.history_["loss"], losses, rtol=1e-7)
    assert_allclose(model.history_["strength"], strengths, rtol=1e-12)


def test_born_again_is_the_constant_schedule():
    X, y, _ = overlapping(3)
    born = SelfDistilledLogisticRegression("born_again", n_rounds=4, **TIGHT).fit(X, y)
    same = SelfDistilledLogisticRegression(schedule="constant", n_rounds=4, **TIGHT).fit(X, y)
    assert np.array_equal(born.coef_, same.coef_)
    grown = SelfDistilledLogisticRegression(n_rounds=4, **TIGHT).fit(X, y)
    assert np.abs(grown.coef_ - born.coef_).max() > 1e-3


@pytest.mark.parametrize("n_classes", [2, 3])
def test_no_strength_is_logistic_regression(n_classes):
    X, y, weight = overlapping(n_classes)
    model = SelfDistilledLogisticRegression(strength=0.0, n_rounds=2, **TIGHT).fit(X, y, weight)
    assert_same(model, peer(ALPHA, X, y, weight), 1e-6)


class TestRanked:
    """method="uskd"."""

    @pytest.mark.parametrize("n_classes", [2, 4])
    def test_second_round_minimises_the_formula(self, n_classes):
        """Written without the package; no auxiliary head."""
        X, y, weight = overlapping(n_classes)
        share, rows = weight / weight.sum(), np.arange(len(y))
        params = {"aux_weight": 0.0, "target_weight": 0.7, "nontarget_weight": 0.4, **TIGHT}
        first = SelfDistilledLogisticRegression("uskd", n_rounds=1, **params).fit(X, y, weight)
        assert_same(first, peer(ALPHA, X, y, weight), 1e-6)
        second = SelfDistilledLogisticRegression("uskd", n_rounds=2, **params).fit(X, y, weight)
        p = softmax(scores(first, X), axis=1)
        square = p[rows, y] ** 2
        focus = 1 + square - share @ square
        zipf = 1.0 / (np.argsort(np.argsort(-p, axis=1), axis=1) + 1)
        zipf[rows, y] = 0.0
        zipf /= zipf.sum(axis=1, keepdims=True)
        others = np.arange(n_classes) != y[:, None]

        def f(w):
            W = w.reshape(X.shape[1] + 1, -1)
            Z = X @ W[:-1] + W[-1]
            Z = Z if n_classes > 2 else np.hstack([-0.5 * Z, 0.5 * Z])
            own = log_softmax(Z, axis=1)[rows, y]
            rest = log_softmax(np.where(others, Z, -np.inf), axis=1)
            ranked = np.where(others, zipf * np.where(others, rest, 0), 0).sum(axis=1)
            row = -(1 + 0.7 * focus) * own - 0.4 * ranked
            return share @ row + 0.5 * ALPHA * (W[:-1] ** 2).sum()

        found = np.vstack([second.coef_.T, second.intercept_[None, :]]).ravel()
        assert second.history_["loss"][1] == pytest.approx(f(found), rel=1e-12)
        assert_allclose(central_differences(f, found), 0.0, atol=1e-8)
        start = np.vstack([first.coef_.T, first.intercept_[None, :]]).ravel()
        assert np.abs(central_differences(f, start)).max() > 1e-2

    def test_auxiliary_head_matters_with_more_than_two_classes_only(self):
        for n_classes, differs in ((2, False), (4, True)):
            X, y, _ = overlapping(n_classes)
            alone, helped, narrow = (
                SelfDistilledLogisticRegression("uskd", n_rounds=2, **TIGHT, **params).fit(X, y)
                for params in ({"aux_weight": 0.0}, {"aux_weight": 1.0}, {"aux_features": 1})
            )
            assert (np.abs(alone.coef_ - helped.coef_).max() > 1e-4) == differs
            assert (np.abs(alone.coef_ - narrow.coef_).max() > 1e-4) == differs

    def test_authors_ranking_weighs_the_heads_in_another_way(self):
        """Each head alone ranks the same by both scores; only their sum can differ."""
        X, y, _ = overlapping(4)
        for aux_weight, differs in ((0.0, False), (0.1, True)):
            one, other = (
                SelfDistilledLogisticRegression(
                    "uskd", n_rounds=2, rank_score=score, aux_weight=aux_weight, **TIGHT
                ).fit(X, y)
                for score in ("softmax", "authors")
            )
            assert (np.abs(one.coef_ - other.coef_).max() > 1e-5) == differs

    def test_rounds_come_to_rest(self):
        X, y, _ = overlapping(3)
        model = SelfDistilledLogisticRegression("uskd", n_rounds=25, **TIGHT).fit(X, y)
        assert model.history_["change"][-1] < 1e-6 < model.history_["change"][1]
        assert set(model.history_) == {"loss", "change", "n_iter"}

    def test_too_many_features_of_the_head(self):
        X, y, _ = overlapping(3)
        model = SelfDistilledLogisticRegression("uskd", aux_features=6)
        with pytest.raises(ValueError, match="aux_features=6 is more than the 5 features"):
            model.fit(X, y)

    def test_many_features_are_projected_at_random(self):
        rng = np.random.default_rng(0)
        X, y = sparse.random(40, 1500, 0.05, random_state=0, format="csr"), rng.integers(0, 3, 40)
        fits = [
            SelfDistilledLogisticRegression("uskd", n_rounds=2, random_state=seed).fit(X, y).coef_
            for seed in (0, 0)
        ]
        assert np.array_equal(*fits)


class TestSecondView:
    def test_is_the_leading_principal_components(self):
        X, _, _ = overlapping(3)
        X = X * [5, 4, 3, 2, 1] + 7.0
        view = second_view(X, 1.0 / len(X), 3, None)
        expected = PCA(3).fit_transform(X)
        assert_allclose(np.abs(view), np.abs(expected), atol=1e-10)

    @pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array, sparse.csc_array])
    def test_weights_are_repetition(self, layout):
        X, _, weight = overlapping(3)
        X = X + 1.0
        copies = np.repeat(np.arange(len(X)), weight.astype(int))
        repeated = second_view(X[copies], 1.0 / len(copies), 2, None)
        view = second_view(layout(X), weight / weight.sum(), 2, None)
        assert_allclose(np.abs(view[copies]), np.abs(repeated), atol=1e-9)

    def test_default_width(self):
        rng = np.random.default_rng(0)
        for p, width in ((1, 1), (9, 4), (200, 64), (1100, 64)):
            view = second_view(rng.standard_normal((5, p)), 0.2, None, 0)
            assert view.shape == (5, width)
            assert_allclose(view.mean(axis=0), 0.0, atol=1e-10)


@pytest.mark.parametrize("model", METHODS, ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
class TestData:
    def test_weights_are_repetition(self, model, n_classes):
        X, y, weight = overlapping(n_classes)
        copies = np.repeat(np.arange(len(y)), weight.astype(int))
        weighted = clone(model).fit(X, y, weight)
        repeated = clone(model).fit(X[copies], y[copies])
        assert_same(weighted, repeated, 1e-9)
        assert_allclose(weighted.history_["loss"], repeated.history_["loss"], rtol=1e-9)
        assert weighted.n_iter_ == repeated.n_iter_

    def test_rows_without_weight_bring_no_class(self, model, n_classes):
        X, y, weight = overlapping(n_classes)
        y = y.copy()
        y[weight == 0] = 9
        kept = weight > 0
        model = clone(model).fit(X, y, weight)
        assert model.classes_.tolist() == list(range(n_classes))
        assert_same(model, clone(model).fit(X[kept], y[kept], weight[kept]), 1e-9)

    @pytest.mark.parametrize("layout", [sparse.csr_array, sparse.csc_array])
    def test_sparse_rows(self, model, n_classes, layout):
        X, y, weight = overlapping(n_classes)
        X = np.where(np.abs(X) > 0.5, X, 0.0)
        dense = clone(model).fit(X, y, weight)
        assert_same(clone(model).fit(layout(X), y, weight), dense, 1e-8)

    def test_float32_is_kept(self, model, n_classes):
        X, y, _ = overlapping(n_classes)
        model = clone(model).set_params(tol=1e-5)
        single = clone(model).fit(X.astype(np.float32), y)
        assert single.coef_.dtype == single.predict_proba(X.astype(np.float32)).dtype == np.float32
        assert_same(single, clone(model).fit(X, y), 1e-3)


class TestEndings:
    def test_too_few_updates(self):
        X, y, _ = overlapping(3)
        with pytest.warns(ConvergenceWarning, match="round 1 of 10 was not.*max_iter=2 updates"):
            model = SelfDistilledLogisticRegression(max_iter=2).fit(X, y)
        assert (model.n_iter_, model.converged_, len(model.history_["loss"])) == (2, False, 1)

    def test_updates_that_last_for_some_rounds(self):
        X, y, _ = overlapping(3)
        whole = SelfDistilledLogisticRegression(**TIGHT).fit(X, y)
        enough = int(whole.history_["n_iter"][:4].sum()) + 1
        with pytest.warns(ConvergenceWarning, match="round 5 of 10"):
            model = SelfDistilledLogisticRegression(max_iter=enough, **TIGHT).fit(X, y)
        assert_allclose(model.history_["loss"][:4], whole.history_["loss"][:4], rtol=1e-14)

    def test_partial_rounds_need_not_be_solved(self):
        X, y, _ = overlapping(3)
        model = SelfDistilledLogisticRegression(inner="partial", inner_steps=2, n_rounds=4)
        model.fit(X, y)
        assert model.history_["n_iter"].tolist() == [2, 2, 2, 2]
        assert not model.converged_
        with pytest.warns(ConvergenceWarning, match="round 3 of 4 was not.*max_iter=5"):
            model.set_params(max_iter=5).fit(X, y)

    @pytest.mark.parametrize("method", ["ps_kd", "uskd"])
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_separable_rows_without_penalty(self, method, n_classes):
        X, y = separable(n_classes)
        with pytest.warns(ConvergenceWarning, match="alpha=0 and a linear rule separates"):
            model = SelfDistilledLogisticRegression(method, alpha=0.0, n_rounds=2).fit(X, y)
        assert not model.converged_
        assert np.isfinite(model.coef_).all() and model.score(X, y) == 1.0

    @pytest.mark.parametrize("model", METHODS, ids=repr)
    def test_separable_rows_with_penalty(self, model):
        X, y = separable(3)
        assert clone(model).fit(X, y).score(X, y) == 1.0

    @pytest.mark.parametrize("scale", [1e-6, 1e6])
    def test_units_of_the_features(self, scale):
        X, y, _ = overlapping(3)
        model = SelfDistilledLogisticRegression(alpha=0.0, n_rounds=3, tol=1e-9).fit(X, y)
        other = clone(model).set_params(tol=1e-9 * scale).fit(scale * X, y)
        assert_allclose(other.predict_proba(scale * X), model.predict_proba(X), atol=1e-6)

    @pytest.mark.parametrize("model", METHODS, ids=repr)
    def test_squares_that_overflow(self, model):
        X, y, _ = overlapping(3)
        with (
            np.errstate(over="ignore"),
            pytest.raises(ValueError, match="squares of some features"),
        ):
            clone(model).fit((1e25 * X).astype(np.float32), y)

    def test_a_callback_stops_all_rounds(self, recwarn):
        X, y, _ = overlapping(3)
        recorder = Recorder()
        whole = SelfDistilledLogisticRegression(**TIGHT).set_callbacks(recorder).fit(X, y)
        assert len(recorder.coefs) == whole.n_iter_ == whole.history_["n_iter"].sum()
        assert np.array_equal(recorder.coefs[-1], whole.coef_)
        stopped = SelfDistilledLogisticRegression(**TIGHT).set_callbacks(StopAt(6)).fit(X, y)
        assert stopped.n_iter_ == 7
        assert np.array_equal(stopped.coef_, recorder.coefs[6])
        assert not recwarn.list


def test_warm_start_saves_updates():
    X, y, _ = overlapping(3)
    cold = SelfDistilledLogisticRegression(n_rounds=1, **TIGHT).fit(X, y)
    model = SelfDistilledLogisticRegression(n_rounds=1, warm_start=True, **TIGHT).fit(X, y)
    model.fit(X, y)
    assert model.n_iter_ < cold.n_iter_ // 2
    assert_same(model, cold, 1e-8)
    with pytest.raises(ValueError, match="5 features.*but the data has 4 features"):
        model.fit(X[:, :4], y)


def test_born_again_is_never_partial():
    X, y, _ = overlapping(2)
    with pytest.raises(ValueError, match="inner='partial'; use inner='exact' or method='ps_kd'"):
        SelfDistilledLogisticRegression("born_again", inner="partial").fit(X, y)


@pytest.mark.parametrize("params", [{"strength": 1.1}, {"alpha": -1}, {"n_rounds": 0}])
def test_parameters_out_of_range(params):
    X, y, _ = overlapping(2)
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        SelfDistilledLogisticRegression(**params).fit(X, y)


def central_differences(f, w, h=1e-5):
    steps = h * np.eye(len(w))
    return np.array([(f(w + step) - f(w - step)) / (2 * h) for step in steps])
