r"""A linear projection that keeps what a teacher's embedding says, by the bound I_alpha.

The representation is :math:`Z = XU`, the critic bilinear in it and in the teacher's embedding h,
the baseline log-linear in h,

.. math::
    f(x, h) = \frac{(x U) M h^\top}{\sqrt r}, \qquad \log q(h) = a^\top h + c ,

and :math:`I_\alpha` (:func:`mi_alpha_bound`) of the two is raised by Adam on minibatches.

Reference: He, H., Shi, X., Mueller, J., Zha, S., Li, M., Karypis, G., "Distiller: a systematic
study of model distillation methods in natural language processing", SustaiNLP 2021
(arXiv 2109.11105).
"""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import (
    check_same_namespace,
    device_of,
    float_dtypes,
    input_namespace,
    move_to,
    namespace,
    one_hot,
    to_numpy,
    total,
)
from .._base import SkkdEstimator
from .._validation import class_codes
from ..solvers import Iterate, run
from ._directions import leading_directions
from ._mi_bound import mi_alpha_bound

__all__ = ["MIAlphaProjection"]


class MIAlphaProjection(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SkkdEstimator):
    r"""Linear projection of most mutual information with a teacher's embedding.

    Maximises the lower bound :math:`I_\alpha` on the mutual information of :math:`Z = XU` and
    the teacher's embedding h,

    .. math::
        1 + \mathbb{E}\, \log \frac{e^{f(x, h)}}{\alpha\, m(h) + (1 - \alpha)\, q(h)}
        - \mathbb{E}_{p(x) p(h)} \frac{e^{f(x, h)}}{\alpha\, m(h) + (1 - \alpha)\, q(h)},

    over U and a critic :math:`f(x, h) = (xU) M h^\top / \sqrt r` with baseline
    :math:`\log q(h) = a^\top h + c`; m(h) averages :math:`e^f` over the other samples of a batch.

    Parameters
    ----------
    n_components : int >= 1, default=2
        Dimension r of the projection, at most the number of features.
    alpha : float in [0, 1], default=0.5
        1 is InfoNCE, of low variance and high bias (at most ``log(batch_size - 1)`` nats); towards
        0 bias falls and variance grows. Not a penalty: there is none.
    batch_size : int >= 2, default=64
        Pairs per step; all rows where there are fewer.
    max_iter : int >= 1, default=50
        Passes over the rows.
    learning_rate : float > 0, default=0.01
        Step of Adam at the start, on standardised columns; falls to 0 as half a cosine.
    random_state : int, RandomState instance or None, default=None
        Order of the rows in each pass, and directions that fill up the start.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        Directions, strongest first. On the training rows their projections are uncorrelated and
        of unit variance; the sign makes the largest entry positive.
    mean_ : array of shape (n_features,)
        Mean of the training rows, which is subtracted.
    bound_ : float
        Mean of the bound over the batches of the last pass, in nats. It is that of the training
        rows, and too high where these are few.
    bounds_ : array of shape (n_iter,)
        The same for every pass.
    n_iter_ : int
        Passes made.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : array of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Raises
    ------
    ValueError
        If neither `y` nor `teacher_embeddings` are given, or `n_components` exceeds the number of
        features.

    See Also
    --------
    mi_alpha_bound : The bound of one batch.
    sklearn.cross_decomposition.CCA : Directions of largest correlation.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Directions that separate classes.

    Notes
    -----
    The bound does not see the units of the columns, which are standardised inside. Directions are
    found up to an invertible map, which the critic absorbs; the attributes fix it. Sample weights
    are not taken: a batch compares pairs, and a pair that is repeated would be its own negative.

    References
    ----------
    .. [1] He, H., Shi, X., Mueller, J., Zha, S., Li, M., Karypis, G., "Distiller: a systematic
       study of model distillation methods in natural language processing", SustaiNLP 2021.
    .. [2] Poole, B., Ozair, S., van den Oord, A., Alemi, A., Tucker, G., "On variational bounds
       of mutual information", ICML 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skkd.distillation import MIAlphaProjection
    >>> X, y = load_iris(return_X_y=True)
    >>> MIAlphaProjection(1, random_state=0).fit_transform(X, y).shape
    (150, 1)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }

    __metadata_request__fit = {"teacher_embeddings": True}

    def __init__(
        self,
        n_components=2,
        *,
        alpha=0.5,
        batch_size=64,
        max_iter=50,
        learning_rate=0.01,
        random_state=None,
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, teacher_embeddings=None):
        """Fit the projection.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows; at least two.
        y : array-like of shape (n_samples,), default=None
            Labels. Without `teacher_embeddings` their indicators take the place of an embedding;
            otherwise they are not read.
        teacher_embeddings : array-like of shape (n_samples, n_dimensions), default=None
            What the teacher makes of each row.

        Returns
        -------
        self : MIAlphaProjection
            The fitted projection.
        """
        X, H = self._validated(X, y, teacher_embeddings)
        rng = check_random_state(self.random_state)
        mean, spread, X = _standardized(X)
        _, _, H = _standardized(H)
        problem = _Critic(X, H, self.n_components, self.alpha)
        attributes = self._attributes_of(problem, mean, spread)
        on_iterate, end = self._watched(
            X, y, max_iter=self.max_iter, task_name="update", attributes=attributes
        )
        bounds = []
        result = run(
            _adam(problem, rng, self.batch_size, self.learning_rate, self.max_iter, bounds),
            max_iter=self.max_iter,
            on_iterate=on_iterate,
        )
        for name, value in attributes(result.params).items():
            setattr(self, name, value)
        self.bounds_ = namespace(X).stack(bounds)
        self.bound_ = float(to_numpy(bounds[-1]))
        self.n_iter_ = result.n_iter
        end()
        return self

    def transform(self, X):
        """Project rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        Z : array of shape (n_samples, n_components)
            Their projections.
        """
        check_is_fitted(self)
        check_same_namespace(X, self, attribute="components_", method="transform")
        xp, _, device = input_namespace(X)
        X = validate_data(self, X, reset=False, dtype=float_dtypes(xp, device))
        return (X - self.mean_) @ self.components_.T

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def _validated(self, X, y, H):
        """Rows and embeddings in one array library."""
        xp, _, device = input_namespace(X)
        dtypes = float_dtypes(xp, device)
        if y is None and H is None:
            validate_data(self, X, dtype=dtypes, ensure_min_samples=2)
            raise ValueError(
                "MIAlphaProjection requires y to be passed, but the target y is None and so is "
                "teacher_embeddings; give fit the teacher's embedding of each row, or labels"
            )
        if H is None:
            X, y = validate_data(self, X, y, dtype=dtypes, ensure_min_samples=2)
            classes, codes = class_codes(y)
            H = one_hot(move_to(codes, xp=xp, device=device), classes.shape[0])
            H = namespace(X).astype(H, X.dtype)
        else:
            X = validate_data(self, X, dtype=dtypes, ensure_min_samples=2)
            H = check_array(
                move_to(_as_array(H), xp=xp, device=device),
                dtype=X.dtype,
                input_name="teacher_embeddings",
            )
        if H.shape[0] != X.shape[0]:
            raise ValueError(
                f"teacher_embeddings must have one row per sample: got {H.shape[0]} rows for "
                f"{X.shape[0]} samples"
            )
        if self.n_components > X.shape[1]:
            raise ValueError(
                f"n_components={self.n_components} must be at most the number of features, "
                f"n_features={X.shape[1]}"
            )
        return X, H

    def _attributes_of(self, problem, mean, spread):
        def attributes(params):
            return {"components_": problem.directions(params).T / spread, "mean_": mean}

        return attributes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.array_api_support = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@dataclass
class _Critic:
    """Bound of a batch as a function of one vector of parameters (U, M, a, c)."""

    X: Any
    H: Any
    n_components: int
    alpha: float

    def parts(self, params):
        """U (p, r), M (r, q), a (q,) and c (1,)."""
        xp = namespace(params)
        p, q, r = self.X.shape[1], self.H.shape[1], self.n_components
        U = xp.reshape(params[: p * r], (p, r))
        M = xp.reshape(params[p * r : (p + q) * r], (r, q))
        return U, M, params[(p + q) * r : (p + q) * r + q], params[-1:]

    def start(self, rng):
        """Directions of largest covariance, and a critic of zero, at which the bound is zero."""
        cross = to_numpy(self.X.T @ self.H) / self.X.shape[0]
        U = leading_directions(cross, self.n_components, rng)
        rest = np.zeros(self.H.shape[1] * (self.n_components + 1) + 1)
        xp = namespace(self.X)
        params = np.concatenate([U.ravel(), rest])
        return xp.asarray(params, dtype=self.X.dtype, device=device_of(self.X))

    def value_and_gradient(self, params, rows):
        """Bound of a batch and its gradient in the parameters."""
        xp = namespace(params)
        U, M, a, c = self.parts(params)
        X, H = xp.take(self.X, rows, axis=0), xp.take(self.H, rows, axis=0)
        unit = 1.0 / math.sqrt(self.n_components)
        Z, HM = X @ U, H @ M.T
        value, G, g = mi_alpha_bound(unit * (Z @ HM.T), H @ a + c, self.alpha)
        G = unit * G
        parts = [X.T @ (G @ HM), (Z.T @ G) @ H, H.T @ g, xp.sum(g, keepdims=True)]
        return value, xp.concat([xp.reshape(part, (-1,)) for part in parts])

    def directions(self, params):
        """U times the map that makes projections white, strongest first, signs fixed."""
        U, M, _, _ = self.parts(params)
        Z, HM = self.X @ U, self.H @ M.T
        n = self.X.shape[0]
        mixing = _canonical(to_numpy(Z.T @ Z) / n, to_numpy(HM.T @ HM) / n)
        xp = namespace(U)
        U = U @ xp.asarray(mixing, dtype=U.dtype, device=device_of(U))
        sizes = xp.abs(U)
        peak = sizes == xp.max(sizes, axis=0, keepdims=True)
        negative = xp.sum(xp.where(peak, U, 0.0), axis=0) < 0
        return U * (1.0 - 2.0 * xp.astype(negative, U.dtype))


def _adam(problem, rng, batch_size, learning_rate, max_iter, bounds):
    """Adam on minibatches, one iterate per pass; appends the mean bound of each pass."""
    params = problem.start(rng)
    xp, device = namespace(params), device_of(params)
    n = problem.X.shape[0]
    size = min(batch_size, n)
    first, second = xp.zeros_like(params), xp.zeros_like(params)
    steps = max_iter * (n // size)
    step = 0
    gradient = xp.zeros_like(params)
    yield Iterate(params, gradient)
    for index in range(1, max_iter + 1):
        order = xp.asarray(rng.permutation(n), device=device)
        mean = 0.0
        for k in range(n // size):
            value, gradient = problem.value_and_gradient(params, order[k * size : (k + 1) * size])
            step += 1
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            rate = 0.5 * learning_rate * (1.0 + math.cos(math.pi * (step - 1) / steps))
            unbiased = xp.sqrt(second / (1.0 - 0.999**step)) + 1e-8
            params = params + (rate / (1.0 - 0.9**step)) * first / unbiased
            mean = mean + value / (n // size)
        bounds.append(mean)
        yield Iterate(params, gradient, value=mean, index=index)


def _canonical(of_z, of_critic):
    """Map A that makes ``Z A`` white and sorts its columns by their share in the critic."""
    sizes, axes = np.linalg.eigh(np.asarray(of_z, dtype=np.float64))
    roots = np.sqrt(np.maximum(sizes, 0.0))
    kept = roots > 1e-6 * roots[-1]
    inverse = np.where(kept, 1.0 / np.where(kept, roots, 1.0), 0.0)
    strength = (axes * roots).T @ np.asarray(of_critic, dtype=np.float64) @ (axes * roots)
    _, order = np.linalg.eigh(strength)
    return (axes * inverse) @ order[:, ::-1]


def _standardized(A):
    """Mean and spread of the columns, and the columns without; constant ones have spread 1."""
    xp = namespace(A)
    mean = xp.astype(total(A, axis=0) / A.shape[0], A.dtype)
    A = A - mean
    spread = xp.astype(xp.sqrt(total(A**2, axis=0) / A.shape[0]), A.dtype)
    tiny = (
        10.0
        * float(xp.finfo(A.dtype).eps)
        * (xp.abs(mean) + float(xp.finfo(A.dtype).smallest_normal))
    )
    spread = xp.where(spread > tiny, spread, xp.ones_like(spread))
    return mean, spread, A / spread


def _as_array(H):
    """Lists and frames as NumPy; arrays as they are."""
    return H if hasattr(H, "dtype") else np.asarray(H)
