r"""
===================================
Separating is not margin maximising
===================================

Many lines separate the two classes below. Gradient descent with large steps, and the batch
perceptron that is its limit, stop at the first one they meet. With small steps, and run on long
after the rows are separated, it approaches the line of largest margin.
:class:`~skkd.linear_model.MaxMarginGD` heads for that line, and its duality gap tells how far off
it still is.
"""

# %%
# Four lines
# ----------
# No line has an intercept, so that every one of them goes through the origin. One class is rare,
# which makes the first steps point away from the other one.
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np

from skkd.datasets import make_separable
from skkd.linear_model import BatchPerceptron, LogisticRegressionGD, MaxMarginGD
from skkd.losses import ExponentialLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import max_margin_descent

X, y = make_separable(40, 2, margin=0.7, random_state=5)
rare = np.flatnonzero(y == -1)
X, y = np.delete(X, rare[3:], axis=0), np.delete(y, rare[3:])
models = {
    "batch perceptron": BatchPerceptron(normalized=False, fit_intercept=False),
    "large steps": LogisticRegressionGD("normalized", 10.0, fit_intercept=False),
    "small steps": LogisticRegressionGD(
        "constant", 0.5, stop="max_iter", max_iter=300, keep="last", fit_intercept=False
    ),
    "maximum margin": MaxMarginGD(fit_intercept=False),
}
directions, margins = {}, {}
for name, model in models.items():
    w = model.fit(X, y).coef_[0]
    directions[name] = w / np.linalg.norm(w)
    margins[name] = (y * (X @ directions[name])).min()
    print(f"{name:17s} {model.n_iter_:5d} updates, margin {margins[name]:.3f}")

# %%
# The band shows the largest margin. The circled rows on its border carry the dual coefficients.

COLOURS = dict(zip(models, ("#D55E00", "#AA4499", "#0072B2", "black"), strict=True))
# Where a name stands, in points from the end of its line.
PLACES = {
    "batch perceptron": ((-4, 5), "right"),
    "small steps": ((-10, 34), "center"),
    "maximum margin": ((8, 5), "left"),
    "large steps": ((6, 0), "left"),
}
REACH = 3.1


def line_end(w):
    """Where the line with normal w leaves the frame, on the right-hand side."""
    along = np.array([-w[1], w[0]]) * (-np.sign(w[1]) or 1.0)
    return along * REACH / np.abs(along).max()


figure, ax = plt.subplots(figsize=(7.2, 6.0))
best = directions["maximum margin"]
along, across = 2 * line_end(best), best * models["maximum margin"].margin_
ax.fill(*np.array([along + across, along - across, -along - across, across - along]).T, color="0.9")
for label, marker in ((-1, "o"), (1, "^")):
    ax.scatter(*X[y == label].T, marker=marker, s=32, c="0.25", linewidths=0, zorder=3)
support = models["maximum margin"].dual_coef_ > 0.05
ax.scatter(*X[support].T, s=120, facecolors="none", edgecolors="black", zorder=4)
for name, w in directions.items():
    end = line_end(w)
    ax.plot(*np.stack([-end, end]).T, color=COLOURS[name], lw=1.8)
    (dx, dy), side = PLACES[name]
    ax.annotate(
        f"{name}\nmargin {margins[name]:.3f}",
        end,
        xytext=(dx, dy),
        textcoords="offset points",
        color=COLOURS[name],
        ha=side,
        va="center" if dy == 0 else "bottom",
        fontsize=9,
        annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": COLOURS[name], "lw": 0.7} if dy > 20 else None,
    )
ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
ax.spines[["top", "right"]].set_visible(False)
figure.subplots_adjust(left=0.08, right=0.84, top=0.86)

# %%
# The duality gap
# ---------------
# Each update of :func:`skkd.solvers.max_margin_descent` gives a direction, whose margin is a lower
# bound of the largest margin, and weights of the rows, whose combination has a norm that is an
# upper bound. The gap between the two falls like one over the number of updates, and with momentum
# like one over its square, up to logarithms.

N_UPDATES = 3000
objective = LinearObjective(
    ExponentialLoss(), X, Target((y > 0).astype(float)), fit_intercept=False
)
radius = np.linalg.norm(X, axis=1).max()

figure, ax = plt.subplots(figsize=(7.6, 4.4))
for momentum, name, colour in (
    (False, "without momentum", "#D55E00"),
    (True, "with momentum", "#0072B2"),
):
    iterates = max_margin_descent(objective, radius, momentum=momentum)
    gaps = np.array([float(iterate.gap) for iterate in islice(iterates, 1, N_UPDATES + 1)])
    updates = np.arange(1, N_UPDATES + 1)
    # A gap above 1 says nothing yet: no direction with a positive margin has been found.
    shown = gaps <= 1.0
    ax.plot(updates[shown], gaps[shown], color=colour, lw=1.8)
    ax.annotate(
        name,
        (N_UPDATES, gaps[-1]),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        annotation_clip=False,
    )
ax.axhline(1e-4, color="0.5", lw=0.8, ls="--")
ax.text(1.1, 1.15e-4, "default tol of MaxMarginGD", fontsize=9, color="0.35")
ax.set(
    xscale="log",
    yscale="log",
    xlim=(1, N_UPDATES),
    xlabel="update",
    ylabel="duality gap / upper bound of the margin",
)
ax.spines[["top", "right"]].set_visible(False)
ax.grid(alpha=0.25)
figure.subplots_adjust(right=0.78, top=0.96)
plt.show()
