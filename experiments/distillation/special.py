"""Teachers and students of their own kind: MCMI, LELP and two heads."""

import warnings
from functools import partial

import numpy as np
from scipy.special import log_softmax, logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from skkd import distillation
from skkd.distillation import teacher_logits

from . import sets, students, teachers
from .real import TRAIN
from .sets import Rows

TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)
RANK = 5
TASKS = {"parity": lambda y: y % 2, "upper half": lambda y: y // 5}
SUBCLASSES = 8


def mcmi(configuration: dict) -> dict:
    """Teachers of several weights of their information, and what students learn from them.

    The student sees some of the teacher's rows. Its temperature is 4 with every teacher. How sure
    the teacher is of itself depends on its penalty too.
    """
    n, seed, alphas = (configuration[key] for key in ("n", "seed", "alphas"))
    teacher_alpha = configuration["teacher_alpha"]
    train, validation, test = sets.split(sets.load("digits"), (n, 200), seed)
    columns = {"teacher_accuracy": [], "cmi": [], "student_few": [], "student_all": []}
    few = _head(train, configuration["few"])
    taught = []
    for weight in configuration["weights"]:
        head = distillation.MCMILogisticRegression(
            weight, alpha=teacher_alpha, tol=1e-5, max_iter=1000
        )
        teacher = make_pipeline(Nystroem(gamma=0.05, n_components=300, random_state=seed), head)
        with teachers.at_rest():
            teacher.fit(train.X, train.y)
        taught.append(teacher)
        columns["teacher_accuracy"].append(float(teacher.score(test.X, test.y)))
        columns["cmi"].append(float(head.cmi_))
        for key, rows in (("student_few", few), ("student_all", train)):
            found = _student("kl", rows, alphas, validation, test, teacher)
            columns[key].append(found.accuracy)
    plain = [_student("ce", rows, alphas, validation, test).accuracy for rows in (few, train)]
    logits = _logits(taught[0], train.X)
    return {
        **columns,
        "ce_few": plain[0],
        "ce_all": plain[1],
        "temperatures": list(TEMPERATURES),
        "cmi_by_temperature": [_cmi(logits / t, train.y) for t in TEMPERATURES],
    }


def _head(rows, n):
    """The first n rows, which are drawn at random already, with all classes among them."""
    order = np.argsort(_occurrence(rows.y), kind="stable")[:n]
    return Rows(rows.X[order], rows.y[order])


def _occurrence(y):
    """For each row, how many rows of its class come before it."""
    seen = np.zeros(y.max() + 1, dtype=int)
    count = np.empty(len(y), dtype=int)
    for i, label in enumerate(y):
        count[i] = seen[label]
        seen[label] += 1
    return count


def _student(name, rows, alphas, validation, test, teacher=None):
    logits = None if teacher is None else _logits(teacher, rows.X)

    def fit(student):
        return student.fit(rows.X, rows.y, teacher_logits=logits)

    return students.tuned(partial(students.make, name), alphas, fit, validation, test)


def _logits(teacher, X):
    return teacher_logits(teacher, X, cv="prefit")


def _cmi(logits, y):
    """Mean divergence of predictions from the mean prediction for their class."""
    log_p = log_softmax(logits, axis=1)
    total = 0.0
    for label in np.unique(y):
        own = log_p[y == label]
        centre = logsumexp(own, axis=0) - np.log(len(own))
        total += np.sum(np.exp(own) * (own - centre))
    return float(total / len(y))


def lelp(configuration: dict) -> dict:
    """Two classes made of ten digits: does a student of subclasses gain by the embedding?

    ``random`` has as many outputs as LELP, with subclasses drawn by lot; ``oracle`` knows the
    digits.
    """
    n, seed, alphas = (configuration[key] for key in ("n", "seed", "alphas"))
    rows = sets.load("digits")
    task = TASKS[configuration["task"]]
    train, validation, test = sets.split(rows, (n, 300), seed)
    digits = train.y
    train, validation, test = (Rows(one.X, task(one.y)) for one in (train, validation, test))
    teacher = MLPClassifier((64, 32), max_iter=150, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        teacher.fit(train.X, train.y)
    found = {
        "ce": _student("ce", train, alphas, validation, test),
        "kl": _student("kl", train, alphas, validation, test, teacher),
    }
    for n_subclasses in configuration["subclasses"]:
        make = partial(_lelp_student, teacher, n_subclasses, seed)
        found[f"lelp:{n_subclasses}"] = _by_labels(make, train, train.y, alphas, validation, test)
    lots = np.random.default_rng(seed).integers(SUBCLASSES, size=n) + SUBCLASSES * train.y
    for name, parts, of_part in (
        ("random", lots, np.arange(2 * SUBCLASSES) // SUBCLASSES),
        ("oracle", digits, task(np.arange(10))),
    ):
        make = partial(_SubclassStudent, of_part)
        found[name] = _by_labels(make, train, parts, alphas, validation, test)
    record = students.columns(found)
    return {**record, "teacher_accuracy": float(teacher.score(test.X, test.y))}


def _lelp_student(teacher, n_subclasses, seed, alpha):
    return distillation.LELPDistilledClassifier(
        teacher,
        n_subclasses,
        random_rotation=False,
        alpha=alpha,
        prefit=True,
        tol=students.TOL,
        max_iter=students.MAX_ITER,
        random_state=seed,
    )


def _by_labels(make, train, labels, alphas, validation, test):
    return students.tuned(make, alphas, lambda one: one.fit(train.X, labels), validation, test)


class _SubclassStudent:
    """Logistic regression on subclasses; the probability of a class is the sum of its own."""

    def __init__(self, of_part, alpha):
        self.of_part = of_part
        self.model = students.make("ce", alpha)

    def fit(self, X, y):
        self.model.fit(X, y)
        return self

    def predict_log_proba(self, X):
        log_p = self.model.predict_log_proba(X)
        own = self.of_part[self.model.classes_]
        return np.stack([logsumexp(log_p[:, own == c], axis=1) for c in (0, 1)], axis=1)


def dual(configuration: dict) -> dict:
    """Labels and logits on one head or on two, all on maps of rank 5.

    The single head that learns both stands on the map that cross-entropy alone has learned.
    """
    seed, alphas = configuration["seed"], configuration["alphas"]
    n = TRAIN["digits"]
    train, validation, test = sets.split(sets.load("digits"), (n, n), seed)
    taught = teachers.teach(configuration["teacher"], train, test, seed)

    def two_heads(alpha, kd_weight):
        return distillation.DualHeadDistilledClassifier(
            n_components=RANK,
            kd_weight=kd_weight,
            alpha=alpha,
            tol=students.TOL,
            max_iter=5 * students.MAX_ITER,
            random_state=seed,
        )

    def fit(student):
        return student.fit(train.X, train.y, teacher_logits=taught.logits)

    found = {}
    for name, kd_weight in (("ce", 0.0), ("dual", 1.0)):
        make = partial(two_heads, kd_weight=kd_weight)
        found[name] = students.tuned(make, alphas, fit, validation, test)
    with teachers.at_rest():
        U = fit(two_heads(found["ce"].chosen, 0.0)).components_.T
    low = [Rows(rows.X @ U, rows.y) for rows in (train, validation, test)]

    def single(alpha):
        return distillation.DistilledLogisticRegression(
            loss="binary_kl_norm", alpha=alpha, tol=students.TOL, max_iter=students.MAX_ITER
        )

    found["single"] = students.tuned(
        single,
        alphas,
        lambda one: one.fit(low[0].X, low[0].y, teacher_logits=taught.logits),
        *low[1:],
    )
    return {**students.columns(found), "teacher_accuracy": taught.accuracy}
