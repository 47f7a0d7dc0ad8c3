r"""Penalties: the convex, possibly non-smooth part :math:`g` of ``f(x) + g(x)``.

=====================  =============================================================
penalty                :math:`g(x)`
=====================  =============================================================
:class:`L1`            :math:`\alpha \|x\|_1`
:class:`L2`            :math:`\tfrac{\alpha}{2} \|x\|^2`
:class:`ElasticNet`    :math:`\alpha (\rho \|x\|_1 + \tfrac{1 - \rho}{2} \|x\|^2)`
:class:`GroupL1`       :math:`\alpha \sum_g w_g \|x_g\|`
:class:`Box`           0 where :math:`l \le x \le u`, infinite elsewhere
:class:`NonNegative`   0 where :math:`x \ge 0`, infinite elsewhere
=====================  =============================================================

All but the group penalty are sums over coordinates, :math:`g(x) = \sum_j g_j(x_j)`.
A point is a minimum when :math:`-\nabla f(x)` lies in the subdifferential of :math:`g` at it, and
the duality gap of a linear model uses the conjugate :math:`g^*(u) = \sup_x u^\top x - g(x)`.

Reference: Parikh, N., Boyd, S., "Proximal algorithms", Foundations and Trends in Optimization 1,
2014.
"""

from ._base import Penalty
from ._bounds import Box, NonNegative
from ._elastic_net import L1, L2, ElasticNet
from ._group import GroupL1

__all__ = ["Box", "ElasticNet", "GroupL1", "L1", "L2", "NonNegative", "Penalty"]
