r"""How closely a student follows its teacher, whatever the labels say.

Agreement is the share of rows on which both predict the same class. The divergence

.. math:: \frac1n \sum_i \sum_c q_{ic} \log \frac{q_{ic}}{p_{ic}}

of the student's probabilities p from the teacher's q also sees how sure they are.

References
----------
Stanton, S., Izmailov, P., Kirichenko, P., Alemi, A., Wilson, A. G., "Does knowledge distillation
really work?", NeurIPS 2021.
"""

from numbers import Real

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, validate_params

from .._backend import namespace, to_numpy, total
from ._inputs import (
    as_array,
    log_probabilities,
    logit_columns,
    positions,
    probability_columns,
    row_weights,
    side_by_side,
)

__all__ = ["agreement_score", "kl_fidelity"]

_OPTIONAL = ["array-like", None]


@validate_params(
    {
        "student": ["array-like"],
        "teacher": ["array-like"],
        "sample_weight": _OPTIONAL,
        "labels": _OPTIONAL,
    },
    prefer_skip_nested_validation=True,
)
def agreement_score(student, teacher, *, sample_weight=None, labels=None):
    """Share of rows on which student and teacher predict the same class.

    Parameters
    ----------
    student : array-like of shape (n_samples,) or (n_samples, n_classes)
        Predicted labels, or one column of probabilities or logits per class, whose largest is the
        prediction and the first of several that are largest.
    teacher : array-like of shape (n_samples,) or (n_samples, n_classes)
        The same of the teacher, in the same order of columns. One may hold labels and the other
        columns.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 is a row that occurs twice.
    labels : array-like of shape (n_classes,), default=None
        Label of each column, of use where only one of the two holds labels. None means the sorted
        labels that occur.

    Returns
    -------
    agreement : float
        In [0, 1]; 1 if they always agree.

    Raises
    ------
    ValueError
        If lengths or numbers of columns differ, an entry is NaN, or a single column of real
        numbers is given, which could be anything.

    See Also
    --------
    kl_fidelity : Compares probabilities, not only predictions.

    References
    ----------
    .. [1] Stanton, S., Izmailov, P., Kirichenko, P., Alemi, A., Wilson, A. G., "Does knowledge
       distillation really work?", NeurIPS 2021.

    Examples
    --------
    >>> from skkd.metrics import agreement_score
    >>> agreement_score(["a", "b", "b"], ["a", "b", "a"])
    0.6666666666666666
    >>> agreement_score(["a", "b", "b"], [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    1.0
    """
    check_consistent_length(student, teacher)
    student, teacher = as_array(student, "student")[0], as_array(teacher, "teacher")[0]
    if student.ndim == 1 and teacher.ndim == 1:
        same = _same_labels(student, teacher)
    elif student.ndim == 1:
        same = _label_meets_columns(student, "student", teacher, "teacher", labels)
    elif teacher.ndim == 1:
        same = _label_meets_columns(teacher, "teacher", student, "student", labels)
    else:
        _refuse_other_width(student, teacher)
        same = _largest(student, "student") == _largest(teacher, "teacher")
    return _mean(same, sample_weight)


@validate_params(
    {
        "student_proba": _OPTIONAL,
        "student_logits": _OPTIONAL,
        "teacher_proba": _OPTIONAL,
        "teacher_logits": _OPTIONAL,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "sample_weight": _OPTIONAL,
    },
    prefer_skip_nested_validation=True,
)
def kl_fidelity(
    *,
    student_proba=None,
    student_logits=None,
    teacher_proba=None,
    teacher_logits=None,
    temperature=1.0,
    sample_weight=None,
):
    r"""Mean divergence of the student's probabilities from the teacher's, in nats.

    It is :math:`\frac1n \sum_i \mathrm{KL}(q_i \| p_i)` with the teacher's probabilities q and the
    student's p. Each is given either as probabilities or as logits.

    Parameters
    ----------
    student_proba : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
        Probabilities of the student; for two classes the column of the second is enough.
    student_logits : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
        Logits of the student, instead; for two classes their difference is enough.
    teacher_proba : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
        Probabilities of the teacher.
    teacher_logits : array-like of shape (n_samples, n_classes) or (n_samples,), default=None
        Logits of the teacher, instead.
    temperature : float > 0, default=1.0
        Both are softened by it: logits, or logarithms of probabilities, are divided by it. The
        result is not multiplied by its square, as losses are.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; a weight of 2 is a row that occurs twice.

    Returns
    -------
    divergence : float
        At least 0, and 0 if both are equal; ``inf`` if the student gives probability 0 to what the
        teacher holds possible.

    Raises
    ------
    ValueError
        If not exactly one form of each is given, shapes differ, probabilities are none, or an
        entry is NaN.

    See Also
    --------
    agreement_score : Compares predictions only.

    References
    ----------
    .. [1] Stanton, S., Izmailov, P., Kirichenko, P., Alemi, A., Wilson, A. G., "Does knowledge
       distillation really work?", NeurIPS 2021.

    Examples
    --------
    >>> from skkd.metrics import kl_fidelity
    >>> round(kl_fidelity(student_proba=[[0.6, 0.4]], teacher_proba=[[0.9, 0.1]]), 4)
    0.2263
    >>> kl_fidelity(student_logits=[[1.0, 3.0]], teacher_logits=[2.0])
    0.0
    """
    log_p = _one_form("student", student_proba, student_logits, temperature)
    log_q = _one_form("teacher", teacher_proba, teacher_logits, temperature)
    check_consistent_length(log_p, log_q)
    _refuse_other_width(log_p, log_q)
    log_p, log_q = side_by_side(log_p, log_q)
    return max(_mean(_divergences(log_p, log_q), sample_weight), 0.0)  # below by rounding only


def _divergences(log_p, log_q):
    xp = namespace(log_q)
    q = xp.exp(log_q)
    # 0 log 0 is 0, whatever the student thinks.
    gaps = xp.where(q > 0, log_q, 0.0) - xp.where(q > 0, log_p, 0.0)
    return total(q * gaps, axis=1)


def _one_form(name, proba, logits, temperature):
    """Log-probabilities of whichever of the two is given."""
    if (proba is None) == (logits is None):
        given = "neither" if proba is None else "both"
        raise ValueError(f"give either {name}_proba or {name}_logits, got {given} of them")
    if logits is None:
        columns = probability_columns(proba, f"{name}_proba")
    else:
        columns = logit_columns(logits, f"{name}_logits")
    return log_probabilities(columns, logits=logits is not None, temperature=temperature)


def _label_meets_columns(given, name, columns, name_of_columns, labels):
    largest = _largest(columns, name_of_columns)
    codes, _ = positions(given, labels, columns.shape[1], name=name, columns=name_of_columns)
    return codes == largest


def _same_labels(student, teacher):
    student, teacher = _checked_labels(student, "student"), _checked_labels(teacher, "teacher")
    kinds = [labels.dtype.kind in "OUST" for labels in (student, teacher)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"student has labels such as {student[0]!r} and teacher such as {teacher[0]!r}; both "
            "must use the same names for classes"
        )
    return student == teacher


def _checked_labels(given, name):
    """Labels on the host; real numbers that are no labels are refused."""
    values = to_numpy(given)
    if values.dtype.kind == "f" and not np.array_equal(values, np.floor(values)):
        raise ValueError(f"{name} is one column of real numbers that are no labels; {_ONE_COLUMN}")
    return values


_ONE_COLUMN = (
    "pass labels, or a column for each class, for instance [1 - p, p] of a probability and "
    "[-z/2, z/2] of a logit"
)


def _largest(columns, name):
    """Position of the largest entry of each row, on the host."""
    xp = namespace(columns)
    if columns.shape[1] == 1:
        raise ValueError(f"{name} has a single column; {_ONE_COLUMN}")
    if xp.isdtype(columns.dtype, "real floating") and bool(xp.any(xp.isnan(columns))):
        raise ValueError(f"{name} contains NaN, which has no largest entry; remove such rows")
    return to_numpy(xp.argmax(columns, axis=1))


def _refuse_other_width(student, teacher):
    if student.shape[1] != teacher.shape[1]:
        raise ValueError(
            f"the student has {student.shape[1]} columns and the teacher {teacher.shape[1]}; both "
            "need one for each class, in the same order"
        )


def _mean(values, sample_weight):
    weight = row_weights(sample_weight, values.shape[0])
    kept = weight > 0
    values = np.asarray(to_numpy(values), dtype=np.float64)
    return float(weight[kept] @ values[kept] / weight.sum())
