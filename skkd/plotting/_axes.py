"""Axes for displays that are given none."""

__all__ = ["new_axes"]


def new_axes(figsize=None):
    """Axes of a new figure; loads matplotlib, or says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "drawing needs matplotlib, which is not installed; install it with "
            "pip install 'skkd[plot]'"
        ) from error
    return plt.subplots(figsize=figsize, layout="constrained")[1]
