r"""The ridge of a datafit, :math:`\tfrac12 \sum_j \lambda_j x_j^2`."""

import math
from numbers import Real

import numpy as np

__all__ = ["Ridge"]


class Ridge:
    """Squares of the variables with one strength, or with one for each variable.

    Parameters
    ----------
    l2 : float >= 0 or array-like of shape (n,)
        Strengths.
    n : int
        Number of variables.
    """

    def __init__(self, l2, n):
        self.strength = _strength(l2, n)
        self.largest = float(np.max(self.strength))

    def value(self, x):
        """Its value."""
        return 0.5 * float((self.strength * x) @ x)

    def of(self, block=None):
        """Strength of the variables in `block`, of all without one."""
        scalar = block is None or isinstance(self.strength, float)
        return self.strength if scalar else self.strength[block]

    def add_to(self, matrix, block=None):
        """`matrix`, the Hessian in `block` without the ridge, with it."""
        if self.largest > 0.0:
            matrix[np.diag_indices_from(matrix)] += self.of(block)
        return matrix

    def along(self, x, block, d):
        """Coefficients of 1, t and t^2 in the value at ``x + t U_b d``."""
        pull = self.of(block) * d
        return np.array([self.value(x), x[block] @ pull, 0.5 * (d @ pull)])


def _strength(l2, n):
    """A finite float that is not negative, or an array of such."""
    if isinstance(l2, Real):
        if math.isfinite(l2) and l2 >= 0:
            return float(l2)
    elif not isinstance(l2, str):
        strengths = np.array(l2, dtype=np.float64)
        if strengths.shape == (n,) and np.all((strengths >= 0) & (strengths < np.inf)):
            return strengths
    raise ValueError(
        f"l2 is {l2!r}, but must be a finite number of at least 0, or one such number for each of "
        f"the {n} variables"
    )
