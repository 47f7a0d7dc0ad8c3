r"""Linearly separable data with a known margin.

All generators return labels -1 and +1 and rows without a constant column: separation is by a
rule through the origin, the setting of the theorems.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

__all__ = ["make_separable", "make_worst_case_separable"]

_MAX_DRAWS = 200


@validate_params(
    {"n_samples": [Interval(Integral, 2, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def make_worst_case_separable(n_samples):
    r"""Imbalanced rows on which batch perceptrons need of the order of n updates.

    One row (1/2, -1) of label +1 and n - 1 rows (-1/2, -1) of label -1. The margin is 1/2 (along
    the first axis) and the largest norm :math:`\sqrt{5/4}`, whatever n, and yet the plain batch
    perceptron, and logistic regression by gradient descent, need more than 0.3 n updates.

    Parameters
    ----------
    n_samples : int >= 2
        Number of rows n.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Rows.
    y : ndarray of shape (n_samples,)
        Labels -1 and +1.

    See Also
    --------
    make_separable : Random rows with a margin of choice.

    References
    ----------
    .. [1] Tyurin, A., "From Logistic Regression to the Perceptron Algorithm: Exploring Gradient
       Descent with Large Step Sizes", arXiv 2412.08424, 2024, Theorem 5.1.

    Examples
    --------
    >>> from skkd.datasets import make_worst_case_separable
    >>> X, y = make_worst_case_separable(3)
    >>> X.tolist(), y.tolist()
    ([[0.5, -1.0], [-0.5, -1.0], [-0.5, -1.0]], [1, -1, -1])
    """
    X = np.tile([-0.5, -1.0], (n_samples, 1))
    X[0, 0] = 0.5
    y = np.full(n_samples, -1)
    y[0] = 1
    return X, y


@validate_params(
    {
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "margin": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "coef": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_separable(n_samples, n_features, margin=0.1, random_state=None, *, coef=False):
    r"""Gaussian rows at a distance of at least `margin` from a random hyperplane.

    Rows :math:`x \sim N(0, I)` with :math:`|x^\top w| < ` `margin` are drawn again; the label is
    the sign of :math:`x^\top w`, with w uniform on the unit sphere. The largest margin of the
    data is at least `margin`.

    Parameters
    ----------
    n_samples : int >= 2
        Number of rows.
    n_features : int >= 1
        Number of columns.
    margin : float >= 0, default=0.1
        Distance kept free around the hyperplane, in standard deviations of the rows. Above 4 or
        so hardly any Gaussian row is that far out, and an error says so.
    random_state : int, RandomState instance or None, default=None
        Source of the randomness.
    coef : bool, default=False
        Whether to return w as well.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    y : ndarray of shape (n_samples,)
        Labels -1 and +1, both of which occur.
    w : ndarray of shape (n_features,)
        Unit normal of the hyperplane; only if `coef`.

    Raises
    ------
    ValueError
        If `margin` leaves too few rows.

    See Also
    --------
    make_worst_case_separable : The worst case for batch perceptrons.

    Examples
    --------
    >>> from skkd.datasets import make_separable
    >>> X, y, w = make_separable(50, 3, margin=0.5, random_state=0, coef=True)
    >>> bool((y * (X @ w) >= 0.5).all())
    True
    """
    rng = check_random_state(random_state)
    w = rng.standard_normal(n_features)
    w /= np.linalg.norm(w)
    kept, found = [], 0
    for _ in range(_MAX_DRAWS):
        X = rng.standard_normal((max(n_samples, 100), n_features))
        X = X[np.abs(X @ w) >= margin]
        kept.append(X)
        found += X.shape[0]
        if found >= n_samples:
            break
    else:
        raise ValueError(
            f"margin={margin} leaves only {found} of {_MAX_DRAWS * max(n_samples, 100)} Gaussian "
            "rows; choose a margin below 3"
        )
    X = np.concatenate(kept)[:n_samples]
    y = np.where(X @ w > 0, 1, -1)
    if np.all(y == y[0]):  # possible for a handful of rows: mirror one
        X[-1], y[-1] = -X[-1], -y[-1]
    return (X, y, w) if coef else (X, y)
