r"""Newton's method with conjugate gradients (Newton-CG).

Each update solves :math:`H d = -g` by preconditioned conjugate gradients until the residual is
below :math:`\min(1/2, \sqrt{\|g\|}) \|g\|`, which makes the outer iteration converge
superlinearly, and takes the step that a line search accepts. Products with H come from
``objective.linearize``; H is never formed. Each product and each evaluation synchronises once.

References
----------
Nocedal, J., Wright, S. J., "Numerical Optimization", 2nd ed., Springer 2006, algorithm 7.1.
"""

import math

from .._backend import namespace, to_numpy
from ._iterates import Iterate
from ._line_search import LineSearch, Stagnation
from ._metric import make_metric

__all__ = ["newton"]


def newton(objective, W, *, max_cg=200, diagonal="auto", metric=None):
    """Iterate Newton-CG from `W`.

    Parameters
    ----------
    objective : LinearObjective
        With ``value_and_gradient``, ``linearize`` and ``diagonal``; convex.
    W : array of shape (p + 1, k)
        Where to start; it is not changed.
    max_cg : int, default=200
        Most conjugate gradient steps for one update.
    diagonal : "auto", None or array that broadcasts to `W`, default="auto"
        Preconditioner; "auto" asks the objective.
    metric : Metric, default=None
        Preconditioner of :func:`skkd.solvers.gram_metric`, instead of `diagonal`.

    Yields
    ------
    iterate : Iterate
        The start first, then one after each update; ``status`` as of
        :func:`skkd.solvers.lbfgs`.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.losses import SquaredLoss, Target
    >>> from skkd.objectives import LinearObjective
    >>> from skkd.solvers import gradient_norm, newton, run
    >>> X = np.array([[1.0], [2.0], [3.0]])
    >>> objective = LinearObjective(SquaredLoss(), X, Target(2.0 * X[:, 0] + 1.0))
    >>> result = run(
    ...     newton(objective, objective.zeros()), max_iter=50, tol=1e-10, criterion=gradient_norm
    ... )
    >>> result.params.round(6).tolist()
    [[2.0], [1.0]]
    """
    metric = make_metric(objective, diagonal, metric)
    value, gradient = objective.value_and_gradient(W)
    precision = {
        "precision": float(namespace(W).finfo(W.dtype).eps),
        "scale": float(to_numpy(value)),
    }
    stagnation = Stagnation()
    index = 0
    yield Iterate(W, gradient, value)
    while True:
        norm = math.sqrt(_inner(gradient, gradient))
        direction = _solve(
            objective.linearize(W), gradient, metric, min(0.5, math.sqrt(norm)) * norm, max_cg
        )
        search = LineSearch(float(to_numpy(value)), _inner(gradient, direction), **precision)
        while search.step is not None:
            trial = W + search.step * direction
            trial_value, trial_gradient = objective.value_and_gradient(trial)
            search.tell(float(to_numpy(trial_value)), _inner(trial_gradient, direction))
        if search.found is None:
            yield Iterate(W, gradient, value, index=index, status=search.verdict)
            return
        W, value, gradient = trial, trial_value, trial_gradient
        index += 1
        done = stagnation.after(search, float(to_numpy(value)), _inner(gradient, gradient))
        yield Iterate(W, gradient, value, index=index, status="stagnated" if done else None)
        if done:
            return


def _solve(product, gradient, metric, tol, max_cg):
    """Conjugate gradients for ``H d = -gradient``; stops early at directions of no curvature."""
    xp = namespace(gradient)
    eps = float(xp.finfo(gradient.dtype).eps)
    d = xp.zeros_like(gradient)
    residual = -gradient
    z = metric.solve(residual)
    search = z
    size = rz = _inner(residual, z)  # of the search direction and the residual in the metric
    for _ in range(max_cg):
        image = product(search)
        curvature = _inner(search, image)
        # Less curvature than rounding leaves of the bound's: a direction of none, as along a
        # vector added to all classes.
        if not curvature > 10.0 * eps * size:
            break
        step = rz / curvature
        d = d + step * search
        residual = residual - step * image
        z = metric.solve(residual)
        rz_new = _inner(residual, z)
        if math.sqrt(_inner(residual, residual)) <= tol:
            return d
        search = z + (rz_new / rz) * search
        size = rz_new + (rz_new / rz) ** 2 * size
        rz = rz_new
    # Not one step made: the preconditioned gradient is a descent direction all the same.
    return d if bool(to_numpy(xp.any(d != 0))) else metric.solve(-gradient)


def _inner(a, b):
    """Inner product as a Python float."""
    xp = namespace(a)
    return float(to_numpy(xp.sum(a * b)))
