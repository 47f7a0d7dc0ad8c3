"""Few labels: a teacher that saw many, and rows without labels that it can label.

============  =======================================================================
student
============  =======================================================================
``ce``        cross-entropy on the m labelled rows
``kl``        KD on the same rows
``kl+pool``   KD on these and on the rows without labels
``hard+pool`` cross-entropy on both, the teacher's choice in place of a missing label
``pld+pool``  PLD on both
============  =======================================================================
"""

from functools import partial

import numpy as np

from skkd.distillation import teacher_logits

from . import sets, students, teachers

# Rows of the teacher, without labels, and to choose with.
SIZES = {
    "digits": (800, 400, 200),
    "breast_cancer": (200, 100, 100),
    "embeddings": (1000, 400, 200),
}
METHODS = ("ce", "kl", "kl+pool", "hard+pool", "pld+pool")
_UNKNOWN = -1


def few(configuration: dict) -> dict:
    """Test scores of all students with m labels."""
    name, m, seed = (configuration[key] for key in ("set", "m", "seed"))
    rows = sets.load(name, configuration.get("file"))
    of_teacher, pool, validation, labelled, test = sets.split(rows, (*SIZES[name], m), seed)
    teacher = teachers.make(configuration["teacher"], seed).fit(of_teacher.X, of_teacher.y)
    X = np.concatenate([labelled.X, pool.X])
    logits = teacher_logits(teacher, X, cv="prefit", prob_floor=teachers.PROB_FLOOR)
    lessons = _lessons(labelled, X, logits)
    found = {}
    for method in METHODS:
        loss = {"hard": "ce"}.get(method.partition("+")[0], method.partition("+")[0])
        found[method] = students.tuned(
            partial(students.make, loss, unlabeled_label=_UNKNOWN),
            configuration["alphas"],
            partial(_fit, lesson=lessons[method]),
            validation,
            test,
        )
    return {**students.columns(found), "teacher_accuracy": float(teacher.score(test.X, test.y))}


def _lessons(labelled, X, logits):
    """Rows, labels and logits that each student learns from."""
    m = len(labelled.y)
    unknown = np.full(len(X) - m, _UNKNOWN)
    mixed = (X, np.concatenate([labelled.y, unknown]), logits)
    guessed = np.concatenate([labelled.y, logits[m:].argmax(axis=1)])
    return {
        "ce": (labelled.X, labelled.y, None),
        "kl": (labelled.X, labelled.y, logits[:m]),
        "kl+pool": mixed,
        "hard+pool": (X, guessed, None),
        "pld+pool": mixed,
    }


def _fit(student, lesson):
    X, y, logits = lesson
    return student.fit(X, y, teacher_logits=logits)
