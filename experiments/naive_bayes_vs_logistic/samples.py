"""How many samples a method needs on the paper's mixture: the first m that is good enough.

The paper's protocol: m runs through 2K, 2K + c, 2K + 2c, ... below 100 n, with c the logarithm of
n rounded up; for each m rows are drawn anew, again until all K classes occur, and the first m
whose error is below the Bayes error + 0.01 counts.

Here the error is the exact error in the population. Thousands of fits of logistic regression on
ever more rows would be spent far from the goal; :func:`first_below` therefore finds out where it
lies, and goes through the grid only from where a hit is conceivable.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from skkd.datasets import make_shared_variance_mixture

from . import methods

TOLERANCE = 0.01
_POOL = 100  # rows per feature to draw from
_ACCURACY = 1e-3  # relative, of errors that are integrated: more than two classes
_SURE = 3.0  # standard deviations of the noise between draws
_PROBES = 9
_FINE = 100  # steps of 1 % are fine enough


def samples_needed(configuration: dict) -> dict:
    """First m on the paper's grid, and the errors that were looked at on the way."""
    n, n_classes, seed = (configuration[key] for key in ("n", "n_classes", "seed"))
    method, design = configuration["method"], _distribution(n, n_classes)
    bayes_error = design.bayes_error()
    unfinished = []

    def excess(m):
        X, y = _draw(design, m, seed)
        with methods.as_in_the_paper():
            model = methods.make(method).fit(X, y)
        if np.max(getattr(model, "n_iter_", 0)) >= getattr(model, "max_iter", np.inf):
            unfinished.append(m)
        return design.estimator_error(model, tol=_ACCURACY) - bayes_error

    start, step = 2 * n_classes, math.ceil(math.log(n))
    found = first_below(
        excess, TOLERANCE, start, step, _POOL * n, everything=method == "naive_bayes"
    )
    return {
        "needed": found["needed"],
        "stride": found["stride"],
        "bayes_error": bayes_error,
        "sizes": list(found["seen"]),
        "excess": list(found["seen"].values()),
        "unfinished": len(unfinished),
    }


def first_below(
    excess: Callable[[int], float],
    target: float,
    start: int,
    step: int,
    stop: int,
    *,
    everything: bool = False,
) -> dict:
    """Find the first m of start, start + step, ... < stop with ``excess(m) < target``.

    Parameters
    ----------
    excess : callable
        A function of m, decreasing but for noise; always the same for the same m.
    target : float
        What to be below.
    start, step, stop : int
        The grid.
    everything : bool, default=False
        Whether to go through all of the grid. Else it is entered where the noise between draws
        makes a hit conceivable: a line is fitted to log excess against log m between the last of
        the doubled m that misses and the first that hits, and m is left out where the line is more
        than three standard deviations of its residuals above the target. From m = 200 steps on
        the grid has steps of half to one per cent of m.

    Returns
    -------
    found : dict
        ``needed``, the m or None; ``stride``, the step with which it was looked for; ``seen``,
        excess by m, in order.
    """
    seen = {}

    def look(m):
        if m not in seen:
            seen[m] = excess(m)
        return seen[m] < target

    first, stride = start, step
    if not everything:
        high = _doubled(look, start, step, stop)
        stride *= max(1, high // (_FINE * step))
        first = start + _entry(seen, look, high, start, step, target) // stride * stride
    needed = next((m for m in range(first, stop, stride) if look(m)), None)
    return {"needed": needed, "stride": stride, "seen": dict(sorted(seen.items()))}


def _doubled(look, start, step, stop):
    """First of start, and start + step times 1, 2, 4, ..., that hits; the last one if none does."""
    k, last = 0, (stop - 1 - start) // step
    while not look(start + k * step) and k < last:
        k = min(max(1, 2 * k), last)
    return start + k * step


def _entry(seen, look, high, start, step, target):
    """Distance from the start of the grid below which no hit is conceivable."""
    low = high // 3
    for m in np.geomspace(max(low, start), high, _PROBES):
        look(start + int(m - start) // step * step)
    near = [m for m in seen if low <= m <= high and seen[m] > 0]
    if len(near) < _PROBES // 2:
        return 0
    x, z = np.log(near), np.log([seen[m] for m in near])
    slope, level = np.polyfit(x, z, 1)
    noise = math.sqrt(np.sum((z - level - slope * x) ** 2) / (len(near) - 2))
    if slope >= 0:
        return 0
    log_entry = (math.log(target) + _SURE * noise - level) / slope
    return max(0, int(math.exp(min(log_entry, math.log(high)))) - start)


@lru_cache(maxsize=4)
def _distribution(n, n_classes):
    return make_shared_variance_mixture(
        n_classes, n, n_classes, random_state=0, return_distribution=True
    )[2]


def _draw(design, m, seed):
    """`m` rows in single precision, of classes that are equally frequent in the pool."""
    n_classes, n = design.means.shape
    rng = np.random.default_rng([seed, n, n_classes, m])
    of_each = _POOL * n // n_classes
    while True:
        y = rng.choice(of_each * n_classes, m, replace=False) // of_each
        if np.unique(y).size == n_classes:
            break
    X, _ = design.sample(m, int(rng.integers(2**31)), labels=y)
    return X.astype(np.float32), y
