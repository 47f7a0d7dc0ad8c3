r"""Linear regression by block coordinate descent.

The estimator minimises, over coefficients w and a free intercept b,

.. math::
    \frac{\sum_i s_i\, \ell(y_i, x_i^\top w + b)}{\sum_i s_i} + \alpha P(w)

by the greedy variable blocks of Nutini, Laradji and Schmidt (JMLR 2022): a working set holds the
coordinates that violate optimality most, a quadratic model is minimised on it to high accuracy,
and the certified duality gap says when to stop.
"""

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ._bcd_base import BlockDescentEstimator
from ._bcd_problem import on_host, validate_regression

__all__ = ["BCDRegressor"]


class BCDRegressor(RegressorMixin, BlockDescentEstimator):
    r"""Linear regression by block coordinate descent: Lasso, elastic net, group lasso, ridge.

    Minimises

    .. math::
        \frac{\sum_i s_i\, (y_i - x_i^\top w - b)^2}{2 \sum_i s_i} + \alpha P(w)

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
        - "group_l1": :math:`\sum_g \sqrt{|g|}\, \|w_g\|` over `groups`;
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
    loss : {"squared"}, default="squared"
        Half the squared error; the parameter is there to match the classifier.
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
    coef_ : array of shape (n_features,)
        Coefficients.
    intercept_ : float
        Intercept; 0 without.
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
        If rules contradict each other, groups do not hold each feature once, or `bounds` exclude
        zero.

    Warns
    -----
    ConvergenceWarning
        If `tol` is not reached in `max_iter` iterations, or before rounding forbids progress.

    See Also
    --------
    BCDClassifier : The same for classification.
    skkd.solvers.minimize_bcd : Every rule, for any smooth function.
    sklearn.linear_model.Lasso : The same objective by cyclic coordinate descent.

    Notes
    -----
    ``alpha`` is that of scikit-learn's Lasso and ElasticNet, and ``alpha = ridge_alpha / n`` of
    its Ridge.

    References
    ----------
    .. [1] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.
    .. [2] Massias, M., Gramfort, A., Salmon, J., "Celer: a fast solver for the Lasso with dual
       extrapolation", ICML 2018; working sets with certified gaps.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.linear_model import BCDRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 500))
    >>> y = X[:, :3] @ [3.0, -2.0, 1.0] + 0.1 * rng.standard_normal(60)
    >>> model = BCDRegressor(0.1, penalty="l1").fit(X, y)
    >>> model.active_set_.tolist()
    [0, 1, 2]
    >>> bool(model.dual_gap_ <= 1e-6 * np.var(y) / 2)
    True
    """

    _parameter_constraints: dict = {
        **BlockDescentEstimator._parameter_constraints,
        "loss": [StrOptions({"squared"})],
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
        loss="squared",
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Dense arrays are read in the memory order they have; CSC is the format
            for sparse ones.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Integer weights equal repetition, zero weight equals removal.

        Returns
        -------
        self : BCDRegressor
            The fitted estimator.
        """
        X, y, weights = validate_regression(self, X, y, sample_weight)
        return self._fit_problem(X, y, weights, loss="squared")

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : array of shape (n_samples,)
            Predictions.
        """
        check_is_fitted(self)
        on_host(self, X)
        X = validate_data(
            self, X, reset=False, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32]
        )
        return X @ self.coef_ + self.intercept_

    @_fit_context(prefer_skip_nested_validation=True)
    def path(self, X, y, alphas, sample_weight=None):
        """Solve for many strengths of the penalty, each started from the last.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Targets.
        alphas : array-like of shape (n_alphas,)
            Strengths, in the order in which to solve; from strong to weak is fastest.
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        Returns
        -------
        path : Bunch
            ``alphas``, ``coefs`` of shape (n_alphas, n_features), ``intercepts``, ``dual_gaps``,
            ``objectives`` and ``n_iters``, in the order of `alphas`.
        """
        X, y, weights = validate_regression(self, X, y, sample_weight)
        return self._path(X, y, weights, alphas, loss="squared")

    def _attributes(self, params):
        return {"coef_": params[:-1, 0].copy(), "intercept_": params[-1, 0]}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
