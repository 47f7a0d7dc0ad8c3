"""``python -m experiments list | run | report | bench`` from the root of the repository."""

from experiments._harness.cli import main

# The guard matters: worker processes started by "spawn" import this module again.
if __name__ == "__main__":
    raise SystemExit(main())
