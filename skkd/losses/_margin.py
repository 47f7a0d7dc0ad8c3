r"""Binary losses of the margin :math:`m = \pm z`: exponential, perceptron, squared hinge.

========================  ======================================  ==============================
loss                      :math:`\phi(m)`                         pull :math:`-\phi'(m)`
========================  ======================================  ==============================
:class:`ExponentialLoss`  :math:`e^{-m}`                          :math:`e^{-m}`
:class:`PerceptronLoss`   :math:`\max(0, -m)`                     1 where :math:`m \le 0`
:class:`SquaredHingeLoss` :math:`\tfrac12 \max(0, 1 - m)^2`       :math:`\max(0, 1 - m)`
:class:`WorstMarginLoss`  :math:`\max_i (-m_i)`                   1 on the rows of worst margin
========================  ======================================  ==============================

The logistic loss is one of them too and lives with its multinomial sibling in ``_log_loss``.
The perceptron and worst-margin losses are the limits of the logistic and of the exponential loss
as the step of gradient descent grows: a margin of exactly zero counts as wrong, with full weight.
"""

import math

from .._backend import namespace, total
from ._base import ClassificationLoss, existing, weighted

__all__ = [
    "BinaryMarginLoss",
    "ExponentialLoss",
    "PerceptronLoss",
    "SquaredHingeLoss",
    "WorstMarginLoss",
]


class BinaryMarginLoss(ClassificationLoss):
    """One logit, labels in {0, 1}, a scalar function of the margin.

    Subclasses define the four functions of an array of margins of any shape; they must accept
    ``+inf``, which stands for a margin that does not exist.
    """

    def phi(self, m):
        """Loss of each margin."""
        raise NotImplementedError(f"{type(self).__name__} defines no phi")

    def pull(self, m):
        """Minus the derivative of :meth:`phi`."""
        raise NotImplementedError(f"{type(self).__name__} defines no pull")

    def log_pull(self, m):
        """Log of :meth:`pull`, exact where it underflows."""
        raise NotImplementedError(f"{type(self).__name__} defines no log_pull")

    def second(self, m):
        """Second derivative of :meth:`phi`."""
        raise NotImplementedError(f"{type(self).__name__} defines no second derivative")

    def log_phi(self, m):
        """Log of :meth:`phi`, exact where it underflows."""
        raise NotImplementedError(f"{type(self).__name__} defines no log_phi")

    def value_and_slope(self, Z, target):
        m = self._margins(Z, target)
        return self.phi(m)[:, 0], self.from_error(self.pull(m), target)

    def value_and_gradient(self, Z, target, weight):
        m = existing(self._margins(Z, target), weight)
        value = total(weighted(weight, self.phi(m)))
        return value, self.from_error(weighted(weight, self.pull(m)), target)

    def linearize(self, Z, target, weight):
        bend = weighted(weight, self.second(self._margins(Z, target)))
        return lambda V: bend * V

    def margin(self, Z, target):
        return self._margins(Z, target)[:, 0]

    def log_value(self, Z, target):
        return self.log_phi(self.margin(Z, target))

    def log_error(self, Z, target, weight=1.0):
        return self.log_pull(existing(self._margins(Z, target), weight))

    def from_error(self, Q, target):
        return -_signs(Q, target) * Q

    def _margins(self, Z, target):
        return _signs(Z, target) * Z


class ExponentialLoss(BinaryMarginLoss):
    """``exp(-m)``; its normalised gradient weighs rows by ``softmax(-m)``."""

    def phi(self, m):
        return namespace(m).exp(-m)

    def pull(self, m):
        return namespace(m).exp(-m)

    def log_pull(self, m):
        return -m

    def second(self, m):
        return namespace(m).exp(-m)

    def log_phi(self, m):
        return -m


class PerceptronLoss(BinaryMarginLoss):
    """``max(0, -m)``; the limit of the logistic loss for infinite steps."""

    curvature = 0.0
    diagonal_curvature = 0.0

    def origin_pull(self, n_logits):
        """sigma(0), the pull of the logistic loss at a zero margin."""
        return 0.5

    def phi(self, m):
        return namespace(m).where(m < 0, -m, 0.0)

    def pull(self, m):
        return namespace(m).astype(m <= 0, m.dtype)

    def log_pull(self, m):
        return namespace(m).where(m <= 0, 0.0 * _finite(m), -math.inf)

    def second(self, m):
        return 0.0 * _finite(m)


class SquaredHingeLoss(BinaryMarginLoss):
    """``max(0, 1 - m)^2 / 2``."""

    curvature = 1.0
    diagonal_curvature = 1.0

    def phi(self, m):
        return 0.5 * self.pull(m) ** 2

    def pull(self, m):
        return namespace(m).where(m < 1, 1.0 - m, 0.0)

    def log_pull(self, m):
        xp = namespace(m)
        inside = m < 1
        return xp.where(inside, xp.log(xp.where(inside, 1.0 - m, 1.0)), -math.inf)

    def second(self, m):
        xp = namespace(m)
        return xp.astype(m < 1, m.dtype)


class WorstMarginLoss(BinaryMarginLoss):
    """``max_i (-m_i)``; the limit of the exponential loss for infinite steps.

    It looks at all rows at once. Rows that share the worst margin share the pull.
    """

    separable = False
    batch_coupled = True
    curvature = 0.0
    diagonal_curvature = 0.0

    def log_pull(self, m):
        xp = namespace(m)
        return xp.where(m == xp.min(m), 0.0 * _finite(m), -math.inf)

    def value_and_gradient(self, Z, target, weight):
        m = existing(self._margins(Z, target), weight)
        gradient, _ = self.normalized_gradient(Z, target, weight)
        return total(-namespace(Z).min(m)), gradient


def _signs(Z, target):
    """+1 for label 1, -1 for label 0, as a column like ``Z``."""
    xp = namespace(Z)
    return (2.0 * xp.astype(target.y > 0.5, Z.dtype) - 1.0)[:, None]


def _finite(m):
    """`m` with infinities replaced, so that multiplying by zero gives zero."""
    xp = namespace(m)
    return xp.where(xp.isfinite(m), m, 0.0)
