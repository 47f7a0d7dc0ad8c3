"""Laws of growth: recovery, uncertainty, and a fair comparison."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import curve_fit, minimize_scalar
from scipy.stats import linregress, t
from sklearn.utils._param_validation import InvalidParameterError

from skkd.model_selection import fit_growth

N = np.array([50, 100, 200, 400, 1000, 2000])
ALL = ("constant", "log", "linear", "power")
LAWS = {
    "constant": (lambda n, a: a + 0.0 * n, [7.0]),
    "log": (lambda n, a, b: a + b * np.log(n), [-3.0, 5.0]),
    "linear": (lambda n, a, b: a + b * n, [20.0, 1.5]),
    "power": (lambda n, a, b: a * n**b, [0.8, 0.6]),
}


def noisy(law, scale, seed, n_repeats=4):
    f, coef = LAWS[law]
    noise = np.random.RandomState(seed).standard_normal((N.size, n_repeats))
    return f(N, *coef)[:, None] + scale * noise


@pytest.mark.parametrize("law", ALL)
def test_exact_data_are_recovered(law):
    f, coef = LAWS[law]
    growth = fit_growth(N, f(N, *coef), models=ALL)
    assert growth.best == law
    fit = growth[law]
    assert_allclose(fit.coef, coef, rtol=1e-9)
    assert_allclose(fit.standard_errors, 0, atol=1e-8)
    assert_allclose(fit.predict(N), f(N, *coef), rtol=1e-11)
    assert math.isnan(fit.r2) if law == "constant" else fit.r2 == pytest.approx(1.0, abs=1e-12)
    assert fit.n_points == 6 and fit.model == law


@pytest.mark.parametrize("law", ALL)
def test_noisy_data_are_told_apart(law):
    """AIC chooses the right law, but a constant may look like a law with a slope by chance."""
    best = [fit_growth(N, noisy(law, 1.0, s), models=ALL).best for s in range(40)]
    assert best.count(law) >= {"constant": 26, "log": 35, "linear": 38, "power": 38}[law]


@pytest.mark.parametrize("law", ["log", "linear", "power"])
def test_fit_is_that_of_scipy(law):
    f, coef = LAWS[law]
    m = noisy(law, 1.5, seed=1)
    n = np.repeat(N, 4).astype(float)
    expected, covariance = curve_fit(f, n, m.ravel(), p0=coef, xtol=1e-14, ftol=1e-14)
    fit = fit_growth(N, m)[law]
    assert_allclose(fit.coef, expected, rtol=1e-6)
    assert_allclose(fit.standard_errors, np.sqrt(np.diag(covariance)), rtol=1e-4)


def test_weighted_fit_is_that_of_scipy():
    m = noisy("power", 1.0, seed=2)
    weights = np.random.RandomState(0).uniform(0.2, 3.0, size=m.shape)
    n = np.repeat(N, 4).astype(float)
    for law in ("log", "linear", "power"):
        f, coef = LAWS[law]
        expected, covariance = curve_fit(
            f, n, m.ravel(), p0=coef, sigma=weights.ravel() ** -0.5, xtol=1e-14, ftol=1e-14
        )
        fit = fit_growth(N, m, weights=weights)[law]
        assert_allclose(fit.coef, expected, rtol=1e-6)
        assert_allclose(fit.standard_errors, np.sqrt(np.diag(covariance)), rtol=1e-4)


@pytest.mark.parametrize("noise", [0.01, 0.3, 3.0])
def test_power_law_is_the_global_optimum(noise):
    """For a given exponent the best factor is known: one search is left."""
    rng = np.random.RandomState(4)
    for _ in range(20):
        m = N ** rng.uniform(0.0, 2.0) * np.exp(noise * rng.standard_normal(N.size))

        def residual(b, m=m):
            x = (N / N.max()) ** b
            return np.sum((m - x * (x @ m) / (x @ x)) ** 2)

        grid = np.linspace(-8, 8, 801)
        values = [residual(b) for b in grid]
        k = np.clip(np.argmin(values), 1, 799)
        exponent = minimize_scalar(residual, bounds=(grid[k - 1], grid[k + 1]), method="bounded").x
        fit = fit_growth(N, m)["power"]
        assert np.sum((m - fit.predict(N)) ** 2) <= residual(exponent) * (1 + 1e-9)


@pytest.mark.parametrize("law", ["log", "linear", "power"])
def test_intervals_cover(law):
    coef = LAWS[law][1]
    n_trials, covered = 500, np.zeros(2)
    for seed in range(n_trials):
        low, high = fit_growth(N, noisy(law, 0.8, seed, n_repeats=1)[:, 0])[law].intervals.T
        covered += (low <= coef) & (coef <= high)
    assert np.all(np.abs(covered / n_trials - 0.95) < 4 * math.sqrt(0.95 * 0.05 / n_trials))


def test_intervals_are_t_intervals():
    m = noisy("linear", 3.0, seed=0, n_repeats=1)[:, 0]
    wide = fit_growth(N, m)["linear"]
    line = linregress(N, m)
    expected = line.slope + np.array([-1, 1]) * t.ppf(0.975, 4) * line.stderr
    assert_allclose(wide.intervals[1], expected, rtol=1e-9)
    assert_allclose(wide.standard_errors, [line.intercept_stderr, line.stderr], rtol=1e-9)
    assert wide.r2 == pytest.approx(line.rvalue**2, rel=1e-9)
    growth = fit_growth(N, m, confidence_level=0.5)
    assert growth.confidence_level == 0.5
    assert np.all(np.ptp(growth["linear"].intervals, axis=1) < np.ptp(wide.intervals, axis=1))


def test_criteria_are_those_of_a_normal_likelihood():
    m = noisy("log", 2.0, seed=5)
    weights = np.random.RandomState(1).uniform(0.5, 2.0, size=m.shape)
    for w in (np.ones_like(m), weights):
        for model, fit in fit_growth(N, m, models=ALL, weights=w).fits.items():
            residual = m - fit.predict(N)[:, None]
            variance = np.mean(w * residual**2) / w
            log_likelihood = -0.5 * np.sum(np.log(2 * np.pi * variance) + residual**2 / variance)
            k = 2 if model == "constant" else 3
            assert fit.aic == pytest.approx(2 * k - 2 * log_likelihood, rel=1e-10)
            assert fit.aicc == pytest.approx(fit.aic + 2 * k * (k + 1) / (m.size - k - 1))


def test_models_are_compared_on_one_scale():
    """Fits of equally many coefficients are ranked alike by residuals, R2 and AIC."""
    for seed in range(10):
        growth = fit_growth(N, noisy("linear", 9.0, seed))
        by_aic = sorted(growth.fits, key=lambda name: growth[name].aic)
        by_r2 = sorted(growth.fits, key=lambda name: -growth[name].r2)
        assert by_aic == by_r2
        assert growth.best == by_aic[0]


def test_few_points_have_no_corrected_criterion():
    four = fit_growth(N[:4], [3.0, 5.0, 4.0, 6.0])
    assert all(math.isinf(fit.aicc) and math.isfinite(fit.aic) for fit in four.fits.values())
    assert math.isfinite(fit_growth(N[:5], [3.0, 5.0, 4.0, 6.0, 5.0])["log"].aicc)


def test_equals_are_ranked_by_the_order_of_names():
    flat = np.full(N.size, 12.0)
    for models in (ALL, ALL[::-1]):
        growth = fit_growth(N, flat, models=models)
        assert growth.best == models[0]
        assert all(fit.aic == -math.inf and math.isnan(fit.r2) for fit in growth.fits.values())


def test_repeats_are_points():
    m = noisy("linear", 2.0, seed=0)
    table = fit_growth(N, m)
    flat = fit_growth(np.repeat(N, 4), m.ravel())
    for name, fit in table.fits.items():
        assert_allclose(fit.coef, flat[name].coef, rtol=1e-12)
        assert fit.n_points == 24


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_the_dimension_do_not_matter(unit):
    m = noisy("power", 2.0, seed=3)
    here, there = fit_growth(N, m), fit_growth(N * unit, m)
    for name in here.fits:
        assert_allclose(there[name].predict(N * unit), here[name].predict(N), rtol=1e-8)
        assert there[name].aic == pytest.approx(here[name].aic, abs=1e-6)
    assert there["power"].standard_errors[1] == pytest.approx(here["power"].standard_errors[1])


@pytest.mark.parametrize(
    ("n", "m", "options", "message"),
    [
        ([1, 2], [1, 2], {}, "n holds 2 different dimensions; at least 3"),
        ([1, 2, 2, 1], [1, 2, 3, 4], {}, "n holds 2 different dimensions"),
        ([1, 2, 3], [1, 2], {}, r"n has shape \(3,\) and m \(2,\)"),
        ([[1, 2, 3]], [[1, 2, 3]], {}, r"n has shape \(1, 3\)"),
        ([1, 2, 3], [1, np.nan, 2], {}, r"m is NaN at n=\[2.0\]: the target was not reached"),
        ([1, 2, 3], [[1, 2], [3, np.nan], [np.nan, 2]], {}, r"at n=\[2.0, 3.0\]"),
        ([1, 0, 3], [1, 2, 3], {}, "n must be positive and finite, got 0.0"),
        ([1, 2, 3], [1, -2, 3], {}, "m must be positive and finite, got -2.0"),
        ([1, 2, 3], [1, np.inf, 3], {}, "m must be positive and finite, got inf"),
        ([1, 2, 3], [1, 2, 3], {"weights": [1, 0, 1]}, "weights must be positive"),
        ([1, 2, 3], [1, 2, 3], {"weights": [1, 1]}, r"weights have shape \(2,\), but m has \(3,\)"),
        ([1, 2, 3], [1, 2, 3], {"models": ["cubic"]}, "allowed are some of"),
        ([1, 2, 3], [1, 2, 3], {"models": []}, "allowed are some of"),
    ],
)
def test_errors(n, m, options, message):
    with pytest.raises(ValueError, match=message):
        fit_growth(n, m, **options)


def test_bad_level():
    with pytest.raises(InvalidParameterError, match="'confidence_level' parameter of fit_growth"):
        fit_growth(N, N, confidence_level=0.0)
