r"""Block descent over forests, several right-hand sides at once.

Minimises :math:`f(X) = \frac12 \mathrm{tr}(X^\top A X) - \mathrm{tr}(B^\top X)` for a sparse
symmetric positive definite A and X of shape (n, k). All columns share the matrix, hence the block
and its factors. A greedy block is made of the nodes by descending :math:`\|G_i\|^2 / A_{ii}`, each
joining if it closes no cycle, and is minimised over exactly by message passing.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ._forests import ForestFactor, as_graph, greedy_forest
from ._graphs import forest_partition, red_black_partition

__all__ = ["SELECTIONS", "ForestIterate", "forest_descent"]

SELECTIONS = ("greedy-tree", "tree-partition", "red-black", "random-tree")

# Updates after which the gradient is computed afresh, lest the rounding of its updates add up.
_REFRESH = 64


@dataclass(frozen=True, slots=True)
class ForestIterate:
    """State of a descent over forests.

    Attributes
    ----------
    params : array of shape (n, k)
        Variables; a copy.
    value : float
        Objective.
    violation : float
        Largest change that minimising over one variable alone would make.
    error : float or None
        With ``guard``: bound of the distance of any variable to its optimum.
    block : int array or None
        Nodes of the last update; None at the start.
    index : int
        Updates made.
    kept : None
        Of the driver's protocol; not used.
    status : None
        Of the driver's protocol; not used.
    """

    params: Any
    value: Any
    violation: Any
    error: Any = None
    block: Any = None
    index: int = 0
    kept: Any = None
    status: Any = None


def forest_descent(
    A,
    B,
    X0=None,
    *,
    selection="greedy-tree",
    slack=None,
    guard=False,
    offset=0.0,
    random_state=None,
):
    r"""Iterate exact minimisation over forests.

    With ``slack`` one more column can guard the others: :math:`A s = \mathrm{slack}` has the
    solution 1, and is solved from 0. Every update maps errors to errors by the same non-negative
    matrix for all columns, so what :math:`s` lacks to 1 bounds the error of any column that starts
    within 1 of its optimum. (s is the probability that a walk on the graph has met the ground.)

    Parameters
    ----------
    A : sparse matrix of shape (n, n)
        Symmetric, positive definite.
    B : array of shape (n, k)
        Linear term.
    X0 : array of shape (n, k), default=None
        Start; None is zero.
    selection : {"greedy-tree", "tree-partition", "red-black", "random-tree"}, \
default="greedy-tree"
        Which block comes next: a forest of the nodes that gain most, the forests or the colours of
        a fixed partition in turn, or a random forest.
    slack : array of shape (n,), default=None
        For an A whose off-diagonal entries are not positive: what each diagonal entry exceeds the
        sum of its row's other absolute values by. Blocks are then solved without cancellation.
    guard : bool, default=False
        Whether to compute the bound ``error``; needs `slack`, and a start within 1 of the optimum.
    offset : float, default=0.0
        Constant that is added to the objective.
    random_state : int, RandomState or None, default=None
        For ``selection="random-tree"``.

    Yields
    ------
    iterate : ForestIterate
        The start first, then one after each update.

    Raises
    ------
    ValueError
        If the selection is unknown or A is not positive definite on a block.
    """
    from ..._kernels.forest_descent import forest_update, rate_nodes

    A = as_graph(A)
    B = np.array(B, dtype=np.float64, order="C")
    n_columns = B.shape[1]
    X = np.zeros_like(B) if X0 is None else np.array(X0, dtype=np.float64, order="C")
    if guard:
        B, X = np.column_stack([B, slack]), np.column_stack([X, np.zeros(len(X))])
    diagonal = A.diagonal()
    scores = np.empty(len(X))
    next_factor = _selector(A, selection, slack, scores, check_random_state(random_state))
    G = A @ X - B
    value = offset + 0.5 * float(np.sum(X[:, :n_columns] * (G - B)[:, :n_columns]))
    factor = None
    for index in count():
        yield ForestIterate(
            params=X[:, :n_columns].copy(),
            value=value,
            violation=rate_nodes(G, diagonal, scores),
            error=float(np.max(1.0 - X[:, -1], initial=0.0)) if guard else None,
            block=None if factor is None else factor.block,
            index=index,
        )
        factor = next_factor(index)
        rows = np.empty((len(factor.block), X.shape[1]))
        value -= forest_update(
            *(A.indptr, A.indices, A.data, B, X, G, n_columns), *factor.arrays, rows
        )
        if index % _REFRESH == _REFRESH - 1:
            G = A @ X - B


def _selector(A, selection, slack, scores, rng):
    """A function of the number of updates made that gives the factors of the next block."""
    if selection == "greedy-tree":

        def best_first():
            return np.argsort(-scores, kind="stable")

        return lambda index: ForestFactor(A, greedy_forest(A, best_first()), slack=slack)
    if selection == "random-tree":
        return lambda index: ForestFactor(
            A, greedy_forest(A, rng.permutation(A.shape[0])), slack=slack
        )
    partitions = {"tree-partition": forest_partition, "red-black": red_black_partition}
    if selection not in partitions:
        raise ValueError(f"selection must be one of {SELECTIONS}, got {selection!r}")
    factors = [ForestFactor(A, block, slack=slack) for block in partitions[selection](A)]
    if not factors:  # nothing to solve for
        factors = [ForestFactor(A, np.empty(0, dtype=np.int64))]
    return lambda index: factors[index % len(factors)]
