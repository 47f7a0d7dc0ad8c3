"""The diagonal that scales the variables of second-order solvers."""

from .._backend import namespace

__all__ = ["positive_diagonal"]


def positive_diagonal(objective, diagonal):
    """The given diagonal, or the objective's, with zeros replaced.

    A column of zeros has no curvature and no gradient: any positive number will do for it.

    Parameters
    ----------
    objective : LinearObjective
        Asked for its diagonal if `diagonal` is "auto".
    diagonal : "auto", None or array
        As given by the user.

    Returns
    -------
    diagonal : array or None
        Positive entries; None for no scaling.
    """
    if diagonal is None:
        return None
    if isinstance(diagonal, str):
        if diagonal != "auto":
            raise ValueError(f'diagonal must be "auto", None or an array, got {diagonal!r}')
        diagonal = objective.diagonal()
    xp = namespace(diagonal)
    largest = xp.max(diagonal)
    largest = xp.where(largest > 0, largest, xp.ones_like(largest))
    return xp.where(diagonal > 0, diagonal, largest)
