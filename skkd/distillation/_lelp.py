r"""A linear student of pseudo-subclasses: piecewise linear decisions from linear logits.

The student has S logits for each of the C classes and learns, by cross-entropy, the teacher's
targets :math:`q_{c,s}` over pseudo-subclasses (:mod:`skkd.distillation._lelp_targets`). The
probability of a class is the sum over its subclasses,

.. math:: \log p_c(x) = \log \sum_s e^{x^\top w_{c,s} + b_{c,s}} + \mathrm{const} ,

a smooth maximum of linear functions. That a linear student gains by it is no accident of training:
it can say more.

Reference: "Linear projections of teacher embeddings for few-class distillation", arXiv 2409.20449.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from .._backend import device_of, logsumexp, namespace, to_numpy
from .._base import LogitClassifierMixin, SkkdEstimator, linear_attributes, linear_scores
from .._threads import quiet_single_thread
from .._validation import validate_classification
from ..losses import MultinomialLogLoss, Target
from ..objectives import LinearObjective
from ..solvers import gradient_norm, gram_metric, lbfgs, run
from ._directions import takes_sparse
from ._lelp_targets import LELPTargets, mlp_embedding
from ._teacher import _for_teacher as for_teacher
from ._teacher import check_teacher_logits, fit_teacher
from ._teacher_scores import on_host

__all__ = ["LELPDistilledClassifier"]


class LELPDistilledClassifier(LogitClassifierMixin, SkkdEstimator):
    r"""Linear logits of pseudo-subclasses, taught by a teacher's embedding.

    Minimises

    .. math::
        -\frac{\sum_i s_i \sum_{c,s} q_{c,s}(x_i) \log p_{c,s}(x_i)}{\sum_i s_i}
        + \frac{\alpha}{2} \|W\|^2 , \qquad
        q_{c,s} = q_c\, \mathrm{softmax}_s(\beta\, z_{c,s}),

    p the softmax of all ``n_classes * n_subclasses`` logits, q_c the teacher's probabilities and
    z its embedding along S directions within class c. Convex. Labels only choose the directions.

    Parameters
    ----------
    teacher : MLPClassifier, Pipeline or linear classifier, default=None
        Gives logits, embedding and output weights where none are passed to `fit`: an MLP its last
        hidden layer, a Pipeline that ends in a linear classifier what that sees, a linear
        classifier alone its rows. A Pipeline may also end in an MLP.
    n_subclasses : int >= 1, default=4
        Subclasses S of each class, at most the directions in which the embedding varies in every
        class.
    beta : float >= 0, default=1.0
        Sharpness of the division into subclasses.
    null_space : bool, default=True
        Remove from the embedding what the output weights see of it, since the logits say that.
    random_rotation : bool, default=True
        Rotate the directions of each class at random.
    alpha : float >= 0, default=1e-4
        Strength of the L2 penalty; intercepts are not penalised.
    fit_intercept : bool, default=True
        Whether to fit intercepts.
    prefit : bool, default=False
        Take the teacher as it is, instead of fitting a clone on the rows. Teachers of different
        folds have no embedding in common, so there is no cross-fitting; logits of other origin
        can be passed to `fit`.
    teacher_method : str, default="auto"
        How the teacher's logits are obtained: "predict_log_proba", "predict_proba",
        "decision_function", or "auto", the first of these that it has.
    prob_floor : float in [0, 1), default=1e-6
        Mixed into the teacher's probabilities before their logarithm is taken.
    max_iter : int >= 1, default=1000
        Most updates.
    tol : float >= 0, default=1e-6
        Stop when no entry of the gradient is larger.
    random_state : int, RandomState instance or None, default=None
        Draws the rotations.

    Attributes
    ----------
    coef_ : array of shape (n_classes * n_subclasses, n_features)
        Coefficients of the subclasses; those of a class stand one after another.
    intercept_ : array of shape (n_classes * n_subclasses,)
        Their intercepts; zeros without.
    n_subclasses_ : int
        Subclasses of each class that were used.
    targets_ : LELPTargets
        The directions.
    classes_ : array of shape (n_classes,)
        Labels, sorted.
    teacher_ : estimator or None
        The fitted teacher; None where it was not asked.
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
        If something of logits, embedding and output weights is given by neither the teacher nor
        `fit`, or they do not fit the rows.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` updates do not meet the tolerance.
    UserWarning
        If fewer than `n_subclasses` are used.

    See Also
    --------
    DistilledLogisticRegression : One logit for each class.
    mlp_embedding : Last hidden layer of an MLP.

    Notes
    -----
    Directions and targets are computed on the host; the student is fitted in the array library and
    on the device of X. How the paper scales projections is not known to us; here the mean variance
    of a class's projections is 1.

    References
    ----------
    .. [1] "Linear projections of teacher embeddings for few-class distillation", arXiv 2409.20449.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skkd.distillation import LELPDistilledClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X, parity = X[:400] / 16, y[:400] % 2
    >>> teacher = MLPClassifier(32, solver="lbfgs", random_state=0)
    >>> model = LELPDistilledClassifier(teacher, random_state=0).fit(X, parity)
    >>> model.coef_.shape, model.predict_proba(X).shape
    ((8, 64), (400, 2))
    """

    _parameter_constraints: dict = {
        "teacher": [HasMethods(["predict"]), None],
        "n_subclasses": [Interval(Integral, 1, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "null_space": ["boolean"],
        "random_rotation": ["boolean"],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "prefit": ["boolean"],
        "teacher_method": [
            StrOptions({"auto", "predict_log_proba", "predict_proba", "decision_function"})
        ],
        "prob_floor": [Interval(Real, 0, 1, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    __metadata_request__fit = {
        "teacher_logits": True,
        "teacher_embeddings": True,
        "teacher_output_weights": True,
    }

    def __init__(
        self,
        teacher=None,
        n_subclasses=4,
        *,
        beta=1.0,
        null_space=True,
        random_rotation=True,
        alpha=1e-4,
        fit_intercept=True,
        prefit=False,
        teacher_method="auto",
        prob_floor=1e-6,
        max_iter=1000,
        tol=1e-6,
        random_state=None,
    ):
        self.teacher = teacher
        self.n_subclasses = n_subclasses
        self.beta = beta
        self.null_space = null_space
        self.random_rotation = random_rotation
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.prefit = prefit
        self.teacher_method = teacher_method
        self.prob_floor = prob_floor
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        teacher_logits=None,
        teacher_embeddings=None,
        teacher_output_weights=None,
    ):
        """Fit the student, and the teacher where there is one to be fitted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; the teacher sees them in the form they are given.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, which also reach the teacher. Integers equal repetition.
        teacher_logits : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
            Logits of a teacher, in the order of the sorted labels, or a DataFrame whose columns
            are the labels; for two classes also their difference. They go before `teacher`.
        teacher_embeddings : array-like of shape (n_samples, n_dimensions), default=None
            What the teacher's last layer sees of each row. They go before `teacher`.
        teacher_output_weights : array-like of shape (n_classes, n_dimensions), default=None
            Weights of that layer, only read with `null_space`; one row is enough for two classes.

        Returns
        -------
        self : LELPDistilledClassifier
            The fitted estimator.
        """
        data = validate_classification(self, X, y, sample_weight)
        logits, H, weights = self._lessons(
            X, data, sample_weight, teacher_logits, teacher_embeddings, teacher_output_weights
        )
        self.targets_ = LELPTargets(
            self.n_subclasses,
            beta=self.beta,
            null_space=self.null_space,
            random_rotation=self.random_rotation,
            random_state=self.random_state,
        )
        raw = None if data.sample_weight is None else to_numpy(data.sample_weight)
        self.targets_.fit(H, to_numpy(data.y), weights, raw)
        xp = namespace(data.X)
        Q = self.targets_.transform(H, to_numpy(logits))
        Q = xp.asarray(Q, dtype=data.X.dtype, device=device_of(data.X))
        objective = LinearObjective(
            MultinomialLogLoss(),
            data.X,
            Target(Q),
            data.sample_weight,
            n_outputs=Q.shape[1],
            alpha=self.alpha,
            fit_intercept=self.fit_intercept,
        )
        self.classes_ = data.classes
        self.n_subclasses_ = self.targets_.n_subclasses_
        return self._descend(objective, data, y)

    def _descend(self, objective, data, y):
        on_iterate, end = self._watched(
            data.X, y, max_iter=self.max_iter, task_name="update", attributes=self._attributes
        )
        with quiet_single_thread(data.X):
            result = run(
                lbfgs(objective, objective.zeros(), metric=gram_metric(objective)),
                max_iter=self.max_iter,
                tol=self.tol,
                criterion=gradient_norm,
                on_iterate=on_iterate,
                remedy=lambda result: (
                    f"no minimum was found in max_iter={self.max_iter} updates; increase max_iter, "
                    "scale the features or increase alpha"
                ),
            )
        for name, value in self._attributes(result.params).items():
            setattr(self, name, value)
        self.n_iter_ = result.n_iter
        self.converged_ = result.converged
        self.loss_value_ = float(to_numpy(result.iterate.value))
        end()
        return self

    def _attributes(self, params):
        found = linear_attributes(params, self.fit_intercept, center=not self.alpha)
        xp = namespace(params)
        return found | {"intercept_": found["intercept_"] - xp.mean(found["intercept_"])}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = takes_sparse(self.teacher)
        return tags

    def _linear(self, X):
        Z = linear_scores(X, self.coef_.T, self.intercept_)
        xp = namespace(Z)
        n_classes = self.classes_.shape[0]
        Z = logsumexp(xp.reshape(Z, (Z.shape[0], n_classes, -1)), axis=2)
        return Z[:, 1:] - Z[:, :1] if n_classes == 2 else Z

    def _lessons(self, X, data, sample_weight, logits, H, weights):
        """Teacher logits like ``data.X``; embedding and output weights on the host."""
        n = data.X.shape[0]
        self.teacher_ = None
        if logits is None or H is None:
            if self.teacher is None:
                lacking = [
                    name
                    for name, value in (("teacher_logits", logits), ("teacher_embeddings", H))
                    if value is None
                ]
                raise ValueError(
                    f"there is no teacher, and fit was given no {' and no '.join(lacking)}; pass "
                    "teacher=, an MLPClassifier or a Pipeline that ends in a linear classifier, "
                    "to the constructor, or teacher_logits= and teacher_embeddings= to fit"
                )
            found, self.teacher_ = fit_teacher(
                self.teacher,
                X,
                to_numpy(data.classes)[to_numpy(data.y)],
                method=self.teacher_method,
                cv="prefit" if self.prefit else "refit",
                prob_floor=self.prob_floor,
                sample_weight=sample_weight,
                classes=to_numpy(data.classes),
            )
            logits = found if logits is None else logits
            if H is None:
                H, own_weights = teacher_embedding(self.teacher_, X)
                weights = own_weights if weights is None else weights
        logits = check_teacher_logits(logits, n, data.classes, data.X)
        H = check_array(on_host(H), dtype=np.float64, input_name="teacher_embeddings")
        if H.shape[0] != n:
            raise ValueError(
                f"teacher_embeddings have {H.shape[0]} rows, but X has {n}; give one row per row "
                "of X"
            )
        return logits, H, weights


def teacher_embedding(teacher, X):
    """What the last layer of a fitted teacher sees of rows, and its weights."""
    X = for_teacher(teacher, X)
    last = teacher
    if isinstance(teacher, Pipeline):
        X, last = (teacher[:-1].transform(X) if len(teacher) > 1 else X), teacher[-1]
    if isinstance(last, MLPClassifier):
        return mlp_embedding(last, X), last.coefs_[-1].T
    if not hasattr(last, "coef_"):
        raise ValueError(
            f"the teacher {type(last).__name__} has no embedding that is known here; use an "
            "MLPClassifier or a Pipeline that ends in a linear classifier, or pass teacher_logits "
            "and teacher_embeddings to fit (with null_space=False where there are no output "
            "weights)"
        )
    return on_host(X), np.asarray(to_numpy(last.coef_))
