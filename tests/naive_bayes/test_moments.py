"""Moments that merge: streams, parts of files, partitions of a cluster."""

import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits, load_wine

from skkd.naive_bayes import SharedVarianceGaussianNB, class_moments
from skkd.naive_bayes import _passes as passes

X, y = load_wine(return_X_y=True)
NAMES = load_wine().target_names
FITTED = ("theta_", "var_", "class_count_", "class_prior_", "coef_", "intercept_")


def assert_same_model(one, two, rtol=1e-11):
    for name in FITTED:
        assert_allclose(getattr(one, name), getattr(two, name), rtol=rtol, err_msg=name)
    assert one.n_samples_seen_ == two.n_samples_seen_


class TestPartialFit:
    @settings(max_examples=30, deadline=None)
    @given(
        cuts=st.lists(st.integers(1, len(y) - 1), max_size=6, unique=True),
        seed=st.integers(0, 99),
        smoothing=st.sampled_from(["absolute", "relative"]),
    )
    def test_any_split_gives_the_batch_result(self, cuts, seed, smoothing):
        order = np.random.default_rng(seed).permutation(len(y))
        weights = np.random.default_rng(seed).uniform(0.0, 2.0, len(y))
        stream = SharedVarianceGaussianNB(smoothing=smoothing)
        for part in np.split(order, sorted(cuts)):
            stream.partial_fit(X[part], y[part], classes=[0, 1, 2], sample_weight=weights[part])
        batch = SharedVarianceGaussianNB(smoothing=smoothing).fit(X, y, sample_weight=weights)
        assert_same_model(stream, batch)

    def test_a_class_not_seen_yet_is_never_predicted(self):
        early = y < 2
        stream = SharedVarianceGaussianNB().partial_fit(X[early], y[early], classes=[0, 1, 2])
        assert stream.intercept_[2] == -math.inf
        probability = stream.predict_proba(X)
        assert np.all(probability[:, 2] == 0.0) and np.all(np.isfinite(probability))
        pair = SharedVarianceGaussianNB().fit(X[early], y[early])
        assert_allclose(probability[:, :2], pair.predict_proba(X), atol=1e-10)
        stream.partial_fit(X[~early], y[~early])
        assert_same_model(stream, SharedVarianceGaussianNB().fit(X, y))

    def test_one_of_two_classes_not_seen_yet(self):
        one = y == 1
        stream = SharedVarianceGaussianNB().partial_fit(X[one], y[one], classes=[0, 1])
        assert np.all(stream.predict(X) == 1)
        assert_allclose(stream.predict_proba(X), [[0.0, 1.0]] * len(y))
        assert np.all(stream.predict_log_proba(X)[:, 0] == -math.inf)

    def test_priors_do_not_revive_a_class_without_rows(self):
        stream = SharedVarianceGaussianNB(priors=[0.2, 0.3, 0.5])
        stream.partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
        assert set(stream.predict(X)) == {0, 1}

    def test_words_and_later_batches(self):
        stream = SharedVarianceGaussianNB().partial_fit(X[:100], NAMES[y[:100]], classes=NAMES)
        stream.partial_fit(X[100:], NAMES[y[100:]])
        assert_same_model(stream, SharedVarianceGaussianNB().fit(X, NAMES[y]))

    def test_fit_forgets_and_partial_fit_goes_on(self):
        stream = SharedVarianceGaussianNB().fit(X[:90], y[:90] % 2).fit(X[:150], y[:150])
        stream.partial_fit(X[150:], y[150:])
        assert_same_model(stream, SharedVarianceGaussianNB().fit(X, y))

    def test_a_refused_batch_changes_nothing(self):
        stream = SharedVarianceGaussianNB().partial_fit(X[:100], y[:100], classes=[0, 1, 2])
        before = stream.coef_.copy()
        with pytest.raises(ValueError, match="priors"):
            stream.set_params(priors=[0.5, 0.5]).partial_fit(X[100:], y[100:])
        stream.set_params(priors=None).partial_fit(X[100:], y[100:])
        assert_same_model(stream, SharedVarianceGaussianNB().fit(X, y))
        assert not np.array_equal(before, stream.coef_)

    def test_mistakes(self):
        with pytest.raises(ValueError, match="classes must be passed on the first call"):
            SharedVarianceGaussianNB().partial_fit(X, y)
        with pytest.raises(ValueError, match=r"labels that are not in classes: \[2\]"):
            SharedVarianceGaussianNB().partial_fit(X, y, classes=[0, 1])
        with pytest.raises(ValueError, match="at least 2 classes"):
            SharedVarianceGaussianNB().partial_fit(X[:5], y[:5], classes=[0])
        stream = SharedVarianceGaussianNB().partial_fit(X, y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match="differ from those of the first call"):
            stream.partial_fit(X, y, classes=[0, 1])


class TestMoments:
    def test_parts_add_up_in_any_order_and_shape(self):
        parts = [class_moments(X[i::7], y[i::7]) for i in range(7)]
        whole = class_moments(X, y)
        for total in (sum(parts), sum(parts[::-1]), (parts[0] + parts[1]) + sum(parts[2:])):
            assert_allclose(total.means, whole.means, rtol=1e-13)
            assert_allclose(total.scatter, whole.scatter, rtol=1e-12)
            assert total.counts.tolist() == whole.counts.tolist()
        batch = SharedVarianceGaussianNB().fit(X, y)
        assert_same_model(SharedVarianceGaussianNB().fit_moments(sum(parts)), batch)

    def test_parts_with_different_classes(self):
        parts = [class_moments(X[y == k], NAMES[y[y == k]]) for k in (2, 0, 1)]
        total = sum(parts)
        assert total.classes.tolist() == sorted(NAMES)
        model = SharedVarianceGaussianNB().fit_moments(total)
        assert_same_model(model, SharedVarianceGaussianNB().fit(X, NAMES[y]))

    def test_total_variance(self):
        assert_allclose(class_moments(X, y).total_variance, X.var(axis=0), rtol=1e-12)

    def test_a_fitted_model_gives_its_moments_back(self):
        model = SharedVarianceGaussianNB().fit(X[:100], y[:100])
        more = model.moments_ + class_moments(X[100:], y[100:], classes=[0, 1, 2])
        again = SharedVarianceGaussianNB().fit_moments(more)
        assert_same_model(again, SharedVarianceGaussianNB().fit(X, y))

    def test_names_of_a_frame_are_kept_and_compared(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X, columns=load_wine().feature_names)
        parts = [class_moments(frame[:90], y[:90]), class_moments(frame[90:], y[90:])]
        model = SharedVarianceGaussianNB().fit_moments(sum(parts))
        assert model.feature_names_in_.tolist() == load_wine().feature_names
        assert model.score(frame, y) > 0.9
        assert not hasattr(model.fit_moments(class_moments(X, y)), "feature_names_in_")
        with pytest.raises(ValueError, match="bring the columns in one order"):
            parts[0] + class_moments(frame[frame.columns[::-1]], y)

    def test_mistakes(self):
        with pytest.raises(ValueError, match="13 and of 12 features"):
            class_moments(X, y) + class_moments(X[:, 1:], y)
        with pytest.raises(TypeError):
            class_moments(X, y) + 1
        with pytest.raises(TypeError, match=r"skkd\.naive_bayes\.class_moments"):
            SharedVarianceGaussianNB().fit_moments(X)
        with pytest.raises(ValueError, match="needs at least 2 classes"):
            SharedVarianceGaussianNB().fit_moments(class_moments(X[:5], y[:5]))
        with pytest.raises(ValueError, match=r"labels that are not in classes: \[2\]"):
            class_moments(X, y, classes=[0, 1])

    def test_on_dask(self):
        dask = pytest.importorskip("dask")
        parts = [dask.delayed(class_moments)(X[i : i + 50], y[i : i + 50]) for i in (0, 50, 100)]
        parts.append(dask.delayed(class_moments)(X[150:], y[150:]))
        total = dask.delayed(sum)(parts).compute(scheduler="threads")
        model = SharedVarianceGaussianNB().fit_moments(total)
        assert_same_model(model, SharedVarianceGaussianNB().fit(X, y))


class TestCompiledPass:
    """The compiled pass, forced onto data small enough for a test."""

    @pytest.fixture(autouse=True)
    def forced(self, monkeypatch):
        monkeypatch.setattr(passes, "_SMALL_BYTES", 0)

    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_agrees_with_array_functions(self, order, dtype, weighted, monkeypatch):
        rows, labels = load_digits(return_X_y=True)
        rows = np.asarray(rows + 100.0, dtype=dtype, order=order)
        weights = None
        if weighted:
            weights = np.random.default_rng(0).integers(0, 3, len(labels)).astype(dtype)
        compiled = class_moments(rows, labels, sample_weight=weights)
        monkeypatch.setattr(passes, "_SMALL_BYTES", 2**40)
        plain = class_moments(rows, labels, sample_weight=weights)
        assert_allclose(compiled.counts, plain.counts, rtol=1e-14)
        assert_allclose(compiled.means, plain.means, rtol=1e-13)
        assert_allclose(compiled.scatter, plain.scatter, rtol=1e-11, atol=1e-18)

    def test_many_chunks_and_any_number_of_threads(self, monkeypatch):
        rng = np.random.default_rng(0)
        rows, labels = rng.standard_normal((3000, 5)), rng.integers(0, 4, 3000)
        monkeypatch.setattr(passes, "_CHUNK_BYTES", 5 * 8 * 150)
        found = []
        for n_threads in (1, 4):
            monkeypatch.setattr(passes, "blas_threads", lambda n=n_threads: n)
            found.append(class_moments(rows, labels))
        assert np.array_equal(found[0].scatter, found[1].scatter)
        assert np.array_equal(found[0].means, found[1].means)

    def test_a_view_with_steps(self):
        rows = np.random.default_rng(0).standard_normal((400, 12))
        labels = np.arange(400) % 3
        one = class_moments(rows[::2, ::3], labels[::2])
        two = class_moments(rows[::2, ::3].copy(), labels[::2])
        assert_allclose(one.scatter, two.scatter, rtol=1e-14)

    def test_far_classes_are_read_again(self):
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 3, 2000)
        noise = rng.standard_normal((2000, 3))
        moved = noise + 1e7 * labels[:, None] * [0.0, 1.0, 0.0]
        expected = class_moments(noise, labels).scatter
        assert_allclose(class_moments(moved, labels).scatter, expected, rtol=1e-8)


MEMORY = """
import resource, sys
import numpy as np
from skkd.naive_bayes import SharedVarianceGaussianNB, class_moments

path, n, p = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
labels = np.arange(n) % 3
class_moments(np.eye(3), [0, 1, 2])  # all imports and buffers of libraries
status = open("/proc/self/status").read()
used = int(status.split("VmData:")[1].split()[0]) * 1024
limit = n * p * 8 // 10
resource.setrlimit(resource.RLIMIT_DATA, (used + limit, used + limit))
try:
    np.ones(n * p // 8)
    raise SystemExit("the limit does not bind")
except MemoryError:
    pass
rows = np.memmap(path, dtype=np.float64, mode="r", shape=(n, p))
step = n // 64
parts = (class_moments(rows[i : i + step], labels[i : i + step]) for i in range(0, n, step))
model = SharedVarianceGaussianNB().fit_moments(sum(parts))
np.save(sys.argv[4], np.concatenate([model.theta_.ravel(), model.var_]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_a_file_ten_times_larger_than_memory(tmp_path):
    """Mapped pages of the file are not the process's own memory, which the limit is on."""
    n, p = 640_000, 50
    rng = np.random.default_rng(0)
    rows = np.memmap(tmp_path / "rows", dtype=np.float64, mode="w+", shape=(n, p))
    for low in range(0, n, n // 10):
        rows[low : low + n // 10] = rng.standard_normal((n // 10, p))
    rows.flush()
    script, out = tmp_path / "fit.py", tmp_path / "fitted.npy"
    script.write_text(textwrap.dedent(MEMORY))
    single = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, script, tmp_path / "rows", str(n), str(p), out]
    subprocess.run(command, check=True, env=single, timeout=120)
    expected = SharedVarianceGaussianNB().fit(rows, np.arange(n) % 3)
    together = np.concatenate([expected.theta_.ravel(), expected.var_])
    assert_allclose(np.load(out), together, rtol=1e-10, atol=1e-15)
