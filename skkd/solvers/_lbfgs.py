r"""L-BFGS for every array library, in compact form.

With pairs :math:`S = [s_1 \dots s_m]`, :math:`Y = [y_1 \dots y_m]` the inverse Hessian
approximation is (Byrd, Nocedal and Schnabel 1994, eq. 2.6)

.. math::
    H = \theta I + [S \;\; \theta Y]
        \begin{pmatrix} R^{-\top}(D + \theta Y^\top Y) R^{-1} & -R^{-\top} \\
                        -R^{-1} & 0 \end{pmatrix}
        [S \;\; \theta Y]^\top ,

R the upper triangle of :math:`S^\top Y` and D its diagonal. Only the vectors live on the device:
each evaluation multiplies all pairs with the new gradient in one product and brings 4 m numbers
to the host, together with the objective, in one transfer. The m x m algebra and the line search
run there. So an evaluation costs one read of X and one synchronisation.

The variables are scaled by the square root of the diagonal of a Hessian bound, which makes the
iteration independent of the units of the columns, or by that of the whole bound
(:mod:`skkd.solvers._metric`).

References
----------
Byrd, R. H., Nocedal, J., Schnabel, R. B., "Representations of quasi-Newton matrices and their use
in limited memory methods", Mathematical Programming 63, 1994.
"""

import math

import numpy as np
from scipy.linalg import solve_triangular

from .._backend import device_of, namespace, sum_dtype, to_numpy
from ._iterates import Iterate
from ._line_search import LineSearch, Stagnation
from ._metric import make_metric

__all__ = ["lbfgs"]


def lbfgs(objective, W, *, memory=10, diagonal="auto", metric=None):
    """Iterate L-BFGS from `W`.

    Parameters
    ----------
    objective : LinearObjective
        With ``value_and_gradient`` and, for scaling, ``diagonal``.
    W : array of shape (p + 1, k)
        Where to start; it is not changed.
    memory : int, default=10
        Number of pairs kept.
    diagonal : "auto", None or array that broadcasts to `W`, default="auto"
        Diagonal of a Hessian bound that scales the variables; "auto" asks the objective, None
        leaves them unscaled.
    metric : Metric, default=None
        Change of variables, of :func:`skkd.solvers.gram_metric`, instead of `diagonal`.

    Yields
    ------
    iterate : Iterate
        The start first, then one after each update. ``status`` is "stagnated" when no step can
        lower the objective by more than rounding, "failed" when the line search broke down
        before; nothing follows such an iterate.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.losses import SquaredLoss, Target
    >>> from skkd.objectives import LinearObjective
    >>> from skkd.solvers import gradient_norm, lbfgs, run
    >>> X = np.array([[1.0], [2.0], [3.0]])
    >>> objective = LinearObjective(SquaredLoss(), X, Target(2.0 * X[:, 0] + 1.0))
    >>> result = run(
    ...     lbfgs(objective, objective.zeros()), max_iter=50, tol=1e-10, criterion=gradient_norm
    ... )
    >>> result.params.round(6).tolist()
    [[2.0], [1.0]]
    """
    xp = namespace(W)
    metric = make_metric(objective, diagonal, metric)
    pairs = _Pairs(memory, W)
    value, gradient = objective.value_and_gradient(W)
    slope = xp.reshape(metric.pull(gradient), (-1,))
    value_host, square = map(float, _to_host([value, xp.sum(slope * slope)]))
    precision = {"precision": float(xp.finfo(W.dtype).eps), "scale": value_host}
    stagnation = Stagnation()
    index = 0
    yield Iterate(W, gradient, value)
    while True:
        direction, descent = pairs.direction(slope, square)
        search = LineSearch(value_host, descent, pairs.first_step(square), **precision)
        while search.step is not None:
            move = search.step * direction
            trial = W + metric.push(xp.reshape(move, W.shape))
            trial_value, trial_gradient = objective.value_and_gradient(trial)
            trial_slope = xp.reshape(metric.pull(trial_gradient), (-1,))
            products = pairs.products(move, trial_slope - slope, trial_slope)
            host = _to_host([trial_value, xp.sum(trial_slope * trial_slope)], products)
            search.tell(float(host[0]), float(pairs.slope_along(host[2:])) / search.step)
        if search.found is None:
            if pairs.count and search.verdict == "failed":
                pairs.forget()  # the curvature learned so far misleads: begin again from here
                continue
            yield Iterate(W, gradient, value, index=index, status=search.verdict)
            return
        pairs.accept(host[2:])
        W, value, gradient, slope = trial, trial_value, trial_gradient, trial_slope
        value_host, square = float(host[0]), float(host[1])
        index += 1
        done = stagnation.after(search, value_host, square)
        yield Iterate(W, gradient, value, index=index, status="stagnated" if done else None)
        if done:
            return


class _Pairs:
    """The pairs (s, y): vectors on the device, their inner products on the host.

    Rows 0..m of the buffer hold s, rows m+1..2m+1 hold y; one slot more than the memory, so that
    a trial step can be written down before the oldest pair is given up.
    """

    def __init__(self, memory, W):
        xp = namespace(W)
        size = 1
        for length in W.shape:
            size *= length
        self.slots = memory + 1
        shape = (2 * self.slots, size)
        self.rows = xp.zeros(shape, dtype=W.dtype, device=device_of(W))
        self.sy = np.zeros((self.slots, self.slots))
        self.yy = np.zeros((self.slots, self.slots))
        self.sg = np.zeros(self.slots)
        self.yg = np.zeros(self.slots)
        self.order = []  # slots in use, oldest first
        self.free = 0

    @property
    def count(self):
        """Number of pairs in use."""
        return len(self.order)

    def forget(self):
        """Drop all pairs."""
        self.order = []

    def first_step(self, square):
        """1, but of unit length at most while nothing is known of the curvature."""
        return 1.0 if self.order else min(1.0, 1.0 / max(math.sqrt(square), 1e-300))

    def products(self, s, y, slope):
        """Write a trial pair down; inner products of all pairs with y and the new slope."""
        xp = namespace(slope)
        self.rows[self.free, :] = s
        self.rows[self.slots + self.free, :] = y
        return xp.reshape(self.rows @ xp.stack([y, slope], axis=1), (-1,))

    def slope_along(self, host):
        """Inner product of the trial move with the new slope."""
        return host.reshape(2 * self.slots, 2)[self.free, 1]

    def accept(self, host):
        """Take the trial pair in if its curvature is positive, and the new slope in any case."""
        table = host.reshape(2 * self.slots, 2)
        with_s, with_y = table[: self.slots], table[self.slots :]
        self.sg, self.yg = with_s[:, 1], with_y[:, 1]
        new = self.free
        curvature = with_s[new, 0]
        if not curvature > np.finfo(np.float64).eps * with_y[new, 0]:
            return
        self.sy[:, new] = with_s[:, 0]
        self.yy[:, new] = self.yy[new, :] = with_y[:, 0]
        self.order.append(new)
        if len(self.order) == self.slots:
            self.free = self.order.pop(0)
        else:
            self.free = next(slot for slot in range(self.slots) if slot not in self.order)

    def direction(self, slope, square):
        """``-H slope`` on the device, and its inner product with the slope on the host."""
        if not self.order:
            return -slope, -square
        used = self.order
        R = np.triu(self.sy[np.ix_(used, used)])
        diagonal = np.diagonal(R)
        yy = self.yy[np.ix_(used, used)]
        theta = float(diagonal[-1] / yy[-1, -1])
        sg, yg = self.sg[used], self.yg[used]
        u = solve_triangular(R, sg)
        v = diagonal * u + theta * (yy @ u) - theta * yg
        on_s = solve_triangular(R, v, trans="T")
        on_y = -theta * u
        weights = np.zeros(2 * self.slots)
        weights[used] = on_s
        weights[[self.slots + slot for slot in used]] = on_y
        xp = namespace(slope)
        weights = xp.asarray(weights, dtype=slope.dtype, device=device_of(slope))
        descent = -(theta * square + on_s @ sg + on_y @ yg)
        return -(theta * slope + weights @ self.rows), float(descent)


def _to_host(scalars, vector=None):
    """Numbers and a vector in one transfer, as a float64 array."""
    xp = namespace(scalars[-1])
    dtype = sum_dtype(scalars[-1])
    device = device_of(scalars[-1])
    parts = [xp.stack([xp.asarray(number, dtype=dtype, device=device) for number in scalars])]
    if vector is not None:
        parts.append(xp.astype(vector, dtype))
    return np.asarray(to_numpy(xp.concat(parts)), dtype=np.float64)
