r"""Norms of groups, and the duality gap of a quadratic with group norms.

The ridge counts as part of the quadratic, as if :math:`\sqrt{l_2}\, I` stood below M. For a
residual r and :math:`c = M^\top r - l_2 w` the dual point :math:`\kappa r` is feasible if
:math:`\kappa \|c_g\| \le \lambda_g`, and its gap is the sum

.. math::
    \tfrac12 (1 - \kappa)^2 (\|r\|^2 + l_2 \|w\|^2)
    + \sum_g \lambda_g \|w_g\| - \kappa\, w_g^\top c_g,

of which no term is negative.
"""

import numpy as np

__all__ = ["diagonal", "feasible_shrink", "group_norms", "quadratic_gap"]


def group_norms(x, starts):
    """The norm of each group of `x`, whose members lie side by side."""
    return np.sqrt(np.add.reduceat(x * x, starts[:-1])) if starts.size > 1 else np.empty(0)


def diagonal(A):
    """The diagonal of a square matrix as a view that can be written to."""
    return np.einsum("ii->i", A)


def feasible_shrink(norms, lam):
    """The largest factor up to one that takes every norm below its bound."""
    worst = float((norms / lam).max(initial=0.0))
    return 1.0 if worst <= 1.0 else 1.0 / worst


def quadratic_gap(square, norms, cross, size, lam):
    """Duality gap of a quadratic with group norms.

    Parameters
    ----------
    square : float
        ``||r||^2 + l2 ||w||^2``.
    norms : array of shape (n_groups,)
        Norms of the groups of c.
    cross : float
        ``w @ c``.
    size : float
        Penalty of w without the ridge.
    lam : array of shape (n_groups,)
        Strength of each norm.
    """
    kappa = feasible_shrink(norms, lam)
    return 0.5 * (1.0 - kappa) ** 2 * square + size - kappa * cross
