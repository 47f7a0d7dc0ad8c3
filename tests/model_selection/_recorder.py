"""Estimators and scores that show what they were given, and a comparison of two real ones."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.neighbors import KNeighborsClassifier

from skkd.model_selection import compare_learning_curves
from skkd.naive_bayes import SharedVarianceGaussianNB

IRIS, SPECIES = load_iris(return_X_y=True)
PAIR = {"nb": SharedVarianceGaussianNB(), "knn": KNeighborsClassifier(3)}


class Recorder(ClassifierMixin, BaseEstimator):
    """Predicts its first label and remembers its training rows."""

    def __init__(self, tag=None):
        self.tag = tag

    def fit(self, X, y):
        self.X_, self.y_, self.classes_ = X, np.asarray(y), np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.y_[:1], len(X))


class Log(list):
    """A score that notes the estimator and the test set; works within one process."""

    def __call__(self, estimator, X, y):
        self.append((estimator, X, y))
        return float(len(self))


def numbered_rows(n_samples, n_classes=3, n_features=2):
    """Rows of which column 0 is the row number, and balanced labels in an arbitrary order."""
    X = np.random.RandomState(0).standard_normal((n_samples, n_features))
    X[:, 0] = np.arange(n_samples)
    y = np.random.RandomState(1).permutation(np.arange(n_samples) % n_classes)
    return X, y


def compare(estimators=PAIR, X=IRIS, y=SPECIES, **options):
    options = {"train_sizes": [12, 30], "random_state": 0, **options}
    if "splits" in options:
        del options["train_sizes"]
    return compare_learning_curves(estimators, X, y, **options)
