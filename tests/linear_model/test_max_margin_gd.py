"""MaxMarginGD: its certificate, its limit, and its warnings."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from sklearn.utils._param_validation import InvalidParameterError

from skkd.datasets import make_separable
from skkd.linear_model import MaxMarginGD, separation_margin
from tests.linear_model._data import overlapping, separable
from tests.linear_model.test_separation_margin import signed_rows

ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def assert_certified(model, X, y, fit_intercept):
    """What the attributes promise of each other, recomputed from the rows."""
    M = signed_rows(X, y, fit_intercept)
    W = model.coef_
    if fit_intercept:
        W = np.hstack([W, model.intercept_[:, None]])
    q = model.dual_coef_
    if W.shape[0] > 1:
        own = np.unique(y, return_inverse=True)[1][:, None] == np.arange(W.shape[0])
        assert np.all(q[own] == 0)
        q = q[~own]  # row by row, other class by other class: the order of signed_rows
    assert np.linalg.norm(W) == pytest.approx(1.0, abs=1e-10)
    assert (M @ W.reshape(-1)).min() == pytest.approx(model.margin_, abs=1e-10)
    assert q.min() >= 0 and q.sum() == pytest.approx(1.0, abs=1e-10)
    bound = model.margin_ + model.dual_gap_
    assert np.linalg.norm(q @ M) == pytest.approx(bound, rel=1e-9, abs=1e-12)
    assert model.dual_gap_ >= -1e-12


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_reaches_the_largest_margin_and_proves_it(seed, n_classes, fit_intercept):
    X, y = separable(seed=seed, n_classes=n_classes)
    model = MaxMarginGD(fit_intercept=fit_intercept, max_iter=20_000).fit(X, y)
    assert_certified(model, X, y, fit_intercept)
    margin, direction = separation_margin(X, y, fit_intercept=fit_intercept)
    assert model.margin_ <= margin + 1e-12 <= model.margin_ + model.dual_gap_ + 2e-12
    assert model.dual_gap_ <= 1e-4 * (model.margin_ + model.dual_gap_)
    assert model.separated_
    found = model.coef_
    if fit_intercept:
        found = np.hstack([found, model.intercept_[:, None]])
    # A relative gap of 1e-4 leaves an angle of at most sqrt(2e-4).
    assert np.linalg.norm(found.reshape(-1) - direction.reshape(-1)) <= np.sqrt(2e-4)


@ignore_convergence
@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize("max_iter", [1, 10, 100])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("make", [separable, overlapping])
def test_certificate_holds_at_any_time(momentum, max_iter, n_classes, make):
    X, y = make(n_classes=n_classes)
    model = MaxMarginGD(momentum, max_iter=max_iter, tol=0.0).fit(X, y)
    assert model.n_iter_ == max_iter
    assert_certified(model, X, y, fit_intercept=True)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_a_hard_margin_support_vector_machine(seed):
    X, y = separable(seed=seed)
    model = MaxMarginGD(fit_intercept=False, tol=1e-5, max_iter=50_000).fit(X, y)
    peer = LinearSVC(
        loss="hinge", C=1e6, fit_intercept=False, dual=True, tol=1e-10, max_iter=10**6
    ).fit(X, y)
    assert model.margin_ == pytest.approx(1.0 / np.linalg.norm(peer.coef_), rel=1e-4)
    # A relative gap of 1e-5 leaves an angle of at most sqrt(2e-5).
    assert model.coef_ == pytest.approx(peer.coef_ / np.linalg.norm(peer.coef_), abs=5e-3)


@pytest.mark.parametrize("momentum", [False, True])
def test_stops_at_the_first_iterate_that_meets_tol(momentum):
    X, y = separable(margin=0.5)
    model = MaxMarginGD(momentum, fit_intercept=False, tol=1e-2).fit(X, y)
    assert model.dual_gap_ <= 1e-2 * (model.margin_ + model.dual_gap_)
    sooner = MaxMarginGD(momentum, fit_intercept=False, tol=1e-2, max_iter=model.n_iter_ - 1)
    with pytest.warns(ConvergenceWarning, match="wider gap than tol=0.01"):
        sooner.fit(X, y)
    assert sooner.dual_gap_ > 1e-2 * (sooner.margin_ + sooner.dual_gap_)


def test_momentum_is_faster():
    X, y = separable(n_samples=100, margin=0.1)
    with pytest.warns(ConvergenceWarning, match="Increase max_iter or tol"):
        plain = MaxMarginGD(momentum=False, max_iter=500, tol=0.0).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="Increase max_iter or tol"):
        fast = MaxMarginGD(max_iter=500, tol=0.0).fit(X, y)
    margin, _ = separation_margin(X, y, fit_intercept=True)
    assert margin - fast.margin_ < 0.1 * (margin - plain.margin_)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_not_separable_data_has_a_negative_margin_and_says_so(n_classes):
    X, y = overlapping(n_classes=n_classes)
    with pytest.warns(ConvergenceWarning, match="largest margin lies between.*classes overlap"):
        model = MaxMarginGD(max_iter=100).fit(X, y)
    assert model.margin_ <= 0 and not model.separated_
    assert np.isfinite(model.coef_).all() and np.isfinite(model.dual_gap_)


def test_contradicting_rows_and_zero_rows_are_named():
    X, y = separable()
    X[9], y[9] = X[4], -y[4]
    with pytest.warns(ConvergenceWarning, match="rows 4 and 9 have the same features"):
        MaxMarginGD(max_iter=100).fit(X, y)
    X, y = separable()
    X[3] = 0.0
    with pytest.warns(ConvergenceWarning, match="row 3 is all zero"):
        MaxMarginGD(fit_intercept=False, max_iter=100).fit(X, y)
    with pytest.warns(ConvergenceWarning):
        zero = MaxMarginGD(fit_intercept=False, max_iter=20).fit(np.zeros((4, 2)), [0, 1, 0, 1])
    assert np.isfinite(zero.coef_).all()


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e3, 1e8])
def test_unit_of_the_features_is_irrelevant(scale):
    X, y = separable()
    one = MaxMarginGD(fit_intercept=False).fit(X, y)
    other = MaxMarginGD(fit_intercept=False).fit(scale * X, y)
    assert other.margin_ == pytest.approx(scale * one.margin_, rel=1e-8)
    assert other.n_iter_ == one.n_iter_
    assert other.coef_ == pytest.approx(one.coef_, abs=1e-8)


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [
        (1e-300, "float64"),
        (1e-170, "float64"),
        (1e170, "float64"),
        (1e300, "float64"),
        (1e-25, "float32"),
        (1e25, "float32"),
    ],
)
def test_extreme_units(scale, dtype):
    """Right, or an error that says what to do; never a silent infinity."""
    X, y = separable(margin=0.5)
    try:
        model = MaxMarginGD(fit_intercept=False, tol=1e-2).fit((scale * X).astype(dtype), y)
    except ValueError as error:
        assert "scale" in str(error)
        return
    assert model.margin_ / scale == pytest.approx(separation_margin(X, y)[0], rel=2e-2)


@ignore_convergence
@pytest.mark.parametrize("layout", [sparse.csr_matrix, sparse.csc_array])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_sparse(layout, n_classes):
    X, y = separable(n_classes=n_classes)
    dense = MaxMarginGD(max_iter=50).fit(X, y)
    fitted = MaxMarginGD(max_iter=50).fit(layout(X), y)
    assert fitted.coef_ == pytest.approx(dense.coef_, abs=1e-10)
    assert fitted.dual_coef_ == pytest.approx(dense.dual_coef_, abs=1e-10)


def test_dual_coef_is_zero_where_weight_is_zero_and_large_on_support_rows():
    X, y = separable(margin=0.3)
    weight = np.ones(len(y))
    weight[::4] = 0.0
    model = MaxMarginGD(fit_intercept=False, max_iter=20_000, tol=1e-5).fit(X, y, weight)
    kept = weight > 0
    assert np.all(model.dual_coef_[~kept] == 0)
    margin, _ = separation_margin(X[kept], y[kept])
    assert model.margin_ == pytest.approx(margin, rel=1e-5)
    # Complementary slackness: weight only where the margin is attained.
    slack = y * model.decision_function(X) - model.margin_
    assert model.dual_coef_ @ np.where(kept, slack, 0.0) <= 2 * model.dual_gap_


@pytest.mark.parametrize(
    ("name", "value"), [("momentum", "yes"), ("max_iter", 0), ("tol", -1.0), ("fit_intercept", 2)]
)
def test_bad_parameters(name, value):
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of MaxMarginGD"):
        MaxMarginGD(**{name: value}).fit(*separable())


@pytest.mark.parametrize("momentum", [True, False])
def test_warm_start_goes_on_from_where_it_ended(momentum):
    X, y = make_separable(60, 4, 0.3, random_state=0)
    cold = MaxMarginGD(momentum, max_iter=20_000, tol=1e-2).fit(X, y)
    warm = MaxMarginGD(momentum, max_iter=20_000, tol=1e-2, warm_start=True).fit(X, y)
    warm.fit(X, y)
    assert warm.n_iter_ <= 0.1 * cold.n_iter_
    assert warm.dual_gap_ <= 1e-2 * (warm.margin_ + warm.dual_gap_)
    # A changed intercept changes the shape of the parameters: begin again, do not fail.
    warm.set_params(fit_intercept=False).fit(X, y)
    assert warm.separated_
