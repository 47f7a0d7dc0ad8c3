"""The papers' theoretical simulations, re-run with one command: ``python -m experiments``.

Each folder here that holds a ``study.py`` is one study; ``_harness`` runs them.
"""
