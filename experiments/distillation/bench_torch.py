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
    # By matrices of classes, which are smaller than those of rows.
    square = ((p.T @ p) ** 2).sum() + ((q.T @ q) ** 2).sum() - 2.0 * ((p.T @ q) ** 2).sum()
    return square / s.shape[0]


def _uskd(s, t, y, alpha=1.0, beta=0.1):
    with torch.no_grad():
        p = F.softmax(s, dim=1)
        own = p.gather(1, y[:, None])[:, 0]
        focus = 1.0 + own**2 - (own**2).mean()
        score = p / (1.0 - own[:, None] + 1e-6)
        order = torch.argsort(score, dim=1, descending=True)
        ranks = torch.arange(1, s.shape[1] + 1, dtype=s.dtype).expand_as(s)
        zipf = torch.empty_like(s).scatter_(1, order, 1.0 / ranks)
        zipf.scatter_(1, y[:, None], 0.0)
        soft = zipf / zipf.sum(dim=1, keepdim=True)
    log_own = F.log_softmax(s, dim=1).gather(1, y[:, None])[:, 0]
    others = (soft * F.log_softmax(_others(s, y)[1], dim=1)).sum(dim=1)
    return -(alpha * focus * log_own + beta * others).mean()


def _cmi(s, t, y):
    log_p = F.log_softmax(s, dim=1)
    p = log_p.exp()
    sums = torch.zeros(s.shape[1], s.shape[1], dtype=s.dtype).index_add(0, y, p)
    counts = torch.bincount(y, minlength=s.shape[1]).clamp(min=1)
    log_q = torch.log((sums / counts[:, None]).clamp(min=torch.finfo(s.dtype).tiny))
    return (p * (log_p - log_q[y])).sum(dim=1).mean()


def _preference_rank(s, t, y, k=10):
    with torch.no_grad():
        best = torch.topk(s, min(k, s.shape[1]), dim=1).indices
        order = best.gather(1, torch.argsort(t.gather(1, best), dim=1, descending=True))
    ranked = s.gather(1, order)
    sums = torch.flip(torch.logcumsumexp(torch.flip(ranked, (1,)), dim=1), (1,))
    return (sums - ranked).sum(dim=1).mean()


def _entropy(x):
    log_p = F.log_softmax(x, dim=1)
    return -(log_p.exp() * log_p).sum(dim=1)


def _gated_js(s, t, y, beta=0.9):
    with torch.no_grad():
        gate = torch.sigmoid(_entropy(s) - _entropy(t))
    log_p, log_q = F.log_softmax(s, dim=1), F.log_softmax(t, dim=1)
    log_m = torch.logaddexp(log_q + math.log(beta), log_p + math.log1p(-beta))
    of_q = F.kl_div(log_m, log_q, reduction="none", log_target=True).sum(dim=1)
    of_p = F.kl_div(log_m, log_p, reduction="none", log_target=True).sum(dim=1)
    return (gate * (beta * of_q + (1.0 - beta) * of_p)).mean()


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
    "uskd": _uskd,
    "cmi": _cmi,
    "preference_rank": _preference_rank,
    "gated_js": _gated_js,
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
