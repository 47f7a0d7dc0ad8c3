"""Value and gradient of every loss against autograd, and Sinkhorn's against POT plus autograd."""

import importlib
import time
from importlib.util import find_spec

import numpy as np

from experiments._harness.timing import Elapsed, Table, measure, ratio
from skkd.losses import get_loss

__all__ = ["losses", "sinkhorn"]

N_ROWS = 4096
TURN = 0.02  # seconds
N_CLASSES = (10, 100, 1000)
COLUMNS = (
    "loss",
    "classes",
    "type",
    "skkd [ms]",
    "torch [ms]",
    "torch / skkd",
    "quartiles",
    "first call [s]",
    "difference",
)
NOTES = (
    "get_loss(name).value_and_gradient(student, teacher, y), checks included, against the same "
    "formula in torch and backward(). Medians over turns; a turn is 20 ms of calls in a row, as a "
    "fit makes them, after one that is not timed. Difference: largest entry of the difference of "
    "the gradients over the largest entry."
)
SINKHORN = ((64, 10), (64, 100), (256, 10), (256, 100))


def losses(quick):
    """Table of all losses."""
    torch = _torch()
    rows = []
    for n_classes in N_CLASSES[: 1 if quick else None]:
        for dtype in ("float64", "float32"):
            data = _logits(N_ROWS, n_classes, dtype)
            for name in torch.FORMULAS if torch else ():
                rows.append(_loss_row(torch, name, data, repeats=5 if quick else 15))
    notes = NOTES if torch else "torch is not installed"
    return Table("losses: value and gradient, 4096 rows", COLUMNS, rows, notes)


def sinkhorn(quick):
    """Table of Sinkhorn's loss, whose peer is POT."""
    torch = _torch()
    transport = importlib.import_module("ot") if find_spec("ot") else None
    rows = []
    for n_rows, n_classes in SINKHORN[: 1 if quick else None]:
        for dtype in ("float64", "float32"):
            if torch and transport:
                data = _logits(n_rows, n_classes, dtype)
                rows.append(_sinkhorn_row(torch, transport, data, repeats=5 if quick else 15))
    rounds = (
        "20 rounds, epsilon 0.1; POT begins with the other side, so that gradients agree as far as "
        "20 rounds converge (to 1e-9 after 100)."
    )
    notes = f"{rounds} {NOTES}" if rows else "torch or POT is not installed"
    columns = tuple(name.replace("torch", "POT") for name in COLUMNS)
    return Table("sinkhorn: value and gradient, by batch", columns, rows, notes)


def _loss_row(torch, name, data, repeats):
    student, teacher, y = data
    loss = get_loss(name.split()[0], **({"standardize": True} if " " in name else {}))
    given = {"teacher_logits": teacher} if loss.needs_teacher else {}
    given |= {"y": y} if loss.needs_labels else {}

    def ours():
        return loss.value_and_gradient(student, **given)

    def theirs():
        return torch.value_and_gradient(torch.FORMULAS[name], student, teacher, y)

    return _row(name, student, ours, theirs, repeats)


def _sinkhorn_row(torch, transport, data, repeats):
    student, teacher, _ = data
    loss = get_loss("sinkhorn")

    def ours():
        return loss.value_and_gradient(student, teacher)

    def theirs():
        return torch.sinkhorn(student, teacher, transport)

    return _row(f"sinkhorn, {student.shape[0]} rows", student, ours, theirs, repeats)


def _row(name, student, ours, theirs, repeats):
    first = _seconds(ours, 1)
    timings = measure({"skkd": _turn(ours), "torch": _turn(theirs)}, repeats=repeats, pause=0.06)
    where = (name, student.shape[1], student.dtype.name)
    for timing in timings.values():
        if timing.problem:
            return (*where, None, None, None, timing.problem, None, None)
    gain = ratio(timings, "torch", "skkd")
    own, other = ours()[1], theirs()[1]
    return (
        *where,
        1e3 * timings["skkd"].median,
        1e3 * timings["torch"].median,
        gain.value,
        f"{gain.low:.2f}-{gain.high:.2f}",
        first,
        float(np.max(np.abs(own - other)) / np.max(np.abs(other))),
    )


def _turn(call):
    """Calls in a row, and the time of one."""

    def turn():
        once = _seconds(call, 1)
        count = max(1, int(TURN / once))
        return Elapsed(_seconds(call, count) / count)

    return turn


def _seconds(call, count):
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start


def _logits(n_rows, n_classes, dtype):
    rng = np.random.default_rng(0)
    student, teacher = 3.0 * rng.standard_normal((2, n_rows, n_classes)).astype(dtype)
    return student.astype(dtype), teacher.astype(dtype), rng.integers(0, n_classes, n_rows)


def _torch():
    if not find_spec("torch"):
        return None
    return importlib.import_module("experiments.distillation.bench_torch")
