r"""What a loss is: a function of logits and targets that knows nothing about features.

A loss maps logits ``Z`` of shape (n, k) and a :class:`Target` to

.. math:: \ell(Z) = \sum_i s_i\, \ell_i(z_i), \qquad \sum_i s_i = 1,

and gives its value, its gradient in ``Z`` and products with its Hessian in ``Z``. Objectives
(:mod:`skkd.objectives`) pull these back to parameters. Weights are an array of shape (n,) or,
when all rows count alike, one Python float; they sum to 1 over *all* rows, so that a loss can be
evaluated block of rows by block of rows and the results added.

Classification losses know one thing more: how wrong each row is. :meth:`ClassificationLoss.margin`
is positive exactly where the right class wins, and
:meth:`ClassificationLoss.normalized_gradient` gives the gradient divided by the total error mass
in log space, which is what large-step methods need: at logits of 1e5 the gradient underflows and
its scale overflows, but their product is an average of rows.
"""

import math
from typing import Any, NamedTuple

from .._backend import logsumexp, namespace, total

__all__ = ["ClassificationLoss", "Loss", "Target", "existing", "weighted"]


class Target(NamedTuple):
    """Everything a loss compares logits with; each field has one row per sample or is None.

    Parameters
    ----------
    y : array of shape (n,) or (n, k)
        Binary losses: probability of the positive class, 0 or 1 where labels are hard.
        Multiclass losses: integer labels (n,), or rows of class probabilities (n, k).
        Regression losses: values.
    teacher_logits : array of shape (n, k), default=None
        Logits of a teacher, for the losses with ``needs_teacher``.
    prepared : tuple, default=None
        What :meth:`Loss.prepare` derived from the fields above, once for many evaluations.
        Arrays in it have one row per sample; numbers and nested targets are allowed.
    mass : float, default=None
        Total weight before it was scaled to sum to 1, the number of rows where all count once.
        Only losses that are sums, not means, over a batch read it.
    """

    y: Any
    teacher_logits: Any = None
    prepared: Any = None
    mass: float | None = None

    def rows(self, block):
        """Return the same target restricted to the rows of the slice `block`."""
        y, teacher, prepared = (_rows_of(field, block) for field in self[:3])
        return Target(y, teacher, prepared, self.mass)


def _rows_of(field, block):
    if field is None or isinstance(field, int | float):
        return field
    if isinstance(field, Target):
        return field.rows(block)
    if isinstance(field, tuple):
        return tuple(_rows_of(part, block) for part in field)
    return field[block]


class Loss:
    """Base of all losses; subclasses fill in the row-wise mathematics.

    A loss that is a plain sum over rows defines :meth:`value_and_slope` and, where solvers of
    second order are to use it, :meth:`linearize`; everything else follows.

    Attributes
    ----------
    convex : bool
        Convex in the logits.
    separable : bool
        A sum over rows, once prepared; then :meth:`value` exists.
    batch_coupled : bool
        Rows interact: what a row contributes depends on the rows beside it.
    stateful : bool
        Holds quantities of the current logits fixed, so that its gradient is that of a function
        only between two calls of :meth:`prepare`.
    needs_teacher, needs_labels : bool
        Which fields of the target it reads.
    shift_invariant : bool
        Unchanged when the same number is added to all logits of a row.
    min_classes : int
        Fewest columns of logits it is defined for.
    curvature : float or None
        Upper bound of the eigenvalues of each row's Hessian in the logits; None if unbounded.
    diagonal_curvature : float or None
        Upper bound of the diagonal entries of each row's Hessian; None if unbounded.
    batch_limit : int or None
        Most rows that should be compared with each other at once; None if any number may be.
    """

    convex = True
    separable = True
    batch_coupled = False
    stateful = False
    needs_teacher = False
    needs_labels = True
    shift_invariant = False
    min_classes = 1
    curvature: float | None = None
    diagonal_curvature: float | None = None
    batch_limit: int | None = None

    @property
    def second_order(self):
        """Whether :meth:`linearize` exists."""
        return type(self).linearize is not Loss.linearize

    def prepare(self, target, Z=None, weight=None):
        """Derive once what many evaluations at the same target need.

        Parameters
        ----------
        target : Target
            Labels and teacher logits.
        Z : array of shape (n, k), default=None
            Current logits, for losses with ``stateful``; what these hold fixed is taken here.
        weight : float or array of shape (n,), default=None
            Weights that sum to 1, for losses that average over rows while preparing.

        Returns
        -------
        target : Target
            With ``prepared`` filled in; the same target for losses that need nothing.
        """
        return target

    def value(self, Z, target):
        """Loss of each row, shape (n,)."""
        return self.value_and_slope(Z, target)[0]

    def value_and_slope(self, Z, target):
        """Loss of each row, shape (n,), and its gradient in that row's logits, shape (n, k)."""
        raise NotImplementedError(f"{type(self).__name__} defines no value_and_slope")

    def value_and_gradient(self, Z, target, weight):
        """Weighted loss, a 0-d array, and its gradient in ``Z``."""
        values, slopes = self.value_and_slope(Z, target)
        return total(weight * values), weighted(weight, slopes)

    def prepare_and_evaluate(self, Z, target, weight):
        """:meth:`prepare` at ``Z`` and :meth:`value_and_gradient` there, perhaps in one pass."""
        return self.value_and_gradient(Z, self.prepare(target, Z, weight), weight)

    def linearize(self, Z, target, weight):
        """Return the function ``V -> H V``, H the Hessian at ``Z``, with its state cached."""
        raise NotImplementedError(f"{type(self).__name__} has no Hessian-vector product")

    def __repr__(self):
        return f"{type(self).__name__}()"


class ClassificationLoss(Loss):
    """A loss with hard labels for which rows are right or wrong."""

    def margin(self, Z, target):
        """Right class's logit minus the best other one, shape (n,); positive where right."""
        raise NotImplementedError(f"{type(self).__name__} defines no margin")

    def log_error(self, Z, target, weight=1.0):
        """Log of the pull of each wrong class on each row, shape (n, k); -inf where none.

        Minus the derivative of the loss in the margin against that class. `weight` only tells
        which rows exist: those of zero weight must not influence the others.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no log_error")

    def from_error(self, Q, target):
        """Turn pulls ``Q`` of wrong classes, shape (n, k), into a gradient in the logits."""
        raise NotImplementedError(f"{type(self).__name__} defines no from_error")

    def origin_pull(self, n_logits):
        """Pull on each row at the origin relative to a row counted as wrong; 1 but for limits.

        A perceptron loss is the limit of a smooth one as the step grows. Where all margins are
        zero, at the start, the smooth loss pulls less than it does on a wrong row.
        """
        return 1.0

    def normalized_gradient(self, Z, target, weight):
        """Gradient divided by the total error mass, and the log of that mass.

        The mass is ``sum_ik weight_i exp(log_error_ik)``. When no row is wrong the mass is zero,
        its log ``-inf``, and the gradient zero.
        """
        xp = namespace(Z)
        log_pull = self.log_error(Z, target, weight)
        if not isinstance(weight, float):
            log_pull = xp.where((weight > 0)[:, None], log_pull, -math.inf)
        peak = xp.max(log_pull)
        shift = xp.where(xp.isfinite(peak), peak, 0.0)
        Q = weighted(weight, xp.exp(log_pull - shift))
        mass = total(Q)
        empty = mass == 0
        mass = xp.where(empty, 1.0, mass)
        log_mass = xp.where(empty, -math.inf, xp.log(mass) + shift)
        return self.from_error(Q / xp.astype(mass, Q.dtype), target), log_mass

    def log_value(self, Z, target):
        """Log of each row's loss, shape (n,), accurate where the loss underflows."""
        raise NotImplementedError(f"{type(self).__name__} defines no log_value")

    def log_risk(self, Z, target, weight):
        """Log of the weighted loss, a 0-d array, also where that loss underflows."""
        xp = namespace(Z)
        logs = self.log_value(Z, target)
        if isinstance(weight, float):
            return logsumexp(logs) + math.log(weight)
        alive = weight > 0
        log_weight = xp.log(xp.where(alive, weight, 1.0))
        return logsumexp(xp.where(alive, logs + log_weight, -math.inf))


def existing(margins, weight):
    """Margins of shape (n, k) with those of rows without weight set to +inf, that is, to none."""
    if isinstance(weight, float):
        return margins
    return namespace(margins).where((weight > 0)[:, None], margins, math.inf)


def weighted(weight, rows):
    """Multiply each row by its weight; `weight` is a float or an array of shape (n,)."""
    return weight * rows if isinstance(weight, float) else weight[:, None] * rows
