"""Claims on the samples that each method needs, against the dimension."""

import numpy as np

from experiments._harness import Claim, Outcome
from experiments._harness.parts import of_part, pick

from . import authors
from .tables import classes_of, exponent, growth, span

_UNREACHED = "fewer than three n in the results"


@of_part("samples")
def _logarithmic(rows):
    words, holds = [], []
    for n_classes in classes_of(rows):
        found = growth(rows, "naive_bayes", n_classes)
        if found is None:
            continue
        slope, (low, high) = found["linear"].coef[1], found["linear"].intervals[1]
        needed = pick(rows, method="naive_bayes", n_classes=n_classes)["needed"]
        words.append(
            f"K={n_classes}: m {span(needed)}, {found.best} has the least AIC, exponent "
            f"{_interval(*exponent(found))}, linear slope {_interval(slope, low, high, 4)}"
        )
        flat = low <= 0 or found["log"].aic <= found["linear"].aic
        holds.append(flat and exponent(found)[2] < 1)
    return Outcome("; ".join(words) or _UNREACHED, all(holds) if holds else None)


def _linear(method):
    """Whether a line is nearer to the samples needed than a logarithm, for every K."""

    @of_part("samples")
    def measure(rows):
        words, holds = [], []
        for n_classes in classes_of(pick(rows, method=method)):
            found = growth(rows, method, n_classes)
            if found is None:
                continue
            slope, (low, high) = found["linear"].coef[1], found["linear"].intervals[1]
            gain = found["log"].aic - found["linear"].aic
            words.append(
                f"K={n_classes}: {_interval(slope, low, high)} samples per feature, R2 "
                f"{found['linear'].r2:.3f} (log {found['log'].r2:.3f}), AIC lower by {gain:.0f}"
            )
            holds.append(gain > 0)
        return Outcome("; ".join(words) or _UNREACHED, all(holds) if holds else None)

    return measure


def _exponent_one(method):
    """Whether the interval of the exponent of n holds 1, for every K."""

    @of_part("samples")
    def measure(rows):
        words, holds = [], []
        for n_classes in classes_of(pick(rows, method=method)):
            found = growth(rows, method, n_classes)
            if found is not None:
                value, low, high = exponent(found)
                words.append(f"K={n_classes}: {_interval(value, low, high)}")
                holds.append(low <= 1 <= high)
        return Outcome("; ".join(words) or _UNREACHED, all(holds) if holds else None)

    return measure


def _minimum_at_most_linear():
    @of_part("samples")
    def measure(rows):
        words, holds = [], []
        for n_classes in classes_of(pick(rows, method="minimum:1")):
            found = growth(rows, "minimum:1", n_classes)
            if found is None:
                continue
            value, low, high = exponent(found)
            chosen = pick(rows, method="minimum:1", n_classes=n_classes)
            ratio = chosen["needed"] / chosen["n"]
            text = f"K={n_classes}: exponent {_interval(value, low, high)}"
            words.append(f"{text}, m/n {ratio.min():.2f} to {ratio.max():.2f}")
            holds.append(0.5 < low <= 1)
        return Outcome("; ".join(words) or _UNREACHED, all(holds) if holds else None)

    return measure


def _beside_authors(method, slack):
    """Medians against those of the authors' program, whose grid and test set differ from ours."""

    @of_part("samples")
    def measure(rows):
        words, ratios = [], []
        for (n_classes, n), theirs in authors.SAMPLES[method].items():
            ours = pick(rows, method=method, n_classes=n_classes, n=n)
            if ours.empty or ours["needed"].isna().any():
                continue
            ratios.append(float(ours["needed"].median() / np.median(theirs)))
            words.append(f"K={n_classes} n={n}: {span(ours['needed'])} for {span(theirs)}")
        if not words:
            return Outcome("no results that the authors' program has as well", None)
        near = all(1 / slack <= ratio <= slack for ratio in ratios)
        return Outcome("; ".join(words), near)

    return measure


@of_part("samples")
def _fewer(rows):
    both = pick(rows, method=["naive_bayes", "logistic:1"])
    table = both.pivot_table(index=["n_classes", "n"], columns="method", values="needed")
    if table.shape[1] < 2 or table.dropna().empty:
        return Outcome("the two methods are not both in the results", None)
    ratio = (table["logistic:1"] / table["naive_bayes"]).dropna()
    words = [
        f"K={k:.0f} {one.iloc[0]:.0f} to {one.iloc[-1]:.0f} times as many"
        for k, one in ratio.groupby(level="n_classes")
    ]
    text = "logistic regression needs " + ", ".join(words)
    return Outcome(f"{text} (smallest to largest n)", bool((ratio > 1).all()))


@of_part("samples")
def _reached(rows):
    missing = rows[rows["needed"].isna()] if "needed" in rows else rows
    text = f"reached below m = 100 n in {len(rows) - len(missing)} of {len(rows)} runs"
    unfinished = int(rows["unfinished"].sum())
    looked = int(rows["sizes"].map(len).sum())
    text += f"; {unfinished} of {looked} fits ended at the limit of iterations"
    return Outcome(text, missing.empty)


def _interval(value, low, high, digits=2):
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


GROWTH = [
    Claim(
        "nb-logarithmic",
        "Naive Bayes needs O(log n) samples to come within 0.01 of the Bayes error: a constant or "
        "a logarithm describes them, a line does not.",
        "O(log n)",
        _logarithmic,
    ),
    Claim(
        "lr-linear",
        "Logistic regression (C = 1, as the paper runs it) needs a number of samples that a line "
        "in n describes better than a logarithm.",
        "O(n)",
        _linear("logistic:1"),
    ),
    Claim(
        "lr-exponent",
        "And not faster than in proportion: the interval of its exponent of n holds 1.",
        "1",
        _exponent_one("logistic:1"),
    ),
    Claim(
        "lr-minimum",
        "Where the same problem is solved to its minimum instead of to the solver's default "
        "tolerance, the number grows no faster than in proportion, yet no slower than the root.",
        "O(n)",
        _minimum_at_most_linear(),
    ),
    Claim(
        "nb-fewer",
        "Naive Bayes needs fewer samples than logistic regression at every n and K.",
        None,
        _fewer,
    ),
    Claim(
        "lr-authors",
        "Samples needed by logistic regression, beside the authors' program: within a factor of "
        "1.5 throughout.",
        "the second numbers",
        _beside_authors("logistic:1", 1.5),
    ),
    Claim(
        "nb-authors",
        "Samples needed by naive Bayes, beside the authors' program: within a factor of 3 "
        "throughout (a dozen rows, and the first lucky ones count).",
        "the second numbers",
        _beside_authors("naive_bayes", 3.0),
    ),
    Claim(
        "reached",
        "Both methods come within 0.01 of the Bayes error on fewer than 100 n samples.",
        None,
        _reached,
    ),
]
