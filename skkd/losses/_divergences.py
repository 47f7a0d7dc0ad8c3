r"""Divergences between the softened probabilities of teacher and student.

With :math:`p = \mathrm{softmax}(s/T)` of the student and :math:`q = \mathrm{softmax}(t/T)` of the
teacher,

.. math::
    \mathrm{kl} = T^2 \sum_c q_c \log \frac{q_c}{p_c}, \qquad
    \mathrm{reverse\_kl} = T^2 \sum_c p_c \log \frac{p_c}{q_c}, \qquad
    \mathrm{js} = T^2 \Big[ \beta \sum_c q_c \log \frac{q_c}{m_c}
                  + (1 - \beta) \sum_c p_c \log \frac{p_c}{m_c} \Big],
    \quad m = \beta q + (1 - \beta) p .

Everything is computed from log-probabilities, so that logits of 1e4 are as good as any. The factor
:math:`T^2` keeps gradients of one size as the temperature grows.

References
----------
Hinton, G., Vinyals, O., Dean, J., "Distilling the knowledge in a neural network", arXiv
1503.02531, 2015.
"""

import math

from .._backend import log_softmax, namespace, one_hot
from ._base import Loss
from ._compiled import compiled, deferred, pass_over_rows
from ._curvature import softmax_products
from ._parameters import chosen, fraction, positive

__all__ = ["JSLoss", "KLLoss", "LabelSmoothingLoss", "ReverseKLLoss"]


class TeacherLoss(Loss):
    """A loss that compares two rows of softened probabilities and needs no labels."""

    needs_teacher = True
    needs_labels = False
    shift_invariant = True
    min_classes = 2
    _kernel: str | None = None  # name of the compiled pass

    def __init__(self, *, temperature=1.0):
        self.temperature = positive(temperature=temperature)

    def __repr__(self):
        return f"{type(self).__name__}(temperature={self.temperature:g})"

    def softened(self, logits):
        """Log-probabilities at the temperature."""
        return log_softmax(logits / self.temperature)

    def prepare(self, target, Z=None, weight=None):
        if compiled(target.teacher_logits):
            return target._replace(prepared=())
        return target._replace(prepared=self._teacher_part(target))

    def _teacher_part(self, target):
        """What is prepared: softened probabilities and their logs."""
        log_q = self.softened(target.teacher_logits)
        return namespace(log_q).exp(log_q), log_q

    def _prepared(self, target):
        return self._teacher_part(target) if deferred(target) else target.prepared

    def value_and_gradient(self, Z, target, weight):
        if not (self._kernel and (deferred(target) or compiled(Z))):
            return super().value_and_gradient(Z, target, weight)
        from .._kernels import softmax_losses

        kind = getattr(softmax_losses, self._kernel)
        beta = getattr(self, "beta", 0.5)
        return pass_over_rows(
            softmax_losses.divergence_rows,
            *(Z, (target.teacher_logits,), weight, (self.temperature, beta)),
            before=(kind,),
        )


class KLLoss(TeacherLoss):
    r"""Kullback-Leibler divergence of the student from the teacher, convex in the logits.

    .. math:: T^2 \sum_c q_c \log (q_c / p_c), \qquad \nabla_s = T (p - q)

    Parameters
    ----------
    temperature : float, default=2.0
        Temperature T > 0 of both softmaxes.
    form : {"kl", "cross_entropy"}, default="kl"
        "cross_entropy" leaves out the teacher's entropy: the same gradient, another value.
    """

    curvature = 0.5
    diagonal_curvature = 0.25

    def __init__(self, *, temperature=2.0, form="kl"):
        super().__init__(temperature=temperature)
        self.form = chosen(("kl", "cross_entropy"), form=form)
        self._kernel = "KL" if form == "kl" else "CROSS_ENTROPY"

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        q, log_q = self._prepared(target)
        log_p = self.softened(Z)
        gaps = log_q - log_p if self.form == "kl" else -log_p
        T = self.temperature
        return T**2 * xp.sum(q * gaps, axis=1), T * (xp.exp(log_p) - q)

    def linearize(self, Z, target, weight):
        return softmax_products(Z, weight, self.temperature)


class ReverseKLLoss(TeacherLoss):
    r"""Kullback-Leibler divergence of the teacher from the student, which seeks modes.

    .. math:: T^2 \sum_c p_c \log (p_c / q_c), \qquad
              \nabla_s = T\, p \circ (a - \langle p, a \rangle), \quad a = \log p - \log q

    Not convex.

    Parameters
    ----------
    temperature : float, default=1.0
        Temperature T > 0 of both softmaxes.
    """

    convex = False
    _kernel = "REVERSE_KL"

    def _teacher_part(self, target):
        return (self.softened(target.teacher_logits),)

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        log_p = self.softened(Z)
        P = xp.exp(log_p)
        T = self.temperature
        gaps = log_p - self._prepared(target)[0]
        mean = xp.sum(P * gaps, axis=1, keepdims=True)
        return T**2 * mean[:, 0], T * P * (gaps - mean)


class JSLoss(TeacherLoss):
    r"""Generalised Jensen-Shannon divergence, bounded, not convex.

    .. math::
        T^2 [\beta\, \mathrm{KL}(q \| m) + (1 - \beta)\, \mathrm{KL}(p \| m)], \qquad
        m = \beta q + (1 - \beta) p, \qquad
        \nabla_s = T (1 - \beta)\, p \circ (b - \langle p, b \rangle), \quad b = \log (p / m)

    Parameters
    ----------
    temperature : float, default=1.0
        Temperature T > 0 of both softmaxes.
    beta : float, default=0.5
        Weight of the teacher in the mixture, between 0 and 1, both excluded.
    """

    convex = False
    _kernel = "JS"

    def __init__(self, *, temperature=1.0, beta=0.5):
        super().__init__(temperature=temperature)
        self.beta = fraction(beta=beta, closed=False)

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        q, log_q = self._prepared(target)
        log_p = self.softened(Z)
        P = xp.exp(log_p)
        T, beta = self.temperature, self.beta
        log_m = xp.logaddexp(log_q + math.log(beta), log_p + math.log1p(-beta))
        gaps = log_p - log_m
        mean = xp.sum(P * gaps, axis=1, keepdims=True)
        of_teacher = xp.sum(q * (log_q - log_m), axis=1)
        value = T**2 * (beta * of_teacher + (1.0 - beta) * mean[:, 0])
        return value, T * (1.0 - beta) * P * (gaps - mean)


class LabelSmoothingLoss(Loss):
    r"""Cross-entropy to smoothed labels :math:`(1 - \epsilon) e_y + \epsilon / C`, convex.

    Parameters
    ----------
    epsilon : float, default=0.1
        Share of the label's probability that is spread over all classes, the right one included.
    """

    shift_invariant = True
    min_classes = 2
    curvature = 0.5
    diagonal_curvature = 0.25

    def __init__(self, *, epsilon=0.1):
        self.epsilon = fraction(epsilon=epsilon)

    def __repr__(self):
        return f"LabelSmoothingLoss(epsilon={self.epsilon:g})"

    def value_and_gradient(self, Z, target, weight):
        if not compiled(Z) or target.y.ndim == 2:
            return super().value_and_gradient(Z, target, weight)
        from .._kernels.softmax_losses import label_rows

        return pass_over_rows(label_rows, Z, (target.y,), weight, (self.epsilon,))

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        smoothed = self._smoothed(Z, target.y)
        log_p = log_softmax(Z)
        mass = xp.sum(smoothed, axis=1, keepdims=True)
        return -xp.sum(smoothed * log_p, axis=1), mass * xp.exp(log_p) - smoothed

    def linearize(self, Z, target, weight):
        return softmax_products(Z, weight)

    def _smoothed(self, Z, y):
        xp = namespace(Z)
        labels = y if y.ndim == 2 else xp.astype(one_hot(y, Z.shape[1]), Z.dtype)
        return (1.0 - self.epsilon) * labels + self.epsilon / Z.shape[1]
