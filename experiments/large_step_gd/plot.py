"""The figures of the study, drawn from its results alone."""

from . import figures_counts, figures_paths

_DRAWN = (
    figures_paths.trajectories,
    figures_paths.perceptrons,
    figures_counts.by_step,
    figures_counts.bounds,
    figures_counts.growth,
    figures_counts.limit,
    figures_counts.unreliable,
    figures_counts.overlap,
    figures_paths.margins,
    figures_counts.wine,
    figures_counts.trap,
)


def figures(results):
    """Yield (name, caption, figure) for each figure whose results are there."""
    for draw in _DRAWN:
        yield from draw(results)
