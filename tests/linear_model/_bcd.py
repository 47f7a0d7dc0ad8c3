"""Block coordinate descent under test: data, and the objective and conditions by their formulas."""

import warnings

import numpy as np
from scipy import sparse
from scipy.special import expit, logsumexp, softmax
from sklearn.exceptions import ConvergenceWarning

from skkd.linear_model import BCDClassifier, BCDRegressor

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csc": sparse.csc_array,
    "csr": sparse.csr_matrix,
}


def regression(n=60, p=30, seed=0, noise=0.1):
    """Four coefficients off zero, and targets of mean 5."""
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((n, p))
    w = np.zeros(p)
    w[:4] = [3.0, -2.0, 1.0, 0.5][: min(4, p)]
    return X, X @ w + noise * rng.standard_normal(n) + 5.0


def classification(n=60, p=30, n_classes=2, seed=0):
    """Labels of a noisy linear score, cut at equal shares."""
    X, y = regression(n, p, seed, noise=1.5)
    cuts = np.quantile(y, np.arange(1, n_classes) / n_classes)
    return X, np.digitize(y, cuts)


def problem(kind, **params):
    """An estimator with its data: "squared", "log", "softmax" or "squared_hinge"."""
    if kind == "squared":
        return BCDRegressor(**params), *regression()
    loss = {"loss": "squared_hinge"} if kind == "squared_hinge" else {}
    return (
        BCDClassifier(**params, **loss),
        *classification(n_classes=3 if kind == "softmax" else 2),
    )


def dense(X):
    """X as a float64 array."""
    return np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)


def coefficients(model):
    """Coefficients of shape (n_outputs, p) and intercepts, in float64."""
    coef = np.atleast_2d(model.coef_).astype(float)
    return coef, np.ravel(model.intercept_).astype(float)


def penalty_value(model, coef):
    """The penalty of the documentation."""
    w = coef.ravel()
    if model.penalty is None:
        return 0.0
    if model.penalty == "l1":
        return model.alpha * np.abs(w).sum()
    if model.penalty == "l2":
        return 0.5 * model.alpha * w @ w
    if model.penalty == "elasticnet":
        ridge = 0.5 * (1 - model.l1_ratio) * w @ w
        return model.alpha * (model.l1_ratio * np.abs(w).sum() + ridge)
    assert isinstance(model.groups, int)
    starts = range(0, coef.shape[1], model.groups)
    blocks = [coef[:, start : start + model.groups] for start in starts]
    return model.alpha * sum(np.sqrt(b.shape[1]) * np.linalg.norm(b) for b in blocks)


def objective(model, X, y, weight=None):
    """The objective of the documentation at the fitted coefficients."""
    coef, intercept = coefficients(model)
    Z = dense(X) @ coef.T + intercept
    weight = np.ones(len(Z)) if weight is None else weight
    if isinstance(model, BCDRegressor):
        losses = 0.5 * (y - Z[:, 0]) ** 2
    elif Z.shape[1] > 1:
        codes = np.searchsorted(model.classes_, y)
        losses = logsumexp(Z, axis=1) - Z[np.arange(len(Z)), codes]
    else:
        margins = np.where(y == model.classes_[1], 1.0, -1.0) * Z[:, 0]
        hinge = model.loss == "squared_hinge"
        losses = 0.5 * np.maximum(0, 1 - margins) ** 2 if hinge else np.logaddexp(0, -margins)
    return weight @ losses / weight.sum() + penalty_value(model, coef)


def gradients(model, X, y):
    """Gradient of the mean loss in the coefficients and in the intercepts."""
    coef, intercept = coefficients(model)
    X = dense(X)
    Z = X @ coef.T + intercept
    if isinstance(model, BCDRegressor):
        slopes = Z - np.asarray(y)[:, None]
    elif Z.shape[1] > 1:
        slopes = softmax(Z, axis=1) - (np.asarray(y)[:, None] == model.classes_)
    else:
        signs = np.where(y == model.classes_[1], 1.0, -1.0)[:, None]
        hinge = model.loss == "squared_hinge"
        slopes = -signs * (np.maximum(0, 1 - signs * Z) if hinge else expit(-signs * Z))
    return slopes.T @ X / len(X), slopes.mean(axis=0)


def violation(model, X, y):
    """Largest distance of the negative gradient to the subdifferential of penalty and bounds."""
    gradient, of_intercept = gradients(model, X, y)
    coef, _ = coefficients(model)
    share = {"l1": 1.0, "elasticnet": model.l1_ratio}.get(model.penalty, 0.0)
    ridge = 0.0 if model.penalty in (None, "l1") else model.alpha * (1 - share)
    l1 = model.alpha * share
    pull = -gradient - ridge * coef
    lower, upper = (-np.inf, np.inf) if model.bounds is None else model.bounds
    lower = max(lower, 0.0) if model.positive else lower
    low = np.where(coef > 0, l1, -l1)  # the subdifferential is [low, high]
    high = np.where(coef < 0, -l1, l1)
    low = np.where(coef <= lower, -np.inf, low)
    high = np.where(coef >= upper, np.inf, high)
    apart = np.maximum(np.maximum(low - pull, pull - high), 0.0)
    return max(apart.max(), np.abs(of_intercept).max() if model.fit_intercept else 0.0)


def fit_quietly(model, *args, **kwargs):
    """Fit, and tell whether it warned that the tolerance was missed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*args, **kwargs)
    assert all(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    return bool(caught)
