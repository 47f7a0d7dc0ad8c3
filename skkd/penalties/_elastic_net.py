r"""L1, squared L2 and elastic net penalties.

With :math:`\lambda = s \alpha \rho` and :math:`\mu = s \alpha (1 - \rho)` the proximal map of step
:math:`s` is :math:`\mathrm{sign}(v) \max(0, |v| - \lambda) / (1 + \mu)`, and the conjugate is
:math:`\max(0, |u| - \alpha \rho)^2 / (2 \alpha (1 - \rho))`.
"""

import math
from numbers import Real

import numpy as np

from ._base import ROUNDING, Penalty
from ._checks import at, ratio, spread, strength

__all__ = ["L1", "L2", "ElasticNet"]


class ElasticNet(Penalty):
    r"""Elastic net, ``alpha (l1_ratio |x|_1 + (1 - l1_ratio) |x|^2 / 2)``.

    Parameters
    ----------
    alpha : float >= 0 or array of shape (n_variables,)
        Strength, or one for each coordinate; 0 leaves a coordinate, such as an intercept, free.
    l1_ratio : float in [0, 1]
        Share of the L1 part.
    positive : bool, default=False
        Whether to forbid negative coordinates.

    See Also
    --------
    L1 : The ratio 1.
    L2 : The ratio 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.penalties import ElasticNet
    >>> penalty = ElasticNet(1.0, 0.5)
    >>> penalty.value(np.array([2.0, 0.0]))
    2.0
    >>> penalty.prox(np.array([2.0, 0.1]), 1.0)
    array([1., 0.])
    """

    def __init__(self, alpha, l1_ratio, *, positive=False):
        if not isinstance(l1_ratio, Real) or not 0 <= l1_ratio <= 1:
            raise ValueError(f"l1_ratio is {l1_ratio!r}, but must lie between 0 and 1")
        self.alpha = strength(alpha)
        self.l1_ratio = float(l1_ratio)
        self.positive = bool(positive)
        self._l1 = self.alpha * self.l1_ratio
        self._l2 = self.alpha * (1.0 - self.l1_ratio)

    def coordinate_value(self, x_b, block=None):
        l1, l2 = at(self._l1, block), at(self._l2, block)
        value = l1 * np.abs(x_b) + 0.5 * l2 * x_b**2
        return np.where(x_b < 0, math.inf, value) if self.positive else value

    def pieces(self, block):
        """Numbers ``l1, l2, lower, upper`` of each coordinate of a block."""
        tau = len(block)
        l1, l2 = spread(self._l1, block), spread(self._l2, block)
        lower = np.full(tau, 0.0 if self.positive else -math.inf)
        return l1, l2, lower, np.full(tau, math.inf)

    def prox(self, v, step, block=None):
        l1, l2 = at(self._l1, block), at(self._l2, block)
        threshold = step * l1
        if self.positive:
            return np.maximum(v - threshold, 0.0) / (1.0 + step * l2)
        return (v - np.clip(v, -threshold, threshold)) / (1.0 + step * l2)

    def subdiff_distance(self, x, G):
        slope = G + self._l1 * np.sign(x) + self._l2 * x
        if self.positive:
            # At zero the subdifferential reaches from minus infinity to the slope of the penalty.
            at_zero = np.maximum(-G - self._l1, 0.0)
            return np.where(x < 0, math.inf, np.where(x == 0, at_zero, np.abs(slope)))
        at_zero = np.maximum(np.abs(G) - self._l1, 0.0)
        return np.where(x == 0, at_zero, np.abs(slope))

    def support(self, x):
        kink = self.positive or self._l1 > 0
        return np.where(kink, x != 0, True)

    def conjugate(self, u):
        size = np.maximum(u, 0.0) if self.positive else np.abs(u)
        excess = np.maximum(size - self._l1, 0.0)
        curved = self._l2 > 0
        inside = 0.5 * excess**2 / np.where(curved, self._l2, 1.0)
        outside = np.where(excess > ROUNDING * self._l1, math.inf, 0.0)
        return float(np.sum(np.where(curved, inside, outside)))

    def dual_norm(self, u):
        size = np.maximum(u, 0.0) if self.positive else np.abs(u)
        bounded = np.where(self._l2 > 0, 0.0, size)
        return float(np.max(ratio(bounded, self._l1), initial=0.0))


class L1(ElasticNet):
    r"""L1 penalty, ``alpha |x|_1``.

    Parameters
    ----------
    alpha : float >= 0 or array of shape (n_variables,)
        Strength, or one for each coordinate; 0 leaves a coordinate, such as an intercept, free.
    positive : bool, default=False
        Whether to forbid negative coordinates.

    See Also
    --------
    GroupL1 : Sets whole groups to zero.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.penalties import L1
    >>> penalty = L1(0.5)
    >>> penalty.prox(np.array([2.0, -0.2]), 1.0)
    array([1.5, 0. ])
    >>> penalty.subdiff_distance(np.array([1.0, 0.0]), np.array([-0.5, 0.7]))
    array([0. , 0.2])
    """

    def __init__(self, alpha, *, positive=False):
        super().__init__(alpha, 1.0, positive=positive)


class L2(ElasticNet):
    r"""Squared L2 penalty, ``alpha |x|^2 / 2``; it has no kink.

    Parameters
    ----------
    alpha : float >= 0 or array of shape (n_variables,)
        Strength, or one for each coordinate; 0 leaves a coordinate, such as an intercept, free.

    See Also
    --------
    ElasticNet : Adds an L1 part.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.penalties import L2
    >>> L2(3.0).prox(np.array([2.0, -4.0]), 1.0)
    array([ 0.5, -1. ])
    """

    def __init__(self, alpha):
        super().__init__(alpha, 0.0)
