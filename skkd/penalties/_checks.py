"""What penalties accept, and arithmetic on numbers that are one for all or one for each."""

import math

import numpy as np

from .._backend import is_numpy, namespace

__all__ = ["at", "numbers", "on_host", "ratio", "spread", "strength"]


def strength(alpha, name="alpha"):
    """A finite float64 array, of shape () or (n,), without negative entries."""
    alpha = numbers(alpha, name)
    if not np.isfinite(alpha).all() or np.any(alpha < 0):
        raise ValueError(f"{name} must be finite and at least 0, got {alpha.tolist()!r:.60}")
    return alpha


def numbers(values, name):
    """A float64 array of shape () or (n,)."""
    values = np.array(on_host(values, name), dtype=np.float64)
    if values.ndim > 1:
        raise ValueError(
            f"{name} has shape {values.shape}, but must be a number or one for each coordinate"
        )
    return values


def on_host(values, name):
    """`values`, unless they are an array of another library than NumPy."""
    if is_numpy(values) or np.isscalar(values):
        return values
    try:
        library = namespace(values).__name__.rpartition(".")[2]
    except TypeError:  # a list or a data frame
        return values
    if library == "numpy":
        return values
    raise TypeError(
        f"{name} is an array of {library}, but penalties run on NumPy: move it to the host first, "
        f"as with {name}.cpu().numpy() for torch or cupy.asnumpy({name}) for CuPy"
    )


def at(values, block):
    """Entries of a block, of a number or of one number for each coordinate."""
    return values if block is None or values.ndim == 0 else values[block]


def spread(values, block):
    """One number for each coordinate of a block, in a new array."""
    return np.array(np.broadcast_to(at(values, block), len(block)))


def ratio(size, bound):
    """``size / bound``, with 0 / 0 = 0 and infinity for any other division by zero."""
    over_zero = np.where(size > 0, math.inf, 0.0)
    return np.where(bound > 0, size / np.where(bound > 0, bound, 1.0), over_zero)
