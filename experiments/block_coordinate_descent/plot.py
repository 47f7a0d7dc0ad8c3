"""The figures of the study, drawn from its results alone."""

from . import figures_smooth, figures_special

_DRAWN = (
    figures_smooth.gradient,
    figures_smooth.matrix,
    figures_special.forests,
    figures_special.penalised,
    figures_smooth.adaptive,
    figures_smooth.partitions,
    figures_smooth.newton,
    figures_smooth.times,
    figures_special.active,
)


def figures(results):
    """Yield (name, caption, figure) for each figure whose results are there."""
    for draw in _DRAWN:
        yield from draw(results)
