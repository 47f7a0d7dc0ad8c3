"""Newton's method with conjugate gradients in double precision, for what the models cannot solve.

Weak penalties on nearly separable data make Hessians whose smallest eigenvalues single precision
does not see. The models then stagnate above the tolerance; this goes on from where they are.
"""

import numpy as np

from .._newton import newton

__all__ = ["newton_points"]

_MAX_CG = 1000


def newton_points(exact, point):
    """Points after each Newton step from a point; ends where rounding forbids another.

    Parameters
    ----------
    exact : Exact
        The problem.
    point : Point
        Where to start.

    Yields
    ------
    point : Point
        One after each step.
    """
    objective = _Objective(exact, point.W.shape[1])
    start = np.vstack([point.W, point.b - point.step])
    for iterate in newton(objective, start, max_cg=_MAX_CG):
        if iterate.index > 0:
            yield exact.at(iterate.params[:-1], iterate.params[-1])


class _Objective:
    """The problem with coefficients and intercepts in one array of shape (p + 1, k)."""

    def __init__(self, exact, n_outputs):
        self._exact, self._k = exact, n_outputs

    def value_and_gradient(self, V):
        """Objective and its gradient."""
        exact = self._exact
        value, self._R = exact.loss.look(exact.rows.logits(V[:-1]) + V[-1][:, None])
        value += 0.5 * exact.l2 * float(np.vdot(V[:-1], V[:-1]))
        return np.float64(value), self._pullback(self._R, V)

    def linearize(self, V):
        """Product with the Hessian at V."""
        exact = self._exact
        _, R = exact.loss.look(exact.rows.logits(V[:-1]) + V[-1][:, None])
        weights = exact.loss.weights
        if self._k == 1:
            curvature = exact.loss.curvature(R)
            return lambda D: self._pullback(curvature * self._image(D), D)
        masses = exact.loss.masses(R)
        inverse = 1.0 / np.where(weights > 0.0, weights, 1.0)

        def product(D):
            image = self._image(D)
            return self._pullback(masses * (image - (masses * image).sum(axis=0) * inverse), D)

        return product

    def diagonal(self):
        """Diagonal of a bound of the Hessian, shape (p + 1, 1)."""
        bound = self._exact.rows.column_squares(self._exact.loss.weights)[0] + self._exact.l2
        return np.append(np.maximum(bound, 1e-300), 1.0)[:, None]

    def _image(self, D):
        intercept = D[-1] if self._exact.fit_intercept else 0.0 * D[-1]
        return self._exact.rows.logits(D[:-1]) + intercept[:, None]

    def _pullback(self, R, V):
        intercept = R.sum(axis=1) if self._exact.fit_intercept else np.zeros(self._k)
        return np.vstack([self._exact.rows.pullback(R) + self._exact.l2 * V[:-1], intercept])
