"""minimize_bcd: stopping, hooks, paths, repeatability, and rules that do not go together."""

from itertools import islice

import numpy as np
import pytest

from skkd.objectives import Datafit, LeastSquares
from skkd.penalties import L1, Box
from skkd.solvers import block_coordinate_descent, minimize_bcd, run

from ._bcd_problems import SEPARABLE, SMOOTH, datafit, penalty, rows


@pytest.mark.parametrize("block_size", [1, 5, 100, "auto"])
@pytest.mark.parametrize("name", SMOOTH)
def test_automatic_rules_minimise_every_smooth_function(name, block_size):
    f = datafit(name, l2=0.1)
    result = minimize_bcd(f, block_size=block_size, max_iter=20_000, tol=1e-7)
    start = np.max(np.abs(f.gradient(np.zeros(f.n_variables))))
    assert result.success
    assert result.status == 0
    assert result.violation == pytest.approx(
        np.max(np.abs(f.gradient(result.x))), abs=1e-12 * start
    )
    assert result.violation <= 1e-7 * max(1.0, start)
    assert result.fun == pytest.approx(f.value(result.x), rel=1e-12)


@pytest.mark.parametrize("update", ["auto", "prox-gradient", "two-metric"])
@pytest.mark.parametrize("kind", SEPARABLE)
@pytest.mark.parametrize("name", SMOOTH)
def test_automatic_rules_minimise_with_every_separable_penalty(name, kind, update):
    f = datafit(name, l2=0.2)
    g = penalty(kind, f.n_variables)
    result = minimize_bcd(f, g, update=update, max_iter=50_000, tol=1e-6)
    distance = np.max(g.subdiff_distance(result.x, f.gradient(result.x)))
    assert result.success
    assert distance <= 1e-6 * max(1.0, np.max(np.abs(f.gradient(0 * result.x)))) * (1 + 1e-6)


@pytest.mark.parametrize("update", ["auto", "prox-gradient"])
@pytest.mark.parametrize("selection", ["auto", "cyclic", "gs-s", "gs-r"])
@pytest.mark.parametrize("name", ["least squares", "logistic"])
def test_groups_are_minimised(name, selection, update):
    f = datafit(name)
    g = penalty("group l1", f.n_variables, 2.0)
    result = minimize_bcd(
        f, g, partition=g.groups, selection=selection, update=update, max_iter=20_000, tol=1e-6
    )
    assert result.success
    pairs = [np.concatenate(g.groups[i : i + 2]) for i in (0, 2)]
    other = minimize_bcd(f, g, partition=pairs, max_iter=20_000, tol=1e-6)
    assert other.success
    assert other.fun == pytest.approx(result.fun, rel=1e-8)


def test_groups_in_no_order_within_a_block():
    f = datafit("least squares")
    rng = np.random.default_rng(0)
    g = penalty("group l1", f.n_variables, 5.0)
    shuffled = [rng.permutation(12)]
    together = minimize_bcd(f, g, partition=shuffled, tol=1e-9)
    apart = minimize_bcd(f, g, partition=g.groups, tol=1e-9, max_iter=20_000)
    assert together.success
    assert together.nit <= 2
    np.testing.assert_allclose(together.x, apart.x, atol=1e-6)


def test_the_tolerance_is_relative_to_the_first_violation():
    A, b = rows()
    for factor in (1e-6, 1.0, 1e6):
        f = LeastSquares(A, factor * b)
        first = np.max(np.abs(f.gradient(np.zeros(f.n_variables))))
        result = minimize_bcd(f, selection="gs", update="gradient", tol=1e-4, max_iter=10_000)
        assert result.violation <= 1e-4 * max(1.0, first)
        path = minimize_bcd(
            f, selection="gs", update="gradient", tol=1e-4, max_iter=10_000, record_path=True
        ).violation_path
        assert np.all(path[:-1] > 1e-4 * max(1.0, first))


def test_a_solved_problem_needs_no_update():
    f = datafit("least squares")
    x = minimize_bcd(f, block_size=12, tol=1e-12).x
    result = minimize_bcd(f, x0=x, tol=1e-6)
    assert result.success
    assert result.nit == 0
    np.testing.assert_array_equal(result.x, x)


def test_max_iter_is_reported():
    result = minimize_bcd(datafit("logistic"), block_size=1, max_iter=7, tol=1e-12)
    assert (result.status, result.success, result.nit) == (1, False, 7)
    assert "max_iter=7" in result.message
    nothing = minimize_bcd(datafit("logistic"), max_iter=0, record_path=True)
    assert nothing.nit == 0
    assert len(nothing.objective_path) == 1


def test_a_sequence_of_blocks_ends_the_run():
    f = datafit("least squares")
    blocks = [[0, 1], [5], [2, 3, 4]]
    result = minimize_bcd(f, selection=blocks, record_path=True)
    assert (result.status, result.success, result.nit) == (3, False, 3)
    assert [list(b) for b in result.blocks] == blocks
    assert result.rules == ("variable", "given", "bound")
    assert minimize_bcd(f, selection=iter(blocks)).nit == 3


def test_updates_that_move_nothing_end_the_run():
    f = LeastSquares(np.eye(3), np.array([1.0, 2.0, 3.0]))
    result = minimize_bcd(f, selection="cyclic", partition="order", block_size=1, tol=0.0)
    assert result.success
    assert result.nit <= 20
    stuck = datafit("logistic")
    result = minimize_bcd(stuck, tol=0.0, block_size=12, max_iter=2000)
    assert result.status in (1, 2)
    if result.status == 2:
        assert result.success


def test_paths_record_every_iteration():
    f, g = datafit("least squares"), L1(2.0)
    result = minimize_bcd(f, g, block_size=3, record_path=True, tol=1e-8)
    count = result.nit
    assert result.objective_path.shape == result.violation_path.shape == (count + 1,)
    assert result.time_path.shape == (count + 1,)
    assert np.all(np.diff(result.time_path) >= 0)
    assert len(result.blocks) == count
    assert len(result.support_path) == count + 1
    assert np.all(np.diff(result.objective_path) <= 1e-13 * result.objective_path[0])
    assert result.objective_path[-1] == result.fun
    assert np.all(np.isfinite(result.violation_path))
    np.testing.assert_array_equal(result.support_path[-1], np.flatnonzero(result.x))


def test_rules_without_the_gradient_look_once_per_sweep():
    f = datafit("least squares")
    result = minimize_bcd(
        f, partition="order", selection="cyclic", block_size=4, record_path=True, max_iter=10
    )
    known = np.isfinite(result.violation_path)
    np.testing.assert_array_equal(np.flatnonzero(known), [0, 3, 6, 9, 10])


@pytest.mark.parametrize("stop", ["return", "raise"])
def test_callbacks_see_each_iteration_and_stop_the_run(stop):
    f = datafit("logistic")
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)
        if intermediate_result.nit == 4:
            if stop == "raise":
                raise StopIteration
            return True
        return None

    result = minimize_bcd(f, block_size=2, callback=callback, tol=1e-12)
    assert (result.status, result.nit, result.success) == (99, 4, False)
    assert [r.nit for r in seen] == [1, 2, 3, 4]
    assert seen[-1].fun == result.fun
    assert len(seen[-1].block) == 2
    # Asked for later, the violation is still the one of its own iterate.
    for r in seen:
        assert r.violation == pytest.approx(np.max(np.abs(f.gradient(r.x))), rel=1e-9)
    assert {"x", "fun", "nit", "block"} <= set(seen[0])


def test_other_answers_of_a_callback_do_not_stop_the_run():
    result = minimize_bcd(datafit("logistic"), callback=lambda r: r.x, max_iter=5, tol=1e-14)
    assert result.status != 99


RANDOM = [
    {"selection": "random", "update": "gradient"},
    {"selection": "perm", "update": "bound"},
    {"selection": "lipschitz", "update": "newton"},
    {"selection": "random", "partition": "random"},
    {"selection": "lipschitz", "partition": "sort"},
]


@pytest.mark.parametrize("rules", RANDOM)
def test_runs_are_repeatable_under_a_seed(rules):
    f = datafit("logistic")
    first, again, other = (
        minimize_bcd(f, block_size=4, random_state=s, max_iter=30, record_path=True, **rules)
        for s in (5, np.random.default_rng(5), 6)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first.blocks, again.blocks, strict=True))
    np.testing.assert_array_equal(first.x, again.x)
    same = [np.array_equal(a, b) for a, b in zip(first.blocks, other.blocks, strict=False)]
    assert not all(same)
    legacy = [
        minimize_bcd(f, random_state=np.random.RandomState(5), max_iter=9, **rules).x
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*legacy)


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"selection": "iht"},
        {"partition": "sort", "selection": "gsq", "update": "bound"},
        {"partition": "haverage", "selection": "gsl", "update": "gradient"},
        {"selection": "gsd-h", "update": "adaptive"},
    ],
)
@pytest.mark.parametrize("make", ["least squares", "logistic"])
def test_the_order_of_the_rows_does_not_matter(rules, make):
    A, b = rows()
    if make == "logistic":
        b = np.where(b > np.median(b), 1.0, -1.0)
    order = np.random.default_rng(0).permutation(len(b))
    kind = type(datafit(make))
    first = minimize_bcd(kind(A, b), block_size=3, max_iter=30, record_path=True, **rules)
    other = minimize_bcd(
        kind(A[order], b[order]), block_size=3, max_iter=30, record_path=True, **rules
    )
    np.testing.assert_allclose(other.x, first.x, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(other.objective_path, first.objective_path, rtol=1e-9)


class Bowl(Datafit):
    """A datafit that defines only what it must, and one bound."""

    n_variables = 5

    def value(self, x):
        return 0.5 * float(np.arange(1.0, 6.0) @ (x - 1.0) ** 2)

    def gradient(self, x, block=None):
        block = slice(None) if block is None else block
        return (np.arange(1.0, 6.0) * (x - 1.0))[block]


class Bare:
    """As Bowl, but of no base class."""

    n_variables = 5
    value, gradient = Bowl.value, Bowl.gradient


@pytest.mark.parametrize("f", [Bowl(), Bare()])
def test_a_datafit_of_the_user_needs_value_and_gradient_only(f):
    result = minimize_bcd(f, selection="gs", block_size=2, max_iter=5000)
    assert result.success
    assert result.rules[2] == "adaptive"
    np.testing.assert_allclose(result.x, 1.0, atol=1e-5)


def test_automatic_rules_fall_back_to_what_the_datafit_has():
    assert minimize_bcd(Bare(), max_iter=1).rules == ("variable", "gs", "adaptive")

    class Bounded(Bowl):
        def hessian_bound(self, block):
            return np.diag(np.arange(1.0, 6.0)[block])

    result = minimize_bcd(Bounded(), block_size=5)
    assert (result.rules, result.nit) == (("variable", "gsd", "bound"), 1)
    result = minimize_bcd(Bounded(), L1(0.5), block_size=5)
    assert result.rules == ("variable", "gs-q", "prox-newton")
    np.testing.assert_allclose(result.x, 1.0 - 0.5 / np.arange(1.0, 6.0), atol=1e-6)


class Cone:
    """A separable penalty of the user, without the methods that only shortcuts need."""

    is_separable = True

    def value(self, x):
        return float(np.sum(np.abs(x)))

    def coordinate_value(self, x_b, block):
        return np.abs(x_b)

    def prox(self, v, step, block):
        return np.sign(v) * np.maximum(np.abs(v) - step, 0.0)

    def subdiff_distance(self, x, G):
        return np.where(x != 0, np.abs(G + np.sign(x)), np.maximum(np.abs(G) - 1.0, 0.0))

    def support(self, x):
        return x != 0


def test_a_penalty_of_the_user_gives_the_same_minimum():
    for name in ("least squares", "logistic"):
        f = datafit(name)
        mine = minimize_bcd(f, Cone(), max_iter=20_000, tol=1e-8)
        ours = minimize_bcd(f, L1(1.0), max_iter=20_000, tol=1e-8)
        assert mine.success
        assert mine.fun == pytest.approx(ours.fun, rel=1e-8)


IMPOSSIBLE = [
    ({"selection": "gsq"}, "fixed blocks"),
    ({"selection": "gsl"}, "fixed blocks"),
    ({"partition": "sort", "selection": "iht"}, "variable blocks"),
    ({"partition": "sort", "selection": "gsd-h"}, "variable blocks"),
    ({"partition": "sort", "selection": "perm"}, "variable blocks"),
    ({"selection": "gs-q"}, "needs a penalty"),
    ({"update": "prox-newton"}, "needs a penalty"),
    ({"update": "two-metric"}, "needs a penalty"),
    ({"penalty": L1(1.0), "selection": "gs"}, "would not see"),
    ({"penalty": L1(1.0), "selection": "iht"}, "would not see"),
    ({"penalty": L1(1.0), "update": "newton"}, "would not see"),
    ({"penalty": L1(1.0), "update": "bound"}, "would not see"),
    ({"penalty": Cone(), "update": "two-metric"}, "pieces"),
    ({"partition": "red-black"}, "graph"),
    ({"selection": "tree-gs"}, "graph"),
    ({"partition": "sort", "selection": "tree-gs"}, "variable blocks"),
    ({"selection": "greedy"}, "must be one of"),
    ({"partition": "sorted"}, "must be one of"),
    ({"update": "exactly"}, "must be one of"),
    ({"update": None}, "name of a rule"),
    ({"block_size": 0}, "block_size"),
    ({"block_size": "large"}, "block_size"),
    ({"block_size": 2.5}, "block_size"),
    ({"score_norm": "max"}, "score_norm"),
    ({"iht_init": "zero"}, "iht_init"),
    ({"adaptive_shrink": 0.0}, "adaptive_shrink"),
    ({"max_iter": -1}, "max_iter"),
    ({"tol": -1.0}, "tol"),
    ({"tol": np.nan}, "tol"),
    ({"callback": 3}, "callback"),
    ({"x0": np.zeros(3)}, "x0 has shape"),
    ({"x0": np.full(12, np.nan)}, "at the start"),
    ({"penalty": Box(0.0, 1.0), "x0": np.full(12, 2.0)}, "at the start"),
    ({"partition": np.zeros(5, dtype=int)}, "labels"),
    ({"partition": [[0, 1], [2, 3]]}, "no block"),
    ({"partition": [np.arange(12), [12]]}, "indices from"),
    ({"partition": [np.arange(12), [3, 3]]}, "twice"),
    ({"partition": [np.arange(12), []]}, "non-empty"),
    ({"selection": [[0, 50]]}, "indices from"),
]


@pytest.mark.parametrize(("rules", "reason"), IMPOSSIBLE)
def test_what_does_not_go_together_is_refused(rules, reason):
    rules = dict(rules)
    with pytest.raises(ValueError, match=reason):
        minimize_bcd(datafit("least squares"), rules.pop("penalty", None), **rules)


@pytest.mark.parametrize(
    ("name", "rules", "reason"),
    [
        ("squared hinge", {"update": "cubic"}, "third_order"),
        ("logistic", {"update": "exact"}, "quadratic"),
        ("graph", {"selection": "tree-gs", "update": "gradient"}, "linear time"),
    ],
)
def test_rules_that_a_function_cannot_serve_are_refused(name, rules, reason):
    with pytest.raises(ValueError, match=reason):
        minimize_bcd(datafit(name), **rules)


def test_groups_are_not_cut():
    f = datafit("least squares")
    g = penalty("group l1", 12)
    for partition in ("variable", "order", "sort", [np.arange(5), np.arange(5, 12)]):
        with pytest.raises(ValueError, match="groups or unions of groups"):
            minimize_bcd(f, g, partition=partition, block_size=4)
    assert minimize_bcd(f, g, partition="order", block_size=6, max_iter=5000, tol=1e-4).success
    with pytest.raises(ValueError, match="part of a group"):
        minimize_bcd(f, g, selection=[[0, 1]])


def test_rules_are_checked_before_the_first_iterate():
    with pytest.raises(ValueError, match="fixed blocks"):
        block_coordinate_descent(datafit("least squares"), selection="gsq")


def test_a_function_that_turns_infinite_is_reported():
    class Broken(Bare):
        def value(self, x):
            return np.inf if np.any(x) else 1.0

        def block_lipschitz(self, block):
            return 1.0

    with pytest.raises(ValueError, match="became inf at update 1"):
        minimize_bcd(Broken(), selection="gs", update="gradient")


def test_the_generator_goes_with_the_driver():
    f = datafit("logistic", l2=0.1)
    iterates = block_coordinate_descent(f, block_size=5)
    result = run(iterates, max_iter=500, criterion=lambda it: it.violation, tol=1e-8)
    assert result.converged
    assert np.max(np.abs(f.gradient(result.params))) <= 1e-8
    assert result.n_iter == result.iterate.index > 1


def test_iterates_keep_their_own_point():
    f = datafit("least squares")
    points = list(islice(block_coordinate_descent(f, selection="gs", block_size=2), 6))
    values = [it.value for it in points]
    np.testing.assert_allclose([f.value(it.params) for it in points], values, rtol=1e-12)
    assert points[0].block is None
    assert [it.index for it in points] == list(range(6))
    assert points[2].violation == pytest.approx(np.max(np.abs(f.gradient(points[2].params))))
    assert "index=3" in repr(points[3])


def test_the_start_is_the_point_of_the_domain_next_to_zero():
    f = datafit("least squares")
    first = next(block_coordinate_descent(f, Box(0.5, 1.0)))
    np.testing.assert_array_equal(first.params, 0.5)


def test_x0_is_not_changed():
    x0 = np.zeros(12)
    minimize_bcd(datafit("least squares"), x0=x0)
    np.testing.assert_array_equal(x0, 0.0)
