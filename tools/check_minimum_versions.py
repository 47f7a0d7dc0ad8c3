"""Run the tests with the lowest version of each core dependency that pyproject.toml allows.

The floors are read from pyproject.toml, so there is nothing to keep in step. What the tests
themselves need is installed in whatever version pip picks beside them.

    python tools/check_minimum_versions.py            # the whole suite
    python tools/check_minimum_versions.py --quick    # imports, layers and one fit
    python tools/check_minimum_versions.py --list     # print the floors and stop
"""

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QUICK_TESTS = ["tests/test_imports.py", "tests/test_layers.py", "README.md"]
FLOOR = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)")


def main(arguments=None):
    """Build the environment, run the tests in it, and return their exit status."""
    options = parse(arguments)
    pins = floors((ROOT / "pyproject.toml").read_text())
    print("lowest versions allowed:", *pins, flush=True)
    if options.list:
        return 0
    python = make_environment(options.environment, pins)
    report_versions(python, pins)
    tests = QUICK_TESTS if options.quick else []
    return subprocess.call([python, "-m", "pytest", "-q", *tests, *options.pytest], cwd=ROOT)


def parse(arguments):
    """Parse the command line; what follows ``--`` goes to pytest."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a subset of about a minute")
    parser.add_argument("--list", action="store_true", help="print the floors and stop")
    parser.add_argument("--environment", type=Path, default=ROOT / ".min-venv", metavar="DIR")
    parser.add_argument("pytest", nargs="*", help="options of pytest, after --")
    return parser.parse_args(arguments)


def floors(pyproject):
    """``name==version`` for the floor of each core dependency in the text of a pyproject.toml."""
    pins = []
    for requirement in tomllib.loads(pyproject)["project"]["dependencies"]:
        match = FLOOR.match(requirement)
        if match is None:
            raise SystemExit(f"{requirement!r} has no floor of the form 'name>=version'.")
        pins.append("{name}=={version}".format(**match.groupdict()))
    return pins


def make_environment(folder, pins):
    """Create a virtual environment with skkd, its tests' needs and the pinned versions."""
    # A wrong --environment must not delete anything but an environment.
    if folder.exists():
        if not (folder / "pyvenv.cfg").exists():
            raise SystemExit(f"{folder} exists and is no virtual environment.")
        shutil.rmtree(folder)
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    # One call, so that pip finds versions of the tests' needs that go with the pins.
    subprocess.check_call([python, "-m", "pip", "install", "-q", "-e", f"{ROOT}[tests]", *pins])
    return python


def report_versions(python, pins):
    """Print the versions found, and fail where one is not the floor."""
    code = "import importlib.metadata as m, sys\nfor n in sys.argv[1:]: print(m.version(n))"
    names = [pin.partition("==")[0] for pin in pins]
    found = subprocess.check_output([python, "-c", code, *names], text=True).split()
    for pin, version in zip(pins, found, strict=True):
        floor = pin.partition("==")[2]
        # 2.0 and 2.0.0 are one version.
        if version != floor and re.sub(r"(\.0)+$", "", version) != re.sub(r"(\.0)+$", "", floor):
            raise SystemExit(f"asked for {pin}, got {version}")
    print("installed: ", *(f"{name} {version}" for name, version in zip(names, found, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
