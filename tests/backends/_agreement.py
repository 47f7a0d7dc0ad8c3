"""The same computation on NumPy and on another array library, and how far they may differ.

Tolerances: float64 runs of stable steps and optima agree to 1e-10. Rounding differences of
large-step trajectories grow by orders of magnitude, so only their first 50 iterates are compared,
to 1e-6 or 1e-8. float32 is compared with float64 NumPy: 1e-3 of the largest entry, for stable
steps and optima only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone

from skkd.datasets import make_separable
from skkd.losses import Target
from skkd.naive_bayes import SharedVarianceGaussianNB, class_moments
from skkd.objectives import LinearObjective
from skkd.solvers import averaged, best, errors, first_hit, gradient_descent, run


@dataclass(frozen=True)
class Library:
    """How arrays get into a library and back."""

    put: Callable
    get: Callable
    single: bool = False

    def __call__(self, x):
        """Move a NumPy array in; floating point ones in the library's precision."""
        x = np.asarray(x)
        if self.single and x.dtype == np.float64:
            x = x.astype(np.float32)
        return self.put(x)


NUMPY = Library(lambda x: x, np.asarray)


def library(name):
    """The library of that name; skips where it is not installed."""
    kind, _, detail = name.partition("-")
    if kind == "torch":
        torch = pytest.importorskip("torch")
        return Library(torch.asarray, lambda x: x.numpy(), detail == "float32")
    if kind == "cupy":
        cupy = pytest.importorskip("cupy")
        return Library(cupy.asarray, cupy.asnumpy, detail == "float32")
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device({"cpu": "CPU_DEVICE"}.get(detail, detail))
    host = strict.Device("CPU_DEVICE")
    return Library(
        lambda x: strict.asarray(x, device=device), lambda x: np.asarray(x.to_device(host))
    )


def close(actual, expected, lib, tol=1e-10):
    """Equal up to `tol` of the largest entry in float64, 1e-3 in float32."""
    scale = np.abs(expected).max() if np.size(expected) else 1.0
    assert_allclose(
        actual, expected, rtol=0.0, atol=(1e-3 if lib.single else tol) * max(float(scale), 1e-30)
    )


def make_objective(lib, case, *, weights=True, alpha=0.0, n=40, p=5):
    """The same random problem in any library."""
    rng = np.random.default_rng(0)
    X, target = rng.standard_normal((n, p)), case.target(n, rng)
    weight = rng.integers(0, 4, n).astype(float) if weights else None
    return LinearObjective(
        case.loss,
        lib(X),
        Target(lib(target.y)),
        None if weight is None else lib(weight),
        n_outputs=case.k,
        alpha=alpha,
    )


def same_path(lib, case, step, *, length, weights=True, alpha=0.0, tol=1e-10):
    """Every iterate of gradient descent, with all that is known of it."""
    paths = []
    for one in (NUMPY, lib):
        objective = make_objective(one, case, weights=weights, alpha=alpha)
        paths.append(islice(gradient_descent(objective, objective.zeros(), step=step), length))
    for a, b in zip(*paths, strict=True):
        assert b.params.dtype == b.gradient.dtype == lib(np.zeros(1)).dtype
        close(lib.get(b.params), a.params, lib, tol)
        close(lib.get(b.gradient), a.gradient, lib, tol)
        close(lib.get(b.logits), a.logits, lib, tol)
        for name in ("errors", "margin", "log_mass"):
            x, y = getattr(a, name), getattr(b, name)
            assert (x is None) == (y is None)
            if x is not None:
                atol = 1e-3 if lib.single else 10 * tol
                assert_allclose(lib.get(y), x, rtol=atol, atol=atol)


def same_solution(lib, solver, case, *, tol, path=8):
    """Optimum of a penalised problem, and the first iterates on the way."""
    results = []
    for one in (NUMPY, lib):
        objective = make_objective(one, case, alpha=0.05)
        iterates = list(islice(solver(objective, objective.zeros()), 40))
        results.append([_centred(one.get(iterate.params)) for iterate in iterates])
        assert all(it.params.dtype == one(np.zeros(1)).dtype for it in iterates)
    for a, b in zip(results[0][:path], results[1][:path], strict=True):
        close(b, a, lib, tol)
    close(results[1][-1], results[0][-1], lib, tol)


def _centred(W):
    """Parameters up to the constant that softmax cannot see."""
    return W - W.mean(axis=1, keepdims=True) if W.shape[1] > 1 else W


def same_stop(lib, case, step, keep, *, check_every=None):
    """Counts of updates, hits and kept iterates of a run to separation."""
    results = []
    X, y = make_separable(60, 4, margin=0.2, random_state=0)
    for one in (NUMPY, lib):
        labels = one((y > 0).astype(float if case.k == 1 else int))
        objective = LinearObjective(
            case.loss, one(X), Target(labels), n_outputs=max(1, case.k // 2)
        )
        iterates = gradient_descent(objective, objective.zeros(), step=step)
        if keep == "average":
            iterates = averaged(iterates, objective)
        iterates = first_hit(iterates, lambda it: it.errors == 0)
        if keep == "best":
            iterates = best(iterates)
        results.append(run(iterates, max_iter=500, criterion=errors, check_every=check_every))
    a, b = results
    assert a.converged
    assert b.converged
    assert b.n_iter == a.n_iter
    assert int(lib.get(b.iterate.hit)) == int(a.iterate.hit)
    close(lib.get(b.params), a.params, lib, 1e-8)


def same_estimator(lib, estimator, n_classes, *, integers=(), tol=1e-10):
    """Fit, predict and score through scikit-learn's dispatch."""
    X, y = estimator_data(n_classes)
    expected = estimator.fit(X, y)
    facts = {name: getattr(expected, name) for name in ("coef_", "intercept_", "classes_")}
    counts = {name: getattr(expected, name) for name in integers}
    logits, labels = expected.decision_function(X), expected.predict(X)
    with config_context(array_api_dispatch=True):
        Xp, yp = lib(X), lib(y)
        fitted = estimator.fit(Xp, yp)
        assert type(fitted.coef_) is type(Xp)
        assert fitted.coef_.dtype == Xp.dtype
        for name, value in counts.items():
            assert getattr(fitted, name) == value, name
        for name, value in facts.items():
            close(lib.get(getattr(fitted, name)), value, lib, tol)
        close(lib.get(fitted.decision_function(Xp)), logits, lib, 10 * tol)
        assert (lib.get(fitted.predict(Xp)) == labels).all()
        assert isinstance(fitted.score(Xp, yp), float)


def estimator_data(n_classes):
    """Separable rows of two or three classes."""
    if n_classes == 2:
        return make_separable(80, 5, margin=0.2, random_state=1)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((400, 4))
    Z = X @ rng.standard_normal((4, 3))
    top = np.sort(Z, axis=1)
    kept = top[:, 2] - top[:, 1] > 0.4
    return X[kept][:90], Z[kept][:90].argmax(axis=1)


def same_naive_bayes(lib, n_classes):
    """One fit, a stream of parts, densities, and rows far from the origin."""
    X, y = estimator_data(n_classes)
    weights = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    model = SharedVarianceGaussianNB(ddof="K", smoothing="relative")
    same_estimator(lib, model, n_classes)
    expected = clone(model).fit(X, y, sample_weight=weights)
    with config_context(array_api_dispatch=True):
        streamed = clone(model)
        for part in (slice(0, 30), slice(30, None)):
            parts = lib(X[part]), lib(y[part])
            streamed.partial_fit(*parts, classes=np.unique(y), sample_weight=lib(weights[part]))
        total = sum(
            class_moments(lib(X[i::2]), lib(y[i::2]), sample_weight=lib(weights[i::2]))
            for i in (0, 1)
        )
        merged = clone(model).fit_moments(total)
        for fitted in (streamed, merged):
            for name in ("theta_", "var_", "class_prior_", "coef_", "intercept_"):
                close(lib.get(getattr(fitted, name)), getattr(expected, name), lib)
        joint = streamed.predict_joint_log_proba(lib(X))
        close(lib.get(joint), expected.predict_joint_log_proba(X), lib, 1e-9)
        far = lib(lib.get(lib(X + 1e4)))
        moved = clone(model).fit(far, lib(y))
        scores = lib.get(moved.predict_proba(far))
    near = np.asarray(lib.get(lib(X + 1e4)), dtype=np.float64) - 1e4
    close(scores, clone(model).fit(near, y).predict_proba(near), lib, 1e-9)
