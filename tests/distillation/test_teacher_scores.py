"""What a fitted teacher says, as logits: floors, methods, refused answers, and the warning."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skkd.distillation._teacher import teacher_logits, warn_if_not_log_probabilities
from tests.distillation._recorders import Counter, Scores, floored

X, y = load_iris(return_X_y=True)
LOGISTIC = LogisticRegression(max_iter=500)
TREE = DecisionTreeClassifier(random_state=0)


@pytest.mark.parametrize("floor", [0.0, 1e-300, 1e-12, 0.1])
@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba"])
def test_floor_is_a_mixture_with_the_uniform_distribution(method, floor):
    p = np.array([[1.0, 0.0], [0.25, 0.75], [1e-200, 1.0]])[1 if floor == 0 else 0 :]
    answer = p if method == "predict_proba" else np.log(np.where(p > 0, p, 1.0))
    answer = np.where(p > 0, answer, 0.0 if method == "predict_proba" else -np.inf)
    teacher = Scores(answer, method, classes=(0, 1)).fit(X, y)
    found = teacher_logits(teacher, X[: len(p)], cv="prefit", prob_floor=floor)
    assert np.exp(found) == pytest.approx((1 - floor) * p + floor / 2, rel=1e-12, abs=0.0)
    assert np.array_equal(found.argmax(axis=1), p.argmax(axis=1))


def test_floor_zero_keeps_probabilities_that_round_to_zero():
    answer = np.array([[0.0, -1000.0, -2000.0]])
    teacher = Scores(answer, "predict_log_proba").fit(X, y)
    assert np.array_equal(teacher_logits(teacher, X[:1], cv="prefit", prob_floor=0), answer)
    with pytest.raises(ValueError, match=r"probability 0 for rows .*a prob_floor above 0"):
        teacher_logits(TREE, X, y, cv="refit", prob_floor=0)


def test_auto_takes_the_first_method_there_is():
    logistic = clone(LOGISTIC).fit(X, y)
    assert np.array_equal(
        teacher_logits(logistic, X, cv="prefit"),
        teacher_logits(logistic, X, cv="prefit", method="predict_log_proba"),
    )
    ridge = RidgeClassifier().fit(X, y)
    assert np.array_equal(teacher_logits(ridge, X, cv="prefit"), ridge.decision_function(X))
    scores = teacher_logits(logistic, X, cv="prefit", method="decision_function")
    assert np.array_equal(scores, logistic.decision_function(X))
    proba = Counter().fit(X, y)
    assert teacher_logits(proba, X, cv="prefit") == pytest.approx(floored(proba.predict_proba(X)))


@pytest.mark.parametrize("n_classes", [3, 4])
@pytest.mark.parametrize("wrap", [lambda svc: svc, make_pipeline, lambda m: GridSearchCV(m, {})])
def test_pairwise_scores_are_refused(wrap, n_classes):
    labels = np.where((n_classes == 4) & (np.arange(150) % 4 == 0), 3, y)
    with pytest.raises(ValueError, match=r"each pair .*decision_function_shape='ovr'"):
        teacher_logits(wrap(SVC(decision_function_shape="ovo")), X, labels, cv="refit")
    one_each = teacher_logits(wrap(SVC()), X, labels, cv="refit")
    assert one_each.shape == (150, n_classes)


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (Scores(np.ones((3, 4))), r"shape \(3, 4\), but 3 columns"),
        (Scores(np.ones(3)), r"shape \(3,\), but 3 columns"),
        (Scores(np.ones((3, 2)), "predict_proba"), r"shape \(3, 2\), but 3 columns"),
        (Scores(np.full((3, 3), np.nan)), "NaN or infinity for rows 0, 1, 2"),
        (Scores(np.diag([1, np.nan, 1.0]), "predict_proba"), "gave NaN for row 1"),
        (Scores(np.diag([1, 1, -1.0]), "predict_proba"), "negative numbers for row 2"),
        (Scores(np.ones((3, 3)), "transform"), "does not have one of .*; choose another"),
    ],
)
def test_answers_that_are_no_logits(teacher, message):
    with pytest.raises(ValueError, match=message):
        teacher_logits(teacher.fit(X, y), X[:3], cv="prefit")


@pytest.mark.parametrize("loss", ["kl", "pld", "dkd", "sinkhorn"])
def test_scores_that_are_no_log_probabilities_are_warned_about(loss, recwarn):
    with pytest.warns(UserWarning, match=f"'{loss}' takes the softmax.*LinearSVC.*Calibrated") as w:
        warn_if_not_log_probabilities(LinearSVC().fit(X, y), "auto", loss)
    assert len(w) == 1


def test_no_warning_where_logits_mean_something():
    for loss in ("mse", "binary_kl", "ce"):
        warn_if_not_log_probabilities(LinearSVC().fit(X, y), "auto", loss)
    for teacher in (clone(LOGISTIC).fit(X, y), GaussianNB().fit(X, y)):
        warn_if_not_log_probabilities(teacher, "auto", "kl")
    warn_if_not_log_probabilities(clone(LOGISTIC).fit(X, y), "decision_function", "kl")
