"""Losses that couple rows, or hold quantities of the student fixed: derivatives, weights, extremes.

Weights mean repetition: also for sums over a batch, whose value grows with it, and for selections,
which may take some of the copies of a row.
"""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, logsumexp, softmax

from skkd.losses import Target, get_loss
from skkd.losses._transport import _unrolled_logs, _unrolled_scalings

LOSSES = {
    "dist": ("dist", {"beta": 2.0, "gamma": 0.5, "temperature": 1.5}),
    "class": ("mlkd_class_correlation", {"temperature": 2.0}),
    "batch": ("mlkd_batch_correlation", {"temperature": 2.0}),
    "sinkhorn": ("sinkhorn", {"n_iter": 4}),
    "sinkhorn-sum": ("sinkhorn", {"n_iter": 3, "reduction": "sum", "scale": 0.3}),
    "sinkhorn-debiased": ("sinkhorn", {"n_iter": 3, "debias": True, "temperature": 1.0}),
    "sinkhorn-logs": ("sinkhorn", {"n_iter": 4, "epsilon": 0.015}),
    "cmi": ("cmi", {}),
    "cmi-fixed": ("cmi", {"centroids": softmax(np.eye(4), axis=1)}),
    "uskd": ("uskd", {"alpha": 0.7, "beta": 0.4}),
    "uskd-authors": ("uskd", {"rank_score": "authors"}),
    "rank": ("preference_rank", {"top_k": 3, "temperature": 2.0}),
    "rank-reversed": ("preference_rank", {"reversed": True}),
    "gated": ("gated_js", {"gate_temperature": 0.5, "temperature": 2.0}),
    "gated-sum": ("gated_js", {"beta": 0.4, "reduction": "sum"}),
    "selective": ("selective", {"fraction": 0.4, "top_k": 3}),
    "selective-authors": (
        "selective",
        {"fraction": 0.45, "select": "prefix", "entropy_rows": "authors", "reversed": True},
    ),
}
COUNTS = [1.0, 3.0, 2.0, 1.0, 0.0, 2.0, 1.0]
KINKED = {"sinkhorn", "sinkhorn-sum", "sinkhorn-debiased", "sinkhorn-logs"}


def make(name):
    kind, params = LOSSES[name]
    return get_loss(kind, **params)


def problem(seed=0, n=7, n_classes=4, scale=1.5):
    """Student's and teacher's logits, and labels."""
    rng = np.random.default_rng(seed)
    Z, t = scale * rng.standard_normal((2, n, n_classes))
    return Z, t, rng.integers(0, n_classes, n)


def prepared(loss, Z, t, y, counts):
    """Loss object, target with all that is fixed at Z, and weights that sum to 1."""
    inner = loss._multiclass
    mass = float(np.sum(counts))
    weight = 1.0 / len(Z) if np.all(counts == counts[0]) else counts / mass
    target = Target(y, t if inner.needs_teacher else None, mass=mass)
    return inner, inner.prepare(target, Z, weight), weight


def slope_along(function, E, step):
    """Directional derivative by the five-point stencil."""
    far = function(2 * step * E) - function(-2 * step * E)
    near = function(step * E) - function(-step * E)
    return (8.0 * near - far) / (12.0 * step)


@pytest.mark.parametrize("counts", [np.full(7, 1.0), np.array(COUNTS)], ids=["uniform", "weighted"])
@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_the_derivative_of_the_value(name, counts):
    Z, t, y = problem()
    loss, target, weight = prepared(make(name), Z, t, y, counts)
    gradient = loss.value_and_gradient(Z, target, weight)[1]
    # Costs have kinks where two probabilities are equal: the stencil must not reach one.
    step, tol = (2e-5, 1e-9) if name in KINKED else (1e-3, 1e-10)
    expected = np.empty_like(Z)
    for index in np.ndindex(*Z.shape):
        E = np.zeros_like(Z)
        E[index] = 1.0
        expected[index] = slope_along(
            lambda V: float(loss.value_and_gradient(Z + V, target, weight)[0]), E, step
        )
    assert_allclose(gradient, expected, rtol=0, atol=tol * max(np.abs(expected).max(), 1.0))
    assert np.abs(expected).max() > 1e-5


@pytest.mark.parametrize("name", LOSSES)
def test_weights_are_repetition(name):
    Z, t, y = problem(seed=1)
    counts = np.array(COUNTS)
    value, gradient = make(name).value_and_gradient(Z, t, y=y, sample_weight=counts)
    copies = np.repeat(np.arange(len(Z)), counts.astype(int))
    expected, of_copies = make(name).value_and_gradient(Z[copies], t[copies], y=y[copies])
    sums = np.zeros_like(Z)
    np.add.at(sums, copies, of_copies)
    assert_allclose(value, expected, rtol=1e-12)
    assert_allclose(gradient, sums, rtol=0, atol=1e-12 * max(1.0, np.abs(sums).max()))


@pytest.mark.parametrize("name", LOSSES)
def test_rows_without_weight_do_not_matter(name):
    Z, t, y = problem(seed=2)
    counts = np.ones(7)
    counts[[1, 4]] = 0.0
    Z[4], t[1] = 50.0 * Z[4], 0.0
    value, gradient = make(name).value_and_gradient(Z, t, y=y, sample_weight=counts)
    kept = counts > 0
    expected, of_kept = make(name).value_and_gradient(Z[kept], t[kept], y=y[kept])
    assert_allclose(value, expected, rtol=1e-12)
    assert_allclose(gradient[kept], of_kept, rtol=0, atol=1e-12)
    assert_array_equal(gradient[~kept], 0.0)


@pytest.mark.parametrize("name", [n for n in LOSSES if n != "selective-authors"])
def test_order_of_rows_does_not_matter(name):
    Z, t, y = problem(seed=3)
    order = np.random.default_rng(0).permutation(len(Z))
    value, gradient = make(name).value_and_gradient(Z, t, y=y)
    other, of_other = make(name).value_and_gradient(Z[order], t[order], y=y[order])
    assert_allclose(other, value, rtol=1e-12)
    assert_allclose(of_other, gradient[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 4, 1000])
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "cmi-fixed"])
def test_extreme_logits_are_finite(name, n_classes, dtype):
    rng = np.random.default_rng(0)
    Z, t = rng.choice([-1e4, -1.0, 0.0, 2.0, 1e4], size=(2, 6, n_classes)).astype(dtype)
    y = np.arange(6) % 2
    value, gradient = make(name).value_and_gradient(Z, t, y=y)
    assert math.isfinite(value)
    assert np.all(np.isfinite(gradient))
    assert gradient.dtype == dtype


@pytest.mark.parametrize("name", LOSSES)
def test_single_precision_is_that_of_double(name):
    Z, t, y = problem(seed=4)
    single, of_single = make(name).value_and_gradient(
        Z.astype(np.float32), t.astype(np.float32), y=y
    )
    value, gradient = make(name).value_and_gradient(Z, t, y=y)
    assert_allclose(single, value, rtol=1e-4)
    assert_allclose(of_single, gradient, rtol=0, atol=1e-3 * np.abs(gradient).max())


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
@pytest.mark.parametrize("name", LOSSES)
def test_numbers_are_the_same_in_every_library(name, library):
    xp = pytest.importorskip(library)
    Z, t, y = problem(seed=5)
    for weight in (None, np.array(COUNTS)):
        value, gradient = make(name).value_and_gradient(Z, t, y=y, sample_weight=weight)
        there, of_there = make(name).value_and_gradient(
            xp.asarray(Z),
            xp.asarray(t),
            y=xp.asarray(y),
            sample_weight=None if weight is None else xp.asarray(weight),
        )
        assert type(of_there) is type(xp.asarray(Z))
        assert_allclose(there, value, rtol=1e-12)
        assert_allclose(np.asarray(of_there), gradient, rtol=0, atol=1e-13 + 1e-12 * abs(value))


# What each loss is -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["class", "batch"])
def test_the_teacher_itself_has_no_loss(name):
    _, t, _ = problem(seed=6)
    value, gradient = make(name).value_and_gradient(t, t)
    assert value == 0.0
    assert_array_equal(gradient, 0.0)


def test_correlation_with_the_teacher_itself_lacks_only_the_guard():
    _, t, _ = problem(seed=6)
    value, gradient = get_loss("dist", beta=2.0, gamma=0.5).value_and_gradient(t, t)
    q = softmax(t, axis=1)
    of_rows = np.sum((q - q.mean(axis=1, keepdims=True)) ** 2, axis=1)
    of_columns = np.sum((q - q.mean(axis=0)) ** 2, axis=0)
    expected = 2.0 * np.mean(1e-8 / (of_rows + 1e-8)) + 0.5 * np.mean(1e-8 / (of_columns + 1e-8))
    assert_allclose(value, expected, rtol=1e-6)
    assert np.abs(gradient).max() < 1e-6


def test_debiased_transport_to_the_teacher_itself_costs_nothing():
    _, t, _ = problem(seed=6)
    value, gradient = get_loss("sinkhorn", debias=True).value_and_gradient(t, t)
    biased, of_biased = get_loss("sinkhorn").value_and_gradient(t, t)
    assert value == 0.0 < 1e-3 < biased
    # Rounds that stop early treat rows and columns differently: zero only in the limit.
    assert np.abs(gradient).max() < 1e-2 * np.abs(of_biased).max()
    gradient = get_loss("sinkhorn", debias=True, n_iter=1000).value_and_gradient(t, t)[1]
    assert np.abs(gradient).max() < 1e-9 * np.abs(of_biased).max()


def test_small_gram_distances_are_not_differences_of_large_numbers():
    """At a distance d from the teacher the value is of the order of d^2, to 9 digits."""
    Z, t, y = problem(seed=7)
    for name in ("class", "batch"):
        values = [
            make(name).value_and_gradient(t + d * (Z - t), t, y=y)[0] for d in (1e-7, 2e-7, 4e-7)
        ]
        assert_allclose(values[1:], np.multiply(values[:-1], 4.0), rtol=1e-5)


@pytest.mark.parametrize(("n", "n_classes"), [(30, 3), (5, 12)])
def test_gram_distances_by_rows_and_by_classes(n, n_classes):
    Z, t, _ = problem(seed=8, n=n, n_classes=n_classes)
    P, Q = softmax(Z, axis=1), softmax(t, axis=1)
    batch = get_loss("mlkd_bc").value_and_gradient(Z, t)[0]
    assert_allclose(batch, np.sum((P @ P.T - Q @ Q.T) ** 2) / n, rtol=1e-12)
    classes = get_loss("mlkd_cc").value_and_gradient(Z, t)[0]
    assert_allclose(classes, np.sum((P.T @ P - Q.T @ Q) ** 2) / n_classes, rtol=1e-12)
    # Twice the batch: four times and twice the value.
    Z, t = np.tile(Z, (2, 1)), np.tile(t, (2, 1))
    assert_allclose(get_loss("mlkd_bc").value_and_gradient(Z, t)[0], 2 * batch, rtol=1e-12)
    assert_allclose(get_loss("mlkd_cc").value_and_gradient(Z, t)[0], 4 * classes, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_teacher_rows_and_columns_correlate_with_nothing(dtype):
    Z, t, _ = problem(seed=9)
    Z = Z.astype(dtype)
    flat = np.full_like(Z, 3.3)
    weight = np.linspace(0.3, 2.0, len(Z), dtype=dtype)
    rows = get_loss("dist", gamma=0.0)
    value, gradient = rows.value_and_gradient(Z, flat, sample_weight=weight)
    assert_allclose(value, 1.0, atol=1e-5)
    assert np.abs(gradient).max() < 1e-6
    # All rows alike: every column is constant, though no row is.
    alike = np.tile(t[:1], (len(Z), 1)).astype(dtype)
    columns = get_loss("dist", beta=0.0)
    value, gradient = columns.value_and_gradient(Z, alike, sample_weight=weight)
    assert_allclose(value, 1.0, atol=1e-5)
    assert np.abs(gradient).max() < 1e-6


def test_transport_compares_sets_of_rows():
    Z, t, _ = problem(seed=10, n=12)
    order = np.random.default_rng(1).permutation(len(Z))
    loss = get_loss("sinkhorn")
    value, gradient = loss.value_and_gradient(Z, t)
    other, of_other = loss.value_and_gradient(Z[order], t)
    assert_allclose(other, value, rtol=1e-12)
    assert_allclose(of_other, gradient[order], atol=1e-13)
    # A shuffled teacher costs what the teacher does: positive, unless the smoothing is small.
    assert loss.value_and_gradient(t[order], t)[0] > 1e-3
    assert loss.value_and_gradient(t[order], t)[0] < value
    sharp = get_loss("sinkhorn", epsilon=0.01, n_iter=50)
    assert sharp.value_and_gradient(t[order], t)[0] < 1e-3 * value


def test_transport_with_much_smoothing_compares_means():
    """A plan that is uniform costs the mean of all costs."""
    Z, t, _ = problem(seed=11, n=9)
    p, q = softmax(Z / 2.0, axis=1), softmax(t / 2.0, axis=1)
    costs = np.abs(p[:, None] - q[None]).sum(axis=2)
    value = get_loss("sinkhorn", epsilon=1e9).value_and_gradient(Z, t)[0]
    assert_allclose(value, costs.mean(), rtol=1e-7)


def test_logarithms_make_the_same_rounds():
    rng = np.random.default_rng(0)
    D = 2.0 * rng.random((8, 8))
    w = rng.random(8)
    w[3] = 0.0
    w = w / w.sum()
    for epsilon in (1.0, 0.1, 0.03):
        value, slope = _unrolled_scalings(D, w, epsilon, 5)
        other, of_other = _unrolled_logs(D, w, epsilon, 5)
        assert_allclose(other, value, rtol=1e-12)
        assert_allclose(of_other, slope, rtol=0, atol=1e-12 * np.abs(slope).max())


def test_information_is_between_zero_and_log_of_classes():
    Z, _, y = problem(seed=12, n=60, n_classes=5)
    loss = get_loss("cmi")
    assert 0 < loss.value_and_gradient(Z, y=y)[0] < math.log(5)
    # One-hot rows that say nothing of the label come near the bound; constant ones have none.
    sure = 1e3 * np.eye(5)[np.arange(100) % 5]
    assert_allclose(
        loss.value_and_gradient(sure, y=np.repeat(np.arange(5), 20))[0], math.log(5), rtol=1e-12
    )
    assert abs(loss.value_and_gradient(np.tile(Z[:1], (60, 1)), y=y)[0]) < 1e-15


def test_moving_centroids_do_not_change_the_gradient():
    Z, _, y = problem(seed=13, n=40)
    P = softmax(Z, axis=1)
    centroids = np.stack([P[y == k].mean(axis=0) for k in range(4)])
    value, gradient = get_loss("cmi").value_and_gradient(Z, y=y)
    fixed, of_fixed = get_loss("cmi", centroids=centroids).value_and_gradient(Z, y=y)
    assert_allclose(value, fixed, rtol=1e-13)
    assert_allclose(gradient, of_fixed, atol=1e-15)


def test_self_distillation_written_plainly():
    Z, auxiliary, y = problem(seed=14)
    n, rows = len(Z), np.arange(len(Z))
    p, a = softmax(Z, axis=1), softmax(auxiliary, axis=1)
    own = p[rows, y]
    w = own**2 + 1.0 - np.mean(own**2)
    score = p / (1.0 - own[:, None] + 1e-6) + a / (1.0 - a[rows, y][:, None] + 1e-6)
    rank = 1 + np.argsort(np.argsort(-score, axis=1), axis=1)
    expected = np.mean(-w * np.log(own))
    for i in range(n):
        others = np.arange(4) != y[i]
        z = (1.0 / rank[i])[others]
        expected -= 0.1 * z @ log_softmax(Z[i, others]) / z.sum() / n
    inner = get_loss("uskd")._multiclass
    target = inner.prepare(Target(y, auxiliary), Z, 1.0 / n)
    assert_allclose(inner.value_and_gradient(Z, target, 1.0 / n)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["uskd", "uskd-authors"])
def test_self_distillation_has_the_hessian_of_its_gradient(name):
    Z, t, y = problem(seed=15)
    loss, target, weight = prepared(make(name), Z, t, y, np.array(COUNTS))
    V = np.random.default_rng(3).standard_normal(Z.shape)
    expected = slope_along(lambda E: loss.value_and_gradient(Z + E, target, weight)[1], V, 1e-3)
    assert_allclose(loss.linearize(Z, target, weight)(V), expected, atol=1e-10)


@pytest.mark.parametrize("name", ["uskd", "rank", "rank-reversed"])
def test_losses_called_convex_are_so_while_they_hold_things_fixed(name):
    rng = np.random.default_rng(0)
    Z, t, y = problem(seed=16)
    loss, target, weight = prepared(make(name), Z, t, y, np.ones(7))
    assert loss.convex
    for _ in range(50):
        A, B = Z + rng.standard_normal((2, *Z.shape))
        ends = [loss.value_and_gradient(V, target, weight)[0] for V in (A, B)]
        middle = loss.value_and_gradient(0.5 * (A + B), target, weight)[0]
        assert middle <= np.mean(ends) + 1e-14


def test_ranking_of_the_best_classes_written_plainly():
    Z, t, _ = problem(seed=17, n_classes=6)
    expected = 0.0
    for s, liking in zip(Z, t, strict=True):
        best = np.argsort(-s)[:4]
        ranked = s[best][np.argsort(-liking[best])] / 2.0
        expected += sum(logsumexp(ranked[j:]) - ranked[j] for j in range(4)) / len(Z)
    loss = get_loss("preference_rank", top_k=4, temperature=2.0)
    assert_allclose(loss.value_and_gradient(Z, t)[0], expected, rtol=1e-13)
    # The authors' order is that of a teacher who likes everything the other way round.
    other = get_loss("preference_rank", top_k=4, temperature=2.0, reversed=True)
    assert_allclose(other.value_and_gradient(Z, -t)[0], expected, rtol=1e-13)


def test_selective_loss_is_the_sum_of_its_parts():
    Z, t, _ = problem(seed=18, n=20)
    log_p = log_softmax(Z, axis=1)
    H = -np.sum(np.exp(log_p) * log_p, axis=1)
    top = np.argsort(-H)[:5]
    gated = get_loss("gated_js").value_and_gradient(Z, t)[0]
    ranked = get_loss("preference_rank").value_and_gradient(Z[top], t[top])[0]
    loss = get_loss("selective", fraction=0.25, rank_weight=0.2, entropy_weight=0.03)
    expected = gated + 0.2 * ranked + 0.03 * H[top].mean()
    assert_allclose(loss.value_and_gradient(Z, t)[0], expected, rtol=1e-13)


def test_gates_are_those_of_the_last_preparation():
    Z, t, y = problem(seed=19)
    loss, target, weight = prepared(make("gated"), Z, t, y, np.ones(7))
    elsewhere = loss.value_and_gradient(2.0 * Z, target, weight)[0]
    again = loss.value_and_gradient(2.0 * Z, loss.prepare(target, 2.0 * Z, weight), weight)[0]
    assert abs(elsewhere - again) > 1e-3 * abs(again)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("dist", {"beta": -1.0}, "beta must be a finite number of at least 0, got -1.0"),
        ("sinkhorn", {"epsilon": 0.0}, "epsilon must be a finite number above 0"),
        ("sinkhorn", {"n_iter": 0}, "n_iter must be a whole number of at least 1, got 0"),
        ("sinkhorn", {"n_iter": 2.5}, "n_iter must be a whole number"),
        ("sinkhorn", {"reduction": "none"}, "reduction must be one of 'mean', 'sum'"),
        ("cmi", {"centroids": "moving"}, "centroids must be 'exact' or an array"),
        ("cmi", {"centroids": [[0.5, -0.5]]}, "centroids must be 'exact' or an array"),
        ("uskd", {"rank_score": "logits"}, "rank_score must be one of"),
        ("preference_rank", {"top_k": True}, "top_k must be a whole number"),
        ("gated_js", {"beta": 1.0}, "beta must be a number between 0 and 1, both excluded"),
        ("selective", {"fraction": 0.0}, "fraction must be above 0 and at most 1"),
        ("selective", {"select": "random"}, "select must be one of 'entropy', 'prefix'"),
    ],
)
def test_parameters_out_of_range_are_named(name, params, message):
    with pytest.raises(ValueError, match=message):
        get_loss(name, **params)


# Compiled passes --------------------------------------------------------------------------------


def both_ways(name, Z, t, y, counts, monkeypatch):
    """Value and gradient by the compiled passes, and by the code for any library."""
    fast = make(name).value_and_gradient(Z, t, y=y, sample_weight=counts)
    with monkeypatch.context() as patch:
        patch.setattr("skkd.losses._compiled.SMALL", 10**12)
        patch.setattr("skkd.losses._compiled_transport._SMALL", 10**12)
        slow = make(name).value_and_gradient(Z, t, y=y, sample_weight=counts)
    return fast, slow


@pytest.mark.parametrize(
    "dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)], ids=str
)
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "cmi-fixed"])
def test_compiled_passes_compute_the_same(name, dtype, monkeypatch):
    """More than 2^15 logits: rows and classes that fill no tile, ties, equal rows, large logits."""
    n, n_classes = 171, 201
    Z, t, y = problem(seed=20, n=n, n_classes=n_classes)
    t = np.round(t, 1)
    Z[:40] = np.round(Z[:40], 0)
    Z[7] *= 200.0
    t[5], Z[3] = 0.0, Z[2]
    Z, t = Z.astype(dtype), t.astype(dtype)
    counts = np.arange(n, dtype=float) % 4
    tol = 1e-11 if dtype == np.float64 else 2e-4
    for layout, weight in (("C", None), ("F", counts)):
        logits = np.asarray(Z, order=layout)
        (value, gradient), (expected, slope) = both_ways(name, logits, t, y, weight, monkeypatch)
        assert_allclose(value, expected, rtol=tol)
        far = np.abs(gradient - slope) > tol * np.abs(slope).max()
        # In single precision a few of 6 million pairs of probabilities differ by rounding alone:
        # then the sign of their difference, a gradient of the costs, is chance.
        assert np.mean(far) <= (1e-3 if name in KINKED and dtype == np.float32 else 0.0)
        assert gradient.dtype == dtype
        assert gradient.flags.c_contiguous or gradient.flags.f_contiguous


def test_compiled_information_with_fixed_centroids(monkeypatch):
    n_classes = 40
    Z, _, y = problem(seed=21, n=900, n_classes=n_classes)
    params = {"centroids": softmax(np.eye(n_classes), axis=1)}
    monkeypatch.setitem(LOSSES, "cmi-40", ("cmi", params))
    fast, slow = both_ways("cmi-40", Z, Z, y, None, monkeypatch)
    assert_allclose(fast[0], slow[0], rtol=1e-12)
    assert_allclose(fast[1], slow[1], atol=1e-15)


@pytest.mark.parametrize("n_classes", [2, 12, 3000])
def test_compiled_passes_of_many_shapes(n_classes, monkeypatch):
    n = 2**15 // n_classes + 3
    Z, t, y = problem(seed=22, n=n, n_classes=n_classes)
    for name in ("dist", "class", "cmi", "uskd", "rank", "gated", "selective"):
        (value, gradient), (expected, slope) = both_ways(name, Z, t, y, None, monkeypatch)
        assert_allclose(value, expected, rtol=1e-11, atol=1e-14, err_msg=name)
        atol = max(1e-11 * np.abs(slope).max(), 1e-16)
        assert_allclose(gradient, slope, rtol=0, atol=atol, err_msg=name)


def test_compiled_correlations_with_a_constant_teacher():
    """Columns without variation give nothing, whatever the rounding of their means."""
    Z, t, _ = problem(seed=23, n=900, n_classes=40)
    for dtype in (np.float32, np.float64):
        alike = np.tile(t[:1], (900, 1)).astype(dtype)
        loss = get_loss("dist", beta=0.0)
        value, gradient = loss.value_and_gradient(Z.astype(dtype), alike)
        assert_allclose(value, 1.0, atol=1e-5)
        assert np.abs(gradient).max() < 1e-9


@pytest.mark.parametrize("name", ["dist", "class", "batch", "sinkhorn", "cmi", "uskd", "rank"])
def test_compiled_passes_stand_extreme_logits(name):
    rng = np.random.default_rng(0)
    Z, t = rng.choice([-1e4, -1.0, 0.0, 2.0, 1e4], size=(2, 300, 120))
    value, gradient = make(name).value_and_gradient(Z, t, y=rng.integers(0, 120, 300))
    assert math.isfinite(value)
    assert np.all(np.isfinite(gradient))
