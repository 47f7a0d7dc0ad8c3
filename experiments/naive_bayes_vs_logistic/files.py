"""Frozen features that a user brings as one ``.npz`` file, such as sentence embeddings.

What is read: features of shape (n, p) as ``E`` or ``X``, labels as ``y``. Every problem is a
sentence that names the file and says what is wanted.
"""

import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from experiments._harness import DataFileError

NAME = "embeddings"
LEAST_ROWS = 100
_WANTED = "an .npz file with features E (or X) of shape (n, p) and labels y of shape (n,)"


@lru_cache(maxsize=2)
def load_embeddings(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Read features and labels.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    X : ndarray of shape (n, p), float64
        Features.
    y : ndarray of shape (n,), int64
        Labels, numbered from 0.
    """
    X, y = _read(path)
    if X.ndim != 2 or y.ndim != 1 or X.shape[0] != y.shape[0] or X.shape[1] == 0:
        raise DataFileError(f"{path}: features have shape {X.shape}, labels {y.shape}; {_wanted()}")
    if X.dtype.kind not in "buif":
        raise DataFileError(f"{path}: features are of type {X.dtype}; wanted are numbers")
    X = X.astype(np.float64)
    if not np.isfinite(X).all():
        raise DataFileError(f"{path}: features are not all finite")
    if y.dtype.kind not in "biuSU":
        raise DataFileError(f"{path}: labels are of type {y.dtype}; wanted are integers or strings")
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if classes.size < 2 or y.size < LEAST_ROWS or counts.min() < 0.5 * y.size / classes.size:
        raise DataFileError(
            f"{path}: {y.size} rows of {classes.size} classes, the smallest of "
            f"{counts.min(initial=y.size)} rows; wanted are at least {LEAST_ROWS} rows and two "
            "classes, none smaller than half its equal share: small subsets must hold all classes"
        )
    return X, codes.astype(np.int64)


def _read(path):
    if not Path(path).is_file():
        raise DataFileError(f"{path}: no such file; {_wanted()}")
    try:
        with np.load(path, allow_pickle=False) as file:
            found = ", ".join(sorted(file.files)) or "nothing"
            for name in ("E", "X"):
                if {name, "y"} <= set(file.files):
                    return file[name], file["y"]
    except (zipfile.BadZipFile, ValueError, OSError, TypeError) as error:
        # TypeError: a lone .npy array cannot be entered as an archive can.
        raise DataFileError(f"{path}: cannot be read ({error}); {_wanted()}") from error
    raise DataFileError(f"{path}: holds {found}; {_wanted()}")


def _wanted():
    return f"wanted is {_WANTED}"
