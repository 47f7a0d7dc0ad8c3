r"""Descent for a least-squares problem with an L1 norm on a few sparse columns.

.. math::
    \min_{w} \; \tfrac12 \| \rho - \sum_j (B_j - \mu_j e) w_j \|^2 + \tfrac{\lambda_2}{2} \|w\|^2
    + \lambda_1 \|w\|_1, \qquad l \le w \le u

The columns B are sparse, the vector e is dense, and the means :math:`\mu_j = B_j^\top e / \|e\|^2`
make every centred column orthogonal to e. Centring costs nothing: as the residual is orthogonal to
e as well, it is kept as :math:`\rho + o\,e` with a scalar o. Without an intercept all means are 0.

Columns are given in compressed form: `values`, `rows` and `starts`.
"""

from ._jit import njit

__all__ = ["bent_path", "conjugate_gradients", "coordinate_sweeps"]


@njit
def coordinate_sweeps(
    values, rows, starts, sums, means, curvatures, residual, offset, w,
    l1, l2, lower, upper, n_sweeps, tol,
):  # fmt: skip
    """Sweep over the coordinates; every fifth sweep, the last included, visits those at zero too.

    `w`, `residual` and `offset` (one entry: the scalar o) change in place. Ends early once a sweep
    over all coordinates meets no violation above `tol`.

    Returns
    -------
    violation : float
        Largest violation of an optimality condition that the last whole sweep met.
    switches : int
        Coordinates that changed sign, became zero or ceased to be, in the last whole sweep.
    """
    worst = 0.0
    switches = 0
    for sweep in range(n_sweeps):
        whole = (n_sweeps - 1 - sweep) % 5 == 0
        if whole:
            worst = 0.0
            switches = 0
        for j in range(w.shape[0]):
            old = w[j]
            curvature = curvatures[j]
            if (old == 0.0 and not whole) or curvature <= 0.0:
                continue
            begin, end = starts[j], starts[j + 1]
            pull = offset[0] * sums[j] - l2 * old
            for k in range(begin, end):
                pull += values[k] * residual[rows[k]]
            if old == 0.0 and -l1 <= pull <= l1:
                continue
            target = curvature * old + pull
            if target > l1:
                new = (target - l1) / curvature
            elif target < -l1:
                new = (target + l1) / curvature
            else:
                new = 0.0
            new = min(max(new, lower), upper)
            step = new - old
            if step == 0.0:
                continue
            if whole:
                worst = max(worst, abs(step) * curvature)
                if (old > 0.0) != (new > 0.0) or (old < 0.0) != (new < 0.0):
                    switches += 1
            w[j] = new
            offset[0] += step * means[j]
            for k in range(begin, end):
                residual[rows[k]] -= step * values[k]
        if whole and worst <= tol:
            break
    return worst, switches


@njit
def conjugate_gradients(
    values, rows, starts, sums, means, norms, residual, offset, w, l1, l2,
    support, reduction, max_steps, direction, image, work,
):  # fmt: skip
    """Solve for the Newton direction of the columns in `support`, preconditioned by their norms.

    Fills `direction`, and `image` with the product of the columns (not centred) with it. Stops
    once the residual has fallen by the factor `reduction`. The rows of `work` hold the remainder,
    the search direction and its image in the coordinates.
    """
    size = support.shape[0]
    remainder, search = 0, 1
    measure = 0.0
    for a in range(size):
        j = support[a]
        pull = offset[0] * sums[j] - l2 * w[j] - (l1 if w[j] > 0.0 else -l1)
        for k in range(starts[j], starts[j + 1]):
            pull += values[k] * residual[rows[k]]
        direction[a] = 0.0
        work[remainder, a] = pull
        work[search, a] = pull / (norms[j] + l2)
        measure += pull * work[search, a]
    goal = reduction * reduction * measure
    for _ in range(max_steps):
        shift = _image(values, rows, starts, means, support, work, search, image)
        curvature = 0.0
        for a in range(size):
            j = support[a]
            total = l2 * work[search, a] - shift * sums[j]
            for k in range(starts[j], starts[j + 1]):
                total += values[k] * image[rows[k]]
            work[2, a] = total
            curvature += total * work[search, a]
        if not curvature > 0.0:
            break
        step = measure / curvature
        before = measure
        measure = 0.0
        for a in range(size):
            direction[a] += step * work[search, a]
            work[remainder, a] -= step * work[2, a]
            measure += work[remainder, a] * work[remainder, a] / (norms[support[a]] + l2)
        if measure <= goal:
            break
        for a in range(size):
            ahead = work[remainder, a] / (norms[support[a]] + l2)
            work[search, a] = ahead + measure / before * work[search, a]
    for a in range(size):
        work[search, a] = direction[a]
    _image(values, rows, starts, means, support, work, search, image)


@njit
def _image(values, rows, starts, means, support, work, row, image):
    """Fill `image` with the columns times a row of `work`; return the mean of that combination."""
    for i in range(image.shape[0]):
        image[i] = 0.0
    shift = 0.0
    for a in range(support.shape[0]):
        j = support[a]
        d = work[row, a]
        shift += d * means[j]
        for k in range(starts[j], starts[j + 1]):
            image[rows[k]] += d * values[k]
    return shift


@njit
def bent_path(
    values, rows, starts, means, mass, residual, offset, w, l1, l2, lower, upper,
    support, direction, image,
):  # fmt: skip
    """Minimise exactly along a direction that bends wherever a coordinate reaches its limit.

    As :func:`skkd._kernels.quadratic_descent.bent_path`, in the space of the residual: a bend costs
    one pass over the residual and one column. `image` holds the columns times `direction`, and
    `mass` is the squared norm of e.
    """
    size = support.shape[0]
    n = residual.shape[0]
    for _ in range(size + 1):
        slope = 0.0
        curvature = 0.0
        shift = 0.0
        moving = 0
        for a in range(size):
            d = direction[a]
            if d == 0.0:
                continue
            moving += 1
            j = support[a]
            slope += (l2 * w[j] + (l1 if w[j] > 0.0 else -l1)) * d
            curvature += l2 * d * d
            shift += d * means[j]
        slope -= offset[0] * mass * shift
        curvature -= mass * shift * shift
        for i in range(n):
            slope -= residual[i] * image[i]
            curvature += image[i] * image[i]
        if moving == 0 or not slope < 0.0:  # with none left the image is nothing but rounding
            break
        best = -slope / curvature if curvature > 0.0 else 1e300
        stopped = -1
        limit = 0.0
        for a in range(size):
            d = direction[a]
            if d == 0.0:
                continue
            at = w[support[a]]
            low = lower if at < 0.0 or l1 == 0.0 else max(lower, 0.0)
            high = upper if at > 0.0 or l1 == 0.0 else min(upper, 0.0)
            end = high if d > 0.0 else low
            if (end - at) / d < best:
                best = (end - at) / d
                stopped = a
                limit = end
        if best >= 1e300:
            break
        for a in range(size):
            w[support[a]] += best * direction[a]
        offset[0] += best * shift
        for i in range(n):
            residual[i] -= best * image[i]
        if stopped < 0:
            break
        j = support[stopped]
        d = direction[stopped]
        w[j] = limit
        direction[stopped] = 0.0
        for k in range(starts[j], starts[j + 1]):
            image[rows[k]] -= d * values[k]
