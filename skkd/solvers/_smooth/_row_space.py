r"""Fewer rows than columns: the solution is sought as a combination of the rows.

The optimum is :math:`w = X^\top a`, and with :math:`K = X X^\top` the logits are K a. The gradient
in w is :math:`X^\top c` with :math:`c = r + \lambda a`, r the residuals; so directions are n
numbers per logit, inner products of a direction d with a gradient c are :math:`(K d)^\top c`, and
trial steps cost no pass. In these coordinates Newton's method reads
:math:`(\lambda I + D K)\, d = c`, which is solved exactly where K is formed,

.. math::
    d = (c - \sqrt D B^{-1} \sqrt D K c) / \lambda, \qquad B = \lambda I + \sqrt D K \sqrt D .

Where X is large K is replaced by its diagonal: rows of many columns are nearly orthogonal.

References
----------
Rasmussen, C. E., Williams, C. K. I., "Gaussian Processes for Machine Learning", MIT Press 2006,
algorithm 3.1.
"""

import numpy as np

from ..._threads import blas_threads, run_in_threads
from .._linear_problem import NotFiniteError
from ._descent import descend
from ._objective import Logits
from ._preconditioners import CholeskyFactor

__all__ = ["RowModel"]

_CHUNK = 2**18  # numbers copied at a time
_DEVIATION = 0.1
_SINGLE_UP_TO = 1e4  # condition of B up to which it is factored in single precision
_MAX_CHUNKS = 16
_SMALL = 1e-6  # entries of such size, or of its inverse, have no squares in single precision
_MAX_PASSES = 200
_AIM = 0.3
_FORMED, _FORMED_SQUARE = 600, 2000  # rows up to which K is formed: many columns each, or few


class RowModel:
    """Model of the objective in the space of the rows; parameters as of the other models."""

    def __init__(self, problem, loss, exact):
        self.problem, self.exact = problem, exact
        X, centred = problem.X, problem.fit_intercept
        if _forms_kernel(problem, exact):
            self.mean = X.mean(axis=0, dtype=float) if centred else np.zeros(X.shape[1])
            largest = float(np.abs(X[:, :: max(1, X.shape[1] // 64)]).max())
            precise = not _SMALL < largest < 1.0 / _SMALL
            kernel = Kernel(X, self.mean, np.float64 if precise else np.float32)
        else:
            self.mean = np.zeros(X.shape[1])
            kernel = ProductKernel(exact.rows)
        self.a, self._error = None, 1.0
        self._use(kernel, loss)

    @classmethod
    def fits(cls, problem, exact, cold):
        """Fewer rows than columns, a penalty, and a start that is known to lie in the row space."""
        n, p = problem.X.shape
        if problem.l2 == 0.0 or p <= n:
            return False
        return _forms_kernel(problem, exact) or (cold and p > 4 * n)

    def minimise(self, W, b, point, tol):
        """Coefficients and intercepts near the minimum; `point` is what the last ones led to."""
        base = None
        if self.a is None:
            self.a = self._combination(W, point)
        elif self.objective.kernel.K is None:
            self._error = max(point.gap / max(self._estimate, 1e-300), 1.0)
        else:  # the logits are known better than K gives them
            base = point.Z - (point.b - point.step + self.mean @ W)[:, None]
        self.objective.intercept = b + self.mean @ W
        self.objective.base = base
        self._before = self.a
        self.a = descend(
            self.objective,
            self.a,
            self._metric,
            self._measure,
            tol * _AIM,
            max_passes=_MAX_PASSES,
            pairs=self._pairs,
        )
        W = self._coefficients()
        return W, self.objective.intercept - self.mean @ W

    def halfway(self, W, b, point):
        """Between the last minimum and the one before; `b` follows."""
        self.a = 0.5 * (self.a + self._before)
        W = self._coefficients()
        return W, 0.5 * (b + point.b)

    def _coefficients(self):
        W = self.exact.rows.pullback(self.a)
        W -= np.outer(self.mean, self.a.sum(axis=1))
        return W

    def more_precise(self):
        """Compute K in double precision; False if it is."""
        kernel = self.objective.kernel
        if kernel.K is None or kernel.dtype == np.float64:
            return False
        self._use(Kernel(kernel.X, self.mean, np.float64), self.objective.loss)
        return True

    def _use(self, kernel, loss):
        fit_intercept = self.problem.fit_intercept
        self.objective = RowObjective(kernel, loss, self.problem.l2, fit_intercept)
        self._metric, self._pairs = RowMetric(), []

    def _measure(self, c, square):
        self._estimate = self.objective.gap(c)
        return self._estimate * self._error

    def _combination(self, W, point):
        """Of the rows, nearest to W."""
        k, n = W.shape[1], self.problem.X.shape[0]
        if point is None or not W.any():
            return np.zeros((k, n))
        K = self.objective.kernel.K.copy()
        np.einsum("ii->i", K)[:] += 1e-6 * max(np.trace(K) / n, 1e-300)
        logits = self.exact.rows.logits(W) - (self.mean @ W)[:, None]
        a = CholeskyFactor(K, np.float64).solve(np.ascontiguousarray(logits.T)).T
        if self.problem.fit_intercept:
            a = a - a.mean(axis=1, keepdims=True)
        return np.ascontiguousarray(a)


def _forms_kernel(problem, exact):
    n, p = problem.X.shape
    return not exact.rows.sparse and n <= (_FORMED if p > 4 * n else _FORMED_SQUARE)


class Kernel:
    """K of a dense matrix with centred columns, formed.

    Parameters
    ----------
    X : array of shape (n, p)
        The rows.
    mean : array of shape (p,)
        What is subtracted from them.
    dtype : dtype
        In which the products are computed.
    """

    def __init__(self, X, mean, dtype):
        self.X, self.dtype = X, np.dtype(dtype)
        n, p = X.shape
        width = max(64, _CHUNK // n, -(-p // _MAX_CHUNKS))
        centred = bool(mean.any())

        def one(low):
            part = X[:, low : low + width]
            if centred:
                part = part - mean[low : low + width]
            part = part.astype(dtype, copy=False)
            return part @ part.T

        starts = range(0, p, width)
        parts = run_in_threads(one, starts, blas_threads() if len(starts) > 1 else 1)
        self.K = sum(parts[1:], parts[0].astype(np.float64))
        self.diagonal = np.diagonal(self.K)
        if not np.isfinite(self.diagonal.sum()):
            raise NotFiniteError("the inner products of the rows of X are not finite")
        self._single = None

    def product(self, U):
        """``U K`` for U of shape (k, n)."""
        return U @ self.K

    def matrix(self, dtype):
        """K in a type."""
        if dtype == np.float64:
            return self.K
        if self._single is None:
            self._single = self.K.astype(np.float32)
        return self._single


class ProductKernel:
    """K as a product with X' and one with X.

    Parameters
    ----------
    rows : design
        With ``logits``, ``pullback`` and ``row_squares``.
    """

    K = None

    def __init__(self, rows):
        self.rows = rows
        self.diagonal = rows.row_squares()

    def product(self, U):
        """``U K`` for U of shape (k, n)."""
        return self.rows.logits(self.rows.pullback(U))


class RowObjective(Logits):
    """The objective as a function of the combination `a` of shape (k, n), intercept eliminated."""

    slopes = (-0.2, 0.2)

    def __init__(self, kernel, loss, l2, fit_intercept):
        super().__init__(loss, fit_intercept, lambda function: [function(slice(None))])
        self.kernel, self.l2, self.base = kernel, l2, None

    def start(self, a):
        """The combination that is the gradient at a."""
        self._a, self.Z = a, self.image(a) if self.base is None else self.base
        self.look()
        return self._gradient()

    def image(self, d):
        """Logits of a combination."""
        return self.kernel.product(d) if d.any() else np.zeros_like(d)

    def aim(self, d, image):
        """Look along -d from now on."""
        self._d, self._move = d, image
        self._linear = self.l2 * float(np.vdot(image, self._a))
        self._square = self.l2 * float(np.vdot(image, d))

    def slope(self, t):
        """Derivative at ``a - t d`` along -d."""
        self.look(t, self._move)
        return -(float(np.vdot(self._move, self.moved)) + self._linear - t * self._square)

    def accept(self, t):
        """Go to ``a - t d``, where the slope was asked for last; the gradient there."""
        self._a = self._a - t * self._d
        self.Z = self.Z - t * self._move
        return self._gradient()

    def start_square(self, preconditioner):
        """There is no correction."""
        return 0.0

    def gap(self, c):
        """Duality gap for the gradient c, exactly or, without K, estimated."""
        if self.kernel.K is not None:
            square = np.vdot(self.kernel.product(c), c)
        else:
            square = np.sum(self.kernel.diagonal * c * c)
        return float(square) / (2.0 * self.l2)

    def _gradient(self):
        c = self.moved + self.l2 * self._a
        return c - c.mean(axis=0) if c.shape[0] > 1 else c


class RowMetric:
    """Approximate Hessians in a row space, computed anew where the curvature has changed."""

    def __init__(self):
        self.current = None

    def __call__(self, objective, passes, deviation):
        """The preconditioner for the next step."""
        stale = deviation > _DEVIATION and not objective.loss.quadratic
        if self.current is None or stale:
            if objective.loss.n_outputs > 1:
                cls = RowBlocks
            else:
                cls = RowDiagonal if objective.kernel.K is None else RowFactor
            self.current = cls(objective)
        return self.current


class RowFactor:
    """One logit: the Cholesky factor of B.

    Without an intercept d solves Newton's equations. With one, these have D d' b added to their
    right side, b being such that d sums to zero as c does.
    """

    is_newton = True

    def __init__(self, objective):
        self.kernel, self.l2 = objective.kernel, objective.l2
        weights = objective.curvature()
        self.root = np.sqrt(weights)
        largest = float(np.max(weights * self.kernel.diagonal, initial=0.0))
        # A factor in single precision is refined by the steps made with it.
        dtype = np.float32 if largest < _SINGLE_UP_TO * self.l2 else np.float64
        root = self.root.astype(dtype)
        B = self.kernel.matrix(dtype) * root
        B *= root[:, None]
        np.einsum("ii->i", B)[:] += self.l2
        self.factor = CholeskyFactor(B, dtype)
        self.border = self._solve(weights[None])[0] if objective.fit_intercept else None

    def solve(self, c):
        """Newton direction for the gradient c of shape (1, n)."""
        d = self._solve(c)
        return d if self.border is None else _without_sum(d, self.border)

    def _solve(self, q):
        d = q.copy()
        d[0] -= self.root * self.factor.solve((self.kernel.product(q) * self.root)[0])
        d /= self.l2
        return d


class RowDiagonal:
    """One logit: K replaced by its diagonal."""

    is_newton = False

    def __init__(self, objective):
        curvature = objective.curvature()
        self.inverse = 1.0 / (objective.l2 + curvature * objective.kernel.diagonal)
        self.border = curvature * self.inverse if objective.fit_intercept else None

    def solve(self, c):
        """Approximate Newton direction for the gradient c of shape (1, n)."""
        d = c * self.inverse
        return d if self.border is None else _without_sum(d, self.border)


def _without_sum(d, border):
    total = float(border.sum())
    return d - (float(d.sum()) / total) * border if total > 0.0 else d


class RowBlocks:
    r"""K logits: K replaced by its diagonal, which leaves one small system for each row.

    With the diagonal entry :math:`\kappa` of a row and its masses m, of sum s, that of the row is
    :math:`\lambda I + \kappa (\mathrm{diag}(m) - m m^\top / s)`.
    """

    is_newton = False

    def __init__(self, objective):
        loss, kappa = objective.loss, objective.kernel.diagonal
        self.l2 = objective.l2
        masses = loss.masses(objective.R)
        self.inverse = 1.0 / (self.l2 + kappa * masses)
        self.along = self.inverse * masses
        scale = kappa / np.where(loss.weights > 0.0, loss.weights, np.inf)
        rest = 1.0 - scale * (masses * self.along).sum(axis=0)
        self.scale = scale / np.maximum(rest, 1e-12)
        self.border = None
        if objective.fit_intercept:
            floor = 1e-12 * max(float(kappa.max()), 1e-300)
            self.kappa = np.maximum(kappa, floor)
            self._make_border()

    def solve(self, c):
        """Approximate Newton direction for the gradient c of shape (k, n)."""
        d = self._solve(c)
        if self.border is not None:  # shifts of the intercepts make d sum to zero
            shift = (self.border @ d.sum(axis=1))[:, None]
            d -= (shift - self.l2 * self._solve(shift)) / self.kappa
        return d - d.mean(axis=0)

    def _solve(self, c):
        return c * self.inverse + self.along * (self.scale * (self.along * c).sum(axis=0))

    def _make_border(self):
        """Inverse of ``sum_i M_i^{-1} S_i``, where ``M_i = l2 I + kappa_i S_i``."""
        share = self.l2 / self.kappa
        total = -(self.along * (self.scale * share)) @ self.along.T
        np.einsum("ii->i", total)[:] += (1.0 / self.kappa - share * self.inverse).sum(axis=1)
        self.border = np.linalg.pinv(total, rcond=1e-10, hermitian=True)
