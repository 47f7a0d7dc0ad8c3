r"""Losses of relations inside a batch: correlations and Gram matrices of softened probabilities.

With rows :math:`p_i, q_i` of the softened probabilities P and Q of student and teacher, columns
:math:`p_{:c}, q_{:c}`, and Pearson's correlation
:math:`\rho(a, b) = \langle a', b' \rangle / (|a'| |b'| + 10^{-8})` of centred vectors,

.. math::
    \mathrm{dist} &= T^2 \Big[ \beta \Big( 1 - \frac1n \sum_i \rho(p_i, q_i) \Big)
                     + \gamma \Big( 1 - \frac1C \sum_c \rho(p_{:c}, q_{:c}) \Big) \Big] \\
    \mathrm{mlkd\_class\_correlation} &= \| P^\top P - Q^\top Q \|_F^2 / C \\
    \mathrm{mlkd\_batch\_correlation} &= \| P P^\top - Q Q^\top \|_F^2 / n .

The last two are sums over the batch, not means: n copies of a batch have n^2 and n times the value.
Both are computed from S = P + Q and D = P - Q, whose products vanish as the student approaches the
teacher, so that small values are not differences of large ones:

.. math::
    P^\top P - Q^\top Q = \tfrac12 (S^\top D + D^\top S), \qquad
    \| P P^\top - Q Q^\top \|_F^2 = \tfrac12 \big( \langle S^\top D, D^\top S \rangle
                                    + \langle S^\top S, D^\top D \rangle \big) .

References
----------
Huang, T., You, S., Wang, F., Qian, C., Xu, C., "Knowledge distillation from a stronger teacher",
NeurIPS 2022.

Jin, Y., Wang, J., Lin, D., "Multi-level logit distillation", CVPR 2023.
"""

import math

from .._backend import namespace, total
from ._base import weighted
from ._compiled import compiled
from ._compiled_batches import correlation_pass, pull_back_pass, softmax_pass
from ._curvature import softmax_hessian
from ._divergences import TeacherLoss
from ._parameters import non_negative

__all__ = ["BatchCorrelationLoss", "ClassCorrelationLoss", "DISTLoss", "batch_mass"]

# The number that the authors add to the product of norms.
_GUARD = 1e-8


class _BatchLoss(TeacherLoss):
    """A loss of whole batches; the teacher's part that is fixed is its softened probabilities."""

    convex = False
    separable = False
    batch_coupled = True

    def prepare(self, target, Z=None, weight=None):
        return target._replace(prepared=(self._probabilities(target.teacher_logits),))

    def _probabilities(self, logits):
        if compiled(logits):
            return softmax_pass(logits, self.temperature)
        return namespace(logits).exp(self.softened(logits))


class DISTLoss(_BatchLoss):
    r"""Correlations between classes within rows, and within classes between rows.

    .. math::
        T^2 \Big[ \beta \Big( 1 - \frac1n \sum_i \rho(p_i, q_i) \Big)
        + \gamma \Big( 1 - \frac1C \sum_c \rho(p_{:c}, q_{:c}) \Big) \Big]

    Not convex. A row or column in which the teacher is constant has correlation 0 and no gradient.
    Where the student's is constant, as at logits of zero, the gradient is of the order of 1e8:
    start elsewhere.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the correlations of rows.
    gamma : float, default=1.0
        Weight of the correlations of columns.
    temperature : float, default=1.0
        Temperature T > 0 of both softmaxes.
    """

    def __init__(self, *, beta=1.0, gamma=1.0, temperature=1.0):
        super().__init__(temperature=temperature)
        self.beta = non_negative(beta=beta)
        self.gamma = non_negative(gamma=gamma)

    def __repr__(self):
        return (
            f"DISTLoss(beta={self.beta:g}, gamma={self.gamma:g}, temperature={self.temperature:g})"
        )

    def value_and_gradient(self, Z, target, weight):
        xp = namespace(Z)
        Q, mass = target.prepared[0], batch_mass(target, Z)
        T, n_classes = self.temperature, Z.shape[1]
        if compiled(Z):
            params = {"temperature": T, "beta": self.beta, "gamma": self.gamma}
            return correlation_pass(Z, Q, weight, **params, guard=_GUARD, mass=mass)
        P = self._probabilities(Z)
        # Rows of probabilities have the mean 1/C.
        of_rows, row_slope = _row_correlation(P - 1.0 / n_classes, Q - 1.0 / n_classes)
        of_columns, column_slope = _column_correlation(P, Q, weight, _GUARD / mass)
        value = self.beta * (1.0 - total(weight * of_rows) / _sum_of(weight, Z))
        value = value + self.gamma * (1.0 - xp.mean(of_columns))
        slope = self.beta * row_slope + (self.gamma / n_classes) * column_slope
        return T**2 * value, _pulled_back(P, slope, weight, -T, Z)


class ClassCorrelationLoss(_BatchLoss):
    r"""Squared distance between the class-by-class Gram matrices of teacher and student.

    .. math::
        \| P^\top P - Q^\top Q \|_F^2 / C, \qquad
        \nabla_P = 4 P (P^\top P - Q^\top Q) / C

    A sum over rows is squared: the value grows with the square of the number of rows. Not convex.

    Parameters
    ----------
    temperature : float, default=1.0
        Temperature T > 0 of both softmaxes; there is no factor :math:`T^2`.
    """

    def value_and_gradient(self, Z, target, weight):
        xp = namespace(Z)
        P = self._probabilities(Z)
        Q = target.prepared[0]
        half = _gram(P + Q, weighted(weight, P - Q))
        A = 0.5 * (half + half.T)
        factor = batch_mass(target, Z) ** 2 / Z.shape[1]
        scale = 4.0 * factor / self.temperature
        return factor * total(A * A), _pulled_back(P, xp.matmul(P, A), weight, scale, Z)


class BatchCorrelationLoss(_BatchLoss):
    r"""Squared distance between the row-by-row Gram matrices of teacher and student.

    .. math::
        \| P P^\top - Q Q^\top \|_F^2 / n, \qquad
        \nabla_P = 4 (P P^\top - Q Q^\top) P / n

    Grows with the number of rows, and costs no more than O(n C^2). Not convex.

    Parameters
    ----------
    temperature : float, default=1.0
        Temperature T > 0 of both softmaxes; there is no factor :math:`T^2`.
    """

    def value_and_gradient(self, Z, target, weight):
        P = self._probabilities(Z)
        Q = target.prepared[0]
        root = _root(weight)
        # Weighted by their roots on both sides, the Gram matrices are those of the weighted rows.
        S, D = weighted(root, P + Q), weighted(root, P - Q)
        few = 2 * Z.shape[0] < 5 * Z.shape[1]
        square, pull = (_by_rows if few else _by_classes)(S, D)
        mass = batch_mass(target, Z)
        return mass * square, _pulled_back(P, pull, root, mass / self.temperature, Z)


def batch_mass(target, Z):
    """Total weight of the batch before it was scaled; the number of rows where not known."""
    return float(Z.shape[0]) if target.mass is None else target.mass


def _pulled_back(P, slope, weight, scale, Z):
    """Gradient in the logits from that in the probabilities, for weighted rows."""
    if compiled(Z):
        return pull_back_pass(P, slope, weight, scale, Z)
    return scale * weighted(weight, softmax_hessian(P, slope))


def _row_correlation(U, V):
    """Correlation of each row, shape (n,), and its gradient; rows are centred."""
    xp = namespace(U)

    def dot(A, B):
        return xp.sum(A * B, axis=1, keepdims=True)

    rho, of_v, of_u = _correlation(dot(U, V), dot(U, U), dot(V, V), _GUARD)
    return rho[:, 0], of_v * V + of_u * U


def _column_correlation(P, Q, weight, guard):
    """Correlation of each column over weighted rows, shape (C,), and its gradient by row weight."""
    xp = namespace(P)
    # Teacher columns that are constant must come out as exact zeros: their norms are divisors.
    U = _centred(P, weight)
    V = _centred(_centred(Q, weight), weight)

    def dot(A, B):
        return xp.astype(total(weighted(weight, A * B), axis=0), P.dtype)

    rho, of_v, of_u = _correlation(dot(U, V), dot(U, U), dot(V, V), guard)
    return rho, of_v * V + of_u * U


def _correlation(uv, uu, vv, guard):
    """Correlation from inner products, and the factors of v and u in its gradient in u."""
    xp = namespace(uv)
    norm_u, norm_v = xp.sqrt(uu), xp.sqrt(vv)
    scale = norm_u * norm_v + guard
    rho = uv / scale
    # At u = 0 the second factor multiplies a zero.
    return rho, 1.0 / scale, -rho * norm_v / (scale * xp.where(norm_u > 0, norm_u, 1.0))


def _centred(P, weight):
    """Columns minus their weighted means."""
    mean = total(weighted(weight, P), axis=0) / _sum_of(weight, P)
    return P - namespace(P).astype(mean, P.dtype)


def _sum_of(weight, Z):
    """Sum of the weights, 1 up to rounding."""
    return weight * Z.shape[0] if isinstance(weight, float) else total(weight)


def _gram(A, B):
    """``A^T B``."""
    return namespace(A).matmul(A.T, B)


def _root(weight):
    return math.sqrt(weight) if isinstance(weight, float) else namespace(weight).sqrt(weight)


def _by_classes(S, D):
    """``|P P^T - Q Q^T|^2`` and 4 times the product of that matrix with P, from C x C matrices."""
    xp = namespace(S)
    SS, SD, DD = _gram(S, S), _gram(S, D), _gram(D, D)
    square = 0.5 * (total(SD * SD.T) + total(SS * DD))
    return square, xp.matmul(D, SS + SD) + xp.matmul(S, SD.T + DD)


def _by_rows(S, D):
    """The same from one n x n matrix, for batches of fewer rows than classes."""
    xp = namespace(S)
    half = xp.matmul(D, S.T)
    E = 0.5 * (half + half.T)
    return total(E * E), 2.0 * xp.matmul(E, S + D)
