"""The pair of losses that students mostly minimise, in one compiled pass over the logits."""

import numpy as np

from ._compiled import compiled, pass_over_rows
from ._divergences import KLLoss
from ._log_loss import MultinomialLogLoss

__all__ = ["fits_one_pass", "labels_and_teacher"]


def fits_one_pass(terms, parts, Z):
    """Whether the terms are cross-entropy of hard labels and :class:`KLLoss`, on many logits.

    Parameters
    ----------
    terms : list of (float, Loss)
        Factors and losses.
    parts : tuple of Target
        What each compares with.
    Z : array of shape (n, C)
        Logits.
    """
    if [type(loss) for _, loss in terms] != [MultinomialLogLoss, KLLoss] or not compiled(Z):
        return False
    y = parts[0].y
    return y.ndim == 1 and np.issubdtype(y.dtype, np.integer)


def labels_and_teacher(terms, parts, Z, weight):
    """Value and gradient of such a sum."""
    from .._kernels.labels_and_teacher import labels_and_teacher_rows

    (ce, _), (kd, kl) = terms
    others = (parts[1].teacher_logits, parts[0].y)
    entropy = 1.0 if kl.form == "kl" else 0.0
    return pass_over_rows(
        labels_and_teacher_rows, Z, others, weight, (ce, kd, kl.temperature, entropy)
    )
