"""What the theory assumes of the features, measured: variances, and means and variances of margins.

With p the joint density of naive Bayes given a class, over n features,

    beta(k1, k2, k)  = E[log p(x | k1) - log p(x | k2) | y = k] / n
    alpha(k1, k2, k) = Var[log p(x | k1) - log p(x | k2) | y = k] / n ,

the assumptions are that variances are bounded below, |beta| away from zero and alpha above. Then
the margin between two classes grows with n and its spread only with the root of n. As logarithms of
shared-variance densities differ by a linear function of x, all of it follows from one product.
"""

import numpy as np
from sklearn.preprocessing import minmax_scale

from skkd.datasets import make_shared_variance_mixture
from skkd.naive_bayes import SharedVarianceGaussianNB

from . import methods, sets

PERCENTILES = tuple(range(0, 101, 10))
TINY = 1e-3  # of a variance on [0, 1]: a spread of three per cent
_ROWS = 5000


def diagnostics(configuration: dict) -> dict:
    """Percentiles of the variances, of |beta| and of alpha, on features scaled to [0, 1]."""
    name = configuration["set"]
    if name == "mixture":
        shape = configuration["n"], configuration["n_classes"]
        X, y = make_shared_variance_mixture(_ROWS, *shape, random_state=0)
    else:
        X, y = sets.load(name, configuration.get("file"))
    variances, beta, alpha = assumptions(minmax_scale(X), y)
    constant = np.ptp(X, axis=0) == 0
    k, pairs = np.arange(len(beta)), np.stack(np.triu_indices(len(beta), 1))
    concerned = (pairs == k[:, None, None]).any(axis=1)
    return {
        "n_features": X.shape[1],
        "n_of_classes": int(y.max()) + 1,
        "variances": _percentiles(variances),
        "beta": _percentiles(np.abs(beta)),
        "alpha": _percentiles(alpha),
        "least_own_beta": float(np.abs(beta[concerned]).min()),
        "constant": int(constant.sum()),
        "tiny": int((variances[~constant] < TINY).sum()),
    }


def assumptions(X, y) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shared variances, and beta and alpha of all pairs of classes k1 < k2 in every class.

    Parameters
    ----------
    X : ndarray of shape (m, n)
        Features.
    y : ndarray of shape (m,)
        Labels, 0 to K - 1.

    Returns
    -------
    variances : ndarray of shape (n,)
        Of naive Bayes.
    beta, alpha : ndarray of shape (K, K (K - 1) / 2)
        Classes by pairs.
    """
    with methods.as_in_the_paper():
        model = SharedVarianceGaussianNB().fit(X, y)
    center = X.mean(axis=0)
    means = model.theta_ - center
    weights = means / model.var_
    # log p(x | k) up to what is the same for all k.
    scores = (X - center) @ weights.T - 0.5 * np.sum(weights * means, axis=1)
    first, second = np.triu_indices(len(means), 1)
    margins = scores[:, first] - scores[:, second]
    classes = range(len(means))
    beta = np.array([margins[y == k].mean(axis=0) for k in classes]) / X.shape[1]
    alpha = np.array([margins[y == k].var(axis=0) for k in classes]) / X.shape[1]
    return model.var_, beta, alpha


def _percentiles(values):
    return np.percentile(values, PERCENTILES).tolist()
