"""Teacher logits given by the user: arrays, log-odds and frames, checked and brought to X."""

import numpy as np
import pytest
from scipy import sparse

from skkd._backend import to_numpy
from skkd.distillation._teacher import check_teacher_logits

Z = np.random.RandomState(0).standard_normal((6, 3))
X = np.zeros((6, 2))
WORDS = np.array(["ant", "bee", "cat"])


def check(logits, classes=WORDS, X=X):
    return check_teacher_logits(logits, 6, classes, X)


def changed(position, value):
    logits = Z.copy()
    logits[position] = value
    return logits


@pytest.mark.parametrize("given", [Z, Z.tolist(), np.asfortranarray(Z), Z.astype(np.float32)])
def test_arrays_pass_unchanged(given):
    found = check(given)
    assert found.dtype == np.float64
    assert np.array_equal(found, np.asarray(given))


@pytest.mark.parametrize(
    "rows",
    [np.zeros((6, 1), np.float32), sparse.csr_array((6, 4), dtype=np.float32)],
    ids=["dense", "sparse"],
)
def test_the_type_is_that_of_x(rows):
    found = check(Z, X=rows)
    assert found.dtype == np.float32
    assert np.array_equal(found, Z.astype(np.float32))
    assert check((10 * Z).astype(int)).dtype == np.float64


def test_log_odds_of_two_classes():
    d = Z[:, 0]
    for given in (d, d.tolist(), d[:, None]):
        assert np.array_equal(check(given, [0, 1]), np.stack([-d / 2, d / 2], axis=1))
    assert np.array_equal(check(Z[:, :2], [0, 1]), Z[:, :2])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_a_frame_are_the_classes_in_any_order(library):
    frames = pytest.importorskip(library)
    order = [2, 0, 1]
    frame = frames.DataFrame({str(WORDS[i]): Z[:, i] for i in order})
    assert np.array_equal(check(frame), Z)
    numbered = frames.DataFrame({str(i): Z[:, i] for i in order})
    assert np.array_equal(check(numbered, np.arange(3)), Z)
    assert np.array_equal(check(frames.Series(Z[:, 0].tolist()), [0, 1])[:, 1], Z[:, 0] / 2)


def test_numbers_for_column_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(Z[:, ::-1], columns=[2, 1, 0], index=list("fedcba"))
    assert np.array_equal(check(frame, [0, 1, 2]), Z)  # by position: the index says nothing
    assert np.array_equal(check(frame, [0.0, 1.0, 2.0]), Z)
    assert np.array_equal(check(frame, ["0", "1", "2"]), Z)
    truths = pandas.DataFrame(Z[:, :2], columns=["True", "False"])
    assert np.array_equal(check(truths, [False, True]), Z[:, 1::-1])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_missing_and_too_many_are_named(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({"ant": Z[:, 0], "bees": Z[:, 1], "cat": Z[:, 2]})
    with pytest.raises(ValueError, match=r"no column for 'bee'; columns that are no class: 'bees'"):
        check(frame)
    with pytest.raises(ValueError, match=r"no class: 'bees'\. A DataFrame needs exactly one col"):
        check(frame, ["ant", "cat"])
    words = frames.DataFrame({name: ["x"] * 6 for name in WORDS.tolist()})
    with pytest.raises(ValueError, match="must be real numbers"):
        check(words)
    holes = frames.DataFrame({name: [0.5, None, 1.0, 2.0, 3.0, None] for name in WORDS.tolist()})
    with pytest.raises(ValueError, match="NaN.* in rows 1, 5; all must be finite"):
        check(holes)


def test_missing_values_and_double_columns_of_pandas():
    pandas = pytest.importorskip("pandas")
    holes = pandas.DataFrame(Z, columns=WORDS).astype("Float64")
    holes.iloc[4, 1] = pandas.NA
    with pytest.raises(ValueError, match="NaN.* in row 4;"):
        check(holes)
    twice = pandas.DataFrame(Z, columns=["ant", "bee", "bee"])
    with pytest.raises(ValueError, match="no column for 'cat'; more than one column for 'bee'"):
        check(twice)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Z[:4], "have 4 rows, but X has 6"),
        (1.5, "a single number, not rows"),
        (Z[:, :2], r"shape \(6, 2\), but 3 columns.*'ant', 'bee', 'cat' in this order"),
        (Z[:, 0], r"shape \(6,\), but 3 columns"),
        (Z[:, None], r"shape \(6, 1, 3\)"),
        (Z.astype(str), "real numbers, got an array of <U"),
        (Z.astype(complex), "real numbers, got an array of complex"),
        (Z > 0, "real numbers, got an array of bool"),
        (sparse.csr_array(Z), "real numbers, got"),
        (changed((2, 1), np.nan), "in row 2; all must be finite"),
        (changed([0, 5], -np.inf), "in rows 0, 5; .*mix in a small constant"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        check(given)


def test_wrong_shapes_for_two_classes_mention_log_odds():
    with pytest.raises(ValueError, match="one column with the log-odds of 'bee'"):
        check(Z, WORDS[:2])


def test_numbers_beyond_single_precision_are_refused():
    with pytest.raises(ValueError, match="too large for float32 in row 3"):
        check(changed((3, 0), 1e300), X=X.astype(np.float32))


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
def test_other_libraries(library):
    xp = pytest.importorskip(library)
    device = xp.Device("device1") if library == "array_api_strict" else "cpu"
    rows = xp.asarray(X, dtype=xp.float32, device=device)
    there = xp.asarray(Z, dtype=xp.float64, device=device)
    for given in (Z, there, Z.tolist()):
        found = check(given, X=rows)
        assert type(found) is type(rows)
        assert (found.dtype, found.device) == (xp.float32, rows.device)
        assert np.array_equal(to_numpy(found), Z.astype(np.float32))
    odds = check(there[:, 0], [0, 1], rows)
    assert to_numpy(odds)[:, 1] == pytest.approx(Z[:, 0] / 2)
    assert np.array_equal(check(there), Z)  # and back to NumPy, where X is
    with pytest.raises(ValueError, match="in row 2; all must be finite"):
        check(xp.asarray(changed((2, 1), np.nan), device=device), X=rows)
    with pytest.raises(ValueError, match="real numbers, got an array of"):
        check(xp.asarray(Z > 0, device=device), X=rows)
