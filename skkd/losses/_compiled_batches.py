"""Losses of whole batches on large NumPy logits: the passes of :mod:`skkd._kernels.batch_losses`.

Each function computes what the array-API code of its loss does, to rounding.
"""

import numpy as np

from .._threads import blas_threads, run_in_threads
from ._compiled import _chunks, laid_out, pass_over_rows, rankings

__all__ = [
    "best_classes",
    "correlation_pass",
    "entropies",
    "entropy_pass",
    "information_pass",
    "pull_back_pass",
    "self_pass",
    "softmax_pass",
    "zipf_labels",
]


def best_classes(Z, T, k, falling):
    """The classes of the k largest logits of each row of `Z`, in the order of those of `T`."""
    from .._kernels.ranking import best_rows

    Z, T = np.ascontiguousarray(Z), np.ascontiguousarray(T)
    order = np.empty((Z.shape[0], k), dtype=np.intp)
    _over(lambda rows: best_rows(Z, T, falling, order, rows.start, rows.stop), *Z.shape)
    return order


def zipf_labels(score, y, mass):
    """``1 / rank`` of each class by falling score, scaled to `mass`; 0 for the label's own."""
    from .._kernels.ranking import zipf_rows

    score = np.ascontiguousarray(score)
    order = rankings(score, y)
    out = np.empty_like(score)
    _over(lambda rows: zipf_rows(score, order, y, mass, out, rows.start, rows.stop), *score.shape)
    return out


def softmax_pass(Z, temperature):
    """Softened probabilities, shape (n, C), laid out class by class."""
    return _softmax(Z, temperature)[0].T


def pull_back_pass(P, A, weight, scale, like):
    """``scale weight_i p_i (a_i - <p_i, a_i>)`` for each row, laid out as `like` is."""
    from .._kernels.batch_losses import pull_back_rows

    G, by_class = _room_like(like)
    A, a_by_class = laid_out(A)
    PT, factors = np.ascontiguousarray(P.T), _factors(weight)

    def work(rows):
        pull_back_rows(PT, A, a_by_class, factors, scale, G, by_class, rows.start, rows.stop)

    _over(work, *P.shape)
    return G.T if by_class else G


def correlation_pass(Z, Q, weight, *, temperature, beta, gamma, guard, mass):
    """Value and gradient of the correlations of rows and columns."""
    from .._kernels import batch_losses as kernels

    n, n_classes = Z.shape
    PT, QT = _softmax(Z, temperature)[0], np.ascontiguousarray(Q.T)
    factors = _factors(weight)
    total = float(np.sum(factors)) * (n if factors.shape[0] == 1 else 1)
    of_u, of_v = np.empty((2, n), dtype=Z.dtype)
    means, products = np.empty((2, n_classes, 3))
    of_rows = _over(
        lambda rows: kernels.row_correlations(
            PT, QT, factors, guard, of_u, of_v, rows.start, rows.stop
        ),
        *(n, n_classes),
    )
    _over(
        lambda part: kernels.centred_products(
            PT, QT, factors, total, means, products, part.start, part.stop
        ),
        *(n_classes, n),
    )
    rho, along_u, along_v = _from_products(*products.T, guard / mass)
    value = beta * (1.0 - sum(of_rows) / total) + gamma * (1.0 - np.mean(rho))
    share = gamma / n_classes
    G, by_class = _room_like(Z)
    of_u *= beta
    of_v *= beta
    _over(
        lambda rows: kernels.correlation_gradient(
            *(PT, QT, factors, -temperature, of_u, of_v, means, share * along_u, share * along_v),
            *(G, by_class, rows.start, rows.stop),
        ),
        *(n, n_classes),
    )
    return temperature**2 * np.float64(value), G.T if by_class else G


def information_pass(Z, y, weight, centroids=None):
    """Value and gradient of the divergences from the centroids, by default those of the rows."""
    from .._kernels import batch_losses as kernels

    PT, peak, log_sum = _softmax(Z, 1.0)
    factors = _factors(weight)
    n, n_classes = Z.shape
    if centroids is None:
        sums = np.empty((n_classes, n_classes))
        _over(
            lambda part: kernels.class_sums(PT, y, factors, sums, part.start, part.stop),
            *(n_classes, n),
        )
        mass = np.bincount(y, np.broadcast_to(factors, (n,)), n_classes)
        sums /= np.where(mass > 0, mass, 1.0)
    else:
        sums = np.asarray(centroids, dtype=np.float64).T
    tiny = float(np.finfo(Z.dtype).smallest_normal)
    log_centroids = np.log(np.maximum(sums, tiny)).astype(Z.dtype)
    inner, by_class = laid_out(Z)
    G, _ = _room_like(Z)
    values = _over(
        lambda rows: kernels.information_rows(
            *(inner, by_class, PT, peak, log_sum, log_centroids, y, factors, G),
            *(rows.start, rows.stop),
        ),
        *(n, n_classes),
    )
    return np.float64(sum(values)), G.T if by_class else G


def self_pass(Z, soft, focus, y, weight, beta):
    """Value and gradient of self-distillation, given its weights and soft labels."""
    from .._kernels.batch_losses import self_rows

    return pass_over_rows(self_rows, Z, (soft, focus, y), weight, (beta,))


def entropy_pass(Z, weight):
    """Weighted sum of the entropies of the rows, and its gradient."""
    from .._kernels.batch_losses import entropy_rows

    return pass_over_rows(entropy_rows, Z, (), weight, ())


def entropies(Z, temperature):
    """Entropy of each row's softened probabilities, shape (n,)."""
    from .._kernels.batch_losses import row_entropies

    inner, by_class = laid_out(Z)
    out = np.empty(Z.shape[0], dtype=Z.dtype)
    _over(
        lambda rows: row_entropies(inner, by_class, 1.0 / temperature, out, rows.start, rows.stop),
        *Z.shape,
    )
    return out


def _softmax(Z, temperature):
    """Probabilities by class (C, n), and of each row the logits' peak and the log of its sum."""
    from .._kernels.batch_losses import softmax_rows

    inner, by_class = laid_out(Z)
    PT = np.empty(Z.shape[::-1], dtype=Z.dtype)
    peak, log_sum = np.empty((2, Z.shape[0]), dtype=Z.dtype)
    _over(
        lambda rows: softmax_rows(
            inner, by_class, 1.0 / temperature, PT, peak, log_sum, rows.start, rows.stop
        ),
        *Z.shape,
    )
    return PT, peak, log_sum


def _from_products(uv, uu, vv, guard):
    """Correlations, and the factors of u and v in their gradients in u."""
    norm_u, norm_v = np.sqrt(np.maximum(uu, 0.0)), np.sqrt(vv)
    scale = norm_u * norm_v + guard
    rho = uv / scale
    return rho, -rho * norm_v / (scale * np.where(norm_u > 0, norm_u, 1.0)), 1.0 / scale


def _factors(weight):
    return np.atleast_1d(np.asarray(weight, dtype=np.float64))


def _room_like(Z):
    """Room for a gradient laid out as `Z` is, and whether that is class by class."""
    by_class = laid_out(Z)[1] if Z.flags.f_contiguous or Z.flags.c_contiguous else False
    return np.empty(Z.shape[::-1] if by_class else Z.shape, dtype=Z.dtype), by_class


def _over(work, n_rows, n_columns):
    """``work(slice)`` for chunks of a matrix's rows, in threads."""
    return run_in_threads(work, _chunks(n_rows, n_columns), blas_threads())
