"""Options and what surrounds a fit: warm starts, paths, groups, records, memory, threads."""

import pickle
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkd.linear_model import BCDClassifier, BCDRegressor
from tests.contract._callbacks import StopAt
from tests.linear_model._bcd import LAYOUTS, classification, fit_quietly, objective, regression
from tests.linear_model.test_bcd_data import MODELS, data

every_model = pytest.mark.parametrize("name", MODELS)


@every_model
class TestWarmStart:
    def test_same_result_in_fewer_passes(self, name):
        X, y = data(name)
        model = clone(MODELS[name]).set_params(warm_start=True).fit(X, y)
        cold = model.n_iter_
        near = clone(MODELS[name]).set_params(alpha=0.99 * model.alpha).fit(X, y)
        model.set_params(alpha=0.99 * model.alpha).fit(X, y)
        assert model.n_iter_ <= near.n_iter_
        assert model.objective_ == pytest.approx(near.objective_, rel=1e-8)
        assert_allclose(model.coef_, near.coef_, atol=2e-5)
        assert model.fit(X, y).n_iter_ == 1 <= cold

    def test_two_halves_make_a_whole(self, name):
        X, y = data(name)
        whole = clone(MODELS[name]).set_params(tol=1e-10).fit(X, y)
        half = clone(MODELS[name]).set_params(tol=1e-10, warm_start=True, max_iter=2)
        for _ in range(20):
            if not fit_quietly(half, X, y):
                break
        assert half.objective_ == pytest.approx(whole.objective_, rel=1e-9)

    def test_without_it_a_second_fit_forgets_the_first(self, name):
        X, y = data(name)
        model = clone(MODELS[name]).fit(X, y)
        first = model.coef_
        assert np.array_equal(model.fit(X, y).coef_, first)

    def test_other_features_are_an_error(self, name):
        X, y = data(name)
        model = clone(MODELS[name]).set_params(warm_start=True).fit(X, y)
        with pytest.raises(ValueError, match="warm_start=True continues from"):
            model.fit(X[:, :27], y)

    def test_intercept_may_be_dropped_and_bounds_added(self, name):
        X, y = data(name)
        model = clone(MODELS[name]).set_params(warm_start=True).fit(X, y)
        model.set_params(fit_intercept=False).fit(X, y)
        assert np.all(model.intercept_ == 0.0)
        cold = clone(MODELS[name]).set_params(fit_intercept=False).fit(X, y)
        assert model.objective_ == pytest.approx(cold.objective_, rel=1e-8)
        if "group" not in name:
            model.set_params(fit_intercept=True, positive=True).fit(X, y)
            assert np.all(model.coef_ >= 0.0)
            cold = clone(MODELS[name]).set_params(positive=True).fit(X, y)
            assert model.objective_ == pytest.approx(cold.objective_, rel=1e-8)


def test_warm_start_on_other_classes_is_an_error():
    X, y = classification()
    model = BCDClassifier(0.02, penalty="l1", warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="classes \\[0, 1\\], but y has \\['no', 'yes'\\]"):
        model.fit(X, np.where(y, "yes", "no"))
    assert model.classes_.tolist() == [0, 1]
    with pytest.raises(ValueError, match="but y has \\[0, 1, 2\\]"):
        model.fit(*classification(n_classes=3))


ALPHAS = [0.3, 0.1, 0.03, 0.2, 0.01, 5.0]


@every_model
@pytest.mark.parametrize("layout", ["C", "csc"])
def test_path_is_one_fit_for_each_alpha(name, layout):
    X, y = data(name)
    X = LAYOUTS[layout](X)
    model = clone(MODELS[name]).set_params(tol=1e-10)
    path = model.path(X, y, ALPHAS)
    assert path.alphas.tolist() == ALPHAS
    assert path.n_iters.shape == path.objectives.shape == (len(ALPHAS),)
    for i, alpha in enumerate(ALPHAS):
        alone = clone(model).set_params(alpha=alpha).fit(X, y)
        assert path.objectives[i] == pytest.approx(alone.objective_, rel=1e-8)
        assert path.dual_gaps[i] <= 1e-9
        assert_allclose(path.coefs[i], alone.coef_, atol=1e-4)
        assert_allclose(path.intercepts[i], alone.intercept_, atol=1e-4)
        assert path.coefs[i].shape == alone.coef_.shape
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_path_takes_weights():
    X, y = regression()
    weight = np.random.RandomState(0).randint(0, 3, 60)
    model = BCDRegressor(penalty="l1", tol=1e-10)
    path = model.path(X, y, [0.1], sample_weight=weight)
    assert_allclose(path.coefs[0], model.set_params(alpha=0.1).fit(X, y, weight).coef_, atol=1e-6)


@pytest.mark.parametrize("alphas", [[], [[0.1]], [-1.0], [np.nan], [np.inf]])
def test_bad_alphas_are_an_error(alphas):
    with pytest.raises(ValueError, match="alphas must be a list of one or more finite numbers"):
        BCDRegressor(penalty="l1").path(*regression(), alphas)


def test_path_has_no_rules():
    with pytest.raises(ValueError, match="path takes the default method"):
        BCDRegressor(penalty="l1", selection="gs-q").path(*regression(), [0.1])


class TestGroups:
    def same(self, *many):
        X, y = regression()
        fits = [
            BCDRegressor(0.2, penalty="group_l1", groups=groups, tol=1e-11).fit(X, y)
            for groups in many
        ]
        for other in fits[1:]:
            assert_allclose(other.coef_, fits[0].coef_, atol=1e-5)
        return fits[0]

    def test_size_labels_and_lists_agree(self):
        labels = np.repeat(np.arange(6), 5)
        model = self.same(5, labels, labels.tolist(), np.array(list("abcdef"))[labels])
        assert model.active_set_.size % 5 == 0

    def test_lists_of_indices_agree_with_labels(self):
        labels = np.arange(30) % 7
        lists = [np.flatnonzero(labels == g) for g in range(7)]
        self.same(labels, lists, lists[::-1], [g.tolist() for g in lists], [*lists, []])

    def test_a_short_last_group(self):
        self.same(7, np.arange(30) // 7)

    def test_single_features_are_the_lasso(self):
        X, y = regression()
        model = self.same(1, np.arange(30))
        lasso = BCDRegressor(0.2, penalty="l1", tol=1e-11).fit(X, y)
        assert_allclose(model.coef_, lasso.coef_, atol=1e-5)

    @pytest.mark.parametrize(
        ("groups", "complaint"),
        [
            (None, "needs groups"),
            (np.zeros(7), r"expected shape \(30,\)"),
            ([[0, 1], [1, 2]], "each of the 30 features exactly once"),
            ([list(range(29))], "exactly once"),
            ([list(range(31))], "exactly once"),
            (0, "'groups' parameter"),
        ],
    )
    def test_bad_groups_are_an_error(self, groups, complaint):
        with pytest.raises(ValueError, match=complaint):
            BCDRegressor(penalty="group_l1", groups=groups).fit(*regression())

    def test_groups_have_no_bounds(self):
        with pytest.raises(ValueError, match="cannot be combined with positive=True or bounds"):
            BCDRegressor(penalty="group_l1", groups=5, positive=True).fit(*regression())


@pytest.mark.parametrize("bounds", [(1.0, 2.0), (-2.0, -1.0), (0.0, 0.0), (np.nan, 1.0), (1, -1)])
def test_bounds_that_exclude_zero_are_an_error(bounds):
    with pytest.raises(ValueError, match="bounds must be a pair .lower, upper. with lower <= 0"):
        BCDRegressor(penalty="l1", bounds=bounds).fit(*regression())


@pytest.mark.parametrize("bounds", [(1.0,), (-1.0, 0.0, 1.0), ("a", "b"), (None, 1.0)])
def test_bounds_that_are_no_pair_of_numbers_are_an_error(bounds):
    with pytest.raises(ValueError, match="bounds must be a pair"):
        BCDRegressor(penalty="l1", bounds=bounds).fit(*regression())


@pytest.mark.parametrize(
    "params", [{"loss": "squared_hinge"}, {"penalty": "group_l1", "groups": 3}], ids=str
)
def test_what_is_for_two_classes_refuses_three(params):
    with pytest.raises(ValueError, match="two classes, but it has 3; use another (loss|penalty)"):
        BCDClassifier(**params).fit(*classification(n_classes=3))


RECORDED = {
    **MODELS,
    "rule": BCDRegressor(0.1, penalty="l1", selection="cyclic", tol=1e-8, random_state=0),
    "rule logistic": BCDClassifier(0.02, selection="gsd", update="newton", tol=1e-8),
}


@pytest.mark.parametrize("name", RECORDED)
def test_record_of_a_path_is_consistent(name):
    base = name if name in MODELS else ("lasso" if name == "rule" else "l1 logistic")
    X, y = data(base)
    model = clone(RECORDED[name]).set_params(record_path=True).fit(X, y)
    plain = clone(RECORDED[name]).fit(X, y)
    assert np.array_equal(model.coef_, plain.coef_) and not hasattr(plain, "gap_path_")
    length = len(model.objective_path_)
    assert length == model.n_iter_ + 1
    assert len(model.gap_path_) == len(model.time_path_) == len(model.active_set_path_) == length
    assert len(model.block_history_) == length - 1
    assert model.objective_path_[-1] == model.objective_
    assert model.gap_path_[-1] == model.dual_gap_
    assert np.array_equal(model.active_set_path_[-1], model.active_set_)
    assert np.array_equal(model.active_set_, np.flatnonzero(np.any(np.atleast_2d(model.coef_), 0)))
    assert np.all(np.diff(model.time_path_) >= 0) and model.time_path_[0] >= 0
    assert np.all(np.diff(model.objective_path_) <= 1e-12)
    assert np.all(model.objective_path_ - model.objective_ <= model.gap_path_ + 1e-12)
    since = model.identified_iter_
    same = [np.array_equal(s, model.active_set_) for s in model.active_set_path_]
    assert all(same[since:]) and (since == 0 or not same[since - 1])
    pickle.loads(pickle.dumps(model))


def test_verbose_prints_a_line_for_each_pass(capsys):
    X, y = regression()
    model = BCDRegressor(0.1, penalty="l1", verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_ + 1
    assert lines[-1].startswith(f"BCDRegressor pass {model.n_iter_}: objective 0.637923")
    BCDRegressor(0.1, penalty="l1").fit(X, y)
    assert not capsys.readouterr().out


@every_model
def test_a_callback_stops_without_a_warning(name):
    X, y = data(name)
    model = clone(MODELS[name]).set_params(tol=0.0)
    model.set_callbacks(StopAt(0)).fit(X, y)
    assert model.n_iter_ == 1 and not np.isinf(model.dual_gap_)
    assert model.objective_ <= clone(MODELS[name]).set_params(alpha=1e9).fit(X, y).objective_


@pytest.mark.parametrize("acceleration", ["auto", "newton", "anderson", None])
@pytest.mark.parametrize("working_set", ["auto", True, False])
@pytest.mark.parametrize("name", MODELS)
def test_how_a_working_set_is_solved_changes_no_result(name, working_set, acceleration):
    X, y = data(name)
    model = clone(MODELS[name]).set_params(working_set=working_set, acceleration=acceleration)
    model.fit(X, y)
    assert model.objective_ == pytest.approx(clone(MODELS[name]).fit(X, y).objective_, rel=1e-9)


@pytest.mark.parametrize("acceleration", ["anderson", None])
@pytest.mark.parametrize("layout", ["C", "csc"])
def test_accelerations_differ(acceleration, layout):
    """They are different ways: after three passes of a hard problem the points differ."""
    X, y = regression(40, 60)
    X = LAYOUTS[layout](X + X[:, :1])

    def run(acceleration):
        model = BCDRegressor(1e-4, penalty="l1", acceleration=acceleration, max_iter=3)
        return model.set_params(stopping="max_iter").fit(X, y).coef_

    assert not np.array_equal(run(acceleration), run("newton"))


@pytest.mark.parametrize("cls", [BCDRegressor, BCDClassifier])
def test_grid_search_over_alpha_and_penalty(cls):
    X, y = regression() if cls is BCDRegressor else classification()
    prefix = cls.__name__.lower()
    grid = {
        f"{prefix}__alpha": [0.3, 0.05],
        f"{prefix}__penalty": ["l1", "l2", "elasticnet"],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), cls()), grid, cv=3).fit(X, y)
    assert search.best_score_ > (0.9 if cls is BCDRegressor else 0.6)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@every_model
def test_fits_in_parallel_threads_do_not_disturb_each_other(name):
    X, y = data(name)
    X2, y2 = data(name, seed=1)
    expected = [clone(MODELS[name]).fit(*pair).coef_ for pair in ((X, y), (X2, y2))]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(clone(MODELS[name]).fit, *((X, y), (X2, y2))[i % 2]) for i in range(8)]
        for i, job in enumerate(jobs):
            assert_allclose(job.result().coef_, expected[i % 2], atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", ["lasso", "elastic net", "l1 logistic"])
def test_memory_beyond_X_is_less_than_half_of_it(name, order, dtype):
    X, y = data(name, 500, 4000)
    X = np.asarray(X, dtype=dtype, order=order)
    alpha = 0.1 if name != "l1 logistic" else 0.05
    model = (
        clone(MODELS[name]).set_params(tol=1e-6, alpha=alpha).fit(X[:50, :50].copy(order), y[:50])
    )
    tracemalloc.start()
    try:
        model.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * X.nbytes


def test_first_fit_loads_no_more_than_it_needs():
    """No plotting and no array library for GPUs; frames only if scikit-learn loads them."""
    program = """
import sys
import numpy as np
from skkd.linear_model import BCDRegressor, BCDClassifier
assert "numba" not in sys.modules
X = np.arange(12.0).reshape(4, 3) ** 2 % 7
BCDRegressor(0.1, penalty="l1").fit(X, X[:, 0])
BCDClassifier(0.1, penalty="l1").fit(X, [0, 1, 0, 1])
bad = {"matplotlib", "torch", "cupy", "dask", "skkd.semi_supervised"} & set(sys.modules)
assert not bad, bad
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


@every_model
def test_predictions(name):
    X, y = data(name)
    model = clone(MODELS[name]).fit(X, y)
    for rows in (X, sparse.csr_array(X), sparse.csc_matrix(X), X.astype(np.float32), X.tolist()):
        if isinstance(model, BCDRegressor):
            assert_allclose(model.predict(rows), X @ model.coef_ + model.intercept_, atol=1e-4)
            continue
        logits = X @ model.coef_.T + model.intercept_
        scores = model.decision_function(rows)
        assert_allclose(scores, logits[:, 0] if logits.shape[1] == 1 else logits, atol=1e-4)
        if model.loss == "log":
            assert_allclose(model.predict_proba(rows).sum(axis=1), 1.0, rtol=1e-5)
            assert_allclose(np.exp(model.predict_log_proba(rows)), model.predict_proba(rows))
        assert model.score(rows, y) > 0.6


def test_arrays_of_torch_are_refused():
    torch = pytest.importorskip("torch")
    from sklearn import config_context

    X, y = regression()
    with config_context(array_api_dispatch=True), pytest.raises(TypeError, match="on NumPy.*torch"):
        BCDRegressor(penalty="l1").fit(torch.asarray(X), torch.asarray(y))
    with config_context(array_api_dispatch=True), pytest.raises(TypeError, match="on NumPy.*torch"):
        BCDClassifier(penalty="l1").fit(torch.asarray(X), torch.asarray(y > 5))


def test_objective_is_that_of_the_documentation():
    """By hand, on two rows."""
    X, y = np.array([[1.0], [-1.0]]), np.array([2.0, -2.0])
    model = BCDRegressor(0.5, penalty="l1", fit_intercept=False, tol=1e-12).fit(X, y)
    # 0.5 (2 - w)^2 + 0.5 |w| is least at 1.5.
    assert model.coef_[0] == pytest.approx(1.5)
    assert model.objective_ == pytest.approx(0.125 + 0.75) == objective(model, X, y)
