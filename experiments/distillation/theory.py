"""Where the truth is known: Bayes teachers, bounds on information, penalties, scales of logits."""

from functools import partial

import numpy as np
from scipy.special import log_softmax

from skkd import distillation
from skkd.losses import get_loss

from . import sets, students, teachers
from .real import TRAIN
from .sets import Rows

FEATURES, CLASSES, SAMPLES = 20, 5, 150
LOGIT_SPREAD = 2.0
TEACHERS = {"bayes": 0.0, "noisy": 1.0}  # standard deviation of the noise on its logits
LEARNERS = (
    *("ce", "label_smoothing", "kl:pure", "kl:pure4", "mse:pure", "binary_kl:pure", "dkd:pure"),
    *("kl", "nkd", "dist", "pld", "list_mle"),
)
ALPHAS = (0.0, 0.01, 0.1, 0.5, 0.9, 1.0)
SCALES = (0.25, 1.0, 4.0)


def bayes(configuration: dict) -> dict:
    """Excess log-loss of students on a logistic truth, with the truth or a noisy one as teacher.

    The expectation over labels is exact: the mean Kullback-Leibler divergence of the student from
    the truth, on 4,000 fresh rows.
    """
    rng = np.random.default_rng(configuration["seed"])
    W = rng.standard_normal((FEATURES, CLASSES)) * (LOGIT_SPREAD / np.sqrt(FEATURES))
    X, Z = _drawn(rng, W, SAMPLES)
    validation_X, validation_Z = _drawn(rng, W, 500)
    test_X, test_Z = _drawn(rng, W, 4000)
    y, validation = _labels(rng, Z), Rows(validation_X, _labels(rng, validation_Z))
    noise = TEACHERS[configuration["teacher"]]
    logits = Z + noise * rng.standard_normal(Z.shape)
    excess = []
    for name in LEARNERS:
        known = None if name in ("ce", "label_smoothing") else logits
        with teachers.at_rest():
            fitted = [
                students.make(name, alpha).fit(X, y, teacher_logits=known)
                for alpha in configuration["alphas"]
            ]
        best = min(fitted, key=lambda one: students.scored(one, validation).nll)
        log_p = best.predict_log_proba(test_X)
        excess.append(float(np.mean(np.sum(np.exp(test_Z) * (test_Z - log_p), axis=1))))
    return {"students": list(LEARNERS), "excess": excess}


def mi_alpha(configuration: dict) -> dict:
    """Mean and spread of the bound over batches, with the best critic of correlated Gaussians."""
    rho, K, d = (configuration[key] for key in ("rho", "K", "d"))
    rng = np.random.default_rng([configuration["seed"], K])
    log_q = np.zeros(K)
    bounds = []
    for _ in range(configuration["batches"]):
        x = rng.standard_normal((K, d))
        y = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal((K, d))
        F = _log_density_ratio(x, y, rho)
        bounds.append([float(distillation.mi_alpha_bound(F, log_q, a)[0]) for a in ALPHAS])
    return {
        "mi_alphas": list(ALPHAS),
        "mean": np.mean(bounds, axis=0),
        "spread": np.std(bounds, axis=0, ddof=1),
        "largest": np.max(bounds, axis=0),
        "true_mi": -0.5 * d * np.log1p(-(rho**2)),
    }


def self_distillation(configuration: dict) -> dict:
    """PS-KD beside cross-entropy: of the same, of the equivalent and of the best penalty."""
    name, seed, alpha = (configuration[key] for key in ("set", "seed", "alpha"))
    rows, n = sets.load(name), TRAIN[name]
    train, validation, test = sets.split(rows, (n, min(n, (len(rows.y) - n) // 2)), seed)

    def cross_entropy(alpha, tol=students.TOL):
        return students.make("ce", alpha, tol=tol)

    def fit(student):
        return student.fit(train.X, train.y)

    with teachers.at_rest():
        gap = _penalty_gap(partial(cross_entropy, tol=1e-9), fit, alpha)
        progressive = fit(distillation.SelfDistilledLogisticRegression(alpha=alpha, tol=1e-5))
        plain = fit(cross_entropy(alpha))
    best = students.tuned(cross_entropy, configuration["alphas"], fit, validation, test)
    found = {"ce": students.scored(plain, test), "ps_kd": students.scored(progressive, test)}
    record = {
        field: [*(getattr(one, field) for one in found.values()), getattr(best, field)]
        for field in ("accuracy", "nll", "ece")
    }
    return {"students": [*found, "ce:tuned"], **record, "gap": gap}


def teacher_scale(configuration: dict) -> dict:
    """KD and standardised KD with the teacher's logits multiplied by constants."""
    name, seed, alpha = (configuration[key] for key in ("set", "seed", "alpha"))
    rows, n = sets.load(name), TRAIN[name]
    train, test = sets.split(rows, (n,), seed)
    taught = teachers.teach(configuration["teacher"], train, test, seed)
    record = {"scales": list(SCALES)}
    for key, student in (("plain", "kl"), ("standardized", "kl:z")):
        with teachers.at_rest():
            fitted = [
                students.make(student, alpha, temperature=2.0, tol=1e-6, max_iter=2000).fit(
                    train.X, train.y, teacher_logits=scale * taught.logits
                )
                for scale in SCALES
            ]
        seen = [students.scored(one, test) for one in fitted]
        proba = [one.predict_proba(test.X) for one in fitted]
        record[f"{key}_accuracy"] = [one.accuracy for one in seen]
        record[f"{key}_nll"] = [one.nll for one in seen]
        record[f"{key}_ece"] = [one.ece for one in seen]
        record[f"{key}_moved"] = max(float(np.abs(one - proba[1]).max()) for one in proba)
        record[f"{key}_solved"] = all(one.converged_ for one in fitted)
    return {**record, "loss_moved": _loss_moved(taught.logits, seed)}


def _loss_moved(logits, seed):
    """Largest relative change of the standardised loss by scales of student and teacher."""
    loss = get_loss("kl", standardize=True)
    student = np.random.default_rng(seed).standard_normal(logits.shape)
    value = loss.value_and_gradient(student, logits)[0]
    others = [loss.value_and_gradient(a * student, b * logits)[0] for a in SCALES for b in SCALES]
    return max(abs(other / value - 1) for other in others)


def _penalty_gap(cross_entropy, fit, alpha, strength=0.5):
    """Largest difference of coefficients between PS-KD and a penalty of alpha / (1 - strength)."""
    rounds = distillation.SelfDistilledLogisticRegression(
        strength=strength, schedule="constant", n_rounds=40, alpha=alpha, tol=1e-9, max_iter=5000
    )
    first, second = fit(rounds).coef_, fit(cross_entropy(alpha / (1 - strength))).coef_
    return float(np.abs(first - second).max() / np.abs(second).max())


def _log_density_ratio(x, y, rho):
    """log p(y_j | x_i) / p(y_j) for all pairs."""
    rest = 1 - rho**2
    far = ((y[None, :, :] - rho * x[:, None, :]) ** 2).sum(axis=2) / rest
    return 0.5 * ((y**2).sum(axis=1)[None, :] - far - x.shape[1] * np.log(rest))


def _drawn(rng, W, n):
    X = rng.standard_normal((n, len(W)))
    return X, log_softmax(X @ W, axis=1)


def _labels(rng, log_p):
    """One label for each row, drawn by Gumbel's trick."""
    return (log_p + rng.gumbel(size=log_p.shape)).argmax(axis=1)
