r"""Batch perceptrons, the limits of logistic regression for infinite steps.

With :math:`S = \{i : M_i^\top \theta \le 0\}` the set of wrong rows, ties included,

.. math::
    \theta \leftarrow \theta + \frac1n \sum_{i \in S} M_i \quad\text{or, normalised,}\quad
    \theta \leftarrow \theta + \frac{1}{|S|} \sum_{i \in S} M_i .

From zero, the first separates within :math:`n R^2/\mu^2` updates, the second within
:math:`R^2/\mu^2` (Tyurin 2024, Theorems 3.3 and 5.3).
"""

from numbers import Integral

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from ..losses import PairwiseLoss, PerceptronLoss
from ..solvers import Limit, Normalized
from ._separating import SeparatingClassifier

__all__ = ["BatchPerceptron"]


class BatchPerceptron(SeparatingClassifier):
    r"""Perceptron that moves by the sum, or the mean, of all wrong rows.

    Lowers :math:`\frac{1}{\sum s} \sum_i s_i \max(0, -M_i^\top \theta)` over signed rows
    :math:`M_i`, from zero. For more than two classes the rows are Kesler's: one for each pair of
    a sample and a wrong class.

    Parameters
    ----------
    normalized : bool, default=True
        Divide by the weight of the wrong rows instead of that of all rows. Without, the first
        update is half a step, as in the limit of logistic regression.
    fit_intercept : bool, default=True
        Whether to add a constant column, which then counts in margins and norms.
    max_iter : int >= 1, default=1000
        Most updates. On data that is not separable all of them are made.
    keep : {"best", "last", "average"}, default="best"
        Which iterate to return: that with the fewest errors, then the largest margin per norm;
        the last; or the mean of all iterates, the start included.
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

    Warns
    -----
    ConvergenceWarning
        If `max_iter` updates do not separate the data; the text says what was found in it.

    See Also
    --------
    LogisticRegressionGD : The smooth method, with probabilities.
    sklearn.linear_model.Perceptron : The online perceptron, one row at a time.

    References
    ----------
    .. [1] Tyurin, A., "From Logistic Regression to the Perceptron Algorithm: Exploring Gradient
       Descent with Large Step Sizes", arXiv 2412.08424, 2024.

    Examples
    --------
    >>> from skkd.datasets import make_worst_case_separable
    >>> from skkd.linear_model import BatchPerceptron
    >>> X, y = make_worst_case_separable(1000)
    >>> BatchPerceptron(fit_intercept=False).fit(X, y).n_iter_
    2
    >>> BatchPerceptron(normalized=False, fit_intercept=False).fit(X, y).n_iter_
    301
    """

    _parameter_constraints: dict = {
        "normalized": ["boolean"],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "keep": [StrOptions({"best", "last", "average"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        normalized=True,
        *,
        fit_intercept=True,
        max_iter=1000,
        keep="best",
        class_weight=None,
        warm_start=False,
    ):
        self.normalized = normalized
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.keep = keep
        self.class_weight = class_weight
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
            Non-negative weights. Integer weights equal repetition, zero weight equals removal.

        Returns
        -------
        self : BatchPerceptron
            The fitted estimator.
        """
        return self._fit_separating(X, y, sample_weight, stop="separated", tol=0.0, alpha=0.0)

    def _method(self, n_classes):
        loss = PerceptronLoss() if n_classes == 2 else PairwiseLoss(PerceptronLoss())
        return loss, Normalized(1.0) if self.normalized else Limit()
