"""Contract of a penalty."""

import numpy as np

__all__ = ["ROUNDING", "Penalty"]

# How far, relatively, a dual point may lie outside the domain of a conjugate: a point that was
# scaled to touch the boundary lies a rounding error beside it.
ROUNDING = 1e-12


class Penalty:
    """Base class of penalties, and their contract.

    Blocks are integer arrays of distinct indices; None stands for all coordinates. A penalty
    that is no sum over coordinates sets ``is_separable`` to False, defines :meth:`value` and
    :meth:`block_value` itself and has no :meth:`coordinate_value`.

    A separable penalty whose coordinates are quadratics with a kink at zero and bounds may say so
    in a method ``pieces(block)``, which returns four arrays ``l1, l2, lower, upper`` with
    ``g_j(u) = l1_j |u| + l2_j u^2 / 2`` for ``lower_j <= u <= upper_j`` and infinity elsewhere.
    Block updates then solve their subproblems exactly.

    Attributes
    ----------
    is_separable : bool
        Whether the penalty is a sum over coordinates.

    See Also
    --------
    skkd.solvers.minimize_bcd : Minimises a datafit plus a penalty.
    """

    is_separable = True

    def value(self, x):
        """Value at `x`: a float, infinite where a constraint is broken."""
        return float(np.sum(self.coordinate_value(x)))

    def coordinate_value(self, x_b, block=None):
        """Values of the coordinates `x_b` of `block`, one each."""
        raise NotImplementedError(
            f"{type(self).__name__} has no values of single coordinates; choose a rule for groups, "
            "such as selection='gs-s', or a separable penalty"
        )

    def block_value(self, x_b, block):
        """Value of what the coordinates `x_b` of `block` contribute, a float."""
        return float(np.sum(self.coordinate_value(x_b, block)))

    def prox(self, v, step, block=None):
        """Minimiser of ``|u - v|^2 / 2 + sum_j step_j g_j(u_j)`` over the coordinates of a block.

        The step is a number or one number for each coordinate.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no prox(v, step, block)")

    def subdiff_distance(self, x, G):
        """Distance of ``-G`` from the subdifferential at `x`, coordinate by coordinate.

        Zero everywhere exactly where `x` is a minimum of ``f + g`` and G the gradient of f at it;
        infinite where `x` breaks a constraint.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no subdiff_distance(x, G)")

    def support(self, x):
        """Mask of the coordinates off their kink or bound, where the penalty is smooth."""
        raise NotImplementedError(f"{type(self).__name__} defines no support(x)")

    def conjugate(self, u):
        """Value of the conjugate at `u`; infinite outside its domain.

        Points outside by a relative rounding error of 1e-12 count as inside.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no conjugate(u)")

    def dual_norm(self, u):
        """Least ``t >= 0`` for which ``u / t`` lies in the domain of the conjugate.

        It is the dual norm where the penalty is a norm, and 0 where the conjugate is finite
        everywhere. A dual point divided by the larger of 1 and this number is feasible.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no dual_norm(u)")
