"""Run a study: compute the configurations without a stored result, keep each as it is finished.

The worker that computes a result also writes its file, so a killed parent loses only what was
in flight. Results are always read back from the files, so a run that was resumed, moved to
other workers or never interrupted ends with the same table.
"""

import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from experiments._harness.machine import environment
from experiments._harness.store import (
    DamagedResult,
    Store,
    file_digest,
    identify,
    write_atomically,
)
from experiments._harness.study import ContractError, Study, discover


@dataclass(frozen=True)
class Task:
    """One configuration on its way to a worker: plain values only."""

    root: str
    out: str
    identity: dict

    @property
    def key(self) -> str:
        """Name of the result."""
        return self.identity["key"]

    @property
    def configuration(self) -> dict:
        """What is to be computed."""
        return self.identity["configuration"]


@dataclass(frozen=True)
class Finished:
    """A task that was computed (`document`) or has failed (`trace`)."""

    task: Task
    document: dict | None
    trace: str = ""


@dataclass
class Summary:
    """What happened to the configurations of one study in one run."""

    study: str
    total: int = 0
    reused: int = 0
    computed: int = 0
    failed: list[Finished] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What to say at the end of the study."""
        return (
            f"{self.study}: {self.total} configurations, {self.reused} already stored, "
            f"{self.computed} computed, {len(self.failed)} failed"
        )


def run_study(
    study: Study,
    *,
    out: Path,
    preset: str,
    data: dict[str, str],
    execute: Callable,
    progress: Any,
    command: str = "",
) -> Summary:
    """Bring the stored results of a study up to date.

    Parameters
    ----------
    study : Study
        What to run.
    out : pathlib.Path
        The output folder.
    preset : {"quick", "paper"}
        Size of the grid.
    data : dict of str to str
        Files that the user gave, by name.
    execute : callable
        From :func:`experiments._harness.backends.open_backend`.
    progress : Progress
        Where to say what happens.
    command : str
        The command line that reproduces the run, for the report.

    Returns
    -------
    Summary
    """
    store = Store(out, study.name)
    tasks = plan(study, out, preset, data)
    summary = Summary(study.name, total=len(tasks))
    for path in store.clean():
        progress.say(f"{study.name}: removed {path.name}, left by a run that was killed")
    _save_manifest(store, study, tasks, preset, command)
    missing = [task for task in tasks if not _usable(store, task, progress)]
    summary.reused = len(tasks) - len(missing)
    with progress.study(study.name, len(tasks), summary.reused) as step:
        for finished in execute(step.starting(missing)):
            _take(finished, store, summary, progress)
            step.done(finished.task)
    return summary


def plan(study: Study, out: Path, preset: str, data: dict[str, str]) -> list[Task]:
    """List the tasks of a study in the order of its configurations."""
    digests = {path: (name, file_digest(path)) for name, path in data.items()}
    tasks = []
    for configuration in study.configurations(preset, data):
        named = (digests[v] for v in configuration.values() if isinstance(v, str) and v in digests)
        identity = identify(study.name, study.version, configuration, dict(named))
        tasks.append(Task(str(study.folder.parent), str(Path(out).resolve()), identity))
    return tasks


def compute(task: Task) -> Finished:
    """Compute one configuration and write its result; runs in the worker process."""
    store = Store(task.out, task.identity["study"])
    try:
        document = _document(task)
        store.save(document)
        return Finished(task, document)
    except Exception:  # the trace is kept, shown, and makes the exit status 1
        trace = traceback.format_exc()
        store.save_error(task.identity, trace)
        return Finished(task, None, trace)


def _document(task):
    # Loaded before the threads are limited: a library that is loaded later escapes the limit.
    import scipy.linalg  # noqa: F401
    import sklearn
    from threadpoolctl import threadpool_limits

    identity = task.identity
    study = discover(Path(task.root))[identity["study"]]
    if study.version != identity["version"]:
        raise ContractError(f"this worker holds version {study.version} of the study; restart it")
    # One thread in every backend. The last digits of a matrix product depend on the number of
    # threads and trajectories with large steps are chaotic; n_jobs is how to use more cores.
    with threadpool_limits(limits=1):
        start = time.perf_counter()
        record = study.run(identity["configuration"])
        seconds = time.perf_counter() - start
    versions = {"sklearn": sklearn.__version__, "numpy": metadata.version("numpy")}
    info = {
        "seconds": seconds,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"skkd": _skkd_version(), **versions},
    }
    return {**identity, "record": record, "info": info}


def _skkd_version():
    if "skkd" in sys.modules:
        return sys.modules["skkd"].__version__
    try:
        return metadata.version("skkd")
    except metadata.PackageNotFoundError:
        return "not installed"


def _usable(store, task, progress):
    try:
        return store.load(task.identity) is not None
    except DamagedResult as problem:
        path = store.path(task.key)
        progress.say(f"{task.identity['study']}: {path.name} is {problem}; computing it again")
        return False


def _take(finished, store, summary, progress):
    if finished.document is None:
        summary.failed.append(finished)
        store.save_error(finished.task.identity, finished.trace)
        progress.failure(finished)
        return
    summary.computed += 1
    if not store.path(finished.task.key).is_file():
        store.save(finished.document)  # the worker was on a machine that does not share our disk


def _save_manifest(store, study, tasks, preset, command):
    manifest = {
        "study": study.name,
        "version": study.version,
        "preset": preset,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": environment(),
        "tasks": [task.identity for task in tasks],
    }
    write_atomically(store.manifest, manifest)
