r"""Newton's method on the norms of the groups.

Since :math:`\lambda \|w_g\| = \min_{\tau \ge 0} \|w_g\|^2 / (2 \tau) + \lambda^2 \tau / 2`, a
quadratic with group norms is a ridge regression in w for given :math:`\tau`, and what remains is
the minimum over :math:`\tau \ge 0`, one number for each group, of the smooth convex function

.. math::
    \Phi(\tau) = \tfrac12 t^\top K^{-1} t + \tfrac12 \sum_g \lambda_g^2 \tau_g, \qquad
    K = I + \sum_g \mu_g M_g M_g^\top, \qquad \mu_g = \frac{\tau_g}{1 + l_2 \tau_g},

the objective of multiple kernel learning (Bach, Lanckriet and Jordan, 2004; Micchelli and Pontil,
2005). With :math:`r = K^{-1} t` and :math:`c_g = M_g^\top r / (1 + l_2 \tau_g)` the coefficients
are :math:`w_g = \tau_g c_g`, the gradient is :math:`(\lambda_g^2 - \|c_g\|^2) / 2`, and

.. math::
    H_{gh} = \frac{c_g^\top M_g^\top K^{-1} M_h c_h}{(1 + l_2 \tau_g)(1 + l_2 \tau_h)}
    + \delta_{gh} \frac{l_2 \|c_g\|^2}{1 + l_2 \tau_g} .

A step minimises the quadratic model over :math:`\tau + d \ge 0`, so that groups leave and enter
at once. As in trust-region methods the equations are first rewritten as
:math:`1 / \|c_g\| = 1 / \lambda_g`, nearly linear in :math:`\tau`: the same matrix, the right-hand
side :math:`\|c_g\|^2 (\|c_g\| / \lambda_g - 1)`. From zero three steps do the work of eight.

K is factored where rows are few; where coefficients are few,
:math:`I + \mu^{1/2} M^\top M \mu^{1/2}`, related to it by Woodbury's identity.
"""

import numpy as np
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs

from ._group_gap import diagonal, group_norms, quadratic_gap

__all__ = ["newton_cost", "newton_steps"]

_STEPS = 12
_RATE = 1.5e10  # multiplications and additions per second of BLAS, roughly
_OVERHEAD = 4e-4  # seconds of a step outside BLAS


def newton_cost(problem):
    """Seconds that a Newton step takes, roughly; infinite where it would take too much memory."""
    if not problem.newton_fits():
        return np.inf
    used, m = np.count_nonzero(problem.w), problem.target.size
    few, many = min(used, m), max(used, m)
    products = 0.0 if problem.gram is not None else 0.5 * few * few * many
    return _OVERHEAD + (products + few**3 / 3.0) / _RATE


def newton_steps(problem, tol):
    """Improve `problem` by Newton steps until its gap is at most `tol` or a step does not help.

    Parameters
    ----------
    problem : GroupQuadratic
        Its coefficients are replaced by better ones.
    tol : float
        Gap at which to stop.

    Returns
    -------
    done : bool
        Whether the gap is at most `tol`.
    """
    before = problem.w
    point = first = _Point(problem, problem.tau)
    for _ in range(_STEPS):
        if point.gap <= tol:
            break
        after = _search(point)
        if after is None:
            break
        point = after
    if point is not first or point.gap <= tol:
        problem.restart(point.w)
    else:
        problem.restart(before)
    return point.gap <= tol


def _search(point):
    """The point after a step along the Newton direction, or None if none is better."""
    for rhs in (point.secular, point.descent):
        step = _direction(point, rhs)
        length = 1.0
        while length > 0.05:
            tau = np.maximum(point.tau + length * step, 0.0)
            after = _Point(point.problem, tau)
            # Rounding hides the decrease of the value near the end, not that of the gap.
            if after.value < point.value * (1.0 - 1e-12) or after.gap < 0.5 * point.gap:
                return after
            length *= 0.4
    return None


class _Point:
    """Ridge regression at given tau, and what a Newton step from there needs."""

    def __init__(self, problem, tau):
        self.problem, self.tau = problem, tau
        sizes = problem.starts[1:] - problem.starts[:-1]
        self.damping = 1.0 + problem.l2 * tau
        each = np.repeat(tau, sizes)
        damping = 1.0 + problem.l2 * each
        self.used = each.nonzero()[0]
        self.root = np.sqrt(each[self.used] / damping[self.used])
        self.all_gram = problem.newton_gram()
        self.few_rows = self.all_gram is None and self.used.size >= problem.target.size
        r, v = self._ridge_dual() if self.few_rows else self._ridge_primal()
        self.c = v / damping
        self.norms = group_norms(self.c, problem.starts)
        self.w = each * self.c
        w_norms = tau * self.norms
        square = r + problem.l2 * (w_norms @ w_norms)
        size = problem.lam @ w_norms
        self.value = 0.5 * square + size
        # For groups at zero the products with the residual; for others less the ridge: both are c.
        self.gap = quadratic_gap(square, self.norms, self.w @ self.c, size, problem.lam)

    @property
    def secular(self):
        return self.norms**2 * (self.norms / self.problem.lam - 1.0)

    @property
    def descent(self):
        return 0.5 * (self.norms**2 - self.problem.lam**2)

    def _ridge_dual(self):
        """Factor K; the squared norm of the residual and its products with the columns."""
        problem = self.problem
        Y = problem.rows[self.used] * self.root[:, None]
        self.factor = _factor(dsyrk(1.0, Y.T, lower=1))
        r = dpotrs(self.factor, problem.target, lower=1)[0]
        return r @ r, problem.rows @ r

    def _ridge_primal(self):
        """As :meth:`_ridge_dual` from the Gram matrix of the coefficients in use."""
        problem, used, root, gram = self.problem, self.used, self.root, self.all_gram
        if gram is not None:
            inner, image = gram[used[:, None], used], problem.rows_target[used]
        else:
            rows, inner, image = problem.part(used)
        self.factor = _factor(root[:, None] * inner * root)
        w = root * dpotrs(self.factor, root * image, lower=1)[0] if used.size else image
        if gram is not None:
            v = problem.rows_target - w @ gram[used]
            square = problem.target @ problem.target - w @ (image + v[used])
            return max(square, 0.0), v
        r = problem.target - w @ rows
        return r @ r, problem.rows @ r

    def hessian(self, chosen):
        """Rows and columns `chosen` of the Hessian of Phi."""
        problem = self.problem
        members, sizes = _members(problem.starts, chosen)
        c, rows = self.c[members], problem.rows if self.all_gram is None else self.all_gram
        images = _combined(rows[members], c, sizes)
        if self.few_rows:
            half = dtrtrs(self.factor, images.T, lower=1)[0]
            H = half.T @ half
        else:
            H, cross = self._products(images, members, c, sizes)
            if self.used.size:
                half = dtrtrs(self.factor, (cross * self.root).T, lower=1)[0]
                H = H - half.T @ half
        damping = self.damping[chosen]
        H = H / damping[:, None] / damping
        diagonal(H)[:] += problem.l2 * self.norms[chosen] ** 2 / damping
        return H

    def _products(self, images, members, c, sizes):
        """Products of the groups' images with each other and with the columns in use."""
        problem = self.problem
        if self.all_gram is None:
            return images @ images.T, images @ problem.part(self.used)[0].T
        H = _combined(images.T[members], c, sizes)
        return H, images[:, self.used]


def _factor(A):
    """Lower Cholesky factor of I + A."""
    diagonal(A)[:] += 1.0
    return dpotrf(A, lower=1, overwrite_a=1)[0]


def _members(starts, chosen):
    """Positions of the members of the chosen groups, group by group, and the groups' sizes."""
    sizes = starts[chosen + 1] - starts[chosen]
    ends = np.cumsum(sizes)
    return np.arange(ends[-1]) + np.repeat(starts[chosen] - (ends - sizes), sizes), sizes


def _combined(rows, c, sizes):
    """For each group the sum of its rows, each times its entry of c."""
    size = sizes[0]
    if np.all(sizes == size):
        return (c.reshape(-1, 1, size) @ rows.reshape(sizes.size, size, -1))[:, 0]
    return np.add.reduceat(rows * c[:, None], np.cumsum(sizes) - sizes, axis=0)


def _direction(point, rhs):
    """Minimise ``d' H d / 2 - rhs' d`` over ``tau + d >= 0`` by an active set."""
    step = np.zeros_like(point.tau)
    chosen = np.flatnonzero((point.tau > 0.0) | (rhs > 0.0))
    if chosen.size == 0:
        return step
    H, b, t = point.hessian(chosen), rhs[chosen], point.tau[chosen]
    diagonal(H)[:] += 1e-13 * H.trace() / chosen.size + 1e-300
    free = np.ones(chosen.size, dtype=bool)
    d, slack = -t, 1e-12 * np.abs(b).max()
    for _ in range(20):
        inside = free.nonzero()[0]
        right = b if inside.size == b.size else (b + H[:, ~free] @ t[~free])[inside]
        factor, info = dpotrf(H if inside.size == b.size else H[inside][:, inside], lower=1)
        if info:
            break
        d = -t
        d[inside] = dpotrs(factor, right, lower=1)[0]
        negative = (t + d < 0.0) & free
        if negative.any():
            free &= ~negative
            continue
        wanted = (b - H @ d > slack) & ~free
        if not wanted.any():
            break
        free |= wanted
    step[chosen] = np.maximum(d, -t)
    return step
