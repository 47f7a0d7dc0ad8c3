r"""Multiclass losses built from pairs of classes.

Kesler's construction turns a row of K logits with right class y into the K - 1 margins
:math:`m_k = z_y - z_k`; any binary margin loss then gives a multiclass one,

.. math:: \ell(z, y) = \frac{1}{K-1} \sum_{k \ne y} \phi(z_y - z_k),

and every theorem about n binary rows holds for the n(K - 1) rows of the construction, which is
never formed: the loss works on logits. :class:`MulticlassPerceptronLoss` is the other multiclass
perceptron, the limit of softmax: only the best wrong class of a wrong row pulls.
"""

import math

from .._backend import logsumexp, namespace, total
from ._base import existing, weighted
from ._multiclass import MulticlassLoss, own_class, own_logit

__all__ = ["MulticlassPerceptronLoss", "PairwiseLoss"]


class PairwiseLoss(MulticlassLoss):
    """Kesler form of a binary margin loss; ``target.y`` holds integer labels of shape (n,).

    Parameters
    ----------
    base : BinaryMarginLoss
        The loss of one margin.
    """

    def __init__(self, base):
        self.base = base
        self.separable = base.separable
        self.batch_coupled = base.batch_coupled

    @property
    def curvature(self):
        """Kesler rows of one sample: K - 1 rows e_y - e_k over K - 1, largest eigenvalue <= 2."""
        return None if self.base.curvature is None else 2.0 * self.base.curvature

    @property
    def diagonal_curvature(self):
        """The right class meets all K - 1 pairs, with weight 1 / (K - 1) each."""
        return self.base.diagonal_curvature

    def origin_pull(self, n_logits):
        """As of the base loss: each pair is a binary problem."""
        return self.base.origin_pull(1)

    def value_and_slope(self, Z, target):
        m = self._margins(Z, target)
        share = 1.0 / (Z.shape[1] - 1)
        values = share * namespace(Z).sum(self.base.phi(m), axis=1)
        return values, self.from_error(share * self.base.pull(m), target)

    def value_and_gradient(self, Z, target, weight):
        m = existing(self._margins(Z, target), weight)
        if self.batch_coupled:
            return total(-namespace(Z).min(m)), self.normalized_gradient(Z, target, weight)[0]
        share = 1.0 / (Z.shape[1] - 1)
        value = total(weighted(weight, share * self.base.phi(m)))
        return value, self.from_error(weighted(weight, share * self.base.pull(m)), target)

    def linearize(self, Z, target, weight):
        xp = namespace(Z)
        right = own_class(Z, target)
        bend = weighted(weight, self.base.second(self._margins(Z, target))) / (Z.shape[1] - 1)

        def product(V):
            pair = bend * xp.where(right, 0.0, own_logit(V, right) - V)
            return xp.where(right, xp.sum(pair, axis=1, keepdims=True), -pair)

        return product

    def log_error(self, Z, target, weight=1.0):
        xp = namespace(Z)
        m = existing(self._margins(Z, target), weight)
        share = math.log(Z.shape[1] - 1)
        return xp.where(own_class(Z, target), -math.inf, self.base.log_pull(m) - share)

    def log_value(self, Z, target):
        logs = self.base.log_phi(self._margins(Z, target))
        return logsumexp(logs, axis=1) - math.log(Z.shape[1] - 1)

    def _margins(self, Z, target):
        """Margin against each class, shape (n, K); +inf in the place of the right one."""
        xp = namespace(Z)
        right = own_class(Z, target)
        return xp.where(right, math.inf, own_logit(Z, right) - Z)

    def __repr__(self):
        return f"PairwiseLoss({self.base!r})"


class MulticlassPerceptronLoss(MulticlassLoss):
    """``max(0, max_{k != y} z_k - z_y)``; the limit of softmax for infinite steps.

    Best wrong classes that tie share the row's pull equally; a row whose right class ties with
    them counts as wrong.
    """

    curvature = 0.0
    diagonal_curvature = 0.0

    def origin_pull(self, n_logits):
        """Pull of softmax at the origin, where each wrong class has probability 1 / K."""
        return (n_logits - 1) / n_logits

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        m = self.margin(Z, target)
        pulls = xp.exp(self.log_error(Z, target))
        return xp.where(m < 0, -m, 0.0), self.from_error(pulls, target)

    def linearize(self, Z, target, weight):
        return lambda V: 0.0 * V

    def log_error(self, Z, target, weight=1.0):
        xp = namespace(Z)
        right = own_class(Z, target)
        wrong = xp.where(right, -math.inf, Z)
        best = xp.max(wrong, axis=1, keepdims=True)
        top = wrong == best
        n_top = xp.sum(xp.astype(top, Z.dtype), axis=1, keepdims=True)
        pulled = xp.logical_and(top, own_logit(Z, right) <= best)
        return xp.where(pulled, -xp.log(n_top), -math.inf)
