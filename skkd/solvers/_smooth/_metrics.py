r"""Which approximate Hessian, and when: costs are counted in passes over the rows.

A factor of the Gram matrix is computed at once where it costs few passes; otherwise the diagonal
serves until as many passes have been made as the factor costs, so that at most twice the better
choice is paid. It is computed anew where steps show that the curvature has changed.
"""

import numpy as np

from ._preconditioners import CholeskyPreconditioner, DiagonalPreconditioner, Kronecker

__all__ = ["Metric"]

_ROWS_PER_COLUMN = 50  # rows used for a Gram matrix
_AT_ONCE = 15.0  # passes that a factor may cost without asking
_LARGEST = 6000  # order of the largest factor
_LARGEST_SPARSE = 500
_DEVIATION = 0.3
_SURPRISE = 5.0
_DAMPING = 1e-3  # share of the largest curvature


class Metric:
    """Policy of preconditioning for :func:`skkd.solvers._smooth._descent.descend`.

    Parameters
    ----------
    rows : design
        The rows of the objective that is minimised.
    loss : loss
        Of the same rows.
    reg : array of shape (p,)
        Curvature of the penalty in each scaled coefficient.
    fit_intercept : bool
        Whether there are intercepts.
    every_row : bool, default=False
        Use all rows for the Gram matrix.
    """

    def __init__(self, rows, loss, reg, fit_intercept, *, every_row=False):
        self.rows, self.loss = rows, loss
        self.reg, self.fit_intercept = reg, fit_intercept
        n, p = rows.shape
        self.stride = 1 if every_row else max(1, n // (_ROWS_PER_COLUMN * p))
        self.cost = self._cost(n, p, loss.n_outputs)
        self.current = None
        self._built = 0
        self._factored = False
        self._gram = None
        self._damping = 0.0

    def _cost(self, n, p, k):
        """Passes that a factor costs; infinite where it does not fit."""
        if p > (_LARGEST_SPARSE if self.rows.sparse else _LARGEST) or k * p * p > _LARGEST**2:
            return np.inf
        gram = p / (20.0 * self.stride)
        factor = k * p * p / (30.0 * n)
        return (gram + factor) / (1.0 + 0.3 * (k - 1))

    def __call__(self, objective, passes, deviation):
        """The preconditioner for the next step."""
        self._damp(deviation)
        factor = self.cost <= max(_AT_ONCE, passes)
        age = passes - self._built
        stale = (
            factor
            and not self.loss.quadratic
            and deviation > _DEVIATION
            and age >= self.cost * self._share_in_use(objective)
        )
        if self.current is None or (factor and (stale or not self._factored)):
            self.current = self._factor(objective) if factor else self._diagonal(objective)
            self._factored, self._built = factor, passes
        return self.current

    def _damp(self, deviation):
        """Curvature beyond the present rows' in use, where steps meet much more than expected.

        So it is where few rows are short of their margin: others come to be on the way.
        """
        if deviation > _SURPRISE:
            self._damping = max(4.0 * self._damping, _DAMPING)
        elif deviation < _DEVIATION:
            self._damping = 0.25 * self._damping if self._damping > _DAMPING else 0.0

    def _share_in_use(self, objective):
        """Share of the rows that have any curvature: a factor costs so much less."""
        if self.loss.n_outputs > 1:
            return 1.0
        return np.count_nonzero(objective.curvature()) / self.rows.shape[0]

    def _factor(self, objective):
        if self.loss.n_outputs == 1:
            curvature = objective.curvature()
            if self._damping > 0.0:
                curvature = curvature + self._damping * self.loss.weights
            is_newton = self.stride == 1 and self._damping == 0.0
            G = self.centred_gram(curvature)
            return CholeskyPreconditioner(G, self.reg, self.rows.dtype, is_newton)
        if self._gram is None:
            self._gram = self.centred_gram(self.loss.weights)
        return Kronecker(self._gram, objective.class_curvature(), self.reg, self.rows.dtype)

    def centred_gram(self, curvature):
        """``sum_i h_i (a_i - m) (a_i - m)'`` with m the weighted mean, which an intercept makes."""
        G, h, total = self.rows.weighted_gram(curvature, self.stride)
        if self.fit_intercept:
            means = h / max(total, np.finfo(float).tiny)
            G -= np.outer(h, means)
            # What rounding may have left of columns that are nearly constant.
            np.einsum("ii->i", G)[:] += np.finfo(self.rows.dtype).eps * h * means
        return G

    def _diagonal(self, objective):
        if self.loss.n_outputs == 1:
            curvature = objective.curvature()
        else:
            share = np.trace(objective.class_curvature()) / self.loss.n_outputs
            curvature = self.loss.weights * share
        squares, sums = self.rows.column_squares(curvature)
        if self.fit_intercept:
            squares -= sums**2 / max(float(curvature.sum()), np.finfo(float).tiny)
        n, p = self.rows.shape
        return DiagonalPreconditioner(squares, self.reg, 1.0 if p <= 4 * n else 0.5)
