"""Adapters: generators that read a solver's iterates and yield changed ones.

They do their bookkeeping with ``where`` on 0-d arrays, so that "the first iterate that separates"
is exact on a device although the host looks only every few iterations.
"""

import math

from .._backend import namespace, norm, scalar
from ._iterates import Iterate

__all__ = ["averaged", "best", "first_hit", "rounds"]

# Errors are shares of the weight, summed in float32 on some devices: a difference of less than a
# millionth of the weight is none, except that no error at all is always better than any.
_SAME_ERRORS = 1e-6


def averaged(iterates, objective):
    """Replace each iterate by the mean of all iterates so far, the start included.

    Logits are linear in the parameters, so that the mean's logits, errors and margin need no
    further pass over the rows.

    Parameters
    ----------
    iterates : iterator of Iterate
        With logits.
    objective : LinearObjective
        Tells how wrong the mean's logits are.

    Yields
    ------
    iterate : Iterate
        With the mean's parameters, logits, errors and margin; the gradient is left as it was.
    """
    params = logits = None
    for count, iterate in enumerate(iterates, start=1):
        if params is None:
            params, logits = iterate.params, iterate.logits
        else:
            params = params + (iterate.params - params) / count
            logits = logits + (iterate.logits - logits) / count
        errors, margin = objective.wrongness(logits)
        yield iterate.replace(params=params, logits=logits, errors=errors, margin=margin)


def first_hit(iterates, condition, *, freeze=True):
    """Note the first iterate that meets a condition.

    Parameters
    ----------
    iterates : iterator of Iterate
        Any solver's.
    condition : callable
        ``condition(iterate)`` gives a 0-d boolean array.
    freeze : bool, default=True
        Whether to repeat that iterate from then on, so that looking late loses nothing.

    Yields
    ------
    iterate : Iterate
        With ``hit``, the index of the first iterate that met the condition, or -1.
    """
    held = None
    for iterate in iterates:
        xp = namespace(iterate.params)
        met = condition(iterate)
        index = scalar(iterate.index, iterate.params)
        if held is None:
            hit = xp.where(met, index, scalar(-1, index))
        else:
            found = held.hit >= 0
            hit = xp.where(found, held.hit, xp.where(met, index, scalar(-1, index)))
            if freeze:  # `other` is the solver's own iterate, whose status counts
                iterate = _choose(found, held, iterate)
                index = iterate.index
        held = iterate.replace(hit=hit, index=index if freeze else iterate.index)
        yield held


def best(iterates):
    """Keep the iterate with the fewest errors, then the largest margin per unit of norm.

    Errors that differ by less than a millionth of the weight count as equally many.

    Parameters
    ----------
    iterates : iterator of Iterate
        With errors and margin.

    Yields
    ------
    iterate : Iterate
        As it came, with ``kept``: the best iterate so far.
    """
    kept = kept_margin = None
    for iterate in iterates:
        xp = namespace(iterate.params)
        size = norm(iterate.params)
        relative = iterate.margin / xp.where(size > 0, size, scalar(math.inf, size))
        if kept is None:
            kept, kept_margin = iterate, relative
        else:
            none = (iterate.errors == 0) & (kept.errors > 0)
            fewer = none | (iterate.errors < kept.errors - _SAME_ERRORS)
            as_few = (iterate.errors <= kept.errors + _SAME_ERRORS) & ~(
                (kept.errors == 0) & (iterate.errors > 0)
            )
            better = fewer | (as_few & (relative > kept_margin))
            kept = _choose(better, iterate, kept)
            kept_margin = xp.where(better, relative, kept_margin)
        yield iterate.replace(kept=kept)


def rounds(refresh, solver):
    """Run a solver in outer rounds, each from where the last one ended.

    Parameters
    ----------
    refresh : callable
        ``refresh(params)`` gives the objective of the next round, or None to end; params is None
        before the first.
    solver : callable
        ``solver(objective, params)`` gives a finite iterator of iterates.

    Yields
    ------
    iterate : Iterate
        Of every round, with ``index`` counting updates over all of them.
    """
    params, done = None, 0
    while (objective := refresh(params)) is not None:
        start = objective.zeros() if params is None else params
        iterate = None
        for iterate in solver(objective, start):
            yield iterate.replace(index=done + iterate.index)
        if iterate is None:
            return
        params, done = iterate.params, done + iterate.index


def _choose(condition, one, other):
    """The iterate `one` where the 0-d `condition` holds, else `other`, field by field."""
    xp = namespace(one.params)
    fields = {}
    for name in ("params", "gradient", "value", "logits", "errors", "margin", "log_mass"):
        a, b = getattr(one, name), getattr(other, name)
        fields[name] = None if a is None or b is None else xp.where(condition, a, b)
    index = xp.where(condition, scalar(one.index, one.params), scalar(other.index, one.params))
    return Iterate(**fields, index=index, status=other.status)
