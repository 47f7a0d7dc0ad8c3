"""Optimum of ``0.5 |A x - b|^2 + alpha sum(x)`` over ``x >= 0``, certified, without descent.

An active-set method in the manner of Lawson and Hanson: the free coordinates solve their normal
equations exactly, so the only error left is that of a Cholesky solve. It shares no code with the
methods that are measured against it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

_MAX_ROUNDS = 10_000


@dataclass(frozen=True)
class Optimum:
    """What is known at the optimum.

    Parameters
    ----------
    x : array of shape (p,)
        The minimiser.
    gradient : array of shape (p,)
        Gradient of the whole objective there: 0 where x > 0 and not negative elsewhere.
    value : float
        The minimum.
    duality_gap : float
        Certificate: the value is at most this much above the minimum.
    """

    x: np.ndarray
    gradient: np.ndarray
    value: float
    duality_gap: float

    @property
    def support(self) -> np.ndarray:
        """Indices of the coordinates that are not zero."""
        return np.flatnonzero(self.x)

    @property
    def margin(self) -> float:
        """Delta of the theory: the smallest gradient of a coordinate at zero."""
        return float(self.gradient[self.x == 0].min())


def nonnegative_least_squares(A, b, alpha: float) -> Optimum:
    """Solve the problem; raises if the certificate is not at the level of rounding."""
    x = np.zeros(A.shape[1])
    free = np.zeros(A.shape[1], dtype=bool)
    scale = float(np.abs(A.T @ b).max())
    for _ in range(_MAX_ROUNDS):
        gradient = A.T @ (A @ x - b) + alpha
        entering = np.where(free, 0.0, gradient)
        if entering.min() > -1e-11 * scale:
            return _certified(A, b, alpha, x, free)
        free[entering.argmin()] = True
        x, free = _solve_free(A, b, alpha, x, free)
    raise RuntimeError(f"no optimum of the penalised problem after {_MAX_ROUNDS} rounds")


def _solve_free(A, b, alpha, x, free):
    """Move towards the solution on the free coordinates, dropping those that reach zero."""
    while True:
        chosen = np.flatnonzero(free)
        target = _normal_equations(A, b, alpha, chosen)
        if (target > 0).all():
            x = np.zeros_like(x)
            x[chosen] = target
            return x, free
        falling = target <= 0
        share = x[chosen][falling] / (x[chosen][falling] - target[falling])
        step = float(share.min())
        moved = x[chosen] + step * (target - x[chosen])
        moved[np.flatnonzero(falling)[share <= step]] = 0.0
        x = np.zeros_like(x)
        x[chosen] = np.maximum(moved, 0.0)
        free = x > 0


def _normal_equations(A, b, alpha, chosen):
    columns = A[:, chosen]
    columns = columns.toarray() if hasattr(columns, "toarray") else columns
    factor = cho_factor(columns.T @ columns)
    x = cho_solve(factor, columns.T @ b - alpha)
    for _ in range(2):  # refinement: the last digits are compared with
        x += cho_solve(factor, columns.T @ (b - columns @ x) - alpha)
    return x


def _certified(A, b, alpha, x, free):
    residual = A @ x - b
    gradient = A.T @ residual + alpha
    gradient[free] = 0.0
    value = 0.5 * float(residual @ residual) + alpha * float(x.sum())
    # Dual: max -0.5 |u|^2 - b'u over A'u + alpha >= 0, at u = the residual, shrunk until it fits.
    shrink = min(1.0, alpha / max(float((-(A.T @ residual)).max()), 1e-300))
    dual = -0.5 * shrink**2 * float(residual @ residual) - shrink * float(b @ residual)
    gap = value - dual
    if not abs(gap) <= 1e-9 * abs(value):
        raise RuntimeError(f"the optimum has a duality gap of {gap:g} at the value {value:g}")
    return Optimum(x, np.maximum(gradient, 0.0), value, max(gap, 0.0))
