r"""
==========================================
A student takes over its teacher's doubts
==========================================

A linear student of a random forest learns more than its teacher's answers: it learns how sure to
be. Here the forest doubts too much, and its student does so too, while the same linear model
fitted to labels is too sure of itself. Self-distillation lies between the two and looks like a
cure. The last figure shows what it is: a stronger penalty.
"""

# %%
# Four models of noisy digits
# ---------------------------
# Noise makes the problem hard enough for probabilities to matter. All linear models have the same
# weak L2 penalty. Noise and penalty were chosen so that the effects show, on one split of one data
# set: this illustrates what the metrics see, and is no evidence for one method over another. With
# ten times the penalty, the model of the labels is calibrated (last figure).
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skkd.distillation import DistilledLogisticRegression, SelfDistilledLogisticRegression
from skkd.metrics import (
    area_under_risk_coverage,
    excess_area_under_risk_coverage,
    expected_calibration_error,
    kl_fidelity,
)
from skkd.plotting import ReliabilityDisplay

X, y = load_digits(return_X_y=True)
X = X / 16 + np.random.default_rng(0).normal(scale=0.5, size=X.shape)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=400, stratify=y, random_state=0
)

ALPHA = 1e-3
forest = RandomForestClassifier(200, min_samples_leaf=2, random_state=0)
models = {
    "labels": LogisticRegression(C=1 / (ALPHA * len(y_train)), max_iter=5000),
    "forest": forest,
    "student of the forest": DistilledLogisticRegression(
        forest, alpha=ALPHA, ce_weight=0.0, kd_weight=1.0
    ),
    "student of itself": SelfDistilledLogisticRegression(
        alpha=ALPHA, strength=0.9, n_rounds=15, max_iter=10_000
    ),
}
COLOURS = dict(zip(models, ("#0072B2", "0.35", "#D55E00", "#AA4499"), strict=True))
proba = {name: model.fit(X_train, y_train).predict_proba(X_test) for name, model in models.items()}

# %%
# Are they as sure as they should be?
# -----------------------------------
# Points above the diagonal are right more often than the model believes. The shaded band is where
# they would lie by chance if the model were calibrated, and above each diagram is the histogram of
# its confidences.

figure, axes = plt.subplots(1, 4, figsize=(13.6, 4.4), layout="constrained", sharey=True)
for ax, name in zip(axes, models, strict=True):
    ReliabilityDisplay.from_predictions(
        y_test, proba[name], n_bins=10, ax=ax, line_kw={"color": COLOURS[name]}
    )
    ax.set_xlim(0, 1.02)
    ax.set_title(name, loc="left")
    ax.label_outer()

# %%
# The student reproduces its teacher's probabilities closely (last column), and with them the
# doubts. The calibration of a teacher is worth a look before it teaches.

print(f"{'':22}  accuracy  log-loss    ECE   E-AURC  KL from the forest")
for name, p in proba.items():
    accuracy = np.mean(p.argmax(axis=1) == y_test)
    excess = excess_area_under_risk_coverage(y_test, p)
    error = expected_calibration_error(y_test, p)
    print(
        f"{name:22}  {accuracy:8.3f}  {log_loss(y_test, p):8.2f}  {error:5.3f}  {excess:7.3f}"
        f"  {kl_fidelity(student_proba=p, teacher_proba=proba['forest']):18.2f}"
    )

# %%
# Doubts of the right size are not doubts about the right rows
# ------------------------------------------------------------
# If the model may pass on the rows it is least sure of, only their order counts. Among the half
# it is surest of, the worst calibrated of the four makes the fewest errors: ECE and the area under
# the risk-coverage curve (AURC) do not measure the same. The dashed line is the best that the
# errors of the model of the labels allow, the line from which E-AURC counts.


def risk_and_coverage(p):
    """Share of errors among the most confident rows, for every number of rows."""
    order = np.argsort(-p.max(axis=1))
    errors = (p.argmax(axis=1) != y_test)[order]
    answered = np.arange(1, len(errors) + 1)
    return answered / len(errors), np.cumsum(errors) / answered


figure, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
for name, p in proba.items():
    coverage, risk = risk_and_coverage(p)
    print(f"{name:22}  errors in the most confident half: {risk[len(risk) // 2]:.1%}")
    label = f"{name} (AURC {area_under_risk_coverage(y_test, p):.3f})"
    ax.plot(coverage, risk, color=COLOURS[name], lw=1.8, label=label)
coverage, risk = risk_and_coverage(proba["labels"])
best = np.maximum(0.0, 1 - (1 - risk[-1]) / coverage)
ax.plot(coverage, best, color=COLOURS["labels"], ls="--", lw=1)
ax.set(xlabel="share of rows answered", ylabel="error rate among them", xlim=(0, 1))
ax.set_ylim(0, 1.05 * risk[-1])
ax.legend(frameon=False)
ax.grid(alpha=0.25)
ax.spines[["top", "right"]].set_visible(False)

# %%
# What self-distillation does
# ---------------------------
# With a constant weight a on its own predictions, a linear model converges to plain logistic
# regression with penalty :math:`\alpha / (1 - a)`. Drawn there, its errors fall on the curve of
# logistic regression: it helps where the penalty was too weak (left) and harms where it was
# strong enough (right).

grid = [3e-4, 6e-4, 1e-3, 2e-3, 3e-3, 5e-3, 8e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3]
plain = [
    LogisticRegression(C=1 / (alpha * len(y_train)), max_iter=5000).fit(X_train, y_train)
    for alpha in grid
]
curve = [expected_calibration_error(y_test, model.predict_proba(X_test)) for model in plain]

figure, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
ax.plot(grid, curve, "o-", color=COLOURS["labels"], ms=4, label="logistic regression")
STYLES = {1e-3: ("*", 14, "#AA4499", (9, 5)), 1e-2: ("D", 8, "#D55E00", (10, -6))}
for alpha, (marker, size, colour, beside) in STYLES.items():
    for strength in (0.5, 0.8):
        taught = SelfDistilledLogisticRegression(
            alpha=alpha, strength=strength, schedule="constant", n_rounds=15, max_iter=10_000
        ).fit(X_train, y_train)
        at = (
            alpha / (1 - strength),
            expected_calibration_error(y_test, taught.predict_proba(X_test)),
        )
        label = rf"self-distilled, $\alpha$ = {alpha:g}" if strength == 0.5 else None
        ax.plot(*at, marker, ms=size, color=colour, mec="white", label=label, ls="none")
        ax.annotate(
            f"a = {strength:g}", at, xytext=beside, textcoords="offset points", color=colour
        )
ax.set(xscale="log", xlabel=r"penalty $\alpha$, or $\alpha / (1 - a)$", ylim=(0, None))
ax.set_ylabel("expected calibration error")
ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.42, 1.0))
ax.grid(alpha=0.25)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
