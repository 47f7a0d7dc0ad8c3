"""Array libraries that metrics are tried on."""

import numpy as np
import pytest


def put(library, x):
    """`x` in a library; skips where that is not installed."""
    x = np.asarray(x)
    if library == "torch":
        return pytest.importorskip("torch").asarray(x)
    if library == "strict":
        strict = pytest.importorskip("array_api_strict")
        return strict.asarray(x, device=strict.Device("device1"))
    return x
