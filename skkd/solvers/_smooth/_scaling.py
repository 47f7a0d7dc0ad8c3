r"""Scaled, centred rows in single precision: :math:`a_i = (x_i - m) \circ s`.

Means m and scales s come from some of the rows: what follows is exact for any m and s; they only
keep numbers near one, where single precision serves best.
"""

import numpy as np

from ..._threads import blas_threads, run_in_threads

__all__ = ["Scaling"]

_SAMPLE = 512
_BLOCK_BYTES = 2**18
_NEAR = 4.0
_CONSTANT = 1e-9  # deviation, as a share of the largest entry, that counts as rounding


class Scaling:
    """Maps scaled coefficients to true ones, and gradients the other way.

    Attributes
    ----------
    mean, scale : arrays of shape (p,)
        m and s.
    """

    def __init__(self, mean, scale):
        self.mean, self.scale = mean, scale

    @classmethod
    def of_columns(cls, X, fit_intercept):
        """Scaling of a dense matrix."""
        mean, scale = _moments(X[:: max(1, X.shape[0] // _SAMPLE)], fit_intercept)
        unknown = np.flatnonzero(~np.isfinite(scale))
        if unknown.size:  # constant in the sample, perhaps not elsewhere
            mean[unknown], scale[unknown] = _moments(X[:, unknown], fit_intercept)
        scale[~np.isfinite(scale)] = 1.0
        if np.all((scale > 1.0 / _NEAR) & (scale < _NEAR) & (np.abs(mean) * scale < _NEAR)):
            return cls.identity(X.shape[1])  # near enough to one, and the copy is made faster
        return cls(mean, scale)

    @classmethod
    def identity(cls, p):
        """No scaling."""
        return cls(np.zeros(p), np.ones(p))

    def to_parameters(self, x, W, b):
        """Coefficients and intercepts after a move x, of shape (p, k), from (W, b)."""
        moved = self.scale[:, None] * x
        return W + moved, b - self.mean @ moved

    def gradient(self, G):
        """Gradient in scaled coefficients, where that in the intercept is zero."""
        return self.scale[:, None] * G

    def rows(self, X, dtype):
        """The scaled copy of a dense matrix, in its memory order."""
        A = np.empty_like(X, dtype=dtype)
        n, p = X.shape
        step = max(16, _BLOCK_BYTES // (8 * p))
        centred, scaled = bool(self.mean.any()), bool(np.any(self.scale != 1.0))

        def one(low):
            rows = slice(low, low + step)
            if centred:
                block = X[rows] - self.mean
                block *= self.scale
                A[rows] = block
            elif not scaled:
                A[rows] = X[rows]
            else:
                np.multiply(X[rows], self.scale, out=A[rows], casting="same_kind")

        starts = range(0, n, step)
        run_in_threads(one, starts, blas_threads() if len(starts) > 8 else 1)
        return A


def _moments(X, fit_intercept):
    """Means (zero without an intercept) and inverse deviations (infinite where constant)."""
    X = np.asarray(X, dtype=np.float64)
    largest = np.abs(X).max(axis=0)
    safe = np.where(largest > 0.0, largest, 1.0)
    mean = X.mean(axis=0) if fit_intercept else np.zeros(X.shape[1])
    deviation = np.sqrt(np.mean(((X - mean) / safe) ** 2, axis=0))
    with np.errstate(divide="ignore"):
        scale = np.where(deviation > _CONSTANT, 1.0 / (deviation * safe), np.inf)
    return mean, scale
