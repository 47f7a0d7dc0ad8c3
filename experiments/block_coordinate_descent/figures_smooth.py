"""Figures 4, 5 and 8 to 12, and the same curves against time."""

from . import paper, style
from .runs import ours

_FIRST = {"gradient": ("cyclic", "perm", "random", "lipschitz", "gs", "gsl", "gsd-h")}
_MATRIX = ("gs", "gsl", "gsd", "gsd-h", "gsq", "iht")
_KINDS = ("sort", "variable")
_MARKS = "hollow: the paper's figure"


def gradient(results):
    """Figures 4 and 8."""
    runs = _chosen(results, "gradient", _FIRST["gradient"], _KINDS)
    caption = (
        "Gradient steps. Solid: variable blocks, dashed: fixed blocks (sort partition). Hollow "
        "markers: points of the paper's figures, where its data are drawn exactly."
    )
    yield from _at_size(runs, "fig4_gradient", f"Figure 4. {caption}", 5, ("A", "C", "E"))
    yield from _draw(runs, "fig8_gradient", f"Figure 8. {caption}")


def matrix(results):
    """Figures 5 and 11."""
    runs = _chosen(results, "bound", _MATRIX, _KINDS)
    caption = (
        "Steps with the matrix bound of the Hessian. Solid: variable blocks, dashed: fixed ones. "
        "GSD-H scores by row sums of the bound (GSL-VB in the paper)."
    )
    yield from _at_size(runs, "fig5_matrix", f"Figure 5. {caption}", 5, ("A", "C", "E"))
    yield from _draw(runs, "fig11_matrix", f"Figure 11. {caption}")


def newton(results):
    """Figure 12."""
    runs = _chosen(results, "newton", _MATRIX, _KINDS)
    caption = "Figure 12. Newton steps with a line search. Lines as in figure 11."
    yield from _draw(runs, "fig12_newton", caption)


def adaptive(results):
    """Figure 9: estimated constants against bounds."""
    rules = ("gs", "gsl", "lipschitz", "random", "cyclic")
    bound = _chosen(results, "gradient", rules, ("order",))
    found = _chosen(results, "adaptive", rules, ("order",))
    sizes = {key[:3] for key in found}
    bound = {key: run for key, run in bound.items() if key[:3] in sizes}
    caption = (
        "Figure 9. Gradient steps on fixed blocks in the order of the variables. Solid: constants "
        "found by backtracking, dashed: bounds. The larger the block, the looser the bound."
    )

    def look(key):
        name, colour = style.RULES[key.selection]
        line, kind = ("-", "found") if key.update == "adaptive" else ((0, (4, 2)), "bound")
        return f"{name}, {kind}", colour, line

    yield from _draw({**found, **bound}, "fig9_adaptive", caption, look=look)


def partitions(results):
    """Figure 10: how fixed blocks are made."""
    names = ("sort", "order", "average")
    runs = _chosen(results, "gradient", ("gs", "gsd", "gsl"), names)
    sizes = {key[:3] for key in runs if key.partition == "average"}
    runs = {key: run for key, run in runs.items() if key[:3] in sizes}
    lines = {"sort": "-", "order": (0, (4, 2)), "average": ":"}
    caption = (
        "Figure 10. Gradient steps on fixed blocks: sort (solid), average (dotted) and order "
        "(dashed) partitions."
    )

    def look(key):
        name, colour = style.RULES[key.selection]
        return f"{name}, {key.partition}", colour, lines[key.partition]

    yield from _draw(runs, "fig10_partitions", caption, look=look)


def times(results):
    """Figures 8 and 11 against time: not in the paper."""
    for update, rules, name in (
        ("gradient", _FIRST["gradient"], "fig8_time"),
        ("bound", _MATRIX, "fig11_time"),
        ("newton", _MATRIX, "fig12_time"),
    ):
        caption = (
            f"{name.split('_')[0].replace('fig', 'Figure ')} against the clock, which the paper "
            "does not show. What a rule must know in advance (constants of blocks, row sums) is "
            "computed first: a curve stays level until then. Times of this machine, one thread."
        )
        runs = _chosen(results, update, rules, _KINDS)
        yield from _draw(runs, name, caption, against="seconds")


def _chosen(results, update, rules, partitions):
    return {
        key: run
        for key, run in ours(results).items()
        if (key.update == update and key.selection in rules and key.partition in partitions)
        and key.block_size is not None
    }


def _at_size(runs, name, caption, block_size, names):
    """One row of panels: the figure of the paper's main text."""
    chosen = {k: run for k, run in runs.items() if k.block_size == block_size and k.data in names}
    yield from _draw(chosen, name, caption)


def _look(key):
    name, colour = style.RULES[key.selection]
    kind, line = style.KINDS[key.partition]
    return f"{name}, {kind}", colour, line


def _draw(runs, name, caption, *, look=_look, against="iterations"):
    # A lone run beside the panels, such as a replica of the authors' code, makes no panel.
    count = {}
    for key in runs:
        count[key[:3]] = count.get(key[:3], 0) + 1
    runs = {key: run for key, run in runs.items() if count[key[:3]] > 4}
    if not runs:
        return
    cells = sorted({key[:3] for key in runs})
    n_columns = min(3, len(cells))
    n_rows = -(-len(cells) // n_columns)
    figure, axes = style.grid(n_rows, n_columns)
    for axis, cell in zip(axes.flat, cells, strict=False):
        _panel(axis, {key: run for key, run in runs.items() if key[:3] == cell}, look, against)
        axis.set_title(style.title(*cell), fontsize=9.5)
    for axis in axes.flat[len(cells) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel(style.GAP)
    for axis in axes[-1]:
        axis.set_xlabel("iteration" if against == "iterations" else "seconds")
    style.legend_below(figure, axes, columns=min(5, 2 * n_columns))
    yield name, caption, figure


def _panel(axis, runs, look, against):
    for key, run in runs.items():
        label, colour, line = look(key)
        x = list(run.gaps) if against == "iterations" else list(run.seconds.values())
        y = style.positive(list(run.gaps.values()))
        axis.plot(x, y, color=colour, ls=line, lw=1.3, label=label)
        if against == "iterations" and key.data in ("B", "C", "D"):
            _mark(axis, paper.curves().get(key), colour, run)
    style.logarithmic(axis, [run.gaps[0] for run in runs.values()])
    axis.tick_params(which="both", labelsize=8)
    if against == "seconds":
        axis.set_xscale("log")


def _mark(axis, curve, colour, run):
    """Points of the paper's figure."""
    if curve is None:
        return
    points = [(k, gap) for k, gap in curve.gaps.items() if 0 < k <= max(run.gaps)]
    if points:
        axis.plot(*zip(*points, strict=True), "o", mfc="none", mec=colour, ms=4.5, mew=0.9)
