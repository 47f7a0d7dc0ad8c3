r"""Partitions: how variables are grouped into fixed blocks, once and for all.

========== =====================================================================================
order      runs of tau in the order of the variables
random     runs of a random permutation
sort       runs by ascending :math:`L_i`: blocks of similar constants
average    the smallest, the largest, the second smallest, ... constant: blocks of equal mean
hsort      as sort, by :math:`\sum_j |H_{ij}|`
haverage   as average, by :math:`\sum_j |H_{ij}|`
red-black  the blocks of a colouring of the graph: no two of a block interact
tree       the blocks of a partition of the graph into forests
variable   none: any tau variables may form the next block
========== =====================================================================================

Sorting is stable, so that equal constants keep the order of the variables. The last block may be
short.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

import numpy as np

__all__ = ["PARTITIONS", "average_order", "checked_block", "make_blocks"]

PARTITIONS = (
    "order",
    "random",
    "sort",
    "average",
    "hsort",
    "haverage",
    "variable",
    "red-black",
    "tree",
)


def make_blocks(partition, problem, block_size, rng):
    """Fixed blocks of a partition.

    Parameters
    ----------
    partition : str, array of shape (n_variables,) or list of arrays
        Name of a rule, labels, or the blocks themselves.
    problem : Problem
        Gives constants and the graph.
    block_size : int
        Variables in each block of a named rule; the last may be shorter.
    rng : numpy.random.Generator
        Draws the permutation of "random".

    Returns
    -------
    blocks : list of arrays of int64, or None
        None for "variable".
    """
    if isinstance(partition, str):
        return _named(partition, problem, block_size, rng)
    labels = np.asarray(partition) if _are_labels(partition) else None
    if labels is None:
        return [checked_block(block, problem.n_variables) for block in partition]
    if labels.shape != (problem.n_variables,):
        raise ValueError(
            f"partition has {labels.size} labels, but there are {problem.n_variables} variables: "
            "give one label per variable, or a list of index arrays"
        )
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def average_order(scores):
    """Order that alternates between the smallest and the largest scores that are left."""
    ascending = np.argsort(scores, kind="stable")
    half = (len(ascending) + 1) // 2
    order = np.empty_like(ascending)
    order[0::2] = ascending[:half]
    order[1::2] = ascending[half:][::-1]
    return order


def _named(name, problem, block_size, rng):
    n_variables = problem.n_variables
    if name == "variable":
        return None
    if name in ("red-black", "tree"):
        return _graph_blocks(name, problem)
    if name == "order":
        order = np.arange(n_variables)
    elif name == "random":
        order = rng.permutation(n_variables)
    else:
        scores = problem.row_sums if name.startswith("h") else problem.lipschitz
        by_mean = name.endswith("average")
        order = average_order(scores) if by_mean else np.argsort(scores, kind="stable")
    return [order[start : start + block_size] for start in range(0, n_variables, block_size)]


def _graph_blocks(name, problem):
    from ._graphs import forest_partition, red_black_partition

    rule = red_black_partition if name == "red-black" else forest_partition
    return [np.asarray(block) for block in rule(problem.graph)]


def _are_labels(partition):
    """Whether a partition is one flat array of integers, not a list of blocks."""
    if isinstance(partition, np.ndarray) and partition.dtype != object:
        return partition.ndim == 1
    return all(np.ndim(entry) == 0 for entry in partition)


def checked_block(block, n_variables):
    """A block of distinct indices in range, as an array of int64."""
    indices = np.asarray(block)
    if indices.size == 0 or indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ValueError(
            f"a block must be a non-empty flat array of integers, got shape {indices.shape} and "
            f"dtype {indices.dtype}"
        )
    indices = indices.astype(np.int64)
    if indices.min() < 0 or indices.max() >= n_variables:
        raise ValueError(
            f"a block holds indices from {indices.min()} to {indices.max()}, but there are "
            f"{n_variables} variables: use 0 to {n_variables - 1}"
        )
    if len(np.unique(indices)) < len(indices):
        raise ValueError("a block names a variable twice: its indices must be distinct")
    return indices
