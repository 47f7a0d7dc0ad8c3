"""From stored results to verdicts and figures: all of a study that the report shows.

Reads files only. A claim, a figure or a module that raises becomes a problem that is shown,
beside everything that could be made, and makes the exit status 1.
"""

import io
import json
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments._harness.claims import Verdict, judge
from experiments._harness.results import Results, load_results
from experiments._harness.store import Store, write_atomically
from experiments._harness.study import ContractError, Study
from experiments._harness.tables import Table

# What every figure looks like unless its study says otherwise.
_STYLE = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.figsize": (6.4, 4.0),
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "savefig.bbox": "tight",
    "savefig.dpi": 160,
}


@dataclass(frozen=True)
class Figure:
    """A figure that was written to `path`."""

    name: str
    caption: str
    path: Path


@dataclass
class Evaluation:
    """One study's results, judged and drawn."""

    study: Study
    title: str
    reference: str
    readme: str
    results: Results
    verdicts: list[Verdict] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    benches: list[Table] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether everything could be computed, measured and drawn (not: whether claims hold)."""
        raised = any(verdict.status == "error" for verdict in self.verdicts)
        return not (raised or self.problems or self.results.missing)


def evaluate(study: Study, out: Path) -> Evaluation | None:
    """Judge the claims and draw the figures of a study from its stored results.

    Parameters
    ----------
    study : Study
        The study.
    out : pathlib.Path
        The output folder that holds its results.

    Returns
    -------
    Evaluation or None
        None if the study was never run into this folder.
    """
    results = load_results(out, study.name)
    if results is None:
        return None
    found = Evaluation(study, study.title, study.reference, study.readme(), results)
    stored = results.manifest["version"]
    if stored != study.version:
        found.problems.append(
            f"The results are of version {stored} of this study, which is now at version "
            f"{study.version}: run it again."
        )
    found.verdicts = _attempt(found, "claims.py", lambda: judge(study.claims(), results.frame))
    found.figures = _attempt(found, "plot.py", lambda: _draw(study, results.frame, out))
    found.benches = _attempt(found, "bench", lambda: load_benches(out, study.name))
    return found


def bench_path(out: Path, study: str) -> Path:
    """Where the tables of a study's benchmark are stored."""
    return Path(out) / "bench" / f"{study}.json"


def load_benches(out: Path, study: str) -> list[Table]:
    """Read the tables of a study's last benchmark, none if there was none."""
    path = bench_path(out, study)
    if not path.is_file():
        return []
    return [Table.from_json(one) for one in json.loads(path.read_bytes())["tables"]]


def _attempt(found: Evaluation, part: str, make: Callable[[], list]) -> list:
    try:
        return make()
    except Exception:  # the study's own code; its traceback is shown
        found.problems.append(f"{part} raised:\n{traceback.format_exc()}")
        return []


def _draw(study: Study, frame: Any, out: Path) -> list[Figure]:
    if frame.empty or not study.has("plot"):
        return []
    import matplotlib

    matplotlib.use("Agg")  # no window, also where there is a display
    import matplotlib.pyplot as plt

    folder = Store(out, study.name).figures
    try:
        with matplotlib.rc_context(_STYLE):
            drawn = [_save(folder, *one) for one in study.figures(frame)]
    finally:
        plt.close("all")
    kept = {figure.path for figure in drawn}
    for path in set(folder.glob("*.png")) - kept:
        path.unlink()  # of an earlier state of the study
    return drawn


def _save(folder, name, caption, figure):
    if not re.fullmatch(r"[\w.-]+", name):
        raise ContractError(f"figure name {name!r} is no file name: letters, digits, '_', '-', '.'")
    buffer = io.BytesIO()
    # Without the metadata, the same results give the same file.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    path = folder / f"{name}.png"
    write_atomically(path, buffer.getvalue())
    return Figure(name, str(caption), path)
