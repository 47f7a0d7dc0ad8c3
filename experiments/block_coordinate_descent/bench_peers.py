"""Every method that is timed: how it is called so that it minimises the objective of a problem.

A method is a function ``fit(problem, tol, **setting) -> (coef, intercept)``. Conversions, with
n rows and alpha as in :mod:`bench_problems`:

==========================  =============================================================
scikit-learn Lasso, enet    the same numbers
scikit-learn logistic       ``C = 1 / (n alpha)``
scikit-learn Ridge          ``alpha n``
celer, skglm squared        the same; groups: weights ``sqrt(|g|)``
celer logistic              ``C = 1 / (n alpha)``; skglm: the same alpha
glmnet                      ``lambda = alpha``, its alpha is l1_ratio; not standardised
snapml                      ``regularizer = n alpha``
adelie                      ``lmda = alpha``, its alpha is l1_ratio; penalty ``sqrt(|g|)``
==========================  =============================================================

Nothing is believed: the objective of each timed setting is computed by the benchmark. Libraries are
imported on first use, adelie in an environment of its own (:mod:`bench_worker`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from experiments.block_coordinate_descent import bench_adelie

__all__ = ["PEERS", "Peer", "applicable", "fit"]

UNLIMITED = 1_000_000  # iterations; time is what is limited
REGRESSION = ("lasso", "enet")


@dataclass(frozen=True)
class Peer:
    """A method: what it can minimise and the knobs worth trying.

    Parameters
    ----------
    fit : callable
        ``fit(problem, tol, **setting)``.
    module : str
        What must be importable.
    families : tuple of str
        Families of problems that it minimises exactly.
    settings : callable
        ``settings(problem)``: keyword arguments to try; empty where it does not apply.
    loosest, tightest : int
        Exponents of the ladder of tolerances; equal for a direct method.
    intercept, paths : bool
        Whether it can fit a free intercept, and a path in one call or with warm starts.
    elsewhere : bool
        Whether it runs in an environment of its own.
    compiles : bool
        Whether functions are compiled when first used.
    """

    fit: Callable
    module: str
    families: tuple
    settings: Callable = lambda problem: [{}]
    loosest: int = 0
    tightest: int = -14
    intercept: bool = True
    paths: bool = True
    elsewhere: bool = False
    compiles: bool = False

    @property
    def installed(self) -> bool:
        """Whether this interpreter can import it."""
        try:
            return find_spec(self.module) is not None
        except ModuleNotFoundError:
            return False


def applicable(problem) -> dict:
    """Name and settings of the methods that apply to a problem, likely winners first."""
    spec = problem.spec
    found = {}
    for name, peer in PEERS.items():
        if spec.family not in peer.families or (spec.fit_intercept and not peer.intercept):
            continue
        if spec.path and not peer.paths:
            continue
        settings = peer.settings(problem)
        if settings:
            found[name] = settings
    return found


def fit(name, problem, tol, setting):
    """Minimise a problem by a method; coefficients and intercept in that method's own shape."""
    return PEERS[name].fit(problem, tol, **setting)


def _fitted(model):
    return model.coef_, model.intercept_


def _one_by_one(problem, make):
    """Fit ``make(alpha, previous)`` along the alphas."""
    model, coefs, intercepts = None, [], []
    for alpha in problem.alphas:
        model = make(alpha, model)
        coefs.append(np.array(model.coef_).reshape(-1))
        intercepts.append(float(np.ravel(model.intercept_)[0]))
    return np.array(coefs), np.array(intercepts)


# --- ours ---


def _skkd(problem, tol):
    from skkd.linear_model import BCDClassifier, BCDRegressor

    spec = problem.spec
    penalty = {"lasso": "l1", "logistic": "l1", "enet": "elasticnet", "group": "group_l1"}
    options = {
        "penalty": penalty.get(spec.family, "l2"),
        "fit_intercept": spec.fit_intercept,
        "tol": tol,
        "max_iter": 10_000,
    }
    if spec.family == "enet":
        options["l1_ratio"] = spec.l1_ratio
    if problem.groups:
        options["groups"] = problem.groups
    squared = spec.family in (*REGRESSION, "group", "ridge")
    by_rows = spec.family in ("l2-logistic", "multinomial", "ridge")
    X = problem.X_rows if by_rows else problem.X
    model = (BCDRegressor if squared else BCDClassifier)(problem.alpha, **options)
    if spec.path:
        path = model.path(X, problem.y, problem.alphas)
        n_alphas = len(problem.alphas)
        return path.coefs.reshape(n_alphas, -1), np.reshape(path.intercepts, n_alphas)
    return _fitted(model.fit(X, problem.y))


# --- scikit-learn and scikit-learn-intelex ---


def _sklearn_enet(problem, tol, precompute=False):
    from sklearn.linear_model import ElasticNet, Lasso, enet_path

    spec = problem.spec
    # Without an intercept nothing is written into X, and so the copy is spared.
    common = {"tol": tol, "max_iter": UNLIMITED, "copy_X": spec.fit_intercept}
    if spec.path:
        common["precompute"] = "auto" if precompute else False
        _, coefs, _ = enet_path(
            problem.X, problem.y, l1_ratio=spec.l1_ratio, alphas=problem.alphas, **common
        )
        return coefs.T, 0.0
    common |= {"fit_intercept": spec.fit_intercept, "precompute": precompute}
    if spec.family == "lasso":
        return _fitted(Lasso(problem.alpha, **common).fit(problem.X, problem.y))
    model = ElasticNet(problem.alpha, l1_ratio=spec.l1_ratio, **common)
    return _fitted(model.fit(problem.X, problem.y))


def _gram_or_not(problem):
    small = not problem.is_sparse and problem.X.shape[1] < problem.n
    return [{}, {"precompute": True}] if small else [{}]


def _sklearn_logistic(solver, module="sklearn.linear_model"):
    def fit(problem, tol, **options):
        from importlib import import_module

        estimator = import_module(module).LogisticRegression
        spec = problem.spec
        if spec.family == "logistic":
            options["l1_ratio"] = 1.0
        # Coordinate descent and the stochastic methods read rows; so does every solver here.
        X, y = problem.X_rows, problem.y
        options |= {"solver": solver, "tol": tol, "fit_intercept": spec.fit_intercept}
        options |= {"max_iter": 100_000, "warm_start": spec.path and solver == "saga"}

        def make(alpha, previous=None):
            model = previous if previous is not None else estimator(**options)
            return model.set_params(C=1.0 / (alpha * problem.n)).fit(X, y)

        return _one_by_one(problem, make) if spec.path else _fitted(make(problem.alpha))

    return fit


def _primal_or_dual(problem):
    return [{}, {"dual": True}] if problem.spec.family == "l2-logistic" else [{}]


def _hessian_fits(problem):
    n_classes = len(np.unique(problem.y)) if problem.spec.family == "multinomial" else 1
    return [{}] if problem.X.shape[1] * n_classes <= 6_000 else []


def _ridge(module):
    def fit(problem, tol, solver="auto"):
        from importlib import import_module

        model = import_module(module).Ridge(
            problem.alpha * problem.n,
            fit_intercept=problem.spec.fit_intercept,
            solver=solver,
            tol=tol,
            max_iter=100_000,
        )
        return _fitted(model.fit(problem.X_rows, problem.y))

    return fit


def _ridge_direct(problem):
    if problem.is_sparse:
        return [{"solver": "cholesky"}] if min(problem.X.shape) <= 5_000 else []
    return [{"solver": "cholesky"}, {"solver": "svd"}]


def _ridge_iterative(problem):
    return [{"solver": solver} for solver in ("lsqr", "sparse_cg", "sag", "saga")]


# --- skglm and celer ---


def _skglm(problem, tol):
    import skglm

    spec, y = problem.spec, problem.y
    # Its tolerance is a violation of the optimality conditions, on the scale of alpha.
    common = {
        "tol": tol * problem.alpha,
        "fit_intercept": spec.fit_intercept,
        "max_iter": 1_000,
    }
    if spec.family == "group":
        weights = np.sqrt([len(group) for group in problem.groups])
        model = skglm.GroupLasso(len(problem.groups[0]), problem.alpha, weights, **common)
    elif spec.family == "logistic":
        return _skglm_logistic(problem, common)
    elif spec.family == "lasso":
        model = skglm.Lasso(problem.alpha, **common)
    else:
        model = skglm.ElasticNet(problem.alpha, spec.l1_ratio, **common)
    if spec.path:
        return model.path(problem.X, y, problem.alphas)[1].T, 0.0
    return _fitted(model.fit(problem.X, y))


def _skglm_logistic(problem, common):
    from skglm import SparseLogisticRegression

    def make(alpha, previous=None):
        model = previous
        if model is None:
            model = SparseLogisticRegression(alpha, warm_start=problem.spec.path, **common)
        return model.set_params(alpha=alpha).fit(problem.X, problem.y)

    return _one_by_one(problem, make) if problem.spec.path else _fitted(make(problem.alpha))


def _celer(problem, tol, solver="celer-pn"):
    import celer

    spec, y = problem.spec, problem.y
    if spec.path:
        return _celer_path(problem, tol)
    common = {"tol": tol, "fit_intercept": spec.fit_intercept, "max_iter": 1_000}
    if spec.family == "logistic":
        C = 1.0 / (problem.n * problem.alpha)
        model = celer.LogisticRegression(C, solver=solver, **common)
    elif spec.family == "group":
        size = len(problem.groups[0])
        weights = np.full(len(problem.groups), np.sqrt(size))
        model = celer.GroupLasso(size, problem.alpha, weights=weights, **common)
    elif spec.family == "lasso":
        model = celer.Lasso(problem.alpha, **common)
    else:
        model = celer.ElasticNet(problem.alpha, spec.l1_ratio, **common)
    model.copy_X = spec.fit_intercept  # no parameter, but it is obeyed
    return _fitted(model.fit(problem.X, y))


def _celer_path(problem, tol):
    from celer import celer_path

    logistic = problem.spec.family == "logistic"
    coefs = celer_path(
        problem.X,
        problem.y,
        "logreg" if logistic else "lasso",
        alphas=problem.alphas * (problem.n if logistic else 1),
        l1_ratio=problem.spec.l1_ratio,
        use_PN=logistic,
        prune=1,
        tol=tol,
        max_iter=1_000,
    )[1]
    return coefs.T, 0.0


def _celer_settings(problem):
    spec = problem.spec
    if spec.family == "logistic" and spec.fit_intercept:
        return []  # "intercept fitting is not implemented"
    return [{}]


# --- glmnet ---


def _glmnet(problem, tol, n_lambda=1):
    from glmnet import ElasticNet, LogitNet

    spec = problem.spec
    alphas = problem.alphas
    if n_lambda > 1:
        # It is made for paths: a few strengths on the way down help it.
        alphas = problem.alpha * np.geomspace(0.9 / spec.fraction, 1.0, n_lambda)
    family_ratio = spec.l1_ratio if spec.family in (*REGRESSION, "logistic") else 0.0
    squared = spec.family in (*REGRESSION, "ridge")
    model = (ElasticNet if squared else LogitNet)(
        alpha=family_ratio,
        lambda_path=alphas,
        standardize=False,
        fit_intercept=spec.fit_intercept,
        n_splits=0,
        tol=tol,
        max_iter=100 * UNLIMITED,
    )
    model._fit(problem.X, problem.y, *(np.ones(problem.n),) * squared, None)
    return _glmnet_solution(problem, model)


def _glmnet_solution(problem, model):
    coefs = model.coef_path_  # ([classes,] features, lambdas)
    if problem.spec.path:
        return coefs.reshape(-1, coefs.shape[-1]).T, 0.0
    return coefs[..., -1], model.intercept_path_[..., -1]


def _glmnet_settings(problem):
    spec = problem.spec
    if spec.path or spec.family in ("ridge", "l2-logistic", "multinomial"):
        return [{}]
    return [{}, {"n_lambda": 10}]


# --- snapml ---


def _snapml(problem, tol, **setting):
    import snapml

    spec = problem.spec
    squared = spec.family == "ridge"
    penalty = "l1" if spec.family == "logistic" else "l2"
    model = (snapml.LinearRegression if squared else snapml.LogisticRegression)(
        max_iter=100_000,
        regularizer=problem.alpha * problem.n,
        penalty=penalty,
        tol=tol,
        random_state=0,
        normalize=False,
        **setting,
    )
    model.fit(problem.X_rows, problem.y)
    return model.coef_, 0.0


def _snapml_settings(problem):
    threads = (1, 2)
    if problem.spec.family == "logistic":
        return [{"dual": False, "n_jobs": k} for k in threads]
    return [{"dual": dual, "n_jobs": k} for dual in (True, False) for k in threads]


_LOGISTIC = ("logistic", "l2-logistic")
_SMOOTH = ("l2-logistic", "multinomial")

PEERS = {
    "skkd": Peer(
        _skkd,
        "skkd",
        (*REGRESSION, "logistic", "group", "ridge", *_SMOOTH),
        loosest=-1,
        compiles=True,
    ),
    "skglm": Peer(_skglm, "skglm", (*REGRESSION, "logistic", "group"), tightest=-12, compiles=True),
    "celer": Peer(_celer, "celer", (*REGRESSION, "logistic", "group"), _celer_settings, loosest=-1),
    "scikit-learn": Peer(_sklearn_enet, "sklearn", REGRESSION, _gram_or_not, loosest=-1),
    "scikit-learn liblinear": Peer(
        _sklearn_logistic("liblinear"),
        "sklearn",
        _LOGISTIC,
        _primal_or_dual,
        loosest=1,
        intercept=False,  # it penalises the intercept
    ),
    "scikit-learn lbfgs": Peer(_sklearn_logistic("lbfgs"), "sklearn", _SMOOTH, loosest=2),
    "scikit-learn newton-cg": Peer(_sklearn_logistic("newton-cg"), "sklearn", _SMOOTH, loosest=2),
    "scikit-learn newton-cholesky": Peer(
        _sklearn_logistic("newton-cholesky"), "sklearn", _SMOOTH, _hessian_fits, loosest=2
    ),
    "intelex lbfgs": Peer(
        _sklearn_logistic("lbfgs", "sklearnex.linear_model"), "sklearnex", _SMOOTH, loosest=2
    ),
    "intelex newton-cg": Peer(
        _sklearn_logistic("newton-cg", "sklearnex.linear_model"), "sklearnex", _SMOOTH, loosest=2
    ),
    "adelie": Peer(
        bench_adelie.fit,
        "adelie",
        (*REGRESSION, "logistic", "group", "ridge", *_SMOOTH),
        bench_adelie.settings,
        loosest=-2,
        tightest=-20,
        elsewhere=True,
    ),
    "scikit-learn direct": Peer(
        _ridge("sklearn.linear_model"), "sklearn", ("ridge",), _ridge_direct, tightest=0
    ),
    "scikit-learn iterative": Peer(
        _ridge("sklearn.linear_model"), "sklearn", ("ridge",), _ridge_iterative
    ),
    "intelex ridge": Peer(_ridge("sklearnex.linear_model"), "sklearnex", ("ridge",), tightest=0),
    "glmnet": Peer(
        _glmnet,
        "glmnet",
        (*REGRESSION, "logistic", "ridge", *_SMOOTH),
        _glmnet_settings,
        loosest=-2,
        tightest=-22,
    ),
    "snapml": Peer(
        _snapml,
        "snapml",
        ("logistic", "ridge", "l2-logistic"),  # several classes are one against the rest
        _snapml_settings,
        intercept=False,  # it penalises the intercept
        paths=False,
    ),
    "scikit-learn saga": Peer(
        _sklearn_logistic("saga"), "sklearn", ("logistic", *_SMOOTH), tightest=-12
    ),
    "scikit-learn sag": Peer(_sklearn_logistic("sag"), "sklearn", _SMOOTH, tightest=-12),
}
