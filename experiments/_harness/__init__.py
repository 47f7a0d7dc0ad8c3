"""What a study imports: claims for ``claims.py``, timing and tables for ``bench.py``."""

from experiments._harness.claims import Claim, Outcome
from experiments._harness.machine import Bandwidth, environment, read_bandwidth
from experiments._harness.study import DataFileError
from experiments._harness.tables import Table
from experiments._harness.timing import Elapsed, Ratio, Timing, comparison, measure, ratio

__all__ = [
    "Bandwidth",
    "Claim",
    "DataFileError",
    "Elapsed",
    "Outcome",
    "Ratio",
    "Table",
    "Timing",
    "comparison",
    "environment",
    "measure",
    "ratio",
    "read_bandwidth",
]
