"""Agreement and divergence of students and teachers, in every form they can be given."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit, log_softmax, rel_entr, softmax
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from skkd.metrics import (
    agreement_score,
    agreement_scorer,
    fidelity_scorer,
    kl_fidelity,
    kl_fidelity_scorer,
)

from ._libraries import put

RNG = np.random.default_rng(0)
S, T = RNG.normal(size=(2, 60, 4))
P, Q = softmax(S, axis=1), softmax(T, axis=1)
WEIGHT = RNG.integers(0, 4, size=60)
SAME = S.argmax(axis=1) == T.argmax(axis=1)


# -- agreement -------------------------------------------------------------------------------------


def test_agreement_in_all_forms():
    names = np.array(["a", "b", "c", "d"])
    student, teacher = names[S.argmax(axis=1)], names[T.argmax(axis=1)]
    for one in (S, P, student, student.tolist(), pd.DataFrame(P), pd.Series(student)):
        for other in (T, Q, teacher, teacher.astype(object)):
            assert agreement_score(one, other, labels=names) == SAME.mean()
            assert agreement_score(other, one, labels=names) == SAME.mean()
    assert agreement_score(student, teacher) == SAME.mean()
    assert agreement_score(student, T) == SAME.mean()  # all four labels occur


def test_labels_in_another_order_than_the_columns():
    student = np.array(["x", "y", "z"])[[2, 0, 1]]
    teacher = np.eye(3)
    assert agreement_score(student, teacher, labels=["z", "x", "y"]) == 1.0
    assert agreement_score(student, teacher) == 0.0


def test_agreement_of_integers_and_numbers():
    codes = S.argmax(axis=1)
    assert agreement_score(codes, codes.astype(float)) == 1.0
    assert agreement_score([True, False], [1, 0]) == 1.0


def test_first_of_equal_columns_is_the_prediction():
    assert agreement_score([[0.5, 0.5]], [[0.9, 0.1]]) == 1.0
    assert agreement_score([[0.5, 0.5]], [[0.1, 0.9]]) == 0.0


def test_weights_of_agreement_are_repetitions():
    repeated = np.repeat(np.arange(60), WEIGHT)
    found = agreement_score(S, T, sample_weight=WEIGHT)
    assert found == pytest.approx(SAME[repeated].mean(), rel=1e-14)


@pytest.mark.parametrize(
    ("student", "teacher", "options", "message"),
    [
        ([0.3, 0.7], [0, 1], {}, "student is one column of real numbers"),
        ([0, 1], [0.3, -2.0], {}, "teacher is one column of real numbers"),
        ([0, 1], [[0.3], [0.7]], {}, "teacher has a single column"),
        (S, T[:, :3], {}, "the student has 4 columns and the teacher 3"),
        (S, T[:50], {}, "inconsistent numbers"),
        (S, np.where(np.arange(4) == 2, np.nan, T), {}, "teacher contains NaN"),
        ([0, 1], [[0.2, 0.3, 0.5]] * 2, {}, "student contains 2 classes"),
        ([0, 5], [[0.2, 0.3, 0.5]] * 2, {"labels": [0, 1, 2]}, "student contains \\[5\\]"),
        (["a", "b"], [0, 1], {}, "must use the same names"),
        (S, T, {"sample_weight": -WEIGHT}, "(?i)negative"),
        (S[None], T[None], {}, "student must be of shape"),
    ],
)
def test_what_agreement_refuses(student, teacher, options, message):
    with pytest.raises(ValueError, match=message):
        agreement_score(student, teacher, **options)


# -- divergence ------------------------------------------------------------------------------------


def forms(name, logits):
    """The ways to give the same probabilities."""
    return [
        {f"{name}_logits": logits},
        {f"{name}_logits": logits + 7.0},
        {f"{name}_proba": softmax(logits, axis=1)},
        {f"{name}_proba": pd.DataFrame(softmax(logits, axis=1))},
    ]


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_divergence_in_all_forms(temperature):
    q, p = softmax(T / temperature, axis=1), softmax(S / temperature, axis=1)
    expected = rel_entr(q, p).sum(axis=1).mean()
    for student in forms("student", S):
        for teacher in forms("teacher", T):
            found = kl_fidelity(**student, **teacher, temperature=temperature)
            assert found == pytest.approx(expected, rel=1e-12)


def test_divergence_of_two_classes():
    z, t = S[:, 0], T[:, 0]
    p, q = expit(z), expit(t)
    expected = (rel_entr(q, p) + rel_entr(1 - q, 1 - p)).mean()
    for student in (
        {"student_logits": z},
        {"student_logits": z[:, None]},
        {"student_logits": np.column_stack([-z / 2, z / 2])},
        {"student_proba": p},
        {"student_proba": np.column_stack([1 - p, p])},
    ):
        for teacher in ({"teacher_logits": t}, {"teacher_proba": q[:, None]}):
            assert kl_fidelity(**student, **teacher) == pytest.approx(expected, rel=1e-12)


def test_divergence_of_extremes():
    zero = {"student_proba": [[1.0, 0.0]]}
    assert kl_fidelity(**zero, teacher_proba=[[1.0, 0.0]]) == 0.0
    assert kl_fidelity(**zero, teacher_proba=[[0.9, 0.1]]) == np.inf
    assert kl_fidelity(**zero, teacher_logits=[[3.0, 1.0]], temperature=4.0) == np.inf
    certain = {"teacher_proba": [[1.0, 0.0]]}
    assert kl_fidelity(student_proba=[[0.5, 0.5]], **certain) == pytest.approx(np.log(2))
    far = kl_fidelity(student_logits=[[0.0, 1e4]], teacher_logits=[[1e4, 0.0]])
    assert far == pytest.approx(1e4)
    # A row that does not count may diverge.
    both = {"student_proba": [[1.0, 0.0], [0.5, 0.5]], "teacher_proba": [[0.5, 0.5]] * 2}
    assert kl_fidelity(**both, sample_weight=[0, 1]) == 0.0
    assert kl_fidelity(**both, sample_weight=[1, 1]) == np.inf


def test_divergence_is_not_symmetric():
    assert kl_fidelity(student_logits=S, teacher_logits=T) != pytest.approx(
        kl_fidelity(student_logits=T, teacher_logits=S)
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 30.0))
def test_divergence_is_not_negative(seed, scale):
    logits = scale * np.random.default_rng(seed).normal(size=(5, 3))
    near = logits + 1e-9 * np.arange(3)
    assert kl_fidelity(student_logits=near, teacher_logits=logits) >= 0
    assert kl_fidelity(student_logits=logits, teacher_logits=logits) == 0
    assert kl_fidelity(student_proba=softmax(logits, axis=1), teacher_logits=logits) < 1e-12


def test_weights_of_divergence_are_repetitions():
    rows = np.repeat(np.arange(60), WEIGHT)
    found = kl_fidelity(student_logits=S, teacher_logits=T, sample_weight=WEIGHT)
    repeated = kl_fidelity(student_logits=S[rows], teacher_logits=T[rows])
    assert found == pytest.approx(repeated, rel=1e-13)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"student_logits": S}, "either teacher_proba or teacher_logits, got neither"),
        (
            {"student_logits": S, "student_proba": P, "teacher_logits": T},
            "either student_proba or student_logits, got both",
        ),
        ({"student_proba": S, "teacher_proba": Q}, "student_proba must hold probabilities"),
        ({"student_proba": P * 1.01, "teacher_proba": Q}, "sum to 1"),
        (
            {"student_logits": S, "teacher_logits": log_softmax([[0.0, -np.inf]] * 60, axis=1)},
            "inf",
        ),
        ({"student_logits": S, "teacher_logits": T[:, :2]}, "4 columns and the teacher 2"),
        ({"student_logits": S, "teacher_logits": T[:20]}, "inconsistent numbers"),
        ({"student_logits": S, "teacher_logits": T, "temperature": 0.0}, "temperature"),
    ],
)
def test_what_divergence_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        kl_fidelity(**given)


# -- array libraries -------------------------------------------------------------------------------


@pytest.mark.parametrize("dispatch", [False, True])
@pytest.mark.parametrize("library", ["torch", "strict"])
def test_array_libraries(library, dispatch):
    expected = kl_fidelity(student_logits=S, teacher_proba=Q, sample_weight=WEIGHT)
    s, q, weight = (put(library, x) for x in (S, Q, WEIGHT))
    with config_context(array_api_dispatch=dispatch):
        assert agreement_score(s, q) == agreement_score(s, Q) == agreement_score(S, q)
        assert agreement_score(s, q) == SAME.mean()
        for student in (s, S):
            for teacher in (q, Q):
                for weights in (weight, WEIGHT):
                    found = kl_fidelity(
                        student_logits=student, teacher_proba=teacher, sample_weight=weights
                    )
                    assert type(found) is float
                    assert found == pytest.approx(expected, rel=1e-13)
        single = kl_fidelity(student_logits=put(library, S.astype(np.float32)), teacher_proba=q)
        assert single == pytest.approx(kl_fidelity(student_logits=S, teacher_proba=Q), rel=1e-5)


# -- scorers ---------------------------------------------------------------------------------------

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
NAMES = np.array(["a", "b", "c"])[Y]
TEACHER = GaussianNB().fit(X, NAMES)
LOGITS = TEACHER.predict_log_proba(X)
CV = KFold(4, shuffle=True, random_state=0)
MODEL = LogisticRegression()


def folds(metric):
    """What the scorers should give, fold by fold."""
    scores = []
    for train, test in CV.split(X):
        proba = MODEL.fit(X[train], NAMES[train]).predict_proba(X[test])
        if metric == "agreement":
            scores.append(agreement_score(proba, LOGITS[test]))
        else:
            scores.append(-kl_fidelity(student_proba=proba, teacher_logits=LOGITS[test]))
    return scores


ROUTED = {"agreement": agreement_scorer, "kl": kl_fidelity_scorer}


@pytest.mark.parametrize("metric", ROUTED)
def test_scorers_receive_their_part_of_the_teacher_logits(metric):
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            MODEL, X, NAMES, scoring=ROUTED[metric], cv=CV, params={"teacher_logits": LOGITS}
        )
        assert_allclose(scores, folds(metric))
        search = GridSearchCV(MODEL, {"C": [1.0]}, scoring=ROUTED, refit=metric, cv=CV)
        search.fit(X, NAMES, teacher_logits=LOGITS)
    assert search.best_score_ == pytest.approx(np.mean(folds(metric)))


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("metric", ROUTED)
def test_scorer_with_a_teacher_needs_no_routing(metric, routing):
    scorer = fidelity_scorer(TEACHER, metric=metric)
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(MODEL, X, NAMES, scoring=scorer, cv=CV)
        assert_allclose(scores, folds(metric))
        search = GridSearchCV(MODEL, {"C": [1.0]}, scoring=scorer, cv=CV).fit(X, NAMES)
    assert search.best_score_ == pytest.approx(np.mean(folds(metric)))


def test_scorers_of_two_classes():
    rows = Y < 2
    X2, names = X[rows, :1], NAMES[rows]
    student, teacher = MODEL.fit(X2, names), GaussianNB(priors=[0.99, 0.01]).fit(X2, names)
    difference = np.diff(teacher.predict_log_proba(X2), axis=1)
    same = np.mean(student.predict(X2) == teacher.predict(X2))
    with config_context(enable_metadata_routing=True):
        for logits in (difference, difference[:, 0], teacher.predict_log_proba(X2)):
            assert agreement_scorer(student, X2, names, teacher_logits=logits) == same
    assert fidelity_scorer(teacher)(student, X2) == same
    assert 0 < same < 1


def test_teacher_with_classes_in_another_order():
    class Reordered:
        classes_ = TEACHER.classes_[[2, 0, 1]]

        def predict_proba(self, X):
            return TEACHER.predict_proba(X)[:, [2, 0, 1]]

    student = MODEL.fit(X, NAMES)
    for metric in ROUTED:
        found = fidelity_scorer(Reordered(), metric=metric)(student, X)
        assert found == fidelity_scorer(TEACHER, metric=metric)(student, X)


def test_scorer_with_a_teacher_weighs_and_can_be_pickled():
    student, weight = MODEL.fit(X, NAMES), np.arange(150) % 3
    scorer = pickle.loads(pickle.dumps(fidelity_scorer(TEACHER, metric="kl")))
    expected = kl_fidelity(
        student_proba=student.predict_proba(X), teacher_logits=LOGITS, sample_weight=weight
    )
    found = scorer(student, X, sample_weight=weight)
    assert found == pytest.approx(-expected)
    assert "metric='kl'" in repr(scorer)


def test_what_scorers_refuse():
    student = MODEL.fit(X, NAMES)
    with pytest.raises(ValueError, match="no teacher_logits reached the scorer"):
        agreement_scorer(student, X, NAMES)
    with pytest.raises(ValueError, match="the student knows the classes"):
        fidelity_scorer(GaussianNB().fit(X, Y))(student, X)
    with pytest.raises(ValueError, match="metric='rank'; allowed are"):
        fidelity_scorer(TEACHER, metric="rank")
