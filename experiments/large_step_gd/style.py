"""Colours and axes shared by the figures.

Methods have the colours of Okabe and Ito, which colour-blind readers can tell apart; step sizes
are ordered and get an ordered map, dark for small ones.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colormaps

BLACK, GREY = "#222222", "#888888"
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
# method -> (name in legends, colour, marker)
METHODS = {
    "constant": ("LR+GD", VERMILION, "o"),
    "normalized": ("Normalized LR+GD", BLUE, "s"),
    "risk_adaptive": ("risk-adaptive (exponential)", GREEN, "^"),
    "risk_adaptive_average": ("risk-adaptive, average", SKY, "v"),
    "batch_perceptron": ("batch perceptron", VERMILION, "o"),
    "normalized_batch_perceptron": ("normalised batch perceptron", BLUE, "s"),
    "perceptron": ("perceptron (updates)", PURPLE, "D"),
}


def step_colours(steps) -> dict[float, tuple]:
    """A colour for each finite step, from dark to light with the size."""
    finite = sorted(step for step in set(steps) if step < math.inf)
    shades = np.linspace(0.0, 0.88, max(len(finite), 2))
    return {step: colormaps["viridis"](shade) for step, shade in zip(finite, shades, strict=False)}


def grid(n_rows: int, n_columns: int, *, height: float, width: float = 8.4, **options):
    """Figure and two-dimensional array of axes, laid out without overlaps."""
    return plt.subplots(
        n_rows,
        n_columns,
        figsize=(width, height),
        squeeze=False,
        layout="constrained",
        **options,
    )


def positive(values) -> np.ndarray:
    """Values for a logarithmic axis: what it cannot show becomes a gap."""
    values = np.asarray(values, dtype=float)
    return np.where(values > 0, values, np.nan)


def legend_below(figure, axes, columns: int, title: str | None = None) -> None:
    """One legend for all axes, of the entries of the one that has most, under the figure."""
    handles, labels = max((one.get_legend_handles_labels() for one in axes.flat), key=len_first)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, title=title)


def len_first(pair) -> int:
    """Length of the first of two lists."""
    return len(pair[0])


def title(row) -> str:
    """A training set in words: ``MNIST 4 vs 9, 10 : 1``."""
    name, _, rest = row["set"].partition(":")
    names = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR-10"}
    rest = rest.replace("-", " vs ")
    ratio = row.get("ratio", 1)
    text = f"{names.get(name, name.replace('_', ' '))} {rest}".strip()
    return f"{text}, {ratio:g} : 1" if ratio > 1 else text
