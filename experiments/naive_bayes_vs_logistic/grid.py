"""Which configurations are run: the declarative part of the study."""

from dataclasses import dataclass

from . import consistency, files

SETS = ("digits", "breast_cancer", "wine", "mnist")
REPLAY_SIZES = (30, 50, 100, 200, 500)
CORRELATION = 0.5
_METHODS = ("naive_bayes", "logistic:1", "tuned")


@dataclass(frozen=True)
class _Preset:
    """What differs between the presets."""

    samples: tuple[tuple[int, tuple[int, ...], int], ...]  # classes, features, runs
    minimum: tuple[tuple[int, tuple[int, ...], int], ...]  # the same, solved to the minimum
    limits: tuple[int, ...]
    population: tuple[tuple[int, int], ...]  # features, classes
    population_sizes: tuple[int, ...]
    population_runs: tuple[int, int]  # of C = 1 and of tuned C
    sizes: dict[str, tuple[int, ...]]
    runs: dict[str, tuple[int, int]]
    instances: int
    learned_runs: int


_SMALL = {"breast_cancer": (20, 30, 50, 75, 100, 150, 200, 300), "wine": (20, 30, 45, 60, 90, 120)}
_FEATURES = (100, 200, 400, 1000)

_PRESETS = {
    "quick": _Preset(
        samples=((2, _FEATURES, 3), (3, (100, 200, 400), 2)),
        minimum=((2, _FEATURES, 2),),
        limits=(100, 400, 1000),
        population=((100, 2),),
        population_sizes=(10, 20, 40, 60, 80, 120, 160, 320),
        population_runs=(5, 3),
        sizes={
            "digits": (30, 40, 50, 75, 100, 200, 400),
            **_SMALL,
            "mnist": (30, 50, 100, 200, 500),
        },
        runs={"digits": (20, 5), "breast_cancer": (20, 5), "wine": (20, 5), "mnist": (2, 0)},
        instances=4000,
        learned_runs=3,
    ),
    "paper": _Preset(
        samples=tuple((n_classes, _FEATURES, 5) for n_classes in (2, 3, 5, 7)),
        minimum=((2, _FEATURES, 5), (3, _FEATURES, 3)),
        limits=(100, 200, 400, 1000),
        population=((100, 2), (200, 2), (400, 2), (100, 3)),
        population_sizes=(10, 20, 40, 60, 80, 120, 160, 240, 320, 640, 1280),
        population_runs=(10, 5),
        sizes={
            "digits": (30, 40, 50, 65, 80, 100, 150, 200, 300, 500, 1000),
            **_SMALL,
            "mnist": (30, 50, 75, 100, 200, 300, 500, 1000, 2000, 3000),
        },
        runs={name: (30, 10) for name in ("digits", "breast_cancer", "wine")} | {"mnist": (10, 5)},
        instances=40_000,
        learned_runs=10,
    ),
}


def configurations(preset: str, file: str | None) -> list[dict]:
    """List all configurations of a preset; `file` is the user's, if any."""
    size = _PRESETS[preset]
    return [
        *_samples(size),
        *_limits(size),
        *_population(size),
        *_replay(),
        *_real(size),
        *_embeddings(preset, file),
        *_diagnostics(file),
        *_consistency(size),
    ]


def _samples(size):
    rows = [(("naive_bayes", "logistic:1"), *one) for one in size.samples]
    rows += [(("minimum:1",), *one) for one in size.minimum]
    listed = [
        {"part": "samples", "n_classes": n_classes, "n": n, "method": method, "seed": seed}
        for methods, n_classes, features, runs in rows
        for n in features
        for method in methods
        for seed in range(runs)
    ]
    # The long ones first: the last to finish is then a short one.
    return sorted(listed, key=lambda one: -one["n"] * one["n_classes"] ** 2)


def _limits(size):
    common = {"part": "limits", "n_classes": 2, "correlation": CORRELATION}
    return [{**common, "n": n} for n in size.limits]


def _population(size):
    common = {"part": "population", "correlation": CORRELATION}
    return [
        {**common, "n": n, "n_classes": n_classes, **one}
        for n, n_classes in size.population
        for one in _runs(size.population_sizes, size.population_runs)
    ]


def _replay():
    common = {"part": "replay", "set": "digits", "train_sizes": list(REPLAY_SIZES)}
    return [
        {**common, "method": method, "seed": seed} for method in _METHODS[:2] for seed in range(5)
    ]


def _real(size):
    return [
        {"part": "real", "set": name, **one}
        for name in SETS
        for one in _runs(size.sizes[name], size.runs[name])
    ]


def _runs(sizes, n_runs):
    """Both methods with C = 1, and tuned in fewer runs as that takes twenty-five times as long."""
    rows = [(_METHODS[:2], n_runs[0]), (_METHODS[2:], n_runs[1])]
    return [
        {"method": method, "seed": seed, "train_sizes": list(sizes)}
        for methods, count in rows
        for method in methods
        for seed in range(count)
    ]


def _embeddings(preset, file):
    if file is None:
        return []
    X, y = files.load_embeddings(file)
    sizes = [20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000]
    most = {"quick": min(2000, len(y) // 2), "paper": 3 * len(y) // 4}[preset]
    sizes = [size for size in sizes if 2 * (y.max() + 1) <= size <= most]
    n_runs = {"quick": (5, 3), "paper": (10, 5)}[preset]
    common = {"part": "real", "set": files.NAME, "file": file}
    return [{**common, **one} for one in _runs(sizes, n_runs)]


def _diagnostics(file):
    listed = [{"part": "diagnostics", "set": name} for name in SETS]
    common = {"part": "diagnostics", "set": "mixture", "n_classes": 3}
    listed += [{**common, "n": n} for n in _FEATURES]
    if file is not None:
        listed.append({"part": "diagnostics", "set": files.NAME, "file": file})
    return listed


def _consistency(size):
    kinds = [(kind, k) for kind in ("scores", "cheapest") for k in (2, 3, 5, 10)]
    kinds += [("points", 2), ("points", 5), ("bounded", 2), ("tie", 2), ("tie", 5)]
    listed = [
        {"kind": kind, "n_classes": k, "seed": 0, "n_instances": _instances(kind, size)}
        for kind, k in kinds
    ]
    listed += [
        {"kind": "learned", "n_classes": consistency.LEARNED[1], "seed": seed, "m": m}
        for m in (30, 100, 300, 1000, 3000)
        for seed in range(size.learned_runs)
    ]
    return [{"part": "consistency", **one} for one in listed]


def _instances(kind, size):
    return {"tie": 1000, "points": size.instances // 4}.get(kind, size.instances)
