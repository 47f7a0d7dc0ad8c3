"""Array libraries: the one place that knows that there is more than one.

Everything numerical in skkd is written against the Python array API standard and asks
:func:`namespace` for the functions that belong to its arrays, so that NumPy, CuPy, torch and
array_api_strict arrays take the same path and results stay on the device they came from.

This is also the only module that imports scikit-learn's private array helpers
(``sklearn.utils._array_api``, ``sklearn.externals.array_api_compat``): a rename there is
repaired here.

Two ways to look at an input exist on purpose. Estimators follow scikit-learn's switch
``array_api_dispatch`` and therefore use :func:`input_namespace`; the layers below them receive
arrays that are already where they belong and use the type-based :func:`namespace`.
"""

import math

import numpy as np
from scipy import sparse
from sklearn.externals.array_api_compat import array_namespace
from sklearn.externals.array_api_compat import device as _device
from sklearn.externals.array_api_compat import numpy as numpy_namespace
from sklearn.utils._array_api import (
    _convert_to_numpy,
    _max_precision_float_dtype,
    check_same_namespace,
    move_to,
    supported_float_dtypes,
)
from sklearn.utils._array_api import get_namespace_and_device as input_namespace

__all__ = [
    "check_same_namespace",
    "device_of",
    "expit_pair",
    "float_dtypes",
    "input_namespace",
    "is_numpy",
    "log_softmax",
    "logsumexp",
    "move_to",
    "namespace",
    "norm",
    "one_hot",
    "scalar",
    "softplus_pair",
    "sum_dtype",
    "to_numpy",
    "total",
]


def namespace(*arrays):
    """Array API namespace of `arrays`, by their type; sparse matrices count as NumPy."""
    if type(arrays[0]) is np.ndarray or sparse.issparse(arrays[0]):
        return numpy_namespace
    return array_namespace(*arrays)


def device_of(x):
    """Device of an array, by its type; None for NumPy and sparse matrices."""
    return None if is_numpy(x) else _device(x)


def is_numpy(x):
    """Tell whether `x` lives in NumPy (dense or SciPy sparse)."""
    return isinstance(x, np.ndarray) or sparse.issparse(x)


def to_numpy(x):
    """Copy `x` to a NumPy array on the host; sparse matrices are returned unchanged."""
    if is_numpy(x):
        return x
    return _convert_to_numpy(x, namespace(x))


def float_dtypes(xp, device):
    """Floating point types that `device` computes with, most precise first."""
    return list(supported_float_dtypes(xp, device=device))


def sum_dtype(x):
    """Type in which sums over rows are accumulated: float64 where the device of `x` has it."""
    if is_numpy(x):
        return np.float64
    return _max_precision_float_dtype(namespace(x), device_of(x))


def total(x, axis=None):
    """Sum of `x` accumulated in :func:`sum_dtype`."""
    return namespace(x).sum(x, axis=axis, dtype=sum_dtype(x))


def norm(x):
    """Euclidean norm of all entries, a 0-d array; squares neither overflow nor underflow."""
    xp = namespace(x)
    peak = xp.max(xp.abs(x))
    scale = xp.where(peak > 0, peak, xp.ones_like(peak))
    return xp.sqrt(xp.sum((x / scale) ** 2)) * scale


def scalar(value, like):
    """0-d array with the dtype and device of `like`."""
    xp = namespace(like)
    return xp.asarray(value, dtype=like.dtype, device=device_of(like))


def one_hot(labels, n_classes):
    """Mask of shape (n, K) with ``out[i, k]`` true where ``labels[i] == k``.

    Laid out class by class in NumPy, as the logits of a block of rows are: sums over a few
    classes then run along contiguous columns.
    """
    xp = namespace(labels)
    classes = xp.arange(n_classes, dtype=labels.dtype, device=device_of(labels))
    return (classes[:, None] == labels[None, :]).T


def logsumexp(x, axis=None, keepdims=False):
    """``log(sum(exp(x)))`` without overflow; ``-inf`` for a slice of nothing but ``-inf``."""
    xp = namespace(x)
    peak = xp.max(x, axis=axis, keepdims=True)
    shift = xp.where(xp.isfinite(peak), peak, 0.0)
    sums = xp.sum(xp.exp(x - shift), axis=axis, keepdims=True)
    # log of an exact zero is -inf, which is the answer; NumPy alone would warn about it.
    tiny = sums == 0.0
    out = xp.where(tiny, -math.inf, xp.log(xp.where(tiny, 1.0, sums))) + shift
    out = xp.where(peak == math.inf, peak, out)
    if keepdims:
        return out
    if axis is None:
        return xp.reshape(out, ())
    return xp.squeeze(out, axis=axis)


def log_softmax(x, axis=-1):
    """``x - logsumexp(x)`` along `axis`, exact for logits of any size."""
    xp = namespace(x)
    x = x - xp.max(x, axis=axis, keepdims=True)
    return x - xp.log(xp.sum(xp.exp(x), axis=axis, keepdims=True))


def softplus_pair(x):
    """``(log(1 + exp(x)), log(1 + exp(-x)))``, each to full relative accuracy."""
    xp = namespace(x)
    tail = xp.log1p(xp.exp(-xp.abs(x)))
    return xp.where(x > 0, x, 0.0) + tail, xp.where(x < 0, -x, 0.0) + tail


def expit_pair(x):
    """``(sigma(x), sigma(-x))`` of the logistic function, each to full relative accuracy."""
    xp = namespace(x)
    small = xp.exp(-xp.abs(x))
    large = 1.0 / (1.0 + small)
    small = small * large
    positive = x >= 0
    return xp.where(positive, large, small), xp.where(positive, small, large)
