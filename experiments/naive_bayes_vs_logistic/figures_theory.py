"""Figures of the assumptions and of the H-consistency bound."""

import numpy as np

from experiments._harness.parts import part, pick
from skkd.metrics import logistic_h_consistency_bound

from . import style
from .consistency import LEARNERS
from .diagnostics import PERCENTILES

_QUANTITIES = (
    ("variances", "variances"),
    ("beta", "|beta|"),
    ("alpha", "alpha"),
)
_KINDS = {
    "scores": ("random scores", style.SKY, "o"),
    "points": ("several points", style.PURPLE, "s"),
    "cheapest": ("cheapest wrong class", style.ORANGE, "^"),
}


def diagnostics(results):
    """Percentiles of what the theory assumes to be bounded."""
    rows = part(results, "diagnostics")
    if rows.empty:
        return
    figure, axes = style.grid(1, 3, panel=(3.4, 3.0), below=0.8)
    colours = [style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.ORANGE]
    real = [row for _, row in rows.iterrows() if row["set"] != "mixture"]
    mixtures = [row for _, row in rows.iterrows() if row["set"] == "mixture"]
    looks = [
        (row, style.SETS[row["set"]], {"color": c}) for row, c in zip(real, colours, strict=False)
    ]
    shades = np.linspace(0.7, 0.1, max(len(mixtures), 2))
    for row, shade in zip(mixtures, shades, strict=False):
        looks.append((row, f"mixture, n = {row['n']:.0f}", {"color": str(shade), "ls": "--"}))
    for axis, (key, label) in zip(axes[0], _QUANTITIES, strict=True):
        for row, name, look in looks:
            values = np.maximum(np.array(row[key], dtype=float), 1e-9)
            axis.plot(PERCENTILES, values, marker=".", lw=1.2, label=name, **look)
        axis.set(yscale="log", xlabel="percentile", title=label)
    style.legend_below(figure, axes, columns=4)
    caption = (
        "What the theory assumes, on features scaled to [0, 1]. Variances should be bounded below: "
        "pixels that are nearly constant are not (at 1e-9, the smoothing, they are constant). "
        "|beta| and alpha are the mean and the variance per feature of the margin between two "
        "classes in a third; the first should be away from zero, the second bounded, for every n."
    )
    yield "diagnostics", caption, figure


def consistency(results):
    """Excess error against excess log-loss, under the curve of the bound."""
    rows = part(results, "consistency")
    if rows.empty:
        return
    figure, axes = style.grid(1, 2, panel=(4.4, 3.6), below=0.8)
    for axis in axes[0]:
        for kind, (label, colour, marker) in _KINDS.items():
            x, y = _points(pick(rows, kind=kind))
            look = {"ms": 2.5, "alpha": 0.35, "ls": "", "mew": 0}
            axis.plot(x, y, marker=marker, color=colour, **look)
            axis.plot([], [], marker, color=colour, ms=5, label=label)  # to be seen in the legend
        _learned(axis, pick(rows, kind="learned"))
    e = np.geomspace(1e-7, 1.5, 400)
    for axis in axes[0]:
        axis.plot(e, logistic_h_consistency_bound(e), color=style.BLACK, lw=1.5, label="bound")
        root = np.minimum(np.sqrt(2 * e), 1.0)
        axis.plot(e, root, "--", color=style.GREY, lw=1.1, label="root of twice the excess")
        axis.set_xlabel("excess log-loss [nats]")
    axes[0, 0].set(xlim=(-0.02, 1.2), ylim=(-0.02, 1.05), ylabel="excess error")
    axes[0, 1].set(xscale="log", yscale="log", xlim=(1e-6, 3), ylim=(1e-3, 1.3))
    style.legend_below(figure, axes, columns=3)
    caption = (
        "The H-consistency bound of the logistic loss. Each point is a random instance whose "
        "scores cause some excess error, or a fitted rule; none lies above the curve, and the "
        "cheapest ways to be wrong lie on it where two classes share all probability. Right: the "
        "same on logarithmic axes."
    )
    yield "consistency", caption, figure


def _points(rows):
    x = np.concatenate([np.array(values, dtype=float) for values in rows["log_excess"]] or [[]])
    y = np.concatenate([np.array(values, dtype=float) for values in rows["error_excess"]] or [[]])
    return x[y > 0], y[y > 0]


def _learned(axis, rows):
    if rows.empty:
        return
    pairs = np.array(rows["log_excess"].tolist(), dtype=float)
    errors = np.array(rows["error_excess"].tolist(), dtype=float)
    for column, method in enumerate(LEARNERS):
        name, colour, marker = style.METHODS[method]
        axis.plot(
            pairs[:, column], errors[:, column], marker, color=colour, ms=5, label=f"{name}, fitted"
        )
