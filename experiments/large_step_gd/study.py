"""Gradient descent with large steps on the logistic loss, and its limits, the perceptrons.

Every configuration names its ``part`` (:mod:`.parts`) and its training set (:mod:`.sets`); the
grids of the two presets are in :mod:`.grid`.
"""

from . import grid
from .files import check_images
from .parts import PARTS

TITLE = "Logistic regression with large steps and the perceptron"
REFERENCE = (
    "A. Tyurin (2024), From Logistic Regression to the Perceptron Algorithm: Exploring Gradient "
    "Descent with Large Step Sizes, arXiv:2412.08424"
)
VERSION = 1


def configurations(preset: str, data: dict[str, str]) -> list[dict]:
    """List the grid; sets whose file is not in `data` are left out."""
    files = {name: data[name] for name in grid.FILE_SETS if name in data}
    for name, path in files.items():
        check_images(name, path, grid.classes_of(name))
    return grid.configurations(preset, files)


def run(configuration: dict) -> dict:
    """Compute one record."""
    return PARTS[configuration["part"]](configuration)
