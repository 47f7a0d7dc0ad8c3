"""The driver: the one place that stops, warns and calls back."""

import warnings
from dataclasses import dataclass
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from .._backend import is_numpy, namespace, to_numpy

__all__ = ["SolverResult", "errors", "gradient_norm", "run"]


@dataclass(frozen=True, slots=True)
class SolverResult:
    """How a run ended.

    Attributes
    ----------
    params : array
        Parameters of the iterate that was kept.
    n_iter : int
        Updates made.
    converged : bool
        Whether the criterion was met.
    stopped : bool
        Whether a callback asked to stop.
    iterate : Iterate
        The last iterate, with everything that adapters noted on it.
    """

    params: Any
    n_iter: int
    converged: bool
    stopped: bool
    iterate: Any

    @property
    def kept(self):
        """The iterate that `params` belongs to."""
        return self.iterate if self.iterate.kept is None else self.iterate.kept


def gradient_norm(iterate):
    """Criterion: largest entry of the gradient of the objective.

    Parameters
    ----------
    iterate : Iterate
        With a gradient; a normalised one is scaled back.

    Returns
    -------
    norm : 0-d array
        Maximum norm of the gradient.
    """
    xp = namespace(iterate.gradient)
    norm = xp.max(xp.abs(iterate.gradient))
    return norm if iterate.log_mass is None else norm * xp.exp(iterate.log_mass)


def errors(iterate):
    """Criterion: weight of the rows that are wrong; meet it with ``tol=0``.

    Behind :func:`skkd.solvers.first_hit` an iterate that was right once counts as right.

    Parameters
    ----------
    iterate : Iterate
        Of a classification loss.

    Returns
    -------
    weight : 0-d array
        Share of the weight that is on wrong rows; behind ``first_hit`` 0 or 1.
    """
    if iterate.hit is None:
        return iterate.errors
    zero = 0.0 * iterate.hit
    return namespace(iterate.hit).where(iterate.hit >= 0, zero, zero + 1.0)


def run(
    iterates, *, max_iter, tol=0.0, criterion=None, check_every=None, on_iterate=None, remedy=None
):
    """Drive a solver until it has converged, is stopped, or has made `max_iter` updates.

    Parameters
    ----------
    iterates : iterator of Iterate
        A solver, perhaps behind adapters.
    max_iter : int
        Most updates to make.
    tol : float, default=0.0
        The run has converged when ``criterion(iterate) <= tol``.
    criterion : callable, default=None
        Maps an iterate to a 0-d array. None never converges.
    check_every : int, default=None
        Updates between looks at the criterion. Each look waits for the device; None looks at
        every iterate in NumPy and at every tenth elsewhere.
    on_iterate : callable, default=None
        ``on_iterate(iterate)`` is called after each update; a true result stops the run.
    remedy : callable, default=None
        ``remedy(result)`` gives the text of the ConvergenceWarning for a run that made
        `max_iter` updates in vain, or None for no warning.

    Returns
    -------
    result : SolverResult
        The last iterate and how it came to be the last.
    """
    converged = stopped = False
    iterate = None
    for count, iterate in enumerate(iterates):
        if check_every is None:
            check_every = 1 if is_numpy(iterate.params) else 10
        looks = count % check_every == 0 or count >= max_iter or iterate.status is not None
        converged = criterion is not None and looks and _met(criterion, iterate, tol)
        if on_iterate is not None and count > 0:
            stopped = bool(on_iterate(iterate))
        if converged or stopped or count >= max_iter or iterate.status is not None:
            break
    if iterate is None:
        raise ValueError("the solver yielded no iterate, not even its start; there is no result")
    result = SolverResult(
        params=(iterate.kept or iterate).params,
        n_iter=int(to_numpy(iterate.index) if hasattr(iterate.index, "dtype") else iterate.index),
        converged=converged or iterate.status == "stagnated",
        stopped=stopped,
        iterate=iterate,
    )
    message = remedy(result) if remedy and not (result.converged or stopped) else None
    if message:
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    return result


def _met(criterion, iterate, tol):
    return bool(float(to_numpy(criterion(iterate))) <= tol)
