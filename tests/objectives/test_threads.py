"""Threads, the BLAS limit, forks, and memory: what a pass over the rows leaves behind."""

import multiprocessing
import threading
import time
import tracemalloc

import numpy as np
import pytest
import threadpoolctl
from numpy.testing import assert_allclose

from skkd._threads import blas_threads, run_in_threads, single_blas_thread
from skkd.losses import BinaryLogLoss, MultinomialLogLoss, SquaredHingeLoss, Target
from skkd.objectives import LinearObjective


def blas_limits():
    """Threads of each BLAS library in this process."""
    return [
        info["num_threads"]
        for info in threadpoolctl.threadpool_info()
        if info["user_api"] == "blas"
    ]


def release_control():
    """Let any thread set BLAS limits: threadpoolctl 3.8 obeys only the first that did."""
    for controller in threadpoolctl.ThreadpoolController().lib_controllers:
        if hasattr(controller, "clear_controlling_thread"):
            controller.clear_controlling_thread(force=True)


@pytest.fixture
def two_threads():
    """BLAS with two threads, as a user's environment or process sets them."""
    limiter = threadpoolctl.threadpool_limits(limits=2, user_api="blas")
    release_control()
    yield blas_limits()
    release_control()
    limiter.restore_original_limits()
    release_control()


def large_objective(n=5000, p=60, loss=None, k=1):
    """More than the bytes from which on rows are taken in blocks."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    y = rng.integers(0, max(k, 2), n)
    loss = loss or BinaryLogLoss()
    target = Target(y if k > 1 else y.astype(float))
    return LinearObjective(loss, X, target, n_outputs=k)


@pytest.mark.parametrize(
    ("loss", "k"), [(BinaryLogLoss(), 1), (SquaredHingeLoss(), 1), (MultinomialLogLoss(), 3)]
)
def test_every_pass_restores_the_blas_limit(two_threads, loss, k):
    objective = large_objective(loss=loss, k=k)
    W = objective.zeros()
    product = objective.linearize(W)
    for call in (
        lambda: objective.evaluate(W),
        lambda: objective.evaluate(W, normalized=True),
        lambda: objective.value_and_gradient(W),
        lambda: objective.logits(W),
        lambda: product(W),
        objective.diagonal,
    ):
        call()
        assert blas_limits() == two_threads


def test_the_limit_is_one_inside_and_restored_outside(two_threads):
    with single_blas_thread():
        assert set(blas_limits()) <= {1}
        assert blas_threads() == 2  # what the user allows, not what we hold it to
        with single_blas_thread():
            pass
        assert set(blas_limits()) <= {1}
    assert blas_limits() == two_threads


def test_the_limit_is_restored_after_an_error(two_threads):
    with pytest.raises(RuntimeError, match="inside"), single_blas_thread():
        raise RuntimeError("inside")
    assert blas_limits() == two_threads
    objective = large_objective()
    with pytest.raises((TypeError, ValueError, IndexError)):
        objective.value_and_gradient(np.zeros((3, 1)))  # too few rows: fails in a worker
    assert blas_limits() == two_threads


def test_users_that_overlap_restore_the_limit_once(two_threads):
    """First in, second in, first out, second out: nobody restores another one's limit of one."""
    both, first_out, second_out = threading.Barrier(2), threading.Event(), threading.Event()

    def first():
        with single_blas_thread():
            both.wait(10)  # let the other one in
            both.wait(10)  # until it is
        first_out.set()
        second_out.wait(10)  # still alive when the other one lifts the limit

    def second():
        both.wait(10)
        with single_blas_thread():
            both.wait(10)
            first_out.wait(10)
        second_out.set()

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert blas_limits() == two_threads
    assert blas_threads() == 2


def test_a_limit_in_the_main_thread_does_not_disarm_workers(two_threads):
    with single_blas_thread():
        pass
    inside = []

    def worker():
        with single_blas_thread():
            inside.append(blas_limits())

    thread = threading.Thread(target=worker)
    thread.start()
    thread.join(20)
    assert set(inside[0]) <= {1}
    assert blas_limits() == two_threads


def test_objectives_may_be_used_from_several_threads_at_once(two_threads):
    objective = large_objective()
    W = np.random.default_rng(1).standard_normal(objective.shape)
    expected = objective.value_and_gradient(W)[1]
    found = []
    threads = [
        threading.Thread(
            target=lambda: found.extend(objective.value_and_gradient(W)[1] for _ in range(5))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 20
    assert all((gradient == expected).all() for gradient in found)
    assert blas_limits() == two_threads


def test_blas_threads_follow_the_users_limit():
    for limit in (1, 2):
        with threadpoolctl.threadpool_limits(limits=limit, user_api="blas"):
            assert blas_threads() == limit


def test_results_come_in_order_and_errors_come_through():
    assert run_in_threads(lambda i: i * i, list(range(20)), 3) == [i * i for i in range(20)]

    def fail(i):
        raise KeyError(i)

    with pytest.raises(KeyError):
        run_in_threads(fail, [1, 2, 3], 2)
    assert run_in_threads(lambda i: i, [1, 2], 2) == [1, 2]


def test_no_more_threads_than_asked_for():
    """Also after a call that was allowed more: the user may have lowered the limit since."""
    lock, now, most = threading.Lock(), [0], [0]

    def work(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1

    for n_threads in (4, 2, 1):
        most[0] = 0
        run_in_threads(work, list(range(12)), n_threads)
        assert most[0] <= n_threads


def _evaluate_in_child(queue, W):
    queue.put(float(large_objective().value_and_gradient(W)[0]))


# Python 3.12 and later warn about any fork of a process with threads, which is the point here.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
def test_a_forked_child_starts_its_own_threads(two_threads):
    """Workers do not survive a fork; a child that waited for the parent's would hang."""
    objective = large_objective()
    W = np.random.default_rng(1).standard_normal(objective.shape)
    expected = float(objective.value_and_gradient(W)[0])
    run_in_threads(lambda i: i, [1, 2, 3], 2)  # now the parent has a pool
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with single_blas_thread():  # and a promise to restore BLAS, which is not the child's
        child = context.Process(target=_evaluate_in_child, args=(queue, W), daemon=True)
        child.start()
    assert queue.get(timeout=60) == expected
    child.join(10)
    assert child.exitcode == 0


@pytest.mark.parametrize(
    ("loss", "k"), [(BinaryLogLoss(), 1), (SquaredHingeLoss(), 1), (MultinomialLogLoss(), 3)]
)
def test_a_read_only_memory_map_works(tmp_path, loss, k):
    """What joblib hands to its workers for large data."""
    objective = large_objective(loss=loss, k=k)
    np.save(tmp_path / "X.npy", objective.X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    y = objective.target.y
    y.setflags(write=False)
    other = LinearObjective(loss, mapped, Target(y), n_outputs=k)
    W = np.random.default_rng(1).standard_normal(objective.shape)
    W.setflags(write=False)
    for a, b in zip(other.value_and_gradient(W), objective.value_and_gradient(W), strict=True):
        assert_allclose(a, b, rtol=1e-14)
    assert_allclose(other.evaluate(W).gradient, objective.evaluate(W).gradient, rtol=1e-14)
    assert_allclose(other.diagonal(), objective.diagonal(), rtol=1e-14)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("loss", "k"), [(BinaryLogLoss(), 1), (SquaredHingeLoss(), 1), (MultinomialLogLoss(), 3)]
)
def test_no_copy_of_the_rows_is_made(loss, k, dtype, order):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.standard_normal((40_000, 120)), dtype=dtype, order=order)
    y = rng.integers(0, max(k, 2), X.shape[0])
    weight = rng.random(X.shape[0]).astype(dtype)
    target = Target(y if k > 1 else y.astype(dtype))
    objective = LinearObjective(loss, X, target, weight, n_outputs=k)
    W = objective.zeros()
    for call in (
        lambda: objective.evaluate(W, normalized=True),
        lambda: objective.value_and_gradient(W),
        objective.diagonal,
    ):
        call()  # compiled by now
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # Room for the logits and for a few blocks, far from the rows themselves.
        assert peak < 4 * k * X.shape[0] * X.itemsize + 0.1 * X.nbytes + 2**22
        assert peak < 0.7 * X.nbytes
