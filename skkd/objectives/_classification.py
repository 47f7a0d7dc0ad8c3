"""Objective of a linear classifier on validated data."""

from .._backend import namespace
from ..losses import Target
from ._linear import LinearObjective

__all__ = ["classification_objective"]


def classification_objective(loss, data, *, alpha=0.0, fit_intercept=True):
    """Linear objective with one logit for two classes and K logits for more.

    Parameters
    ----------
    loss : ClassificationLoss
        Binary for two classes, multiclass for more.
    data : ClassificationData
        Validated data: ``X``, integer labels ``y``, ``sample_weight`` and ``n_classes``.
    alpha : float, default=0.0
        Strength of the L2 penalty.
    fit_intercept : bool, default=True
        Whether the parameters end with an intercept row.

    Returns
    -------
    objective : LinearObjective
        On the device of ``data.X``.
    """
    binary = data.n_classes == 2
    y = namespace(data.X).astype(data.y, data.X.dtype) if binary else data.y
    return LinearObjective(
        loss,
        data.X,
        Target(y),
        data.sample_weight,
        n_outputs=1 if binary else data.n_classes,
        alpha=alpha,
        fit_intercept=fit_intercept,
    )
