"""Find, for each method, the cheapest setting that comes close enough to the optimum.

The optimum is the best value found by any method at tight tolerance, improved by Newton steps on
its support and certified by a duality gap. Each method then climbs a ladder of tolerances from so
loose that none is made to overshoot, a decade at a time; between the last rung that misses a target
and the first that reaches it, the half decade is tried too. Fits run in a process of their own,
which is ended when one takes too long.
"""

from dataclasses import dataclass, field

import numpy as np

from experiments.block_coordinate_descent.bench_objective import duality_gap, polish, values
from experiments.block_coordinate_descent.bench_peers import PEERS, applicable
from experiments.block_coordinate_descent.bench_worker import Overdue

__all__ = ["Optimum", "Rung", "Scouting", "optimum", "scout"]

REPEAT_BELOW = 0.5  # seconds: a shorter fit is timed twice, and the better one counts
HOPELESS = 10.0  # multiple of the best time to the tightest target after which a ladder ends
PATIENCE = 1.0  # seconds that are always granted
NOT_INSTALLED = "not installed"

REFERENCES = {
    "lasso": [("skkd", 1e-13, {}), ("skglm", 1e-9, {}), ("celer", 1e-13, {})],
    "logistic": [("skkd", 1e-13, {}), ("skglm", 1e-9, {}), ("celer", 1e-12, {})],
    "group": [("skkd", 1e-13, {}), ("celer", 1e-13, {}), ("skglm", 1e-9, {})],
    "ridge": [
        ("scikit-learn direct", 0.0, {"solver": "cholesky"}),
        ("scikit-learn iterative", 1e-13, {"solver": "sparse_cg"}),
    ],
    "l2-logistic": [
        ("scikit-learn newton-cg", 1e-11, {}),
        ("scikit-learn newton-cholesky", 1e-11, {}),
    ],
    "multinomial": [("scikit-learn newton-cg", 1e-10, {}), ("skkd", 1e-13, {})],
}
REFERENCES["enet"] = REFERENCES["lasso"]
CERTIFIED = 1e-12


@dataclass(frozen=True)
class Rung:
    """One fit of a ladder: where it was, how long it took and what it reached, for each alpha."""

    name: str
    setting: dict
    tol: float
    seconds: float
    values: np.ndarray


@dataclass
class Optimum:
    """Least values of the objective, one for each alpha, and their relative duality gap."""

    values: np.ndarray
    gap: float


@dataclass
class Scouting:
    """All rungs of a problem, and why methods that have none, or no target, stopped."""

    rungs: list = field(default_factory=list)
    words: dict = field(default_factory=dict)

    def cheapest(self, name, best, target):
        """Return the fastest rung of a method within a target, and None if there is none."""
        inside = [r for r in self.rungs if r.name == name and missing(r, best) <= target]
        return min(inside, key=lambda rung: rung.seconds, default=None)

    def closest(self, name, best):
        """Return the least relative sub-optimality a method reached."""
        return min((missing(r, best) for r in self.rungs if r.name == name), default=np.inf)


def missing(rung, best) -> float:
    """Relative sub-optimality of a rung: the worst over the alphas."""
    return float(np.max((rung.values - best.values) / best.values))


def optimum(problem, worker, seconds=120.0) -> Optimum:
    """Compute the least objective and certify it."""
    found = Optimum(np.full(len(problem.alphas), np.inf), np.inf)
    for name, tol, setting in REFERENCES[problem.spec.family]:
        if name not in applicable(problem) or not PEERS[name].installed:
            continue
        try:
            _, coef, intercept = worker.fit(name, problem.spec, tol, setting, seconds)
        except (Overdue, RuntimeError):
            continue
        solution = polish(problem, (coef, intercept))
        at = values(problem, solution)
        if np.all(at <= found.values):
            found = Optimum(at, float(np.max(duality_gap(problem, solution) / at)))
        if found.gap <= CERTIFIED:
            break
    return found


def scout(problem, best, targets, workers, seconds, names=None, coarse=False) -> Scouting:
    """Let every method climb; `best` is lowered where one finds a better point.

    Parameters
    ----------
    problem : Problem
        The problem.
    best : Optimum
        From :func:`optimum`.
    targets : sequence of float
        Relative sub-optimalities, loosest first.
    workers : dict
        The process for a method that runs elsewhere, and under ``None`` that of the others.
    seconds : float
        Limit of one fit.
    names : collection of str, optional
        Only these methods.
    coarse : bool, default=False
        Try the first setting of each method only, whole decades, each once.
    """
    found = Scouting()
    fastest = np.inf
    for name, settings in applicable(problem).items():
        if names is not None and name not in names:
            continue
        worker = workers.get(name if PEERS[name].elsewhere else None)
        if worker is None or not (PEERS[name].elsewhere or PEERS[name].installed):
            found.words[name] = NOT_INSTALLED
            continue
        for setting in settings[:1] if coarse else settings:
            limit = min(seconds, max(PATIENCE, HOPELESS * fastest) / (3 if coarse else 1))
            ladder = _Ladder(name, setting, problem, worker, best, targets, limit, coarse)
            words = ladder.climb()
            found.rungs += ladder.rungs
            if words:
                found.words[name] = words
            reached = [r.seconds for r in ladder.rungs if missing(r, best) <= targets[-1]]
            fastest = min([fastest, *reached])
    every = [rung.values for rung in found.rungs] + [best.values]
    best.values = np.min(every, axis=0)
    return found


class _Ladder:
    def __init__(self, name, setting, problem, worker, best, targets, limit, coarse):
        self.name, self.setting, self.problem = name, setting, problem
        self.worker, self.best, self.targets, self.limit = worker, best, targets, limit
        self.coarse, self.rungs = coarse, []

    def climb(self):
        """Fit until the tightest target is reached; return why it was not, or nothing."""
        peer = PEERS[self.name]
        try:
            for exponent in range(peer.loosest, peer.tightest - 1, -1):
                before = self.rungs[-1] if self.rungs else None
                rung = self._fit(10.0**exponent)
                if before is not None and not self.coarse:
                    self._half_decade(before, rung, 10.0 ** (exponent + 0.5))
                if missing(rung, self.best) <= self.targets[-1]:
                    return ""
        except Overdue:
            return f"over {self.limit:.3g} s"
        except RuntimeError as error:
            return f"failed: {error}"
        return "tightest tolerance misses"

    def _half_decade(self, before, rung, tol):
        start, end = missing(before, self.best), missing(rung, self.best)
        if any(end <= target < start for target in self.targets) and rung.seconds > 1e-3:
            self._fit(tol)

    def _fit(self, tol):
        order = (self.name, self.problem.spec, tol, self.setting, self.limit)
        if not self.rungs:
            self.worker.fit(*order)  # imports and compiles
        seconds, coef, intercept = self.worker.fit(*order)
        if seconds > self.limit or (seconds < REPEAT_BELOW and not self.coarse):
            # Too short to be trusted, or perhaps something was compiled.
            seconds = min(seconds, self.worker.fit(*order)[0])
        if seconds > self.limit:
            raise Overdue
        at = values(self.problem, (coef, intercept))
        rung = Rung(self.name, self.setting, tol, seconds, at)
        self.rungs.append(rung)
        return rung
