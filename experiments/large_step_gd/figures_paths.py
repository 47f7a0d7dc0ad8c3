"""Figures of trajectories: accuracy, loss and gradient norm, perceptrons, margins."""

import math

import numpy as np

from experiments._harness.parts import part, pick

from . import style

_PANELS = (
    ("accuracy", "training accuracy", "linear"),
    ("loss", "mean loss", "log"),
    ("gradient_norm", "gradient norm", "log"),
)
_FLOOR = 1e-6
_NAMES = {"constant": "LR+GD", "normalized": "Normalized LR+GD"}


def trajectories(results):
    """One figure for each method: rows are quantities, columns are sets."""
    rows = part(results, "trajectory")
    for method, name in _NAMES.items():
        chosen = pick(rows, method=method)
        if chosen.empty:
            continue
        caption = (
            f"{name} at growing step sizes. At large steps loss and gradient norm jump, and can be "
            "far above those of a small step whose accuracy is lower: they do not measure "
            "progress. Dashed: the perceptron that is the limit, which has no loss. Curves that "
            "leave a panel at the bottom have fallen below 1e-6."
        )
        yield f"trajectories_{method}", caption, _trajectories(chosen)


def _trajectories(rows):
    sets = list(rows.groupby(["set", "ratio"], sort=False))
    figure, axes = style.grid(3, len(sets), height=7.6, sharex="col", sharey="row")
    colours = style.step_colours(rows["step"])
    for column, (_, one) in zip(axes.T, sets, strict=True):
        column[0].set_title(style.title(one.iloc[0]))
        for _, row in one.sort_values("step").iterrows():
            _draw_run(column, row, colours)
        column[-1].set(xlabel="iteration", xscale="log")
    for axis, (_, label, scale) in zip(axes[:, 0], _PANELS, strict=True):
        axis.set(ylabel=label, yscale=scale)
    axes[0, 0].set_ylim(min(min(values[1:]) for values in rows["accuracy"]) - 0.03, 1.03)
    for axis, key in zip(axes[1:, 0], ("loss", "gradient_norm"), strict=True):
        axis.set_ylim(_FLOOR, 3 * max(max(values, default=1.0) for values in rows[key]))
    style.legend_below(figure, axes, columns=7, title="step size")
    return figure


def _draw_run(axes, row, colours):
    limit = row["step"] == math.inf
    look = {"color": style.BLACK, "ls": "--"} if limit else {"color": colours[row["step"]]}
    label = "perceptron" if limit else f"{row['step']:g}"
    for axis, (key, _, scale) in zip(axes, _PANELS, strict=True):
        values = np.asarray(row[key], dtype=float)
        if values.size:
            shown = style.positive(values) if scale == "log" else values
            axis.plot(range(1, values.size), shown[1:], lw=0.9, label=label, **look)


def perceptrons(results):
    """Accuracy of the two batch perceptrons, side by side."""
    rows = pick(part(results, "trajectory"), step=math.inf)
    if rows.empty:
        return
    sets = list(rows.groupby(["set", "ratio"], sort=False))
    figure, axes = style.grid(1, len(sets), height=3.8, sharey=True)
    for axis, (_, one) in zip(axes[0], sets, strict=True):
        for _, row in one.iterrows():
            name = {"constant": "batch_perceptron", "normalized": "normalized_batch_perceptron"}
            label, colour, _ = style.METHODS[name[row["method"]]]
            accuracy = row["accuracy"][1:]
            axis.plot(range(1, len(accuracy) + 1), accuracy, color=colour, lw=1.1, label=label)
            if not math.isnan(row.get("updates", math.nan)):
                axis.axvline(row["updates"], color=colour, ls=":", lw=1)
        axis.set(title=style.title(one.iloc[0]), xlabel="iteration", ylim=(0, 1.03))
        axis.set_xscale("log")
    axes[0, 0].set_ylabel("training accuracy")
    style.legend_below(figure, axes, columns=2)
    caption = (
        "Batch perceptron and normalised batch perceptron. Dotted: the first iterate with every "
        "row right."
    )
    yield "perceptrons", caption, figure


def margins(results):
    """Gap to the largest margin, by method and set."""
    rows = part(results, "bias")
    if rows.empty:
        return
    sets = list(rows.groupby("set", sort=False))
    figure, axes = style.grid(1, len(sets), height=4.2, width=9.4, sharey=True)
    for axis, (_, one) in zip(axes[0], sets, strict=True):
        for _, row in one.iterrows():
            label, colour, line = _margin_look(row)
            gap = style.positive(1 - np.asarray(row["relative_margin"], dtype=float))
            gap[gap >= 1] = np.nan  # some row is wrong
            axis.plot(row["times"], gap, color=colour, ls=line, lw=1.5, label=label)
        axis.set(title=style.title(one.iloc[0]), xscale="log", yscale="log", ylim=(2e-6, 1.5))
        axis.set_xlabel("iteration")
    axes[0, 0].set_ylabel("1 - margin / largest margin")
    style.legend_below(figure, axes, columns=3)
    caption = (
        "Implicit bias. Small steps tend to the direction of largest margin, slowly; large steps "
        "and the perceptrons stop moving, or nearly, once all rows are right (where a curve "
        "begins). Descent on the dual, with momentum, is the way to the largest margin."
    )
    yield "margins", caption, figure


def _margin_look(row):
    if row["method"] == "max_margin_momentum":
        return "MaxMarginGD, momentum", style.GREEN, "-"
    if row["method"] == "max_margin_plain":
        return "MaxMarginGD, no momentum", style.GREEN, "--"
    if row["method"] == "normalized":
        return "normalised batch perceptron", style.BLUE, "-"
    times = row["step_times_smoothness"]
    if times == math.inf:
        return "batch perceptron", style.VERMILION, ":"
    shade = {1.0: style.BLACK, 100.0: style.GREY}.get(times, style.ORANGE)
    return f"LR+GD, step {times:g}/L", shade, "-"
