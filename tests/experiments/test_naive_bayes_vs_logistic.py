"""The study naive_bayes_vs_logistic: search, curves, diagnostics, bound, claims and figures."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.datasets import load_digits, load_wine
from sklearn.preprocessing import MinMaxScaler, minmax_scale
from threadpoolctl import threadpool_limits

from experiments._harness.claims import judge
from experiments._harness.study import STUDIES, discover
from experiments.naive_bayes_vs_logistic import (
    authors,
    consistency,
    diagnostics,
    files,
    methods,
    samples,
    sets,
    study,
)
from skkd.model_selection import compare_learning_curves
from skkd.naive_bayes import SharedVarianceGaussianNB

pd = pytest.importorskip("pandas")
STUDY = discover(STUDIES)["naive_bayes_vs_logistic"]
GOLDEN = Path(__file__).parents[1] / "golden" / "data" / "nb"


def run(**configuration):
    return STUDY.run(configuration)


def verdicts(frame):
    return {one.claim.id: one for one in judge(STUDY.claims(), frame)}


def with_file(tmp_path, **arrays):
    path = tmp_path / "embeddings.npz"
    np.savez(path, **arrays)
    return str(path)


def embeddings(n=300, p=8, n_classes=3):
    rng = np.random.default_rng(0)
    y = np.arange(n) % n_classes
    E = rng.standard_normal((n, p)) + 2.0 * np.eye(n_classes, p)[y]
    return E.astype(np.float16), y


# The search for the samples needed


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [50, 100])
def test_search_finds_what_the_whole_grid_has(monkeypatch, n, seed):
    configuration = {"n": n, "n_classes": 2, "method": "logistic:1", "seed": seed}
    found = samples.samples_needed(configuration)
    search = samples.first_below
    monkeypatch.setattr(
        samples, "first_below", lambda *args, everything: search(*args, everything=True)
    )
    whole = samples.samples_needed(configuration)
    assert found["stride"] == math.ceil(math.log(n))
    assert found["needed"] == whole["needed"]
    errors = dict(zip(whole["sizes"], whole["excess"], strict=True))
    for m, excess in zip(found["sizes"], found["excess"], strict=True):
        assert errors.get(m, excess) == excess


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_search_without_noise_is_exact(everything, power):
    asked = []

    def excess(m):
        asked.append(m)
        return m**-power

    found = samples.first_below(excess, 50**-power, 4, 5, 1000, everything=everything)
    assert found["needed"] == 54 and found["stride"] == 5  # 49 misses
    assert sorted(asked) == list(found["seen"]) and len(set(asked)) == len(asked)


def test_search_spares_most_of_a_long_grid():
    rng = np.random.default_rng(0)

    def excess(m):
        return (1000 / m) ** 4 * 0.01 * math.exp(0.02 * rng.standard_normal())

    found = samples.first_below(excess, 0.01, 4, 5, 100_000)
    assert 970 <= found["needed"] <= 1030
    assert len(found["seen"]) < 40


def test_search_that_finds_nothing_says_none():
    found = samples.first_below(lambda m: 0.5, 0.01, 4, 5, 100)
    assert found["needed"] is None and max(found["seen"]) == 99


def test_search_may_end_at_once():
    assert samples.first_below(lambda m: 0.0, 0.01, 4, 5, 100)["needed"] == 4


def test_draws_hold_all_classes_and_depend_on_the_seed():
    design = samples._distribution(10, 7)
    X, y = samples._draw(design, 14, seed=0)
    assert X.dtype == np.float32 and X.shape == (14, 10)
    assert np.unique(y).size == 7
    assert np.array_equal(X, samples._draw(design, 14, seed=0)[0])
    assert not np.array_equal(X, samples._draw(design, 14, seed=1)[0])


def test_naive_bayes_needs_few_samples_and_logistic_regression_many():
    common = {"part": "samples", "n_classes": 2, "n": 100, "seed": 0}
    few = run(**common, method="naive_bayes")["needed"]
    many = run(**common, method="logistic:1")["needed"]
    assert few <= 20 and 80 <= many <= 160


# Curves


def test_methods_run_apart_learn_from_the_same_rows():
    X, y = load_wine(return_X_y=True)
    sizes = [20, 40]
    both = compare_learning_curves(
        {name: methods.make(name) for name in ("naive_bayes", "logistic:1")},
        X,
        y,
        train_sizes=sizes,
        n_repeats=1,
        scaler=MinMaxScaler(),
        random_state=3,
    )
    for name, expected in zip(both.names, both.test_scores, strict=True):
        record = run(part="real", set="wine", method=name, seed=3, train_sizes=sizes)
        assert record["errors"] == expected[:, 0].tolist()


def test_tuning_reports_the_penalty():
    record = run(part="real", set="wine", method="tuned", seed=0, train_sizes=[20, 40])
    assert set(record["penalties"]) <= set(methods.PENALTIES)
    plain = run(part="real", set="wine", method="logistic:1", seed=0, train_sizes=[20, 40])
    assert plain["penalties"] == [None, None]


def test_population_errors_are_above_the_limits():
    common = {"part": "population", "n": 20, "n_classes": 2, "correlation": 0.5}
    record = run(**common, method="naive_bayes", seed=0, train_sizes=[20, 2000])
    assert record["errors"][1] == pytest.approx(record["naive_bayes_limit"], rel=0.05)
    tuned = run(**common, method="tuned", seed=0, train_sizes=[100])
    assert record["bayes_error"] < tuned["errors"][0] < record["naive_bayes_limit"]


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="known are naive_bayes"):
        methods.make("perceptron")


# Numbers of the authors' program


def test_numbers_of_the_authors_program_are_those_of_the_reference():
    stored = json.loads((GOLDEN / "nb_lr_required_samples.json").read_text())
    for method, key in (("naive_bayes", "nb"), ("logistic:1", "lr")):
        theirs = authors.SAMPLES[method]
        assert {f"K{k}_n{n}_{key}": list(m) for (k, n), m in theirs.items()} == {
            name: values for name, values in stored.items() if name.endswith(key)
        }
    digits = json.loads((GOLDEN / "nb_vs_lr_real.json").read_text())["digits"]
    for m, pairs in digits.items():
        mean = np.mean([pair for pair in pairs if pair], axis=0)
        assert authors.REPLAY[int(m)] == pytest.approx(mean, abs=5e-5)


def test_replay_crosses_where_the_authors_program_does():
    listed = [one for one in STUDY.configurations("quick", {}) if one["part"] == "replay"]
    frame = pd.DataFrame([{**one, **STUDY.run(one)} for one in listed])
    assert verdicts(frame)["replay-digits"].status == "holds"
    assert frame["errors"].map(lambda errors: errors[0] is None).sum() == 4  # two seeds, m = 30


# Diagnostics


def test_diagnostics_are_those_of_the_densities():
    X, y = load_wine(return_X_y=True)
    X = minmax_scale(X)
    variances, beta, alpha = diagnostics.assumptions(X, y)
    model = SharedVarianceGaussianNB().fit(X, y)
    density = np.stack(
        [norm.logpdf(X, mean, np.sqrt(model.var_)).sum(axis=1) for mean in model.theta_], axis=1
    )
    np.testing.assert_array_equal(variances, model.var_)
    for k in range(3):
        for pair, (k1, k2) in enumerate([(0, 1), (0, 2), (1, 2)]):
            margin = (density[:, k1] - density[:, k2])[y == k]
            assert beta[k, pair] == pytest.approx(margin.mean() / X.shape[1], rel=1e-9)
            assert alpha[k, pair] == pytest.approx(margin.var() / X.shape[1], rel=1e-9)


def test_diagnostics_count_constant_pixels():
    X, _ = load_digits(return_X_y=True)
    record = run(part="diagnostics", set="digits")
    assert record["constant"] == (np.ptp(X, axis=0) == 0).sum() == 3
    assert record["variances"][0] == pytest.approx(1e-9)
    assert record["least_own_beta"] > 0.1


# The bound


@pytest.mark.parametrize("kind", sorted(consistency._KINDS))
def test_bound_is_kept(kind):
    size = {"n_classes": 2, "n_instances": 200, "m": 50}
    record = run(part="consistency", kind=kind, seed=1, **size)
    assert record["worst"] <= 1e-9 and 0 < record["ratio"] <= 1 + 1e-9
    assert len(record["log_excess"]) == len(record["error_excess"]) <= 300
    assert min(record["log_excess"]) >= 0
    if kind == "tie":
        assert record["least_ratio"] == pytest.approx(1, abs=1e-10)


def test_excess_of_scores_without_probability():
    p = np.array([[0.7, 0.3, 0.0]])
    with np.errstate(all="raise", under="ignore"):
        log_regret, error_regret = consistency._regrets(p, np.array([[-900.0, 0.0, -900.0]]))
    entropy = -(0.7 * math.log(0.7) + 0.3 * math.log(0.3))
    assert log_regret[0] == pytest.approx(630 - entropy)
    assert error_regret[0] == pytest.approx(0.4)


# The user's file


@pytest.mark.parametrize("name", ["E", "X"])
def test_file_of_the_user_is_run(tmp_path, name):
    E, y = embeddings()
    path = with_file(tmp_path, **{name: E, "y": np.array(["a", "b", "c"])[y]})
    listed = STUDY.configurations("quick", {"embeddings": path, "of_another_study": "x"})
    ours = [one for one in listed if one.get("file") == path]
    assert {one["part"] for one in ours} == {"real", "diagnostics"}
    assert {tuple(one.get("train_sizes", ())) for one in ours} == {(20, 50, 100), ()}
    frame = pd.DataFrame([{**one, **STUDY.run(one)} for one in ours])
    found = verdicts(frame)
    assert [one.trace for one in found.values() if one.trace] == []
    assert found["regimes-embeddings"].status in ("holds", "does not hold")
    assert found["regimes-embeddings-tuned"].status in ("holds", "does not hold")
    assert sets.load("embeddings", path)[0].dtype == np.float64


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": embeddings()[0]}, "holds features; wanted is an .npz file with features E"),
        ({"E": embeddings()[0], "y": embeddings()[1][:-1]}, r"labels \(299,\)"),
        ({"E": np.arange(5.0), "y": np.arange(5)}, r"features have shape \(5,\)"),
        ({"E": embeddings()[0].astype(str), "y": embeddings()[1]}, "features are of type"),
        ({"E": np.full((200, 2), np.nan), "y": np.arange(200) % 2}, "not all finite"),
        ({"E": embeddings()[0], "y": embeddings()[1] + 0.5}, "labels are of type float64"),
        ({"E": embeddings()[0][:50], "y": embeddings()[1][:50]}, "at least 100 rows"),
        ({"E": embeddings()[0], "y": np.zeros(300, dtype=int)}, "300 rows of 1 classes"),
        ({"E": embeddings()[0], "y": (np.arange(300) < 5).astype(int)}, "the smallest of 5 rows"),
    ],
)
def test_bad_file_is_refused_before_any_work(tmp_path, arrays, message):
    path = with_file(tmp_path, **arrays)
    with pytest.raises(files.DataFileError, match=message) as caught:
        study.configurations("quick", {"embeddings": path})
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize(
    ("content", "message"), [(b"not a zip", "cannot be read"), (None, "no such file")]
)
def test_no_npz_file(tmp_path, content, message):
    path = tmp_path / "embeddings.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(files.DataFileError, match=message):
        files.load_embeddings(str(path))


# Grid, claims, figures


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_grid_has_every_part_and_its_sets_are_known(preset):
    listed = STUDY.configurations(preset, {})
    assert {one["part"] for one in listed} == set(study.PARTS)
    assert {one["set"] for one in listed if "set" in one} == {*sets._LOADERS, "mixture"}


def test_paper_preset_has_the_sizes_of_the_paper():
    listed = STUDY.configurations("paper", {})
    cells = {
        (one["n"], one["n_classes"], one["method"], one["seed"])
        for one in listed
        if one["part"] == "samples" and one["method"] in ("naive_bayes", "logistic:1")
    }
    assert len(cells) == 4 * 4 * 2 * 5


def test_claims_on_a_small_run(small_frame):
    found = verdicts(small_frame)
    assert [one.trace for one in found.values() if one.trace] == []
    holding = {name for name, one in found.items() if one.status == "holds"}
    assert {"nb-logarithmic", "lr-linear", "nb-fewer", "reached", "limits"} <= holding
    assert {"regimes-mixture", "bound", "bound-bounded", "bound-tight", "bound-learned"} <= holding
    assert found["variances"].status == "does not hold"
    assert "--data embeddings=" in found["regimes-embeddings"].measured


def test_claims_of_each_part_alone(small_frame):
    for name, rows in small_frame.groupby("part"):
        found = verdicts(rows)
        assert [one.trace for one in found.values() if one.trace] == [], name


def needed(values, method="logistic:1"):
    rows = [{"n": n, "needed": m} for n, m in values.items()]
    common = {"part": "samples", "n_classes": 2, "method": method, "seed": 0, "unfinished": 0}
    return pd.DataFrame([{**common, **row, "sizes": [1]} for row in rows])


def test_growth_claims_can_fail():
    line = {100: 100.0, 200: 205.0, 400: 398.0, 1000: 1003.0}
    log = {n: 100 * math.log(n) + shift for n, shift in zip(line, (2, -1, 1, -2), strict=True)}
    square = {n: n * n / 100 + 1 for n in line}
    expected = {
        ("lr-linear", "logistic:1"): ("holds", "does not hold", "holds"),
        ("lr-exponent", "logistic:1"): ("holds", "does not hold", "does not hold"),
        ("lr-minimum", "minimum:1"): ("holds", "does not hold", "does not hold"),
        ("nb-logarithmic", "naive_bayes"): ("does not hold", "holds", "does not hold"),
    }
    for (claim, method), statuses in expected.items():
        found = [verdicts(needed(values, method))[claim].status for values in (line, log, square)]
        assert tuple(found) == statuses, claim


@pytest.mark.parametrize(
    ("logistic", "status"),
    [
        ([0.5, 0.1], "holds"),
        ([0.2, 0.1], "does not hold"),  # ahead throughout
        ([0.5, 0.4], "does not hold"),  # never ahead
    ],
)
def test_two_regimes_claim_can_fail(logistic, status):
    common = {"part": "real", "set": "digits", "train_sizes": [10, 1000]}
    rows = [
        {**common, "seed": seed, "method": method, "errors": [e + 0.01 * seed for e in errors]}
        for seed in range(4)
        for method, errors in (("naive_bayes", [0.3, 0.3]), ("logistic:1", logistic))
    ]
    assert verdicts(pd.DataFrame(rows))["regimes-digits"].status == status
    one = pd.DataFrame(rows[:2])
    if status == "holds":
        assert verdicts(one)["regimes-digits"].status == "not measured"


def test_bound_claim_can_fail():
    rows = [{"part": "consistency", "kind": "scores", "instances": 9, "worst": 1e-3, "ratio": 1.1}]
    found = verdicts(pd.DataFrame(rows))["bound"]
    assert found.status == "does not hold" and "exceeded by 0.001" in found.measured


def test_figures_are_made_without_warnings(small_frame):
    plt = pytest.importorskip("matplotlib.pyplot")
    drawn = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, caption, figure in STUDY.figures(small_frame):
            figure.canvas.draw()
            drawn[name] = caption
            plt.close(figure)
    assert len(drawn) == 8 and all(drawn.values())


def test_figures_of_each_part_alone(small_frame):
    plt = pytest.importorskip("matplotlib.pyplot")
    for _, rows in small_frame.groupby("part"):
        assert all(len(one) == 3 for one in STUDY.figures(rows))
        plt.close("all")


@pytest.fixture(scope="module")
def small_frame():
    """Every part, on what is small."""
    listed = [one for one in STUDY.configurations("quick", {}) if _is_small(one)]
    with threadpool_limits(1):  # as the harness does
        return pd.DataFrame([{**one, **STUDY.run(one)} for one in map(_shortened, listed)])


def _shortened(one):
    small = {"n_instances": min(one.get("n_instances", 0), 200)} if "n_instances" in one else {}
    if one["part"] == "population":
        small["train_sizes"] = [10, 40, 160]
    return {**one, **small}


def _is_small(one):
    if one["part"] == "samples":
        n_runs = {"naive_bayes": 3, "logistic:1": 2, "minimum:1": 1}[one["method"]]
        return one["n_classes"] == 2 and one["n"] < 1000 and one["seed"] < n_runs
    if one["part"] == "real":
        return one["set"] == "wine" and one["seed"] < 2
    if one["part"] == "diagnostics":
        return one["set"] in ("wine", "digits") or one.get("n") in (100, 200)
    if one["part"] == "population":
        return one["seed"] < 3
    return True
