r"""Logistic regression by gradient descent with large steps.

With :math:`\theta_0 = 0` and signed rows :math:`M_i = y_i a_i`, the normalised method

.. math::
    \theta_{t+1} = \theta_t + \gamma \sum_i p_i M_i, \qquad
    p_i = \frac{\sigma(-M_i^\top \theta_t)}{\sum_j \sigma(-M_j^\top \theta_t)},

separates n rows of norm at most R and margin :math:`\mu` within
:math:`R^2/\mu^2 + 2 \log(2n - 1) / (\gamma \mu^2)` updates, for any step size :math:`\gamma`
(Tyurin 2024, Theorem 6.1). As the step grows the method becomes the normalised batch perceptron,
and the plain one the batch perceptron.
"""

import math
from numbers import Integral, Real

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from .._base import LogitClassifierMixin
from ..losses import (
    BinaryLogLoss,
    ExponentialLoss,
    MulticlassPerceptronLoss,
    MultinomialLogLoss,
    PairwiseLoss,
    PerceptronLoss,
    WorstMarginLoss,
)
from ..solvers import Constant, Limit, Normalized
from ._separating import SeparatingClassifier

__all__ = ["LogisticRegressionGD"]


class LogisticRegressionGD(LogitClassifierMixin, SeparatingClassifier):
    r"""Logistic regression by full-batch gradient descent, with steps of any size.

    Minimises

    .. math::
        \frac{\sum_i s_i\, \ell(x_i^\top W + b, y_i)}{\sum_i s_i} + \frac{\alpha}{2} \|W\|^2

    from W = 0, and stops when every training row is on the right side. On separable data large
    steps get there soonest; on data that is not separable they do not settle, and the iterate
    with the fewest errors is kept.

    Parameters
    ----------
    step : {"normalized", "constant", "risk_adaptive"}, default="normalized"
        How steps are made.

        - "normalized": the gradient is divided by the mean pull of the rows,
          :math:`\frac1n \sum_i \sigma(-z_i)`. Comes with a bound for any step size
          (:func:`iteration_bound`), best on imbalanced data.
        - "constant": plain gradient descent. Steps below 2 / L, L the largest eigenvalue of
          :math:`X^\top X / 4n`, converge monotonically.
        - "risk_adaptive": gradient descent on the log of the exponential risk; rows are weighted
          by ``softmax(-margin)``. Multiclass through Kesler pairs.
    step_size : float in (0, inf], default=10.0
        Step size; the unit is 1 / (squared unit of the features). ``inf`` runs the limit of the
        method, a batch perceptron ("constant"), normalised batch perceptron ("normalized") or
        the row of worst margin ("risk_adaptive"), in units of the step: ``coef_`` is then
        defined up to scale.
    multi_class : {"multinomial", "kesler"}, default="multinomial"
        Loss for more than two classes: softmax, or the mean logistic loss of the pairs (right
        class, other class).
    fit_intercept : bool, default=True
        Whether to add a constant column, which then counts in margins and norms. The papers'
        setting is False.
    max_iter : int >= 1, default=1000
        Most updates. On data that is not separable all of them are made.
    stop : {"separated", "gradient", "max_iter"}, default="separated"
        When to stop: at the first iterate that gets every row right, when the largest entry of
        the gradient is at most `tol`, or after exactly `max_iter` updates. Loss and gradient norm
        say little about the progress of large steps (Theorem 4.1 of [1]_).
    tol : float >= 0, default=1e-6
        Tolerance of ``stop="gradient"``.
    keep : {"best", "last", "average"}, default="best"
        Which iterate to return: that with the fewest errors, then the largest margin per norm;
        the last; or the mean of all iterates, the start included.
    alpha : float >= 0, default=0.0
        L2 penalty, only for ``step="constant"``: alpha = 1 / (C * sum of weights) of
        :class:`sklearn.linear_model.LogisticRegression`. The intercept is not penalised.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into `sample_weight`.
    warm_start : bool, default=False
        Continue from the last solution; on data it already separates no update is made.

    Attributes
    ----------
    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients; one row for two classes.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts; zeros without.
    classes_ : array of shape (n_classes,)
        Labels, sorted.
    n_iter_ : int
        Updates made.
    separated_ : bool
        Whether the iterate that was kept gets every row of positive weight right.
    n_iter_to_separate_ : int or None
        Updates after which all rows were right for the first time; None if never.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : array of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Raises
    ------
    ValueError
        If ``alpha > 0`` meets a step that cannot carry a penalty, ``stop="gradient"`` meets
        ``step_size=inf``, or the coefficients overflow.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` updates neither separate the data nor meet the tolerance; the text says
        what was found in the data.

    See Also
    --------
    BatchPerceptron : The limits for infinite steps, as an estimator of their own.
    MaxMarginGD : The separating direction of largest margin.
    iteration_bound : The theorems' bounds on the number of updates.
    sklearn.linear_model.LogisticRegression : The minimiser of the same objective.

    Notes
    -----
    Probabilities of large-step solutions are close to 0 and 1 and not calibrated. Large-step
    trajectories are chaotic: rounding differences between machines, array libraries or orders of
    rows grow, so that only the first iterates agree; where the trajectory is stable all do.

    References
    ----------
    .. [1] Tyurin, A., "From Logistic Regression to the Perceptron Algorithm: Exploring Gradient
       Descent with Large Step Sizes", arXiv 2412.08424, 2024.
    .. [2] Zhang, R., Wu, J., Lin, L., Bartlett, P., "Minimax Optimal Convergence of Gradient
       Descent in Logistic Regression via Large and Adaptive Stepsizes", ICML 2025; the
       exponential-loss form of the adaptive step.

    Examples
    --------
    >>> from skkd.datasets import make_worst_case_separable
    >>> from skkd.linear_model import LogisticRegressionGD
    >>> X, y = make_worst_case_separable(1000)
    >>> model = LogisticRegressionGD(step_size=1.0, fit_intercept=False).fit(X, y)
    >>> model.n_iter_, model.separated_, model.score(X, y)
    (16, True, 1.0)
    """

    _parameter_constraints: dict = {
        "step": [StrOptions({"normalized", "constant", "risk_adaptive"})],
        "step_size": [Interval(Real, 0, None, closed="right")],
        "multi_class": [StrOptions({"multinomial", "kesler"})],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "stop": [StrOptions({"separated", "gradient", "max_iter"})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "keep": [StrOptions({"best", "last", "average"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        step="normalized",
        step_size=10.0,
        *,
        multi_class="multinomial",
        fit_intercept=True,
        max_iter=1000,
        stop="separated",
        tol=1e-6,
        keep="best",
        alpha=0.0,
        class_weight=None,
        warm_start=False,
    ):
        self.step = step
        self.step_size = step_size
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.stop = stop
        self.tol = tol
        self.keep = keep
        self.alpha = alpha
        self.class_weight = class_weight
        self.warm_start = warm_start

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; NumPy, CSR or CSC, or, with scikit-learn's ``array_api_dispatch``, any
            array API library, on whose device everything then stays.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Integer weights equal repetition, zero weight equals removal.

        Returns
        -------
        self : LogisticRegressionGD
            The fitted estimator.
        """
        self._check_compatible()
        return self._fit_separating(
            X, y, sample_weight, stop=self.stop, tol=self.tol, alpha=self.alpha
        )

    def _check_compatible(self):
        if self.alpha and self.step != "constant":
            raise ValueError(
                f"step={self.step!r} rescales the gradient of the loss and has no objective that a "
                f"penalty could be part of, but alpha={self.alpha}; use alpha=0 or "
                "step='constant'"
            )
        if self.step_size == math.inf and self.alpha:
            raise ValueError(
                f"in the limit step_size=inf the penalty vanishes, but alpha={self.alpha}; use "
                "alpha=0 or a finite step_size"
            )
        if self.step_size == math.inf and self.stop == "gradient":
            raise ValueError(
                "stop='gradient' needs the gradient of a smooth loss, which step_size=inf does "
                "not have; use stop='separated' or 'max_iter', or a finite step_size"
            )

    def _method(self, n_classes):
        limit = self.step_size == math.inf
        if self.step == "risk_adaptive":
            loss = WorstMarginLoss() if limit else ExponentialLoss()
        else:
            loss = PerceptronLoss() if limit else BinaryLogLoss()
        if n_classes > 2:
            if self.multi_class == "kesler" or self.step == "risk_adaptive":
                loss = PairwiseLoss(loss)
            else:
                loss = MulticlassPerceptronLoss() if limit else MultinomialLogLoss()
        if self.step == "constant":
            return loss, Limit() if limit else Constant(self.step_size)
        return loss, Normalized(1.0 if limit else self.step_size)
