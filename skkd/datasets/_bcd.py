r"""The test problems of the study of greedy block coordinate descent.

Sums, not means, as in the paper:

- least squares :math:`f(x) = \tfrac12 \|Ax - b\|^2` (sets A and, with a penalty, A_l1),
- logistic :math:`f(x) = \sum_i \log(1 + \exp(-b_i a_i^\top x))` (set B),
- softmax :math:`f(X) = \sum_i \operatorname{logsumexp}(X^\top a_i) - x_{b_i}^\top a_i` (set C),
- label propagation on a graph with weights W, labels :math:`y_S`,
  :math:`f(x) = \tfrac12 x^\top A x - b^\top x` with :math:`A = (\operatorname{diag}(W 1) - W)_{UU}`
  and :math:`b = W_{US}\, y_S` (sets D and E), over the nodes U without a label.

The draws, and their order, are those of the authors' code: with seed 1 the sets B, C and D are
theirs to the last bit. Sets A and E were distributed in files that are not available; they are
drawn again by their recipe and only the order of methods can be compared on them.
"""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve
from sklearn.datasets import make_moons
from sklearn.neighbors import kneighbors_graph
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

__all__ = ["make_bcd_problem"]

# What each set is made of when nothing is said: the sizes of the paper.
_SIZES = {
    "A": {"n_samples": 1000, "n_features": 10_000},
    "B": {"n_samples": 1000, "n_features": 10_000},
    "C": {"n_samples": 1000, "n_features": 1000, "n_classes": 50},
    "D": {"shape": (50, 50), "n_labelled": 100},
    "E": {"n_samples": 2000, "n_labelled": 100},
    "A_l1": {"n_samples": 1000, "n_features": 10_000, "alpha": 50_000.0},
}
_LATTICE_WEIGHT = 1e5
_MOONS_NOISE = 0.2  # standard deviation; the variance is 0.04
_MOONS_NEIGHBORS = 5

_POSITIVE = [Interval(Integral, 1, None, closed="left"), None]


@validate_params(
    {
        "name": [StrOptions(set(_SIZES))],
        "n_samples": _POSITIVE,
        "n_features": _POSITIVE,
        "n_classes": [Interval(Integral, 2, None, closed="left"), None],
        "shape": [tuple, list, None],
        "n_labelled": _POSITIVE,
        "alpha": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_bcd_problem(
    name,
    *,
    n_samples=None,
    n_features=None,
    n_classes=None,
    shape=None,
    n_labelled=None,
    alpha=None,
    random_state=1,
):
    r"""Test problems for block coordinate descent: data sets A to E of the JMLR study.

    ====  =====================================================  ==========================
    name  problem                                                size by default
    ====  =====================================================  ==========================
    A     least squares, sparse columns of very different norms  1000 x 10000
    B     logistic regression on such columns, 10 % of the       1000 x 10000
          labels flipped
    C     softmax on such columns                                1000 x 1000, 50 classes
    D     label propagation on a square lattice, weights 1e5     50 x 50, 100 labels
    E     label propagation on the 5-neighbour graph of two      2000 points, 100 labels
          moons
    A_l1  A with the penalty `alpha` times the sum of x, x >= 0  1000 x 10000, alpha 50000
    ====  =====================================================  ==========================

    With sizes and seed left alone, B, C and D are the paper's data exactly. The paper's A and E
    are not available: they are drawn by the same recipe and differ from the paper's.

    Parameters
    ----------
    name : {"A", "B", "C", "D", "E", "A_l1"}
        Which problem.
    n_samples : int >= 1, default=None
        Rows of A, B, C and A_l1, points of E. None, here and below, for the size of the paper.
    n_features : int >= 1, default=None
        Columns of A, B, C and A_l1.
    n_classes : int >= 2, default=None
        Classes of C.
    shape : tuple of two int >= 2, default=None
        Rows and columns of the lattice D.
    n_labelled : int >= 1, default=None
        Nodes of D and E whose value is known.
    alpha : float > 0, default=None
        Weight of the penalty of A_l1, for the loss as a sum.
    random_state : int, RandomState instance or None, default=1
        Source of the randomness; 1 is the paper's seed.

    Returns
    -------
    problem : :class:`~sklearn.utils.Bunch`
        With the attributes

        name : str
            As given.
        loss : {"least_squares", "logistic", "softmax", "graph"}
            Which of the functions above.
        A : sparse array
            Rows of the design (CSC) or, for a graph, the matrix of the quadratic (CSR).
        b : ndarray
            Targets (A), labels -1 and 1 (B) or 0 to K - 1 (C), linear term (D and E).
        n_variables : int
            Length of x.
        f_star : float or None
            Infimum of f, where it is known: 0 if the rows of A are linearly independent, that of
            the direct solution for graphs.
        exact : bool
            Whether these are the data of the paper, and not others drawn in the same way.
        coef : ndarray
            What generated the targets (A, B, C, A_l1).
        n_classes : int
            Number of classes (C).
        alpha : float
            Weight of the penalty (A_l1).
        x_star : ndarray
            The minimiser (D and E).
        graph : sparse array
            Weights W between all nodes, CSR (D and E).
        labelled, unlabelled : ndarray
            Indices of the nodes; x and b are over `unlabelled` (D and E).
        y : ndarray
            Values of the labelled nodes (D and E).
        shape : tuple
            Rows and columns of the lattice; node (r, c) has index r + c * rows (D).
        points : ndarray of shape (n_samples, 2)
            Where the nodes are (E).

    Raises
    ------
    ValueError
        If a size is given that the problem does not have, or there are more labels than nodes.

    See Also
    --------
    make_separable : Linearly separable data with a known margin.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's Make Block Coordinate Descent Converge
       Faster: Faster Greedy Rules, Message-Passing, Active-Set Complexity, and Superlinear
       Convergence", Journal of Machine Learning Research 23(131), 2022.

    Examples
    --------
    >>> from skkd.datasets import make_bcd_problem
    >>> problem = make_bcd_problem("D")
    >>> problem.n_variables, problem.exact
    (2400, True)
    >>> print(f"{problem.f_star:.10e}")
    -1.0459995752e+09
    """
    given = {
        "n_samples": n_samples,
        "n_features": n_features,
        "n_classes": n_classes,
        "shape": shape,
        "n_labelled": n_labelled,
        "alpha": alpha,
    }
    sizes = _sizes(name, {key: value for key, value in given.items() if value is not None})
    paper = name in ("B", "C", "D") and sizes == _SIZES[name]
    exact = paper and isinstance(random_state, Integral) and random_state == 1
    made = _MAKERS[name](check_random_state(random_state), **sizes)
    return Bunch(name=name, exact=exact, **made)


def _sizes(name, given):
    allowed = _SIZES[name]
    for key in given:
        if key not in allowed:
            raise ValueError(
                f"{key}={given[key]!r} has no meaning for problem {name!r}, whose sizes are: "
                f"{', '.join(allowed)}"
            )
    return {**allowed, **given}


def _design(rng, n_samples, n_features):
    """Gaussian entries of mean 1, columns scaled by 10 N(0, 1), about 10 log(n) / n of them."""
    A = rng.randn(n_samples, n_features) + 1
    A *= 10 * rng.randn(n_features)
    A *= rng.rand(n_samples, n_features) < 10 * np.log(n_samples) / n_samples
    return A


def _least_squares(rng, n_samples, n_features):
    A = _design(rng, n_samples, n_features)
    coef = _sparse_coef(rng, n_features)
    b = A @ coef + rng.randn(n_samples)
    return _linear("least_squares", A, b, coef)


def _nonnegative(rng, n_samples, n_features, alpha):
    made = _least_squares(rng, n_samples, n_features)
    return {**made, "f_star": None, "alpha": float(alpha)}


def _logistic(rng, n_samples, n_features):
    A = _design(rng, n_samples, n_features)
    coef = _sparse_coef(rng, n_features)
    b = np.sign(A @ coef) * np.sign(rng.rand(n_samples) - 0.1)
    b[b == 0] = 1.0  # a row without entries has no side
    return _linear("logistic", A, b, coef)


def _softmax(rng, n_samples, n_features, n_classes):
    A = _design(rng, n_samples, n_features)
    coef = rng.randn(n_features, n_classes)
    labels = np.argmax(A @ coef + rng.randn(n_samples, n_classes), axis=1)
    made = _linear("softmax", A, labels, coef)
    return {**made, "n_variables": n_features * n_classes, "n_classes": n_classes}


def _sparse_coef(rng, n_features):
    return rng.randn(n_features) * (rng.rand(n_features) < 0.1)


def _linear(loss, A, b, coef):
    # Independent rows: every vector of logits can be had, so the loss comes down to zero.
    onto = A.shape[1] >= A.shape[0] and np.linalg.matrix_rank(_small_gram(A)) == A.shape[0]
    return {
        "loss": loss,
        "A": sparse.csc_array(A),
        "b": b,
        "n_variables": A.shape[1],
        "f_star": 0.0 if onto else None,
        "coef": coef,
    }


def _small_gram(A):
    # A square A is left as it is: squaring would square its condition number.
    return A if A.shape[0] == A.shape[1] else A @ A.T


def _lattice(rng, shape, n_labelled):
    n_rows, n_columns = _checked_shape(shape)
    n = n_rows * n_columns
    _check_labels(n_labelled, n)
    labelled = rng.choice(n, n_labelled, replace=False)  # the values belong to this order
    y = rng.randn(n_labelled) * 10
    order = np.argsort(labelled)
    graph = _lattice_graph(n_rows, n_columns)
    return {**_propagation(graph, labelled[order], y[order]), "shape": (n_rows, n_columns)}


def _lattice_graph(n_rows, n_columns):
    """Four neighbours, column-major numbering."""
    node = np.arange(n_rows * n_columns).reshape(n_columns, n_rows)
    first = np.concatenate([node[:, :-1].ravel(), node[:-1].ravel()])
    second = np.concatenate([node[:, 1:].ravel(), node[1:].ravel()])
    weights = np.full(first.size, _LATTICE_WEIGHT)
    upper = sparse.coo_array((weights, (first, second)), shape=(node.size, node.size))
    return sparse.csr_array(upper + upper.T)


def _moons(rng, n_samples, n_labelled):
    _check_labels(n_labelled, n_samples)
    neighbors = min(_MOONS_NEIGHBORS, n_samples - 1)
    points, side = make_moons(n_samples, noise=_MOONS_NOISE, random_state=rng)
    graph = sparse.csr_array(kneighbors_graph(points, neighbors))
    graph = sparse.csr_array(graph.maximum(graph.T))
    labelled = _one_in_each_component(rng, graph, n_labelled)
    made = _propagation(graph, labelled, 1.0 + side[labelled])
    return {**made, "points": points}


def _one_in_each_component(rng, graph, n_labelled):
    """Random nodes, every component of the graph with one at least: A is then definite."""
    n_components, component = sparse.csgraph.connected_components(graph, directed=False)
    if n_labelled < n_components:
        raise ValueError(
            f"n_labelled={n_labelled}, but the graph has {n_components} components and each needs "
            "a label: ask for more labels or more points"
        )
    order = rng.permutation(graph.shape[0])
    first = order[np.unique(component[order], return_index=True)[1]]
    rest = order[~np.isin(order, first)]
    return np.sort(np.concatenate([first, rest[: n_labelled - n_components]]))


def _propagation(graph, labelled, y):
    n = graph.shape[0]
    unlabelled = np.setdiff1d(np.arange(n), labelled)
    laplacian = sparse.csr_array(sparse.diags_array(graph.sum(axis=1)) - graph)
    rows = laplacian[unlabelled]
    A = sparse.csr_array(rows[:, unlabelled])
    b = -(rows[:, labelled] @ y)
    x_star = np.atleast_1d(spsolve(sparse.csc_array(A), b))
    return {
        "loss": "graph",
        "A": A,
        "b": b,
        "n_variables": unlabelled.size,
        "f_star": float(0.5 * x_star @ (A @ x_star) - b @ x_star),
        "x_star": x_star,
        "graph": graph,
        "labelled": labelled,
        "unlabelled": unlabelled,
        "y": y,
    }


def _checked_shape(shape):
    if len(shape) != 2 or any(not isinstance(one, Integral) or one < 2 for one in shape):
        raise ValueError(f"shape={shape!r}; want two integers from 2 up: rows and columns")
    return shape


def _check_labels(n_labelled, n):
    if n_labelled >= n:
        raise ValueError(f"n_labelled={n_labelled} of {n} nodes; want fewer labels than nodes")


_MAKERS = {
    "A": _least_squares,
    "B": _logistic,
    "C": _softmax,
    "D": _lattice,
    "E": _moons,
    "A_l1": _nonnegative,
}
