r"""Partitions of a graph into blocks that are easy to minimise over.

Two families. In a *red-black* partition no two nodes of a block are neighbours, so that
:math:`A_{bb}` is diagonal. In a *forest* partition no block has a cycle, so that message passing
solves it (:func:`~skkd.solvers._bcd._forests.solve_forest`); such blocks are fewer and larger.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

import numpy as np

from ._forests import as_graph

__all__ = ["forest_partition", "lattice_combs", "lattice_red_black", "red_black_partition"]


def red_black_partition(A, *, order="lipschitz"):
    """Colour the nodes of a graph; a block is what has one colour.

    Each node in turn takes the least used among the colours that none of its neighbours has, and a
    new one where there is none.

    Parameters
    ----------
    A : sparse matrix of shape (n, n)
        Symmetric; its off-diagonal nonzeros are the edges.
    order : {"lipschitz", "order"} or array-like of shape (n,), default="lipschitz"
        How nodes are visited: by descending diagonal entry, ties by index; by descending index; or
        a permutation.

    Returns
    -------
    blocks : list of ndarray of int64
        Sorted nodes of each colour.
    """
    from ..._kernels.forest import colour_greedily

    return _partition(A, order, colour_greedily)


def forest_partition(A, *, order="lipschitz"):
    """Partition the nodes of a graph into forests.

    Each node in turn joins the first forest in which it closes no cycle, and founds a new one
    where there is none.

    Parameters
    ----------
    A : sparse matrix of shape (n, n)
        Symmetric; its off-diagonal nonzeros are the edges.
    order : {"lipschitz", "order"} or array-like of shape (n,), default="lipschitz"
        How nodes are visited: by descending diagonal entry, ties by index; by descending index; or
        a permutation.

    Returns
    -------
    blocks : list of ndarray of int64
        Sorted nodes of each forest.
    """
    from ..._kernels.forest import partition_forests

    return _partition(A, order, partition_forests)


def lattice_red_black(n_rows, n_columns, nodes=None):
    """Colour a lattice with four neighbours per node like a chessboard.

    Parameters
    ----------
    n_rows, n_columns : int >= 1
        Size. The node in row r and column c has the number ``r + c * n_rows``.
    nodes : array-like of int, default=None
        Nodes that are kept, such as the unlabelled ones; blocks then hold places in `nodes`. None
        keeps all.

    Returns
    -------
    blocks : list of ndarray of int64
        The two colours; one that no kept node has is left out.
    """
    row, column = _lattice(n_rows, n_columns)
    return _halves((row + column) % 2 == 0, nodes)


def lattice_combs(n_rows, n_columns, nodes=None):
    """Partition a lattice with four neighbours per node into two interlocking combs.

    The first comb is the top row with the even columns hanging from it, the second the bottom row
    with the odd columns standing on it. Each is one tree, and what is left of it when nodes are
    removed is a forest.

    Parameters
    ----------
    n_rows, n_columns : int >= 1
        Size. The node in row r and column c has the number ``r + c * n_rows``.
    nodes : array-like of int, default=None
        Nodes that are kept, such as the unlabelled ones; blocks then hold places in `nodes`. None
        keeps all.

    Returns
    -------
    blocks : list of ndarray of int64
        The two combs; one that no kept node belongs to is left out.
    """
    row, column = _lattice(n_rows, n_columns)
    return _halves((row == 0) | ((column % 2 == 0) & (row <= n_rows - 2)), nodes)


def _partition(A, order, kernel):
    A = as_graph(A)
    labels = np.empty(A.shape[0], dtype=np.int64)
    count = kernel(A.indptr, A.indices, A.data, _visiting_order(A, order), labels)
    return [np.flatnonzero(labels == label) for label in range(count)]


def _visiting_order(A, order):
    n = A.shape[0]
    if isinstance(order, str):
        if order == "lipschitz":
            return np.argsort(-A.diagonal(), kind="stable")
        if order == "order":
            return np.arange(n)[::-1].copy()
        raise ValueError(f"order must be 'lipschitz', 'order' or a permutation, got {order!r}")
    order = np.ascontiguousarray(order, dtype=np.int64)
    if order.shape != (n,) or not np.array_equal(np.sort(order), np.arange(n)):
        raise ValueError(f"order must be a permutation of 0..{n - 1}, each number once")
    return order


def _lattice(n_rows, n_columns):
    """Row and column of each node."""
    if n_rows < 1 or n_columns < 1:
        raise ValueError(f"a lattice needs at least 1 row and 1 column, got {n_rows}, {n_columns}")
    index = np.arange(n_rows * n_columns)
    return index % n_rows, index // n_rows


def _halves(first, nodes):
    """Places of the nodes that are in the first block and of those that are not."""
    if nodes is not None:
        nodes = np.asarray(nodes, dtype=np.int64)
        if nodes.size and not 0 <= nodes.min() <= nodes.max() < len(first):
            raise ValueError(f"nodes must be numbers from 0 to {len(first) - 1}")
        first = first[nodes]
    blocks = [np.flatnonzero(first), np.flatnonzero(~first)]
    return [block for block in blocks if len(block)]
