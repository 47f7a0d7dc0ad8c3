"""scikit-learn's checks on every public estimator, array API checks included."""

import importlib.util
from functools import cache, partial
from unittest import SkipTest

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.utils._array_api import yield_namespace_device_dtype_combinations
from sklearn.utils._testing import _array_api_for_tests
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skkd._backend import to_numpy
from tests._discovery import all_estimators
from tests.contract._instances import (
    INSTANCES,
    NOT_FOR_CHECKS,
    expected_failures,
    instances,
    shortened,
)

# The checks use data that no line separates and cut max_iter down to 5 or so.
# Two distinct rows in a class leave one direction for its parts, which LELP must warn of.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:n_subclasses=.*was lowered:UserWarning"),
]


def _cupy_without_device(namespace):
    """Whether CuPy is installed on a machine without a GPU: it imports there, and then fails."""
    if namespace != "cupy" or importlib.util.find_spec("cupy") is None:
        return False
    import cupy

    return not cupy.cuda.is_available()


def _namespaces(check):
    """Array libraries that a check asks for."""
    keywords = getattr(check, "keywords", {})
    found = {keywords.get("array_namespace")}
    for name in ("X_ns_and_device", "other_ns_and_device"):
        if name in keywords:
            found.add(keywords[name].xp)
    return found


def _checks():
    """All checks of all instances; printing an estimator once, not for each of its checks."""
    mark = parametrize_with_checks(
        instances(), expected_failed_checks=expected_failures, xfail_strict=True
    ).mark
    names, checks = mark.args
    return pytest.mark.parametrize(names, list(checks), ids=cache(mark.kwargs["ids"]))


@_checks()
def test_estimator_meets_check(estimator, check):
    if any(_cupy_without_device(namespace) for namespace in _namespaces(check)):
        pytest.skip("cupy is installed but there is no CUDA device")
    check(estimator)


def test_every_public_estimator_is_under_test():
    assert {type(estimator) for estimator in instances()} == set(all_estimators())


def test_registry_holds_public_estimators_only():
    assert set(INSTANCES) <= set(all_estimators())


def test_registry_tries_every_option_of_every_estimator():
    """Each string option and each boolean of a constructor occurs in some instance.

    A new option is then at least fitted once by the whole suite.
    """
    untried = []
    for cls in all_estimators():
        tried = [estimator.get_params() for estimator in instances() if type(estimator) is cls]
        for name, constraints in cls._parameter_constraints.items():
            options = set()
            for constraint in constraints:
                options |= set(getattr(constraint, "options", ()))
                options |= {True, False} if constraint == "boolean" else set()
            seen = [params[name] for params in tried]
            seen += [option for parameter, option in NOT_FOR_CHECKS if parameter == name]
            untried += [
                f"{cls.__name__}({name}={option!r})" for option in options if option not in seen
            ]
    assert not untried


@pytest.mark.parametrize("estimator", instances(), ids=repr)
def test_excuses_are_single_checks_that_exist(estimator):
    names = {
        (check.func if isinstance(check, partial) else check).__name__
        for _, check in estimator_checks_generator(estimator)
    }
    excused = expected_failures(estimator)
    assert set(excused) <= names
    assert len(excused) <= 1
    # Naming an array API check would excuse every library at once.
    assert not any("array_api" in name for name in excused)


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
@pytest.mark.parametrize("estimator_class", all_estimators(), ids=lambda cls: cls.__name__)
def test_array_api_checks_really_run(estimator_class, library):
    """With the library installed they are offered, and do not skip."""
    pytest.importorskip(library)
    estimator = next(est for est in instances() if type(est) is estimator_class)
    if not estimator.__sklearn_tags__().array_api_support:
        pytest.skip(f"{estimator_class.__name__} does not claim array API support")
    offered = [
        check
        for _, check in estimator_checks_generator(estimator)
        if library in _namespaces(check)
        and getattr(check, "keywords", {}).get("device_name") in ("cpu", "CPU_DEVICE")
    ]
    assert offered
    try:
        offered[0](estimator)
    except SkipTest as skipped:
        pytest.fail(f"skipped although {library} is installed: {skipped}")


@pytest.mark.parametrize(
    ("namespace", "device_name", "dtype_name"),
    list(yield_namespace_device_dtype_combinations(include_numpy_namespaces=False)),
)
@pytest.mark.parametrize(
    "estimator",
    [est for est in instances() if est.__sklearn_tags__().array_api_support],
    ids=repr,
)
def test_values_agree_with_numpy(estimator, namespace, device_name, dtype_name):
    """Not only shapes and devices, as in the checks above, but numbers.

    10 updates: before rounding differences between libraries have grown. scikit-learn's own
    check of values is of no use here, since its accuracy is a float32 in torch.
    """
    if _cupy_without_device(namespace):
        pytest.skip("cupy is installed but there is no CUDA device")
    xp, device = _array_api_for_tests(namespace, device_name, dtype_name)
    # Sinkhorn's updates are shared among ten rounds over batches.
    estimator = shortened(estimator, 20 if getattr(estimator, "loss", "") == "sinkhorn" else 10)
    X, y = make_classification(n_samples=30, n_features=10, random_state=42)
    X = X.astype(dtype_name or "float64")
    expected = clone(estimator).fit(X, y)
    with config_context(array_api_dispatch=True):
        fitted = estimator.fit(xp.asarray(X, device=device), xp.asarray(y, device=device))
        logits = _answer(fitted)(xp.asarray(X, device=device))
    logits, expected_logits = to_numpy(logits), _answer(expected)(X)
    # 2e-3 in float32: rounding of 6e-8 that large steps have multiplied by a few thousand.
    tolerance = 2e-3 if dtype_name == "float32" else 1e-10
    assert np.abs(logits - expected_logits).max() <= tolerance * np.abs(expected_logits).max()
    if dtype_name != "float32":  # there the last updates are rounding, which is each library's own
        assert getattr(fitted, "n_iter_", None) == getattr(expected, "n_iter_", None)


def _answer(estimator):
    """Method whose numbers tell what was learned."""
    return getattr(estimator, "decision_function", None) or estimator.transform
