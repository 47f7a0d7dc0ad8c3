"""The reliability diagram shows what the curve holds."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB

from skkd.metrics import expected_calibration_error, reliability_curve
from skkd.plotting import ReliabilityDisplay as Display

X, CODES = load_iris(return_X_y=True)
Y = np.array(["a", "b", "c"])[CODES]
X = X[:, :2]
MODEL = GaussianNB().fit(X, Y)
PROBA = MODEL.predict_proba(X)
WEIGHT = np.arange(150) % 3


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def legend_of(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_bins": 5, "strategy": "quantile"},
        {"strategy": "adaptive", "sample_weight": WEIGHT},
        {"pos_label": "b"},
    ],
)
def test_line_and_legend_are_the_curve(options):
    display = Display.from_estimator(MODEL, X, Y, **options)
    curve = reliability_curve(Y, PROBA, **options)
    assert_array_equal(display.line_.get_xdata(), curve.confidence)
    assert_array_equal(display.line_.get_ydata(), curve.accuracy)
    error = expected_calibration_error(Y, PROBA, **options)
    assert sorted(legend_of(display)) == [f"GaussianNB (ECE {error:.3f})", "perfectly calibrated"]


def test_from_predictions_is_from_estimator():
    one = Display.from_estimator(MODEL, X, Y, n_bins=7, name="nb")
    other = Display.from_predictions(Y, PROBA, n_bins=7, name="nb")
    assert_array_equal(one.line_.get_ydata(), other.line_.get_ydata())
    assert legend_of(one) == legend_of(other)
    two_classes = Display.from_predictions(Y == "a", PROBA[:, 0], name="a", pos_label=True)
    assert_array_equal(
        two_classes.line_.get_xdata(), reliability_curve(Y, PROBA, pos_label="a").confidence
    )


def test_an_estimator_knows_classes_that_do_not_occur():
    rows = Y != "b"
    display = Display.from_estimator(MODEL, X[rows], Y[rows])
    assert display.curve.weight.sum() == rows.sum()


def test_gaps_reach_from_the_diagonal_to_the_curve():
    display = Display.from_estimator(MODEL, X, Y, n_bins=6)
    curve = display.curve
    drawn = np.array(display.gaps_.get_segments())
    expected = [[(c, c), (c, a)] for c, a in zip(curve.confidence, curve.accuracy, strict=True)]
    assert_allclose(drawn, expected)
    colours = [to_rgba(c)[:3] for c in display.gaps_.get_colors()]
    assert colours == [to_rgba(display.line_.get_color())[:3]]
    assert Display.from_estimator(MODEL, X, Y, gaps=False).gaps_ is None


def test_band_is_the_range_of_a_calibrated_model():
    display = Display.from_estimator(
        MODEL, X, Y, n_bins=6, sample_weight=WEIGHT, confidence_level=0.9
    )
    vertices = display.band_.get_paths()[0].vertices
    for confidence, weight in zip(display.curve.confidence, display.curve.weight, strict=True):
        heights = vertices[np.isclose(vertices[:, 0], confidence, atol=1e-12), 1]
        ends = binom.ppf([0.05, 0.95], weight, confidence) / weight
        assert_allclose([heights.min(), heights.max()], ends)
    assert Display.from_estimator(MODEL, X, Y, confidence_level=None).band_ is None


def test_histogram_holds_all_rows():
    display = Display.from_estimator(MODEL, X, Y, sample_weight=WEIGHT)
    shares, edges, _ = display.histogram_.get_data()
    counts, _ = np.histogram(PROBA.max(axis=1), np.linspace(0, 1, 21), weights=WEIGHT)
    assert_allclose(edges, np.linspace(0, 1, 21))
    assert_allclose(shares, counts / WEIGHT.sum())
    assert display.histogram_ax_.get_xlim() == display.ax_.get_xlim()
    without = Display.from_estimator(MODEL, X, Y, histogram=False)
    assert without.histogram_ is None and without.ax_.child_axes == []
    assert Display(display.curve).plot().histogram_ax_ is None


def test_two_models_share_axes():
    one = Display.from_estimator(MODEL, X, Y, name="one")
    flat = np.full((150, 3), 1 / 3)
    two = Display.from_predictions(Y, flat, ax=one.ax_, name="two", confidence_level=None)
    assert two.ax_ is one.ax_ and two.histogram_ax_ is one.histogram_ax_
    assert two.reference_line_ is one.reference_line_
    assert len(one.ax_.lines) == 3 and len(one.ax_.child_axes) == 1
    assert to_rgba(one.line_.get_color()) != to_rgba(two.line_.get_color())
    assert [text[:3] for text in legend_of(two)] == ["per", "one", "two"]
    low, high = one.ax_.get_xlim()
    assert low < 1 / 3 and high > 1
    # All confidences of the second are equal, and the histogram is high enough for them.
    assert one.histogram_ax_.get_ylim()[1] >= 1.0


def test_axes_and_their_names():
    figure, axes = plt.subplots(1, 2)
    display = Display.from_estimator(MODEL, X, Y, ax=axes[1], line_kw={"marker": "s"})
    assert display.ax_ is axes[1] and display.figure_ is figure and not axes[0].lines
    assert display.line_.get_marker() == "s"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("confidence", "accuracy")
    of_class = Display.from_estimator(MODEL, X, Y, pos_label="c")
    assert of_class.ax_.get_xlabel() == "probability of c"
    assert of_class.ax_.get_ylabel() == "frequency of c"
    assert of_class.ax_.get_xlim()[0] < 0
    figure.canvas.draw()


def test_names_and_norms():
    display = Display.from_predictions(Y, PROBA)
    assert legend_of(display)[-1] == f"ECE {display.curve.error():.3f}"
    again = display.plot(name="nb", norm="max")
    assert again.line_.get_label() == f"nb (largest gap {display.curve.error('max'):.3f})"
    assert display.plot(name="nb", norm=None).line_.get_label() == "nb"


@pytest.mark.parametrize(
    ("options", "message"),
    [({"norm": "l3"}, "norm='l3'; allowed"), ({"confidence_level": 1.5}, "confidence_level=1.5")],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        Display.from_predictions(Y, PROBA, **options)


def test_matplotlib_is_loaded_when_drawing_only():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from skkd.plotting import ReliabilityDisplay\n"
        "try:\n"
        "    ReliabilityDisplay.from_predictions([0, 1], [0.2, 0.9])\n"
        "except ImportError as error:\n"
        "    assert 'skkd[plot]' in str(error)\n"
        "else:\n"
        "    raise SystemExit('drawn without matplotlib')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
