"""Behaviour of the estimators and helpers of skkd.linear_model."""
