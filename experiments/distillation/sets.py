"""Real sets, split at random into rows to learn from, to choose with, and to test on.

=================  ============================================================
``digits``         scikit-learn's 8 x 8 digits: 1,797 x 64, ten classes
``breast_cancer``  569 x 30, two classes
``wine``           178 x 13, three classes
``embeddings``     the user's file
=================  ============================================================
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

from .files import NAME, load_embeddings

MOST_TEST = 3000


class Rows(NamedTuple):
    """Features and labels."""

    X: np.ndarray
    y: np.ndarray


@lru_cache(maxsize=4)
def load(name: str, file: str | None = None) -> Rows:
    """Features, and labels from 0."""
    if name == NAME:
        return Rows(*load_embeddings(file))
    loader = {"digits": load_digits, "breast_cancer": load_breast_cancer, "wine": load_wine}[name]
    X, y = loader(return_X_y=True)
    return Rows(X / 16.0 if name == "digits" else X, y)


def split(rows: Rows, sizes: tuple[int, ...], seed: int) -> list[Rows]:
    """Draw parts of the wanted sizes, classes as frequent as in the set, and the rest.

    Features are standardised by the rows of all parts but the rest, which is the test set; those
    of digits, all pixels, lie between 0 and 1 and stay.
    """
    parts, rest = [], np.arange(len(rows.y))
    for size in sizes:
        taken, rest = train_test_split(
            rest, train_size=size, stratify=rows.y[rest], random_state=seed
        )
        parts.append(taken)
    if rows.X.min() >= 0 and rows.X.max() <= 1:
        return [Rows(rows.X[part], rows.y[part]) for part in [*parts, rest[:MOST_TEST]]]
    known = rows.X[np.concatenate(parts)]
    spread = known.std(axis=0)
    X = (rows.X - known.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    return [Rows(X[part], rows.y[part]) for part in [*parts, rest[:MOST_TEST]]]
