"""The figure of learning curves shows what the record holds."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import t
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from skkd.model_selection import LearningCurves, compare_learning_curves, crossing_point
from skkd.plotting import LearningCurveComparisonDisplay as Display

SIZES = [10, 30, 100, 300]
SPREAD = np.array([-0.02, 0.0, 0.01, 0.03])
MEANS = np.array([[0.30, 0.25, 0.22, 0.20], [0.45, 0.30, 0.15, 0.10], [0.5, 0.5, 0.5, 0.5]])
SCORES = MEANS[:, :, None] + SPREAD * np.array([1.0, 2.0, 0.5])[:, None, None]
TWO = LearningCurves(SIZES, ("a", "b"), SCORES[:2])
THREE = LearningCurves(SIZES, ("a", "b", "c"), SCORES)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def legend_of(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def band_edges(band, at):
    """Lower and upper end of a band at one size."""
    points = band.get_paths()[0].vertices
    heights = points[np.isclose(points[:, 0], at), 1]
    return heights.min(), heights.max()


def test_lines_are_the_means():
    display = Display.from_result(THREE)
    assert [line.get_label() for line in display.lines_] == ["a", "b", "c"]
    for line, mean in zip(display.lines_, THREE.mean_scores, strict=True):
        assert_array_equal(line.get_xdata(), SIZES)
        assert_allclose(line.get_ydata(), mean)
    assert len({to_rgba(line.get_color()) for line in display.lines_}) == 3


@pytest.mark.parametrize("band", ["std", "ci"])
def test_bands(band):
    display = Display.from_result(TWO, band=band, confidence_level=0.9)
    assert len(display.bands_) == 2
    for drawn, scores, line in zip(display.bands_, SCORES[:2], display.lines_, strict=True):
        for size, values in zip(SIZES, scores, strict=True):
            width = np.std(values, ddof=1)
            if band == "ci":
                width *= t.ppf(0.95, 3) / 2
            assert_allclose(band_edges(drawn, size), values.mean() + width * np.array([-1, 1]))
        assert_allclose(drawn.get_facecolor()[0, :3], to_rgba(line.get_color())[:3])


def test_no_bands():
    assert Display.from_result(TWO, band=None).bands_ == []
    one = LearningCurves(SIZES, ("a", "b"), SCORES[:2, :, :1])
    assert Display.from_result(one).bands_ == []


def test_repeats_that_were_left_out_do_not_count():
    scores = SCORES[:2].copy()
    scores[:, 1, :2] = np.nan
    display = Display.from_result(LearningCurves(SIZES, ("a", "b"), scores))
    kept = scores[0, 1, 2:]
    assert display.lines_[0].get_ydata()[1] == pytest.approx(kept.mean())
    ends = kept.mean() + np.std(kept, ddof=1) * np.array([-1, 1])
    assert_allclose(band_edges(display.bands_[0], 30), ends)


def test_axes():
    display = Display.from_result(TWO)
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlabel() == "training samples"
    assert display.ax_.get_ylabel() == "test error"
    assert Display.from_result(TWO, log_x=False).ax_.get_xscale() == "linear"
    risks = LearningCurves(SIZES, ("a", "b"), SCORES[:2], scoring="risk")
    assert Display.from_result(risks).ax_.get_ylabel() == "population risk"
    own = LearningCurves(SIZES, ("a", "b"), SCORES[:2], scoring="brier")
    assert Display.from_result(own).ax_.get_ylabel() == "brier"


@pytest.mark.parametrize(
    ("sizes", "labels"),
    [
        ([15, 40, 60, 300], ["20", "50", "100", "200"]),
        ([5, 50, 500, 50000], ["10", "100", "1000", "10000"]),
        ([6, 7, 8, 9], ["6", "7", "8", "9"]),
    ],
)
def test_labels_of_sizes_are_numbers(sizes, labels):
    display = Display.from_result(LearningCurves(sizes, ("a", "b"), SCORES[:2]))
    display.figure_.canvas.draw()
    low, high = display.ax_.get_xlim()
    ticks = zip(display.ax_.get_xticks(), display.ax_.get_xticklabels(), strict=True)
    assert [label.get_text() for at, label in ticks if low <= at <= high] == labels
    assert not any(label.get_text() for label in display.ax_.get_xticklabels(minor=True))


def test_axes_of_choice():
    figure, axes = plt.subplots(1, 2)
    display = Display.from_result(TWO, ax=axes[1], line_kw={"linewidth": 3, "marker": "s"})
    assert display.ax_ is axes[1] and display.figure_ is figure
    assert not axes[0].lines
    assert display.lines_[0].get_linewidth() == 3 and display.lines_[0].get_marker() == "s"


def test_crossing_of_two():
    display = Display.from_result(TWO)
    expected = crossing_point(TWO, "a", "b", n_bootstrap=0).crossing
    assert_allclose(display.crossing_line_.get_xdata(), expected)
    assert display.crossing_.crossing == expected
    assert legend_of(display) == ["a", "b", f"crossing at {expected:.0f}"]


def test_crossing_of_three_has_to_be_named():
    assert Display.from_result(THREE).crossing_line_ is None
    display = Display.from_result(THREE, crossing=("b", "a"))
    assert display.crossing_.crossing == crossing_point(TWO, "a", "b").crossing
    assert display.crossing_line_ is not None


@pytest.mark.parametrize("crossing", [None, ("a", "c")])
def test_no_crossing(crossing):
    display = Display.from_result(THREE, crossing=crossing)
    assert display.crossing_line_ is None
    assert legend_of(display) == ["a", "b", "c"]


def test_interval_of_a_crossing_is_shaded():
    found = crossing_point(TWO, "a", "b", random_state=0)
    before = len(Display.from_result(TWO).ax_.patches)
    display = Display.from_result(TWO, crossing=found)
    assert len(display.ax_.patches) == before + 1
    assert_allclose(display.ax_.patches[-1].get_bbox().intervalx, found.interval)
    assert found.interval[0] < found.crossing < found.interval[1]


def test_interval_is_shaded_within_the_sizes():
    scores = np.array([[[0.1, 0.1], [0.3, 0.3]], [[0.4, 0.4], [0.2, 0.31]]])
    curves = LearningCurves([10, 30], ("a", "b"), scores)
    found = crossing_point(curves, "a", "b", random_state=0)
    assert found.interval[1] == np.inf
    shade = Display.from_result(curves, crossing=found).ax_.patches[-1]
    assert_allclose(shade.get_bbox().intervalx, [found.interval[0], 30])


def test_limits():
    display = Display.from_result(TWO, asymptotes={"b": 0.08, "Bayes error": 0.05})
    limit, bayes = display.asymptote_lines_
    assert_allclose(limit.get_ydata(), 0.08)
    assert_allclose(bayes.get_ydata(), 0.05)
    assert to_rgba(limit.get_color()) == to_rgba(display.lines_[1].get_color())
    assert to_rgba(bayes.get_color()) == to_rgba("black")
    assert legend_of(display)[:3] == ["a", "b", "Bayes error"]


def test_from_estimators_is_from_result():
    X, y = load_iris(return_X_y=True)
    models = {"nb": GaussianNB(), "knn": KNeighborsClassifier(3)}
    options = {"train_sizes": [10, 40], "test_size": 0.5, "random_state": 0}
    display = Display.from_estimators(models, X, y, band="ci", **options)
    expected = compare_learning_curves(models, X, y, **options)
    assert_array_equal(display.result.test_scores, expected.test_scores)
    assert_allclose(display.lines_[1].get_ydata(), expected.mean_scores[1])
    assert not hasattr(models["nb"], "theta_")


def test_infinite_scores_are_gaps():
    scores = SCORES[:2].copy()
    scores[0, 0, 0] = np.inf
    display = Display.from_result(LearningCurves(SIZES, ("a", "b"), scores, scoring="log_loss"))
    assert display.crossing_line_ is None
    assert display.ax_.get_ylabel() == "test log-loss"
    display.figure_.canvas.draw()
    assert np.isfinite(display.ax_.get_ylim()).all()


def test_figure_can_be_drawn_again():
    display = Display(TWO)
    first = display.plot().ax_
    second = display.plot().ax_
    assert first is not second
    assert len(display.lines_) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"band": "sem"}, "band='sem'; allowed are"),
        ({"crossing": "all"}, "crossing='all'; allowed are 'auto', a pair of the names"),
        ({"crossing": ("a",)}, "allowed are 'auto', a pair"),
        ({"crossing": ("a", "z")}, "no estimator is named 'z'"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        Display.from_result(TWO, **options)


def test_band_is_checked_before_the_fits():
    with pytest.raises(ValueError, match="band='sem'"):
        Display.from_estimators({"broken": object()}, [[0.0]], [0], band="sem", train_sizes=[1])


def test_matplotlib_is_loaded_when_drawing_only():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from skkd.plotting import LearningCurveComparisonDisplay as Display\n"
        "from skkd.model_selection import LearningCurves\n"
        "try:\n"
        "    Display.from_result(LearningCurves([1, 2], ('a',), [[[0.1], [0.1]]]))\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pip install 'skkd[plot]'" in done.stdout
