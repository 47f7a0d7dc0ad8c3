"""Shared-variance naive Bayes as the authors' own class and scikit-learn's LDA computed it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skkd.naive_bayes import SharedVarianceGaussianNB

CORE = np.load(Path(__file__).parent / "data" / "nb" / "nb_core.npz")
X, y, QUERIES = CORE["X"], CORE["y"], CORE["Q"]


def test_parameters_and_predictions():
    model = SharedVarianceGaussianNB().fit(X, y)
    assert_allclose(model.theta_, CORE["mus"], rtol=1e-9)
    assert_allclose(model.var_, CORE["pooled_var"], rtol=1e-9)
    assert_allclose(model.class_prior_, CORE["prior"], rtol=1e-9)
    assert model.class_count_.tolist() == CORE["counts"].tolist()
    assert np.array_equal(model.predict(QUERIES), CORE["pred_Q"])


def test_likelihood():
    model = SharedVarianceGaussianNB().fit(X, y)
    without_prior = model.predict_joint_log_proba(QUERIES) - np.log(model.class_prior_)
    assert_allclose(without_prior, CORE["loglik_Q"], rtol=1e-9)


def test_three_consecutive_batches():
    model = SharedVarianceGaussianNB()
    for part in np.split(np.arange(len(y)), CORE["batches"]):
        model.partial_fit(X[part], y[part], classes=range(4))
    assert_allclose(model.theta_, CORE["pf_mus"], rtol=1e-9)
    assert_allclose(model.var_, CORE["pf_prior"] @ CORE["pf_vars"], rtol=1e-9)
    assert_allclose(model.class_prior_, CORE["pf_prior"], rtol=1e-9)
    assert model.class_count_.tolist() == CORE["pf_counts"].tolist()
    assert np.array_equal(model.predict(QUERIES), CORE["pf_pred_Q"])


@pytest.mark.parametrize(("smoothing", "rtol"), [(1e-9, 1e-7), (0.0, 1e-9)])
def test_linear_discriminant_analysis_with_a_diagonal_covariance(smoothing, rtol):
    """LDA adds nothing to variances."""
    model = SharedVarianceGaussianNB(var_smoothing=smoothing).fit(X, y)
    assert_allclose(model.coef_, CORE["lda_coef"], rtol=rtol)
    assert_allclose(model.intercept_, CORE["lda_intercept"], rtol=rtol)
    scores = CORE["lda_decision_Q"]
    assert_allclose(model.decision_function(QUERIES), scores, atol=rtol * np.abs(scores).max())
    assert_allclose(model.predict_proba(QUERIES), CORE["lda_proba_Q"], atol=rtol)
    assert np.array_equal(model.predict(QUERIES), CORE["lda_pred_Q"])
