"""How a student's objective is minimised: all at once, in rounds, or over batches."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._backend import to_numpy
from ..losses import Batched, MultinomialLogLoss, Target, TwoColumns, WeightedSum
from ..objectives import LinearObjective
from ..solvers import gradient_norm, gram_metric, lbfgs, newton, run
from ._recipes import student_target

__all__ = ["Solution", "StudentObjectives", "descend"]


class Solution(NamedTuple):
    """Where a descent ended."""

    params: Any
    value: Any
    n_iter: int
    converged: bool


class StudentObjectives:
    """Makes the objectives of a fit.

    Parameters
    ----------
    estimator : DistilledLogisticRegression
        Read for `alpha` and `fit_intercept`.
    data : ClassificationData
        Validated rows and labels.
    loss : Loss
        The whole loss.
    target : Target
        What it compares logits with, not prepared.
    n_outputs : int
        Number of logits.
    labelled : bool array of shape (n,) or None
        Rows with labels; None if all have.
    """

    def __init__(self, estimator, data, loss, target, n_outputs, labelled):
        self.data = data
        self.loss = loss
        self.target = target
        self._labelled = labelled
        self._options = {
            "n_outputs": n_outputs,
            "alpha": estimator.alpha,
            "fit_intercept": estimator.fit_intercept,
        }

    def __call__(self, loss=None, target=None):
        """Objective of the whole loss, or of another loss or target."""
        loss = self.loss if loss is None else loss
        target = self.target if target is None else target
        return LinearObjective(loss, self.data.X, target, self.data.sample_weight, **self._options)

    def labels_alone(self):
        """Objective of the cross-entropy of the rows with labels."""
        loss = WeightedSum([(1.0, MultinomialLogLoss())])
        target = student_target(
            Target(self.data.y, mass=self.target.mass), loss, self.data, self._labelled, 1.0, 0.0
        )
        return self(TwoColumns(loss) if self.data.n_classes == 2 else loss, target)


def descend(estimator, make, start, on_iterate):
    """Minimise the student's objective.

    Parameters
    ----------
    estimator : DistilledLogisticRegression
        Read for `solver`, `max_iter`, `tol`, `n_rounds`, `init`, `batch_size`, `random_state`.
    make : callable
        ``make(loss=None, target=None)`` gives the objective, of the student's own loss and target
        by default; see :class:`StudentObjectives`.
    start : array or None
        Parameters to start from; None for what `init` says.
    on_iterate : callable or None
        As in :func:`skkd.solvers.run`.

    Returns
    -------
    solution : Solution
    """
    solver = _chosen_solver(estimator, make)
    descent = _Descent(estimator, on_iterate)
    if start is None:
        start = _first_params(estimator, make, descent)
    if solver in ("lbfgs", "newton"):
        return descent.whole(make(), start, newton if solver == "newton" else lbfgs)
    if solver == "rounds":
        return descent.in_rounds(make, start)
    return descent.over_batches(make, start)


def _chosen_solver(estimator, make):
    loss, n_samples = make.loss, make.data.X.shape[0]
    solver = estimator.solver
    if solver == "auto":
        if loss.stateful:
            return "rounds"
        if loss.batch_limit is not None and n_samples > loss.batch_limit:
            return "minibatch"
        return "newton" if loss.convex and loss.second_order else "lbfgs"
    if loss.stateful and solver != "rounds":
        raise ValueError(
            f"solver={solver!r} needs a loss whose gradient is that of one function, but {loss!r} "
            "holds quantities of the student fixed; use solver='rounds' or 'auto'"
        )
    if solver == "newton" and not (loss.convex and loss.second_order):
        raise ValueError(
            f"solver='newton' needs a convex loss with second derivatives, which {loss!r} is not; "
            "use 'lbfgs'"
        )
    if solver == "minibatch" and not loss.batch_coupled:
        raise ValueError(
            f"solver='minibatch' is for losses that compare the rows of a batch with each other, "
            f"which {loss!r} does not; use 'lbfgs'"
        )
    return solver


def _first_params(estimator, make, descent):
    """Zero for convex losses; else the solution for the labels alone."""
    easy = make.loss.convex and not make.loss.stateful
    labels = make.labels_alone()
    if easy or estimator.init == "zero":
        return labels.zeros()
    return descent.whole(labels, labels.zeros(), newton, quiet=True).params


class _Descent:
    """One budget of updates for all problems of a fit."""

    def __init__(self, estimator, on_iterate):
        self.estimator = estimator
        self.on_iterate = on_iterate
        self.n_iter = 0
        self.stopped = False
        self._metric = None

    def whole(self, objective, params, solver, quiet=False):
        """Minimise one objective over all rows."""
        result = self._run(objective, params, solver)
        if not (result.converged or self.stopped or quiet):
            self._warn()
        return Solution(result.params, result.iterate.value, self.n_iter, result.converged)

    def in_rounds(self, make, params):
        """Minimise, take anew what the loss holds fixed, and repeat until nothing moves."""
        solver = newton if make.loss.convex and make.loss.second_order else lbfgs
        shape = make.labels_alone()
        settled = False
        for _ in range(self.estimator.n_rounds):
            target = make.loss.prepare(make.target, shape.logits(params), shape.weight)
            objective = make(target=target)
            value, gradient = objective.value_and_gradient(params)
            start = _largest(gradient)
            settled = start <= self.estimator.tol
            if settled or self._left() == 0 or self.stopped:
                break
            # What is held fixed changes anyway: a tenth of the way is near enough.
            result = self._run(objective, params, solver, tol=max(0.1 * start, self.estimator.tol))
            params, value = result.params, result.iterate.value
        if self._left() == 0 and not (settled or self.stopped):
            self._warn()
        return Solution(params, value, self.n_iter, settled)

    def over_batches(self, make, params):
        """Minimise the mean over the batches of a partition, drawn anew in each round."""
        rng = check_random_state(self.estimator.random_state)
        n_samples = make.data.X.shape[0]
        n_batches = max(1, round(n_samples / self.estimator.batch_size))
        most = max(1, self.estimator.max_iter // self.estimator.n_rounds)
        result = None
        for _ in range(self.estimator.n_rounds):
            batches = np.array_split(rng.permutation(n_samples), n_batches)
            objective = make(Batched(make.loss, [np.sort(batch) for batch in batches]))
            result = self._run(objective, params, lbfgs, most=min(most, self._left()))
            params = result.params
            if self._left() == 0 or self.stopped:
                break
        return Solution(params, result.iterate.value, self.n_iter, result.converged)

    def _run(self, objective, params, solver, *, tol=None, most=None):
        # One for all problems of the fit: they share their rows.
        self._metric = self._metric or gram_metric(objective)
        result = run(
            solver(objective, params, metric=self._metric),
            # A callback that asked to stop, asked to stop the whole fit.
            max_iter=0 if self.stopped else self._left() if most is None else most,
            tol=self.estimator.tol if tol is None else tol,
            criterion=gradient_norm,
            check_every=1,  # these solvers wait for the device anyway
            on_iterate=self.on_iterate,
        )
        self.n_iter += result.n_iter
        self.stopped = self.stopped or result.stopped
        return result

    def _left(self):
        return max(0, self.estimator.max_iter - self.n_iter)

    def _warn(self):
        e = self.estimator
        warnings.warn(
            f"the gradient did not fall to tol={e.tol} in max_iter={e.max_iter} updates; increase "
            "max_iter or tol, scale the features (sklearn.preprocessing.StandardScaler), or "
            "increase alpha (with alpha=0 and separable classes there is no minimum)",
            ConvergenceWarning,
            stacklevel=6,
        )


def _largest(gradient):
    return float(abs(to_numpy(gradient)).max())
