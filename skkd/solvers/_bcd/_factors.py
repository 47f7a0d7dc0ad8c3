r"""Solving with the positive semidefinite matrices of blocks, singular ones included.

The matrix is scaled to unit diagonal first, so that nothing below depends on the units of a
variable: :math:`H = D^{1/2} C D^{1/2}`. Where C is well away from singular its Cholesky factor
serves as it is; a ridge would cost digits. Elsewhere (duplicated columns; all classes of a softmax
in one block) the eigenvalues of C below a 1e-12th of the largest count as zero, and directions
without curvature are left alone.
"""

import numpy as np
from scipy.linalg import lapack

__all__ = ["Factor"]

_SMALLEST_PIVOT = 1e-5  # of the Cholesky factor: its square is where the eigenvalues take over
_RANK = 1e-12


class Factor:
    """A factor of a symmetric positive semidefinite matrix.

    Variables whose diagonal entry is zero have no curvature; no step is ever made along them.

    Parameters
    ----------
    matrix : array of shape (tau, tau)
        The matrix; left as it is.
    """

    def __init__(self, matrix):
        diagonal = np.diagonal(matrix)
        moving = diagonal > 0
        self.scale = np.zeros(len(diagonal))
        np.divide(
            1.0, np.sqrt(diagonal, where=moving, out=self.scale), where=moving, out=self.scale
        )
        scaled = matrix * self.scale
        scaled *= self.scale[:, None]
        self._root = None
        self._lower = _cholesky(scaled, moving)
        if self._lower is None:
            self._root = _pseudo_root(scaled) * self.scale

    def solve(self, rhs):
        """Pseudo-inverse of the matrix times `rhs`."""
        if self._root is not None:
            return self._root.T @ (self._root @ rhs)
        solution, _ = lapack.dpotrs(self._lower, self.scale * rhs, lower=1)
        return self.scale * solution

    @property
    def root(self):
        """Matrix R whose square ``R.T @ R`` is the pseudo-inverse; (rank, tau), or (tau, tau)."""
        if self._root is None:
            inverse, _ = lapack.dtrtri(self._lower, lower=1)
            self._root = np.tril(inverse) * self.scale
        return self._root


def _cholesky(scaled, moving):
    """Lower factor of a matrix of unit diagonal; None where it is nearly singular."""
    padded = scaled.copy()
    steps = padded.ravel()[:: len(padded) + 1]
    steps[~moving] = 1.0
    lower, info = lapack.dpotrf(padded, lower=1)
    if info != 0 or np.min(np.diagonal(lower), initial=1.0) < _SMALLEST_PIVOT:
        return None
    return lower


def _pseudo_root(scaled):
    """R with ``R.T @ R`` the pseudo-inverse of a symmetric matrix, negative rounding dropped."""
    values, vectors = np.linalg.eigh(scaled)
    kept = values > _RANK * max(values[-1], 0.0)
    return (vectors[:, kept] / np.sqrt(values[kept])).T
