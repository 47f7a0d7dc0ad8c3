r"""Bounds on coordinates: the penalty is zero inside and infinite outside.

The proximal map is the projection, whatever the step; the conjugate is the support function
:math:`\sum_j \max(l_j u_j, h_j u_j)` of the box :math:`[l, h]`.
"""

import math

import numpy as np

from ._base import Penalty
from ._checks import at, numbers, spread

__all__ = ["Box", "NonNegative"]


class Box(Penalty):
    r"""Bounds, ``lower <= x <= upper``.

    Parameters
    ----------
    lower : float or array of shape (n_variables,)
        Lower bounds; minus infinity for none.
    upper : float or array of shape (n_variables,)
        Upper bounds; infinity for none.

    See Also
    --------
    NonNegative : The lower bound zero alone.
    skkd.objectives.SVMDual : A problem with bounds.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.penalties import Box
    >>> penalty = Box(0.0, [1.0, 2.0])
    >>> penalty.prox(np.array([3.0, -1.0]), 0.1)
    array([1., 0.])
    >>> penalty.value(np.array([3.0, 1.0]))
    inf
    """

    def __init__(self, lower, upper):
        self.lower = numbers(lower, "lower")
        self.upper = numbers(upper, "upper")
        if np.isnan(self.lower).any() or np.isnan(self.upper).any():
            raise ValueError("a bound is NaN; use -inf or inf where there is none")
        if np.any(self.lower > self.upper) or np.any(self.lower == math.inf):
            raise ValueError("a lower bound lies above its upper bound; exchange the two")
        if np.any(self.upper == -math.inf):
            raise ValueError("an upper bound is minus infinity, which no number satisfies")

    def coordinate_value(self, x_b, block=None):
        outside = (x_b < at(self.lower, block)) | (x_b > at(self.upper, block))
        return np.where(outside, math.inf, 0.0)

    def pieces(self, block):
        """Numbers ``l1, l2, lower, upper`` of each coordinate of a block."""
        none = np.zeros(len(block))
        return none, none.copy(), spread(self.lower, block), spread(self.upper, block)

    def prox(self, v, step, block=None):
        return np.clip(v, at(self.lower, block), at(self.upper, block))

    def subdiff_distance(self, x, G):
        # At a bound the normal cone takes up a gradient that pushes against it.
        up = np.where(x < self.upper, np.maximum(-G, 0.0), 0.0)
        down = np.where(x > self.lower, np.maximum(G, 0.0), 0.0)
        outside = (x < self.lower) | (x > self.upper)
        return np.where(outside, math.inf, up + down)

    def support(self, x):
        return (x > self.lower) & (x < self.upper)

    def conjugate(self, u):
        bound = np.where(u > 0, self.upper, self.lower)
        return float(np.sum(np.where(u == 0, 0.0, u) * np.where(u == 0, 0.0, bound)))

    def dual_norm(self, u):
        # The domain is a cone: scaling a point moves it neither in nor out.
        return 0.0 if self.conjugate(u) < math.inf else math.inf


class NonNegative(Box):
    r"""The constraint ``x >= 0``.

    See Also
    --------
    L1 : With ``positive=True``, the same with an L1 penalty.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.penalties import NonNegative
    >>> NonNegative().prox(np.array([3.0, -1.0]), 0.1)
    array([3., 0.])
    """

    def __init__(self):
        super().__init__(0.0, math.inf)
