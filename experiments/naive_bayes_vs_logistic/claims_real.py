"""Claims on two regimes: in the population, on real data, with C = 1 and with C tuned."""

import numpy as np

from experiments._harness import Claim, Outcome
from experiments._harness.parts import of_part, part, pick
from skkd.model_selection import crossing_point, samples_to_reach

from . import authors
from .files import NAME as EMBEDDINGS
from .tables import learning_curves, two_regimes

_FILE_NEEDED = f"not measured: give the file, --data {EMBEDDINGS}=FILE.npz"


@of_part("limits")
def _limits(rows):
    rows = rows.sort_values("n")
    words = [
        f"n={row['n']:.0f}: {row['naive_bayes_limit']:.3f} and {row['bayes_error']:.1g}"
        for _, row in rows.iterrows()
    ]
    worse = rows["naive_bayes_limit"] > rows["bayes_error"] + 0.01
    return Outcome("; ".join(words), bool(worse.all()))


def _population(method):
    @of_part("population")
    def measure(rows):
        words, holds = [], []
        for (n_classes, n), one in rows.groupby(["n_classes", "n"]):
            curves = learning_curves(one, "naive_bayes", method)
            if curves is None:
                continue
            text, good = two_regimes(curves)
            words.append(f"n={n:.0f}, K={n_classes:.0f}: {text}")
            holds.append(good)
        decided = bool(holds) and None not in holds
        return Outcome("; ".join(words) or "no such runs", all(holds) if decided else None)

    return measure


@of_part("replay")
def _replay(rows):
    curves = learning_curves(rows, "naive_bayes", "logistic:1")
    if curves is None:
        return Outcome("the two methods are not both in the results", None)
    found = crossing_point(curves, *curves.names, random_state=0)
    ours = dict(zip(curves.train_sizes.tolist(), curves.mean_scores.T, strict=True))
    gap = max(np.abs(ours[m] - authors.REPLAY[m]).max() for m in ours)
    text = ", ".join(f"m={m}: {nb:.4f} and {lr:.4f}" for m, (nb, lr) in ours.items())
    if found.crossing is None:
        return Outcome(f"no crossing; {text}", False)
    text = f"crossing at {found.crossing:.0f}; {text}; off by {gap:.1g} at most"
    return Outcome(text, bool(50 < found.crossing < 100 and gap < 2e-3))


def _real(name, method):
    def measure(results):
        rows = pick(part(results, "real"), set=name)
        if rows.empty:
            return Outcome(_FILE_NEEDED if name == EMBEDDINGS else "no results of this set", None)
        curves = learning_curves(rows, "naive_bayes", method)
        if curves is None:
            return Outcome("this set is not run with C tuned in this preset", None)
        return Outcome(*two_regimes(curves))

    return measure


@of_part("real")
def _sooner(rows):
    """Samples until within 0.02 of the error at the largest m, the nearest there is to a limit."""
    words, holds = [], []
    for name, one in rows.groupby("set", sort=False):
        curves = learning_curves(one, "naive_bayes", "logistic:1")
        if curves is None:
            continue
        final = dict(zip(curves.names, curves.mean_scores[:, -1], strict=True))
        needed = samples_to_reach(curves, final, tol=0.02)
        words.append(f"{name}: {needed['naive_bayes']:.0f} and {needed['logistic:1']:.0f}")
        holds.append(needed["naive_bayes"] <= needed["logistic:1"])
    return Outcome("; ".join(words) or "no such runs", all(holds) if holds else None)


@of_part("real")
def _better_in_the_end(rows):
    words, holds = [], []
    for name, one in rows.groupby("set", sort=False):
        curves = learning_curves(one, "naive_bayes", "logistic:1")
        if curves is None:
            continue
        ours, theirs = curves.mean_scores[:, -1]
        words.append(f"{name}: {ours:.3f} and {theirs:.3f} at m={curves.train_sizes[-1]}")
        holds.append(theirs <= ours)
    return Outcome("; ".join(words) or "no such runs", all(holds) if holds else None)


def _regimes(name, title, code=None):
    """Two claims on one set: with the default penalty, and with the penalty tuned."""
    return [
        Claim(
            f"regimes-{name}",
            f"{title}, C = 1: naive Bayes is ahead at small m, logistic regression at large m.",
            code,
            _real(name, "logistic:1"),
        ),
        Claim(
            f"regimes-{name}-tuned",
            f"{title}, C tuned on each subset: the first regime remains.",
            None,
            _real(name, "tuned"),
        ),
    ]


POPULATION = [
    Claim(
        "limits",
        "On correlated features naive Bayes has a worse limit than logistic regression, whose "
        "limit is the Bayes error.",
        None,
        _limits,
    ),
    Claim(
        "regimes-mixture",
        "Correlated mixture, C = 1, exact errors: naive Bayes is ahead at small m, logistic "
        "regression at large m.",
        "two regimes",
        _population("logistic:1"),
    ),
    Claim(
        "regimes-mixture-tuned",
        "Correlated mixture, C tuned on each subset: the first regime remains.",
        None,
        _population("tuned"),
    ),
]
REAL = [
    Claim(
        "replay-digits",
        "Digits on the splits of a run of the authors' program, C = 1: the curves cross between m "
        "= 50 and 100.",
        "50 to 100; m=50: 0.2040, 0.2286; m=100: 0.1530, 0.1181",
        _replay,
    ),
    *_regimes("digits", "Digits", "crossing, 50 to 100 (authors' program, five splits)"),
    *_regimes("breast_cancer", "Breast cancer", "crossing, 30 to 50 (authors' program)"),
    *_regimes("wine", "Wine", "no crossing from 20 on (authors' program)"),
    *_regimes("mnist", "MNIST, 5,000 digits", None),
    *_regimes(EMBEDDINGS, "The user's embeddings", "two regimes, supervised backbones"),
    Claim(
        "nb-sooner",
        "Naive Bayes comes within 0.02 of its own error at the largest m with no more samples than "
        "logistic regression (C = 1), on every set.",
        "faster, all backbones",
        _sooner,
    ),
    Claim(
        "lr-in-the-end",
        "At the largest m logistic regression (C = 1) is at least as good, on every set.",
        None,
        _better_in_the_end,
    ),
]
