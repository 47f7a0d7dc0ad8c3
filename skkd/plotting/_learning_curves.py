"""Learning curves of several estimators in one figure, with the point where two of them cross."""

import numpy as np
from scipy.stats import t

from ..model_selection import CrossingPoint, compare_learning_curves, crossing_point
from ._axes import new_axes

__all__ = ["LearningCurveComparisonDisplay"]

_LABELS = {"error": "test error", "log_loss": "test log-loss", "risk": "population risk"}
_BANDS = ("std", "ci", None)
_MOST_DECADES = 3  # with room for three labels each


class LearningCurveComparisonDisplay:
    """Learning curves of several estimators: mean lines, bands, and the crossing.

    Best made by :meth:`from_estimators` or :meth:`from_result`.

    Parameters
    ----------
    result : LearningCurves
        From :func:`~skkd.model_selection.compare_learning_curves`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes that hold the curves.
    figure_ : matplotlib Figure
        Figure of the axes.
    lines_ : list of matplotlib Line2D
        Mean curves, in the order of ``result.names``.
    bands_ : list of matplotlib PolyCollection
        Bands, in the same order; empty without bands or with one repeat.
    crossing_ : CrossingPoint or None
        The crossing that was looked for.
    crossing_line_ : matplotlib Line2D or None
        Vertical line at the crossing; None where there is none.
    asymptote_lines_ : list of matplotlib Line2D
        Horizontal lines.

    See Also
    --------
    skkd.model_selection.compare_learning_curves : Makes the curves.
    skkd.model_selection.crossing_point : Finds the crossing.

    Examples
    --------
    >>> from skkd.model_selection import LearningCurves
    >>> from skkd.plotting import LearningCurveComparisonDisplay
    >>> scores = [[[0.2, 0.2], [0.2, 0.2]], [[0.3, 0.3], [0.1, 0.1]]]
    >>> curves = LearningCurves([10, 1000], ("fast", "good"), scores)
    >>> display = LearningCurveComparisonDisplay.from_result(curves)
    >>> display.crossing_line_.get_label()
    'crossing at 100'
    """

    def __init__(self, result):
        self.result = result

    @classmethod
    def from_estimators(
        cls,
        estimators,
        X,
        y,
        *,
        ax=None,
        band="std",
        confidence_level=0.95,
        crossing="auto",
        asymptotes=None,
        log_x=True,
        line_kw=None,
        **compare_params,
    ):
        """Compute learning curves and draw them.

        Parameters
        ----------
        estimators : dict of str to estimator
            Classifiers by name.
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Labels.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        band : {"std", "ci"} or None, default="std"
            As in :meth:`plot`.
        confidence_level : float in (0, 1), default=0.95
            As in :meth:`plot`.
        crossing : {"auto"}, pair of str, CrossingPoint or None, default="auto"
            As in :meth:`plot`.
        asymptotes : dict of str to float, default=None
            As in :meth:`plot`.
        log_x : bool, default=True
            As in :meth:`plot`.
        line_kw : dict, default=None
            As in :meth:`plot`.
        **compare_params : dict
            Keyword arguments of :func:`~skkd.model_selection.compare_learning_curves`;
            `train_sizes` is among them.

        Returns
        -------
        display : LearningCurveComparisonDisplay
            The figure; its `result` holds the scores.
        """
        _check_band(band)  # before the fits, not after
        result = compare_learning_curves(estimators, X, y, **compare_params)
        return cls(result).plot(
            ax,
            band=band,
            confidence_level=confidence_level,
            crossing=crossing,
            asymptotes=asymptotes,
            log_x=log_x,
            line_kw=line_kw,
        )

    @classmethod
    def from_result(
        cls,
        result,
        *,
        ax=None,
        band="std",
        confidence_level=0.95,
        crossing="auto",
        asymptotes=None,
        log_x=True,
        line_kw=None,
    ):
        """Draw learning curves that were computed before.

        Parameters
        ----------
        result : LearningCurves
            From :func:`~skkd.model_selection.compare_learning_curves`.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        band : {"std", "ci"} or None, default="std"
            As in :meth:`plot`.
        confidence_level : float in (0, 1), default=0.95
            As in :meth:`plot`.
        crossing : {"auto"}, pair of str, CrossingPoint or None, default="auto"
            As in :meth:`plot`.
        asymptotes : dict of str to float, default=None
            As in :meth:`plot`.
        log_x : bool, default=True
            As in :meth:`plot`.
        line_kw : dict, default=None
            As in :meth:`plot`.

        Returns
        -------
        display : LearningCurveComparisonDisplay
            The figure.
        """
        return cls(result).plot(
            ax,
            band=band,
            confidence_level=confidence_level,
            crossing=crossing,
            asymptotes=asymptotes,
            log_x=log_x,
            line_kw=line_kw,
        )

    def plot(
        self,
        ax=None,
        *,
        band="std",
        confidence_level=0.95,
        crossing="auto",
        asymptotes=None,
        log_x=True,
        line_kw=None,
    ):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        band : {"std", "ci"} or None, default="std"
            Band around each mean: one standard deviation of the repeats, or the t interval of the
            mean. One repeat has no band.
        confidence_level : float in (0, 1), default=0.95
            Level of the t interval.
        crossing : {"auto"}, pair of str, CrossingPoint or None, default="auto"
            Whose crossing to mark. "auto" marks that of two estimators, and nothing if there are
            more. The interval of a given CrossingPoint is shaded.
        asymptotes : dict of str to float, default=None
            Horizontal dashed lines. Those named as an estimator, such as its limit, have its
            colour; others, such as the Bayes error, are black and in the legend.
        log_x : bool, default=True
            Whether the axis of training samples is logarithmic.
        line_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.plot` for the mean curves.

        Returns
        -------
        display : LearningCurveComparisonDisplay
            This object, with the attributes set.
        """
        _check_band(band)
        crossing = _find_crossing(self.result, crossing)
        if ax is None:
            ax = new_axes()
        self.ax_, self.figure_ = ax, ax.figure
        if log_x:
            _plain_log_axis(ax, self.result.train_sizes)
        self._draw_curves(band, confidence_level, line_kw or {})
        self._draw_asymptotes(asymptotes or {})
        self._draw_crossing(crossing)
        ax.set_xlabel("training samples")
        ax.set_ylabel(_LABELS.get(self.result.scoring, self.result.scoring))
        ax.legend()
        return self

    def _draw_curves(self, band, confidence_level, line_kw):
        sizes = self.result.train_sizes
        self.lines_, self.bands_ = [], []
        means = self.result.mean_scores
        for name, mean, scores in zip(
            self.result.names, means, self.result.test_scores, strict=True
        ):
            options = {"marker": "o", "markersize": 4, "label": name, **line_kw}
            (line,) = self.ax_.plot(sizes, mean, **options)
            self.lines_.append(line)
            width = _half_width(scores, band, confidence_level)
            if np.isfinite(width).any():
                self.bands_.append(
                    self.ax_.fill_between(
                        sizes, mean - width, mean + width, color=line.get_color(), alpha=0.2, lw=0
                    )
                )

    def _draw_asymptotes(self, asymptotes):
        colors = {
            name: line.get_color()
            for name, line in zip(self.result.names, self.lines_, strict=True)
        }
        self.asymptote_lines_ = [
            self.ax_.axhline(
                value,
                color=colors.get(name, "black"),
                linestyle="--",
                linewidth=1,
                label="_limit of " + name if name in colors else name,
            )
            for name, value in asymptotes.items()
        ]

    def _draw_crossing(self, crossing):
        self.crossing_, self.crossing_line_ = crossing, None
        if crossing is None or crossing.crossing is None:
            return
        style = {"color": "0.4", "linestyle": ":", "label": f"crossing at {crossing.crossing:.0f}"}
        self.crossing_line_ = self.ax_.axvline(crossing.crossing, **style)
        if crossing.interval is not None:
            ends = np.clip(crossing.interval, *self.result.train_sizes[[0, -1]])
            self.ax_.axvspan(*ends, color="0.4", alpha=0.12, lw=0)


def _check_band(band):
    if band not in _BANDS:
        raise ValueError(f"band={band!r}; allowed are {list(_BANDS)}")


def _find_crossing(result, crossing):
    """CrossingPoint to mark, or None."""
    if crossing is None or isinstance(crossing, CrossingPoint):
        return crossing
    if isinstance(crossing, str) and crossing == "auto":
        if len(result.names) != 2 or np.isinf(result.test_scores).any():
            return None
        crossing = result.names
    if isinstance(crossing, str) or len(crossing) != 2:
        raise ValueError(
            f"crossing={crossing!r}; allowed are 'auto', a pair of the names {list(result.names)}, "
            "a CrossingPoint, or None"
        )
    return crossing_point(result, *crossing, n_bootstrap=0)


def _half_width(scores, band, confidence_level):
    """Half the width of the band at each size; NaN where there is none."""
    count = np.sum(~np.isnan(scores), axis=1)
    has_spread = (count > 1) & np.isfinite(np.where(np.isnan(scores), 0.0, scores)).all(axis=1)
    width = np.full(len(scores), np.nan)
    if band is None or not has_spread.any():
        return width
    width[has_spread] = np.nanstd(scores[has_spread], axis=1, ddof=1)
    if band == "ci":
        freedom = np.maximum(count - 1, 1)
        width *= t.isf((1.0 - confidence_level) / 2, freedom) / np.sqrt(np.maximum(count, 1))
    return width


def _plain_log_axis(ax, sizes):
    """Logarithmic axis whose labels are numbers such as 20, 50, 100, not powers of ten."""
    from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, StrMethodFormatter

    ax.set_xscale("log")
    decades = np.log10(sizes[-1] / sizes[0])
    labelled = LogLocator(subs=(1, 2, 5) if decades <= _MOST_DECADES else (1,))
    # Within half a decade there may be none of these numbers.
    ax.xaxis.set_major_locator(labelled if decades > 0.5 else FixedLocator(sizes))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
