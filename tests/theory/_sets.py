"""Separable sets on which the theorems are tried, and trajectories of the solver layer."""

from itertools import islice

import numpy as np
from sklearn.datasets import load_iris, load_wine
from sklearn.preprocessing import scale

from skkd.datasets import make_separable, make_worst_case_separable
from skkd.linear_model import separation_margin
from skkd.losses import BinaryLogLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import gradient_descent

# Tyurin's Theorem 4.1: after one large step the loss is as large as you like, after two it is zero.
THEOREM_41 = np.array([[1.0, -1.0], [-1.0, -4.0]]), np.array([1, -1])


def _iris():
    X, y = load_iris(return_X_y=True)
    return np.hstack([X, np.ones((150, 1))]), np.where(y == 0, 1, -1)


def _imbalanced():
    X, y = make_separable(100, 4, 0.3, random_state=3)
    kept = np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == -1)[:4]])
    return X[kept], y[kept]


def _planted():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((60, 5))
    return X, np.argmax(X @ rng.standard_normal((5, 4)), axis=1), False


def _wine():
    X, y = load_wine(return_X_y=True)
    return scale(X), y, True


SETS = {
    "theorem 4.1": THEOREM_41,
    "worst case 10": make_worst_case_separable(10),
    "worst case 200": make_worst_case_separable(200),
    "wide margin": make_separable(60, 5, 1.0, random_state=0),
    "narrow margin": make_separable(80, 3, 0.05, random_state=1),
    "more features than rows": make_separable(20, 40, 0.0, random_state=2),
    "imbalanced": _imbalanced(),
    "iris setosa": _iris(),
}
STEPS = (0.1, 1.0, 10.0, 100.0, 1e4)

# Rows, labels of more than two classes, and whether they are tried with an intercept.
MANY_CLASSES = {"wine": _wine(), "planted": _planted()}


def signed(name):
    """Signed rows, radius, margin and best direction of a set."""
    X, y = SETS[name]
    margin, direction = separation_margin(X, y)
    return y[:, None] * X, np.linalg.norm(X, axis=1).max(), margin, direction


def objective_of(M, loss=None):
    """Linear objective on signed rows: all labels are positive."""
    loss = BinaryLogLoss() if loss is None else loss
    return LinearObjective(loss, M, Target(np.ones(len(M))), fit_intercept=False)


def iterates(M, count, step, loss=None):
    """Parameters 0..count-1 of gradient descent from zero."""
    objective = objective_of(M, loss)
    path = gradient_descent(objective, objective.zeros(), step=step)
    return np.stack([iterate.params[:, 0] for iterate in islice(path, count)])


def risk(M, theta):
    """Mean logistic loss."""
    return np.logaddexp(0.0, -M @ theta).mean()


def log_exponential_risk(M, theta):
    """Log of the mean exponential loss."""
    return np.logaddexp.reduce(-M @ theta) - np.log(len(M))


def cosine(a, b):
    """Cosine of the angle between two vectors."""
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
