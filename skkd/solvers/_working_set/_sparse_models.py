"""The quadratic model of a risk on a working set of sparse columns, in the space of residuals."""

import numpy as np

from ._anderson import SWEEPS, extrapolation_weights

__all__ = ["SparseModel"]

_MAX_ROUNDS = 50  # of sweeps and a Newton step or an extrapolation

# Share of the slope at which conjugate gradients stop, and the most steps they make.
_FORCING = 0.1
_MAX_CG = 200


class SparseModel:
    """Squared loss or a binary risk: sweeps on the residual, then Newton by conjugate gradients.

    The columns of the working set are copied side by side, scaled by the roots of the curvatures;
    a free intercept is eliminated by centring them implicitly
    (:mod:`skkd._kernels.sparse_descent`).
    """

    def __init__(self, problem, design, risk, acceleration):
        from ..._kernels import sparse_descent as kernels

        self._kernels = kernels
        self._design, self._risk, self._acceleration = design, risk, acceleration
        self.retarget(problem)
        self._members = np.empty(0, dtype=np.intp)
        self._matrix = None

    def retarget(self, problem):
        """Go on with the strengths and bounds of another problem."""
        self._problem = problem
        self._limits = (
            float(problem.l1),
            float(problem.l2),
            float(problem.lower),
            float(problem.upper),
        )

    def change(self, kept, new):
        """Keep some coordinates of the working set, and append the features `new`."""
        if new.size == 0 and kept.size == self._members.size:
            return
        self._members = np.concatenate([self._members[kept], new])
        self._matrix = self._design.X[:, self._members]
        rows = self._matrix.indices
        self._rows = rows.view(np.uint32) if rows.itemsize == 4 else rows.astype(np.uint32)
        self._starts = self._matrix.indptr.astype(np.int64)
        self._scaled_for = None

    def minimise(self, w, q, look, share):
        """New coefficients, and the change of the intercept that goes with them."""
        system = self._system(look)
        start, w = w, w.copy()
        if self._problem.l1 > 0.0:
            w[system.norms == 0.0] = 0.0  # only the penalty is left of such a column
        residual, offset = system.residual.copy(), np.zeros(1)
        violation, _ = self._sweep(system, w, residual, offset, 1, 0.0)
        if violation > 0.0:
            solve = self._alternate if self._acceleration == "newton" else self._sweep_on
            solve(system, w, residual, offset, share * violation)
        if not self._problem.fit_intercept or self._risk.quadratic:
            return w, 0.0
        return w, system.slope / system.mass - float(system.means @ (w - start))

    def _alternate(self, system, w, residual, offset, tol):
        """Sweeps while coordinates switch, else Newton steps with a sweep between them."""
        n_sweeps = 5
        for _ in range(_MAX_ROUNDS):
            violation, switches = self._sweep(system, w, residual, offset, n_sweeps, tol)
            if violation <= tol:
                return
            allowed = 0 if self._risk.quadratic else 0.05 * np.count_nonzero(w)
            if switches <= allowed:
                self._newton(system, w, residual, offset)
                n_sweeps = 1

    def _sweep_on(self, system, w, residual, offset, tol):
        """Sweeps alone, extrapolated if that was asked for."""
        points = [(w.copy(), residual.copy(), offset.copy())]
        for _ in range(_MAX_ROUNDS * SWEEPS):
            violation, _ = self._sweep(system, w, residual, offset, 1, tol)
            if violation <= tol:
                return
            points.append((w.copy(), residual.copy(), offset.copy()))
            if len(points) > SWEEPS:
                if self._acceleration == "anderson":
                    self._extrapolate(system, w, residual, offset, points)
                points = [(w.copy(), residual.copy(), offset.copy())]

    def _extrapolate(self, system, w, residual, offset, points):
        """Move to the extrapolated point if the objective is lower there."""
        weights = extrapolation_weights(np.array([point[0] for point in points]))
        if weights is None:
            return
        trial = [
            sum(c * point[i] for c, point in zip(weights, points[1:], strict=True))
            for i in range(3)
        ]
        _, _, lower, upper = self._limits
        inside = np.all((lower <= trial[0]) & (trial[0] <= upper))
        if inside and self._objective(system, *trial) < self._objective(
            system, w, residual, offset
        ):
            w[:], residual[:], offset[:] = trial

    def _objective(self, system, w, residual, offset):
        l1, l2, _, _ = self._limits
        full = residual + offset[0] * system.roots
        return 0.5 * float(full @ full) + 0.5 * l2 * float(w @ w) + l1 * float(np.abs(w).sum())

    def _sweep(self, system, w, residual, offset, n_sweeps, tol):
        return self._kernels.coordinate_sweeps(
            system.values, self._rows, self._starts, system.sums, system.means,
            system.norms + self._problem.l2, residual, offset, w, *self._limits, n_sweeps, tol,
        )  # fmt: skip

    def _newton(self, system, w, residual, offset):
        arrays = (system.values, self._rows, self._starts)
        l1, l2, lower, upper = self._limits
        free = (lower < w) & (w < upper) & (system.norms > 0.0)
        if l1 > 0.0 or lower == 0.0 or upper == 0.0:
            free &= w != 0.0
        support = np.flatnonzero(free)
        if support.size == 0:
            return
        direction, image = np.empty(support.size), np.empty(residual.size)
        self._kernels.conjugate_gradients(
            *arrays, system.sums, system.means, system.norms, residual, offset, w, l1, l2,
            support, _FORCING, _MAX_CG, direction, image, np.empty((3, support.size)),
        )  # fmt: skip
        self._kernels.bent_path(
            *arrays, system.means, system.mass, residual, offset, w, l1, l2, lower, upper,
            support, direction, image,
        )  # fmt: skip

    def _system(self, look):
        """Scaled columns with their sums, means and norms, and the residual to be explained."""
        if self._risk.quadratic and self._scaled_for is not None:
            system = self._scaled_for
            system.residual = look.pull / system.roots
            return system
        curvature = self._risk.weights if self._risk.quadratic else look.curvature
        # Where the curvature vanishes the residual would be infinite; a little more of it only
        # makes the model a little safer.
        floor = 1e-10 * float(curvature.max())
        curvature = np.maximum(curvature, floor if floor > 0.0 else 1e-300)
        system = _System(self._matrix, curvature, look, self._problem.fit_intercept, self._rows)
        self._scaled_for = system
        return system


class _System:
    """Columns scaled by the roots of the curvatures, and what centring them needs."""

    def __init__(self, matrix, curvature, look, fit_intercept, rows):
        self.roots = np.sqrt(curvature)
        self.values = matrix.data * self.roots[rows]
        starts = matrix.indptr
        self.norms = _sums_by_column(self.values * self.values, starts)
        self.residual = look.pull / self.roots
        self.mass = float(curvature.sum())
        self.slope = 0.0
        if fit_intercept:
            self.sums = _sums_by_column(self.values * self.roots[rows], starts)
            self.means = self.sums / self.mass
            self.norms = self._centred_norms(matrix, rows)
            self.slope = float(look.pull.sum())
            self.residual -= (self.slope / self.mass) * self.roots
        else:
            self.sums = self.means = np.zeros(matrix.shape[1])

    def _centred_norms(self, matrix, rows):
        """Squared norms of the centred columns; 0 for constant ones, all rounding."""
        norms = self.norms - self.sums * self.means
        for j in np.flatnonzero(norms < 1e-6 * self.norms):  # the difference has too few digits
            part = slice(*matrix.indptr[j : j + 2])
            elsewhere = self.roots.copy()
            elsewhere[rows[part]] = 0.0
            inside = self.values[part] - self.means[j] * self.roots[rows[part]]
            norm = inside @ inside + self.means[j] ** 2 * (elsewhere @ elsewhere)
            norms[j] = norm if norm > 1e-26 * self.norms[j] else 0.0
        return norms


def _sums_by_column(values, starts):
    """Sum of each column's values; 0 for empty columns."""
    sums = np.zeros(starts.size - 1)
    filled = starts[1:] > starts[:-1]
    if filled.any():
        sums[filled] = np.add.reduceat(values, starts[:-1][filled])
    return sums
