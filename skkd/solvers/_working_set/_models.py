r"""Quadratic models of a risk on a working set, for dense columns.

A model knows the Gram matrix :math:`G` of its coordinates and solves
:math:`\min_d -q^\top d + \frac12 d^\top G d + g(w + d)`. For the squared loss G is built once and
grows; for other losses it is the Hessian at the current point, with free intercepts eliminated:

.. math::
    G = H_{ww} - H_{wb} H_{bb}^{+} H_{bw}, \qquad q = q_w - H_{wb} H_{bb}^{+} q_b
"""

import numpy as np

from ._columns import ColumnStore, symmetric_product
from ._inner import GramQuadratic

__all__ = ["GramModel", "HessianModel", "SoftmaxModel"]


class GramModel:
    """Squared loss: one Gram matrix that grows with the working set."""

    def __init__(self, problem, design, risk, acceleration):
        self._problem = problem
        self._store = ColumnStore(design, risk.weights, problem.fit_intercept)
        self._quadratic = GramQuadratic(problem, acceleration)
        self._roots = np.sqrt(risk.weights).astype(np.float32)
        self._equal_weights = problem.weights is None

    def retarget(self, problem):
        """Go on with the strengths of another problem."""
        gram = self._quadratic.leading
        gram[np.diag_indices_from(gram)] += np.float32(problem.l2 - self._problem.l2)
        self._problem = problem
        self._quadratic.retarget(problem)

    def change(self, kept, new):
        """Keep some coordinates of the working set, and append the features `new`."""
        k = kept.size
        self._store.change(kept, new)
        gram = self._quadratic.resize(kept, new.size)
        if new.size == 0:
            return
        rows = self._store.rows
        scaled = rows[k:] * (self._roots * self._roots)
        gram[k:, :k] = scaled @ rows[:k].T
        gram[:k, k:] = gram[k:, :k].T
        if self._equal_weights:
            gram[k:, k:] = symmetric_product(rows[k:]) * scaled.dtype.type(1.0 / rows.shape[1])
        else:
            gram[k:, k:] = symmetric_product(rows[k:] * self._roots)
        places = np.arange(k, gram.shape[0])
        gram[places, places] += np.float32(self._problem.l2)

    def minimise(self, w, q, look, tol):
        """New coefficients, and the intercept's change (none: every look solves for it)."""
        w, q = w.copy(), q.copy()
        self._quadratic.minimise(w, q, tol)
        return w, 0.0


class HessianModel:
    """A binary risk: the Hessian at the current point."""

    def __init__(self, problem, design, risk, acceleration):
        self._problem = problem
        self._store = ColumnStore(design, risk.weights, problem.fit_intercept)
        self._quadratic = GramQuadratic(problem, acceleration)

    def retarget(self, problem):
        """Go on with the strengths of another problem."""
        self._problem = problem
        self._quadratic.retarget(problem)

    def change(self, kept, new):
        """Keep some coordinates of the working set, and append the features `new`."""
        self._store.change(kept, new)

    def minimise(self, w, q, look, tol):
        """New coefficients and the change of the intercept that goes with them."""
        rows = self._store.rows
        curvature = look.curvature
        gram = self._quadratic.resize(np.empty(0, dtype=np.intp), rows.shape[0])
        scaled = rows * np.sqrt(curvature).astype(np.float32)
        gram[...] = symmetric_product(scaled)
        q = q.copy()
        slope = mass = 0.0
        means = self._store.means
        if self._problem.fit_intercept:
            slope, mass = float(look.pull.sum()), max(float(curvature.sum()), 1e-12)
            tilt = rows @ (curvature / mass).astype(np.float32)
            gram -= np.float32(mass) * tilt[:, None] * tilt
            means = means + tilt
            q -= slope * means
        gram[np.diag_indices_from(gram)] += np.float32(self._problem.l2)
        new = w.copy()
        self._quadratic.minimise(new, q, tol, max_newton=3)
        shift = slope / mass - float(means @ (new - w)) if mass else 0.0
        return new, shift


class SoftmaxModel:
    """Multinomial risk: coordinates are pairs of a feature and a class, ``feature * k + class``."""

    def __init__(self, problem, design, risk, acceleration):
        self._problem, self._risk = problem, risk
        self._store = ColumnStore(design, risk.weights, problem.fit_intercept)
        self._quadratic = GramQuadratic(problem, acceleration)
        self._k = problem.n_outputs
        self._features = np.empty(0, dtype=np.intp)
        self._pairs = np.empty(0, dtype=np.intp)

    def retarget(self, problem):
        """Go on with the strengths of another problem."""
        self._problem = problem
        self._quadratic.retarget(problem)

    def change(self, kept, new):
        """Keep some pairs of the working set, and append the pairs `new`."""
        self._pairs = np.concatenate([self._pairs[kept], new])
        wanted = np.unique(self._pairs // self._k)
        kept_features = np.flatnonzero(np.isin(self._features, wanted))
        added = np.setdiff1d(wanted, self._features)
        self._store.change(kept_features, added)
        self._features = np.concatenate([self._features[kept_features], added])

    def minimise(self, w, q, look, tol):
        """New coefficients and the change of the intercepts that goes with them."""
        classes = self._pairs % self._k
        place = np.empty(int(self._features.max()) + 1, dtype=np.intp)
        place[self._features] = np.arange(self._features.size)
        at = place[self._pairs // self._k]
        gram = self._quadratic.resize(np.empty(0, dtype=np.intp), w.size)
        self._fill_hessian(gram, look, at, classes)
        q = q.copy()
        if self._problem.fit_intercept:
            cross, inverse, slope = self._eliminate(gram, look, at, classes)
            q -= cross @ (inverse @ slope)
        gram[np.diag_indices_from(gram)] += np.float32(self._problem.l2)
        new = w.copy()
        self._quadratic.minimise(new, q, tol, max_newton=3)
        if not self._problem.fit_intercept:
            return new, 0.0
        return new, inverse @ (slope - cross.T @ (new - w))

    def _fill_hessian(self, gram, look, at, classes):
        """Blocks of equal classes, less the product of all: sum s P_c (1[c = c'] - P_c') x x'."""
        roots = np.sqrt(self._risk.weights)[:, None]
        spread = (roots * look.state).T.astype(np.float32)
        columns = self._store.rows[at] * spread[classes]
        gram[...] = -symmetric_product(columns)
        within = np.sqrt(self._risk.weights[:, None] * look.state).T.astype(np.float32)
        for c in range(self._k):
            members = np.flatnonzero(classes == c)
            block = symmetric_product(self._store.rows[at[members]] * within[c])
            gram[np.ix_(members, members)] += block

    def _eliminate(self, gram, look, at, classes):
        """Take the free intercepts out of the Hessian; they see the columns uncentred."""
        P, s = look.state, self._risk.weights
        weighted = s[:, None] * P
        sums = self._store.rows.astype(float) @ weighted
        cross = -(self._store.rows[at] * weighted.T[classes].astype(np.float32)).astype(float) @ P
        cross[np.arange(at.size), classes] += sums[at, classes]
        inverse = np.linalg.pinv(self._risk.intercept_curvature(look), hermitian=True)
        gram -= (cross @ inverse @ cross.T).astype(np.float32)
        bend = self._risk.intercept_curvature(look)
        # In the caller's coordinates the columns are not centred: means times the intercepts' part.
        cross = cross + self._store.means[at, None] * bend[classes]
        return cross, inverse, look.pull.sum(axis=0)
