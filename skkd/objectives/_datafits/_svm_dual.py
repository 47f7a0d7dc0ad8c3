r"""Dual of the linear support vector machine with the hinge loss and no intercept.

.. math:: \min_{0 \le a \le C}\; \tfrac12 \Big\| \sum_i a_i y_i x_i \Big\|^2 - \sum_i a_i

The smooth part is a quadratic of the matrix whose columns are the rows :math:`y_i x_i`; the box is
a penalty. The primal weights :math:`w = X^\top (a \circ y)` are kept, so that one coordinate costs
as much as one row of :math:`X`.
"""

import numpy as np
from scipy import sparse

from ._checks import column_matrix
from ._gram import ConstantHessianDatafit
from ._linear import signs

__all__ = ["SVMDual"]


class SVMDual(ConstantHessianDatafit):
    r"""Smooth part of the dual of the linear SVM, ``|X'(a * y)|^2 / 2 - sum_i a_i``.

    Minimise it with ``Box(0, C)``; the primal weights are then ``X.T @ (a * y)``. Weights of rows
    are upper bounds of their own, ``Box(0, C * sample_weight)``.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_rows, n_features)
        Rows, one variable each.
    y : array-like of shape (n_rows,)
        Labels, -1 or 1.
    l2 : float >= 0, default=0.0
        Strength of the ridge on every variable; ``1 / (2 C)`` without an upper bound gives the
        squared hinge loss.
    gram : {"auto", True, False}, default="auto"
        Whether to store the matrix of all products of two rows, as in :class:`LeastSquares`.

    Attributes
    ----------
    A : ndarray or CSC matrix of shape (n_features, n_rows)
        The rows times their labels, as columns.
    n_variables : int
        Number of rows.
    quadratic : bool
        True: a Newton step on a block is exact.

    See Also
    --------
    skkd.penalties.Box : The bounds.
    SquaredHinge : The primal of the squared hinge loss.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.objectives import SVMDual
    >>> datafit = SVMDual([[1.0, 0.0], [0.0, 2.0]], [1, -1])
    >>> datafit.lipschitz()
    array([1., 4.])
    >>> datafit.value(np.array([1.0, 0.25]))
    -0.625
    """

    def __init__(self, X, y, *, l2=0.0, gram="auto"):
        X = column_matrix(X, "X")
        y = signs(y, X.shape[0], "y")
        if sparse.issparse(X):
            columns = sparse.csc_array((sparse.csr_array(X) * y[:, None]).T)
        else:
            columns = np.asfortranarray((X * y[:, None]).T)
        super().__init__(columns, l2, None, gram)
        self.y = y
        self.linear = np.full(self.n_variables, -1.0)
