"""Smooth penalised linear models."""

from ._solver import SmoothSolver

__all__ = ["smooth_iterates"]


def smooth_iterates(problem, start=None, *, tol):
    return SmoothSolver(problem, start).iterates(tol)
