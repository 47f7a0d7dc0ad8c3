r"""Working sets: greedy variable blocks, amortised, with an exact inner solver.

Every outer pass computes all correlations :math:`c = X^\top v` once, which yields a certified
duality gap and the score of every coordinate (its violation of the optimality condition, the GS-s
rule). The block is the support and the worst violators; on it a quadratic model is minimised to a
fraction of the violation, by sweeps and then by Newton steps on the support, so that the last
passes converge superlinearly, for the squared loss finitely. Once the support is nearly known,
correlations are computed only for a pool of promising coordinates; the gap is certified by a pass
over all.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's Make Block Coordinate Descent Converge Faster: Faster
Greedy Rules, Message-Passing, Active-Set Complexity, and Superlinear Convergence", Journal of
Machine Learning Research 23(131), 2022.
"""

import numpy as np

from .._linear_problem import CoefficientIterate, NotFiniteError
from ._design import Design
from ._duality import centred_pull, lower_bound, penalty_value
from ._models import GramModel, HessianModel, SoftmaxModel
from ._risks import make_risk
from ._sparse_models import SparseModel

__all__ = ["WorkingSet", "working_set_iterates"]

_FIRST = {False: 100, True: 400}  # coordinates of the first working set: dense, sparse
_SETTLED = 1e-13  # derivative of the risk in a settled intercept; weights sum to one
_ROUNDING = 1e-15  # relative rise of the objective that is no rise
_POOL_GAP = 0.1  # relative gap below which correlations are computed on a pool


def working_set_iterates(problem, start=None, *, tol):
    """Iterate over outer passes.

    Parameters
    ----------
    problem : LinearProblem
        Without groups, and with an L1 norm or a bound.
    start : array of shape (p + 1, k), default=None
        Where to start; zeros if None.
    tol : float
        Absolute duality gap at which the caller will stop; it steers how exactly is solved.

    Yields
    ------
    iterate : CoefficientIterate
        The start first. Its gap is infinite where the last pass saw only a part of the columns.
    """
    return WorkingSet(problem, start).iterates(tol)


class WorkingSet:
    """State of the solver; :meth:`retarget` moves it along a path of penalties."""

    def __init__(self, problem, start=None, *, working_set=True, acceleration="newton"):
        self.problem = problem
        self.k = problem.n_outputs
        self._everything = not working_set
        self._acceleration = acceleration
        self.design = Design(problem.X)
        self.risk = make_risk(problem)
        self.scale = self._null_value()
        self._model = self._make_model()
        n, p = problem.X.shape
        self.members = np.empty(0, dtype=np.intp)
        self.w = np.zeros(p * self.k)
        self.intercept = 0.0 if self.k == 1 else np.zeros(self.k)
        self.margins = np.zeros(n if self.k == 1 else (n, self.k))
        if start is not None:
            self._start_from(np.asarray(start, dtype=float))
        self.index = 0
        self._pool = None
        self._first_violation = None
        self._threshold = None
        self._on_path = False
        self._fresh = None
        self._look(0.0)
        if not np.isfinite(self.correlations).all():
            raise NotFiniteError("the correlations of X with the residuals are not finite")

    def _null_value(self):
        """The risk of the best intercept alone, against which gaps are small or large."""
        n = self.problem.X.shape[0]
        if self.k == 1:
            return self.risk.look(np.zeros(n), 0.0, 1e-3).value
        return self.risk.look(np.zeros((n, self.k)), np.zeros(self.k), 1e-3).value

    def retarget(self, problem):
        """Go on from the present point with other strengths of the penalty on the same data."""
        # The strong rule: correlations are unlikely to grow by more than the strength has fallen.
        self._threshold = 2.0 * problem.l1 - self.problem.l1
        self.problem = problem
        self._model.retarget(problem)
        self.index = 0
        self._on_path = True
        self._pool = None
        if self.whole:  # neither the risk nor the correlations depend on the penalty
            self._measure()
        else:
            self._look(0.0)
        return self

    def _make_model(self):
        if self.k > 1:
            cls = SoftmaxModel
        elif self.design.sparse:
            cls = SparseModel
        else:
            cls = GramModel if self.risk.quadratic else HessianModel
        return cls(self.problem, self.design, self.risk, self._acceleration)

    def _start_from(self, start):
        self.w = np.clip(start[:-1].ravel(), self.problem.lower, self.problem.upper)
        self.intercept = float(start[-1, 0]) if self.k == 1 else start[-1].copy()
        self.members = np.flatnonzero(self.w)
        self._model.change(np.empty(0, dtype=np.intp), self.members)
        self.margins = self._product(self.members, self.w[self.members])

    def iterates(self, tol):
        """Endless generator of iterates; see :func:`working_set_iterates`."""
        yield self._iterate()
        stalled = 0
        while True:
            before = (self.value, self.gap) if self.whole else (np.inf, np.inf)
            self._advance(tol)
            self.index += 1
            better = not self.whole or self.value < before[0] or self.gap < before[1]
            stalled = 0 if better else stalled + 1
            yield self._iterate("stagnated" if stalled == 2 else None)

    def _iterate(self, status=None):
        params = np.empty((self.problem.X.shape[1] + 1, self.k))
        params[:-1] = self.w.reshape(-1, self.k)
        params[-1] = self.intercept
        gap = self.gap if self.whole else np.inf
        violation = np.nan
        if self.gap == np.inf:  # no dual point: how far the optimality conditions have come
            gap, violation = np.nan, self.scale * self._relative_violation()
        return CoefficientIterate(
            params, self.value, gap, violation, self.index, status, block=self.members
        )

    def _relative_violation(self):
        """Largest violation of all coordinates, relative to the largest at the first look."""
        worst = float(self._violations(self.w, self.correlations - self.problem.l2 * self.w).max())
        self._first_violation = max(self._first_violation or worst, 1e-300)
        return worst / self._first_violation

    def _advance(self, tol):
        """One outer pass."""
        if not self.whole and self.gap <= tol:
            self._pool = None
            self._look(0.0)
            return
        self._choose_members()
        w = self.w[self.members]
        q = self.correlations[self.members] - self.problem.l2 * w
        violation = float(self._violations(w, q).max(initial=0.0))
        new, shift = self._model.minimise(w, q, self.look, self._inner_share())
        self._move(w, new, shift)
        self._choose_pool()
        self._look(1e-3 * violation)

    def _inner_share(self):
        if self._on_path or self.gap < 1e-6 * self.value or self._n_new == 0:
            return 1e-3
        return 0.3

    # The working set.

    def _choose_members(self):
        """Drop the idle members and add the worst violators among the others."""
        w = self.w[self.members]
        near = np.abs(self.correlations[self.members]) >= 0.95 * self.problem.l1
        kept = np.flatnonzero((w != 0.0) | near)
        if self._everything or (self.risk.quadratic and kept.size > 0.8 * w.size):
            kept = np.arange(w.size)  # taking out a few costs more than to carry them along
        new = self._violators(max(20, np.count_nonzero(w)))
        self._n_new = new.size
        self._model.change(kept, new)
        self.members = np.concatenate([self.members[kept], new])

    def _violators(self, room):
        threshold = self.problem.l1 if self._threshold is None else self._threshold
        self._threshold = None
        sided = self.correlations if self.problem.lower == 0.0 else np.abs(self.correlations)
        violations = sided - threshold
        violations[self.members] = 0.0
        found = np.flatnonzero(violations > 0.0)
        if self._everything:
            return np.setdiff1d(np.arange(self.w.size), self.members)
        if not self.members.size:
            room = self._first_room()
        if found.size > room:
            worst = np.argpartition(-violations[found], room - 1)[:room]
            found = np.sort(found[worst])
        return found

    def _first_room(self):
        """Size of the first working set: smaller where rows are many and columns few."""
        room = _FIRST[self.design.sparse]
        if self.problem.X.shape[0] <= 2000:
            return room
        return min(room, max(20, self.w.size // 10))

    def _violations(self, w, q):
        """How far each member is from its optimality condition."""
        l1 = self.problem.l1
        excess = np.where(w == 0.0, np.maximum(np.abs(q) - l1, 0.0), np.abs(q - l1 * np.sign(w)))
        if self.problem.lower == 0.0:
            excess = np.where(w == 0.0, np.maximum(q - l1, 0.0), excess)
        outward = ((w >= self.problem.upper) & (q >= l1)) | ((w <= self.problem.lower) & (q <= -l1))
        return np.where(outward, 0.0, excess)

    # The step.

    def _move(self, w, new, shift):
        """Take the model's step; halve it until the objective falls, if the model is not exact."""
        step = new - w
        moved = np.flatnonzero(step)
        if self.risk.quadratic:
            self.w[self.members] = new
            support = self.members[new != 0.0]
            self.margins = self._product(support, self.w[support])
            return
        change = self._product(self.members[moved], step[moved])
        t = 1.0
        for _ in range(40):
            trial = w + t * step if t < 1.0 else new
            margins = self.margins + t * change
            look = self.risk.look(margins, self.intercept + t * shift)
            value = look.value + penalty_value(self.problem, trial)
            if value <= self.value + _ROUNDING * abs(self.value):
                self.w[self.members] = trial
                self.margins, self.intercept, self._fresh = margins, look.intercept, look
                return
            t *= 0.5

    def _product(self, coordinates, values):
        if self.k == 1:
            return self.design.product(coordinates, values)
        features, where = np.unique(coordinates // self.k, return_inverse=True)
        coef = np.zeros((features.size, self.k))
        coef[where, coordinates % self.k] = values
        return self.design.product(features, coef)

    # What is known at the present point.

    def _look(self, tol):
        """The risk, the correlations of the pool, or of all without one, and the gap.

        A look at all coordinates certifies the gap, for which the intercept must be settled; else
        its derivative is brought down to `tol`.
        """
        self.whole = self._pool is None
        self.look = self.risk.refine(
            self._fresh, self.margins, self.intercept, _SETTLED if self.whole else tol
        )
        self._fresh = None
        self.intercept = self.look.intercept
        pull = centred_pull(self.problem, self.risk, self.look)
        if self.whole:
            self.correlations = self.design.correlations(pull).ravel()
        else:
            seen, design = self._pool
            self.correlations = np.zeros(self.w.size)
            self.correlations[seen] = design.correlations(pull)
        self._measure()

    def _measure(self):
        """Objective and gap, from what the last look has shown."""
        seen = slice(None) if self.whole else self._pool[0]
        self.value = self.look.value + penalty_value(self.problem, self.w[self.members])
        bound = lower_bound(
            self.problem, self.risk, self.look, self.correlations[seen], self.w[seen]
        )
        self.gap = np.float64(max(self.value - bound, 0.0))

    def _choose_pool(self):
        """Once the support is nearly known, look only at coordinates that may yet enter it."""
        if self._pool is not None or self.k > 1 or self._everything:
            return
        if self.index < (3 if self._on_path else 1) or self.gap > _POOL_GAP * self.value:
            return
        pool = np.flatnonzero(np.abs(self.correlations) > 0.5 * self.problem.l1)
        pool = np.union1d(pool, self.members)
        if pool.size < self.w.size // 3:
            self._pool = pool, self.design.part(pool)
