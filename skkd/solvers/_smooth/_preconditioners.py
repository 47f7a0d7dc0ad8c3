"""Approximate inverses of the Hessian in the coefficients, intercepts eliminated."""

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, spotrf, spotrs

from .._linear_problem import NotFiniteError

__all__ = ["CholeskyFactor", "CholeskyPreconditioner", "DiagonalPreconditioner", "Kronecker"]

_SINGLE = 300  # order from which matrices in single precision are factored in it
_RIDGE = {np.dtype("f4"): 3e-8, np.dtype("f8"): 1e-15}  # times the square root of the order


class CholeskyFactor:
    """Cholesky factor of a positive semidefinite matrix, with as much ridge as it takes.

    Parameters
    ----------
    G : array of shape (p, p), float32 or float64
        Symmetric matrix; it is overwritten.
    accuracy : dtype
        In which the entries were computed: the ridge covers their rounding.
    """

    def __init__(self, G, accuracy):
        single = G.dtype == np.float32
        factor, self._solve = (spotrf, spotrs) if single else (dpotrf, dpotrs)
        self._dtype = G.dtype
        diagonal = np.einsum("ii->i", G)
        scale = np.where(diagonal > 0.0, diagonal, 1.0)
        ridge = _RIDGE[np.dtype(accuracy)] * G.shape[0] ** 0.5
        diagonal += ridge * scale
        for _ in range(20):
            # The transpose is in the order that LAPACK wants; a copy is kept for another try.
            self._factor, info = factor(G.T, lower=1, clean=0, overwrite_a=0)
            if info == 0 and np.isfinite(self._factor[-1, -1]):
                return
            ridge *= 100.0
            diagonal += ridge * scale
        raise NotFiniteError("a Hessian of the scaled columns has entries that are not finite")

    def solve(self, g):
        """``G^{-1} g``, in float64."""
        return self._solve(self._factor, g.astype(self._dtype, copy=False), lower=1)[0]


def plus_diagonal(G, diagonal, accuracy):
    """``G + diag(diagonal)`` in the type in which it is best factored."""
    single = G.shape[0] >= _SINGLE and np.dtype(accuracy) == np.float32
    H = G.astype(np.float32 if single else np.float64)
    np.einsum("ii->i", H)[:] += diagonal
    return H


class CholeskyPreconditioner:
    """One logit: the Cholesky factor of the Hessian on some or all rows.

    Parameters
    ----------
    G : array of shape (p, p)
        Centred, weighted Gram matrix.
    reg : array of shape (p,)
        Curvature of the penalty.
    accuracy : dtype
        Of the entries of `G`.
    is_newton : bool, default=False
        Whether this is the whole Hessian.
    """

    def __init__(self, G, reg, accuracy, is_newton=False):
        self.is_newton = is_newton
        self.factor = CholeskyFactor(plus_diagonal(G, reg, accuracy), accuracy)

    def solve(self, g):
        """Approximate Newton direction for the gradient `g` of shape (p, 1)."""
        return self.factor.solve(g)


class Kronecker:
    r"""K logits: mean curvature of the classes times Gram matrix of the features.

    The Hessian :math:`\sum_i s_i (\mathrm{diag}(p_i) - p_i p_i^\top) \otimes a_i a_i^\top` is
    replaced by the product of the two means; along each eigenvector of the first it is a multiple
    of the second. Directions that add a vector to all classes are left alone.

    Parameters
    ----------
    G : array of shape (p, p)
        Centred Gram matrix.
    S : array of shape (k, k)
        Mean curvature of the classes.
    reg : array of shape (p,)
        Curvature of the penalty.
    accuracy : dtype
        Of the entries of `G`.
    """

    is_newton = False

    def __init__(self, G, S, reg, accuracy):
        S = S - S.mean(axis=0)
        S -= S.mean(axis=1, keepdims=True)
        values, U = np.linalg.eigh(S)
        values = np.maximum(values[1:], 1e-10 * values[-1])
        self.U = np.ascontiguousarray(U[:, 1:])
        self.factors = [
            CholeskyFactor(plus_diagonal(value * G, reg, accuracy), accuracy) for value in values
        ]

    def solve(self, g):
        """Approximate Newton direction for the gradient `g` of shape (p, k)."""
        g = g @ self.U
        d = np.empty_like(g)
        for k, factor in enumerate(self.factors):
            d[:, k] = factor.solve(g[:, k])
        d = d @ self.U.T
        return d - d.mean(axis=1, keepdims=True)


class DiagonalPreconditioner:
    """The diagonal of the Hessian, for matrices too large for a factor.

    Parameters
    ----------
    diagonal : array of shape (p,)
        Of the centred Hessian without its penalty.
    reg : array of shape (p,)
        Curvature of the penalty.
    """

    is_newton = False

    def __init__(self, diagonal, reg, power=1.0):
        diagonal = diagonal + reg
        largest = diagonal.max(initial=0.0)
        floor = 1e-12 * largest if largest > 0.0 else 1.0
        diagonal = np.maximum(diagonal, floor)
        self.inverse = (diagonal**-power * diagonal.mean() ** (power - 1.0))[:, None]

    def solve(self, g):
        """Approximate Newton direction for the gradient `g` of shape (p, k)."""
        return self.inverse * g
