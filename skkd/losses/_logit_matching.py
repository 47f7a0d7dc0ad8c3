r"""Losses that match the logits of a teacher one by one.

.. math::
    \mathrm{mse} = \frac1C \sum_c (s_c - t_c)^2, \qquad
    \mathrm{binary\_kl} = T^2 \sum_c \mathrm{KL}\big(\mathrm{Bern}(\sigma(t_c / T)) \,\|\,
        \mathrm{Bern}(\sigma(s_c / T))\big), \qquad
    \mathrm{binary\_kl\_norm} = T^2 \sum_c \log\cosh \frac{s_c - t_c}{2T} .

All are convex, and none but the centred squared error is blind to a number added to all logits of
a row: they fix the scale *and* the offset of the student's logits.

References
----------
Yang, P., Zong, C.-C., Huang, S.-J., Feng, L., An, B., "Dual-head knowledge distillation: enhancing
logits utilization with an auxiliary head", KDD 2025 (arXiv 2411.08937).
"""

import math

from .._backend import expit_pair, namespace, softplus_pair
from ._base import Loss, weighted
from ._compiled import compiled, deferred, flat_pass, pass_over_rows
from ._parameters import positive

__all__ = ["BinaryKLLoss", "BinaryKLNormLoss", "LogitMSELoss"]


class LogitMSELoss(Loss):
    r"""Mean squared difference of the logits, over rows and classes.

    .. math:: \frac1C \sum_c (s_c - t_c)^2

    Parameters
    ----------
    center : bool, default=False
        Remove the mean of each row from both first. A softmax does not see these means, a teacher
        may have arbitrary ones.
    """

    needs_teacher = True
    needs_labels = False

    def __init__(self, *, center=False):
        self.center = bool(center)
        self.shift_invariant = self.center

    def __repr__(self):
        return f"LogitMSELoss(center={self.center})"

    def value_and_gradient(self, Z, target, weight):
        if not compiled(Z):
            return super().value_and_gradient(Z, target, weight)
        from .._kernels.logit_losses import SQUARED, entry_rows, squared_entries

        T, before = target.teacher_logits, (SQUARED,)
        factors = weight / Z.shape[1]
        if self.center:
            return pass_over_rows(entry_rows, Z, (T,), factors, (1.0, True), before=before)
        flat = flat_pass(squared_entries, Z, T, factors, (), before=(), chunk=2**17)
        return flat or pass_over_rows(entry_rows, Z, (T,), factors, (1.0, False), before=before)

    def value_and_slope(self, Z, target):
        gaps = self._centred(Z - target.teacher_logits)
        return namespace(Z).mean(gaps**2, axis=1), (2.0 / Z.shape[1]) * gaps

    def linearize(self, Z, target, weight):
        scale = 2.0 / Z.shape[1]
        return lambda V: weighted(weight, scale * self._centred(V))

    def _centred(self, gaps):
        if not self.center:
            return gaps
        return gaps - namespace(gaps).mean(gaps, axis=1, keepdims=True)


class BinaryKLLoss(Loss):
    r"""Divergence of the student's class-wise sigmoids from the teacher's.

    .. math::
        T^2 \sum_c \mathrm{KL}\big(\mathrm{Bern}(\sigma(t_c / T)) \,\|\,
        \mathrm{Bern}(\sigma(s_c / T))\big), \qquad \nabla_s = T (\sigma(s / T) - \sigma(t / T))

    Parameters
    ----------
    temperature : float, default=2.0
        Temperature T > 0 of the sigmoids.
    """

    needs_teacher = True
    needs_labels = False
    curvature = 0.25
    diagonal_curvature = 0.25

    def __init__(self, *, temperature=2.0):
        self.temperature = positive(temperature=temperature)

    def __repr__(self):
        return f"BinaryKLLoss(temperature={self.temperature:g})"

    def prepare(self, target, Z=None, weight=None):
        if compiled(target.teacher_logits):
            return target._replace(prepared=())
        return target._replace(prepared=self._teacher_part(target))

    def _teacher_part(self, target):
        t = target.teacher_logits / self.temperature
        return *expit_pair(t), *softplus_pair(t)

    def value_and_gradient(self, Z, target, weight):
        if not (deferred(target) or compiled(Z)):
            return super().value_and_gradient(Z, target, weight)
        from .._kernels.logit_losses import BINARY_KL, entry_rows

        given = (target.teacher_logits, weight, (self.temperature, False))
        flat = flat_pass(entry_rows, Z, *given, before=(BINARY_KL,))
        return flat or pass_over_rows(*(entry_rows, Z, given[:1], *given[1:]), before=(BINARY_KL,))

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        q, q_rest, t_up, t_down = (
            self._teacher_part(target) if deferred(target) else target.prepared
        )
        s = Z / self.temperature
        p, p_rest = expit_pair(s)
        up, down = softplus_pair(s)
        T = self.temperature
        value = T**2 * xp.sum(q * (down - t_down) + q_rest * (up - t_up), axis=1)
        # Where both are close to 1 their distances from 1 are what can be subtracted.
        return value, T * xp.where(q > 0.5, q_rest - p_rest, p - q)

    def linearize(self, Z, target, weight):
        p, rest = expit_pair(Z / self.temperature)
        bend = weighted(weight, p * rest)
        return lambda V: bend * V


class BinaryKLNormLoss(Loss):
    r"""Robust regression of the logits: quadratic for small differences, linear for large ones.

    .. math::
        T^2 \sum_c \log\cosh \frac{s_c - t_c}{2T}, \qquad
        \nabla_s = \frac{T}{2} \tanh \frac{s - t}{2T}

    The divergence of :math:`\sigma((s - t)/T)` from one half, summed over classes.

    Parameters
    ----------
    temperature : float, default=2.0
        Differences of more than about 2 T count linearly.
    """

    needs_teacher = True
    needs_labels = False
    curvature = 0.25
    diagonal_curvature = 0.25

    def __init__(self, *, temperature=2.0):
        self.temperature = positive(temperature=temperature)

    def __repr__(self):
        return f"BinaryKLNormLoss(temperature={self.temperature:g})"

    def value_and_gradient(self, Z, target, weight):
        if not compiled(Z):
            return super().value_and_gradient(Z, target, weight)
        from .._kernels.logit_losses import BINARY_KL_NORM, entry_rows

        given = (target.teacher_logits, weight, (self.temperature, False))
        flat = flat_pass(entry_rows, Z, *given, before=(BINARY_KL_NORM,))
        return flat or pass_over_rows(
            *(entry_rows, Z, given[:1], *given[1:]), before=(BINARY_KL_NORM,)
        )

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        x = (Z - target.teacher_logits) / (2.0 * self.temperature)
        T = self.temperature
        return T**2 * xp.sum(_log_cosh(x), axis=1), 0.5 * T * xp.tanh(x)

    def linearize(self, Z, target, weight):
        xp = namespace(Z)
        slope = xp.tanh((Z - target.teacher_logits) / (2.0 * self.temperature))
        bend = weighted(weight, 0.25 * (1.0 - slope) * (1.0 + slope))
        return lambda V: bend * V


def _log_cosh(x):
    """``log(cosh(x))`` to full relative accuracy, also near 0 and where cosh overflows."""
    xp = namespace(x)
    size = xp.abs(x)
    far = size + xp.log1p(xp.exp(-2.0 * size)) - math.log(2.0)
    near = xp.where(size < 1.0, x, 0.0)
    return xp.where(size < 1.0, xp.log1p(2.0 * xp.sinh(0.5 * near) ** 2), far)
