r"""
===============================================
Where logistic regression overtakes naive Bayes
===============================================

Naive Bayes learns each feature by itself and is soon as good as it will ever be. Logistic
regression has to find a direction among all features, needs more samples, and ends up better. On
handwritten digits the two learning curves cross at about 50 samples. How much of that is due to
the penalty that logistic regression happens to have is shown in the second figure.
"""

# %%
# Paired learning curves
# ----------------------
# In each repeat both methods get the same samples, with every digit among them, scaled to [0, 1] by
# what these samples show.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import MinMaxScaler

from skkd.model_selection import (
    LearningCurveComparisonDisplay,
    compare_learning_curves,
    crossing_point,
)
from skkd.naive_bayes import SharedVarianceGaussianNB

X, y = load_digits(return_X_y=True)
sizes = [30, 40, 50, 65, 80, 100, 140, 200, 300, 500]
curves = compare_learning_curves(
    {
        "naive Bayes": SharedVarianceGaussianNB(),
        "logistic regression, C = 1": LogisticRegression(max_iter=1000),
    },
    X,
    y,
    train_sizes=sizes,
    n_repeats=20,
    scaler=MinMaxScaler(),
    random_state=0,
)
crossing = crossing_point(curves, *curves.names, random_state=0)
low, high = crossing.interval
print(f"They cross at {crossing.crossing:.0f} samples (95 % interval {low:.0f} to {high:.0f}).")

display = LearningCurveComparisonDisplay.from_result(curves, crossing=crossing)
display.figure_.set_size_inches(7, 4.5)
display.ax_.set_title("Handwritten digits: two regimes")
plt.show()

# %%
# The penalty decides where
# -------------------------
# ``C = 1`` is scikit-learn's default, and nothing special. With a stronger penalty (smaller C)
# logistic regression falls behind for longer; with a weaker one it leads from the smallest subsets
# on, and the first regime is gone. A comparison that does not report its penalty, and has not tuned
# it, says little about the two methods.
penalties = [0.1, 0.3, 1.0, 3.0, 30.0]
curves = compare_learning_curves(
    {
        "naive Bayes": SharedVarianceGaussianNB(),
        **{f"C = {C:g}": LogisticRegression(C=C, max_iter=2000) for C in penalties},
    },
    X,
    y,
    train_sizes=sizes[:-1],
    n_repeats=10,
    scaler=MinMaxScaler(),
    random_state=0,
)
errors = curves.test_scores.mean(axis=2)
ahead = errors[1:] - errors[0]  # above zero: naive Bayes is better

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
colors = plt.get_cmap("viridis")(np.linspace(0.05, 0.9, len(penalties)))
for C, difference, color in zip(penalties, ahead, colors, strict=True):
    ax.plot(curves.train_sizes, 100 * difference, "o-", ms=4, color=color, label=f"C = {C:g}")
ax.axhline(0.0, color="black", lw=1)
ax.text(sizes[-2], 0.8, "naive Bayes ahead", ha="right")
ax.text(sizes[0], -5.5, "logistic regression ahead")
ax.set(
    xscale="log",
    xticks=curves.train_sizes,
    xticklabels=curves.train_sizes,
    xlabel="training samples",
    ylabel="error of logistic regression\nminus that of naive Bayes [points]",
    title="The lead of naive Bayes depends on the penalty of its rival",
)
ax.minorticks_off()
ax.legend(frameon=False)
plt.show()

for name in curves.names[1:]:
    found = crossing_point(curves, "naive Bayes", name, random_state=0).crossing
    print(f"{name:>8}: {'no crossing' if found is None else f'crossing at {found:.0f} samples'}")
