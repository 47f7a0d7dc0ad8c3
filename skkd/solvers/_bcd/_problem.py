"""A datafit and a penalty, with the constants of fixed blocks computed once."""

from functools import cached_property

import numpy as np

from ._factors import Factor

__all__ = ["Problem", "has"]


class Problem:
    """What the rules ask about the function that is minimised.

    Parameters
    ----------
    datafit : object
        The smooth part, with the methods of :class:`skkd.objectives.Datafit`.
    penalty : object or None
        The other part, with the methods of the classes of :mod:`skkd.penalties`.
    """

    def __init__(self, datafit, penalty=None):
        self.datafit = datafit
        self.penalty = penalty
        self.n_variables = int(datafit.n_variables)
        self.quadratic = bool(getattr(datafit, "quadratic", False))
        self._constants = {}
        self._bounds = {}
        self._factors = {}

    @cached_property
    def everything(self):
        """Indices of all variables."""
        return np.arange(self.n_variables)

    @cached_property
    def lipschitz(self):
        """Constants ``L_i`` of the coordinates; zero where f does not depend on a variable."""
        return np.asarray(self.datafit.lipschitz(), dtype=np.float64)

    @cached_property
    def divisors(self):
        """The same with ones for zeros.

        A variable on which f does not depend has a zero partial derivative, every positive number
        bounds its curvature, and none is ever divided by zero.
        """
        return np.where(self.lipschitz > 0, self.lipschitz, 1.0)

    @cached_property
    def row_sums(self):
        """``sum_j |H_ij|`` of the bound on the whole Hessian."""
        return np.asarray(self.datafit.bound_row_sums(), dtype=np.float64)

    @cached_property
    def bound_norm(self):
        """Largest eigenvalue of the bound on the whole Hessian; one where it is zero."""
        return float(self.datafit.bound_norm()) or 1.0

    @cached_property
    def graph(self):
        """Sparse matrix of a graph quadratic, a ridge on its diagonal included."""
        from ._forests import as_graph

        graph = self.datafit.graph
        if not np.array_equal(graph.diagonal(), self.lipschitz):
            graph = graph.copy()
            graph.setdiag(self.lipschitz)
        return as_graph(graph)

    def block_lipschitz(self, block, key=None):
        """Constant ``L_b``, remembered under `key`."""
        constant = self._constants.get(key)
        if constant is None:
            constant = float(self.datafit.block_lipschitz(block))
            if key is not None:
                self._constants[key] = constant
        return constant

    def bound(self, block, key=None):
        """Matrix bound ``H_b``, remembered under `key`."""
        bound = self._bounds.get(key)
        if bound is None:
            bound = np.asarray(self.datafit.hessian_bound(block), dtype=np.float64)
            if key is not None:
                self._bounds[key] = bound
        return bound

    def bound_factor(self, block, key=None):
        """Factor of ``H_b``, remembered under `key`."""
        factor = self._factors.get(key)
        if factor is None:
            factor = Factor(self.bound(block, key))
            if key is not None:
                self._factors[key] = factor
        return factor

    def offers(self, method):
        """Whether the datafit has a method, and every method that this one falls back on."""
        if not has(self.datafit, method):
            return False
        try:
            if method == "lipschitz":
                self.lipschitz  # noqa: B018
            elif method == "block_lipschitz":
                self.datafit.block_lipschitz(self.everything[:1])
        except NotImplementedError:
            return False
        return True

    def init(self, x):
        """A state of the datafit at `x`."""
        init = getattr(self.datafit, "init", None)
        return _State(self.datafit, x) if init is None else init(x)

    def penalty_value(self, x):
        """Value of the penalty, zero where there is none."""
        return 0.0 if self.penalty is None else float(self.penalty.value(x))

    def block_penalty(self, x_b, block):
        """Value of the penalty on one block."""
        if self.penalty is None:
            return 0.0
        if hasattr(self.penalty, "block_value"):
            return float(self.penalty.block_value(x_b, block))
        return float(np.sum(self.penalty.coordinate_value(x_b, block)))

    def violation(self, x, gradient):
        """Largest violation of the optimality conditions."""
        if self.penalty is None:
            distances = np.abs(gradient)
        else:
            distances = self.penalty.subdiff_distance(x, gradient)
        return float(np.max(distances, initial=0.0))

    def support(self, x):
        """Indices of the coordinates off their kink or bound; of the nonzeros without penalty."""
        mask = x != 0 if self.penalty is None else self.penalty.support(x)
        return np.flatnonzero(mask)


def has(part, method):
    """Whether a datafit or penalty offers a method."""
    found = getattr(part, method, None)
    return found is not None and not getattr(found, "absent", False)


class _State:
    """The plain state of a datafit that brings none of its own: everything is computed anew."""

    def __init__(self, datafit, x):
        self.datafit = datafit
        self.x = np.array(x, dtype=np.float64)

    def value(self):
        return self.datafit.value(self.x)

    def gradient(self, block=None):
        return self.datafit.gradient(self.x, block)

    def hessian_block(self, block):
        return self.datafit.hessian_block(self.x, block)

    def apply(self, block, d):
        self.x[block] += d

    def line(self, block, d):
        def value_at(t):
            trial = self.x.copy()
            trial[block] += t * d
            return self.datafit.value(trial)

        return value_at
