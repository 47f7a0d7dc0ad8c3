"""The two losses that groups can be had with, on the columns of the working set.

Each keeps the coefficients of the working set and answers three questions: the pull of the losses
at the present point with its products with the columns inside (:meth:`look`), the value and the
dual bound (:meth:`bounds`), and a better point (:meth:`minimise`).
"""

import numpy as np

from ._group_gap import group_norms, quadratic_gap
from ._group_quadratic import GroupQuadratic
from ._risks import make_risk

__all__ = ["make_loss"]


def make_loss(problem, design):
    """The loss of a problem with groups."""
    return (_Squared if problem.loss == "squared" else _Logistic)(problem)


class _Squared:
    """Half the weighted mean of squares.

    Rows are scaled by the roots of their weights and, with an intercept, centred: what remains is
    a quadratic without weights or intercept.
    """

    def __init__(self, problem):
        n = problem.X.shape[0]
        self.weights = np.full(n, 1.0 / n) if problem.weights is None else problem.weights
        self.centred = problem.fit_intercept
        self.root = np.sqrt(self.weights)
        self.intercept = float(self.weights @ problem.y) if self.centred else 0.0
        self.means = np.empty(0)
        self.quadratic = GroupQuadratic(self.root * (problem.y - self.intercept), problem.l2)

    @property
    def w(self):
        return self.quadratic.w

    @property
    def tau(self):
        return self.quadratic.tau

    def extend(self, columns, sizes, lam, w):
        means = columns @ self.weights if self.centred else np.zeros(columns.shape[0])
        self.means = np.concatenate((self.means, means))
        self.quadratic.extend((columns - means[:, None]) * self.root, sizes, lam, w)

    def look(self):
        residual = self.quadratic.residual()
        if self.centred:
            residual -= self.root * (self.root @ residual)
        self.residual = residual
        return self.root * residual, self.quadratic.rows @ residual

    def bounds(self, limit):
        q, r = self.quadratic, self.residual
        value = 0.5 * (r @ r + q.l2 * (q.w @ q.w))
        with_target = r @ q.target
        kappa = min(limit, with_target / (2.0 * value)) if value > 0.0 else limit
        penalty = q.lam @ group_norms(q.w, q.starts)
        return value + penalty, kappa * (with_target - kappa * value)

    def minimise(self, tol, gap):
        self.quadratic.solve(tol, gap)
