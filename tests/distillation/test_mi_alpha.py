"""The bound I_alpha: formula, gradient, limits, and the projection that raises it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skkd.distillation import MIAlphaProjection, mi_alpha_bound


def by_loops(F, log_q, alpha):
    """The formula, term by term."""
    K, E, q = len(F), np.exp(F), np.exp(log_q)
    joint = marginal = 0.0
    for j in range(K):
        own = np.mean(np.delete(E[:, j], j))
        for i in set(range(K)) - {j}:
            other = np.mean(np.delete(E[:, j], i))
            joint += F[j, j] - np.log(alpha * other + (1 - alpha) * q[j])
            marginal += E[i, j] / (alpha * own + (1 - alpha) * q[j])
    return 1.0 + (joint - marginal) / (K * (K - 1))


def differences(f, x, step=1e-6):
    slopes = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        move = np.zeros_like(x)
        move[index] = step
        slopes[index] = (f(x + move) - f(x - move)) / (2 * step)
    return slopes


@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("K", [2, 5])
def test_value_and_gradient_are_those_of_the_formula(K, alpha):
    rng = np.random.default_rng(K)
    F, log_q = 2.0 * rng.standard_normal((K, K)), rng.standard_normal(K)
    value, gradient, baseline = mi_alpha_bound(F, log_q, alpha)
    assert_allclose(value, by_loops(F, log_q, alpha), rtol=1e-12)
    numeric = differences(lambda F: by_loops(F, log_q, alpha), F)
    assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)
    numeric = differences(lambda log_q: by_loops(F, log_q, alpha), log_q)
    assert_allclose(baseline, numeric, rtol=1e-6, atol=1e-7)


def test_infonce_never_exceeds_the_log_of_the_negatives():
    rng = np.random.default_rng(0)
    for scale in (0.1, 1.0, 10.0, 1e4):
        for K in (2, 3, 17):
            F = scale * (rng.standard_normal((K, K)) + 5.0 * np.eye(K))
            assert mi_alpha_bound(F, np.zeros(K), 1.0)[0] <= np.log(K - 1) + 1e-12
    assert_allclose(mi_alpha_bound(1e4 * np.eye(6), np.zeros(6), 1.0)[0], np.log(5), rtol=1e-12)


@pytest.mark.parametrize("alpha", [1e-3, 0.5, 1.0])
def test_a_dominant_diagonal_does_not_cancel(alpha):
    """Subtracting e^1000 from a sum that it dominates would leave nothing of the others."""
    rng = np.random.default_rng(1)
    K = 6
    F = rng.standard_normal((K, K)) + 1000.0 * np.eye(K)
    log_q = rng.standard_normal(K)
    value, gradient, baseline = mi_alpha_bound(F, log_q, alpha)
    # The joint term has K - 1 orders of magnitude of e^1000: only i = j leaves the pair out.
    log_joint = F.diagonal() + np.log(alpha / (K - 1))
    off = np.exp(np.where(np.eye(K, dtype=bool), -np.inf, F)).sum(axis=0) / (K - 1)
    ratio = off / (alpha * off + (1 - alpha) * np.exp(log_q))
    assert_allclose(value, 1.0 + np.mean(F.diagonal() - log_joint) - np.mean(ratio), rtol=1e-12)
    assert np.isfinite(gradient).all() and np.isfinite(baseline).all()
    # The pair is in every average, so that its own score moves nothing.
    assert_allclose(gradient.diagonal(), 0.0, atol=1e-13)


def test_scores_beyond_the_largest_number():
    F = 1e4 * np.array([[0.0, 1.0], [1.0, 0.0]])
    for alpha in (0.5, 1.0):
        value, gradient, _ = mi_alpha_bound(F, np.zeros(2), alpha)
        assert np.isfinite(value) and np.isfinite(gradient).all()
    value, gradient, baseline = mi_alpha_bound(F, np.zeros(2), 0.0)
    assert value == -np.inf  # truly -e^10000
    assert not np.isnan(gradient).any() and not np.isnan(baseline).any()


def test_a_constant_per_column_moves_critic_and_baseline_alike():
    rng = np.random.default_rng(2)
    F, log_q, shift = rng.standard_normal((7, 7)), rng.standard_normal(7), rng.standard_normal(7)
    value = mi_alpha_bound(F, log_q, 0.3)[0]
    assert_allclose(mi_alpha_bound(F + shift, log_q + shift, 0.3)[0], value, rtol=1e-12)
    order = rng.permutation(7)
    assert_allclose(mi_alpha_bound(F[order][:, order], log_q[order], 0.3)[0], value, rtol=1e-12)


@pytest.mark.parametrize(
    ("shape", "size", "alpha", "message"),
    [
        ((3, 4), 4, 0.5, "square matrix"),
        ((1, 1), 1, 0.5, "at least 2"),
        ((3, 3), 2, 0.5, "one entry per column"),
        ((3, 3), 3, 1.5, "from 0 to 1"),
    ],
)
def test_arguments_that_do_not_fit(shape, size, alpha, message):
    with pytest.raises(ValueError, match=message):
        mi_alpha_bound(np.zeros(shape), np.zeros(size), alpha)


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
def test_bound_in_other_libraries(library):
    xp = pytest.importorskip(library)
    rng = np.random.default_rng(3)
    F, log_q = rng.standard_normal((5, 5)), rng.standard_normal(5)
    ours = mi_alpha_bound(xp.asarray(F), xp.asarray(log_q), 0.4)
    for got, expected in zip(ours, mi_alpha_bound(F, log_q, 0.4), strict=True):
        assert_allclose(np.asarray(got), expected, rtol=1e-12, atol=1e-15)


@pytest.fixture(scope="module")
def signal():
    """Two of eight columns, in odd units, make the teacher's embedding."""
    rng = np.random.default_rng(0)
    S = rng.standard_normal((400, 8))
    H = S[:, :2] @ rng.standard_normal((2, 5)) + 0.3 * rng.standard_normal((400, 5))
    return S, H


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_projection_finds_what_the_teacher_sees(signal, alpha):
    S, H = signal
    found = MIAlphaProjection(2, alpha=alpha, max_iter=30, random_state=0)
    Z = found.fit(S, teacher_embeddings=H).transform(S)
    assert found.bounds_[-1] > found.bounds_[0] > 0
    explained = Z @ np.linalg.lstsq(Z, S[:, :2], rcond=None)[0]
    assert np.mean((explained - S[:, :2]) ** 2) < 0.05
    assert_allclose(Z.mean(axis=0), 0.0, atol=1e-9)
    assert_allclose(Z.T @ Z / len(Z), np.eye(2), atol=1e-9)


def test_units_of_the_columns_do_not_matter(signal):
    S, H = signal
    units = 10.0 ** np.arange(-4, 4)
    plain = MIAlphaProjection(2, max_iter=5, random_state=0).fit(S, teacher_embeddings=H)
    scaled = clone(plain).fit(S * units + 7.0 * units, teacher_embeddings=1e3 * H - 5.0)
    assert_allclose(
        scaled.transform(S * units + 7.0 * units), plain.transform(S), rtol=1e-6, atol=1e-6
    )


def test_labels_take_the_place_of_an_embedding(signal):
    S, _ = signal
    y = (S[:, 0] + S[:, 1] > 0).astype(int)
    model = make_pipeline(MIAlphaProjection(1, max_iter=20, random_state=0), LogisticRegression())
    assert model.fit(S[:300], y[:300]).score(S[300:], y[300:]) > 0.95
    names = model[0].get_feature_names_out()
    assert_array_equal(names, ["mialphaprojection0"])
    words = np.where(y == 1, "up", "down")
    same = MIAlphaProjection(1, max_iter=20, random_state=0).fit(S[:300], words[:300])
    assert_allclose(same.components_, model[0].components_)


def test_embeddings_are_split_with_the_rows(signal):
    S, H = signal
    y = (S[:, 0] > 0).astype(int)
    model = make_pipeline(MIAlphaProjection(random_state=0, max_iter=2), LogisticRegression())
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(model, {"mialphaprojection__alpha": [0.1, 0.9]}, cv=3)
        assert search.fit(S, y, teacher_embeddings=H).best_score_ > 0.8
    search = GridSearchCV(model, {"mialphaprojection__alpha": [0.1, 0.9]}, cv=3)
    search.fit(S, y, mialphaprojection__teacher_embeddings=H)
    assert search.best_score_ > 0.8


def test_refusals(signal):
    S, H = signal
    with pytest.raises(ValueError, match="so is teacher_embeddings"):
        MIAlphaProjection().fit(S)
    with pytest.raises(ValueError, match="one row per sample: got 399"):
        MIAlphaProjection().fit(S, teacher_embeddings=H[1:])
    with pytest.raises(ValueError, match="n_components=9 must be at most"):
        MIAlphaProjection(9).fit(S, teacher_embeddings=H)
    with pytest.raises(ValueError, match="NaN"):
        MIAlphaProjection().fit(S, teacher_embeddings=np.where(H > 2, np.nan, H))


def test_few_rows_and_constant_columns():
    rng = np.random.default_rng(5)
    X = np.column_stack([np.full(10, 3.0), rng.standard_normal((10, 2))])
    found = MIAlphaProjection(2, max_iter=3, random_state=0)
    found.fit(X.astype("float32"), teacher_embeddings=X[:, 1:])
    assert found.components_.dtype == np.float32
    assert np.isfinite(found.transform(X.astype("float32"))).all()
