r"""Updates for a smooth function plus a penalty.

============= =================================================================================
prox-gradient :math:`x_b \leftarrow \mathrm{prox}_{g / L_b}(x_b - G_b / L_b)`
prox-newton   minimiser of :math:`G_b^\top d + d^\top H d / 2 + g(x_b + d)`: for a quadratic the
              minimiser over the block; else H is the Hessian, and a backtracking line search
              follows
two-metric    Newton step on the variables that are free to move, gradient step on those held at a
              kink or bound, projected; with backtracking along the projection arc
============= =================================================================================

Two-metric projection handles an absolute value by its orthant: a variable may go to zero in one
update, but crosses zero only in the next. With :math:`v` the derivative on the side where the
variable stays, it counts as held when it lies within :math:`\epsilon` of an end of its interval
and :math:`-v` points there;

.. math:: \epsilon = \min(10^{-3} \|x_b\|_\infty, \|x_b - P(x_b - v / L)\|_\infty),

which vanishes at a solution and scales with the variables.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.

Bertsekas, D. P., "Projected Newton methods for optimization problems with simple constraints",
SIAM Journal on Control and Optimization 20, 1982.

Andrew, G., Gao, J., "Scalable training of L1-regularized log-linear models", ICML 2007.
"""

import numpy as np

from ._armijo import backtrack
from ._problem import has
from ._subproblems import (
    group_minimum,
    piecewise_minimum,
    proximal_minimum,
    reach,
    towards_minimum,
)
from ._updates import Update

__all__ = ["ProxGradientUpdate", "ProxNewtonUpdate", "TwoMetricUpdate"]

_NEAR = 1e-3


class ProxGradientUpdate(Update):
    """A proximal gradient step with the constant of the block."""

    def step(self, state, block, key, gradient):
        x_b = state.x[block]
        _place(state, block, _proximal_target(self.problem, x_b, gradient, block, key))


class ProxNewtonUpdate(Update):
    """The minimiser of a quadratic model plus the penalty."""

    def __init__(self, problem):
        super().__init__(problem)
        self.curved = not problem.quadratic and has(problem.datafit, "hessian_block")
        self._groups = {}

    def step(self, state, block, key, gradient):
        problem = self.problem
        x_b = state.x[block]
        H = state.hessian_block(block) if self.curved else problem.bound(block, key)
        target = self._minimum(H, gradient, x_b, block, key)
        if not self.curved:
            _place(state, block, target)
            return
        d = target - x_b
        before = problem.block_penalty(x_b, block)
        change = float(gradient @ d) + problem.block_penalty(target, block) - before
        # The second bound holds at a minimiser of the model, and keeps its digits where d is tiny.
        slope = min(change, -float(d @ H @ d))
        along = state.line(block, d)
        step = backtrack(
            state.value() + before,
            slope,
            lambda t: along(t) + problem.block_penalty(target if t == 1.0 else x_b + t * d, block),
        )
        if step > 0:
            _place(state, block, target if step == 1.0 else x_b + step * d)

    def _minimum(self, H, gradient, x_b, block, key):
        penalty = self.problem.penalty
        if has(penalty, "pieces"):
            return piecewise_minimum(H, gradient, x_b, penalty.pieces(block))
        if hasattr(penalty, "labels"):
            return group_minimum(H, gradient, x_b, *self._members(block, key))
        return proximal_minimum(H, gradient, x_b, lambda v, step: penalty.prox(v, step, block))

    def _members(self, block, key):
        """Positions of the groups that a block is made of, and their weights."""
        found = self._groups.get(key)
        if found is None:
            penalty = self.problem.penalty
            labels = penalty.labels[block]
            names = np.unique(labels)
            positions = [np.flatnonzero(labels == name) for name in names]
            found = positions, penalty.alpha * penalty.weights[names]
            if key is not None:
                self._groups[key] = found
        return found


class TwoMetricUpdate(Update):
    """Two-metric projection."""

    def __init__(self, problem):
        super().__init__(problem)
        self.curved = not problem.quadratic and has(problem.datafit, "hessian_block")

    def step(self, state, block, key, gradient):
        problem = self.problem
        x_b = state.x[block]
        l1, squares, lower, upper = problem.penalty.pieces(block)
        v, lower, upper = _orthant(x_b, gradient + squares * x_b, l1, lower, upper)
        constants = problem.divisors[block] + squares
        held = _held(x_b, v, constants, lower, upper)
        free = np.flatnonzero(~held & (lower < upper))
        H = state.hessian_block(block) if self.curved else problem.bound(block, key)
        d = np.where(held, np.where(v > 0, lower, upper) - x_b, 0.0)
        if len(free):
            metric = H[np.ix_(free, free)] + np.diag(squares[free])
            d[free] = _newton_step(metric, x_b[free], v[free], lower[free], upper[free])
            flat = free[np.diagonal(metric) <= 0]  # only the penalty moves these: to its end
            d[flat] = _to_the_end(x_b[flat], v[flat], lower[flat], upper[flat])
        target = _search(problem, state, block, d, v, held, lower, upper)
        if target is None:  # rounding, or a bound in the way: a step that cannot fail
            target = _proximal_target(problem, x_b, gradient, block, key)
        _place(state, block, target)


def _proximal_target(problem, x_b, gradient, block, key):
    constant = problem.block_lipschitz(block, key) or 1.0
    return problem.penalty.prox(x_b - gradient / constant, 1.0 / constant, block)


def _orthant(x, gradient, l1, lower, upper):
    """Derivative on the side where each variable stays, and the interval of that side."""
    from_right, from_left = gradient + l1, gradient - l1
    v = np.where(x > 0, from_right, np.where(x < 0, from_left, gradient))
    kinked = (l1 > 0) & (x == 0)
    rising, falling = kinked & (from_right < 0), kinked & (from_left > 0)
    # On the end of an interval only one side exists.
    v = np.where(kinked & (lower >= 0), from_right, v)
    v = np.where(kinked & (upper <= 0), from_left, v)
    inside = kinked & (lower < 0) & (upper > 0)
    v = np.where(inside, np.where(rising, from_right, np.where(falling, from_left, 0.0)), v)
    positive = (l1 > 0) & ((x > 0) | rising)
    negative = (l1 > 0) & ((x < 0) | falling)
    resting = inside & ~rising & ~falling
    lower = np.where(positive | resting, np.maximum(lower, 0.0), lower)
    upper = np.where(negative | resting, np.minimum(upper, 0.0), upper)
    return v, lower, upper


def _held(x, v, constants, lower, upper):
    """Variables close to an end of their interval that a gradient step takes there."""
    target = np.clip(x - v / constants, lower, upper)
    near = min(_NEAR * float(np.max(np.abs(x))), float(np.max(np.abs(x - target))))
    down = (x <= lower + near) & (v > 0) & (target == lower)
    return down | ((x >= upper - near) & (v < 0) & (target == upper))


def _newton_step(metric, x, v, lower, upper):
    """Newton step, and down a slope without curvature to the first end of an interval."""
    d, way = towards_minimum(metric, v)
    if way is None:
        return d
    furthest = float(np.min(reach(x, way, np.where(way > 0, upper, lower))))
    return d + way * (furthest if 0 < furthest < np.inf else 1.0)


def _to_the_end(x, v, lower, upper):
    """Step to the end of the interval where a linear function is least, if that end is finite."""
    end = np.where(v > 0, lower, np.where(v < 0, upper, x))
    return np.where(np.isfinite(end), end, x - v) - x


def _search(problem, state, block, d, v, held, lower, upper):
    """The first acceptable point of the projection arc; None where there is none."""
    x_b = state.x[block]
    before = problem.block_penalty(x_b, block)

    def point(step):
        return np.clip(x_b + step * d, lower, upper)

    def value_at(step):
        u = point(step)
        return state.line(block, u - x_b)(1.0) + problem.block_penalty(u, block)

    free_slope = float(v[~held] @ d[~held])

    def demand(step):  # what is held counts as far as it moves, and it may not move at all
        return step * free_slope + float(v[held] @ (point(step) - x_b)[held])

    step = backtrack(state.value() + before, float(v @ d), value_at, demand)
    return point(step) if step > 0 else None


def _place(state, block, target):
    """Move a block to a point exactly: ``x + (u - x)`` may miss u, and u may be a bound."""
    state.apply(block, target - state.x[block])
    state.x[block] = target
