r"""A quadratic with group norms on a working set: sweeps, then Newton's method on the norms.

.. math::
    \min_w\; \tfrac12 \|t - M w\|^2 + \tfrac{l_2}{2} \|w\|^2 + \sum_g \lambda_g \|w_g\| .

Sweeps of exact block coordinate descent with Anderson's extrapolation are cheap and find which
groups matter; Newton's method (:mod:`._group_newton`) ends the matter in a few steps however
ill-conditioned M is, but factors a matrix in each. The speed at which sweeps close the gap tells
when to change over.
"""

import numpy as np
from scipy.linalg.lapack import dposv

from ._group_gap import diagonal, group_norms, quadratic_gap
from ._group_newton import newton_cost, newton_steps

__all__ = ["GroupQuadratic"]

_SWEEPS = 5  # that an extrapolation is made from
_BURST = 2e-4  # seconds of sweeps between looks at the gap, at least
_SWEEP_RATE = 2.5e9  # multiplications and additions per second of the kernel, roughly
_LOOK = 3e-4  # seconds that a look and an extrapolation take besides
_LARGEST_FACTOR = 4000  # rows of the matrix that Newton's method factors
_NEWTON_STEPS = 3  # that Newton's method is expected to need


class GroupQuadratic:
    """The problem on the groups gathered so far, with the best coefficients known.

    Parameters
    ----------
    target : array of shape (m,)
        The vector t.
    l2 : float
        Strength of the ridge.
    scale : array of shape (m,)
        What the rows of the data are multiplied by.
    centred : bool
        Whether the columns are made orthogonal to `scale`, as `target` must be.

    Attributes
    ----------
    rows : array of shape (size, m)
        Columns of the design, scaled and centred, each a row.
    means : array of shape (size,)
        Weighted means of the columns of the data, zeros if not centred.
    starts : array of shape (n_groups + 1,)
        Group g is ``w[starts[g] : starts[g + 1]]``.
    lam : array of shape (n_groups,)
        Strength of each norm.
    w : array of shape (size,)
        Coefficients.
    tau : array of shape (n_groups,)
        Norms of the groups of w over `lam`.
    gram : array of shape (size, size), or None
        Gram matrix of the columns, while it is much smaller than they are.
    """

    def __init__(self, target, l2, scale, centred):
        self.target, self.l2, self.scale, self.centred = target, l2, scale, centred
        self.means = np.empty(0)
        self.starts = np.zeros(1, dtype=np.int64)
        self.lam, self.w, self.tau = np.empty(0), np.empty(0), np.empty(0)
        self.gram = None
        self._table = np.empty((0, 3), dtype=np.int64)
        self._blocks = np.empty(0)
        self._buffer = np.empty((0, target.size))
        self._state = target.copy()
        self._part = None

    @property
    def rows(self):
        return self._buffer[: self.w.size]

    def extend(self, columns, sizes, lam, w=None):
        """Put groups behind the others.

        Parameters
        ----------
        columns : array of shape (sum of sizes, m)
            Their columns of the data, each a row.
        sizes, lam : arrays
            Their sizes and strengths.
        w : array, default=None
            Their coefficients; None means zeros.
        """
        old = self.w.size
        self.starts = np.concatenate((self.starts, self.starts[-1] + np.cumsum(sizes)))
        self.lam = np.concatenate((self.lam, lam))
        self.w = np.concatenate((self.w, np.zeros(columns.shape[0]) if w is None else w))
        self._store(columns, old)
        self.restart(self.w)

    def restart(self, w):
        """Continue from the coefficients `w`; computes the residual afresh."""
        self.w = w
        self.tau = group_norms(w, self.starts) / self.lam
        residual = self.residual()
        self._state = residual if self.gram is None else self.rows @ residual

    def residual(self):
        """``t - M w``, computed afresh."""
        used = np.flatnonzero(self.w)
        if 2 * used.size > self.w.size:
            return self.target - self.w @ self.rows
        return self.target - self.w[used] @ self.rows[used]

    def products(self, vector):
        """Products of the columns with a vector orthogonal to the root."""
        return self.rows @ vector

    def gap(self):
        """Duality gap on the working set at the point that the sweeps keep."""
        c = self._correlations() - self.l2 * self.w
        square = self._square_of(self.w, self._state) + self.l2 * (self.w @ self.w)
        size = self.lam**2 @ self.tau
        return quadratic_gap(square, group_norms(c, self.starts), self.w @ c, size, self.lam)

    def solve(self, tol, gap=np.inf, *, max_rounds=40):
        """Improve the coefficients until the gap is at most `tol`, or in vain for too long.

        Parameters
        ----------
        tol : float
            Gap to reach.
        gap : float, default=inf
            Gap at the start, from which the speed of the sweeps is judged.
        max_rounds : int, default=40
            Most bursts of sweeps.
        """
        patience = 0
        for _ in range(max_rounds):
            self._sweep()
            before, gap = gap, self.gap()
            if gap <= tol:
                return
            patience -= 1
            if patience < 0 and self._newton_pays(before, gap, tol):
                if newton_steps(self, tol):
                    return
                gap, patience = np.inf, 3

    def newton_gram(self):
        """The Gram matrix that Newton's method is to work with; None for the columns."""
        return self.gram

    def newton_fits(self):
        """Whether Newton's method needs no more memory than there is."""
        return min(np.count_nonzero(self.w), self.target.size) <= _LARGEST_FACTOR

    def part(self, used):
        """Columns in use, their Gram matrix and their products with the target; the last kept."""
        if self._part is None or not np.array_equal(self._part[0], used):
            rows = self.rows[used]
            self._part = used, (rows, rows @ rows.T, rows @ self.target)
        return self._part[1]

    def _newton_pays(self, before, gap, tol):
        """Whether sweeps, at their present speed, would take longer than Newton's method."""
        cost = _NEWTON_STEPS * newton_cost(self)
        if gap >= before or tol <= 0.0:
            return np.isfinite(cost)
        bursts = np.log(tol / gap) / np.log(gap / before) if np.isfinite(before) else 1.0
        return bursts * (_LOOK + self._burst() * self._sweep_cost()) > cost

    def _sweep(self):
        """One sweep over all groups, some over those that are not zero, and an extrapolation."""
        self._grow_spectra()
        self._run(False, 1)
        extra = self._burst() - _SWEEPS
        if extra > 0:
            self._run(True, extra)
        path = [(self.w.copy(), self._state.copy())]
        for _ in range(_SWEEPS - 1):
            self._run(True, 1)
            path.append((self.w.copy(), self._state.copy()))
        self._extrapolate(path)

    def _run(self, active, n):
        from ..._kernels.group_descent import sweep_groups

        is_gram = self.gram is not None
        M = self.gram if is_gram else self.rows
        fixed = self._table, self._blocks, self.lam, self.l2
        sweep_groups(M, is_gram, self._state, self.w, self.tau, *fixed, active, n)

    def _extrapolate(self, path):
        """Anderson's extrapolation of the sweeps, taken where the objective is lower for it."""
        points = np.array([w for w, _ in path])
        steps = points[1:] - points[:-1]
        products = steps @ steps.T
        scale = products.trace()
        if not scale > 0.0:
            return
        diagonal(products)[:] += 1e-12 * scale
        mix = dposv(products, np.ones(products.shape[0]))[1]
        total = mix.sum()
        if not (np.isfinite(total) and total > 0.0):
            return
        mix /= total
        w = mix @ points[1:]
        state = mix @ np.array([state for _, state in path[1:]])
        tau = group_norms(w, self.starts) / self.lam
        if self._objective(w, state, tau) < self._objective(self.w, self._state, self.tau):
            self.w[:], self._state[:], self.tau[:] = w, state, tau

    def _objective(self, w, state, tau):
        square = self._square_of(w, state) + self.l2 * (w @ w)
        return 0.5 * square + self.lam**2 @ tau

    def _burst(self):
        """Sweeps between looks at the gap: enough to be worth a look."""
        return int(min(max(_BURST / self._sweep_cost(), _SWEEPS), 5 * _SWEEPS))

    def _sweep_cost(self):
        """Seconds that a sweep takes, roughly."""
        used = np.count_nonzero(self.w)
        return 1e-6 + 2.0 * used * self._state.size / _SWEEP_RATE

    def _correlations(self):
        """Products of the columns with the residual that the sweeps keep."""
        return self._state if self.gram is not None else self.rows @ self._state

    def _square_of(self, w, state):
        """Squared norm of the residual; without the residual it suffers from cancellation."""
        if self.gram is None:
            return state @ state
        return max(self.target @ self.target - w @ (self.rows_target + state), 0.0)

    def _store(self, columns, old):
        """Keep new columns, in a buffer that grows by halves."""
        size = self.w.size
        if size > self._buffer.shape[0]:
            grown = np.empty((size if old == 0 else size + size // 2, columns.shape[1]))
            grown[:old] = self._buffer[:old]
            self._buffer = grown
        new = self._buffer[old:size]
        np.subtract(columns, self._note_means(columns)[:, None], out=new)
        new *= self.scale
        if (old == 0 or self.gram is not None) and 4 * size <= self.target.size:
            self._grow_gram(old)
        else:
            self.gram = None

    def _note_means(self, columns):
        """The weighted means of new columns of the data."""
        means = np.zeros(columns.shape[0])
        if self.centred:
            weights = self.scale**2
            means = columns @ (weights / weights.sum())
        self.means = np.concatenate((self.means, means))
        return means

    def _grow_gram(self, old):
        size = self.w.size
        grown = np.empty((size, size))
        new = self.rows[old:]
        grown[old:, old:] = new @ new.T
        if old:
            grown[:old, :old] = self.gram
            grown[old:, :old] = new @ self.rows[:old].T
            grown[:old, old:] = grown[old:, :old].T
        self.gram = grown
        self.rows_target = self.rows @ self.target

    def _grow_spectra(self):
        """Eigenvalues and eigenvectors of the new groups' Gram matrices, for the kernel."""
        known = self._table.shape[0]
        if known == self.lam.size:
            return
        lows, highs = self.starts[known:-1], self.starts[known + 1 :]
        sizes = highs - lows
        ends = np.cumsum(sizes * (sizes + 1))
        blocks, offsets = np.empty(ends[-1]), ends - sizes * (sizes + 1)
        for size in np.unique(sizes):
            of_size = np.flatnonzero(sizes == size)
            values, vectors = np.linalg.eigh(self._small_grams(lows[of_size], size))
            places = offsets[of_size, None] + np.arange(size * (size + 1))
            blocks[places[:, :size]] = np.maximum(values, 0.0)
            blocks[places[:, size:]] = vectors.reshape(of_size.size, -1)
        table = np.stack((lows, highs, offsets + self._blocks.size), axis=1)
        self._table = np.concatenate((self._table, table))
        self._blocks = np.concatenate((self._blocks, blocks))

    def _small_grams(self, lows, size):
        """Gram matrices of the groups of one size that begin at `lows`."""
        members = lows[:, None] + np.arange(size)
        if self.gram is not None:
            return self.gram[members[:, :, None], members[:, None, :]]
        X = self.rows[members]
        return X @ X.transpose(0, 2, 1)
