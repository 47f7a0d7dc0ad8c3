"""Claims on what the theory assumes, and on the H-consistency bound."""

import numpy as np

from experiments._harness import Claim, Outcome
from experiments._harness.parts import of_part, pick

from .diagnostics import TINY

_ROUNDING = 1e-9


@of_part("diagnostics")
def _bounded_variances(rows):
    words = []
    for _, row in rows.iterrows():
        text = f"{_name(row)}: {row['variances'][0]:.1g}"
        bad = row["constant"] + row["tiny"]
        if bad:
            text += f" ({bad:.0f} of {row['n_features']:.0f} features constant or below {TINY:g})"
        words.append(text)
    return Outcome("least: " + "; ".join(words), bool((rows["constant"] + rows["tiny"] == 0).all()))


@of_part("diagnostics")
def _margins_away_from_zero(rows):
    words = [f"{_name(row)}: {row['least_own_beta']:.2g}" for _, row in rows.iterrows()]
    return Outcome("least: " + "; ".join(words), bool((rows["least_own_beta"] > 0.01).all()))


@of_part("diagnostics")
def _bounded_spread(rows):
    chosen = pick(rows, set="mixture")
    if len(chosen) < 2:
        return Outcome("fewer than two n of the mixture", None)
    chosen = chosen.sort_values("n")
    most = [row["alpha"][-1] for _, row in chosen.iterrows()]
    text = f"{most[0]:.2f} to {most[-1]:.2f} for n = {chosen['n'].min():.0f} to "
    return Outcome(text + f"{chosen['n'].max():.0f}", bool(max(most) < 1.5 * min(most)))


@of_part("diagnostics")
def _margins_beat_their_spread(rows):
    words, holds = [], []
    for _, row in rows.iterrows():
        # n beta over the root of n alpha: the margin in units of its standard deviation.
        ratio = np.sqrt(row["n_features"]) * row["beta"][5] / np.sqrt(row["alpha"][5])
        words.append(f"{_name(row)}: {ratio:.2g}")
        holds.append(ratio > 1)
    return Outcome("; ".join(words) + " (medians)", all(holds))


def _no_violation(kinds):
    @of_part("consistency")
    def measure(rows):
        rows = pick(rows, kind=kinds)
        if rows.empty:
            return Outcome("no such instances", None)
        worst, total = rows["worst"].max(), int(rows["instances"].sum())
        text = f"none in {total} instances; excess error at most {rows['ratio'].max():.4f}"
        if worst > _ROUNDING:
            text = (
                f"exceeded by {worst:.2g} in {total} instances; at most {rows['ratio'].max():.4f}"
            )
        return Outcome(f"{text} of the bound", bool(worst <= _ROUNDING))

    return measure


@of_part("consistency")
def _tight(rows):
    rows = pick(rows, kind="tie")
    if rows.empty:
        return Outcome("no such instances", None)
    off = float(max(abs(rows["ratio"] - 1).max(), abs(rows["least_ratio"] - 1).max()))
    text = f"relative difference {off:.1g} at most, {int(rows['n_instances'].sum())} instances"
    return Outcome(text, off < 1e-10)


@of_part("consistency")
def _loose_on_learned(rows):
    rows = pick(rows, kind="learned")
    if rows.empty:
        return Outcome("no such instances", None)
    by_size = rows.groupby("m")["ratio"].max()
    text = ", ".join(f"{ratio:.2f} at m={m:.0f}" for m, ratio in by_size.items())
    return Outcome(f"largest share of the bound: {text}", bool(by_size.max() < 1))


def _name(row):
    return f"mixture n={row['n']:.0f}" if row["set"] == "mixture" else row["set"]


ASSUMPTIONS = [
    Claim(
        "variances",
        "Variances of features on [0, 1] are bounded below (none constant, none below 0.001).",
        "assumed",
        _bounded_variances,
    ),
    Claim(
        "beta",
        "The mean margins per feature, |beta|, between a class and any other are away from zero "
        "(above 0.01).",
        "assumed",
        _margins_away_from_zero,
    ),
    Claim(
        "alpha",
        "The variance of a margin per feature, alpha, does not grow with n on the paper's mixture.",
        "assumed",
        _bounded_spread,
    ),
    Claim(
        "beta-over-alpha",
        "So that a typical margin is larger than its standard deviation: n beta against the root "
        "of n alpha.",
        None,
        _margins_beat_their_spread,
    ),
]
BOUND = [
    Claim(
        "bound",
        "Excess error is at most Gamma(excess log-loss) on random instances, two to ten classes.",
        "theorem",
        _no_violation(["scores", "points", "cheapest"]),
    ),
    Claim(
        "bound-bounded",
        "So it is for two classes and bounded scores, with the Gamma of that case.",
        "theorem",
        _no_violation(["bounded"]),
    ),
    Claim(
        "bound-tight",
        "It is attained by two classes of probabilities (1 + t) / 2 and (1 - t) / 2 that tie.",
        None,
        _tight,
    ),
    Claim(
        "bound-learned",
        "It holds for naive Bayes and logistic regression, fitted to the paper's mixture (n = 10, "
        "K = 3).",
        "theorem",
        _loose_on_learned,
    ),
]
