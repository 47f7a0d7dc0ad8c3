"""The compiled passes against the array-API code of the same losses."""

import numpy as np
import pytest

from skkd._threads import run_in_threads
from skkd.losses import (
    KLLoss,
    MultinomialLogLoss,
    Target,
    WeightedSum,
    _compiled,
    get_loss,
    make_loss,
)
from skkd.losses._one_pass import fits_one_pass

CASES = [
    ("ce", {}),
    ("label_smoothing", {"epsilon": 0.2}),
    ("kl", {}),
    ("kl", {"form": "cross_entropy"}),
    ("kl", {"standardize": True}),
    ("reverse_kl", {"temperature": 1.5}),
    ("js", {"beta": 0.3}),
    ("mse", {}),
    ("mse", {"center": True}),
    ("binary_kl", {}),
    ("binary_kl_norm", {}),
    ("dkd", {}),
    ("nkd", {}),
    ("nkd", {"temperature": 2.0}),
    ("wsld", {}),
    ("pld", {"teacher_temperature": 2.0}),
    ("list_mle", {}),
]
IDS = [f"{name}-{'-'.join(f'{v}' for v in params.values())}" for name, params in CASES]


def problem(n_classes, dtype, order="C", scale=2.0, n=97):
    rng = np.random.default_rng(n_classes)
    s, t = scale * rng.standard_normal((2, n, n_classes))
    s, t = (np.asarray(x, dtype=dtype, order=order) for x in (s, t))
    return s, t, rng.integers(0, n_classes, n), rng.random(n).astype(dtype)


def evaluate(monkeypatch, name, params, s, t, y, weight, *, compiled):
    loss = get_loss(name, **params)
    monkeypatch.setattr(_compiled, "SMALL", 0 if compiled else np.inf)
    given = {"teacher_logits": t} if loss.needs_teacher else {}
    given |= {"y": y} if loss.needs_labels else {}
    return loss.value_and_gradient(s, sample_weight=weight, **given)


def assert_same(found, expected, dtype, scale=1.0):
    """To rounding of numbers of the size of the largest."""
    rounding = 300 * np.finfo(dtype).eps * scale
    np.testing.assert_allclose(found[0], expected[0], rtol=rounding, atol=rounding)
    assert found[1].dtype == dtype
    size = np.max(np.abs(expected[1]))
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=rounding * size + 1e-30)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "params"), CASES, ids=IDS)
def test_agrees_with_the_plain_code(monkeypatch, name, params, dtype):
    standardized = "standardize" in params
    for n_classes in (3 if standardized else 2, 10, 300):
        for order in "CF":
            s, t, y, weight = problem(n_classes, dtype, order)
            for given in (None, weight):
                args = (monkeypatch, name, params, s, t, y, given)
                expected = evaluate(*args, compiled=False)
                assert_same(evaluate(*args, compiled=True), expected, dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "params"), CASES, ids=IDS)
def test_logits_of_ten_thousand(monkeypatch, name, params, dtype):
    s, t, y, _ = problem(10, dtype, scale=1e4)
    args = (monkeypatch, name, params, s, t, y, None)
    found, expected = evaluate(*args, compiled=True), evaluate(*args, compiled=False)
    # Rounding of logits of 1e4 is what all of it is about.
    rounding = 1e5 * np.finfo(dtype).eps
    np.testing.assert_allclose(found[0], expected[0], rtol=rounding, atol=rounding)
    # A gradient that is zero but for rounding is compared with the weight of a row.
    size = max(np.max(np.abs(expected[1])), 1.0 / s.shape[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=rounding * size)


def test_threshold_and_kinds_of_arrays():
    assert _compiled.compiled(np.zeros((5000, 10)))
    assert not _compiled.compiled(np.zeros((3000, 10)))
    assert not _compiled.compiled(np.zeros((50000, 1)))
    assert not _compiled.compiled(np.zeros((5000, 10), dtype=np.float16))


def test_strided_and_mixed_layouts(monkeypatch):
    s, t, y, weight = problem(10, np.float64)
    args = (monkeypatch, "mse", {})
    expected = evaluate(*args, s, t, y, None, compiled=False)
    wide = np.zeros((97, 20))
    wide[:, ::2] = s
    for student, teacher in ((wide[:, ::2], t), (np.asfortranarray(s), t)):
        assert_same(evaluate(*args, student, teacher, y, None, compiled=True), expected, np.float64)


def test_ties_keep_the_order_of_the_classes(monkeypatch):
    t = np.round(np.random.default_rng(0).standard_normal((200, 40)))
    s, y = np.random.default_rng(1).standard_normal((200, 40)), np.arange(200) % 40
    args = (monkeypatch, "pld", {}, s, t, y, None)
    assert_same(evaluate(*args, compiled=True), evaluate(*args, compiled=False), np.float64)


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "js", "binary_kl", "dkd", "nkd", "pld"])
def test_deferred_targets_serve_blocks_and_plain_code(monkeypatch, name):
    s, t, y, _ = problem(10, np.float64)
    loss, target = make_loss(name), Target(y, t, mass=97.0)
    plain = loss.prepare(target)
    monkeypatch.setattr(_compiled, "SMALL", 0)
    late = loss.prepare(target)
    monkeypatch.undo()  # blocks are small, but what was left to the compiled pass stays with it
    block = slice(30, 80)
    found = loss.value_and_gradient(s[block], late.rows(block), 0.02)
    assert_same(found, loss.value_and_gradient(s[block], plain.rows(block), 0.02), np.float64)
    value, slope = loss.value_and_slope(s, late)
    assert_same((value, slope), loss.value_and_slope(s, plain), np.float64)


def test_results_do_not_depend_on_threads(monkeypatch):
    s, t, y, _ = problem(10, np.float64, n=5000)
    loss, target = make_loss("kl"), Target(y, t, mass=5000.0)
    results = []
    for n_threads in (1, 3):
        monkeypatch.setattr(_compiled, "blas_threads", lambda n=n_threads: n)
        results.append(loss.value_and_gradient(s, loss.prepare(target), 1.0 / 5000))
    assert results[0][0] == results[1][0]
    assert np.array_equal(results[0][1], results[1][1])


def test_work_inside_workers_is_not_divided_again():
    def outer(i):
        return sum(run_in_threads(lambda j: i + j, range(3), 2))

    assert run_in_threads(outer, range(100), 4) == [3 * i + 3 for i in range(100)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("name", ["ce", "label_smoothing", "kl"])
def test_products_with_the_hessian(monkeypatch, name, order, dtype):
    for n_classes in (2, 300):
        Z, teacher, y, weight = problem(n_classes, dtype, order)
        V = np.asarray(problem(n_classes, dtype, order="CF"[order == "C"])[1])
        loss = MultinomialLogLoss() if name == "ce" else make_loss(name)
        for one in (weight, 1.0 / len(Z)):
            found = []
            for small in (0, np.inf):
                monkeypatch.setattr(_compiled, "SMALL", small)
                target = loss.prepare(Target(y, teacher))
                found.append(loss.linearize(Z, target, one)(V))
            assert found[0].dtype == dtype
            np.testing.assert_allclose(*found, rtol=0, atol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("form", ["kl", "cross_entropy"])
@pytest.mark.parametrize("temperature", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_labels_and_teacher_in_one_pass(monkeypatch, dtype, temperature, form):
    for n_classes in (2, 60):
        for order in "CF":
            Z, teacher, y, weight = problem(n_classes, dtype, order)
            kl = KLLoss(temperature=temperature, form=form)
            loss = WeightedSum([(0.1, MultinomialLogLoss()), (0.9, kl)])
            found = []
            for small in (0, np.inf):
                monkeypatch.setattr(_compiled, "SMALL", small)
                target = loss.prepare(Target(y, teacher))
                assert fits_one_pass(loss.terms, target.prepared, Z) == (small == 0)
                found.append(loss.value_and_gradient(Z, target, weight))
            assert_same(*found, dtype)
