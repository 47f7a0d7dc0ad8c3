r"""Soft targets over pseudo-subclasses, from the directions of a teacher's embedding.

Within class c the centred embeddings, freed of what the teacher's logits say already, are
projected on their S leading principal axes, rotated at random, and divided by one number per
class that makes their mean variance 1. With the class probabilities q of the teacher

.. math::
    q_{c,s}(x) = q_c(x)\, \mathrm{softmax}_s\big(\beta\, z_{c,s}(x)\big), \qquad
    z_c(x) = \frac{R_c A_c^\top (h(x) - \mu_c)}{\sigma_c} .

The exact normalisation of the paper is not known to us: the square root of the mean variance is
ours, which no rotation changes.

Reference: LELP, "Linear projections of teacher embeddings for few-class distillation",
arXiv 2409.20449.
"""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["LELPTargets", "mlp_embedding"]


def mlp_embedding(mlp, X):
    """Activations of the last hidden layer of a fitted multilayer perceptron.

    Parameters
    ----------
    mlp : MLPClassifier
        Fitted.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    embedding : ndarray of shape (n_samples, n_units)
        What the output layer sees; its weights are ``mlp.coefs_[-1].T``.

    Raises
    ------
    TypeError
        If `mlp` is no MLPClassifier.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skkd.distillation import mlp_embedding
    >>> X, y = load_iris(return_X_y=True)
    >>> mlp = MLPClassifier((16, 8), solver="lbfgs", max_iter=200, random_state=0).fit(X, y)
    >>> mlp_embedding(mlp, X).shape
    (150, 8)
    """
    if not isinstance(mlp, MLPClassifier):
        raise TypeError(
            f"mlp must be a fitted sklearn.neural_network.MLPClassifier, got {mlp!r}; for other "
            "models compute the embedding yourself"
        )
    check_is_fitted(mlp)
    H = validate_data(mlp, X, reset=False, accept_sparse=("csr", "csc"))
    activation = _ACTIVATIONS[mlp.activation]
    for weights, shifts in zip(mlp.coefs_[:-1], mlp.intercepts_[:-1], strict=True):
        H = activation(H @ weights + shifts)
    return H


_ACTIVATIONS = {
    "identity": lambda x: x,
    "logistic": lambda x: 0.5 * (1.0 + np.tanh(0.5 * x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
}


class LELPTargets:
    r"""Divides the classes of a teacher into pseudo-subclasses along its embedding.

    Targets are :math:`q_{c,s} = q_c\, \mathrm{softmax}_s(\beta z_{c,s})`, z the scaled projections
    of the embedding on S directions of class c.

    Parameters
    ----------
    n_subclasses : int >= 1, default=4
        Subclasses S of each class.
    beta : float >= 0, default=1.0
        Sharpness of the division; 0 gives subclasses that say nothing.
    null_space : bool, default=True
        Remove from the embedding what the output weights see of it.
    random_rotation : bool, default=True
        Rotate the directions of each class at random, so that they are of equal variance in
        expectation.
    random_state : int, RandomState instance or None, default=None
        Draws the rotations.

    Attributes
    ----------
    n_subclasses_ : int
        Subclasses used: no more than the directions in which the embedding varies within every
        class.
    means_ : ndarray of shape (n_classes, n_dimensions)
        Class means of the embedding.
    directions_ : ndarray of shape (n_classes, n_subclasses, n_dimensions)
        Directions, rotated and divided by the scale of the class.

    Warns
    -----
    UserWarning
        If fewer than `n_subclasses` are used.

    References
    ----------
    .. [1] "Linear projections of teacher embeddings for few-class distillation", arXiv 2409.20449.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.distillation import LELPTargets
    >>> rng = np.random.default_rng(0)
    >>> H, y = rng.standard_normal((60, 5)), np.arange(60) % 2
    >>> make = LELPTargets(3, null_space=False, random_state=0).fit(H, y)
    >>> targets = make.transform(H, np.zeros((60, 2)))
    >>> targets.shape, bool(np.allclose(targets[:, :3].sum(axis=1), 0.5))
    ((60, 6), True)
    """

    def __init__(
        self,
        n_subclasses=4,
        *,
        beta=1.0,
        null_space=True,
        random_rotation=True,
        random_state=None,
    ):
        if not (isinstance(n_subclasses, Integral) and n_subclasses >= 1):
            raise ValueError(f"n_subclasses must be an integer of at least 1, got {n_subclasses!r}")
        if not (isinstance(beta, Real) and 0 <= beta < np.inf):
            raise ValueError(f"beta must be a finite number of at least 0, got {beta!r}")
        self.n_subclasses = n_subclasses
        self.beta = beta
        self.null_space = null_space
        self.random_rotation = random_rotation
        self.random_state = random_state

    def fit(self, embeddings, y, output_weights=None, sample_weight=None):
        """Find the directions.

        Parameters
        ----------
        embeddings : array of shape (n_samples, n_dimensions)
            What the teacher's last layer sees.
        y : array of shape (n_samples,)
            Classes as integers 0 to n_classes - 1.
        output_weights : array of shape (n_classes, n_dimensions) or (1, n_dimensions), default=None
            Weights of the last layer; needed with `null_space`. Two rows count as their difference.
        sample_weight : array of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : LELPTargets
            Fitted.
        """
        H, y = np.asarray(embeddings, dtype=np.float64), np.asarray(y)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        seen = self._seen_by_logits(output_weights, H.shape[1])
        parts = [_principal_axes(H[y == c], weight[y == c], seen) for c in range(int(y.max()) + 1)]
        most = max(1, min(len(sizes) for _, _, sizes in parts))
        self.n_subclasses_ = min(self.n_subclasses, most)
        if self.n_subclasses_ < self.n_subclasses:
            warnings.warn(
                f"n_subclasses={self.n_subclasses} was lowered to {most}: in one class the "
                f"embedding varies in {most} directions at most, once its mean and what the "
                "logits say are taken away; use fewer subclasses, more rows or a wider embedding",
                UserWarning,
                stacklevel=3,
            )
        rng = check_random_state(self.random_state)
        self.means_ = np.stack([mean for mean, _, _ in parts])
        self.directions_ = np.stack(
            [self._directions(axes, sizes, rng) for _, axes, sizes in parts]
        )
        return self

    def transform(self, embeddings, teacher_logits):
        """Targets of rows.

        Parameters
        ----------
        embeddings : array of shape (n_samples, n_dimensions)
            Of the rows.
        teacher_logits : array of shape (n_samples, n_classes)
            Of the rows.

        Returns
        -------
        targets : ndarray of shape (n_samples, n_classes * n_subclasses)
            Probabilities; the subclasses of a class stand side by side.
        """
        H = np.asarray(embeddings, dtype=np.float64)
        log_q = _log_softmax(np.asarray(teacher_logits, dtype=np.float64))
        z = np.einsum("csq,nq->ncs", self.directions_, H)
        z -= np.einsum("csq,cq->cs", self.directions_, self.means_)
        targets = np.exp(log_q[:, :, None] + _log_softmax(self.beta * z))
        return targets.reshape(len(H), -1)

    def _seen_by_logits(self, output_weights, n_dimensions):
        """Orthonormal columns that span what the output weights see."""
        if not self.null_space:
            return np.zeros((n_dimensions, 0))
        if output_weights is None:
            raise ValueError(
                "null_space=True removes what the teacher's logits say, which takes the weights of "
                "its last layer; pass teacher_output_weights, or set null_space=False"
            )
        W = np.asarray(output_weights, dtype=np.float64)
        if W.ndim != 2 or W.shape[1] != n_dimensions:
            raise ValueError(
                "the output weights must have one column for each dimension of the embedding, "
                f"{n_dimensions}; got shape {W.shape}"
            )
        W = W[1:] - W[:1] if W.shape[0] == 2 else W
        _, sizes, axes = np.linalg.svd(W, full_matrices=False)
        # Weights that sum to zero over the classes do so up to the tolerance of their fit.
        return axes[sizes > _THERE * sizes[0]].T

    def _directions(self, axes, sizes, rng):
        """Rotated axes, divided by the root of the mean variance."""
        S = self.n_subclasses_
        directions = np.zeros((S, axes.shape[1]))
        kept = min(S, len(sizes))
        directions[:kept] = axes[:kept]
        if self.random_rotation:
            directions = _rotation(S, rng) @ directions
        scale = np.sqrt(np.sum(sizes[:S] ** 2) / S)
        return directions / scale if scale > 0 else directions


_THERE = 1e-6  # sizes below that share of the largest are the rounding of a fit or subtraction


def _principal_axes(H, weight, seen):
    """Weighted mean of rows; axes and standard deviations of what is not spanned by `seen`.

    Only directions in which rows of positive weight vary at all; the largest entry of an axis is
    positive.
    """
    mass = weight.sum()
    mean = weight @ H / mass
    centred = np.sqrt(weight / mass)[:, None] * (H - mean)
    size = np.linalg.norm(centred)
    centred -= (centred @ seen) @ seen.T
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    there = sizes > _THERE * size
    sizes, axes = sizes[there], axes[there]
    peaks = axes[np.arange(len(axes)), np.argmax(np.abs(axes), axis=1)]
    return mean, axes * np.where(peaks < 0, -1.0, 1.0)[:, None], sizes


def _rotation(size, rng):
    """Uniformly random orthogonal matrix."""
    Q, R = np.linalg.qr(rng.standard_normal((size, size)))
    return Q * np.where(np.diagonal(R) < 0, -1.0, 1.0)


def _log_softmax(Z):
    Z = Z - Z.max(axis=-1, keepdims=True)
    return Z - np.log(np.exp(Z).sum(axis=-1, keepdims=True))
