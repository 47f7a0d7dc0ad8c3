r"""Group norms by a working set of groups.

.. math::
    \min_{w, b}\; \sum_i s_i\, \phi(y_i, x_i^\top w + b) + \frac{l_2}{2} \|w\|^2
    + l_1 \sum_g \omega_g \|w_g\| .

An outer pass computes all correlations once. They certify a duality gap and score every group by
:math:`\|X_g^\top v\| / (l_1 \omega_g)`, v the pull of the losses; the worst violators join the
working set, on which a quadratic model is minimised by exact sweeps and Newton steps
(:mod:`._group_quadratic`). For the squared loss the model is the problem, with the intercept
eliminated by centring; for the logistic loss it is the second-order model at the present point,
centred by its own weights, and a line search follows.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's Make Block Coordinate Descent Converge Faster: Faster
Greedy Rules, Message-Passing, Active-Set Complexity, and Superlinear Convergence", Journal of
Machine Learning Research 23(131), 2022.
"""

import numpy as np

from ..._threads import single_blas_thread
from .._linear_problem import CoefficientIterate
from ._design import Design
from ._group_gap import group_norms
from ._group_losses import make_loss

__all__ = ["group_iterates"]

_FIRST = 30  # groups of the first working set, and least number that joins later
_SHARE = 0.3  # of the gap that may remain inside while groups still join
_STUCK = 3  # passes without progress after which rounding is to blame


def group_iterates(problem, start=None, *, tol):
    """Iterate over outer passes.

    Parameters
    ----------
    problem : LinearProblem
        With groups, ``l1 > 0``, and the squared loss or the logistic loss of two classes.
    start : array of shape (p + 1, 1), default=None
        Where to start; zeros if None.
    tol : float
        Absolute duality gap at which the caller will stop; it steers how exactly is solved.

    Yields
    ------
    iterate : CoefficientIterate
        The start first; every gap is certified by a pass over all columns.
    """
    _check(problem)
    return _GroupSolver(problem, start).iterates(tol)


def _check(problem):
    if problem.loss not in ("squared", "log") or problem.n_outputs != 1:
        raise ValueError(
            f"groups need the squared loss or the logistic loss of two classes, got "
            f"{problem.loss!r} with {problem.n_outputs} outputs; fit one model for each class, "
            "for example with OneVsRestClassifier"
        )
    if np.isfinite(problem.lower) or np.isfinite(problem.upper):
        raise ValueError(
            f"groups cannot be combined with bounds, got [{problem.lower}, {problem.upper}]; "
            "drop the bounds or the groups"
        )
    weights = np.asarray(problem.groups.weights)
    if not problem.l1 > 0.0 or not np.all(weights > 0.0) or not np.all(np.isfinite(weights)):
        raise ValueError(
            f"group norms need l1 > 0 and finite positive weights, got l1={problem.l1} and weights "
            f"from {weights.min(initial=np.inf)} to {weights.max(initial=0.0)}; for unpenalised "
            "features give their group a small weight, without any norm use the L2 penalty"
        )
    if np.any(np.diff(problem.groups.starts) <= 0):
        raise ValueError("every group must have a member; leave empty groups out")


class _GroupSolver:
    """State of the solver: the working set, the point and what is known there."""

    def __init__(self, problem, start):
        self.problem = problem
        self.order = np.asarray(problem.groups.order, dtype=np.intp)
        self.starts = np.asarray(problem.groups.starts, dtype=np.intp)
        self.lam = problem.l1 * np.asarray(problem.groups.weights, dtype=float)
        self.design = Design(problem.X)
        self.members = np.empty(0, dtype=np.intp)  # groups of the working set
        self.features = np.empty(0, dtype=np.intp)
        self.index = 0
        with single_blas_thread():
            self.loss = make_loss(problem)
            if start is not None:
                self._start_from(np.asarray(start, dtype=float))
            self._look()

    def _start_from(self, start):
        coef = start[:-1, 0]
        used = group_norms(coef[self.order], self.starts) > 0.0
        self._add(np.flatnonzero(used), coef)
        self.loss.set_intercept(float(start[-1, 0]))

    def iterates(self, tol):
        """Endless generator of iterates."""
        yield self._iterate()
        best, stuck = (self.value, self.gap), 0
        while True:
            with single_blas_thread():
                self._advance(tol)
                self._look()
            self.index += 1
            better = self.value < best[0] * (1.0 - 1e-15) or self.gap < 0.9 * best[1]
            best = min(self.value, best[0]), min(self.gap, best[1])
            stuck = 0 if better or self.grew else stuck + 1
            yield self._iterate("stagnated" if stuck >= _STUCK else None)

    def _iterate(self, status=None):
        params = np.zeros((self.problem.X.shape[1] + 1, 1))
        params[self.features, 0] = self.loss.w
        params[-1, 0] = self.loss.intercept - self.loss.means @ self.loss.w
        if not self.problem.fit_intercept:
            params[-1, 0] = 0.0
        return CoefficientIterate(params, self.value, self.gap, index=self.index, status=status)

    def _look(self):
        """The value, the score of every group and the gap at the present point."""
        pull, inside = self.loss.look()
        correlations = self.design.correlations(pull)
        correlations[self.features] = inside - self.problem.l2 * self.loss.w
        self.scores = group_norms(correlations[self.order], self.starts) / self.lam
        worst = float(self.scores.max())
        self.value, bound = self.loss.bounds(1.0 if worst <= 1.0 else 1.0 / worst)
        self.gap = np.float64(max(self.value - bound, 0.0))  # the driver wants an array

    def _advance(self, tol):
        """Let violators in and minimise on the working set."""
        scores = self.scores.copy()
        scores[self.members] = 0.0
        room = max(_FIRST, np.count_nonzero(self.loss.tau))
        found = np.flatnonzero(scores > 1.0)
        self.grew = found.size > 0
        if found.size > room:
            found = found[np.argpartition(-scores[found], room - 1)[:room]]
        self._add(found)
        if not self.members.size:
            return
        share = _SHARE if found.size else 0.0
        self.loss.minimise(max(0.3 * tol, share * self.gap), self.gap)

    def _add(self, groups, coef=None):
        """Put groups into the working set, with their coefficients or zeros."""
        if not groups.size:
            return
        sizes = np.diff(self.starts)[groups]
        places = np.arange(sizes.sum()) + np.repeat(
            self.starts[groups] - (np.cumsum(sizes) - sizes), sizes
        )
        features = self.order[places]
        self.members = np.concatenate((self.members, groups))
        self.features = np.concatenate((self.features, features))
        self.loss.extend(
            features, sizes, self.lam[groups], None if coef is None else coef[features]
        )
