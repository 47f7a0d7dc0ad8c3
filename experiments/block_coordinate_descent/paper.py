"""The paper's curves, as read off its figures, and runs of the authors' code.

The file ``paper_curves.json`` says where they come from. Here they get the keys of our own runs.
"""

import json
from functools import lru_cache
from pathlib import Path

from .runs import Key, Run

_FILE = Path(__file__).with_name("paper_curves.json")
_AT = (50, 100, 250, 500)
_END = 500

_FIXED = {
    "Cyclic": "cyclic",
    "Random": "random",
    "Lipschitz": "lipschitz",
    "GS": "gs",
    "GSL": "gsl",
    "GSD": "gsd",
    "GSQ": "gsq",
}
# In the legends, GSL of variable blocks scores by row sums, and GSQ is hard thresholding.
_VARIABLE = {
    "Perm": "perm",
    "Random": "random",
    "Lipschitz": "lipschitz",
    "GS": "gs",
    "GSL": "gsd-h",
    "GSD": "gsd",
    "GSQ": "iht",
}
_PARTITIONS = {"Sort": "sort", "Order": "order", "Avg": "average"}
_UPDATES = {"5": "bound", "8": "gradient", "11": "bound", "12": "newton"}
_LINE = {"LA": "adaptive", "Lb": "gradient"}
_PENALISED = {"PG": "prox-gradient", "PN": "prox-newton", "TMP": "two-metric"}
_FORESTS = {
    "Random Tree": ("variable", "tree-random"),
    "Greedy Tree": ("variable", "tree-gs"),
    "General": ("variable", "gs"),
    "Red Black": ("lattice red-black", "cyclic"),
    "TreePartitions": ("lattice combs", "cyclic"),
    "Red Black Lipschitz": ("colours lipschitz", "cyclic"),
    "Red Black Order": ("colours order", "cyclic"),
    "Tree Partitions Lipschitz": ("forests lipschitz", "cyclic"),
    "Tree Partitions Order": ("forests order", "cyclic"),
}


@lru_cache(maxsize=1)
def curves() -> dict[Key, Run]:
    """Every curve of the figures; one that several figures show is taken from the first."""
    found = {}
    for panel, named in _content()["curves"].items():
        for name, row in named.items():
            found.setdefault(_key(panel, name), _run(row))
    return found


@lru_cache(maxsize=1)
def author_runs() -> dict[Key, dict[int, float]]:
    """Gaps of the authors' code at some iterations."""
    found = {}
    for data, block_size, update, name, iteration, gap in _content()["runs"]:
        if update == "exact":
            key = Key(data, "paper", None, update, *_FORESTS[name])
        else:
            key = Key(data, "paper", block_size, update, *_fixed_or_variable(name))
        found.setdefault(key, {})[iteration] = gap
    return found


def _content():
    return json.loads(_FILE.read_text(encoding="utf-8"))


def _run(row):
    start, *gaps, last = row[:6]
    known = {k: gap for k, gap in zip(_AT, gaps, strict=True) if gap is not None}
    return Run(
        gaps={0: start, **known},
        reached=last if last < _END else None,
        settled=row[6] if len(row) > 6 else None,
    )


def _key(panel, name):
    figure, data, block_size = panel.split("|")
    if figure == "6":
        return Key(data, "paper", None, "exact", *_FORESTS[name])
    return Key(data, "paper", int(block_size), *_rules(figure, name))


def _rules(figure, name):
    if figure == "9":
        line, rule = name.split("-")
        return _LINE[line], "order", _FIXED[rule]
    if figure == "10":
        rule, partition = name.split("-")
        return "gradient", _PARTITIONS[partition], _FIXED[rule]
    if figure in ("7", "13"):
        update, kind = name.split("-")
        partition = "sort" if kind == "FB" else "variable"
        return _PENALISED[update], partition, "gs-q" if figure == "7" else "random"
    return _UPDATES[figure], *_fixed_or_variable(name)


def _fixed_or_variable(name):
    rule, kind = name.split("-")
    return ("sort", _FIXED[rule]) if kind == "FB" else ("variable", _VARIABLE[rule])
