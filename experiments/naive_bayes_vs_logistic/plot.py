"""The figures of the study, drawn from its results alone."""

from . import figures_curves, figures_samples, figures_theory

_DRAWN = (
    figures_samples.samples_needed,
    figures_samples.excess_errors,
    figures_curves.population,
    figures_curves.real,
    figures_curves.lead,
    figures_curves.penalties,
    figures_theory.diagnostics,
    figures_theory.consistency,
)


def figures(results):
    """Yield (name, caption, figure) for each figure whose results are there."""
    for draw in _DRAWN:
        yield from draw(results)
