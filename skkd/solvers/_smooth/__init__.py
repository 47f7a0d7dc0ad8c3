"""Smooth penalised linear models."""

from ._solver import SmoothSolver

__all__ = ["smooth_iterates"]


def smooth_iterates(problem, start=None, *, tol):
    """Iterate over outer passes.

    Parameters
    ----------
    problem : LinearProblem
        With ``l1 = 0``, without groups and bounds.
    start : array of shape (p + 1, k), default=None
        Where to start; zeros, with the best intercept, if None.
    tol : float
        Absolute duality gap (half squared Newton decrement where ``l2 = 0``) at which the caller
        will stop; it steers how exactly is solved between two iterates.

    Yields
    ------
    iterate : CoefficientIterate
        The start first; its gap is infinite if none was given. All others are certified: `gap`
        bounds how far `value` is above the optimum. Where ``l2 = 0`` the gap is NaN and
        `violation` is half the squared Newton decrement. ``status`` becomes "stagnated" when
        rounding forbids further progress; nothing follows then.

    Notes
    -----
    Least squares without a penalty: of all minimisers the one of least norm for dense matrices, any
    of them for sparse ones. Without a penalty separable classes have no optimum; iterates then grow
    until the caller stops.
    """
    return SmoothSolver(problem, start).iterates(tol)
