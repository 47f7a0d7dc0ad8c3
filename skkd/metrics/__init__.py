"""Metrics, scorers and bounds.

For ``scoring=`` in cross-validation and grid search there are the scorers
``expected_calibration_error_scorer``, ``area_under_risk_coverage_scorer`` and
``excess_area_under_risk_coverage_scorer``, which return the metric of that name negated, and
``agreement_scorer`` and ``kl_fidelity_scorer`` (negated too), which take the metadata
``teacher_logits``.
"""

from ._calibration import (
    ReliabilityCurve,
    area_under_risk_coverage,
    excess_area_under_risk_coverage,
    expected_calibration_error,
    reliability_curve,
)
from ._fidelity import agreement_score, kl_fidelity
from ._h_consistency import (
    logistic_h_consistency_bound,
    logistic_h_consistency_transform,
    minimal_log_regret,
)
from ._scorers import (
    agreement_scorer,
    area_under_risk_coverage_scorer,
    excess_area_under_risk_coverage_scorer,
    expected_calibration_error_scorer,
    fidelity_scorer,
    kl_fidelity_scorer,
)

__all__ = [
    "ReliabilityCurve",
    "agreement_score",
    "agreement_scorer",
    "area_under_risk_coverage",
    "area_under_risk_coverage_scorer",
    "excess_area_under_risk_coverage",
    "excess_area_under_risk_coverage_scorer",
    "expected_calibration_error",
    "expected_calibration_error_scorer",
    "fidelity_scorer",
    "kl_fidelity",
    "kl_fidelity_scorer",
    "logistic_h_consistency_bound",
    "logistic_h_consistency_transform",
    "minimal_log_regret",
    "reliability_curve",
]
