"""The losses as one writes them in torch, for autograd: ``FORMULAS[name](student, teacher, y)``."""

import math

import torch
import torch.nn.functional as F

__all__ = ["FORMULAS", "sinkhorn", "value_and_gradient"]


def value_and_gradient(formula, student, teacher, y):
    """Value and gradient in the student's logits by autograd, from and to NumPy arrays."""
    s = torch.from_numpy(student).requires_grad_()
    value = formula(s, torch.from_numpy(teacher), torch.from_numpy(y))
    value.backward()
    return value.item(), s.grad.numpy()


def _kl(s, t, y, T=2.0):
    log_q = F.log_softmax(t / T, dim=1)
    return T**2 * F.kl_div(
        F.log_softmax(s / T, dim=1), log_q, reduction="batchmean", log_target=True
    )


def _reverse_kl(s, t, y):
    log_p = F.log_softmax(s, dim=1)
    return F.kl_div(F.log_softmax(t, dim=1), log_p, reduction="batchmean", log_target=True)


def _js(s, t, y):
    log_p, log_q = F.log_softmax(s, dim=1), F.log_softmax(t, dim=1)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2.0)
    of_p = F.kl_div(log_m, log_p, reduction="batchmean", log_target=True)
    return 0.5 * (of_p + F.kl_div(log_m, log_q, reduction="batchmean", log_target=True))


def _binary_kl(s, t, y, T=2.0):
    s, t = s / T, t / T
    q = torch.sigmoid(t)
    gap = q * (F.logsigmoid(t) - F.logsigmoid(s))
    gap = gap + (1.0 - q) * (F.logsigmoid(-t) - F.logsigmoid(-s))
    return T**2 * gap.sum(dim=1).mean()


def _binary_kl_norm(s, t, y, T=2.0):
    x = torch.abs(s - t) / (2.0 * T)
    return T**2 * (x + F.softplus(-2.0 * x) - math.log(2.0)).sum(dim=1).mean()


def _others(x, y):
    """Log-odds of the right class against all others, and logits without the right class."""
    right = F.one_hot(y, x.shape[1]).bool()
    masked = x.masked_fill(right, -1e30)
    own = x.gather(1, y[:, None])[:, 0]
    return own - torch.logsumexp(masked, dim=1), masked


def _dkd(s, t, y, T=4.0, alpha=1.0, beta=8.0):
    d_s, s = _others(s / T, y)
    d_t, t = _others(t / T, y)
    q = torch.sigmoid(d_t)
    own = q * (F.logsigmoid(d_t) - F.logsigmoid(d_s))
    own = own + (1.0 - q) * (F.logsigmoid(-d_t) - F.logsigmoid(-d_s))
    log_p, log_q = F.log_softmax(s, dim=1), F.log_softmax(t, dim=1)
    others = F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(dim=1)
    return T**2 * (alpha * own + beta * others).mean()


def _nkd(s, t, y, gamma=1.5):
    own = F.softmax(t, dim=1).gather(1, y[:, None])[:, 0]
    log_own = F.log_softmax(s, dim=1).gather(1, y[:, None])[:, 0]
    s, t = _others(s, y)[1], _others(t, y)[1]
    others = (F.softmax(t, dim=1) * F.log_softmax(s, dim=1)).sum(dim=1)
    return -(own * log_own + gamma * others).mean()


def _wsld(s, t, y, T=2.0, alpha=2.25):
    hard = F.cross_entropy(s.detach(), y, reduction="none")
    focus = 1.0 - torch.exp(-hard / (F.cross_entropy(t, y, reduction="none") + 1e-7))
    soft = -(F.softmax(t / T, dim=1) * F.log_softmax(s / T, dim=1)).sum(dim=1)
    return alpha * T**2 * (focus * soft).mean()


def _likelihood(s, t, y, weights):
    keys = t.scatter(1, y[:, None], math.inf)
    order = torch.argsort(keys, dim=1, descending=True)
    ranked = s.gather(1, order)
    sums = torch.flip(torch.logcumsumexp(torch.flip(ranked, (1,)), dim=1), (1,))
    return (weights.gather(1, order) * (sums - ranked)).sum(dim=1).mean()


def _standardized(x):
    gaps = x - x.mean(dim=1, keepdim=True)
    return gaps / (x.std(dim=1, keepdim=True) + 1e-7)


def _dist(s, t, y):
    p, q = F.softmax(s, dim=1), F.softmax(t, dim=1)

    def correlation(a, b, dim):
        a, b = a - a.mean(dim=dim, keepdim=True), b - b.mean(dim=dim, keepdim=True)
        return ((a * b).sum(dim=dim) / (a.norm(dim=dim) * b.norm(dim=dim) + 1e-8)).mean()

    return (1.0 - correlation(p, q, 1)) + (1.0 - correlation(p, q, 0))


def _class_correlation(s, t, y):
    p, q = F.softmax(s, dim=1), F.softmax(t, dim=1)
    return ((p.T @ p - q.T @ q) ** 2).sum() / s.shape[1]


def _batch_correlation(s, t, y):
    p, q = F.softmax(s, dim=1), F.softmax(t, dim=1)
    return ((p @ p.T - q @ q.T) ** 2).sum() / s.shape[0]


FORMULAS = {
    "ce": lambda s, t, y: F.cross_entropy(s, y),
    "label_smoothing": lambda s, t, y: F.cross_entropy(s, y, label_smoothing=0.1),
    "kl": _kl,
    "kl standardized": lambda s, t, y: _kl(_standardized(s), _standardized(t), y),
    "reverse_kl": _reverse_kl,
    "js": _js,
    "mse": lambda s, t, y: F.mse_loss(s, t),
    "binary_kl": _binary_kl,
    "binary_kl_norm": _binary_kl_norm,
    "dkd": _dkd,
    "nkd": _nkd,
    "wsld": _wsld,
    "pld": lambda s, t, y: _likelihood(s, t, y, F.softmax(t, dim=1)),
    "list_mle": lambda s, t, y: _likelihood(s, t, y, torch.full_like(t, 1.0 / t.shape[1])),
    "dist": _dist,
    "mlkd_class_correlation": _class_correlation,
    "mlkd_batch_correlation": _batch_correlation,
}


def sinkhorn(student, teacher, transport, T=2.0, epsilon=0.1, n_iter=20):
    """Transport cost by POT's rounds, differentiated by autograd through them."""
    s = torch.from_numpy(student).requires_grad_()
    p, q = F.softmax(s / T, dim=1), F.softmax(torch.from_numpy(teacher) / T, dim=1)
    costs = torch.cdist(p, q, p=1)
    mass = torch.full((s.shape[0],), 1.0 / s.shape[0], dtype=s.dtype)
    plan = transport.sinkhorn(mass, mass, costs, epsilon, numItermax=n_iter, stopThr=0, warn=False)
    value = (plan * costs).sum()
    value.backward()
    return value.item(), s.grad.numpy()
