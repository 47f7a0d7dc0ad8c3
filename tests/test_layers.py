"""The import rule: which part of the project may import which.

The two tables below are the rule. An import statement counts wherever it stands, at the top of a
module or inside a function: a lazy import changes when a dependency is loaded, not what it is.
"""

import ast
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "skkd"

# A layer is the first component below skkd; a layer may always import itself.
BOTTOM = {"_backend", "_kernels", "_threads"}
LOGIT_SPACE = BOTTOM | {"losses", "penalties", "datasets", "_base", "_validation"}
BELOW_FAMILIES = LOGIT_SPACE | {"objectives", "solvers"}
FAMILIES = {
    "linear_model",
    "naive_bayes",
    "ordinal",
    "treatment",
    "distillation",
    "semi_supervised",
    "model_selection",
}
PUBLIC_API = {"losses", "penalties", "datasets", "objectives", "solvers", "metrics"} | FAMILIES

MAY_IMPORT = {
    **dict.fromkeys(BOTTOM, set()),
    "losses": BOTTOM,
    "penalties": BOTTOM,
    "datasets": BOTTOM,
    "_base": BOTTOM,
    "_validation": BOTTOM,
    "objectives": LOGIT_SPACE,
    # Solvers receive objects that have the methods they need; they never name a loss.
    "solvers": BOTTOM,
    # Families never import each other: what two of them share moves down.
    **dict.fromkeys(FAMILIES, BELOW_FAMILIES),
    "metrics": {"_backend", "_validation"},
    "plotting": PUBLIC_API,
    # skkd/__init__.py resolves its submodules by name when they are asked for.
    "__init__": set(),
}

# Third-party modules that only some layers may import; no layer at all where the set is empty.
ONLY_IN = {
    "numba": {"_kernels"},
    "matplotlib": {"plotting"},
    "cupy": set(),
    "torch": set(),
    "dask": set(),
    # Private modules of scikit-learn: a rename there must be repairable in one file.
    "sklearn.utils._array_api": {"_backend"},
    "sklearn.externals": {"_backend"},
}


@dataclass(frozen=True)
class Import:
    """One imported module or name, with the line it stands on."""

    target: str
    line: int


def imports_of(source, module, *, is_package):
    """Every absolute dotted name that ``source``, the text of ``module``, imports."""
    package = module if is_package else module.rpartition(".")[0]
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            found += [Import(f"{base}.{alias.name}", node.lineno) for alias in node.names]
    return found


def layer_of(module):
    """First component below skkd: ``skkd.losses._binary`` lies in the layer ``losses``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def layer_violations(source, module, *, is_package=False):
    """``(line, sentence)`` for each import of ``source`` that breaks the rule of its layer."""
    layer = layer_of(module)
    if layer not in MAY_IMPORT:
        return [(1, f"the layer {layer!r} is unknown: give it a line in MAY_IMPORT")]
    found = []
    for imported in imports_of(source, module, is_package=is_package):
        found += [(imported.line, reason) for reason in _reasons_against(imported.target, layer)]
    return found


def _reasons_against(target, layer):
    for restricted, homes in ONLY_IN.items():
        if _is_within(target, restricted) and layer not in homes:
            yield f"{layer} imports {restricted}, allowed in: {sorted(homes) or 'no layer'}"
    if _is_within(target, "skkd"):
        other = layer_of(target)
        if other not in MAY_IMPORT[layer] | {layer, "__version__"}:
            allowed = sorted(MAY_IMPORT[layer]) or "nothing of skkd"
            yield f"{layer} imports {target}; it may import {allowed}"


def public_use_violations(source, module):
    """``(line, sentence)`` for each private name of skkd that ``source`` imports."""
    return [
        (imported.line, f"imports {imported.target}, which is private to skkd")
        for imported in imports_of(source, module, is_package=False)
        if _is_within(imported.target, "skkd") and _has_private_part(imported.target)
    ]


def _is_within(target, module):
    return target == module or target.startswith(module + ".")


def _has_private_part(target):
    return any(re.match(r"_(?!_)", part) for part in target.split("."))


def _module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _python_files(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def _report(path, violations):
    where = path.relative_to(ROOT)
    return [f"{where}:{line}: {sentence}" for line, sentence in violations]


def test_each_layer_imports_only_what_it_may():
    found = []
    for path in _python_files("skkd"):
        is_package = path.name == "__init__.py"
        found += _report(
            path, layer_violations(path.read_text(), _module_name(path), is_package=is_package)
        )
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("folder", ["experiments", "docs"])
def test_experiments_and_docs_use_public_names_only(folder):
    found = []
    for path in _python_files(folder):
        found += _report(path, public_use_violations(path.read_text(), _module_name(path)))
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("skkd.solvers._lbfgs", "from skkd.losses import get_loss", "solvers imports skkd.losses"),
        ("skkd.solvers._lbfgs", "from ..losses import get_loss", "solvers imports skkd.losses"),
        ("skkd.solvers._lbfgs", "from skkd import losses", "solvers imports skkd.losses"),
        ("skkd.ordinal._gnolr", "import skkd.treatment", "ordinal imports skkd.treatment"),
        ("skkd._backend", "from skkd._kernels import x", "_backend imports skkd._kernels"),
        ("skkd.losses._log", "def f():\n    import numba", "losses imports numba"),
        ("skkd.linear_model._gd", "import torch.nn", "linear_model imports torch"),
        ("skkd.metrics._ece", "from matplotlib import pyplot", "metrics imports matplotlib"),
        ("skkd.losses._log", "from sklearn.utils import _array_api", "sklearn.utils._array_api"),
        ("skkd._base", "from sklearn.externals import array_api_compat", "sklearn.externals"),
        ("skkd.surprise", "", "unknown"),
    ],
)
def test_checker_finds_a_violation(module, source, complaint):
    violations = layer_violations(source, module)
    assert len(violations) == 1
    assert complaint in violations[0][1]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("skkd.solvers._lbfgs", "from .._backend import namespace"),
        ("skkd.solvers._lbfgs", "from ._driver import run"),
        ("skkd.linear_model._gd", "def fit():\n    from skkd.solvers import run"),
        ("skkd._kernels._margins", "import numba"),
        ("skkd._backend", "from sklearn.utils import _array_api"),
        ("skkd.losses._log", "import torchlike, numbatic"),
    ],
)
def test_checker_passes_what_is_allowed(module, source):
    assert layer_violations(source, module) == []


@pytest.mark.parametrize(
    ("source", "n_violations"),
    [
        ("from skkd.losses._binary import LogLoss", 1),
        ("from skkd import _backend", 1),
        ("from skkd.losses import get_loss, _secret", 1),
        ("from skkd import __version__", 0),
        ("from skkd.losses import get_loss", 0),
        ("from experiments._harness import cli", 0),
    ],
)
def test_checker_knows_private_names(source, n_violations):
    assert len(public_use_violations(source, "experiments.somewhere.study")) == n_violations
