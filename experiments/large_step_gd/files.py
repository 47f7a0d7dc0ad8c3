"""Image sets that a user brings as one ``.npz`` file: FashionMNIST and CIFAR-10.

The two cannot be shipped. What is read: arrays ``X`` and ``y``, or ``x_train`` and ``y_train`` as
in Keras's copies. Every problem is a sentence that names the file and says what is wanted.
"""

import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from experiments._harness import DataFileError

_NAMES = (("X", "y"), ("x_train", "y_train"))
_WANTED = "an .npz file with arrays X and y, or x_train and y_train"


def check_images(name: str, path: str, labels: set[int]) -> None:
    """Read the file once and complain if it cannot serve for the wanted labels."""
    _, y = load_images(path)
    missing = sorted(labels - set(np.unique(y).tolist()))
    if missing:
        raise DataFileError(
            f"{path}: y has no rows of class {', '.join(map(str, missing))}; {name} needs integer "
            f"labels with the classes {', '.join(map(str, sorted(labels)))}"
        )


@lru_cache(maxsize=2)
def load_images(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Read rows of pixels in [0, 1] and integer labels.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    X : ndarray of shape (n, pixels), float64
        Images, flattened; values of 0 to 255 are divided by 255.
    y : ndarray of shape (n,), int64
        Labels.
    """
    X, y = _read(path)
    y = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y  # Keras's CIFAR labels
    if X.ndim < 2 or y.ndim != 1 or X.shape[0] != y.shape[0] or X.shape[0] == 0:
        raise DataFileError(
            f"{path}: images have shape {X.shape} and labels {y.shape}; wanted are (n, pixels) or "
            "(n, height, width[, channels]) and (n,), with the same n"
        )
    return _pixels(path, X), _labels(path, y)


def _read(path):
    if not Path(path).is_file():
        raise DataFileError(f"{path}: no such file; wanted is {_WANTED}")
    try:
        with np.load(path, allow_pickle=False) as file:
            for pair in _NAMES:
                if set(pair) <= set(file.files):
                    return file[pair[0]], file[pair[1]]
            found = ", ".join(sorted(file.files)) or "nothing"
    except (zipfile.BadZipFile, ValueError, OSError, TypeError) as error:
        # TypeError: a lone .npy array cannot be entered as an archive can.
        raise DataFileError(f"{path}: cannot be read ({error}); wanted is {_WANTED}") from error
    raise DataFileError(f"{path}: holds {found}; wanted is {_WANTED}")


def _pixels(path, X):
    if X.dtype.kind not in "buif":
        raise DataFileError(f"{path}: pixels are of type {X.dtype}; wanted are numbers")
    X = X.reshape(X.shape[0], -1).astype(np.float64)
    if not np.isfinite(X).all():
        raise DataFileError(f"{path}: pixels are not all finite")
    low, high = X.min(), X.max()
    if low < 0 or high > 255:
        raise DataFileError(
            f"{path}: pixels range from {low:g} to {high:g}; wanted are 0 to 255 or 0 to 1, before "
            "any standardisation"
        )
    return X / 255.0 if high > 1 else X


def _labels(path, y):
    whole = y.dtype.kind in "biu" or (y.dtype.kind == "f" and bool(np.all(y == np.floor(y))))
    if not whole:
        raise DataFileError(f"{path}: labels are of type {y.dtype}; wanted are integers")
    return y.astype(np.int64)
