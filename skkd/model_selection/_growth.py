r"""How a number of samples grows with the dimension: logarithm, line or power.

All models are fitted by least squares to m itself, the power law too, not to its logarithm: only
then do residual sums, and with them :math:`R^2` and AIC, compare models of the same thing.

========  =====================
constant  :math:`m = a`
log       :math:`m = a + b \log n`
linear    :math:`m = a + b n`
power     :math:`m = a n^b`
========  =====================
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t
from sklearn.utils._param_validation import Interval, validate_params

__all__ = ["GrowthComparison", "GrowthFit", "fit_growth"]

_MODELS = ("constant", "log", "linear", "power")
_LEAST_SIZES = 3


@dataclass(frozen=True, eq=False)
class GrowthFit:
    r"""One model of growth with the uncertainty of its coefficients.

    Attributes
    ----------
    model : str
        "constant", "log", "linear" or "power".
    coef : ndarray of shape (n_coefficients,)
        a and b; a alone for "constant".
    standard_errors : ndarray of shape (n_coefficients,)
        Standard errors; for "power" from the linearised model.
    intervals : ndarray of shape (n_coefficients, 2)
        Lower and upper ends, by Student's t with ``n_points - n_coefficients`` degrees of freedom.
    r2 : float
        Share of the (weighted) variance of m that the model explains; NaN where m does not vary.
    aic : float
        Akaike's criterion :math:`2k - 2 \log L` for normal errors; k counts their variance. It is
        minus infinity for a perfect fit.
    aicc : float
        AIC corrected for few points; infinite where there are no more than k + 1 of them.
    n_points : int
        Number of points.
    """

    model: str
    coef: np.ndarray
    standard_errors: np.ndarray
    intervals: np.ndarray
    r2: float
    aic: float
    aicc: float
    n_points: int

    def predict(self, n):
        """Evaluate the model.

        Parameters
        ----------
        n : array-like of float > 0
            Dimensions.

        Returns
        -------
        m : ndarray
            Numbers of samples, of the shape of `n`.
        """
        n = np.asarray(n, dtype=float)
        if self.model == "power":
            return self.coef[0] * n ** self.coef[1]
        return sum(c * column for c, column in zip(self.coef, _columns(self.model, n), strict=True))


@dataclass(frozen=True, eq=False)
class GrowthComparison:
    """Models of growth, fitted to the same points.

    ``growth["log"]`` is ``growth.fits["log"]``.

    Attributes
    ----------
    best : str
        Model of the smallest AIC; of equals, the one that was named first.
    fits : dict of str to GrowthFit
        All models by name.
    confidence_level : float
        Level of the intervals.
    """

    best: str
    fits: Mapping = field(repr=False)
    confidence_level: float = 0.95

    def __getitem__(self, model):
        return self.fits[model]


@validate_params(
    {
        "n": ["array-like"],
        "m": ["array-like"],
        "models": ["array-like"],
        "weights": ["array-like", None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def fit_growth(n, m, *, models=("log", "linear", "power"), weights=None, confidence_level=0.95):
    r"""Fit logarithmic, linear and power growth, and compare them.

    Minimises :math:`\sum_i w_i (m_i - f(n_i))^2` for f of the form :math:`a + b \log n`,
    :math:`a + b n`, :math:`a n^b`, or the constant a.

    Parameters
    ----------
    n : array-like of shape (n_sizes,)
        Dimensions, positive, at least three different ones.
    m : array-like of shape (n_sizes,) or (n_sizes, n_repeats)
        Numbers of samples, positive; the columns are repeats.
    models : sequence of {"constant", "log", "linear", "power"}, default=("log", "linear", "power")
        Models to fit.
    weights : array-like of the shape of `m`, default=None
        Positive weights, in proportion to the inverse variances of m. None weighs all alike.
    confidence_level : float in (0, 1), default=0.95
        Level of the intervals.

    Returns
    -------
    growth : GrowthComparison
        The fits and the best of them.

    Raises
    ------
    ValueError
        If there are too few different dimensions, or values are not positive and finite.

    See Also
    --------
    samples_to_reach : Numbers of samples to fit.

    Notes
    -----
    Residuals of all models, and so :math:`R^2` and AIC, are on the scale of m. Models with the same
    number of coefficients are therefore ranked alike by all three. The exponent of the power law is
    the more telling answer: an interval around 1 speaks for linear growth, one near 0 for
    logarithmic growth or none.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J., "Revisiting discriminative vs.
       generative classifiers: theory and implications", ICML 2023.

    Examples
    --------
    >>> from skkd.model_selection import fit_growth
    >>> growth = fit_growth([100, 200, 400, 1000], [124, 205, 484, 1563])
    >>> growth.best, growth["power"].coef.round(2)
    ('power', array([0.28, 1.25]))
    """
    models = _check_models(models)
    n, m, w = _points(n, m, weights)
    fits = {model: _fit(model, n, m, w, confidence_level) for model in models}
    best = min(fits, key=lambda model: fits[model].aic)
    return GrowthComparison(best=best, fits=fits, confidence_level=confidence_level)


def _check_models(models):
    models = [models] if isinstance(models, str) else list(models)
    unknown = [model for model in models if model not in _MODELS]
    if unknown or not models:
        raise ValueError(f"models={models}; allowed are some of {list(_MODELS)}")
    return models


def _points(n, m, weights):
    """Flat arrays of dimensions, numbers of samples and weights."""
    n, m = np.asarray(n, dtype=float), np.asarray(m, dtype=float)
    if n.ndim != 1 or m.ndim not in (1, 2) or m.shape[0] != n.size:
        raise ValueError(
            f"n has shape {n.shape} and m {m.shape}; n must be 1-D, and m have one row for each n"
        )
    w = np.ones_like(m) if weights is None else np.asarray(weights, dtype=float)
    if w.shape != m.shape:
        raise ValueError(f"weights have shape {w.shape}, but m has {m.shape}; give one for each m")
    if np.isnan(m).any():
        raise ValueError(
            f"m is NaN at n={n[np.isnan(m.reshape(n.size, -1)).any(axis=1)].tolist()}: the target "
            "was not reached there. Extend train_sizes, or leave these points out and say so"
        )
    for name, values in (("n", n), ("m", m), ("weights", w)):
        if not np.all(np.isfinite(values) & (values > 0)):
            bad = values[~(np.isfinite(values) & (values > 0))]
            raise ValueError(f"{name} must be positive and finite, got {bad.flat[0]}")
    if np.unique(n).size < _LEAST_SIZES:
        raise ValueError(
            f"n holds {np.unique(n).size} different dimensions; at least {_LEAST_SIZES} are needed "
            "to tell models of growth apart"
        )
    n = np.broadcast_to(n[:, None], m.shape) if m.ndim == 2 else n
    return n.ravel(), m.ravel(), w.ravel()


def _columns(model, n):
    basis = {"log": np.log, "linear": np.asarray}
    return [np.ones_like(n), *([basis[model](n)] if model in basis else [])]


def _fit(model, n, m, w, confidence_level):
    root = np.sqrt(w)
    if model == "power":
        coef, fitted, jacobian = _power(n, m, root)
    else:
        jacobian = np.stack(_columns(model, n), axis=1)
        coef = _solve(root[:, None] * jacobian, root * m)
        fitted = jacobian @ coef
    # Below rounding every fit is perfect, and perfect fits are equals.
    rss = float(w @ (m - fitted) ** 2)
    floor = (8 * np.finfo(float).eps) ** 2 * float(w @ m**2) * m.size
    rss = rss if rss > floor else 0.0
    freedom = m.size - coef.size
    errors = np.sqrt(rss / freedom * _inverse_gram_diagonal(root[:, None] * jacobian))
    reach = t.isf((1.0 - confidence_level) / 2, freedom) * errors
    spread = float(w @ (m - w @ m / w.sum()) ** 2)
    aic, aicc = _criteria(rss, w, coef.size + 1)
    return GrowthFit(
        model=model,
        coef=coef,
        standard_errors=errors,
        intervals=np.stack([coef - reach, coef + reach], axis=1),
        r2=1.0 - rss / spread if spread > floor else math.nan,
        aic=aic,
        aicc=aicc,
        n_points=m.size,
    )


def _power(n, m, root):
    """Nonlinear least squares in the value at the mean of log n, and the exponent."""
    log_n = np.log(n)
    centre = log_n.mean()
    x, scale = log_n - centre, m.max()
    start = _solve(np.stack([np.ones_like(x), x], axis=1), np.log(m / scale))

    def residuals(p):
        return root * (np.exp(p[0] + p[1] * x) - m / scale)

    def slopes(p):
        curve = root * np.exp(p[0] + p[1] * x)
        return np.stack([curve, curve * x], axis=1)

    found = least_squares(residuals, start, slopes, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    level, exponent = found.x
    a = scale * math.exp(level - exponent * centre)
    fitted = scale * np.exp(level + exponent * x)
    return np.array([a, exponent]), fitted, np.stack([fitted / a, fitted * log_n], axis=1)


def _solve(A, b):
    size = np.linalg.norm(A, axis=0)
    return np.linalg.lstsq(A / size, b, rcond=None)[0] / size


def _inverse_gram_diagonal(A):
    size = np.linalg.norm(A, axis=0)
    R = np.linalg.qr(A / size, mode="r")
    return np.sum(np.linalg.inv(R) ** 2, axis=1) / size**2


def _criteria(rss, w, k):
    """AIC and AICc of normal errors whose variances are in proportion to 1 / w."""
    n_points = w.size
    log_variance = math.log(rss / n_points) if rss > 0 else -math.inf
    log_likelihood = -n_points / 2 * (math.log(2 * math.pi) + log_variance + 1)
    aic = 2 * k - 2 * (log_likelihood + 0.5 * float(np.sum(np.log(w))))
    left = n_points - k - 1
    return aic, aic + 2 * k * (k + 1) / left if left > 0 else math.inf
