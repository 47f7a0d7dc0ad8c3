"""What the papers claim, for linear students: the paper's number beside ours.

Differences are paired by seed; a claim of "more" holds if the whole 95 % interval is above zero.
"""

import json
from pathlib import Path

import numpy as np

from experiments._harness import Claim, Outcome
from experiments._harness.parts import of_part, pick

from .tables import compare, interval, words

_PAPER = json.loads(Path(__file__).with_name("paper_numbers.json").read_text(encoding="utf-8"))


def _gain(table, method, base):
    gain = np.mean(np.subtract(_PAPER[table][method], _PAPER[table][base]))
    return f"{gain:+.2f} points, mean of {len(_PAPER[table][base])} pairs on CIFAR-100"


def _better(part, first, second, field="accuracy", less=False, **chosen):
    """First above second (below, if `less`), with the whole interval."""

    @of_part(part)
    def measure(rows):
        rows = pick(rows, **chosen)
        found = compare(rows, first, second, field)
        if found is None:
            return Outcome(f"{first} and {second} are not both in the results", None)
        if found.seeds < 2:
            return Outcome("one seed decides nothing", None)
        unit, factor = ("points", 100.0) if field in ("accuracy", "ece") else ("nats", 1.0)
        holds = found.high < 0 if less else found.low > 0
        return Outcome(words(found, unit, factor), bool(holds))

    return measure


@of_part("bayes")
def _ranking_biased(rows):
    rows = pick(rows, teacher="bayes")
    found = [compare(rows, one, "kl:pure", "excess") for one in ("pld", "list_mle")]
    if None in found:
        return Outcome("not in the results", None)
    pld, list_mle = (words(one, "nats", 1.0) for one in found)
    return Outcome(f"PLD {pld}; ListMLE {list_mle}", all(one.low > 0 for one in found))


@of_part("mi_alpha")
def _monotone(rows):
    text, holds = [], []
    for (rho, K), one in rows.groupby(["rho", "K"]):
        mean, spread = (np.mean(np.stack(one[key]), axis=0) for key in ("mean", "spread"))
        bias = one["true_mi"].iloc[0] - mean
        text.append(
            f"rho={rho:g}, K={K:.0f}: bias {bias[0]:.2f} to {bias[-1]:.2f}, standard "
            f"deviation {spread[0]:.2f} to {spread[-1]:.2f}"
        )
        holds.append(np.all(np.diff(spread) < 0) and bias[-1] > bias[0])
    return Outcome("; ".join(text), bool(all(holds)))


@of_part("self")
def _penalty(rows):
    worst = float(rows["gap"].max())
    return Outcome(f"largest relative difference of coefficients {worst:.1g}", worst < 1e-4)


@of_part("scale")
def _invariant(rows):
    """Of fits that were not solved the solver's path would be measured: they are counted."""
    solved = rows[rows["standardized_solved"] & rows["plain_solved"]]
    if solved.empty:
        return Outcome("no seed whose fits were all solved", None)
    loss, proba = float(rows["loss_moved"].max()), float(solved["standardized_moved"].max())
    plain = float(solved["plain_moved"].min())
    text = (
        f"loss moves by {loss:.1g}, probabilities by {proba:.1g} at most; KD's by {plain:.2g} at "
        f"least ({len(solved)} of {len(rows)} splits, all of whose fits were solved)"
    )
    return Outcome(text, bool(loss < 1e-5 and proba < 0.05 < plain))


_SURE, _CAUTIOUS = 1e-6, 1e-4  # penalties of the teacher


def _mcmi(key, first, second, more):
    """Difference between two columns of MCMI; a weight names an entry of its list."""

    @of_part("mcmi")
    def measure(rows):
        rows = pick(rows, teacher_alpha=_SURE)
        found = interval([_entry(row, first) - _entry(row, second) for _, row in rows.iterrows()])
        if found.seeds < 2:
            return Outcome("one seed decides nothing", None)
        return Outcome(words(found), bool(found.low > 0 if more else found.high < 0))

    def _entry(row, weight):
        if weight == "ce":
            return row[key.replace("student", "ce")]
        return row[key][list(row["weights"]).index(weight)]

    return measure


@of_part("mcmi")
def _penalised_teacher(rows):
    """A stronger penalty of the teacher beside MCMI of the best weight, by seed."""
    sure, cautious = (pick(rows, teacher_alpha=alpha) for alpha in (_SURE, _CAUTIOUS))
    best = {row["seed"]: max(row["student_few"]) for _, row in sure.iterrows()}
    plain = {row["seed"]: row["student_few"][0] for _, row in cautious.iterrows()}
    found = interval([plain[seed] - best[seed] for seed in best if seed in plain])
    if found.seeds < 2:
        return Outcome("one seed decides nothing", None)
    return Outcome(words(found), bool(found.low > 0))


@of_part("mcmi")
def _hump(rows):
    rows = pick(rows, teacher_alpha=_SURE)
    curve = np.mean(np.stack(rows["cmi_by_temperature"]), axis=0)
    text = ", ".join(
        f"{t:g}: {cmi:.2g}" for t, cmi in zip(rows["temperatures"].iloc[0], curve, strict=True)
    )
    return Outcome(f"by temperature {text}", bool(np.all(np.diff(curve) > 0)))


def _transfer(id, loss, base, name, paper):
    return Claim(id, f"Fully labelled: {name}.", paper, _better("real", loss, base))


CLAIMS = [
    Claim(
        "bayes-variance",
        "Logistic truth: the Bayes teacher lowers the excess log-loss of KD "
        "far below cross-entropy's.",
        None,
        _better("bayes", "kl:pure", "ce", "excess", less=True, teacher="bayes"),
    ),
    Claim(
        "noisy-teacher",
        "The same with noise on the teacher's logits.",
        None,
        _better("bayes", "kl:pure4", "ce", "excess", less=True, teacher="noisy"),
    ),
    Claim(
        "ranking-biased",
        "Ranking losses stay above KD with a perfect teacher.",
        None,
        _ranking_biased,
    ),
    Claim(
        "unlabelled",
        "20 labelled digits: 400 rows that the teacher labels raise KD's accuracy "
        "over cross-entropy.",
        None,
        _better("few", "kl+pool", "ce", set="digits", m=20),
    ),
    Claim(
        "unlabelled-soft",
        "20 labelled digits: on these rows KD beats the teacher's hard labels.",
        None,
        _better("few", "kl+pool", "hard+pool", set="digits", m=20),
    ),
    Claim(
        "unlabelled-cancer",
        "10 labelled rows of breast_cancer: the same gain.",
        None,
        _better("few", "kl+pool", "ce", set="breast_cancer", m=10),
    ),
    _transfer("kd", "kl", "ce", "KD beats tuned cross-entropy", _gain("PLD_CIFAR100", "KD", "CE")),
    _transfer(
        "dkd", "dkd", "ce", "DKD beats tuned cross-entropy", _gain("PLD_CIFAR100", "DKD", "CE")
    ),
    _transfer(
        "dist", "dist", "ce", "DIST beats tuned cross-entropy", _gain("PLD_CIFAR100", "DIST", "CE")
    ),
    _transfer(
        "nkd", "nkd", "ce", "NKD beats tuned cross-entropy", "+2.06 points, ResNet18 on ImageNet"
    ),
    _transfer(
        "uskd", "uskd", "ce", "USKD beats tuned cross-entropy", "+0.89 points, ResNet18 on ImageNet"
    ),
    _transfer("sinkd", "sinkhorn", "ce", "SinKD beats tuned cross-entropy", None),
    _transfer("sinkd-kl", "sinkhorn", "kl", "SinKD beats KD", "ranked above JS, reverse KL, KL"),
    _transfer(
        "zscore",
        "kl:z",
        "kl",
        "standardised logits raise KD's accuracy",
        _gain("LogitStd_CIFAR100_same_arch", "KD+Z", "KD"),
    ),
    _transfer(
        "pld-listmle", "pld", "list_mle", "PLD beats ListMLE", "+3.19 points, ResNet50 on ImageNet"
    ),
    _transfer("pld-kd", "pld", "kl", "PLD beats KD", _gain("PLD_CIFAR100", "PLD", "KD")),
    _transfer(
        "pld-ce", "pld", "ce", "PLD beats tuned cross-entropy", _gain("PLD_CIFAR100", "PLD", "CE")
    ),
    _transfer("tsd-gate", "tsd:gate", "js", "TSD-KD's gate helps its divergence", None),
    _transfer("tsd-rank", "tsd:rank", "tsd:gate", "TSD-KD's ranking helps", None),
    _transfer("tsd-entropy", "tsd:entropy", "tsd:gate", "TSD-KD's entropy term helps", None),
    _transfer(
        "tsd", "tsd", "ce", "TSD-KD beats tuned cross-entropy", "MATH 16.9 to 26.1, Qwen2.5 1.5B"
    ),
    Claim(
        "zscore-invariance",
        "Standardised KD does not feel the scale of the teacher's logits.",
        "invariant",
        _invariant,
    ),
    Claim(
        "mcmi-few",
        "Teacher too sure of itself (penalty 1e-6): students of 5 % of its rows learn more from "
        "one with MCMI (weight 0.3).",
        "up to +5.72 points",
        _mcmi("student_few", 0.3, 0.0, True),
    ),
    Claim(
        "mcmi-penalty",
        "A penalty of 1e-4 on the teacher gives these students more than MCMI of any weight.",
        None,
        _penalised_teacher,
    ),
    Claim(
        "mcmi-kd",
        "Of the gain over cross-entropy on these rows, KD without MCMI has a part.",
        None,
        _mcmi("student_few", 0.0, "ce", True),
    ),
    Claim(
        "mcmi-teacher",
        "The MCMI teacher itself is worse (weight 0.5).",
        "worse",
        _mcmi("teacher_accuracy", 0.5, 0.0, False),
    ),
    Claim(
        "mcmi-all",
        "Students of all rows learn more from an MCMI teacher (weight 0.3).",
        "up to +3.32 points",
        _mcmi("student_all", 0.3, 0.0, True),
    ),
    Claim(
        "mcmi-temperature",
        "A higher temperature raises the information, as the paper reads it.",
        "raises",
        _hump,
    ),
    Claim(
        "lelp",
        "Two classes of digits: LELP beats KD.",
        "+0.88 to +1.85 points",
        _better("lelp", "lelp:8", "kl"),
    ),
    Claim(
        "lelp-random",
        "LELP beats subclasses drawn by lot, of as many outputs.",
        None,
        _better("lelp", "lelp:8", "random"),
    ),
    Claim(
        "dhkd-calibration",
        "Two heads have less calibration error than one with both losses.",
        None,
        _better("dual", "dual", "single", "ece", less=True),
    ),
    Claim(
        "dhkd-accuracy",
        "Two heads are more accurate than cross-entropy alone.",
        None,
        _better("dual", "dual", "ce"),
    ),
    Claim(
        "pskd-penalty",
        "PS-KD with constant weight a is a penalty of alpha / (1 - a).",
        None,
        _penalty,
    ),
    Claim(
        "pskd-calibration",
        "Penalty too weak (digits, 1e-5): PS-KD lowers the log-loss.",
        "NLL 1.10 to 0.76, PreActResNet18",
        _better("self", "ps_kd", "ce", "nll", less=True, set="digits", alpha=1e-5),
    ),
    Claim(
        "pskd-tuned",
        "PS-KD has less log-loss than cross-entropy of a tuned penalty.",
        None,
        _better("self", "ps_kd", "ce:tuned", "nll", less=True),
    ),
    Claim(
        "mi-alpha", "The larger alpha, the less variance and the more bias.", "monotone", _monotone
    ),
]
