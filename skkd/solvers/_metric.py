r"""Changes of variables for second-order solvers: ``W = R U``, with R a root of a bound's inverse.

With M a bound of the Hessian in one column of W and :math:`R R^\top = M^{-1}`, the Hessian in U is
at most the identity. M is the diagonal of the bound, which makes an iteration independent of the
units of the columns, or the whole of it, the Gram matrix of the rows,

.. math:: M = c\, \tilde X^\top S \tilde X + \alpha J, \qquad \tilde X = [X \;\; 1],

which makes it independent of their correlations too. Floor of the latter: :math:`n p^2` flops for
M, once, and an eigendecomposition of order p + 1; :math:`2 p^2 k` flops for each use.
"""

from .._backend import namespace, to_numpy

__all__ = ["Metric", "gram_metric", "make_metric"]

# Passes over the rows that M may cost, and the columns from which its eigenvectors take seconds.
_MOST_PASSES = 30
_MOST_COLUMNS = 1000
# Fewer logits count as these: products of matrices and vectors wait for memory, M does not.
_FEWEST_LOGITS = 10


class Metric:
    """The change of variables ``W = R U``.

    Parameters
    ----------
    root : array or None
        R, of shape (p, p), or its diagonal, which broadcasts to the parameters; None leaves the
        variables as they are.
    full : bool, default=False
        Whether `root` is the matrix.
    """

    def __init__(self, root, full=False):
        self.root = root
        self.full = full

    def pull(self, gradient):
        """Gradient in U from that in W."""
        if self.root is None:
            return gradient
        return self.root.T @ gradient if self.full else self.root * gradient

    def push(self, move):
        """Move of W from that of U."""
        if self.root is None:
            return move
        return self.root @ move if self.full else self.root * move

    def solve(self, gradient):
        """``M^{-1} gradient``."""
        return self.push(self.pull(gradient))


def make_metric(objective, diagonal, metric):
    """The metric given, or one of a diagonal.

    Parameters
    ----------
    objective : LinearObjective
        Asked for its diagonal if `diagonal` is "auto".
    diagonal : "auto", None or array that broadcasts to the parameters
        As given by the user; None for no scaling.
    metric : Metric or None
        Comes before `diagonal`.

    Returns
    -------
    metric : Metric
    """
    if metric is not None:
        return metric
    if diagonal is None:
        return Metric(None)
    if isinstance(diagonal, str):
        if diagonal != "auto":
            raise ValueError(f'diagonal must be "auto", None or an array, got {diagonal!r}')
        diagonal = objective.diagonal()
    return Metric(_inverse_root(diagonal))


def gram_metric(objective):
    """Metric of the Gram matrix, where it saves more than it costs.

    Parameters
    ----------
    objective : LinearObjective
        With ``gram``.

    Returns
    -------
    metric : Metric or None
        None for sparse X, for many columns beside few rows or logits, and where squares
        overflow: the solvers then use the diagonal.
    """
    p, k = objective.shape
    n = objective.X.shape[0]
    # n p^2 flops and 10 p^3 beside the 4 n p k of a pass
    passes = p * (0.25 + 2.5 * p / n) / max(k, _FEWEST_LOGITS)
    M = objective.gram() if passes <= _MOST_PASSES and p <= _MOST_COLUMNS else None
    if M is None:
        return None
    xp = namespace(M)
    scale = _inverse_root(xp.linalg.diagonal(M))[:, None]
    # Of unit diagonal: columns of small units are not lost in the rounding of large ones.
    M = scale * M * xp.matrix_transpose(scale)
    if not bool(to_numpy(xp.all(xp.isfinite(M)))):
        return None
    values, vectors = xp.linalg.eigh(M)
    # Directions in which the rows do not differ but for rounding: bounded, not magnified.
    least = p * float(xp.finfo(M.dtype).eps) * xp.max(values)
    values = xp.where(values > least, values, least)
    # The symmetric root, which does not depend on the choice of eigenvectors.
    root = (vectors / xp.sqrt(values)[None, :]) @ xp.matrix_transpose(vectors)
    return Metric(scale * root, full=True)


def _inverse_root(diagonal):
    """``diagonal^{-1/2}``; a column of zeros has no gradient, and any positive number will do."""
    xp = namespace(diagonal)
    largest = xp.max(diagonal)
    largest = xp.where(largest > 0, largest, xp.ones_like(largest))
    return 1.0 / xp.sqrt(xp.where(diagonal > 0, diagonal, largest))
