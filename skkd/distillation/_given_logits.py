"""Teacher logits that the user gives, as an array or as a table with the classes as columns."""

import numpy as np

from .._backend import device_of, is_numpy, namespace
from ._teacher_scores import on_host, rows_shown, shown

__all__ = ["check_teacher_logits"]


def check_teacher_logits(logits, n_samples, classes, X):
    """Check logits given by the user and bring them to the dtype, library and device of `X`.

    Parameters
    ----------
    logits : array of shape (n, C) or (n,), or DataFrame
        Columns in the order of `classes`; for two classes the log-odds of the second; or a pandas
        or polars DataFrame whose column names are the classes, in any order.
    n_samples : int
        Number of rows that `logits` must have. Frames are taken by position, not by index.
    classes : array of shape (C,)
        Labels.
    X : array or sparse matrix
        Validated rows, which say where the logits go.

    Returns
    -------
    logits : array of shape (n, C)

    Raises
    ------
    ValueError
        If rows or columns are missing or too many, or an entry is no finite number.
    """
    labels = np.asarray(on_host(classes)).tolist()
    values = _frame_values(logits, labels) if hasattr(logits, "columns") else logits
    values = _placed(values, X)
    _check_given_shape(values.shape, n_samples, labels)
    xp = namespace(values)
    if values.ndim == 1 or values.shape[1] != len(labels):  # log-odds of two classes
        half = 0.5 * xp.reshape(values, (-1,))
        values = xp.stack([-half, half], axis=1)
    if not bool(xp.all(xp.isfinite(values))):
        bad = ~np.isfinite(on_host(values)).all(axis=1)
        raise ValueError(
            f"teacher_logits hold NaN, infinity or numbers too large for {values.dtype} in "
            f"{rows_shown(bad)}; all must be finite. Probabilities of 0 have no logarithm: mix in "
            "a small constant first, as skkd.distillation.teacher_logits does with prob_floor"
        )
    return values


def _frame_values(frame, labels):
    """Columns of a frame in the order of the classes."""
    columns = list(frame.columns)
    places = [_columns_named(columns, label) for label in labels]
    missing = [label for label, found in zip(labels, places, strict=True) if not found]
    taken = {place for found in places for place in found}
    extra = [name for i, name in enumerate(columns) if i not in taken]
    twice = [label for label, found in zip(labels, places, strict=True) if len(found) > 1]
    faults = [("no column for", missing), ("columns that are no class:", extra)]
    faults += [("more than one column for", twice)]
    found_faults = [f"{what} {shown(names)}" for what, names in faults if names]
    if found_faults:
        raise ValueError(
            f"teacher_logits have {'; '.join(found_faults)}. A DataFrame needs exactly one column "
            f"per class, named {shown(labels)} in any order: rename or drop columns, or give an "
            "array with columns in that order"
        )
    order = [found[0] for found in places]
    # pandas has missing values of its own, which become NaN and are reported as such.
    options = {"dtype": np.float64, "na_value": np.nan} if hasattr(frame, "iloc") else {}
    try:
        return frame.to_numpy(**options)[:, order]
    except (TypeError, ValueError) as error:
        raise _not_numbers("a DataFrame with other entries") from error


def _columns_named(columns, label):
    exact = [i for i, name in enumerate(columns) if name == label]
    return exact or [i for i, name in enumerate(columns) if str(name) == str(label)]


def _placed(values, X):
    """`values` as an array of real numbers with the dtype, library and device of `X`."""
    xp, device = namespace(X), device_of(X)
    single = X.dtype == xp.float32
    dtype = xp.float32 if single else xp.float64
    if _same_library(values, xp) and not is_numpy(values):
        if not xp.isdtype(values.dtype, ("real floating", "integral")):
            raise _not_numbers(f"an array of {values.dtype}")
        return xp.asarray(values, dtype=dtype, device=device)
    host = np.asarray(on_host(values))
    if host.dtype.kind not in "fiu":
        raise _not_numbers(f"an array of {host.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold is reported as not finite
        host = host.astype(np.float32 if single else np.float64, copy=False)
    return host if is_numpy(X) else xp.asarray(host, device=device)


def _same_library(values, xp):
    try:
        return namespace(values) is xp
    except TypeError:
        return False


def _check_given_shape(shape, n_samples, labels):
    n_classes = len(labels)
    if len(shape) == 0 or shape[0] != n_samples:
        got = shape[0] if shape else "a single number, not"
        raise ValueError(
            f"teacher_logits have {got} rows, but X has {n_samples}; give one row per row of X, "
            "also for rows without a label"
        )
    if len(shape) == 2 and shape[1] == n_classes:
        return
    if n_classes == 2 and (len(shape) == 1 or shape[1:] == (1,)):
        return
    one = f", or one column with the log-odds of {labels[1]!r}" if n_classes == 2 else ""
    raise ValueError(
        f"teacher_logits have shape {shape}, but {n_classes} columns are needed, one per class "
        f"({shown(labels)} in this order){one}; a DataFrame with the classes as column names may "
        "have them in any order"
    )


def _not_numbers(what):
    return ValueError(
        f"teacher_logits must be real numbers, got {what}; give logits (or logarithms of "
        "probabilities) as an array or DataFrame of floats"
    )
