"""Time to the optimum of a KL student against torch's L-BFGS and scikit-learn.

The objective is .1 CE + .9 KL (T = 2) with an L2 penalty; every method starts at zero and is asked
for a gradient of norm 1e-8, and the gradient where it stopped is computed here. scikit-learn cannot
mix temperatures: it gets the problem of soft labels at T = 1, a row for each sample and class with
the class's probability as weight, and so does a second student of ours.
"""

import importlib
import warnings
from importlib.util import find_spec

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from experiments._harness.timing import Table, measure, ratio
from skkd.distillation import DistilledLogisticRegression

__all__ = ["fits"]

SHAPES = ((20_000, 100, 10), (20_000, 100, 100))
ALPHA = 1e-4
HISTORY = (10, 50)
TOL = 1e-8
COLUMNS = (
    "shape",
    "problem",
    "method",
    "median [s]",
    "method / skkd",
    "quartiles",
    "first call [s]",
    "norm of the gradient",
)
NOTES = (
    "float64, all threads for all methods. torch: full batch, strong Wolfe line search, analytic "
    "gradients by autograd. The norm of the gradient is that of the same function for all."
)


def fits(quick):
    """Table of both problems."""
    rows = []
    for shape in SHAPES[:1] if quick else SHAPES:
        if quick:
            shape = (shape[0] // 10, *shape[1:])
        problem = _Problem(*shape)
        rows += _rows(problem, shape, "0.1 CE + 0.9 KL, T = 2", (0.1, 0.9, 2.0), quick)
        rows += _rows(problem, shape, "soft labels, T = 1", (0.0, 1.0, 1.0), quick)
    return Table("fits: time to the optimum", COLUMNS, rows, NOTES)


class _Problem:
    """Rows, labels, and a teacher that knows more than the rows say."""

    def __init__(self, n, p, n_classes):
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((n, p))
        clean = self.X @ rng.standard_normal((p, n_classes)) * (2.0 / np.sqrt(p))
        self.teacher = clean + 0.5 * rng.standard_normal((n, n_classes))
        self.y = np.argmax(clean + rng.gumbel(size=clean.shape), axis=1)
        self.y[:n_classes] = np.arange(n_classes)

    def gradient_norm(self, W, b, mix):
        """Norm of the gradient, in float64 and plain NumPy."""
        ce, kd, T = mix
        Z, n = self.X @ W + b, self.X.shape[0]
        R = kd * T * (softmax(Z / T, axis=1) - softmax(self.teacher / T, axis=1))
        R += ce * softmax(Z, axis=1)
        R[np.arange(n), self.y] -= ce
        gradient = np.vstack([self.X.T @ R / n + ALPHA * W, R.sum(axis=0)[None] / n])
        return float(np.linalg.norm(gradient))


def _rows(problem, shape, title, mix, quick):
    ends = {}
    calls = {f"skkd, {solver}": _ours(problem, mix, solver, ends) for solver in ("newton", "lbfgs")}
    if find_spec("torch"):
        for history in HISTORY:
            calls[f"torch L-BFGS, history {history}"] = _torch(problem, mix, history, ends)
    if mix[0] == 0.0:
        calls["scikit-learn, replicated rows"] = _sklearn(problem, ends)
    repeats = 3 if quick or shape[2] > 10 else 5
    timings = measure(calls, repeats=repeats, warmup=0, pause=0.2, max_seconds=150.0)
    rows = []
    for name, timing in timings.items():
        where = (f"{shape[0]} x {shape[1]}, {shape[2]} classes", title, name)
        if timing.problem:
            rows.append((*where, None, None, timing.problem, None, None))
            continue
        gain = ratio(timings, name, "skkd, newton")
        quartiles = f"{gain.low:.2f}-{gain.high:.2f}"
        norm = problem.gradient_norm(*ends[name], mix)
        rows.append((*where, timing.median, gain.value, quartiles, timing.first, norm))
    return rows


def _ours(problem, mix, solver, ends):
    ce, kd, T = mix

    def call():
        model = DistilledLogisticRegression(
            ce_weight=ce,
            kd_weight=kd,
            temperature=T,
            alpha=ALPHA,
            tol=TOL / 10,
            solver=solver,
        )
        model.fit(problem.X, problem.y, teacher_logits=problem.teacher)
        ends[f"skkd, {solver}"] = model.coef_.T, model.intercept_

    return call


def _torch(problem, mix, history, ends):
    torch = importlib.import_module("torch")
    ce, kd, T = mix
    F = torch.nn.functional

    def call():
        X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
        q = torch.softmax(torch.from_numpy(problem.teacher) / T, dim=1)
        shape = (X.shape[1] + 1, q.shape[1])
        W = torch.zeros(shape, dtype=X.dtype, requires_grad=True)
        optimiser = torch.optim.LBFGS(
            [W],
            max_iter=2000,
            max_eval=5000,
            history_size=history,
            line_search_fn="strong_wolfe",
            tolerance_grad=TOL / 10,  # of the largest entry
            tolerance_change=0.0,
        )

        def closure():
            optimiser.zero_grad()
            Z = torch.addmm(W[-1:], X, W[:-1])
            value = kd * T**2 * F.cross_entropy(Z / T, q) + 0.5 * ALPHA * (W[:-1] ** 2).sum()
            if ce:
                value = value + ce * F.cross_entropy(Z, y)
            value.backward()
            return value

        optimiser.step(closure)
        end = W.detach().numpy()
        ends[f"torch L-BFGS, history {history}"] = end[:-1], end[-1]

    return call


def _sklearn(problem, ends):
    n, n_classes = problem.teacher.shape
    weight = np.exp(log_softmax(problem.teacher, axis=1)).ravel()
    rows = np.repeat(np.arange(n), n_classes)
    labels = np.tile(np.arange(n_classes), n)

    def call():
        model = LogisticRegression(C=1.0 / (ALPHA * n), tol=TOL, max_iter=1000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(problem.X[rows], labels, sample_weight=weight)
        ends["scikit-learn, replicated rows"] = model.coef_.T, model.intercept_

    return call
