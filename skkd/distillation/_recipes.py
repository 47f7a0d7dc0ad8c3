r"""What a student minimises: loss, temperature and mixing weights, by name or by hand.

.. math:: \mathrm{ce\_weight} \cdot \mathrm{CE} + \mathrm{kd\_weight} \cdot L

Papers write their mixing weights in opposite ways; here they are always these two. The table
holds what each paper uses, where its setting carries over.
"""

import inspect
from typing import NamedTuple

import numpy as np

from .._backend import device_of, namespace, one_hot, to_numpy
from ..losses import (
    Loss,
    MultinomialLogLoss,
    Standardized,
    TwoColumns,
    WeightedSum,
    list_losses,
    make_loss,
)

__all__ = ["Recipe", "student_losses", "student_recipe", "student_target"]


class Recipe(NamedTuple):
    """Defaults of a loss: temperature (None where it has none), weights of both parts."""

    temperature: float | None
    ce_weight: float
    kd_weight: float


_RECIPES = {
    "kl": Recipe(2.0, 0.1, 0.9),
    "reverse_kl": Recipe(1.0, 0.1, 0.9),
    "js": Recipe(1.0, 0.1, 0.9),
    "mse": Recipe(None, 0.1, 0.9),
    "binary_kl": Recipe(2.0, 1.0, 1.0),
    "binary_kl_norm": Recipe(2.0, 1.0, 1.0),
    "dkd": Recipe(4.0, 1.0, 1.0),
    "nkd": Recipe(1.0, 1.0, 1.0),
    "wsld": Recipe(2.0, 1.0, 1.0),
    "uskd": Recipe(None, 1.0, 1.0),
    "pld": Recipe(1.0, 0.0, 1.0),
    "list_mle": Recipe(None, 0.0, 1.0),
    "dist": Recipe(1.0, 1.0, 1.0),
    "mlkd_class_correlation": Recipe(2.0, 1.0, 1.0),
    "mlkd_batch_correlation": Recipe(2.0, 1.0, 1.0),
    "sinkhorn": Recipe(2.0, 1.0, 0.8),
    "preference_rank": Recipe(1.0, 1.0, 0.1),
    "gated_js": Recipe(1.0, 0.1, 1.0),
    "selective": Recipe(None, 0.1, 1.0),
    "label_smoothing": Recipe(None, 0.0, 1.0),
    "ce": Recipe(None, 1.0, 0.0),
}
_STANDARDIZED = {
    "kl": Recipe(2.0, 0.1, 9.0),
    "dkd": Recipe(4.0, 1.0, 9.0),
}
_TEMPERATURES = ("temperature", "teacher_temperature")


def student_recipe(estimator):
    """Loss object for several columns, and the weights of both parts, from the parameters."""
    loss, name = estimator.loss, estimator.loss
    if isinstance(loss, Loss):
        name, recipe = type(loss).__name__, Recipe(None, 0.0, 1.0)
        if estimator.loss_params:
            raise ValueError(
                f"loss_params={estimator.loss_params!r} belong to a loss given by name, but loss "
                f"is the object {loss!r}; give it its parameters where it is made"
            )
        loss = Standardized(loss) if estimator.standardize_logits else loss
    else:
        if loss not in _RECIPES:
            known = ", ".join(sorted(_RECIPES))
            hint = ""
            if loss == "cmi":
                hint = "; it is maximised by a teacher: use MCMILogisticRegression"
            elif loss in list_losses():
                hint = "; it learns from labels alone: use another estimator, or pass the object"
            raise ValueError(f"loss must be one of {known}, or a loss object, got {loss!r}{hint}")
        table = {**_RECIPES, **_STANDARDIZED} if estimator.standardize_logits else _RECIPES
        recipe = table[loss]
        if estimator.standardize_logits and recipe.ce_weight == 0:
            recipe = recipe._replace(ce_weight=0.1)  # something has to fix the student's scale
        loss = _made(estimator, loss, recipe)
    ce = recipe.ce_weight if estimator.ce_weight == "auto" else float(estimator.ce_weight)
    kd = recipe.kd_weight if estimator.kd_weight == "auto" else float(estimator.kd_weight)
    if ce == 0 and kd == 0:
        raise ValueError(
            f"ce_weight and kd_weight are both 0 (loss={name!r}), so that nothing is left to learn "
            "from; give one of them a positive weight"
        )
    if estimator.standardize_logits and kd > 0 and ce == 0:
        raise ValueError(
            "standardised logits do not feel the scale of the student, so that without labels the "
            "penalty shrinks it to nothing; give ce_weight a positive value"
        )
    return loss, ce, kd


def _made(estimator, name, recipe):
    params = dict(estimator.loss_params or {})
    if name == "ce":
        if params:
            raise ValueError(f"loss 'ce' has no parameters, got loss_params={params!r}")
        return MultinomialLogLoss()
    try:
        loss = make_loss(name, **params)
        allowed = inspect.signature(type(loss)).parameters
        key = next((key for key in _TEMPERATURES if key in allowed), None)
        temperature = estimator.temperature
        if temperature == "auto":
            temperature = recipe.temperature
        elif key is None:
            raise ValueError(
                f"loss {name!r} has no temperature, got temperature={temperature!r}; leave it at "
                "'auto'"
            )
        elif key in params:
            raise ValueError(
                f"the temperature is given twice, as temperature={temperature!r} and in "
                f"loss_params={params!r}; give it once"
            )
        if key is not None and temperature is not None:
            params.setdefault(key, temperature)
        return make_loss(name, standardize=estimator.standardize_logits, **params)
    except TypeError as error:
        raise ValueError(f"loss_params: {error}") from error


def student_losses(loss, ce_weight, kd_weight, n_classes):
    """The whole loss for the student's logits, and the number of these."""
    terms = []
    if ce_weight > 0:
        terms.append((ce_weight, MultinomialLogLoss()))
    if kd_weight > 0:
        terms.append((kd_weight, loss))
    whole = WeightedSum(terms)
    if n_classes > 2:
        if loss.min_classes > n_classes and kd_weight > 0:
            raise ValueError(
                f"{loss!r} needs at least {loss.min_classes} classes, but y has {n_classes}"
            )
        return whole, n_classes
    if isinstance(loss, Standardized) and kd_weight > 0:
        raise ValueError(
            "two standardised logits are always -0.7071 and 0.7071, so that nothing is learned "
            "from two classes; set standardize_logits=False"
        )
    return TwoColumns(whole), 1


def student_target(target, loss, data, labelled, ce_weight, kd_weight):
    """Labels for each part of the loss: rows without one count for the teacher's part alone.

    There a loss that needs a label takes the teacher's own choice. In the cross-entropy such rows
    are rows of zeros, and the others weigh as if they were alone.
    """
    if labelled is None:
        return target
    xp = namespace(data.X)
    dtype, device = data.X.dtype, device_of(data.X)
    parts = []
    if ce_weight > 0:
        known = xp.asarray(labelled.astype(np.float64), dtype=dtype, device=device)
        weight = known if data.sample_weight is None else known * data.sample_weight
        share = float(to_numpy(xp.sum(weight))) / float(target.mass)
        rows = xp.astype(one_hot(data.y, data.n_classes), dtype)
        parts.append(rows * (known / share)[:, None])
    if kd_weight > 0:
        y = data.y
        if target.teacher_logits is not None:
            guess = xp.argmax(target.teacher_logits, axis=1)
            given = xp.asarray(labelled, device=device)
            y = xp.where(given, data.y, xp.astype(guess, data.y.dtype))
        elif loss.needs_labels:
            raise ValueError(
                f"{loss!r} needs labels, and rows without one have no teacher to take them from; "
                "give every row a label, or a teacher"
            )
        parts.append(y)
    return target._replace(y=tuple(parts))
