r"""Descent for a small quadratic with an L1 norm and bounds, on its Gram matrix.

.. math::
    \min_{w} \; \tfrac12 w^\top G w - b^\top w + \sum_j \lambda_j |w_j|,
    \qquad l \le w \le u, \quad l \le 0 \le u

The matrix G is float32 and lies in the leading m rows and columns of a larger buffer, so that it
can grow in place. The point w and the negative gradient :math:`q = b - G w` are float64: the caller
renews q in full precision now and then, which makes the whole an iterative refinement.
"""

from ._jit import njit

__all__ = ["bent_path", "coordinate_sweeps", "support_system"]


@njit
def coordinate_sweeps(G, q, w, m, l1, lower, upper, n_sweeps, tol):
    """Sweep over the coordinates, minimising each exactly; `w` and `q` change in place.

    Ends early once no coordinate violates its optimality condition by more than `tol`.

    Returns
    -------
    violation : float
        Largest violation of an optimality condition that the last sweep met.
    switches : int
        Coordinates that changed sign, became zero or ceased to be, in the last sweep.
    """
    violation = 0.0
    switches = 0
    for _ in range(n_sweeps):
        violation = 0.0
        switches = 0
        for j in range(m):
            old = w[j]
            pull = q[j]
            curvature = float(G[j, j])
            if (old == 0.0 and -l1[j] <= pull <= l1[j]) or curvature <= 0.0:
                continue
            new = _minimiser(curvature * old + pull, curvature, l1[j], lower[j], upper[j])
            step = new - old
            if step == 0.0:
                continue
            violation = max(violation, abs(step) * curvature)
            if (old > 0.0) != (new > 0.0) or (old < 0.0) != (new < 0.0):
                switches += 1
            w[j] = new
            for i in range(m):
                q[i] -= step * G[j, i]
        if violation <= tol:
            break
    return violation, switches


@njit
def _minimiser(target, curvature, l1, lower, upper):
    """Minimise ``curvature/2 u^2 - target u + l1 |u|`` over the bounds."""
    if target > l1:
        u = (target - l1) / curvature
    elif target < -l1:
        u = (target + l1) / curvature
    else:
        u = 0.0
    return min(max(u, lower), upper)


@njit
def support_system(G, q, w, m, l1, lower, upper, ridge, support, matrix, slope):
    """Gather the Newton system of the coordinates that are free to move.

    Free are those off zero (where the L1 norm is smooth) and off the bounds. Fills `support` with
    their indices, the beginning of the flat `matrix` with their part of G, row after row and with
    `ridge` times its diagonal added, and `slope` with the gradient of the objective.

    Returns
    -------
    size : int
        How many are free.
    """
    size = 0
    for j in range(m):
        at_kink = w[j] == 0.0 and (l1[j] > 0.0 or lower[j] == 0.0 or upper[j] == 0.0)
        if not at_kink and lower[j] < w[j] < upper[j]:
            support[size] = j
            slope[size] = -q[j] + (l1[j] if w[j] > 0.0 else -l1[j])
            size += 1
    for a in range(size):
        row = support[a]
        for b in range(size):
            matrix[a * size + b] = G[row, support[b]]
        matrix[a * size + a] *= 1.0 + ridge
    return size


@njit
def bent_path(G, q, w, m, l1, lower, upper, support, direction, image):
    """Minimise exactly along a direction that bends wherever a coordinate reaches its limit.

    A coordinate of the support that reaches zero or a bound stays there; the others go on along
    `direction`. The objective is quadratic between the bends and its one-sided slope is known, so
    the first minimum along the path is found exactly, at one column of G for each bend.
    `w` and `q` change in place; `direction` and `image` are used up.

    Returns
    -------
    bends : int
        Coordinates that were stopped.
    """
    size = support.shape[0]
    for i in range(m):
        image[i] = 0.0
    for a in range(size):
        d = direction[a]
        row = support[a]
        for i in range(m):
            image[i] += d * G[row, i]
    bends = 0
    while bends <= size:
        slope = 0.0
        curvature = 0.0
        for a in range(size):
            j = support[a]
            kink = 0.0 if direction[a] == 0.0 else (l1[j] if w[j] > 0.0 else -l1[j])
            slope += (kink - q[j]) * direction[a]
            curvature += image[j] * direction[a]
        if not slope < 0.0:
            break
        best = -slope / curvature if curvature > 0.0 else 1e300
        stopped = -1
        limit = 0.0
        for a in range(size):
            d = direction[a]
            if d == 0.0:
                continue
            j = support[a]
            at = w[j]
            low = lower[j] if at < 0.0 or l1[j] == 0.0 else max(lower[j], 0.0)
            high = upper[j] if at > 0.0 or l1[j] == 0.0 else min(upper[j], 0.0)
            end = high if d > 0.0 else low
            if (end - at) / d < best:
                best = (end - at) / d
                stopped = a
                limit = end
        if best >= 1e300:
            break
        for a in range(size):
            w[support[a]] += best * direction[a]
        for i in range(m):
            q[i] -= best * image[i]
        if stopped < 0:
            break
        # The stopped coordinate leaves the direction, and takes its column out of the image.
        j = support[stopped]
        d = direction[stopped]
        w[j] = limit
        direction[stopped] = 0.0
        bends += 1
        for i in range(m):
            image[i] -= d * G[j, i]
    return bends
