"""One static HTML page with all tables and figures, to be opened from the disk.

Style and figures are inside the file and there is no script; a policy in its head forbids the
browser to load anything. Whatever comes from a study is escaped.
"""

import base64
import json
from collections.abc import Iterable
from html import escape
from pathlib import Path

from experiments._harness.claims import STATUSES, count, show_value
from experiments._harness.evaluate import Evaluation
from experiments._harness.machine import describe_environment
from experiments._harness.markdown import to_html
from experiments._harness.progress import describe
from experiments._harness.store import write_atomically
from experiments._harness.tables import show_cell

# Not by colour alone.
_MARKS = dict(zip(STATUSES, "✓✗–!", strict=True))
_MAX_ROWS = 400
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(evaluations: list[Evaluation], out: Path) -> Path:
    """Write the page.

    Parameters
    ----------
    evaluations : list of Evaluation
        The studies, in the order of the page.
    out : pathlib.Path
        The output folder.

    Returns
    -------
    pathlib.Path
        ``out/report.html``.
    """
    path = Path(out) / "report.html"
    write_atomically(path, _page(evaluations))
    return path


def _page(evaluations):
    css = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    title = "Theoretical simulations, re-run"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{title} · skkd</title>\n<style>\n{css}</style>\n</head>\n<body>",
            f"<header>\n<h1>{title}</h1>",
            "<p>The simulations of the papers, run with skkd, and the papers’ numbers beside ours. "
            "A claim that does not hold is a result and is shown as one.</p>",
            "</header>\n<main>",
            _overview(evaluations),
            _reproduce(evaluations),
            _environments(evaluations),
            *(_study(one) for one in evaluations),
            "</main>\n</body>\n</html>\n",
        ]
    )


def _overview(evaluations):
    rows = [
        f'<tr><td><a href="#{escape(one.study.name)}">{escape(one.title)}</a></td>'
        f'<td data-label="claims">{_counts(one)}</td></tr>'
        for one in evaluations
    ]
    head = "<thead><tr><th>study</th><th>claims</th></tr></thead>"
    return f'<table class="cards">{head}<tbody>{"".join(rows)}</tbody></table>'


def _counts(one):
    parts = [f"{_status(name)} {n}" for name, n in count(one.verdicts).items()]
    if one.problems:
        parts.append(_status("error") + " see below")
    return " &nbsp; ".join(parts) or "none"


def _status(name):
    return f'<span class="status {name.replace(" ", "-")}">{_MARKS[name]} {name}</span>'


def _reproduce(evaluations):
    commands = "\n".join(escape(one.results.manifest["command"]) for one in evaluations)
    return (
        "<section>\n<h3>How to reproduce</h3>\n<p>From the root of the repository, with the extra "
        f"<code>experiments</code> installed:</p>\n<pre><code>{commands}</code></pre>\n</section>"
    )


def _environments(evaluations):
    # Nearly always one for all; studies that ran elsewhere get a list of their own.
    ran_in = {}
    for one in evaluations:
        key = json.dumps(one.results.manifest["environment"], sort_keys=True)
        ran_in.setdefault(key, []).append(one.study.name)
    parts = ["<section>\n<h3>Environment</h3>"]
    for key, names in ran_in.items():
        if len(ran_in) > 1:
            parts.append(f"<p>{escape(', '.join(names))}</p>")
        lines = describe_environment(json.loads(key)).items()
        terms = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in lines)
        parts.append(f"<dl>{terms}</dl>")
    return "\n".join([*parts, "</section>"])


def _study(one):
    opening, details = _split(one.readme)
    return "\n".join(
        [
            f'<section id="{escape(one.study.name)}">\n<h2>{escape(one.title)}</h2>',
            f'<p class="reference">{escape(one.reference)}</p>',
            to_html(opening),
            *(_problem(text) for text in one.problems),
            _problem(one.results.shortfall) if one.results.missing else "",
            "<h3>Claims</h3>",
            _claims(one.verdicts),
            _figures(one),
            to_html(details, level=2),
            *(_bench(table) for table in one.benches),
            _results(one.results),
            "</section>",
        ]
    )


def _split(readme):
    """Part a README into its opening and its sections; its title would repeat the heading."""
    if readme.startswith("# "):
        readme = readme.partition("\n")[2]
    opening, mark, details = readme.partition("\n## ")
    return opening, mark + details


def _problem(text):
    first, _, rest = text.partition("\n")
    trace = f"<pre><code>{escape(rest)}</code></pre>" if rest else ""
    return f'<div class="problem"><p>{_status("error")}: {escape(first)}</p>{trace}</div>'


def _claims(verdicts):
    if not verdicts:
        return "<p>None.</p>"
    rows = [
        f'<tr><td>{escape(v.claim.sentence)} <span class="claim-id">({escape(v.claim.id)})</span>'
        f'</td><td data-label="paper">{escape(show_value(v.claim.paper))}</td>'
        f'<td data-label="measured">{escape(v.measured)}</td><td>{_status(v.status)}</td></tr>'
        for v in verdicts
    ]
    head = "<thead><tr><th>claim</th><th>paper</th><th>measured</th><th>holds</th></tr></thead>"
    return f'<table class="cards claims">{head}<tbody>{"".join(rows)}</tbody></table>'


def _figures(one):
    if not one.figures:
        return ""
    shown = []
    for figure in one.figures:
        data = base64.b64encode(figure.path.read_bytes()).decode()
        alt = escape(f"{one.title}, figure {figure.name}: {figure.caption}", quote=True)
        shown.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="{alt}">'
            f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
        )
    return f'<h3>Figures</h3>\n<div class="figures">{"".join(shown)}</div>'


def _bench(table):
    body = _table(table.columns, table.rows, table.title)
    notes = f'<p class="soft">{escape(table.notes)}</p>' if table.notes else ""
    return f"<details><summary>Benchmark: {escape(table.title)}</summary>{body}{notes}</details>"


def _results(results):
    frame, infos = results.frame, results.infos
    missing = "".join(
        f"<li><code>{escape(describe(configuration, 200))}</code>"
        f"<pre><code>{escape(why)}</code></pre></li>"
        for configuration, why in results.missing
    )
    failed = f"<p>Without a result:</p><ul>{missing}</ul>" if missing else ""
    if not infos:
        return f"<p>No results are stored.</p>{failed}"
    columns = [*frame.columns, "seconds"]
    # Not .to_numpy(): whole numbers would become floats in the company of floats.
    cells = zip(*(frame[name] for name in frame.columns), strict=True)
    rows = [[*row, info["seconds"]] for row, info in zip(cells, infos, strict=True)]
    cut = f" (the first {_MAX_ROWS} are shown)" if len(rows) > _MAX_ROWS else ""
    table = _table(columns, rows[:_MAX_ROWS], "Results of all configurations")
    summary = f"Results of {len(rows)} configurations{cut}"
    facts = f'<p class="soft">{escape(_facts(results))}</p>'
    return f"{failed}{facts}<details><summary>{summary}</summary>{table}</details>"


def _facts(results):
    infos, manifest = results.infos, results.manifest
    versions = sorted({f"{k} {v}" for info in infos for k, v in info["versions"].items()})
    seconds = sum(info["seconds"] for info in infos)
    last = max(info["finished"] for info in infos)
    return (
        f"Preset {manifest['preset']}, version {manifest['version']} of the study; "
        f"{seconds:.3g} s of computation, last result of {last}; {', '.join(versions)}."
    )


def _table(columns: Iterable[str], rows: Iterable[Iterable], label: str) -> str:
    head = "".join(f"<th>{escape(str(name))}</th>" for name in columns)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    # Focusable, so that the keyboard can scroll it.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label, quote=True)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value):
    return f"<td>{escape(_short(value))}</td>"


def _short(value):
    if not isinstance(value, list):
        return show_cell(value)
    if len(value) <= 4:
        return f"[{', '.join(map(show_cell, value))}]"
    ends = f"{show_cell(value[0])}, {show_cell(value[1])}, …, {show_cell(value[-1])}"
    return f"[{ends}] ({len(value)} values)"
