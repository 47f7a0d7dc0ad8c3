"""Every array function that skkd calls exists in every array library it claims to run on.

CuPy cannot be run without a GPU, but it can be asked what it has: its namespace imports without
one. Where CuPy is not installed the names are held against the array API standard, all of which
the compatibility layer for CuPy provides.
"""

import ast
import importlib
import re
from itertools import islice
from pathlib import Path

import pytest

import skkd
from skkd.losses import ExponentialLoss
from skkd.solvers import (
    Constant,
    LogisticRisk,
    Normalized,
    averaged,
    best,
    first_hit,
    gradient_descent,
    lbfgs,
    max_margin_descent,
    newton,
)
from tests.losses._cases import BINARY, CASES, CLASSIFICATION, MULTICLASS, Case

from ._agreement import library, make_objective

ROOT = Path(skkd.__file__).parent
SOURCES = sorted(path for path in ROOT.rglob("*.py") if "_kernels" not in path.parts)
NAMESPACE = re.compile(r"xp(_\w+)?")


def is_namespace(node):
    """Whether an expression is an array namespace: `xp`, `xp_y`, or a call of namespace()."""
    if isinstance(node, ast.Name):
        return bool(NAMESPACE.fullmatch(node.id))
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "namespace"
    )


def dotted(node):
    """`a.b` of an expression `xp.a.b`, or None."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join(reversed(names)) if names and is_namespace(node) else None


def names_used():
    """Every name that some source takes from a namespace, with where it stands."""
    found = {}
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        for node in ast.walk(tree):
            name = dotted(node) if id(node) not in inner else None
            if name:
                found.setdefault(name, f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def has(module, name):
    """Whether a module has a dotted name."""
    for part in name.split("."):
        if not hasattr(module, part):
            return False
        module = getattr(module, part)
    return True


def missing(module):
    """Names that skkd uses and the module lacks."""
    return {name: where for name, where in names_used().items() if not has(module, name)}


def test_the_scan_finds_names():
    found = names_used()
    assert {"where", "exp", "max", "astype", "concat", "unique_inverse"} <= set(found)
    # A namespace that hides behind another name would escape the scan.
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and is_namespace(node.value):
                assert all(is_namespace(target) for target in node.targets), f"{path}:{node.lineno}"


def test_the_standard_has_every_name():
    assert missing(pytest.importorskip("array_api_strict")) == {}


def test_numpy_has_every_name():
    assert missing(importlib.import_module("sklearn.externals.array_api_compat.numpy")) == {}


def test_torch_has_every_name():
    pytest.importorskip("torch")
    assert missing(importlib.import_module("sklearn.externals.array_api_compat.torch")) == {}


def test_cupy_has_every_name():
    pytest.importorskip("cupy", reason="CuPy is not installed: held against the standard instead")
    assert missing(importlib.import_module("sklearn.externals.array_api_compat.cupy")) == {}


@pytest.fixture
def strict_flags():
    """The standard without the parts that force a device to tell the host a shape."""
    strict = pytest.importorskip("array_api_strict")
    with strict.ArrayAPIStrictFlags(boolean_indexing=False, data_dependent_shapes=False):
        yield library("strict-device1")


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps_need_no_data_dependent_shapes(case, weights, strict_flags):
    rules = [Constant(0.5)]
    if case in CLASSIFICATION:
        rules.append(Normalized(2.0))
    if case in (BINARY[0], MULTICLASS[0]):
        rules.append(LogisticRisk(1.0))
    for rule in rules:
        objective = make_objective(strict_flags, case, weights=weights)
        iterates = gradient_descent(objective, objective.zeros(), step=rule)
        if case in CLASSIFICATION:
            iterates = averaged(iterates, objective)
            iterates = best(first_hit(iterates, lambda it: it.errors == 0))
        list(islice(iterates, 6))


@pytest.mark.parametrize("solver", [lbfgs, newton])
@pytest.mark.parametrize("case", [BINARY[0], MULTICLASS[0], CASES[-1]], ids=str)
def test_second_order_solvers_need_no_data_dependent_shapes(case, solver, strict_flags):
    objective = make_objective(strict_flags, case, alpha=0.1)
    list(islice(solver(objective, objective.zeros()), 8))


def test_margin_maximisation_needs_no_data_dependent_shapes(strict_flags):
    objective = make_objective(strict_flags, Case("exponential", ExponentialLoss(), 1, "hard"))
    list(islice(max_margin_descent(objective, 3.0), 6))
