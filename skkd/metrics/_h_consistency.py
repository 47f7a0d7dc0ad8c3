r"""Bounds on excess errors in terms of the excess log-loss.

With :math:`T(t) = \frac{1 + t}{2} \log(1 + t) + \frac{1 - t}{2} \log(1 - t)` on [0, 1], for scores
h without restriction and any number of classes,

.. math::
    R_{01}(h) - R_{01}^* \le T^{-1}\bigl(R_{\log}(h) - R_{\log}^*\bigr) .

Pointwise: the cheapest way, in log-loss, to predict class j where the probabilities are p is to
make j tie with the largest of the others by pooling. With two classes of difference g and sum s
pooled the price is :math:`s\, T(g / s) \ge T(g)`, and Jensen's inequality carries this to risks,
as T is convex. For two classes with scores bounded by L the margin reaches 2 L at most; T is then
continued beyond :math:`t = \tanh L` by its tangent, :math:`L t - \log \cosh L`.

Reference: Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
generative classifiers: theory and implications", ICML 2023.
"""

from numbers import Real

import numpy as np
from scipy.special import xlog1py
from sklearn.utils._param_validation import Interval, validate_params

__all__ = [
    "logistic_h_consistency_bound",
    "logistic_h_consistency_transform",
    "minimal_log_regret",
]

_LOG2 = np.log(2.0)
# Below this the closed form loses digits, and eight terms of the series have all of them.
_SERIES = 0.1
_BOUND = {"score_bound": [Interval(Real, 0, None, closed="neither"), None]}


@validate_params(
    {"log_loss_excess": ["array-like", Real], **_BOUND}, prefer_skip_nested_validation=True
)
def logistic_h_consistency_bound(log_loss_excess, *, score_bound=None):
    r"""Largest excess error that an excess log-loss allows.

    It is :math:`\Gamma = T^{-1}`, at most :math:`\sqrt{2 e}` for an excess log-loss of e, and 1
    from :math:`\log 2` on.

    Parameters
    ----------
    log_loss_excess : float or array-like
        Excess log-loss e >= 0 over the best possible, in nats.
    score_bound : float > 0, default=None
        Bound L on the absolute value of both scores of a two-class problem; None for scores
        without restriction and any number of classes.

    Returns
    -------
    zero_one_excess : float or ndarray
        Bound on the excess error rate, in [0, 1].

    Raises
    ------
    ValueError
        If an excess is negative or NaN.

    See Also
    --------
    logistic_h_consistency_transform : Its inverse.
    minimal_log_regret : Exact, for given probabilities.

    Notes
    -----
    With restricted hypotheses both sides are to be read with their minimizability gaps added: the
    best risk in the class less the mean of the best conditional risks. Both are zero without
    restriction.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
       generative classifiers: theory and implications", ICML 2023.

    Examples
    --------
    >>> from skkd.metrics import logistic_h_consistency_bound
    >>> round(logistic_h_consistency_bound(0.02), 4)
    0.1993
    >>> logistic_h_consistency_bound([0.0, 1.0]).tolist()
    [0.0, 1.0]
    """
    excess = _checked(log_loss_excess, "log_loss_excess", np.inf)
    bound = _inverse(np.minimum(excess, _LOG2))
    bound = np.where(excess >= _LOG2, 1.0, bound)
    if score_bound is not None:
        tangent = _tangent_inverse(excess, score_bound)
        bound = np.where(bound > np.tanh(score_bound), np.minimum(tangent, 1.0), bound)
    return _as_given(bound, log_loss_excess)


@validate_params(
    {"zero_one_excess": ["array-like", Real], **_BOUND}, prefer_skip_nested_validation=True
)
def logistic_h_consistency_transform(zero_one_excess, *, score_bound=None):
    r"""Least excess log-loss at which an excess error is possible.

    It is :math:`T(t) = \frac{1 + t}{2} \log(1 + t) + \frac{1 - t}{2} \log(1 - t)`, continued by its
    tangent beyond :math:`\tanh L` if scores are bounded by L.

    Parameters
    ----------
    zero_one_excess : float or array-like
        Excess error t in [0, 1].
    score_bound : float > 0, default=None
        Bound L on the absolute value of both scores of a two-class problem.

    Returns
    -------
    log_loss_excess : float or ndarray
        In [0, log 2] nats.

    Raises
    ------
    ValueError
        If an excess is not in [0, 1].

    See Also
    --------
    logistic_h_consistency_bound : Its inverse, the bound.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
       generative classifiers: theory and implications", ICML 2023.

    Examples
    --------
    >>> from skkd.metrics import logistic_h_consistency_transform
    >>> round(logistic_h_consistency_transform(0.2), 5)
    0.02014
    """
    t = _checked(zero_one_excess, "zero_one_excess", 1.0)
    value = _transform(t)
    if score_bound is not None:
        value = np.where(t > np.tanh(score_bound), _tangent(t, score_bound), value)
    return _as_given(value, zero_one_excess)


def minimal_log_regret(probabilities, label):
    r"""Least excess log-loss of scores that predict a given class, where probabilities are known.

    It is :math:`\min_q \{ KL(p \| q) : q_j = \max_k q_k \}`. The minimiser pools: class j and the
    classes more probable than their common mean all get that mean.

    Parameters
    ----------
    probabilities : array-like of shape (n_classes,) or (n_samples, n_classes)
        Probabilities p of the classes.
    label : int or array-like of shape (n_samples,)
        The class j that is predicted, as a column of `probabilities`.

    Returns
    -------
    regret : float or ndarray of shape (n_samples,)
        In nats; 0 where j is a most probable class.

    Raises
    ------
    ValueError
        If rows are no probabilities or a label is no column.

    See Also
    --------
    logistic_h_consistency_transform : A lower bound from the difference of probabilities alone.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
       generative classifiers: theory and implications", ICML 2023.

    Examples
    --------
    >>> from skkd.metrics import minimal_log_regret
    >>> round(minimal_log_regret([0.6, 0.4], 1), 5)
    0.02014
    """
    p = np.asarray(probabilities, dtype=np.float64)
    rows = np.atleast_2d(p)
    if rows.ndim != 2 or not np.all(rows >= 0) or np.any(np.abs(rows.sum(axis=1) - 1) > 1e-8):
        raise ValueError(
            "probabilities must be rows of numbers >= 0 that sum to 1, got an array of shape "
            f"{p.shape} with sums {rows.sum(axis=-1)[:5].tolist()}"
        )
    labels = np.broadcast_to(np.asarray(label), rows.shape[:1])
    if not np.issubdtype(labels.dtype, np.integer) or np.any(
        (labels < 0) | (labels >= rows.shape[1])
    ):
        raise ValueError(
            f"label must be an integer from 0 to {rows.shape[1] - 1}, got {np.asarray(label)!r}"
        )
    regrets = _pooled_regrets(rows, labels)
    return float(regrets[0]) if p.ndim == 1 else regrets


def _pooled_regrets(p, labels):
    """KL divergence from each row to its cheapest change that makes its label a largest class."""
    n, n_classes = p.shape
    own = p[np.arange(n), labels][:, None]
    others = p[np.arange(n_classes) != labels[:, None]].reshape(n, n_classes - 1)
    above = np.sort(others - own, axis=1)[:, ::-1]
    # From the largest down, one is pooled as long as it lies above the mean of those before it.
    sizes = np.arange(1, n_classes)
    means = (np.cumsum(above, axis=1) - above) / sizes
    pooled = above > means
    shift = np.sum(above, axis=1, where=pooled, keepdims=True) / (1 + pooled.sum(axis=1))[:, None]
    mean = np.where(own + shift > 0, own + shift, 1.0)
    # Terms are taken about the mean, as they nearly cancel for classes that are close.
    others = np.sum(_about_one((above - shift) / mean), axis=1, where=pooled)
    return mean[:, 0] * (others + _about_one(-shift / mean)[:, 0])


def _about_one(d):
    """(1 + d) log(1 + d) - d: by its series for small d, where the two nearly cancel."""
    small = np.clip(d, -_SERIES / 2, _SERIES / 2)
    series = np.zeros_like(small)
    for k in range(14, 1, -1):
        series = (-1) ** k / (k * (k - 1)) + small * series
    closed = xlog1py(1.0 + d, np.maximum(d, -1.0)) - d
    return np.where(np.abs(d) < _SERIES / 2, small**2 * series, closed)


def _tangent(t, score_bound):
    """T beyond its kink, ``L t - log cosh L``, without cancellation at small or at large L."""
    if score_bound < 1:
        return score_bound * t - 0.5 * np.log1p(np.sinh(score_bound) ** 2)
    return _LOG2 - np.log1p(np.exp(-2.0 * score_bound)) - score_bound * (1.0 - t)


def _tangent_inverse(excess, score_bound):
    if score_bound < 1:
        return (excess + 0.5 * np.log1p(np.sinh(score_bound) ** 2)) / score_bound
    return 1.0 + (excess - _LOG2 + np.log1p(np.exp(-2.0 * score_bound))) / score_bound


def _transform(t):
    """T(t): by its series for small t, where the two logarithms nearly cancel."""
    squared = np.minimum(t, _SERIES) ** 2
    series = np.zeros_like(squared)
    for k in range(8, 0, -1):
        series = squared * (1.0 / (2 * k * (2 * k - 1)) + series)
    closed = 0.5 * (xlog1py(1.0 + t, t) + xlog1py(1.0 - t, -t))
    return np.where(t < _SERIES, series, closed)


def _inverse(excess):
    """Solve T(t) = excess by Newton's method.

    T is convex and its second derivative grows, so that from a start above the root, where T is
    too large, every step stays above; T(t) >= t^2 / 2 gives such a start.
    """
    positive = np.where(excess > 0.0, excess, 1.0)
    t = np.minimum(np.sqrt(2.0 * positive), 1.0 - 1e-16)
    for _ in range(60):
        step = (_transform(t) - positive) / np.arctanh(t)
        t = np.clip(t - step, 0.0, 1.0 - 1e-16)
        if np.all(np.abs(step) <= 1e-16 * t):
            break
    return np.where(excess > 0.0, t, 0.0)


def _checked(values, name, largest):
    x = np.asarray(values, dtype=np.float64)
    if not np.all((x >= 0.0) & (x <= largest)):
        allowed = ">= 0" if largest == np.inf else f"in [0, {largest:g}]"
        raise ValueError(f"{name} must be {allowed}, got {values!r}")
    return x


def _as_given(result, values):
    """A float for a number, an array for an array."""
    return float(result) if np.ndim(values) == 0 else np.asarray(result)
