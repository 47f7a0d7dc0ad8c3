"""What an estimator is judged by; lower is better."""

import numpy as np

from .._backend import to_numpy

__all__ = ["as_numpy", "named_score"]


def as_numpy(values):
    """Labels or probabilities on the host, whatever library they come from."""
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "__array_namespace__") or hasattr(values, "device"):
        return to_numpy(values)
    return np.asarray(values)


def named_score(scoring):
    """Return the scoring function and its name."""
    if callable(scoring):
        return scoring, getattr(scoring, "__name__", type(scoring).__name__)
    return {"error": error_rate, "log_loss": log_loss}[scoring], scoring


def error_rate(estimator, X, y):
    """Share of rows whose label is not predicted."""
    return np.mean(as_numpy(estimator.predict(X)) != as_numpy(y))


def log_loss(estimator, X, y):
    """Mean of ``-log P(y | x)``; infinite where a label got probability zero, never clipped."""
    classes, y = as_numpy(estimator.classes_), as_numpy(y)
    if hasattr(estimator, "predict_log_proba"):
        with np.errstate(divide="ignore"):
            log_proba = as_numpy(estimator.predict_log_proba(X))
    else:
        with np.errstate(divide="ignore"):
            log_proba = np.log(as_numpy(estimator.predict_proba(X)))
    column = np.minimum(np.searchsorted(classes, y), classes.size - 1)
    of_label = np.where(classes[column] == y, log_proba[np.arange(y.size), column], -np.inf)
    return -np.mean(of_label)
