r"""
===========================================
A regularisation path, certified all along
===========================================

A signal is the sum of a few bumps of known shape and unknown place, with noise. The Lasso looks for
it among 400 places at once, with amplitudes that may not be negative. Its one parameter, the
strength ``alpha``, decides how many bumps are believed.
:meth:`~skkd.linear_model.BCDRegressor.path` solves for a whole range of strengths, each from the
solution of the last, and certifies a duality gap at every one of them.
"""

# %%
# Few bumps, many places
# ----------------------
# Neighbouring columns of X are almost the same bump, which is what makes the problem hard.
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, PowerNorm

from skkd.linear_model import BCDRegressor

rng = np.random.default_rng(3)
N_SAMPLES, N_PLACES, WIDTH = 400, 400, 0.012
time = np.linspace(0, 1, N_SAMPLES)
places = np.linspace(0, 1, N_PLACES)


def bumps(centres, at=time, width=WIDTH):
    """One bump in each column."""
    return np.exp(-0.5 * ((at[:, None] - centres) / width) ** 2)


X = bumps(places)
true_places = np.array([0.08, 0.17, 0.205, 0.33, 0.46, 0.49, 0.62, 0.71, 0.74, 0.9])
true_sizes = np.array([1.0, 0.6, 0.9, 0.35, 0.8, 0.5, 1.2, 0.7, 0.45, 0.9])
signal = bumps(true_places) @ true_sizes
y = signal + 0.08 * rng.standard_normal(N_SAMPLES)
print(f"correlation of two neighbours: {np.corrcoef(X[:, 200], X[:, 201])[0, 1]:.3f}")

# %%
# The path
# --------
# At the largest strength, ``alpha_max``, every coefficient is zero. The gap of each solution bounds
# how far its objective is above the minimum. The path goes on to the next strength once the gap is
# below ``tol`` times the objective of no bump at all.

TOL = 1e-8
alpha_max = (X.T @ y).max() / N_SAMPLES
alphas = alpha_max * np.logspace(0, -2.5, 100)
model = BCDRegressor(penalty="l1", positive=True, fit_intercept=False, tol=TOL)
path = model.path(X, y, alphas)
n_active = np.count_nonzero(path.coefs, axis=1)
gaps = path.dual_gaps / (0.5 * np.mean(y**2))
print(
    f"{len(alphas)} strengths, {path.n_iters.sum()} passes, largest certified gap {gaps.max():.1e}"
)

# %%
# Which strength predicts best?
# -----------------------------
# Every fourth sample is held out in turn, and each of the four paths predicts what it has not seen.

errors = np.empty((4, len(alphas)))
for fold in range(4):
    out = np.arange(N_SAMPLES) % 4 == fold
    coefs = model.path(X[~out], y[~out], alphas).coefs
    errors[fold] = np.mean((y[out] - coefs @ X[out].T) ** 2, axis=1)
error = errors.mean(axis=0)
best = int(np.argmin(error))
print(f"best strength: {alphas[best] / alpha_max:.3f} of alpha_max, with {n_active[best]} places")

# %%
# The path as a map
# -----------------
# The penalty gets weaker from left to right, and the colour is the amplitude, blurred a little so
# that neighbours run together. Large bumps come first. Two that overlap begin as one between them,
# and part when the penalty allows it. At the dashed line, the strength that predicts best, the
# amplitudes have nearly stopped growing, and faint lines appear that fit noise. The panel on the
# right has the data at the same places, with the truth in orange and the fit in blue.

INK, TRUTH, FIT = "0.25", "#D55E00", "#0072B2"
fraction = alphas / alpha_max
figure, axes = plt.subplots(
    4,
    2,
    figsize=(9.6, 9.6),
    sharex="col",
    height_ratios=(5.4, 1, 1, 1),
    width_ratios=(4, 1),
    layout="constrained",
)
(chart, data), below = axes[0], axes[1:, 0]
for ax in axes[1:, 1]:
    ax.remove()

grid = np.linspace(0, 1, 1000)
chart.pcolormesh(
    fraction,
    grid,
    bumps(places, at=grid, width=0.004) @ path.coefs.T,
    cmap=LinearSegmentedColormap.from_list("", ["white", "#9EBCDA", "#8856A7", "#4D004B"]),
    norm=PowerNorm(0.4, vmin=0.0, vmax=1.2),
    shading="gouraud",
    rasterized=True,
)
chart.set(ylabel="place", ylim=(0, 1))
data.plot(y, time, ".", color="0.65", ms=2.5)
data.plot(signal, time, color=TRUTH, lw=1.3)
data.plot(X @ path.coefs[best], time, color=FIT, lw=1.3)
data.set(ylim=(0, 1), yticks=[], xlabel="signal", xticks=[0, 1])
data.tick_params(labelbottom=True)

below[0].plot(fraction, error, color=INK, lw=1.5)
below[0].set(ylabel="error held out", yscale="log")
below[1].step(fraction, n_active, where="mid", color=INK, lw=1.5)
below[1].set(ylabel="places", ylim=(0, None))
below[2].plot(fraction, gaps, ".", color=INK, ms=4)
below[2].axhline(TOL, color=TRUTH, lw=1)
below[2].text(0.97, 1.6 * TOL, "tol", color=TRUTH, fontsize=9)
below[2].set(yscale="log", ylabel="certified gap")
below[2].set(xlabel=r"strength of the penalty, $\alpha / \alpha_{\max}$")
below[2].set(xscale="log", xlim=(1, fraction[-1]))
chart.text(0.97 * fraction[best], 0.99, "best", color=FIT, va="top", fontsize=10)
for ax in (chart, *below):
    ax.axvline(fraction[best], color=FIT, ls="--", lw=1)
for ax in (chart, data, *below):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
