r"""Log loss (cross-entropy), binary on one logit and multinomial on K logits.

.. math::
    \ell(z, t) = t \log(1 + e^{-z}) + (1 - t) \log(1 + e^{z}), \qquad
    \ell(z, t) = -\sum_k t_k \log \mathrm{softmax}(z)_k .

Targets may be hard or soft. For hard targets both are computed relative to the right class, so
that losses of 1e-300 and gradients of confident rows keep their relative accuracy.
"""

import math

from .._backend import expit_pair, log_softmax, logsumexp, namespace, softplus_pair, total
from ._base import weighted
from ._compiled import compiled, pass_over_rows
from ._curvature import softmax_products
from ._margin import BinaryMarginLoss
from ._multiclass import MulticlassLoss, own_class, own_logit

__all__ = ["BinaryLogLoss", "MultinomialLogLoss"]


class BinaryLogLoss(BinaryMarginLoss):
    """Logistic loss of one logit; ``target.y`` is the probability of the positive class."""

    curvature = 0.25
    diagonal_curvature = 0.25

    def phi(self, m):
        return softplus_pair(m)[1]

    def pull(self, m):
        return expit_pair(m)[1]

    def log_pull(self, m):
        return -softplus_pair(m)[0]

    def second(self, m):
        right, wrong = expit_pair(m)
        return right * wrong

    def value_and_slope(self, Z, target):
        t = target.y[:, None]
        negative, positive = softplus_pair(Z)
        p, q = expit_pair(Z)
        value = t * positive + (1.0 - t) * negative
        return value[:, 0], (1.0 - t) * p - t * q

    def value_and_gradient(self, Z, target, weight):
        values, slopes = self.value_and_slope(Z, target)
        return total(weight * values), weighted(weight, slopes)

    def log_phi(self, m):
        xp = namespace(m)
        # log(log(1 + e^-m)) = -m up to e^-m / 2, which is below rounding from 37 on; well before
        # that the direct formula is exact.
        near = xp.where(m < 30.0, m, 0.0)
        return xp.where(m < 30.0, xp.log(self.phi(near)), -m)

    def linearize(self, Z, target, weight):
        bend = weighted(weight, self.second(Z))
        return lambda V: bend * V


class MultinomialLogLoss(MulticlassLoss):
    """Softmax cross-entropy; ``target.y`` holds integer labels (n,) or probabilities (n, K)."""

    curvature = 0.5
    diagonal_curvature = 0.25

    def value_and_slope(self, Z, target):
        if target.y.ndim == 2:
            return self._soft(Z, target.y)
        xp = namespace(Z)
        right = own_class(Z, target)
        gaps = Z - own_logit(Z, right)
        peak = xp.max(gaps, axis=1, keepdims=True)
        E = xp.exp(gaps - peak)
        others = xp.where(right, 0.0, E)
        rest = xp.sum(others, axis=1, keepdims=True)
        # The right class's own exp(-peak), minus one: exactly zero for a row that is right.
        own = xp.expm1(-peak)
        value = peak + xp.log1p(own + rest)
        P = others / (1.0 + own + rest)
        return value[:, 0], self.from_error(P, target)

    def value_and_gradient(self, Z, target, weight):
        if not compiled(Z) or target.y.ndim == 2:
            return super().value_and_gradient(Z, target, weight)
        from .._kernels.softmax_losses import label_rows

        return pass_over_rows(label_rows, Z, (target.y,), weight, (0.0,))

    def _soft(self, Z, T):
        xp = namespace(Z)
        mass = xp.sum(T, axis=1, keepdims=True)
        log_p = log_softmax(Z)
        return -xp.sum(T * log_p, axis=1), mass * xp.exp(log_p) - T

    def linearize(self, Z, target, weight):
        if target.y.ndim == 2:
            weight = weight * namespace(Z).sum(target.y, axis=1)
        return softmax_products(Z, weight)

    def log_error(self, Z, target, weight=1.0):
        xp = namespace(Z)
        return xp.where(own_class(Z, target), -math.inf, log_softmax(Z))

    def log_value(self, Z, target):
        xp = namespace(Z)
        right = own_class(Z, target)
        # log of -log p_y; for confident rows -log p_y = sum of the others' odds up to rounding.
        odds = logsumexp(xp.where(right, -math.inf, Z - own_logit(Z, right)), axis=1)
        near = xp.where(odds > -30.0, odds, 0.0)
        return xp.where(odds > -30.0, xp.log(softplus_pair(near)[0]), odds)
