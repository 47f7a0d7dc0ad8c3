"""Theorems, as tests."""
