r"""Products with the Hessian of a softmax, :math:`\mathrm{diag}(p) - p p^\top` in each row."""

from .._backend import log_softmax, namespace
from ._base import weighted
from ._compiled import compiled, softmax_curvature

__all__ = ["softmax_hessian", "softmax_products"]


def softmax_products(Z, weight, temperature=1.0):
    """Return ``V -> s (diag(p) - p p^T) V``, p the softmax of ``Z / temperature``.

    Parameters
    ----------
    Z : array of shape (n, k)
        Logits.
    weight : float or array of shape (n,)
        Weights s of the rows.
    temperature : float, default=1.0
        Above zero.

    Returns
    -------
    product : callable
        Maps an array of shape (n, k) to one of the same shape.
    """
    if compiled(Z):
        return softmax_curvature(Z, weight, temperature)
    P = namespace(Z).exp(log_softmax(Z / temperature))
    scaled = weighted(weight, P)
    return lambda V: scaled * (V - namespace(P).sum(P * V, axis=1, keepdims=True))


def softmax_hessian(P, V):
    """Product of ``diag(p) - p p^T`` with each row of `V`."""
    return P * (V - namespace(P).sum(P * V, axis=1, keepdims=True))
