"""Write the page of the API reference from what the package says is public.

The page is made anew at every build from the ``__all__`` of each public submodule, so a new public
name appears in it by itself. ``tests/test_docs.py`` checks that none is missed.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path

HEADER = """\
.. This page is written by api_page.py at each build.

.. _api:

=============
API reference
=============

Every public class and function, by submodule. All of them are imported from the submodule, as in
``from skkd.linear_model import LogisticRegressionGD``.
"""

MODULE = """
.. _{label}:

{title}
{underline}

.. automodule:: {name}
   :no-members:
   :no-inherited-members:

.. currentmodule:: {name}
"""

TABLE = """
.. autosummary::
   :toctree: generated/

{entries}
"""


def write_api_page(path, package):
    """Write the page for ``package`` to ``path``, touching the file only where the text changes."""
    text, path = render_api_page(package), Path(path)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def render_api_page(package):
    """Return the page for ``package`` as reStructuredText."""
    return HEADER + "".join(render_module(name) for name in public_modules(package))


def public_modules(package):
    """Names of the submodules of ``package`` without a leading underscore."""
    found = pkgutil.walk_packages(package.__path__, prefix=f"{package.__name__}.")
    names = [info.name for info in found]
    return sorted(name for name in names if not any(p.startswith("_") for p in name.split(".")))


def render_module(name):
    """Return the section of one submodule: its docstring, its classes, its functions."""
    module = importlib.import_module(name)
    public = [(entry, getattr(module, entry)) for entry in sorted(module.__all__)]
    classes = [entry for entry, obj in public if inspect.isclass(obj)]
    functions = [entry for entry, obj in public if inspect.isroutine(obj)]
    label, underline = name.replace(".", "-"), "=" * len(name)
    section = MODULE.format(name=name, label=label, title=name, underline=underline)
    return section + render_table(classes) + render_table(functions)


def render_table(names):
    """Return the summary table of ``names``, each linked to its own page."""
    if not names:
        return ""
    return TABLE.format(entries="\n".join(f"   {name}" for name in names))
