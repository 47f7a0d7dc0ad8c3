"""The teachers: four that are not linear, and their logits for the rows of a student."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from skkd.distillation import teacher_logits

PROB_FLOOR = 1e-3  # log 1e-3 = -6.9: a forest that is sure says no more than it can know
NAMES = ("forest", "boosting", "svm", "mlp")


class Taught(NamedTuple):
    """Logits for the rows to learn from, and how good the teacher is on the test rows."""

    logits: np.ndarray
    accuracy: float


def make(name: str, seed: int):
    """Return an unfitted teacher.

    Parameters
    ----------
    name : {"forest", "boosting", "svm", "mlp"}
        Which one; "svm" has an RBF kernel, and probabilities by Platt's sigmoid.
    seed : int
        Its random state.
    """
    if name == "forest":
        return RandomForestClassifier(50, random_state=seed)
    if name == "boosting":
        return HistGradientBoostingClassifier(
            max_iter=30, min_samples_leaf=5, early_stopping=False, random_state=seed
        )
    if name == "svm":
        return CalibratedClassifierCV(SVC(C=10.0), cv=3, ensemble=False)
    if name == "mlp":
        return MLPClassifier((64,), solver="lbfgs", alpha=0.1, max_iter=300, random_state=seed)
    raise ValueError(f"teacher {name!r}; known are {', '.join(NAMES)}")


def teach(name: str, train, test, seed: int) -> Taught:
    """Out-of-fold logits, and the accuracy of the teacher that is fitted on all rows."""
    teacher = make(name, seed)
    with at_rest():
        logits = teacher_logits(teacher, train.X, train.y, cv=5, prob_floor=PROB_FLOOR)
        accuracy = teacher.fit(train.X, train.y).score(test.X, test.y)
    return Taught(logits, float(accuracy))


class at_rest(warnings.catch_warnings):
    """Let what is stopped after its number of updates go without a warning; it is counted."""

    def __enter__(self):
        entered = super().__enter__()
        warnings.simplefilter("ignore", ConvergenceWarning)
        return entered
