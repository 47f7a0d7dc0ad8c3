r"""Two linear heads on one low-rank map of the features.

.. math::
    F(U, V_1, V_2) = c_1 \,\mathrm{CE}(X U V_1 + b_1, y) + c_2\, \ell(X U V_2 + b_2, t)
        + \frac{\alpha}{2} \big(\|U\|^2 + \|V_1\|^2 + \|V_2\|^2\big)

Parameters are one vector. Besides the gradient of F there is the aligned direction: the part of
the second loss's gradient that points against the first one's is taken out before both are
added. It is the gradient of no function.
"""

from .._backend import device_of, namespace, norm, total
from ..objectives import Evaluation
from ..solvers import StepRule

__all__ = ["DualHeadObjective", "LocalStep"]


class DualHeadObjective:
    """The joint objective, and the direction in which the heads do not conflict.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, p)
        Rows.
    heads : list of (Loss, Target)
        Loss and target of each of the two heads; targets are prepared.
    factors : tuple of float
        Factors of the two losses.
    weight : float or array of shape (n,)
        Weights of the rows, which sum to 1.
    n_components : int
        Columns r of the shared map.
    n_outputs : int
        Logits k of each head.
    alpha : float
        Strength of the penalty on U, V1 and V2.
    fit_intercept : bool
        Whether the heads have intercepts, which are not penalised.
    """

    def __init__(self, X, heads, factors, weight, *, n_components, n_outputs, alpha, fit_intercept):
        self.X = X
        self.heads = heads
        self.factors = factors
        self.weight = weight
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        p, r, k = X.shape[1], n_components, n_outputs
        self.shapes = [(p, r), (r, k), (r, k)] + [(1, k), (1, k)] * fit_intercept

    def pack(self, *parts):
        """One vector of U, V1, V2 and the intercepts."""
        xp = namespace(parts[0])
        return xp.concat([xp.reshape(part, (-1,)) for part in parts])

    def unpack(self, params):
        """U, (V1, V2) and the intercepts (b1, b2), zeros where there are none."""
        xp = namespace(params)
        parts, start = [], 0
        for rows, columns in self.shapes:
            stop = start + rows * columns
            parts.append(xp.reshape(params[start:stop], (rows, columns)))
            start = stop
        return parts[0], parts[1:3], parts[3:] or [0.0, 0.0]

    def value_and_gradient(self, params):
        """Objective, a 0-d array, and its gradient."""
        _, V, _ = self.unpack(params)
        Z, values, slopes = self._losses(params)
        to_rows = slopes[0] @ V[0].T + slopes[1] @ V[1].T
        penalized = self._penalized(params)
        gradient = self.pack(
            self.X.T @ to_rows, *(Z.T @ G for G in slopes), *self._intercept_sums(slopes)
        )
        value = values[0] + values[1] + 0.5 * self.alpha * total(penalized**2)
        return value, gradient + self.alpha * penalized

    def head_gradients(self, params):
        """Gradients of the two losses in all parameters, without the penalty."""
        xp = namespace(params)
        U, V, _ = self.unpack(params)
        Z, _, slopes = self._losses(params)
        sums = self._intercept_sums(slopes)
        k = slopes[0].shape[1]
        products = self.X.T @ xp.concat(slopes, axis=1)
        gradients = []
        for h, (head, G) in enumerate(zip(V, (products[:, :k], products[:, k:]), strict=True)):
            own = [xp.zeros_like(V[0]), xp.zeros_like(V[1])]
            own[h] = U.T @ G
            shifts = [s if i == h else xp.zeros_like(s) for i, s in enumerate(sums)]
            gradients.append(self.pack(G @ head.T, *own, *shifts))
        pull = norm(products[:, :k]) + norm(products[:, k:])
        return gradients, Z, pull

    def evaluate(self, params, *, normalized=False):
        """Direction of an aligned step; ``logits`` hold what the size of the step needs."""
        (first, second), Z, pull = self.head_gradients(params)
        direction = aligned(first, second) + self.alpha * self._penalized(params)
        return Evaluation(logits=(Z, pull), gradient=direction)

    def spread(self, rows_of_map):
        """Numbers (p, 1) for the rows of U, and 1 for the heads, as one vector."""
        xp = namespace(self.X)
        (p, r), *others = self.shapes
        ones = [xp.ones(s, dtype=self.X.dtype, device=device_of(self.X)) for s in others]
        wide = xp.ones((p, r), dtype=self.X.dtype, device=device_of(self.X))
        return self.pack(xp.astype(rows_of_map, self.X.dtype) * wide, *ones)

    def largest_curvature(self, start, n_iter=30):
        """Largest eigenvalue of ``X^T diag(weight) X``, by power iteration from `start`."""
        xp = namespace(start)
        v = start
        for _ in range(n_iter):
            v = v / xp.where(norm(v) > 0, norm(v), xp.ones_like(norm(v)))
            rows = self.X @ v
            v = self.X.T @ (self.weight * rows)
        return norm(v)

    def _losses(self, params):
        """Representation, values and slopes of the two heads, times their factors."""
        U, V, b = self.unpack(params)
        Z = self.X @ U
        values, slopes = [], []
        for head, shift, (loss, target), factor in zip(V, b, self.heads, self.factors, strict=True):
            value, G = loss.value_and_gradient(Z @ head + shift, target, self.weight)
            values.append(factor * value)
            slopes.append(factor * G)
        return Z, values, slopes

    def _intercept_sums(self, slopes):
        if not self.fit_intercept:
            return []
        xp = namespace(slopes[0])
        return [xp.astype(total(G, axis=0), G.dtype)[None, :] for G in slopes]

    def _penalized(self, params):
        if not self.fit_intercept:
            return params
        xp = namespace(params)
        free = 2 * self.shapes[-1][1]
        return xp.concat([params[:-free], xp.zeros_like(params[-free:])])


def aligned(first, second):
    """Sum of two gradients, the second without its component against the first."""
    xp = namespace(first)
    square = xp.sum(first * first)
    product = xp.sum(first * second)
    conflict = xp.where(product < 0, product, xp.zeros_like(product))
    share = conflict / xp.where(square > 0, square, xp.ones_like(square))
    return first + second - share * first


class LocalStep(StepRule):
    r"""The inverse of a bound on the curvature at the current point.

    With :math:`\sigma^2` the largest eigenvalue of the features' second moments, c the bounds of
    the losses' curvatures in a logit,

    .. math::
        \sum_h c_h (\sigma^2 \|V_h\|^2 + \|Z^\top Z\|) + \sum_h \|X^\top G_h\| + \alpha .

    Parameters
    ----------
    curvatures : tuple of float
        Bounds of the two losses' Hessians, times the factors of the losses.
    moment : 0-d array
        The largest eigenvalue.
    """

    def __init__(self, curvatures, moment):
        super().__init__(1.0)
        self.curvatures = curvatures
        self.moment = moment

    def factor(self, objective, params, evaluation):
        xp = namespace(params)
        _, V, _ = objective.unpack(params)
        Z, pull = evaluation.logits
        weight = objective.weight
        inner = Z.T @ (weight * Z if isinstance(weight, float) else weight[:, None] * Z)
        spread = norm(inner) + 1.0  # the intercept's column of ones
        bound = pull + objective.alpha
        for curvature, head in zip(self.curvatures, V, strict=True):
            bound = bound + curvature * (self.moment * xp.sum(head * head) + spread)
        return self.size / bound
