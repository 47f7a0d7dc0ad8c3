"""Benchmark of the linear models: ``python -m experiments bench block_coordinate_descent``.

Time to a relative sub-optimality of the objective of 1e-4, 1e-8 and 1e-10 beside skglm, celer,
scikit-learn, glmnet, adelie, snapml and scikit-learn-intelex; what the first call costs in a fresh
process; memory; overhead. ``--quick`` takes two minutes, ``--only lasso`` (or another of ``PARTS``)
a part of the whole. The packages are those of the extra ``bench``; adelie needs NumPy 1 and so an
environment of its own (``numpy<2``, ``scipy``, ``adelie``), whose interpreter is named by the
environment variable ``SKKD_BENCH_ADELIE``. Without it, adelie's rows say so.

One module each: the problems and what is minimised (:mod:`bench_problems`,
:mod:`bench_objective`, :mod:`bench_rows`), how each method is called (:mod:`bench_peers`), the
processes (:mod:`bench_worker`), settings (:mod:`bench_scout`), times (:mod:`bench_race`), fresh
processes (:mod:`bench_fresh`).
"""

import sys

from experiments.block_coordinate_descent import bench_fresh
from experiments.block_coordinate_descent.bench_race import Race, details, means, summary
from experiments.block_coordinate_descent.bench_rows import QUICK, ROWS

__all__ = ["PARTS", "run"]

FRESH = {"first": bench_fresh.first_calls, "memory": bench_fresh.memory}
PARTS = (*ROWS, "overhead", *FRESH)


def run(quick, only=PARTS):
    """Yield the tables, each when it is made."""
    grid = QUICK if quick else ROWS
    with Race(quick) as race:
        for part in only:
            if part in grid:
                rows = _rows(race, part, grid[part])
                yield summary(f"{part}: time to an accuracy", rows)
                yield means(f"{part}: geometric means", rows)
                yield details(f"{part}: every method", rows)
            elif part == "overhead":
                yield bench_fresh.overhead(quick)
            else:
                yield FRESH[part](quick)


def _rows(race, part, specs):
    """Rows of all problems; a part takes up to an hour, so that its progress is told."""
    rows = []
    for done, spec in enumerate(specs, start=1):
        rows += race.rows(spec)
        print(f"{part}: {done} of {len(specs)} problems done", file=sys.stderr, flush=True)
    return rows
