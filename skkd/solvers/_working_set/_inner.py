r"""The quadratic of a working set: coordinate sweeps, then Newton on the support.

See :mod:`skkd._kernels.quadratic_descent` for the problem. Sweeps find the support; once few
coordinates switch, a Newton step on the support (one Cholesky factorisation) along a path that
bends at the kinks ends it.
"""

import numpy as np
from scipy.linalg.lapack import spotrf, spotrs

from ._anderson import SWEEPS, extrapolation_weights

__all__ = ["GramQuadratic"]

_LEAST_RIDGE = 1e-7  # share of the diagonal added to it before a factorisation
_MAX_ROUNDS = 100  # of sweeps and a Newton step or an extrapolation


class GramQuadratic:
    """A quadratic on a growing set of coordinates, with its Gram matrix in float32.

    Coordinates are those of columns of unit size: the coefficient of column j times its size.

    Parameters
    ----------
    problem : LinearProblem
        Strength of the L1 norm, and the bounds.
    acceleration : {"newton", "anderson", None}
        What follows the sweeps.
    """

    def __init__(self, problem, acceleration):
        from ..._kernels import quadratic_descent as kernels

        self._kernels = kernels
        self._acceleration = acceleration
        self._problem = problem
        self._ridge = _LEAST_RIDGE
        self.size = 0
        self.gram = np.empty((0, 0), dtype=np.float32)

    def retarget(self, problem):
        """Go on with the strength and bounds of another problem."""
        self._problem = problem

    @property
    def leading(self):
        """The part of the buffer in use, shape (size, size)."""
        return self.gram[: self.size, : self.size]

    def resize(self, kept, n_new):
        """Keep the coordinates `kept` and make room for `n_new` more behind them.

        Returns
        -------
        gram : array of shape (size, size)
            The leading block of the buffer, to be filled by the caller where it is new.
        """
        size = kept.size + n_new
        old = self.gram
        if size > old.shape[0]:
            room = size + size // 2
            self.gram = np.empty((room, room), dtype=np.float32)
            self._system = np.empty(room * room, dtype=np.float32)
            self._support = np.empty(room, dtype=np.int64)
            self._slope = np.empty(room)
            self._image = np.empty(room)
        if self.gram is not old or kept.size < self.size:
            self.gram[: kept.size, : kept.size] = old[kept].take(kept, axis=1)
        self.size = size
        return self.leading

    def minimise(self, w, q, sizes, share, *, max_newton=_MAX_ROUNDS):
        """Minimise until the violation has fallen to a share of what it was.

        Parameters
        ----------
        w, q : arrays of shape (m,)
            Where to start, and the negative gradient there.
        sizes : array of shape (m,)
            Sizes of the columns.
        share : float
            Share of the first violation at which to stop.
        max_newton : int, default=100
            Most Newton steps.

        Returns
        -------
        w : array of shape (m,)
            The minimiser.
        """
        problem = self._problem
        self._limits = (problem.l1 / sizes, problem.lower * sizes, problem.upper * sizes)
        start, pulls = w * sizes, q / sizes
        scaled, pulls = start.copy(), pulls.copy()
        if problem.l1 > 0.0:
            scaled[self.leading.diagonal() == 0.0] = 0.0  # only the penalty is left of such columns
        violation, switches = self._sweep(scaled, pulls, 0.0, 1)
        tol = share * violation
        if violation > 0.0:
            if self._acceleration == "newton":
                self._alternate(scaled, pulls, tol, switches, max_newton)
            else:
                self._sweep_on(scaled, pulls, tol)
        new = np.where(scaled == start, w, scaled / sizes)
        _, lower, upper = self._limits
        return np.where(
            scaled <= lower, problem.lower, np.where(scaled >= upper, problem.upper, new)
        )

    def _alternate(self, w, q, tol, switches, max_newton):
        """Sweeps while many coordinates switch, else Newton steps with a sweep between them."""
        budget = 4
        for _ in range(max_newton + 1):
            violation, switches = self._sweep(w, q, tol, budget)
            if violation <= tol:
                return
            if switches > 0.1 * np.count_nonzero(w):
                violation, _ = self._sweep(w, q, tol, 20)
                if violation <= tol:
                    return
            self._newton(w, q)
            budget = 1

    def _sweep_on(self, w, q, tol):
        """Sweeps alone, extrapolated if that was asked for."""
        points, pulls = [w.copy()], [q.copy()]
        for _ in range(_MAX_ROUNDS * SWEEPS):
            violation, _ = self._sweep(w, q, tol, 1)
            if violation <= tol:
                return
            points.append(w.copy())
            pulls.append(q.copy())
            if len(points) > SWEEPS:
                if self._acceleration == "anderson":
                    self._extrapolate(w, q, np.array(points), np.array(pulls))
                points, pulls = [w.copy()], [q.copy()]

    def _extrapolate(self, w, q, points, pulls):
        """Move to the extrapolated point if the objective is lower there."""
        weights = extrapolation_weights(points)
        if weights is None:
            return
        l1, lower, upper = self._limits
        trial, trial_q = weights @ points[1:], weights @ pulls[1:]
        change = l1 @ (np.abs(trial) - np.abs(w)) - 0.5 * (trial - w) @ (q + trial_q)
        if change < 0.0 and np.all((lower <= trial) & (trial <= upper)):
            w[:], q[:] = trial, trial_q

    def _sweep(self, w, q, tol, n_sweeps):
        return self._kernels.coordinate_sweeps(
            self.gram, q, w, self.size, *self._limits, n_sweeps, tol
        )

    def _newton(self, w, q):
        factor, slope = self._factor(w, q)
        if factor is None:
            return
        support = self._support[: slope.size]
        direction, _ = spotrs(factor, -slope, lower=1)
        self._kernels.bent_path(
            self.gram, q, w, self.size, *self._limits, support, direction.astype(float), self._image
        )

    def _factor(self, w, q):
        """Cholesky factor of the free part of the Gram matrix, and the slope there.

        The ridge is the smallest that served; where the support is larger than the rank it grows,
        and it shrinks again from step to step. None for a matrix that is not finite.
        """
        for _ in range(5):
            k = self._kernels.support_system(
                self.gram, q, w, self.size, *self._limits, self._ridge,
                self._support, self._system, self._slope,
            )  # fmt: skip
            if k == 0:
                break
            # Symmetric and contiguous: its transpose is what LAPACK wants, and overwrites.
            matrix = self._system[: k * k].reshape(k, k).T
            factor, info = spotrf(matrix, lower=1, overwrite_a=1, clean=0)
            if info == 0:
                self._ridge = max(0.1 * self._ridge, _LEAST_RIDGE)
                return factor, self._slope[:k]
            self._ridge *= 100.0
        self._ridge = _LEAST_RIDGE
        return None, None
