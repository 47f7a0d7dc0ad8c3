"""Block coordinate descent: partitions, selections, updates and the generator that joins them."""

from ._graphs import forest_partition, lattice_combs, lattice_red_black, red_black_partition
from ._minimize import minimize_bcd
from ._solver import BlockIterate, block_coordinate_descent

__all__ = [
    "BlockIterate",
    "block_coordinate_descent",
    "forest_partition",
    "lattice_combs",
    "lattice_red_black",
    "minimize_bcd",
    "red_black_partition",
]
