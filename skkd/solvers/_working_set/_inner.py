r"""The quadratic of a working set: coordinate sweeps, then Newton on the support.

See :mod:`skkd._kernels.quadratic_descent` for the problem. Sweeps find the support; once few
coordinates switch, a Newton step on the support (one Cholesky factorisation) along a path that
bends at the kinks ends it.
"""

import numpy as np
from scipy.linalg.lapack import spotrf, spotrs

__all__ = ["GramQuadratic"]


class GramQuadratic:
    """A quadratic on a growing set of coordinates, with its Gram matrix in float32.

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
        self.retarget(problem)
        self.size = 0
        self.gram = np.empty((0, 0), dtype=np.float32)
        self.newton_steps = 0
        self.sweeps = 0

    def retarget(self, problem):
        """Go on with the strength and bounds of another problem."""
        self._limits = (float(problem.l1), float(problem.lower), float(problem.upper))

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
            self.gram[: kept.size, : kept.size] = old[np.ix_(kept, kept)]
        self.size = size
        return self.gram[:size, :size]

    def minimise(self, w, q, tol, *, max_newton=100):
        """Minimise from `w`, whose negative gradient is `q`; both change in place."""
        budget = 5
        newton = 0
        while True:
            violation, switches = self._sweep(w, q, tol, budget)
            if violation <= tol or newton >= max_newton:
                return
            done = budget
            while switches > 0.1 * np.count_nonzero(w) and done < 26:
                violation, switches = self._sweep(w, q, tol, 20)
                done += 20
                if violation <= tol:
                    return
            self._newton(w, q)
            newton += 1
            budget = 1

    def _sweep(self, w, q, tol, n_sweeps):
        self.sweeps += n_sweeps
        return self._kernels.coordinate_sweeps(
            self.gram, q, w, self.size, *self._limits, n_sweeps, tol
        )

    def _newton(self, w, q):
        self.newton_steps += 1
        matrix = self._system[: self.size**2].reshape(self.size, self.size)
        k = self._kernels.support_system(
            self.gram, q, w, self.size, *self._limits, self._support, matrix, self._slope
        )
        matrix = matrix[:k, :k]
        factor = _factor(matrix)
        direction, _ = spotrs(factor, -self._slope[:k], lower=1)
        self._kernels.bent_path(
            self.gram,
            q,
            w,
            self.size,
            *self._limits,
            self._support[:k],
            direction.astype(float),
            self._image,
        )


def _factor(matrix):
    """Cholesky factor; the ridge grows until there is one."""
    diagonal = matrix.diagonal().copy()
    ridge = 1e-7 * diagonal.mean()
    while True:
        trial = matrix.T.copy(order="F")
        trial[np.diag_indices_from(trial)] = diagonal + ridge
        factor, info = spotrf(trial, lower=1, overwrite_a=1, clean=0)
        if info == 0:
            return factor
        ridge *= 100.0
