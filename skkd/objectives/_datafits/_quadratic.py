r"""Quadratic functions of a sparse symmetric matrix, such as label propagation on a graph.

.. math:: f(x) = \tfrac12 x^\top A x - b^\top x + \tfrac{\lambda}{2} \|x\|^2,
          \qquad \nabla f(x) = (A + \lambda I) x - b

Only variables that share a stored entry of :math:`A` interact: a step on a block changes the
gradient of its neighbours, so the gradient is kept at the cost of the edges that touch the block,
and a greedy rule costs no more than a random one.
"""

from functools import cached_property

import numpy as np
from scipy import sparse

from ._base import Datafit, DatafitState, largest_eigenvalue
from ._checks import number, square_matrix, vector
from ._columns import DENSE_SPECTRUM, rounded_up, segments, top_of_operator

__all__ = ["GraphQuadratic"]


class GraphQuadratic(Datafit):
    r"""Quadratic of a sparse symmetric matrix, ``x'Ax / 2 - b'x + l2 |x|^2 / 2``.

    Parameters
    ----------
    A : {array-like, sparse matrix} of shape (n_variables, n_variables)
        Symmetric matrix without negative eigenvalues, kept in CSR form.
    b : array-like of shape (n_variables,)
        Linear term.
    l2 : float >= 0, default=0.0
        Strength of the ridge, which is added to the diagonal.

    Attributes
    ----------
    graph : CSR matrix of shape (n_variables, n_variables)
        ``A + l2 I``, the Hessian; its off-diagonal entries are the edges of the graph.
    b : ndarray of shape (n_variables,)
        Linear term.
    n_variables : int
        Number of rows of `A`.
    quadratic : bool
        True: a Newton step on a block is exact.

    Raises
    ------
    ValueError
        If `A` is not symmetric, or a diagonal entry of it is negative.

    See Also
    --------
    LeastSquares : Quadratic of a Gram matrix.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.objectives import GraphQuadratic
    >>> chain = [[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]]
    >>> datafit = GraphQuadratic(chain, [1.0, 0.0, 1.0])
    >>> datafit.value(np.ones(3))
    -1.0
    >>> datafit.gradient(np.ones(3))
    array([0., 0., 0.])
    """

    quadratic = True

    def __init__(self, A, b, *, l2=0.0):
        self.l2 = number(l2, "l2")
        self.graph = square_matrix(A)
        self.n_variables = self.graph.shape[0]
        if self.l2:
            self.graph = sparse.csr_array(self.graph + self.l2 * sparse.eye_array(self.n_variables))
        self.b = vector(b, self.n_variables)

    def value(self, x):
        return float(0.5 * (x @ (self.graph @ x)) - self.b @ x)

    def gradient(self, x, block=None):
        if block is None:
            return self.graph @ x - self.b
        return _rows(self.graph, block) @ x - self.b[block]

    def hessian_block(self, x, block):
        return self.hessian_bound(block)

    def hessian_bound(self, block):
        return _rows(self.graph, block)[:, block].toarray()

    def lipschitz(self):
        return self.graph.diagonal()

    def block_lipschitz(self, block):
        return largest_eigenvalue(self.hessian_bound(block))

    def bound_row_sums(self):
        return np.asarray(abs(self.graph).sum(axis=1)).ravel()

    def bound_product(self, d):
        return self.graph @ d

    def bound_norm(self):
        return self._norm

    def third_order(self, block):
        return 0.0

    def init(self, x):
        return _GraphState(self, x)

    @cached_property
    def _norm(self):
        if self.n_variables <= DENSE_SPECTRUM:
            return rounded_up(largest_eigenvalue(self.graph.toarray()), self.n_variables)
        return top_of_operator(self.graph)


class _GraphState(DatafitState):
    """A point with its gradient, which follows each step along the edges of the block."""

    def refresh(self):
        self._gradient = self.datafit.gradient(self.x)

    def value(self):
        return float(0.5 * (self.x @ (self._gradient - self.datafit.b)))

    def gradient(self, block=None):
        return self._gradient.copy() if block is None else self._gradient[block]

    def line(self, block, d):
        start, slope = self.value(), self._gradient[block] @ d
        rows = _rows(self.datafit.graph, block)
        scattered = np.zeros(self.datafit.n_variables)
        scattered[block] = d
        bend = 0.5 * (d @ (rows @ scattered))
        return lambda t: float(start + t * (slope + t * bend))

    def _moved(self, block, d):
        graph = self.datafit.graph
        entries, counts = segments(graph.indptr, block)
        changes = graph.data[entries] * np.repeat(d, counts)
        np.add.at(self._gradient, graph.indices[entries], changes)


def _rows(graph, block):
    """Rows `block` of a CSR matrix."""
    entries, counts = segments(graph.indptr, block)
    indptr = np.concatenate(([0], np.cumsum(counts)))
    stored = (graph.data[entries], graph.indices[entries], indptr)
    return sparse.csr_array(stored, shape=(len(block), graph.shape[1]))
