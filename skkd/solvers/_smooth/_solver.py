r"""Penalised smooth linear models: exact gradients outside, single precision inside.

An outer pass evaluates the objective in float64 and certifies its duality gap
(:mod:`skkd.solvers._smooth._exact`). Between two of them a model of the objective is minimised:

- more rows than columns: L-BFGS on scaled rows in single precision, corrected to have the exact
  gradient where it starts, in the metric of a Cholesky factor of the Hessian on some of the rows
  (one logit) or of its Kronecker approximation (softmax); a first solution comes from some of the
  rows (:mod:`._columns`);
- fewer: Newton's method or L-BFGS in the space of the rows (:mod:`._row_space`);
- least squares without a penalty that determine no coefficients uniquely: a singular value
  decomposition, or LSQR for sparse rows (:mod:`._least_norm`).
"""

from contextlib import suppress

import numpy as np

from ..._threads import single_blas_thread
from .._linear_problem import CoefficientIterate, NotFiniteError
from ._columns import ColumnModel
from ._exact import Exact
from ._fallback import newton_points
from ._least_norm import LeastNormModel, SparseLeastNormModel
from ._losses import make_loss
from ._row_space import RowModel

__all__ = ["SmoothSolver"]

_HALVINGS = 10
_EPS = np.finfo(float).eps


class SmoothSolver:
    """Solves one problem; see the module docstring.

    Parameters
    ----------
    problem : LinearProblem
        With ``l1 = 0``, without groups and bounds.
    start : array of shape (p + 1, k), default=None
        Where to start; zeros, with the best intercept, if None.
    """

    def __init__(self, problem, start=None):
        self.problem = problem
        self.loss = make_loss(problem)
        self.exact = Exact(problem, self.loss)
        p, k = problem.X.shape[1], problem.n_outputs
        self.cold = start is None
        self.W = np.zeros((p, k)) if self.cold else np.array(start[:-1], dtype=float)
        self.b = np.zeros(k) if self.cold else np.array(start[-1], dtype=float)
        if not problem.fit_intercept:
            self.b[:] = 0.0
        if k > 1:  # a vector added to all classes changes nothing but the penalty
            self.W -= self.W.mean(axis=1, keepdims=True)
            self.b -= self.b.mean()
        self.index = 0
        self.model = None

    def iterates(self, tol):
        """Generator of iterates; see :func:`skkd.solvers._smooth.smooth_iterates`."""
        point = None
        if self.cold:
            self.b, self._null_value = self.loss.constant(self.problem.fit_intercept)
            yield self._report(self._null_value, np.inf)
        else:
            with single_blas_thread():
                point = self.exact.at(self.W, self.b)
            self.b = point.b
            yield self._report(point.value, point.gap)
        while True:
            with single_blas_thread():
                if self.model is None:
                    self.model = self._choose_model()
                new = self._advance(point, tol)
                violation = self.model.violation(new) if self.problem.l2 == 0.0 else np.nan
            self.index += 1
            status = None if point is None else self._verdict(point, new)
            self.W, self.b, point = new.W, new.b, new
            estimate = new.gap if self.problem.l2 > 0.0 else violation
            if status is not None and not self.loss.quadratic and not estimate <= tol:
                yield from self._go_on(new, violation)
                return
            yield self._report(new.value, new.gap, violation, status)
            if status is not None:
                return

    def _go_on(self, point, violation):
        """From where the model stagnates, Newton's method in double precision."""
        yield self._report(point.value, point.gap, violation)
        for new in newton_points(self.exact, point):
            with single_blas_thread():
                violation = self.model.violation(new) if self.problem.l2 == 0.0 else np.nan
            self.index += 1
            self.W, self.b, point = new.W, new.b, new
            yield self._report(new.value, new.gap, violation)
        yield self._report(point.value, point.gap, violation, "stagnated")

    def _choose_model(self):
        for kind in (LeastNormModel, SparseLeastNormModel, RowModel):
            if kind.fits(self.problem, self.exact, self.cold):
                with suppress(NotFiniteError):  # of columns whose squares overflow
                    return kind(self.problem, self.loss, self.exact)
        return ColumnModel(self.problem, self.loss, self.exact, self.cold)

    def _advance(self, point, tol):
        """Minimise the model and evaluate; go back halfway as long as the objective has risen."""
        W, b = self.model.minimise(self.W, self.b, point, tol)
        new = self.exact.at(W, b)
        if point is None:  # nothing to go back to but the start
            if new.value <= self._null_value * (1.0 + 1e-13):
                return new
            point = self.exact.at(self.W, self.b)
        limit = point.value + 1e-13 * abs(point.value)
        for _ in range(_HALVINGS):
            if new.value <= limit:
                return new
            W, b = self.model.halfway(W, b, point)
            new = self.exact.at(W, b)
        return new if new.value <= limit else self.exact.at(point.W, point.b)

    def _verdict(self, old, new):
        """Stagnated, once neither the gap nor the value falls in double precision."""
        if self.problem.l2 > 0.0:
            falls = new.gap < 0.5 * old.gap
        else:
            falls = np.vdot(new.G, new.G) < 0.25 * np.vdot(old.G, old.G)
        if falls or self.model.more_precise():
            return None
        return None if new.value < old.value - 4.0 * _EPS * abs(old.value) else "stagnated"

    def _report(self, value, gap, violation=np.nan, status=None):
        params = np.vstack([self.W, self.b])
        return CoefficientIterate(params, value, gap, violation, index=self.index, status=status)
