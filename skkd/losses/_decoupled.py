r"""Losses that treat the right class and the others apart.

For a row with label y, softened probabilities p (student) and q (teacher), and the probabilities
renormalised over the other classes, :math:`\hat p_c = p_c / (1 - p_y)`, :math:`\hat q_c` likewise:

.. math::
    \mathrm{dkd} &= T^2 \Big[ \alpha \Big( q_y \log \frac{q_y}{p_y}
        + (1 - q_y) \log \frac{1 - q_y}{1 - p_y} \Big)
        + \beta \sum_{c \ne y} \hat q_c \log \frac{\hat q_c}{\hat p_c} \Big] \\
    \mathrm{nkd} &= -q^{(1)}_y \log p^{(1)}_y
        - \gamma T^2 \sum_{c \ne y} \hat q_c \log \hat p_c \\
    \mathrm{wsld} &= \alpha T^2\, w \sum_c -q_c \log p_c, \qquad
        w = 1 - \exp(-\mathrm{CE}_{student} / \mathrm{CE}_{teacher}) \text{ held fixed.}

:math:`\log(1 - p_y)` is the log-sum-exp of the other classes' log-probabilities; nothing is ever
computed as one minus a probability.

References
----------
Zhao, B., Cui, Q., Song, R., Qiu, Y., Liang, J., "Decoupled knowledge distillation", CVPR 2022.

Yang, Z., Zeng, A., Li, Z., Zhang, T., Yuan, C., Li, Y., "From knowledge distillation to
self-knowledge distillation: a unified approach with normalized loss and customized soft labels",
ICCV 2023 (arXiv 2303.13005).

Zhou, H., Song, L., Chen, J., Zhou, Y., Wang, G., Yuan, J., Zhang, Q., "Rethinking soft labels for
knowledge distillation: a bias-variance tradeoff perspective", ICLR 2021.
"""

import math
from typing import NamedTuple

from .._backend import log_softmax, logsumexp, namespace, one_hot
from ._base import Loss, weighted
from ._compiled import compiled, deferred, own_losses, pass_over_rows
from ._curvature import softmax_hessian
from ._parameters import non_negative, positive

__all__ = ["DKDLoss", "NKDLoss", "WSLDLoss"]


class DKDLoss(Loss):
    r"""Decoupled knowledge distillation: target and non-target parts with weights of their own.

    .. math::
        T^2 [\alpha\, \mathrm{KL}\big((q_y, 1 - q_y) \| (p_y, 1 - p_y)\big)
        + \beta\, \mathrm{KL}(\hat q \| \hat p)]

    With :math:`\alpha = 1, \beta = 1 - q_y` it is the plain divergence. Convex for every teacher
    where :math:`\beta \ge \alpha`; in general where :math:`\beta \ge \alpha (1 - q_y)` for all
    rows. With two classes the second part is zero.

    Parameters
    ----------
    temperature : float, default=4.0
        Temperature T > 0 of both softmaxes.
    alpha : float, default=1.0
        Weight of the part of the right class.
    beta : float, default=8.0
        Weight of the part of the other classes.
    """

    needs_teacher = True
    shift_invariant = True
    min_classes = 2

    def __init__(self, *, temperature=4.0, alpha=1.0, beta=8.0):
        self.temperature = positive(temperature=temperature)
        self.alpha = non_negative(alpha=alpha)
        self.beta = non_negative(beta=beta)
        self.convex = self.beta >= self.alpha
        self.diagonal_curvature = 0.25 * (self.alpha + max(self.beta - self.alpha, 0.0)) or None

    def __repr__(self):
        return (
            f"DKDLoss(temperature={self.temperature:g}, alpha={self.alpha:g}, beta={self.beta:g})"
        )

    def prepare(self, target, Z=None, weight=None):
        if compiled(target.teacher_logits):
            return target._replace(prepared=())
        return target._replace(prepared=tuple(self._teacher_part(target)))

    def _teacher_part(self, target):
        if target.prepared:
            return _Decoupled(*target.prepared)
        return _decouple(target.teacher_logits / self.temperature, target.y)

    def value_and_gradient(self, Z, target, weight):
        if not (deferred(target) or compiled(Z)):
            return super().value_and_gradient(Z, target, weight)
        from .._kernels.softmax_losses import dkd_rows

        others = (target.teacher_logits, target.y)
        return pass_over_rows(
            dkd_rows, Z, others, weight, (self.temperature, self.alpha, self.beta)
        )

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        q = self._teacher_part(target)
        p = _decouple(Z / self.temperature, target.y)
        T, alpha, beta = self.temperature, self.alpha, self.beta
        q_own, q_rest = xp.exp(q.log_own), xp.exp(q.log_rest)
        p_own, p_rest = xp.exp(p.log_own), xp.exp(p.log_rest)
        own = q_own * (q.log_own - p.log_own) + q_rest * (q.log_rest - p.log_rest)
        q_hat, p_hat = xp.exp(q.log_others), xp.exp(p.log_others)
        others = xp.sum(q_hat * (q.log_finite - p.log_finite), axis=1, keepdims=True)
        # Where both are close to 1 their distances from 1 are what can be subtracted.
        excess = alpha * xp.where(q_own > 0.5, q_rest - p_rest, p_own - q_own)
        slope = xp.where(_right(Z, target.y), excess, beta * (p_hat - q_hat) - excess * p_hat)
        return T**2 * (alpha * own + beta * others)[:, 0], T * slope

    def linearize(self, Z, target, weight):
        xp = namespace(Z)
        P = xp.exp(log_softmax(Z / self.temperature))
        hat = xp.exp(_decouple(Z / self.temperature, target.y).log_others)
        q_rest = xp.exp(self._teacher_part(target).log_rest)
        rest = self.beta - self.alpha * q_rest
        return lambda V: weighted(
            weight, self.alpha * softmax_hessian(P, V) + rest * softmax_hessian(hat, V)
        )


class NKDLoss(Loss):
    r"""Normalised knowledge distillation: cross-entropies of both parts, the second renormalised.

    .. math::
        -q^{(1)}_y \log p^{(1)}_y - \gamma T^2 \sum_{c \ne y} \hat q_c \log \hat p_c

    The first term is at temperature 1 and has no :math:`T^2`. The entropy of the teacher is left
    in: the value at s = t is not 0. With two classes the second term is zero.

    Parameters
    ----------
    temperature : float, default=1.0
        Temperature T > 0 of the second term.
    gamma : float, default=1.5
        Weight of the second term.
    """

    needs_teacher = True
    shift_invariant = True
    min_classes = 2

    def __init__(self, *, temperature=1.0, gamma=1.5):
        self.temperature = positive(temperature=temperature)
        self.gamma = non_negative(gamma=gamma)
        self.diagonal_curvature = 0.25 * (1.0 + self.gamma)

    def __repr__(self):
        return f"NKDLoss(temperature={self.temperature:g}, gamma={self.gamma:g})"

    def prepare(self, target, Z=None, weight=None):
        if compiled(target.teacher_logits):
            return target._replace(prepared=())
        return target._replace(prepared=self._teacher_part(target))

    def _teacher_part(self, target):
        if target.prepared:
            return target.prepared
        xp = namespace(target.teacher_logits)
        t, y = target.teacher_logits, target.y
        own = xp.exp(_decouple(t, y).log_own)
        return own, xp.exp(_decouple(t / self.temperature, y).log_others)

    def value_and_gradient(self, Z, target, weight):
        if not (deferred(target) or compiled(Z)):
            return super().value_and_gradient(Z, target, weight)
        from .._kernels.softmax_losses import nkd_rows

        others = (target.teacher_logits, target.y)
        return pass_over_rows(nkd_rows, Z, others, weight, (self.temperature, self.gamma))

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        own, q_hat = self._teacher_part(target)
        right = _right(Z, target.y)
        log_p = log_softmax(Z)
        p = _decouple(Z / self.temperature, target.y)
        others = xp.sum(q_hat * p.log_finite, axis=1, keepdims=True)
        T, gamma = self.temperature, self.gamma
        plain = _decouple(Z, target.y)
        value = -own * plain.log_own - gamma * T**2 * others
        pull = xp.where(right, -xp.exp(plain.log_rest), xp.exp(log_p))
        return value[:, 0], own * pull + gamma * T * (xp.exp(p.log_others) - q_hat)

    def linearize(self, Z, target, weight):
        xp = namespace(Z)
        own, _ = self._teacher_part(target)
        P = xp.exp(log_softmax(Z))
        hat = xp.exp(_decouple(Z / self.temperature, target.y).log_others)
        return lambda V: weighted(
            weight, own * softmax_hessian(P, V) + self.gamma * softmax_hessian(hat, V)
        )


class WSLDLoss(Loss):
    r"""Weighted soft labels: rows that the student finds harder than the teacher weigh more.

    .. math::
        \alpha T^2\, w \sum_c -q_c \log p_c, \qquad
        w = 1 - \exp\Big(-\frac{-\log p^{(1)}_y}{-\log q^{(1)}_y + 10^{-7}}\Big)

    The weight w is held fixed between two calls of :meth:`prepare`; given w the loss is convex.

    Parameters
    ----------
    temperature : float, default=2.0
        Temperature T > 0 of both softmaxes.
    alpha : float, default=2.25
        Factor of the loss.
    """

    needs_teacher = True
    stateful = True
    shift_invariant = True
    min_classes = 2

    def __init__(self, *, temperature=2.0, alpha=2.25):
        self.temperature = positive(temperature=temperature)
        self.alpha = non_negative(alpha=alpha)
        self.diagonal_curvature = 0.25 * self.alpha or None

    def __repr__(self):
        return f"WSLDLoss(temperature={self.temperature:g}, alpha={self.alpha:g})"

    def prepare(self, target, Z=None, weight=None):
        xp = namespace(target.teacher_logits)
        student, teacher = (own_loss(logits, target.y) for logits in (Z, target.teacher_logits))
        focus = -xp.expm1(-student / (teacher + 1e-7))
        if compiled(target.teacher_logits):  # the compiled pass makes the teacher's part itself
            return target._replace(prepared=(self.alpha * focus,))
        return target._replace(prepared=(self.alpha * focus, self._teacher_part(target)))

    def _teacher_part(self, target):
        t = target.teacher_logits
        return namespace(t).exp(log_softmax(t / self.temperature))

    def prepare_and_evaluate(self, Z, target, weight):
        if not compiled(Z):
            return super().prepare_and_evaluate(Z, target, weight)
        from .._kernels.softmax_losses import focused_rows

        others = (target.teacher_logits, target.y)
        return pass_over_rows(focused_rows, Z, others, weight, (self.temperature, self.alpha))

    def value_and_gradient(self, Z, target, weight):
        if not (len(target.prepared) == 1 or compiled(Z)):
            return super().value_and_gradient(Z, target, weight)
        from .._kernels.softmax_losses import CROSS_ENTROPY, divergence_rows

        arguments = (self.temperature, 0.5)
        return pass_over_rows(
            divergence_rows,
            *(Z, (target.teacher_logits,), weight * target.prepared[0][:, 0], arguments),
            before=(CROSS_ENTROPY,),
        )

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        focus = target.prepared[0]
        q = target.prepared[1] if len(target.prepared) > 1 else self._teacher_part(target)
        log_p = log_softmax(Z / self.temperature)
        T = self.temperature
        value = -(T**2) * focus[:, 0] * xp.sum(q * log_p, axis=1)
        return value, T * focus * (xp.exp(log_p) - q)

    def linearize(self, Z, target, weight):
        P = namespace(Z).exp(log_softmax(Z / self.temperature))
        focus = target.prepared[0]
        return lambda V: weighted(weight, focus * softmax_hessian(P, V))


class _Decoupled(NamedTuple):
    """Log-probabilities of the right class and of the others among themselves.

    ``log_own`` and ``log_rest`` are columns: log p_y and log(1 - p_y). ``log_others`` is (n, C),
    -inf at the right class; ``log_finite`` is the same with 0 there, to be multiplied by 0.
    """

    log_own: object
    log_rest: object
    log_others: object
    log_finite: object


def _decouple(logits, y):
    xp = namespace(logits)
    right = _right(logits, y)
    masked = xp.where(right, -math.inf, logits)
    others = logsumexp(masked, axis=1, keepdims=True)
    own = xp.sum(xp.where(right, logits, 0.0), axis=1, keepdims=True)
    everything = xp.logaddexp(own, others)
    log_others = masked - others
    return _Decoupled(
        own - everything, others - everything, log_others, xp.where(right, 0.0, log_others)
    )


def own_loss(logits, y):
    """Cross-entropy of each row, as a column."""
    if compiled(logits):
        return own_losses(logits, y)[:, None]
    return -_decouple(logits, y).log_own


def _right(Z, y):
    return one_hot(y, Z.shape[1])
