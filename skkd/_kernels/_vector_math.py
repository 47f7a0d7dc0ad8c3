"""Exponential and logarithms of one number, written so that loops over them become vector code.

A call of the library's exponential keeps a loop scalar, at some five nanoseconds a number. These
are polynomials without branches; LLVM inlines them into the loops of their callers and computes
four (float64) or eight (float32) of them at a time on 256-bit registers. Each exists for both
types, chosen by that of the argument, and is within 2 ulp.

exp(x) = 2^k exp(r) with |r| <= log(2) / 2, Taylor's series to rounding, and 2^k written directly
into the exponent bits. Logarithms are 2 atanh(s), |s| <= 0.172, by their series.
"""

import math

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from ._jit import njit_scalar

__all__ = [
    "exp",
    "expm1_negative",
    "log1p_positive",
    "log1p_unit",
    "log_above_one",
    "log_cosh_of",
]

_LOG2E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01  # 33 leading bits of log 2: k * _LN2_HIGH is exact
_LN2_LOW = 1.90821492927058770002e-10
_SHIFTER = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer held in the low bits
_UNDERFLOW = -708.0
_LN2 = math.log(2.0)

_f = np.float32
_LOG2E_F, _LN2_HIGH_F, _LN2_LOW_F = _f(_LOG2E), _f(0.693359375), _f(-2.12194440e-4)
_SHIFTER_F, _UNDERFLOW_F, _LN2_F = _f(12582912.0), _f(-87.0), _f(_LN2)
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7 = (_f(1.0 / math.factorial(i)) for i in range(8))
_A3, _A5, _A7, _A9 = _f(1 / 3), _f(1 / 5), _f(1 / 7), _f(1 / 9)
_BIAS_F, _SHIFT_F = np.int32(127), np.int32(23)
_HALF_ROOT = np.uint64(0x3FE6A09E667F3BCD)  # bits of sqrt(1/2)
_HALF_ROOT_F = np.uint32(0x3F3504F3)
_MANTISSA_SHIFT, _MANTISSA_SHIFT_F = np.uint64(52), np.uint32(23)
_ROOT2_LESS_1, _ROOT2_LESS_1_F = 0.41421356237309503, _f(0.41421356237309503)
_ONE_F, _TWO_F, _THREE_F, _HALF_F = _f(1.0), _f(2.0), _f(3.0), _f(0.5)


@intrinsic
def _bits(typingctx, x):
    """The bits of a floating point number as an integer."""
    to = types.int64 if x == types.float64 else types.int32

    def generate(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return to(x), generate


@intrinsic
def _number(typingctx, bits):
    """The floating point number with these bits."""
    to = types.float64 if bits.bitwidth == 64 else types.float32

    def generate(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(signature.return_type))

    return to(bits), generate


def _by_type(double, single):
    """A function that calls `double` or `single`, as its argument is float64 or float32."""

    def chosen(x):
        raise NotImplementedError("only for compiled code")

    @overload(chosen)
    def _choose(x):
        return (lambda x: double(x)) if x == types.float64 else (lambda x: single(x))

    return chosen


@njit_scalar
def _exp_double(x):
    v = max(x, _UNDERFLOW)
    t = v * _LOG2E + _SHIFTER
    k = t - _SHIFTER
    r = (v - k * _LN2_HIGH) - k * _LN2_LOW
    return (1.0 + r * _phi_double(r)) * _number((_bits(t) << 52) + (1023 << 52))


@njit_scalar
def _phi_double(r):
    """``(exp(r) - 1) / r``."""
    p = 1 / 479001600 + r * (1 / 6227020800)
    p = 1 / 39916800 + r * p
    p = 1 / 3628800 + r * p
    p = 1 / 362880 + r * p
    p = 1 / 40320 + r * p
    p = 1 / 5040 + r * p
    p = 1 / 720 + r * p
    p = 1 / 120 + r * p
    p = 1 / 24 + r * p
    p = 1 / 6 + r * p
    p = 1 / 2 + r * p
    return 1.0 + r * p


@njit_scalar
def _exp_single(x):
    v = max(x, _UNDERFLOW_F)
    t = v * _LOG2E_F + _SHIFTER_F
    k = t - _SHIFTER_F
    r = (v - k * _LN2_HIGH_F) - k * _LN2_LOW_F
    scale = _number(np.int32((_bits(t) + _BIAS_F) << _SHIFT_F))
    return (_C0 + r * _phi_single(r)) * scale


@njit_scalar
def _phi_single(r):
    p = _C6 + r * _C7
    p = _C5 + r * p
    p = _C4 + r * p
    p = _C3 + r * p
    p = _C2 + r * p
    return _C1 + r * p


@njit_scalar
def _expm1_double(x):
    v = max(x, _UNDERFLOW)
    t = v * _LOG2E + _SHIFTER
    k = t - _SHIFTER
    r = (v - k * _LN2_HIGH) - k * _LN2_LOW
    scale = _number((_bits(t) << 52) + (1023 << 52))
    return (r * _phi_double(r)) * scale + (scale - 1.0)


@njit_scalar
def _expm1_single(x):
    v = max(x, _UNDERFLOW_F)
    t = v * _LOG2E_F + _SHIFTER_F
    k = t - _SHIFTER_F
    r = (v - k * _LN2_HIGH_F) - k * _LN2_LOW_F
    scale = _number(np.int32((_bits(t) + _BIAS_F) << _SHIFT_F))
    return (r * _phi_single(r)) * scale + (scale - _ONE_F)


@njit_scalar
def _log_ratio_double(s):
    """``2 atanh(s)`` for abs(s) <= 0.172: the log of (1 + s) / (1 - s)."""
    v = s * s
    p = 1 / 19 + v * (1 / 21)
    p = 1 / 17 + v * p
    p = 1 / 15 + v * p
    p = 1 / 13 + v * p
    p = 1 / 11 + v * p
    p = 1 / 9 + v * p
    p = 1 / 7 + v * p
    p = 1 / 5 + v * p
    p = 1 / 3 + v * p
    return 2.0 * s + 2.0 * s * (v * p)


@njit_scalar
def _log_ratio_single(s):
    v = s * s
    p = _A7 + v * _A9
    p = _A5 + v * p
    p = _A3 + v * p
    return _TWO_F * s + _TWO_F * s * (v * p)


@njit_scalar
def _log1p_double(e):
    large = e > _ROOT2_LESS_1
    s = (e - (1.0 if large else 0.0)) / (e + (3.0 if large else 2.0))
    return _log_ratio_double(s) + (_LN2 if large else 0.0)


@njit_scalar
def _log1p_single(e):
    large = e > _ROOT2_LESS_1_F
    s = (e - (_ONE_F if large else _f(0.0))) / (e + (_THREE_F if large else _TWO_F))
    return _log_ratio_single(s) + (_LN2_F if large else _f(0.0))


@njit_scalar
def _log_double(x):
    k = (np.uint64(_bits(x)) - _HALF_ROOT) >> _MANTISSA_SHIFT
    m = _number(np.int64(np.uint64(_bits(x)) - (k << _MANTISSA_SHIFT)))
    exponent = _number(np.int64(k) + np.int64(0x4338000000000000)) - _SHIFTER
    return _log_ratio_double((m - 1.0) / (m + 1.0)) + exponent * _LN2


@njit_scalar
def _log_single(x):
    k = np.uint32((np.uint32(_bits(x)) - _HALF_ROOT_F) >> _MANTISSA_SHIFT_F)
    m = _number(np.int32(np.uint32(_bits(x)) - np.uint32(k << _MANTISSA_SHIFT_F)))
    exponent = _number(np.int32(np.int32(k) + np.int32(0x4B400000))) - _SHIFTER_F
    return _log_ratio_single((m - _ONE_F) / (m + _ONE_F)) + exponent * _LN2_F


@njit_scalar
def _log1p_any_double(x):
    far = x > 1.0
    return _log_double(1.0 + x) if far else _log1p_double(x)


@njit_scalar
def _log1p_any_single(x):
    far = x > _ONE_F
    return _log_single(_ONE_F + x) if far else _log1p_single(x)


@njit_scalar
def _log_cosh_double(x):
    # Below a half from the tangent, whose square is what cosh differs from 1 by.
    near = x < 0.5
    h = _expm1_double(-2.0 * x)
    u = h / (2.0 + h)
    square = u * u
    e = h + 1.0
    s = square / (2.0 - square) if near else e / (2.0 + e)
    return (0.5 if near else 1.0) * _log_ratio_double(s) + (0.0 if near else x - _LN2)


@njit_scalar
def _log_cosh_single(x):
    near = x < _HALF_F
    h = _expm1_single(-_TWO_F * x)
    u = h / (_TWO_F + h)
    square = u * u
    e = h + _ONE_F
    s = square / (_TWO_F - square) if near else e / (_TWO_F + e)
    return (_HALF_F if near else _ONE_F) * _log_ratio_single(s) + (_f(0.0) if near else x - _LN2_F)


exp = _by_type(_exp_double, _exp_single)  # from -708 (-87) on; below that about 1e-308 (1e-38)
expm1_negative = _by_type(_expm1_double, _expm1_single)  # of a number of at most 0
log1p_positive = _by_type(_log1p_any_double, _log1p_any_single)  # of a number of at least 0
log1p_unit = _by_type(_log1p_double, _log1p_single)  # of a number from 0 to 1
log_above_one = _by_type(_log_double, _log_single)  # of a number of at least 1
log_cosh_of = _by_type(_log_cosh_double, _log_cosh_single)  # of a number of at least 0
