r"""Scores of greedy selections, smooth and non-smooth.

The non-smooth ones look at the proximal step that each variable could make on its own,

.. math:: d_i = \mathrm{prox}_{g_i / L_i}(x_i - G_i / L_i) - x_i .

==== ============================================================================================
gs-q decrease of the model: :math:`-(G_i d_i + L_i d_i^2 / 2 + g_i(x_i + d_i) - g_i(x_i))`
gs-r length of the step: :math:`|d_i|`
gs-s distance of :math:`-G_i` to the subdifferential of :math:`g_i` at :math:`x_i`
==== ============================================================================================

Fixed blocks add the decreases of their variables, or the squares of the other two (their absolute
values under ``score_norm="l1"``). A penalty that is not separable is asked for the proximal step
of a whole block with its constant :math:`L_b` instead.
"""

import numpy as np

__all__ = ["block_score", "coordinate_score"]

_ROUNDING = 4e-15


def coordinate_score(name):
    """Score of each variable under a rule, as a function of the descent."""
    return _COORDINATE_SCORES[name]


def block_score(name, blocks, norm, *, separable=True, constants=None):
    """Score of each fixed block under a rule, as a function of the descent.

    Parameters
    ----------
    name : str
        Rule.
    blocks : Blocks
        The blocks.
    norm : {"l2", "l1"}
        Whether blocks add squares or absolute values.
    separable : bool, default=True
        Whether the penalty, if any, is a sum over variables.
    constants : callable, default=None
        Gives the constants that gsl divides by; None takes the blocks' own.

    Returns
    -------
    score : callable
        ``score(descent)`` gives an array of shape (n_blocks,).
    """
    if name == "gsq":
        return lambda descent: blocks.quadratic_scores(descent.gradient())
    if name == "gsl":
        return _scaled(blocks, norm, constants or _once(blocks.lipschitz))
    if name == "gs-q" and separable:
        return lambda descent: blocks.sums(_model_decrease(descent))
    if name == "gs-s" and not separable:
        return lambda descent: blocks.largest(_distance(descent))
    if name.startswith("gs-") and not separable:
        return _proximal(blocks, name)
    single = _COORDINATE_SCORES[name]
    if norm == "l1":
        return lambda descent: blocks.sums(single(descent))
    return lambda descent: blocks.sums(single(descent) ** 2)


def _scaled(blocks, norm, constants):
    def score(descent):
        gradient = descent.gradient()
        divisors = constants()
        divisors = np.where(divisors > 0, divisors, 1.0)
        if norm == "l1":
            return blocks.sums(np.abs(gradient)) / np.sqrt(divisors)
        return blocks.sums(gradient**2) / divisors

    return score


def _once(compute):
    kept = []

    def value():
        if not kept:
            kept.append(compute())
        return kept[0]

    return value


def _proximal(blocks, name):
    """Decrease or length of the proximal step of each whole block."""

    def score(descent):
        problem, x, gradient = descent.problem, descent.x, descent.gradient()
        scores = np.empty(len(blocks))
        for key, block in enumerate(blocks.blocks):
            constant = problem.block_lipschitz(block, key) or 1.0
            x_b, G_b = x[block], gradient[block]
            target = problem.penalty.prox(x_b - G_b / constant, 1.0 / constant, block)
            d = target - x_b
            if name == "gs-r":
                scores[key] = np.linalg.norm(d)
            else:
                values = problem.block_penalty(target, block), problem.block_penalty(x_b, block)
                scores[key] = _decrease(float(G_b @ d), 0.5 * constant * float(d @ d), *values)
        return scores

    return score


def _proximal_target(descent):
    problem = descent.problem
    steps = 1.0 / problem.divisors
    shifted = descent.x - steps * descent.gradient()
    return problem.penalty.prox(shifted, steps, problem.everything)


def _model_decrease(descent):
    problem, x = descent.problem, descent.x
    target = _proximal_target(descent)
    d = target - x
    value = problem.penalty.coordinate_value
    after, before = value(target, problem.everything), value(x, problem.everything)
    return _decrease(descent.gradient() * d, 0.5 * problem.divisors * d**2, after, before)


def _decrease(linear, square, after, before):
    """Decrease of the model; where it drowns in rounding its lower bound ``L d^2 / 2``.

    By convexity of the penalty the bound always holds, and with equality off the kinks.
    """
    decrease = -(linear + square + after - before)
    noise = _ROUNDING * (np.abs(after) + np.abs(before))
    return np.where(np.abs(decrease) > noise, decrease, square)


def _distance(descent):
    return descent.problem.penalty.subdiff_distance(descent.x, descent.gradient())


def _size(descent):
    return np.abs(descent.gradient())


def _size_per_curvature(descent):
    return np.abs(descent.gradient()) / np.sqrt(descent.problem.divisors)


def _size_per_row(descent):
    sums = descent.problem.row_sums
    return np.abs(descent.gradient()) / np.sqrt(np.where(sums > 0, sums, 1.0))


_COORDINATE_SCORES = {
    "gs": _size,
    "gsd": _size_per_curvature,
    "gsd-h": _size_per_row,
    "gs-q": _model_decrease,
    "gs-r": lambda descent: np.abs(_proximal_target(descent) - descent.x),
    "gs-s": _distance,
    "tree-gs": _size,
    "tree-gsl": _size_per_curvature,
    "tree-gsd": _size_per_row,
}
