"""The H-consistency bound of the logistic loss on random instances.

An instance is a distribution of the labels, given x or over a few points x, and scores h. Excess
error and excess log-loss are exact sums, and the first must not exceed Gamma of the second.

============  ====================================================================================
kind
============  ====================================================================================
``scores``    one x: random probabilities, scores scattered around their logarithms
``points``    a distribution over 2 to 40 points x, each with its probabilities and scores
``cheapest``  one x: the least log-loss at which a given class is predicted, for every class
``bounded``   two classes, scores in [-L, L], against the best scores within these bounds
``tie``       probabilities (1 + t) / 2 and (1 - t) / 2 and scores that tie: the bound is attained
``learned``   naive Bayes and logistic regression, fitted to m samples of the paper's mixture
============  ====================================================================================
"""

import numpy as np
from scipy.special import entr, log_softmax, rel_entr, softmax

from skkd.datasets import make_shared_variance_mixture
from skkd.metrics import (
    logistic_h_consistency_bound,
    logistic_h_consistency_transform,
    minimal_log_regret,
)

from . import methods

_KEPT = 300  # instances whose numbers are stored, to be drawn
_TEST = 4000
_BOUNDS = (0.25, 0.5, 1.0, 2.0)
LEARNED = (10, 3)  # features and classes; its Bayes error is 0.087
LEARNERS = ("naive_bayes", "logistic:1")


def consistency(configuration: dict) -> dict:
    """Excess log-losses and errors of many instances, and how near to the bound they come."""
    rng = np.random.default_rng(configuration["seed"])
    make = _KINDS[configuration["kind"]]
    log_excess, error_excess, bound = make(configuration, rng)
    gap = error_excess - bound
    ratio = np.divide(error_excess, bound, out=np.zeros_like(bound), where=bound > 0)
    rank = np.argsort(-error_excess, kind="stable")  # without an error there is nothing to see
    shown = rank[: max(_KEPT, int(np.sum(error_excess > 0)))]
    kept = np.sort(rng.permutation(shown)[:_KEPT])
    return {
        "instances": len(gap),
        "worst": float(gap.max()),
        "ratio": float(ratio.max()),
        "least_ratio": float(ratio.min()),
        "log_excess": log_excess[kept].tolist(),
        "error_excess": error_excess[kept].tolist(),
    }


def _scores(configuration, rng):
    p, h = _instances(rng, configuration["n_instances"], configuration["n_classes"])
    return _with_bound(*_regrets(p, log_softmax(h, axis=-1)))


def _points(configuration, rng):
    log_excess, error_excess = [], []
    for _ in range(configuration["n_instances"]):
        size = int(rng.integers(2, 41))
        weights = rng.dirichlet(np.full(size, 0.5))
        p, h = _instances(rng, size, configuration["n_classes"])
        log_regret, error_regret = _regrets(p, log_softmax(h, axis=-1))
        log_excess.append(weights @ log_regret)
        error_excess.append(weights @ error_regret)
    return _with_bound(np.array(log_excess), np.array(error_excess))


def _cheapest(configuration, rng):
    n_classes = configuration["n_classes"]
    p, _ = _instances(rng, configuration["n_instances"] // n_classes, n_classes)
    labels = np.tile(np.arange(n_classes), len(p))
    p = np.repeat(p, n_classes, axis=0)
    error_regret = p.max(axis=1) - p[np.arange(len(p)), labels]
    return _with_bound(minimal_log_regret(p, labels), error_regret)


def _bounded(configuration, rng):
    size = configuration["n_instances"]
    limit = rng.choice(_BOUNDS, size)
    positive = rng.uniform(size=size)
    margin = limit * rng.uniform(-1, 1, size) + limit * rng.uniform(-1, 1, size)
    with np.errstate(divide="ignore"):
        best = np.clip(np.log(positive) - np.log1p(-positive), -2 * limit, 2 * limit)
    log_regret = _log_loss(positive, margin) - _log_loss(positive, best)
    wrong = (margin > 0) != (positive > 0.5)
    error_regret = np.where(wrong, np.abs(2 * positive - 1), 0.0)
    bound = np.empty(size)
    for one in _BOUNDS:
        here = limit == one
        excess = np.maximum(log_regret[here], 0.0)
        bound[here] = logistic_h_consistency_bound(excess, score_bound=one)
    return log_regret, error_regret, bound


def _tie(configuration, rng):
    t = np.linspace(0.0, 1.0, configuration["n_instances"] + 1)[1:-1]
    n_classes = configuration["n_classes"]
    p = np.zeros((len(t), n_classes))
    p[:, 0], p[:, 1] = (1 + t) / 2, (1 - t) / 2
    log_regret = minimal_log_regret(p, np.ones(len(t), dtype=int))
    price = logistic_h_consistency_transform(t)
    return log_regret, t, logistic_h_consistency_bound(np.maximum(log_regret, price))


def _learned(configuration, rng):
    """Regrets of fitted rules are means over points whose class probabilities are known."""
    n, n_classes = LEARNED
    X, y, design = make_shared_variance_mixture(
        configuration["m"],
        n,
        n_classes,
        random_state=configuration["seed"],
        return_distribution=True,
    )
    X_test, _ = design.sample(_TEST, configuration["seed"] + 1)
    coef, intercept = design.bayes_rule()
    p = softmax(X_test @ coef.T + intercept, axis=1)
    log_excess, error_excess = [], []
    for method in LEARNERS:
        with methods.as_in_the_paper():
            model = methods.make(method).fit(X, y)
        log_regret, error_regret = _regrets(p, model.predict_log_proba(X_test))
        log_excess.append(log_regret.mean())
        error_excess.append(error_regret.mean())
    return _with_bound(np.array(log_excess), np.array(error_excess))


def _instances(rng, size, n_classes):
    """Probabilities from flat to nearly certain, and scores from near to far."""
    concentration = 10.0 ** rng.uniform(-0.7, 1.5, size)
    gamma = rng.standard_gamma(concentration[:, None], (size, n_classes)) + 1e-12
    p = gamma / gamma.sum(axis=1, keepdims=True)
    noise = 10.0 ** rng.uniform(-2, 1, size)
    return p, np.log(p) + noise[:, None] * rng.standard_normal((size, n_classes))


def _regrets(p, log_q):
    """Excess log-loss and excess error of each row; terms of the first are not negative."""
    q = np.exp(log_q)
    log_regret = np.sum(np.where(q > 0, rel_entr(p, q) - p + q, -entr(p) - p * log_q - p), axis=1)
    predicted = np.argmax(log_q, axis=1)
    return log_regret, p.max(axis=1) - p[np.arange(len(p)), predicted]


def _with_bound(log_excess, error_excess):
    return log_excess, error_excess, logistic_h_consistency_bound(np.maximum(log_excess, 0.0))


def _log_loss(positive, margin):
    return positive * np.logaddexp(0, -margin) + (1 - positive) * np.logaddexp(0, margin)


_KINDS = {
    "scores": _scores,
    "points": _points,
    "cheapest": _cheapest,
    "bounded": _bounded,
    "tie": _tie,
    "learned": _learned,
}
