r"""The generator of block coordinate descent.

Each update changes the variables of one block b only, :math:`x \leftarrow x + U_b d`. Three
choices are independent of each other: how variables are grouped (partition), which block comes
next (selection) and what is done to it (update). The table of all rules is in
:func:`skkd.solvers.minimize_bcd`.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

import math

import numpy as np

from ._problem import Problem
from ._rules import resolve

__all__ = ["BlockIterate", "Descent", "block_coordinate_descent"]

_SUPPORT_FACTOR = 2
_SMALLEST_SIZE = 10


def block_coordinate_descent(
    datafit,
    penalty=None,
    x0=None,
    *,
    partition="variable",
    selection="auto",
    update="auto",
    block_size=10,
    random_state=None,
    score_norm="l2",
    iht_init="descent",
    adaptive_shrink=1.0,
):
    """Iterate block coordinate descent.

    The rules are those of :func:`skkd.solvers.minimize_bcd`, where they are described. They are
    checked when this function is called, before the first update.

    Parameters
    ----------
    datafit : object
        The smooth function, a sum; see :class:`skkd.objectives.Datafit`.
    penalty : object, default=None
        What is added to it; see :mod:`skkd.penalties`.
    x0 : array of shape (n_variables,), default=None
        Where to start; None is the point of the penalty's domain next to zero.
    partition : str, array or list of arrays, default="variable"
        How variables are grouped.
    selection : str or sequence of arrays, default="auto"
        Which block comes next; with a sequence the iterates end with it.
    update : str, default="auto"
        What is done to a block.
    block_size : int or "auto", default=10
        Variables in a block.
    random_state : int, Generator, RandomState or None, default=None
        Seed of everything that is drawn.
    score_norm : {"l2", "l1"}, default="l2"
        How scores of fixed blocks are summed.
    iht_init : {"descent", "code"}, default="descent"
        How the selection "iht" starts.
    adaptive_shrink : float in (0, 1], default=1.0
        By what the update "adaptive" multiplies its estimates before each step.

    Returns
    -------
    iterates : generator of BlockIterate
        The start first, then one after each update; without an end, unless `selection` is a
        sequence.

    Raises
    ------
    ValueError
        If rules do not go together, with the reason and a remedy.

    See Also
    --------
    minimize_bcd : Runs this until it has converged.
    run : Drives any solver.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.

    Examples
    --------
    >>> from itertools import islice
    >>> import numpy as np
    >>> from skkd.objectives import LeastSquares
    >>> from skkd.solvers import block_coordinate_descent
    >>> datafit = LeastSquares(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([2.0, 1.0]))
    >>> iterates = block_coordinate_descent(datafit, selection="gs", block_size=1)
    >>> [float(iterate.value) for iterate in islice(iterates, 3)]
    [2.5, 0.5, 0.0]
    """
    descent = Descent(
        datafit,
        penalty,
        x0,
        partition=partition,
        selection=selection,
        update=update,
        block_size=block_size,
        random_state=random_state,
        score_norm=score_norm,
        iht_init=iht_init,
        adaptive_shrink=adaptive_shrink,
    )
    return descent.iterates()


class BlockIterate:
    """State of block coordinate descent after some number of updates.

    Parameters
    ----------
    descent : object
        The run that it is an iterate of.
    block : ndarray of int or None
        Variables of the last update; None at the start.
    status : str or None
        "stagnated" once updates no longer move the point.

    Attributes
    ----------
    params : ndarray of shape (n_variables,)
        The point; a copy.
    value : float
        Objective, the penalty included.
    block : ndarray of int or None
        Variables of the last update; None at the start.
    index : int
        Updates made.
    status : str or None
        "stagnated" once updates no longer move the point.
    kept : None
        Of the driver's protocol; not used.
    """

    def __init__(self, descent, block, status):
        self._descent = descent
        self._violation = None
        self.params = descent.x.copy()
        self.value = descent.value
        self.block = block
        self.index = descent.index
        self.status = status
        self.kept = None

    @property
    def violation(self):
        """Largest violation of the optimality conditions; costs a gradient if not known yet."""
        if self._violation is None:
            self._violation = np.float64(self._descent.violation_of(self))
        return self._violation

    @property
    def known_violation(self):
        """The violation where somebody has asked for it already, else None."""
        return self._violation

    @property
    def support(self):
        """Variables off their kink or bound; those that are not zero where nothing penalises."""
        return self._descent.problem.support(self.params)

    def __repr__(self):
        return f"BlockIterate(index={self.index}, value={self.value:.6g})"


class Descent:
    """Block coordinate descent with its state; the parameters are those of the generator.

    Attributes
    ----------
    problem : Problem
        What is minimised.
    state : object
        State of the datafit.
    index : int
        Updates made.
    value : float
        Objective at the current point.
    rng : numpy.random.Generator
        Source of everything that is drawn.
    """

    def __init__(
        self,
        datafit,
        penalty,
        x0,
        *,
        partition,
        selection,
        update,
        block_size,
        random_state,
        **options,
    ):
        self.problem = Problem(datafit, penalty)
        self.rng = _generator(random_state)
        if not isinstance(selection, str):
            selection = _checked_sequence(selection, self.problem.n_variables)
        self.rules = resolve(
            self.problem, partition, selection, update, block_size, self.rng, options
        )
        self.state = self.problem.init(_start(self.problem, x0))
        self.index = 0
        self._gradient = None
        self.value = self._evaluate()

    @property
    def x(self):
        """The current point; it changes with the next update."""
        return self.state.x

    def gradient(self):
        """Gradient of the datafit at the current point."""
        if self._gradient is None:
            self._gradient = self.state.gradient()
        return self._gradient

    def block_size(self):
        """Number of variables in the next variable block."""
        if self.rules.block_size is not None:
            return self.rules.block_size
        size = max(_SMALLEST_SIZE, _SUPPORT_FACTOR * len(self.problem.support(self.x)))
        return min(size, self.problem.n_variables)

    def sweep(self):
        """Number of updates that reach every variable, if blocks do not overlap."""
        if self.rules.n_blocks is not None:
            return self.rules.n_blocks
        return math.ceil(self.problem.n_variables / self.block_size())

    def violation(self):
        """Largest violation at the current point."""
        return self.problem.violation(self.x, self.gradient())

    def violation_of(self, iterate):
        """Largest violation at an iterate, which need not be the current one."""
        if iterate.index == self.index:
            return self.violation()
        gradient = self.problem.datafit.gradient(iterate.params)
        return self.problem.violation(iterate.params, gradient)

    def iterates(self):
        """Yield the start, then the point after each update."""
        idle = 0
        yield BlockIterate(self, None, None)
        while True:
            block, key = self.rules.selection.choose(self)
            if block is None:
                return
            idle = 0 if self._step(block, key) else idle + 1
            final = idle >= self.rules.selection.patience(self)
            yield BlockIterate(self, block, "stagnated" if final else None)

    def _step(self, block, key):
        """Update a block; whether the point has moved."""
        if self._gradient is None:
            gradient = self.state.gradient(block)
        else:
            gradient = self._gradient[block]
        before = self.x[block]
        self.rules.update.step(self.state, block, key, gradient)
        self.index += 1
        moved = bool((before != self.x[block]).any())
        if moved:
            self._gradient = None
            self.value = self._evaluate()
        return moved

    def _evaluate(self):
        value = float(self.state.value()) + self.problem.penalty_value(self.x)
        if not math.isfinite(value):
            raise ValueError(_not_finite(value, self.index))
        return value


def _not_finite(value, index):
    if index == 0:
        return (
            f"the objective is {value} at the start: choose an x0 of finite entries at which the "
            "penalty is finite, such as penalty.prox(x0, 1.0, np.arange(len(x0)))"
        )
    return (
        f"the objective became {value} at update {index}: the datafit's constants do not bound its "
        "curvature, or its values overflow; scale the data, or use update='newton' or 'adaptive'"
    )


def _start(problem, x0):
    if x0 is None:
        zero = np.zeros(problem.n_variables)
        if problem.penalty is None:
            return zero
        return problem.penalty.prox(zero, 1.0, problem.everything)
    x0 = np.asarray(x0, dtype=np.float64)
    if x0.shape != (problem.n_variables,):
        raise ValueError(
            f"x0 has shape {x0.shape}, but there are {problem.n_variables} variables: pass a flat "
            f"array of shape ({problem.n_variables},)"
        )
    return x0


def _checked_sequence(selection, n_variables):
    from ._partitions import checked_block

    return [checked_block(block, n_variables) for block in selection]


def _generator(random_state):
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(np.iinfo(np.int32).max)
    return np.random.default_rng(random_state)
