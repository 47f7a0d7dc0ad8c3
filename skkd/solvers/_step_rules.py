r"""Step rules of gradient descent.

A rule says two things: whether the step starts from the gradient or from the gradient divided by
the error mass, and by what factor that direction is multiplied:

==========================  =================  ================================================
rule                        direction          factor
==========================  =================  ================================================
:class:`Constant`           gradient           :math:`\gamma`
:class:`Normalized`         normalised         :math:`\gamma`
:class:`LogisticRisk`       normalised         :math:`\gamma\, m / (1 - e^{-f})`, m the error
                                               mass and f the risk
:class:`Limit`              gradient           1, but less at the origin
==========================  =================  ================================================

The normalised direction comes out of the pass over the rows in log space. Multiplying a gradient
by its inverse scale afterwards would be ``0 * inf`` at the logits of 1e5 that large steps reach.

``Normalized`` with the exponential loss is gradient descent on the log of the exponential risk,
the risk-adaptive method; with the perceptron loss it is the normalised batch perceptron.

References
----------
Tyurin, A., "From Logistic Regression to the Perceptron Algorithm: Exploring Gradient Descent with
Large Step Sizes", arXiv 2412.08424, 2024.
"""

from .._backend import namespace, scalar

__all__ = ["Constant", "Limit", "LogisticRisk", "Normalized", "StepRule"]


class StepRule:
    """Base of step rules.

    Parameters
    ----------
    size : float
        Step size, positive and finite.

    Attributes
    ----------
    normalized : bool
        Whether the direction is the gradient divided by the error mass.
    """

    normalized = False

    def __init__(self, size=1.0):
        if not 0 < size < float("inf"):
            raise ValueError(
                f"a step size must be positive and finite, got {size}; for the limit of infinite "
                "steps use the Limit rule with a perceptron loss"
            )
        self.size = float(size)

    def factor(self, objective, params, evaluation):
        """What the direction is multiplied by: a float or a 0-d array of the device."""
        return self.size

    def __repr__(self):
        return f"{type(self).__name__}({self.size:g})"


class Constant(StepRule):
    """``W - size * gradient``.

    Parameters
    ----------
    size : float, default=1.0
        Step size, positive and finite.
    """


class Normalized(StepRule):
    """``W - size * gradient / error mass``.

    Parameters
    ----------
    size : float, default=1.0
        Step size, positive and finite.
    """

    normalized = True


class LogisticRisk(StepRule):
    r"""Gradient descent on :math:`\log(e^f - 1)`, f the logistic risk.

    The direction is the gradient over :math:`1 - e^{-f}`. At large risks that factor tends to 1
    and the method to a batch perceptron; the burn-in bound of the exponential form does not hold
    for it.

    Parameters
    ----------
    size : float, default=1.0
        Step size, positive and finite.
    """

    normalized = True

    def factor(self, objective, params, evaluation):
        xp = namespace(params)
        log_f = objective.log_risk(evaluation.logits)
        f = xp.exp(log_f)
        # log(1 - e^-f) = log f - f / 2 + ..., the second form where f underflows in the first.
        tiny = f < 1e-8
        log_gap = xp.where(tiny, log_f - 0.5 * f, xp.log(-xp.expm1(-xp.where(tiny, 1.0, f))))
        return self.size * xp.exp(evaluation.log_mass - log_gap)


class Limit(StepRule):
    r"""The limit of :class:`Constant` for infinite steps, in units of the step.

    Used with the perceptron loss of the smooth loss in question. At the origin every margin is
    zero and the smooth loss pulls on each row with, say, sigma(0) = 1/2; from then on it pulls
    with all or nothing.

    Parameters
    ----------
    size : float, default=1.0
        Step size, positive and finite.
    """

    def factor(self, objective, params, evaluation):
        xp = namespace(params)
        at_origin = xp.all(params == 0)
        pull = objective.loss.origin_pull(params.shape[1])
        return xp.where(at_origin, scalar(pull * self.size, params), scalar(self.size, params))
