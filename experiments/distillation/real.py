"""Fully labelled real data: every loss beside cross-entropy, on the same rows and logits."""

from functools import partial

from . import sets, students, teachers

TRAIN = {"digits": 300, "breast_cancer": 100, "wine": 60, "embeddings": 400}


def real(configuration: dict) -> dict:
    """Test scores of all students of one teacher on one split."""
    name, seed = configuration["set"], configuration["seed"]
    rows = sets.load(name, configuration.get("file"))
    n = TRAIN[name]
    train, validation, test = sets.split(rows, (n, min(n, (len(rows.y) - n) // 2)), seed)
    taught = teachers.teach(configuration["teacher"], train, test, seed)
    listed = students.FOR_MORE if rows.y.max() > 1 else students.FOR_TWO

    def fit(student):
        logits = None if student.loss in students.WITHOUT_TEACHER else taught.logits
        return student.fit(train.X, train.y, teacher_logits=logits)

    found = {
        one: students.tuned(
            partial(students.make, one), configuration["alphas"], fit, validation, test
        )
        for one in listed
    }
    return {**students.columns(found), "teacher_accuracy": taught.accuracy}
