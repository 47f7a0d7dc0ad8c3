"""The API reference names everything that is public, on the page its doc link points to."""

import importlib.util
from pathlib import Path

import pytest

import skkd
from tests._discovery import all_estimators, public_objects

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def api_page():
    """Text of the page of the API reference."""
    spec = importlib.util.spec_from_file_location("api_page", DOCS / "api_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.render_api_page(skkd)


def entries_by_module(page):
    """The names that the page lists under each ``currentmodule``."""
    entries, module, in_table = {}, None, False
    for line in page.splitlines():
        if line.startswith(".. currentmodule::"):
            module = line.split()[-1]
        if line and not line.startswith(" "):
            in_table = line.startswith(".. autosummary::")
        elif in_table and line.strip() and not line.strip().startswith(":"):
            entries.setdefault(module, set()).add(line.strip())
    return entries


def test_api_page_lists_every_public_name(api_page):
    entries = entries_by_module(api_page)
    for public in public_objects():
        assert public.name in entries.get(public.module, ()), public.path


@pytest.mark.parametrize("estimator", all_estimators(), ids=lambda cls: cls.__name__)
def test_doc_link_of_an_estimator_points_to_its_page(estimator, api_page):
    # autosummary names the page of an entry after the module it is listed under.
    template = estimator._doc_link_template
    assert template.endswith("/generated/{estimator_module}.{estimator_name}.html")
    public_module = ".".join(
        part for part in estimator.__module__.split(".") if not part.startswith("_")
    )
    assert estimator.__name__ in entries_by_module(api_page)[public_module]
