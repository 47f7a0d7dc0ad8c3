"""Certified optima of small problems, reached by block coordinate descent (data/bcd/README.md)."""

import numpy as np
import pytest

from skkd.objectives import LeastSquares, Logistic, Softmax, SVMDual
from skkd.penalties import L1, Box, ElasticNet, GroupL1
from skkd.solvers import minimize_bcd

from ._bcd_cases import arrays, optima, parts

PROBLEMS = ("ridge", "logl2", "multil2", "enet", "logl1", "grouplasso", "svmdual")


def stored(*problems):
    return [
        key.removesuffix("|coef")
        for key in optima()[0]
        if key.endswith("|coef") and key.split("|")[1] in problems and "|int" not in key
    ] + [
        key.removesuffix("|alpha")
        for key in optima()[0]
        if key.endswith("|alpha") and key.split("|")[1] in problems
    ]


def number(case, name):
    """The number that a case's name gives to a parameter."""
    return next(float(part[len(name) + 1 :]) for part in case.split("|") if part.startswith(name))


def problem(case):
    """Datafit, penalty, factor of the stored objective and stored solution as a flat vector."""
    data, info = optima()
    tag, kind = case.split("|")[:2]
    X, y, signs, classes = (data[f"{tag}|{name}"] for name in ("X", "y", "yb", "yc"))
    n = len(y)
    solution = data.get(f"{case}|coef", data.get(f"{case}|alpha"))
    if kind == "ridge":
        return LeastSquares(X, y, l2=number(case, "a")), None, 1.0, solution
    if kind == "logl2":
        return Logistic(X, signs, l2=1 / number(case, "C")), None, 1.0, solution
    if kind == "multil2":
        f = Softmax(X, classes.astype(int), l2=1 / number(case, "C"))
        return f, None, 1.0, solution.T.ravel()
    if kind == "enet":
        strength = n * info[case]["alpha"]
        g = ElasticNet(strength, number(case, "r"), positive=case.endswith("pos"))
        return LeastSquares(X, y), g, n, solution
    if kind == "logl1":
        return Logistic(X, signs), L1(info[case]["lam"]), 1.0, solution
    if kind == "grouplasso":
        labels = np.arange(X.shape[1]) // int(number(case, "gs"))
        return LeastSquares(X, y), GroupL1(n * info[case]["alpha"], labels), n, solution
    return SVMDual(X, signs), Box(0.0, number(case, "C")), 1.0, solution


# First-order updates where the problem is well enough conditioned to be quick.
CASES = [
    *((case, "auto") for case in stored(*PROBLEMS)),
    *((case, "two-metric") for case in stored("enet", "logl1", "svmdual")),
    *((case, "gradient") for case in stored("ridge") if case.startswith("tall")),
    *((case, "prox-gradient") for case in stored("enet", "grouplasso") if case.startswith("tall")),
]


@pytest.mark.parametrize(("case", "update"), CASES)
def test_optima_are_reached(case, update):
    f, g, factor, solution = problem(case)
    grouped = g is not None and not g.is_separable
    result = minimize_bcd(
        f,
        g,
        partition=g.groups if grouped else "variable",
        update=update,
        block_size="auto" if update != "gradient" else f.n_variables,
        max_iter=100_000,
        tol=1e-11 if update == "auto" else 1e-8,
    )
    best = f.value(solution) + (0.0 if g is None else g.value(solution))
    assert result.success
    assert result.fun == pytest.approx(best, rel=1e-10)
    certified = optima()[1].get(case, {}).get("obj")
    if certified is not None:
        assert result.fun == pytest.approx(factor * certified, rel=1e-10)
    if update == "auto" and "svmdual" not in case:
        scale = np.max(np.abs(solution))
        np.testing.assert_allclose(result.x, solution, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("name", ["bpD", "bpE", "lsl1nn"])
def test_optima_of_the_papers_programs_are_reached(name):
    f, g = parts(name)
    solution = optima()[0][f"author_{name}|opt|x"]
    if g is None:
        rules = [{"selection": "tree-gs"}, {"partition": "tree"}, {"partition": "red-black"}]
    else:
        rules = [{}, {"update": "two-metric"}, {"partition": "sort"}]
    for rule in rules:
        result = minimize_bcd(f, g, max_iter=20_000, tol=1e-12, **rule)
        best = optima()[1][f"author_{name}|opt"]["obj"]
        assert result.success
        assert result.fun == pytest.approx(best, rel=1e-10)
        scale = np.max(np.abs(solution))
        np.testing.assert_allclose(result.x, solution, rtol=0, atol=1e-6 * scale)


def test_least_squares_without_a_unique_solution_reaches_zero():
    f, _ = parts("ls")
    result = minimize_bcd(f, block_size=50, max_iter=20_000, tol=1e-12)
    assert result.fun <= 1e-20 * f.value(np.zeros(f.n_variables))
    assert len(arrays("ls")["b"]) < f.n_variables
