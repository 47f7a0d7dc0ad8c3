"""Which configurations are run: the declarative part of the study."""

from dataclasses import dataclass

from . import files, teachers

_DECADES = (1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True)
class _Preset:
    """What differs between the presets."""

    seeds: int
    alphas: tuple[float, ...]
    real: tuple[tuple[str, tuple[str, ...]], ...]  # set, teachers
    few: tuple[tuple[str, tuple[int, ...]], ...]  # set, numbers of labels
    batches: int
    mcmi: tuple[int, tuple[float, ...]]  # rows of the teacher, weights
    lelp: tuple[int, tuple[int, ...]]  # rows, subclasses


_PRESETS = {
    "quick": _Preset(
        seeds=10,
        alphas=_DECADES,
        real=(
            ("digits", ("svm",)),
            ("breast_cancer", ("boosting", "mlp")),
            ("wine", ("forest",)),
        ),
        few=(("digits", (20, 50, 100)), ("breast_cancer", (10, 30))),
        batches=50,
        mcmi=(600, (0.0, 0.3, 0.5)),
        lelp=(500, (8,)),
    ),
    "paper": _Preset(
        seeds=30,
        alphas=(1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
        real=tuple((name, teachers.NAMES) for name in ("digits", "breast_cancer", "wine")),
        few=(("digits", (20, 30, 50, 100, 200)), ("breast_cancer", (10, 20, 30, 60))),
        batches=400,
        mcmi=(1000, (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)),
        lelp=(1000, (2, 4, 8)),
    ),
}


def configurations(preset: str, file: str | None) -> list[dict]:
    """List all configurations of a preset; `file` is the user's, if any."""
    size = _PRESETS[preset]
    listed = [
        {**one, "seed": seed}
        for one in [*_teachers(size, file), *_few(size, file), *_theory(size), *_special(size)]
        for seed in range(size.seeds)
    ]
    return listed


def _teachers(size, file):
    listed = [
        {"part": "real", "set": name, "teacher": teacher}
        for name, several in size.real
        for teacher in several
    ]
    if file is not None:
        common = {"part": "real", "set": files.NAME, "file": file}
        listed += [{**common, "teacher": teacher} for teacher in ("svm", "mlp")]
    return [{**one, "alphas": list(size.alphas)} for one in listed]


def _few(size, file):
    common = {"part": "few", "teacher": "svm", "alphas": list(size.alphas)}
    listed = [{**common, "set": name, "m": m} for name, sizes in size.few for m in sizes]
    if file is not None:
        listed += [{**common, "set": files.NAME, "file": file, "m": m} for m in (20, 50, 100)]
    return listed


def _theory(size):
    alphas = list(size.alphas)
    listed = [{"part": "bayes", "teacher": one, "alphas": alphas} for one in ("bayes", "noisy")]
    common = {"part": "mi_alpha", "d": 5, "batches": size.batches}
    listed += [{**common, "rho": rho, "K": K} for rho in (0.5, 0.9) for K in (16, 64)]
    listed += [
        {"part": "self", "set": name, "alpha": alpha, "alphas": alphas}
        for name in ("digits", "breast_cancer", "wine")
        for alpha in (1e-5, 1e-2)
    ]
    common = {"part": "scale", "teacher": "svm", "alpha": 1e-3}
    return [*listed, *({**common, "set": name} for name in ("digits", "wine"))]


def _special(size):
    n, weights = size.mcmi
    alphas = list(size.alphas)
    sizes = {"n": n, "few": n // 20, "weights": list(weights), "alphas": alphas}
    listed = [{"part": "mcmi", **sizes, "teacher_alpha": alpha} for alpha in (1e-6, 1e-4)]
    n, subclasses = size.lelp
    common = {"part": "lelp", "n": n, "subclasses": list(subclasses), "alphas": alphas}
    listed += [{**common, "task": task} for task in ("parity", "upper half")]
    return [*listed, {"part": "dual", "teacher": "svm", "alphas": alphas}]
