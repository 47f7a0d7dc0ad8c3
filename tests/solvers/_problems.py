"""Small objectives for the solver tests, and one that counts its evaluations."""

import numpy as np

from skkd.losses import (
    BinaryLogLoss,
    MultinomialLogLoss,
    PairwiseLoss,
    SquaredHingeLoss,
    SquaredLoss,
    Target,
)
from skkd.objectives import LinearObjective

LOSSES = {
    "binary": (BinaryLogLoss(), 1),
    "multinomial": (MultinomialLogLoss(), 4),
    "squared": (SquaredLoss(), 1),
    "squared_hinge": (SquaredHingeLoss(), 1),
    "pairwise": (PairwiseLoss(BinaryLogLoss()), 3),
}


def noisy_problem(loss, k, *, n=300, p=8, alpha=0.01, scales=1.0, seed=0, **options):
    """Labels that no linear rule gets right, so that a minimiser exists without a penalty."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * scales
    if isinstance(loss, SquaredLoss):
        y = (X / scales)[:, 0] + rng.standard_normal(n)
    else:
        Z = (X / scales) @ rng.standard_normal((p, max(k, 2))) + 2.0 * rng.standard_normal((n, 1))
        y = (Z + rng.gumbel(size=Z.shape) * 2.0).argmax(axis=1)
        y = y.astype(float) if k == 1 else y
    return LinearObjective(loss, X, Target(y), n_outputs=k, alpha=alpha, **options)


def separable_problem(loss, k=1, *, n=60, p=4, gap=0.3, seed=0, **options):
    """Rows that a rule through the origin gets right by a gap."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((10 * n, p))
    Z = X @ rng.standard_normal((p, max(k, 2)))
    top = np.sort(Z, axis=1)
    kept = np.flatnonzero(top[:, -1] - top[:, -2] > gap)[:n]
    y = Z[kept].argmax(axis=1)
    target = Target(y.astype(float) if k == 1 else y)
    options.setdefault("fit_intercept", False)
    return LinearObjective(loss, X[kept], target, n_outputs=k, **options)


class Counted:
    """An objective that counts how often it reads the rows."""

    def __init__(self, objective):
        self._objective = objective
        self.evaluations = 0

    def __getattr__(self, name):
        return getattr(self._objective, name)

    def evaluate(self, W, **options):
        self.evaluations += 1
        return self._objective.evaluate(W, **options)

    def value_and_gradient(self, W):
        self.evaluations += 1
        return self._objective.value_and_gradient(W)
