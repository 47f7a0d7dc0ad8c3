"""Which samples a learner may see: subsets of a pool, drawn again until every class occurs.

Everything is drawn here, on the host and before any fit, with one seed per repeat, so that what is
drawn depends neither on the estimators nor on the number of processes.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

__all__ = ["SubsetSampler", "given_splits", "n_test_samples", "resolve_train_sizes"]


@dataclass(frozen=True)
class SubsetSampler:
    """Draws the splits of one repeat.

    Attributes
    ----------
    codes : ndarray of shape (n,)
        Classes of all samples, 0..K-1.
    classes : ndarray of shape (K,)
        What the classes are called, for messages.
    n_test : int or None
        Samples set aside for the test of a repeat.
    test_on_rest : bool
        Whether what a subset leaves over is its test set.
    stratify, nested, require_all_classes : bool
        As in ``compare_learning_curves``.
    max_redraws : int
        Draws to make after the first before giving up.
    """

    codes: Any
    classes: Any
    n_test: Any
    test_on_rest: bool
    stratify: bool
    nested: bool
    require_all_classes: bool
    max_redraws: int

    def draw(self, sizes, seed):
        """Return ``[(train, test), ...]`` and the number of redraws, both by size."""
        rng = np.random.RandomState(seed)
        (pool, test), redraws = self._redrawn(
            lambda: self._pool(rng), lambda drawn: drawn[0], f"pool beside n_test={self.n_test}"
        )
        splits, counts, order = [], [], None
        for size in sizes:
            if order is None or not self.nested:
                # A nested order is good from its shortest prefix on, so it is drawn only once.
                order, again = self._redrawn(
                    lambda: self._order(pool, rng), lambda o, m=size: o[:m], f"{size} samples", pool
                )
            train = order[:size]
            splits.append((train, self._rest(train) if self.test_on_rest else test))
            counts.append(redraws + again)
        return splits, counts

    def _pool(self, rng):
        everything = np.arange(self.codes.size)
        if self.n_test is None:
            return everything, None
        stratify = self.codes if self.stratify else None
        return train_test_split(
            everything, test_size=self.n_test, random_state=rng, stratify=stratify
        )

    def _order(self, pool, rng):
        """Order of the pool of which every prefix is a fair subset."""
        if not self.stratify:
            return rng.permutation(pool)
        # The i-th member of a class of c goes to (i + u) / c of the way, with one random u for
        # the class: a prefix holds the share it should of every class, to within one or two.
        codes, position = self.codes[pool], np.empty(pool.size)
        for code in range(self.classes.size):
            members = rng.permutation(np.flatnonzero(codes == code))
            position[members] = (np.arange(members.size) + rng.uniform()) / max(members.size, 1)
        return pool[np.argsort(position, kind="stable")]

    def _rest(self, train):
        left_over = np.ones(self.codes.size, dtype=bool)
        left_over[train] = False
        return np.flatnonzero(left_over)

    def _redrawn(self, draw, part, what, pool=None):
        """Draw until ``part`` of what is drawn holds all classes."""
        missing = Counter()
        for count in range(self.max_redraws + 1):
            drawn = draw()
            absent = self._absent(part(drawn)) if self.require_all_classes else ()
            if not len(absent):
                return drawn, count
            missing.update(absent.tolist())
        code, times = missing.most_common(1)[0]
        pool = np.arange(self.codes.size) if pool is None else pool
        members = np.count_nonzero(self.codes[pool] == code)
        raise ValueError(
            f"in {self.max_redraws + 1} draws no {what} held all {self.classes.size} classes; "
            f"class {self.classes[code]!s}, {members} of {pool.size} samples to draw from, was "
            f"missing in {times} of them. Ask for larger train_sizes, stratify=True or a larger "
            "max_redraws, leave such classes out of y, or set require_all_classes=False"
        )

    def _absent(self, rows):
        counts = np.bincount(self.codes[rows], minlength=self.classes.size)
        return np.flatnonzero(counts == 0)


def n_test_samples(test_size, n_samples):
    """Size of the test set as ``train_test_split`` takes it: shares are rounded up."""
    n_test = test_size if isinstance(test_size, Integral) else math.ceil(test_size * n_samples)
    if not 1 <= n_test < n_samples:
        raise ValueError(
            f"test_size={test_size} sets {n_test} of {n_samples} samples aside; at least 1 must be "
            "set aside and at least 1 be left"
        )
    return int(n_test)


def resolve_train_sizes(train_sizes, *, available, least, reason):
    """Numbers of samples, sorted and each once; shares are taken of the `available` samples.

    Parameters
    ----------
    train_sizes : sequence of int or float
        As given by the user.
    available : int
        Most samples that a subset may have.
    least : int
        Fewest samples.
    reason : str
        Why there are not more than `available`, for the message.
    """
    values = np.ravel(np.asarray(train_sizes, dtype=object)).tolist()
    if not values:
        raise ValueError("train_sizes is empty; give at least one number of samples")
    sizes = sorted({_one_size(value, available) for value in values})
    if sizes[0] < least:
        raise ValueError(
            f"train_sizes={values} asks for {sizes[0]} samples; at least {least} are needed for "
            f"{'every class to occur' if least > 1 else 'a fit'}"
        )
    if sizes[-1] > available:
        raise ValueError(
            f"train_sizes={values} asks for {sizes[-1]} samples, but only {available} are there "
            f"({reason})"
        )
    return np.array(sizes)


def _one_size(value, available):
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Real) and not isinstance(value, bool) and 0.0 < value <= 1.0:
        return int(value * available + 1e-9)  # the share of a product such as 0.29 * 100
    raise ValueError(
        f"train_sizes holds {value!r}; allowed are integers, or floats above 0 and up to 1 for "
        "shares of the samples that can be drawn"
    )


def given_splits(splits, codes, classes, *, require_all_classes, own_test):
    """Check splits that the user gives.

    Returns
    -------
    sizes : ndarray of shape (n_sizes,)
    by_size : list of lists
        ``by_size[s][r]`` is a pair of index arrays (the second None with `own_test`), or None.
    """
    if not isinstance(splits, Mapping) or not splits:
        raise ValueError(
            "splits must be a dict that maps numbers of training samples to one (train, test) pair "
            f"of row indices per repeat, got {type(splits).__name__} with {len(splits)} entries"
        )
    if any(isinstance(key, float) for key in splits):
        raise ValueError(f"the keys of splits are numbers of samples, integers; got {list(splits)}")
    sizes = resolve_train_sizes(list(splits), available=codes.size, least=1, reason="rows of X")
    by_size = [list(splits[size]) for size in sizes.tolist()]
    lengths = {len(repeats) for repeats in by_size}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(
            f"splits must hold as many repeats for each size, at least 1; got {sorted(lengths)}"
        )
    checked = [
        [
            _one_split(pair, codes, size, f"splits[{size}][{r}]", own_test)
            for r, pair in enumerate(repeats)
        ]
        for size, repeats in zip(sizes.tolist(), by_size, strict=True)
    ]
    for size, repeats in zip(sizes.tolist(), checked, strict=True):
        if all(pair is None for pair in repeats):
            raise ValueError(f"splits[{size}] leaves out every repeat; leave out the size instead")
        for repeat, pair in enumerate(repeats):
            if require_all_classes and pair is not None:
                _check_all_classes(codes[pair[0]], classes, f"splits[{size}][{repeat}]")
    return sizes, checked


def _one_split(pair, codes, size, where, own_test):
    if pair is None:
        return None
    train, test = pair
    train = _row_indices(train, codes.size, f"the training rows of {where}")
    if train.size != size:
        raise ValueError(f"{where} has {train.size} training rows, but its key says {size}")
    if own_test:
        if test is not None:
            raise ValueError(
                f"{where} names test rows, but X_test or risk takes their place; put None there"
            )
        return train, None
    if test is None:
        raise ValueError(f"{where} names no test rows; give them, or X_test and y_test, or risk")
    test = _row_indices(test, codes.size, f"the test rows of {where}")
    shared = np.intersect1d(train, test)
    if shared.size:
        raise ValueError(f"{where} tests on rows that it trains on: {shared[:5].tolist()}")
    return train, test


def _row_indices(rows, n_samples, what):
    rows = np.asarray(rows)
    if rows.ndim != 1 or rows.size == 0 or rows.dtype.kind not in "iu":
        raise ValueError(
            f"{what} must be a non-empty 1-D array of integers, got shape {rows.shape} of "
            f"{rows.dtype}; turn a mask into indices with np.flatnonzero"
        )
    if rows.min() < 0 or rows.max() >= n_samples:
        raise ValueError(f"{what} must lie in 0..{n_samples - 1}, got {rows.min()} to {rows.max()}")
    return rows


def _check_all_classes(codes, classes, where):
    absent = np.flatnonzero(np.bincount(codes, minlength=classes.size) == 0)
    if absent.size:
        raise ValueError(
            f"the training rows of {where} lack class {classes[absent[0]]!s}; put None there to "
            "leave this repeat out, or set require_all_classes=False"
        )
