"""Settings of every test session, for the tests, the doctests of the package and the README."""

import os

# scikit-learn skips its array API checks without this; it is read when scipy is first imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# No test opens a window.
os.environ.setdefault("MPLBACKEND", "Agg")

import importlib.util
import re
from collections import Counter

import pytest

# Continuous integration sets SKKD_REQUIRE_TORCH=1: a test that skips for want of one of these
# libraries then fails, so that a broken installation cannot pass for a green run.
STRICT = os.environ.get("SKKD_REQUIRE_TORCH") == "1"
REQUIRED = ("torch", "array_api_strict")
ABSENCE = re.compile(
    rf"could not import '({'|'.join(REQUIRED)})[.']|({'|'.join(REQUIRED)}) is not installed"
    "|SCIPY_ARRAY_API is not set"
)

_array_api_checks = Counter()


def pytest_configure():
    """Stop at once where a library that this run requires is absent."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if STRICT and missing:
        raise pytest.UsageError(f"SKKD_REQUIRE_TORCH=1, but not installed: {', '.join(missing)}.")


def pytest_runtest_setup(item):
    """Skip tests marked gpu where there is no CUDA device that CuPy can use."""
    if item.get_closest_marker("gpu") and not _has_cuda_device():
        pytest.skip("no CUDA device that CuPy can use")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip for want of a required library into a failure."""
    report = yield
    if STRICT and report.skipped and ABSENCE.search(str(report.longrepr)):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} may not skip here: {report.longrepr[-1]}"
    return report


def pytest_runtest_logreport(report):
    """Count how scikit-learn's array API checks ended."""
    if "check_array_api" in report.nodeid and (report.when == "call" or report.skipped):
        _array_api_checks[report.outcome] += 1


def pytest_sessionfinish(session):
    """Fail a strict run in which every one of scikit-learn's array API checks was skipped."""
    # Under xdist the reports come together in the main process; the workers have nothing to say.
    is_worker = hasattr(session.config, "workerinput")
    if STRICT and not is_worker and _no_array_api_check_ran():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Say how many of scikit-learn's array API checks ran."""
    if _array_api_checks:
        counts = ", ".join(f"{n} {outcome}" for outcome, n in sorted(_array_api_checks.items()))
        terminalreporter.write_line(f"scikit-learn's array API checks: {counts}")
    if STRICT and _no_array_api_check_ran():
        terminalreporter.write_line("SKKD_REQUIRE_TORCH=1 and none of them ran: this run FAILS")


def _no_array_api_check_ran():
    return bool(_array_api_checks) and set(_array_api_checks) == {"skipped"}


def _has_cuda_device():
    if importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    return cupy.cuda.is_available()
