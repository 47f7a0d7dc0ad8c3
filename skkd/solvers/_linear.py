"""One door to the solvers of linear problems, and what to stop them by."""

from dataclasses import replace

import numpy as np

from ._working_set import WorkingSet, certified_gap, group_iterates, make_risk

__all__ = [
    "coefficient_gap",
    "coefficient_path",
    "duality_gap",
    "is_smooth",
    "linear_descent",
    "null_value",
]


def linear_descent(problem, start=None, *, tol, working_set=True, acceleration="newton"):
    """Iterate the solver that suits a penalised linear model.

    Working sets for an L1 norm, a group norm or bounds; Newton's method, L-BFGS or a direct
    solution where everything is smooth.

    Parameters
    ----------
    problem : LinearProblem
        Validated data and strengths.
    start : array of shape (p + 1, k), default=None
        Where to start, intercepts last; zeros if None.
    tol : float > 0
        Absolute duality gap at which the caller will stop; it steers how exactly is solved.
    working_set : bool, default=True
        Whether to work on a few coordinates at a time, where there is a kink.
    acceleration : {"newton", "anderson", None}, default="newton"
        How a working set is finished: Newton steps on the support, Anderson extrapolation of
        sweeps, or sweeps alone. Only for an L1 norm or bounds, of one output.

    Returns
    -------
    iterates : iterator of CoefficientIterate
        The start first, then one after each pass.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.solvers import LinearProblem, coefficient_gap, linear_descent, run
    >>> X, y = np.eye(3), np.array([3.0, -2.0, 0.1])
    >>> problem = LinearProblem(X, y, fit_intercept=False, l1=0.5)
    >>> result = run(
    ...     linear_descent(problem, tol=1e-9), max_iter=20, tol=1e-9, criterion=coefficient_gap
    ... )
    >>> result.params[:3, 0].round(6).tolist()
    [1.5, -0.5, 0.0]
    """
    if problem.groups is not None and problem.l1 > 0.0:
        return group_iterates(problem, start, tol=tol)
    if is_smooth(problem):
        from ._smooth import smooth_iterates

        return smooth_iterates(replace(problem, groups=None), start, tol=tol)
    solver = WorkingSet(problem, start, working_set=working_set, acceleration=acceleration)
    return solver.iterates(tol)


def coefficient_path(problems, start=None, *, tol):
    """Solvers of problems on the same data, each started where the last one ended.

    Parameters
    ----------
    problems : iterable of LinearProblem
        They differ in `l1` and `l2` only; from strong to weak penalties is fastest.
    start : array of shape (p + 1, k), default=None
        Where to start the first.
    tol : float > 0
        As in :func:`linear_descent`.

    Yields
    ------
    problem : LinearProblem
        Each of `problems`.
    iterates : iterator of CoefficientIterate
        To be run before the next is asked for.
    """
    solver = None
    for problem in problems:
        if is_smooth(problem) or problem.groups is not None:
            solver, iterates = None, linear_descent(problem, start, tol=tol)
        else:
            solver = WorkingSet(problem, start) if solver is None else solver.retarget(problem)
            iterates = solver.iterates(tol)
        last = [start]
        yield problem, _remember(iterates, last)
        start = last[0]


def _remember(iterates, last):
    for iterate in iterates:
        last[0] = iterate.params
        yield iterate


def is_smooth(problem):
    """Whether neither a kink nor a bound is in force.

    Parameters
    ----------
    problem : LinearProblem
        The problem.

    Returns
    -------
    smooth : bool
        Such problems are solved by the methods of smooth optimisation.
    """
    return problem.l1 == 0.0 and problem.lower == -np.inf and problem.upper == np.inf


def coefficient_gap(iterate):
    """Criterion: the certified duality gap, or the estimate of it where there is no dual.

    Parameters
    ----------
    iterate : CoefficientIterate
        Of any solver of linear problems.

    Returns
    -------
    gap : 0-d array
        Infinite while nothing is known.
    """
    return np.asarray(iterate.violation if np.isnan(iterate.gap) else iterate.gap)


def duality_gap(problem, params):
    """Certified gap of any parameters of a linear problem.

    Parameters
    ----------
    problem : LinearProblem
        The problem.
    params : array of shape (p + 1, k)
        Coefficients, intercepts last.

    Returns
    -------
    gap : float
        Upper bound of how far the objective is above the optimum; infinite where no dual point is
        known.
    """
    if problem.groups is not None and problem.l1 > 0.0:
        settled = next(group_iterates(problem, params, tol=1.0))
        return settled.gap + _gain_of_intercept(problem, params, settled.params)
    return certified_gap(problem, params)


def _gain_of_intercept(problem, params, settled):
    """How far the risk falls from the intercept of `params` to that of `settled`."""
    risk = make_risk(problem)
    margins = (problem.X @ params[:-1])[:, 0]
    return risk.value(margins, params[-1, 0]) - risk.value(margins, settled[-1, 0])


def null_value(problem):
    """Objective of the best intercepts with all coefficients zero.

    Parameters
    ----------
    problem : LinearProblem
        Validated data.

    Returns
    -------
    value : float
        The scale against which gaps are measured.
    """
    n, k = problem.X.shape[0], problem.n_outputs
    margins = np.zeros(n) if k == 1 else np.zeros((n, k))
    intercept = 0.0 if k == 1 else np.zeros(k)
    return make_risk(problem).look(margins, intercept, 1e-10).value
