r"""Forests in sparse graphs: elimination from the leaves, and who may join a forest.

The graph of a symmetric sparse matrix A has an edge for each nonzero :math:`A_{ij}`, i != j. Where
the subgraph of a block b has no cycle, :math:`A_{bb} x = r` is solved in one pass from the leaves
to the roots and one back. With p the parent of node i and children before their parents,

.. math::
    m_i = A_{ip} / d_i, \qquad d_p \leftarrow d_p - m_i A_{ip}, \qquad r_p \leftarrow r_p - m_i r_i,

and from the roots down :math:`x_i = r_i / d_i - m_i x_p`. On a forest this is Gaussian belief
propagation, and exact. Where A is a graph Laplacian with grounded nodes,
:func:`factor_grounded` computes the same pivots from sums of positive numbers only.

Blocks are arrays of nodes; "position" is a place in such an array. ``local`` maps nodes to
positions and is never initialised: an entry k is believed only if ``block[k]`` is the node, so
that a call costs the edges of its block and nothing else.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

import numpy as np

from ._jit import njit_in_order

__all__ = [
    "colour_greedily",
    "collect_forest",
    "factor_forest",
    "factor_grounded",
    "order_forest",
    "partition_forests",
    "substitute_forest",
]

_UNSEEN, _ROOT = -2, -1

# What order_forest returns besides 0.
CYCLE, REPEATED, OUTSIDE = 1, 2, 3


@njit_in_order
def order_forest(indptr, indices, data, block, local, order, parent, edge, diagonal, outside):
    """Order the nodes of a block so that parents come before their children.

    Parameters
    ----------
    indptr, indices, data : arrays
        The matrix in CSR, symmetric, without duplicates. Stored zeros are no edges.
    block : int array of shape (tau,)
        Nodes.
    local : int array of shape (n,)
        Receives the positions of the nodes; need not be initialised.
    order, parent : int arrays of shape (tau,)
        Receive the positions in their order, and the position of each position's parent, -1 for
        a root.
    edge, diagonal, outside : float arrays of shape (tau,)
        Receive the entry that joins a node to its parent, its diagonal entry, and the sum of the
        absolute entries that join it to nodes outside the block.

    Returns
    -------
    status : int
        0, or CYCLE, REPEATED (a node occurs twice) or OUTSIDE (a node is not in the matrix).
    """
    size = len(block)
    for k in range(size):
        if block[k] < 0 or block[k] >= len(indptr) - 1:
            return OUTSIDE
        local[block[k]] = k
        parent[k] = _UNSEEN
        edge[k] = diagonal[k] = outside[k] = 0.0
    for k in range(size):
        if local[block[k]] != k:
            return REPEATED
    filled = head = 0
    for root in range(size):
        if parent[root] != _UNSEEN:
            continue
        parent[root] = _ROOT
        order[filled] = root
        filled += 1
        while head < filled:
            k = order[head]
            head += 1
            node = block[k]
            for e in range(indptr[node], indptr[node + 1]):
                other = indices[e]
                if other == node:
                    diagonal[k] = data[e]
                    continue
                if data[e] == 0.0:
                    continue
                m = local[other]
                if m < 0 or m >= size or block[m] != other:
                    outside[k] += abs(data[e])
                elif m != parent[k]:
                    if parent[m] != _UNSEEN:
                        return CYCLE
                    parent[m] = k
                    edge[m] = data[e]
                    order[filled] = m
                    filled += 1
    return 0


@njit_in_order
def factor_forest(order, parent, edge, pivot, multiplier):
    """Eliminate from the leaves; ``pivot`` holds the diagonal and receives the pivots.

    Returns the position of the first pivot that is not positive, or -1.
    """
    for s in range(len(order) - 1, -1, -1):
        k = order[s]
        if not pivot[k] > 0.0:
            return k
        multiplier[k] = edge[k] / pivot[k]
        if parent[k] >= 0:
            pivot[parent[k]] -= multiplier[k] * edge[k]
    return -1


@njit_in_order
def factor_grounded(order, parent, edge, excess, pivot, multiplier):
    """As :func:`factor_forest` for off-diagonal entries <= 0, without a subtraction.

    ``excess`` holds, and loses, what a diagonal entry exceeds the sum of the node's entries inside
    the forest by. Eliminating a leaf joins its excess and its edge in series, as conductances, so
    that every pivot is accurate to the last digits however far the weights are apart.
    """
    for s in range(len(order) - 1, -1, -1):
        k = order[s]
        weight = abs(edge[k])
        pivot[k] = excess[k] + weight
        if not pivot[k] > 0.0:
            return k
        multiplier[k] = edge[k] / pivot[k]
        if parent[k] >= 0:
            excess[parent[k]] += excess[k] * (weight / pivot[k])
    return -1


@njit_in_order
def substitute_forest(order, parent, multiplier, pivot, x):
    """Turn the right-hand sides ``x`` of shape (tau, k) into the solutions."""
    n_columns = x.shape[1]
    for s in range(len(order) - 1, -1, -1):
        k = order[s]
        p = parent[k]
        if p >= 0:
            for c in range(n_columns):
                x[p, c] -= multiplier[k] * x[k, c]
    for k in order:
        p = parent[k]
        for c in range(n_columns):
            x[k, c] /= pivot[k]
            if p >= 0:
                x[k, c] -= multiplier[k] * x[p, c]


@njit_in_order
def _find(up, node):
    """Root of a node; halves the path to it."""
    while up[node] != node:
        up[node] = up[up[node]]
        node = up[node]
    return node


@njit_in_order
def _join(up, size, one, other):
    """Hang the smaller of two trees, given by their roots, below the root of the larger."""
    if size[one] < size[other]:
        one, other = other, one
    up[other] = one
    size[one] += size[other]
    return one


@njit_in_order
def collect_forest(indptr, indices, data, scan, chosen):
    """Scan nodes, and choose each whose chosen neighbours lie in pairwise distinct trees.

    Parameters
    ----------
    indptr, indices, data : arrays
        Symmetric matrix in CSR.
    scan : int array
        Distinct nodes in the order of the scan.
    chosen : int array of the shape of `scan`
        Receives the chosen nodes in that order.

    Returns
    -------
    count : int
        How many were chosen; -1 if a node is repeated or not in the matrix.
    """
    n = len(indptr) - 1
    up = np.full(n, -1)  # -1: not chosen
    size = np.ones(n, np.int64)
    stamp = np.full(n, -1)  # the last node that has met the tree with this root
    seen = np.zeros(n, np.bool_)
    count = 0
    for node in scan:
        if node < 0 or node >= n or seen[node]:
            return -1
        seen[node] = True
        acyclic = True
        for e in range(indptr[node], indptr[node + 1]):
            other = indices[e]
            if up[other] < 0 or data[e] == 0.0:
                continue
            root = _find(up, other)
            if stamp[root] == node:
                acyclic = False
                break
            stamp[root] = node
        if not acyclic:
            continue
        up[node] = node
        root = node
        for e in range(indptr[node], indptr[node + 1]):
            other = indices[e]
            if other != node and up[other] >= 0 and data[e] != 0.0:
                root = _join(up, size, root, _find(up, other))
        chosen[count] = node
        count += 1
    return count


@njit_in_order
def partition_forests(indptr, indices, data, scan, forest):
    """Put each node into the first forest that it leaves without a cycle.

    ``scan`` is a permutation of the nodes; ``forest`` receives the number of each node's forest.
    One union-find serves all forests, since trees join only within one. Returns their number.
    """
    n = len(indptr) - 1
    up = np.arange(n)
    size = np.ones(n, np.int64)
    stamp = np.full(n, -1)
    closed = np.full(n, -1)  # by forest: the last node that would have closed a cycle in it
    forest[:] = -1
    count = 0
    for node in scan:
        for e in range(indptr[node], indptr[node + 1]):
            other = indices[e]
            if forest[other] < 0 or data[e] == 0.0:
                continue
            root = _find(up, other)
            if stamp[root] == node:
                closed[forest[other]] = node
            stamp[root] = node
        first = 0
        while first < count and closed[first] == node:
            first += 1
        if first == count:
            count += 1
        root = node
        for e in range(indptr[node], indptr[node + 1]):
            other = indices[e]
            if other != node and forest[other] == first and data[e] != 0.0:
                root = _join(up, size, root, _find(up, other))
        forest[node] = first
    return count


@njit_in_order
def colour_greedily(indptr, indices, data, scan, colour):
    """Give each node the least used colour that none of its neighbours has.

    A new colour where there is none; the lowest among equally used. Returns the number of colours.
    """
    n = len(indptr) - 1
    used = np.zeros(n, np.int64)
    taken = np.full(n, -1)  # by colour: the last node with a neighbour of it
    colour[:] = -1
    count = 0
    for node in scan:
        for e in range(indptr[node], indptr[node + 1]):
            other = indices[e]
            if colour[other] >= 0 and data[e] != 0.0:
                taken[colour[other]] = node
        least = count
        for c in range(count):
            if taken[c] != node and (least == count or used[c] < used[least]):
                least = c
        if least == count:
            count += 1
        colour[node] = least
        used[least] += 1
    return count
