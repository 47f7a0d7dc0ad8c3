r"""What the datafits of a linear model with one output share.

.. math:: f(x) = \sum_i w_i \phi_i(z_i) + c^\top x + \tfrac{\lambda}{2} \|x\|^2,
          \qquad z = A x - s, \qquad \phi_i'' \le \kappa

The bound on the Hessian is :math:`H = \kappa A^\top \mathrm{diag}(w) A + \lambda I`, hence
:math:`L_i = H_{ii}` and :math:`L_b = \lambda_{\max}(H_{bb})`. A step on a block costs
:math:`O(n |b|)`, or as many operations as its columns have stored entries, because :math:`z` is
kept.
"""

from functools import cached_property

import numpy as np
from scipy import sparse

from ._base import Datafit, DatafitState, largest_eigenvalue
from ._checks import column_matrix, row_weights
from ._columns import absolute_row_sums, add_product, gram, gram_norm, squared_norms, take
from ._ridge import Ridge

__all__ = ["LinearDatafit", "LinearState"]


class LinearDatafit(Datafit):
    """Sum over rows of a function of ``z = A x - s``, a linear term and a ridge.

    Subclasses set ``curvature``, the bound on the second derivative, and define the three
    functions :meth:`_loss`, :meth:`_slope` and :meth:`_bend` of some entries of z and of the
    targets that belong to them.
    """

    curvature = 1.0
    targets = None  # one number per row, handed to the functions of z
    shift = None  # s
    linear = None  # c

    def __init__(self, A, l2, sample_weight):
        self.A = column_matrix(A)
        self.n_variables = self.A.shape[1]
        self.ridge = Ridge(l2, self.n_variables)
        self.weight = row_weights(sample_weight, self.A.shape[0])

    def value(self, x):
        return self.value_at(self.logits(x), x)

    def gradient(self, x, block=None):
        slope = self.slope_at(self.logits(x))
        columns = self.A if block is None else take(self.A, block)
        return self.pulled_back(columns, slope, x, block)

    def hessian_block(self, x, block):
        return self.hessian_at(self.logits(x), take(self.A, block), block)

    def lipschitz(self):
        return self._lipschitz.copy()

    def block_lipschitz(self, block):
        strength = self.ridge.of(block)
        if np.ndim(strength):
            return largest_eigenvalue(self.hessian_bound(block))
        columns = take(self.A, block)
        n, tau = columns.shape
        if tau > n and self.weight is None:  # the other Gram matrix has the same largest eigenvalue
            other = columns.T.tocsc() if sparse.issparse(columns) else columns.T
            return self.curvature * largest_eigenvalue(gram(other)) + strength
        return self.curvature * largest_eigenvalue(gram(columns, self.weight)) + strength

    def hessian_bound(self, block):
        return self.ridge.add_to(self.curvature * gram(take(self.A, block), self.weight), block)

    def bound_row_sums(self):
        return self._row_sums.copy()

    def bound_product(self, d):
        image = self.A @ d
        return self.curvature * (self.A.T @ self._weighted(image)) + self.ridge.of() * d

    def bound_norm(self):
        return self._norm

    def init(self, x):
        return LinearState(self, x)

    # The same in terms of z, for states that keep it.

    def logits(self, x):
        """``A x - s``."""
        z = self.A @ np.asarray(x, dtype=np.float64)
        return z if self.shift is None else z - self.shift

    def value_at(self, z, x):
        """Value from `z`; `x` enters the linear and quadratic terms only."""
        value = self.loss_total(z)
        if self.linear is not None:
            value += self.linear @ x
        return float(value + self.ridge.value(x))

    def loss_total(self, z):
        """Weighted sum of the losses of all rows."""
        losses = self._loss(z, self.targets)
        return losses.sum() if self.weight is None else self.weight @ losses

    def slope_at(self, z, rows=None):
        """Derivative of the weighted losses, of all rows or of the entries `z` of some `rows`."""
        targets = self.targets if rows is None or self.targets is None else self.targets[rows]
        return self._weighted(self._slope(z, targets), rows)

    def hessian_at(self, z, columns, block):
        """Hessian block, whose variables have these `columns`, from `z`."""
        hessian = gram(columns, self._weighted(self._bend(z, self.targets)))
        return self.ridge.add_to(hessian, block)

    def pulled_back(self, columns, slope, x, block=None):
        """Gradient from the `slope` of all rows, whole or in the block of `columns`."""
        return self.with_own_terms(columns.T @ slope, x, block)

    def with_own_terms(self, gradient, x, block=None):
        """Add to `gradient`, in place, what does not come from the rows."""
        here = slice(None) if block is None else block
        if self.linear is not None:
            gradient += self.linear[here]
        if self.ridge.largest > 0.0:
            gradient += self.ridge.of(block) * x[here]
        return gradient

    def _loss(self, z, targets):
        """Loss of each row."""
        raise NotImplementedError(f"{type(self).__name__} defines no loss")

    def _slope(self, z, targets):
        """Derivative of the loss of each row."""
        raise NotImplementedError(f"{type(self).__name__} defines no slope")

    def _bend(self, z, targets):
        """Second derivative of the loss of each row."""
        raise NotImplementedError(f"{type(self).__name__} defines no second derivative")

    @cached_property
    def _lipschitz(self):
        return self.curvature * squared_norms(self.A, self.weight) + self.ridge.of()

    @cached_property
    def _row_sums(self):
        return self.curvature * absolute_row_sums(self.A, self.weight) + self.ridge.of()

    @cached_property
    def _norm(self):
        return self.curvature * gram_norm(self.A, self.weight) + self.ridge.largest

    def _weighted(self, values, rows=None):
        if self.weight is None:
            return values
        return values * (self.weight if rows is None else self.weight[rows])


class LinearState(DatafitState):
    """A point with ``z = A x - s``, and its gradient while the point stays."""

    def refresh(self):
        self.z = self.datafit.logits(self.x)
        self._taken = None
        self._forget()

    def value(self):
        return self.datafit.value_at(self.z, self.x)

    def gradient(self, block=None):
        if block is None:
            return self._whole().copy()
        if self._gradient is not None:
            return self._gradient[block]
        columns = self.columns(block)
        if sparse.issparse(columns) and self._slope is None:
            return self._sparse_gradient(columns, block)
        return self.datafit.pulled_back(columns, self._slopes(), self.x, block)

    def hessian_block(self, block):
        return self.datafit.hessian_at(self.z, self.columns(block), block)

    def line(self, block, d):
        datafit, z, x = self.datafit, self.z, self.x
        image = self.columns(block) @ d
        norms = datafit.ridge.along(x, block, d)
        if datafit.linear is not None:
            norms[:2] += datafit.linear @ x, datafit.linear[block] @ d

        def value_at(t):
            losses = datafit.loss_total(z + t * image)
            return float(losses + norms[0] + t * (norms[1] + t * norms[2]))

        return value_at

    def columns(self, block):
        """Columns of `block`; those asked for last are kept, as one step needs them repeatedly."""
        if self._taken is None or not np.array_equal(self._taken[0], block):
            self._taken = np.array(block), take(self.datafit.A, block)
        return self._taken[1]

    def _moved(self, block, d):
        add_product(self.z, self.columns(block), d)
        self._forget()

    def _forget(self):
        self._slope = self._gradient = None

    def _slopes(self):
        if self._slope is None:
            self._slope = self.datafit.slope_at(self.z)
        return self._slope

    def _whole(self):
        if self._gradient is None:
            self._gradient = self.datafit.pulled_back(self.datafit.A, self._slopes(), self.x)
        return self._gradient

    def _sparse_gradient(self, columns, block):
        """Gradient of a sparse block from the rows its columns have entries in, and no others."""
        rows = columns.indices
        products = columns.data * self.datafit.slope_at(self.z[rows], rows)
        owners = np.repeat(np.arange(len(block)), np.diff(columns.indptr))
        gradient = np.bincount(owners, products, minlength=len(block))
        return self.datafit.with_own_terms(gradient, self.x, block)
