"""What all multiclass losses share: the right class of each row and its margin."""

import math

from .._backend import namespace, one_hot
from ._base import ClassificationLoss

__all__ = ["MulticlassLoss", "own_class", "own_logit"]


class MulticlassLoss(ClassificationLoss):
    """K >= 2 logits; a row is right where its own logit is strictly above all others."""

    shift_invariant = True
    min_classes = 2

    def margin(self, Z, target):
        xp = namespace(Z)
        right = own_class(Z, target)
        return own_logit(Z, right)[:, 0] - xp.max(xp.where(right, -math.inf, Z), axis=1)

    def from_error(self, Q, target):
        xp = namespace(Q)
        return xp.where(own_class(Q, target), -xp.sum(Q, axis=1, keepdims=True), Q)


def own_class(Z, target):
    """Mask of shape (n, K) of each row's right class."""
    labels = target.y
    if labels.ndim == 2:
        raise ValueError(
            "this method needs hard labels, one integer per row, but the target is a matrix of "
            f"probabilities of shape {tuple(labels.shape)}; use value_and_gradient for soft targets"
        )
    return one_hot(labels, Z.shape[1])


def own_logit(Z, right):
    """Logit of each row's right class, as a column."""
    xp = namespace(Z)
    return xp.sum(xp.where(right, Z, 0.0), axis=1, keepdims=True)
