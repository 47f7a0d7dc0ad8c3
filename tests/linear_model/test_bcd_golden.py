"""Reference optima, solved by several peers and certified to 1e-11."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from skkd.linear_model import BCDClassifier, BCDRegressor
from tests.golden._bcd_cases import optima
from tests.linear_model._bcd import LAYOUTS

KINDS = ("ridge", "enet", "grouplasso", "logl1", "logl2", "multil2")


def cases():
    return [key for key in optima()[1] if key.split("|")[1] in KINDS]


def reference(key):
    """Estimator, rows, targets, factor from mean to sum, optimum and coefficients of a case."""
    arrays, index = optima()
    tag, kind, *words = key.split("|")
    facts = index[key]
    given = dict(word.split("=") for word in words if "=" in word)
    X = arrays[f"{tag}|X"]
    n = len(X)
    intercept = {"fit_intercept": "int" in words, "tol": 1e-12}
    if kind == "enet":
        params = {"l1_ratio": float(given["r"]), "positive": "pos" in words, **intercept}
        model = BCDRegressor(facts["alpha"], penalty="elasticnet", **params)
    elif kind == "grouplasso":
        groups = {"penalty": "group_l1", "groups": int(given["gs"])}
        model = BCDRegressor(facts["alpha"], **groups, **intercept)
    elif kind == "ridge":
        model = BCDRegressor(float(given["a"]) / n, **intercept)
    elif kind == "logl1":
        model = BCDClassifier(facts["lam"] / n, penalty="l1", **intercept)
    else:
        model = BCDClassifier(1.0 / (float(given["C"]) * n), **intercept)
    labels = {"logl1": "yb", "logl2": "yb", "multil2": "yc"}.get(kind, "y")
    factor = 1 if kind in ("enet", "grouplasso") else n
    coef = np.atleast_2d(arrays[f"{key}|coef"])[:, : X.shape[1]]
    return model, X, arrays[f"{tag}|{labels}"], factor, facts["obj"], coef


def test_every_kind_is_there():
    assert {key.split("|")[1] for key in cases()} == set(KINDS)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("key", cases())
def test_optimum(key, layout):
    model, X, y, factor, optimum, coef = reference(key)
    model = clone(model).fit(LAYOUTS[layout](X), y)
    assert factor * model.objective_ == pytest.approx(optimum, rel=1e-10)
    # The gap of 1e-12 leaves sqrt(2e-12 / l2) to the coefficients, where a ridge is all there is.
    loose = model.penalty in ("l2", "elasticnet")
    assert_allclose(np.atleast_2d(model.coef_), coef, atol=5e-6 if loose else 1e-6)


@pytest.mark.parametrize("layout", ["C", "F", "csc"])
@pytest.mark.parametrize("key", cases())
def test_optimum_of_float32_rows(key, layout):
    model, X, y, factor, optimum, coef = reference(key)
    model = clone(model).fit(LAYOUTS[layout](X.astype(np.float32)), y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    # Rounding of X, and the gap of 1e-6 below which float32 cannot tell.
    assert factor * model.objective_ == pytest.approx(optimum, rel=2e-6)
    assert_allclose(np.atleast_2d(model.coef_), coef, atol=2e-3 * max(1.0, np.abs(coef).max()))
