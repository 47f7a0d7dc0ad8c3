"""First-order steps never wait for the device.

On torch's ``meta`` device arrays have a shape and no numbers: whatever would bring a number to
the host (float, bool, int, item, nonzero, a boolean mask) raises. What runs there runs on a GPU
without a synchronisation.
"""

from itertools import islice

import pytest

from skkd.losses import ExponentialLoss, PairwiseLoss, Target
from skkd.objectives import LinearObjective
from skkd.solvers import (
    Constant,
    Limit,
    LogisticRisk,
    Normalized,
    averaged,
    best,
    errors,
    first_hit,
    gradient_descent,
    gradient_norm,
    lbfgs,
    max_margin_descent,
)
from tests.losses._cases import BINARY, CASES, CLASSIFICATION, MULTICLASS

N, P = 12, 3
LOG_VALUES = [BINARY[0], BINARY[1], MULTICLASS[0], MULTICLASS[2], MULTICLASS[3]]
RULES = [(case, Constant(0.5)) for case in CASES]
RULES += [(case, Normalized(2.0)) for case in CLASSIFICATION]
RULES += [(case, Limit()) for case in CLASSIFICATION if "Perceptron" in case.name]
RULES += [(case, LogisticRisk(1.0)) for case in LOG_VALUES]
ADAPTERS = {
    "none": lambda iterates, objective: iterates,
    "averaged": averaged,
    "first_hit": lambda iterates, _: first_hit(iterates, lambda it: it.errors == 0),
    "first_hit without freeze": lambda iterates, _: first_hit(
        iterates, lambda it: it.errors == 0, freeze=False
    ),
    "best": lambda iterates, _: best(iterates),
    "all": lambda iterates, objective: best(
        first_hit(averaged(iterates, objective), lambda it: it.errors == 0)
    ),
}


@pytest.fixture
def torch():
    """The module; the test skips without it."""
    return pytest.importorskip("torch")


def make(torch, case, *, weights, dtype="float64", alpha=0.0):
    """An objective whose arrays hold no numbers."""
    floats = {"device": "meta", "dtype": getattr(torch, dtype)}
    integers = {"device": "meta", "dtype": torch.int64}
    if case.labels == "values" or (case.labels == "soft" and case.k > 1):
        y = torch.empty(N, case.k, **floats)
    else:
        y = torch.empty(N, **(floats if case.k == 1 else integers))
    objective = LinearObjective(
        case.loss, torch.empty(N, P, **floats), Target(y), n_outputs=case.k, alpha=alpha
    )
    if weights:
        # Checking that weights sum to more than zero is a look at the data, before any step.
        objective.weight = objective._rows.weight = torch.empty(N, **floats)
    return objective


def test_meta_arrays_do_notice(torch):
    """The instrument measures: each of these is what a step must not do."""
    x = torch.empty(3, device="meta")
    for sync in (lambda: float(x[0]), lambda: bool(x[0] > 0), lambda: x[x > 0], x.tolist):
        with pytest.raises((RuntimeError, NotImplementedError)):
            sync()
    objective = make(torch, BINARY[0], weights=False)
    with pytest.raises((RuntimeError, NotImplementedError)):
        list(islice(lbfgs(objective, objective.zeros()), 2))  # it does, once per evaluation


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize(("case", "rule"), RULES, ids=lambda value: str(value))
def test_every_step_rule_and_loss(torch, case, rule, weights):
    for dtype in ("float64", "float32"):
        objective = make(torch, case, weights=weights, dtype=dtype)
        iterates = list(islice(gradient_descent(objective, objective.zeros(), step=rule), 6))
        assert [iterate.index for iterate in iterates] == list(range(6))
        assert iterates[-1].params.shape == objective.shape
        assert iterates[-1].params.dtype == objective.X.dtype
        gradient_norm(iterates[-1])


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("case", [BINARY[0], MULTICLASS[0]], ids=str)
def test_every_adapter(torch, case, adapter, weights):
    objective = make(torch, case, weights=weights)
    path = gradient_descent(objective, objective.zeros(), step=Normalized(1.0))
    iterates = list(islice(ADAPTERS[adapter](path, objective), 7))
    assert iterates[-1].params.device.type == "meta"
    errors(iterates[-1])  # the criterion itself is on the device; the driver is what reads it


def test_a_penalty(torch):
    objective = make(torch, BINARY[0], weights=True, alpha=0.1)
    list(islice(gradient_descent(objective, objective.zeros(), step=Constant(1.0)), 6))
    assert objective.value_and_gradient(objective.zeros())[0].ndim == 0
    assert objective.diagonal().shape == (P + 1, 1)
    assert objective.linearize(objective.zeros())(objective.zeros()).shape == objective.shape


@pytest.mark.parametrize("momentum", [True, False])
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("loss", [ExponentialLoss(), PairwiseLoss(ExponentialLoss())], ids=repr)
def test_margin_maximisation(torch, loss, weights, momentum):
    case = next(c for c in CLASSIFICATION if repr(c.loss) == repr(loss))
    objective = make(torch, case, weights=weights)
    radius = torch.empty((), device="meta", dtype=torch.float64)
    iterates = list(islice(max_margin_descent(objective, radius, momentum=momentum), 7))
    assert iterates[-1].gap.ndim == 0
