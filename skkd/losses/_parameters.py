"""Checks of the parameters that losses share, and the sentences in which they fail."""

import math
from numbers import Integral, Real

__all__ = ["chosen", "count", "fraction", "non_negative", "positive"]


def positive(**parameter):
    """The one parameter given, as a float, if it is a finite number above 0."""
    ((name, value),) = parameter.items()
    if not (_is_number(value) and 0 < value < math.inf):
        raise ValueError(f"{name} must be a finite number above 0, got {value!r}")
    return float(value)


def non_negative(**parameter):
    """The one parameter given, as a float, if it is a finite number of at least 0."""
    ((name, value),) = parameter.items()
    if not (_is_number(value) and 0 <= value < math.inf):
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    return float(value)


def fraction(*, closed=True, **parameter):
    """The one parameter given, as a float, if it lies between 0 and 1."""
    ((name, value),) = parameter.items()
    inside = _is_number(value) and (0 <= value <= 1 if closed else 0 < value < 1)
    if not inside:
        ends = "from 0 to 1" if closed else "between 0 and 1, both excluded"
        raise ValueError(f"{name} must be a number {ends}, got {value!r}")
    return float(value)


def chosen(options, **parameter):
    """The one parameter given, if it is one of `options`."""
    ((name, value),) = parameter.items()
    if value not in options:
        known = ", ".join(repr(option) for option in options)
        raise ValueError(f"{name} must be one of {known}, got {value!r}")
    return value


def count(**parameter):
    """The one parameter given, as an int, if it is a whole number of at least 1."""
    ((name, value),) = parameter.items()
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)
