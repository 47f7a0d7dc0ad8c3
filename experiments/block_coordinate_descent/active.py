r"""When the support settles: constants of the theory, and a watch on the iterates.

With f of strong convexity mu and gradient constant L, and delta the smallest gradient of a
coordinate that is zero at the optimum, a prox step sets the zero coordinates of its block exactly
as soon as ``|x - x*| <= delta / (2 L)``. A rate ``1 - rho`` of the objective reaches that ball for
good within ``log(8 L^2 D0 / (mu delta^2)) / rho`` iterations, D0 being the gap at the start.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from . import blocks, sets


class SupportWatch:
    """Passes steps through and notes when their support is the optimum's.

    Parameters
    ----------
    support : array of bool
        The optimum's.
    x_star : array, optional
        The optimum, for the distance to it.
    radius : float, optional
        Distance within which the theory promises the support.
    """

    def __init__(self, support, x_star=None, radius=None):
        self.support = support
        self.x_star = x_star
        self.radius = radius
        self._first = None
        self._last_wrong = self._last_far = -1
        self._end = -1

    def __call__(self, steps: Iterable) -> Iterator:
        """Pass the steps through."""
        for step in steps:
            self._look(step)
            yield step

    def record(self) -> dict:
        """What was seen; None for what did not happen."""
        found = {"identified": self._first, "settled": self._after(self._last_wrong)}
        if self.x_star is not None:
            found["near"] = self._after(self._last_far)
        return found

    def _look(self, step):
        self._end = step.iteration
        x = step.iterate.params
        if not np.array_equal(x > 0, self.support):
            self._last_wrong = step.iteration
        elif self._first is None:
            self._first = step.iteration
        if self.x_star is not None and np.linalg.norm(x - self.x_star) > self.radius:
            self._last_far = step.iteration

    def _after(self, last):
        return last + 1 if last < self._end else None


def constants(problem: sets.Problem, configuration: dict) -> dict:
    """Quantities of the bound for the blocks of a configuration.

    ``bound`` takes the rate of random and of greedy fixed blocks, ``mu / (m max_b L_b)``, m being
    the number of blocks; no such rate is stated for cyclic ones, which get None.
    """
    from .reference import nonnegative_least_squares

    data = problem.data
    optimum = nonnegative_least_squares(data.A, data.b, data.alpha)
    H = (data.A.T @ data.A).toarray()
    eigenvalues = np.linalg.eigvalsh(H)
    mu, smoothness = float(eigenvalues[0]), float(eigenvalues[-1])
    groups = blocks.chunks_by_curvature(np.diag(H), configuration["block_size"])
    largest = max(float(np.linalg.eigvalsh(H[np.ix_(one, one)])[-1]) for one in groups)
    rate = mu / (len(groups) * largest)
    start = problem.gap(problem.start, math.nan)
    bound = math.log(8 * smoothness**2 * start / (mu * optimum.margin**2)) / rate
    return {
        "n_blocks": len(groups),
        "nonzero": int(optimum.support.size),
        "delta": optimum.margin,
        "mu": mu,
        "smoothness": smoothness,
        "rate": rate,
        "radius": optimum.margin / (2 * smoothness),
        "bound": None if configuration["selection"] == "cyclic" else bound,
    }
