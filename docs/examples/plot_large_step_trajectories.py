r"""
=================================================
Trajectories of gradient descent with large steps
=================================================

Logistic regression is fitted by gradient descent with step sizes from 0.01 to 100, on data that a
line through the origin separates and of which one class is rare. Small steps lower the loss at
every update. Large ones do not, and yet they get every row right after far fewer updates.

The rows are scikit-learn's 8 x 8 digits: 20 ones against the 1,615 other digits. A constant column
takes the place of an intercept, so that radius and margin are those of the theorems.
"""

# %%
# The problem
# -----------
import math
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skkd.linear_model import iteration_bound, separation_margin
from skkd.losses import BinaryLogLoss, PerceptronLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import Constant, Limit, Normalized, gradient_descent

pixels, digit = load_digits(return_X_y=True)
kept = np.concatenate([np.flatnonzero(digit != 1), np.flatnonzero(digit == 1)[:20]])
X = np.column_stack([pixels[kept] / 16.0, np.ones(kept.size)])
y = (digit[kept] == 1).astype(float)

margin, _ = separation_margin(X, y)
radius = np.linalg.norm(X, axis=1).max()
print(f"{X.shape[0]} rows, radius {radius:.2f}, margin {margin:.3f}")

# %%
# A trajectory is an iterator
# ---------------------------
# :func:`skkd.solvers.gradient_descent` yields iterates and never stops; ``islice`` takes as many as
# we want. Logits, errors and margins come with each iterate at no extra cost. Loss and gradient
# norm are computed from logarithms, because at large steps both leave the range of a float.

N_UPDATES = 1500


def trajectory(rule, loss):
    objective = LinearObjective(loss, X, Target(y), fit_intercept=False)
    return objective, gradient_descent(objective, objective.zeros(), step=rule)


def record(rule):
    """Wrong rows, and log10 of loss and gradient norm, until every row is right."""
    objective, iterates = trajectory(rule, BinaryLogLoss())
    rows = []
    for iterate in islice(iterates, N_UPDATES + 1):
        n_wrong = round(float(iterate.errors) * y.size)
        log_scale = 0.0 if iterate.log_mass is None else float(iterate.log_mass)
        log_norm = math.log(np.linalg.norm(iterate.gradient)) + log_scale
        log_loss = float(objective.log_risk(iterate.logits))
        rows.append((n_wrong, log_loss / math.log(10), log_norm / math.log(10)))
        if n_wrong == 0:
            break
    return np.array(rows)


STEP_SIZES = (0.01, 0.1, 1.0, 10.0, 100.0)
METHODS = {"normalized": Normalized, "constant": Constant}
records = {
    (name, size): record(rule(size)) for name, rule in METHODS.items() for size in STEP_SIZES
}

# %%
# Wrong rows, loss and gradient norm
# ----------------------------------
# Each curve ends with a dot where every row is right, or without one at the last update; the number
# beside it is the step size. The step of 100 separates first in both columns, although its loss is
# the largest of all for most of the way on the left and for 30 updates on the right, and its
# gradient does not stand out. Neither measure tells which step is about to separate.

colours = dict(zip(STEP_SIZES, plt.get_cmap("viridis")(np.linspace(0.88, 0.0, 5)), strict=True))
NAMES = ("wrong rows", "loss", "gradient norm")
LIMITS = ((-0.4, 2000), (-8.4, 2.6), (-8.4, 1.0))

figure, axes = plt.subplots(3, 2, figsize=(9, 8.6), sharex=True, sharey="row")
for (name, size), values in records.items():
    column, last = list(METHODS).index(name), len(values) - 1
    for row, ax in enumerate(axes[:, column]):
        ax.plot(values[:, row], color=colours[size], lw=1.2)
        if values[last, 0] == 0:
            ax.plot(last, values[last, row], "o", color=colours[size], ms=7, mec="white", zorder=5)
        if row > 0:  # in the top panels all curves end at zero
            ax.annotate(
                f"{size:g}",
                (last, values[last, row]),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=colours[size],
                annotation_clip=False,
            )

for ax, name, limits in zip(axes[:, 0], NAMES, LIMITS, strict=True):
    ax.set(ylabel=name, ylim=limits)
    ax.yaxis.set_major_formatter(lambda power, _: f"$10^{{{power:.0f}}}$")
axes[0, 0].set_yscale("symlog", linthresh=1)
axes[0, 0].set_yticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
for ax, name in zip(axes[0], METHODS, strict=True):
    ax.set_title(f"{name} step", fontsize=11)
for ax in axes[2]:
    ax.set(xscale="log", xlim=(0.8, 1.15 * N_UPDATES), xlabel="update")
for ax in axes.flat:
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
figure.tight_layout(w_pad=3)

# %%
# Updates needed, against the step size
# -------------------------------------
# Three facts of the theory are visible. For small steps the number of updates falls like
# 1 / step size. For large ones it reaches that of the limit, a batch perceptron (dashed), and no
# longer depends on the step. And the normalised step needs fewer updates on such data: the plain
# one divides the pull of 20 rare rows by all 1,635.


def updates_to_separate(rule, loss):
    _, iterates = trajectory(rule, loss)
    return next((it.index for it in islice(iterates, N_UPDATES + 1) if it.errors == 0), math.nan)


sizes = np.logspace(-1, 4, 11)
smooth, limit = BinaryLogLoss(), PerceptronLoss()
found = {
    "normalized": [updates_to_separate(Normalized(size), smooth) for size in sizes],
    # Plain steps below 10 need more updates than we make.
    "constant": [
        updates_to_separate(Constant(size), smooth) if size >= 10 else math.nan for size in sizes
    ],
}
limits = {
    "normalized": updates_to_separate(Normalized(), limit),
    "constant": updates_to_separate(Limit(), limit),
}
bound = [iteration_bound("normalized", y.size, radius, margin, size) for size in sizes]

figure, ax = plt.subplots(figsize=(8, 4.6))
styles = {"normalized": ("#0072B2", "o"), "constant": ("#D55E00", "s")}
for name, (colour, marker) in styles.items():
    ax.plot(sizes, found[name], marker + "-", color=colour, ms=5)
    ax.axhline(limits[name], color=colour, ls="--", lw=1)
    ax.annotate(
        f"{name} step",
        (sizes[-1], found[name][-1]),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        annotation_clip=False,
    )
ax.plot(sizes, bound, color="0.45", lw=1.3)
ax.annotate(
    "bound for the\nnormalized step",
    (sizes[-1], bound[-1]),
    xytext=(8, 0),
    textcoords="offset points",
    va="center",
    color="0.35",
    annotation_clip=False,
)
ax.set(xscale="log", yscale="log", xlabel="step size", ylabel="updates until every row is right")
ax.spines[["top", "right"]].set_visible(False)
ax.grid(alpha=0.25)
figure.subplots_adjust(right=0.8, top=0.96)
plt.show()
