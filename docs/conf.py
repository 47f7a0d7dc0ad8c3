"""Configuration of the documentation.

Build it from the root of the repository with

    python -m sphinx -W --keep-going -b html docs docs/_build/html

Nothing is fetched at build time. Set ``SKKD_DOCS_INTERSPHINX=1`` to link the types of other
projects to their documentation, which reads their inventories from the network.
"""

import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The checkout documents itself, whatever version is installed.
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from api_page import write_api_page

import skkd

project = "skkd"
author = "The skkd developers"
copyright = f"2026, {author}"
version = release = skkd.__version__

# Before Sphinx looks for source files.
write_api_page(HERE / "api.rst", skkd)

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples", "**.ipynb"]
root_doc = "index"
# A name in single backquotes is code; a reference is spelled out as one.
default_role = "code"

# -- API reference -----------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"
# The list beside a page names methods without the class, which its heading has said.
toc_object_entries_show_parents = "hide"
# The signature shows names of constants and functions rather than their values.
autodoc_preserve_defaults = True
# The class template lists the members that skkd defines (see `skip_foreign_member`); numpydoc's own
# tables would also ask for a page for each method inherited from scikit-learn.
numpydoc_show_class_members = False

# -- Links to other projects ---------------------------------------------------------------------

if os.environ.get("SKKD_DOCS_INTERSPHINX") == "1":
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }

# -- Gallery -----------------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "doc_module": ("skkd",),
    "backreferences_dir": "generated/backreferences",
    "reference_url": {"skkd": None},
    "download_all_examples": False,
    "abort_on_example_error": False,  # -W turns the failure into one, after all have been tried
    "plot_gallery": True,
    "show_memory": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "copyfile_regex": r".*\.rst",
}
# Examples are run as a user would run them: a warning in one is a bug of the example.
warnings.filterwarnings("error", module=r"__main__")

# -- HTML ----------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"skkd {version}"
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "installation": [], "changelog": [], "contributing": []}

# Code is copied without its prompts and outputs.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def skip_foreign_member(app, what, name, obj, skip, options):
    """Leave out what a class inherits from other packages.

    scikit-learn's docstrings refer to labels and glossary terms of its own site, which do not
    exist here.
    """
    function = obj.fget if isinstance(obj, property) else obj
    module = getattr(function, "__module__", None) or ""
    if what == "class" and module and module.split(".")[0] != "skkd":
        return True
    return None


def setup(app):
    """Connect the handlers above to Sphinx's events."""
    app.connect("autodoc-skip-member", skip_foreign_member)
