r"""Updates for smooth functions: what is done to the block that was selected.

======== ====================================================== ==================================
update   step                                                   decrease it guarantees
======== ====================================================== ==================================
gradient :math:`-G_b / L_b`                                     :math:`\|G_b\|^2 / (2 L_b)`
bound    :math:`-H_b^+ G_b`                                     :math:`G_b^\top H_b^+ G_b / 2`
adaptive :math:`-G_b / \hat L`, :math:`\hat L` doubled until    :math:`\|G_b\|^2 / (2 \hat L)`
         that decrease is seen
newton   :math:`-\alpha (\nabla^2_{bb} f)^+ G_b`, with          :math:`10^{-10} \alpha
         backtracking                                           |G_b^\top p|`
cubic    minimiser of the model with                            :math:`M_b \|d\|^3 / 12`
         :math:`M_b \|d\|^3 / 6`
exact    minimiser over the block of a quadratic; message       all there is
         passing where the block is a forest
======== ====================================================== ==================================

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.

Nesterov, Y., Polyak, B. T., "Cubic regularization of Newton method and its global performance",
Mathematical Programming 108, 2006.
"""

import numpy as np
from scipy.optimize import brentq

from ._armijo import backtrack
from ._factors import Factor

__all__ = [
    "AdaptiveUpdate",
    "BoundUpdate",
    "CubicUpdate",
    "ExactUpdate",
    "GradientUpdate",
    "NewtonUpdate",
    "cubic_step",
]

_MAX_DOUBLINGS = 100
_ROUNDING = 8.9e-16
_SMALL_BLOCK = 64
_LARGE_BLOCK = 500


class Update:
    """Base of updates.

    Parameters
    ----------
    problem : Problem
        Gives the constants of blocks.
    """

    def __init__(self, problem):
        self.problem = problem

    def step(self, state, block, key, gradient):
        """Move the state on a block; `gradient` has the entries of the block."""
        raise NotImplementedError


class GradientUpdate(Update):
    """A gradient step with the constant of the block."""

    def step(self, state, block, key, gradient):
        constant = self.problem.block_lipschitz(block, key)
        if constant > 0:
            state.apply(block, gradient / -constant)


class BoundUpdate(Update):
    """The minimiser of the quadratic bound."""

    def step(self, state, block, key, gradient):
        state.apply(block, -self.problem.bound_factor(block, key).solve(gradient))


class AdaptiveUpdate(Update):
    """A gradient step with an estimated constant.

    Parameters
    ----------
    problem : Problem
        Tells the number of variables.
    shrink : float in (0, 1], default=1.0
        Estimates are multiplied by this before each step; 1 never lets them fall.

    Attributes
    ----------
    estimates : ndarray of shape (n_variables,)
        Current estimates; the one of a block is the largest of its members.
    """

    def __init__(self, problem, shrink=1.0):
        super().__init__(problem)
        self.shrink = shrink
        self.estimates = np.ones(problem.n_variables)

    def step(self, state, block, key, gradient):
        square = float(gradient @ gradient)
        if square == 0.0:
            return
        constant = self.shrink * float(np.max(self.estimates[block]))
        start = state.value()
        value_at = state.line(block, -gradient)
        noise = _ROUNDING * abs(start)
        for _ in range(_MAX_DOUBLINGS):
            # Not "value > ...": a NaN must be refused, too.
            if value_at(1.0 / constant) <= start - square / (2.0 * constant) + noise:
                break
            constant *= 2.0
        else:
            return
        self.estimates[block] = constant
        state.apply(block, gradient / -constant)


class NewtonUpdate(Update):
    """A Newton step with backtracking; one trial costs a pass over the rows."""

    def step(self, state, block, key, gradient):
        direction = -Factor(state.hessian_block(block)).solve(gradient)
        slope = float(gradient @ direction)
        if slope < 0:
            step = backtrack(state.value(), slope, state.line(block, direction))
            if step > 0:
                state.apply(block, step * direction)


class CubicUpdate(Update):
    """A cubic-regularised Newton step; no line search is needed."""

    def step(self, state, block, key, gradient):
        constant = float(self.problem.datafit.third_order(block))
        state.apply(block, cubic_step(gradient, state.hessian_block(block), constant))


class ExactUpdate(Update):
    """The minimiser of a quadratic over the block."""

    def __init__(self, problem):
        super().__init__(problem)
        self._solvers = {}

    def step(self, state, block, key, gradient):
        solve = self._solvers.get(key)
        if solve is None:
            solve = self._solver(block, key)
            if key is not None:
                self._solvers[key] = solve
        state.apply(block, solve(-gradient))

    def _solver(self, block, key):
        """How to solve with a block: message passing, a sparse factor or a dense one."""
        problem = self.problem
        small = key is None and len(block) <= _SMALL_BLOCK
        if getattr(problem.datafit, "graph", None) is None or small:
            return problem.bound_factor(block, key).solve
        from ._forests import ForestFactor, is_forest

        if is_forest(problem.graph, block):
            return ForestFactor(problem.graph, block).solve
        if len(block) > _LARGE_BLOCK:
            from scipy.sparse.linalg import splu

            return splu(problem.graph[block][:, block].tocsc()).solve
        return problem.bound_factor(block, key).solve


def cubic_step(gradient, hessian, constant):
    r"""Minimiser of :math:`G^\top d + d^\top H d / 2 + M \|d\|^3 / 6`.

    With the eigenvalues :math:`\lambda` of H and :math:`q = V^\top G` its length is the root of
    :math:`\|q / (\lambda + M r / 2)\| - r`, which decreases in r.

    Parameters
    ----------
    gradient : array of shape (tau,)
        G.
    hessian : array of shape (tau, tau)
        H, positive semidefinite.
    constant : float
        M, not negative; zero gives the Newton step.

    Returns
    -------
    d : array of shape (tau,)
        The minimiser.
    """
    size = float(np.linalg.norm(gradient))
    if constant == 0 or size == 0:
        return -Factor(hessian).solve(gradient)
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(values, 0.0)
    image = vectors.T @ gradient

    def excess(radius):
        return float(np.linalg.norm(image / (values + 0.5 * constant * radius))) - radius

    def extreme(curvature):  # the root if every eigenvalue were this one
        return 2.0 * size / (curvature + np.sqrt(curvature**2 + 2.0 * constant * size))

    low, high = extreme(values[-1]), extreme(values[0])
    if excess(low) <= 0:
        radius = low
    elif excess(high) >= 0:
        radius = high
    else:
        radius = brentq(excess, low, high, xtol=1e-16 * high, rtol=8.9e-16)
    return -vectors @ (image / (values + 0.5 * constant * radius))
