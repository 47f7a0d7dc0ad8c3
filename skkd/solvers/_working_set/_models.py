r"""Quadratic models of a risk on a working set, for dense columns.

A model knows the Gram matrix :math:`G` of its coordinates and solves
:math:`\min_d -q^\top d + \frac12 d^\top G d + g(w + d)`. For the squared loss G is built once and
grows; for other losses it is the Hessian at the current point, with free intercepts eliminated:

.. math::
    G = H_{ww} - H_{wb} H_{bb}^{+} H_{bw}, \qquad q = q_w - H_{wb} H_{bb}^{+} q_b

The columns are those of :class:`ColumnStore`, centred, and so is the q that models receive.
"""

import numpy as np

from ._columns import ColumnStore, products, symmetric_product
from ._inner import GramQuadratic

__all__ = ["GramModel", "HessianModel", "SoftmaxModel"]

_MAX_NEWTON = 3  # Newton steps of one model: the Hessian will be another one anyway


class GramModel:
    """Squared loss: one Gram matrix that grows with the working set."""

    def __init__(self, problem, design, risk, acceleration):
        self._problem = problem
        self._store = ColumnStore(design, risk.weights, problem.fit_intercept)
        self._quadratic = GramQuadratic(problem, acceleration)
        self._weights = risk.weights.astype(np.float32)

    def retarget(self, problem):
        """Go on with the strengths of another problem."""
        _add_ridge(self._quadratic.leading, problem.l2 - self._problem.l2, self._store.sizes)
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
        scaled = rows[k:] * self._weights
        if k:
            products(scaled, rows[:k], gram[k:, :k])
            gram[:k, k:] = gram[k:, :k].T
        if self._problem.weights is None:
            gram[k:, k:] = symmetric_product(rows[k:]) * self._weights[0]
        else:
            gram[k:, k:] = symmetric_product(rows[k:] * np.sqrt(self._weights))
        _add_ridge(gram[k:, k:], self._problem.l2, self._store.sizes[k:])

    def minimise(self, w, q, look, share):
        """New coefficients, and the intercept's change (none: every look solves for it)."""
        return self._quadratic.minimise(w, q, self._store.sizes, share), 0.0


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

    def minimise(self, w, q, look, share):
        """New coefficients and the change of the intercept that goes with them."""
        rows, sizes, means = self._store.rows, self._store.sizes, self._store.means
        curvature = look.curvature
        gram = self._quadratic.resize(np.empty(0, dtype=np.intp), rows.shape[0])
        gram[...] = symmetric_product(rows * np.sqrt(curvature).astype(np.float32))
        slope = mass = 0.0
        if self._problem.fit_intercept:
            slope, mass = float(look.pull.sum()), max(float(curvature.sum()), 1e-12)
            tilt = rows @ (curvature / mass).astype(np.float32)
            gram -= np.float32(mass) * tilt[:, None] * tilt
            q = q - slope * tilt * sizes
            means = means + tilt * sizes
        _add_ridge(gram, self._problem.l2, sizes)
        new = self._quadratic.minimise(w, q, sizes, share, max_newton=_MAX_NEWTON)
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

    def minimise(self, w, q, look, share):
        """New coefficients and the change of the intercepts that goes with them."""
        if w.size == 0:
            return w, 0.0
        classes = self._pairs % self._k
        place = np.empty(int(self._features.max()) + 1, dtype=np.intp)
        place[self._features] = np.arange(self._features.size)
        at = place[self._pairs // self._k]
        gram = self._quadratic.resize(np.empty(0, dtype=np.intp), w.size)
        self._fill_hessian(gram, look, at, classes)
        sizes = self._store.sizes[at]
        if self._problem.fit_intercept:
            cross, inverse, slope = self._eliminate(gram, look, at, classes)
            q = q - sizes * (cross @ (inverse @ slope))
        _add_ridge(gram, self._problem.l2, sizes)
        new = self._quadratic.minimise(w, q, sizes, share, max_newton=_MAX_NEWTON)
        if not self._problem.fit_intercept:
            return new, 0.0
        # The caller's columns are not centred: the means times the coefficients' change come off.
        step = new - w
        shift = inverse @ (slope - cross.T @ (sizes * step))
        np.subtract.at(shift, classes, self._store.means[at] * step)
        return new, shift

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
        """Take the free intercepts out of the Hessian."""
        P, s = look.state, self._risk.weights
        weighted = s[:, None] * P
        sums = self._store.rows.astype(float) @ weighted
        cross = -(self._store.rows[at] * weighted.T[classes].astype(np.float32)).astype(float) @ P
        cross[np.arange(at.size), classes] += sums[at, classes]
        inverse = self._risk.intercept_inverse(look)
        gram -= (cross @ inverse @ cross.T).astype(np.float32)
        return cross, inverse, look.pull.sum(axis=0)


def _add_ridge(gram, l2, sizes):
    """Add a ridge to the diagonal, in the coordinates of columns of unit size."""
    if l2 != 0.0:
        places = np.arange(gram.shape[0])
        gram[places, places] += (l2 / np.square(sizes)).astype(np.float32)
