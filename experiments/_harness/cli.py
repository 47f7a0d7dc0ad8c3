"""The command line: ``python -m experiments list | run | report | bench``.

Exit status: 0 if everything could be computed, measured and drawn (also where a claim does not
hold: that is a result), 1 if something failed, 2 for a command that makes no sense, 130 if
interrupted.
"""

import argparse
import json
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from experiments._harness.store import write_atomically
from experiments._harness.study import (
    PRESETS,
    STUDIES,
    ContractError,
    DataFileError,
    Study,
    discover,
)
from experiments._harness.tables import Table

# A log file has no width; at this one the table of claims is readable.
_LOG_WIDTH = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit status.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check(options)
        return options.command(options)
    except _UsageError as error:
        print(f"experiments: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\ninterrupted; what was finished is kept, the same command goes on from there",
            file=sys.stderr,
        )
        return 130


class _UsageError(Exception):
    """Something the user can put right; shown without a traceback."""


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m experiments",
        description="Run the papers' theoretical simulations and show their numbers beside ours.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("list", help="show the studies")
    _common(one, _list)
    one = commands.add_parser("run", help="run studies, then print claims and write the report")
    _common(one, _run, names="*")
    one.add_argument("--preset", choices=PRESETS, default="quick", help="size of the grid")
    one.add_argument("--n-jobs", type=int, default=1, metavar="N", help="worker processes")
    one.add_argument("--backend", choices=("loky", "dask"), default="loky")
    one.add_argument("--scheduler", metavar="ADDRESS", help="a dask scheduler that is running")
    one.add_argument(
        "--data", action="append", default=[], metavar="NAME=PATH", help="a file for the studies"
    )
    one = commands.add_parser("report", help="rebuild claims, figures and page from the files")
    _common(one, _report)
    one = commands.add_parser("bench", help="time skkd beside its peers")
    _common(one, _bench, names="+")
    one.add_argument("--quick", action="store_true", help="small problems, few repeats")
    one.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PART",
        help="this part of the benchmark; may be given several times",
    )
    return parser


def _common(parser, command, names=None):
    parser.set_defaults(command=command, names=[], data=[])
    if names:
        parser.add_argument("names", nargs=names, metavar="NAME", help="a study, see list")
    parser.add_argument("--out", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument(
        "--studies", type=Path, default=STUDIES, metavar="DIR", help="look for studies here"
    )


def _check(options):
    """Refuse a command that makes no sense before any work; replace raw values by checked ones."""
    try:
        found = discover(options.studies)
    except ContractError as error:
        raise _UsageError(error) from error
    for name in options.names:
        if name not in found:
            raise _UsageError(f"no study {name!r}; there are: {', '.join(found) or 'none'}")
    options.chosen = [found[name] for name in dict.fromkeys(options.names or found)]
    if options.command in (_run, _report):
        _require("pandas", "rich", "matplotlib", extra="experiments")
    if options.command is not _run:
        return
    if options.n_jobs == 0 or options.n_jobs < -1:
        raise _UsageError(f"--n-jobs is {options.n_jobs}; want 1 or more, or -1 for all cores")
    if options.scheduler and options.backend != "dask":
        raise _UsageError("--scheduler is for --backend dask")
    if options.backend == "dask":
        _require("distributed", extra="distributed")
    options.data = dict(_named_file(one) for one in options.data)


def _require(*modules, extra):
    absent = [name for name in modules if find_spec(name) is None]
    if absent:
        raise _UsageError(f"needs {', '.join(absent)}: pip install 'skkd[{extra}]'")


def _named_file(text):
    name, equals, path = text.partition("=")
    if not (name and equals):
        raise _UsageError(f"--data is {text!r}; want NAME=PATH")
    if not Path(path).is_file():
        raise _UsageError(f"--data {name}: there is no file {path}")
    return name, str(Path(path).resolve())


def _list(options):
    rows, status = [], 0
    for study in options.chosen:
        try:
            sizes = [len(study.configurations(preset, {})) for preset in PRESETS]
            bench = "yes" if study.has("bench") else "no"
            rows.append((study.name, *sizes, len(study.claims()), bench, study.title))
        except Exception:  # a broken study is listed as broken
            rows.append((study.name, None, None, None, None, "broken, see below"))
            status = 1
            traceback.print_exc()
    columns = ("study", *PRESETS, "claims", "bench", "title")
    title = f"{len(rows)} studies in {options.studies}; quick and paper are configurations"
    print(Table(title, columns, rows).to_text(), end="")
    return status


def _run(options):
    from experiments._harness.backends import open_backend
    from experiments._harness.progress import Progress
    from experiments._harness.runner import run_study

    console = _console()
    in_process = options.backend == "loky" and options.n_jobs == 1
    progress = Progress(console, live=in_process)

    def run_one(study):
        summary = run_study(
            study,
            out=options.out,
            preset=options.preset,
            data=options.data,
            execute=execute,
            progress=progress,
            command=_command(options, study),
        )
        progress.say(summary.sentence)
        return bool(summary.failed)

    with open_backend(options.backend, options.n_jobs, options.scheduler) as execute:
        failed = [_attempt(study, run_one, progress.say) for study in options.chosen]
    shown = _show(options, console)
    return 0 if shown and not any(failed) else 1


def _command(options, study):
    """Write the command line that reproduces one study."""
    words = ["python", "-m", "experiments", "run", study.name, "--preset", options.preset]
    for name, path in options.data.items():
        words += ["--data", f"{name}={path}"]
    if options.studies != STUDIES:
        words += ["--studies", str(options.studies)]
    return shlex.join(words)


def _report(options):
    return 0 if _show(options, _console()) else 1


def _show(options, console):
    """Print the claims of the chosen studies, write the page of all; whether all is sound."""
    from experiments._harness.evaluate import evaluate
    from experiments._harness.report import write_report

    evaluations, sound = [], True
    chosen = {study.name for study in options.chosen}
    for study in discover(options.studies).values():
        try:
            found = evaluate(study, options.out)
        except Exception:  # broken study or unreadable folder: said, the others are still shown
            _say(console, f"{study.name}: cannot be shown\n{traceback.format_exc()}")
            sound = False
            continue
        if found is None:
            continue
        evaluations.append(found)
        if study.name in chosen:
            _print_claims(found, console)
            sound &= found.sound
    if not evaluations:
        _say(console, f"nothing is stored in {options.out}: no study has run to its end yet")
        return False
    path = write_report(evaluations, options.out)
    for found in evaluations:
        if found.figures and found.study.name in chosen:
            _say(console, f"figures: {found.figures[0].path.parent}")
    _say(console, f"report:  {path}")
    return sound


def _print_claims(found, console):
    from experiments._harness.claims import rich_table

    console.print()
    if found.verdicts:
        console.print(rich_table(f"{found.study.name}: {found.title}", found.verdicts))
    for text in (found.results.shortfall, *found.problems):
        if text:
            _say(console, f"{found.study.name}: {text}")
    for verdict in found.verdicts:
        if verdict.trace:
            _say(console, f"{found.study.name}: claim {verdict.claim.id} raised\n{verdict.trace}")


def _bench(options):
    say = partial(print, file=sys.stderr)
    failed = [_attempt(one, partial(_bench_one, options), say) for one in options.chosen]
    return 1 if any(failed) else 0


def _attempt(study: Study, work: Callable[[Study], bool], say: Callable[[str], None]) -> bool:
    """Whether `work` failed; a study that raises must not cost the others."""
    try:
        return work(study)
    except DataFileError as error:
        say(f"{study.name}: {error}")
        return True
    except Exception:  # a study's own code may raise anything; its traceback is shown
        say(f"{study.name}: FAILED\n{traceback.format_exc()}")
        return True


def _bench_one(options, study):
    from experiments._harness.evaluate import bench_path
    from experiments._harness.machine import environment

    path = bench_path(options.out, study.name)
    tables = _kept_tables(path, options) if options.only else []
    # Printed and stored one by one: a benchmark takes long and may be interrupted.
    for table in study.bench(options.quick, options.only):
        print(table.to_text(), flush=True)
        tables = [one for one in tables if one.title != table.title] + [table]
        stored = {
            "study": study.name,
            "quick": options.quick,
            "environment": environment(),
            "tables": [one.to_json() for one in tables],
        }
        write_atomically(path, stored)
        write_atomically(path.with_suffix(".txt"), "\n".join(one.to_text() for one in tables))
    print(f"written: {path} and {path.with_suffix('.txt')}")
    return False


def _kept_tables(path, options):
    """Tables of earlier parts; those of the other size are not mixed in."""
    if not path.is_file():
        return []
    stored = json.loads(path.read_bytes())
    return [Table.from_json(one) for one in stored["tables"] * (stored["quick"] == options.quick)]


def _console():
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_LOG_WIDTH)


def _say(console, text):
    # Not rich's print: paths must not be broken over lines, brackets are no markup.
    console.print(text, markup=False, highlight=False, soft_wrap=True)
