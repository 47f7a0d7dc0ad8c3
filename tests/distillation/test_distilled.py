"""The distilled student: optima, unlabelled rows, ways to give a teacher, errors that help."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skkd.distillation import DistilledLogisticRegression, teacher_logits
from skkd.losses import KLLoss, get_loss

ALPHA = 1e-2


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    return X, y, teacher_logits(GaussianNB(), X, y)


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X[:200, :8])
    return X, y[:200], teacher_logits(GaussianNB(), X, y[:200])


@pytest.fixture(params=["iris", "cancer"])
def data(request):
    return request.getfixturevalue(request.param)


def objective(model, X, y, t, weight=None):
    """The documented objective at a fitted model, from the public facade."""
    Z = X @ model.coef_.T + model.intercept_
    loss = get_loss(model.loss, **(model.loss_params or {}))
    value = model.kd_weight * loss.value_and_gradient(Z, t, y, weight)[0]
    value += model.ce_weight * get_loss("ce").value_and_gradient(Z, y=y, sample_weight=weight)[0]
    return value + 0.5 * model.alpha * (model.coef_**2).sum()


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
def test_without_a_teacher_it_is_logistic_regression(data, solver):
    X, y, _ = data
    weight = np.random.default_rng(0).integers(1, 4, len(y))
    peer = LogisticRegression(C=1 / (ALPHA * weight.sum()), tol=1e-12, max_iter=10000)
    peer.fit(X, y, weight)
    model = DistilledLogisticRegression(kd_weight=0, ce_weight=1, alpha=ALPHA, solver=solver)
    model.fit(X, y, weight)
    coef = peer.coef_ - (peer.coef_.mean(axis=0) if len(peer.coef_) > 1 else 0)
    assert_allclose(model.coef_, coef, atol=1e-6)
    intercept = peer.intercept_ - (peer.intercept_.mean() if len(peer.coef_) > 1 else 0)
    assert_allclose(model.intercept_, intercept, atol=1e-6)
    assert model.converged_ and model.teacher_ is None and model.teacher_logits_ is None


@pytest.mark.parametrize("loss", ["kl", "binary_kl", "nkd", "dkd", "mse", "pld", "binary_kl_norm"])
def test_convex_losses_end_at_the_minimum(data, loss):
    X, y, t = data
    params = {"kl": {"temperature": 3.0}, "dkd": {"beta": 2.0}}.get(loss)
    model = DistilledLogisticRegression(
        loss=loss, loss_params=params, ce_weight=0.3, kd_weight=0.7, alpha=ALPHA
    )
    if loss in ("dkd", "binary_kl", "nkd", "binary_kl_norm"):
        default = {"dkd": 4.0, "nkd": 1.0}.get(loss, 2.0)
        model.set_params(loss_params={"temperature": default, **(params or {})})
    model.fit(X, y, teacher_logits=t)
    best = objective(model, X, y, t)
    assert_allclose(model.loss_value_, best, rtol=1e-10)
    rng = np.random.default_rng(0)
    coef, intercept = model.coef_, model.intercept_
    for _ in range(10):
        model.coef_ = coef + 1e-3 * rng.standard_normal(coef.shape)
        model.intercept_ = intercept + 1e-3 * rng.standard_normal(intercept.shape)
        assert objective(model, X, y, t) > best


def test_solvers_agree(data):
    X, y, t = data
    fit = [
        DistilledLogisticRegression(alpha=ALPHA, solver=solver).fit(X, y, teacher_logits=t)
        for solver in ("newton", "lbfgs")
    ]
    assert_allclose(fit[0].coef_, fit[1].coef_, atol=1e-6)


def test_student_of_a_linear_teacher_recovers_it(iris):
    X, y, _ = iris
    teacher = LogisticRegression(C=10.0, max_iter=1000).fit(X, y)
    model = DistilledLogisticRegression(
        teacher, cv="prefit", prob_floor=1e-12, ce_weight=0, kd_weight=1, alpha=1e-9
    ).fit(X, y)
    gaps = model.predict_proba(X) - teacher.predict_proba(X)
    assert abs(gaps).max() < 1e-4
    assert model.fidelity(X)["agreement"] == 1.0
    assert model.fidelity(X)["kl"] < 1e-6


@pytest.mark.parametrize(
    "loss", ["reverse_kl", "js", "dist", "wsld", "uskd", "selective", "mlkd_batch_correlation"]
)
def test_losses_that_are_not_convex_do_not_climb(iris, loss):
    X, y, t = iris
    options = {"loss": loss, "alpha": ALPHA, "max_iter": 300}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = DistilledLogisticRegression(**options).fit(X, y, teacher_logits=t)
    assert np.isfinite(model.coef_).all()
    # Minimising the entropy of the least certain rows, a part of "selective", costs accuracy.
    assert model.score(X, y) > (0.5 if loss == "selective" else 0.9)


def test_weights_are_repetitions(data):
    X, y, t = data
    counts = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), counts)
    for loss in ("kl", "dist", "pld"):
        model = DistilledLogisticRegression(loss=loss, alpha=ALPHA, class_weight="balanced")
        weighted = model.fit(X, y, counts, t).coef_
        repeated = model.fit(X[rows], y[rows], None, t[rows]).coef_
        assert_allclose(weighted, repeated, atol=2e-6)


def test_order_of_rows_does_not_matter(data):
    X, y, t = data
    order = np.random.default_rng(0).permutation(len(y))
    model = DistilledLogisticRegression(alpha=ALPHA)
    one = model.fit(X, y, teacher_logits=t).coef_
    assert_allclose(model.fit(X[order], y[order], teacher_logits=t[order]).coef_, one, atol=1e-8)


def test_binary_teacher_logits_in_every_form(cancer):
    X, y, t = cancer
    model = DistilledLogisticRegression(alpha=ALPHA)
    one = model.fit(X, y, teacher_logits=t).coef_
    assert one.shape == (1, X.shape[1])
    assert_allclose(model.fit(X, y, teacher_logits=t[:, 1] - t[:, 0]).coef_, one, atol=1e-9)
    frame = pd.DataFrame({1: t[:, 1], 0: t[:, 0]})
    assert_allclose(model.fit(X, y, teacher_logits=frame).coef_, one, atol=1e-9)


def test_float32_stays_float32(data):
    X, y, t = data
    model = DistilledLogisticRegression(alpha=ALPHA).fit(X, y, teacher_logits=t)
    single = DistilledLogisticRegression(alpha=ALPHA).fit(X.astype("float32"), y, teacher_logits=t)
    assert single.coef_.dtype == np.float32 and single.converged_
    assert_allclose(single.coef_, model.coef_, atol=2e-3)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array])
def test_sparse_rows(iris, kind):
    X, y, t = iris
    model = DistilledLogisticRegression(alpha=ALPHA)
    dense = model.fit(X, y, teacher_logits=t).coef_
    assert_allclose(model.fit(kind(X), y, teacher_logits=t).coef_, dense, atol=1e-8)


def test_torch_gives_the_same(iris):
    torch = pytest.importorskip("torch")
    X, y, t = iris
    model = DistilledLogisticRegression(GaussianNB(), alpha=ALPHA)
    expected = model.fit(X, y).coef_
    with config_context(array_api_dispatch=True):
        got = model.fit(torch.asarray(X), torch.asarray(y))
        assert isinstance(got.coef_, torch.Tensor)
        assert_allclose(got.coef_.numpy(), expected, atol=1e-7)
        assert isinstance(got.predict(torch.asarray(X)), torch.Tensor)


class TestUnlabelledRows:
    def split(self, data, m=30):
        X, y, t = data
        known = np.zeros(len(y), dtype=bool)
        known[np.random.default_rng(0).permutation(len(y))[:m]] = True
        return X, np.where(known, y, -1), t, known

    def test_without_a_teacher_they_do_not_exist(self, data):
        X, y, _, known = self.split(data)
        model = DistilledLogisticRegression(
            kd_weight=0, ce_weight=1, alpha=ALPHA, unlabeled_label=-1, class_weight="balanced"
        )
        alone = model.fit(X[known], y[known]).coef_
        assert_allclose(model.fit(X, y).coef_, alone, atol=1e-8)

    @pytest.mark.parametrize("loss", ["kl", "dkd", "pld"])
    def test_they_learn_from_the_teacher(self, data, loss):
        X, y, t, known = self.split(data)
        model = DistilledLogisticRegression(loss=loss, alpha=ALPHA, unlabeled_label=-1)
        model.fit(X, y, teacher_logits=t)
        Z = X @ model.coef_.T + model.intercept_
        guess = np.where(known, y, t.argmax(axis=1))
        recipe = {"kl": (0.1, 0.9, {}), "dkd": (1, 1, {}), "pld": (0, 1, {})}[loss]
        ce, kd, params = recipe
        value = kd * get_loss(loss, **params).value_and_gradient(Z, t, guess)[0]
        value += ce * get_loss("ce").value_and_gradient(Z[known], y=y[known])[0]
        value += 0.5 * ALPHA * (model.coef_**2).sum()
        assert_allclose(model.loss_value_, value, rtol=1e-9)

    def test_teacher_never_sees_them(self, iris):
        X, y, _, known = self.split(iris)
        model = DistilledLogisticRegression(GaussianNB(), cv=3, alpha=ALPHA, unlabeled_label=-1)
        model.fit(X, y)
        assert list(model.teacher_.classes_) == [0, 1, 2] == list(model.classes_)
        alone = GaussianNB().fit(X[known], y[known])
        assert_allclose(model.teacher_.theta_, alone.theta_)

    def test_a_row_without_label_and_weight_is_no_row(self, iris):
        X, y, t, _ = self.split(iris)
        weight = np.where(np.arange(len(y)) % 5 == 0, 0.0, 1.0)
        kept = weight > 0
        model = DistilledLogisticRegression(alpha=ALPHA, unlabeled_label=-1)
        full = model.fit(X, y, weight, t).coef_
        assert_allclose(model.fit(X[kept], y[kept], None, t[kept]).coef_, full, atol=1e-8)

    def test_some_row_needs_a_label(self, iris):
        X, y, t = iris
        model = DistilledLogisticRegression(unlabeled_label=-1)
        with pytest.raises(ValueError, match="every entry of y is unlabeled_label=-1"):
            model.fit(X, np.full(len(y), -1), teacher_logits=t)

    def test_strings(self, iris):
        X, y, t, known = self.split(iris)
        names = np.array(["setosa", "versicolor", "virginica"])
        labels = np.where(known, names[np.where(known, y, 0)], "?")
        model = DistilledLogisticRegression(alpha=ALPHA, unlabeled_label="?")
        model.fit(X, labels, teacher_logits=t)
        assert list(model.classes_) == list(names)
        with_numbers = DistilledLogisticRegression(alpha=ALPHA, unlabeled_label=-1)
        assert_allclose(model.coef_, with_numbers.fit(X, y, teacher_logits=t).coef_, atol=1e-10)


class TestTeacher:
    def test_out_of_fold_logits_are_those_of_the_function(self, iris):
        X, y, t = iris
        model = DistilledLogisticRegression(GaussianNB(), alpha=ALPHA).fit(X, y)
        assert_allclose(model.teacher_logits_, t)
        assert model.teacher_.classes_.tolist() == [0, 1, 2]

    def test_given_logits_win_over_the_teacher(self, iris):
        X, y, t = iris
        model = DistilledLogisticRegression(DecisionTreeClassifier(), alpha=ALPHA)
        assert model.fit(X, y, teacher_logits=t).teacher_ is None
        assert_allclose(model.teacher_logits_, t)

    def test_raw_weights_reach_it(self, iris):
        X, y, _ = iris
        weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
        model = DistilledLogisticRegression(
            GaussianNB(), cv="refit", alpha=ALPHA, class_weight={0: 5, 1: 1, 2: 1}
        ).fit(X, y, weight)
        assert_allclose(model.teacher_.class_count_, np.bincount(y, weight))

    def test_a_class_of_no_weight_is_no_class(self, iris):
        X, y, _ = iris
        model = DistilledLogisticRegression(
            GaussianNB(), alpha=ALPHA, class_weight={0: 0, 1: 1, 2: 1}
        )
        kept = y > 0
        one = model.fit(X, y)
        assert list(one.classes_) == [1, 2]
        two = DistilledLogisticRegression(GaussianNB(), alpha=ALPHA).fit(X[kept], y[kept])
        assert_allclose(one.coef_, two.coef_, atol=1e-8)

    def test_its_absence_is_explained(self, iris):
        X, y, _ = iris
        with pytest.raises(ValueError, match="teacher=.* a classifier, or pass teacher_logits"):
            DistilledLogisticRegression().fit(X, y)

    def test_fidelity_needs_one(self, iris):
        X, y, t = iris
        model = DistilledLogisticRegression(alpha=ALPHA).fit(X, y, teacher_logits=t)
        assert model.fidelity(X, t)["agreement"] > 0.9
        with pytest.raises(ValueError, match="has no teacher to ask"):
            model.fidelity(X)


class TestModelSelection:
    grid = {"temperature": [1.0, 4.0], "loss": ["kl", "dkd"]}

    @pytest.mark.parametrize("routing", [False, True])
    def test_logits_are_split_with_the_rows(self, iris, routing):
        X, y, t = iris
        cv = KFold(3, shuffle=True, random_state=0)
        with config_context(enable_metadata_routing=routing):
            search = GridSearchCV(DistilledLogisticRegression(alpha=ALPHA), self.grid, cv=cv)
            search.fit(X, y, teacher_logits=t)
            train, test = next(iter(cv.split(X)))
            model = search.best_estimator_.fit(X[train], y[train], teacher_logits=t[train])
        best = search.cv_results_["split0_test_score"][search.best_index_]
        assert model.score(X[test], y[test]) == best

    @pytest.mark.parametrize("routing", [False, True])
    def test_in_a_pipeline(self, iris, routing):
        X, y, t = iris
        with config_context(enable_metadata_routing=routing):
            pipe = make_pipeline(StandardScaler(), DistilledLogisticRegression(alpha=ALPHA))
            name = "teacher_logits" if routing else "distilledlogisticregression__teacher_logits"
            pipe.fit(X, y, **{name: t})
        assert pipe.score(X, y) > 0.9

    def test_teacher_is_tuned_like_anything_else(self, iris):
        X, y, _ = iris
        model = DistilledLogisticRegression(DecisionTreeClassifier(random_state=0), alpha=ALPHA)
        search = GridSearchCV(model, {"teacher__max_depth": [1, 3]}, cv=3).fit(X, y)
        assert search.best_params_["teacher__max_depth"] in (1, 3)


class TestRefusals:
    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"loss": "nothing"}, "loss must be one of .*, got 'nothing'"),
            ({"loss": "cmi"}, "use MCMILogisticRegression"),
            ({"loss": "perceptron"}, "learns from labels alone"),
            ({"ce_weight": 0, "kd_weight": 0}, "nothing is left to learn"),
            ({"standardize_logits": True, "ce_weight": 0}, "do not feel the scale"),
            ({"loss": "mse", "temperature": 2.0}, "has no temperature"),
            ({"temperature": 2.0, "loss_params": {"temperature": 3.0}}, "given twice"),
            ({"loss_params": {"tau": 3.0}}, "takes no tau; its parameters are"),
            ({"loss": "reverse_kl", "solver": "newton"}, "needs a convex loss"),
            ({"loss": "wsld", "solver": "lbfgs"}, "use solver='rounds'"),
            ({"loss": "kl", "solver": "minibatch"}, "compare the rows of a batch"),
            ({"loss": KLLoss(), "loss_params": {"temperature": 2.0}}, "belong to a loss given by"),
        ],
    )
    def test_say_what_to_do(self, iris, params, message):
        X, y, t = iris
        with pytest.raises(ValueError, match=message):
            DistilledLogisticRegression(**params).fit(X, y, teacher_logits=t)

    def test_two_standardised_classes(self, cancer):
        X, y, t = cancer
        with pytest.raises(ValueError, match="two standardised logits"):
            DistilledLogisticRegression(standardize_logits=True).fit(X, y, teacher_logits=t)

    def test_too_few_updates_warn(self, iris):
        from sklearn.exceptions import ConvergenceWarning

        X, y, t = iris
        with pytest.warns(ConvergenceWarning, match="max_iter=2 updates; increase"):
            model = DistilledLogisticRegression(alpha=ALPHA, max_iter=2).fit(X, y, teacher_logits=t)
        assert not model.converged_ and model.n_iter_ == 2


def test_loss_object_is_taken(iris):
    X, y, t = iris
    by_name = DistilledLogisticRegression(ce_weight=0, kd_weight=1, alpha=ALPHA, temperature=3.0)
    by_hand = DistilledLogisticRegression(loss=KLLoss(temperature=3.0), alpha=ALPHA)
    expected = by_name.fit(X, y, teacher_logits=t).coef_
    assert_allclose(by_hand.fit(X, y, teacher_logits=t).coef_, expected, atol=1e-10)


def test_warm_start_goes_on(iris):
    X, y, t = iris
    model = DistilledLogisticRegression(alpha=ALPHA, warm_start=True).fit(X, y, teacher_logits=t)
    coef = model.coef_
    model.fit(X, y, teacher_logits=t)
    assert model.n_iter_ == 0
    assert_allclose(model.coef_, coef)


def test_minibatches_are_a_matter_of_the_seed(iris):
    X, y, t = iris
    model = DistilledLogisticRegression(
        loss="sinkhorn", solver="minibatch", alpha=ALPHA, n_rounds=2, max_iter=20, random_state=0
    )
    one = model.fit(X, y, teacher_logits=t).coef_
    assert_allclose(model.fit(X, y, teacher_logits=t).coef_, one, rtol=1e-12)
    model.set_params(random_state=1)
    assert abs(model.fit(X, y, teacher_logits=t).coef_ - one).max() > 1e-6


def test_as_a_plain_model_of_scikit_learn(data):
    X, y, t = data
    model = DistilledLogisticRegression(alpha=ALPHA).fit(X, y, teacher_logits=t)
    plain = model.to_sklearn()
    assert type(plain) is LogisticRegression
    assert_allclose(plain.predict_proba(X), model.predict_proba(X), atol=1e-14)
    assert (plain.predict(X) == model.predict(X)).all()


def test_runs_in_onnx(data):
    skl2onnx = pytest.importorskip("skl2onnx")
    runtime = pytest.importorskip("onnxruntime")
    X, y, t = data
    model = DistilledLogisticRegression(alpha=ALPHA).fit(X, y, teacher_logits=t)
    graph = skl2onnx.to_onnx(
        model.to_sklearn(), X[:1].astype(np.float32), options={"zipmap": False}
    )
    session = runtime.InferenceSession(graph.SerializeToString())
    labels, probabilities = session.run(None, {"X": X.astype(np.float32)})
    assert (labels == model.predict(X)).mean() > 0.99
    assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)
