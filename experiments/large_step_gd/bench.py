"""Benchmark of the large-step family: ``python -m experiments bench large_step_gd``.

Three questions, one module each: what one step costs (:mod:`bench_steps`), how soon separable data
is separated (:mod:`bench_separation`), how soon the regularised optimum is reached
(:mod:`bench_optimum`).
"""

from experiments.large_step_gd import bench_optimum, bench_separation, bench_steps

__all__ = ["run"]


def run(quick):
    """Run all benchmarks and return their tables."""
    return [
        *bench_steps.run(quick),
        *bench_separation.run(quick),
        *bench_optimum.run_benchmark(quick),
    ]
