"""Every loss as a test case, random logits for it, and derivatives by finite differences.

Shared by the tests of losses, objectives, solvers and backends.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skkd.losses import (
    BinaryLogLoss,
    ExponentialLoss,
    MulticlassPerceptronLoss,
    MultinomialLogLoss,
    PairwiseLoss,
    PerceptronLoss,
    SquaredHingeLoss,
    SquaredLoss,
    Target,
    WorstMarginLoss,
)

# Logits this far from every kink of every loss are smooth enough for the stencil below.
KINK = 0.02
STEP = 2e-3


@dataclass(frozen=True)
class Case:
    """A loss, its number of logits and what its target holds."""

    name: str
    loss: Any
    k: int
    labels: str  # "hard", "soft" or "values"

    def __str__(self):
        return self.name

    @property
    def smooth(self):
        """Whether the loss has a Hessian that is not zero."""
        return self.loss.curvature is None or self.loss.curvature > 0

    def target(self, n, rng, dtype=np.float64):
        """Random targets for n rows."""
        return Target(self._y(n, rng, dtype))

    def _y(self, n, rng, dtype):
        if self.labels == "values":
            return rng.standard_normal((n, self.k)).astype(dtype)
        if self.labels == "soft":
            if self.k == 1:
                return rng.random(n).astype(dtype)
            return rng.dirichlet(np.ones(self.k), size=n).astype(dtype)
        if self.k == 1:
            return rng.integers(0, 2, n).astype(dtype)
        return rng.integers(0, self.k, n)


BINARY_BASES = [
    BinaryLogLoss(),
    ExponentialLoss(),
    SquaredHingeLoss(),
    PerceptronLoss(),
    WorstMarginLoss(),
]
BINARY = [Case(type(loss).__name__, loss, 1, "hard") for loss in BINARY_BASES]
PAIRWISE = [
    Case(f"Pairwise{type(loss).__name__}", PairwiseLoss(loss), 4, "hard") for loss in BINARY_BASES
]
MULTICLASS = [
    Case("MultinomialLogLoss", MultinomialLogLoss(), 4, "hard"),
    Case("MulticlassPerceptronLoss", MulticlassPerceptronLoss(), 4, "hard"),
    *PAIRWISE,
]
SOFT = [
    Case("BinaryLogLoss-soft", BinaryLogLoss(), 1, "soft"),
    Case("MultinomialLogLoss-soft", MultinomialLogLoss(), 4, "soft"),
]
VALUES = [
    Case("SquaredLoss-1", SquaredLoss(), 1, "values"),
    Case("SquaredLoss-3", SquaredLoss(), 3, "values"),
]
CLASSIFICATION = BINARY + MULTICLASS
CASES = CLASSIFICATION + SOFT + VALUES
TWICE_DIFFERENTIABLE = [case for case in CASES if not case.loss.batch_coupled]


def pair_margins(Z, y):
    """Margins of each row: signed logit, or own logit minus each other one; worked out plainly."""
    if Z.shape[1] == 1:
        return np.where(y > 0.5, 1.0, -1.0)[:, None] * Z
    rows = range(Z.shape[0])
    return np.array([[Z[i, y[i]] - z for k, z in enumerate(Z[i]) if k != y[i]] for i in rows])


def smooth_point(case, n, seed, scale=1.0):
    """Logits and targets that are far enough from every kink for finite differences."""
    rng = np.random.default_rng(seed)
    while True:
        Z = scale * rng.standard_normal((n, case.k))
        target = case.target(n, rng)
        if case.labels != "hard" or _far_from_kinks(pair_margins(Z, target.y)):
            return Z, target


def _far_from_kinks(m):
    worst_of_rows = np.sort(m, axis=1)
    worst = np.sort(m, axis=None)
    gaps = [np.abs(m), np.abs(m - 1.0), np.diff(worst[:2]), np.diff(worst_of_rows[:, :2], axis=1)]
    return min(gap.min() for gap in gaps if gap.size) > KINK


def random_weights(n, seed=0):
    """Positive weights that sum to 1."""
    weight = np.random.default_rng(seed).random(n) + 0.1
    return weight / weight.sum()


def rows_and_gradient(loss, Z, target):
    """Loss of each row and the gradient of their plain sum."""
    return loss.value(Z, target), loss.value_and_gradient(Z, target, 1.0)[1]


def derivative(function, step=STEP):
    """Derivative at 0 by the five-point stencil: error h^4, rounding eps / h, both near 1e-12."""
    far = function(2 * step) - function(-2 * step)
    near = function(step) - function(-step)
    return (8.0 * near - far) / (12.0 * step)


def numerical_gradient(function, Z):
    """Gradient of a scalar function of a matrix, entry by entry."""
    G = np.empty_like(Z)
    for index in np.ndindex(*Z.shape):
        E = np.zeros_like(Z)
        E[index] = 1.0
        G[index] = derivative(lambda t, E=E: function(Z + t * E))
    return G
