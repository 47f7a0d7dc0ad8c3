r"""
==================================
A race of block coordinate descent
==================================

Block coordinate descent makes three choices: which variables go together, which block comes next,
and what is done to it. Here nine combinations of :func:`~skkd.solvers.minimize_bcd` minimise one
function, and are compared by the number of updates, which is what theorems count, and by the
clock, which is what one waits for. The second race is for a solution with zeros, where the end is
more interesting than the way.
"""

# %%
# The function
# ------------
# Logistic regression with a small ridge: 300 rows and 1000 columns of very different size. The
# recipe is that of the paper's data set B.
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from threadpoolctl import threadpool_limits

from skkd.datasets import make_bcd_problem
from skkd.objectives import LeastSquares, Logistic
from skkd.penalties import L1
from skkd.solvers import block_coordinate_descent, minimize_bcd

data = make_bcd_problem("B", n_samples=300, n_features=1000)
logistic = Logistic(data.A.toarray(), data.b, l2=1.0)
best = minimize_bcd(logistic, block_size=1000, tol=1e-12).fun

SIZE = 20
SELECTIONS = {
    "cyclic": {"partition": "sort", "selection": "cyclic"},
    "greedy": {"partition": "sort", "selection": "gsl"},
    "greedy, any variables": {"selection": "gsd"},
}
UPDATES = {"gradient": "#D55E00", "bound": "#0072B2", "newton": "0.1"}

# %%
# Where the work is done
# ----------------------
# A mark is a variable that was changed by a step with a matrix bound, the darker the more.
# Variables are sorted by :math:`L_i`, the bound of their curvature, and fixed blocks are strips.
# Cyclic selection gives every strip its turn. The greedy rules choose: in the first updates
# variables of small curvature, along which the minimum is far away and steps are long, then the
# same few variables again and again, while others are hardly touched.

SHOWN = 150
order = np.argsort(logistic.lipschitz(), kind="stable")

figure, axes = plt.subplots(1, 3, figsize=(10.4, 4.4), sharey=True, layout="constrained")
for ax, (name, rules) in zip(axes, SELECTIONS.items(), strict=True):
    iterates = block_coordinate_descent(logistic, update="bound", block_size=SIZE, **rules)
    with threadpool_limits(1, "blas"):  # small products are slower on several threads
        path = [next(iterates) for _ in range(SHOWN + 1)]
    changes = np.abs(np.diff([iterate.params for iterate in path], axis=0))[:, order]
    # Eight neighbours make one row of the picture, so that it can be seen.
    shown = changes.reshape(SHOWN, -1, 8).max(axis=2).T
    picture = ax.imshow(
        np.ma.masked_less(shown, 1e-12),
        cmap="magma_r",
        norm=LogNorm(1e-4, 1.0),
        extent=(0.5, SHOWN + 0.5, 0, 1000),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    ax.set_title(f"{name}: {path[-1].value - best:.2g} to go", fontsize=10, loc="left")
    ax.set(xlabel="update")
axes[0].set_ylabel("variable, by curvature")
figure.colorbar(picture, ax=axes, label="change", extend="both", pad=0.01)

# %%
# Updates and seconds
# -------------------
# Colours are updates. Dotted lines are cyclic, dashed ones greedy with fixed blocks, solid ones
# greedy with any variables. Counted in updates, knowledge pays: a matrix beats a number, the
# curvature at the point beats a bound of it, and greedy selection beats cyclic with each of them.
#
# By the clock much of that is gone. A greedy selection needs the gradient of all variables, here a
# pass over the data, where a cyclic update looks at 20 columns; and the greedy rule of fixed blocks
# starts late, because it computes the constants of all blocks first. With steps that gain little
# wherever they are made, choosing well hardly pays. With Newton steps it does.


def run(*problem, **rules):
    """One run on one thread, put on record."""
    with threadpool_limits(1, "blas"):
        return minimize_bcd(*problem, record_path=True, **rules)


STYLES = dict(zip(SELECTIONS, (":", "--", "-"), strict=True))
figure, axes = plt.subplots(1, 2, figsize=(10.4, 4.8), sharey=True, layout="constrained")
for update, colour in UPDATES.items():
    for name, rules in SELECTIONS.items():
        options = {"update": update, "block_size": SIZE, "max_iter": 600, "tol": 0.0}
        runs = [run(logistic, **rules, **options) for _ in range(3)]
        seconds = np.min([one.time_path for one in runs], axis=0)
        excess = runs[0].objective_path - best
        axes[0].plot(excess, color=colour, ls=STYLES[name], lw=1.6)
        axes[1].plot(seconds[1:], excess[1:], color=colour, ls=STYLES[name], lw=1.6)
    axes[0].annotate(
        update,
        (600, excess[-1]),
        xytext=(4, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        annotation_clip=False,
    )
for name, style in STYLES.items():
    axes[1].plot([], [], color="0.3", ls=style, label=name)
axes[1].legend(frameon=False, loc="lower left")
axes[0].set(yscale="log", xlim=(0, 600), xlabel="update", ylabel="objective above the least")
axes[1].set(xscale="log", xlabel="seconds")
for ax in axes:
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)

# %%
# A solution with zeros
# ---------------------
# The Lasso on 200 rows and 1000 columns, with blocks of 150 variables: chosen greedily (solid), or
# fixed and taken in turn (dotted). A star marks the update from which on the zeros are the right
# ones; from there the problem is a smooth one in few variables. Gradient steps make no use of that.
# Newton steps do where a block holds all of these variables, which greedy blocks can and fixed ones
# cannot: there the star is all but the end.

rng = np.random.default_rng(0)
A = rng.standard_normal((200, 1000)) + 0.5 * rng.standard_normal((200, 1))
lasso = LeastSquares(A, A[:, :30] @ rng.standard_normal(30) + rng.standard_normal(200))
penalty = L1(0.15 * np.abs(lasso.gradient(np.zeros(1000))).max())
solution = minimize_bcd(lasso, penalty, block_size="auto", tol=1e-13)
print(f"{np.count_nonzero(solution.x)} of 1000 variables are not zero")

BLOCKS = {"fixed": {"partition": "sort", "selection": "cyclic"}, "greedy": {"selection": "gs-q"}}
STEPS = {"prox-gradient": "#D55E00", "two-metric": "#009E73", "prox-newton": "0.1"}
# Where a name stands: at which height, and how far from its curve.
LABELS = {
    ("prox-newton", "greedy"): (1e-6, (6, 0), "left"),
    ("two-metric", "greedy"): (1e-9, (6, 0), "left"),
    ("prox-newton", "fixed"): (1e-4, (-10, 0), "right"),
    ("two-metric", "fixed"): (1e-7, (6, 0), "left"),
    ("prox-gradient", "greedy"): (1e-5, (-8, 0), "right"),
    ("prox-gradient", "fixed"): (2e2, (8, 4), "left"),
}


def settled(supports):
    """First iterate from which on the support is that of the solution; None if there is none."""
    final = np.flatnonzero(solution.x)
    other = [k for k, found in enumerate(supports) if not np.array_equal(found, final)]
    star = other[-1] + 1 if other else 0
    return star if star < len(supports) else None


figure, ax = plt.subplots(figsize=(8.2, 4.8), layout="constrained")
for step, colour in STEPS.items():
    for blocks, rules in BLOCKS.items():
        options = {"update": step, "block_size": 150, "max_iter": 1500, "tol": 1e-11}
        result = run(lasso, penalty, **rules, **options)
        excess = np.maximum(result.objective_path - solution.fun, 1e-11)
        style = STYLES["cyclic" if blocks == "fixed" else "greedy, any variables"]
        ax.plot(np.arange(result.nit + 1) + 1, excess, color=colour, ls=style, lw=1.6)
        star = settled(result.support_path)
        if star is not None:
            ax.plot(star + 1, excess[star], "*", color=colour, ms=11, mec="white")
        height, shift, side = LABELS[step, blocks]
        ax.annotate(
            step,
            (np.argmax(excess < height) + 1, height),
            xytext=shift,
            textcoords="offset points",
            color=colour,
            ha=side,
            va="center",
        )
        found = "zeros not found yet" if star is None else f"zeros found after {star}"
        print(f"{step:13} {blocks:6} {result.nit:4d} updates, {found}")
ax.set(xscale="log", yscale="log", xlabel="update + 1", ylabel="objective above the least")
ax.grid(alpha=0.25)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
