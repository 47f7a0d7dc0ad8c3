"""Benchmark of naive Bayes: ``python -m experiments bench naive_bayes_vs_logistic``.

Time to fit and to predict beside scikit-learn's GaussianNB (a variance for each class), LDA (one
covariance matrix; with a diagonal one it is our model), LogisticRegression, and NumPy as one would
write the model down. The floor is the bytes of X over the read bandwidth of the machine, measured
in the same process: neither a fit nor a prediction can read X less than once.
"""

import tracemalloc

import numpy as np
from scipy import sparse
from sklearn.covariance import EmpiricalCovariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.utils._testing import ignore_warnings

from experiments._harness.timing import Table, measure, ratio, read_bandwidth
from skkd.naive_bayes import SharedVarianceGaussianNB

__all__ = ["PARTS", "run"]

SHAPES = ((200_000, 100, 10), (20_000, 2_000, 100))
PARTS = ("fit", "predict")
PAUSE = 0.2  # threads of OpenBLAS spin for 0.11 s after a call: let them, before the next
# Beyond so many entries of X times classes, one call of these takes up to a minute: called once.
SLOW = ("LogisticRegression", "GaussianNB")
LARGE = 5e8
COLUMNS = (
    "shape",
    "type",
    "method",
    "median [ms]",
    "method / skkd",
    "quartiles",
    "over the floor",
    "first call [s]",
    "peak memory / X",
)
NOTES = (
    "floor: bytes of X over the measured read bandwidth of all threads. All BLAS threads for all "
    "methods. Methods take turns; medians. GaussianNB has a variance for each class, LDA a full "
    "covariance matrix, LogisticRegression (C=1, 100 iterations of lbfgs at most) another "
    "objective: they are what one would use instead. Peak memory is what is allocated in one call."
)


class DiagonalCovariance(EmpiricalCovariance):
    """Variances only: with it LDA is shared-variance naive Bayes."""

    def fit(self, X, y=None):
        """Keep the variances of centred rows."""
        self.covariance_ = np.diag(np.mean((X - X.mean(axis=0)) ** 2, axis=0))
        return self


class PlainNumPy:
    """The model as one would write it down: two products and one temporary as large as X."""

    def fit(self, X, y):
        """Estimate means and pooled variances."""
        n = X.shape[0]
        member = sparse.csr_array((np.ones(n, X.dtype), y, np.arange(n + 1)))
        counts = np.bincount(y)
        means = (member.T @ X) / counts[:, None].astype(X.dtype)
        variance = np.mean((X - means[y]) ** 2, axis=0) + 1e-9
        self.coef = means / variance
        self.intercept = np.log(counts / n) - 0.5 * np.sum(means * self.coef, axis=1)
        return self

    def predict(self, X):
        """Class of the largest score."""
        return np.argmax(X @ self.coef.T + self.intercept.astype(X.dtype), axis=1)


METHODS = {
    "skkd": SharedVarianceGaussianNB,
    "NumPy": PlainNumPy,
    "GaussianNB": GaussianNB,
    "LDA(lsqr)": lambda: LinearDiscriminantAnalysis(solver="lsqr"),
    "LDA(lsqr, diagonal)": lambda: LinearDiscriminantAnalysis(
        solver="lsqr", covariance_estimator=DiagonalCovariance()
    ),
    "LogisticRegression": LogisticRegression,
}


def run(quick, only=PARTS):
    """Yield one table for each part."""
    shapes = [(n // 10, p, max(k // 5, 2)) for n, p, k in SHAPES] if quick else SHAPES
    rows = {part: [] for part in only}
    for dtype in ("float64", "float32"):
        bandwidth = read_bandwidth(dtype=dtype).all_threads
        for shape in shapes:
            X, y = make_data(*shape, dtype)
            for part in only:
                rows[part] += _rows(part, X, y, bandwidth, repeats=3 if quick else 9)
    for part in only:
        yield Table(f"{part}: shared-variance naive Bayes", COLUMNS, rows[part], NOTES)


def make_data(n, p, n_classes, dtype):
    """Rows of Gaussian classes that overlap."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, n)
    y[:n_classes] = np.arange(n_classes)
    X = rng.standard_normal((n, p), dtype=np.float32).astype(dtype)
    X += rng.standard_normal((n_classes, p)).astype(dtype)[y] * 0.3
    return X, y


def _rows(part, X, y, bandwidth, repeats):
    n_classes = int(y.max()) + 1
    calls = _calls(part, X, y)
    slow = SLOW if X.size * n_classes > LARGE else SLOW[:1]
    fast = {name: call for name, call in calls.items() if name not in slow}
    timings = measure(fast, repeats=repeats, pause=PAUSE, max_seconds=120.0)
    alone = {"skkd": calls["skkd"], **{name: calls[name] for name in slow}}
    apart = measure(alone, repeats=1, warmup=0, pause=PAUSE)
    floor = X.nbytes / bandwidth
    where = (f"{X.shape[0]} x {X.shape[1]}, {n_classes} classes", X.dtype.name)
    rows = [(*where, name, *_cells(timings, name, floor, calls[name], X)) for name in fast]
    return rows + [(*where, name, *_cells(apart, name, floor, None, X)) for name in slow]


def _cells(timings, name, floor, call, X):
    """Numbers of one row, or what went wrong."""
    timing = timings[name]
    if timing.problem:
        return (None, None, timing.problem, None, None, None)
    gain = ratio(timings, name, "skkd")
    return (
        1e3 * timing.median,
        gain.value,
        f"{gain.low:.2f}-{gain.high:.2f}",
        timing.median / floor,
        timing.first,
        None if call is None else _peak(call) / X.nbytes,
    )


def _calls(part, X, y):
    """What is timed, by method."""
    if part == "fit":
        return {name: _fitting(make, X, y) for name, make in METHODS.items()}
    return {name: _predicting(make, X, y) for name, make in METHODS.items()}


def _fitting(make, X, y):
    @ignore_warnings(category=ConvergenceWarning)
    def call():
        make().fit(X, y)

    return call


def _predicting(make, X, y):
    few = slice(0, max(2000, 4 * int(y.max() + 1)))  # what a prediction costs depends on no more
    with_few = ignore_warnings(category=ConvergenceWarning)(make().fit)(X[few], y[few])

    def call():
        with_few.predict(X)

    return call


def _peak(call):
    """Most bytes allocated at a time in one call."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
