"""Claims on constructed data: worst case, limits, Theorem 4.1, bounds, the adaptive step."""

import math

import numpy as np

from experiments._harness import Claim, Outcome
from experiments._harness.parts import of_part, pick

from .tables import column, counts, label, whole

_TABLE_STEPS = (100.0, 10.0, 1.0, 0.1)


def _worst_case(method, steps, expected):
    @of_part("worst_case")
    def measure(rows):
        found, text = counts(pick(rows, method=method), "step", steps)
        return Outcome(text, found == list(expected))

    return measure


@of_part("worst_case")
def _further_counts(rows):
    wanted = [("constant", 10.0), ("constant", 1e4)]
    wanted += [("batch_perceptron", math.inf), ("normalized_batch_perceptron", math.inf)]
    keyed = rows.assign(key=list(zip(rows["method"], rows["step"], strict=True)))
    found, text = counts(keyed, "key", wanted)
    return Outcome(text, found == [729, 301, 301, 2])


def _growth(methods, step):
    @of_part("growth")
    def measure(rows):
        slopes, words, enough = [], [], True
        for method in methods:
            chosen = pick(rows, method=method, step=[step, math.inf]).sort_values("n")
            if len(chosen) < 2:
                return Outcome(f"fewer than two sizes of {method}", None)
            slopes.append(_slope(chosen["n"], chosen["updates"]))
            words.append(f"{method}: n^{slopes[-1]:.3f}")
            enough &= bool((chosen["updates"] >= 0.3 * chosen["n"]).all())
        return Outcome(
            "; ".join(words) + f" (n = {rows['n'].min():.0f} to {rows['n'].max():.0f})",
            enough and min(slopes) > 0.95,
        )

    return measure


@of_part("growth")
def _constant_in_n(rows):
    chosen = pick(rows, method=["normalized", "normalized_batch_perceptron"])
    chosen = pick(chosen, step=[100.0, math.inf])
    if chosen.empty:
        return Outcome("no results of the normalised methods", None)
    most = chosen["updates"].max()
    holds = chosen["updates"].nunique() == 1 and bool((chosen["updates"] <= chosen["bound"]).all())
    return Outcome(f"{whole(most)} for n = {rows['n'].min():.0f} to {rows['n'].max():.0f}", holds)


def _limit(method):
    @of_part("limit")
    def measure(rows):
        chosen = pick(rows, method=method, tie=False)
        if chosen.empty:
            return Outcome("no results without ties", None)
        worst = chosen.groupby("step")["worst"].max()
        last = worst.index.max()
        text = f"{worst.iloc[0]:.2g} at step {worst.index.min():g}, {worst[last]:.1g} at {last:g}"
        n_sets = len(chosen[["set", "seed"]].drop_duplicates())
        return Outcome(f"{text}, worst of {n_sets} sets", bool(worst[last] < 1e-10))

    return measure


@of_part("limit")
def _tie(rows):
    chosen = pick(rows, method="constant", tie=True)
    if chosen.empty:
        return Outcome("no results with a tie", None)
    last = chosen.loc[chosen["step"].idxmax()]
    text = f"distance {last['worst']:.3g} at step {last['step']:g}"
    return Outcome(text, bool(last["worst"] > 0.1))


@of_part("twin")
def _twins(rows):
    same = column(rows, "updates") == column(rows, "perceptron_updates")
    return Outcome(f"same number of updates in {same.sum()} of {len(rows)} cases", bool(same.all()))


@of_part("unreliable")
def _theorem41_iterates(rows):
    row = rows.loc[rows["step"].idxmax()]
    gap = np.abs(np.subtract(row["theta_1"] + row["theta_2"], [0.5, 0.75, 1.0, 0.25])).max()
    text = f"{_vector(row['theta_1'])}, {_vector(row['theta_2'])} at step {row['step']:g}"
    wrong, right = row["accuracy_1"] < 1, row["accuracy_2"] == 1
    return Outcome(text + ("; separated" if right else ""), bool(gap < 1e-6 and wrong and right))


@of_part("unreliable")
def _theorem41_loss(rows):
    rows = rows.sort_values("step")
    first, last = rows.iloc[0], rows.iloc[-1]
    growth = _slope(rows["step"].iloc[1:], rows["loss_1"].iloc[1:])
    text = (
        f"f(theta_1): {first['loss_1']:.2g} to {last['loss_1']:.3g}; "
        f"f(theta_2): {first['loss_2']:.2g} to {last['loss_2']:.2g} "
        f"(steps {first['step']:g} to {last['step']:g})"
    )
    return Outcome(text, bool(abs(growth - 1) < 0.05 and last["loss_2"] < 1e-10))


@of_part("unreliable")
def _theorem41_gradient(rows):
    last = rows.loc[rows["step"].idxmax()]
    norms = last["gradient_norm_1"], last["gradient_norm_2"]
    holds = abs(norms[0] - math.sqrt(0.5)) < 1e-6 and norms[1] < 1e-10
    return Outcome(f"{norms[0]:.4f}, {norms[1]:.2g} at step {last['step']:g}", bool(holds))


def _bound(method, finite):
    """Every run of a method on a separable set beside the bound of its theorem.

    A run that ended unseparated before its bound decides nothing; one that ended after it would
    break the theorem.
    """

    @of_part("separate")
    def measure(rows):
        rows = pick(rows, method=method, separable=True)
        if rows.empty or "bound" not in rows:
            return Outcome("no separable sets in the results", None)
        rows = rows[np.isfinite(rows["step"]) == finite]
        done = rows[column(rows, "updates").notna()]
        late = rows[column(rows, "updates").isna() & (rows["max_iter"] >= rows["bound"])]
        if done.empty:
            return Outcome("no run that separated", None)
        share = (done["updates"] / done["bound"]).max()
        closest = done.loc[(done["updates"] / done["bound"]).idxmax()]
        text = f"{len(done)} runs, at most {share:.2g} of the bound ({label(closest)})"
        if len(rows) > len(done):
            text += f"; {len(rows) - len(done)} stopped undecided, before it"
        kept = bool((done["updates"] <= done["bound"]).all())
        return Outcome(text, kept and late.empty)

    return measure


def _trap(method, step=1e4):
    @of_part("trap")
    def measure(rows):
        row = pick(rows, method=method, step=step)
        if row.empty:
            return Outcome(f"no results at step {step:g}", None)
        if method == "exponential":
            return _keeps_bound(pick(rows, method=method))
        t, radius_margin = row["averaged"].iloc[0], (row["radius"] / row["margin"]).iloc[0] ** 2
        text = f"t = {whole(t)}, R^2/mu^2 = {radius_margin:.3g}"
        return Outcome(text, bool(t > 2 * row["bound"].iloc[0]))

    return measure


def _keeps_bound(rows):
    # The theorem: the average of t iterates separates for every t above the bound.
    kept = rows["averaged"] <= np.floor(rows["bound"]) + 1
    last = rows.loc[rows["step"].idxmax()]
    text = f"t = {whole(last['averaged'])} at step {last['step']:g}"
    return Outcome(f"{text}; within it at {kept.sum()} of {len(rows)} steps", bool(kept.all()))


def _slope(x, y):
    return float(np.polyfit(np.log(np.asarray(x, float)), np.log(np.asarray(y, float)), 1)[0])


def _vector(values):
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"


TABLE = [
    Claim(
        "worst-normalized",
        "Worst case, n = 1000: Normalized LR+GD separates in 2, 2, 16, 157 iterations at step "
        "100, 10, 1, 0.1 (Table 1).",
        "2, 2, 16, 157",
        _worst_case("normalized", _TABLE_STEPS, (2, 2, 16, 157)),
    ),
    Claim(
        "worst-constant",
        "Worst case, n = 1000: LR+GD needs 308 iterations at step 100 (Table 1).",
        308,
        _worst_case("constant", (100.0,), (308,)),
    ),
    Claim(
        "worst-further",
        "The same set, not in the paper: LR+GD 729 at step 10 and 301 at 1e4, batch perceptron "
        "301, normalised batch perceptron 2.",
        "- (expected here: 729, 301, 301, 2)",
        _further_counts,
    ),
    Claim(
        "growth-perceptron",
        "On that family the batch perceptron needs Omega(n) iterations (Theorem 5.1).",
        "Omega(n)",
        _growth(("batch_perceptron",), math.inf),
    ),
    Claim(
        "growth-constant",
        "So does LR+GD with a large step (100).",
        "Omega(n)",
        _growth(("constant",), 100.0),
    ),
    Claim(
        "growth-normalized",
        "The normalised methods do not: their count at step 100 and in the limit does not grow.",
        "R^2/mu^2 = 5, any n",
        _constant_in_n,
    ),
]

LIMITS = [
    Claim(
        "limit-constant",
        "theta_t / step of LR+GD tends to the batch perceptron (Theorem 3.2), no ties; relative "
        "distance until it separates.",
        "to 0",
        _limit("constant"),
    ),
    Claim(
        "limit-normalized",
        "theta_t / step of Normalized LR+GD tends to the normalised batch perceptron.",
        "to 0",
        _limit("normalized"),
    ),
    Claim(
        "limit-tie",
        "Assumption 3.1 (no ties) is needed: with a margin of exactly zero on the way, the limit "
        "of LR+GD is another.",
        "assumed",
        _tie,
    ),
    Claim(
        "limit-estimators",
        "LogisticRegressionGD(step_size=inf) and BatchPerceptron need the same number of updates.",
        None,
        _twins,
    ),
    Claim(
        "theorem41-iterates",
        "Theorem 4.1: theta_1 / step is (1/2, 3/4) and wrong, theta_2 / step tends to (1, 1/4) and "
        "separates.",
        "(0.5, 0.75), (1, 0.25)",
        _theorem41_iterates,
    ),
    Claim(
        "theorem41-loss",
        "There the loss of theta_1 grows without limit with the step and that of theta_2 vanishes.",
        "to infinity; to 0",
        _theorem41_loss,
    ),
    Claim(
        "theorem41-gradient",
        "There the gradient norm tends to sqrt(2)/2 at theta_1 and to 0 at theta_2.",
        "0.7071, 0",
        _theorem41_gradient,
    ),
]

_WITHIN = "on every separable set, synthetic and real"
BOUNDS = [
    Claim(
        "bound-normalized",
        f"Normalized LR+GD separates within R^2/mu^2 + 2 log(2n-1)/(step mu^2) (Theorem 6.1), "
        f"{_WITHIN}, at every step.",
        "all",
        _bound("normalized", finite=True),
    ),
    Claim(
        "bound-normalized-perceptron",
        f"The normalised batch perceptron separates within R^2/mu^2 (Theorem 5.3), {_WITHIN}.",
        "all",
        _bound("normalized", finite=False),
    ),
    Claim(
        "bound-batch-perceptron",
        f"The batch perceptron separates within n R^2/mu^2 (Theorem 3.3), {_WITHIN}.",
        "all",
        _bound("constant", finite=False),
    ),
    Claim(
        "bound-perceptron",
        f"Rosenblatt's perceptron makes at most R^2/mu^2 updates (Theorem 5.2), {_WITHIN}.",
        "all",
        _bound("perceptron", finite=False),
    ),
    Claim(
        "bound-constant",
        f"LR+GD separates within (2n/mu^2)(R^2 + 2 log(2n-1)/step), {_WITHIN}. Not in the paper, "
        "by its argument.",
        None,
        _bound("constant", finite=True),
    ),
    Claim(
        "bound-adaptive",
        "The average of risk-adaptive iterates, exponential form, separates within R^2/mu^2 + "
        f"2 log(n)/(step mu^2), {_WITHIN}.",
        None,
        _bound("risk_adaptive_average", finite=True),
    ),
    Claim(
        "trap-logistic",
        "The adaptive step of the mean logistic loss has no such bound: worst case, n = 100, "
        "step 1e4, averages separate long after R^2/mu^2.",
        "- (expected here: t = 72, R^2/mu^2 = 5)",
        _trap("logistic"),
    ),
    Claim(
        "trap-exponential",
        "On the same set the exponential form stays within its bound at every step.",
        "- (its bound)",
        _trap("exponential"),
    ),
]
