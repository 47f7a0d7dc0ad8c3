r"""The linear system of harmonic labels, and three ways to solve it as generators of iterates.

With weights W, unlabelled nodes U, labelled nodes S of distributions :math:`F_S`, and a ridge
:math:`\rho` towards class frequencies :math:`\pi`,

.. math::
    A = \mathrm{diag}(W 1 + \rho)_{UU} - W_{UU}, \qquad
    B = W_{US} F_S + \rho\, 1 \pi^\top, \qquad A F_U = B .
"""

from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg

from ..solvers._bcd._forest_descent import ForestIterate, forest_descent

__all__ = ["HarmonicSystem", "energy_constant", "fast_solver", "iterates_of"]

# Updates after which a residual is computed afresh.
_REFRESH = 50
# Largest error, as told by how far distributions are from a sum of 1, of an accepted solution.
_CERTIFIED = 1e-8
# A residual, relative to the diagonal, that is all rounding.
_ROUNDING = 4.0 * np.finfo(np.float64).eps
# Up to this size elimination without subtraction, cubic and on a dense copy, mends what failed.
_MENDABLE = 4000
# The mean distance from the diagonal, after reordering, up to which sparse factors are cheaper than
# conjugate gradients; measured on neighbour graphs of 2 to 20 dimensions (see the user guide).
_NARROW = 400


@dataclass(frozen=True)
class HarmonicSystem:
    """The system ``A X = B`` of the unlabelled nodes.

    Attributes
    ----------
    weights : CSR matrix or array of shape (m, m)
        Weights among unlabelled nodes, without a diagonal.
    slack : array of shape (m,)
        Weight that joins each node to labels and to the class frequencies.
    B : array of shape (m, K)
        That weight by class.
    A : CSR matrix or array of shape (m, m)
        The matrix.
    diagonal : array of shape (m,)
        Its diagonal.
    offset : float
        What the quadratic ``tr(X' A X) / 2 - tr(B' X)`` lacks to be the energy of the graph.
    """

    weights: Any
    slack: Any
    B: Any
    A: Any
    diagonal: Any
    offset: float

    @classmethod
    def build(cls, W, labelled, F, prior, ridge):
        """The system of affinities W whose rows ``labelled`` have the distributions F."""
        rows = W[~labelled]
        to_labels = rows[:, labelled]
        weights = rows[:, ~labelled]
        B = to_labels @ F[labelled] + ridge * prior
        slack = np.asarray(to_labels.sum(axis=1)).ravel() + ridge
        diagonal = np.asarray(weights.sum(axis=1)).ravel() + slack
        if sp.issparse(W):
            weights = sp.csr_array(weights)
            A = sp.csr_array(sp.diags_array(diagonal) - weights)
        else:
            A = np.diag(diagonal) - weights
        return cls(weights, slack, B, A, diagonal, energy_constant(W, labelled, F, prior, ridge))

    def value(self, X, residual):
        """Energy, given the residual ``B - A X``."""
        return self.offset - 0.5 * float(np.sum(X * (residual + self.B)))

    def residual(self, X):
        """``B - A X``."""
        return self.B - self.A @ X


def energy_constant(W, labelled, F, prior, ridge):
    """Energy of the edges between labels, and what completes the square of those to labels."""
    between = W[labelled][:, labelled]
    known = F[labelled]
    to_labels = W[~labelled][:, labelled]
    squares = (known**2).sum(axis=1)
    among = 0.5 * float((between @ squares).sum() - np.sum(known * (between @ known)))
    completed = 0.5 * float((to_labels @ squares).sum())
    return among + completed + 0.5 * ridge * to_labels.shape[0] * float(prior @ prior)


def iterates_of(solver, system, start, *, selection, random_state):
    """Iterates of a solver: the start first, then one after each update."""
    if solver == "tree-bcd":
        return forest_descent(
            sp.csr_array(system.A),
            system.B,
            start,
            selection=selection,
            slack=system.slack,
            guard=True,
            offset=system.offset,
            random_state=random_state,
        )
    return (direct if solver == "direct" else conjugate_gradients)(system, start)


def fast_solver(system):
    """The solver that is likely to be fastest: "direct" or "cg".

    Sparse factors fill in with the width of the graph. Reverse Cuthill-McKee tells it at the cost
    of a few products with the matrix.
    """
    W = system.weights
    if not sp.issparse(W) or not W.nnz:
        return "direct"
    order = sp.csgraph.reverse_cuthill_mckee(W, symmetric_mode=True)
    place = np.empty(len(order))
    place[order] = np.arange(len(order))
    entries = W.tocoo()
    width = np.abs(place[entries.coords[0]] - place[entries.coords[1]]).mean()
    return "direct" if width <= max(_NARROW, 2.0 * len(order) ** 0.5) else "cg"


def conjugate_gradients(system, start):
    r"""Conjugate gradients, preconditioned by the diagonal D, on all columns side by side.

    One more column solves :math:`A h = D 1` (h is how long a walk takes to meet a label) until
    :math:`|D 1 - A h| \le \eta D 1` with :math:`\eta < 1`. Since the inverse of A is not negative,
    :math:`|B - A X| \le \epsilon D 1` then proves an error of at most
    :math:`\epsilon h / (1 - \eta)`.
    """
    diagonal = system.diagonal[:, None]
    X = np.column_stack([start, np.zeros(len(start))])
    B = np.column_stack([system.B, system.diagonal])
    R = B - system.A @ X
    Z = R / diagonal
    P, rho = Z, np.sum(R * Z, axis=0)
    for index in count():
        violation = _largest(Z[:, :-1])
        error = _proven_error(violation, X[:, -1], Z[:, -1])
        # Exact arithmetic would have ended by then, or the residual is all that rounding leaves.
        over = index > 2 * len(start) + _REFRESH or (violation <= _ROUNDING and error < np.inf)
        yield ForestIterate(
            params=X[:, :-1].copy(),
            value=system.value(X[:, :-1], R[:, :-1]),
            violation=violation,
            error=error,
            index=index,
            status="rounding" if index and over else None,
        )
        Q = system.A @ P
        step = _ratio(rho, np.sum(P * Q, axis=0))
        X += step * P
        R = B - system.A @ X if index % _REFRESH == _REFRESH - 1 else R - step * Q
        Z = R / diagonal
        rho, old = np.sum(R * Z, axis=0), rho
        P = Z + _ratio(rho, old) * P


def _proven_error(violation, steps, residual):
    """The bound of the docstring above, with room for rounding in the residual."""
    unsolved = _largest(residual)
    if unsolved >= 1.0:
        return np.inf
    return (violation + _ROUNDING) * _largest(steps) / (1.0 - unsolved)


def direct(system, start):
    """The start, and the solution by sparse or dense factors.

    Solutions sum to 1 over the classes. What a computed one lacks of that tells its error.
    """
    R = system.residual(start)
    violation = _largest(R / system.diagonal[:, None])
    yield ForestIterate(start, system.value(start, R), violation, np.inf)
    with np.errstate(all="ignore"):  # what is not finite is noticed below
        X = _factor_and_solve(system)
    error = _off_simplex(X)
    if error > _CERTIFIED and len(start) <= _MENDABLE:
        X = _eliminate(system)
        error = 0.0
    X = start if X is None else X
    R = system.residual(X)
    violation = _largest(R / system.diagonal[:, None])
    error = 0.0 if error <= _CERTIFIED else error
    yield ForestIterate(X, system.value(X, R), violation, error, index=1)


def _factor_and_solve(system):
    """The solution with one step of refinement, or None where the factors do not exist."""
    if not system.B.size:
        return system.B.copy()
    try:
        if sp.issparse(system.A):
            factors = scipy.sparse.linalg.splu(
                sp.csc_array(system.A),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
            solve = factors.solve
        else:
            cholesky = scipy.linalg.cho_factor(system.A, check_finite=False)

            def solve(rhs):
                return scipy.linalg.cho_solve(cholesky, rhs, check_finite=False)

    except (RuntimeError, scipy.linalg.LinAlgError):
        return None
    X = solve(system.B)
    return X + solve(system.residual(X))


def _eliminate(system):
    from .._kernels.grounded import eliminate_grounded

    W = system.weights
    W = W.toarray() if sp.issparse(W) else W.copy()
    X = np.ascontiguousarray(system.B).copy()
    eliminate_grounded(W, system.slack.copy(), X)
    return X


def _off_simplex(X):
    """How far distributions are from a sum of 1; solutions sum to 1, so it tells their error."""
    if X is None:
        return np.inf
    if not X.size:
        return 0.0
    off = np.abs(X.sum(axis=1) - 1.0).max()
    return off if np.isfinite(off) else np.inf


def _largest(Z):
    return float(np.max(np.abs(Z), initial=0.0))


def _ratio(numerator, denominator):
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
