"""Pseudo-subclasses: targets by hand, classes as sums, and that they help where classes are few."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax, logsumexp, softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkd.distillation import LELPDistilledClassifier, LELPTargets, mlp_embedding

X, y = load_iris(return_X_y=True)
RNG = np.random.default_rng(0)
H = np.tanh(X @ RNG.standard_normal((4, 12))) @ RNG.standard_normal((12, 12))
T = 2.0 * RNG.standard_normal((150, 3))


@pytest.fixture(scope="module")
def mlp():
    return MLPClassifier(
        (10, 8), "tanh", solver="lbfgs", max_iter=100, random_state=0, tol=1e-2
    ).fit(X, y)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_embedding_is_what_the_last_layer_sees(activation):
    model = MLPClassifier(
        (7, 5), activation, solver="lbfgs", max_iter=30, tol=1.0, random_state=0
    ).fit(X, y)
    logits = mlp_embedding(model, X) @ model.coefs_[-1] + model.intercepts_[-1]
    assert_allclose(softmax(logits, axis=1), model.predict_proba(X), rtol=1e-9, atol=1e-12)


def test_embedding_of_other_models_is_refused():
    with pytest.raises(TypeError, match="MLPClassifier"):
        mlp_embedding(LogisticRegression(), X)


def test_targets_by_hand():
    make = LELPTargets(2, beta=0.7, null_space=False, random_rotation=False).fit(H, y)
    targets = make.transform(H, T)
    own = H[y == 1]
    _, sizes, axes = np.linalg.svd(own - own.mean(axis=0), full_matrices=False)
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    z = (H - own.mean(axis=0)) @ axes[:2].T
    z /= np.sqrt(np.mean(z[y == 1].var(axis=0)))
    expected = softmax(T, axis=1)[:, [1]] * softmax(0.7 * z, axis=1)
    assert_allclose(targets[:, 2:4], expected, rtol=1e-9)


@pytest.mark.parametrize("rotate", [True, False])
def test_subclasses_of_a_class_sum_to_its_probability(rotate):
    make = LELPTargets(4, null_space=False, random_rotation=rotate, random_state=0).fit(H, y)
    targets = make.transform(H, T)
    assert_allclose(targets.reshape(150, 3, 4).sum(axis=2), softmax(T, axis=1), rtol=1e-12)
    z = np.einsum("csq,nq->ncs", make.directions_, H)
    for c in range(3):  # mean variance 1, whatever the rotation
        assert np.mean(z[y == c, c].var(axis=0)) == pytest.approx(1.0)


def test_directions_see_nothing_of_the_logits():
    W = RNG.standard_normal((3, 12))
    directions = LELPTargets(3, random_state=0).fit(H, y, W).directions_
    assert_allclose(directions.reshape(-1, 12) @ W.T, 0.0, atol=1e-9)
    two = y < 2
    directions = LELPTargets(3, random_state=0).fit(H[two], y[two], W[:2]).directions_
    assert_allclose(directions @ (W[1] - W[0]), 0.0, atol=1e-9)
    same = LELPTargets(3, random_state=0).fit(H[two], y[two], W[1:2] - W[:1]).directions_
    assert_allclose(directions, same)


def test_weights_that_nearly_sum_to_zero_take_away_two_directions():
    """The third singular value is the tolerance of somebody's fit, and its axis means nothing."""
    W = RNG.standard_normal((3, 12))
    W -= W.mean(axis=0)
    noisy = W + 1e-10 * RNG.standard_normal((3, 12))
    exact = LELPTargets(3, random_state=0).fit(H, y, W).directions_
    assert_allclose(LELPTargets(3, random_state=0).fit(H, y, noisy).directions_, exact, atol=1e-6)


def test_too_many_subclasses_are_capped():
    rows = [0, 1, 2, 50, 51, 52, 100, 101, 102]  # three rows of a class vary in two directions
    with pytest.warns(UserWarning, match="n_subclasses=4 was lowered to 2"):
        make = LELPTargets(4, null_space=False).fit(H[rows], y[rows])
    assert make.n_subclasses_ == 2
    with pytest.warns(UserWarning, match="lowered to 1"):  # three classes see all of 3 dimensions
        make = LELPTargets(2).fit(H[:, :3], y, np.eye(3))
    assert_allclose(make.transform(H[:, :3], T), softmax(T, axis=1), rtol=1e-12)


def test_repetition_weighs():
    repeats = RNG.integers(0, 3, 150)
    rows = np.repeat(np.arange(150), repeats)
    weighted = LELPTargets(3, null_space=False, random_state=0).fit(H, y, None, repeats)
    repeated = LELPTargets(3, null_space=False, random_state=0).fit(H[rows], y[rows])
    assert_allclose(weighted.directions_, repeated.directions_, rtol=1e-8, atol=1e-10)


def test_bad_arguments_of_the_targets():
    with pytest.raises(ValueError, match="teacher_output_weights"):
        LELPTargets(2).fit(H, y)
    with pytest.raises(ValueError, match="one column for each dimension"):
        LELPTargets(2).fit(H, y, np.ones((3, 5)))
    with pytest.raises(ValueError, match="n_subclasses"):
        LELPTargets(0)
    with pytest.raises(ValueError, match="beta"):
        LELPTargets(2, beta=-1.0)


def test_classes_are_sums_of_subclasses(mlp):
    model = LELPDistilledClassifier(mlp, 3, prefit=True, tol=1e-3, random_state=0).fit(X, y)
    assert model.coef_.shape == (9, 4) and model.intercept_.shape == (9,)
    Z = (X @ model.coef_.T + model.intercept_).reshape(150, 3, 3)
    classes = logsumexp(Z, axis=2)
    assert_allclose(model.decision_function(X), classes, rtol=1e-9, atol=1e-12)
    assert_allclose(model.predict_log_proba(X), log_softmax(classes, axis=1), rtol=1e-9, atol=1e-9)
    assert_allclose(
        model.predict_proba(X), softmax(Z.reshape(150, 9), axis=1).reshape(150, 3, 3).sum(axis=2)
    )
    assert model.score(X, y) > 0.93


def test_two_classes_have_one_log_odds(mlp):
    two = y < 2
    model = LELPDistilledClassifier(n_subclasses=2, null_space=False, random_state=0)
    model.fit(X[two], y[two], None, T[two, :2], H[two])
    Z = logsumexp((X @ model.coef_.T + model.intercept_).reshape(150, 2, 2), axis=2)
    assert_allclose(model.decision_function(X), Z[:, 1] - Z[:, 0], rtol=1e-9, atol=1e-12)


def test_one_subclass_is_plain_distillation():
    model = LELPDistilledClassifier(n_subclasses=1, null_space=False, alpha=0.01, tol=1e-9)
    model.fit(X, y, None, T, H)
    replicated = LogisticRegression(C=1 / (0.01 * 150), tol=1e-9, max_iter=1000).fit(
        np.tile(X, (3, 1)), np.repeat([0, 1, 2], 150), softmax(T, axis=1).T.ravel()
    )
    assert_allclose(model.coef_, replicated.coef_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "teacher",
    [
        MLPClassifier(8, solver="lbfgs", max_iter=50, tol=1e-1, random_state=0),
        make_pipeline(
            StandardScaler(),
            MLPClassifier(8, solver="lbfgs", max_iter=50, tol=1e-1, random_state=0),
        ),
        make_pipeline(Nystroem(n_components=20, random_state=0), LogisticRegression()),
    ],
    ids=["mlp", "pipeline of an mlp", "pipeline of a linear classifier"],
)
def test_teachers_with_an_embedding(teacher):
    model = LELPDistilledClassifier(teacher, 2, random_state=0, tol=1e-3).fit(X, y)
    assert model.score(X, y) > 0.9
    fitted = clone(teacher).fit(X, y)
    again = LELPDistilledClassifier(fitted, 2, prefit=True, random_state=0, tol=1e-3).fit(X, y)
    assert again.teacher_ is fitted
    assert_allclose(again.coef_, model.coef_)


def test_a_teacher_without_an_embedding_is_refused():
    forest = RandomForestClassifier(5, random_state=0)
    with pytest.raises(ValueError, match="RandomForestClassifier has no embedding"):
        LELPDistilledClassifier(forest).fit(X, y)
    model = LELPDistilledClassifier(forest, 2, null_space=False, random_state=0, tol=1e-3)
    assert model.fit(X, y, teacher_embeddings=H).score(X, y) > 0.8


def test_refusals():
    with pytest.raises(ValueError, match="no teacher_logits and no teacher_embeddings"):
        LELPDistilledClassifier().fit(X, y)
    with pytest.raises(ValueError, match="given no teacher_embeddings;"):
        LELPDistilledClassifier().fit(X, y, teacher_logits=T)
    with pytest.raises(ValueError, match="149 rows, but X has 150"):
        LELPDistilledClassifier().fit(X, y, teacher_logits=T, teacher_embeddings=H[1:])
    with pytest.raises(ValueError, match="set null_space=False"):
        LELPDistilledClassifier().fit(X, y, teacher_logits=T, teacher_embeddings=H)


@pytest.mark.parametrize("routing", [True, False])
def test_side_information_is_split_with_the_rows(routing):
    model = LELPDistilledClassifier(n_subclasses=2, random_state=0, tol=1e-2)
    side = {"teacher_logits": np.eye(3)[y] * 4, "teacher_embeddings": H}
    side["teacher_output_weights"] = RNG.standard_normal((3, 12))
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(model, {"beta": [0.5, 1.0]}, cv=3).fit(X, y, **side)
    assert search.best_score_ > 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_subclasses_help_where_classes_are_few_and_random_ones_do_not():
    """Odd and even digits: two classes of five clusters each. More outputs alone do not help."""
    digits, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:800], order[800:]
    rows, labels, held_out, truth = (
        part for k in (train, test) for part in (digits[k] / 16.0, labels[k] % 2)
    )
    teacher = MLPClassifier((64, 32), max_iter=40, learning_rate_init=3e-3, random_state=0)
    teacher.fit(rows, labels)
    options = {"prefit": True, "alpha": 1e-3, "tol": 1e-3, "random_state": 0}
    plain = LogisticRegression(C=1 / (1e-3 * len(rows)), max_iter=500).fit(rows, labels)
    plain = plain.score(held_out, truth)
    found = LELPDistilledClassifier(teacher, 8, **options).fit(rows, labels)
    noise = np.random.default_rng(0).standard_normal((len(rows), 20))
    control = LELPDistilledClassifier(teacher, 8, null_space=False, **options)
    control.fit(rows, labels, teacher_embeddings=noise)
    assert found.score(held_out, truth) > plain + 0.01
    assert control.score(held_out, truth) < plain + 0.005
