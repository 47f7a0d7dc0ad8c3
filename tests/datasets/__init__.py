"""Generators of data with known ground truth."""
