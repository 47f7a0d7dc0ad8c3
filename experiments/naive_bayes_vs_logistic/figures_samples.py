"""Figures of the samples needed against the dimension."""

import numpy as np
from scipy.stats import t

from experiments._harness.parts import part, pick

from . import authors, style
from .tables import classes_of, growth

_METHODS = ("naive_bayes", "logistic:1", "minimum:1")
# The model that the theory names, and the other one to set against it.
_MODELS = {
    "naive_bayes": (("log", "-"), ("linear", ":")),
    "logistic:1": (("linear", "-"), ("log", ":")),
    "minimum:1": (("linear", "-"),),
}


def samples_needed(results):
    """Samples needed against n, a column for each K; all together above, naive Bayes below."""
    rows = part(results, "samples")
    if rows.empty or "needed" not in rows:
        return
    rows = rows[rows["needed"].notna()]
    classes = classes_of(rows)
    figure, axes = style.grid(2, len(classes), sharex=True, sharey="row", panel=(3.0, 2.7))
    for column, n_classes in zip(axes.T, classes, strict=True):
        ours = pick(rows, n_classes=n_classes)
        for method in _METHODS:
            _draw(column[0], ours, method, n_classes)
        _draw(column[1], ours, "naive_bayes", n_classes)
        column[0].set_title(f"K = {n_classes}")
        column[1].set(xscale="log", xlabel="features n")
        style.plain_ticks(column[1], sorted(set(rows["n"])))
    axes[0, 0].set(ylabel="samples needed", yscale="log", ylim=(2, 2 * rows["needed"].max()))
    most = pick(rows, method="naive_bayes")["needed"].max()
    axes[1, 0].set(ylabel="naive Bayes alone", ylim=(0, 1.5 * most))
    style.legend_below(figure, axes, columns=3)
    caption = (
        "The paper's mixture: the first m with an error below the Bayes error + 0.01, one point "
        "for each run. Solid: a + b log n for naive Bayes, a + b n for logistic regression, with "
        "the 95 % band of the mean; dotted: the other model. Hollow: the authors' program. Above "
        "on logarithmic axes, below naive Bayes on a linear one."
    )
    yield "samples_needed", caption, figure


def _draw(axis, rows, method, n_classes):
    chosen = pick(rows, method=method)
    if chosen.empty:
        return
    label, colour, marker = style.METHODS[method]
    spread = np.exp(0.03 * (chosen["seed"] - chosen["seed"].mean()))  # equal runs side by side
    look = {"color": colour, "ls": "", "marker": marker, "ms": 4, "alpha": 0.8}
    axis.plot(chosen["n"] * spread, chosen["needed"], label=label, **look)
    for (k, n), theirs in authors.SAMPLES.get(method, {}).items():
        if k == n_classes and n in set(chosen["n"]):
            beside = n * np.exp(0.12 + 0.03 * np.arange(len(theirs)))
            axis.plot(beside, theirs, marker, mfc="none", mec=style.GREY, ms=4)
    found = growth(rows, method, n_classes)
    if found is None:
        return
    n = np.geomspace(chosen["n"].min(), chosen["n"].max(), 60)
    for model, line in _MODELS[method]:
        axis.plot(n, _shown(found[model].predict(n)), line, color=colour, lw=1.3)
    middle, reach = _band(found[_MODELS[method][0][0]], _MODELS[method][0][0], chosen, n)
    low = np.maximum(middle - reach, 0.5)
    axis.fill_between(n, low, middle + reach, color=colour, alpha=0.15, lw=0)


def _band(fit, model, rows, n):
    """Mean of the model and half the width of its 95 % band, from the design and the residuals."""
    transform = np.log if model == "log" else np.asarray
    x, new = transform(rows["n"].to_numpy(dtype=float)), transform(n)
    rss = np.sum((rows["needed"].to_numpy(dtype=float) - fit.predict(rows["n"])) ** 2)
    variance = (
        rss / (x.size - 2) * (1 / x.size + (new - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    )
    return fit.predict(n), t.isf(0.025, x.size - 2) * np.sqrt(variance)


def _shown(values):
    """What a logarithmic axis can show."""
    return np.where(values > 0, values, np.nan)


def excess_errors(results):
    """Excess error against m / n for two classes, default tolerance and minimum."""
    rows = pick(part(results, "samples"), n_classes=2, seed=0)
    rows = pick(rows, method=["logistic:1", "minimum:1"])
    if rows["method"].nunique() < 2 if "method" in rows else True:
        return
    features = sorted(set(rows["n"]))
    figure, axes = style.grid(1, len(features), sharey=True, sharex=True, panel=(2.6, 2.7))
    for axis, n in zip(axes[0], features, strict=True):
        for method in ("logistic:1", "minimum:1"):
            label, colour, marker = style.METHODS[method]
            for _, row in pick(rows, method=method, n=n).iterrows():
                m = np.array(row["sizes"]) / n
                axis.plot(
                    m, _shown(np.array(row["excess"])), marker, color=colour, ms=3, label=label
                )
        axis.axhline(0.01, color=style.BLACK, lw=0.8, ls="--")
        axis.set(title=f"n = {n:.0f}", xlabel="samples per feature", yscale="log", ylim=(1e-4, 0.7))
        axis.set_xlim(0, 2.2)
    axes[0, 0].set_ylabel("error above the Bayes error")
    style.legend_below(figure, axes, columns=2)
    caption = (
        "Two classes, one run: errors at the m that were looked at. Solved to the minimum, "
        "logistic regression reaches 0.01 (dashed) at about one sample per feature for every n; "
        "with the solver's default tolerance it falls behind as n grows."
    )
    yield "excess_errors", caption, figure
