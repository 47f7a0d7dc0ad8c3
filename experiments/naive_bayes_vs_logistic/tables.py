"""Reading the table of results: learning curves, growth, and words for claims."""

import math

import numpy as np

from experiments._harness.parts import pick
from skkd.model_selection import LearningCurves, crossing_point, fit_growth

GROWTH_MODELS = ("constant", "log", "linear", "power")
LEAST_REPEATS = 3  # for an interval that means anything
NAMES = {
    "naive_bayes": "naive Bayes",
    "logistic:1": "logistic, C = 1",
    "minimum:1": "logistic, C = 1, at its minimum",
    "tuned": "logistic, C tuned",
}


def learning_curves(rows, *methods: str) -> LearningCurves | None:
    """Errors of methods on the subsets that all of them learned from; None where there are none.

    A repeat of the result is a seed. Methods that were tuned have fewer of them.
    """
    by_method = []
    for method in methods:
        chosen = pick(rows, method=method)
        by_method.append(dict(zip(chosen.get("seed", ()), chosen.get("errors", ()), strict=True)))
    seeds = sorted(set.intersection(*map(set, by_method)))
    if not seeds:
        return None
    sizes = next(iter(pick(rows, method=methods[0])["train_sizes"]))
    scores = [[errors[seed] for seed in seeds] for errors in by_method]
    scores = np.array(scores, dtype=float).transpose(0, 2, 1)
    return LearningCurves([int(size) for size in sizes], methods, scores)


def two_regimes(curves: LearningCurves) -> tuple[str, bool | None]:
    """Whether naive Bayes leads at small m and the other at large m, in words and as a truth.

    The crossing counts as seen if the whole bootstrap interval lies among the sizes measured:
    naive Bayes is then ahead at the smallest of them in nearly all samples of the repeats. One or
    two repeats decide nothing.
    """
    first, second = curves.names
    found = crossing_point(curves, first, second, random_state=0)
    gap = f"errors {_errors(curves)} at m = {curves.train_sizes[0]}"
    repeats = f"{curves.n_repeats} repeats"
    if found.crossing is None:
        lead = second if found.difference[-1] > 0 else first
        return f"no crossing, {NAMES[lead]} ahead at every m; {gap}; {repeats}", False
    if found.leaders[-1] != second:
        return f"naive Bayes ahead at the end; {gap}; {repeats}", False
    text = f"crossing at {found.crossing:.0f}"
    if curves.n_repeats < LEAST_REPEATS:
        return f"{text}; {gap}; only {repeats}", None
    low, high = found.interval
    text += f", 95 % interval {_end(low)} to {_end(high)}; {gap}; {repeats}"
    return text, bool(low > 0 and math.isfinite(high))


def growth(rows, method: str, n_classes: int):
    """Fits of the samples needed against n, by models; None with fewer than three n."""
    chosen = pick(rows, method=method, n_classes=n_classes)
    if "needed" not in chosen:
        return None
    chosen = chosen[chosen["needed"].notna()]
    if chosen["n"].nunique() < 3:
        return None
    return fit_growth(chosen["n"], chosen["needed"], models=GROWTH_MODELS)


def exponent(found) -> tuple[float, float, float]:
    """Exponent of the power law and its interval."""
    low, high = found["power"].intervals[1]
    return found["power"].coef[1], low, high


def classes_of(rows) -> list[int]:
    """Numbers of classes in the rows, increasing."""
    return sorted(int(one) for one in rows["n_classes"].unique())


def span(values) -> str:
    """Smallest and largest of some whole numbers: ``104-144``."""
    values = [int(value) for value in values]
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}-{high}"


def _errors(curves):
    return " and ".join(f"{error:.3f}" for error in curves.mean_scores[:, 0])


def _end(value):
    if value == 0:
        return "below the smallest m"
    return f"{value:.0f}" if math.isfinite(value) else "beyond the largest m"
