r"""Self-distillation of a linear classifier: its own predictions soften the labels.

Round e of E fits the labels mixed with the predictions of the round before,

.. math::
    W_e = \arg\min_W \frac1n \sum_i \mathrm{CE}\big((1 - a_e)\, e_{y_i} + a_e P_{e-1}(x_i),\,
          \mathrm{softmax}(W^\top x_i + b)\big) + \frac{\alpha}{2} \|W\|^2 ,

with :math:`P_{-1} = e_y`. Where the rounds with :math:`a_e = a` come to rest the gradient
:math:`X^\top (P - (1 - a) e_y - a P) / n + \alpha W` is zero, which is, divided by
:math:`1 - a`, the gradient of cross-entropy with L2 strength :math:`\alpha / (1 - a)`.

References
----------
Kim, K., Ji, B., Yoon, D., Hwang, S., "Self-knowledge distillation with progressive refinement of
targets", ICCV 2021 (arXiv 2006.12000).
"""

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from .._backend import namespace, one_hot, to_numpy
from ..losses import MultinomialLogLoss, Target, TwoColumns, USKDLoss, WeightedSum
from ..objectives import LinearObjective
from ._auxiliary_head import auxiliary_objective, second_view
from ._own_labels import Descent, OwnLabelsClassifier, probabilities

__all__ = ["SelfDistilledLogisticRegression", "mixed_labels", "round_strength"]


class SelfDistilledLogisticRegression(OwnLabelsClassifier):
    r"""Logistic regression that is taught by its own predictions of the round before.

    Minimises, round by round, :math:`\mathrm{CE}((1 - a_e) e_y + a_e P_{e-1}) +
    \frac{\alpha}{2} \|W\|^2`, where :math:`P_{e-1}` are the predictions after the last round and
    :math:`a_e` is `strength`, or grows linearly to it. The first round fits the labels alone.

    Parameters
    ----------
    method : {"ps_kd", "born_again", "uskd"}, default="ps_kd"
        "ps_kd" is progressive self-distillation [1]_. "born_again" makes every round a generation
        of its own, taught with full strength by the one before [2]_. "uskd" has no soft labels of
        its own predictions but weighs the rows by their certainty and ranks the wrong classes
        [3]_.
    strength : float in [0, 1], default=0.8
        Weight of the predictions in the labels of the last round. Not for "uskd".
    n_rounds : int >= 1, default=10
        Number of rounds, the first one included.
    schedule : {"auto", "linear", "constant"}, default="auto"
        Whether the weight grows, ``strength * (e + 1) / n_rounds`` in round e = 0, 1, ..., or is
        `strength` in all rounds. "auto" is "linear" for "ps_kd", "constant" for "born_again".
    inner : {"exact", "partial"}, default="exact"
        Whether each round is solved, by Newton's method, or makes `inner_steps` updates, by
        L-BFGS. "born_again" solves.
    inner_steps : int >= 1, default=5
        Updates in a round with ``inner="partial"``.
    target_weight : float >= 0, default=1.0
        "uskd" only: weight of the row-weighted cross-entropy beside the plain one.
    nontarget_weight : float >= 0, default=0.1
        "uskd" only: weight of the cross-entropy of the ranked wrong classes.
    aux_weight : float >= 0, default=0.005
        "uskd" only: weight of the loss of the auxiliary head that helps to rank, whose L2 strength
        is `alpha` too; 0 leaves it out. Two classes need no ranks, and have no such head.
    rank_score : {"softmax", "authors"}, default="softmax"
        "uskd" only: "authors" ranks by log-probabilities as the authors' program does.
    aux_features : int >= 1, default=None
        "uskd" only: number of features of the auxiliary head, which are principal components or,
        of more than 1000 features, random projections. None takes half as many as X has, at
        most 64.
    alpha : float >= 0, default=1e-4
        Strength of the L2 penalty, ``1 / (C * n_samples)`` in scikit-learn's terms.
    fit_intercept : bool, default=True
        Whether to fit intercepts, which are not penalised.
    max_iter : int >= 1, default=1000
        Most updates of the coefficients, over all rounds.
    tol : float >= 0, default=1e-6
        A round is solved when no entry of the gradient is larger.
    warm_start : bool, default=False
        Start the first round from the last solution.
    class_weight : dict or "balanced", default=None
        Weights of the classes, multiplied with `sample_weight`.
    random_state : int, RandomState instance or None, default=None
        For random projections; no other part is random.

    Attributes
    ----------
    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts; zeros without.
    classes_ : array of shape (n_classes,)
        Labels, sorted.
    history_ : dict of ndarray of shape (n_rounds,)
        For each round made: "loss", the objective at its end, penalty included; "change", the
        largest difference between the probabilities at its end and those at its beginning, for the
        first round the labels; "n_iter", its updates; and, but for "uskd", "strength", the weight
        of the predictions.
    n_iter_ : int
        Updates made, over all rounds.
    converged_ : bool
        Whether the last round was solved to `tol`; with ``inner="exact"``, then all were.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : array of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Raises
    ------
    ValueError
        If the data are not fit for classification, or parameters contradict each other.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` updates did not solve all rounds, or if the classes are separable and
        ``alpha=0``, so that there is nothing to converge to.

    See Also
    --------
    MCMILogisticRegression : Learns to be a good teacher.
    sklearn.linear_model.LogisticRegression : Fits the labels once.

    Notes
    -----
    For a linear model, self-distillation is a stronger penalty. With a constant schedule the
    rounds converge to the solution of plain cross-entropy with L2 strength
    ``alpha / (1 - strength)``, in the end at least by the factor `strength` a round; without
    penalty they change nothing. So calibration gets better where the penalty was too weak and
    worse where it was strong enough, and a search over `alpha` alone finds the same classifiers.
    A growing schedule ends on the way to that solution.

    "born_again" needs no new initialisation of each generation: the solution of a round does not
    depend on where its solver starts.

    References
    ----------
    .. [1] Kim, K., Ji, B., Yoon, D., Hwang, S., "Self-knowledge distillation with progressive
       refinement of targets", ICCV 2021 (arXiv 2006.12000).
    .. [2] Furlanello, T., Lipton, Z., Tschannen, M., Itti, L., Anandkumar, A., "Born again neural
       networks", ICML 2018.
    .. [3] Yang, Z., Zeng, A., Li, Z., Zhang, T., Yuan, C., Li, Y., "From knowledge distillation to
       self-knowledge distillation: a unified approach with normalized loss and customized soft
       labels", ICCV 2023 (arXiv 2303.13005).

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skkd.distillation import SelfDistilledLogisticRegression
    >>> X, y = load_wine(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> model = SelfDistilledLogisticRegression(n_rounds=4, alpha=1e-3).fit(X, y)
    >>> model.history_["strength"].round(2).tolist()
    [0.2, 0.4, 0.6, 0.8]
    >>> model.converged_, round(model.score(X, y), 3)
    (True, 1.0)
    """

    _parameter_constraints: dict = {
        "method": [StrOptions({"ps_kd", "born_again", "uskd"})],
        "strength": [Interval(Real, 0, 1, closed="both")],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "schedule": [StrOptions({"auto", "linear", "constant"})],
        "inner": [StrOptions({"exact", "partial"})],
        "inner_steps": [Interval(Integral, 1, None, closed="left")],
        "target_weight": [Interval(Real, 0, None, closed="left")],
        "nontarget_weight": [Interval(Real, 0, None, closed="left")],
        "aux_weight": [Interval(Real, 0, None, closed="left")],
        "rank_score": [StrOptions({"softmax", "authors"})],
        "aux_features": [Interval(Integral, 1, None, closed="left"), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        method="ps_kd",
        *,
        strength=0.8,
        n_rounds=10,
        schedule="auto",
        inner="exact",
        inner_steps=5,
        target_weight=1.0,
        nontarget_weight=0.1,
        aux_weight=0.005,
        rank_score="softmax",
        aux_features=None,
        alpha=1e-4,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-6,
        warm_start=False,
        class_weight=None,
        random_state=None,
    ):
        self.method = method
        self.strength = strength
        self.n_rounds = n_rounds
        self.schedule = schedule
        self.inner = inner
        self.inner_steps = inner_steps
        self.target_weight = target_weight
        self.nontarget_weight = nontarget_weight
        self.aux_weight = aux_weight
        self.rank_score = rank_score
        self.aux_features = aux_features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.class_weight = class_weight
        self.random_state = random_state

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
        self : SelfDistilledLogisticRegression
            The fitted estimator.
        """
        if self.method == "born_again" and self.inner == "partial":
            raise ValueError(
                "method='born_again' fits each generation to the end, got inner='partial'; use "
                "inner='exact' or method='ps_kd'"
            )
        return self._fit(X, y, sample_weight)

    def _learn(self, descent, labels, data):
        taught = self._ranked(labels, data) if self.method == "uskd" else self._softened(labels)
        partial = self.inner == "partial"
        rounds = []
        before, problem = _as_probabilities(labels), None
        for e in range(self.n_rounds):
            objective = labels if e == 0 else taught(e, descent.params, before)
            made = descent.n_iter
            descent.minimise(objective, self.inner_steps if partial else None)
            made = descent.n_iter - made
            after = probabilities(labels.logits(descent.params))
            rounds.append((_number(descent.value), _gap(after, before), made))
            before = after
            if not partial or made < self.inner_steps:
                problem = descent.problem(f"round {e + 1} of {self.n_rounds}")
            if problem or descent.stopped:
                break
        self._set_history(rounds)
        return problem

    def _softened(self, labels):
        """Objectives whose labels are mixed with predictions."""

        def taught(e, params, before):
            target = mixed_labels(labels.target.y, before, self._weight_of_predictions(e))
            return self._objective(labels.loss, labels, Target(target))

        return taught

    def _ranked(self, labels, data):
        """Objectives of weighted rows and ranked classes, both taken at the parameters."""
        loss = WeightedSum(
            [
                (1.0, MultinomialLogLoss()),
                (
                    1.0,
                    USKDLoss(
                        alpha=self.target_weight,
                        beta=self.nontarget_weight,
                        rank_score=self.rank_score,
                    ),
                ),
            ]
        )
        if data.n_classes == 2:
            loss = TwoColumns(loss)
        target = Target(data.y, self._auxiliary_logits(labels, data))

        def taught(e, params, before):
            prepared = loss.prepare(target, labels.logits(params), labels.weight)
            return self._objective(loss, labels, prepared)

        return taught

    def _auxiliary_logits(self, labels, data):
        """Logits of the auxiliary head; it does not depend on the main one, so one fit will do."""
        if data.n_classes == 2 or self.aux_weight == 0:
            return None
        n_features = data.X.shape[1]
        if self.aux_features is not None and self.aux_features > n_features:
            raise ValueError(
                f"aux_features={self.aux_features} is more than the {n_features} features of X; "
                f"use at most {n_features}"
            )
        view = second_view(data.X, labels.weight, self.aux_features, self.random_state)
        head = auxiliary_objective(view, data, aux_weight=self.aux_weight, alpha=self.alpha)
        descent = Descent(head.zeros(), head.diagonal(), None, self.max_iter, self.tol)
        descent.minimise(head)
        return head.logits(descent.params)

    def _objective(self, loss, labels, target):
        return LinearObjective(
            loss,
            labels.X,
            target,
            None if isinstance(labels.weight, float) else labels.weight,
            n_outputs=labels.shape[1],
            alpha=self.alpha,
            fit_intercept=self.fit_intercept,
        )

    def _weight_of_predictions(self, e):
        schedule = self.schedule
        if schedule == "auto":
            schedule = "linear" if self.method == "ps_kd" else "constant"
        if schedule == "constant":
            return self.strength
        return round_strength(self.strength, e, self.n_rounds)

    def _set_history(self, rounds):
        loss, change, n_iter = zip(*rounds, strict=True)
        self.history_ = {
            "loss": np.array(loss),
            "change": np.array(change),
            "n_iter": np.array(n_iter),
        }
        if self.method != "uskd":
            strengths = [self._weight_of_predictions(e) for e in range(len(rounds))]
            self.history_["strength"] = np.array(strengths)


def round_strength(strength, e, n_rounds):
    """Weight of the predictions in round e = 0, 1, ... when it grows linearly to `strength`."""
    return strength * (e + 1) / n_rounds


def mixed_labels(y, P, strength):
    """``(1 - strength) e_y + strength P``.

    Parameters
    ----------
    y : array of shape (n,)
        Classes 0..C-1 or, where P is a vector, probabilities of the positive class.
    P : array of shape (n, C) or (n,)
        Probabilities.
    strength : float
        Weight of P.
    """
    if P.ndim == 2:
        y = namespace(P).astype(one_hot(y, P.shape[1]), P.dtype)
    return (1.0 - strength) * y + strength * P


def _as_probabilities(labels):
    """Labels in the form of :func:`probabilities`."""
    y, n_logits = labels.target.y, labels.shape[1]
    return y if n_logits == 1 else namespace(y).astype(one_hot(y, n_logits), labels.X.dtype)


def _gap(one, other):
    xp = namespace(one)
    return _number(xp.max(xp.abs(one - other)))


def _number(x):
    return float(to_numpy(x))
