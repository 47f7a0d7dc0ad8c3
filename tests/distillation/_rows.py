"""Small data sets of the tests of self-distillation and of MCMI teachers."""

import numpy as np
from sklearn.datasets import make_classification


def overlapping(n_classes, n_samples=90):
    """Rows that no linear rule separates, and weights 0 to 3."""
    X, y = make_classification(
        n_samples,
        5,
        n_informative=4,
        n_redundant=0,
        n_classes=n_classes,
        flip_y=0.2,
        class_sep=0.7,
        random_state=3,
    )
    return X, y, np.random.default_rng(0).integers(0, 4, n_samples).astype(float)


def separable(n_classes=2):
    """Clouds around far points."""
    rng = np.random.default_rng(1)
    y = np.arange(30) % n_classes
    return 20.0 * np.eye(3)[y] + rng.standard_normal((30, 3)), y


def scores(model, X):
    """Logits in columns, of two classes too."""
    z = X @ model.coef_.T + model.intercept_
    return z if z.shape[1] > 1 else np.hstack([-0.5 * z, 0.5 * z])
