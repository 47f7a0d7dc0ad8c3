r"""Group lasso: the sum of the Euclidean norms of groups of coordinates.

The proximal map of step :math:`s` scales each group by
:math:`\max(0, 1 - s \alpha w_g / \|v_g\|)`, and the conjugate is zero where
:math:`\|u_g\| \le \alpha w_g` for every group.
"""

import math
from numbers import Real

import numpy as np

from ._base import ROUNDING, Penalty
from ._checks import on_host, ratio, strength

__all__ = ["GroupL1"]


class GroupL1(Penalty):
    r"""Group lasso, ``alpha sum_g w_g |x_g|``: whole groups are zero or not.

    Blocks must be unions of whole groups, and the step the same number within a group.

    Parameters
    ----------
    alpha : float >= 0
        Strength.
    groups : array of shape (n_variables,) or list of index arrays
        Label of the group of each coordinate, or the coordinates of each group; every coordinate
        belongs to exactly one.
    weights : array of shape (n_groups,), default=None
        Weight of each group, at least 0, in the order of the sorted labels or of the list. None
        takes the root of its size.

    Attributes
    ----------
    groups : list of ndarray
        Coordinates of each group, ascending where labels were given.
    labels : ndarray of shape (n_variables,)
        Position in ``groups`` of the group of each coordinate.
    weights : ndarray of shape (n_groups,)
        Weight of each group.

    See Also
    --------
    L1 : Groups of one coordinate.

    References
    ----------
    .. [1] Yuan, M., Lin, Y., "Model selection and estimation in regression with grouped
       variables", Journal of the Royal Statistical Society B 68, 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.penalties import GroupL1
    >>> penalty = GroupL1(1.0, [0, 0, 1], weights=[1.0, 1.0])
    >>> penalty.value(np.array([3.0, 4.0, 2.0]))
    7.0
    >>> penalty.prox(np.array([3.0, 4.0, 0.5]), 1.0)
    array([2.4, 3.2, 0. ])
    """

    is_separable = False

    def __init__(self, alpha, groups, *, weights=None):
        if not isinstance(alpha, Real):
            raise ValueError(
                f"alpha is {alpha!r}, but must be one number; give each group a strength of its "
                "own through weights"
            )
        self.alpha = float(strength(alpha))
        self.groups, self.labels = _grouping(groups)
        self._sizes = np.bincount(self.labels)
        self.weights = np.sqrt(self._sizes) if weights is None else strength(weights, "weights")
        if self.weights.shape != self._sizes.shape:
            raise ValueError(
                f"weights has shape {self.weights.shape}, but there are {len(self.groups)} groups"
            )
        self._strengths = self.alpha * self.weights

    def value(self, x):
        return float(self._strengths @ self._norms(x))

    def block_value(self, x_b, block):
        present, members = self._groups_of(block)
        return float(self._strengths[present] @ _group_norms(x_b, members, len(present)))

    def prox(self, v, step, block=None):
        present, members = self._groups_of(block)
        threshold = self._steps(step, members, len(present)) * self._strengths[present]
        norms = _group_norms(v, members, len(present))
        shrunk = np.maximum(norms - threshold, 0.0) / np.where(norms > 0, norms, 1.0)
        return v * shrunk[members]

    def subdiff_distance(self, x, G):
        """Distance of ``-G`` from the subdifferential; each member has that of its group.

        The distance of the whole vector is therefore not the norm of this one; the largest entry
        is the largest distance of a group.
        """
        norms = self._norms(x)
        direction = x / np.where(norms > 0, norms, 1.0)[self.labels]
        smooth = self._norms(G + self._strengths[self.labels] * direction)
        at_zero = np.maximum(self._norms(G) - self._strengths, 0.0)
        return np.where(norms > 0, smooth, at_zero)[self.labels]

    def support(self, x):
        return ((self._norms(x) > 0) | (self._strengths == 0))[self.labels]

    def conjugate(self, u):
        outside = self._norms(u) > (1.0 + ROUNDING) * self._strengths
        return math.inf if np.any(outside) else 0.0

    def dual_norm(self, u):
        return float(np.max(ratio(self._norms(u), self._strengths), initial=0.0))

    def _norms(self, x):
        return _group_norms(x, self.labels, len(self.groups))

    def _groups_of(self, block):
        """Groups in a block, and for each of its coordinates the position of its group in them."""
        if block is None:
            return np.arange(len(self.groups)), self.labels
        present, members = np.unique(self.labels[block], return_inverse=True)
        if np.any(np.bincount(members) != self._sizes[present]):
            raise ValueError(
                "a block holds a part of a group only; with a group penalty blocks must be unions "
                "of whole groups, for instance partition=penalty.groups"
            )
        return present, members

    def _steps(self, step, members, n_groups):
        """Step of each group, from a number or from one for each coordinate."""
        if np.ndim(step) == 0:
            return step
        steps = np.empty(n_groups)
        steps[members] = step
        if np.any(steps[members] != step):
            raise ValueError(
                "the step differs within a group, which has no closed form; pass one step for "
                "each group, such as 1 / block_lipschitz(group)"
            )
        return steps


def _group_norms(x, members, n_groups):
    """Euclidean norm of each group; squares neither overflow nor underflow."""
    peak = np.max(np.abs(x), initial=0.0)
    # A power of two: dividing by it rounds nothing, so a group's norm does not depend on others.
    scale = math.ldexp(1.0, math.frexp(peak)[1] - 1) if 0 < peak < math.inf else 1.0
    return scale * np.sqrt(np.bincount(members, (x / scale) ** 2, minlength=n_groups))


def _grouping(groups):
    """Coordinates of each group and label of each coordinate, from either of the two."""
    if isinstance(groups, (list, tuple)) and groups and not np.isscalar(groups[0]):
        members = [np.asarray(on_host(group, "groups"), dtype=np.intp) for group in groups]
        found = np.concatenate(members)
        if np.any(np.sort(found) != np.arange(len(found))) or not all(map(len, members)):
            raise ValueError(
                "the groups must hold each of the coordinates 0 to n_variables - 1 exactly once, "
                "and none may be empty; put a free coordinate into a group of weight 0"
            )
        labels = np.empty(len(found), dtype=np.intp)
        labels[found] = np.repeat(np.arange(len(members)), [len(group) for group in members])
        return members, labels
    given = np.asarray(on_host(groups, "groups"))
    if given.ndim != 1 or len(given) == 0:
        raise ValueError(
            f"groups has shape {given.shape}, but must be one label for each coordinate or a list "
            "of index arrays"
        )
    labels = np.unique(given, return_inverse=True)[1]
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels))[:-1]), labels
