r"""Logistic regression by block coordinate descent.

The estimator minimises, over coefficients w and a free intercept b,

.. math::
    \frac{\sum_i s_i\, \ell(y_i, x_i^\top w + b)}{\sum_i s_i} + \alpha P(w)

by the greedy variable blocks of Nutini, Laradji and Schmidt (JMLR 2022): a working set holds the
coordinates that violate optimality most, a quadratic model is minimised on it to high accuracy,
and the certified duality gap says when to stop.
"""

from sklearn.base import _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from .._base import LogitClassifierMixin
from ._bcd_base import BlockDescentEstimator
from ._bcd_problem import check_same_classes, validate_labels

__all__ = ["BCDClassifier"]


def _has_probabilities(estimator):
    if estimator.loss == "log":
        return True
    raise AttributeError(f"loss={estimator.loss!r} models no probabilities; use loss='log'")


class BCDClassifier(LogitClassifierMixin, BlockDescentEstimator):
    r"""Logistic regression by block coordinate descent, with any penalty; softmax for K classes.

    Minimises

    .. math::
        \frac{\sum_i s_i\, \ell(y_i, x_i^\top W + b)}{\sum_i s_i} + \alpha P(W)

    to a certified duality gap.

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        Strength of the penalty.
    penalty : {"l2", "l1", "elasticnet", "group_l1"} or None, default="l2"
        The penalty :math:`P(w)`:

        - "l2": :math:`\frac12 \|w\|^2`;
        - "l1": :math:`\|w\|_1`;
        - "elasticnet": :math:`\rho \|w\|_1 + \frac{1 - \rho}{2} \|w\|^2` with
          :math:`\rho` = `l1_ratio`;
        - "group_l1": :math:`\sum_g \sqrt{|g|}\, \|w_g\|` over `groups`, for two classes;
        - None: none, whatever `alpha`.
    l1_ratio : float in [0, 1], default=0.5
        Share of the L1 norm in the elastic net.
    groups : int, array of shape (n_features,) or list of arrays, default=None
        Groups of features for "group_l1": the size of consecutive groups, a label for each
        feature, or the indices of each group.
    positive : bool, default=False
        Whether coefficients must not be negative.
    bounds : pair of floats, default=None
        Lower and upper bound of every coefficient, with zero between them.
    loss : {"log", "squared_hinge"}, default="log"
        Logistic loss, softmax for more than two classes; or half the squared hinge of signed
        labels, for two classes.
    block_size : int >= 1 or "auto", default="auto"
        Coefficients in a block. Naming a size, or a rule in the three parameters below, runs
        exactly that rule of :func:`skkd.solvers.minimize_bcd` instead of the fastest method.
    partition : str, array of labels or list of index arrays, default="variable"
        How coefficients are grouped into blocks: "variable", "order", "random", "sort",
        "average", "hsort", "haverage", or given blocks.
    selection : str, default="auto"
        Which block comes next: "cyclic", "random", "perm", "lipschitz", "gs", "gsl", "gsd",
        "gsd-h", "gsq", "iht"; with an L1 norm or bounds "gs-q", "gs-r", "gs-s". "auto" is a
        working set, the greedy rule with its cost amortised.
    update : str, default="auto"
        What is done to a block: "gradient", "bound", "adaptive", "newton", "cubic", "exact",
        "prox-gradient", "prox-newton", "two-metric". "auto" solves the working set: sweeps, then
        Newton steps on the support.
    working_set : bool or "auto", default="auto"
        Whether to work on the support and the worst violators only. "auto" does.
    acceleration : {"auto", "newton", "anderson"} or None, default="auto"
        How a working set is finished: Newton steps on the support, Anderson extrapolation of
        the sweeps, or sweeps alone. "auto" is Newton.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is never penalised.
    max_iter : int >= 1, default=1000
        Most outer passes; block updates where a rule is named.
    tol : float >= 0, default=1e-6
        Stop once the certified duality gap is at most `tol` times the objective of the best
        intercept alone. With X in float32 not below 1e-6.
    stopping : {"gap", "max_iter"}, default="gap"
        Whether to stop by `tol`, or to go on for `max_iter` iterations or until rounding forbids
        progress.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied into `sample_weight`.
    warm_start : bool, default=False
        Whether to start from the last solution.
    random_state : int, RandomState or None, default=None
        Seed of the rules that draw. The default method draws nothing.
    record_path : bool, default=False
        Whether to keep the course of the fit in the attributes ending in ``_path_``.
    verbose : int, default=0
        Whether to print a line for each iteration.

    Attributes
    ----------
    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients; one row for two classes.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts; zeros without.
    classes_ : array of shape (n_classes,)
        Labels, sorted.
    n_iter_ : int
        Outer passes made; block updates where a rule was named.
    objective_ : float
        Objective at the solution.
    dual_gap_ : float
        Certified duality gap: the objective is at most this far above its minimum. NaN where
        there is no dual bound (no penalty).
    active_set_ : array of int
        Features with a coefficient off zero.
    objective_path_, gap_path_, time_path_ : arrays of shape (n_iterates,)
        Objective, duality gap (infinite where none was certified) and seconds since the start,
        for the start and each iterate after it; only with ``record_path=True``, like the next
        three.
    active_set_path_ : list of arrays
        Features off zero at each iterate.
    block_history_ : list of arrays
        Coordinates that each iteration worked on.
    identified_iter_ : int
        First iterate from which on the active set never changed.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : array of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Raises
    ------
    ValueError
        If rules contradict each other, groups do not hold each feature once, `bounds` exclude
        zero, or the squared hinge or groups meet more than two classes.

    Warns
    -----
    ConvergenceWarning
        If `tol` is not reached in `max_iter` iterations, or before rounding forbids progress; so it
        goes without a penalty on separable data, where no minimiser exists.

    See Also
    --------
    BCDRegressor : The same for regression.
    skkd.solvers.minimize_bcd : Every rule, for any smooth function.
    LogisticRegressionGD : Gradient descent with large steps, for separable data.
    sklearn.linear_model.LogisticRegression : The same objective, by other solvers.

    Notes
    -----
    ``alpha = 1 / (C * sum of weights)`` of :class:`sklearn.linear_model.LogisticRegression`. The
    softmax has a free constant in every row of coefficients; it is used up by centring the
    intercepts over the classes, and the coefficients too where nothing penalises them.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.
    .. [2] Massias, M., Gramfort, A., Salmon, J., "Celer: a fast solver for the Lasso with dual
       extrapolation", ICML 2018; working sets with certified gaps.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skkd.linear_model import BCDClassifier
    >>> X, y = make_classification(
    ...     100, 1000, n_informative=5, n_redundant=0, shuffle=False, random_state=0
    ... )
    >>> model = BCDClassifier(0.05, penalty="l1").fit(X, y)
    >>> model.score(X, y) > 0.9, model.active_set_.size < 50
    (True, True)
    """

    _parameter_constraints: dict = {
        **BlockDescentEstimator._parameter_constraints,
        "loss": [StrOptions({"log", "squared_hinge"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
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
        loss="log",
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
        class_weight=None,
        warm_start=False,
        random_state=None,
        record_path=False,
        verbose=0,
    ):
        super().__init__(
            alpha,
            penalty=penalty,
            l1_ratio=l1_ratio,
            groups=groups,
            positive=positive,
            bounds=bounds,
            block_size=block_size,
            partition=partition,
            selection=selection,
            update=update,
            working_set=working_set,
            acceleration=acceleration,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            stopping=stopping,
            warm_start=warm_start,
            random_state=random_state,
            record_path=record_path,
            verbose=verbose,
        )
        self.loss = loss
        self.class_weight = class_weight

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Dense arrays are read in the memory order they have; CSC is the format
            for sparse ones.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Integer weights equal repetition, zero weight equals removal.

        Returns
        -------
        self : BCDClassifier
            The fitted estimator.
        """
        problem = self._labelled(X, y, sample_weight)
        return self._fit_problem(*problem, loss=self.loss, n_outputs=self._n_outputs(), shown_y=y)

    @_fit_context(prefer_skip_nested_validation=True)
    def path(self, X, y, alphas, sample_weight=None):
        """Solve for many strengths of the penalty, each started from the last.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Labels.
        alphas : array-like of shape (n_alphas,)
            Strengths, in the order in which to solve; from strong to weak is fastest.
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        Returns
        -------
        path : Bunch
            ``alphas``, ``coefs`` of shape (n_alphas, n_outputs, n_features), ``intercepts`` of
            shape (n_alphas, n_outputs), ``dual_gaps``, ``objectives`` and ``n_iters``.
        """
        problem = self._labelled(X, y, sample_weight)
        return self._path(*problem, alphas, loss=self.loss, n_outputs=self._n_outputs())

    @available_if(_has_probabilities)
    def predict_proba(self, X):
        """Probabilities of the classes; only with ``loss="log"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        probabilities : array of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return super().predict_proba(X)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X):
        """Logarithms of the probabilities; only with ``loss="log"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        log_probabilities : array of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return super().predict_log_proba(X)

    def _labelled(self, X, y, sample_weight):
        X, codes, weights, classes = validate_labels(self, X, y, sample_weight)
        self._check_number(classes)
        if self.warm_start and hasattr(self, "classes_"):
            check_same_classes(self, classes)
        self.classes_ = classes
        return X, codes, weights

    def _check_number(self, classes):
        """Refuse more than two classes where only one output can be fitted."""
        name = "loss" if self.loss == "squared_hinge" else "penalty"
        value = getattr(self, name)
        if len(classes) > 2 and value in ("squared_hinge", "group_l1"):
            raise ValueError(
                f"Only binary classification is supported. With {name}={value!r} y must have two "
                f"classes, but it has {len(classes)}; use another {name} or "
                "sklearn.multiclass.OneVsRestClassifier"
            )

    def _n_outputs(self):
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def _attributes(self, params):
        coef, intercepts = params[:-1].T.copy(), params[-1].copy()
        if intercepts.size > 1:
            intercepts -= intercepts.mean()
            free = self.penalty is None or self.alpha == 0.0
            if free and self.bounds is None and not self.positive:
                coef -= coef.mean(axis=0)
        return {"coef_": coef, "intercept_": intercepts}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        tags.classifier_tags.multi_class = self.loss == "log" and self.penalty != "group_l1"
        # Coefficients of one sign cannot tell three clouds apart.
        tags.classifier_tags.poor_score = self.positive or self.bounds is not None
        return tags
