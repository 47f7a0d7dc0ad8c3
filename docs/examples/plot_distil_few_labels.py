r"""
=============================================================
A gradient boosting model in a linear one, with twenty labels
=============================================================

A boosted model of thousands of trees reads handwritten digits well, but it is large, slow to ask,
and nobody can look into it. A linear model is 640 numbers. Trained on twenty labelled digits it
is poor. Trained on twenty labelled digits *and* on what the large model says about four hundred
more that nobody has labelled, it is nearly as good as if everything had been labelled.
"""

# %%
# The large model
# ---------------
# The teacher learns from 800 digits that are ours no longer: all that is left is the model.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skkd.distillation import DistilledLogisticRegression

X, y = load_digits(return_X_y=True)
X = X / 16.0
X_teacher, X_rest, y_teacher, y_rest = train_test_split(
    X, y, train_size=800, stratify=y, random_state=0
)
X_pool, X_test, y_pool, y_test = train_test_split(
    X_rest, y_rest, train_size=400, stratify=y_rest, random_state=0
)
teacher = HistGradientBoostingClassifier(
    max_iter=25, max_leaf_nodes=12, learning_rate=0.2, random_state=0
).fit(X_teacher, y_teacher)
print(f"The teacher is right on {teacher.score(X_test, y_test):.1%} of the test digits.")

# %%
# Twenty labels
# -------------
# Two of each digit. ``unlabeled_label=-1`` marks the rest of the pool: those rows have no part in
# the cross-entropy, only in the divergence from the teacher. ``cv="prefit"`` takes the teacher as
# it is, which is right here because it has never seen the pool.


def with_labels(m, seed):
    """Labels of the pool, all but m of which are unknown; each digit is known equally often."""
    shown, _ = train_test_split(
        np.arange(len(y_pool)), train_size=m, stratify=y_pool, random_state=seed
    )
    known = np.full(len(y_pool), -1)
    known[shown] = y_pool[shown]
    return known


student = DistilledLogisticRegression(
    teacher, cv="prefit", temperature=2.0, unlabeled_label=-1, alpha=1e-3
)
labels = with_labels(20, seed=0)
student.fit(X_pool, labels)
alone = LogisticRegression(C=1 / (1e-3 * 20), max_iter=2000)
alone.fit(X_pool[labels >= 0], labels[labels >= 0])
print(f"Twenty labels alone:   {alone.score(X_test, y_test):.1%}")
print(f"... and the teacher:   {student.score(X_test, y_test):.1%}")
print({name: round(value, 3) for name, value in student.fidelity(X_test).items()})

# %%
# How many labels is the teacher worth?
# -------------------------------------
# Four draws of the labels for each number. The third curve learns from the teacher's hard choices
# instead of its probabilities: with a pool like this one, hardly worse.
sizes = [20, 40, 80, 160]
curves = {"labels alone": [], "labels and teacher": [], "labels and teacher's choices": []}
choices = teacher.predict(X_pool)
for m in sizes:
    scores = {name: [] for name in curves}
    for seed in range(4):
        known = with_labels(m, seed)
        shown = known >= 0
        alone = DistilledLogisticRegression(loss="ce", alpha=1e-3)
        alone.fit(X_pool[shown], known[shown])
        scores["labels alone"].append(alone.score(X_test, y_test))
        both = student.fit(X_pool, known)
        scores["labels and teacher"].append(both.score(X_test, y_test))
        hard = DistilledLogisticRegression(loss="ce", alpha=1e-3)
        hard.fit(X_pool, np.where(shown, known, choices))
        scores["labels and teacher's choices"].append(hard.score(X_test, y_test))
    for name, values in scores.items():
        curves[name].append(values)

fig, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for (name, values), colour in zip(curves.items(), ["#888888", "#c0392b", "#2c6fbb"], strict=True):
    values = np.array(values)
    ax.plot(sizes, values.mean(axis=1), "o-", color=colour, label=name)
    ax.fill_between(sizes, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.15)
ax.axhline(teacher.score(X_test, y_test), color="black", lw=1, ls=":", label="the teacher")
ax.set(xscale="log", xlabel="labelled digits in the pool of 400", ylabel="accuracy on test digits")
ax.set_xticks(sizes, [str(m) for m in sizes])
ax.minorticks_off()
ax.legend(frameon=False, loc="lower right")
ax.set_title("A linear student: what the teacher's view of unlabelled rows is worth")
plt.show()

# %%
# What is inside
# --------------
# The student is a plain linear model. ``to_sklearn()`` hands it out as one, for tools that know
# nothing of teachers; its coefficients are pictures.
student.fit(X_pool, with_labels(20, seed=0))
model = student.to_sklearn()
fig, axes = plt.subplots(2, 5, figsize=(7, 3), layout="constrained")
limit = np.abs(model.coef_).max()
for digit, (ax, row) in enumerate(zip(axes.flat, model.coef_, strict=True)):
    ax.imshow(row.reshape(8, 8), cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_title(str(digit), fontsize=9)
    ax.set_axis_off()
plt.show()
