"""Reliability diagrams: accuracy against confidence, and how many rows have which confidence."""

import numpy as np
from scipy.stats import binom

from ..metrics import reliability_curve
from ._axes import new_axes

__all__ = ["ReliabilityDisplay"]

_FIGURE = (5.2, 5.6)
_HISTOGRAM_BINS = 20
_HISTOGRAM = "confidence histogram"  # label of its axes, by which a second display finds them
_ROOM = 0.02  # beside the unit square, for markers on its border
_NORMS = {"l1": "ECE", "l2": "root mean square gap", "max": "largest gap"}


class ReliabilityDisplay:
    """Reliability diagram: accuracy in bins of confidence, the gaps, and a histogram above.

    Best made by :meth:`from_estimator` or :meth:`from_predictions`. Several models share axes if
    those of the first are given to the next.

    Parameters
    ----------
    curve : ReliabilityCurve
        From :func:`~skkd.metrics.reliability_curve`.
    histogram : ReliabilityCurve, default=None
        The same rows in 20 uniform bins; None draws no histogram.
    name : str, default=None
        Name in the legend.
    pos_label : label, default=None
        The class whose probability is looked at; None means that of the predicted class.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes that hold the diagram.
    figure_ : matplotlib Figure
        Figure of the axes.
    line_ : matplotlib Line2D
        Accuracy against mean confidence of each bin.
    gaps_ : matplotlib LineCollection or None
        Vertical bars from the diagonal to the accuracy of each bin.
    band_ : matplotlib PolyCollection or None
        Where accuracies of a calibrated model would lie.
    reference_line_ : matplotlib Line2D
        The diagonal, where accuracy equals confidence.
    histogram_ax_ : matplotlib Axes or None
        Axes of the histogram.
    histogram_ : matplotlib StepPatch or None
        Share of the weight by confidence.

    See Also
    --------
    skkd.metrics.reliability_curve : The numbers in it.
    skkd.metrics.expected_calibration_error : Mean length of the gaps.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skkd.plotting import ReliabilityDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> display = ReliabilityDisplay.from_estimator(GaussianNB().fit(X, y), X, y)
    >>> display.line_.get_label()
    'GaussianNB (ECE 0.053)'
    """

    def __init__(self, curve, *, histogram=None, name=None, pos_label=None):
        self.curve = curve
        self.histogram = histogram
        self.name = name
        self.pos_label = pos_label

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_bins=15,
        strategy="uniform",
        pos_label=None,
        sample_weight=None,
        name=None,
        ax=None,
        **plot_params,
    ):
        """Draw the diagram of a fitted classifier.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier with ``predict_proba``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples that it was not fitted on.
        y : array-like of shape (n_samples,)
            Labels.
        n_bins : int >= 1, default=15
            As in :func:`~skkd.metrics.reliability_curve`.
        strategy : {"uniform", "quantile", "adaptive"}, default="uniform"
            As in :func:`~skkd.metrics.reliability_curve`.
        pos_label : label, default=None
            Class whose probability is looked at; None means the predicted class of each row.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        name : str, default=None
            Name in the legend; None means that of the class of `estimator`.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ReliabilityDisplay
            The figure; its `curve` holds the numbers.
        """
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            n_bins=n_bins,
            strategy=strategy,
            pos_label=pos_label,
            sample_weight=sample_weight,
            labels=estimator.classes_,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            **plot_params,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_proba,
        *,
        n_bins=15,
        strategy="uniform",
        pos_label=None,
        sample_weight=None,
        labels=None,
        name=None,
        ax=None,
        **plot_params,
    ):
        """Draw the diagram of probabilities that were computed before.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels.
        y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
            As in :func:`~skkd.metrics.reliability_curve`.
        n_bins : int >= 1, default=15
            As in :func:`~skkd.metrics.reliability_curve`.
        strategy : {"uniform", "quantile", "adaptive"}, default="uniform"
            As in :func:`~skkd.metrics.reliability_curve`.
        pos_label : label, default=None
            Class whose probability is looked at; None means the predicted class of each row.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        labels : array-like of shape (n_classes,), default=None
            Label of each column; None means the sorted labels of `y_true`.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **plot_params : dict
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ReliabilityDisplay
            The figure; its `curve` holds the numbers.
        """
        given = {"pos_label": pos_label, "sample_weight": sample_weight, "labels": labels}
        curve = reliability_curve(y_true, y_proba, n_bins=n_bins, strategy=strategy, **given)
        histogram = reliability_curve(y_true, y_proba, n_bins=_HISTOGRAM_BINS, **given)
        display = cls(curve, histogram=histogram, name=name, pos_label=pos_label)
        return display.plot(ax, **plot_params)

    def plot(
        self,
        ax=None,
        *,
        name=None,
        norm="l1",
        gaps=True,
        confidence_level=0.95,
        histogram=True,
        line_kw=None,
    ):
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure. If they hold another display, the histogram of
            this one joins the other's.
        name : str, default=None
            Name in the legend; None means the one given before.
        norm : {"l1", "l2", "max"} or None, default="l1"
            Which calibration error stands in the legend.
        gaps : bool, default=True
            Whether to draw the gaps between accuracy and confidence.
        confidence_level : float in (0, 1) or None, default=0.95
            Level of the band in which the accuracy of each bin lies if its rows are right as often
            as their confidence says: quantiles of the binomial distribution, where a weight is a
            number of rows. A curve within it is no evidence of miscalibration. None draws none.
        histogram : bool, default=True
            Whether to draw the histogram of confidences.
        line_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        display : ReliabilityDisplay
            This object, with the attributes set.
        """
        _check_options(norm, confidence_level)
        label = self._label(self.name if name is None else name, norm)
        ax = new_axes(_FIGURE) if ax is None else ax
        self.ax_, self.figure_ = ax, ax.figure
        first = not any(line.get_gid() == "diagonal" for line in ax.lines)
        self._draw_reference(first)
        options = {"marker": "o", "markersize": 5, "linewidth": 1.5, "label": label}
        (self.line_,) = ax.plot(
            self.curve.confidence, self.curve.accuracy, **{**options, **(line_kw or {})}
        )
        self.band_ = None if confidence_level is None else self._draw_band(confidence_level)
        self.gaps_ = self._draw_gaps() if gaps else None
        self.histogram_ax_ = self.histogram_ = None
        if histogram and self.histogram is not None:
            self._draw_histogram()
        self._finish(first)
        return self

    def _label(self, name, norm):
        error = None if norm is None else f"{_NORMS[norm]} {self.curve.error(norm):.3f}"
        if name is None:
            return error
        return name if error is None else f"{name} ({error})"

    def _draw_reference(self, first):
        if first:
            style = {"color": "0.45", "linestyle": "--", "linewidth": 1, "zorder": 1}
            (line,) = self.ax_.plot([0, 1], [0, 1], label="perfectly calibrated", **style)
            line.set_gid("diagonal")
        self.reference_line_ = next(line for line in self.ax_.lines if line.get_gid() == "diagonal")

    def _draw_band(self, level):
        """Quantiles of the share of right rows, if each bin had the accuracy of its confidence."""
        confidence = np.clip(self.curve.confidence, 0.0, 1.0)
        count = np.maximum(np.rint(self.curve.weight), 1)
        ends = [binom.ppf(q, count, confidence) / count for q in ((1 - level) / 2, (1 + level) / 2)]
        return self.ax_.fill_between(
            confidence, *ends, color=self.line_.get_color(), alpha=0.12, lw=0, zorder=0.5
        )

    def _draw_gaps(self):
        confidence = self.curve.confidence
        return self.ax_.vlines(
            confidence,
            confidence,
            self.curve.accuracy,
            color=self.line_.get_color(),
            alpha=0.4,
            linewidth=5,
            zorder=1.5,
        )

    def _draw_histogram(self):
        found = [ax for ax in self.ax_.child_axes if ax.get_label() == _HISTOGRAM]
        highest = found[0].get_ylim()[1] if found else 0.0
        self.histogram_ax_ = found[0] if found else self._new_histogram_axes()
        shares = np.zeros(_HISTOGRAM_BINS)
        filled = np.rint(self.histogram.lower * _HISTOGRAM_BINS).astype(int)
        shares[filled] = self.histogram.weight / self.histogram.weight.sum()
        edges = np.arange(_HISTOGRAM_BINS + 1) / _HISTOGRAM_BINS
        color = self.line_.get_color()
        self.histogram_ = self.histogram_ax_.stairs(
            shares, edges, fill=True, facecolor=(color, 0.25), edgecolor=color, linewidth=1.2
        )
        self.histogram_ax_.set_ylim(0.0, max(highest, 1.05 * shares.max()))

    def _new_histogram_axes(self):
        axes = self.ax_.inset_axes([0.0, 1.03, 1.0, 0.18], sharex=self.ax_, label=_HISTOGRAM)
        axes.tick_params(labelbottom=False, left=False, labelleft=False)
        axes.set_ylabel("share", fontsize="small")
        axes.spines[["top", "right", "left"]].set_visible(False)
        return axes

    def _finish(self, first):
        ax, low = self.ax_, 0.0
        if self.pos_label is None:
            # The largest of several probabilities is never small: what is empty is left out.
            low = np.floor(10 * min(self.curve.lower[0], self.curve.confidence[0])) / 10
            low = min(low, 0.9)
        low -= _ROOM
        ax.set_xlim(low if first else min(low, ax.get_xlim()[0]), 1.0 + _ROOM)
        ax.set_ylim(-_ROOM, 1.0 + _ROOM)
        if first:
            of = "" if self.pos_label is None else f" of {self.pos_label}"
            ax.set_xlabel(f"probability{of}" if of else "confidence")
            ax.set_ylabel(f"frequency{of}" if of else "accuracy")
        ax.legend(loc="best", frameon=False)


def _check_options(norm, confidence_level):
    if norm is not None and norm not in _NORMS:
        raise ValueError(f"norm={norm!r}; allowed are {[*_NORMS, None]}")
    if confidence_level is not None and not 0 < confidence_level < 1:
        raise ValueError(
            f"confidence_level={confidence_level!r}; allowed are numbers between 0 and 1, or None"
        )
