"""Benchmark of distillation: ``python -m experiments bench distillation``.

Three questions: how soon a linear student reaches its optimum (:mod:`bench_fits`), what one value
and gradient of each loss costs, and of Sinkhorn's loss (:mod:`bench_losses`).
"""

from experiments.distillation import bench_fits, bench_losses

__all__ = ["PARTS", "run"]

PARTS = ("fits", "losses", "sinkhorn")


def run(quick, only=PARTS):
    """Yield one table for each part."""
    parts = {
        "fits": bench_fits.fits,
        "losses": bench_losses.losses,
        "sinkhorn": bench_losses.sinkhorn,
    }
    for part in only:
        yield parts[part](quick)
