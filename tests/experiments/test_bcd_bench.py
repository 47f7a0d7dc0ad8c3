"""The benchmark of the linear models: that it times what it says it times."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

pytest.importorskip("matplotlib")

from experiments.block_coordinate_descent import bench, bench_problems
from experiments.block_coordinate_descent.bench_objective import duality_gap, polish, values
from experiments.block_coordinate_descent.bench_peers import PEERS, applicable, fit
from experiments.block_coordinate_descent.bench_problems import Spec, build
from experiments.block_coordinate_descent.bench_race import Race, details, means, summary
from experiments.block_coordinate_descent.bench_rows import QUICK, ROWS
from experiments.block_coordinate_descent.bench_scout import Optimum, scout
from experiments.block_coordinate_descent.bench_worker import Overdue, Shelf, Worker

SMALL = {
    "40x60": bench_problems._dense(40, 60, 0.6),
    "90x30": bench_problems._dense(90, 30, 0.6),
    "50x80 sparse": bench_problems._random_sparse(50, 80, 0.1),
    "90x20 classes": bench_problems._classes(90, 20, 3),
}
SPECS = [
    Spec("lasso", "40x60", 0.1),
    Spec("lasso", "50x80 sparse", 0.1),
    Spec("lasso", "90x30", 0.1, fit_intercept=True),
    Spec("enet", "40x60", 0.1, 0.5),
    Spec("logistic", "90x30", 0.1),
    Spec("logistic", "90x30", 0.1, fit_intercept=True),
    Spec("group", "40x60", 0.1),
    Spec("ridge", "40x60", 1.0),
    Spec("l2-logistic", "90x30", 1.0),
    Spec("multinomial", "90x20 classes", 1.0),
    Spec("lasso", "90x30", 0.1, path=True),
]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    for name, recipe in SMALL.items():
        monkeypatch.setitem(bench_problems.RECIPES, name, recipe)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_methods_agree_and_the_gap_certifies(spec):
    problem = build(spec)
    names = [n for n in applicable(problem) if PEERS[n].installed and not PEERS[n].elsewhere]
    names = [n for n in names if PEERS[n].module in ("skkd", "sklearn")]
    assert "skkd" in names
    for name in names:
        for setting in applicable(problem)[name]:
            solution = fit(name, problem, 1e-10, setting)
            at = values(problem, solution)
            polished = polish(problem, solution)
            lower = values(problem, polished) - duality_gap(problem, polished)
            assert at.shape == problem.alphas.shape
            # Weak duality, and a bound that is nearly attained.
            assert np.all(lower <= at * (1 + 1e-12))
            assert_allclose(at, lower, rtol=1e-7, err_msg=name)


def test_gap_at_any_point_is_a_bound():
    rng = np.random.default_rng(0)
    for spec in SPECS[:-1]:
        problem = build(spec)
        best = values(problem, fit("skkd", problem, 1e-10, {}))
        shape = (3, 20) if spec.family == "multinomial" else problem.X.shape[1]
        point = 0.1 * rng.standard_normal(shape), 0.0
        assert duality_gap(problem, point) >= values(problem, point) - best


def test_values_are_the_formula():
    problem = build(Spec("enet", "40x60", 0.1, 0.5))
    w = np.random.default_rng(0).standard_normal(60)
    penalty = problem.alpha * (0.5 * np.abs(w).sum() + 0.25 * w @ w)
    expected = np.mean((problem.y - problem.X @ w) ** 2) / 2 + penalty
    assert values(problem, (w, 0.0))[0] == pytest.approx(expected, rel=1e-14)
    problem = build(Spec("multinomial", "90x20 classes", 1.0))
    found = minimize(
        lambda w: values(problem, (w.reshape(3, 20), 0.0))[0], np.zeros(60), options={"gtol": 1e-7}
    )
    best = values(problem, fit("scikit-learn newton-cg", problem, 1e-9, {}))
    assert found.fun == pytest.approx(best[0], rel=1e-6)


def test_fraction_one_is_the_least_alpha_without_a_solution():
    for family, data, intercept in [
        ("lasso", "40x60", False),
        ("lasso", "90x30", True),
        ("logistic", "90x30", False),
        ("logistic", "90x30", True),
        ("group", "40x60", False),
    ]:
        for fraction, is_zero in [(1.001, True), (0.98, False)]:
            problem = build(Spec(family, data, fraction, fit_intercept=intercept))
            coef = fit("skkd", problem, 1e-10, {})[0]
            assert np.all(coef == 0) == is_zero, (family, fraction)


@pytest.mark.slow
def test_worker_fits_and_is_ended_when_it_takes_too_long(tmp_path, monkeypatch):
    # Known to the worker's process too, which sees no patches.
    spec = Spec("lasso", "200x500", 0.1)
    problem = build(spec, Shelf(tmp_path).get(spec.data))
    worker = Worker(tmp_path)
    try:
        seconds, coef, intercept = worker.fit("scikit-learn", spec, 1e-10, {})
        here = fit("scikit-learn", problem, 1e-10, {})
        assert_allclose(coef, here[0], atol=1e-12)
        assert 0 < seconds < 30 and intercept == here[1]
        with pytest.raises(RuntimeError, match="TypeError"):
            worker.fit("scikit-learn", spec, 1e-10, {"no_such_option": 1})
        with pytest.raises(RuntimeError, match="no module 'adelie'"):
            worker.fit("adelie", spec, 1e-10, {})
        monkeypatch.setattr("experiments.block_coordinate_descent.bench_worker.START_SECONDS", 0)
        with pytest.raises(Overdue):
            worker.fit("scikit-learn", replace(spec, fraction=1e-5), 0.0, {}, seconds=0.05)
        assert worker._process is None
    finally:
        worker.close()


class _Scripted:
    """Stands for a worker: a tolerance reaches twice itself and costs what is written down."""

    def __init__(self, cost):
        self.cost, self.asked = cost, []

    def fit(self, name, spec, tol, setting, seconds):
        self.asked.append(tol)
        return self.cost(tol), np.array([tol]), 0.0


def test_scout_takes_the_loosest_tolerance_that_suffices(monkeypatch):
    monkeypatch.setattr(
        "experiments.block_coordinate_descent.bench_scout.values",
        lambda problem, solution: 1.0 + 2 * solution[0],
    )
    problem = build(Spec("lasso", "40x60", 0.1))
    worker = _Scripted(lambda tol: 2e-3 - 1e-3 * np.log10(tol))
    best = Optimum(np.array([1.0]), 0.0)
    found = scout(problem, best, (1e-4, 1e-8), {None: worker}, 9.0, names=["scikit-learn"])
    assert found.words == {}
    # The decade misses by a factor of two, the half decade below does not.
    assert found.cheapest("scikit-learn", best, 1e-4).tol == pytest.approx(10**-4.5)
    assert found.cheapest("scikit-learn", best, 1e-8).tol == pytest.approx(10**-8.5)
    assert min(worker.asked) == pytest.approx(1e-9)  # it stopped at the tightest target
    coarse = scout(problem, best, (1e-4,), {None: worker}, 9.0, ["scikit-learn"], coarse=True)
    assert coarse.cheapest("scikit-learn", best, 1e-4).tol == pytest.approx(1e-5)
    slow = _Scripted(lambda tol: 10.0)
    found = scout(problem, best, (1e-4,), {None: slow}, 9.0, names=["scikit-learn"])
    assert found.rungs == [] and "over 9 s" in found.words["scikit-learn"]


@pytest.mark.slow
def test_race_reports_every_method(monkeypatch):
    monkeypatch.delenv("SKKD_BENCH_ADELIE", raising=False)
    names = ("skkd", "scikit-learn", "adelie")
    with Race(quick=True, names=names) as race:
        race.repeats, race.total = 1, 0.0
        rows = race.rows(Spec("lasso", "200x500", 0.1))
    (row,) = rows
    assert row.gap < 1e-10 and row.words["adelie"] == "not installed"
    for target, entries in row.entries.items():
        assert set(entries) == {"skkd", "scikit-learn"}
        assert all(entry.reached <= target for entry in entries.values())
    ratio = row.entries[1e-8]["scikit-learn"].ms / row.entries[1e-8]["skkd"].ms
    assert row.speedup(1e-8)[0] == pytest.approx(ratio)
    assert means("m", rows).rows[1][4] == pytest.approx(ratio)
    assert len(summary("s", rows).rows) == 3
    shown = {line[2]: line for line in details("d", rows).rows}
    assert "not installed" in shown["adelie"][-1] and "tol=" in shown["skkd"][-1]


def test_rows_name_data_that_exist():
    for grid in (ROWS, QUICK):
        for spec in (spec for specs in grid.values() for spec in specs):
            assert spec.data in bench_problems.RECIPES
    assert len({str(spec) for specs in ROWS.values() for spec in specs}) == sum(
        map(len, ROWS.values())
    )
    assert set(bench.PARTS) >= set(ROWS) == set(QUICK)


def test_same_seed_same_problem():
    spec = SPECS[1]
    one, two = build(spec), build(replace(spec))
    assert (one.X != two.X).nnz == 0 and np.array_equal(one.y, two.y) and one.alpha == two.alpha
