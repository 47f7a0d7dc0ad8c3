"""The students by name, and how the strength of their penalty is chosen.

All are :class:`DistilledLogisticRegression` with the weights and temperatures of the papers where
these carry over (its own defaults), but for KD at two temperatures and the terms of TSD-KD, which
are told apart by their weights.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skkd.distillation import DistilledLogisticRegression
from skkd.metrics import expected_calibration_error

from .teachers import at_rest

TOL = 1e-4  # of the gradient: accuracies of the solution to 1e-6 are the same
MAX_ITER = 200

_PURE = {"ce_weight": 0.0, "kd_weight": 1.0}
_TSD = {"ce_weight": 0.1, "kd_weight": 1.0}
STUDENTS = {
    "ce": {"loss": "ce"},
    "label_smoothing": {"loss": "label_smoothing"},
    "kl": {"loss": "kl", "temperature": 4.0},
    "kl:1": {"loss": "kl", "temperature": 1.0},
    "kl:z": {"loss": "kl", "standardize_logits": True},
    **{
        name: {"loss": name}
        for name in (
            *("reverse_kl", "mse", "binary_kl", "binary_kl_norm", "dkd", "nkd", "wsld", "uskd"),
            *("pld", "list_mle", "dist", "mlkd_class_correlation", "mlkd_batch_correlation"),
        )
    },
    "sinkhorn": {"loss": "sinkhorn", "batch_size": 50, "n_rounds": 2, "max_iter": 30},
    "js": {"loss": "js", "loss_params": {"beta": 0.9}, **_TSD},
    "tsd:gate": {"loss": "gated_js", **_TSD},
    "tsd:rank": {"loss": "selective", "loss_params": {"entropy_weight": 0.0}, **_TSD},
    "tsd:entropy": {
        "loss": "selective",
        "loss_params": {"entropy_weight": 0.1, "rank_weight": 0.0},
        **_TSD,
    },
    "tsd": {"loss": "selective", "loss_params": {"entropy_weight": 0.1}, **_TSD},
    # Without labels, for a teacher that is the truth.
    "kl:pure": {"loss": "kl", "temperature": 1.0, **_PURE},
    "kl:pure4": {"loss": "kl", "temperature": 4.0, **_PURE},
    "mse:pure": {"loss": "mse", **_PURE},
    "binary_kl:pure": {"loss": "binary_kl", **_PURE},
    "dkd:pure": {
        "loss": "dkd",
        "temperature": 1.0,
        "loss_params": {"alpha": 1.0, "beta": 1.0},
        **_PURE,
    },
}
# With two classes: NKD and PLD are a weighted cross-entropy, z-scores are constant.
WITHOUT_TEACHER = ("ce", "label_smoothing", "uskd")
FOR_TWO = (
    *("ce", "label_smoothing", "kl", "kl:1", "reverse_kl", "js", "mse", "binary_kl"),
    *("binary_kl_norm", "dkd", "wsld", "dist", "sinkhorn"),
)
FOR_MORE = (
    *FOR_TWO,
    *("kl:z", "nkd", "uskd", "pld", "list_mle", "mlkd_class_correlation"),
    *("mlkd_batch_correlation", "tsd:gate", "tsd:rank", "tsd:entropy", "tsd"),
)


class Scored(NamedTuple):
    """A fitted student on some rows."""

    accuracy: float
    nll: float
    ece: float


class Tuned(NamedTuple):
    """A student of the best penalty, which is another one for accuracy than for probabilities."""

    accuracy: float
    nll: float
    ece: float
    chosen: float  # by accuracy
    unfinished: int  # fits that did not come to rest


def make(name: str, alpha: float, **changed) -> DistilledLogisticRegression:
    """Return an unfitted student of a penalty."""
    params = {"tol": TOL, "max_iter": MAX_ITER, **STUDENTS[name], "alpha": alpha, **changed}
    return DistilledLogisticRegression(random_state=0, **params)


def tuned(maker: Callable, alphas, fit: Callable, validation, test) -> Tuned:
    """Fit a student for each penalty and score the best on the test rows.

    Parameters
    ----------
    maker : callable
        ``maker(alpha)`` is an unfitted student.
    alphas : sequence of float
        Penalties.
    fit : callable
        ``fit(student)`` fits it.
    validation, test : Rows
        Accuracy is that of the student with the best accuracy on `validation`, of equals the one
        with the least log-loss; log-loss and calibration error are those of the student with the
        least log-loss. This is done in the same way for all students.
    """
    fitted = []
    with at_rest():
        for alpha in alphas:
            fitted.append(fit(maker(alpha)))
    seen = [scored(one, validation) for one in fitted]
    by_accuracy = max(range(len(seen)), key=lambda i: (seen[i].accuracy, -seen[i].nll))
    by_nll = min(range(len(seen)), key=lambda i: seen[i].nll)
    probable = scored(fitted[by_nll], test)
    return Tuned(
        scored(fitted[by_accuracy], test).accuracy,
        probable.nll,
        probable.ece,
        float(alphas[by_accuracy]),
        sum(not getattr(one, "converged_", True) for one in fitted),
    )


def scored(model, rows) -> Scored:
    """Accuracy, mean log-loss and expected calibration error."""
    log_proba = np.asarray(model.predict_log_proba(rows.X))
    return scored_log_proba(log_proba, rows.y)


def scored_log_proba(log_proba, y) -> Scored:
    """The same from log-probabilities; labels are column numbers."""
    proba = np.exp(log_proba)
    labels = np.arange(log_proba.shape[1])
    ece = expected_calibration_error(y, proba / proba.sum(axis=1, keepdims=True), labels=labels)
    right = log_proba.argmax(axis=1) == y
    return Scored(float(right.mean()), float(-log_proba[np.arange(len(y)), y].mean()), float(ece))


def columns(results: dict[str, Tuned]) -> dict:
    """A flat record of several students, in parallel lists."""
    fields = {name: [getattr(one, name) for one in results.values()] for name in Tuned._fields}
    return {"students": list(results), **fields}
