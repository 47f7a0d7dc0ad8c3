r"""Losses made of losses: weighted sums, and two classes seen through one logit.

.. math::
    \ell(z) = \sum_j c_j\, \ell_j(z), \qquad
    \ell(z) = \ell_2\big(-\tfrac{z}{2}, \tfrac{z}{2}\big) .
"""

import numpy as np

from .._backend import device_of, namespace, to_numpy, total
from ._base import Loss, Target
from ._one_pass import fits_one_pass, labels_and_teacher

__all__ = ["Batched", "TwoColumns", "WeightedSum", "two_columns"]


class WeightedSum(Loss):
    """Sum of losses, each with a factor.

    Parameters
    ----------
    terms : list of (float, Loss)
        Factors and losses; with a negative factor the sum counts as not convex. Labels may
        differ between them: a target whose ``y`` is a tuple has one entry for each term.
    """

    def __init__(self, terms):
        self.terms = [(float(factor), loss) for factor, loss in terms]
        losses = [loss for _, loss in self.terms]
        for flag in ("convex", "separable", "shift_invariant"):
            setattr(self, flag, all(getattr(loss, flag) for loss in losses))
        self.convex = self.convex and all(factor >= 0 for factor, _ in self.terms)
        for flag in ("batch_coupled", "stateful", "needs_teacher", "needs_labels"):
            setattr(self, flag, any(getattr(loss, flag) for loss in losses))
        self.min_classes = max(loss.min_classes for loss in losses)
        limits = [loss.batch_limit for loss in losses if loss.batch_limit is not None]
        self.batch_limit = min(limits, default=None)
        self.curvature = self._bound("curvature")
        self.diagonal_curvature = self._bound("diagonal_curvature")

    def __repr__(self):
        return " + ".join(f"{factor:g} * {loss!r}" for factor, loss in self.terms)

    @property
    def second_order(self):
        return all(loss.second_order for _, loss in self.terms)

    def prepare(self, target, Z=None, weight=None):
        labels = target.y if isinstance(target.y, tuple) else (target.y,) * len(self.terms)
        parts = tuple(
            loss.prepare(target._replace(y=y), Z, weight)
            for (_, loss), y in zip(self.terms, labels, strict=True)
        )
        return target._replace(prepared=parts)

    def value_and_slope(self, Z, target):
        return self._sum(loss.value_and_slope(Z, part) for loss, part in self._parts(target))

    def value_and_gradient(self, Z, target, weight):
        if not self.separable:  # not linear in the weights, which must sum to 1
            return self._sum(
                loss.value_and_gradient(Z, part, weight) for loss, part in self._parts(target)
            )
        if fits_one_pass(self.terms, target.prepared, Z):
            return labels_and_teacher(self.terms, target.prepared, Z, weight)
        (factor, loss), *others = self.terms
        part, *other_parts = target.prepared
        value, gradient = loss.value_and_gradient(Z, part, factor * weight)
        for (factor, loss), part in zip(others, other_parts, strict=True):
            own, slope = loss.value_and_gradient(Z, part, factor * weight)
            value = value + own
            gradient += slope
        return value, gradient

    def linearize(self, Z, target, weight):
        products = [
            loss.linearize(Z, part, factor * weight)
            for (factor, loss), part in zip(self.terms, target.prepared, strict=True)
        ]

        def product(V):
            total = products[0](V)
            for other in products[1:]:
                total += other(V)
            return total

        return product

    def _parts(self, target):
        return [(loss, part) for (_, loss), part in zip(self.terms, target.prepared, strict=True)]

    def _sum(self, pairs):
        value, slope = 0.0, 0.0
        for (factor, _), (part_value, part_slope) in zip(self.terms, pairs, strict=True):
            value = value + factor * part_value
            slope = slope + factor * part_slope
        return value, slope

    def _bound(self, name):
        bounds = [(factor, getattr(loss, name)) for factor, loss in self.terms]
        if any(bound is None for _, bound in bounds):
            return None
        return sum(factor * bound for factor, bound in bounds) or None


class TwoColumns(Loss):
    """A loss of two logits as a function of their difference.

    Parameters
    ----------
    loss : Loss
        Takes logits of shape (n, 2); receives ``[-z/2, z/2]``.
    """

    def __init__(self, loss):
        self.loss = loss
        for flag in (
            "convex",
            "separable",
            "batch_coupled",
            "stateful",
            "needs_teacher",
            "needs_labels",
            "batch_limit",
        ):
            setattr(self, flag, getattr(loss, flag))
        if loss.min_classes > 2:
            raise ValueError(
                f"{loss!r} needs at least {loss.min_classes} classes, but the problem has 2"
            )
        self.curvature = None if loss.curvature is None else 0.5 * loss.curvature
        # The diagonal of a 2 x 2 Hessian bounds the rest of it: at most d along (-1, 1) / 2.
        self.diagonal_curvature = loss.diagonal_curvature

    def __repr__(self):
        return f"TwoColumns({self.loss!r})"

    @property
    def second_order(self):
        return self.loss.second_order

    def prepare(self, target, Z=None, weight=None):
        if target.teacher_logits is not None:
            target = target._replace(teacher_logits=two_columns(target.teacher_logits))
        return self.loss.prepare(target, None if Z is None else two_columns(Z), weight)

    def value_and_slope(self, Z, target):
        value, slope = self.loss.value_and_slope(two_columns(Z), target)
        return value, _difference(slope)

    def value_and_gradient(self, Z, target, weight):
        value, gradient = self.loss.value_and_gradient(two_columns(Z), target, weight)
        return value, _difference(gradient)

    def linearize(self, Z, target, weight):
        product = self.loss.linearize(two_columns(Z), target, weight)
        return lambda V: _difference(product(two_columns(V)))


class Batched(Loss):
    r"""Mean of a batch-coupled loss over the batches of a partition of the rows.

    .. math:: \sum_b \frac{s(b)}{s}\, \ell(z_b), \qquad s(b) \text{ the weight of batch } b .

    Parameters
    ----------
    loss : Loss
        The loss of one batch.
    batches : list of int arrays
        Rows of each batch; together every row once.
    """

    separable = False
    batch_coupled = True

    def __init__(self, loss, batches):
        self.loss = loss
        self.batches = batches
        for flag in ("convex", "stateful", "needs_teacher", "needs_labels", "shift_invariant"):
            setattr(self, flag, getattr(loss, flag))
        self.diagonal_curvature = loss.diagonal_curvature
        self._place = np.argsort(np.concatenate(batches))

    def __repr__(self):
        return f"Batched({self.loss!r}, {len(self.batches)} batches)"

    def prepare(self, target, Z=None, weight=None):
        parts = []
        for rows in self.batches:
            part, own_weight, share = _batch_of(target, weight, rows)
            own_logits = None if Z is None else taken(Z, rows)
            parts.append((self.loss.prepare(part, own_logits, own_weight), own_weight, share))
        return target._replace(prepared=tuple(parts))

    def value_and_gradient(self, Z, target, weight):
        xp = namespace(Z)
        value, gradients = 0.0, []
        for rows, (part, own_weight, share) in zip(self.batches, target.prepared, strict=True):
            if share == 0:
                gradients.append(xp.zeros_like(taken(Z, rows)))
                continue
            own, gradient = self.loss.value_and_gradient(taken(Z, rows), part, own_weight)
            value = value + share * own
            gradients.append(share * gradient)
        return value, taken(xp.concat(gradients, axis=0), self._place)


def _batch_of(target, weight, rows):
    """Target of a batch, its weights scaled to sum to 1, and its share of all weight."""
    labels = target.y
    if isinstance(labels, tuple):
        labels = tuple(taken(part, rows) for part in labels)
    elif labels is not None:
        labels = taken(labels, rows)
    teacher = None if target.teacher_logits is None else taken(target.teacher_logits, rows)
    if isinstance(weight, float):
        own_weight, share = 1.0 / len(rows), weight * len(rows)
    else:
        own_weight = taken(weight, rows)
        share = float(to_numpy(total(own_weight)))
        own_weight = own_weight / share if share > 0 else own_weight
    return Target(labels, teacher, mass=share * target.mass), own_weight, share


def taken(x, rows):
    """Rows of `x` by their numbers, an integer array on the host."""
    xp = namespace(x)
    return xp.take(x, xp.asarray(rows, device=device_of(x)), axis=0)


def two_columns(Z):
    """``[-z/2, z/2]`` for a difference of logits z.

    Parameters
    ----------
    Z : array of shape (n, 1) or (n, 2)
        Differences, or two columns whose difference is taken.

    Returns
    -------
    logits : array of shape (n, 2)
        Two columns that sum to zero.
    """
    half = 0.5 * (Z if Z.shape[1] == 1 else Z[:, 1:] - Z[:, :1])
    return namespace(Z).concat([-half, half], axis=1)


def _difference(slope):
    return 0.5 * (slope[:, 1:] - slope[:, :1])
