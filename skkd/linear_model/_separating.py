"""Fitting a linear classifier by a trajectory that ends when the training set is separated.

The base class here is gradient descent seen from an estimator: which loss and which step rule is
all that a subclass says. The parameters it reads (`fit_intercept`, `max_iter`, `stop`, `tol`,
`keep`, `alpha`, `class_weight`, `warm_start`) are documented where users meet them, in
:class:`skkd.linear_model.LogisticRegressionGD`.
"""

from .._backend import namespace, to_numpy
from .._base import LinearClassifierMixin, SkkdEstimator, linear_attributes
from .._threads import quiet_single_thread
from .._validation import last_params, validate_classification
from ..objectives import classification_objective
from ..solvers import averaged, best, errors, first_hit, gradient_descent, gradient_norm, run
from ._diagnosis import why_not_separated

__all__ = ["SeparatingClassifier"]


class SeparatingClassifier(LinearClassifierMixin, SkkdEstimator):
    """Gradient descent until all rows are right; subclasses define :meth:`_method`."""

    def _method(self, n_classes):
        """Loss and step rule for that many classes."""
        raise NotImplementedError(f"{type(self).__name__} defines no method")

    def _fit_separating(self, X, y, sample_weight, *, stop, tol, alpha):
        """Fit: validate, encode, objective, run, set attributes."""
        data = validate_classification(self, X, y, sample_weight, self.class_weight)
        loss, rule = self._method(data.n_classes)
        objective = classification_objective(
            loss, data, alpha=alpha, fit_intercept=self.fit_intercept
        )
        start = self._start(objective, data)
        self.classes_ = data.classes
        on_iterate, end = self._watched(
            data.X, y, max_iter=self.max_iter, task_name="update", attributes=self._attributes
        )
        iterates = gradient_descent(objective, start, step=rule)
        if self.keep == "average":
            iterates = averaged(iterates, objective)
        iterates = first_hit(iterates, lambda it: it.errors == 0, freeze=stop == "separated")
        if self.keep == "best":
            iterates = best(iterates)
        with quiet_single_thread(data.X):
            result = run(
                iterates,
                max_iter=self.max_iter,
                tol=tol if stop == "gradient" else 0.0,
                criterion={"separated": errors, "gradient": gradient_norm}.get(stop),
                check_every=None if on_iterate is None else 1,
                on_iterate=on_iterate,
                remedy=lambda result: self._remedy(result, data, stop),
            )
        self._set_result(result)
        end()
        return self

    def _start(self, objective, data):
        """Zero, or the last solution for a warm start."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return objective.zeros()
        return last_params(self, data)

    def _attributes(self, params):
        return linear_attributes(params, self.fit_intercept, center=True)

    def _set_result(self, result):
        xp = namespace(result.params)
        if not bool(to_numpy(xp.all(xp.isfinite(result.params)))):
            raise ValueError(
                "the coefficients overflowed: step_size times the size of the features is beyond "
                f"the largest {result.params.dtype} number; scale the features "
                "(sklearn.preprocessing.StandardScaler) or use a smaller step_size"
            )
        for name, value in self._attributes(result.params).items():
            setattr(self, name, value)
        hit = int(to_numpy(result.iterate.hit))
        self.n_iter_ = result.n_iter
        self.n_iter_to_separate_ = hit if hit >= 0 else None
        self.separated_ = bool(to_numpy(result.kept.errors) == 0)

    def _remedy(self, result, data, stop):
        if stop == "max_iter":
            return None
        if stop == "gradient":
            return (
                f"the gradient did not fall to tol={self.tol} in max_iter={self.max_iter} updates; "
                "increase max_iter, scale the features, or choose a smaller step_size (below "
                "2 / L it converges, L the largest eigenvalue of X^T X / 4n)"
            )
        wrong = 100.0 * float(to_numpy(result.kept.errors))
        kept = {"best": "the best", "last": "the last", "average": "the average"}[self.keep]
        return (
            f"the training set was not separated in max_iter={self.max_iter} updates; {kept} "
            f"iterate is kept, with {wrong:.3g}% of the training weight on the wrong side. "
            + why_not_separated(data, fit_intercept=self.fit_intercept)
        )
