"""Losses of distillation that are sums over rows: derivatives, invariances, extremes, libraries."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skkd.losses import (
    Batched,
    KLLoss,
    MultinomialLogLoss,
    SinkhornLoss,
    Target,
    TwoColumns,
    WeightedSum,
    get_loss,
    make_loss,
)

from ._cases import numerical_gradient, random_weights

LOSSES = {
    "label_smoothing": {"epsilon": 0.2},
    "kl": {"temperature": 2.0},
    "reverse_kl": {"temperature": 1.5},
    "js": {"temperature": 1.5, "beta": 0.3},
    "mse": {},
    "binary_kl": {"temperature": 2.0},
    "binary_kl_norm": {"temperature": 0.5},
    "dkd": {"temperature": 2.0, "alpha": 1.0, "beta": 3.0},
    "nkd": {"temperature": 2.0, "gamma": 1.5},
    "wsld": {"temperature": 2.0},
    "pld": {"teacher_temperature": 2.0},
    "list_mle": {},
}
SHIFT_INVARIANT = [name for name in LOSSES if make_loss(name).shift_invariant]
CONVEX = [name for name, params in LOSSES.items() if make_loss(name, **params).convex]
# Losses that standardising makes sense of, and that are smooth in what they hold fixed.
STANDARDIZED = ["kl", "reverse_kl", "js", "dkd", "nkd", "pld"]


def problem(n=7, k=5, seed=0, dtype=np.float64, scale=2.0):
    rng = np.random.default_rng(seed)
    Z, t = scale * rng.standard_normal((2, n, k))
    return Z.astype(dtype), t.astype(dtype), rng.integers(0, k, n)


def frozen(loss, Z, t, y, weight):
    """The loss as a function of the logits, with what it holds fixed taken at `Z`."""
    target = loss.prepare(Target(y, t, mass=float(len(Z))), Z, weight)
    return target, lambda V: loss.value_and_gradient(V, target, weight)


@pytest.mark.parametrize("k", [2, 3, 6])
@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_the_derivative_of_the_value(name, k):
    Z, t, y = problem(k=k)
    weight = random_weights(len(Z))
    _, function = frozen(make_loss(name, **LOSSES[name]), Z, t, y, weight)
    expected = numerical_gradient(lambda V: float(function(V)[0]), Z)
    assert_allclose(function(Z)[1], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", STANDARDIZED)
def test_gradient_behind_standardised_logits(name):
    Z, t, y = problem()
    loss = make_loss(name, standardize=True, **LOSSES[name])
    _, function = frozen(loss, Z, t, y, 1.0 / len(Z))
    expected = numerical_gradient(lambda V: float(function(V)[0]), Z)
    assert_allclose(function(Z)[1], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", [n for n in LOSSES if make_loss(n).second_order])
def test_hessian_product_is_the_derivative_of_the_gradient(name):
    Z, t, y = problem(seed=1)
    weight = random_weights(len(Z))
    loss = make_loss(name, **LOSSES[name])
    target, function = frozen(loss, Z, t, y, weight)
    V = np.random.default_rng(2).standard_normal(Z.shape)
    h = 1e-4
    difference = (function(Z + h * V)[1] - function(Z - h * V)[1]) / (2 * h)
    assert_allclose(loss.linearize(Z, target, weight)(V), difference, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", CONVEX)
def test_convex_ones_lie_below_their_chords(name):
    for seed in range(20):
        Z, t, y = problem(seed=seed, scale=4.0)
        other = problem(seed=100 + seed, scale=4.0)[0]
        _, function = frozen(make_loss(name, **LOSSES[name]), Z, t, y, 1.0 / len(Z))
        ends = 0.5 * float(function(Z)[0]) + 0.5 * float(function(other)[0])
        assert float(function(0.5 * (Z + other))[0]) <= ends + 1e-12 * abs(ends)


def test_dkd_is_convex_exactly_from_where_the_parts_balance():
    # beta < alpha (1 - q_y): the log-sum-exp of the others enters with a negative factor, which
    # shows once s_y is so large that the first one is flat.
    q_y = 0.25
    t = np.log(np.array([[q_y, 0.5, 0.25]]))
    y = np.array([0])
    low, high = np.array([[30.0, -1.0, 1.0]]), np.array([[30.0, 1.0, -1.0]])
    for factor, convex in ((0.97, False), (1.03, True)):
        loss = make_loss("dkd", temperature=1.0, alpha=1.0, beta=factor * (1 - q_y))
        _, function = frozen(loss, low, t, y, 1.0)
        middle = float(function(0.5 * (low + high))[0])
        ends = 0.5 * float(function(low)[0]) + 0.5 * float(function(high)[0])
        assert (middle <= ends) == convex
    assert make_loss("dkd", alpha=2.0, beta=2.0).convex
    assert not make_loss("dkd", alpha=2.0, beta=1.0).convex


def test_plain_divergence_is_its_two_parts():
    Z, t, y = problem(k=6)
    q = np.exp(t / 2.0)
    q_y = (q / q.sum(axis=1, keepdims=True))[np.arange(len(y)), y]
    whole = get_loss("kl", temperature=2.0).value_and_gradient(Z, t)[0]
    own = get_loss("dkd", temperature=2.0, alpha=1.0, beta=0.0).value_and_gradient(Z, t, y)[0]
    others = get_loss("dkd", temperature=2.0, alpha=0.0, beta=1.0)
    parts = own + others.value_and_gradient(Z, t, y, sample_weight=1 - q_y)[0] * (1 - q_y).mean()
    assert_allclose(whole, parts, rtol=1e-13)


def test_divergence_at_high_temperature_is_a_squared_distance():
    Z, t, _ = problem(k=4)
    value = get_loss("kl", temperature=1e4).value_and_gradient(Z, t)[0]
    gaps = Z - t - (Z - t).mean(axis=1, keepdims=True)
    assert_allclose(value, (gaps**2).sum(axis=1).mean() / 8, rtol=1e-3)


def test_binary_kl_norm_is_a_log_cosh():
    Z, t, _ = problem()
    value = get_loss("binary_kl_norm", temperature=2.0).value_and_gradient(Z, t)[0]
    assert_allclose(value, 4.0 * np.log(np.cosh((Z - t) / 4.0)).sum(axis=1).mean(), rtol=1e-13)
    tiny = get_loss("binary_kl_norm").value_and_gradient(t + 1e-9, t)[0]
    assert_allclose(tiny, 5 * 1e-18 / 8, rtol=1e-6)  # relative accuracy at differences of nothing


@pytest.mark.parametrize("name", SHIFT_INVARIANT)
def test_shift_of_a_row_changes_nothing(name):
    Z, t, y = problem()
    loss = get_loss(name, **LOSSES[name])
    value, gradient = loss.value_and_gradient(Z, t, y)
    shifted, same = loss.value_and_gradient(Z + np.arange(7.0)[:, None], t, y)
    assert_allclose(shifted, value, rtol=1e-12)
    assert_allclose(same, gradient, atol=1e-13)
    assert_allclose(gradient.sum(axis=1), 0.0, atol=1e-14)


@pytest.mark.parametrize("name", STANDARDIZED)
def test_scale_of_a_row_changes_nothing_behind_standardised_logits(name):
    Z, t, y = problem()
    scale = np.linspace(0.5, 40.0, 7)[:, None]
    loss = get_loss(name, standardize=True, **LOSSES[name])
    value = loss.value_and_gradient(Z, t, y)[0]
    assert_allclose(loss.value_and_gradient(scale * Z + 3.0, t, y)[0], value, rtol=1e-6)
    assert_allclose(loss.value_and_gradient(Z, scale * t - 1.0, y)[0], value, rtol=1e-6)


def test_equal_logits_have_no_gradient_behind_standardised_logits():
    Z, t, _ = problem(n=3)
    Z[1] = 4.0
    t[2] = -1.0
    value, gradient = get_loss("kl", standardize=True).value_and_gradient(Z, t)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert (gradient[1] == 0).all() and (gradient[0] != 0).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [2, 10, 1000])
@pytest.mark.parametrize("name", LOSSES)
def test_far_logits_are_finite(name, k, dtype):
    rng = np.random.default_rng(0)
    Z = (1e4 * rng.choice([-1.0, 0.0, 1.0], (4, k))).astype(dtype)
    t = (1e4 * rng.choice([-1.0, 0.0, 1.0], (4, k))).astype(dtype)
    y = rng.integers(0, k, 4)
    value, gradient = get_loss(name, **LOSSES[name]).value_and_gradient(Z, t, y)
    assert np.isfinite(value) and value >= -1e-6
    assert np.isfinite(gradient).all() and gradient.dtype == dtype


@pytest.mark.parametrize("name", LOSSES)
def test_weights_are_repetitions(name):
    Z, t, y = problem()
    counts = np.array([2, 1, 0, 3, 1, 1, 2])
    loss = get_loss(name, **LOSSES[name])
    value, gradient = loss.value_and_gradient(Z, t, y, sample_weight=counts)
    rows = np.repeat(np.arange(7), counts)
    repeated, per_copy = loss.value_and_gradient(Z[rows], t[rows], y[rows])
    assert_allclose(value, repeated, rtol=1e-13)
    summed = np.zeros_like(Z)
    np.add.at(summed, rows, per_copy)
    assert_allclose(gradient, summed, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_every_library_agrees(name, standardize):
    torch = pytest.importorskip("torch")
    strict = pytest.importorskip("array_api_strict")
    if standardize and not make_loss(name).needs_teacher:
        pytest.skip("nothing to standardise")
    Z, t, y = problem()
    loss = get_loss(name, standardize=standardize, **LOSSES[name])
    value, gradient = loss.value_and_gradient(Z, t, y)
    for xp in (torch, strict):
        other, slope = loss.value_and_gradient(*map(xp.asarray, (Z, t, y)))
        assert_allclose(other, value, rtol=1e-12)
        assert_allclose(np.asarray(slope), gradient, rtol=1e-10, atol=1e-13)
    single, slope = loss.value_and_gradient(Z.astype(np.float32), t.astype(np.float32), y)
    assert_allclose(single, value, rtol=2e-4)
    assert slope.dtype == np.float32


def test_ranking_puts_the_label_first_and_keeps_ties_in_order():
    t = np.array([[1.0, 1.0, 3.0, 1.0]])
    Z = np.array([[0.3, -0.2, 0.1, 0.7]])
    order = [3, 2, 0, 1]
    s = Z[0, order]
    expected = np.mean([np.log(np.exp(s[i:]).sum()) - s[i] for i in range(4)])
    value = get_loss("list_mle").value_and_gradient(Z, t, np.array([3]))[0]
    assert_allclose(value, expected, rtol=1e-14)


class TestWrappers:
    def test_one_column_is_the_difference_of_two(self):
        Z, t, y = problem(k=2)
        gap = Z[:, 1] - Z[:, 0]
        loss = get_loss("dkd")
        value, gradient = loss.value_and_gradient(Z, t, y)
        for teacher in (t, t[:, 1] - t[:, 0]):
            one, slope = loss.value_and_gradient(gap, teacher, y)
            assert_allclose(one, value, rtol=1e-13)
            assert_allclose(slope, gradient[:, 1], rtol=1e-12)

    def test_sum_of_losses_with_labels_of_their_own(self):
        Z, t, y = problem()
        terms = [(0.3, MultinomialLogLoss()), (0.7, make_loss("nkd"))]
        loss = WeightedSum(terms)
        other = (y + 1) % 5
        target = loss.prepare(Target((y, other), t, mass=7.0))
        value, gradient = loss.value_and_gradient(Z, target, 1 / 7)
        ce, of_ce = get_loss("ce").value_and_gradient(Z, y=y)
        nkd, of_nkd = get_loss("nkd").value_and_gradient(Z, t, other)
        assert_allclose(value, 0.3 * ce + 0.7 * nkd, rtol=1e-14)
        assert_allclose(gradient, 0.3 * of_ce + 0.7 * of_nkd, rtol=1e-13)

    def test_negative_factor_is_not_convex(self):
        assert WeightedSum([(1.0, KLLoss()), (0.5, KLLoss())]).convex
        assert not WeightedSum([(1.0, KLLoss()), (-0.5, KLLoss())]).convex

    def test_rows_of_a_prepared_target(self):
        Z, t, y = problem()
        loss = TwoColumns(WeightedSum([(1.0, KLLoss()), (2.0, make_loss("wsld"))]))
        Z, t, y = Z[:, :1], t[:, :2], y % 2
        target = loss.prepare(Target(y, t, mass=7.0), Z, 1 / 7)
        whole = loss.value_and_slope(Z, target)
        part = loss.value_and_slope(Z[2:5], target.rows(slice(2, 5)))
        assert_allclose(part[0], whole[0][2:5], rtol=1e-14)
        assert_allclose(part[1], whole[1][2:5], rtol=1e-14)

    def test_batches_are_weighed_by_their_rows(self):
        Z, t, y = problem()
        batches = [np.array([0, 3, 6]), np.array([1, 2, 4, 5])]
        loss = Batched(SinkhornLoss(), batches)
        weight = np.array([2.0, 1, 1, 1, 1, 1, 1]) / 8
        target = loss.prepare(Target(y, t, mass=8.0), weight=weight)
        value, gradient = loss.value_and_gradient(Z, target, weight)
        expected, slopes = 0.0, np.zeros_like(Z)
        for rows in batches:
            share = weight[rows].sum()
            part, slope = get_loss("sinkhorn").value_and_gradient(
                Z[rows], t[rows], sample_weight=8 * weight[rows]
            )
            expected += share * part
            slopes[rows] = share * slope
        assert_allclose(value, expected, rtol=1e-13)
        assert_allclose(gradient, slopes, rtol=1e-12)


class TestFacade:
    def test_unknown_parameter_lists_what_there_is(self):
        with pytest.raises(TypeError, match="takes no tau; its parameters are temperature, form"):
            get_loss("kl", tau=2.0)

    @pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan, "2", True])
    def test_temperature_must_be_positive(self, value):
        with pytest.raises(ValueError, match="temperature must be a finite number above 0"):
            get_loss("kl", temperature=value)

    def test_teacher_is_asked_for(self):
        with pytest.raises(ValueError, match="pass teacher_logits"):
            get_loss("kl").value_and_gradient(np.zeros((2, 3)))

    def test_labels_are_asked_for(self):
        with pytest.raises(ValueError, match="needs labels: pass y"):
            get_loss("dkd").value_and_gradient(np.zeros((2, 3)), np.zeros((2, 3)))

    def test_teacher_must_have_the_shape_of_the_student(self):
        with pytest.raises(ValueError, match=r"teacher_logits has shape \(2, 4\)"):
            get_loss("kl").value_and_gradient(np.zeros((2, 3)), np.zeros((2, 4)))

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_teacher_must_be_finite(self, bad):
        t = np.zeros((2, 3))
        t[1, 1] = bad
        with pytest.raises(ValueError, match="NaN or infinity; take logits from probabilities"):
            get_loss("kl").value_and_gradient(np.zeros((2, 3)), t)

    def test_integers_are_no_logits(self):
        with pytest.raises(ValueError, match="must be real floating point"):
            get_loss("kl").value_and_gradient(np.zeros((2, 3), dtype=int), np.zeros((2, 3)))

    def test_labels_alone_cannot_be_standardised(self):
        with pytest.raises(TypeError, match="no teacher whose logits"):
            get_loss("label_smoothing", standardize=True)

    @pytest.mark.parametrize(
        ("short", "name"), [("rkl", "reverse_kl"), ("mlkd_cc", "mlkd_class_correlation")]
    )
    def test_short_names(self, short, name):
        Z, t, y = problem()
        ours = get_loss(short, temperature=2.0).value_and_gradient(Z, t, y)[0]
        assert ours == get_loss(name, temperature=2.0).value_and_gradient(Z, t, y)[0]

    def test_flags(self):
        assert get_loss("kl").convex and not get_loss("reverse_kl").convex
        assert get_loss("wsld").stateful and not get_loss("kl").stateful
        assert get_loss("sinkhorn").batch_coupled and not get_loss("kl").batch_coupled
        assert not get_loss("kl", standardize=True).convex
        assert get_loss("dkd").needs_labels and not get_loss("kl").needs_labels
