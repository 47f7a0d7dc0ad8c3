r"""A second opinion on the training rows: a linear classifier on another view of the features.

In a network this is a head on an intermediate layer. A linear model has none; the view here are
the leading principal components of X, or random projections of very many features. The head
minimises :math:`\mu\, \mathrm{CE}(0.9\, e_y + 0.1 / C) + \frac{\alpha}{2} \|A\|^2`.
"""

import math

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from .._backend import device_of, namespace, one_hot, to_numpy
from ..losses import MultinomialLogLoss, Target
from ..objectives import LinearObjective

__all__ = ["auxiliary_objective", "second_view"]

# More features than this are projected at random: their covariance would be too large a matrix.
_MOST_FEATURES = 1000
_MOST_COMPONENTS = 64  # where the user does not say
_SMOOTHING = 0.1


def auxiliary_objective(view, data, *, aux_weight, alpha):
    """Objective of the head, divided by its weight.

    Parameters
    ----------
    view : array of shape (n, m)
        Rows as :func:`second_view` gives them.
    data : ClassificationData
        Labels and weights.
    aux_weight : float
        Weight of the head's loss, positive.
    alpha : float
        Strength of its L2 penalty, before the division.

    Returns
    -------
    objective : LinearObjective
    """
    labels = namespace(view).astype(one_hot(data.y, data.n_classes), view.dtype)
    smooth = (1.0 - _SMOOTHING) * labels + _SMOOTHING / data.n_classes
    return LinearObjective(
        MultinomialLogLoss(),
        view,
        Target(smooth),
        data.sample_weight,
        n_outputs=data.n_classes,
        alpha=alpha / aux_weight,
    )


def second_view(X, weight, n_components, random_state):
    """Centred rows in fewer, or random, coordinates.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, p)
        Rows.
    weight : float or array of shape (n,)
        Weights that sum to 1.
    n_components : int or None
        Number of coordinates; None takes half of the features, at most 64.
    random_state : None, int or RandomState
        For random projections.

    Returns
    -------
    view : array of shape (n, m)
    """
    n, p = X.shape
    xp, device = namespace(X), device_of(X)
    if isinstance(weight, float):
        weight = xp.full((n,), weight, dtype=X.dtype, device=device)
    m = min(max(p // 2, 1), _MOST_COMPONENTS) if n_components is None else n_components
    mean = X.T @ weight
    if p > _MOST_FEATURES:
        V = check_random_state(random_state).standard_normal((p, m)) / math.sqrt(m)
    else:
        # Eigenvalues ascend; the last eigenvectors lead.
        V = np.linalg.eigh(to_numpy(_covariance(X, weight, mean)))[1][:, : -m - 1 : -1]
    V = xp.asarray(np.ascontiguousarray(V), dtype=X.dtype, device=device)
    return X @ V - mean @ V


def _covariance(X, weight, mean):
    if sparse.issparse(X):
        second = (X.T @ X.multiply(weight[:, None])).toarray()
        return second - mean[:, None] * mean[None, :]
    centred = X - mean
    return centred.T @ (weight[:, None] * centred)
