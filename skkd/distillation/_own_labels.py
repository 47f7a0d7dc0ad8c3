"""What students without a teacher share: they start from the fit to the labels and go on from it.

A fit is a sequence of smooth problems, each solved from where the last one ended. One budget of
updates, one record of what happened and one warning serve them all.
"""

import warnings

from sklearn.exceptions import ConvergenceWarning

from .._backend import expit_pair, log_softmax, namespace, to_numpy
from .._base import LogitClassifierMixin, SkkdEstimator, linear_attributes
from .._threads import quiet_single_thread
from .._validation import last_params, validate_classification
from ..losses import BinaryLogLoss, MultinomialLogLoss
from ..objectives import classification_objective
from ..solvers import gradient_norm, gram_metric, lbfgs, newton, run

__all__ = ["Descent", "OwnLabelsClassifier", "probabilities"]


class OwnLabelsClassifier(LogitClassifierMixin, SkkdEstimator):
    """A linear classifier that learns from labels and its own predictions.

    Subclasses define :meth:`_learn`; they have the parameters `alpha`, `fit_intercept`,
    `max_iter`, `tol`, `warm_start` and `class_weight`.
    """

    def _learn(self, descent, labels, data):
        """Minimise what there is to minimise, and set the attributes special to the method.

        Parameters
        ----------
        descent : Descent
            At the start; it keeps the parameters.
        labels : LinearObjective
            Cross-entropy of the labels plus L2.
        data : ClassificationData
            Validated rows, labels and weights.

        Returns
        -------
        problem : str or None
            Why the result is no optimum, and the remedy; None if it is one.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no way to learn")

    def _fit(self, X, y, sample_weight):
        data = validate_classification(self, X, y, sample_weight, self.class_weight)
        loss = BinaryLogLoss() if data.n_classes == 2 else MultinomialLogLoss()
        labels = classification_objective(
            loss, data, alpha=self.alpha, fit_intercept=self.fit_intercept
        )
        start = self._start(labels, data)
        with quiet_single_thread(data.X):
            diagonal = _finite_diagonal(labels)
            metric = gram_metric(labels)
        self.classes_ = data.classes
        on_iterate, end = self._watched(
            data.X, y, max_iter=self.max_iter, task_name="update", attributes=self._attributes
        )
        descent = Descent(start, diagonal, metric, self.max_iter, self.tol, on_iterate)
        with quiet_single_thread(data.X):
            problem = self._learn(descent, labels, data)
            if problem is None and self.alpha == 0 and _separated(labels, descent.params):
                descent.converged = False
                problem = (
                    "alpha=0 and a linear rule separates the classes, so that the objective falls "
                    "for ever as the coefficients grow; they are those where its gradient came "
                    f"below tol={self.tol} and have no other meaning; set alpha above 0"
                )
        self._set_result(descent, problem)
        end()
        return self

    def _start(self, labels, data):
        """Zero, or the last solution for a warm start."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return labels.zeros()
        return last_params(self, data)

    def _attributes(self, params):
        return linear_attributes(params, self.fit_intercept, center=True)

    def _set_result(self, descent, problem):
        for name, value in self._attributes(descent.params).items():
            setattr(self, name, value)
        self.n_iter_ = descent.n_iter
        self.converged_ = descent.converged
        if problem is not None and not descent.stopped:
            warnings.warn(problem, ConvergenceWarning, stacklevel=5)


class Descent:
    """One smooth problem after the other, within one budget of updates.

    Convex problems are solved by Newton's method, which from the solution of a similar problem
    is there after a few updates. The others, and rounds of a few steps only, go by L-BFGS.

    Parameters
    ----------
    params : array of shape (p + 1, k)
        Where to start.
    diagonal : array that broadcasts to `params`
        Diagonal of a Hessian bound, to scale the variables: problems on the same rows share it.
    metric : Metric or None
        Comes before the diagonal.
    max_iter : int
        Most updates in all.
    tol : float
        A problem is solved when no entry of its gradient is larger.
    on_iterate : callable or None
        As in :func:`skkd.solvers.run`.

    Attributes
    ----------
    params : array
        Where the last problem ended.
    value : 0-d array
        Its objective there.
    n_iter : int
        Updates made.
    converged : bool
        Whether the last problem was solved.
    stopped : bool
        Whether a callback asked to stop.
    """

    def __init__(self, params, diagonal, metric, max_iter, tol, on_iterate=None):
        self.params = params
        self.value = None
        self.n_iter = 0
        self.converged = self.stopped = False
        self.left = max_iter
        self._max_iter = max_iter
        self._tol = tol
        self._on_iterate = on_iterate
        self._diagonal, self._metric = diagonal, metric

    def minimise(self, objective, most=None):
        """Solve `objective` from where the last problem ended, or make `most` steps towards it."""
        solver = newton if objective.loss.convex and most is None else lbfgs
        # A few steps end where the metric leads, and it should be the same for sparse X.
        metric = self._metric if most is None else None
        result = run(
            solver(objective, self.params, diagonal=self._diagonal, metric=metric),
            max_iter=self.left if most is None else min(most, self.left),
            tol=self._tol,
            criterion=gradient_norm,
            check_every=1,  # both solvers wait for the device anyway
            on_iterate=self._on_iterate,
        )
        self.params, self.value = result.params, result.iterate.value
        self.n_iter += result.n_iter
        self.left -= result.n_iter
        self.converged, self.stopped = result.converged, result.stopped

    def problem(self, what):
        """Sentence about a problem that was not solved; None if it was."""
        if self.converged:
            return None
        if self.left == 0:
            return (
                f"{what} was not solved to tol={self._tol} in max_iter={self._max_iter} updates; "
                "increase max_iter or tol, scale the features "
                "(sklearn.preprocessing.StandardScaler), or increase alpha"
            )
        return (
            f"{what} was not solved to tol={self._tol}: after {self.n_iter} updates no step along "
            "the search direction lowered the objective; scale the features "
            "(sklearn.preprocessing.StandardScaler), use float64, or increase tol"
        )


def probabilities(logits):
    """Rows of class probabilities for several logits; for one, that of the positive class (n,)."""
    if logits.shape[1] == 1:
        return expit_pair(logits[:, 0])[0]
    return namespace(logits).exp(log_softmax(logits))


def _finite_diagonal(labels):
    diagonal = labels.diagonal()
    xp = namespace(diagonal)
    if not bool(to_numpy(xp.all(xp.isfinite(diagonal)))):
        raise ValueError(
            f"the squares of some features are beyond the largest {diagonal.dtype} number; scale "
            "the features (sklearn.preprocessing.StandardScaler)"
        )
    return diagonal


def _separated(labels, params):
    """Whether every row of positive weight is right."""
    margin = labels.wrongness(labels.logits(params))[1]
    return bool(to_numpy(margin) > 0)
