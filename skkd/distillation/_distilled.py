r"""A linear student that learns from labels and from the logits of a teacher.

.. math::
    \min_{W, b} \;\; \mathrm{ce\_weight} \cdot \frac{\sum_i s_i \,\mathrm{CE}(y_i, z_i)}{\sum_i s_i}
    + \mathrm{kd\_weight} \cdot L(z, t, y, s) + \frac{\alpha}{2} \|W\|^2, \qquad z = XW + b .

For most losses this is a convex problem with one solution, and that solution is what is returned:
by quasi-Newton steps over all rows, not by an optimiser that stops somewhere. Losses that are not
convex start from the solution for the labels alone.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.linear_model import LogisticRegression
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from .._backend import log_softmax, namespace, to_numpy
from .._base import LogitClassifierMixin, SkkdEstimator, linear_attributes
from .._threads import quiet_single_thread
from .._validation import last_params, validate_classification
from ..losses import Loss, Target
from ._descent import StudentObjectives, descend
from ._given_logits import check_teacher_logits
from ._partly_labelled import class_weighted, filled_labels, not_taught, total_weight
from ._recipes import student_losses, student_recipe, student_target
from ._teacher import fit_teacher
from ._teacher_scores import warn_if_not_log_probabilities

__all__ = ["DistilledLogisticRegression"]


class DistilledLogisticRegression(LogitClassifierMixin, SkkdEstimator):
    r"""Multinomial logistic regression that learns from labels and from a teacher.

    Minimises

    .. math::
        \mathrm{ce\_weight} \cdot \mathrm{CE} + \mathrm{kd\_weight} \cdot L
        + \frac{\alpha}{2} \|W\|^2

    where CE is the mean cross-entropy of the rows with labels, L the loss against the teacher's
    logits, and the intercept is not penalised. With ``kd_weight=0`` it is
    :class:`sklearn.linear_model.LogisticRegression` with ``C = 1 / (alpha * sum of weights)``.

    Parameters
    ----------
    teacher : classifier, default=None
        Fitted by cross-fitting, so that what it says about a row does not depend on that row.
        None needs `teacher_logits` in :meth:`fit`, unless the loss needs no teacher.
    loss : str or Loss, default="kl"
        A name of :func:`skkd.losses.list_losses` that can have a teacher, "label_smoothing" or
        "ce"; or a loss object.
    loss_params : dict, default=None
        Parameters of the loss, such as ``{"alpha": 1.0, "beta": 2.0}`` for "dkd".
    temperature : float or "auto", default="auto"
        Temperature of the loss; "auto" is the paper's.
    ce_weight, kd_weight : float or "auto", default="auto"
        Weights of both parts, not negative; "auto" is the paper's: .1 and .9 for "kl".
    standardize_logits : bool, default=False
        Standardise the logits of each row before L sees them; needs three classes and a positive
        `ce_weight`.
    alpha : float, default=1e-4
        Strength of the L2 penalty, not negative.
    fit_intercept : bool, default=True
        Whether to add an intercept.
    teacher_method : str, default="auto"
        What the teacher is asked for: "predict_log_proba", "predict_proba", "decision_function",
        or "auto" for the first of these that it has; see :func:`teacher_logits`.
    cv : int, splitter, list of splits, "refit" or "prefit", default=5
        How the teacher's logits are made: out of fold; "refit", in sample; or "prefit", by a
        fitted teacher as it is. See :func:`teacher_logits`.
    prob_floor : float, default=1e-6
        Weight of the uniform distribution mixed into the teacher's probabilities.
    unlabeled_label : label, default=None
        Entry of y that marks rows without a label, for example -1. They learn from the teacher
        alone.
    solver : {"auto", "lbfgs", "newton", "rounds", "minibatch"}, default="auto"
        "lbfgs" and "newton" use all rows at once ("newton" only where the loss is convex and has
        second derivatives); "rounds" repeats a descent with what the loss holds fixed taken anew;
        "minibatch" minimises the mean over the batches of a random partition by at most
        ``max_iter // n_rounds`` updates, and draws another partition in each round. "auto" takes
        what fits the loss: "newton" for most.
    batch_size : int, default=64
        Rows of a batch for "minibatch".
    max_iter : int, default=1000
        Most updates in all.
    tol : float, default=1e-10
        The solver is done when no entry of the gradient is larger.
    n_rounds : int, default=10
        Rounds of "rounds" and "minibatch".
    init : {"ce", "zero"}, default="ce"
        Where losses that are not convex start: at the solution for the labels, or at zero.
    warm_start : bool, default=False
        Start from the last solution instead.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; they multiply the sample weights of rows with labels and do not
        reach the teacher.
    random_state : int, RandomState or None, default=None
        Seed of the partitions of "minibatch".
    n_jobs : int, default=None
        Folds of the teacher fitted at the same time.

    Attributes
    ----------
    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients; one row for two classes.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts; zeros without.
    classes_ : array of shape (n_classes,)
        Labels, sorted.
    teacher_ : classifier or None
        The teacher fitted on all rows with labels; None if logits were given.
    teacher_logits_ : array of shape (n_samples, n_classes) or None
        Logits that the student learned from, columns in the order of ``classes_``.
    loss_value_ : float
        Objective at the solution.
    n_iter_ : int
        Updates made.
    converged_ : bool
        Whether the solution is one to `tol`; for "rounds", whether they came to rest; for
        "minibatch", whether the last partition's problem was solved.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : array of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Raises
    ------
    ValueError
        If there is neither teacher nor logits for a loss that needs them, the logits do not fit
        the rows and classes, or parameters contradict each other.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` updates do not reach the tolerance. Not for "minibatch", whose updates are
        counted beforehand.

    See Also
    --------
    SelfDistilledLogisticRegression : A student that is its own teacher.
    MCMILogisticRegression : A teacher that tells more.
    LELPDistilledClassifier : A student with several outputs for each class.
    teacher_logits : The logits alone.

    Notes
    -----
    On fully labelled data few losses against a teacher raise the accuracy of a linear student over
    tuned logistic regression; the user guide has measurements. What helps is rows without labels
    that the teacher labels, and a teacher that knows what the features do not say.

    References
    ----------
    .. [1] Hinton, G., Vinyals, O., Dean, J., "Distilling the knowledge in a neural network",
       arXiv 1503.02531, 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skkd.distillation import DistilledLogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(20, random_state=0)
    >>> student = DistilledLogisticRegression(forest, alpha=1e-3).fit(X, y)
    >>> student.score(X, y) > 0.95
    True
    """

    _parameter_constraints: dict = {
        "teacher": [HasMethods(["predict"]), None],
        "loss": [str, Loss],
        "loss_params": [dict, None],
        "temperature": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "ce_weight": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "kd_weight": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "standardize_logits": ["boolean"],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
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
        "unlabeled_label": "no_validation",
        "solver": [StrOptions({"auto", "lbfgs", "newton", "rounds", "minibatch"})],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"ce", "zero"})],
        "warm_start": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }
    # Logits are routed to fit wherever they are given: to ask for them is what they are for.
    __metadata_request__fit = {"teacher_logits": True}
    __metadata_request__fidelity = {"teacher_logits": True}

    def __init__(
        self,
        teacher=None,
        *,
        loss="kl",
        loss_params=None,
        temperature="auto",
        ce_weight="auto",
        kd_weight="auto",
        standardize_logits=False,
        alpha=1e-4,
        fit_intercept=True,
        teacher_method="auto",
        cv=5,
        prob_floor=1e-6,
        unlabeled_label=None,
        solver="auto",
        batch_size=64,
        max_iter=1000,
        tol=1e-10,
        n_rounds=10,
        init="ce",
        warm_start=False,
        class_weight=None,
        random_state=None,
        n_jobs=None,
    ):
        self.teacher = teacher
        self.loss = loss
        self.loss_params = loss_params
        self.temperature = temperature
        self.ce_weight = ce_weight
        self.kd_weight = kd_weight
        self.standardize_logits = standardize_logits
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.teacher_method = teacher_method
        self.cv = cv
        self.prob_floor = prob_floor
        self.unlabeled_label = unlabeled_label
        self.solver = solver
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_rounds = n_rounds
        self.init = init
        self.warm_start = warm_start
        self.class_weight = class_weight
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, teacher_logits=None):
        """Fit the student, and the teacher where there is one to be fitted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; the teacher sees them in the form they are given.
        y : array-like of shape (n_samples,)
            Labels; `unlabeled_label` where there is none.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, which also reach the teacher. Integer weights equal repetition,
            zero weight equals removal.
        teacher_logits : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            Logits of a teacher, instead of `teacher`: columns in the order of the sorted labels,
            or a DataFrame with the classes as column names; for two classes also the log-odds of
            the second.

        Returns
        -------
        self : DistilledLogisticRegression
            The fitted estimator.
        """
        loss, ce_weight, kd_weight = student_recipe(self)
        data, labelled = self._validated(X, y, sample_weight)
        whole, n_outputs = student_losses(loss, ce_weight, kd_weight, data.n_classes)
        logits = None
        self.teacher_ = None
        if kd_weight > 0 and loss.needs_teacher:
            logits = self._learn_from_teacher(
                loss, X, y, sample_weight, teacher_logits, data, labelled
            )
        self.teacher_logits_ = logits
        target = Target(data.y, logits, mass=total_weight(data))
        target = student_target(target, loss, data, labelled, ce_weight, kd_weight)
        make = StudentObjectives(self, data, whole, target, n_outputs, labelled)
        self.classes_ = data.classes
        on_iterate, end = self._watched(
            data.X, y, max_iter=self.max_iter, task_name="update", attributes=self._attributes
        )
        with quiet_single_thread(data.X):
            result = descend(self, make, self._start(data), on_iterate)
        for name, value in self._attributes(result.params).items():
            setattr(self, name, value)
        self.n_iter_ = result.n_iter
        self.loss_value_ = float(to_numpy(result.value))
        self.converged_ = result.converged
        end()
        return self

    def fidelity(self, X, teacher_logits=None, sample_weight=None):
        """How closely the student follows its teacher on samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        teacher_logits : array-like of shape (n_samples, n_classes), default=None
            Logits of the teacher for these samples; by default ``teacher_`` is asked.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        fidelity : dict
            "agreement", the share of samples on which both choose the same class, and "kl", the
            mean divergence of the student's probabilities from the teacher's, in nats.

        Raises
        ------
        ValueError
            If there is neither a fitted teacher nor logits.
        """
        log_p = self.predict_log_proba(X)
        xp = namespace(log_p)
        if teacher_logits is None:
            if self.teacher_ is None:
                raise ValueError(
                    "the student was fitted to given logits and has no teacher to ask; pass "
                    "teacher_logits for these samples"
                )
            teacher_logits, _ = fit_teacher(
                self.teacher_,
                X,
                cv="prefit",
                method=self.teacher_method,
                prob_floor=self.prob_floor,
                classes=to_numpy(self.classes_),
            )
        t = check_teacher_logits(teacher_logits, log_p.shape[0], self.classes_, log_p)
        log_q = log_softmax(t)
        agree = xp.astype(xp.argmax(log_p, axis=1) == xp.argmax(t, axis=1), log_p.dtype)
        gaps = xp.sum(xp.exp(log_q) * (log_q - log_p), axis=1)
        weight = np.ones(log_p.shape[0]) if sample_weight is None else np.asarray(sample_weight)
        return {
            "agreement": float(np.average(to_numpy(agree), weights=weight)),
            "kl": float(np.average(to_numpy(gaps), weights=weight)),
        }

    def to_sklearn(self):
        """Return the student as a plain scikit-learn estimator, without this package.

        Returns
        -------
        model : LogisticRegression
            Fitted, with the same predictions; its solver was never run. Tools that know
            scikit-learn's models, such as skl2onnx, take it.
        """
        n_samples = 1 if self.teacher_logits_ is None else self.teacher_logits_.shape[0]
        strength = {"C": 1.0 / (self.alpha * n_samples)} if self.alpha > 0 else {}
        model = LogisticRegression(fit_intercept=self.fit_intercept, **strength)
        model.coef_ = np.array(to_numpy(self.coef_))
        model.intercept_ = np.array(to_numpy(self.intercept_))
        model.classes_ = np.array(to_numpy(self.classes_))
        model.n_features_in_ = self.n_features_in_
        model.n_iter_ = np.array([self.n_iter_], dtype=np.int32)
        if hasattr(self, "feature_names_in_"):
            model.feature_names_in_ = self.feature_names_in_
        return model

    def _validated(self, X, y, sample_weight):
        """Validated data, and which rows have labels (None if all have)."""
        labelled = self._labelled(y)
        if labelled is None:
            data = validate_classification(self, X, y, sample_weight, self.class_weight)
            return data, None
        data = validate_classification(
            self, X, filled_labels(y, labelled, sample_weight), sample_weight
        )
        if self.class_weight is None:
            return data, labelled
        return class_weighted(data, labelled, self.class_weight), labelled

    def _labelled(self, y):
        if self.unlabeled_label is None:
            return None
        labels = to_numpy(y) if hasattr(y, "__array_namespace__") else np.asarray(y)
        labelled = labels != self.unlabeled_label
        labelled = np.broadcast_to(np.asarray(labelled), labels.shape)
        if not labelled.any():
            raise ValueError(
                f"every entry of y is unlabeled_label={self.unlabeled_label!r}; at least one row "
                "of each class needs its label"
            )
        return None if labelled.all() else labelled

    def _learn_from_teacher(self, loss, X, y, sample_weight, given, data, labelled):
        """Logits for every row, on the device of X."""
        n_samples = data.X.shape[0]
        if given is not None:
            return check_teacher_logits(given, n_samples, data.classes, data.X)
        if self.teacher is None:
            raise ValueError(
                f"loss={self.loss!r} compares the student with a teacher, but there is none; give "
                "DistilledLogisticRegression(teacher=...) a classifier, or pass teacher_logits to "
                "fit"
            )
        logits, self.teacher_ = fit_teacher(
            self.teacher,
            X,
            y,
            method=self.teacher_method,
            cv=self.cv,
            prob_floor=self.prob_floor,
            sample_weight=sample_weight,
            classes=to_numpy(data.classes),
            unlabeled=not_taught(data, labelled),
            n_jobs=self.n_jobs,
        )
        if not self.standardize_logits:
            name = self.loss if isinstance(self.loss, str) else type(loss).__name__
            warn_if_not_log_probabilities(self.teacher_, self.teacher_method, name)
        return check_teacher_logits(logits, n_samples, data.classes, data.X)

    def _start(self, data):
        """Last solution for a warm start; None otherwise."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        return last_params(self, data)

    def _attributes(self, params):
        return linear_attributes(params, self.fit_intercept, center=self._centred())

    def _centred(self):
        """Whether the free constant may be used up: not where the loss sees it."""
        loss = student_recipe(self)[0]
        return loss.shift_invariant

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.teacher is not None:
            tags.input_tags.sparse = get_tags(self.teacher).input_tags.sparse
        return tags
