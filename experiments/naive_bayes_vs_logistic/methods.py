"""The two methods, as the paper's programs have them, and logistic regression with a tuned penalty.

``logistic`` minimises ``C sum_i -log p(y_i | x_i) + ||W||^2 / 2``, intercepts free: in this
package's units the strength of the penalty is 1 / (C m). It is scikit-learn's with its default
tolerance, as in the paper. On badly scaled features that is far from the minimum: ``minimum`` is
the same problem, solved.
"""

import warnings
from contextlib import contextmanager

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold

from skkd.naive_bayes import SharedVarianceGaussianNB

# Decades on both sides of the default; the least that tells "C = 1" from "the right C".
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
MAX_ITER = 1000


def make(method: str):
    """Return an unfitted classifier.

    Parameters
    ----------
    method : str
        ``"naive_bayes"``; ``"logistic:C"`` or ``"minimum:C"`` with a number C; or ``"tuned"``,
        where C is one of ``PENALTIES``, the best in five-fold cross-validation on the training
        rows, the strongest penalty of equals.

    Returns
    -------
    estimator
    """
    kind, _, penalty = method.partition(":")
    if kind == "naive_bayes":
        return SharedVarianceGaussianNB()
    if kind == "logistic":
        return LogisticRegression(C=float(penalty), max_iter=MAX_ITER)
    if kind == "minimum":
        return LogisticRegression(C=float(penalty), tol=1e-8, max_iter=20 * MAX_ITER)
    if kind == "tuned":
        # Not stratified: with fewer rows of a class than folds that is impossible.
        folds = KFold(5, shuffle=True, random_state=0)
        model = LogisticRegression(max_iter=MAX_ITER)
        return GridSearchCV(model, {"C": list(PENALTIES)}, cv=folds, error_score="raise")
    raise ValueError(f"method {method!r}; known are naive_bayes, logistic:C, minimum:C and tuned")


@contextmanager
def as_in_the_paper():
    """Keep what stops after 1000 iterations, and what is sure of few rows, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "features? .* constant within classes")
        yield
