"""The compiled loops against NumPy and exact arithmetic, over the whole range of doubles."""

import numpy as np
import pytest
from mpmath import mp, mpf
from numpy.testing import assert_allclose

from skkd._kernels.linear_pass import (
    EXPONENTIAL,
    LOGISTIC,
    PERCEPTRON,
    _exp_in_place,
    _softplus_sum,
    margin_pass,
    softmax_block,
)

EPS = np.finfo(np.float64).eps


def compiled_exp(x):
    """exp through the kernel's polynomial."""
    x = np.array(x, dtype=float)
    _exp_in_place(x, np.empty_like(x), x.shape[0])
    return x


def test_exp_is_good_to_two_units_in_the_last_place():
    x = np.concatenate([
        np.linspace(-708.0, 0.0, 20_001),
        np.linspace(0.0, 700.0, 5_001),
        # Around multiples of log(2) / 2, where the reduction changes its integer.
        (np.arange(-2000, 2001) * 0.5 * np.log(2.0))[:, None].ravel() * (1 + EPS),
        [-0.0, 5e-324, -5e-324, 1e-300, -1e-17, 1e-17],
    ])  # fmt: skip
    x = x[(x >= -708.0) & (x <= 700.0)]
    assert_allclose(compiled_exp(x), np.exp(x), rtol=3 * EPS, atol=0)


def test_exp_against_exact_arithmetic():
    x = np.concatenate([-(10.0 ** np.linspace(-18, 2.85, 300)), [-707.99, -100.5, 0.0]])
    with mp.workdps(40):
        exact = np.array([float(mp.exp(mpf(v))) for v in x])
    assert_allclose(compiled_exp(x), exact, rtol=3 * EPS, atol=0)


@pytest.mark.parametrize("x", [-708.5, -745.0, -746.0, -1e4, -1e300, -np.inf])
def test_exp_below_the_smallest_normal_number_is_next_to_nothing(x):
    """Never a NaN, never a wrapped exponent: a number too small to matter in any sum."""
    assert 0.0 <= compiled_exp([x])[0] <= 4e-308


@pytest.mark.parametrize(
    "m", [0.0, 1e-300, 1e-17, 1e-8, 0.3, 1.0, 5.0, 30.0, 36.9, 37.1, 100.0, 700.0]
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_softplus_keeps_its_relative_accuracy(m, sign):
    margins = np.full(3, sign * m)
    total = _softplus_sum(margins, np.exp(-np.abs(margins)), np.array([1.0, 2.0, 0.5]), 3)
    with mp.workdps(400):
        exact = float(mpf(3.5) * mp.log1p(mp.exp(-mpf(sign * m))))
    assert_allclose(total, exact, rtol=1e-15 * 2, atol=0)


@pytest.mark.parametrize("m", [746.0, 1e4, 1e300])
def test_softplus_at_the_ends(m):
    ones = np.ones(1)
    assert _softplus_sum(np.array([m]), np.zeros(1), ones, 1) == 0.0
    assert _softplus_sum(np.array([-m]), np.zeros(1), ones, 1) == m


def reference_pass(X, signs, weights, w, b, loss):
    """The definitions of the module docstring."""
    z = X.astype(float) @ w.astype(float) + b
    m = signs * z
    phi, pull = {
        LOGISTIC: (np.logaddexp(0, -m), 1 / (1 + np.exp(m))),
        EXPONENTIAL: (np.exp(-m), np.exp(-m)),
        PERCEPTRON: (np.maximum(0, -m), (m <= 0).astype(float)),
    }[loss]
    c = weights * pull * signs
    alive = weights > 0
    return z, weights @ phi, -np.append(c @ X, c.sum()), weights @ pull, m[alive].min()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("loss", [LOGISTIC, EXPONENTIAL, PERCEPTRON])
@pytest.mark.parametrize(("n", "p"), [(1, 1), (3, 2), (32, 5), (33, 1), (67, 3), (130, 40)])
def test_margin_pass(loss, n, p, dtype):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, p)).astype(dtype)
    w = rng.standard_normal(p).astype(dtype)
    signs = rng.choice([-1.0, 1.0], n).astype(dtype)
    weights = rng.random(n) * (rng.random(n) < 0.7) + (np.arange(n) == 0)
    for s in (weights, np.ones(1)):
        Z, gradient = np.empty(n, dtype=dtype), np.empty(p + 1)
        value, mass, shift, errors, margin = margin_pass(
            X, signs, s, w, dtype(0.3), loss, True, Z, gradient
        )
        full = np.broadcast_to(s, (n,)) if s.shape[0] == 1 else s
        z, phi, g, q, smallest = reference_pass(X, signs, full, w, dtype(0.3), loss)
        rtol = 1e-12 if dtype == np.float64 else 1e-4
        scale = np.exp(shift)
        assert_allclose(Z, z, rtol=rtol, atol=rtol)
        assert_allclose(value * scale, phi, rtol=rtol)
        assert_allclose(mass * scale, q, rtol=rtol)
        assert_allclose(gradient * scale, g, rtol=rtol, atol=rtol)
        assert_allclose(errors, full @ (signs * z <= 0), rtol=1e-14, atol=1e-300)
        assert_allclose(margin, smallest, rtol=rtol)
        assert (shift == 0.0) == (loss != EXPONENTIAL)


def test_margin_pass_of_rows_without_weight():
    X, signs = np.ones((40, 2)), np.ones(40)
    for loss in (LOGISTIC, EXPONENTIAL, PERCEPTRON):
        gradient = np.full(3, np.nan)
        value, mass, _, errors, margin = margin_pass(
            X, signs, np.zeros(40), np.ones(2), 0.0, loss, True, np.empty(40), gradient
        )
        assert value == mass == errors == 0.0
        assert margin == np.inf
        assert not gradient.any()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3, 1e5])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_softmax_block(n_classes, scale, dtype):
    rng = np.random.default_rng(0)
    m, first = 21, 4
    Z = np.ascontiguousarray(scale * rng.standard_normal((n_classes, m)), dtype=dtype)
    labels = rng.integers(0, n_classes, first + m)
    for weights in (rng.random(first + m), np.array([0.5])):
        R = Z.copy()
        value = softmax_block(R, labels, weights, first, np.empty((5, m)))
        y = labels[first:]
        s = weights[first:] if weights.shape[0] > 1 else np.full(m, 0.5)
        expected = np.empty((n_classes, m))
        terms = []
        with mp.workdps(60):
            for i in range(m):
                odds = [mp.exp(mpf(float(z)) - mpf(float(Z[y[i], i]))) for z in Z[:, i]]
                rest = mp.fsum(odds[: y[i]] + odds[y[i] + 1 :])
                terms.append(mpf(s[i]) * mp.log1p(rest))
                expected[:, i] = [float(mpf(s[i]) * q / (1 + rest)) for q in odds]
                expected[y[i], i] = float(-mpf(s[i]) * rest / (1 + rest))
            total = float(mp.fsum(terms))
        rtol, tiny = (1e-13, 1e-300) if dtype == np.float64 else (2e-6, 1e-37)
        assert_allclose(value, total, rtol=rtol)
        # Small gradients of confident rows keep their relative accuracy.
        assert_allclose(R, expected, rtol=rtol, atol=tiny)
