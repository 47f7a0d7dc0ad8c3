"""Colours and axes shared by the figures.

A method has the same colour everywhere (of Okabe and Ito, which colour-blind readers can tell
apart).
"""

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

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
    "naive_bayes": ("naive Bayes", BLUE, "o"),
    "logistic:1": ("logistic regression, C = 1", VERMILION, "s"),
    "minimum:1": ("the same, at its minimum", ORANGE, "^"),
    "tuned": ("logistic regression, C tuned", GREEN, "D"),
}
SETS = {
    "digits": "digits",
    "breast_cancer": "breast cancer",
    "wine": "wine",
    "mnist": "MNIST, 5,000 digits",
    "embeddings": "the user's embeddings",
}


def grid(n_rows: int, n_columns: int, *, panel=(3.0, 2.6), below=0.7, **options):
    """Figure and two-dimensional array of axes, with room for a legend under them."""
    size = (max(panel[0] * n_columns, 5.5), panel[1] * n_rows + below)
    return plt.subplots(
        n_rows, n_columns, figsize=size, squeeze=False, layout="constrained", **options
    )


def legend_below(figure, axes, columns: int) -> None:
    """One legend for all axes, each name once, under the figure."""
    named = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    figure.legend(
        named.values(), named.keys(), loc="outside lower center", ncols=columns, fontsize=9
    )


def plain_ticks(axis, ticks) -> None:
    """Write numbers of samples or features at their places on a logarithmic axis."""
    axis.set_xticks([int(tick) for tick in ticks])
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(axis="x", which="minor", length=0)
