"""The files around the package: commands, extras, version, licence, and what must not be there."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import skkd

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

RUN = (
    'python3 -m venv .venv && .venv/bin/pip install -e ".[experiments]"'
    " && .venv/bin/python -m experiments run --preset quick"
)
TEST = 'python3 -m venv .venv && .venv/bin/pip install -e ".[tests]" && .venv/bin/python -m pytest'

# Paths that exist on one machine only, and package indexes that only some network reaches.
LOCAL_PATH = re.compile(r"(?<![\w.~$}/-])/(home|root|mnt|srv|work|Users)/\w")
PACKAGE_INDEX = re.compile(r"https?://[^\s)]*/simple\b")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def section(markdown, heading):
    """Lines of a markdown text between one heading and the next."""
    match = re.search(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", markdown, re.MULTILINE | re.DOTALL)
    assert match, f"no heading {heading!r}"
    return match.group(1).splitlines()


def requirement_name(requirement):
    """Name of the distribution that a requirement asks for, extras and version cut off."""
    return re.match(r"[\w.-]+", requirement).group().lower()


def tracked_text_files():
    """Files of the repository that hold text; skips where there is no git checkout."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listing.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and b"\0" not in path.read_bytes()[:4096]:
            yield path


@pytest.mark.parametrize(("heading", "command"), [("Run", RUN), ("Test", TEST)])
def test_readme_holds_the_command(heading, command):
    assert command in section(read("README.md"), heading)


def test_torch_is_in_no_extra():
    asked = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    names = {requirement_name(requirement) for group in asked for requirement in group}
    assert not names & {"torch", "torchvision", "pytorch"}


@pytest.mark.parametrize(
    "extra",
    ["plot", "experiments", "gpu", "gpu12", "distributed", "bench", "tests", "docs", "dev"],
)
def test_extra_exists(extra):
    assert PROJECT["optional-dependencies"][extra]


def test_requirements_have_floors_and_no_caps():
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in (requirement for group in groups for requirement in group):
        specifier = requirement.partition(";")[0]
        if not specifier.startswith("skkd["):
            assert ">=" in specifier, requirement
            assert not re.search(r"[^>]=|<|~|!", specifier.replace(">=", "")), requirement


def test_version_is_the_same_everywhere():
    assert f"\nversion: {skkd.__version__}\n" in read("CITATION.cff")
    assert re.search(rf"^## {re.escape(skkd.__version__)}\b", read("CHANGELOG.md"), re.MULTILINE)
    assert PROJECT["dynamic"] == ["version"]


def test_licence():
    assert read("LICENSE").startswith("BSD 3-Clause License")
    assert "The skkd developers" in read("LICENSE")
    assert PROJECT["license"] == "BSD-3-Clause"
    assert "license: BSD-3-Clause" in read("CITATION.cff")


def test_no_path_or_index_of_one_machine():
    found = []
    for path in tracked_text_files():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if LOCAL_PATH.search(line) or PACKAGE_INDEX.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("line", "is_local"),
    [
        ("cd /" + "home/ann/skkd", True),
        ('DATA = "/' + 'mnt/data"', True),
        ("see docs/home/index.rst", False),
        ("https://example.org/" + "work/1", False),
        ("$HOME/" + "work/x", False),
    ],
)
def test_local_paths_are_recognised(line, is_local):
    assert bool(LOCAL_PATH.search(line)) == is_local
