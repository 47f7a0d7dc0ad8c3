"""Seeded problems of the benchmark: what is minimised, on which data.

Every method is given the same objective,

    ``F(w) = (1/n) sum_i loss(x_i w, y_i) + alpha (l1_ratio |w|_1 + (1 - l1_ratio) |w|^2 / 2)``

with ``loss = (y - z)^2 / 2`` or the log loss, or with ``alpha sum_g sqrt(|g|) |w_g|_2`` for groups.
The targets of regressions have mean square one: glmnet divides by it, and so nobody else's
tolerance means something different. Imports NumPy and SciPy only: peers in an environment of
their own read this file too.
"""

from dataclasses import asdict, dataclass, field

import numpy as np
from scipy import sparse

__all__ = ["Problem", "Spec", "build", "dataset"]

GROUP_SIZE = 10
N_ALPHAS = 50


@dataclass(frozen=True)
class Spec:
    """Name of one problem, from which it is built again in any process.

    Parameters
    ----------
    family : {"lasso", "enet", "logistic", "group", "ridge", "l2-logistic", "multinomial"}
        Loss and penalty.
    data : str
        A key of ``RECIPES``.
    fraction : float
        Multiple of the smallest alpha with a zero solution; for L2 penalties, of 1/n.
    l1_ratio : float
        Share of the L1 norm.
    fit_intercept : bool
        Whether an intercept, not penalised, is fitted.
    path : bool
        Whether all of 50 alphas down to `fraction` are solved in one call.
    """

    family: str
    data: str
    fraction: float
    l1_ratio: float = 1.0
    fit_intercept: bool = False
    path: bool = False

    def __str__(self):
        """Return the name of the row."""
        name = f"{self.family} {self.data} {self.fraction:g}"
        if self.family == "enet":
            name += f" l1_ratio {self.l1_ratio:g}"
        return name + " path" * self.path + " intercept" * self.fit_intercept

    def to_json(self):
        """Return the fields as a dict."""
        return asdict(self)


@dataclass
class Problem:
    """Arrays and numbers of one problem.

    Parameters
    ----------
    spec : Spec
        What it is called.
    X : array or CSC matrix of shape (n, p)
        Design in the layout of coordinate descent; dense: column after column.
    X_rows : array or CSR matrix of shape (n, p)
        The same, row after row.
    y : array of shape (n,)
        Targets of mean square one, labels in {-1, 1}, or classes 0, 1, ...
    alphas : array
        One strength, or all of a path, largest first.
    groups : list of index arrays
        Groups of ``GROUP_SIZE`` neighbouring columns; empty for other penalties.
    """

    spec: Spec
    X: object
    X_rows: object
    y: np.ndarray
    alphas: np.ndarray
    groups: list = field(default_factory=list)

    @property
    def alpha(self) -> float:
        """The last, and mostly the only, strength."""
        return float(self.alphas[-1])

    @property
    def is_sparse(self) -> bool:
        """Whether X is a sparse matrix."""
        return sparse.issparse(self.X)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.X.shape[0]

    @property
    def labels(self) -> np.ndarray:
        """Labels as integers."""
        return self.y.astype(np.int64)


def build(spec, data=None) -> Problem:
    """Build a problem; `data`, the arrays of :func:`dataset`, is shared by problems of one name."""
    X, X_rows, signal = data or dataset(spec.data)
    y = _targets(spec, signal)
    alphas = _alphas(spec, X, y)
    p = X.shape[1]
    groups = np.split(np.arange(p), p // GROUP_SIZE) if spec.family == "group" else []
    return Problem(spec, X, X_rows, y, alphas, groups)


def dataset(name):
    """Return X by columns, X by rows and the noisy scores from which targets are made."""
    X, scores = RECIPES[name](np.random.default_rng(0))
    if sparse.issparse(X):
        return sparse.csc_matrix(X), sparse.csr_matrix(X), scores
    return np.asfortranarray(X), np.ascontiguousarray(X), scores


def _targets(spec, scores):
    if spec.family == "multinomial":
        return np.argmax(scores, axis=1).astype(float)
    if scores.ndim == 2:
        scores = scores[:, 1] - scores[:, 0]
    if spec.family in ("logistic", "l2-logistic"):
        # The data of the two leukaemias has 38 rows of one kind and 34 of the other.
        cut = np.sort(scores)[34] if spec.data.startswith("72x") else 0.0
        return np.where(scores >= cut, 1.0, -1.0)
    if spec.fit_intercept:
        scores = scores - scores.mean()
    return scores / np.sqrt(np.mean(scores**2))


def _alphas(spec, X, y):
    n = X.shape[0]
    if spec.family in ("ridge", "l2-logistic", "multinomial"):
        return np.array([spec.fraction / n])
    center = y.mean() if spec.fit_intercept else 0.0
    scale = 0.5 if spec.family == "logistic" and not spec.fit_intercept else 1.0
    if spec.family == "logistic" and spec.fit_intercept:
        # Residuals of the best intercept: labels {0, 1} less their mean.
        correlation = X.T @ ((y - center) / 2) / n
    else:
        correlation = scale * (X.T @ (y - center)) / n
    if spec.family == "group":
        norms = np.linalg.norm(correlation.reshape(-1, GROUP_SIZE), axis=1)
        largest = norms.max() / np.sqrt(GROUP_SIZE)
    else:
        largest = np.max(np.abs(correlation)) / spec.l1_ratio
    if spec.path:
        return largest * np.geomspace(1.0, spec.fraction, N_ALPHAS + 1)[1:]
    return np.array([largest * spec.fraction])


def _correlated(rng, n, p, rho):
    """Gaussian rows whose neighbouring columns have correlation rho."""
    X = rng.standard_normal((n, p))
    X[:, 1:] *= np.sqrt(1 - rho**2)
    for j in range(1, p):
        X[:, j] += rho * X[:, j - 1]
    return X


def _scores(rng, X, noise=1 / 3):
    """Sparse linear scores with noise of a third of their deviation."""
    n, p = X.shape
    support = rng.choice(p, max(10, min(n, p) // 10), replace=False)
    w = np.zeros(p)
    w[support] = rng.standard_normal(support.size)
    z = X @ w
    return z + noise * z.std() * rng.standard_normal(n)


def _dense(n, p, rho):
    def make(rng):
        X = _correlated(rng, n, p, rho)
        return X, _scores(rng, X)

    return make


def _random_sparse(n, p, density):
    def make(rng):
        X = sparse.random(n, p, density, "csc", rng=rng, data_rvs=rng.standard_normal)
        return X, _scores(rng, X)

    return make


def _text_like(n, p, per_row):
    """Positive tf-idf weights of words whose popularity falls as that of words does."""

    def make(rng):
        popularity = 1.0 / (np.arange(p) + 50.0) ** 0.7
        words = rng.choice(p, n * per_row, p=popularity / popularity.sum())
        rows = np.repeat(np.arange(n), per_row)
        counts = sparse.csr_matrix((np.ones(words.size), (rows, words)), (n, p))
        counts.data = 1.0 + np.log(counts.data)
        frequency = np.maximum(np.bincount(counts.indices, minlength=p), 1)
        X = sparse.csr_matrix(counts @ sparse.diags_array(np.log(n / frequency) + 1.0))
        norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
        X = sparse.csr_matrix(sparse.diags_array(1.0 / norms) @ X)
        w = rng.standard_normal(p) * (rng.random(p) < 0.05)
        z = X @ w
        return X, z - z.mean() + z.std() / 3 * rng.standard_normal(n)

    return make


def _classes(n, p, k, rho=0.0, spread=0.0, density=None):
    """Data of k noisy classes; columns are multiplied by 10 to the power of +-spread."""

    def make(rng):
        if density is None:
            X = _correlated(rng, n, p, rho) if rho else rng.standard_normal((n, p))
        else:
            X = sparse.random(n, p, density, "csc", rng=rng, data_rvs=rng.standard_normal)
        Z = X @ rng.standard_normal((p, k))
        Z = 3.0 * Z / Z.std() + rng.gumbel(size=Z.shape)
        if spread:
            X = X * 10.0 ** rng.uniform(-spread, spread, p)
        return X, Z

    return make


RECIPES = {
    "200x500": _dense(200, 500, 0.6),
    "200x5000": _dense(200, 5_000, 0.6),
    "1000x10000": _dense(1_000, 10_000, 0.6),
    "10000x200": _dense(10_000, 200, 0.6),
    "72x7129": _dense(72, 7_129, 0.9),
    "2000x50000 sparse": _random_sparse(2_000, 50_000, 0.01),
    "20242x47236 text": _text_like(20_242, 47_236, 80),
    "100x5000 iid": _dense(100, 5_000, 0.0),
    "100x5000 AR": _dense(100, 5_000, 0.6),
}
for _k, _name in ((2, "2 classes"), (10, "10 classes")):
    RECIPES |= {
        f"20000x100 iid {_name}": _classes(20_000, 100, _k),
        f"20000x100 AR {_name}": _classes(20_000, 100, _k, rho=0.9, spread=2.0),
        f"200x500 {_name}": _classes(200, 500, _k),
        f"2000x20000 sparse {_name}": _classes(2_000, 20_000, _k, density=0.01),
    }
