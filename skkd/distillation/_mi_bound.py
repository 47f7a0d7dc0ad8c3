r"""The leave-one-out form of the bound :math:`I_\alpha` on mutual information.

For a batch of K pairs :math:`(x_j, y_j)` with critic values :math:`F_{ij} = f(x_i, y_j)` and
baselines :math:`q_j > 0`

.. math::
    I_\alpha = 1
      + \operatorname*{mean}_{i \ne j} \Big[ F_{jj}
          - \log\big(\alpha\, m_{j,-i} + (1 - \alpha)\, q_j\big) \Big]
      - \operatorname*{mean}_{i \ne j} \frac{e^{F_{ij}}}{\alpha\, m_j + (1 - \alpha)\, q_j},
    \qquad
    m_{j,-i} = \operatorname*{mean}_{k \ne i} e^{F_{kj}}, \quad m_j = m_{j,-j} .

No average that stands for samples of the marginal holds the pair itself, so that the expectation
is a lower bound for every critic and baseline. All is computed in log space; a sum that leaves
its largest term out is computed anew, the others by a subtraction that cannot cancel.

References
----------
Poole, B., Ozair, S., van den Oord, A., Alemi, A., Tucker, G., "On variational bounds of mutual
information", ICML 2019.
"""

import math
from numbers import Real

import numpy as np

from .._backend import device_of, logsumexp, namespace, one_hot, total

__all__ = ["mi_alpha_bound"]


def mi_alpha_bound(F, log_q, alpha):
    r"""Lower bound on mutual information between bias and variance, with its gradient.

    The expectation of

    .. math::
        1 + \operatorname*{mean}_{i \ne j} \Big[ F_{jj}
            - \log\big(\alpha\, m_{j,-i} + (1 - \alpha)\, q_j\big) \Big]
        - \operatorname*{mean}_j \frac{m_j}{\alpha\, m_j + (1 - \alpha)\, q_j},
        \qquad m_{j,-i} = \operatorname*{mean}_{k \ne i} e^{F_{kj}}, \quad m_j = m_{j,-j},

    is at most the mutual information of x and y, for any critic and any baseline.

    Parameters
    ----------
    F : array of shape (K, K)
        Critic: ``F[i, j]`` scores x of pair i with y of pair j; true pairs on the diagonal.
        At least two pairs.
    log_q : array of shape (K,)
        Logarithm of the baseline of each y. Without influence at ``alpha=1``.
    alpha : float in [0, 1]
        1 is InfoNCE, of low variance but never above ``log(K - 1)``; 0 is the NWJ bound
        (with the baseline), of low bias and high variance.

    Returns
    -------
    value : 0-d array
        The bound, in nats.
    gradient : array of shape (K, K)
        Its gradient in `F`.
    baseline_gradient : array of shape (K,)
        Its gradient in `log_q`.

    Raises
    ------
    ValueError
        If shapes do not fit or alpha is outside [0, 1].

    Notes
    -----
    Near ``alpha=0`` the value is unbounded below: exponentials beyond the largest number give
    ``-inf``.

    References
    ----------
    .. [1] Poole, B., Ozair, S., van den Oord, A., Alemi, A., Tucker, G., "On variational bounds
       of mutual information", ICML 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.distillation import mi_alpha_bound
    >>> value, _, _ = mi_alpha_bound(20.0 * np.eye(8), np.zeros(8), 1.0)
    >>> round(float(value), 4), round(float(np.log(7)), 4)
    (1.9459, 1.9459)
    """
    _check(F, log_q, alpha)
    xp = namespace(F)
    K = F.shape[0]
    pairs = K * (K - 1)
    diagonal = _diagonal_mask(F)
    log_count = math.log(K - 1)
    log_alpha = math.log(alpha) if alpha > 0 else -math.inf
    log_rest = log_q + (math.log(1.0 - alpha) if alpha < 1 else -math.inf)
    with np.errstate(over="ignore"):
        left_out = _leave_one_out(F) - log_count  # [i, j]: log m_{j,-i}
        log_m = xp.sum(xp.where(diagonal, left_out, 0.0), axis=0)
        log_d = xp.logaddexp(log_alpha + left_out, log_rest[None, :])
        log_a = xp.logaddexp(log_alpha + log_m, log_rest)
        joint = total(xp.where(diagonal, (K - 1) * F, -log_d))
        value = 1.0 + joint / pairs - total(xp.exp(log_m - log_a)) / K
        # The diagonal of log_d is the pair left out of itself, which no average holds.
        inverse = xp.where(diagonal, -math.inf, -log_d)
        pull = xp.exp(F + _leave_one_out(inverse) + (log_alpha - log_count)) / pairs
        slope = log_rest - 2.0 * log_a  # log of the derivative of m / a in m
        push = xp.exp(xp.where(diagonal, -math.inf, F) + slope[None, :] - log_count) / K
        gradient = xp.astype(diagonal, F.dtype) / K - pull - push
        of_joint = xp.sum(xp.exp(inverse + log_rest[None, :]), axis=0) / pairs
        baseline = xp.exp(log_m + slope) / K - of_joint
    return value, gradient, baseline


def _leave_one_out(A):
    """``[k, j]``: log of the sum of ``exp(A[i, j])`` over all i but k."""
    xp = namespace(A)
    top = one_hot(xp.argmax(A, axis=0), A.shape[0]).T
    peak = xp.max(A, axis=0, keepdims=True)
    E = xp.exp(A - peak)
    # Without the largest term the sum is another one: a subtraction would leave its rounding.
    second = logsumexp(xp.where(top, -math.inf, A), axis=0, keepdims=True)
    rest = xp.where(top, 1.0, xp.sum(E, axis=0, keepdims=True) - E)
    return xp.where(top, second, xp.log(rest) + peak)


def _diagonal_mask(F):
    xp = namespace(F)
    rows = xp.arange(F.shape[0], device=device_of(F))
    return rows[:, None] == rows[None, :]


def _check(F, log_q, alpha):
    if F.ndim != 2 or F.shape[0] != F.shape[1] or F.shape[0] < 2:
        raise ValueError(
            "F must hold the critic of all pairs of a batch, a square matrix of at least 2 rows; "
            f"got shape {tuple(F.shape)}"
        )
    if tuple(log_q.shape) != (F.shape[0],):
        raise ValueError(
            f"log_q must have one entry per column of F, shape ({F.shape[0]},); got "
            f"{tuple(log_q.shape)}"
        )
    if not (isinstance(alpha, Real) and 0 <= alpha <= 1):
        raise ValueError(f"alpha must be a number from 0 to 1, got {alpha!r}")
