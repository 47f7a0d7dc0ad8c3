"""The ways in which kernels are compiled."""

import numba

__all__ = ["njit", "njit_divide", "njit_in_order", "njit_scalar"]

# Sums may be reordered, which is what lets LLVM use vector registers for them. NaN and infinity
# keep their meaning: "nnan" and "ninf" are left out on purpose.
_FAST = {"reassoc", "contract", "nsz", "arcp"}


def njit(function):
    """Compile on first call with sums in any order, release the GIL, keep the result on disk."""
    return _compile(function, _FAST)


def njit_in_order(function):
    """As :func:`njit`, but every operation happens in the order in which it is written."""
    return _compile(function, {"contract"})


def njit_divide(function):
    """As :func:`njit`, but division by zero is that of NumPy: no check, which would stop SIMD."""
    return _compile(function, _FAST, error_model="numpy")


def njit_scalar(function):
    """For functions of numbers that become part of loops: in order, and with NumPy's division."""
    return _compile(function, {"contract"}, error_model="numpy", forceinline=True)


def _compile(function, fastmath, **options):
    try:
        return numba.njit(cache=True, nogil=True, fastmath=fastmath, **options)(function)
    except RuntimeError:  # no writable place for the cache: compile anew in each process
        return numba.njit(nogil=True, fastmath=fastmath, **options)(function)
