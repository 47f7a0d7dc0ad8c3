"""Block coordinate descent: what partition, selection and update of the blocks decide.

Every configuration names its ``part`` (:mod:`.parts`), its problem (:mod:`.sets`) and its rules;
the grids of the two presets are in :mod:`.grid`.
"""

from . import grid
from .parts import PARTS

TITLE = "Greedy block coordinate descent"
REFERENCE = (
    "J. Nutini, I. Laradji, M. Schmidt (2022), Let's Make Block Coordinate Descent Converge "
    "Faster: Faster Greedy Rules, Message-Passing, Active-Set Complexity, and Superlinear "
    "Convergence, Journal of Machine Learning Research 23(131)"
)
VERSION = 1


def configurations(preset: str, data: dict[str, str]) -> list[dict]:
    """List the grid; the study asks for no file."""
    return grid.configurations(preset)


def run(configuration: dict) -> dict:
    """Compute one record."""
    return PARTS[configuration["part"]](configuration)
