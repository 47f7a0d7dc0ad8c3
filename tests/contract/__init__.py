"""scikit-learn's contract: its own checks, and what its users do around an estimator."""
