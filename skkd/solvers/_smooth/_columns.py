"""The objective on scaled columns: L-BFGS in single precision, in metrics of the Gram matrix.

For sparse matrices, which are neither scaled nor copied, the same in double precision.
"""

import numpy as np

from ._descent import descend
from ._losses import make_loss
from ._metrics import Metric
from ._objective import CorrectedObjective
from ._rows import DenseRows
from ._scaling import Scaling

__all__ = ["ColumnModel"]

_MAX_PASSES = 60  # between exact evaluations
_PART = 25  # rows per column of the part from which the first solution comes
_PART_PASSES = 20
_PART_TOL = 1e-3
_AIM = 0.3  # share of the tolerance aimed at
_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
_FALL = {_SINGLE: 2e-12, _DOUBLE: 1e-26}
_PATIENCE = {_SINGLE: 4, _DOUBLE: 30}


class ColumnModel:
    """Model of the objective with a scaled copy of the rows.

    Parameters
    ----------
    problem : LinearProblem
        The problem.
    loss : loss
        Its loss.
    exact : Exact
        Its evaluation in double precision.
    cold : bool
        Whether nothing is known of the solution.
    """

    def __init__(self, problem, loss, exact, cold):
        self.problem, self.loss, self.exact, self.cold = problem, loss, exact, cold
        if exact.rows.sparse:
            self.scaling = Scaling.identity(problem.X.shape[1])
        else:
            self.scaling = Scaling.of_columns(problem.X, problem.fit_intercept)
        self._reg = problem.l2 * self.scaling.scale**2
        self._copy(_SINGLE)

    def minimise(self, W, b, point, tol):
        """Coefficients and intercepts near the minimum, from (W, b), whose exact point is given.

        Parameters
        ----------
        W, b : arrays of shape (p, k) and (k,)
            Where to start.
        point : Point or None
            The objective there; None where nothing is known and W is zero.
        tol : float
            Duality gap wanted.
        """
        if point is None and self.loss.quadratic:  # the one step that is needed should be exact
            point = self.exact.at(W, b)
        x = np.zeros_like(W)
        if point is None:
            start, base = None, np.zeros_like(b)
            x, b = self._first_guess(x, b)
        else:
            W, b, base = point.W, point.b - point.step, point.b - point.step
            start = point.Z, point.R, self.scaling.gradient(point.G)
        # A residual in single precision is good enough until it is compared with an exact one.
        single = point is None and self.loss.n_outputs > 1
        dtype = self.rows.dtype if single else _DOUBLE
        objective = self._objective(self.rows, self.loss, start, dtype)
        objective.intercept = b - base
        x = self._descend(objective, x, self._metric, tol * _AIM, _MAX_PASSES, self._pairs)
        return self.scaling.to_parameters(x, W, base + objective.intercept)

    def halfway(self, W, b, point):
        """Between (W, b) and a point."""
        return 0.5 * (W + point.W), 0.5 * (b + point.b)

    def violation(self, point):
        """Half the squared Newton decrement, in the metric of the last step."""
        g = self.scaling.gradient(point.G)
        return 0.5 * float(np.vdot(g, self._metric.current.solve(g)))

    def more_precise(self):
        """Go over to double precision; False if that has been done."""
        if self.rows.dtype == _DOUBLE:
            return False
        self._copy(_DOUBLE)
        return True

    def _copy(self, dtype):
        if self.exact.rows.sparse:
            self.rows = self.exact.rows
        else:
            self.rows = DenseRows(self.scaling.rows(self.problem.X, dtype), dtype)
        self._metric = Metric(
            self.rows,
            self.loss,
            self._reg,
            self.problem.fit_intercept,
            every_row=self.loss.quadratic,
        )
        self._pairs = []

    def _objective(self, rows, loss, start=None, dtype=_DOUBLE):
        return CorrectedObjective(rows, loss, self._reg, self.problem.fit_intercept, start, dtype)

    def _descend(self, objective, x, metric, tol, max_passes, pairs):
        l2 = self.problem.l2
        inverse = 1.0 / self.scaling.scale[:, None]

        def measure(g, square):
            return float(np.sum((g * inverse) ** 2)) / (2.0 * l2) if l2 > 0.0 else 0.5 * square

        dtype = self.rows.dtype
        options = {"fall": _FALL[dtype], "patience": _PATIENCE[dtype]}
        return descend(
            objective, x, metric, measure, tol, max_passes=max_passes, pairs=pairs, **options
        )

    def _first_guess(self, x, b):
        """Solution on some of the rows, where there are many for each column."""
        n, p = self.rows.shape
        stride = n // (_PART * p)
        if stride < 4 or self.loss.n_outputs > 1:
            return x, b
        part = self.rows.part(stride)
        loss = make_loss(self.problem, slice(None, None, stride))
        objective = self._objective(part, loss)
        objective.intercept = b
        metric = Metric(part, loss, self._reg, self.problem.fit_intercept)
        x = self._descend(objective, x, metric, _PART_TOL, _PART_PASSES, [])
        return x, objective.intercept
