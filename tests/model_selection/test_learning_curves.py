"""Learning curves are paired, fair and reproducible."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils._param_validation import InvalidParameterError

from skkd.naive_bayes import SharedVarianceGaussianNB

from ._recorder import IRIS, PAIR, SPECIES, Log, Recorder, compare, numbered_rows


def recorded(n_samples=60, **options):
    """Log of a comparison of two recorders, in the order size, repeat, estimator."""
    X, y = numbered_rows(n_samples)
    log = Log()
    curves = compare({"a": Recorder(1), "b": Recorder(2)}, X, y, scoring=log, **options)
    return X, y, log, curves


def row_numbers(X):
    return X[:, 0].astype(int)


# What is drawn


@pytest.mark.parametrize("options", [{}, {"test_size": 20}, {"nested": True}, {"stratify": True}])
def test_estimators_see_the_same_rows(options):
    X, y, log, curves = recorded(**options)
    assert curves.test_scores.shape == (2, 2, 5)
    assert [entry[0].tag for entry in log] == [1, 2] * 10
    for (one, X_one, y_one), (two, X_two, y_two) in zip(log[::2], log[1::2], strict=True):
        assert_array_equal(one.X_, two.X_)
        assert_array_equal(X_one, X_two)
        assert_array_equal(y_one, y_two)
        train, test = row_numbers(one.X_), row_numbers(X_one)
        assert not set(train) & set(test)
        assert_array_equal(one.y_, y[train])
        assert_array_equal(y_one, y[test])
        assert len(set(train)) == len(train)
    assert [len(one.y_) for one, _, _ in log] == [12] * 10 + [30] * 10


def test_scores_land_where_they_belong():
    _, _, log, curves = recorded(n_repeats=3)
    # The k-th call of the log scores k: sizes outermost, then repeats, then estimators.
    assert_array_equal(curves.test_scores, np.arange(1.0, 13.0).reshape(2, 3, 2).transpose(2, 0, 1))
    assert len(log) == 12


def test_rest_is_tested_on_by_default():
    _, _, log, _ = recorded()
    for one, X_test, _ in log:
        assert sorted([*row_numbers(one.X_), *row_numbers(X_test)]) == list(range(60))


@pytest.mark.parametrize(("test_size", "n_test"), [(0.25, 15), (0.24, 15), (20, 20)])
def test_test_set_is_one_for_a_repeat(test_size, n_test):
    _, _, log, _ = recorded(test_size=test_size, n_repeats=3)
    tests = [set(row_numbers(X_test)) for _, X_test, _ in log[::2]]
    assert [len(test) for test in tests] == [n_test] * 6
    assert tests[:3] == tests[3:]
    assert tests[0] != tests[1]


def test_test_size_is_that_of_train_test_split():
    """The first split of a repeat is train_test_split with the seed of the repeat."""
    X, y, log, _ = recorded(test_size=0.3, n_repeats=2, random_state=7)
    seeds = np.random.RandomState(7).randint(np.iinfo(np.int32).max, size=2)
    for seed, (_, X_test, y_test) in zip(seeds, log[:4:2], strict=True):
        _, X_expected, _, y_expected = train_test_split(X, y, test_size=0.3, random_state=seed)
        assert_array_equal(X_test, X_expected)
        assert_array_equal(y_test, y_expected)


def test_own_test_set_leaves_all_rows_to_draw_from():
    X, y = numbered_rows(30)
    log = Log()
    X_test, y_test = -X[:7], y[:7]
    compare({"a": Recorder()}, X, y, train_sizes=[30], X_test=X_test, y_test=y_test, scoring=log)
    for one, X_seen, y_seen in log:
        assert sorted(row_numbers(one.X_)) == list(range(30))
        assert_array_equal(X_seen, X_test)
        assert_array_equal(y_seen, y_test)


@pytest.mark.parametrize("stratify", [False, True])
def test_nested_subsets_contain_each_other(stratify):
    options = {"train_sizes": [5, 9, 20, 40], "n_repeats": 4, "test_size": 15}
    curves = recorded(nested=True, stratify=stratify, return_indices=True, **options)[3]
    free = recorded(nested=False, stratify=stratify, return_indices=True, **options)[3]

    def chains(splits):
        trains = [[set(train.tolist()) for train, _ in row] for row in splits.values()]
        return [
            all(s < t for s, t in zip(c, c[1:], strict=False)) for c in zip(*trains, strict=True)
        ]

    assert all(chains(curves.splits))
    assert not any(chains(free.splits))


@pytest.mark.parametrize("nested", [False, True])
def test_strata(nested):
    y = np.repeat(["a", "b", "c"], [100, 60, 40])
    X = np.arange(200.0)[:, None]
    curves = compare(
        {"a": Recorder()},
        X,
        y,
        train_sizes=[10, 25, 50, 100],
        n_repeats=10,
        test_size=40,
        stratify=True,
        nested=nested,
        return_indices=True,
    )
    for size, row in curves.splits.items():
        for train, test in row:
            counts = [np.sum(y[train] == name) for name in "abc"]
            assert_allclose(counts, size * np.array([0.5, 0.3, 0.2]), rtol=0, atol=1.5)
            assert [np.sum(y[test] == name) for name in "abc"] == [20, 12, 8]


def test_small_strata_are_drawn_by_chance():
    """Half a sample of a class is none or one, each about half of the time."""
    y = np.repeat([0, 1], [90, 10])
    options = {"stratify": True, "require_all_classes": False, "return_indices": True}
    curves = compare(
        {"a": Recorder()}, np.zeros((100, 1)), y, train_sizes=[5], n_repeats=400, **options
    )
    counts = [int(y[train].sum()) for train, _ in curves.splits[5]]
    assert set(counts) == {0, 1}
    assert abs(np.mean(counts) - 0.5) < 4 * 0.5 / np.sqrt(400)


def test_subsets_without_strata_are_uniform():
    """Each row is drawn as often as any other, within the bounds of chance."""
    X, y = numbered_rows(20, n_classes=2)
    curves = compare({"a": Recorder()}, X, y, train_sizes=[10], n_repeats=2000, return_indices=True)
    counts = np.bincount(np.concatenate([train for train, _ in curves.splits[10]]), minlength=20)
    assert np.abs(counts - 1000).max() < 4.5 * np.sqrt(500)


# Classes that are missing


def test_redraws_until_all_classes_occur():
    y = np.array([0] * 50 + [1] * 8)
    X = np.arange(58.0)[:, None]
    options = {"train_sizes": [4, 20], "n_repeats": 30, "return_indices": True}
    curves = compare({"a": Recorder()}, X, y, **options)
    assert all(set(y[train]) == {0, 1} for row in curves.splits.values() for train, _ in row)
    # A subset of 4 lacks class 1 with probability 0.54: some draws had to be made again.
    assert curves.n_redraws.shape == (2, 30)
    assert 15 < curves.n_redraws[0].sum() < 60
    free = compare({"a": Recorder()}, X, y, require_all_classes=False, **options)
    assert any(set(y[train]) == {0} for train, _ in free.splits[4])
    assert free.n_redraws.sum() == 0


def test_test_set_never_takes_a_whole_class():
    y = np.array([0] * 20 + [1] * 2)
    X = np.arange(22.0)[:, None]
    curves = compare(
        {"a": Recorder()}, X, y, train_sizes=[10], n_repeats=40, test_size=11, return_indices=True
    )
    assert all({20, 21} - set(test.tolist()) for _, test in curves.splits[10])


def test_error_names_the_class_that_was_missing():
    y = np.array(["common"] * 5000 + ["usual"] * 5000 + ["rare"])
    with pytest.raises(ValueError, match="in 3 draws no 3 samples held all 3 classes") as caught:
        compare({"a": Recorder()}, np.zeros((10001, 1)), y, train_sizes=[3], max_redraws=2)
    for part in ("class rare, 1 of 10001 samples", "missing in 3", "require_all_classes=False"):
        assert part in str(caught.value)


def test_a_pool_without_a_class():
    y = np.array([0] * 50 + [1])
    with pytest.raises(ValueError, match="no pool beside n_test=40 held all 2 classes; class 1"):
        compare(
            {"a": Recorder()}, np.zeros((51, 1)), y, train_sizes=[5], test_size=40, max_redraws=0
        )


# Scaling, scores, risks


class Spy(TransformerMixin, BaseEstimator):
    """Identity that notes what it is fitted on."""

    fitted_on = []

    def fit(self, X, y=None):
        Spy.fitted_on.append((X, y))
        return self

    def transform(self, X):
        return X + len(Spy.fitted_on)


def test_scaler_sees_the_subset_only():
    Spy.fitted_on.clear()
    scaler = Spy()
    X, y, log, _ = recorded(scaler=scaler, test_size=20)
    assert len(Spy.fitted_on) == 10  # once for both estimators
    for count, ((rows, labels), (one, X_test, _)) in enumerate(
        zip(Spy.fitted_on, log[::2], strict=True), 1
    ):
        assert_array_equal(one.X_, rows + count)
        assert_array_equal(labels, one.y_)
        assert_array_equal(rows, X[row_numbers(rows)])
        assert len(rows) == len(one.y_) < 60 - len(X_test)
        assert_allclose(X_test - count, X[row_numbers(X_test - count)], atol=1e-13)


def test_scaler_is_that_of_a_pipeline():
    scaled = compare(PAIR, scaler=StandardScaler(), return_indices=True)
    pipelines = {k: Pipeline([("s", StandardScaler()), ("e", v)]) for k, v in PAIR.items()}
    again = compare(pipelines, splits=scaled.splits)
    assert_array_equal(scaled.test_scores, again.test_scores)


def test_scaler_and_estimators_stay_unfitted():
    scaler, estimator = MinMaxScaler(), GaussianNB()
    compare({"nb": estimator}, scaler=scaler)
    assert not hasattr(scaler, "scale_") and not hasattr(estimator, "theta_")


def test_error_is_one_minus_accuracy():
    curves = compare(return_indices=True)
    assert curves.scoring == "error"
    for size, row in curves.splits.items():
        for repeat, (train, test) in enumerate(row):
            for name, estimator in PAIR.items():
                accuracy = estimator.fit(IRIS[train], SPECIES[train]).score(
                    IRIS[test], SPECIES[test]
                )
                at = curves.scores_of(name)[[12, 30].index(size), repeat]
                assert at == pytest.approx(1 - accuracy, abs=1e-12)


@pytest.mark.parametrize("labels", [SPECIES, np.array(["b", "a", "c"])[SPECIES]])
def test_log_loss_is_that_of_scikit_learn(labels):
    models = {"logistic": LogisticRegression(max_iter=500), "nb": SharedVarianceGaussianNB()}
    curves = compare(models, y=labels, scoring="log_loss", return_indices=True, n_repeats=2)
    for s, row in enumerate(curves.splits.values()):
        for r, (train, test) in enumerate(row):
            for e, model in enumerate(models.values()):
                proba = model.fit(IRIS[train], labels[train]).predict_proba(IRIS[test])
                expected = log_loss(labels[test], proba, labels=model.classes_)
                assert curves.test_scores[e, s, r] == pytest.approx(expected, rel=1e-6)


class OnlyProbabilities(BaseEstimator):
    """A classifier without ``predict_log_proba``."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_log_loss_without_log_probabilities():
    curves = compare({"uniform": OnlyProbabilities()}, scoring="log_loss")
    assert_allclose(curves.test_scores, np.log(3), rtol=1e-14)


@pytest.mark.parametrize("model", [DecisionTreeClassifier(random_state=0), DummyClassifier()])
def test_log_loss_of_the_impossible_is_infinite(model):
    """A tree gives probability 0; without all classes, a class may not be known at all."""
    curves = compare({"m": model}, scoring="log_loss", train_sizes=[3], require_all_classes=False)
    assert np.isinf(curves.test_scores).any()


def test_score_of_choice():
    def share_of_class_two(estimator, X, y):
        return np.mean(estimator.predict(X) == 2)

    curves = compare(scoring=share_of_class_two)
    assert curves.scoring == "share_of_class_two"
    assert np.all((curves.test_scores > 0.1) & (curves.test_scores < 0.6))


def test_risk_needs_no_test_set():
    seen = []

    def risk(estimator):
        seen.append(estimator)
        return abs(estimator.theta_[0, 0] - 5.006)

    curves = compare({"nb": SharedVarianceGaussianNB()}, risk=risk, train_sizes=[50, 150])
    assert curves.scoring == "risk"
    assert [int(one.class_count_.sum()) for one in seen] == [50] * 5 + [150] * 5
    assert_allclose(curves.test_scores[0, 1], 0, atol=1e-12)
    assert np.all(curves.test_scores[0, 0] > 0)


def test_risk_of_scaled_estimators_gets_a_pipeline():
    def risk(model):
        assert list(model.named_steps) == ["scaler", "estimator"]
        return np.mean(model.predict(IRIS) != SPECIES)

    curves = compare(scaler=MinMaxScaler(), risk=risk)
    assert np.all(curves.test_scores < 0.4)


def test_score_that_is_no_number():
    with pytest.raises(ValueError, match="score is NaN") as caught:
        compare(scoring=lambda *args: float("nan"))
    assert "estimator 'nb', 12 training samples, repeat 0" in caught.value.__notes__[0]


def test_error_in_a_fit_says_where():
    models = {"nb": DummyClassifier(), "lr": LogisticRegression()}
    y = np.array([0] * 60 + [1])
    with pytest.raises(ValueError, match="at least 2 classes") as caught:
        compare(models, np.zeros((61, 1)), y, train_sizes=[5], require_all_classes=False)
    assert "estimator 'lr', 5 training samples, repeat 0" in caught.value.__notes__[0]


# Reproducibility and inputs


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_result_is_the_same_for_every_n_jobs(n_jobs):
    models = {
        "forest": RandomForestClassifier(5, random_state=3),
        "nb": GaussianNB(),
    }
    options = {"test_size": 0.4, "scaler": MinMaxScaler(), "return_indices": True, "n_repeats": 3}
    one = compare(models, n_jobs=None, **options)
    many = compare(models, n_jobs=n_jobs, **options)
    assert_array_equal(one.test_scores, many.test_scores)
    for a, b in zip(one.splits.values(), many.splits.values(), strict=True):
        for pair, other in zip(a, b, strict=True):
            assert_array_equal(np.concatenate(pair), np.concatenate(other))


def test_seed_decides():
    scores = [compare(random_state=state).test_scores for state in (5, np.random.RandomState(5), 6)]
    assert_array_equal(scores[0], scores[1])
    assert np.any(scores[0] != scores[2])


def test_more_repeats_begin_with_the_fewer():
    few, many = compare(n_repeats=2), compare(n_repeats=4)
    assert_array_equal(few.test_scores, many.test_scores[:, :, :2])


def test_estimators_do_not_change_the_draws():
    both = compare()
    assert_array_equal(compare({"knn": PAIR["knn"]}).test_scores[0], both.scores_of("knn"))


@pytest.mark.parametrize(
    "convert",
    [
        lambda X, y: (pd.DataFrame(X), pd.Series(y, index=np.arange(len(y)) + 7)),
        lambda X, y: (pl.DataFrame(X), pl.Series(y)),
        lambda X, y: (sparse.csr_matrix(X), y),
        lambda X, y: (sparse.coo_array(X), y.tolist()),
        lambda X, y: (X.tolist(), y.tolist()),
        lambda X, y: (X.astype(np.float32).astype(np.float64), y.astype("U1")),
    ],
    ids=["pandas", "polars", "csr", "coordinates", "lists", "strings"],
)
def test_containers(convert):
    X = np.round(IRIS, 1).astype(np.float32).astype(np.float64)
    models = {"knn": PAIR["knn"], "lr": LogisticRegression(max_iter=500)}
    expected = compare(models, X)
    found = compare(models, *convert(X, SPECIES))
    assert_allclose(found.test_scores, expected.test_scores, atol=1e-12)


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    models = {"nb": SharedVarianceGaussianNB()}
    expected = compare(models, test_size=0.5)
    found = compare(models, torch.asarray(IRIS), torch.asarray(SPECIES), test_size=0.5)
    assert_allclose(found.test_scores, expected.test_scores, atol=1e-12)


def test_feature_names_reach_the_estimators():
    frame = pd.DataFrame(IRIS, columns=list("abcd"))
    log = Log()
    compare({"nb": GaussianNB()}, frame, scoring=log)
    assert all(list(one.feature_names_in_) == list("abcd") for one, _, _ in log)


def test_times():
    curves = compare()
    assert curves.fit_times.shape == curves.score_times.shape == curves.test_scores.shape
    assert np.all(curves.fit_times > 0) and np.all(curves.score_times > 0)


# Sizes


@pytest.mark.parametrize(
    ("sizes", "options", "expected"),
    [
        ([30, 12, 12], {}, [12, 30]),
        ([0.1, 0.5], {}, [14, 74]),
        ([0.1, 1.0, 20], {"test_size": 50}, [10, 20, 100]),
        (np.array([0.29]), {"test_size": 50}, [29]),
        ((7,), {}, [7]),
    ],
)
def test_sizes(sizes, options, expected):
    curves = compare({"nb": GaussianNB()}, train_sizes=sizes, **options)
    assert curves.train_sizes.tolist() == expected
    assert curves.train_sizes.dtype.kind == "i"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_sizes": None}, "give train_sizes"),
        ({"train_sizes": []}, "train_sizes is empty"),
        ({"train_sizes": [2]}, "asks for 2 samples; at least 3 are needed for every class"),
        ({"train_sizes": [0], "require_all_classes": False}, "at least 1 are needed for a fit"),
        ({"train_sizes": [150]}, "only 149 are there .150 less 1, because the rest is tested on"),
        ({"train_sizes": [101], "test_size": 50}, "only 100 are there .150 less 50 to test"),
        ({"train_sizes": [151], "risk": len}, "only 150 are there .rows of X"),
        ({"train_sizes": [1.5]}, "holds 1.5; allowed are integers, or floats above 0"),
        ({"train_sizes": [True]}, "holds True; allowed"),
        ({"train_sizes": ["many"]}, "holds 'many'; allowed"),
        ({"train_sizes": [0.001]}, "asks for 0 samples"),
        ({"test_size": 150}, "test_size=150 sets 150 of 150 samples aside"),
        ({"X_test": IRIS}, "X_test and y_test belong together"),
        ({"X_test": IRIS, "y_test": SPECIES[:3]}, "inconsistent numbers of samples"),
        ({"X_test": IRIS, "y_test": SPECIES + 1}, "y_test holds classes that y lacks, such as 3"),
        ({"X_test": IRIS, "y_test": SPECIES, "test_size": 5}, "test_size and X_test exclude"),
        ({"risk": len, "test_size": 5}, "test_size and risk exclude each other"),
        ({"X_test": IRIS, "y_test": SPECIES, "risk": len}, "X_test and risk exclude each other"),
        ({"estimators": {}}, "estimators is empty"),
        ({"y": IRIS[:, 0]}, "Unknown label type"),
        ({"y": SPECIES[:-1]}, "inconsistent numbers of samples"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        compare(**options)


@pytest.mark.parametrize("estimator", [GaussianNB, "GaussianNB", None])
def test_what_is_no_estimator(estimator):
    with pytest.raises(TypeError, match=r"estimators\['nb'\] must be an instance with a fit"):
        compare({"nb": estimator})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("estimators", [GaussianNB()]),
        ("n_repeats", 0),
        ("test_size", 0.0),
        ("test_size", 1.0),
        ("max_redraws", -1),
        ("scaler", "minmax"),
        ("scoring", "accuracy"),
        ("risk", 0.1),
        ("stratify", "yes"),
        ("random_state", "x"),
    ],
)
def test_bad_arguments(name, value):
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of compare_learning_"):
        compare(**{name: value})
