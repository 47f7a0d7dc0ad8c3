r"""Blocks without a cycle: message passing solves them exactly, however large they are.

For :math:`f(x) = \frac12 x^\top A x - b^\top x` with a sparse A, minimising over a block b with the
rest c fixed is :math:`A_{bb} x_b = b_b - A_{bc} x_c`. If the graph of :math:`A_{bb}` is a forest,
elimination from the leaves solves it in time proportional to the edges that touch b.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

import numpy as np
import scipy.sparse as sp

__all__ = ["ForestFactor", "as_graph", "greedy_forest", "is_forest", "solve_forest"]


def solve_forest(A, block, rhs):
    r"""Solve :math:`A_{bb} x = r` exactly by elimination from the leaves.

    Parameters
    ----------
    A : sparse matrix of shape (n, n)
        Symmetric, and positive definite on the block. Stored zeros are no edges.
    block : array-like of shape (tau,)
        Distinct nodes; the subgraph that they induce must have no cycle.
    rhs : array-like of shape (tau,) or (tau, k)
        One or several right-hand sides, in the order of `block`.

    Returns
    -------
    x : ndarray of the shape of `rhs`
        The solution.

    Raises
    ------
    ValueError
        If the subgraph has a cycle, the block repeats a node, or a pivot is not positive.
    """
    return ForestFactor(A, block).solve(rhs)


def is_forest(A, block):
    """Whether the subgraph that a block of nodes induces has no cycle.

    Parameters
    ----------
    A : sparse matrix of shape (n, n)
        Symmetric; its off-diagonal nonzeros are the edges.
    block : array-like of shape (tau,)
        Distinct nodes.

    Returns
    -------
    acyclic : bool
        True for the empty block, too.
    """
    from ..._kernels.forest import CYCLE

    status = _Ordering(as_graph(A), block).status
    _refuse_bad_nodes(status)
    return status != CYCLE


def greedy_forest(A, order):
    """Collect a forest: each node in turn joins if that closes no cycle.

    A node joins when the neighbours that have joined before it lie in pairwise distinct trees. The
    forest is maximal: no further node of `order` could join.

    Parameters
    ----------
    A : sparse matrix of shape (n, n)
        Symmetric; its off-diagonal nonzeros are the edges.
    order : array-like of int
        Distinct nodes, the most wanted first; all n, or some.

    Returns
    -------
    forest : ndarray of int64
        The nodes of the forest, in the order in which they joined.
    """
    from ..._kernels.forest import OUTSIDE, collect_forest

    A = as_graph(A)
    order = np.ascontiguousarray(order, dtype=np.int64)
    chosen = np.empty_like(order)
    count = collect_forest(A.indptr, A.indices, A.data, order, chosen)
    if count < 0:
        _refuse_bad_nodes(OUTSIDE)
    return chosen[:count]


class ForestFactor:
    """The factors of a block without a cycle, to solve with many times.

    Parameters
    ----------
    A : sparse matrix of shape (n, n)
        Symmetric, and positive definite on the block.
    block : array-like of shape (tau,)
        Distinct nodes that induce a forest.
    slack : array of shape (n,), default=None
        For an A whose off-diagonal entries are not positive: what each diagonal entry exceeds the
        sum of its row's other absolute values by. The factors are then accurate to the last
        digits, however far the entries of A are apart.
    """

    def __init__(self, A, block, *, slack=None):
        from ..._kernels.forest import CYCLE, factor_forest, factor_grounded

        plan = _Ordering(as_graph(A), block)
        _refuse_bad_nodes(plan.status)
        if plan.status == CYCLE:
            raise ValueError(
                f"the block of {len(plan.block)} nodes has a cycle in the graph of the matrix, and "
                "message passing is exact on forests only; take the block from greedy_forest or "
                "forest_partition, or another update"
            )
        self.block, self.local = plan.block, plan.local
        self.order, self.parent = plan.order, plan.parent
        self.multiplier = np.empty_like(plan.edge)
        self.pivot = plan.diagonal
        if slack is None:
            failed = factor_forest(self.order, self.parent, plan.edge, self.pivot, self.multiplier)
        else:
            excess = plan.outside + slack[self.block]
            failed = factor_grounded(
                self.order, self.parent, plan.edge, excess, self.pivot, self.multiplier
            )
        if failed >= 0:
            raise ValueError(
                "the matrix is not positive definite on the block: elimination met the pivot "
                f"{self.pivot[failed]:.3g} at node {self.block[failed]}; add a ridge (l2 > 0)"
            )

    @property
    def arrays(self):
        """What the kernel that updates a block asks for, in its order."""
        return self.block, self.local, self.order, self.parent, self.multiplier, self.pivot

    def solve(self, rhs):
        """Solve for one or several right-hand sides of shape (tau,) or (tau, k)."""
        from ..._kernels.forest import substitute_forest

        rhs = np.array(rhs, dtype=np.float64, order="C")
        if rhs.ndim not in (1, 2) or len(rhs) != len(self.block):
            raise ValueError(
                f"the right-hand side has shape {rhs.shape}, but the block has "
                f"{len(self.block)} nodes; its first dimension must be that"
            )
        columns = rhs.reshape(len(rhs), -1) if rhs.size else rhs.reshape(0, 1)
        substitute_forest(self.order, self.parent, self.multiplier, self.pivot, columns)
        return rhs


class _Ordering:
    """A block's nodes with parents before children, and what elimination needs of their rows."""

    def __init__(self, A, block):
        from ..._kernels.forest import order_forest

        self.block = np.ascontiguousarray(block, dtype=np.int64)
        size = len(self.block)
        self.local = np.empty(A.shape[0], dtype=np.int64)
        self.order, self.parent = np.empty((2, size), dtype=np.int64)
        self.edge, self.diagonal, self.outside = np.empty((3, size))
        self.status = order_forest(
            *(A.indptr, A.indices, A.data, self.block, self.local),
            *(self.order, self.parent, self.edge, self.diagonal, self.outside),
        )


def as_graph(A):
    """CSR in float64 without duplicates; the very matrix where it is that already."""
    if not sp.issparse(A) or A.ndim != 2 or A.shape[0] != A.shape[1]:
        got = f"{type(A).__name__} of shape {getattr(A, 'shape', None)}"
        raise ValueError(
            f"a graph is a square sparse matrix, but got {got}; wrap a dense matrix in "
            "scipy.sparse.csr_array"
        )
    A = A.tocsr()
    if A.dtype != np.float64:
        A = A.astype(np.float64)
    if not A.has_canonical_format:
        A = A.copy()
        A.sum_duplicates()
    return A


def _refuse_bad_nodes(status):
    from ..._kernels.forest import OUTSIDE, REPEATED

    if status in (OUTSIDE, REPEATED):
        raise ValueError(
            "a block must consist of distinct row numbers of the matrix, counted from 0; got one "
            "that is repeated or out of range"
        )
