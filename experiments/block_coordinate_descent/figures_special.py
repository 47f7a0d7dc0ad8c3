"""Figures 6, 7 and 13, the same against time, and the bound of the active set."""

from . import paper, style
from .runs import ours

_FORESTS = {
    ("variable", "tree-gs"): ("greedy tree", style.VERMILION, "-"),
    ("lattice combs", "cyclic"): ("tree partition", style.BLUE, "-"),
    ("forests lipschitz", "cyclic"): ("tree partition, by constants", style.BLUE, "-"),
    ("forests order", "cyclic"): ("tree partition, by index", style.BLUE, (0, (4, 2))),
    ("variable", "tree-random"): ("random tree", style.PURPLE, "-"),
    ("lattice red-black", "cyclic"): ("red-black", style.GREEN, "-"),
    ("colours lipschitz", "cyclic"): ("red-black, by constants", style.GREEN, "-"),
    ("colours order", "cyclic"): ("red-black, by index", style.GREEN, (0, (4, 2))),
    ("variable", "gs"): ("dense blocks, equal cost", style.GREY, "-"),
}
_UPDATES = {
    "prox-gradient": ("PG", style.GREY),
    "prox-newton": ("PN", style.BLUE),
    "two-metric": ("TMP", style.VERMILION),
}


def forests(results):
    """Figure 6, and the same against time."""
    runs = {
        key: run
        for key, run in ours(results).items()
        if key.update == "exact" and key[4:] in _FORESTS
    }
    if not runs:
        return
    caption = (
        "Figure 6. Exact updates of forests by message passing. Hollow markers on D: the paper's "
        "figure."
    )
    yield "fig6_forests", caption, _forests(runs, "iterations")
    caption = "Figure 6 against the clock, which the paper does not show."
    yield "fig6_time", caption, _forests(runs, "seconds")


def _forests(runs, against):
    problems = sorted({key[:2] for key in runs})
    figure, axes = style.grid(1, len(problems), panel=(4.4, 3.4))
    for axis, problem in zip(axes[0], problems, strict=True):
        for name, (label, colour, line) in _FORESTS.items():
            for key, run in runs.items():
                if key[:2] == problem and key[4:] == name:
                    _curve(axis, run, against, label=label, color=colour, ls=line)
                    if against == "iterations" and key.data == "D":
                        _points(axis, paper.curves().get(key), colour)
        tops = [run.gaps[0] for key, run in runs.items() if key[:2] == problem]
        style.logarithmic(axis, tops)
        axis.set(title=style.title(*problem), xlabel=_label(against))
        if against == "seconds":
            axis.set_xscale("log")
    axes[0, 0].set_ylabel(style.GAP)
    style.legend_below(figure, axes, columns=3)
    return figure


def penalised(results):
    """Figures 7 and 13, and the first against time."""
    runs = {key: run for key, run in ours(results).items() if key.update in _UPDATES}
    kinds = (
        ("fig7_penalised", "gs-q", "iterations", "Figure 7. Greedy selection (gs-q)"),
        ("fig13_penalised", "random", "iterations", "Figure 13. Random selection"),
        ("fig7_time", "gs-q", "seconds", "Figure 7 against the clock"),
    )
    for name, selection, against, words in kinds:
        chosen = {key: run for key, run in runs.items() if key.selection == selection}
        if chosen:
            caption = (
                f"{words}: least squares with x >= 0 and an L1 penalty. Star: the first iterate "
                "with the support of the optimum. Solid: variable blocks, dashed: fixed ones."
            )
            yield name, caption, _penalised(chosen, against)


def _penalised(runs, against):
    cells = sorted({key[:3] for key in runs})
    figure, axes = style.grid(1, len(cells), panel=(3.3, 3.0), sharey=True)
    for axis, cell in zip(axes[0], cells, strict=True):
        for key, run in runs.items():
            if key[:3] != cell:
                continue
            name, colour = _UPDATES[key.update]
            kind, line = style.KINDS[key.partition]
            _curve(axis, run, against, label=f"{name}, {kind}", color=colour, ls=line)
            if run.settled in run.gaps:
                x = run.settled if against == "iterations" else run.seconds[run.settled]
                axis.plot(x, run.gaps[run.settled], "*", color=colour, ms=10, mec="black", mew=0.5)
        style.logarithmic(axis, [run.gaps[0] for key, run in runs.items() if key[:3] == cell])
        axis.set_title(style.title(*cell), fontsize=9.5)
        axis.set(xlabel=_label(against), xscale="log")
        if against == "iterations":
            axis.set_xlim(left=0.9)
    axes[0, 0].set_ylabel("$F(x) - F^*$")
    style.legend_below(figure, axes, columns=6)
    return figure


def active(results):
    """Identification of the support beside its bound: not in the paper."""
    rows = results[results["part"] == "active"] if "part" in results else results
    if rows.empty:
        return
    problems = list(rows.groupby("size", sort=True))
    figure, axes = style.grid(1, len(problems), panel=(4.4, 3.2))
    colours = {"cyclic": style.GREY, "random": style.PURPLE, "gs-q": style.VERMILION}
    names = {"tall": "columns as drawn", "equal": "columns of equal norm"}
    for axis, (size, one) in zip(axes[0], problems, strict=True):
        for rule, group in one.groupby("selection", sort=False):
            row = group.iloc[0]
            look = {"color": colours[rule], "lw": 1.4, "label": rule}
            axis.plot(row["iterations"], style.positive(row["gaps"]), **look)
            for when, marker in (("settled", "*"), ("near", "o")):
                _event(axis, row, when, marker, colours[rule])
        bound = one["bound"].dropna()
        if len(bound):
            axis.axvline(bound.iloc[0], color=style.BLACK, ls="--", lw=1, label="bound")
        axis.set(xscale="log", yscale="log", title=names.get(size, size), xlabel="iteration")
    axes[0, 0].set_ylabel("$F(x) - F^*$")
    style.legend_below(figure, axes, columns=4)
    caption = (
        "When the support settles, on strongly convex problems (600 x 120, fixed blocks of 5, "
        "prox steps). Star: support final. Circle: iterates stay in the ball of radius "
        "delta / (2L). Dashed: the bound on that, for greedy and random blocks."
    )
    yield "active_set", caption, figure


def _event(axis, row, when, marker, colour):
    if row[when] is None or row[when] != row[when]:
        return
    gap = next(g for k, g in zip(row["iterations"], row["gaps"], strict=True) if k >= row[when])
    size = 12 if marker == "*" else 6
    axis.plot(max(row[when], 1), gap, marker, color=colour, ms=size, mec="black", mew=0.5)


def _curve(axis, run, against, **look):
    x = list(run.gaps) if against == "iterations" else list(run.seconds.values())
    axis.plot(x, style.positive(list(run.gaps.values())), lw=1.4, **look)


def _points(axis, curve, colour):
    if curve is not None:
        points = [(k, gap) for k, gap in curve.gaps.items() if k > 0]
        axis.plot(*zip(*points, strict=True), "o", mfc="none", mec=colour, ms=5, mew=0.9)


def _label(against):
    return "iteration" if against == "iterations" else "seconds"
