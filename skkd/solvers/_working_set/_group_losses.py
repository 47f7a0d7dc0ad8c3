"""The two losses that groups can be had with, on the columns of the working set.

Each keeps the coefficients of the working set and answers three questions: the pull of the losses
at the present point with its products with the columns inside (``look``), the value and the dual
bound (``bounds``), and a better point (``minimise``). Intercepts belong to centred columns.
"""

import numpy as np
import scipy.sparse as sp

from ._group_gap import feasible_shrink, group_norms
from ._group_quadratic import GroupQuadratic
from ._group_sparse import SparseGroupQuadratic
from ._risks import make_risk

__all__ = ["make_loss"]

_FILL = 2_000_000  # entries up to which a sparse matrix is as well treated as a dense one
_MODELS = 3  # second-order models in one pass
_FLAT = 1e-9  # least curvature of a row, relative to the largest


def make_loss(problem):
    """The loss of a problem with groups."""
    return (_Squared if problem.loss == "squared" else _Logistic)(problem)


class _Loss:
    """What both losses share: columns of the data."""

    def __init__(self, problem):
        n, p = problem.X.shape
        self.X, self.l2, self.centred = problem.X, problem.l2, problem.fit_intercept
        self.weights = np.full(n, 1.0 / n) if problem.weights is None else problem.weights
        self.sparse = sp.issparse(problem.X) and n * p > _FILL

    def model(self, target, scale):
        """A quadratic without columns."""
        kind = SparseGroupQuadratic if self.sparse else GroupQuadratic
        return kind(target, self.l2, scale, self.centred)

    def columns(self, features):
        """Columns of X as rows in float64, CSR or dense."""
        if not sp.issparse(self.X):
            return np.asarray(self.X.T[features], dtype=float)
        columns = sp.csr_array(self.X[:, features].T.astype(float))
        return columns if self.sparse else columns.toarray()


class _Squared(_Loss):
    """Half the weighted mean of squares.

    Rows are scaled by the roots of their weights and, with an intercept, centred: what remains is
    a quadratic without weights or intercept.
    """

    def __init__(self, problem):
        super().__init__(problem)
        self.root = np.sqrt(self.weights)
        self.intercept = float(self.weights @ problem.y) if self.centred else 0.0
        self.quadratic = self.model(self.root * (problem.y - self.intercept), self.root)

    @property
    def means(self):
        return self.quadratic.means

    @property
    def w(self):
        return self.quadratic.w

    @property
    def tau(self):
        return self.quadratic.tau

    def extend(self, features, sizes, lam, w):
        self.quadratic.extend(self.columns(features), sizes, lam, w)

    def set_intercept(self, intercept):
        """Nothing to do: the intercept follows from the coefficients."""

    def look(self):
        residual = self.quadratic.residual()
        if self.centred:
            residual -= self.root * (self.root @ residual)
        self.residual = residual
        return self.root * residual, self.quadratic.products(residual)

    def bounds(self, limit):
        q, r = self.quadratic, self.residual
        value = 0.5 * (r @ r + q.l2 * (q.w @ q.w))
        with_target = r @ q.target
        kappa = min(limit, with_target / (2.0 * value)) if value > 0.0 else limit
        penalty = q.lam @ group_norms(q.w, q.starts)
        return value + penalty, kappa * (with_target - kappa * value)

    def minimise(self, tol, gap):
        self.quadratic.solve(tol, gap)


class _Logistic(_Loss):
    """Weighted mean of the logistic losses of two classes.

    A pass minimises up to three second-order models, each followed by a line search.
    """

    def __init__(self, problem):
        super().__init__(problem)
        self.risk = make_risk(problem)
        self.intercept, self.means = 0.0, np.empty(0)
        self.w, self.lam, self.sizes = np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)
        self.starts = np.zeros(1, dtype=np.int64)
        self._rows = None

    @property
    def tau(self):
        return group_norms(self.w, self.starts) / self.lam

    def extend(self, features, sizes, lam, w):
        columns = self.columns(features)
        means = columns @ self.weights if self.centred else np.zeros(features.size)
        self.means = np.concatenate((self.means, means))
        if not self.sparse:
            columns -= means[:, None]
        if self._rows is None:
            self._rows = columns
        elif self.sparse:
            self._rows = sp.csr_array(sp.vstack((self._rows, columns), format="csr"))
        else:
            self._rows = np.concatenate((self._rows, columns))
        self.sizes = np.concatenate((self.sizes, sizes))
        self.starts = np.concatenate(([0], np.cumsum(self.sizes)))
        self.lam = np.concatenate((self.lam, lam))
        self.w = np.concatenate((self.w, np.zeros(features.size) if w is None else w))

    def set_intercept(self, intercept):
        if self.centred:
            self.intercept = intercept + float(self.means @ self.w)

    def look(self):
        self.margins = self._fit(self.w)
        self.seen = self.risk.look(self.margins, self.intercept, 1e-16)
        self.intercept = self.seen.intercept
        return self.seen.pull, self._products(self.seen.pull)

    def bounds(self, limit):
        ridge = 0.5 * self.l2 * (self.w @ self.w)
        penalty = self.lam @ group_norms(self.w, self.starts)
        bound = self.risk.dual(self.seen, limit) - limit * limit * ridge
        return self.seen.value + ridge + penalty, bound

    def minimise(self, tol, gap):
        for _ in range(_MODELS):
            model = self._second_order()
            model.solve(max(0.3 * tol, 0.03 * gap), gap)
            before = self.w, self.margins, self.seen
            moved = self._move(model.w)
            if not moved:
                return
            after = self._inner_gap()
            if moved == "level" and after >= gap:
                self.w, self.margins, self.seen = before
                self.intercept = self.seen.intercept
                return
            gap = after
            if gap <= tol:
                return

    def _second_order(self):
        """The quadratic that agrees with the losses to second order, intercept eliminated."""
        curvature = np.maximum(self.seen.curvature, _FLAT * self.seen.curvature.max())
        root = np.sqrt(np.maximum(curvature, 1e-300))
        fit = root * self.margins
        if self.centred:
            fit -= (root @ fit) / (root @ root) * root
        model = self.model(self.seen.pull / root + fit, root)
        model.extend(self._rows, self.sizes, self.lam, self.w.copy())
        return model

    def _move(self, w):
        """Go to `w`, or half as far until the objective falls by enough.

        Returns
        -------
        moved : {"lower", "level", None}
            "level" where rounding hides whether the objective fell; None if nothing helped.
        """
        step = w - self.w
        change = self._fit(step)
        value, decrease = self._objective(self.w, self.seen), self._decrease(w, change)
        length = 1.0
        while length > 1e-4:
            trial = w if length == 1.0 else self.w + length * step
            margins = self.margins + length * change
            seen = self.risk.look(margins, self.intercept, 1e-16)
            fall = value - self._objective(trial, seen)
            lower = fall >= max(1e-3 * length * decrease, 0.0) and fall > 1e-14 * value
            if lower or abs(fall) <= 1e-14 * value:
                self.w, self.margins, self.seen = trial, margins, seen
                self.intercept = seen.intercept
                return "lower" if lower else "level"
            length *= 0.5
        return None

    def _decrease(self, w, change):
        """What the objective would fall by if the losses were linear."""
        smooth = self.seen.pull @ change - self.l2 * (self.w @ (w - self.w))
        norms = group_norms(self.w, self.starts) - group_norms(w, self.starts)
        return smooth + self.lam @ norms

    def _objective(self, w, seen):
        return seen.value + 0.5 * self.l2 * (w @ w) + self.lam @ group_norms(w, self.starts)

    def _inner_gap(self):
        """Duality gap on the working set."""
        c = self._products(self.seen.pull) - self.l2 * self.w
        limit = feasible_shrink(group_norms(c, self.starts), self.lam)
        value, bound = self.bounds(limit)
        return value - bound

    def _fit(self, w):
        """Margins of coefficients on the centred columns."""
        if self._rows is None:
            return np.zeros(self.weights.size)
        fit = self._rows.T @ w
        return fit - self.means @ w if self.sparse else fit

    def _products(self, pull):
        """Products of the centred columns with a pull; one that sums to zero sees no means."""
        return np.empty(0) if self._rows is None else self._rows @ pull
