"""Linear models by an explicit rule of block coordinate descent, through the solver layer.

The solver layer minimises sums over a flat vector of variables; here the mean loss becomes a sum
by way of row weights, and a free intercept one more variable that no penalty sees (for the squared
loss on dense data the columns are centred instead).
"""

from numbers import Integral

import numpy as np
from scipy import sparse

from ..objectives import LeastSquares, Logistic, Softmax, SquaredHinge
from ..penalties import Box, ElasticNet, GroupL1
from ..solvers import CoefficientIterate, block_coordinate_descent, duality_gap

__all__ = ["RULES", "follows_rules", "rule_iterates"]

RULES = {
    "partition": {"variable", "order", "random", "sort", "average", "hsort", "haverage"},
    "selection": {
        "auto",
        "cyclic",
        "random",
        "perm",
        "lipschitz",
        "gs",
        "gsl",
        "gsd",
        "gsd-h",
        "gsq",
        "iht",
        "gs-q",
        "gs-r",
        "gs-s",
    },
    "update": {
        "auto",
        "gradient",
        "bound",
        "adaptive",
        "newton",
        "cubic",
        "exact",
        "prox-gradient",
        "prox-newton",
        "two-metric",
    },
}


def follows_rules(estimator):
    """Whether a partition, selection, update or block size was asked for by name."""
    variable = isinstance(estimator.partition, str) and estimator.partition == "variable"
    others = (estimator.selection, estimator.update, estimator.block_size)
    return not variable or any(other != "auto" for other in others)


def rule_iterates(estimator, problem, start):
    """Iterate block coordinate descent by the estimator's rules.

    The duality gap is computed once for every sweep of updates, since it costs a pass over X.

    Yields
    ------
    iterate : CoefficientIterate
        One for each block; its gap is infinite between the sweeps.
    """
    form = _Form(problem)
    datafit, penalty = form.datafit(), form.penalty()
    partition = estimator.partition
    if problem.groups is not None and isinstance(partition, str) and partition == "variable":
        partition = form.group_blocks()
    descent = block_coordinate_descent(
        datafit,
        penalty,
        None if start is None else form.flat(start),
        partition=partition,
        selection=estimator.selection,
        update=estimator.update,
        block_size=estimator.block_size,
        random_state=estimator.random_state,
    )
    return _with_gaps(descent, form, estimator.block_size)


def _with_gaps(descent, form, block_size):
    size = block_size if isinstance(block_size, Integral) else 10
    sweep = max(1, form.n_variables // size)
    first, violation = None, np.nan
    for iterate in descent:
        params = form.params(iterate.params)
        gap = np.nan if first is not None else np.inf
        if iterate.index % sweep == 0 or iterate.status is not None:
            if first is None:
                gap = duality_gap(form.problem, params)
            if not np.isfinite(gap):  # no dual: how far the conditions have come
                first = first or max(iterate.violation, 1e-300)
                gap, violation = np.nan, iterate.value * iterate.violation / first
        yield CoefficientIterate(
            params, iterate.value, gap, violation, iterate.index, iterate.status,
            block=iterate.block,
        )  # fmt: skip


class _Form:
    """A linear problem as a sum over a flat vector, and the way back."""

    def __init__(self, problem):
        self.problem = problem
        n, self.p = problem.X.shape
        self.k = problem.n_outputs
        weights = problem.weights
        self.weights = np.full(n, 1.0 / n) if weights is None else weights
        dense = not sparse.issparse(problem.X)
        self.centred = problem.fit_intercept and problem.loss == "squared" and dense
        self.column = problem.fit_intercept and not self.centred
        if self.centred:
            self.means = self.weights @ problem.X
            self.y_mean = float(self.weights @ problem.y)
        self.n_variables = (self.p + self.column) * self.k
        self.bounded = (problem.lower, problem.upper) != (-np.inf, np.inf)
        self.smooth = problem.l1 == 0.0 and not self.bounded

    def datafit(self):
        """The loss as a sum, with the ridge where nothing else is added."""
        A, problem = self._matrix(), self.problem
        more = {"sample_weight": self.weights}
        if self.smooth:
            more["l2"] = self._spread(problem.l2, 0.0)
        if problem.loss == "squared":
            return LeastSquares(A, problem.y - self.y_mean if self.centred else problem.y, **more)
        if self.k > 1:
            return Softmax(A, np.eye(self.k)[problem.y], **more)
        cls = Logistic if problem.loss == "log" else SquaredHinge
        return cls(A, 2.0 * problem.y - 1.0, **more)

    def _matrix(self):
        X = self.problem.X
        if self.centred:
            return X - self.means
        if not self.column:
            return X
        ones = np.ones((X.shape[0], 1))
        return (
            sparse.hstack([X, ones], format="csc") if sparse.issparse(X) else np.hstack([X, ones])
        )

    def penalty(self):
        """The penalty, which leaves intercepts free; None if there is none."""
        problem = self.problem
        if self.smooth:
            return None
        if problem.groups is not None:
            return self._group_penalty()
        if problem.l1 == problem.l2 == 0.0:
            return self._box()
        if problem.upper != np.inf or problem.lower not in (-np.inf, 0.0):
            raise ValueError(
                "an explicit rule of block coordinate descent takes a penalty or bounds, not both, "
                "but for positive=True; leave partition, selection, update and block_size at their "
                "defaults, or set penalty=None"
            )
        positive = problem.lower == 0.0
        if positive and self.column:
            raise ValueError(
                "positive=True with a penalty and an intercept has no explicit rule, since it "
                "would bound the intercept too; use fit_intercept=False or the default rules"
            )
        total = problem.l1 + problem.l2
        return ElasticNet(self._spread(total, 0.0), problem.l1 / total, positive=positive)

    def _box(self):
        lower = self._spread(self.problem.lower, -np.inf)
        return Box(lower, self._spread(self.problem.upper, np.inf))

    def _spread(self, number, of_intercept):
        """The number for every coefficient, and another for the intercepts."""
        values = np.full(self.n_variables, number)
        if self.column:
            values[self.p * self.k :] = of_intercept
        return values

    def group_blocks(self):
        """The groups as blocks, with the intercepts as one more."""
        groups = self.problem.groups
        members = np.split(groups.order, groups.starts[1:-1])
        blocks = [(m[:, None] * self.k + np.arange(self.k)).ravel() for m in members]
        if self.column:
            blocks.append(np.arange(self.p * self.k, self.n_variables))
        return blocks

    def _group_penalty(self):
        weights = self.problem.groups.weights
        if self.column:
            weights = np.append(weights, 0.0)
        return GroupL1(self.problem.l1, self.group_blocks(), weights=weights)

    def flat(self, params):
        """The vector of variables for parameters."""
        kept = params if self.column else params[:-1]
        return kept.ravel().copy()

    def params(self, x):
        """Parameters of shape (p + 1, k) for the vector of variables."""
        params = np.zeros((self.p + 1, self.k))
        params[: self.p + self.column] = x.reshape(-1, self.k)
        if self.centred:
            params[-1] = self.y_mean - self.means @ params[:-1]
        return params
