"""Metrics and bounds."""

from ._h_consistency import (
    logistic_h_consistency_bound,
    logistic_h_consistency_transform,
    minimal_log_regret,
)

__all__ = [
    "logistic_h_consistency_bound",
    "logistic_h_consistency_transform",
    "minimal_log_regret",
]
