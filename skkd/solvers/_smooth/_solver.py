r"""Penalised smooth linear models: exact gradients outside, single precision inside.

An outer pass evaluates the objective in float64 and certifies its duality gap
(:mod:`skkd.solvers._smooth._exact`). Between two of them L-BFGS minimises the objective on scaled
rows in single precision, corrected to have the exact gradient where it starts, in the metric of a
Cholesky factor of the Hessian on some of the rows (one logit) or of its Kronecker approximation
(softmax). A first solution comes from some of the rows.
"""

import numpy as np
import scipy.sparse as sp

from ..._threads import single_blas_thread
from .._linear_problem import CoefficientIterate
from ._descent import Corrected, descend
from ._exact import Exact
from ._losses import make_loss
from ._metrics import Metric
from ._rows import DenseRows, make_rows
from ._row_space import Kernel, ProductKernel, RowMetric, RowObjective
from ._scaling import Scaling

__all__ = ["SmoothSolver"]

_MAX_PASSES = 60  # of one cycle between exact evaluations
_PART = 25  # rows per column of the part from which the first solution comes
_PART_PASSES = 20
_AIM = 0.3  # share of the tolerance aimed at inside
_PATIENCE = {np.dtype("f4"): 4, np.dtype("f8"): 30}
_FALL = {np.dtype("f4"): 2e-12, np.dtype("f8"): 1e-26}


class SmoothSolver:
    """Solves one problem; see the module docstring.

    Parameters
    ----------
    problem : LinearProblem
        With l1 = 0.
    start : array of shape (p + 1, k), default=None
        Where to start; zeros if None.
    """

    def __init__(self, problem, start=None):
        self.problem = problem
        self.loss = make_loss(problem)
        self.exact = Exact(problem, self.loss)
        p, k = problem.X.shape[1], problem.n_outputs
        self.cold = start is None
        self.W = np.zeros((p, k)) if self.cold else np.array(start[:-1], dtype=float)
        self.b = np.zeros(k) if self.cold else np.array(start[-1], dtype=float)
        if k > 1:  # a vector added to all classes changes nothing but the penalty
            self.W -= self.W.mean(axis=1, keepdims=True)
            self.b -= self.b.mean()
        self.passes = 0
        self.index = 0
        self.dtype = np.dtype(np.float64)
        self.pairs = []
        self.rows = self.scaling = self.metric = self.kernel = None

    def iterates(self, tol):
        """Generator of iterates; see :func:`skkd.solvers._smooth.smooth_iterates`."""
        point = None
        if self.cold:
            self.b, value = self.loss.constant(self.problem.fit_intercept)
            yield self._report(self.W, self.b, value, np.inf)
        else:
            point = self._evaluate()
            yield self._iterate(point, None)
        while True:
            with single_blas_thread():
                new = self._cycle(point, tol)
            self.index += 1
            status = self._verdict(point, new)
            point = new
            yield self._iterate(point, status)
            if status is not None:
                return

    # One cycle.

    def _evaluate(self):
        with single_blas_thread():
            return self.exact.at(self.W, self.b)

    def _cycle(self, point, tol):
        """Descend on the rows in single precision, then evaluate exactly."""
        if self.rows is None and self.kernel is None:
            if self._fits_row_space():
                self._prepare_kernel()
            else:
                self._prepare(np.float32)
        if self.kernel is None and point is None and self.loss.quadratic:
            point = self.exact.at(self.W, self.b)
        if self.kernel is not None:
            return self._row_cycle(point, tol)
        x, b = np.zeros_like(self.W), self.b
        if point is None:
            x, b = self._first_guess(x, b)
            base, start = 0.0, None
        else:
            b = base = point.b - point.step
            start = point.Z, point.R, self.scaling.gradient(point.G)
        single = point is None and self.loss.n_outputs > 1
        objective = Corrected(
            self.rows,
            self.loss,
            self.reg,
            self.problem.fit_intercept,
            start,
            self.dtype if single else np.float64,
        )
        objective.intercept = b - base
        x, passes = self._descend(objective, x, self.metric, tol * _AIM, _MAX_PASSES, self.pairs)
        self.passes += passes
        return self._accept(point, base + objective.intercept, x)

    def _fits_row_space(self):
        n, p = self.problem.X.shape
        if self.problem.l2 == 0.0 or not self.cold:
            return False
        if self.exact.rows.sparse:
            return p > 4 * n
        return p > n and (n <= 2000 or p > 4 * n)

    def _prepare_kernel(self):
        n, p = self.problem.X.shape
        if self.exact.rows.sparse or n > 2000:
            self.kernel = ProductKernel(self.exact.rows)
            mean = np.zeros(p)
        else:
            mean = self.problem.X.mean(axis=0, dtype=float) if self.problem.fit_intercept else np.zeros(p)
            self.kernel = Kernel(self.problem.X, mean)
        self.mean = mean
        self.metric = RowMetric()
        self.a = np.zeros((self.loss.n_outputs, n))
        self.ratio = 1.0

    def _row_cycle(self, point, tol):
        objective = RowObjective(self.kernel, self.loss, self.problem.l2, self.problem.fit_intercept)
        base = self.mean @ self.W
        objective.intercept = self.b + base

        def measure(c, square):
            return objective.gap(c) * self.ratio

        self.a, passes = descend(
            objective, self.a, self.metric, measure, tol * _AIM,
            max_passes=_MAX_PASSES, pairs=self.pairs,
        )
        self.passes += passes
        W = self.exact.rows.pullback(self.a)
        if self.mean.any():
            W -= np.outer(self.mean, self.a.sum(axis=1))
        new = self.exact.at(W, objective.intercept - self.mean @ W)
        self.W, self.b = new.W, new.b
        return new

    def _descend(self, objective, x, metric, tol, max_passes, pairs):
        inverse = 1.0 / self.scaling.scale[:, None]
        l2 = self.problem.l2

        def measure(g, square):
            if l2 == 0.0:
                return 0.5 * square
            return float(np.sum((g * inverse) ** 2)) / (2.0 * l2)

        return descend(
            objective,
            x,
            metric,
            measure,
            tol,
            max_passes=max_passes,
            pairs=pairs,
            fall=_FALL[self.rows.dtype],
            patience=_PATIENCE[self.rows.dtype],
        )

    def _accept(self, point, base, x):
        """The exact point after a move x, which is halved as long as the objective rises."""
        W0 = self.W if point is None else point.W
        limit = np.inf if point is None else point.value + 1e-12 * abs(point.value)
        for _ in range(30):
            W, b = self.scaling.to_parameters(x, W0, base)
            new = self.exact.at(W, b)
            if new.value <= limit:
                break
            x = 0.5 * x
        self.W, self.b = new.W, new.b
        return new

    # What is computed once.

    def _prepare(self, dtype):
        X = self.problem.X
        if sp.issparse(X):
            self.scaling = Scaling.identity(X.shape[1])
            self.rows = self.exact.rows
        else:
            if self.scaling is None:
                self.scaling = Scaling.of_columns(X, self.problem.fit_intercept)
            self.rows = DenseRows(self.scaling.rows(X, dtype), dtype)
        self.dtype = self.rows.dtype
        self.reg = self.problem.l2 * self.scaling.scale**2
        self.metric = Metric(
            self.rows,
            self.loss,
            self.reg,
            self.problem.fit_intercept,
            every_row=self.loss.quadratic,
        )

    def _first_guess(self, x, b):
        """Solution on some of the rows, where there are many for each column."""
        n, p = self.rows.shape
        stride = n // (_PART * p)
        if stride < 4 or self.loss.n_outputs > 1:
            return x, b
        part = self.rows.part(stride)
        loss = make_loss(self.problem, slice(None, None, stride))
        objective = Corrected(part, loss, self.reg, self.problem.fit_intercept)
        objective.intercept = b
        metric = Metric(part, loss, self.reg, self.problem.fit_intercept)
        x, _ = self._descend(objective, x, metric, 1e-3, _PART_PASSES, [])
        return x, objective.intercept

    # What is told.

    def _verdict(self, old, new):
        return None

    def _iterate(self, point, status):
        return self._report(point.W, point.b, point.value, point.gap, status)

    def _report(self, W, b, value, gap, status=None):
        return CoefficientIterate(
            np.vstack([W, b]), value, gap, index=self.index, status=status
        )
