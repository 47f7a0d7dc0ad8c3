r"""
==============================
Labels that travel along trees
==============================

Two moons, twelve labels, and a graph that joins each point to its nearest neighbours. Harmonic
label propagation gives every unlabelled point the mean of its neighbours. That is a sparse linear
system, and block coordinate descent solves it one block of points at a time. Where a block has no
cycle in the graph, message passing solves it exactly in one sweep from the leaves to the roots and
back, so that blocks can be huge: greedy trees hold about half of all points.
"""

# %%
# A graph with few labels
# -----------------------
import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from matplotlib.collections import LineCollection
from sklearn.datasets import make_moons
from sklearn.neighbors import kneighbors_graph

from skkd.objectives import GraphQuadratic
from skkd.semi_supervised import HarmonicLabelPropagation
from skkd.solvers import minimize_bcd

X, truth = make_moons(260, noise=0.14, random_state=4)
known = np.concatenate([np.flatnonzero(truth == label)[:6] for label in (0, 1)])
y = np.full(len(X), -1)
y[known] = truth[known]

model = HarmonicLabelPropagation(n_neighbors=5).fit(X, y)
print(f"{(model.transduction_ == truth).mean():.1%} of the points right, from {len(known)} labels")

# %%
# The same problem, taken apart
# -----------------------------
# With weights W, the values x of the unlabelled points minimise
# :math:`\frac12 x^\top A x - b^\top x`, where A is the graph Laplacian without the labelled rows
# and columns, and b the weight that ties a point to the second class. Each update takes the
# points with the largest gradient, skips those that would close a cycle, and minimises over the
# rest exactly.

W = sp.csr_array(kneighbors_graph(X, 5))
W = sp.csr_array(W.maximum(W.T))
free = np.flatnonzero(y == -1)
A = sp.csr_array(sp.diags_array(W.sum(axis=1)) - W)[free][:, free]
b = W[free][:, known] @ y[known].astype(float)
problem = GraphQuadratic(A, b)
# A start in the middle: nothing is known.
x0 = np.full(len(free), 0.5)

SHOWN = (1, 3, 10, 300)
values, forests = {}, {}


def keep(intermediate_result):
    """Note the state after the updates that are drawn."""
    if intermediate_result.nit in SHOWN:
        values[intermediate_result.nit] = intermediate_result.x.copy()
        forests[intermediate_result.nit] = intermediate_result.block
    return intermediate_result.nit >= max(SHOWN)


minimize_bcd(problem, x0=x0, selection="tree-gsl", update="exact", callback=keep, tol=0.0)

# %%
# Dark lines are the forest of the last update, pale ones the rest of the graph. The first forest
# grows around the labels, the only places with a gradient; values spread from there along its
# branches. By the last panel the colours have settled.


def draw(ax, update):
    """The graph, the forest of one update, and the values after it."""
    x = np.empty(len(X))
    x[free], x[known] = values[update], y[known]
    in_forest = np.zeros(len(X), dtype=bool)
    in_forest[free[forests[update]]] = True
    edges = sp.triu(W).tocoo()
    ends = np.stack(edges.coords, axis=1)
    inside = in_forest[ends].all(axis=1)
    for chosen, colour, width in ((~inside, "0.85", 0.8), (inside, "0.15", 2.0)):
        ax.add_collection(
            LineCollection(X[ends[chosen]], colors=colour, linewidths=width, zorder=1)
        )
    style = {"c": x, "cmap": "coolwarm", "vmin": 0, "vmax": 1}
    points = ax.scatter(*X.T, s=30, linewidths=0.4, edgecolors="0.3", zorder=2, **style)
    style["c"] = x[known]
    ax.scatter(*X[known].T, s=190, marker="*", edgecolors="black", zorder=3, **style)
    n_trees = in_forest.sum() - inside.sum()
    ax.set_title(
        f"update {update}: {in_forest.sum()} points in {n_trees} trees", fontsize=10, loc="left"
    )
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.margins(0.02)
    ax.spines[:].set_visible(False)
    return points


figure, axes = plt.subplots(2, 2, figsize=(10.4, 6.6), layout="constrained")
for ax, update in zip(axes.flat, SHOWN, strict=True):
    points = draw(ax, update)
figure.colorbar(points, ax=axes, shrink=0.6, label="probability of the second moon")

# %%
# Which blocks?
# -------------
# Colouring the graph gives blocks without any edge, a fixed partition into forests gives larger
# ones, and a forest that is collected anew around the largest gradients gives the best. A random
# forest is as large, but not where the work is. The last rule spends as much arithmetic on the few
# points of largest gradient as a forest costs, whatever cycles they have.

RULES = {
    "greedy trees": {"selection": "tree-gsl"},
    "fixed forests": {"partition": "tree", "selection": "cyclic"},
    "random trees": {"selection": "tree-random", "random_state": 0},
    "red-black": {"partition": "red-black", "selection": "cyclic"},
    "few points": {"selection": "gsd", "block_size": round(len(free) ** (1 / 3))},
}
COLOURS = dict(zip(RULES, ("black", "#0072B2", "#AA4499", "#D55E00", "0.55"), strict=True))
UPDATES = 1000

best = problem.value(np.linalg.solve(A.toarray(), b))
figure, ax = plt.subplots(figsize=(7.6, 4.6))
for name, rule in RULES.items():
    path = minimize_bcd(
        problem, x0=x0, update="exact", max_iter=UPDATES, tol=0.0, record_path=True, **rule
    ).objective_path
    gap = np.maximum(path - best, 1e-16)
    ax.plot(gap, color=COLOURS[name], lw=1.8)
    ax.annotate(
        name,
        (len(gap) - 1, gap[-1]),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=COLOURS[name],
        annotation_clip=False,
    )
ax.set(yscale="log", xlim=(0, UPDATES), xlabel="update", ylabel="energy above the least")
ax.spines[["top", "right"]].set_visible(False)
ax.grid(alpha=0.25)
figure.subplots_adjust(right=0.82, top=0.96)
plt.show()
