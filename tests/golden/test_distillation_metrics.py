"""Calibration and risk-coverage metrics against the authors' program.

The cases and what made them are described beside them, in ``data/distillation/PROVENANCE.md``. The
program scales: errors of calibration by 100, areas by 1000. Its bins are (lo, hi] of width 0.1.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from skkd.metrics import (
    area_under_risk_coverage,
    excess_area_under_risk_coverage,
    expected_calibration_error,
)

DATA = Path(__file__).parent / "data" / "distillation"
ARRAYS = np.load(DATA / "cases.npz")
CASES = [
    case
    for case in json.loads((DATA / "index.json").read_text())
    if case["method"] == "calibration"
]
METRICS = {
    "ece": (partial(expected_calibration_error, n_bins=10), 100.0),
    "aurc": (area_under_risk_coverage, 1000.0),
    "eaurc": (excess_area_under_risk_coverage, 1000.0),
}


def test_there_are_cases():
    assert len(CASES) == 3


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_value_of_the_authors(case, name):
    metric, scale = METRICS[name]
    y, proba, expected = (ARRAYS[f"{case['id']}/{key}"] for key in ("y", "proba", name))
    found = scale * metric(y, proba)
    assert found == pytest.approx(float(expected), rel=case["rtol"], abs=case["atol"])
