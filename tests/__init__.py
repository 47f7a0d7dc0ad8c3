"""The test suite; helpers are importable as ``tests._discovery``."""
