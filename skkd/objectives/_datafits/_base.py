r"""Contract of a datafit: the smooth part of ``f(x) + g(x)``, seen block by block.

Block coordinate descent changes a few coordinates of a vector at a time:

.. math:: x \leftarrow x + U_b d, \qquad b \subset \{1, \dots, N\},

where :math:`U_b` places the entries of :math:`d` at the positions :math:`b`. All that the rules
of the paper ask of the smooth part are its value, its gradient, and constants that bound its
curvature along single coordinates (:math:`L_i`), along blocks (:math:`L_b`) and as matrices
(:math:`\nabla^2_{bb} f(x) \preceq H_b` for every :math:`x`).

A datafit is a sum over rows, not a mean. Variables are a flat float64 vector.

References: Nutini, Laradji, Schmidt, "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

import numpy as np

__all__ = ["Datafit", "DatafitState", "largest_eigenvalue"]

# Rounding errors of values that are kept up to date add up; after this many steps they are
# computed anew, which costs little when it is spread over as many steps.
REFRESH_EVERY = 1000


def _absent(method):
    """Mark a method of the contract that a subclass may leave out.

    Code that must know before it starts asks ``getattr(datafit.third_order, "absent", False)``.
    """
    method.absent = True
    return method


class Datafit:
    """Base class of the smooth functions that block coordinate descent minimises.

    A subclass sets ``n_variables`` and defines :meth:`value` and :meth:`gradient`. Each other
    method serves the rules named in its docstring and may be left out where none of them is used.

    Attributes
    ----------
    n_variables : int
        Length of the vector of variables.
    quadratic : bool
        Whether the Hessian is constant and equal to its bound; a Newton step on a block is then
        the exact minimiser over that block.
    graph : sparse matrix or None
        Matrix in CSR form whose off-diagonal entries say which variables interact, for forest
        and red-black blocks; None where every pair may interact.

    See Also
    --------
    skkd.solvers.minimize_bcd : Minimises a datafit, with or without a penalty.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.

    Examples
    --------
    The quadratic ``sum_i c_i (x_i - 1)^2 / 2``:

    >>> import numpy as np
    >>> from skkd.objectives import Datafit
    >>> class Bowl(Datafit):
    ...     def __init__(self, c):
    ...         self.c, self.n_variables = c, len(c)
    ...
    ...     def value(self, x):
    ...         return 0.5 * float(self.c @ (x - 1.0) ** 2)
    ...
    ...     def gradient(self, x, block=None):
    ...         block = slice(None) if block is None else block
    ...         return self.c[block] * (x[block] - 1.0)
    ...
    ...     def hessian_bound(self, block):
    ...         return np.diag(self.c[block])
    >>> bowl = Bowl(np.array([1.0, 4.0]))
    >>> bowl.lipschitz()
    array([1., 4.])
    >>> state = bowl.init(np.zeros(2))
    >>> state.apply(np.array([1]), np.array([1.0]))
    >>> state.value()
    0.5
    """

    n_variables: int
    quadratic = False
    graph = None

    @_absent
    def value(self, x):
        """Value at `x`, a float."""
        raise self._missing("value(x)", "block coordinate descent cannot do without it")

    @_absent
    def gradient(self, x, block=None):
        """Gradient at `x`, whole or the entries of `block`."""
        raise self._missing("gradient(x, block)", "block coordinate descent cannot do without it")

    @_absent
    def hessian_block(self, x, block):
        """Block of the Hessian at `x`, for Newton, cubic, two-metric and prox-Newton updates."""
        raise self._missing("hessian_block(x, block)", "choose update='gradient' or 'adaptive'")

    @_absent
    def hessian_bound(self, block):
        """Matrix that no block of the Hessian exceeds, for bound updates and the rule gsq."""
        raise self._missing("hessian_bound(block)", "choose update='adaptive' or 'newton'")

    def lipschitz(self):
        """Constants ``L_i`` of all coordinates, for gsd, sampling and sorted partitions."""
        singles = np.arange(self.n_variables)[:, None]
        return np.array([self.block_lipschitz(single) for single in singles])

    def block_lipschitz(self, block):
        """Constant ``L_b`` of one block, for gradient updates and gsl."""
        return largest_eigenvalue(self.hessian_bound(block))

    @_absent
    def bound_row_sums(self):
        """Sums of ``|H_ij|`` over j of the bound on the whole Hessian, for gsd-h and hsort."""
        raise self._missing("bound_row_sums()", "choose selection='gsd' and partition='sort'")

    @_absent
    def bound_product(self, d):
        """Product of the bound on the whole Hessian with `d`, for iht."""
        raise self._missing("bound_product(d)", "choose selection='gsd'")

    def bound_norm(self):
        """Largest eigenvalue of the bound on the whole Hessian, or a number above it, for iht."""
        return float(np.max(self.bound_row_sums(), initial=0.0))

    @_absent
    def third_order(self, block):
        """Constant ``M_b`` with ``|hess_bb(x + U_b d) - hess_bb(x)| <= M_b |d|``, for cubic."""
        raise self._missing("third_order(block)", "choose update='newton'")

    def init(self, x):
        """State at `x`, which is copied: the point that steps move, with what they need kept."""
        return DatafitState(self, x)

    def _missing(self, signature, remedy):
        name = type(self).__name__
        return NotImplementedError(f"{name} defines no {signature}: define it, or {remedy}")


class DatafitState:
    """A point, and whatever makes the next step at it cheap.

    This class keeps the point alone and computes everything anew; it serves every datafit.
    Subclasses keep products up to date.

    Parameters
    ----------
    datafit : Datafit
        Function to follow.
    x : array of shape (n_variables,)
        Point to begin at; copied.

    Attributes
    ----------
    x : ndarray of shape (n_variables,)
        The point, in float64. It is changed through :meth:`apply` only.
    """

    def __init__(self, datafit, x):
        self.datafit = datafit
        self.x = np.array(x, dtype=np.float64)
        if self.x.shape != (datafit.n_variables,):
            raise ValueError(
                f"the point has shape {self.x.shape}, but {type(datafit).__name__} has "
                f"{datafit.n_variables} variables: pass a flat vector of that length"
            )
        self._steps = 0
        self.refresh()

    def value(self):
        """Value of the datafit at the point."""
        return self.datafit.value(self.x)

    def gradient(self, block=None):
        """Gradient at the point, whole or the entries of `block`; the caller owns the array."""
        return self.datafit.gradient(self.x, block)

    def hessian_block(self, block):
        """Block of the Hessian at the point."""
        return self.datafit.hessian_block(self.x, block)

    def apply(self, block, d):
        """Add `d` to the coordinates of `block`, whose indices are distinct."""
        self.x[block] += d
        self._moved(block, d)
        self._steps += 1
        if self._steps % REFRESH_EVERY == 0:
            self.refresh()

    def line(self, block, d):
        """Function ``t -> value(x + t U_b d)``, valid until the next :meth:`apply`."""
        start = self.x

        def value_at(t):
            trial = start.copy()
            trial[block] += t * d
            return self.datafit.value(trial)

        return value_at

    def refresh(self):
        """Compute anew, from the point alone, everything that is kept."""

    def _moved(self, block, d):
        """Bring what is kept up to date, after the point has moved."""


def largest_eigenvalue(matrix):
    """Largest eigenvalue of a small symmetric matrix without negative ones, a float."""
    if matrix.shape[0] == 1:
        return float(matrix[0, 0])
    return max(0.0, float(np.linalg.eigvalsh(matrix)[-1]))
