r"""Any loss on logits that are standardised row by row.

.. math::
    \tilde s = \frac{s - \mathrm{mean}(s)}{\mathrm{sd}(s) + 10^{-7}}, \qquad
    \mathrm{sd}^2 = \frac{1}{C - 1} \sum_c (s_c - \mathrm{mean}(s))^2,

and the teacher's logits likewise. The result does not change when the logits of a row are
multiplied by a positive number or shifted: only their relations are compared. Hence it is blind to
the scale of the student, has no minimiser under a penalty unless something else fixes that scale,
and is singular at equal logits, where its gradient is set to zero. Two standardised logits are
always :math:`\pm 0.7071`: with two classes nothing is left to learn.

References
----------
Sun, S., Ren, W., Li, J., Wang, R., Cao, X., "Logit standardization in knowledge distillation",
CVPR 2024 (arXiv 2403.01993).
"""

from .._backend import namespace
from ._base import Loss
from ._compiled import compiled, standardized, unstandardized

__all__ = ["Standardized"]

_EPS = 1e-7  # what the reference adds to the standard deviation


class Standardized(Loss):
    r"""A loss of standardised logits of student and teacher.

    Parameters
    ----------
    loss : Loss
        The loss to apply to the standardised logits.
    """

    convex = False
    shift_invariant = True

    def __init__(self, loss):
        self.loss = loss
        for flag in ("separable", "batch_coupled", "stateful", "needs_teacher", "needs_labels"):
            setattr(self, flag, getattr(loss, flag))
        self.min_classes = max(2, loss.min_classes)

    def __repr__(self):
        return f"Standardized({self.loss!r})"

    def prepare(self, target, Z=None, weight=None):
        if target.teacher_logits is not None:
            target = target._replace(teacher_logits=_standardize(target.teacher_logits)[0])
        Z = None if Z is None else _standardize(Z)[0]
        return self.loss.prepare(target, Z, weight)

    def value_and_slope(self, Z, target):
        scores, spread = _standardize(Z)
        value, slope = self.loss.value_and_slope(scores, target)
        return value, _pull_back(slope, scores, spread)

    def value_and_gradient(self, Z, target, weight):
        scores, spread = _standardize(Z)
        value, gradient = self.loss.value_and_gradient(scores, target, weight)
        if compiled(Z):
            return value, unstandardized(gradient, scores, spread[:, 0], _EPS, Z)
        return value, _pull_back(gradient, scores, spread)


def _standardize(Z):
    """Standardised rows and their standard deviations, as a column."""
    if compiled(Z):
        scores, spread = standardized(Z, _EPS)
        return scores, spread[:, None]
    xp = namespace(Z)
    gaps = Z - xp.mean(Z, axis=1, keepdims=True)
    spread = xp.std(gaps, axis=1, correction=1, keepdims=True)
    return gaps / (spread + _EPS), spread


def _pull_back(G, scores, spread):
    """Gradient in the logits of a function whose gradient in the scores is `G`."""
    xp = namespace(G)
    flat = spread == 0
    stretch = (spread + _EPS) / xp.where(flat, xp.ones_like(spread), spread)
    along = xp.sum(G * scores, axis=1, keepdims=True) / (G.shape[1] - 1)
    slope = (G - xp.mean(G, axis=1, keepdims=True) - scores * stretch * along) / (spread + _EPS)
    return xp.where(flat, xp.zeros_like(slope), slope)
