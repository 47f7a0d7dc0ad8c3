"""What a comparison of learning curves found, and means over its repeats."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["LearningCurves", "mean_over_repeats"]


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """Scores of several estimators on the same subsets of growing size; lower is better.

    Repeats that were left out are NaN for every estimator. A record of scores that come from
    elsewhere is made from the first three fields.

    Attributes
    ----------
    train_sizes : ndarray of shape (n_sizes,)
        Numbers of training samples, increasing.
    names : tuple of str
        Names of the estimators.
    test_scores : ndarray of shape (n_estimators, n_sizes, n_repeats)
        Scores.
    scoring : str
        What the scores are: "error", "log_loss", "risk", or the name of the function.
    fit_times : ndarray of shape (n_estimators, n_sizes, n_repeats) or None
        Seconds of each fit, without the scaler.
    score_times : ndarray of shape (n_estimators, n_sizes, n_repeats) or None
        Seconds of each scoring, predictions included.
    n_redraws : ndarray of shape (n_sizes, n_repeats) or None
        Draws thrown away because a class was missing; None where the splits were given.
    splits : dict or None
        ``splits[size][repeat]`` is the pair of training and test rows, in the form that
        :func:`~skkd.model_selection.compare_learning_curves` takes; only if asked for.

    See Also
    --------
    compare_learning_curves : Makes such records.

    Examples
    --------
    >>> from skkd.model_selection import LearningCurves
    >>> curves = LearningCurves(
    ...     [10, 20], ("a", "b"), [[[0.3, 0.1], [0.2, 0.2]], [[0.4, 0.4], [0, 0]]]
    ... )
    >>> curves.mean_scores
    array([[0.2, 0.2],
           [0.4, 0. ]])
    """

    train_sizes: np.ndarray
    names: tuple
    test_scores: np.ndarray
    scoring: str = "error"
    fit_times: np.ndarray | None = field(default=None, repr=False)
    score_times: np.ndarray | None = field(default=None, repr=False)
    n_redraws: np.ndarray | None = field(default=None, repr=False)
    splits: Mapping | None = field(default=None, repr=False)

    def __post_init__(self):
        sizes, scores = np.asarray(self.train_sizes), np.asarray(self.test_scores, dtype=float)
        object.__setattr__(self, "train_sizes", sizes)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "test_scores", scores)
        expected = (len(self.names), sizes.size)
        if sizes.ndim != 1 or scores.ndim != 3 or scores.shape[:2] != expected:
            raise ValueError(
                f"test_scores has shape {scores.shape}; with {expected[0]} names and train_sizes "
                f"of shape {sizes.shape} it must be {expected} plus one axis of repeats"
            )
        if np.any(sizes[:1] <= 0) or np.any(np.diff(sizes) <= 0):
            raise ValueError(f"train_sizes must be positive and increase, got {sizes.tolist()}")

    @property
    def n_repeats(self):
        """Number of repeats.

        Returns
        -------
        n_repeats : int
            Repeats that were left out included.
        """
        return self.test_scores.shape[2]

    @property
    def mean_scores(self):
        """Means over the repeats.

        Returns
        -------
        means : ndarray of shape (n_estimators, n_sizes)
            NaN where all repeats were left out.
        """
        return mean_over_repeats(self.test_scores)

    def scores_of(self, name):
        """Scores of one estimator.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        scores : ndarray of shape (n_sizes, n_repeats)
            Its part of `test_scores`.
        """
        if name not in self.names:
            raise ValueError(f"no estimator is named {name!r}; the names are {list(self.names)}")
        return self.test_scores[self.names.index(name)]

    def to_frame(self):
        """Put everything into one long table; needs pandas.

        Returns
        -------
        frame : pandas.DataFrame
            One row per estimator, size and repeat, with columns for scores and times.
        """
        import pandas as pd

        axes = [list(self.names), self.train_sizes, np.arange(self.n_repeats)]
        index = pd.MultiIndex.from_product(axes, names=["estimator", "train_size", "repeat"])
        columns = {"score": self.test_scores}
        for name in ("fit_time", "score_time"):
            times = getattr(self, f"{name}s")
            if times is not None:
                columns[name] = times
        return pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index=index).reset_index()


def mean_over_repeats(values):
    """Mean along the last axis of what is not NaN; NaN where nothing is left."""
    present = ~np.isnan(values)
    counts = present.sum(axis=-1)
    sums = np.where(present, values, 0.0).sum(axis=-1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
