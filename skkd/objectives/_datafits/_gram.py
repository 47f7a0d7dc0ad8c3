r"""States of datafits with a constant Hessian :math:`H`: the gradient follows each step by itself.

.. math:: \nabla f(x + U_b d) = \nabla f(x) + H_{:, b}\, d

With :math:`H` stored, a greedy step costs :math:`O(N |b|)` for the gradient and :math:`O(n |b|)`
for the residual that gives the value, where computing the gradient anew costs :math:`O(n N)`.
"""

import math
from functools import cached_property

from scipy import sparse

from ._columns import gram
from ._rows import LinearDatafit, LinearState

__all__ = ["ConstantHessianDatafit", "ConstantHessianState"]

# Most variables for which gram="auto" stores the matrix: 200 MB.
MOST_VARIABLES = 5000
# Products of two matrices run this many times faster, per multiplication, than the products of a
# matrix with a vector that they replace: by then the gradients computed anew have cost as much.
SPEEDUP = 8


class ConstantHessianDatafit(LinearDatafit):
    """Linear datafit whose losses are ``z^2 / 2``, with its Hessian stored where that pays."""

    quadratic = True

    def __init__(self, A, l2, sample_weight, gram):
        super().__init__(A, l2, sample_weight)
        if not (isinstance(gram, bool) or gram == "auto"):
            raise ValueError(f"gram is {gram!r}, but must be True, False or 'auto'")
        self.gram = gram

    def hessian_block(self, x, block):
        return self.hessian_bound(block)

    def third_order(self, block):
        return 0.0

    def init(self, x):
        return ConstantHessianState(self, x)

    @cached_property
    def hessian(self):
        """The whole Hessian, of shape (n_variables, n_variables)."""
        return self.ridge.add_to(gram(self.A, self.weight))

    def gradients_before_gram(self):
        """How often the whole gradient is computed before storing the Hessian pays."""
        if self.gram != "auto":
            return 0 if self.gram else math.inf
        pays = not sparse.issparse(self.A) and self.n_variables <= MOST_VARIABLES
        return self.n_variables / SPEEDUP if pays else math.inf

    def _loss(self, z, targets):
        return 0.5 * z**2

    def _slope(self, z, targets):
        return z


class ConstantHessianState(LinearState):
    """A linear state that, once it has asked for many whole gradients, keeps the gradient."""

    def __init__(self, datafit, x):
        self._patience = datafit.gradients_before_gram()
        self._follows = False
        super().__init__(datafit, x)

    def hessian_block(self, block):
        if self._follows:
            return self.datafit.hessian[block[:, None], block]
        return self.datafit.hessian_bound(block)

    def _moved(self, block, d):
        gradient = self._gradient
        super()._moved(block, d)
        if self._follows and gradient is not None:
            gradient += d @ self.datafit.hessian[block]
            self._gradient = gradient

    def _whole(self):
        if self._gradient is None:
            self._patience -= 1
            self._follows = self._patience < 0
        return super()._whole()
