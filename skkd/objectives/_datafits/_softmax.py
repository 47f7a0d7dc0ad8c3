r"""Multinomial logistic loss; the bound on its Hessian is a Kronecker product, never formed.

Variables are a matrix :math:`X` of shape (p, K), flattened in C order: the flat index is
``feature * K + class``. With :math:`Z = A X` and :math:`P` the softmax of its rows,

.. math:: f(X) = \sum_i w_i \Big( \log \sum_c e^{Z_{ic}} - \sum_c Y_{ic} Z_{ic} \Big), \qquad
          \nabla f(X) = A^\top \mathrm{diag}(w) (P - Y).

The bound of Böhning on the whole Hessian, with :math:`G = A^\top \mathrm{diag}(w) A`, is
:math:`H = G \otimes \tfrac12 (I_K - 11^\top / K)`: its product with a matrix :math:`D` is
:math:`\tfrac12 G D (I - 11^\top/K)` and its absolute row sums are those of :math:`|G|` times
:math:`(K-1)/K`. A block with :math:`k'` distinct classes is the Hessian of a model with one more
class, of reference, so that :math:`\kappa = \min(K, k'+1)` replaces :math:`K`:

.. math:: H_b[(f_1, c_1), (f_2, c_2)] = \tfrac12 (1[c_1 = c_2] - 1/\kappa)\, G[f_1, f_2].

Along a direction the third derivative of a row is a third central moment of the change of its
logits, at most :math:`R^3 / (6\sqrt3)` for a change of range :math:`R`. For :math:`\|d\| = 1`
the range is at most :math:`\rho_i`, the root of the sum of the two largest of the class-wise
:math:`\|a_{i,F_c}\|^2`, hence :math:`M_b = \sum_i w_i \rho_i^3 / (6\sqrt3)`.

Reference: Böhning, D., "Multinomial logistic regression algorithm", Annals of the Institute of
Statistical Mathematics 44, 1992.
"""

from functools import cached_property

import numpy as np
from scipy import sparse

from ._base import Datafit, DatafitState
from ._checks import column_matrix, one_hot_rows, row_weights
from ._columns import (
    absolute_row_sums,
    add_product,
    gram,
    gram_norm,
    scaled,
    squared_norms,
    squared_row_norms,
    take,
)
from ._linear import LOGISTIC_BEND
from ._ridge import Ridge

__all__ = ["Softmax"]


class Softmax(Datafit):
    r"""Multinomial logistic loss, ``sum_i w_i (logsumexp(z_i) - y_i'z_i) + l2 |X|^2 / 2``.

    Variables are the coefficients of shape (n_features, n_classes), flattened in C order.

    Parameters
    ----------
    A : {array-like, sparse matrix} of shape (n_rows, n_features)
        Rows; kept by columns, in float64.
    Y : array-like of shape (n_rows, n_classes) or (n_rows,)
        Rows of probabilities, such as one-hot rows, or labels 0, 1, ...
    l2 : float >= 0 or array-like of shape (n_variables,), default=0.0
        Strength of the ridge on every variable, or on each.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows, at least 0; integers equal repetition. None counts every row once.
    n_classes : int >= 2, default=None
        Number of classes where `Y` holds labels; None takes the largest label plus one.

    Attributes
    ----------
    A : ndarray or CSC matrix of shape (n_rows, n_features)
        The rows.
    n_classes : int
        Number of classes K.
    n_variables : int
        ``n_features * n_classes``.

    See Also
    --------
    Logistic : Two classes with one logit.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.
    .. [2] Böhning, D., "Multinomial logistic regression algorithm", Annals of the Institute of
       Statistical Mathematics 44, 1992.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.objectives import Softmax
    >>> datafit = Softmax([[1.0], [2.0]], [0, 3])
    >>> datafit.n_variables
    4
    >>> datafit.gradient(np.zeros(4))
    array([-0.25,  0.75,  0.75, -1.25])
    """

    def __init__(self, A, Y, *, l2=0.0, sample_weight=None, n_classes=None):
        self.A = column_matrix(A)
        self.Y = one_hot_rows(Y, self.A.shape[0], n_classes)
        self.n_classes = self.Y.shape[1]
        self.n_variables = self.A.shape[1] * self.n_classes
        self.ridge = Ridge(l2, self.n_variables)
        self.weight = row_weights(sample_weight, self.A.shape[0])

    def value(self, x):
        return self.value_at(self.logits(x), x)

    def gradient(self, x, block=None):
        return self.gradient_at(self.probabilities(self.logits(x)), x, block)

    def hessian_block(self, x, block):
        return self.hessian_at(self.probabilities(self.logits(x)), block)

    def lipschitz(self):
        return np.repeat(0.25 * self._squared_norms, self.n_classes) + self.ridge.of()

    def hessian_bound(self, block):
        features, classes = self.split(block)
        kappa = min(self.n_classes, len(np.unique(classes)) + 1)
        coupling = 0.5 * ((classes[:, None] == classes) - 1.0 / kappa)
        return self.ridge.add_to(coupling * self._gram_of(features), block)

    def bound_row_sums(self):
        of_classes = 1.0 - 1.0 / self.n_classes
        return np.repeat(self._feature_sums * of_classes, self.n_classes) + self.ridge.of()

    def bound_product(self, d):
        D = d.reshape(-1, self.n_classes)
        D = 0.5 * (D - D.mean(axis=1, keepdims=True))
        image = self.A.T @ self._weighted(self.A @ D)
        return image.ravel() + self.ridge.of() * d

    def bound_norm(self):
        return self._norm

    def third_order(self, block):
        features, classes = self.split(block)
        sizes = [squared_row_norms(take(self.A, features[classes == c])) for c in set(classes)]
        largest = np.sort(np.array(sizes), axis=0)[-2:].sum(axis=0)
        return float(LOGISTIC_BEND * np.sum(self._weighted(largest**1.5)))

    def init(self, x):
        return SoftmaxState(self, x)

    def split(self, block):
        """Features and classes of the flat indices `block`."""
        return np.divmod(block, self.n_classes)

    # The same in terms of Z, for the state that keeps it. Z is laid out class by class.

    def logits(self, x):
        """Logits ``A X`` of shape (n_rows, n_classes), one class after the other in memory."""
        X = np.asarray(x, dtype=np.float64).reshape(-1, self.n_classes)
        return np.asfortranarray(self.A @ X)

    def loss_total(self, Z):
        """Weighted sum of the losses of all rows."""
        peak = Z.max(axis=1)
        losses = peak + np.log(np.exp(Z - peak[:, None]).sum(axis=1)) - np.sum(self.Y * Z, axis=1)
        return losses.sum() if self.weight is None else self.weight @ losses

    def value_at(self, Z, x):
        """Value from `Z`; `x` enters the ridge only."""
        return float(self.loss_total(Z) + self.ridge.value(x))

    def probabilities(self, Z):
        """Softmax of the rows of `Z`."""
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        return E / E.sum(axis=1, keepdims=True)

    def gradient_at(self, P, x, block=None):
        """Gradient from the probabilities, whole or in a block."""
        if block is None:
            return (self.A.T @ self._weighted(P - self.Y)).ravel() + self.ridge.of() * x
        features, classes = self.split(block)
        slopes = self._weighted(P[:, classes] - self.Y[:, classes])
        columns = take(self.A, features)
        if sparse.issparse(columns):
            gradient = np.asarray(scaled(columns, slopes).sum(axis=0)).ravel()
        else:
            gradient = np.einsum("ij,ij->j", columns, slopes)
        return gradient + self.ridge.of(block) * x[block]

    def hessian_at(self, P, block):
        """Hessian block from the probabilities."""
        features, classes = self.split(block)
        columns, shares = take(self.A, features), P[:, classes]
        same = gram(scaled(columns, self._weighted(np.sqrt(shares), root=True)))
        cross = gram(scaled(columns, self._weighted(shares, root=True)))
        return self.ridge.add_to((classes[:, None] == classes) * same - cross, block)

    def _gram_of(self, features):
        """Entries of the Gram matrix for features that may repeat."""
        distinct, where = np.unique(features, return_inverse=True)
        return gram(take(self.A, distinct), self.weight)[where[:, None], where]

    def _weighted(self, values, *, root=False):
        """Rows of `values` times their weights, or times the roots of these."""
        if self.weight is None:
            return values
        weight = np.sqrt(self.weight) if root else self.weight
        return values * (weight if values.ndim == 1 else weight[:, None])

    @cached_property
    def _squared_norms(self):
        return squared_norms(self.A, self.weight)

    @cached_property
    def _feature_sums(self):
        return absolute_row_sums(self.A, self.weight)

    @cached_property
    def _norm(self):
        # The matrix (I - 11'/K) / 2 has the largest eigenvalue 1/2.
        return 0.5 * gram_norm(self.A, self.weight) + self.ridge.largest


class SoftmaxState(DatafitState):
    """A point with its logits, and its probabilities while the point stays."""

    def refresh(self):
        self.Z = self.datafit.logits(self.x)
        self._forget()

    def value(self):
        return self.datafit.value_at(self.Z, self.x)

    def gradient(self, block=None):
        if block is not None and self._gradient is None:
            return self.datafit.gradient_at(self._probabilities(), self.x, block)
        if self._gradient is None:
            self._gradient = self.datafit.gradient_at(self._probabilities(), self.x)
        return self._gradient.copy() if block is None else self._gradient[block]

    def hessian_block(self, block):
        return self.datafit.hessian_at(self._probabilities(), block)

    def line(self, block, d):
        datafit, Z, x = self.datafit, self.Z, self.x
        image = np.zeros_like(Z)
        self._add_image(image, block, d)
        norms = datafit.ridge.along(x, block, d)

        def value_at(t):
            losses = datafit.loss_total(Z + t * image)
            return float(losses + norms[0] + t * (norms[1] + t * norms[2]))

        return value_at

    def _moved(self, block, d):
        self._add_image(self.Z, block, d)
        self._forget()

    def _add_image(self, Z, block, d):
        """Add to `Z`, in place, the change of the logits when the block moves by `d`."""
        features, classes = self.datafit.split(block)
        for c in np.unique(classes):
            mine = classes == c
            add_product(Z[:, c], take(self.datafit.A, features[mine]), d[mine])

    def _forget(self):
        self._P = self._gradient = None

    def _probabilities(self):
        if self._P is None:
            self._P = self.datafit.probabilities(self.Z)
        return self._P
