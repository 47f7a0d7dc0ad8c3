"""The study block_coordinate_descent: its numbers, its optimum, claims that can fail, figures."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls
from threadpoolctl import threadpool_limits

from experiments._harness.claims import judge
from experiments._harness.study import STUDIES, discover
from experiments.block_coordinate_descent import active, blocks, paper, paths, sets, study
from experiments.block_coordinate_descent.reference import nonnegative_least_squares
from experiments.block_coordinate_descent.runs import Key, Run

pd = pytest.importorskip("pandas")
STUDY = discover(STUDIES)["block_coordinate_descent"]


def run(**configuration):
    with threadpool_limits(1):  # as the harness does
        return STUDY.run(configuration)


def gap_at(record, iteration):
    return record["gaps"][record["iterations"].index(iteration)]


LATTICE = {"data": "D", "size": "paper", "max_iter": 100}
LOGISTIC = {"part": "smooth", "data": "B", "size": "paper"}
SOFTMAX = {"part": "smooth", "data": "C", "size": "paper", "block_size": 5, "max_iter": 100}


@pytest.mark.parametrize(
    ("partition", "gap"),
    [("lattice combs", 8.242e4), ("lattice red-black", 2.127e6)],
)
def test_forests_of_the_lattice_as_in_the_authors_code(partition, gap):
    rules = {"update": "exact", "partition": partition, "selection": "cyclic"}
    record = run(part="forest", **LATTICE, **rules)
    assert gap_at(record, 100) == pytest.approx(gap, rel=5e-3)
    assert record["rises"] == 0 and record["exact"]
    assert record["mean_block"] == pytest.approx(1200, rel=0.01)


@pytest.mark.parametrize(
    ("update", "selection", "gap"),
    [("gradient", "gs", 2.937e8), ("gradient", "gsd-h", 2.901e8), ("bound", "gsd", 2.87e8)],
)
def test_variable_blocks_of_the_lattice_as_in_the_authors_code(update, selection, gap):
    rules = {"update": update, "partition": "variable", "selection": selection, "block_size": 5}
    record = run(part="smooth", **LATTICE, **rules)
    assert gap_at(record, 100) == pytest.approx(gap, rel=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rules", "gap"),
    [
        (("gradient", 5, "variable", "gs"), 264.9),
        (("gradient", 5, "sort", "gs"), 338.9),
        (("gradient", 5, "sort", "gsl"), 254.5),
        (("bound", 50, "sort", "gsd"), 41.36),
        (("bound", 50, "variable", "gsd"), 30.71),
        (("newton", 50, "variable", "gsd"), 0.04362),
    ],
)
def test_logistic_problem_as_in_the_authors_code(rules, gap):
    update, block_size, partition, selection = rules
    norm = {"score_norm": "l1"} if partition == "sort" else {}
    named = {"update": update, "partition": partition, "selection": selection, **norm}
    record = run(**LOGISTIC, **named, block_size=block_size, max_iter=100)
    assert gap_at(record, 100) == pytest.approx(gap, rel=3e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("update", "partition", "selection", "gap"),
    [
        ("gradient", "variable", "gs", 3589),
        ("gradient", "sort", "gs", 3772),
        ("bound", "variable", "gsd", 3265),
        ("newton", "variable", "gsd", 2352),
    ],
)
def test_softmax_problem_as_in_the_authors_code(update, partition, selection, gap):
    norm = {"score_norm": "l1"} if partition == "sort" else {}
    named = {"update": update, "partition": partition, "selection": selection, **norm}
    assert gap_at(run(**SOFTMAX, **named), 100) == pytest.approx(gap, rel=5e-4)


def test_reference_agrees_with_nnls():
    rng = np.random.default_rng(0)
    A, b, alpha = rng.standard_normal((60, 20)), rng.standard_normal(60), 1.5
    optimum = nonnegative_least_squares(sparse.csc_array(A), b, alpha)
    # With independent columns the penalty is linear and can be drawn into the squares.
    R = cholesky(A.T @ A)
    x, _ = nnls(R, solve_triangular(R, A.T @ b - alpha, trans=1))
    assert optimum.x == pytest.approx(x, abs=1e-10)
    assert set(optimum.support) == set(np.flatnonzero(x > 1e-10)) and 0 < len(optimum.support) < 20
    assert optimum.margin > 0 and optimum.duality_gap < 1e-9


def test_reference_of_more_columns_than_rows_is_certified():
    problem = sets.load("A_l1", "tiny")
    optimum = nonnegative_least_squares(problem.data.A, problem.data.b, problem.data.alpha)
    A, b, alpha = problem.data.A, problem.data.b, problem.data.alpha
    gradient = A.T @ (A @ optimum.x - b) + alpha
    assert np.abs(gradient[optimum.x > 0]).max() < 1e-8 * alpha
    assert gradient.min() > -1e-8 * alpha and optimum.value < 0.5 * b @ b


@pytest.mark.parametrize(("name", "scale"), [("A_l1", 1e-3), ("D", 1.0), ("E", 1.0)])
def test_gap_is_the_difference_of_objectives(name, scale):
    problem = sets.load(name, "tiny")
    datafit, rng = problem.make_datafit(), np.random.default_rng(0)

    def objective(x):
        extra = 0.0 if problem.penalty is None else problem.penalty.value(x)
        return datafit.value(x) + extra

    x = problem.x_star + scale * rng.random(problem.data.n_variables)
    value = objective(x)
    assert problem.gap(x, value) == pytest.approx(value - objective(problem.x_star), rel=1e-6)
    assert problem.gap(problem.x_star, math.nan) == 0.0


def test_run_stops_at_the_optimum_and_keeps_its_last_iteration():
    rules = {"update": "prox-newton", "partition": "variable", "selection": "gs-q"}
    record = run(part="penalised", data="A_l1", size="tiny", **rules, block_size=60, max_iter=500)
    assert record["reached"] == record["iterations"][-1] < 10
    assert record["gap"] < paths.TOLERANCE and record["identified"] <= record["reached"]
    assert record["settled"] is not None and record["nonzero"] > 0


def test_curve_thins_out_and_counts_rises():
    values = [10.0, 9.0, 9.5, *np.linspace(8, 1, 61)]
    steps = (
        paths.Step(i, 0.1 * i, value, SimpleNamespace(value=value))
        for i, value in enumerate(values)
    )
    record = paths.curve(steps)
    assert record["iterations"] == [*range(21), *range(25, 61, 5), 63]
    assert record["rises"] == 1 and record["reached"] is None and record["gap"] == 1.0
    assert record["setup"] == pytest.approx(0.1)


def test_support_watch():
    support = np.array([True, False])
    points = [[0, 0], [3, 0], [2, 1], [1.2, 0], [1.0, 0]]
    steps = [
        SimpleNamespace(iteration=i, iterate=SimpleNamespace(params=np.array(point, dtype=float)))
        for i, point in enumerate(points)
    ]
    watch = active.SupportWatch(support, np.array([1.0, 0.0]), radius=0.1)
    assert len(list(watch(steps))) == len(steps)
    assert watch.record() == {"identified": 1, "settled": 3, "near": 4}
    watch = active.SupportWatch(support, np.array([1.0, 0.0]), radius=0.1)
    list(watch(steps[:3]))
    assert watch.record() == {"identified": 1, "settled": None, "near": None}


def test_blocks_of_a_graph_are_the_unlabelled_nodes():
    data = sets.load("D", "tiny").data
    for name in ("lattice red-black", "lattice combs", "colours order", "forests lipschitz"):
        made = blocks.partition(name, data)
        assert sorted(np.concatenate(made).tolist()) == list(range(data.n_variables)), name
    assert blocks.partition(None, data) == "variable" and blocks.partition("sort", data) == "sort"
    assert blocks.general_size(2400) == 13


def test_papers_curves_have_our_keys():
    curves = paper.curves()
    newton = curves[Key("B", "paper", 50, "newton", "variable", "gsd")]
    assert newton.reached == 276 and newton.gaps[100] == 0.0447
    trees = curves[Key("D", "paper", None, "exact", "variable", "tree-gs")]
    assert trees.gaps[500] == 1.14e-5 and trees.reached is None
    pn = curves[Key("A_l1", "paper", 50, "prox-newton", "variable", "gs-q")]
    assert (pn.reached, pn.settled) == (7, 6)
    ours = {_key_of(one) for one in STUDY.configurations("paper", {})}
    assert set(curves) <= ours and set(paper.author_runs()) <= ours


def _key_of(one):
    size = None if one["part"] == "forest" else one["block_size"]
    return Key(one["data"], one["size"], size, one["update"], one["partition"], one["selection"])


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_grid_has_every_part_and_its_sets_are_known(preset):
    listed = STUDY.configurations(preset, {})
    assert {one["part"] for one in listed} == set(study.PARTS)
    assert all(one["data"] in sets.SIZES[one["size"]] for one in listed)
    replicas = [one for one in listed if "score_norm" in one or "iht_init" in one]
    assert replicas and all(one["size"] == "paper" for one in replicas)
    assert {one["data"] for one in replicas} <= {"B", "C", "D"}


def test_better_is_sooner_then_closer():
    sooner, later = Run({0: 1.0, 9: 9e-9}, reached=9), Run({0: 1.0, 20: 1e-9}, reached=20)
    close, far = Run({0: 1.0, 500: 1e-3}), Run({0: 1.0, 500: 1e-2})
    assert sooner.beats(later) and later.beats(close) and close.beats(far)
    assert not close.beats(close)


def test_claims_on_a_small_run(small_frame):
    found = verdicts(small_frame)
    assert [one.trace for one in found.values() if one.trace] == []
    holding = {name for name, one in found.items() if one.status == "holds"}
    assert {"descent", "curves-forests", "bound-ball", "bound-lemma", "code"} <= holding
    assert found["iterations"].status == "not measured"


def test_claims_of_each_part_alone(small_frame):
    for name, rows in small_frame.groupby("part"):
        found = verdicts(rows)
        assert [one.trace for one in found.values() if one.trace] == [], name


def test_claims_can_fail(small_frame):
    forests = small_frame[small_frame["part"] == "forest"].copy()
    assert verdicts(forests)["curves-forests"].status == "holds"
    forests["gaps"] = forests["gaps"].map(lambda gaps: [2 * gap for gap in gaps])
    forests["rises"] = 1
    found = verdicts(forests)
    assert found["curves-forests"].status == "does not hold"
    assert found["code"].status == "does not hold" and found["descent"].status == "does not hold"
    late = small_frame[small_frame["part"] == "active"]
    found = verdicts(late.assign(near=1e12, settled=1e13))
    assert found["bound-ball"].status == found["bound-lemma"].status == "does not hold"


def test_order_claims_can_fail():
    one = {"part": "smooth", "data": "A", "size": "small", "update": "gradient", "block_size": 5}
    one |= {"iterations": [0, 500], "seconds": [0.0, 1.0], "reached": None, "identified": None}

    def frame(best):
        rows = [("sort", "gs", 3.0), ("sort", "gsl", best), ("sort", "cyclic", 2.0)]
        return pd.DataFrame(
            [
                {**one, "partition": p, "selection": s, "gaps": [9.0, gap], "rises": 0}
                for p, s, gap in rows
            ]
        )

    assert verdicts(frame(1.0))["c1-best"].status == "holds"
    assert verdicts(frame(1.0))["c1-each"].measured == "1 of 2 pairs"
    assert verdicts(frame(2.5))["c1-best"].status == "does not hold"
    assert verdicts(frame(5.0))["c4-dense"].status == "does not hold"


def test_every_figure_is_there(small_frame):
    plt = pytest.importorskip("matplotlib.pyplot")
    drawn = {name: caption for name, caption, _ in STUDY.figures(small_frame)}
    plt.close("all")
    wanted = {f"fig{k}" for k in range(4, 14)} | {"active"}
    assert {name.split("_")[0] for name in drawn} == wanted and all(drawn.values())
    assert {"fig6_time", "fig7_time", "fig8_time", "fig11_time"} <= set(drawn)


def test_figures_of_each_part_alone(small_frame):
    plt = pytest.importorskip("matplotlib.pyplot")
    parts = {name: list(STUDY.figures(rows)) for name, rows in small_frame.groupby("part")}
    plt.close("all")
    assert {name: len(made) for name, made in parts.items()} == {
        "active": 1,
        "forest": 2,
        "penalised": 3,
        "smooth": 10,
    }


@pytest.mark.slow
def test_figures_are_drawn_without_warnings(small_frame):
    plt = pytest.importorskip("matplotlib.pyplot")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _, _, figure in STUDY.figures(small_frame):
            figure.canvas.draw()
            plt.close(figure)


def verdicts(frame):
    return {one.claim.id: one for one in judge(STUDY.claims(), frame)}


@pytest.fixture(scope="module")
def small_frame():
    """Every part, on tiny problems, and a few runs on the lattice of the paper."""
    listed = {repr(one): one for one in map(_shortened, STUDY.configurations("quick", {}))}
    lattice = [
        {**LATTICE, "part": "forest", "update": "exact", "partition": p, "selection": "cyclic"}
        for p in ("lattice combs", "lattice red-black")
    ]
    return pd.DataFrame([{**one, **run(**one)} for one in [*listed.values(), *lattice]])


def _shortened(one):
    if one["part"] == "active":
        return one
    short = {**one, "size": "tiny", "max_iter": 20}
    short.pop("score_norm", None)
    short.pop("iht_init", None)
    if isinstance(one.get("block_size"), int):
        short["block_size"] = 5
    return short
