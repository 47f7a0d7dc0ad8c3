r"""Losses that look at the student first: which rows, which classes, how much, all held fixed.

What these losses take from the current logits (weights, ranks, gates, selections) is found by
``prepare`` and then constant, so that between two calls the gradient is that of a function.

With :math:`p` of the student, H the entropy, :math:`\hat p` renormalised over the other classes
than y,

.. math::
    \mathrm{uskd} &= \alpha \cdot -w \log p_y + \beta \sum_{c \ne y} -\hat z_c \log \hat p_c,
        \qquad w = 1 + p_y^2 - \textstyle\frac1n \sum p_y^2, \quad
        z_c = 1 / \mathrm{rank}(c) \\
    \mathrm{preference\_rank} &= \sum_{j \le k} \Big[ \log \sum_{l \ge j} e^{s_{(l)} / T}
        - s_{(j)} / T \Big], \quad
        (1), (2), \dots \text{ the student's k best classes, the teacher's best first} \\
    \mathrm{gated\_js} &= \sigma\big( (H(p) - H(q)) / \tau \big)\, \mathrm{JS}_\beta(q, p) \\
    \mathrm{selective} &= \mathrm{gated\_js}
        + \lambda_r\, \mathrm{mean}_A\, \mathrm{preference\_rank}
        + \lambda_e\, \mathrm{mean}_B\, H(p)

where A and B hold the rows of which the student is least certain.

References
----------
Yang, Z., Zeng, A., Li, Z., Zhang, T., Yuan, C., Li, Y., "From knowledge distillation to
self-knowledge distillation: a unified approach with normalized loss and customized soft labels",
ICCV 2023 (arXiv 2303.13005).

"TSD-KD", token-selective dual knowledge distillation, ICLR 2026 (arXiv 2603.13260).
"""

import numpy as np

from .._backend import device_of, expit_pair, log_softmax, namespace, one_hot, total
from ._base import Loss, weighted
from ._compiled import compiled, ranking_pass
from ._compiled_batches import best_classes, entropies, entropy_pass, self_pass, zipf_labels
from ._correlation import batch_mass
from ._curvature import softmax_hessian
from ._decoupled import _decouple, _right, own_loss
from ._divergences import JSLoss, TeacherLoss
from ._parameters import chosen, count, fraction, non_negative, positive
from ._ranking import scan_logsumexp

__all__ = ["GatedJSLoss", "PreferenceRankLoss", "SelectiveLoss", "USKDLoss"]

_FEW = 32  # classes that are picked out one by one rather than by sorting all


class USKDLoss(Loss):
    r"""Self-distillation without a teacher: weighted labels, and soft labels made from ranks.

    .. math:: -\alpha\, w \log p_y - \beta \sum_{c \ne y} \hat z_c \log \hat p_c

    The weight w and the ranks, by Zipf's law turned into soft labels z, are those of the logits at
    the last :meth:`prepare`; given them the loss is convex. Classes are ranked by
    :math:`p_c / (1 - p_y + 10^{-6})`, to which an auxiliary head adds its own: its logits may be
    given as ``target.teacher_logits``.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the labels' part.
    beta : float, default=0.1
        Weight of the part of the other classes; with two classes that part is zero.
    rank_score : {"softmax", "authors"}, default="softmax"
        "authors" ranks the main head by :math:`\log p_c / (1 - \log p_y + 10^{-6})`, as their
        program does.
    """

    stateful = True
    shift_invariant = True
    min_classes = 2

    def __init__(self, *, alpha=1.0, beta=0.1, rank_score="softmax"):
        self.alpha = non_negative(alpha=alpha)
        self.beta = non_negative(beta=beta)
        self.rank_score = chosen(("softmax", "authors"), rank_score=rank_score)

    def __repr__(self):
        return f"USKDLoss(alpha={self.alpha:g}, beta={self.beta:g}, rank_score={self.rank_score!r})"

    def prepare(self, target, Z=None, weight=None):
        xp = namespace(Z)
        square = xp.exp(-2.0 * own_loss(Z, target.y))
        w = 1.0 / Z.shape[0] if weight is None else weight
        mean = xp.astype(total(weighted(w, square)), Z.dtype)
        score = Z  # which ranks the classes of a row as their probabilities do
        if target.teacher_logits is not None:
            score = _rank_score(Z, target.y, log=self.rank_score == "authors")
            score = score + _rank_score(target.teacher_logits, target.y)
        if compiled(Z):
            soft = zipf_labels(score, target.y, self.beta)
        else:
            zipf = xp.where(_right(Z, target.y), 0.0, 1.0 / xp.astype(_ranks(score) + 1, Z.dtype))
            soft = self.beta * zipf / xp.sum(zipf, axis=1, keepdims=True)
        return target._replace(prepared=(self.alpha * (1.0 + square - mean), soft))

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        focus, soft = target.prepared
        p = _decouple(Z, target.y)
        value = -focus * p.log_own - xp.sum(soft * p.log_finite, axis=1, keepdims=True)
        pull = xp.where(_right(Z, target.y), -xp.exp(p.log_rest), xp.exp(p.log_others + p.log_rest))
        return value[:, 0], focus * pull + self.beta * xp.exp(p.log_others) - soft

    def value_and_gradient(self, Z, target, weight):
        if not compiled(Z):
            return super().value_and_gradient(Z, target, weight)
        focus, soft = target.prepared
        return self_pass(Z, soft, focus[:, 0], target.y, weight, self.beta)

    def linearize(self, Z, target, weight):
        xp = namespace(Z)
        focus, _ = target.prepared
        P = xp.exp(log_softmax(Z))
        hat = xp.exp(_decouple(Z, target.y).log_others)
        return lambda V: weighted(
            weight, focus * softmax_hessian(P, V) + self.beta * softmax_hessian(hat, V)
        )


class PreferenceRankLoss(TeacherLoss):
    r"""Likelihood that the student orders its own best classes as the teacher does.

    .. math:: \sum_{j \le k} \Big[ \log \sum_{l \ge j} e^{s_{(l)} / T} - s_{(j)} / T \Big]

    (1), ..., (k) are the student's k best classes at the last :meth:`prepare`, the one that the
    teacher likes best first: the Plackett-Luce likelihood of that order. Convex, given the classes.

    Parameters
    ----------
    top_k : int, default=10
        Number k of classes, at least 1; all of them where there are fewer.
    temperature : float, default=1.0
        Temperature T > 0 of the student's logits; there is no factor :math:`T^2`.
    reversed : bool, default=False
        Score the reversed order, the teacher's worst first, as the authors' program does.
    """

    stateful = True

    def __init__(self, *, top_k=10, temperature=1.0, reversed=False):
        super().__init__(temperature=temperature)
        self.top_k = count(top_k=top_k)
        self.reversed = chosen((False, True), reversed=reversed)

    def __repr__(self):
        return (
            f"PreferenceRankLoss(top_k={self.top_k}, temperature={self.temperature:g}, "
            f"reversed={self.reversed})"
        )

    def prepare(self, target, Z=None, weight=None):
        xp = namespace(Z)
        k = min(self.top_k, Z.shape[1])
        teacher = target.teacher_logits
        if compiled(Z) and k <= _FEW:  # the compiled pass scatters and needs no places
            order = best_classes(Z, teacher, k, not self.reversed)
            return target._replace(prepared=(order, None))
        candidates = _falling(Z)[:, :k]
        liking = xp.take_along_axis(teacher, candidates, axis=1)
        order = _falling(-liking if self.reversed else liking)
        order = xp.take_along_axis(candidates, order, axis=1)
        return target._replace(prepared=(order, _places(order, Z.shape[1])))

    def value_and_gradient(self, Z, target, weight):
        order, place = target.prepared
        k = order.shape[1]
        if place is not None or k < 2:
            return super().value_and_gradient(Z, target, weight)
        ranked = np.take_along_axis(Z, order, axis=1) / self.temperature
        as_ranked = np.tile(np.arange(k), (Z.shape[0], 1))
        # A mean over the places there, a sum here.
        value, slope = ranking_pass(ranked, ranked, None, as_ranked, k * weight, None)
        G = np.zeros_like(Z)
        np.put_along_axis(G, order, slope / self.temperature, axis=1)
        return value, G

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        order, place = target.prepared
        ranked = xp.take_along_axis(Z, order, axis=1) / self.temperature
        log_sums = scan_logsumexp(ranked, reverse=True)
        value = xp.sum(log_sums - ranked, axis=1)
        slope = (xp.exp(scan_logsumexp(-log_sums) + ranked) - 1.0) / self.temperature
        if place is None:
            place = _places(order, Z.shape[1])
        slope = xp.concat([slope, xp.zeros_like(slope[:, :1])], axis=1)
        return value, xp.take_along_axis(slope, place, axis=1)


class GatedJSLoss(TeacherLoss):
    r"""Jensen-Shannon divergence, weighing most the rows where the student is less certain.

    .. math:: \sigma\big( (H(p) - H(q)) / \tau \big)\, \mathrm{JS}_\beta(q, p)

    The gate is that of the last :meth:`prepare`. Not convex.

    Parameters
    ----------
    beta : float, default=0.9
        Weight of the teacher in the mixture of the divergence, between 0 and 1, both excluded.
    gate_temperature : float, default=1.0
        Temperature :math:`\tau` > 0 of the gate.
    temperature : float, default=1.0
        Temperature T > 0 of both softmaxes; the divergence has the factor :math:`T^2`.
    reduction : {"mean", "sum"}, default="mean"
        "sum" multiplies by the number of rows (their total weight).
    """

    convex = False
    stateful = True

    def __init__(self, *, beta=0.9, gate_temperature=1.0, temperature=1.0, reduction="mean"):
        super().__init__(temperature=temperature)
        self.beta = fraction(beta=beta, closed=False)
        self.gate_temperature = positive(gate_temperature=gate_temperature)
        self.reduction = chosen(("mean", "sum"), reduction=reduction)
        self._divergence = JSLoss(temperature=temperature, beta=beta)

    def __repr__(self):
        return (
            f"GatedJSLoss(beta={self.beta:g}, gate_temperature={self.gate_temperature:g}, "
            f"temperature={self.temperature:g}, reduction={self.reduction!r})"
        )

    def prepare(self, target, Z=None, weight=None):
        T = self.temperature
        gap = _entropy_of(Z, T) - _entropy_of(target.teacher_logits, T)
        gate = expit_pair(gap / self.gate_temperature)[0]
        if self.reduction == "sum":
            gate = batch_mass(target, Z) * gate
        return target._replace(prepared=(gate, self._divergence.prepare(target)))

    def value_and_gradient(self, Z, target, weight):
        gate, inner = target.prepared
        return self._divergence.value_and_gradient(Z, inner, weight * gate)

    def value_and_slope(self, Z, target):
        gate, inner = target.prepared
        values, slopes = self._divergence.value_and_slope(Z, inner)
        return gate * values, weighted(gate, slopes)


class SelectiveLoss(TeacherLoss):
    r"""Gated divergence of all rows, with ranking and entropy terms on the least certain ones.

    .. math::
        \frac1n \sum_i g_i\, \mathrm{JS}_i
        + \lambda_r \frac{1}{|A|} \sum_{i \in A} \mathrm{rank}_i
        + \lambda_e \frac{1}{|B|} \sum_{i \in B} H(p_i)

    The objective of TSD-KD with samples in the place of tokens. Samples have no order, so that A,
    there the opening of a text, is the share `fraction` of the rows of highest entropy; by default
    B is too. Gates, rows and classes are those of the last :meth:`prepare`. Not convex, and the
    entropy term rewards logits that grow without bound: keep a penalty and labels beside it.

    Where `fraction` cuts through a row (of weight above 1, or the last one), that part counts.

    Parameters
    ----------
    rank_weight : float, default=0.1
        Weight :math:`\lambda_r` of the ranking term.
    entropy_weight : float, default=1.0
        Weight :math:`\lambda_e` of the entropy term; linear students want 0.01 or less.
    fraction : float, default=0.1
        Share of rows, or of entropy, above 0 and at most 1.
    top_k : int, default=10
        Number of classes that are ranked; see :class:`PreferenceRankLoss`.
    beta : float, default=0.9
        Weight of the teacher in the mixture of the divergence; see :class:`GatedJSLoss`.
    gate_temperature : float, default=1.0
        Temperature of the gate.
    temperature : float, default=1.0
        Temperature of divergence, gate and ranking; entropies are those at 1.
    select : {"entropy", "prefix"}, default="entropy"
        "prefix" takes the first rows for A, up to the share `fraction` of all entropy, for rows
        that are in order.
    entropy_rows : {"top", "authors"}, default="top"
        "authors" takes for B the rows at or above the quantile `fraction` of entropy, as their
        program does: most rows.
    reversed : bool, default=False
        Reverse the ranking, as the authors' program does.
    """

    convex = False
    stateful = True

    def __init__(
        self,
        *,
        rank_weight=0.1,
        entropy_weight=1.0,
        fraction=0.1,
        top_k=10,
        beta=0.9,
        gate_temperature=1.0,
        temperature=1.0,
        select="entropy",
        entropy_rows="top",
        reversed=False,
    ):
        super().__init__(temperature=temperature)
        self.rank_weight = non_negative(rank_weight=rank_weight)
        self.entropy_weight = non_negative(entropy_weight=entropy_weight)
        self.fraction = _share(fraction)
        self.select = chosen(("entropy", "prefix"), select=select)
        self.entropy_rows = chosen(("top", "authors"), entropy_rows=entropy_rows)
        self._direct = GatedJSLoss(
            beta=beta, gate_temperature=gate_temperature, temperature=temperature
        )
        self._ranking = PreferenceRankLoss(top_k=top_k, temperature=temperature, reversed=reversed)
        self.top_k, self.reversed = self._ranking.top_k, self._ranking.reversed
        self.beta, self.gate_temperature = self._direct.beta, self._direct.gate_temperature

    def __repr__(self):
        return (
            f"SelectiveLoss(rank_weight={self.rank_weight:g}, "
            f"entropy_weight={self.entropy_weight:g}, fraction={self.fraction:g}, "
            f"top_k={self.top_k}, beta={self.beta:g}, "
            f"gate_temperature={self.gate_temperature:g}, temperature={self.temperature:g}, "
            f"select={self.select!r}, entropy_rows={self.entropy_rows!r}, "
            f"reversed={self.reversed})"
        )

    def prepare(self, target, Z=None, weight=None):
        xp = namespace(Z)
        counts = self._copies(target, Z, weight)
        H = _entropy_of(Z)
        top = _top_share(H, counts, self.fraction)
        opening = top if self.select == "entropy" else _opening(H, counts, self.fraction)
        most = top if self.entropy_rows == "top" else _above_quantile(H, counts, self.fraction)
        ranking = _mean_factor(opening, counts) * self.rank_weight
        entropy = _mean_factor(most, counts) * self.entropy_weight
        parts = (self._direct.prepare(target, Z), self._ranking.prepare(target, Z))
        factors = (xp.astype(ranking, Z.dtype), xp.astype(entropy, Z.dtype))
        return target._replace(prepared=factors + parts)

    def value_and_slope(self, Z, target):
        xp = namespace(Z)
        of_ranking, of_entropy, direct, ranking = target.prepared
        value, slope = self._direct.value_and_slope(Z, direct)
        ranked, pull = self._ranking.value_and_slope(Z, ranking)
        log_p = log_softmax(Z)
        H = _entropy(log_p)
        value = value + of_ranking * ranked + of_entropy * H
        sharpen = -xp.exp(log_p) * (log_p + H[:, None])
        return value, slope + weighted(of_ranking, pull) + weighted(of_entropy, sharpen)

    def value_and_gradient(self, Z, target, weight):
        if not compiled(Z):
            return super().value_and_gradient(Z, target, weight)
        of_ranking, of_entropy, direct, ranking = target.prepared
        value, G = self._direct.value_and_gradient(Z, direct, weight)
        others = [self._ranking.value_and_gradient(Z, ranking, weight * of_ranking)]
        others.append(entropy_pass(Z, weight * of_entropy))
        for other, gradient in others:
            value = value + other
            G += gradient
        return value, G

    def _copies(self, target, Z, weight):
        """How many times each row counts, shape (n,)."""
        xp = namespace(Z)
        if weight is None or isinstance(weight, float):
            return xp.full_like(Z[:, 0], batch_mass(target, Z) / Z.shape[0])
        return weight * batch_mass(target, Z)


def _falling(values):
    """Order of each row, the largest first; ties by class."""
    return namespace(values).argsort(-values, axis=1, stable=True)


def _places(order, n_classes):
    """Where in the order each class stands, shape (n, C); the order's length if it does not."""
    xp = namespace(order)
    n, k = order.shape
    if k == n_classes:
        return xp.argsort(order, axis=1)
    place = xp.full((n, n_classes), k, dtype=order.dtype, device=device_of(order))
    for j in range(k):
        place = xp.where(one_hot(order[:, j], n_classes), j, place)
    return place


def _rank_score(logits, y, *, log=False):
    """Probabilities relative to how far the label's is from certain; their logs likewise."""
    xp = namespace(logits)
    score = log_softmax(logits)
    if log:
        own = _decouple(logits, y).log_own
        return score / (1.0 - own + 1e-6)
    return xp.exp(score) / (xp.exp(_decouple(logits, y).log_rest) + 1e-6)


def _ranks(values):
    """Place of each entry in the falling order of its row, from 0; ties by class."""
    return namespace(values).argsort(_falling(values), axis=1)


def _entropy_of(logits, temperature=1.0):
    """Entropy of each row's softened probabilities, in nats."""
    if compiled(logits):
        return entropies(logits, temperature)
    return _entropy(log_softmax(logits / temperature))


def _entropy(log_p):
    """Entropy of each row of log-probabilities, in nats."""
    xp = namespace(log_p)
    return -xp.sum(xp.exp(log_p) * log_p, axis=1)


def _mean_factor(chosen_share, counts):
    """Factors that turn the weighted mean over all rows into that over the chosen shares."""
    xp = namespace(counts)
    mass = xp.sum(chosen_share * counts)
    factor = chosen_share * (xp.sum(counts) / xp.where(mass > 0, mass, 1.0))
    return xp.where(mass > 0, factor, 0.0)


def _top_share(H, counts, share):
    """Which part of each row is among the `share` of all copies with the highest entropy."""
    xp = namespace(H)
    order = xp.argsort(-H, stable=True)
    ranked = xp.take(counts, order)
    before = xp.cumulative_sum(ranked) - ranked
    room = xp.clip(share * xp.sum(counts) - before, 0.0, None)
    part = xp.where(room < ranked, room, ranked) / xp.where(ranked > 0, ranked, 1.0)
    return xp.take(part, xp.argsort(order, stable=True))


def _opening(H, counts, share):
    """Which part of each row, in the order given, comes before `share` of all entropy is spent."""
    xp = namespace(H)
    spent = xp.cumulative_sum(counts * H)
    room = share * spent[-1] - (spent - counts * H)
    copies = xp.floor(xp.clip(room, 0.0, None) / xp.where(H > 0, H, 1.0))
    part = xp.where(copies < counts, copies, counts) / xp.where(counts > 0, counts, 1.0)
    return xp.where(H > 0, part, xp.astype(room >= 0, H.dtype))


def _above_quantile(H, counts, share):
    """Rows at or above the quantile `share` of entropy, interpolated between copies."""
    xp = namespace(H)
    order = xp.argsort(H, stable=True)
    ranked, upto = xp.take(H, order), xp.cumulative_sum(xp.take(counts, order))
    position = share * (xp.sum(counts) - 1.0)
    position = xp.clip(position, 0.0, None)
    low = xp.floor(position)

    def copy(number):
        """Entropy of that copy, counted from 0 in ascending order."""
        place = xp.sum(xp.astype(upto <= number, xp.int64))
        last = xp.asarray(H.shape[0] - 1, dtype=xp.int64, device=device_of(H))
        return xp.take(ranked, xp.reshape(xp.where(place < last, place, last), (1,)))

    quantile = copy(low) + (position - low) * (copy(low + 1.0) - copy(low))
    return xp.astype(quantile <= H, H.dtype)


def _share(value):
    """`fraction` as a float, if above 0 and at most 1."""
    value = fraction(fraction=value)
    if value == 0.0:
        raise ValueError("fraction must be above 0 and at most 1, got 0; a loss without rows is 0")
    return value
