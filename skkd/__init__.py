"""skkd: scikit-learn-compatible estimators for classification, optimisation and distillation.

The package implements the methods of a set of papers on classification theory, convex
optimisation and knowledge distillation in their exact linear form. Everything meets in logit
space: a loss is a function of logits and targets (:mod:`skkd.losses`), an objective pulls it
back through a linear map (:mod:`skkd.objectives`), a solver is a generator of iterates
(:mod:`skkd.solvers`), and an estimator (:mod:`skkd.linear_model`) only translates.

Submodules are loaded on first use (PEP 562): ``import skkd`` costs no more than
``import sklearn``.
"""

import importlib

__version__ = "0.1.0"

_SUBMODULES = (
    "datasets",
    "distillation",
    "linear_model",
    "losses",
    "metrics",
    "model_selection",
    "naive_bayes",
    "objectives",
    "penalties",
    "plotting",
    "semi_supervised",
    "solvers",
)

__all__ = [
    "__version__",
    "datasets",
    "distillation",
    "linear_model",
    "losses",
    "metrics",
    "model_selection",
    "naive_bayes",
    "objectives",
    "penalties",
    "plotting",
    "semi_supervised",
    "solvers",
]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"skkd.{name}")
    raise AttributeError(f"module 'skkd' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBMODULES])
