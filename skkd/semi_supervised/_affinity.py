"""Graphs of samples: affinities among training rows, and of new rows to them."""

import numpy as np
import scipy.sparse as sp
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.neighbors import NearestNeighbors

__all__ = ["check_affinity", "knn_affinity", "knn_index", "new_affinity", "rbf_affinity"]

# Largest asymmetry, relative to the largest weight, that passes for rounding.
_ASYMMETRY = 1e-5


def knn_index(X, n_neighbors, n_jobs):
    """A fitted index of the rows of X, or an error where there are too few."""
    n_samples = X.shape[0]
    if n_neighbors >= n_samples:
        raise ValueError(
            f"kernel='knn' with n_neighbors={n_neighbors} needs more than {n_neighbors} samples, "
            f"but got n_samples={n_samples}; use a smaller n_neighbors, or kernel='rbf'"
        )
    return NearestNeighbors(n_neighbors=n_neighbors, n_jobs=n_jobs).fit(X)


def knn_affinity(index):
    """Weight 1 where either of two rows is among the nearest of the other, itself excluded."""
    W = sp.csr_array(index.kneighbors_graph(mode="connectivity"), dtype=np.float64)
    return sp.csr_array(W.maximum(W.T))


def rbf_affinity(X, gamma):
    """``exp(-gamma * squared distance)`` of all pairs of rows, in float64."""
    W = rbf_kernel(X.astype(np.float64), gamma=gamma)
    np.fill_diagonal(W, 0.0)
    return (W + W.T) / 2.0


def check_affinity(W):
    """A given affinity matrix, symmetric and without a diagonal, or an error that says why not."""
    if W.shape[0] != W.shape[1]:
        raise ValueError(
            f"kernel='precomputed' takes a square matrix of affinities between the samples, got "
            f"shape {W.shape}; give rows of features to kernel='knn' or 'rbf'"
        )
    W = sp.csr_array(W, dtype=np.float64) if sp.issparse(W) else np.array(W, dtype=np.float64)
    _refuse_negative(W)
    asymmetry = abs(W - W.T).max() if W.shape[0] else 0.0
    if asymmetry > _ASYMMETRY * W.max():
        raise ValueError(
            f"an affinity matrix must be symmetric, but entries differ from their mirror images by "
            f"up to {asymmetry:.3g}; pass (W + W.T) / 2, or W.maximum(W.T)"
        )
    W = (W + W.T) / 2.0
    if not sp.issparse(W):
        np.fill_diagonal(W, 0.0)
        return W
    W = sp.csr_array(W - sp.diags_array(W.diagonal()))
    W.eliminate_zeros()
    return W


def new_affinity(kernel, X, training, index, gamma):
    """Affinities of new rows to the training rows, each new row scaled to sum to 1."""
    if kernel == "knn":
        weights = sp.csr_array(index.kneighbors_graph(X, mode="connectivity"), dtype=np.float64)
    elif kernel == "rbf":
        squared = euclidean_distances(
            X.astype(np.float64), training.astype(np.float64), squared=True
        )
        # Relative to the nearest row: far from all, plain weights would all round to zero.
        weights = np.exp(-gamma * (squared - squared.min(axis=1, keepdims=True)))
    else:
        weights = sp.csr_array(X, dtype=np.float64) if sp.issparse(X) else X.astype(np.float64)
        _refuse_negative(weights)
    totals = np.asarray(weights.sum(axis=1)).ravel()
    if (totals == 0).any():
        raise ValueError(
            f"{int((totals == 0).sum())} of {len(totals)} samples have no affinity to any training "
            "sample, so nothing can be said about them; give each a positive entry in its row"
        )
    if sp.issparse(weights):
        return sp.diags_array(1.0 / totals) @ weights
    return weights / totals[:, None]


def _refuse_negative(W):
    lowest = W.min() if min(W.shape) else 0.0
    if lowest < 0:
        raise ValueError(
            f"affinities must not be negative, got {lowest:.3g}; a kernel that can be negative is "
            "no affinity: shift it, or use kernel='knn' or 'rbf' on the features"
        )
