"""What an import of skkd loads, costs and offers."""

import importlib
import json
import pkgutil
import subprocess
import sys

import pytest

import skkd
from tests._discovery import public_modules

# pandas cannot be in this list: scikit-learn itself imports it where it is installed.
HEAVY = ("numba", "cupy", "torch", "matplotlib", "dask")

# Paid whatever the package holds: finding and reading its first files on a cold disk, and the
# clock of a busy machine, whose minimum over a few runs still varies by about this much.
SLACK_SECONDS = 0.03
REPEATS = 5

# Formatted with the heavy modules, the public ones and those right below skkd.
IMPORTS = """
import importlib, json, sys

def forget():
    for name in [n for n in sys.modules if n.partition(".")[0] == "skkd"]:
        del sys.modules[name]

heavy, modules, submodules = {}, {}, {}
report = {{"heavy": {{}}, "lazy": {{}}, "error": {{}}}}
for name in modules:
    forget()
    before = set(sys.modules)
    try:
        importlib.import_module(name)
    except Exception as error:
        report["error"][name] = repr(error)
    report["heavy"][name] = [m for m in heavy if m in sys.modules and m not in before]
for name in submodules:
    forget()
    import skkd
    report["lazy"][name] = [f"skkd.{{name}}" in sys.modules, name in dir(skkd)]
    try:
        report["lazy"][name].append(getattr(skkd, name).__name__)
    except Exception as error:
        report["error"].setdefault(name, repr(error))
print(json.dumps(report))
"""


def run_python(code):
    """Standard output of ``code`` in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def seconds_to_import(module):
    """Seconds that one ``import module`` takes inside a fresh interpreter."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return float(run_python(code))


def top_level_submodules():
    """Public modules directly below skkd."""
    return sorted(
        info.name for info in pkgutil.iter_modules(skkd.__path__) if not info.name.startswith("_")
    )


def test_import_loads_nothing_heavy():
    loaded = run_python(f"import skkd, sys; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded.strip() == "[]"


@pytest.fixture(scope="module")
def what_imports_do():
    """What the import of each public module loads, and how `skkd` offers each submodule.

    One interpreter for all of them, in which scikit-learn stays loaded but skkd is forgotten
    before each: every import starts from nothing, so that one that only works after another fails.
    A heavy module shows at the first of ours that loads it.
    """
    return json.loads(run_python(IMPORTS.format(HEAVY, public_modules(), top_level_submodules())))


@pytest.mark.parametrize("module", public_modules())
def test_public_module_loads_nothing_heavy(module, what_imports_do):
    # Compilation and plotting start when an estimator is fitted or a figure is drawn.
    assert module not in what_imports_do["error"], what_imports_do["error"]
    assert what_imports_do["heavy"][module] == []


def test_import_costs_at_most_a_tenth_more_than_sklearn():
    # Alternating runs see the same load; minima, because other processes only ever add time.
    ours, theirs = [], []
    for _ in range(REPEATS):
        theirs.append(seconds_to_import("sklearn"))
        ours.append(seconds_to_import("skkd"))
    assert min(ours) <= 1.1 * min(theirs) + SLACK_SECONDS


def test_all_lists_every_submodule_sorted():
    assert set(skkd.__all__) == {"__version__", *top_level_submodules()}
    assert list(skkd.__all__) == sorted(skkd.__all__)


@pytest.mark.parametrize("name", top_level_submodules())
def test_submodule_resolves_lazily(name, what_imports_do):
    assert name not in what_imports_do["error"], what_imports_do["error"]
    loaded_before, listed, resolved = what_imports_do["lazy"][name]
    assert not loaded_before and listed
    assert resolved == f"skkd.{name}"


def test_unknown_attribute_raises_attribute_error():
    with pytest.raises(AttributeError, match="no_such_submodule"):
        skkd.no_such_submodule  # noqa: B018


@pytest.mark.parametrize("name", public_modules())
def test_module_all_is_sorted_and_importable(name):
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    assert list(module.__all__) == sorted(module.__all__)
    for public in module.__all__:
        assert hasattr(module, public), f"{name}.__all__ names {public}, which is not there"
