r"""Exact error of the rule "largest score" where the scores are Gaussian within each class.

In class k the scores are :math:`f = c_k + G z` with :math:`z \sim N(0, I)`. An error is the event
that some other score beats the own one, and the probabilities of the single mistakes

.. math::
    P(\text{predict } j \mid k) = P(f_j > f_i \text{ for all } i \ne j)

add up to it: nothing is subtracted from one, so that an error of 1e-30 keeps its digits. Each is
the probability of a cone under a Gaussian. With two scores it is one value of the normal
distribution function; with scores on a line (rank one) an interval's probability; else it is
integrated over all but one direction by quasi-Monte Carlo, conditioning on one constraint after
the other, with the constraints that depend on no new direction folded into the interval of their
last one, so that dependent scores need no special case.

Reference: Genz, A., Kwong, K.-S., "Numerical evaluation of singular multivariate normal
distributions", Journal of Statistical Computation and Simulation 68, 2000.
"""

import math
import warnings

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri
from sklearn.exceptions import ConvergenceWarning

__all__ = ["argmax_error"]

_COPIES = 8  # of the points, independent of each other: their spread is the error estimate
_FIRST, _LAST = 2**7, 2**15  # points of each copy
_BITS = 30
_NARROW = 0.02  # singular value, relative to the largest, of a direction that is taken first
_SEED = 20230723
_NEGLIGIBLE = 1e-14  # mistakes that are left out, together, relative to the error
_ROUNDING = 100 * np.finfo(float).eps
_FAR = 40.0  # no double lies further out in a normal distribution


def argmax_error(centers, factor, priors, labels, *, tol):
    """Probability that the label of the largest score is not the class.

    Parameters
    ----------
    centers : ndarray of shape (n_classes, n_scores)
        Mean of the scores in each class; -inf for a score that never wins.
    factor : ndarray of shape (n_scores, n_directions)
        Scores are ``centers[k] + factor @ z`` with z standard normal, in every class k.
    priors : ndarray of shape (n_classes,)
        Probabilities of the classes.
    labels : ndarray of shape (n_scores,)
        Class that each score stands for; of equal scores the first wins.
    tol : float
        Largest relative uncertainty of what is integrated numerically: the standard error over
        independent copies of the points, and the change when their number doubles.

    Returns
    -------
    error : float
        Within [0, 1].
    """
    alive = centers[0] > -math.inf
    centers, factor, labels = centers[:, alive], factor[alive], labels[alive]
    if factor.shape[1] > factor.shape[0]:
        factor = np.linalg.qr(factor.T, mode="r").T
    # Differences of scores inherit the rounding of the scores.
    scale = _ROUNDING * np.linalg.norm(factor, axis=1).max()
    own = {int(label): index for index, label in enumerate(labels)}
    missing = sum(prior for k, prior in enumerate(priors) if k not in own)
    beaten = {k: _beaten(centers[k], factor, i, scale) for k, i in own.items() if priors[k] > 0}
    low = sum(priors[k] * bounds.max() for k, bounds in beaten.items())
    high = sum(priors[k] * min(bounds.sum(), 1.0) for k, bounds in beaten.items())
    if len(labels) <= 2:
        return float(min(missing + high, 1.0))
    cones = [
        (priors[k] * bounds[j], priors[k], *_cone(centers[k], factor, j))
        for k, bounds in beaten.items()
        for j in np.flatnonzero(bounds)
    ]
    found = _integrate(_without(cones, _NEGLIGIBLE * low), missing, tol, low, scale)
    return float(min(max(found, missing + low), missing + high, 1.0))


def _beaten(center, factor, own, scale):
    """P(f_j > f_own) for each score j; 0 for the own one."""
    gaps = center - center[own]
    spread = np.linalg.norm(factor - factor[own], axis=1)
    flat = spread <= scale
    wins = np.where(np.arange(len(gaps)) < own, gaps >= 0, gaps > 0)
    bounds = np.where(flat, wins, ndtr(gaps / np.where(flat, 1.0, spread)))
    bounds[own] = 0.0
    return bounds


def _without(cones, negligible):
    """Cones but for those whose probabilities, of which the first entry is a bound, are small."""
    cones = sorted(cones, key=lambda cone: cone[0])
    total = np.cumsum([cone[0] for cone in cones])
    return cones[int(np.searchsorted(total, negligible, side="right")) :]


def _cone(center, factor, j):
    """The constraints ``mean + rows @ z > 0`` under which score j wins, ties to the first."""
    others = np.arange(len(center)) != j
    strict = np.arange(len(center))[others] < j
    return center[j] - center[others], factor[j] - factor[others], strict


def _integrate(cones, base, tol, low, scale):
    """`base` and the probabilities of the cones, each times its weight."""
    integrals = []
    for most, weight, mean, rows, strict in cones:
        mean, triangle = _triangular(mean, rows, strict, scale)
        if triangle.shape[1] > 1:
            integrals.append((most, weight, mean, triangle))
        elif triangle.shape[1] == 1:
            base += weight * float(_cone_weights(mean, triangle, np.empty((0, 1)))[0])
        else:
            base += weight * float(np.all(mean > 0))
    integrals = _without(integrals, 0.01 * tol * low)
    sums, count, value = np.zeros(_COPIES), 0, math.inf
    while integrals:
        upto = max(_FIRST, 2 * count)
        sums += _sums(integrals, count, upto)
        count, before, value = upto, value, base + sums.mean() / upto
        # Where all copies fall on the same side of a step, their spread alone does not see it.
        spread = (sums / count).std(ddof=1) / math.sqrt(_COPIES)
        error = max(spread, abs(value - before))
        if error <= tol * max(value, low):
            return value
        if count >= _LAST:
            warnings.warn(
                f"the error {value:.3e} of the rule is uncertain by {error:.1e} after "
                f"{_COPIES * count} points, more than tol={tol:.1e} times it; increase tol",
                ConvergenceWarning,
                stacklevel=2,
            )
            return value
    return base


def _sums(integrals, start, stop):
    """Sums over the points start..stop of each copy of the net; shape (copies,)."""
    points = _net(max(cone[-1].shape[1] for cone in integrals) - 1, start, stop)
    sums = np.zeros(_COPIES)
    for _, weight, mean, triangle in integrals:
        used = points[: triangle.shape[1] - 1].reshape(triangle.shape[1] - 1, -1)
        weights = _cone_weights(mean, triangle, used)
        sums += weight * weights.reshape(_COPIES, -1).sum(axis=1)
    return sums


def _net(depth, start, stop):
    """Points of Sobol's sequence, each copy with its own digits flipped; (depth, copies, points).

    The flips are the same in every call, so that an error is a function of its arguments.
    """
    from scipy.stats import qmc

    sobol = qmc.Sobol(depth, scramble=False, bits=_BITS)
    if start:
        sobol.fast_forward(start)
    digits = (sobol.random(stop - start).T * 2.0**_BITS).astype(np.int64)[:, None, :]
    flips = np.random.default_rng(_SEED).integers(2**_BITS, size=(depth, _COPIES, 1))
    return ((digits ^ flips) + 0.5) / 2.0**_BITS


def _triangular(mean, rows, strict, scale):
    """The same constraints on rotated z: one more direction of z with each column.

    First come directions along which the constraints hardly differ: taken last, they would turn
    what depends on the others into steps. The rest are taken from the constraints in turn, always
    the one least likely to hold given what the earlier ones are expected to be: most of the
    variation then lies in the first few.

    Returns the means of shape (n,), those of constraints without any direction replaced by the
    sign of their truth, and the triangle of shape (n, rank).
    """
    basis = _narrow(rows, scale)
    triangle, expected = np.zeros((len(mean), min(rows.shape))), [0.0] * len(basis)
    left = rows.copy()
    for i, direction in enumerate(basis):
        triangle[:, i] = left @ direction
        left -= np.outer(triangle[:, i], direction)
    for i in range(len(basis), triangle.shape[1]):
        norms = np.linalg.norm(left, axis=1)
        usable = norms > scale
        if not usable.any():
            break
        limits = (mean + triangle[:, :i] @ expected) / np.where(usable, norms, 1.0)
        pick = int(np.argmin(np.where(usable, limits, math.inf)))
        direction = _orthogonal(left[pick], basis)
        basis.append(direction)
        triangle[:, i] = left @ direction
        left -= np.outer(triangle[:, i], direction)
        left[pick] = 0.0
        expected.append(_mean_above(-limits[pick]))
    triangle = triangle[:, : len(basis)]
    triangle[np.abs(triangle) <= scale] = 0.0
    flat = ~triangle.any(axis=1)
    holds = np.where(strict, mean > 0, mean >= 0)
    return np.where(flat, np.where(holds, 1.0, -1.0), mean), triangle


def _narrow(rows, scale):
    """Orthonormal directions along which the rows, at length one, are small but not zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    _, sizes, directions = np.linalg.svd(rows / np.where(norms > scale, norms, math.inf))
    narrow = directions[: len(sizes)][sizes < _NARROW * sizes[0]]
    return [direction for direction in narrow[::-1] if np.abs(rows @ direction).max() > scale]


def _orthogonal(vector, basis):
    """Unit vector along `vector`, with what rounding left of the earlier ones removed."""
    vector = vector / np.linalg.norm(vector)
    for _ in range(2):
        for other in basis:
            vector = vector - (vector @ other) * other
        vector = vector / np.linalg.norm(vector)
    return vector


def _mean_above(limit):
    """Mean of a standard normal variable above `limit`."""
    if limit > 1e4:
        return float(limit)
    density = -0.5 * limit * limit - 0.5 * math.log(2 * math.pi)
    return float(np.exp(density - log_ndtr(-limit)))


def _cone_weights(mean, triangle, uniforms):
    """Probability of the cone given the uniforms that choose all directions but the last.

    Parameters
    ----------
    mean : ndarray of shape (n,)
        Constraints are ``mean + triangle @ z > 0``.
    triangle : ndarray of shape (n, rank)
        As `_triangular` makes it.
    uniforms : ndarray of shape (rank - 1, m)
        Points of the unit cube.

    Returns
    -------
    weights : ndarray of shape (m,)
        Their mean over the cube is the probability.
    """
    nonzero = triangle != 0
    rank = triangle.shape[1]
    last = np.where(nonzero.any(axis=1), rank - 1 - np.argmax(nonzero[:, ::-1], axis=1), -1)
    m = uniforms.shape[1]
    weights = np.full(m, float(np.all(mean[last < 0] > 0)))
    z = np.empty((rank, m))
    for i in range(rank):
        at = last == i
        if not at.any():
            z[i] = np.clip(ndtri(uniforms[i]), -_FAR, _FAR)
            continue
        bounds = -(mean[at, None] + triangle[at, :i] @ z[:i]) / triangle[at, i, None]
        rises = triangle[at, i] > 0
        low = bounds[rises].max(axis=0, initial=-math.inf)
        high = bounds[~rises].min(axis=0, initial=math.inf)
        weights *= _draw(low, high, uniforms[i] if i < rank - 1 else None, z[i])
    return weights


def _draw(low, high, uniform, out):
    """Probability of an interval; puts the quantile `uniform` of z within it into `out`."""
    flip = low + high > 0  # the lower tail is the one with relative accuracy
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    below = ndtr(low)
    mass = np.maximum(ndtr(high) - below, 0.0)
    if uniform is not None:
        z = np.clip(ndtri(below + uniform * mass), -_FAR, _FAR)
        out[:] = np.where(flip, -z, z)
    return mass
