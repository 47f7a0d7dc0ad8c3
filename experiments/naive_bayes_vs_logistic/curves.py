"""Learning curves: errors of one method on subsets of growing size.

The subsets depend on the set, the sizes and the seed alone, so that methods that are run apart
have learned from the same rows and may be compared repeat by repeat.
"""

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

from skkd.datasets import make_shared_variance_mixture
from skkd.model_selection import compare_learning_curves

from . import methods, sets


def real(configuration: dict) -> dict:
    """Errors on real data: features scaled to [0, 1] by the subset, tested on all other rows."""
    X, y = sets.load(configuration["set"], configuration.get("file"))
    penalties = []
    scoring = _error_and_penalty(penalties)
    record = _curve(configuration, X, y, scaler=MinMaxScaler(), scoring=scoring)
    facts = {"n_rows": X.shape[0], "n_features": X.shape[1], "n_of_classes": int(y.max()) + 1}
    return {**facts, **record, "penalties": penalties}


def replay(configuration: dict) -> dict:
    """Errors on the very splits of a run of the authors' program; none where a class is missing."""
    X, y = sets.load(configuration["set"])
    rows, n_classes, splits = np.arange(y.size), np.unique(y).size, {}
    for m in _sizes(configuration):
        pair = train_test_split(rows, train_size=m, random_state=configuration["seed"])
        if np.unique(y[pair[0]]).size == n_classes:
            splits[m] = [pair]
    with methods.as_in_the_paper():
        found = compare_learning_curves(
            {"one": methods.make(configuration["method"])},
            X,
            y,
            splits=splits,
            scaler=MinMaxScaler(),
        )
    errors = dict(zip(found.train_sizes.tolist(), found.test_scores[0, :, 0].tolist(), strict=True))
    return {"errors": [errors.get(m) for m in _sizes(configuration)]}


def population(configuration: dict) -> dict:
    """Errors on the correlated mixture: exact, and beside the limits of the two methods."""
    size = max(_sizes(configuration))
    X, y, design = make_shared_variance_mixture(
        2 * size,
        configuration["n"],
        configuration["n_classes"],
        covariance="correlated",
        correlation=configuration["correlation"],
        random_state=configuration["seed"],
        return_distribution=True,
    )
    return {**_curve(configuration, X, y, risk=_exact(design)), **_limits(design)}


def limits(configuration: dict) -> dict:
    """Errors that naive Bayes and the best rule tend to on the correlated mixture."""
    _, _, design = make_shared_variance_mixture(
        configuration["n_classes"],
        configuration["n"],
        configuration["n_classes"],
        covariance="correlated",
        correlation=configuration["correlation"],
        random_state=0,
        return_distribution=True,
    )
    return _limits(design)


def _limits(design):
    return {"naive_bayes_limit": design.naive_bayes_error(), "bayes_error": design.bayes_error()}


def _curve(configuration, X, y, **options):
    with methods.as_in_the_paper():
        found = compare_learning_curves(
            {"one": methods.make(configuration["method"])},
            X,
            y,
            train_sizes=_sizes(configuration),
            n_repeats=1,
            random_state=configuration["seed"],
            **options,
        )
    return {"errors": found.test_scores[0, :, 0].tolist(), "redraws": int(found.n_redraws.sum())}


def _sizes(configuration):
    return [int(size) for size in configuration["train_sizes"]]


def _error_and_penalty(penalties):
    def error(model, X, y):
        penalties.append(getattr(model, "best_params_", {}).get("C"))
        return float(np.mean(model.predict(X) != y))

    return error


def _exact(design):
    """Risk of a linear classifier, also of one that a search over penalties has refitted."""

    def risk(model):
        return design.estimator_error(getattr(model, "best_estimator_", model))

    return risk
