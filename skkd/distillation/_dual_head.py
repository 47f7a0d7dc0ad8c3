r"""Two linear heads on a shared low-rank map: one learns the labels, one the teacher.

.. math::
    \min_{U, V_1, V_2, b} \; c_1 \,\mathrm{CE}(X U V_1 + b_1, y) + c_2\, \ell(X U V_2 + b_2, t)
        + \frac{\alpha}{2} \big(\|U\|^2 + \|V_1\|^2 + \|V_2\|^2\big)

Decisions are those of the first head; the second only shapes U.

Reference: Yang, P., Zong, C.-C., Huang, S.-J., Feng, L., An, B., "Dual-head knowledge
distillation: enhancing logits utilization with an auxiliary head", KDD 2025 (arXiv 2411.08937).
"""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from .._backend import device_of, namespace, one_hot, to_numpy, total
from .._base import LogitClassifierMixin, SkkdEstimator
from .._threads import quiet_single_thread
from .._validation import validate_classification
from ..losses import BinaryLogLoss, MultinomialLogLoss, Target
from ..losses._combined import TwoColumns
from ..losses._registry import make_loss
from ..objectives import LinearObjective
from ..solvers import gradient_descent, gradient_norm, lbfgs, run
from ._directions import leading_directions, takes_sparse
from ._dual_objective import DualHeadObjective, LocalStep
from ._teacher import check_teacher_logits, fit_teacher

__all__ = ["DualHeadDistilledClassifier"]


class DualHeadDistilledClassifier(LogitClassifierMixin, SkkdEstimator):
    r"""Linear classifier of low rank whose features a second head learns from a teacher.

    Minimises

    .. math::
        c_1 \,\mathrm{CE}(X U V_1 + b_1, y) + c_2\, \ell(X U V_2 + b_2, t)
        + \frac{\alpha}{2} \big(\|U\|^2 + \|V_1\|^2 + \|V_2\|^2\big),

    weighted means over rows, y the labels and t the logits of the teacher. Not convex. The first
    head decides, so that matching the teacher's logits does not spoil its probabilities.

    Parameters
    ----------
    teacher : classifier, default=None
        Gives the logits t where none are passed to `fit`.
    n_components : int >= 1, default=8
        Rank r of the shared map U. More than the number of features are never used. From
        ``n_classes - 1`` on, with a weak penalty, the first head can do as if it were alone.
    loss : {"binary_kl_norm", "binary_kl", "kl"}, default="binary_kl_norm"
        Loss of the second head.
    ce_weight : float > 0, default=1.0
        Factor of the first head's cross-entropy.
    kd_weight : float >= 0, default=1.0
        Factor of the second head's loss.
    gradient_alignment : bool, default=False
        Take the component against the gradient of the cross-entropy out of the other loss's
        gradient before both are added. That direction is the gradient of no function, so the fit
        is gradient descent, which needs many updates, instead of L-BFGS.
    alpha : float >= 0, default=1e-4
        Strength of the L2 penalty; intercepts are not penalised.
    fit_intercept : bool, default=True
        Whether the heads have intercepts.
    temperature : float > 0 or "auto", default="auto"
        Temperature of `loss`; "auto" is 2.
    teacher_method : str, default="auto"
        How the teacher's logits are obtained: "predict_log_proba", "predict_proba",
        "decision_function", or "auto", the first of these that it has.
    cv : int, splitter, list of splits, "refit" or "prefit", default=5
        How they are obtained for rows that also train the teacher; see :func:`teacher_logits`.
    prob_floor : float in [0, 1), default=1e-6
        Mixed into the teacher's probabilities before their logarithm is taken.
    max_iter : int >= 1, default=2000
        Most updates.
    tol : float >= 0, default=1e-4
        Stop when no entry of the gradient, or of the aligned direction, is larger.
    random_state : int, RandomState instance or None, default=None
        Start of the heads, which is small.
    n_jobs : int, default=None
        Folds whose teachers are fitted at the same time.

    Attributes
    ----------
    components_ : array of shape (rank, n_features)
        The shared map, transposed; the rank is ``min(n_components, n_features)``.
    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the first head, through the map; one row for two classes.
    intercept_ : array of shape (1,) or (n_classes,)
        Its intercepts; zeros without.
    aux_coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the second head.
    aux_intercept_ : array of shape (1,) or (n_classes,)
        Its intercepts.
    classes_ : array of shape (n_classes,)
        Labels, sorted.
    teacher_ : estimator or None
        The fitted teacher; None where logits were given.
    n_iter_ : int
        Updates made.
    loss_value_ : float
        Objective at the end.
    converged_ : bool
        Whether `tol` was met.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : array of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Raises
    ------
    ValueError
        If there is neither a teacher nor teacher logits.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` updates do not meet the tolerance.

    See Also
    --------
    DistilledLogisticRegression : One head for both; convex.
    teacher_logits : Logits of a teacher for the rows it was fitted on.

    Notes
    -----
    With fixed features two heads would not know of each other; the shared map is what the second
    one can change. The map starts at the directions of largest covariance with labels and teacher
    logits, so that only the heads' small random start depends on `random_state`.

    References
    ----------
    .. [1] Yang, P., Zong, C.-C., Huang, S.-J., Feng, L., An, B., "Dual-head knowledge
       distillation: enhancing logits utilization with an auxiliary head", KDD 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skkd.distillation import DualHeadDistilledClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DualHeadDistilledClassifier(GaussianNB(), n_components=2, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    >>> model.components_.shape
    (2, 4)
    """

    _parameter_constraints: dict = {
        "teacher": [HasMethods(["fit"]), HasMethods(["predict"]), None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "loss": [StrOptions({"binary_kl_norm", "binary_kl", "kl"})],
        "ce_weight": [Interval(Real, 0, None, closed="neither")],
        "kd_weight": [Interval(Real, 0, None, closed="left")],
        "gradient_alignment": ["boolean"],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "temperature": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "teacher_method": [
            StrOptions({"auto", "predict_log_proba", "predict_proba", "decision_function"})
        ],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            StrOptions({"refit", "prefit"}),
            HasMethods(["split"]),
            list,
        ],
        "prob_floor": [Interval(Real, 0, 1, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    __metadata_request__fit = {"teacher_logits": True}

    def __init__(
        self,
        teacher=None,
        *,
        n_components=8,
        loss="binary_kl_norm",
        ce_weight=1.0,
        kd_weight=1.0,
        gradient_alignment=False,
        alpha=1e-4,
        fit_intercept=True,
        temperature="auto",
        teacher_method="auto",
        cv=5,
        prob_floor=1e-6,
        max_iter=2000,
        tol=1e-4,
        random_state=None,
        n_jobs=None,
    ):
        self.teacher = teacher
        self.n_components = n_components
        self.loss = loss
        self.ce_weight = ce_weight
        self.kd_weight = kd_weight
        self.gradient_alignment = gradient_alignment
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.temperature = temperature
        self.teacher_method = teacher_method
        self.cv = cv
        self.prob_floor = prob_floor
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, teacher_logits=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, also of the teacher's rows. Integers equal repetition.
        teacher_logits : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            Logits of a teacher, in the order of the sorted labels, or a DataFrame whose columns
            are the labels; for two classes also their difference. They go before `teacher`.

        Returns
        -------
        self : DualHeadDistilledClassifier
            The fitted estimator.
        """
        data = validate_classification(self, X, y, sample_weight)
        T, teacher = self._taught(X, data, sample_weight, teacher_logits)
        objective, first = self._objective(data, T)
        start = self._start(objective, data, T)
        self.classes_, self.teacher_ = data.classes, teacher

        def attributes(params):
            return self._attributes(objective, params)

        on_iterate, end = self._watched(
            data.X, y, max_iter=self.max_iter, task_name="update", attributes=attributes
        )
        with quiet_single_thread(data.X):
            result = run(
                self._iterates(objective, first, start),
                max_iter=self.max_iter,
                tol=self.tol,
                criterion=gradient_norm,
                check_every=None if on_iterate is None else 1,
                on_iterate=on_iterate,
                remedy=self._remedy,
            )
            value = objective.value_and_gradient(result.params)[0]
        for name, attribute in attributes(result.params).items():
            setattr(self, name, attribute)
        self.n_iter_ = result.n_iter
        self.converged_ = result.converged
        self.loss_value_ = float(to_numpy(value))
        end()
        return self

    def _taught(self, X, data, sample_weight, given):
        """Teacher logits like ``data.X``, and the fitted teacher if there is one."""
        n, fitted = data.X.shape[0], None
        if given is None:
            if self.teacher is None:
                raise ValueError(
                    "there is no teacher: pass teacher=, a classifier, to the constructor, or "
                    "teacher_logits= to fit"
                )
            given, fitted = fit_teacher(
                self.teacher,
                X,
                to_numpy(data.classes)[to_numpy(data.y)],
                method=self.teacher_method,
                cv=self.cv,
                prob_floor=self.prob_floor,
                sample_weight=sample_weight,
                classes=data.classes,
                n_jobs=self.n_jobs,
            )
        return check_teacher_logits(given, n, data.classes, data.X), fitted

    def _objective(self, data, T):
        """The joint objective, and that of the first head on all features."""
        binary = data.n_classes == 2
        labels = namespace(data.X).astype(data.y, data.X.dtype) if binary else data.y
        ce = BinaryLogLoss() if binary else MultinomialLogLoss()
        temperature = 2.0 if self.temperature == "auto" else self.temperature
        kd = make_loss(self.loss, temperature=temperature)
        kd = TwoColumns(kd) if binary else kd
        k = 1 if binary else data.n_classes
        target = ce.prepare(Target(labels))
        first = LinearObjective(
            ce, data.X, target, data.sample_weight, n_outputs=k, fit_intercept=False
        )
        heads = [(ce, target), (kd, kd.prepare(Target(labels, T), weight=first.weight))]
        objective = DualHeadObjective(
            data.X,
            heads,
            (float(self.ce_weight), float(self.kd_weight)),
            first.weight,
            n_components=min(self.n_components, data.X.shape[1]),
            n_outputs=k,
            alpha=float(self.alpha),
            fit_intercept=self.fit_intercept,
        )
        return objective, first

    def _start(self, objective, data, T):
        """Directions of largest covariance with what is to be learnt; small random heads."""
        rng = check_random_state(self.random_state)
        xp, X, weight = namespace(data.X), data.X, objective.weight
        (_, r), (_, k), *_ = objective.shapes
        wanted = xp.concat(
            [
                xp.astype(one_hot(data.y, data.n_classes), X.dtype),
                T - xp.mean(T, axis=1, keepdims=True),
            ],
            axis=1,
        )
        mass = weight if isinstance(weight, float) else weight[:, None]
        wanted = wanted - xp.astype(total(mass * wanted, axis=0), X.dtype)
        U = leading_directions(to_numpy(X.T @ (mass * wanted)), r, rng)
        U = xp.asarray(U, dtype=X.dtype, device=device_of(X))
        size = xp.sqrt(total(mass * (X @ U) ** 2, axis=0))
        U = U / xp.astype(xp.where(size > 0, size, xp.ones_like(size)), X.dtype)
        heads = [rng.standard_normal((r, k)) * (0.1 / math.sqrt(r)) for _ in range(2)]
        rest = [xp.asarray(V, dtype=X.dtype, device=device_of(X)) for V in heads]
        rest += [xp.zeros(s, dtype=X.dtype, device=device_of(X)) for s in objective.shapes[3:]]
        return objective.pack(U, *rest)

    def _iterates(self, objective, first, start):
        if not self.gradient_alignment:
            # Columns that are nearly zero must not be blown up: on images that costs thousands of
            # updates. The factor is the size that the squared norms of the heads usually reach.
            squares = first.diagonal()
            typical = float(np.median(to_numpy(squares)))
            diagonal = objective.spread(10.0 * (squares + typical))
            return lbfgs(objective, start, memory=30, diagonal=diagonal)
        xp = namespace(start)
        n_features = objective.shapes[0][0]
        probe = check_random_state(0).standard_normal(n_features)
        probe = xp.asarray(probe, dtype=start.dtype, device=device_of(start))
        curvatures = [
            factor * (loss.curvature or 1.0)
            for factor, (loss, _) in zip(objective.factors, objective.heads, strict=True)
        ]
        rule = LocalStep(curvatures, objective.largest_curvature(probe))
        return gradient_descent(objective, start, step=rule)

    def _attributes(self, objective, params):
        U, heads, shifts = objective.unpack(params)
        xp = namespace(U)
        found = {"components_": U.T}
        for prefix, V, b in zip(("", "aux_"), heads, shifts, strict=True):
            b = b[0, :] if self.fit_intercept else xp.zeros_like(V[0, :])
            coef = (U @ V).T
            if prefix == "" and b.shape[0] > 1:  # the free constant of the softmax
                b = b - xp.mean(b)
                coef = coef if self.alpha else coef - xp.mean(coef, axis=0, keepdims=True)
            found |= {f"{prefix}coef_": coef, f"{prefix}intercept_": b}
        return found

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = takes_sparse(self.teacher)
        return tags

    def _remedy(self, result):
        if self.gradient_alignment:
            return (
                f"the aligned direction did not fall to tol={self.tol} in max_iter={self.max_iter} "
                "updates; increase max_iter or tol, scale the features "
                "(sklearn.preprocessing.StandardScaler), or set gradient_alignment=False"
            )
        return (
            f"no minimum was found in max_iter={self.max_iter} updates; increase max_iter, scale "
            "the features or increase alpha"
        )
