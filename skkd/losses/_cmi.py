r"""Conditional mutual information between inputs and predictions given the label.

With softmax rows :math:`P_n` and the centroid :math:`Q_y` of the rows of class y,

.. math::
    I(X; \hat Y \mid Y) = \frac1n \sum_n \mathrm{KL}(P_n \| Q_{y_n}), \qquad
    Q_y = \frac{1}{n_y} \sum_{n: y_n = y} P_n ,

between 0 and log C. A teacher that maximises it beside its likelihood tells the rows of one class
apart. The derivative through the centroids vanishes, so that

.. math:: \nabla_z = P \circ (a - \langle P, a \rangle) / n, \qquad a = \log (P / Q_y)

is exact whether they follow the logits or are held fixed.

References
----------
Ye, L., Hamidi, S. M., Tan, R., Yang, E.-H., "Bayes conditional distribution estimation for
knowledge distillation based on conditional mutual information", ICLR 2024 (arXiv 2401.08732).
"""

import numpy as np
from scipy import sparse

from .._backend import device_of, is_numpy, log_softmax, namespace, one_hot, total
from ._base import Loss, weighted
from ._compiled import compiled
from ._compiled_batches import information_pass

__all__ = ["CMILoss", "class_centroids"]


class CMILoss(Loss):
    r"""Mean divergence of the rows from the mean row of their class, to be *maximised*.

    .. math:: \frac1n \sum_n \mathrm{KL}(P_n \| Q_{y_n})

    Between 0 and log C; add it to cross-entropy with a negative weight. Not convex.

    Parameters
    ----------
    centroids : "exact" or array of shape (K, C), default="exact"
        The rows Q: "exact" takes the weighted means of the current rows of each class; an array of
        probabilities holds them fixed, as the authors do. Zeros count as the smallest ordinary
        number.
    """

    convex = False
    separable = False
    batch_coupled = True
    shift_invariant = True
    min_classes = 2

    def __init__(self, *, centroids="exact"):
        self.centroids = _checked_centroids(centroids)
        self.separable = not isinstance(self.centroids, str)
        self.batch_coupled = not self.separable

    def __repr__(self):
        return f"CMILoss(centroids={'fixed' if self.separable else 'exact'!r})"

    def value_and_slope(self, Z, target):
        if not self.separable:
            raise NotImplementedError("CMILoss with exact centroids is not a sum over rows")
        xp = namespace(Z)
        centroids = xp.asarray(self.centroids, dtype=Z.dtype, device=device_of(Z))
        return _divergence(log_softmax(Z), centroids, target.y)

    def value_and_gradient(self, Z, target, weight):
        if compiled(Z):
            return information_pass(Z, target.y, weight, self.centroids if self.separable else None)
        if self.separable:
            return super().value_and_gradient(Z, target, weight)
        log_p = log_softmax(Z)
        centroids = class_centroids(namespace(Z).exp(log_p), target.y, weight)
        values, slopes = _divergence(log_p, centroids, target.y)
        return total(weight * values), weighted(weight, slopes)


def class_centroids(P, y, weight):
    """Weighted mean of the rows of each class, shape (C, C); zeros for classes without weight.

    Parameters
    ----------
    P : array of shape (n, C)
        Rows of probabilities.
    y : array of shape (n,)
        Classes, integers 0..C-1.
    weight : float or array of shape (n,)
        Weights of the rows.

    Returns
    -------
    centroids : array of shape (C, C)
        One row for each class.
    """
    xp = namespace(P)
    n, n_classes = P.shape
    if isinstance(weight, float):
        weight = xp.full((n,), weight, dtype=P.dtype, device=device_of(P))
    if is_numpy(P):
        # Only n of the entries of the indicator are not zero.
        member = sparse.csr_array((weight, y, np.arange(n + 1)), shape=(n, n_classes)).T
        sums, mass = member @ P, np.bincount(y, weight, n_classes).astype(P.dtype)
    else:
        member = xp.where(one_hot(y, n_classes), weight[:, None], 0.0)
        sums, mass = xp.matmul(member.T, P), xp.sum(member, axis=0)
    return sums / xp.where(mass > 0, mass, 1.0)[:, None]


def _divergence(log_p, centroids, y):
    """Divergence of each row from its class's centroid, and the gradient in the logits."""
    xp = namespace(log_p)
    P = xp.exp(log_p)
    # Q >= P / n_y: where Q underflows so does P, and the product is 0 with any finite logarithm.
    tiny = xp.finfo(log_p.dtype).smallest_normal
    log_q = xp.log(xp.where(centroids > tiny, centroids, tiny))
    gaps = log_p - xp.take(log_q, y, axis=0)
    values = xp.sum(P * gaps, axis=1, keepdims=True)
    return values[:, 0], P * (gaps - values)


def _checked_centroids(centroids):
    """The word "exact", or the array given if its entries are probabilities."""
    if isinstance(centroids, str):
        if centroids == "exact":
            return centroids
        raise ValueError(
            f"centroids must be 'exact' or an array with one row of probabilities for each class, "
            f"got {centroids!r}"
        )
    if not hasattr(centroids, "dtype"):
        centroids = np.asarray(centroids, dtype=np.float64)
    xp = namespace(centroids)
    if centroids.ndim != 2 or not bool(xp.all((centroids >= 0) & (centroids <= 1.0 + 1e-6))):
        raise ValueError(
            "centroids must be 'exact' or an array of shape (n_classes, n_classes) with one row of "
            f"probabilities for each class, got an array of shape {tuple(centroids.shape)}"
        )
    return centroids
