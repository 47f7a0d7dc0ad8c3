r"""The linear objective: a loss of the logits :math:`Z = XW + b`.

.. math::
    F(W, b) = \frac{\sum_i s_i\, \ell_i(x_i^\top W + b)}{\sum_i s_i}
              + \frac{\alpha}{2} \|W\|_F^2

Parameters are one array of shape (p + 1, k): a column per logit, the intercept in the last row
(p rows where there is none). Every evaluation reads X once: rows are taken in blocks that stay
in cache, and each block gives its logits and, at once, its share of the gradient
(:mod:`skkd.objectives._rows`).
"""

from dataclasses import replace

from .._backend import device_of, namespace, sum_dtype, to_numpy, total
from ._rows import Evaluation, make_rows

__all__ = ["Evaluation", "LinearObjective"]


class LinearObjective:
    """Weighted mean of a loss of linear logits, plus L2.

    Parameters
    ----------
    loss : Loss
        A loss in logit space.
    X : array or sparse matrix of shape (n, p)
        Rows; NumPy dense, CSR or CSC, or an array of any array API library.
    target : Target
        What the loss compares logits with.
    sample_weight : array of shape (n,), default=None
        Non-negative weights, in any scale; None counts every row once.
    n_outputs : int, default=1
        Number of logits k.
    alpha : float, default=0.0
        Strength of the L2 penalty; the intercept is not penalised.
    fit_intercept : bool, default=True
        Whether the parameters end with an intercept row.
    """

    def __init__(
        self, loss, X, target, sample_weight=None, *, n_outputs=1, alpha=0.0, fit_intercept=True
    ):
        if n_outputs < loss.min_classes:
            raise ValueError(
                f"{loss!r} needs at least {loss.min_classes} logits, got n_outputs={n_outputs}"
            )
        self.loss = loss
        self.X = X
        self.weight, mass = _normalized(sample_weight, X)
        if target.mass is None:
            target = target._replace(mass=mass)
        # Losses that hold quantities of the logits fixed come with a target prepared at these.
        if target.prepared is None and not loss.stateful:
            target = loss.prepare(target, weight=self.weight)
        self.target = target
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.shape = (X.shape[1] + int(fit_intercept), n_outputs)
        self._rows = make_rows(loss, X, target, self.weight, fit_intercept, n_outputs)

    def zeros(self):
        """Parameters of the origin."""
        xp = namespace(self.X)
        return xp.zeros(self.shape, dtype=self.X.dtype, device=device_of(self.X))

    def logits(self, W):
        """Logits ``X W + b`` of every row, shape (n, k)."""
        return self._rows.logits(W)

    def evaluate(self, W, *, normalized=False):
        """One pass: logits, gradient, and how wrong the rows are.

        Parameters
        ----------
        W : array of shape (p + 1, k)
            Parameters.
        normalized : bool, default=False
            Divide the gradient by the total error mass, in log space. The penalty is not part
            of a normalised gradient.

        Returns
        -------
        evaluation : Evaluation
            See there. The value is not computed: steps do not need it.
        """
        if normalized and self.alpha:
            raise ValueError(
                f"a normalised gradient is one of the loss alone, but alpha={self.alpha}; "
                "use alpha=0 or a constant step"
            )
        evaluation = self._rows.evaluate(W, normalized)
        gradient = self._zero_sum(evaluation.gradient)
        if not normalized and self.alpha:
            gradient = gradient + self.alpha * self._coefficients(W)
        return replace(evaluation, gradient=gradient)

    def value_and_gradient(self, W):
        """Objective, a 0-d array, and its gradient, shaped like `W`."""
        value, gradient = self._rows.value_and_gradient(W)
        gradient = self._zero_sum(gradient)
        if not self.alpha:
            return value, gradient
        penalized = self._coefficients(W)
        return value + 0.5 * self.alpha * total(penalized**2), gradient + self.alpha * penalized

    def value(self, W, logits=None):
        """Objective at `W`, from its logits where they are known."""
        Z = self.logits(W) if logits is None else logits
        if self.loss.separable:
            value = total(self.weight * self.loss.value(Z, self.target))
        else:
            value = self.loss.value_and_gradient(Z, self.target, self.weight)[0]
        return value + 0.5 * self.alpha * total(self._coefficients(W) ** 2)

    def linearize(self, W):
        """Return the function ``V -> H V``, H the Hessian at `W`, with its state cached."""
        product = self._rows.linearize(W)
        if not self.alpha:
            return lambda V: self._zero_sum(product(V))
        return lambda V: self._zero_sum(product(V)) + self.alpha * self._coefficients(V)

    def diagonal(self):
        """Diagonal of a Hessian bound, shape (p + 1, 1), from the loss's diagonal curvature.

        Losses of unbounded curvature are taken as of curvature 1: the result then only scales
        the columns against each other, which is all that a preconditioner needs.
        """
        xp = namespace(self.X)
        curvature = self.loss.diagonal_curvature or 1.0
        squares = curvature * self._rows.column_squares() + self.alpha
        if self.fit_intercept:
            ones = xp.ones((1,), dtype=squares.dtype, device=device_of(squares))
            squares = xp.concat([squares, curvature * ones])
        return squares[:, None]

    def gram(self):
        """The Hessian bound of one column of W, of which :meth:`diagonal` is the diagonal.

        Returns
        -------
        M : array of shape (p + 1, p + 1) or None
            ``c X^T S X`` plus the penalty, rows ending with a one for the intercept; None for
            sparse X.
        """
        gram = self._rows.gram()
        if gram is None:
            return None
        xp = namespace(gram)
        penalty = self.alpha * self._coefficients(xp.ones_like(gram[:, :1]))[:, 0]
        curvature = self.loss.diagonal_curvature or 1.0
        return curvature * gram + penalty * xp.eye(
            penalty.shape[0], dtype=gram.dtype, device=device_of(gram)
        )

    def wrongness(self, logits):
        """Weight of the rows that are wrong and smallest margin, for given logits."""
        return self._rows.wrongness(logits, self.target, self.weight)

    def log_risk(self, logits):
        """Log of the weighted loss, also where that loss underflows."""
        return self.loss.log_risk(logits, self.target, self.weight)

    def _zero_sum(self, gradient):
        """Remove what rounding leaves along a vector added to all classes.

        A loss that does not see such a shift has no gradient along it; second-order steps would
        divide the rounding by a curvature of nothing.
        """
        if not self.loss.shift_invariant:
            return gradient
        return gradient - namespace(gradient).mean(gradient, axis=1, keepdims=True)

    def _coefficients(self, W):
        """`W` with a zero intercept."""
        if not self.fit_intercept:
            return W
        xp = namespace(W)
        return xp.concat([W[:-1, :], xp.zeros_like(W[-1:, :])], axis=0)


def _normalized(sample_weight, X):
    """Weights that sum to 1, one float where all rows count alike, and their sum before."""
    if sample_weight is None:
        return 1.0 / X.shape[0], float(X.shape[0])
    xp = namespace(sample_weight)
    precise = xp.astype(sample_weight, sum_dtype(sample_weight))
    largest = xp.max(precise)
    if not float(to_numpy(largest)) > 0:
        raise ValueError(
            "sample_weight sums to zero, so that no row counts; give at least one row a positive "
            "weight"
        )
    precise = precise / largest  # so that the sum of the largest numbers does not overflow
    mass = xp.sum(precise)
    return xp.astype(precise / mass, X.dtype), float(to_numpy(mass)) * float(to_numpy(largest))
