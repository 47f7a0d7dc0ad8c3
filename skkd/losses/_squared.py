r"""Squared loss :math:`\tfrac12 \|y - z\|^2`, summed over outputs."""

from .._backend import namespace
from ._base import Loss, weighted

__all__ = ["SquaredLoss"]


class SquaredLoss(Loss):
    """Half squared error; ``target.y`` holds values of shape (n,) or (n, k)."""

    curvature = 1.0
    diagonal_curvature = 1.0

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        y = target.y if target.y.ndim == 2 else target.y[:, None]
        residual = Z - y
        return 0.5 * xp.sum(residual**2, axis=1), residual

    def linearize(self, Z, target, weight):
        return lambda V: weighted(weight, V)
