"""The stored cases of block coordinate descent, and the objects that stand for them here."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from skkd.objectives import (
    GraphQuadratic,
    LeastSquares,
    Logistic,
    Softmax,
)
from skkd.penalties import L1

FOLDER = Path(__file__).parent / "data" / "bcd"
PROBLEMS = ("ls", "lg", "sf", "bpD", "bpE", "lsl1nn")

PARTITIONS = {
    "Order": "order",
    "Sort": "sort",
    "Avg": "average",
    "Hsort": "hsort",
    "Havg": "haverage",
}
# The exact-tree rules take the largest scores and know nothing of trees.
SELECTIONS = {
    "Cyclic": "cyclic",
    "GS": "gs",
    "GSL": "gsl",
    "GSD": "gsd",
    "GSQ": "gsq",
    "GSDHb": "gsd-h",
    "IHT": "iht",
    "GSExactTree": "gs",
    "GSLExactTree": "gsd",
    "gsq-nn": "gs-q",
}
UPDATES = {
    "Lb": "gradient",
    "Hb": "bound",
    "LA": "adaptive",
    "LS": "newton",
    "bpExact": "exact",
    "bpGabp": "exact",
    "Lb-NN": "prox-gradient",
    "qp-nn": "prox-newton",
    "TMP-NN": "two-metric",
}


@cache
def arrays(problem):
    with np.load(FOLDER / f"author_{problem}.npz") as archive:
        return dict(archive)


@cache
def optima():
    with np.load(FOLDER / "optima.npz") as archive:
        return dict(archive), json.loads((FOLDER / "optima.json").read_text())


def combinations(*problems):
    """``(problem, combination)`` of every stored run."""
    return [
        (problem, key.removeprefix("loss|"))
        for problem in problems or PROBLEMS
        for key in arrays(problem)
        if key.startswith("loss|")
    ]


def parts(problem):
    """Datafit and penalty of a problem."""
    data = arrays(problem)
    if problem == "lsl1nn":
        return LeastSquares(data["A"], data["b"]), L1(float(data["L1"]), positive=True)
    datafit = {"ls": LeastSquares, "lg": Logistic, "sf": Softmax}.get(problem, GraphQuadratic)
    return datafit(data["A"], data["b"]), None


def stored_blocks(problem, combination):
    rows = arrays(problem)[f"blocks|{combination}"].astype(np.int64)
    return [row[row >= 0] for row in rows]
