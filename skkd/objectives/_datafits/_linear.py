r"""Datafits of a linear model with one output: least squares, logistic, squared hinge.

====================  ==========================================  ==============  ==================
datafit               :math:`\phi_i(z)`                           :math:`\kappa`  Hessian
====================  ==========================================  ==============  ==================
:class:`LeastSquares` :math:`\tfrac12 (z - b_i)^2`                1               constant
:class:`Logistic`     :math:`\log(1 + e^{-b_i z})`                1/4             Lipschitz
:class:`SquaredHinge` :math:`\tfrac12 \max(0, 1 - b_i z)^2`       1               jumps
====================  ==========================================  ==============  ==================

For the logistic function :math:`|\sigma''| \le 1/(6\sqrt3)`. A symmetric trilinear form is as
large as its largest cube, hence the Hessian block changes by at most :math:`M_b \|d\|` with
:math:`M_b = \sum_i w_i \|a_{i,b}\|^3 / (6 \sqrt 3)`.
"""

import numpy as np

from ..._backend import expit_pair
from ._checks import vector
from ._columns import squared_row_norms, take
from ._gram import ConstantHessianDatafit
from ._rows import LinearDatafit

__all__ = ["LOGISTIC_BEND", "LeastSquares", "Logistic", "SquaredHinge", "signs"]

# Largest absolute value of the second derivative of the logistic function.
LOGISTIC_BEND = 1.0 / (6.0 * np.sqrt(3.0))


class LeastSquares(ConstantHessianDatafit):
    r"""Least squares, ``sum_i w_i (a_i'x - b_i)^2 / 2 + l2 |x|^2 / 2``.

    Parameters
    ----------
    A : {array-like, sparse matrix} of shape (n_rows, n_variables)
        Rows; kept by columns, in float64.
    b : array-like of shape (n_rows,)
        Targets.
    l2 : float >= 0 or array-like of shape (n_variables,), default=0.0
        Strength of the ridge on every variable, or on each.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows, at least 0; integers equal repetition. None counts every row once.
    gram : {"auto", True, False}, default="auto"
        Whether to store the Gram matrix and let the gradient follow each step, which makes a
        greedy step as cheap as its block. ``"auto"`` stores it where `A` is dense and has at most
        5000 columns, once a run has asked for ``n_variables / 8`` whole gradients.

    Attributes
    ----------
    A : ndarray or CSC matrix of shape (n_rows, n_variables)
        The rows.
    n_variables : int
        Number of columns.
    quadratic : bool
        True: a Newton step on a block is exact.

    See Also
    --------
    skkd.solvers.minimize_bcd : Minimises it, with or without a penalty.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.objectives import LeastSquares
    >>> datafit = LeastSquares([[1.0, 0.0], [0.0, 2.0]], [1.0, 2.0])
    >>> datafit.lipschitz()
    array([1., 4.])
    >>> datafit.gradient(np.zeros(2))
    array([-1., -4.])
    """

    def __init__(self, A, b, *, l2=0.0, sample_weight=None, gram="auto"):
        super().__init__(A, l2, sample_weight, gram)
        self.b = self.shift = vector(b, self.A.shape[0])


class Logistic(LinearDatafit):
    r"""Logistic loss of two classes, ``sum_i w_i log(1 + exp(-b_i a_i'x)) + l2 |x|^2 / 2``.

    Parameters
    ----------
    A : {array-like, sparse matrix} of shape (n_rows, n_variables)
        Rows; kept by columns, in float64.
    b : array-like of shape (n_rows,)
        Labels, -1 or 1.
    l2 : float >= 0 or array-like of shape (n_variables,), default=0.0
        Strength of the ridge on every variable, or on each.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows, at least 0; integers equal repetition. None counts every row once.

    Attributes
    ----------
    A : ndarray or CSC matrix of shape (n_rows, n_variables)
        The rows.
    n_variables : int
        Number of columns.

    See Also
    --------
    Softmax : More than two classes.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.objectives import Logistic
    >>> datafit = Logistic([[1.0, 0.0], [0.0, 2.0]], [1, -1])
    >>> datafit.gradient(np.zeros(2))
    array([-0.5,  1. ])
    """

    curvature = 0.25

    def __init__(self, A, b, *, l2=0.0, sample_weight=None):
        super().__init__(A, l2, sample_weight)
        self.b = self.targets = signs(b, self.A.shape[0])

    def third_order(self, block):
        cubes = squared_row_norms(take(self.A, block)) ** 1.5
        return float(LOGISTIC_BEND * np.sum(self._weighted(cubes)))

    def _loss(self, z, targets):
        return np.logaddexp(0.0, -targets * z)

    def _slope(self, z, targets):
        return -targets * expit_pair(-targets * z)[0]

    def _bend(self, z, targets):
        up, down = expit_pair(z)
        return up * down


class SquaredHinge(LinearDatafit):
    r"""Squared hinge loss, ``sum_i w_i max(0, 1 - b_i a_i'x)^2 / 2 + l2 |x|^2 / 2``.

    Its Hessian jumps where a margin passes 1: :meth:`hessian_block` is that of the rows with
    margins below 1, and there is no third-order bound.

    Parameters
    ----------
    A : {array-like, sparse matrix} of shape (n_rows, n_variables)
        Rows; kept by columns, in float64.
    b : array-like of shape (n_rows,)
        Labels, -1 or 1.
    l2 : float >= 0 or array-like of shape (n_variables,), default=0.0
        Strength of the ridge on every variable, or on each.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows, at least 0; integers equal repetition. None counts every row once.

    Attributes
    ----------
    A : ndarray or CSC matrix of shape (n_rows, n_variables)
        The rows.
    n_variables : int
        Number of columns.

    See Also
    --------
    SVMDual : The dual of the hinge loss that is not squared.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.objectives import SquaredHinge
    >>> SquaredHinge([[1.0, 0.0], [0.0, 2.0]], [1, -1]).value(np.array([2.0, 0.0]))
    0.5
    """

    def __init__(self, A, b, *, l2=0.0, sample_weight=None):
        super().__init__(A, l2, sample_weight)
        self.b = self.targets = signs(b, self.A.shape[0])

    def _loss(self, z, targets):
        return 0.5 * np.maximum(0.0, 1.0 - targets * z) ** 2

    def _slope(self, z, targets):
        return -targets * np.maximum(0.0, 1.0 - targets * z)

    def _bend(self, z, targets):
        return (targets * z < 1.0).astype(np.float64)


def signs(b, n, name="b"):
    """Labels -1 and 1 as a float64 vector."""
    b = vector(b, n, name)
    others = np.setdiff1d(b, [-1.0, 1.0])
    if others.size:
        raise ValueError(
            f"{name} holds labels other than -1 and 1, such as {others[0]:g}; encode two classes "
            f"as -1 and 1, for instance with np.where({name} == positive, 1, -1)"
        )
    return b
