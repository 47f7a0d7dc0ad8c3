"""Logits of teachers: cross-fitting, the order of classes, floors, weights and kinds of data."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skkd._backend import to_numpy
from skkd.distillation._teacher import (
    fit_teacher,
    teacher_logits,
)
from skkd.linear_model import LogisticRegressionGD
from tests.distillation._recorders import Counter, Scores, Weightless, floored

SORTED_X, SORTED_Y = load_iris(return_X_y=True)
SHUFFLE = np.random.RandomState(0).permutation(150)
X, y = SORTED_X[SHUFFLE], SORTED_Y[SHUFFLE]
NAMES = load_iris().target_names.astype(str)
LOGISTIC = LogisticRegression(max_iter=500)
TREE = DecisionTreeClassifier(random_state=0)


@pytest.fixture
def torch():
    """PyTorch on one thread: waking more costs more than the work on these few rows."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


@pytest.fixture(params=["torch", "strict"])
def rows(request):
    """Rows, labels and their floating point type in another library."""
    if request.param == "torch":
        torch = request.getfixturevalue("torch")
        return torch.asarray(X), torch.asarray(y), torch.float64
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device("device1")
    return strict.asarray(X, device=device), strict.asarray(y, device=device), strict.float64


# Folds


@pytest.mark.parametrize("cv", [3, KFold(4, shuffle=True, random_state=1)], ids=str)
@pytest.mark.parametrize("teacher", [GaussianNB(), TREE], ids=repr)
def test_logits_are_those_of_scikit_learns_out_of_fold_answers(teacher, cv):
    expected = floored(cross_val_predict(teacher, X, y, cv=cv, method="predict_proba"))
    assert teacher_logits(teacher, X, y, cv=cv) == pytest.approx(expected, rel=1e-9)
    given = list((StratifiedKFold(3) if cv == 3 else cv).split(X, y))
    assert teacher_logits(teacher, X, y, cv=given) == pytest.approx(expected, rel=1e-9)
    assert teacher_logits(teacher, X, y, cv=iter(given)) == pytest.approx(expected, rel=1e-9)


def test_no_teacher_has_seen_its_rows():
    X = np.arange(40.0)[:, None]
    memory = KNeighborsClassifier(1)  # says the label of the row itself if it can
    y = np.tile([0, 1], 20)  # its neighbours have the other one
    assert np.array_equal(teacher_logits(memory, X, y, cv="refit").argmax(axis=1), y)
    leave_one_out = [(np.delete(np.arange(40), i), np.array([i])) for i in range(40)]
    assert np.array_equal(teacher_logits(memory, X, y, cv=leave_one_out).argmax(axis=1), 1 - y)


def test_refit_is_in_sample_and_returns_its_teacher():
    logits, fitted = fit_teacher(GaussianNB(), X, y, cv="refit")
    expected = GaussianNB().fit(X, y)
    assert logits == pytest.approx(floored(expected.predict_proba(X)), rel=1e-9)
    assert np.array_equal(fitted.theta_, expected.theta_)


def test_prefit_leaves_the_teacher_alone_and_needs_no_labels():
    teacher = GaussianNB().fit(X[:100], y[:100])
    logits, fitted = fit_teacher(teacher, X, cv="prefit")
    assert fitted is teacher
    assert logits == pytest.approx(floored(teacher.predict_proba(X)), rel=1e-9)
    frozen = teacher_logits(FrozenEstimator(teacher), X, y, cv=3, sample_weight=1.0 + y)
    assert np.array_equal(frozen, logits)


def test_the_teacher_that_is_given_is_not_fitted():
    teacher = GaussianNB()
    _, fitted = fit_teacher(teacher, X, y, cv=3)
    assert not hasattr(teacher, "classes_")
    assert np.array_equal(fitted.theta_, GaussianNB().fit(X, y).theta_)
    assert fit_teacher(teacher, X, y, cv=3, keep_teacher=False)[1] is None


def test_the_number_of_processes_changes_nothing():
    for seed in (0, np.random.RandomState(0)):
        forest = RandomForestClassifier(3, random_state=seed)
        found = [teacher_logits(forest, X, y, cv=3, n_jobs=n) for n in (None, 2)]
        assert np.array_equal(*found)


# Rows that do not teach


def test_unlabelled_rows_get_the_teacher_of_all_labelled_rows():
    unlabeled = np.arange(150) % 3 == 0
    labels = np.where(unlabeled, -1, y)
    logits, fitted = fit_teacher(GaussianNB(), X, labels, cv=5, unlabeled=unlabeled)
    known = ~unlabeled
    full = GaussianNB().fit(X[known], y[known])
    assert np.array_equal(fitted.classes_, [0, 1, 2])
    assert logits[unlabeled] == pytest.approx(floored(full.predict_proba(X[unlabeled])), rel=1e-9)
    assert np.array_equal(logits[known], teacher_logits(GaussianNB(), X[known], y[known], cv=5))
    same, none = fit_teacher(GaussianNB(), X, labels, cv=5, unlabeled=unlabeled, keep_teacher=False)
    assert none is None
    assert np.array_equal(same, logits)


@pytest.mark.parametrize("cv", [3, KFold(3), "refit"], ids=str)
def test_zero_weight_is_removal_and_still_answered(cv):
    weight = (np.arange(150) % 4).astype(float)
    gone = weight == 0
    labels = np.where(gone, 7, y)  # a class that only absent rows have is no class
    logits, fitted = fit_teacher(TREE, X, labels, cv=cv, sample_weight=weight)
    alone = teacher_logits(TREE, X[~gone], y[~gone], cv=cv, sample_weight=weight[~gone])
    assert np.array_equal(logits[~gone], alone)
    assert np.array_equal(fitted.classes_, [0, 1, 2])
    assert logits[gone] == pytest.approx(floored(fitted.predict_proba(X[gone])), rel=1e-9)


def test_a_list_of_splits_may_name_rows_that_do_not_teach():
    weight = np.where(np.arange(150) % 5 == 0, 0.0, 1.0)
    gone = weight == 0
    splits = list(StratifiedKFold(3).split(X, y))
    logits, fitted = fit_teacher(TREE, X, y, cv=splits, sample_weight=weight)
    for train, test in splits:
        train, test = train[~gone[train]], test[~gone[test]]
        expected = clone(TREE).fit(X[train], y[train]).predict_proba(X[test])
        assert logits[test] == pytest.approx(floored(expected), rel=1e-9)
    assert logits[gone] == pytest.approx(floored(fitted.predict_proba(X[gone])), rel=1e-9)


# Weights and other arguments of fit


@pytest.mark.parametrize(
    "teacher",
    [
        DecisionTreeClassifier(max_depth=2, random_state=0),
        LogisticRegression(solver="newton-cholesky", tol=1e-10),
    ],
    ids=repr,
)
def test_integer_weights_are_repetition_in_refit_mode(teacher):
    weight = np.random.RandomState(0).randint(0, 4, 150)
    times = np.repeat(np.arange(150), weight)
    weighted, _ = fit_teacher(teacher, X, y, cv="refit", sample_weight=weight)
    repeated, _ = fit_teacher(teacher, X[times], y[times], cv="refit")
    assert weighted[times] == pytest.approx(repeated, abs=1e-8)
    assert np.abs(weighted - fit_teacher(teacher, X, y, cv="refit")[0]).max() > 0.01


@pytest.mark.parametrize("cv", [3, "refit"])
def test_raw_weights_of_the_fold_reach_the_teacher(cv):
    weight = np.random.RandomState(0).uniform(1.0, 9.0, 150)
    found = teacher_logits(Counter(), X, y, cv=cv, sample_weight=weight)
    everything = np.arange(150)
    folds = StratifiedKFold(3).split(X, y) if cv == 3 else [(everything, everything)]
    for train, test in folds:
        shares = np.bincount(y[train], weights=weight[train]) / weight[train].sum()
        assert found[test] == pytest.approx(np.tile(floored(shares[None]), (test.size, 1)))
    _, fitted = fit_teacher(Counter(), X, y, cv=cv, sample_weight=weight)
    assert np.array_equal(fitted.weight_, weight)  # neither scaled nor multiplied


def nested(last):
    return make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), last))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda last: make_pipeline(StandardScaler(), last),
        nested,
        lambda last: GridSearchCV(nested(last), {}, cv=2),
    ],
    ids=["pipeline", "nested", "search"],
)
def test_weights_reach_the_last_step(wrap):
    weight = 1.0 + y
    plain = teacher_logits(Counter(), X, y, cv=3, sample_weight=weight)
    assert np.array_equal(teacher_logits(wrap(Counter()), X, y, cv=3, sample_weight=weight), plain)
    with pytest.raises(ValueError, match=r"cannot take it.*cv='prefit'"):
        teacher_logits(wrap(Weightless()), X, y, cv=3, sample_weight=weight)


def test_weights_of_a_pipeline_under_metadata_routing():
    weight = 1.0 + y
    plain = teacher_logits(Counter(), X, y, cv=3, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), Counter())
        with pytest.raises(ValueError, match=r"set_fit_request\(sample_weight=True\)"):
            teacher_logits(pipe, X, y, cv=3, sample_weight=weight)
        pipe[-1].set_fit_request(sample_weight=True)
        assert np.array_equal(teacher_logits(pipe, X, y, cv=3, sample_weight=weight), plain)
        assert np.array_equal(teacher_logits(Counter(), X, y, cv=3, sample_weight=weight), plain)


def test_a_teacher_without_weights():
    with pytest.raises(ValueError, match=r"Weightless cannot take it; use a teacher whose fit"):
        teacher_logits(Weightless(), X, y, sample_weight=1.0 + y)
    # Zeros and ones only say which rows are there, and that any teacher can be told.
    there = (np.arange(150) % 2).astype(float)
    found = teacher_logits(Weightless(), X, y, sample_weight=there)
    assert np.array_equal(found, teacher_logits(Counter(), X, y, sample_weight=there))


def test_other_arguments_of_fit_are_split_with_the_rows():
    _, fitted = fit_teacher(Counter(), X, y, cv="refit", params={"tag": "as it is"})
    assert fitted.tag_ == "as it is"
    unlabeled = np.arange(150) < 30
    tag = np.arange(150)
    _, fitted = fit_teacher(Counter(), X, y, cv=3, unlabeled=unlabeled, params={"tag": tag})
    assert np.array_equal(fitted.tag_, tag[30:])
    with pytest.raises(ValueError, match="given twice"):
        teacher_logits(
            Counter(), X, y, sample_weight=np.ones(150), params={"sample_weight": np.ones(150)}
        )


# Classes


@pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
def test_columns_follow_the_classes(method):
    answer = np.random.RandomState(0).dirichlet([1.0, 2.0, 3.0], 150)
    shuffled = Scores(answer[:, [2, 0, 1]], method, classes=(2, 0, 1)).fit(X, y)
    expected = floored(answer) if method == "predict_proba" else answer
    found = teacher_logits(shuffled, X, cv="prefit", classes=[0, 1, 2])
    assert found == pytest.approx(expected, rel=1e-12)
    backward = teacher_logits(shuffled, X, cv="prefit", classes=[2, 1, 0])
    assert np.array_equal(backward, found[:, ::-1])
    own = teacher_logits(shuffled, X, cv="prefit")  # the order of the teacher
    assert np.array_equal(own, found[:, [2, 0, 1]])


def test_a_teacher_fitted_here_may_permute_its_classes():
    straight, turned = (teacher_logits(Counter(order), X, y + (y > 1)) for order in (1, -1))
    assert np.array_equal(straight, turned)


@pytest.mark.parametrize("order", [1, -1])
def test_log_odds_of_two_classes(order):
    d = np.linspace(-3, 3, 150)
    teacher = Scores(d, classes=(0, 1)[::order]).fit(X, y > 0)
    for answer in (d, d[:, None]):
        teacher.answer = answer
        found = teacher_logits(teacher, X, cv="prefit", classes=[0, 1])
        assert np.array_equal(found, order * np.stack([-d / 2, d / 2], axis=1))


@pytest.mark.parametrize("as_labels", [np.array, list, lambda a: np.array(a, dtype=object)])
def test_words_for_labels(as_labels):
    words = as_labels(NAMES[y].tolist())
    logits, fitted = fit_teacher(GaussianNB(), X, words, cv=3)
    assert np.array_equal(logits, teacher_logits(GaussianNB(), X, y, cv=3))
    assert fitted.classes_.tolist() == NAMES.tolist()


def test_classes_of_the_teacher_that_are_not_ours():
    teacher = GaussianNB().fit(X, np.array([0, 1, 5])[y])
    with pytest.raises(ValueError, match=r"missing 2 and beyond them 5\. Expected 0, 1, 2"):
        teacher_logits(teacher, X, cv="prefit", classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"missing 2\. Expected"):
        teacher_logits(GaussianNB().fit(X, y > 0), X, cv="prefit", classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"student: beyond them 2\. Expected"):
        teacher_logits(GaussianNB().fit(X, y), X, cv="prefit", classes=[0, 1])


def test_classes_that_are_given_must_be_those_of_y():
    with pytest.raises(ValueError, match=r"classes must name every label of y once.*0, 1 and"):
        teacher_logits(GaussianNB(), X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="every label of y once"):
        teacher_logits(GaussianNB(), X, y, classes=[0, 1, 2, 2])
    with pytest.raises(ValueError, match=r"of class 9, so the teacher would not know it"):
        teacher_logits(GaussianNB(), X, y, cv="refit", classes=[0, 1, 2, 9])


def test_a_class_missing_in_a_fold_is_named():
    with pytest.raises(ValueError, match=r"fold 0 of the splitter KFold.* class 0.*Use stratified"):
        teacher_logits(GaussianNB(), SORTED_X, SORTED_Y, cv=KFold(3))
    words = NAMES[SORTED_Y]
    splits = list(KFold(3).split(X))
    with pytest.raises(ValueError, match=r"fold 0 of the list.* class 'setosa'"):
        teacher_logits(GaussianNB(), SORTED_X, words, cv=splits)
    weight = np.where((SORTED_Y == 0) & (np.arange(150) >= 3), 0.0, 1.0)
    with pytest.raises(ValueError, match=r"class 'setosa' has 3 labelled rows .*Use cv=3, cv='ref"):
        teacher_logits(GaussianNB(), SORTED_X, words, cv=5, sample_weight=weight)
    unlabeled = (SORTED_Y == 2) & (np.arange(150) < 149)
    with pytest.raises(ValueError, match=r"class 2 has 1 labelled row .*Use cv='refit'"):
        fit_teacher(GaussianNB(), SORTED_X, SORTED_Y, unlabeled=unlabeled)


# Wrong arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cv": 1}, "at least 2.*got 1"),
        ({"cv": True}, "got True"),
        ({"cv": "loo"}, "got 'loo'"),
        ({"cv": None}, "got None"),
        ({"cv": 2.5}, "got 2.5"),
        ({"method": "predict"}, "'auto', .*got 'predict'"),
        ({"method": "decision_function"}, "does not have decision_function; ask for 'predict_log"),
        ({"prob_floor": 1.0}, "below 1, got 1.0"),
        ({"prob_floor": np.nan}, "got nan"),
        ({"prob_floor": None}, "got None"),
        ({"y": None}, "y is None"),
        ({"y": y[:9]}, r"the 150 rows of X, got an array of shape \(9,\)"),
        ({"sample_weight": np.zeros(150)}, "at least one non-zero"),
        ({"unlabeled": np.ones(150, bool)}, "no row has a label and a positive weight"),
        ({"sample_weight": -np.ones(150)}, "[Nn]egative values"),
        ({"y": X[:, 0] + 0.123}, "Unknown label type"),
        ({"teacher": "a forest"}, "must be a classifier with a method fit, got 'a forest'"),
        ({"teacher": LinearRegression()}, "LinearRegression has no classes_"),
        ({"cv": ShuffleSplit(3, random_state=0)}, "in none and rows .* in more than one"),
        ({"cv": GroupKFold(3)}, r"could not split.*groups.*list\(splitter\.split"),
        ({"cv": [np.arange(3)]}, r"cv\[0\] must be a pair"),
        ({"cv": [(np.arange(3), np.ones(150, bool))]}, "flatnonzero"),
        ({"cv": [(np.arange(3), [150])]}, "0..149, got 150 to 150.*give a splitter"),
        ({"cv": [(np.arange(150), [3])]}, "tests on rows that it trains on: 3"),
        ({"cv": list(KFold(3).split(X))[:2]}, r"rows 100, 101, .* and 45 more are in none"),
        ({"cv": []}, "145 more are in none"),
        ({"unlabeled": np.ones(3)}, "mask of 150 booleans"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_arguments(options, message):
    options = {"teacher": GaussianNB(), "X": X, "y": y, **options}
    with pytest.raises(ValueError, match=message):
        fit_teacher(**options)


def test_prefit_needs_a_fitted_classifier_of_one_output():
    with pytest.raises(NotFittedError, match="it is not fitted, or is no classifier. Fit it first"):
        teacher_logits(GaussianNB(), X, cv="prefit")
    several = clone(TREE).fit(X, np.stack([y, y > 0], axis=1))
    with pytest.raises(ValueError, match="several lists of classes, one per output"):
        teacher_logits(several, X, cv="prefit")


# Kinds of data


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
@pytest.mark.parametrize("cv", [3, "refit"])
def test_sparse_rows(kind, cv):
    counts = np.floor(X)
    found = teacher_logits(MultinomialNB(), kind(counts), y, cv=cv)
    assert found == pytest.approx(teacher_logits(MultinomialNB(), counts, y, cv=cv), rel=1e-12)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_reach_the_teacher_as_frames(library):
    frames = pytest.importorskip(library)
    columns = {"length": X[:, 2], "colour": np.where(X[:, 3] > 1.5, "red", "blue")}
    frame = frames.DataFrame(columns)
    steps = make_column_transformer(
        (StandardScaler(), ["length"]), (OneHotEncoder(), ["colour"]), remainder="drop"
    )
    unlabeled = np.arange(150) < 20
    labels = frames.Series(NAMES[y].tolist())
    logits, fitted = fit_teacher(
        make_pipeline(steps, LogisticRegression()), frame, labels, cv=3, unlabeled=unlabeled
    )
    assert fitted.feature_names_in_.tolist() == ["length", "colour"]
    plain = np.column_stack([X[:, 2], X[:, 3] > 1.5, X[:, 3] <= 1.5])
    steps = make_column_transformer((StandardScaler(), [0]), ("passthrough", [2, 1]))
    expected, _ = fit_teacher(
        make_pipeline(steps, LogisticRegression()), plain, y, cv=3, unlabeled=unlabeled
    )
    assert logits == pytest.approx(expected, abs=1e-6)
    assert logits.dtype == np.float64


def test_lists_of_texts():
    texts, labels = ["good fine", "bad", "fine", "bad awful"] * 5, [1, 0] * 10
    found = teacher_logits(make_pipeline(CountVectorizer(), MultinomialNB()), texts, labels)
    assert np.array_equal(found.argmax(axis=1), labels)


def test_single_precision_stays():
    found = teacher_logits(GaussianNB(), X.astype(np.float32), y)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert teacher_logits(GaussianNB(), (10 * X).astype(int), y).dtype == np.float64


@pytest.mark.parametrize(
    "teacher", [GaussianNB(), TREE, LogisticRegressionGD(max_iter=5, stop="max_iter")], ids=repr
)
def test_arrays_of_other_libraries(rows, teacher):
    Xd, yd, dtype = rows
    weight = 1.0 + y
    expected = teacher_logits(teacher, X, y, cv=3, sample_weight=weight)
    with config_context(array_api_dispatch=True):
        for labels in (yd, y, NAMES[y]):
            found = teacher_logits(teacher, Xd, labels, cv=3, sample_weight=weight)
            assert type(found) is type(Xd)
            assert (found.dtype, found.device) == (dtype, Xd.device)
            assert to_numpy(found) == pytest.approx(expected, rel=1e-6)


def test_a_teacher_that_knows_device_arrays_gets_them(torch):
    with config_context(array_api_dispatch=True):
        able, host = LogisticRegressionGD(max_iter=5, stop="max_iter"), Counter()
        _, fitted = fit_teacher(able, torch.asarray(X), torch.asarray(y), cv="refit")
        assert isinstance(fitted.coef_, torch.Tensor)
        _, fitted = fit_teacher(host, torch.asarray(X), torch.asarray(y), cv="refit")
        assert isinstance(fitted.X_, np.ndarray)


def test_torch_without_dispatch_gives_numpy(torch):
    found = teacher_logits(GaussianNB(), torch.asarray(X), torch.asarray(y))
    assert np.array_equal(found, teacher_logits(GaussianNB(), X, y))
