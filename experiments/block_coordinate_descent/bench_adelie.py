"""How adelie is called; it needs NumPy 1 and so an interpreter of its own.

Its group norms carry the weights ``sqrt(|g|)`` as ours do. It is made for paths, and far from zero
a few strengths on the way down help it much; with many rows so does the covariance form, whose
Gram matrix is then part of the time.
"""

import numpy as np

__all__ = ["fit", "settings"]

SQUARED_L1 = ("lasso", "enet")


def fit(problem, tol, n_lambda=1, covariance=False, n_threads=1):
    """Minimise a problem; coefficients and intercept, for a path one row for each alpha."""
    import adelie

    spec = problem.spec
    alphas = problem.alphas
    if n_lambda > 1:
        alphas = problem.alpha * np.geomspace(0.9 / spec.fraction, 1.0, n_lambda)
    options = _options(problem, tol, alphas)
    if covariance:
        # The Gram matrix is part of the time.
        gram = problem.X.T @ problem.X / problem.n
        v = problem.X.T @ problem.y / problem.n
        state = adelie.solver.gaussian_cov(gram, v, rdev_tol=0.0, **options)
        return _solution(problem, state, has_intercept=False)
    wrap = adelie.matrix.sparse if problem.is_sparse else adelie.matrix.dense
    X = wrap(problem.X, method="naive", n_threads=n_threads)
    state = adelie.grpnet(
        X,
        _glm(problem),
        intercept=spec.fit_intercept,
        irls_tol=tol,
        adev_tol=1.0,
        ddev_tol=0.0,
        n_threads=n_threads,
        **options,
    )
    return _solution(problem, state)


def _options(problem, tol, alphas):
    spec = problem.spec
    options = {
        "lmda_path": alphas,
        "alpha": spec.l1_ratio if spec.family in (*SQUARED_L1, "logistic") else 0.0,
        "tol": tol,
        "early_exit": False,
        "progress_bar": False,
    }
    if spec.family == "multinomial":
        # Its multinomial loss is divided by the number of classes.
        options["lmda_path"] = alphas / len(np.unique(problem.y))
        options["penalty"] = np.ones(problem.X.shape[1])
    if problem.groups:
        options["alpha"] = 1.0
        options["groups"] = np.array([group[0] for group in problem.groups])
    return options


def _glm(problem):
    from adelie import glm

    if problem.spec.family in ("logistic", "l2-logistic"):
        return glm.binomial((problem.y + 1) / 2)
    if problem.spec.family == "multinomial":
        return glm.multinomial(np.eye(int(problem.y.max()) + 1)[problem.labels])
    return glm.gaussian(problem.y)


def _solution(problem, state, has_intercept=True):
    coefs = state.betas.toarray()
    intercepts = np.asarray(state.intercepts) if has_intercept else np.zeros(len(coefs))
    if problem.spec.path:
        return coefs, intercepts
    if problem.spec.family == "multinomial":
        k = int(problem.y.max()) + 1
        return coefs[-1].reshape(-1, k).T, intercepts[-1]
    return coefs[-1], intercepts[-1]


def settings(problem):
    """Return the keyword arguments worth trying."""
    spec = problem.spec
    if spec.path:
        return [{}, {"n_threads": 2}]
    if spec.family == "multinomial":
        return [{}]
    settings = [{}, {"n_threads": 2}]
    if spec.fraction < 0.5:
        settings.append({"n_lambda": 20})
    if spec.family in (*SQUARED_L1, "group") and problem.X.shape[1] <= 1_000 and problem.n > 1_000:
        settings += [] if spec.fit_intercept else [{"covariance": True}]
    return settings
