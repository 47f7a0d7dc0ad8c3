"""The first fit in a fresh process: what it loads, and what the compiler's cache saves."""

import json
import os
import subprocess
import sys

import pytest

# A fresh process tells how long import and fit took, what it loaded, and what it found.
FIT = """
import json, sys, time
begin = time.perf_counter()
import numpy as np
from skkd.linear_model import BCDRegressor
imported = time.perf_counter()
rng = np.random.default_rng(0)
X = rng.standard_normal((200, 500))
y = X[:, :5].sum(axis=1) + rng.standard_normal(200)
ready = time.perf_counter()
model = BCDRegressor(0.1, penalty="l1").fit(X, y)
done = time.perf_counter()
print(json.dumps({
    "import": imported - begin,
    "fit": done - ready,
    "loaded": sorted({name.partition(".")[0] for name in sys.modules}),
    "gap": float(model.dual_gap_),
    "null": 0.5 * float(np.var(y)),
    "objective": float(model.objective_),
    "active": len(model.active_set_),
}))
"""


def fit_in_a_fresh_process(cache):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIT],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.slow
def test_first_fit(tmp_path):
    empty = fit_in_a_fresh_process(tmp_path)
    assert list(tmp_path.rglob("*.nbi"))  # the compiler left its work there
    cached = fit_in_a_fresh_process(tmp_path)
    for name, run in (("empty", empty), ("filled", cached)):
        print(f"cache {name}: import {run['import']:.2f} s, first fit {run['fit']:.2f} s")
        assert "numba" in run["loaded"]
        # pandas cannot be in this list: scikit-learn itself imports it where it is installed.
        assert not {"matplotlib", "torch", "cupy", "dask"} & set(run["loaded"])
        assert 0.0 <= run["gap"] <= 1e-6 * run["null"]
        assert 5 <= run["active"] < 100
    # Machines differ: the limits are generous, the order is not in question.
    assert cached["fit"] < empty["fit"]
    assert empty["fit"] < 20.0
    assert cached["fit"] < 5.0
    assert cached["objective"] == empty["objective"]
