"""Figures of counts: updates until separation, beside step, size and bound."""

import math

import numpy as np
import pandas as pd

from experiments._harness.parts import part, pick

from . import style
from .tables import column

_FIRST_ITERATES = ((1, "one row wrong", style.VERMILION), (2, "separates", style.BLUE))


def by_step(results):
    """Updates against the step, with the bound of Theorem 6.1."""
    rows = pick(part(results, "separate"), seed=0)
    rows = pick(rows, kind=["mnist", "fashion_mnist", "cifar10"])
    if rows.empty:
        return
    # A curve wants several steps; sets that are run at one or two are in the table of claims.
    rows = rows[rows.groupby(["set", "ratio"])["step"].transform("nunique") > 3]
    for kind, ours in rows.groupby("kind", sort=False):
        caption = (
            "Iterations until every row is right. Large steps are faster up to a point, beyond "
            "which nothing changes; Normalized LR+GD depends less on the step. At the right end, "
            "the limits; open symbols on top: not separated in the iterations allowed. Dashed: "
            "the bound of Theorem 6.1."
        )
        yield f"iterations_by_step_{kind}", caption, _by_step(ours)


def _by_step(rows):
    sets = list(rows.groupby(["set", "ratio"], sort=False))
    n_columns = min(3, len(sets))
    n_rows = -(-len(sets) // n_columns)
    figure, axes = style.grid(
        n_rows, n_columns, height=1.2 + 2.7 * n_rows, sharex=True, sharey=True
    )
    for axis, (_, one) in zip(axes.flat, sets, strict=False):
        axis.set_title(style.title(one.iloc[0]), fontsize=10)
        for method in ("constant", "normalized", "risk_adaptive"):
            _draw_counts(axis, pick(one, method=method).sort_values("step"), method)
        bound = pick(one, method="normalized").sort_values("step")
        x = _positions(bound["step"])
        axis.plot(x, bound["bound"], "--", color=style.GREY, lw=1.2, label="bound of Theorem 6.1")
    for axis in axes.flat[len(sets) :]:
        axis.set_axis_off()
    steps = sorted(set(rows["step"]))
    axes[0, 0].set(yscale="log", xticks=_positions(steps), xticklabels=[_step(s) for s in steps])
    for axis in axes[-1]:
        axis.set_xlabel("step size")
    for axis in axes[:, 0]:
        axis.set_ylabel("iterations")
    style.legend_below(figure, axes, columns=4)
    return figure


def _draw_counts(axis, rows, method):
    label, colour, marker = style.METHODS[method]
    x, updates = _positions(rows["step"]), column(rows, "updates").to_numpy(dtype=float)
    axis.plot(x, updates, marker=marker, ms=4.5, color=colour, lw=1.3, label=label)
    never = np.isnan(updates)
    top = rows["max_iter"].to_numpy(dtype=float)
    axis.plot(x[never], top[never], marker, mfc="none", color=colour, ms=6)


def _positions(steps):
    """Decades as numbers; the limit one and a half behind the step of 100."""
    return np.asarray([3.5 if step == math.inf else math.log10(step) for step in steps])


def _step(step):
    return "∞" if step == math.inf else f"{step:g}"


def bounds(results):
    """Updates of every run on a separable set against the bound of its theorem."""
    rows = part(results, "separate")
    if rows.empty or "bound" not in rows or "updates" not in rows:
        return
    rows = rows[rows["bound"].notna() & rows["updates"].notna()]
    if rows.empty:
        return
    figure, axes = style.grid(1, 1, height=5.0, width=6.6)
    axis = axes[0, 0]
    for method in ("constant", "normalized", "risk_adaptive_average", "perceptron"):
        one = pick(rows, method=method)
        label, colour, marker = style.METHODS[method]
        axis.plot(
            one["bound"], one["updates"], marker, color=colour, ms=5, alpha=0.6, mew=0, label=label
        )
    ends = np.array([1.0, 2 * rows["updates"].max()])
    axis.plot(ends, ends, "--", color=style.GREY, lw=1.2)
    axis.text(ends[1], ends[1], " bound met", color=style.GREY, va="center", ha="left", fontsize=9)
    axis.set(xscale="log", yscale="log", xlabel="bound of the theorem, iterations")
    axis.set_ylabel("iterations that were needed")
    axis.legend(loc="upper right", fontsize=9)
    caption = (
        "Every run that separated its set, at every step: needed iterations against the bound. No "
        "point can be above the dashed line. The normalised methods have by far the smaller "
        "bounds; how sharp they are varies."
    )
    yield "bounds", caption, figure


def growth(results):
    """Updates against the number of rows of the worst case."""
    rows = part(results, "growth")
    if rows.empty:
        return
    figure, axes = style.grid(1, 1, height=4.2, width=6.8)
    axis = axes[0, 0]
    wanted = [
        ("batch_perceptron", math.inf, "batch perceptron", style.BLACK, "x", "-"),
        ("constant", 100.0, "LR+GD, step 100", style.VERMILION, "o", "--"),
        ("normalized", 1.0, "Normalized LR+GD, step 1", style.SKY, "^", "-"),
        ("normalized", 100.0, "Normalized LR+GD, step 100", style.BLUE, "s", "-"),
    ]
    for method, step, label, colour, marker, line in wanted:
        one = pick(rows, method=method, step=step).sort_values("n")
        axis.plot(
            one["n"], one["updates"], marker=marker, ls=line, color=colour, lw=1.4, label=label
        )
    n = np.asarray(sorted(set(rows["n"])), dtype=float)
    axis.plot(n, 0.3 * n, ":", color=style.GREY, lw=1.2, label="0.3 n")
    axis.set(xscale="log", yscale="log", xlabel="number of rows n", ylabel="iterations")
    axis.legend(loc="upper left", fontsize=9)
    caption = (
        "The worst case of Theorem 5.1: one row against n - 1. The plain methods need a number of "
        "iterations proportional to n, the normalised ones do not (at step 1: log n)."
    )
    yield "growth", caption, figure


def limit(results):
    """Distance from the perceptrons against the step."""
    rows = part(results, "limit")
    if rows.empty:
        return
    figure, axes = style.grid(1, 2, height=3.9, sharey=True)
    names = {
        "constant": "LR+GD and batch perceptron",
        "normalized": "Normalized and normalised batch perceptron",
    }
    looks = {
        "gaussian:60x5": ("Gaussian, several draws", style.BLUE),
        "worst:100": ("worst case, n = 100", style.ORANGE),
        "tie": ("with a tie", style.BLACK),
    }
    for axis, (method, name) in zip(axes[0], names.items(), strict=True):
        labelled = set()
        for (data, _), one in pick(rows, method=method).groupby(["set", "seed"]):
            label, colour = looks.get(data, (data, style.GREY))
            # Distances of exactly zero are drawn at the rounding error they are below.
            worst = np.maximum(one.sort_values("step")["worst"], 1e-17)
            shown = None if label in labelled else label
            axis.plot(np.sort(one["step"]), worst, "o-", ms=3, lw=1.2, color=colour, label=shown)
            labelled.add(label)
        axis.axhline(2.0**-52, color=style.GREY, lw=1, ls=":")
        axis.set(title=name, xscale="log", yscale="log", xlabel="step size")
        axis.title.set_fontsize(10)
    axes[0, 0].set_ylabel("largest relative distance")
    axes[0, 0].text(0.1, 2.0**-51, "rounding", color=style.GREY, va="bottom", fontsize=9)
    style.legend_below(figure, axes, columns=3)
    caption = (
        "Distance of theta_t / step from the perceptron's iterate, largest over the iterations "
        "until the perceptron separates. Where the perceptron meets a margin of exactly zero, "
        "which Assumption 3.1 excludes, LR+GD has another limit."
    )
    yield "limit", caption, figure


def unreliable(results):
    """Loss and gradient norm of the first two iterates of Theorem 4.1."""
    rows = part(results, "unreliable")
    if rows.empty:
        return
    rows = rows.sort_values("step")
    figure, axes = style.grid(1, 2, height=3.6)
    panels = (("loss", "loss"), ("gradient_norm", "gradient norm"))
    for axis, (key, label) in zip(axes[0], panels, strict=True):
        for t, word, colour in _FIRST_ITERATES:
            values = style.positive(rows[f"{key}_{t}"])
            values = np.where(values < 1e-12, np.nan, values)
            name = f"iterate {t}: {word}"
            axis.plot(rows["step"], values, "o-", color=colour, lw=1.4, label=name)
        axis.set(xscale="log", yscale="log", xlabel="step size", ylabel=label)
    style.legend_below(figure, axes, columns=2)
    caption = (
        "Theorem 4.1: after one step the loss grows with the step size and the gradient norm tends "
        "to sqrt(2)/2, and yet the next iterate separates; its loss and gradient are below 1e-12 "
        "from step 100 on and not drawn."
    )
    yield "theorem41", caption, figure


def wine(results):
    """Updates and bounds on wine, by step."""
    rows = pick(part(results, "multiclass"), set="wine", method="normalized")
    if rows.empty:
        return
    rows = rows.sort_values("step")
    figure, axes = style.grid(1, 1, height=3.6, width=6.6)
    axis = axes[0, 0]
    x = np.arange(len(rows))
    for shift, key, label, colour in (
        (-0.2, "updates", "needed", style.BLUE),
        (0.2, "bound", "bound", style.GREY),
    ):
        bars = axis.bar(x + shift, rows[key], 0.38, color=colour, label=label)
        axis.bar_label(bars, [f"{value:.0f}" for value in rows[key]], fontsize=9, padding=2)
    axis.set(xticks=x, xticklabels=[f"{step:g}" for step in rows["step"]], yscale="log")
    axis.set(xlabel="step size", ylabel="iterations", ylim=(1, 5000))
    axis.grid(axis="x", visible=False)
    axis.legend(loc="upper right", ncols=2, fontsize=9)
    caption = "Softmax on standardised wine (three classes): iterations until all rows are right."
    yield "wine", caption, figure


def trap(results):
    """Averages that separate, for two forms of the adaptive step."""
    rows = part(results, "trap")
    if rows.empty:
        return
    figure, axes = style.grid(1, 1, height=3.8, width=6.8)
    axis = axes[0, 0]
    names = {
        "logistic": ("logistic risk", style.VERMILION, "o"),
        "exponential": ("exponential risk", style.GREEN, "^"),
    }
    for method, (label, colour, marker) in names.items():
        one = pick(rows, method=method).sort_values("step")
        axis.plot(one["step"], one["averaged"], marker=marker, color=colour, lw=1.4, label=label)
    bound = pick(rows, method="exponential").sort_values("step")
    axis.plot(bound["step"], bound["bound"], "--", color=style.GREY, lw=1.2, label="bound")
    axis.set(xscale="log", yscale="log", xlabel="step size", ylabel="iterates in the average")
    ticks = [5, 10, 20, 50, 100]
    axis.set_yticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    axis.legend(loc="center right", fontsize=9)
    caption = (
        "Worst case, n = 100: how many iterates must be averaged until the average separates. The "
        "adaptive step of the exponential risk keeps its bound; that of the mean logistic risk "
        "becomes a batch perceptron at large steps."
    )
    yield "trap", caption, figure


def overlap(results):
    """Pocket accuracy on sets that cannot be separated."""
    rows = part(results, "separate")
    if rows.empty or "separable" not in rows or "accuracy" not in rows:
        return
    rows = rows[~rows["separable"].astype(bool) & rows["accuracy"].notna()]
    rows = pick(rows, method=["constant", "normalized", "risk_adaptive"], step=100.0)
    if rows.empty:
        return
    table = rows.pivot_table(index="set", columns="method", values="accuracy", sort=False)
    table = table.iloc[::-1]
    figure, axes = style.grid(1, 1, height=1.4 + 0.5 * len(table), width=6.8)
    axis = axes[0, 0]
    for i, method in enumerate(table.columns):
        label, colour, marker = style.METHODS[method]
        heights = np.arange(len(table)) + 0.16 * (1 - i)  # beside each other where they are equal
        axis.plot(table[method], heights, marker, color=colour, ms=7, label=label)
    majority = 1 - rows.groupby("set")["smallest_class"].first().reindex(table.index)
    axis.plot(majority, range(len(table)), "|", color=style.GREY, ms=18, mew=2, label="majority")
    names = [style.title(pd.Series({"set": name})) for name in table.index]
    axis.set(yticks=range(len(table)), yticklabels=names, ylim=(-0.6, len(table) - 0.4))
    axis.set(xlabel="accuracy of the iterate with the fewest errors, step 100", xlim=(0.45, 1.01))
    style.legend_below(figure, axes, columns=4)
    caption = (
        "Sets that cannot be separated: large steps do not settle, and what is kept is the iterate "
        "with the fewest errors."
    )
    yield "overlap", caption, figure
