r"""Optimal transport between the softened probabilities of student and teacher in a batch.

With rows :math:`p_i` (student) and :math:`q_j` (teacher) at temperature T, weights w that sum to 1
and costs :math:`D_{ij} = \sum_c |p_{ic} - q_{jc}|`, :math:`K = e^{-D / \epsilon}`, N times

.. math::
    a_i \leftarrow 1 / \textstyle\sum_j K_{ij} w_j b_j, \qquad
    b_j \leftarrow 1 / \textstyle\sum_i K_{ij} w_i a_i, \qquad b^{(0)} = 1,

and the loss is :math:`\sum_{ij} w_i a_i K_{ij} b_j w_j D_{ij}`. After N rounds columns have their
weights exactly, rows only in the limit. The gradient is that of the N rounds as they were made, by
going through them backwards; it is written in the adjoints of log a and log b, which, unlike those
of a and b, stay of the size of the loss. Each round adds to the adjoint of log K a term
K o (x y^T), and all 2N of them are one matrix product.

For small epsilon, K underflows and a and b overflow; then rounds are made on log a and log b.

References
----------
Cui, X., Qin, Y., Gao, Y., Zhang, E., Xu, Z., Wu, T., Li, K., Sun, X., Zhou, W., Li, H., "Sinkhorn
distance minimization for knowledge distillation", COLING 2024 (arXiv 2402.17110).

Cuturi, M., "Sinkhorn distances: lightspeed computation of optimal transport", NeurIPS 2013.
"""

import math

from .._backend import device_of, float_dtypes, logsumexp, namespace, total
from ._compiled_transport import transport_pays, transported
from ._correlation import _BatchLoss, _pulled_back, batch_mass
from ._parameters import chosen, count, non_negative, positive

__all__ = ["SinkhornLoss"]

# Least epsilon by precision for which a and b, up to exp(4 / epsilon), are ordinary numbers.
_LEAST_EPSILON = {8: 0.02, 4: 0.06}
# Entries of the largest three-way table of differences made at a time.
_TABLE = 2**19


class SinkhornLoss(_BatchLoss):
    r"""Transport cost between the batch's student rows and teacher rows, entropically smoothed.

    .. math:: \sum_{ij} P_{ij} D_{ij} / n, \qquad D_{ij} = \| p_i - q_j \|_1

    with P the plan after ``n_iter`` rounds of scaling rows, then columns, to 1. It compares sets of
    rows: the student's rows may be permuted, so that the loss wants cross-entropy or a divergence
    beside it. At s = t it is positive unless `debias`. No factor :math:`T^2`. Not convex. Takes
    O(n^2) memory and O(n^2 (C + n_iter)) time.

    Parameters
    ----------
    temperature : float, default=2.0
        Temperature T > 0 of both softmaxes.
    epsilon : float, default=0.1
        Smoothing > 0; costs lie between 0 and 2.
    n_iter : int, default=20
        Rounds, at least 1.
    reduction : {"mean", "sum"}, default="mean"
        "sum" multiplies by the number of rows (their total weight), as the authors' program does.
    debias : bool, default=False
        Subtract half the losses of the student against itself and of the teacher against itself;
        then the loss is 0 at s = t, and in the limit of many rounds so is its gradient. Not part
        of the paper.
    scale : float, default=1.0
        Factor of the loss; the authors use 0.001 with "sum".
    """

    batch_limit = 256  # rows of the n x n plan

    def __init__(
        self,
        *,
        temperature=2.0,
        epsilon=0.1,
        n_iter=20,
        reduction="mean",
        debias=False,
        scale=1.0,
    ):
        super().__init__(temperature=temperature)
        self.epsilon = positive(epsilon=epsilon)
        self.n_iter = count(n_iter=n_iter)
        self.reduction = chosen(("mean", "sum"), reduction=reduction)
        self.debias = chosen((False, True), debias=debias)
        self.scale = non_negative(scale=scale)

    def __repr__(self):
        return (
            f"SinkhornLoss(temperature={self.temperature:g}, epsilon={self.epsilon:g}, "
            f"n_iter={self.n_iter}, reduction={self.reduction!r}, debias={self.debias}, "
            f"scale={self.scale:g})"
        )

    def value_and_gradient(self, Z, target, weight):
        P = self._probabilities(Z)
        Q = target.prepared[0]
        w = _as_vector(weight, Z)
        value, pull = self._cost(P, Q, w)
        if self.debias:
            own, own_pull = self._cost(P, P, w, both=True)
            value = value - 0.5 * (own + self._cost(Q, Q, w)[0])
            pull = pull - 0.5 * own_pull
        factor = self.scale
        if self.reduction == "sum":
            factor = factor * batch_mass(target, Z)
        return factor * value, _pulled_back(P, pull, 1.0, factor / self.temperature, Z)

    def _cost(self, P, Q, w, *, both=False):
        """Cost and its gradient in P; `both` adds the gradient in Q, for Q the same as P."""
        if transport_pays(P, Q) and self.epsilon >= _LEAST_EPSILON[P.itemsize]:
            return transported(P, Q, w, self.epsilon, self.n_iter, both=both)
        D = _costs(P, Q)
        value, G = _unrolled(D, w, self.epsilon, self.n_iter)
        pull = _pull_back(G, P, Q)
        if both:
            pull = pull + _pull_back(G.T, Q, P)
        return value, pull


def _as_vector(weight, Z):
    xp = namespace(Z)
    if isinstance(weight, float):
        return xp.full((Z.shape[0],), weight, dtype=Z.dtype, device=device_of(Z))
    return weight


def _costs(P, Q):
    """``D_ij = sum_c |p_ic - q_jc|``, a block of rows at a time."""
    xp = namespace(P)
    blocks = [xp.sum(xp.abs(part), axis=2) for part in _differences(P, Q)]
    return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)


def _pull_back(G, P, Q):
    """Gradient in P of ``sum_ij G_ij D_ij`` with G held fixed; 0 where p_ic = q_jc."""
    xp = namespace(P)
    blocks, low = [], 0
    for part in _differences(P, Q):
        high = low + part.shape[0]
        blocks.append(xp.matmul(G[low:high, None, :], xp.sign(part))[:, 0, :])
        low = high
    return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)


def _differences(P, Q):
    """Yield ``p_ic - q_jc`` of shape (rows, n, C) for one block of rows i after the other."""
    rows = max(_TABLE // (Q.shape[0] * Q.shape[1]), 1)
    n = P.shape[0]
    for low in range(0, n, rows):
        yield P[low : min(low + rows, n), None, :] - Q[None, :, :]


def _unrolled(D, w, epsilon, n_iter):
    """Cost after `n_iter` rounds, a 0-d array, and its gradient in the costs ``D``."""
    if epsilon < _LEAST_EPSILON[_precision(D)]:
        return _unrolled_logs(D, w, epsilon, n_iter)
    return _unrolled_scalings(D, w, epsilon, n_iter)


def _precision(D):
    """Bytes of the numbers in `D`."""
    xp = namespace(D)
    return 8 if D.dtype == float_dtypes(xp, device_of(D))[0] and D.dtype != xp.float32 else 4


def _unrolled_scalings(D, w, epsilon, n_iter):
    xp = namespace(D)
    K = xp.exp(D / -epsilon)
    a, b = [], [xp.ones_like(w)]
    for _ in range(n_iter):
        a.append(1.0 / xp.matmul(K, w * b[-1]))
        b.append(1.0 / xp.matmul(K.T, w * a[-1]))
    wa, wb = w * a[-1], w * b[-1]
    KD = K * D
    of_a = wa * xp.matmul(KD, wb)
    of_b = wb * xp.matmul(KD.T, wa)
    value = total(of_a)
    left, right = [], []
    for k in range(n_iter, 0, -1):
        x = b[k] * of_b
        of_a = of_a - w * a[k - 1] * xp.matmul(K, x)
        y = a[k - 1] * of_a
        left += [w * a[k - 1], y]
        right += [x, w * b[k - 1]]
        of_b = -w * b[k - 1] * xp.matmul(K.T, y)
        of_a = xp.zeros_like(of_a)
    through = xp.matmul(xp.stack(left, axis=1), xp.stack(right, axis=0))
    return value, K * (wa[:, None] * wb[None, :] * (1.0 - D / epsilon) + through / epsilon)


def _unrolled_logs(D, w, epsilon, n_iter):
    """The same with f = log a and g = log b; every matrix below has rows or columns of sum 1."""
    xp = namespace(D)
    log_k = D / -epsilon
    log_w = xp.where(w > 0, xp.log(xp.where(w > 0, w, 1.0)), -math.inf)
    f, g = [], [xp.zeros_like(w)]
    for _ in range(n_iter):
        f.append(-logsumexp(log_k + (log_w + g[-1])[None, :], axis=1))
        g.append(-logsumexp(log_k + (log_w + f[-1])[:, None], axis=0))
    plan = xp.exp(log_k + (log_w + f[-1])[:, None] + (log_w + g[-1])[None, :])
    of_k = plan * D
    of_f, of_g = xp.sum(of_k, axis=1), xp.sum(of_k, axis=0)
    value = total(of_f)
    for k in range(n_iter, 0, -1):
        columns = xp.exp(log_k + (log_w + f[k - 1])[:, None] + g[k][None, :])
        of_f = of_f - xp.matmul(columns, of_g)
        rows = xp.exp(log_k + f[k - 1][:, None] + (log_w + g[k - 1])[None, :])
        of_k = of_k - columns * of_g[None, :] - rows * of_f[:, None]
        of_g = -xp.matmul(rows.T, of_f)
        of_f = xp.zeros_like(of_f)
    return value, plan - of_k / epsilon
