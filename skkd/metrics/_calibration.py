r"""Whether confidences have the right size, and whether they put right answers before wrong ones.

A row's confidence c is the largest of its probabilities, and a says whether that class is right.
With rows gathered in bins B of confidence, of shares :math:`w_B` of the weight,

.. math::
    \mathrm{ECE} = \sum_B w_B \, | \bar a_B - \bar c_B | ,

and with rows taken from the most confident down, the area under the risk-coverage curve is the
mean over k of the share of errors among the first k,

.. math::
    \mathrm{AURC} = \frac1n \sum_{k=1}^n \frac1k \sum_{i \le k} (1 - a_i) .

Both are functions of the distinct confidences, the weight of each and its share of right rows
alone. Rows of equal confidence are therefore never torn apart, and their order never matters.

References
----------
Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q., "On calibration of modern neural networks", ICML
2017. Geifman, Y., Uziel, G., El-Yaniv, R., "Bias-reduced uncertainty estimation for deep neural
classifiers", ICLR 2019.
"""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy.special import digamma
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._outcomes import outcomes

__all__ = [
    "ReliabilityCurve",
    "area_under_risk_coverage",
    "excess_area_under_risk_coverage",
    "expected_calibration_error",
    "reliability_curve",
]

_NORMS = ("l1", "l2", "max")
# Weights such as 0.1 do not add up exactly: a mass that misses a multiple of the total by less
# than this has reached it, and shares of right rows that differ by less are equal.
_ROUNDING = 1e-12
# A sweep over numbers of bins ends here. Only a classifier whose errors are nearly all below its
# right answers gets so far, and there more bins change the error by next to nothing.
_MOST_SWEPT = 1000

_ARRAYS = {
    "y_true": ["array-like"],
    "y_proba": ["array-like"],
    "sample_weight": ["array-like", None],
    "labels": ["array-like", None],
}
_OF_CURVES = {
    **_ARRAYS,
    "n_bins": [Interval(Integral, 1, None, closed="left")],
    "strategy": [StrOptions({"uniform", "quantile", "adaptive"})],
    "pos_label": "no_validation",
}
_OF_ERRORS = {**_OF_CURVES, "norm": [StrOptions(set(_NORMS))]}


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """Confidence and accuracy in bins of confidence; empty bins are left out.

    Attributes
    ----------
    confidence : ndarray of shape (n_filled_bins,)
        Mean confidence in each bin, increasing.
    accuracy : ndarray of shape (n_filled_bins,)
        Share of right rows in each bin.
    weight : ndarray of shape (n_filled_bins,)
        Sum of the weights in each bin: the number of rows where there are none.
    lower : ndarray of shape (n_filled_bins,)
        Lower end of each bin, which is not in it unless the bin is the first.
    upper : ndarray of shape (n_filled_bins,)
        Upper end of each bin, which is in it.

    Examples
    --------
    >>> from skkd.metrics import reliability_curve
    >>> curve = reliability_curve([0, 1, 1, 1], [0.2, 0.4, 0.9, 0.9], n_bins=2)
    >>> round(curve.error("max"), 3)
    0.05
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    weight: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def error(self, norm="l1"):
        """Calibration error: a norm of the gaps between accuracy and confidence.

        Parameters
        ----------
        norm : {"l1", "l2", "max"}, default="l1"
            Mean absolute gap, root of the mean square, or largest; means by weight.

        Returns
        -------
        error : float
            In [0, 1].
        """
        if norm not in _NORMS:
            raise ValueError(f"norm={norm!r}; allowed are {list(_NORMS)}")
        gaps = np.abs(self.accuracy - self.confidence)
        if norm == "max":
            return float(gaps.max())
        share = self.weight / self.weight.sum()
        return float(share @ gaps) if norm == "l1" else float(np.sqrt(share @ gaps**2))


@validate_params(_OF_ERRORS, prefer_skip_nested_validation=True)
def expected_calibration_error(
    y_true,
    y_proba,
    *,
    n_bins=15,
    strategy="uniform",
    norm="l1",
    pos_label=None,
    sample_weight=None,
    labels=None,
):
    r"""Expected calibration error: mean gap between confidence and accuracy over bins.

    With bins B of confidence, of shares :math:`w_B` of the weight, it is
    :math:`\sum_B w_B |\bar a_B - \bar c_B|` for ``norm="l1"``,
    :math:`(\sum_B w_B (\bar a_B - \bar c_B)^2)^{1/2}` for "l2", and
    :math:`\max_B |\bar a_B - \bar c_B|` for "max", the maximum calibration error.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities, in the order of `labels`. For two classes the column of the second is
        enough; with `pos_label`, that of `pos_label`.
    n_bins : int >= 1, default=15
        Number of bins; not used by "adaptive".
    strategy : {"uniform", "quantile", "adaptive"}, default="uniform"
        "uniform": bins (j/n_bins, (j+1)/n_bins] of equal width, the first of which contains 0.
        "quantile": bins of equal weight. Bin j ends with the smallest confidence at or below
        which lies a share j/n_bins of the weight, so equal confidences stay together and bins may
        be fewer. "adaptive": the most bins of equal weight for which accuracy still rises from
        bin to bin (monotonic sweep [2]_); numbers of bins are tried from 1 up to the number of
        distinct confidences, at most 1000.
    norm : {"l1", "l2", "max"}, default="l1"
        How gaps are combined.
    pos_label : label, default=None
        If given, confidence is the probability of this class and accuracy its frequency, as in
        :func:`sklearn.calibration.calibration_curve`. None takes the predicted class of each row.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 is a row that occurs twice.
    labels : array-like of shape (n_classes,), default=None
        Label of each column; None means the sorted labels of `y_true`.

    Returns
    -------
    error : float
        In [0, 1].

    Raises
    ------
    ValueError
        If probabilities are NaN, out of [0, 1] or do not sum to 1, if the columns are not those
        of the labels, or if all weights are zero.

    See Also
    --------
    reliability_curve : The gaps, bin by bin.
    skkd.plotting.ReliabilityDisplay : The same as a figure.

    Notes
    -----
    Where several classes share the largest probability, the first is the predicted one. Ends of
    uniform bins are rounded to the type of `y_proba`, so that 0.3 lies in (0.2, 0.3] in float32
    too. "quantile" are the adaptive bins of [3]_ for the predicted class; they are called by what
    they are because "adaptive" also chooses their number.

    References
    ----------
    .. [1] Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q., "On calibration of modern neural
       networks", ICML 2017.
    .. [2] Roelofs, R., Cain, N., Shlens, J., Mozer, M. C., "Mitigating bias in calibration error
       estimation", AISTATS 2022.
    .. [3] Nixon, J., Dusenberry, M., Zhang, L., Jerfel, G., Tran, D., "Measuring calibration in
       deep learning", CVPR Workshops 2019.

    Examples
    --------
    >>> from skkd.metrics import expected_calibration_error
    >>> y_true = ["cat", "dog", "dog", "dog"]
    >>> y_proba = [[0.7, 0.3], [0.6, 0.4], [0.1, 0.9], [0.1, 0.9]]
    >>> round(expected_calibration_error(y_true, y_proba), 3)
    0.275
    """
    rows = outcomes(y_true, y_proba, sample_weight, labels, pos_label)
    return _binned(rows, n_bins, strategy).error(norm)


@validate_params(_OF_CURVES, prefer_skip_nested_validation=True)
def reliability_curve(
    y_true,
    y_proba,
    *,
    n_bins=15,
    strategy="uniform",
    pos_label=None,
    sample_weight=None,
    labels=None,
):
    """Mean confidence and accuracy in bins of confidence.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        As in :func:`expected_calibration_error`.
    n_bins : int >= 1, default=15
        Number of bins; not used by "adaptive".
    strategy : {"uniform", "quantile", "adaptive"}, default="uniform"
        As in :func:`expected_calibration_error`.
    pos_label : label, default=None
        If given, confidence is the probability of this class and accuracy its frequency.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 is a row that occurs twice.
    labels : array-like of shape (n_classes,), default=None
        Label of each column; None means the sorted labels of `y_true`.

    Returns
    -------
    curve : ReliabilityCurve
        One entry for each bin that is not empty.

    Raises
    ------
    ValueError
        As :func:`expected_calibration_error`.

    See Also
    --------
    expected_calibration_error : Its distance from the diagonal.
    skkd.plotting.ReliabilityDisplay : The same as a figure.

    Examples
    --------
    >>> from skkd.metrics import reliability_curve
    >>> curve = reliability_curve([0, 1, 1, 1], [0.2, 0.4, 0.9, 0.9], n_bins=2)
    >>> curve.upper.tolist(), curve.accuracy.tolist(), curve.weight.tolist()
    ([1.0], [0.75], [4.0])
    """
    return _binned(outcomes(y_true, y_proba, sample_weight, labels, pos_label), n_bins, strategy)


@validate_params(_ARRAYS, prefer_skip_nested_validation=True)
def area_under_risk_coverage(y_true, y_proba, *, sample_weight=None, labels=None):
    r"""Area under the risk-coverage curve (AURC): mean error rate of the most confident rows.

    With rows sorted by decreasing confidence, it is
    :math:`\frac1n \sum_k \frac1k \sum_{i \le k} (1 - a_i)`, where :math:`a_i` says whether the most
    probable class of row i is right: the mean, over all numbers k of rows one could choose to
    answer, of the error rate among them. Lower is better.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities, in the order of `labels`. For two classes the column of the second is
        enough.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 is a row that occurs twice.
    labels : array-like of shape (n_classes,), default=None
        Label of each column; None means the sorted labels of `y_true`.

    Returns
    -------
    area : float
        In [0, 1].

    Raises
    ------
    ValueError
        As :func:`expected_calibration_error`.

    See Also
    --------
    excess_area_under_risk_coverage : Less what the error rate alone makes of it.
    expected_calibration_error : Whether confidences have the right size.

    Notes
    -----
    The result is the mean over all orders of rows with equal confidence, so that it does not depend
    on the order in which rows are given. Programs that sort once take one such order; without ties
    there is no difference.

    Sums of 1/k are differences of the digamma function, which also defines the area for weights
    that are no integers. Weights are counts: multiplying all of them changes the area as
    repeating every row does.

    References
    ----------
    .. [1] Geifman, Y., Uziel, G., El-Yaniv, R., "Bias-reduced uncertainty estimation for deep
       neural classifiers", ICLR 2019.

    Examples
    --------
    >>> from skkd.metrics import area_under_risk_coverage
    >>> area_under_risk_coverage([0, 1, 0, 0], [0.1, 0.8, 0.3, 0.6])
    0.0625
    """
    rows = outcomes(y_true, y_proba, sample_weight, labels)
    mass = rows.mass[::-1]
    return _area(mass, mass - rows.right[::-1])


@validate_params(_ARRAYS, prefer_skip_nested_validation=True)
def excess_area_under_risk_coverage(y_true, y_proba, *, sample_weight=None, labels=None):
    r"""Excess area under the risk-coverage curve (E-AURC).

    It is the AURC less the least one with the same errors, that of confidences which put every
    error below every right answer: for r errors among n rows,
    :math:`\mathrm{AURC} - \frac1n \sum_{i=1}^r \frac{i}{n - r + i}`. It is 0 for a perfect ranking,
    whatever the error rate.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities, in the order of `labels`. For two classes the column of the second is
        enough.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 is a row that occurs twice.
    labels : array-like of shape (n_classes,), default=None
        Label of each column; None means the sorted labels of `y_true`.

    Returns
    -------
    area : float
        In [0, 1].

    Raises
    ------
    ValueError
        As :func:`expected_calibration_error`.

    See Also
    --------
    area_under_risk_coverage : The whole area, and how ties and weights count.

    References
    ----------
    .. [1] Geifman, Y., Uziel, G., El-Yaniv, R., "Bias-reduced uncertainty estimation for deep
       neural classifiers", ICLR 2019.

    Examples
    --------
    >>> from skkd.metrics import excess_area_under_risk_coverage
    >>> excess_area_under_risk_coverage([0, 1, 0, 0], [0.1, 0.8, 0.3, 0.6])
    0.0
    """
    rows = outcomes(y_true, y_proba, sample_weight, labels)
    mass, errors = rows.mass[::-1], (rows.mass - rows.right)[::-1]
    wrong = errors.sum()
    least = _area(np.asarray([mass.sum() - wrong, wrong]), np.asarray([0.0, wrong]))
    return max(_area(mass, errors) - least, 0.0)  # less than zero by rounding only


def _binned(rows, n_bins, strategy):
    """The curve; a bin is a run of distinct confidences, given by the index of its first."""
    if strategy == "uniform":
        edges = (np.arange(n_bins + 1) / n_bins).astype(rows.dtype).astype(np.float64)
        index = np.searchsorted(edges[1:-1], rows.value, side="left")
        starts = np.flatnonzero(np.diff(index, prepend=-1))
        filled = index[starts]
        return _curve(rows, starts, edges[filled], edges[filled + 1])
    cumulated = np.cumsum(rows.mass)
    if strategy == "quantile":
        starts = _equal_mass(cumulated, n_bins)
    else:
        starts = _monotonic_sweep(rows, cumulated)
    upper = np.append(rows.value[starts[1:] - 1], rows.value[-1])
    return _curve(rows, starts, np.append(rows.value[0], upper[:-1]), upper)


def _curve(rows, starts, lower, upper):
    weight = np.add.reduceat(rows.mass, starts)
    confidence = np.add.reduceat(rows.mass * rows.value, starts) / weight
    return ReliabilityCurve(
        confidence, np.add.reduceat(rows.right, starts) / weight, weight, lower, upper
    )


def _equal_mass(cumulated, n_bins):
    """First confidence of each bin, where a bin ends once its share of the weight is reached."""
    reached = np.arange(1, n_bins) * (cumulated[-1] * (1.0 - _ROUNDING))
    ends = np.searchsorted(cumulated * n_bins, reached, side="left")
    starts = np.unique(np.append(0, ends + 1))
    return starts[starts < len(cumulated)]


def _monotonic_sweep(rows, cumulated):
    """Bins of equal weight, as many as leave accuracies sorted for this and all fewer bins."""
    chosen = np.zeros(1, dtype=np.int64)
    for n_bins in range(2, min(len(cumulated), _MOST_SWEPT) + 1):
        starts = _equal_mass(cumulated, n_bins)
        accuracy = np.add.reduceat(rows.right, starts) / np.add.reduceat(rows.mass, starts)
        if np.any(np.diff(accuracy) < -_ROUNDING):
            break
        chosen = starts
    return chosen


def _area(mass, errors):
    """Mean over k of the expected share of errors among the first k, in groups of random order.

    Between positions a and b errors grow by r per position, so that the k-th share is
    ``(E_a + (k - a) r) / k`` and their sum ``r (b - a) + (E_a - a r) (1/(a+1) + ... + 1/b)``.
    """
    mass, errors = mass[mass > 0], errors[mass > 0]
    after = np.cumsum(mass)
    before = np.append(0.0, after[:-1])
    errors_before = np.append(0.0, np.cumsum(errors)[:-1])
    harmonic = digamma(after + 1.0) - digamma(before + 1.0)
    sums = errors + (errors_before - before * errors / mass) * harmonic
    return float(sums.sum() / after[-1])
