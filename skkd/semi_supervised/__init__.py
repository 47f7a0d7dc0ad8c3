"""Classifiers that learn from labelled and unlabelled samples."""

from ._harmonic import HarmonicLabelPropagation

__all__ = ["HarmonicLabelPropagation"]
