r"""Certified duality gaps of penalised risks.

With pull v and correlations :math:`c = X^\top v`, every shrunken pull :math:`\tau v` gives the
lower bound :math:`D(\tau) - \sum_j g^*(\tau c_j)` of the optimum, g the penalty of one
coefficient. Two are tried:

- :math:`\tau = 1` with the conjugate of the whole penalty, finite where :math:`\lambda_2 > 0`;
- the ridge counted as part of the risk, so that :math:`c - \lambda_2 w` must only be shrunk below
  :math:`\lambda_1`.

Both tend to the optimum; the first faster where the ridge is strong.
"""

import numpy as np

from ._risks import make_risk

__all__ = ["centred_pull", "certified_gap", "lower_bound", "penalty_value"]


def certified_gap(problem, params):
    """Gap of any parameters of a problem without groups; infinite where no dual is known."""
    risk = make_risk(problem)
    margins, intercept = problem.X @ params[:-1], params[-1]
    if problem.n_outputs == 1:
        margins, intercept = margins[:, 0], float(intercept[0])
    value = risk.value(margins, intercept) + penalty_value(problem, params[:-1].ravel())
    look = risk.look(margins, intercept, 1e-15)
    pull = centred_pull(problem, risk, look)
    correlations = np.asarray(problem.X.T @ pull, dtype=float).ravel()
    return value - lower_bound(problem, risk, look, correlations, params[:-1].ravel())


def centred_pull(problem, risk, look):
    """The pull less its sum, spread by weight: its correlations are those of centred columns.

    With a free intercept the sum is zero at the optimum; elsewhere, and where rounding leaves a
    rest, columns with large means would show nothing but that sum.
    """
    if not problem.fit_intercept or risk.quadratic:
        return look.pull
    return look.pull - np.multiply.outer(risk.weights, look.pull.sum(axis=0))


def penalty_value(problem, w):
    """Penalty of coefficients; all others are zero."""
    return problem.l1 * float(np.abs(w).sum()) + 0.5 * problem.l2 * float(w @ w)


def lower_bound(problem, risk, look, correlations, w):
    """The better of the two lower bounds of the optimum.

    Parameters
    ----------
    problem : LinearProblem
        Strengths and bounds.
    risk : risk
        With ``dual`` and ``best_shrink``.
    look : Look
        The risk at the current point, with a free intercept at its optimum.
    correlations : array of shape (m,)
        ``X.T @ pull`` of the coefficients considered; the bound counts the others as satisfied.
    w : array of shape (m,)
        Their values.

    Returns
    -------
    bound : float
        ``-inf`` where no feasible dual point is known.
    """
    bound = -np.inf
    if problem.l2 > 0.0 or _both_bounds_finite(problem):
        bound = risk.dual(look, 1.0) - _conjugate(problem, correlations)
    if problem.l1 > 0.0:
        extra = 0.5 * problem.l2 * float(w @ w)
        residual = correlations - problem.l2 * w
        shrink = risk.best_shrink(look, _largest_shrink(problem, residual), extra)
        shrunk = risk.dual(look, shrink) - shrink * shrink * extra
        bound = max(bound, shrunk - _support_of_bounds(problem, shrink * residual))
    return bound


def _both_bounds_finite(problem):
    return np.isfinite(problem.lower) and np.isfinite(problem.upper)


def _largest_shrink(problem, residual):
    """How far the pull must shrink for the sides without a bound to be feasible."""
    worst = 0.0
    if residual.size and not np.isfinite(problem.upper):
        worst = max(worst, float(residual.max()))
    if residual.size and not np.isfinite(problem.lower):
        worst = max(worst, float(-residual.min()))
    return problem.l1 / worst if worst > 0.0 else np.inf


def _support_of_bounds(problem, u):
    """Conjugate of the L1 norm with bounds, on the sides where the bound is finite."""
    total = 0.0
    if np.isfinite(problem.upper) and problem.upper > 0.0:
        total += problem.upper * float(np.maximum(u - problem.l1, 0.0).sum())
    if np.isfinite(problem.lower) and problem.lower < 0.0:
        total -= problem.lower * float(np.maximum(-u - problem.l1, 0.0).sum())
    return total


def _conjugate(problem, u):
    """Conjugate of the whole penalty, attained at the best coefficient for each entry of `u`."""
    excess = np.sign(u) * np.maximum(np.abs(u) - problem.l1, 0.0)
    if problem.l2 > 0.0:
        best = np.clip(excess / problem.l2, problem.lower, problem.upper)
    else:
        best = np.where(excess > 0.0, problem.upper, np.where(excess < 0.0, problem.lower, 0.0))
    return float(excess @ best - 0.5 * problem.l2 * (best @ best))
