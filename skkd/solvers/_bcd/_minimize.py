r"""Block coordinate descent as one call, with the result and the hooks of scipy's `minimize`."""

import time

import numpy as np
from scipy.optimize import OptimizeResult

from .._driver import run
from ._solver import Descent

__all__ = ["minimize_bcd"]

_ROUNDING = 1e-7


def minimize_bcd(
    datafit,
    penalty=None,
    x0=None,
    *,
    partition="variable",
    selection="auto",
    update="auto",
    block_size=10,
    max_iter=1000,
    tol=1e-6,
    callback=None,
    random_state=None,
    score_norm="l2",
    record_path=False,
    iht_init="descent",
    adaptive_shrink=1.0,
):
    r"""Minimise a function by block coordinate descent.

    Minimises :math:`F(x) = f(x) + g(x)` with f smooth (the datafit, a sum over rows) and g convex
    (the penalty). Each iteration selects a block b of variables and changes only these. With
    :math:`G = \nabla f(x)`, constants :math:`L_i` of the coordinates, :math:`L_b` of the blocks, a
    constant matrix :math:`H` that no Hessian of f exceeds and its blocks :math:`H_b`, the rules
    are those of the tables under Notes.

    Parameters
    ----------
    datafit : object
        The smooth function; see :class:`skkd.objectives.Datafit` for the methods it has.
    penalty : object, default=None
        The other function; see :mod:`skkd.penalties`.
    x0 : array of shape (n_variables,), default=None
        Where to start. None is the point of the penalty's domain next to zero.
    partition : str, array of shape (n_variables,) or list of arrays, default="variable"
        How variables are grouped: "variable", "order", "random", "sort", "average", "hsort",
        "haverage", "red-black", "tree", labels of the variables, or the blocks themselves.
    selection : str or sequence of arrays, default="auto"
        Which block comes next: "cyclic", "random", "perm", "lipschitz", "gs", "gsl", "gsd",
        "gsd-h", "gsq", "iht", "gs-q", "gs-r", "gs-s", "tree-gs", "tree-gsl", "tree-gsd",
        "tree-random", "auto", or exactly these blocks in this order and then no more.
    update : str, default="auto"
        What is done to it: "gradient", "bound", "adaptive", "newton", "cubic", "exact",
        "prox-gradient", "prox-newton", "two-metric" or "auto".
    block_size : int or "auto", default=10
        Variables in a block, at least 1; at most all are taken. "auto" is, for variable blocks,
        ``max(10, 2 * len(support))`` with a penalty and, without one, all variables up to 2000 and
        256 beyond; for fixed blocks it is 10. Of no effect on blocks that are given, on
        "red-black", "tree" and on the selections "tree-...".
    max_iter : int, default=1000
        Most updates to make.
    tol : float, default=1e-6
        The run has converged at x when ``violation(x) <= tol * max(1, violation(x0))``. The
        violation is the largest absolute partial derivative of f, or with a penalty the largest
        distance of :math:`-G_i` to the subdifferential of g. It is looked at after each update
        where the selection computes the gradient anyway, otherwise once per sweep.
    callback : callable, default=None
        ``callback(intermediate_result)`` is called after each update with an OptimizeResult of
        fields `x`, `fun`, `nit`, `block` and `violation` (computed when asked for). The run stops
        if it returns True or raises StopIteration.
    random_state : int, Generator, RandomState or None, default=None
        Seed of everything that is drawn; an integer makes runs repeatable.
    score_norm : {"l2", "l1"}, default="l2"
        Whether scores of fixed blocks add squares, as in the paper, or absolute values, as in the
        programs of the paper.
    record_path : bool, default=False
        Whether to keep what happened at each iteration.
    iht_init : {"descent", "code"}, default="descent"
        Start of the hard thresholding of "iht": at :math:`-G_i / L_i` and at
        :math:`-G_i / \sqrt{L_i}`, of which, and of the block of "gsd", the most promising is
        taken; or at :math:`+G_i / \sqrt{L_i}`, as in the programs of the paper, an ascent
        direction.
    adaptive_shrink : float in (0, 1], default=1.0
        By what "adaptive" multiplies an estimate before each step; 1 never lets it fall.

    Returns
    -------
    result : OptimizeResult
        With ``x``, ``fun``, ``nit``, ``success``, ``status`` (0 converged, 1 `max_iter` reached,
        2 updates move nothing any more, 3 the sequence of blocks is used up, 99 stopped by the
        callback), ``message``, ``violation`` and ``rules`` (partition, selection and update,
        "auto" resolved). A run that ends with status 2 is a success if its violation
        is below 1e-7 of the larger of 1 and the first one. With `record_path` also
        ``objective_path`` of shape (nit + 1,), ``violation_path`` of the same shape (nan where it
        was not looked at), ``time_path`` (seconds since the start), ``blocks`` (list of nit
        arrays) and ``support_path`` (list of nit + 1 arrays).

    Raises
    ------
    ValueError
        If rules do not go together, with the reason and a remedy, or the objective is not finite.

    See Also
    --------
    block_coordinate_descent : The iterates themselves, without an end.
    skkd.objectives.Datafit : The smooth functions.

    Notes
    -----
    **Partitions.** "variable" has no fixed blocks: any `block_size` variables may be chosen, by
    their own scores. All others fix the blocks once. Ties keep the order of the variables, and the
    last block may be short.

    ============ =================================================================================
    order        runs of the variables in their order
    random       runs of a random permutation
    sort         runs by ascending :math:`L_i`; best for gradient updates, because one large
                 constant spoils the :math:`L_b` of its whole block
    average      alternately from both ends of that order; a middle one last
    hsort        as sort, by :math:`\sum_j |H_{ij}|`
    haverage     as average, by :math:`\sum_j |H_{ij}|`
    red-black    colours of the datafit's graph: within a block no two variables interact
    tree         forests of the datafit's graph
    ============ =================================================================================

    **Selections.** "fixed" and "variable" say for which blocks a rule exists: the best of all
    blocks of a size can be found only for scores that are sums over variables. "full" says that it
    needs the whole gradient at each iteration. For smooth functions:

    =========== ====== ======== ==== =============================================================
    rule        fixed  variable full chooses
    =========== ====== ======== ==== =============================================================
    cyclic      yes    as perm  no   blocks in turn
    random      yes    yes      no   a block, or variables without replacement, uniformly
    perm        no     yes      no   runs of a random permutation, drawn anew when it is used up,
                                     that is every ``ceil(n_variables / block_size)`` iterations
    lipschitz   yes    yes      no   at random in proportion to :math:`L_b` or :math:`L_i`
    gs          yes    yes      yes  largest :math:`\|G_b\|`, :math:`|G_i|`
    gsl         yes    no       yes  largest :math:`\|G_b\|^2 / L_b`; with the adaptive update
                                     its estimates serve as :math:`L_b`
    gsd         yes    yes      yes  largest :math:`\sum_{i \in b} G_i^2 / L_i`,
                                     :math:`|G_i| / \sqrt{L_i}`
    gsd-h       no     yes      yes  largest :math:`|G_i| / \sqrt{\sum_j |H_{ij}|}`
    gsq         yes    no       yes  largest :math:`G_b^\top H_b^+ G_b`
    iht         no     yes      yes  approximately the largest :math:`G_b^\top H_b^+ G_b`: ten
                                     steps of iterative hard thresholding
    tree-gs     no     yes      yes  a forest of the graph, gathered by descending :math:`|G_i|`
    tree-gsl    no     yes      yes  the same by :math:`|G_i| / \sqrt{A_{ii}}`
    tree-gsd    no     yes      yes  the same by :math:`|G_i| / \sqrt{\sum_j |A_{ij}|}`
    tree-random no     yes      no   the same in a random order
    =========== ====== ======== ==== =============================================================

    With a penalty: cyclic, random, perm, lipschitz, and the following, in which
    :math:`d_i = \mathrm{prox}_{g_i / L_i}(x_i - G_i / L_i) - x_i`. Variable blocks take the
    variables of the largest scores, fixed blocks add decreases (gs-q) or squares (gs-r, gs-s).

    =========== ====== ======== ==== =============================================================
    gs-q        yes    yes      yes  largest decrease of the model,
                                     :math:`-(G_i d_i + L_i d_i^2 / 2 + g_i(x_i + d_i) - g_i(x_i))`
    gs-r        yes    yes      yes  longest step :math:`|d_i|`
    gs-s        yes    yes      yes  largest distance of :math:`-G_i` to the subdifferential
    =========== ====== ======== ==== =============================================================

    A penalty on groups needs fixed blocks that are groups or unions of groups; gs-q and gs-r then
    look at the proximal step of a whole block with its :math:`L_b`.

    **Updates.** For smooth functions, where "needs" names methods of the datafit:

    ============= ======================= ==========================================================
    rule          needs                   step
    ============= ======================= ==========================================================
    gradient      block_lipschitz         :math:`-G_b / L_b`
    bound         hessian_bound           :math:`-H_b^+ G_b`
    adaptive      --                      :math:`-G_b / \hat L`, the estimate doubled until f falls
                                          by :math:`\|G_b\|^2 / (2 \hat L)`; the first one is 1
    newton        hessian_block           Newton step with a safeguarded backtracking line search
    cubic         hessian_block,          minimiser of the quadratic model plus
                  third_order             :math:`M_b \|d\|^3 / 6`
    exact         hessian_bound           minimiser over the block of a quadratic; by message
                                          passing, in linear time, where the block is a forest
    ============= ======================= ==========================================================

    With a penalty:

    ============= ======================= ==========================================================
    prox-gradient block_lipschitz         :math:`\mathrm{prox}_{g / L_b}(x_b - G_b / L_b)`
    prox-newton   hessian_block or        minimiser of the quadratic model plus the penalty; for a
                  hessian_bound           quadratic it is exact, otherwise a line search follows
    two-metric    hessian_block or        Newton step on the variables that are free to move,
                  hessian_bound,          projected; for penalties made of absolute values,
                  lipschitz,              squares and bounds
                  block_lipschitz
    ============= ======================= ==========================================================

    **Automatic choices.** Without a penalty the selection is "gsd" and the update "bound" for
    quadratics ("exact" on graphs with "red-black", "tree" and "tree-..."), otherwise "newton".
    With one they are "gs-q" and "prox-newton". Where the datafit lacks the methods for these, the
    next simpler rule is taken.

    Once the zeros of a solution have been found, variable blocks that hold its whole support
    turn prox-newton and two-metric into Newton's method on the variables that are left: one
    iteration for a quadratic, superlinear convergence otherwise. Iterations are not seconds: a
    rule that needs the full gradient pays for it unless the datafit keeps it up to date.

    Variables on which f does not depend (:math:`L_i = 0`) stay where they are, or go where the
    penalty sends them.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.objectives import LeastSquares
    >>> from skkd.penalties import L1
    >>> from skkd.solvers import minimize_bcd
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((50, 200))
    >>> b = A[:, 3] - 2.0 * A[:, 5]
    >>> result = minimize_bcd(LeastSquares(A, b), L1(10.0), tol=1e-10)
    >>> result.success, np.flatnonzero(result.x)
    (True, array([3, 5]))
    """
    _check_run(max_iter, tol, callback)
    began = time.perf_counter()
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
    scale = max(1.0, descent.violation())
    path = _Path(descent, began) if record_path else None
    outcome = run(
        descent.iterates(),
        max_iter=max_iter,
        tol=tol * scale,
        criterion=_violation,
        check_every=1 if descent.rules.selection.needs_gradient else descent.sweep(),
        on_iterate=_hook(callback, path),
    )
    return _result(descent, outcome, path, tol * scale, max(tol, _ROUNDING) * scale, max_iter)


class _Intermediate(OptimizeResult):
    """An OptimizeResult whose violation is computed when somebody asks for it."""

    def __missing__(self, name):
        if name != "violation":
            raise KeyError(name)
        self[name] = self.__dict__["iterate"].violation
        return self[name]


class _Path:
    """What happened at each iteration."""

    def __init__(self, descent, began):
        self.began = began
        self.blocks = []
        self.objective = [descent.value]
        self.times = [time.perf_counter() - began]
        self.support = [descent.problem.support(descent.x)]
        self.violations = [descent.violation()]
        self._last = None

    def add(self, iterate):
        self.settle()
        self._last = iterate
        self.blocks.append(iterate.block)
        self.objective.append(iterate.value)
        self.times.append(time.perf_counter() - self.began)
        self.support.append(iterate.support)

    def settle(self):
        """Note the violation of the last iterate, if somebody has looked at it by now."""
        if self._last is not None:
            known = self._last.known_violation
            self.violations.append(np.nan if known is None else known)
            self._last = None

    def fields(self):
        self.settle()
        return {
            "objective_path": np.array(self.objective),
            "violation_path": np.array(self.violations),
            "time_path": np.array(self.times),
            "blocks": self.blocks,
            "support_path": self.support,
        }


def _violation(iterate):
    return iterate.violation


def _hook(callback, path):
    if callback is None and path is None:
        return None

    def after_update(iterate):
        if path is not None:
            path.add(iterate)
        return callback is not None and _asks_to_stop(callback, iterate)

    return after_update


def _asks_to_stop(callback, iterate):
    result = _Intermediate(
        x=iterate.params,
        fun=iterate.value,
        nit=iterate.index,
        block=iterate.block,
    )
    object.__setattr__(result, "iterate", iterate)  # an attribute, not a field
    try:
        answer = callback(result)
    except StopIteration:
        return True
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


def _check_run(max_iter, tol, callback):
    if not isinstance(max_iter, (int, np.integer)) or max_iter < 0:
        raise ValueError(f"max_iter must be an integer, zero or more, got {max_iter!r}")
    if not tol >= 0:
        raise ValueError(f"tol must be zero or more, got {tol!r}")
    if callback is not None and not callable(callback):
        raise ValueError(f"callback must be callable or None, got {callback!r}")


def _result(descent, outcome, path, target, rounding, max_iter):
    last = outcome.iterate
    violation = last.violation
    if violation <= target:
        status, message = 0, "The optimality conditions hold to the tolerance."
    elif outcome.stopped:
        status, message = 99, "Stopped by the callback."
    elif last.status == "stagnated":
        status, message = 2, "Updates no longer move the point."
    elif outcome.n_iter >= max_iter:
        status, message = 1, f"max_iter={max_iter} updates did not reach the tolerance; raise it."
    else:
        status, message = 3, "The sequence of blocks is used up."
    result = OptimizeResult(
        x=last.params,
        fun=last.value,
        nit=outcome.n_iter,
        success=status == 0 or (status == 2 and violation <= rounding),
        status=status,
        message=message,
        violation=float(violation),
        rules=descent.rules.names,
    )
    result.update(path.fields() if path else {})
    return result
