"""One normalised step: ours, plain NumPy, and the time it takes to read X at all.

The plain step is what one would write: two products and a softmax in log space. The floor is the
bytes of X over the read bandwidth of the machine, measured in the same process; one step cannot
read X less than once.
"""

import tracemalloc

import numpy as np

from experiments._harness.timing import Table, measure, ratio, read_bandwidth
from skkd.losses import BinaryLogLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import Normalized, gradient_descent

SHAPES = ((200_000, 100), (20_000, 1_000), (5_000, 3_072), (1_000_000, 20))
STEPS = 10  # in a row, as in a fit; what is reported is the time of one
PAUSE = 0.2  # threads of OpenBLAS spin for 0.11 s after a call: let them, before ours is timed


def run(quick):
    """Return the table of steps, one row for each shape and type."""
    shapes = [(n // 10, p) for n, p in SHAPES] if quick else SHAPES
    rows = [
        row
        for dtype in (np.float64, np.float32)
        for bandwidth in [read_bandwidth(dtype=np.dtype(dtype).name)]
        for n, p in shapes
        for row in [_row(n, p, dtype, bandwidth, repeats=5 if quick else 15)]
    ]
    columns = (
        "shape",
        "type",
        "plain [ms]",
        "skkd [ms]",
        "plain / skkd",
        "quartiles",
        "floor [ms]",
        "skkd / floor",
        "first call [s]",
        "peak extra / X",
    )
    notes = (
        "plain: NumPy, two products with all BLAS threads. floor: bytes of X over the measured "
        "read bandwidth of all threads. Medians over runs of 10 steps; each run begins with "
        "BLAS at rest."
    )
    return [Table("One normalised step", columns, rows, notes)]


def _row(n, p, dtype, bandwidth, repeats):
    X, y = _data(n, p, dtype)
    steps = _ours(X, y)
    state = {"theta": np.zeros(p, dtype)}
    signed = np.where(y > 0, 1.0, -1.0).astype(dtype)

    def plain():
        for _ in range(STEPS):
            state["theta"] = state["theta"] + plain_direction(X, signed, state["theta"])

    def ours():
        for _ in range(STEPS):
            next(steps)

    timings = measure({"plain": plain, "skkd": ours}, repeats=repeats, warmup=2, pause=PAUSE)
    gain = ratio(timings, "plain", "skkd")
    floor = X.nbytes / bandwidth.all_threads
    step = timings["skkd"].median / STEPS
    return (
        f"{n} x {p}",
        np.dtype(dtype).name,
        1e3 * timings["plain"].median / STEPS,
        1e3 * step,
        gain.value,
        f"{gain.low:.2f}-{gain.high:.2f}",
        1e3 * floor,
        step / floor,
        timings["skkd"].first,
        _extra_memory(steps) / X.nbytes,
    )


def plain_direction(X, signed, theta):
    """Direction of the normalised step: what one would write in NumPy, safe in log space."""
    margins = signed * (X @ theta)
    log_pull = -np.logaddexp(0, margins)
    pull = np.exp(log_pull - log_pull.max())
    return X.T @ (signed * (pull / pull.sum()))


def _data(n, p, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p), dtype=dtype)
    # Noisy labels: the trajectory neither separates nor leaves the range where weights matter.
    y = (X @ rng.standard_normal(p).astype(dtype) + rng.standard_normal(n) > 0).astype(dtype)
    return X, y


def _ours(X, y):
    objective = LinearObjective(BinaryLogLoss(), X, Target(y), fit_intercept=False)
    return gradient_descent(objective, objective.zeros(), step=Normalized(1.0))


def _extra_memory(steps):
    tracemalloc.start()
    next(steps)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
