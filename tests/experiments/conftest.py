"""A folder for studies, a folder for output, and the command line between them."""

import pytest

from experiments._harness.cli import main


@pytest.fixture
def studies(tmp_path):
    folder = tmp_path / "studies"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def call(studies, out, capsys):
    """Call the command line in this process: ``status, stdout, stderr = call("run", ...)``."""

    def call(command, *arguments):
        words = [command, *arguments, "--studies", str(studies), "--out", str(out)]
        status = main(words)
        return status, *capsys.readouterr()

    return call
