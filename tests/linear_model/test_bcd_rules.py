"""Explicit rules of block coordinate descent: one optimum, whatever the way to it."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from skkd.linear_model import BCDClassifier, BCDRegressor
from skkd.linear_model._bcd_rules import RULES
from tests.linear_model._bcd import LAYOUTS, classification, objective, regression

FIXED = ["order", "random", "sort", "average", "hsort", "haverage"]
SMOOTH = {
    "variable": ["auto", "cyclic", "random", "perm", "lipschitz", "gs", "gsd", "gsd-h", "iht"],
    "sort": ["auto", "cyclic", "random", "lipschitz", "gs", "gsl", "gsd", "gsq"],
}
KINKED = {
    "variable": ["auto", "cyclic", "random", "perm", "lipschitz", "gs-q", "gs-r", "gs-s"],
    "sort": ["auto", "cyclic", "random", "lipschitz", "gs-q", "gs-r", "gs-s"],
}
SMOOTH_UPDATES = ["gradient", "bound", "adaptive", "newton", "cubic", "exact", "auto"]
KINKED_UPDATES = ["prox-gradient", "prox-newton", "two-metric", "auto"]
KINDS = ["squared", "log", "softmax", "squared_hinge"]
PENALTIES = {
    "l1": {"penalty": "l1"},
    "elasticnet": {"penalty": "elasticnet"},
    "positive": {"penalty": None, "positive": True},
    "bounds": {"penalty": None, "bounds": (-0.5, 0.5)},
    "group_l1": {"penalty": "group_l1", "groups": 3},
}


def make(kind, **given):
    """An estimator and well-conditioned data, for rules that are slow elsewhere."""
    params = {"alpha": 0.1, "max_iter": 20_000, "block_size": 4, "random_state": 0}
    params.update(given)
    if kind == "squared":
        return BCDRegressor(**params), *regression(50, 12, seed=3)
    loss = {"loss": "squared_hinge"} if kind == "squared_hinge" else {}
    # Three coefficients for each column: half the columns are still seven blocks or so.
    data = classification(50, 6, 3, seed=3) if kind == "softmax" else classification(50, 12, seed=3)
    return BCDClassifier(**params, **loss), *data


@cache
def best(kind, penalty, layout):
    """The optimum, by the default method."""
    params = {"penalty": "l2"} if penalty == "l2" else PENALTIES[penalty]
    model, X, y = make(kind, **params, block_size="auto", tol=1e-10)
    return model.fit(LAYOUTS[layout](X), y)


def assert_reaches_the_optimum(kind, penalty, layout="C", **rules):
    params = {"penalty": "l2"} if penalty == "l2" else PENALTIES[penalty]
    model, X, y = make(kind, **params, **rules)
    X = LAYOUTS[layout](X)
    optimum = best(kind, penalty, layout)
    model.fit(X, y)
    if penalty != "group_l1":
        assert model.objective_ == pytest.approx(objective(model, X, y), rel=1e-9)
    distance = model.objective_ - optimum.objective_
    assert -1e-9 < distance <= 3e-6
    if not np.isnan(model.dual_gap_):
        assert distance <= model.dual_gap_ + 1e-9
    if (kind, penalty) != ("softmax", "bounds"):  # there the coefficients are free to shift
        assert_allclose(model.coef_, optimum.coef_, atol=0.02)


def is_offered(kind, update):
    quadratic, curved = kind == "squared", kind != "squared_hinge"
    return (update != "exact" or quadratic) and (update != "cubic" or curved)


def some(pairs, kind, layout):
    """All pairs where that is quick and tells most; every third elsewhere."""
    whole = kind in ("squared", "log") and layout == "C"
    return pairs if whole else pairs[len(kind) % 3 :: 3]


@pytest.mark.parametrize("layout", ["C", "csc"])
@pytest.mark.parametrize("kind", KINDS)
class TestSmooth:
    @pytest.mark.parametrize("update", SMOOTH_UPDATES)
    def test_rules_reach_the_optimum(self, kind, update, layout):
        if not is_offered(kind, update):
            pytest.skip("the loss does not offer it")
        pairs = [(p, s) for p in SMOOTH for s in SMOOTH[p]]
        for partition, selection in some(pairs, kind, layout):
            rules = {"partition": partition, "selection": selection, "update": update}
            assert_reaches_the_optimum(kind, "l2", layout, **rules)

    @pytest.mark.parametrize("partition", FIXED)
    def test_partitions(self, kind, partition, layout):
        assert_reaches_the_optimum(kind, "l2", layout, partition=partition)


@pytest.mark.parametrize("layout", ["C", "csc"])
@pytest.mark.parametrize("kind", KINDS)
class TestKinked:
    @pytest.mark.parametrize("update", KINKED_UPDATES)
    @pytest.mark.parametrize("penalty", [p for p in PENALTIES if p != "group_l1"])
    def test_rules_reach_the_optimum(self, kind, penalty, update, layout):
        if (kind, penalty) == ("softmax", "positive"):
            pytest.skip("the minimiser is far away: thousands of blocks")
        pairs = [(p, s) for p in KINKED for s in KINKED[p]]
        for partition, selection in some(pairs, kind, "C" if penalty == "l1" else "csc"):
            rules = {"partition": partition, "selection": selection, "update": update}
            assert_reaches_the_optimum(kind, penalty, layout, **rules)

    def test_groups(self, kind, layout):
        if kind in ("softmax", "squared_hinge"):
            pytest.skip("groups are for the squared loss and two classes")
        updates, selections = ["prox-gradient", "prox-newton"], ["cyclic", "random", "gs-q", "gs-s"]
        for selection, update in product(selections, updates):
            rules = {"selection": selection, "update": update}
            assert_reaches_the_optimum(kind, "group_l1", layout, **rules)


@pytest.mark.parametrize("kind", ["squared", "log"])
def test_given_blocks(kind):
    for partition in (np.arange(12) % 5, [[0, 5], [1, 2, 3, 4], list(range(6, 12))]):
        model, X, y = make(kind, partition=partition, penalty="l1", fit_intercept=False)
        best = clone(model).set_params(partition="variable", block_size="auto").fit(X, y)
        assert model.fit(X, y).objective_ == pytest.approx(best.objective_, abs=3e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_size", [1, 3, 12, 1000])
def test_block_sizes(kind, block_size):
    for penalty in ("l1", "l2"):
        assert_reaches_the_optimum(kind, penalty, block_size=block_size)


def test_naming_a_size_alone_runs_a_rule():
    model, X, y = make("squared", penalty="l1", block_size=2, record_path=True, tol=1e-8)
    model.fit(X, y)
    assert {block.size for block in model.block_history_} == {2}
    assert len(model.block_history_) == model.n_iter_


def test_max_iter_counts_blocks():
    model, X, y = make("squared", penalty="l1", selection="cyclic", max_iter=7)
    model.set_params(stopping="max_iter", record_path=True).fit(X, y)
    assert model.n_iter_ == len(model.block_history_) == 7
    assert np.isfinite(model.dual_gap_)


@pytest.mark.parametrize("selection", ["random", "perm", "lipschitz"])
def test_random_state_repeats_a_run(selection):
    def run(seed):
        model, X, y = make("squared", penalty="l1", selection=selection, random_state=seed)
        model.set_params(max_iter=20, stopping="max_iter", record_path=True)
        return model.fit(X, y)

    one, two, other = run(7), run(7), run(8)
    assert np.array_equal(one.coef_, two.coef_)
    assert all(map(np.array_equal, one.block_history_, two.block_history_))
    assert not all(map(np.array_equal, one.block_history_, other.block_history_))
    legacy = np.random.RandomState(7)
    assert not all(map(np.array_equal, run(legacy).block_history_, run(legacy).block_history_))


@pytest.mark.parametrize(
    ("kind", "params", "complaint"),
    [
        ("squared", {"selection": "gsq"}, "fixed blocks"),
        ("squared", {"selection": "gsl"}, "fixed blocks"),
        ("squared", {"selection": "perm", "partition": "sort"}, "variable blocks.*cyclic"),
        ("squared", {"selection": "iht", "partition": "sort"}, "variable blocks"),
        ("squared", {"selection": "gsd-h", "partition": "sort"}, "variable blocks"),
        ("squared", {"selection": "gs-q"}, "needs a penalty.*gsd"),
        ("squared", {"update": "prox-newton"}, "needs a penalty.*newton"),
        ("squared", {"update": "two-metric"}, "needs a penalty"),
        ("squared", {"selection": "gsd", "penalty": "l1"}, "smooth.*gs-q"),
        ("squared", {"update": "newton", "penalty": "l1"}, "smooth.*prox-newton"),
        ("squared", {"update": "bound", "penalty": None, "positive": True}, "smooth"),
        ("log", {"update": "exact"}, "needs a quadratic.*newton"),
        ("squared_hinge", {"update": "cubic"}, "third_order"),
        ("squared", {"update": "two-metric", **PENALTIES["group_l1"]}, "two-metric"),
        (
            "squared",
            {"penalty": "l1", "bounds": (-1, 1), "selection": "gs-q"},
            "a penalty or bounds, not both",
        ),
        (
            "log",
            {"penalty": "l1", "positive": True, "selection": "gs-q"},
            "fit_intercept=False or the default rules",
        ),
        ("squared", {"partition": [[0, 1], [2, 3]]}, "in no block"),
        ("squared", {"partition": np.zeros(5)}, "partition"),
        (
            "squared",
            {"partition": "sort", **PENALTIES["group_l1"]},
            "part of a group.*groups or unions",
        ),
    ],
    ids=str,
)
def test_rules_that_contradict_each_other_are_an_error(kind, params, complaint):
    model, X, y = make(kind, **params)
    with pytest.raises(ValueError, match=f"(?s){complaint}"):
        model.fit(X, y)


@pytest.mark.parametrize("name", RULES)
def test_unknown_rules_are_an_error_that_lists_the_others(name):
    model, X, y = make("squared", **{name: "steepest"})
    with pytest.raises(ValueError, match=f"'{name}' parameter.*Got 'steepest'"):
        model.fit(X, y)


@pytest.mark.parametrize("selection", ["gs-q", "cyclic"])
def test_continuing_by_a_rule(selection):
    model, X, y = make("squared", penalty="l1", selection=selection, warm_start=True)
    first = model.fit(X, y).n_iter_
    assert model.fit(X, y).n_iter_ < first
