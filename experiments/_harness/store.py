"""Results on disk: one file for each configuration, whole or not there at all.

::

    out/<study>/results/<key>.json   one result, with a checksum of its own content
    out/<study>/errors/<key>.json    the traceback of a configuration that failed
    out/<study>/manifest.json        the last run: its command, its configurations in order

A result is written beside its place, flushed to the disk and renamed, so a killed process
leaves at most a temporary file. The key is a hash of what determines the result: study,
version, configuration, and the content of the data files that the configuration names.
"""

import hashlib
import json
import os
import signal
import threading
from contextlib import contextmanager
from pathlib import Path


class DamagedResult(Exception):
    """A stored file that cannot be used; the message says why."""


class Store:
    """The files of one study below the output folder.

    Parameters
    ----------
    out : path-like
        The output folder of the run.
    study : str
        Name of the study.
    """

    def __init__(self, out, study: str):
        self.folder = Path(out) / study
        self.results = self.folder / "results"
        self.errors = self.folder / "errors"
        self.figures = self.folder / "figures"
        self.manifest = self.folder / "manifest.json"

    def path(self, key: str) -> Path:
        """Where the result named `key` is."""
        return self.results / f"{key}.json"

    def save(self, document: dict) -> None:
        """Write a result and forget an earlier failure of the same configuration."""
        key = document["key"]
        write_atomically(self.path(key), {**document, "checksum": _checksum(document)})
        (self.errors / f"{key}.json").unlink(missing_ok=True)

    def load(self, identity: dict) -> dict | None:
        """Read a result back.

        Parameters
        ----------
        identity : dict
            What the result must be the result of, as returned by :func:`identify`.

        Returns
        -------
        dict or None
            The document; None if there is no such file.

        Raises
        ------
        DamagedResult
            If the file is not a result, was changed, or is the result of something else.
        """
        try:
            text = self.path(identity["key"]).read_bytes()
        except FileNotFoundError:
            return None
        document = _parse(text)
        claimed = document.pop("checksum", None)
        if claimed != _checksum(document):
            raise DamagedResult("damaged: its checksum does not match its content")
        if _canonical({name: document.get(name) for name in identity}) != _canonical(identity):
            raise DamagedResult("foreign: it is the result of another configuration")
        return document

    def save_error(self, identity: dict, trace: str) -> None:
        """Keep the traceback of a failed configuration until it succeeds."""
        write_atomically(self.errors / f"{identity['key']}.json", {**identity, "trace": trace})

    def load_error(self, key: str) -> str:
        """Return the traceback kept for `key`, empty if there is none."""
        path = self.errors / f"{key}.json"
        return _parse(path.read_bytes()).get("trace", "") if path.is_file() else ""

    def load_manifest(self) -> dict | None:
        """Return the record of the last run, None if there was none."""
        return _parse(self.manifest.read_bytes()) if self.manifest.is_file() else None

    def clean(self) -> list[Path]:
        """Remove the temporary files of killed runs and return their paths."""
        leftovers = sorted(self.folder.glob("**/*.tmp"))
        for path in leftovers:
            path.unlink(missing_ok=True)
        return leftovers


def identify(study: str, version: int, configuration: dict, inputs: dict[str, str]) -> dict:
    """Name a result by what determines it.

    Parameters
    ----------
    study, version, configuration
        What is run.
    inputs : dict of str to str
        Digests of the data files that the configuration reads, by name.

    Returns
    -------
    dict
        The four arguments and ``key``, which is the same in every process and on every machine.
    """
    identity = {
        "study": study,
        "version": version,
        "configuration": configuration,
        "inputs": inputs,
    }
    return {"key": _digest(_canonical(identity).encode())[:20], **identity}


def file_digest(path) -> str:
    """Digest of a file's content, so that a changed data file is noticed."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, content) -> None:
    """Put text, bytes or a JSON document at `path`; readers see the old file or the new one."""
    if isinstance(content, dict):
        content = json.dumps(content) + "\n"
    if isinstance(content, str):
        content = content.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_and_rename(path, content)
    except FileNotFoundError:
        # Another run into the same folder may have taken our temporary file for a leftover
        # when it started; it cleans only once.
        _write_and_rename(path, content)


def _write_and_rename(path, content):
    # Same folder: a rename is atomic only within one file system. The process id keeps apart
    # two runs that write the same result.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _uninterrupted():
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


@contextmanager
def _uninterrupted():
    """Hold Ctrl-C back while a file is written, and deliver it afterwards.

    What was computed is then kept, and no interrupt falls between opening the file and taking it
    in hand, which would leave it to the collector of garbage, with a complaint.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is None:  # only there signals arrive
        yield
        return
    held = []
    before = signal.signal(signal.SIGINT, lambda *arguments: held.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held and callable(before):
            before(*held[0])


def _parse(text):
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DamagedResult("damaged: it is truncated or not JSON") from error
    if not isinstance(document, dict):
        raise DamagedResult("foreign: it does not hold a result")
    return document


def _checksum(document):
    return _digest(_canonical(document).encode())


def _canonical(document):
    # NaN and infinity are legitimate results of a diverging run; Python reads them back.
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _digest(content):
    return hashlib.sha256(content).hexdigest()
