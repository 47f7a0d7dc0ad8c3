"""What a solver yields."""

from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Iterate"]


@dataclass(frozen=True, slots=True)
class Iterate:
    """State of a solver after some number of updates.

    Numbers are 0-d arrays on the device of the parameters, so that looking at an iterate costs
    no synchronisation; the driver is the one that reads them.

    Attributes
    ----------
    params : array of shape (p + 1, k)
        Parameters.
    gradient : array
        Gradient, or normalised gradient, from which the next step is made.
    value : 0-d array or None
        Objective, where the solver knows it.
    logits : array of shape (n, k) or None
        Logits of the rows at `params`.
    errors : 0-d array or None
        Weight of the rows that are wrong.
    margin : 0-d array or None
        Smallest margin.
    log_mass : 0-d array or None
        Log of the factor between the gradient of the loss and `gradient`; None where they agree.
    index : int or 0-d array
        Updates made.
    hit : 0-d array or None
        Index of the first iterate that met the condition of
        :func:`skkd.solvers.first_hit`, -1 so far.
    kept : Iterate or None
        The iterate to return, where it is not this one (:func:`skkd.solvers.best`).
    status : str or None
        A word of the solver's own, such as "stagnated".
    """

    params: Any
    gradient: Any
    value: Any = None
    logits: Any = None
    errors: Any = None
    margin: Any = None
    log_mass: Any = None
    index: Any = 0
    hit: Any = None
    kept: Any = None
    status: Any = None

    def replace(self, **changes):
        """A copy with some fields changed."""
        return replace(self, **changes)
