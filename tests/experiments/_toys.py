"""Studies for the tests, written into a folder as a user would write them."""

import json
from pathlib import Path
from textwrap import dedent

STUDY = """
    from pathlib import Path
    import time
    import numpy as np

    TITLE = "Means <of> & numbers"
    REFERENCE = "Nobody (1900), <i>On means</i>"

    def configurations(preset, data):
        sizes = [5, 10, 20] if preset == "quick" else [5, 10, 20, 40, 80]
        files = {f"file_{name}": path for name, path in data.items()}
        return [{"n": n, "seed": s, **files} for n in sizes for s in range(2)]

    def run(configuration):
        rng = np.random.default_rng(configuration["seed"])
        x = rng.standard_normal(configuration["n"])
        return {
            "error": np.abs(x.mean()),
            "path": np.cumsum(x),
            "diverged": float("nan"),
            "label": "a<b",
            "n_odd": np.sum(np.arange(configuration["n"]) % 2),
        }
"""

CLAIMS = """
    from experiments._harness import Claim, Outcome

    def small(results):
        worst = results["error"].max()
        return Outcome(worst, worst < 2)

    def exact(results):
        return Outcome(results["error"].max(), bool(results["error"].max() == 0))

    def on_images(results):
        return Outcome("the images were not given", None)

    CLAIMS = [
        Claim("small", "The error is <small> & finite.", "below 2", small),
        Claim("exact", "The mean is exact.", 0.0, exact),
        Claim("images", "The same on images.", 0.893, on_images),
    ]
"""

PLOT = """
    import matplotlib.pyplot as plt

    def figures(results):
        figure, axes = plt.subplots()
        axes.plot(results["n"], results["error"], "o")
        yield "error", 'Error against "n" & <nothing> else.', figure
"""

README = """
    # Means

    About **means**, with <script>alert(1)</script> in it.

    ## Faithful

    - The `generator`.

    ## Lost

    - Nothing.
"""

# One line in the log for each start and each end: what a killed run did can be read from it.
SLOW_STUDY = """
    import os, time

    TITLE = "Slow"
    REFERENCE = "None"
    LOG = {log}

    def note(text):
        with open(LOG, "a") as file:
            file.write(text + "\\n")

    def configurations(preset, data):
        return [{{"i": i}} for i in range(8)]

    def run(configuration):
        note(f"start {{configuration['i']}}")
        time.sleep({seconds})
        note(f"end {{configuration['i']}}")
        return {{"square": configuration["i"] ** 2}}
"""


def write_study(root: Path, name: str = "means", **parts: str) -> Path:
    """Write ``<root>/<name>/<part>.py`` (``readme``: README.md) for each part."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for part, source in parts.items():
        file = "README.md" if part == "readme" else f"{part}.py"
        (folder / file).write_text(dedent(source), encoding="utf-8")
    return folder


def write_whole_study(root: Path, name: str = "means") -> Path:
    """Write a study with every part but a benchmark."""
    return write_study(root, name, study=STUDY, claims=CLAIMS, plot=PLOT, readme=README)


def write_slow_study(root: Path, seconds: float, name: str = "slow") -> Path:
    """Write a study of eight configurations; return the log of its calls."""
    log = root / "calls.log"
    write_study(root, name, study=SLOW_STUDY.format(log=repr(str(log)), seconds=seconds))
    return log


def stored(out: Path, study: str) -> dict[str, dict]:
    """Documents of all stored results of a study, by file name."""
    return {
        path.name: json.loads(path.read_bytes())
        for path in sorted((out / study / "results").glob("*.json"))
    }
