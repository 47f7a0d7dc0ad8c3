"""Small data sets that several tests share."""

import numpy as np

from skkd.datasets import make_separable

# Two clouds that overlap: no line separates them.
OVERLAP_SEED = 7


def separable(n_samples=40, n_features=4, margin=0.3, seed=0, n_classes=2):
    """Rows that a rule through the origin separates, and their labels."""
    if n_classes == 2:
        return make_separable(n_samples, n_features, margin, random_state=seed)
    rng = np.random.RandomState(seed)
    W = rng.standard_normal((n_features, n_classes))
    W /= np.linalg.norm(W)
    X = rng.standard_normal((60 * n_samples, n_features))
    best = np.sort(X @ W, axis=1)
    X = X[best[:, -1] - best[:, -2] >= margin * 0.5][:n_samples]
    y = np.argmax(X @ W, axis=1)
    assert len(X) == n_samples and len(np.unique(y)) == n_classes
    return X, y


def overlapping(n_samples=60, n_features=3, n_classes=2, seed=OVERLAP_SEED):
    """Rows that no linear rule separates, with or without an intercept."""
    rng = np.random.RandomState(seed)
    y = np.arange(n_samples) % n_classes
    X = rng.standard_normal((n_samples, n_features))
    X[:, 0] += 0.8 * y
    return X, y
