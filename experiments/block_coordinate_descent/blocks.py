"""Blocks that a graph prescribes: two colours or combs of a lattice, forests of any graph."""

import numpy as np

from skkd.solvers import (
    forest_partition,
    lattice_combs,
    lattice_red_black,
    red_black_partition,
)


def partition(name: str | None, data):
    """Turn the name of a partition into what the solver takes: its own names pass through.

    Parameters
    ----------
    name : str or None
        ``"lattice red-black"``, ``"lattice combs"``, ``"colours KEY"``, ``"forests KEY"`` with
        KEY the order, ``lipschitz`` or ``order``, in which nodes are visited; or a name of the
        solver.
    data : Bunch
        The problem.

    Returns
    -------
    str or list of ndarray
    """
    kind, _, key = (name or "variable").partition(" ")
    if kind == "lattice":
        make = lattice_combs if key == "combs" else lattice_red_black
        return make(*data.shape, nodes=data.unlabelled)
    if kind in ("colours", "forests"):
        make = forest_partition if kind == "forests" else red_black_partition
        return make(data.A, order=key)
    return kind


def general_size(n_variables: int) -> int:
    """Size of a dense block whose solution costs as much as that of a forest: N^(1/3)."""
    return max(1, round(n_variables ** (1 / 3)))


def chunks_by_curvature(lipschitz: np.ndarray, block_size: int) -> list[np.ndarray]:
    """Blocks of the sort partition: ascending constants, ties by index, cut into chunks."""
    order = np.argsort(lipschitz, kind="stable")
    return np.split(order, range(block_size, order.size, block_size))
