r"""The separating direction of largest margin, by accelerated descent on the dual.

.. math::
    \mu = \max_{\|\theta\| = 1} \min_i M_i^\top \theta
        = \min_{q \in \Delta} \|M^\top q\|

over signed rows :math:`M_i`, Kesler's for more than two classes. The method and its duality gap
are described in :mod:`skkd.solvers._max_margin`.
"""

from numbers import Integral, Real

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from .._backend import namespace, to_numpy
from .._base import LinearClassifierMixin, SkkdEstimator, linear_attributes
from .._threads import quiet_single_thread
from .._validation import check_warm_start, validate_classification
from ..losses import ExponentialLoss, PairwiseLoss
from ..objectives import classification_objective
from ..solvers import max_margin_descent, run
from ._diagnosis import why_not_separated
from ._margins import data_radius

__all__ = ["MaxMarginGD"]


class MaxMarginGD(LinearClassifierMixin, SkkdEstimator):
    r"""Hard-margin linear classifier by (accelerated) gradient descent.

    Maximises :math:`\min_i M_i^\top \theta` over :math:`\|\theta\| = 1`, and knows how far it is
    from the largest margin: every iterate comes with an upper bound.

    Parameters
    ----------
    momentum : bool, default=True
        Momentum on the dual variables: the gap falls like 1 / t^2 up to logarithms instead of
        1 / t.
    fit_intercept : bool, default=True
        Whether to add a constant column. The intercept is then part of the norm, and the margin
        that of the augmented rows.
    max_iter : int >= 1, default=2000
        Most updates.
    tol : float >= 0, default=1e-4
        Stop when the duality gap is at most `tol` times the upper bound of the margin.
    warm_start : bool, default=False
        Continue from where the last fit ended, with momentum gathered afresh.

    Attributes
    ----------
    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients; together with the intercepts of unit norm.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts; zeros without.
    margin_ : float
        Margin of the returned direction in the unit of the features; negative if some row is
        wrong.
    dual_gap_ : float
        Upper bound of the largest margin minus `margin_`.
    dual_coef_ : array of shape (n_samples,) or (n_samples, n_classes)
        Weights q of the rows, or of the pairs of a row and a wrong class; they sum to 1, and
        ``margin_ + dual_gap_`` is the norm of the weighted sum of signed rows.
    separated_ : bool
        Whether every row of positive weight is right.
    classes_ : array of shape (n_classes,)
        Labels, sorted.
    n_iter_ : int
        Updates made.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : array of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Warns
    -----
    ConvergenceWarning
        If the gap is larger than `tol` allows after `max_iter` updates.

    See Also
    --------
    separation_margin : The exact margin, by an active-set method on the host.
    LogisticRegressionGD : Any separating direction, sooner.

    References
    ----------
    .. [1] Ji, Z., Srebro, N., Telgarsky, M., "Fast margin maximization via dual acceleration", ICML
       2021.

    Examples
    --------
    >>> from skkd.datasets import make_worst_case_separable
    >>> from skkd.linear_model import MaxMarginGD
    >>> X, y = make_worst_case_separable(100)
    >>> model = MaxMarginGD(fit_intercept=False).fit(X, y)
    >>> round(model.margin_, 3), model.separated_
    (0.5, True)
    """

    _parameter_constraints: dict = {
        "momentum": ["boolean"],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self, momentum=True, *, fit_intercept=True, max_iter=2000, tol=1e-4, warm_start=False
    ):
        self.momentum = momentum
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. They change the path, not the largest margin; rows of zero
            weight count as absent.

        Returns
        -------
        self : MaxMarginGD
            The fitted estimator.
        """
        data = validate_classification(self, X, y, sample_weight)
        loss = ExponentialLoss() if data.n_classes == 2 else PairwiseLoss(ExponentialLoss())
        objective = classification_objective(loss, data, fit_intercept=self.fit_intercept)
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            check_warm_start(self, data)
            same_shape = self._position.shape == objective.shape  # else fit_intercept was changed
            start = self._position if same_shape else None
        self.classes_ = data.classes
        on_iterate, end = self._watched(
            data.X, y, max_iter=self.max_iter, task_name="update", attributes=self._attributes
        )
        radius = data_radius(data, fit_intercept=self.fit_intercept)
        with quiet_single_thread(data.X):
            result = run(
                max_margin_descent(objective, radius, momentum=self.momentum, start=start),
                max_iter=self.max_iter,
                tol=self.tol,
                criterion=lambda iterate: iterate.gap,
                check_every=1,
                on_iterate=on_iterate,
                remedy=lambda result: self._remedy(result, data),
            )
        self._set_result(result, objective)
        end()
        return self

    def _attributes(self, params):
        # Kesler gradients sum to zero over the classes, and so do sums of them: nothing to centre.
        return linear_attributes(params, self.fit_intercept, center=False)

    def _set_result(self, result, objective):
        iterate = result.iterate
        for name, value in self._attributes(iterate.params).items():
            setattr(self, name, value)
        self.margin_ = float(to_numpy(iterate.margin))
        self.dual_gap_ = float(to_numpy(iterate.bound)) - self.margin_
        self.dual_coef_ = _dual(objective, iterate.dual_logits)
        self.separated_ = bool(to_numpy(iterate.errors) == 0)
        self.n_iter_ = result.n_iter
        self._position = iterate.position

    def _remedy(self, result, data):
        iterate = result.iterate
        margin, bound = float(to_numpy(iterate.margin)), float(to_numpy(iterate.bound))
        found = (
            f"the largest margin lies between {margin:.3g} and {bound:.3g} after "
            f"max_iter={self.max_iter} updates, a wider gap than tol={self.tol} allows. "
        )
        if margin > 0:
            return found + "Increase max_iter or tol, or scale the features."
        return found + why_not_separated(data, fit_intercept=self.fit_intercept)


def _dual(objective, logits):
    """Weights of rows or pairs: the softmax that the normalised exponential gradient is made of."""
    xp = namespace(logits)
    loss, target, weight = objective.loss, objective.target, objective.weight
    R, _ = loss.normalized_gradient(logits, target, weight)
    if logits.shape[1] == 1:
        return xp.abs(R[:, 0])
    return xp.where(R > 0, R, 0.0)
