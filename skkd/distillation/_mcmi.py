r"""A teacher that tells the rows of one class apart.

.. math::
    \min_W\; \mathrm{CE} - \lambda\, I(X; \hat Y \mid Y) + \frac{\alpha}{2} \|W\|^2, \qquad
    I(X; \hat Y \mid Y) = \frac1n \sum_n \mathrm{KL}(P_n \| Q_{y_n}),

:math:`Q_y` the mean of the predictions :math:`P_n` over the rows of class y. As I is between 0
and log C, the objective is bounded below; it is not convex, and descent starts at the solution
without the second term. (With :math:`Q` held fixed the bound of I is :math:`-\log \min Q`.)

References
----------
Ye, L., Hamidi, S. M., Tan, R., Yang, E.-H., "Bayes conditional distribution estimation for
knowledge distillation based on conditional mutual information", ICLR 2024 (arXiv 2401.08732).
"""

from numbers import Integral, Real

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from .._backend import log_softmax, namespace, to_numpy
from ..losses import (
    CMILoss,
    MultinomialLogLoss,
    Target,
    TwoColumns,
    WeightedSum,
    class_centroids,
    two_columns,
)
from ..objectives import LinearObjective
from ._own_labels import OwnLabelsClassifier

__all__ = ["MCMILogisticRegression"]


class MCMILogisticRegression(OwnLabelsClassifier):
    r"""Logistic regression with predictions that vary within classes: a teacher.

    Minimises :math:`\mathrm{CE} - \lambda \frac1n \sum_n \mathrm{KL}(P_n \| Q_{y_n}) +
    \frac{\alpha}{2} \|W\|^2`, where :math:`Q_y` is the mean prediction for the rows of class y.

    Parameters
    ----------
    cmi_weight : float >= 0, default=0.3
        Weight :math:`\lambda` of the conditional mutual information. With it predictions vary more
        within classes, and the teacher gets less accurate.
    alpha : float >= 0, default=1e-4
        Strength of the L2 penalty, ``1 / (C * n_samples)`` in scikit-learn's terms.
    centroid : {"exact", "fixed"}, default="exact"
        Whether the mean predictions of the classes follow the coefficients, or stay those of the
        cross-entropy solution, as in the authors' program.
    fit_intercept : bool, default=True
        Whether to fit intercepts, which are not penalised.
    max_iter : int >= 1, default=1000
        Most updates, those on the way to the cross-entropy solution included.
    tol : float >= 0, default=1e-6
        Stop when no entry of the gradient is larger.
    warm_start : bool, default=False
        Start from the last solution; the cross-entropy solution is still looked for first.
    class_weight : dict or "balanced", default=None
        Weights of the classes, multiplied with `sample_weight`.

    Attributes
    ----------
    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts; zeros without.
    classes_ : array of shape (n_classes,)
        Labels, sorted.
    centroids_ : array of shape (n_classes, n_classes)
        Mean probabilities predicted for the training rows of each class, a row per class.
    cmi_ : float
        Conditional mutual information of inputs and predictions given the label, in nats, on the
        training rows: their mean divergence from `centroids_`; between 0 and log(n_classes).
    loss_value_ : float
        The objective, penalty included.
    n_iter_ : int
        Updates made.
    converged_ : bool
        Whether the gradient came below `tol`.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : array of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Raises
    ------
    ValueError
        If the data are not fit for classification.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` updates were not enough, or if the classes are separable and ``alpha=0``, so
        that there is nothing to converge to.

    See Also
    --------
    SelfDistilledLogisticRegression : Learns from its own predictions.
    sklearn.linear_model.LogisticRegression : The same with ``cmi_weight=0``.

    Notes
    -----
    Put it behind a feature map such as :class:`sklearn.kernel_approximation.Nystroem` in a
    pipeline, and the pipeline is a teacher that can know more than a linear student. To treat
    another classifier, fit this one on its out-of-fold logits.

    The objective is not convex. What is returned is the local minimum that descent from the
    cross-entropy solution leads to.

    References
    ----------
    .. [1] Ye, L., Hamidi, S. M., Tan, R., Yang, E.-H., "Bayes conditional distribution estimation
       for knowledge distillation based on conditional mutual information", ICLR 2024 (arXiv
       2401.08732).

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skkd.distillation import MCMILogisticRegression
    >>> X, y = load_wine(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> plain = MCMILogisticRegression(0.0, alpha=0.01).fit(X, y)
    >>> teacher = MCMILogisticRegression(0.3, alpha=0.01).fit(X, y)
    >>> plain.cmi_ < teacher.cmi_
    True
    """

    _parameter_constraints: dict = {
        "cmi_weight": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "centroid": [StrOptions({"exact", "fixed"})],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        cmi_weight=0.3,
        *,
        alpha=1e-4,
        centroid="exact",
        fit_intercept=True,
        max_iter=1000,
        tol=1e-6,
        warm_start=False,
        class_weight=None,
    ):
        self.cmi_weight = cmi_weight
        self.alpha = alpha
        self.centroid = centroid
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.class_weight = class_weight

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
            Non-negative weights; rows of zero weight count as absent.

        Returns
        -------
        self : MCMILogisticRegression
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    def _learn(self, descent, labels, data):
        descent.minimise(labels)
        problem = descent.problem("the cross-entropy problem, from which descent starts,")
        if self.cmi_weight > 0 and problem is None and not descent.stopped:
            descent.minimise(self._objective(labels, data, descent.params))
            problem = descent.problem("the problem")
        self._measure(descent, labels, data)
        return problem

    def _objective(self, labels, data, params):
        """Cross-entropy minus the weighted information."""
        centroids = "exact"
        if self.centroid == "fixed":
            centroids = class_centroids(_softmax(_columns(labels, params)), data.y, labels.weight)
        loss = WeightedSum(
            [(1.0, MultinomialLogLoss()), (-self.cmi_weight, CMILoss(centroids=centroids))]
        )
        if data.n_classes == 2:
            loss = TwoColumns(loss)
        return LinearObjective(
            loss,
            labels.X,
            loss.prepare(Target(data.y)),
            None if isinstance(labels.weight, float) else labels.weight,
            n_outputs=labels.shape[1],
            alpha=self.alpha,
            fit_intercept=self.fit_intercept,
        )

    def _measure(self, descent, labels, data):
        Z = _columns(labels, descent.params)
        self.centroids_ = class_centroids(_softmax(Z), data.y, labels.weight)
        information, _ = CMILoss().value_and_gradient(Z, Target(data.y), labels.weight)
        self.cmi_ = float(to_numpy(information))
        self.loss_value_ = float(to_numpy(descent.value))


def _columns(labels, params):
    """Logits of the rows, a column for each of two classes too."""
    Z = labels.logits(params)
    return two_columns(Z) if Z.shape[1] == 1 else Z


def _softmax(Z):
    return namespace(Z).exp(log_softmax(Z))
