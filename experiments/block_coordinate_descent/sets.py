"""The problems: data of :func:`skkd.datasets.make_bcd_problem`, datafit, penalty and optimum.

The distance to the optimum is not taken as a difference of two values where that would drown in
their last digits. Quadratics give it as ``0.5 (x - x*)' H (x - x*) + grad F(x*)' (x - x*)``, in
which nothing cancels: D has an optimum of -1e9 and its curves go down to 1e-5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from skkd.datasets import make_bcd_problem
from skkd.objectives import GraphQuadratic, LeastSquares, Logistic, Softmax
from skkd.penalties import L1

from .reference import nonnegative_least_squares

# Sizes of the short run, and of the runs whose only purpose is to have everything compiled.
SIZES = {
    "paper": dict.fromkeys(("A", "B", "C", "D", "E", "A_l1"), {}),
    "small": {
        "A": {"n_samples": 200, "n_features": 2000},
        "B": {"n_samples": 200, "n_features": 2000},
        "C": {"n_samples": 150, "n_features": 150, "n_classes": 10},
        "D": {"shape": (20, 20), "n_labelled": 16},
        "E": {"n_samples": 600, "n_labelled": 40},
        "A_l1": {"n_samples": 200, "n_features": 2000, "alpha": 30_000.0},
    },
    "tiny": {
        "A": {"n_samples": 20, "n_features": 60},
        "B": {"n_samples": 20, "n_features": 60},
        "C": {"n_samples": 20, "n_features": 24, "n_classes": 4},
        "D": {"shape": (6, 6), "n_labelled": 4},
        "E": {"n_samples": 60, "n_labelled": 8},
        "A_l1": {"n_samples": 20, "n_features": 60, "alpha": 1000.0},
    },
    # More rows than columns: strongly convex, as the theory of the active set asks. As drawn, the
    # columns differ so much in norm that its constants say little; "equal" divides them out.
    "tall": {"A_l1": {"n_samples": 600, "n_features": 120, "alpha": 3000.0}},
    "equal": {"A_l1": {"n_samples": 600, "n_features": 120, "alpha": 20.0}},
}


@dataclass(frozen=True)
class Problem:
    """One problem, ready to be minimised.

    Parameters
    ----------
    name, size : str
        Keys of ``SIZES``.
    data : Bunch
        As generated.
    make_datafit : callable
        A new datafit, with nothing computed in advance: what it needs is part of the time.
    penalty : object or None
        Non-smooth part.
    gap : callable
        ``gap(x, value)``: distance of the objective to its optimum.
    x_star : array or None
        The optimum, where it is attained and known.
    """

    name: str
    size: str
    data: Any
    make_datafit: Callable[[], Any]
    penalty: Any
    gap: Callable[[np.ndarray, float], float]
    x_star: np.ndarray | None

    @property
    def start(self) -> np.ndarray:
        """The point at which every method begins."""
        return np.zeros(self.data.n_variables)


@lru_cache(maxsize=2)
def load(name: str, size: str) -> Problem:
    """Build a problem; the last two are kept."""
    data = make_bcd_problem(name, **SIZES[size][name])
    if size == "equal":
        data.A = data.A / np.sqrt(data.A.power(2).sum(axis=0))
    return _BUILDERS[data.loss](name, size, data)


def _unpenalised(datafit):
    def build(name, size, data):
        if name == "A_l1":
            return _nonnegative(name, size, data)

        def gap(x, value):
            return value - data.f_star

        return Problem(name, size, data, lambda: datafit(data.A, data.b), None, gap, None)

    return build


def _nonnegative(name, size, data):
    optimum = nonnegative_least_squares(data.A, data.b, data.alpha)

    def gap(x, value):
        step = x - optimum.x
        return 0.5 * float(np.sum((data.A @ step) ** 2)) + float(optimum.gradient @ step)

    penalty = L1(data.alpha, positive=True)
    return Problem(name, size, data, lambda: LeastSquares(data.A, data.b), penalty, gap, optimum.x)


def _graph(name, size, data):
    def gap(x, value):
        step = x - data.x_star
        return 0.5 * float(step @ (data.A @ step))

    return Problem(name, size, data, lambda: GraphQuadratic(data.A, data.b), None, gap, data.x_star)


_BUILDERS = {
    "least_squares": _unpenalised(LeastSquares),
    "logistic": _unpenalised(Logistic),
    "softmax": _unpenalised(Softmax),
    "graph": _graph,
}
