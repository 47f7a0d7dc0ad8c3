"""Calibration and fidelity as scorers, for cross-validation and grid search.

A scorer is larger where the model is better, so those of errors return them negated.
"""

from sklearn import config_context
from sklearn.metrics import make_scorer
from sklearn.utils import check_consistent_length

from .._backend import to_numpy
from ._calibration import (
    area_under_risk_coverage,
    excess_area_under_risk_coverage,
    expected_calibration_error,
)
from ._fidelity import agreement_score, kl_fidelity
from ._inputs import as_array, logit_columns, probability_columns

__all__ = [
    "agreement_scorer",
    "area_under_risk_coverage_scorer",
    "excess_area_under_risk_coverage_scorer",
    "expected_calibration_error_scorer",
    "fidelity_scorer",
    "kl_fidelity_scorer",
]


def fidelity_scorer(teacher, *, metric="agreement"):
    """Scorer that asks a fitted teacher about the rows it scores a student on.

    Unlike `agreement_scorer` and `kl_fidelity_scorer`, which receive `teacher_logits` as metadata,
    it needs no metadata routing.

    Parameters
    ----------
    teacher : estimator
        Fitted classifier with ``predict_proba``. Its classes are those of the student, in any
        order.
    metric : {"agreement", "kl"}, default="agreement"
        :func:`agreement_score`, or :func:`kl_fidelity` negated.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None, sample_weight=None)``; labels are not looked at.

    Raises
    ------
    ValueError
        If `metric` is another one or, when called, if teacher and student know other classes.

    See Also
    --------
    agreement_score : The one metric.
    kl_fidelity : The other.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from skkd.metrics import fidelity_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> teacher = RandomForestClassifier(random_state=0).fit(X, y)
    >>> student = LogisticRegression(max_iter=1000)
    >>> scores = cross_val_score(student, X, y, scoring=fidelity_scorer(teacher))
    >>> bool(scores.mean() > 0.9)
    True
    """
    return _TeacherScorer(teacher, metric)


class _TeacherScorer:
    """What :func:`fidelity_scorer` returns; a class, so that it can be sent to other processes."""

    def __init__(self, teacher, metric):
        if metric not in ("agreement", "kl"):
            raise ValueError(f"metric={metric!r}; allowed are ['agreement', 'kl']")
        self.teacher = teacher
        self.metric = metric

    def __repr__(self):
        return f"fidelity_scorer({self.teacher!r}, metric={self.metric!r})"

    def __call__(self, estimator, X, y=None, sample_weight=None):
        student = estimator.predict_proba(X)
        teacher = self.teacher.predict_proba(X)[:, self._columns(estimator)]
        if self.metric == "agreement":
            return agreement_score(student, teacher, sample_weight=sample_weight)
        return -kl_fidelity(
            student_proba=student, teacher_proba=teacher, sample_weight=sample_weight
        )

    def _columns(self, estimator):
        """Columns of the teacher in the order of the student's classes."""
        own, others = _classes(estimator), _classes(self.teacher)
        if set(own) != set(others):
            raise ValueError(
                f"the student knows the classes {own} and the teacher {others}; fidelity needs "
                "the same classes in both"
            )
        return [others.index(label) for label in own]


def _classes(estimator):
    return to_numpy(as_array(estimator.classes_, "classes_", shapes=(1,))[0]).tolist()


def _agreement_with_logits(y_true, y_proba, *, teacher_logits=None, sample_weight=None):
    teacher = _given_teacher(teacher_logits, y_proba)
    student = probability_columns(y_proba, "y_proba")
    return agreement_score(student, teacher, sample_weight=sample_weight)


def _kl_from_logits(y_true, y_proba, *, teacher_logits=None, sample_weight=None):
    teacher = _given_teacher(teacher_logits, y_proba)
    return kl_fidelity(student_proba=y_proba, teacher_logits=teacher, sample_weight=sample_weight)


def _given_teacher(teacher_logits, y_proba):
    if teacher_logits is None:
        raise ValueError(
            "no teacher_logits reached the scorer. Pass teacher_logits= with metadata routing "
            "enabled by sklearn.set_config(enable_metadata_routing=True), or use "
            "fidelity_scorer(teacher), which needs none"
        )
    check_consistent_length(teacher_logits, y_proba)
    return logit_columns(teacher_logits, "teacher_logits")


def _error_scorer(metric):
    return make_scorer(metric, greater_is_better=False, response_method="predict_proba")


def _teacher_scorer(metric, **options):
    scorer = make_scorer(metric, response_method="predict_proba", **options)
    # Requests can be made only where routing is enabled; elsewhere this one is without effect.
    with config_context(enable_metadata_routing=True):
        return scorer.set_score_request(teacher_logits=True)


expected_calibration_error_scorer = _error_scorer(expected_calibration_error)
area_under_risk_coverage_scorer = _error_scorer(area_under_risk_coverage)
excess_area_under_risk_coverage_scorer = _error_scorer(excess_area_under_risk_coverage)
agreement_scorer = _teacher_scorer(_agreement_with_logits)
kl_fidelity_scorer = _teacher_scorer(_kl_from_logits, greater_is_better=False)
