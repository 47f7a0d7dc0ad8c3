"""Which configurations are run: the declarative part of the study."""

import math
from dataclasses import dataclass

# Pairs of classes that are run when the user gives the file. The paper's are in its appendix.
FILE_SETS = {"fashion_mnist": ("0-1", "2-4", "5-7"), "cifar10": ("0-1", "3-5")}

_LIMIT = {"step": math.inf}


@dataclass(frozen=True)
class _Preset:
    """What differs between the presets."""

    growth: tuple[int, ...]
    limit_steps: tuple[float, ...]
    limit_seeds: int
    steps: tuple[float, ...]
    pairs: tuple[str, ...]  # MNIST pairs, each at every ratio
    balanced: tuple[str, ...]  # further MNIST pairs, balanced only
    ratios: tuple[int, ...]
    few_steps: tuple[float, ...]  # for sets that are large or cannot be separated
    seeds: int
    max_iter: int
    trajectory_steps: tuple[float, ...]
    trajectory_length: int
    bias_sets: tuple[str, ...]


_DECADES = tuple(10.0**k for k in range(-3, 3))

_PRESETS = {
    "quick": _Preset(
        growth=(30, 100, 300, 1000, 3000),
        limit_steps=tuple(10.0**k for k in range(-1, 9)),
        limit_seeds=3,
        steps=(0.1, 1.0, 10.0, 100.0),
        pairs=("0-1", "4-9"),
        balanced=("3-8",),
        ratios=(1, 10, 50),
        few_steps=(100.0,),
        seeds=3,
        max_iter=1000,
        trajectory_steps=_DECADES,
        trajectory_length=400,
        bias_sets=("gaussian:200x10", "iris:0-1", "digits:3-8"),
    ),
    "paper": _Preset(
        growth=(10, 30, 100, 300, 1000, 3000, 10_000, 30_000),
        limit_steps=tuple(10.0 ** (k / 2) for k in range(-2, 17)),
        limit_seeds=5,
        steps=_DECADES,
        pairs=("0-1", "4-9", "3-8", "3-5", "7-9"),
        balanced=(),
        ratios=(1, 10, 50),
        few_steps=_DECADES,
        seeds=5,
        max_iter=5000,
        trajectory_steps=_DECADES,
        trajectory_length=2000,
        bias_sets=("gaussian:200x10", "iris:0-1", "digits:3-8", "mnist:0-1", "mnist:4-9"),
    ),
}


def classes_of(name: str) -> set[int]:
    """Labels that the study asks of a user's file."""
    return {int(label) for pair in FILE_SETS[name] for label in pair.split("-")}


def configurations(preset: str, files: dict[str, str]) -> list[dict]:
    """List all configurations of a preset; `files` are the user's, by name of the set."""
    size = _PRESETS[preset]
    return [
        *_worst_case(),
        *_growth(size),
        *_limit(size),
        *_unreliable(),
        *_synthetic(size),
        *_twins(),
        *_small_sets(size),
        *_mnist(size, preset),
        *_file_sets(size, files),
        *_trajectories(size, preset, files),
        *_multiclass(size, preset),
        *_bias(size),
        *_trap(),
    ]


def _worst_case():
    rows = [("normalized", step) for step in (0.1, 1.0, 10.0, 100.0)]
    rows += [("constant", step) for step in (10.0, 100.0, 1e4)]
    rows += [("batch_perceptron", math.inf), ("normalized_batch_perceptron", math.inf)]
    common = {"part": "worst_case", "set": "worst:1000", "max_iter": 100_000}
    return [{**common, "method": method, "step": step} for method, step in rows]


def _growth(size):
    rows = [("normalized", 1.0), ("normalized", 100.0), ("constant", 100.0)]
    rows += [("batch_perceptron", math.inf), ("normalized_batch_perceptron", math.inf)]
    common = {"part": "growth", "max_iter": 1_000_000}
    return [
        {**common, "set": f"worst:{n}", "n": n, "method": method, "step": step}
        for n in size.growth
        for method, step in rows
    ]


def _limit(size):
    ours = [("gaussian:60x5", seed) for seed in range(size.limit_seeds)]
    ours += [("worst:100", 0), ("tie", 0)]
    return [
        {"part": "limit", "set": name, "seed": seed, "method": method, "step": step, "n_iter": 40}
        for name, seed in ours
        for method in ("constant", "normalized")
        for step in size.limit_steps
    ]


def _unreliable():
    return [{"part": "unreliable", "set": "theorem41", "step": 10.0**k} for k in (0, 1, 2, 3, 4, 5)]


def _separate(name, steps, max_iter, **more):
    """Every method on one set."""
    kinds = ("constant", "normalized", "risk_adaptive", "risk_adaptive_average")
    rows = [(kind, step) for kind in kinds for step in (*steps, math.inf)]
    # The theorem about the average is one of finite steps; the perceptron has none.
    rows.remove(("risk_adaptive_average", math.inf))
    rows.append(("perceptron", math.inf))
    common = {"part": "separate", "set": name, "ratio": 1, "seed": 0, **more, "max_iter": max_iter}
    return [{**common, "method": method, "step": step} for method, step in rows]


def _synthetic(size):
    names = ("theorem41", "worst:100", "gaussian:200x10", "gaussian:500x20")
    return [
        one
        for name in names
        for one in _separate(name, size.steps, 10 * size.max_iter, kind="synthetic")
    ]


def _twins():
    names = ("worst:100", "gaussian:200x10", "iris:0-1", "digits:3-8")
    return [
        {"part": "twin", "set": name, "method": method, "max_iter": 100_000}
        for name in names
        for method in ("constant", "normalized")
    ]


def _small_sets(size):
    found = []
    for name in ("digits:3-8", "iris:0-1"):
        found += _separate(name, size.steps, 5 * size.max_iter, kind="small real")
    for name in ("digits:1-8", "iris:1-2", "breast_cancer", "breast_cancer:raw"):
        found += _separate(name, size.few_steps, size.max_iter // 2, kind="small real")
    return found


def _mnist(size, preset):
    found = []
    for pair in size.pairs:
        found += _at_all_ratios(f"mnist:{pair}", size, kind="mnist")
    for pair in size.balanced:
        found += _separate(f"mnist:{pair}", (10.0, 100.0), size.max_iter, kind="mnist")
    for name, ratio in (("mnist:0-rest", 1), ("mnist:0-rest", 50), ("mnist:even-odd", 1)):
        found += _five_thousand(name, ratio, size, preset)
    return found


def _five_thousand(name, ratio, size, preset):
    """The paper's number of rows; each update costs five times one of a pair."""
    separable = name != "mnist:even-odd"  # one that is not makes every update
    max_iter = size.max_iter if separable or preset == "paper" else 300
    rows = _separate(name, size.few_steps, max_iter, kind="mnist 5000", ratio=ratio)
    return rows if preset == "paper" else _two_methods(rows)


def _file_sets(size, files):
    found = []
    for name, path in files.items():
        for pair in FILE_SETS[name]:
            found += _at_all_ratios(f"{name}:{pair}", size, kind=name, file=path)
    return found


def _at_all_ratios(name, size, **more):
    """Every method at every ratio; draws beyond the first only with what the claims compare."""
    found = []
    for ratio in size.ratios:
        found += _separate(name, size.steps, size.max_iter, ratio=ratio, **more)
        for seed in range(1, size.seeds if ratio > 1 else 1):
            rows = _separate(name, (100.0,), size.max_iter, ratio=ratio, **{**more, "seed": seed})
            found += _two_methods(rows)
    return found


def _two_methods(rows):
    """The two methods of Table 1, at finite steps."""
    wanted = ("constant", "normalized")
    return [one for one in rows if one["method"] in wanted and one["step"] < math.inf]


def _trajectories(size, preset, files):
    ours = [("mnist:4-9", {"ratio": 1}), ("mnist:4-9", {"ratio": 10})]
    if preset == "paper":
        ours += [("mnist:0-rest", {"ratio": 1}), ("mnist:3-8", {"ratio": 10})]
    for name, path in files.items():
        pair = FILE_SETS[name][0]
        ours += [(f"{name}:{pair}", {"ratio": ratio, "file": path}) for ratio in (1, 10)]
    common = {"part": "trajectory", "seed": 0, "n_iter": size.trajectory_length}
    return [
        {**common, "set": name, **more, "method": method, "step": step}
        for name, more in ours
        for method in ("constant", "normalized")
        for step in (*size.trajectory_steps, math.inf)
    ]


def _multiclass(size, preset):
    common = {"part": "multiclass", "max_iter": 20_000}
    steps = (0.1, 1.0, 10.0, 100.0)
    methods = ("normalized", "kesler_normalized")
    rows = [("wine", method, step) for method in methods for step in steps]
    # On ten classes a small step takes thousands of updates: not in the short run.
    if preset == "paper":
        rows += [("digits", method, step) for method in methods for step in steps]
    else:
        rows += [("digits", method, 100.0) for method in methods]
    return [{**common, "set": name, "method": method, "step": step} for name, method, step in rows]


def _bias(size):
    rows = [("constant", step) for step in (1.0, 100.0, 1e4)]
    rows += [("constant", math.inf), ("normalized", math.inf)]
    rows += [("max_margin_plain", None), ("max_margin_momentum", None)]
    return [
        {
            "part": "bias",
            "set": name,
            "method": method,
            "step_times_smoothness": step,
            "n_iter": 2000,
        }
        for name in size.bias_sets
        for method, step in rows
    ]


def _trap():
    common = {"part": "trap", "set": "worst:100", "max_iter": 1000}
    return [
        {**common, "method": method, "step": step}
        for method in ("logistic", "exponential")
        for step in (1.0, 10.0, 100.0, 1e3, 1e4)
    ]
