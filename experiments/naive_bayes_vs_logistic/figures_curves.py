"""Figures of learning curves: in the population and on real data."""

import numpy as np

from experiments._harness.parts import part
from skkd.model_selection import crossing_point

from . import style
from .tables import learning_curves

_METHODS = ("naive_bayes", "logistic:1", "tuned")


def population(results):
    """Exact errors on the correlated mixture, and the limits they tend to."""
    rows = part(results, "population")
    if rows.empty:
        return
    cells = list(rows.groupby(["n_classes", "n"]))
    figure, axes = style.grid(1, len(cells), sharey=True, panel=(3.4, 3.1))
    for axis, ((n_classes, n), one) in zip(axes[0], cells, strict=True):
        _panel(axis, one)
        limit = one["naive_bayes_limit"].iloc[0]
        axis.axhline(limit, color=style.BLUE, lw=1, ls="--", label="limit of naive Bayes")
        axis.set(title=f"n = {n:.0f}, K = {n_classes:.0f}", ylim=(-0.02, None))
    axes[0, 0].set_ylabel("error")
    style.legend_below(figure, axes, columns=2)
    caption = (
        "Correlated mixture, exact errors, mean and standard error over the runs. The error of "
        "naive Bayes stays at its limit, that of logistic regression tends to the Bayes error, "
        "which is nearly zero. Vertical: where logistic regression with C = 1 overtakes naive "
        "Bayes, with the 95 % interval of the bootstrap."
    )
    yield "population", caption, figure


def real(results):
    """Errors on real sets."""
    rows = part(results, "real")
    if rows.empty:
        return
    sets = list(rows.groupby("set", sort=False))
    n_columns = min(2, len(sets))
    n_rows = -(-len(sets) // n_columns)
    figure, axes = style.grid(n_rows, n_columns, panel=(4.2, 2.9))
    for axis, (name, one) in zip(axes.flat, sets, strict=False):
        _panel(axis, one)
        axis.set(title=style.SETS.get(name, name), ylim=(0, None))
    for axis in axes.flat[len(sets) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel("error")
    style.legend_below(figure, axes, columns=3)
    caption = (
        "Features scaled to [0, 1] by the training rows, tested on all other rows; mean and "
        "standard error over the repeats, of which there are fewer with C tuned. Vertical: where "
        "logistic regression with C = 1 overtakes naive Bayes (none where it leads throughout), "
        "with the 95 % interval of the bootstrap."
    )
    yield "real", caption, figure


def _panel(axis, rows):
    for method in _METHODS:
        curves = learning_curves(rows, method)
        if curves is None:
            continue
        label, colour, marker = style.METHODS[method]
        m, mean = curves.train_sizes, curves.mean_scores[0]
        axis.plot(m, mean, marker=marker, ms=4, lw=1.4, color=colour, label=label)
        if curves.n_repeats > 1:
            error = curves.test_scores[0].std(axis=1, ddof=1) / np.sqrt(curves.n_repeats)
            axis.fill_between(m, mean - error, mean + error, color=colour, alpha=0.18, lw=0)
    _mark_crossing(axis, learning_curves(rows, "naive_bayes", "logistic:1"))
    axis.set(xscale="log", xlabel="training samples m")
    style.plain_ticks(axis, rows["train_sizes"].iloc[0])
    axis.tick_params(axis="x", labelrotation=45)


def _mark_crossing(axis, curves):
    if curves is None:
        return
    found = crossing_point(curves, *curves.names, random_state=0)
    if found.crossing is None or found.leaders[-1] != curves.names[1]:
        return
    axis.axvline(found.crossing, color=style.BLACK, lw=0.9, ls=":")
    axis.annotate(
        f"m = {found.crossing:.0f}",
        (found.crossing, 0.93),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        fontsize=9,
    )
    if found.interval is not None:
        sizes = curves.train_sizes
        low, high = np.clip(found.interval, sizes[0], sizes[-1])
        axis.axvspan(low, high, color=style.GREY, alpha=0.12, lw=0)


def lead(results):
    """Lead of naive Bayes over logistic regression, with C = 1 and with C tuned."""
    rows = part(results, "real")
    if rows.empty or "tuned" not in set(rows["method"]):
        return
    sets = [pair for pair in rows.groupby("set", sort=False) if "tuned" in set(pair[1]["method"])]
    figure, axes = style.grid(1, len(sets), panel=(3.0, 2.9))
    for axis, (name, one) in zip(axes[0], sets, strict=True):
        for method in ("logistic:1", "tuned"):
            curves = learning_curves(one, "naive_bayes", method)
            label, colour, marker = style.METHODS[method]
            gaps = 100 * (curves.test_scores[1] - curves.test_scores[0])
            error = gaps.std(axis=1, ddof=1) / np.sqrt(curves.n_repeats) if gaps.shape[1] > 1 else 0
            look = {"marker": marker, "ms": 4, "lw": 1.3, "color": colour, "capsize": 2}
            axis.errorbar(curves.train_sizes, gaps.mean(axis=1), error, label=label, **look)
        axis.axhline(0, color=style.BLACK, lw=0.8)
        axis.set(title=style.SETS.get(name, name), xscale="log", xlabel="training samples m")
        style.plain_ticks(axis, one["train_sizes"].iloc[0])
        axis.tick_params(axis="x", labelrotation=45)
    axes[0, 0].set_ylabel("lead of naive Bayes [points]")
    style.legend_below(figure, axes, columns=2)
    caption = (
        "Error of logistic regression less that of naive Bayes on the same subsets, mean and "
        "standard error; above zero naive Bayes is better. Tuning C takes away most of its lead."
    )
    yield "lead", caption, figure


def penalties(results):
    """Which C was chosen, by the number of samples."""
    rows = part(results, "real")
    if rows.empty or "tuned" not in set(rows["method"]):
        return
    rows = rows[rows["method"] == "tuned"]
    sets = list(rows.groupby("set", sort=False))
    figure, axes = style.grid(1, len(sets), sharey=True, panel=(3.0, 2.5), below=0.2)
    for axis, (name, one) in zip(axes[0], sets, strict=True):
        sizes = np.array(one["train_sizes"].iloc[0], dtype=float)
        chosen = np.array(one["penalties"].tolist(), dtype=float)
        for seed, values in enumerate(chosen):
            shift = np.exp(0.03 * (seed - (len(chosen) - 1) / 2))
            axis.plot(sizes * shift, values * shift, "o", color=style.GREEN, ms=4, alpha=0.5)
        axis.plot(sizes, np.exp(np.log(chosen).mean(axis=0)), color=style.GREEN, lw=1.3)
        axis.axhline(1, color=style.VERMILION, lw=0.9, ls="--")
        axis.set(title=style.SETS.get(name, name), xscale="log", yscale="log")
        axis.set_xlabel("training samples m")
        style.plain_ticks(axis, sizes)
        axis.tick_params(axis="x", labelrotation=45)
    axes[0, 0].set_ylabel("C chosen")
    caption = (
        "The penalty that five-fold cross-validation on the training rows chooses, each repeat and "
        "the geometric mean. Dashed: C = 1, the default."
    )
    yield "penalties", caption, figure
