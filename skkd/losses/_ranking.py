r"""Losses of rankings: the student should order the classes as the teacher does.

The classes of a row are ranked :math:`\pi` with the label first and the others by falling teacher
logit. The Plackett-Luce model draws them one after the other without replacement, and

.. math::
    \mathrm{pld} = \sum_k \alpha_k \Big[ \log \sum_{l \ge k} e^{s_{\pi_l}} - s_{\pi_k} \Big],
    \qquad \alpha_k = \mathrm{softmax}(t / \tau)_{\pi_k},

weighs the k-th draw by the teacher's confidence in its class; equal weights give ListMLE. In
ranked order, with :math:`L_k` the k-th log-sum-exp, the gradient is
:math:`g_i = \sum_{k \le i} \alpha_k e^{s_i - L_k} - \alpha_i`; both sums are scans in log space.

References
----------
Bassam, E., Zhu, D., Bian, K., "PLD: a choice-theoretic list-wise knowledge distillation", NeurIPS
2025 (arXiv 2506.12542).

Xia, F., Liu, T.-Y., Wang, J., Zhang, W., Li, H., "Listwise approach to learning to rank: theory
and algorithm", ICML 2008.
"""

import math

from .._backend import log_softmax, namespace, one_hot
from ._base import Loss
from ._compiled import compiled, ranking_pass, rankings
from ._parameters import positive

__all__ = ["ListMLELoss", "PLDLoss", "scan_logsumexp"]


class _RankingLoss(Loss):
    """Weighted Plackett-Luce likelihood; subclasses give the log-weights of the classes."""

    needs_teacher = True
    shift_invariant = True
    min_classes = 2
    diagonal_curvature = 0.25

    def prepare(self, target, Z=None, weight=None):
        t = target.teacher_logits
        if compiled(t):
            return target._replace(prepared=(rankings(t, target.y),))
        return target._replace(prepared=self._teacher_part(target))

    def _teacher_part(self, target):
        xp = namespace(target.teacher_logits)
        t = target.teacher_logits
        first = one_hot(target.y, t.shape[1])
        # A stable sort: equal logits keep the order of the classes.
        order = xp.argsort(xp.where(first, -math.inf, -t), axis=1, stable=True)
        log_weight = xp.take_along_axis(self._log_weights(t), order, axis=1)
        place = xp.argsort(order, axis=1, stable=True)
        return order, place, log_weight

    def value_and_gradient(self, Z, target, weight):
        if len(target.prepared) > 1:
            return super().value_and_gradient(Z, target, weight)
        temperature = getattr(self, "teacher_temperature", None)
        return ranking_pass(
            *(Z, target.teacher_logits, target.y, target.prepared[0], weight, temperature)
        )

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        parts = target.prepared
        order, place, log_weight = parts if len(parts) > 1 else self._teacher_part(target)
        ranked = xp.take_along_axis(Z, order, axis=1)
        log_sums = scan_logsumexp(ranked, reverse=True)
        W = xp.exp(log_weight)
        value = xp.sum(W * (log_sums - ranked), axis=1)
        pulls = scan_logsumexp(log_weight - log_sums)
        slope = xp.exp(pulls + ranked) - W
        return value, xp.take_along_axis(slope, place, axis=1)

    def _log_weights(self, teacher_logits):
        raise NotImplementedError(f"{type(self).__name__} defines no weights")


class PLDLoss(_RankingLoss):
    r"""Plackett-Luce distillation: a ranking likelihood weighted by the teacher's confidence.

    .. math::
        \sum_k \alpha_k \Big[ \log \sum_{l \ge k} e^{s_{\pi_l}} - s_{\pi_k} \Big], \qquad
        \alpha_k = \mathrm{softmax}(t / \tau)_{\pi_k}

    Convex. The student's logits are never tempered. Not a proper matching loss: for a fixed
    ranking its infimum is at infinite gaps, so that it wants a penalty.

    Parameters
    ----------
    teacher_temperature : float, default=1.0
        Temperature of the teacher's confidences; the ranking does not depend on it.
    """

    def __init__(self, *, teacher_temperature=1.0):
        self.teacher_temperature = positive(teacher_temperature=teacher_temperature)

    def __repr__(self):
        return f"PLDLoss(teacher_temperature={self.teacher_temperature:g})"

    def _log_weights(self, teacher_logits):
        return log_softmax(teacher_logits / self.teacher_temperature)


class ListMLELoss(_RankingLoss):
    r"""Likelihood of the whole ranking, all draws weighing the same.

    .. math::
        \frac1C \sum_k \Big[ \log \sum_{l \ge k} e^{s_{\pi_l}} - s_{\pi_k} \Big]
    """

    def _log_weights(self, teacher_logits):
        xp = namespace(teacher_logits)
        return xp.full_like(teacher_logits, -math.log(teacher_logits.shape[1]))


def scan_logsumexp(x, *, reverse=False):
    """``log(sum(exp))`` of the entries of each row up to and including each (from it on).

    Doubling: after j steps each entry holds the sum over 2^j neighbours; log2(C) vectorised steps
    that neither overflow nor lose small entries beside large ones.
    """
    xp = namespace(x)
    step, width = 1, x.shape[1]
    while step < width:
        if reverse:
            merged = xp.logaddexp(x[:, :-step], x[:, step:])
            x = xp.concat([merged, x[:, -step:]], axis=1)
        else:
            merged = xp.logaddexp(x[:, step:], x[:, :-step])
            x = xp.concat([x[:, :step], merged], axis=1)
        step *= 2
    return x
