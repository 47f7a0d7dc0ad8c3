"""Naive Bayes beside logistic regression: how many samples each needs, and which is better when.

Every configuration names its ``part``; the grids of the two presets are in :mod:`.grid`.
"""

from . import consistency, curves, diagnostics, files, grid, samples

TITLE = "Naive Bayes versus logistic regression"
REFERENCE = (
    "C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li, J. Zhu (2023), Revisiting Discriminative vs. "
    "Generative Classifiers: Theory and Implications, ICML; arXiv:2302.02334"
)
VERSION = 1

PARTS = {
    "samples": samples.samples_needed,
    "limits": curves.limits,
    "population": curves.population,
    "replay": curves.replay,
    "real": curves.real,
    "diagnostics": diagnostics.diagnostics,
    "consistency": consistency.consistency,
}


def configurations(preset: str, data: dict[str, str]) -> list[dict]:
    """List the grid; the embeddings are left out where `data` has no file of them."""
    return grid.configurations(preset, data.get(files.NAME))


def run(configuration: dict) -> dict:
    """Compute one record."""
    return PARTS[configuration["part"]](configuration)
