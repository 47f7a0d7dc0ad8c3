"""Bounds and Bayes errors against independently computed numbers (data/nb/README.md)."""

import json
from pathlib import Path

import numpy as np
import pytest

from skkd.datasets import mixture_bayes_error
from skkd.metrics import (
    logistic_h_consistency_bound,
    logistic_h_consistency_transform,
    minimal_log_regret,
)

STORED = json.loads((Path(__file__).parent / "data" / "nb" / "theory.json").read_text())


@pytest.mark.parametrize("case", STORED["calibration"], ids=lambda case: f"{case['K']} classes")
def test_least_regret(case):
    regret = minimal_log_regret(case["p"], case["j"])
    assert regret == pytest.approx(case["min_log_regret_exact"], rel=1e-10, abs=1e-12)
    assert regret == pytest.approx(case["min_log_regret_numeric"], abs=1e-5)
    gap = max(case["p"]) - case["p"][case["j"]]
    assert gap == pytest.approx(case["gap01"], abs=1e-12)
    transform = logistic_h_consistency_transform(gap)
    assert transform == pytest.approx(case["T_gap"], rel=1e-10, abs=1e-14)
    assert gap**2 / 2 <= transform <= regret + 1e-15


def test_inverse():
    excess, bound, root = np.array(STORED["inverse_T"]).T
    assert logistic_h_consistency_bound(excess) == pytest.approx(bound, rel=1e-10, abs=1e-15)
    assert np.all(logistic_h_consistency_bound(excess) <= root)


def test_bounded_scores():
    for score_bound, t, numeric, formula in STORED["bounded_binary"]:
        found = logistic_h_consistency_transform(t, score_bound=score_bound)
        assert found == pytest.approx(formula, rel=1e-10)
        assert found == pytest.approx(numeric, abs=1e-5)
        back = logistic_h_consistency_bound(found, score_bound=score_bound)
        assert back == pytest.approx(t, abs=1e-10)


@pytest.mark.parametrize("name", STORED["bayes_error"])
def test_bayes_error(name):
    n_classes, n_features = (int(part[1:]) for part in name.split("_"))
    found = mixture_bayes_error(n_features, n_classes)
    assert found == pytest.approx(STORED["bayes_error"][name], rel=1e-10)
