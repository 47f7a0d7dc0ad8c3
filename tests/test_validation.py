"""Labels as classes: counting and sorting give the same."""

import numpy as np
import pytest

from skkd._validation import class_codes


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64", "float64"])
@pytest.mark.parametrize(
    "labels",
    [[3, 3, 5, 5, 3, 9, 9, 9], [0, 1] * 3, [7, 7, 7, 7], [100, 0, 100, 0], list(range(8))],
    ids=str,
)
def test_classes_and_codes(labels, dtype):
    y = np.array(labels, dtype=dtype)
    classes, codes = class_codes(y)
    expected, places = np.unique(y, return_inverse=True)
    assert np.array_equal(classes, expected) and classes.dtype == y.dtype
    assert np.array_equal(codes, places)


def test_codes_of_the_widest_bytes_do_not_overflow():
    y = np.tile(np.array([-128, 127], dtype=np.int8), 200)
    classes, codes = class_codes(y)
    assert classes.tolist() == [-128, 127] and codes.tolist() == [0, 1] * 200


def test_words():
    classes, codes = class_codes(np.array(["b", "a", "b"]))
    assert classes.tolist() == ["a", "b"] and codes.tolist() == [1, 0, 1]


def test_real_numbers_are_no_classes():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        class_codes(np.array([0.5, 1.5, 2.25]))


def test_labels_that_hardly_repeat_are_remarked_on():
    with pytest.warns(UserWarning, match="number of unique classes is greater than 50%"):
        class_codes(np.arange(40))
