"""What the two estimators of block coordinate descent share: parameters, fitting, paths."""

import time
import warnings
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions

from .._base import SkkdEstimator
from .._threads import single_blas_thread
from ..solvers import (
    NotFiniteError,
    coefficient_gap,
    coefficient_path,
    duality_gap,
    is_smooth,
    linear_descent,
    null_value,
    run,
)
from ._bcd_problem import check_finite, make_problem, with_alpha
from ._bcd_rules import RULES, follows_rules, rule_iterates

__all__ = ["BlockDescentEstimator"]

# Relative accuracy below which a gap computed from float32 products is noise.
_FLOOR = {"float32": 1e-6, "float64": 1e-14}
# Of smooth problems the gap is a square, known to twice as many digits.
_SMOOTH_FLOOR = {"float32": 1e-12, "float64": 1e-28}


class BlockDescentEstimator(SkkdEstimator):
    """A linear model fitted by block coordinate descent; subclasses validate and predict."""

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "penalty": [StrOptions({"l1", "l2", "elasticnet", "group_l1"}), None],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "groups": ["array-like", Interval(Integral, 1, None, closed="left"), None],
        "positive": ["boolean"],
        "bounds": [tuple, list, None],
        "block_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "partition": [StrOptions(RULES["partition"]), "array-like"],
        "selection": [StrOptions(RULES["selection"])],
        "update": [StrOptions(RULES["update"])],
        "working_set": [StrOptions({"auto"}), "boolean"],
        "acceleration": [StrOptions({"auto", "newton", "anderson"}), None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "stopping": [StrOptions({"gap", "max_iter"})],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "record_path": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        penalty="l2",
        l1_ratio=0.5,
        groups=None,
        positive=False,
        bounds=None,
        block_size="auto",
        partition="variable",
        selection="auto",
        update="auto",
        working_set="auto",
        acceleration="auto",
        fit_intercept=True,
        max_iter=1000,
        tol=1e-6,
        stopping="gap",
        warm_start=False,
        random_state=None,
        record_path=False,
        verbose=0,
    ):
        self.alpha = alpha
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.groups = groups
        self.positive = positive
        self.bounds = bounds
        self.block_size = block_size
        self.partition = partition
        self.selection = selection
        self.update = update
        self.working_set = working_set
        self.acceleration = acceleration
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.stopping = stopping
        self.warm_start = warm_start
        self.random_state = random_state
        self.record_path = record_path
        self.verbose = verbose

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coef_")

    def _attributes(self, params):
        """``coef_`` and ``intercept_`` of parameters."""
        raise NotImplementedError(f"{type(self).__name__} defines no attributes")

    def _fit_problem(self, X, y, weights, *, loss, n_outputs=1, shown_y=None):
        """Build the problem, run the solver, set the attributes."""
        problem = make_problem(self, X, y, weights, loss=loss, n_outputs=n_outputs)
        on_iterate, end = self._watched(
            X,
            y if shown_y is None else shown_y,
            max_iter=self.max_iter,
            task_name="update",
            attributes=self._attributes,
        )
        history = _History() if self.record_path else None
        with single_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            scale = self._scale(problem)
            iterates = self._recorded(self._iterates(problem, scale), history)
            result = self._run(iterates, problem, scale, on_iterate)
        self._set_result(result, X, history)
        end()
        return self

    def _scale(self, problem):
        """Objective of the best intercept alone, against which gaps are measured."""
        scale = null_value(problem)
        if not np.isfinite(scale):
            raise ValueError("the squares of y overflow; scale y")
        return scale

    def _run(self, iterates, problem, scale, on_iterate=None):
        """Run to the tolerance; warn if it was missed. The result's gap is certified."""
        tol = self._absolute_tol(problem, scale)
        result = run(
            iterates,
            max_iter=self.max_iter,
            tol=tol,
            criterion=coefficient_gap if self.stopping == "gap" else None,
            on_iterate=on_iterate,
        )
        iterate = result.iterate
        if iterate.gap == np.inf:  # the last pass certified none
            gap = duality_gap(problem, iterate.params)
            result = replace(result, iterate=replace(iterate, gap=gap if gap < np.inf else np.nan))
        missed = not coefficient_gap(result.iterate) <= tol
        if missed and self.stopping == "gap" and not result.stopped:
            warnings.warn(self._remedy(result.iterate, scale), ConvergenceWarning, stacklevel=5)
        return result

    def _iterates(self, problem, scale):
        start = self._start(problem)
        tol = self._absolute_tol(problem, scale)
        if follows_rules(self):
            return rule_iterates(self, problem, start)
        try:
            return linear_descent(
                problem,
                start,
                tol=tol,
                working_set=self.working_set in ("auto", True),
                acceleration="newton" if self.acceleration == "auto" else self.acceleration,
            )
        except NotFiniteError:
            check_finite(self, problem.X)
            raise

    def _absolute_tol(self, problem, scale):
        """The gap to stop at; never below what the precision of X can tell."""
        floor = _SMOOTH_FLOOR if is_smooth(problem) else _FLOOR
        return max(self.tol, floor[problem.X.dtype.name]) * scale

    def _path(self, X, y, weights, alphas, *, loss, n_outputs=1):
        """Solve for each alpha, from the last solution."""
        alphas = self._checked_alphas(alphas)
        problem = make_problem(self, X, y, weights, loss=loss, n_outputs=n_outputs)
        problems = [with_alpha(problem, self.penalty, alpha, self.l1_ratio) for alpha in alphas]
        with single_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            scale = self._scale(problem)
            solvers = coefficient_path(problems, tol=self._absolute_tol(problem, scale))
            try:
                found = [self._run(iterates, target, scale) for target, iterates in solvers]
            except NotFiniteError:
                check_finite(self, X)
                raise
        attributes = [self._attributes(result.params) for result in found]
        return Bunch(
            alphas=alphas,
            coefs=np.array([a["coef_"] for a in attributes], dtype=X.dtype),
            intercepts=np.array([a["intercept_"] for a in attributes], dtype=X.dtype),
            dual_gaps=np.array([float(result.iterate.gap) for result in found]),
            objectives=np.array([float(result.iterate.value) for result in found]),
            n_iters=np.array([result.n_iter for result in found]),
        )

    def _checked_alphas(self, alphas):
        alphas = np.asarray(alphas, dtype=np.float64)
        if alphas.ndim != 1 or alphas.size == 0 or not np.all((alphas >= 0) & (alphas < np.inf)):
            raise ValueError(
                f"alphas must be a list of one or more finite numbers >= 0, got {alphas!r}"
            )
        if follows_rules(self):
            raise ValueError(
                "path takes the default method; leave partition, selection, update and block_size "
                "at their defaults, or fit one alpha after the other with warm_start=True"
            )
        return alphas

    def _start(self, problem):
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        coef = np.atleast_2d(self.coef_)
        shape = (problem.n_outputs, problem.X.shape[1])
        if coef.shape != shape:
            raise ValueError(
                f"warm_start=True continues from coefficients of shape {coef.shape}, but the data "
                f"asks for {shape}; set warm_start=False or fit a new estimator"
            )
        start = np.zeros((shape[1] + 1, shape[0]))
        start[:-1] = np.clip(coef.T, problem.lower, problem.upper)
        if problem.fit_intercept:
            start[-1] = self.intercept_
        return start

    def _recorded(self, iterates, history):
        """Pass iterates on, and put them on record."""
        began = time.perf_counter()
        for iterate in iterates:
            if history is not None:
                history.add(iterate, time.perf_counter() - began)
            if self.verbose:
                print(
                    f"{type(self).__name__} pass {iterate.index}: objective {iterate.value:.10g}, "
                    f"gap {float(coefficient_gap(iterate)):.3g}, "
                    f"{np.count_nonzero(iterate.params[:-1])} coefficients"
                )
            yield iterate

    def _remedy(self, iterate, scale):
        """Why the tolerance was missed, and what to do."""
        gap = float(coefficient_gap(iterate)) / scale if scale > 0.0 else np.nan
        missed = (
            f"the duality gap did not fall to tol={self.tol} of the objective at zero "
            f"(it is {gap:.3g}) "
        )
        if iterate.status == "stagnated":
            return (
                f"{missed}before rounding forbade further progress, after {iterate.index} "
                "iterations; scale the features (sklearn.preprocessing.StandardScaler), pass X in "
                "float64 or raise tol"
            )
        return (
            f"{missed}in max_iter={self.max_iter} iterations; increase max_iter, take a stronger "
            "penalty (alpha), or scale the features (sklearn.preprocessing.StandardScaler)"
        )

    def _set_result(self, result, X, history):
        iterate = result.iterate
        for name, value in self._attributes(result.params).items():
            setattr(self, name, np.asarray(value, dtype=X.dtype))
        self.n_iter_ = max(result.n_iter, 1)
        self.objective_ = float(iterate.value)
        self.dual_gap_ = float(iterate.gap)
        self.active_set_ = np.flatnonzero(np.any(result.params[:-1] != 0.0, axis=1))
        if history is not None:
            for name, value in history.attributes().items():
                setattr(self, name, value)


class _History:
    """What ``record_path=True`` keeps of every iterate."""

    def __init__(self):
        self.objective, self.gap, self.time, self.support, self.blocks = [], [], [], [], []

    def add(self, iterate, seconds):
        self.objective.append(iterate.value)
        self.gap.append(float(coefficient_gap(iterate)))
        self.time.append(seconds)
        self.support.append(np.flatnonzero(np.any(iterate.params[:-1] != 0.0, axis=1)))
        if iterate.index > 0:
            self.blocks.append(iterate.block)

    def attributes(self):
        last = self.support[-1]
        changes = [i for i, s in enumerate(self.support) if not np.array_equal(s, last)]
        return {
            "objective_path_": np.array(self.objective),
            "gap_path_": np.array(self.gap),
            "time_path_": np.array(self.time),
            "active_set_path_": self.support,
            "block_history_": self.blocks,
            "identified_iter_": changes[-1] + 1 if changes else 0,
        }
