"""The best intercept for given coefficients, by Newton's method; it costs no pass over X."""

import numpy as np

__all__ = ["settle"]

_MAX_STEPS = 60
_FIRST = 4.0  # longest first step; doubled each time


def settle(loss, residual, b, R, kappa):
    """Move the intercept until a last step, known to first order, is small.

    Parameters
    ----------
    loss : loss
        With ``intercept_step`` and ``feasible_shift``.
    residual : callable
        Maps an intercept to the residuals there.
    b : array of shape (k,)
        Where to start.
    R : array of shape (k, n)
        Residuals there.
    kappa : float
        Largest factor ``feasible_shift`` of the last step.

    Returns
    -------
    b, R, slope, step : arrays
        Intercept, residuals and their sums there, and the Newton step that is left to take:
        ``b - step`` is better still. Zero where the intercept did not settle in time.
    """
    low, high, longest = -np.inf, np.inf, _FIRST
    for _ in range(_MAX_STEPS):
        slope = R.sum(axis=1, dtype=float)
        step = loss.intercept_step(R, slope)
        if loss.quadratic or not step.any() or loss.feasible_shift(R, step) <= kappa:
            break
        if b.size == 1:
            low, high = (low, float(b[0])) if slope[0] > 0.0 else (float(b[0]), high)
            new = _bracketed(float(b[0]), float(step[0]), low, high, longest)
            longest *= 2.0
        else:
            # Logistic losses fall along a Newton step damped like this, however long it is.
            new = b - step / (1.0 + 0.5 * np.ptp(step))
        if np.array_equal(new, b):
            break
        b, R = new, residual(new)
    else:
        step = np.zeros_like(b)
    return b, R, slope, step


def _bracketed(b, step, low, high, longest):
    """A Newton step, or the middle of the bracket if that leaves it."""
    new = b - min(max(step, -longest), longest)
    return np.array([new if low < new < high else 0.5 * (low + high)])
