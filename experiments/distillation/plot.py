"""The figures of the study, drawn from its results alone."""

import matplotlib.pyplot as plt
import numpy as np

from experiments._harness.parts import part

from .tables import compare, interval

_LABELS = {"kl": "KD", "kl:1": "KD, T = 1", "kl:z": "KD, standardised", "js": "JS"}


def figures(results):
    """Yield (name, caption, figure) for each figure whose results are there."""
    for draw in (_forest, _few, _mi_alpha, _scale):
        yield from draw(results)


def _forest(results):
    rows = part(results, "real")
    if rows.empty:
        return
    names = dict.fromkeys(name for several in rows["students"] for name in several)
    found = {name: compare(rows, name, "ce") for name in names if name != "ce"}
    figure, axis = plt.subplots(figsize=(6, 0.32 * len(found) + 1), layout="constrained")
    for i, one in enumerate(found.values()):
        axis.plot(100 * one.mean, i, "o", color="#0072B2")
        if one.seeds > 1:
            axis.plot([100 * one.low, 100 * one.high], [i, i], color="#0072B2")
    axis.set_yticks(range(len(found)), [_LABELS.get(name, name) for name in found])
    axis.axvline(0, color="#222222", lw=0.8)
    axis.invert_yaxis()
    axis.set_xlabel("accuracy less that of tuned cross-entropy [points]")
    caption = "Fully labelled data, all sets and teachers: paired by seed, 95 % t-interval."
    yield "losses", caption, figure


def _few(results):
    rows = part(results, "few")
    if rows.empty:
        return
    sets = list(rows.groupby("set", sort=False))
    figure, axes = plt.subplots(
        1, len(sets), figsize=(4 * len(sets), 3.2), squeeze=False, layout="constrained"
    )
    for axis, (name, one) in zip(axes[0], sets, strict=True):
        for i, student in enumerate(one["students"].iloc[0]):
            curve = {m: np.mean([a[i] for a in cell["accuracy"]]) for m, cell in one.groupby("m")}
            axis.plot(list(curve), list(curve.values()), "o-", ms=4, label=student)
        axis.set(title=name, xlabel="labelled rows", ylabel="accuracy")
    axes[0, 0].legend(fontsize=8)
    yield "few", "Few labels; pool: rows without label, which the teacher labels.", figure


def _mi_alpha(results):
    rows = part(results, "mi_alpha")
    if rows.empty:
        return
    figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
    for (rho, K), one in rows.groupby(["rho", "K"]):
        mean, spread = (np.mean(np.stack(one[key]), axis=0) for key in ("mean", "spread"))
        axis.plot(one["true_mi"].iloc[0] - mean, spread, "o-", label=f"rho = {rho:g}, K = {K:.0f}")
    axis.set(xlabel="bias [nats]", ylabel="standard deviation [nats]")
    axis.legend(fontsize=8)
    yield "mi_alpha", "The bound for alpha = 0 (left) to 1 (right), critic known.", figure


def _scale(results):
    rows = part(results, "scale")
    if rows.empty:
        return
    figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
    for key, label in (("plain", "KD"), ("standardized", "KD, standardised")):
        values = np.stack(rows[f"{key}_nll"])
        mean = [interval(column).mean for column in values.T]
        axis.plot(rows["scales"].iloc[0], mean, "o-", label=label)
    axis.set(xscale="log", xlabel="factor on the teacher's logits", ylabel="log-loss")
    axis.legend(fontsize=8)
    yield "scale", "Standardised logits do not feel the teacher's scale.", figure
