"""Colours, lines and axes shared by the figures.

A rule has the same colour everywhere (of Okabe and Ito, which colour-blind readers can tell
apart); variable blocks are solid, fixed ones dashed. Points read off the paper's figures are
hollow markers of the same colour.
"""

import matplotlib.pyplot as plt
import numpy as np

BLACK, GREY = "#222222", "#999999"
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
RULES = {
    "cyclic": ("cyclic", GREY),
    "perm": ("permuted", GREY),
    "random": ("random", PURPLE),
    "lipschitz": ("Lipschitz", SKY),
    "gs": ("GS", VERMILION),
    "gsl": ("GSL", BLUE),
    "gsd-h": ("GSD-H", BLUE),
    "gsd": ("GSD", GREEN),
    "gsq": ("GSQ", ORANGE),
    "iht": ("GSQ (IHT)", ORANGE),
}
KINDS = {"variable": ("variable", "-"), "sort": ("fixed", (0, (4, 2)))}
SIZES = {"paper": "", "small": " (small)"}
GAP = "$f(x) - f^*$"
_FLOOR = 1e-9


def grid(n_rows: int, n_columns: int, *, panel=(2.9, 2.3), below=0.9, **options):
    """Figure and two-dimensional array of axes, with room for a legend under them."""
    size = (panel[0] * n_columns, panel[1] * n_rows + below)
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
        named.values(),
        named.keys(),
        loc="outside lower center",
        ncols=columns,
        fontsize=8.5,
        handlelength=2.6,
    )


def logarithmic(axis, tops) -> None:
    """Logarithmic gap, from the start down to where the runs end."""
    axis.set_yscale("log")
    axis.set_ylim(top=1.6 * max(tops))
    low = axis.get_ylim()[0]
    if low < _FLOOR:
        axis.set_ylim(bottom=_FLOOR)


def positive(values) -> np.ndarray:
    """Values for a logarithmic axis: what it cannot show becomes a gap."""
    values = np.asarray(values, dtype=float)
    return np.where(values > 0, values, np.nan)


def title(data: str, size: str, block_size=None) -> str:
    """A problem in a few words."""
    name = "A + L1" if data == "A_l1" else data
    text = f"{name}{SIZES.get(size, '')}"
    return text if block_size is None else f"{text}, blocks of {block_size}"
