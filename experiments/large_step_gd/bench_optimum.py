"""Time to the optimum of L2-regularised log loss: L-BFGS and Newton beside their peers.

Accuracy is made equal first. The optimum is computed once to full precision; each candidate is
then given the loosest tolerance of a ladder with which it comes within the wanted relative
sub-optimality, and that call is timed. Our calls include the checks and the label encoding of an
estimator's fit, as those of the peers do.
"""

import importlib
import time
import warnings

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.validation import check_X_y

from experiments._harness.timing import Table, measure, ratio
from skkd.losses import BinaryLogLoss, MultinomialLogLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import gradient_norm, lbfgs, newton, run

ALPHA = 1e-4
# Begins so loose that no candidate is made to overshoot: tolerances mean different things.
LADDER = tuple(10.0**-k for k in range(-2, 13))
MAX_ITER = 2_000
PATIENCE = 10.0  # seconds after which a candidate is not given a tighter tolerance
PAUSE = 0.2  # threads of OpenBLAS spin for 0.11 s after a call
REFERENCE = "skkd lbfgs"


def problems(quick):
    """Name and data: well conditioned, correlated, and badly scaled columns."""
    rng = np.random.default_rng(0)
    n, p = (2_000, 50) if quick else (20_000, 100)
    for k in (2, 10):
        for condition in ("well", "correlated", "badly scaled"):
            X = rng.standard_normal((n, p))
            if condition == "correlated":
                X = X @ (0.3 * np.eye(p) + rng.standard_normal((p, p)) / np.sqrt(p))
            Z = 3.0 * X @ rng.standard_normal((p, k)) / np.linalg.norm(X, axis=1).mean()
            y = np.argmax(Z + rng.gumbel(size=Z.shape), axis=1)
            if condition == "badly scaled":
                X = X * 10.0 ** rng.uniform(-2, 2, p)
            yield f"{condition}, {k} classes, {n} x {p}", X, y


def run_benchmark(quick):
    """Return one table, a row for each problem and candidate."""
    relative = 1e-6 if quick else 1e-8
    return [_table(problems(quick), relative, 3 if quick else 7)]


def _table(cases, relative, repeats):
    columns = ("problem", "candidate", "tol", "reached", "median [ms]", "relative", "quartiles")
    rows = [row for name, X, y in cases for row in _rows(name, X, y, relative, repeats)]
    notes = (
        f"relative: median over that of {REFERENCE}. reached: relative sub-optimality of the timed "
        f"call. alpha = {ALPHA:g}, one intercept. A candidate that no tolerance brings there says "
        "so."
    )
    return Table(f"Time to relative sub-optimality {relative:g}", columns, rows, notes)


def _rows(name, X, y, relative, repeats):
    objective = _objective(X, y)
    best = run(
        newton(objective, objective.zeros()), max_iter=100, tol=1e-13, criterion=gradient_norm
    )
    optimum = float(best.iterate.value)
    calls, chosen = {}, {}
    for key, fit in candidates().items():
        chosen[key] = None if fit is None else _loosest(fit, X, y, objective, optimum, relative)
        tol = chosen[key] and chosen[key][0]
        calls[key] = None if tol is None else (lambda fit=fit, tol=tol: fit(X, y, tol))
    timings = measure(calls, repeats=repeats, max_seconds=60.0, pause=PAUSE)
    for key, timing in timings.items():
        if candidates()[key] is not None and calls[key] is None:
            words = f"does not get there in {MAX_ITER} iterations or {PATIENCE:g} s"
            yield name, key, None, f"{chosen[key][1]:.1e}", None, None, words
            continue
        if timing.problem:
            yield name, key, None, None, None, None, timing.problem
            continue
        r = ratio(timings, key, REFERENCE)
        yield (
            name,
            key,
            f"{chosen[key][0]:g}",
            f"{chosen[key][1]:.1e}",
            1e3 * timing.median,
            r.value,
            f"{r.low:.2f}-{r.high:.2f}",
        )


def _loosest(fit, X, y, objective, optimum, relative):
    """Loosest tolerance that reaches the accuracy, and the accuracy; None if none does."""
    reached = np.inf
    for tol in LADDER:
        start = time.perf_counter()
        W = fit(X, y, tol)
        elapsed = time.perf_counter() - start
        gap = float(objective.value_and_gradient(W)[0]) - optimum
        reached = min(reached, max(gap, 0.0) / optimum)
        if gap <= relative * optimum:
            return tol, max(gap, 0.0) / optimum
        if elapsed > PATIENCE:
            break
    return None, reached


def candidates():
    """Name and function ``(X, y, tol) -> parameters``; None where a peer is not installed."""
    intelex = _optional("sklearnex.linear_model")
    return {
        "skkd lbfgs": lambda X, y, tol: _ours(lbfgs, X, y, tol),
        "skkd newton": lambda X, y, tol: _ours(newton, X, y, tol),
        "SciPy, skkd's objective": _scipy,
        "SciPy, NumPy objective": _scipy_numpy,
        "scikit-learn lbfgs": _sklearn(LogisticRegression, "lbfgs"),
        "scikit-learn newton-cg": _sklearn(LogisticRegression, "newton-cg"),
        "scikit-learn newton-cholesky": _sklearn(LogisticRegression, "newton-cholesky"),
        "scikit-learn-intelex": intelex and _sklearn(intelex.LogisticRegression, "lbfgs"),
    }


def _optional(module):
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def _objective(X, y):
    k = int(y.max()) + 1
    loss = BinaryLogLoss() if k == 2 else MultinomialLogLoss()
    target = Target(y.astype(X.dtype) if k == 2 else y)
    return LinearObjective(loss, X, target, n_outputs=1 if k == 2 else k, alpha=ALPHA)


def _ours(solver, X, y, tol):
    X, y = check_X_y(X, y)
    objective = _objective(X, LabelEncoder().fit_transform(y))
    iterates = solver(objective, objective.zeros())
    return run(iterates, max_iter=MAX_ITER, tol=tol, criterion=gradient_norm).params


def _scipy(X, y, tol):
    objective = _objective(*check_X_y(X, y))
    return _minimize(objective.value_and_gradient, objective.shape, tol)


def _scipy_numpy(X, y, tol):
    X, y = check_X_y(X, y)
    k = int(y.max()) + 1
    objective = _PlainBinary(X, y) if k == 2 else _PlainSoftmax(X, y, k)
    return _minimize(objective, (X.shape[1] + 1, 1 if k == 2 else k), tol)


def _minimize(function, shape, tol):
    def flat(w):
        value, gradient = function(w.reshape(shape))
        return float(value), np.asarray(gradient).reshape(-1)

    options = {"gtol": tol, "ftol": 0.0, "maxiter": MAX_ITER, "maxfun": 2 * MAX_ITER}
    start = np.zeros(shape).reshape(-1)
    return minimize(flat, start, jac=True, method="L-BFGS-B", options=options).x.reshape(shape)


class _PlainBinary:
    """The objective as one would write it in NumPy, binary."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __call__(self, W):
        z = self.X @ W[:-1, 0] + W[-1, 0]
        value = np.mean(np.logaddexp(0, z) - self.y * z) + 0.5 * ALPHA * np.sum(W[:-1] ** 2)
        r = (1.0 / (1.0 + np.exp(-z)) - self.y) / z.shape[0]
        return value, np.append(self.X.T @ r + ALPHA * W[:-1, 0], r.sum())[:, None]


class _PlainSoftmax:
    """The objective as one would write it in NumPy, K classes."""

    def __init__(self, X, y, k):
        self.X, self.T = X, np.eye(k)[y]

    def __call__(self, W):
        Z = self.X @ W[:-1] + W[-1]
        Z -= Z.max(axis=1, keepdims=True)
        E = np.exp(Z)
        S = E.sum(axis=1, keepdims=True)
        value = np.mean(np.log(S[:, 0]) - np.sum(self.T * Z, axis=1))
        R = (E / S - self.T) / Z.shape[0]
        G = np.vstack([self.X.T @ R + ALPHA * W[:-1], R.sum(axis=0)])
        return value + 0.5 * ALPHA * np.sum(W[:-1] ** 2), G


def _sklearn(estimator, solver):
    def fit(X, y, tol):
        C = 1.0 / (ALPHA * X.shape[0])
        model = estimator(C=C, solver=solver, tol=tol, max_iter=MAX_ITER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        return np.vstack([model.coef_.T, model.intercept_[None, :]])

    return fit
