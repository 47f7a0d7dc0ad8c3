"""Rates of margin maximisation, with momentum and without (Ji, Srebro, Telgarsky, ICML 2021)."""

import math

import numpy as np
import pytest

from skkd.linear_model import MaxMarginGD
from tests.theory._sets import SETS, signed

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def relative_gap(name, momentum, updates):
    """How far the margin is from the largest, rows scaled to norm at most 1."""
    X, y = SETS[name]
    _, radius, margin, _ = signed(name)
    model = MaxMarginGD(momentum, fit_intercept=False, max_iter=updates, tol=0.0).fit(X, y)
    return (margin - model.margin_) / radius, margin / radius, len(y)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("updates", [1, 10, 100, 1000])
def test_momentum_rate(name, updates):
    gap, margin, n_samples = relative_gap(name, True, updates)
    logs = 4 * (1 + math.log(n_samples)) * (1 + 2 * math.log(updates + 1))
    assert gap <= logs / (margin * (updates + 1) ** 2)
    assert gap >= -1e-12


@pytest.mark.parametrize("name", SETS)
def test_plain_rate(name):
    """Without momentum the gap falls like 1 / t; with it, it is no larger in the end."""
    gap, margin, n_samples = relative_gap(name, False, 1000)
    assert gap <= (1 + math.log(n_samples)) / (margin * 1000)
    assert relative_gap(name, True, 1000)[0] <= gap + 1e-9


@pytest.mark.parametrize("name", ["wide margin", "narrow margin", "iris setosa"])
def test_momentum_converges_faster_than_one_over_t(name):
    gaps = np.array([relative_gap(name, True, updates)[0] for updates in (100, 1600)])
    # One over t would be a factor of 16.
    assert gaps[1] <= max(gaps[0] / 32, 1e-10)
