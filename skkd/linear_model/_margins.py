r"""Margin, radius, and the bounds that theorems make of them.

For signed rows :math:`M_i` the margin is the distance of their convex hull from the origin,

.. math::
    \mu = \max_{\|\theta\| = 1} \min_i M_i^\top \theta = \min_{q \in \Delta} \|M^\top q\| ,

positive exactly if the data is separable. For K > 2 classes the rows are Kesler's: for sample i
and every other class k, :math:`a_i` in the block of its own class and :math:`-a_i` in that of k.
"""

import math
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from scipy.optimize import nnls
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_X_y

from .._backend import is_numpy, namespace, to_numpy
from .._threads import single_blas_thread

__all__ = ["data_radius", "iteration_bound", "separation_margin"]

# A hull this close to the origin, relative to the longest row, contains it up to rounding.
_TOUCHES = 1e-12
_NEW_ROWS = 64
_MAX_ROUNDS = 1000


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, 1, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def separation_margin(X, y, *, fit_intercept=False, tol=1e-9):
    r"""Largest margin of a linear rule, and the direction that has it.

    Solves :math:`\max_{\|\theta\| = 1} \min_i M_i^\top \theta` over signed (or Kesler) rows
    exactly: the point of their convex hull that is nearest to the origin is found by
    non-negative least squares on few rows, to which the worst rows are added until none is
    worse. It runs on the host.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Labels, of two or more classes.
    fit_intercept : bool, default=False
        Whether to append a constant column; margin and norm are then those of the longer rows.
    tol : float in [0, 1), default=1e-9
        Relative accuracy of the margin.

    Returns
    -------
    margin : float
        The margin; 0.0 if the data is not separable.
    direction : ndarray of shape (n_features,) or (n_classes, n_features), or None
        Direction of unit (Frobenius) norm with that margin, one column longer with an intercept;
        None if the data is not separable.

    See Also
    --------
    MaxMarginGD : The same direction by gradient descent, for any array library.
    iteration_bound : What the margin says about the number of updates.

    References
    ----------
    .. [1] Lawson, C. L., Hanson, R. J., "Solving Least Squares Problems", 1974, chapter 23, for
       the reduction of the nearest point to non-negative least squares.

    Examples
    --------
    >>> from skkd.datasets import make_worst_case_separable
    >>> from skkd.linear_model import separation_margin
    >>> X, y = make_worst_case_separable(100)
    >>> margin, direction = separation_margin(X, y)
    >>> round(margin, 6), abs(direction).round(6).tolist()
    (0.5, [1.0, 0.0])
    """
    rows = _rows_of(X, y, fit_intercept)
    with single_blas_thread():  # many small products, for which BLAS threads only wait
        return _largest_margin(rows, tol)


_METHODS = (
    "normalized",
    "constant",
    "risk_adaptive",
    "batch_perceptron",
    "normalized_batch_perceptron",
    "perceptron",
)


@validate_params(
    {
        "method": [StrOptions(set(_METHODS))],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "radius": [Interval(Real, 0, None, closed="neither")],
        "margin": [Interval(Real, 0, None, closed="neither")],
        "step_size": [Interval(Real, 0, None, closed="right")],
        "n_classes": [Interval(Integral, 2, None, closed="left")],
        "multi_class": [StrOptions({"multinomial", "kesler"})],
    },
    prefer_skip_nested_validation=True,
)
def iteration_bound(
    method, n_samples, radius, margin, step_size, n_classes=2, *, multi_class="multinomial"
):
    r"""Updates within which a method separates, by its theorem.

    With n rows of norm at most R, margin :math:`\mu`, step size :math:`\gamma`, from zero:

    =============================  ===========================================================
    method                         bound
    =============================  ===========================================================
    "normalized"                   :math:`R^2/\mu^2 + 2 \log(2n - 1) / (\gamma \mu^2)`
    "constant"                     :math:`(2n/\mu^2) (R^2 + 2 \log(2n - 1) / \gamma)`
    "risk_adaptive"                :math:`R^2/\mu^2 + 2 \log(n) / (\gamma \mu^2)`, for the
                                   average of the iterates
    "batch_perceptron"             :math:`n R^2/\mu^2`
    "normalized_batch_perceptron"  :math:`R^2/\mu^2`
    "perceptron"                   :math:`R^2/\mu^2`
    =============================  ===========================================================

    For K > 2 classes :math:`\mu` is the margin of Kesler rows and R still the largest norm of a
    sample. Softmax with the normalised step separates within
    :math:`2 R^2/\mu^2 + 2 \log((K - 1)(2n - 1)) / (\gamma \mu^2)`; methods on Kesler rows follow
    the table with n(K - 1) rows of norm :math:`\sqrt2 R`.

    Parameters
    ----------
    method : str
        One of the table. "normalized", "constant" and "risk_adaptive" are steps of
        :class:`LogisticRegressionGD`.
    n_samples : int >= 1
        Number of rows n.
    radius : float > 0
        Largest Euclidean norm of a row, the constant column included if there is one.
    margin : float > 0
        Margin, as of :func:`separation_margin`, in the same unit.
    step_size : float in (0, inf]
        Step size; the perceptrons ignore it.
    n_classes : int >= 2, default=2
        Number of classes.
    multi_class : {"multinomial", "kesler"}, default="multinomial"
        For more than two classes: whether "normalized" runs on softmax or on Kesler rows.

    Returns
    -------
    bound : float
        Updates; the method has separated the data at or before the first integer above. For the
        other steps on softmax no theorem is known to us: "constant" with "multinomial" and more
        than two classes raises.

    Raises
    ------
    ValueError
        If no bound is known for the combination.

    See Also
    --------
    separation_margin : The margin that bounds need.

    References
    ----------
    .. [1] Tyurin, A., "From Logistic Regression to the Perceptron Algorithm: Exploring Gradient
       Descent with Large Step Sizes", arXiv 2412.08424, 2024, Theorems 3.3, 5.2, 5.3 and 6.1;
       the other bounds follow by the same argument.

    Examples
    --------
    >>> from skkd.linear_model import iteration_bound
    >>> round(iteration_bound("normalized", 1000, 1.25**0.5, 0.5, 100.0), 2)
    5.61
    """
    n, softmax = n_samples, n_classes > 2 and multi_class == "multinomial"
    if softmax and method == "constant":
        raise ValueError(
            "no bound is known for the constant step on softmax with more than two classes; use "
            "multi_class='kesler', or method='normalized'"
        )
    square = (radius / margin) ** 2
    if softmax and method == "normalized":
        logs = math.log((n_classes - 1) * (2 * n - 1))
        return 2.0 * square + 2.0 * logs / (step_size * margin**2)
    if n_classes > 2:
        n, square = n * (n_classes - 1), 2.0 * square
    drift = 2.0 / (step_size * margin**2)
    return {
        "normalized": square + drift * math.log(2 * n - 1),
        "constant": 2.0 * n * (square + drift * math.log(2 * n - 1)),
        "risk_adaptive": square + drift * math.log(n),
        "batch_perceptron": n * square,
    }.get(method, square)


def data_radius(data, *, fit_intercept):
    """Largest norm of a (Kesler) row that has weight, a float; 1.0 if all rows are zero."""
    alive = None if data.sample_weight is None else to_numpy(data.sample_weight) > 0
    norm = _largest_norm(data.X, fit_intercept, alive)
    return (math.sqrt(2.0) * norm if data.n_classes > 2 else norm) or 1.0


def _largest_margin(rows, tol):
    """Margin and direction for signed rows, by an active set that grows by the worst rows."""
    if rows.radius == 0:
        return 0.0, None
    chosen = rows.first()
    theta = margin = None
    for _ in range(_MAX_ROUNDS):
        theta, bound, support = _best_direction(rows.take(chosen))
        if bound <= _TOUCHES:
            return 0.0, None
        products = rows.products(theta)
        margin = float(products.min())
        if margin >= bound * (1.0 - max(tol, 1e-12)):
            break
        worst = np.argpartition(products, min(_NEW_ROWS, products.size) - 1)[:_NEW_ROWS]
        fresh = np.setdiff1d(worst[products[worst] < bound], chosen)
        if fresh.size == 0:
            break
        # The distance of the hull only falls, so that rows without weight may be dropped.
        chosen = np.concatenate([chosen[support], fresh])
    if margin <= 0:
        return 0.0, None
    return margin * rows.radius, rows.shape_direction(theta)


def _largest_norm(X, fit_intercept, alive=None):
    """Largest norm of a row, with its one if there is an intercept; squares do not overflow."""
    xp = namespace(X)
    peak = float(abs(X).max()) if sparse.issparse(X) else float(to_numpy(xp.max(xp.abs(X))))
    peak = max(peak, float(fit_intercept)) or 1.0
    if sparse.issparse(X):
        squares = np.asarray((X / peak).power(2).sum(axis=1)).reshape(-1)
    else:
        squares = to_numpy(xp.sum((X / peak) ** 2, axis=1))
    squares = squares[alive] if alive is not None else squares
    return peak * math.sqrt(float(squares.max()) + (float(fit_intercept) / peak) ** 2)


def _rows_of(X, y, fit_intercept):
    """Validated rows on the host, as signed or as Kesler rows."""
    X = X if is_numpy(X) or not hasattr(X, "dtype") else to_numpy(X)
    y = y if not hasattr(y, "dtype") or is_numpy(y) else to_numpy(y)
    X, y = check_X_y(X, y, accept_sparse="csr", dtype=np.float64)
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if classes.shape[0] < 2:
        raise ValueError(
            "separation_margin needs labels of at least 2 classes, got only one class: "
            f"{classes.tolist()}"
        )
    return _SignedRows(X, codes, classes.shape[0], fit_intercept)


class _SignedRows:
    """Signed rows of two classes or Kesler rows of more, never formed but for chosen ones.

    They are scaled so that the longest has norm 1; `radius` is its norm before.
    """

    def __init__(self, X, codes, n_classes, fit_intercept):
        self.k = 1 if n_classes == 2 else n_classes
        norm = _largest_norm(X, fit_intercept)
        self.radius = norm if self.k == 1 else math.sqrt(2.0) * norm
        self.X = X / (self.radius or 1.0)
        self.one = 1.0 / self.radius if fit_intercept else None
        self.codes = codes

    def first(self):
        """A few rows to begin with: those most against the mean row."""
        products = self.products(self._mean())
        return np.unique(np.argpartition(products, min(8, products.size) - 1)[:8])

    def products(self, theta):
        """Products of all rows with a vector; pairs of a class with itself are infinite."""
        W = theta.reshape(self.k, -1)
        Z = self.X @ W[:, : self.X.shape[1]].T
        if self.one is not None:
            Z = Z + self.one * W[:, -1]
        if self.k == 1:
            return np.where(self.codes == 1, Z[:, 0], -Z[:, 0])
        n = np.arange(Z.shape[0])
        margins = Z[n, self.codes][:, None] - Z
        margins[n, self.codes] = np.inf
        return margins.reshape(-1)

    def take(self, chosen):
        """The chosen rows, dense."""
        samples = chosen if self.k == 1 else chosen // self.k
        A = self.X[samples]
        A = A.toarray() if sparse.issparse(A) else A
        if self.one is not None:
            A = np.hstack([A, np.full((A.shape[0], 1), self.one)])
        if self.k == 1:
            return np.where(self.codes[samples] == 1, 1.0, -1.0)[:, None] * A
        out = np.zeros((A.shape[0], self.k, A.shape[1]))
        row = np.arange(A.shape[0])
        out[row, self.codes[samples]] = A
        out[row, chosen % self.k] = -A
        return out.reshape(A.shape[0], -1)

    def shape_direction(self, theta):
        """A vector of all blocks as one row per class."""
        return theta if self.k == 1 else theta.reshape(self.k, -1)

    def _mean(self):
        onehot = np.eye(max(2, self.k))[self.codes]
        signs = onehot[:, 1:] * 2.0 - 1.0 if self.k == 1 else onehot - 1.0 / self.k
        G = np.asarray((self.X.T @ signs).T)
        if self.one is not None:
            G = np.hstack([G, self.one * signs.sum(axis=0)[:, None]])
        return G.reshape(-1)


def _best_direction(A):
    """Direction of largest margin for the rows of `A`, that margin, and the rows it rests on.

    The point of their convex hull nearest to the origin lies that way. Minimising
    ``||A^T q||^2 + (1 - sum q)^2`` over q >= 0 finds it up to scale, to rounding relative to the
    rows. Where it is much shorter than they are, the direction is sharpened: it is that of the
    shortest vector whose products with all rows of positive q are one.
    """
    system = np.vstack([A.T, np.ones(A.shape[0])])
    target = np.zeros(system.shape[0])
    target[-1] = 1.0
    q, _ = nnls(system, target, maxiter=50 * system.shape[1])
    nearest = A.T @ (q / q.sum())
    bound = float(np.linalg.norm(nearest))
    if bound <= _TOUCHES:
        return nearest, bound, q > 0
    rough = nearest / bound
    sharp = np.linalg.lstsq(A[q > 0], np.ones(np.count_nonzero(q)), rcond=None)[0]
    sharp /= np.linalg.norm(sharp)
    if (A @ sharp).min() > (A @ rough).min():
        return sharp, max(float((A @ sharp).min()), bound * (1.0 - 1e-9)), q > 0
    return rough, bound, q > 0
