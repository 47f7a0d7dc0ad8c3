"""Losses by name, behind a facade that takes plain arrays."""

import inspect

import numpy as np

from .._backend import device_of, is_numpy, namespace
from ._base import ClassificationLoss, Target
from ._cmi import CMILoss
from ._combined import TwoColumns
from ._correlation import BatchCorrelationLoss, ClassCorrelationLoss, DISTLoss
from ._decoupled import DKDLoss, NKDLoss, WSLDLoss
from ._divergences import JSLoss, KLLoss, LabelSmoothingLoss, ReverseKLLoss
from ._log_loss import BinaryLogLoss, MultinomialLogLoss
from ._logit_matching import BinaryKLLoss, BinaryKLNormLoss, LogitMSELoss
from ._margin import ExponentialLoss, PerceptronLoss, SquaredHingeLoss
from ._pairwise import MulticlassPerceptronLoss, PairwiseLoss
from ._ranking import ListMLELoss, PLDLoss
from ._selective import GatedJSLoss, PreferenceRankLoss, SelectiveLoss, USKDLoss
from ._squared import SquaredLoss
from ._standardized import Standardized
from ._transport import SinkhornLoss

__all__ = ["NamedLoss", "get_loss", "list_losses", "make_loss"]

# Losses of labels: name -> (loss for one column of logits, loss for several).
_LABEL_LOSSES = {
    "log_loss": (BinaryLogLoss, MultinomialLogLoss),
    "ce": (BinaryLogLoss, MultinomialLogLoss),
    "kesler_log_loss": (BinaryLogLoss, lambda: PairwiseLoss(BinaryLogLoss())),
    "exponential": (ExponentialLoss, lambda: PairwiseLoss(ExponentialLoss())),
    "perceptron": (PerceptronLoss, MulticlassPerceptronLoss),
    "kesler_perceptron": (PerceptronLoss, lambda: PairwiseLoss(PerceptronLoss())),
    "squared_hinge": (SquaredHingeLoss, lambda: PairwiseLoss(SquaredHingeLoss())),
    "squared_error": (SquaredLoss, SquaredLoss),
}

# Losses of distillation: they see several columns; one logit z is shown to them as [-z/2, z/2].
_DISTILLATION_LOSSES = {
    "label_smoothing": LabelSmoothingLoss,
    "kl": KLLoss,
    "reverse_kl": ReverseKLLoss,
    "js": JSLoss,
    "mse": LogitMSELoss,
    "binary_kl": BinaryKLLoss,
    "binary_kl_norm": BinaryKLNormLoss,
    "dkd": DKDLoss,
    "nkd": NKDLoss,
    "wsld": WSLDLoss,
    "uskd": USKDLoss,
    "pld": PLDLoss,
    "list_mle": ListMLELoss,
    "dist": DISTLoss,
    "mlkd_class_correlation": ClassCorrelationLoss,
    "mlkd_batch_correlation": BatchCorrelationLoss,
    "sinkhorn": SinkhornLoss,
    "cmi": CMILoss,
    "preference_rank": PreferenceRankLoss,
    "gated_js": GatedJSLoss,
    "selective": SelectiveLoss,
}

# Short names by which the papers' readers know some of them.
_ALIASES = {
    "rkl": "reverse_kl",
    "mlkd_cc": "mlkd_class_correlation",
    "mlkd_bc": "mlkd_batch_correlation",
}


def list_losses():
    """Names that :func:`get_loss` knows.

    Returns
    -------
    names : list of str
        Sorted names.

    Examples
    --------
    >>> from skkd.losses import list_losses
    >>> "log_loss" in list_losses()
    True
    """
    return sorted([*_LABEL_LOSSES, *_DISTILLATION_LOSSES])


def get_loss(name, *, standardize=False, **params):
    """Loss of that name as a function of plain arrays of logits.

    Parameters
    ----------
    name : str
        One of :func:`list_losses`, or the short name "rkl", "mlkd_cc" or "mlkd_bc".
    standardize : bool, default=False
        Standardise the logits of each row, of student and teacher, before the loss sees them;
        see :class:`Standardized`. Not for losses of labels alone.
    **params : dict
        Parameters of the loss, such as ``temperature``; each loss's class documents its own.

    Returns
    -------
    loss : NamedLoss
        An object with ``value_and_gradient(student_logits, teacher_logits=None, y=None,
        sample_weight=None)`` and the flags ``convex``, ``needs_teacher``, ``needs_labels``,
        ``batch_coupled``, ``stateful`` and ``min_classes``.

    Raises
    ------
    ValueError
        If no loss has that name, or a parameter is out of its range.
    TypeError
        If the loss does not take one of `params`.

    Examples
    --------
    >>> import numpy as np
    >>> from skkd.losses import get_loss
    >>> value, gradient = get_loss("log_loss").value_and_gradient(
    ...     np.zeros((2, 3)), y=np.array([0, 2])
    ... )
    >>> round(value, 4)
    1.0986
    >>> gradient.shape
    (2, 3)
    >>> kl = get_loss("kl", temperature=4.0)
    >>> kl.convex, kl.needs_teacher, kl.needs_labels
    (True, True, False)
    """
    name = _ALIASES.get(name, name)
    if name in _LABEL_LOSSES:
        if params or standardize:
            given = sorted(params) + ["standardize"] * bool(standardize)
            raise TypeError(f"loss {name!r} takes no parameters, got {', '.join(given)}")
        binary, multiclass = _LABEL_LOSSES[name]
        return NamedLoss(name, binary, multiclass())
    loss = make_loss(name, standardize=standardize, **params)
    return NamedLoss(name, lambda: TwoColumns(loss), loss)


def make_loss(name, *, standardize=False, **params):
    """Loss object of a distillation loss's name, for logits of two or more columns.

    Parameters
    ----------
    name : str
        One of :func:`list_losses` that belongs to distillation.
    standardize : bool, default=False
        Standardise the logits of each row first.
    **params : dict
        Parameters of the loss.

    Returns
    -------
    loss : Loss
        An object of the layer below :func:`get_loss`, for objectives and estimators.
    """
    name = _ALIASES.get(name, name)
    if name in _LABEL_LOSSES:
        raise ValueError(
            f"loss {name!r} has one object for two classes and another for more; use "
            f"get_loss({name!r})"
        )
    if name not in _DISTILLATION_LOSSES:
        raise ValueError(f"unknown loss {name!r}; known losses are {', '.join(list_losses())}")
    kind = _DISTILLATION_LOSSES[name]
    allowed = [p for p in inspect.signature(kind).parameters]
    unknown = sorted(set(params) - set(allowed))
    if unknown:
        raise TypeError(
            f"loss {name!r} takes no {', '.join(unknown)}; its parameters are "
            f"{', '.join(allowed) or 'none'}"
        )
    loss = kind(**params)
    if standardize and not loss.needs_teacher:
        raise TypeError(f"loss {name!r} has no teacher whose logits could be standardised")
    return Standardized(loss) if standardize else loss


class NamedLoss:
    """A loss in binary and multiclass form; the number of columns of the logits decides.

    Parameters
    ----------
    name : str
        Name in the registry.
    binary : callable
        Makes the loss for one column of logits.
    multiclass : Loss
        The loss for several.
    """

    def __init__(self, name, binary, multiclass):
        self.name = name
        self._make_binary = binary
        self._multiclass = multiclass

    def value_and_gradient(self, student_logits, teacher_logits=None, y=None, sample_weight=None):
        """Mean loss over the rows and its gradient in the logits.

        Parameters
        ----------
        student_logits : array of shape (n,) or (n, k)
            Logits; one column means a binary problem (or one output).
        teacher_logits : array of shape (n, k), default=None
            Logits of a teacher, for losses that need one. For a binary problem also the
            difference of its logits, shape (n,).
        y : array of shape (n,) or (n, k)
            Integer labels, class probabilities, or values for a regression loss.
        sample_weight : array of shape (n,), default=None
            Non-negative weights; integer weights equal repetition of rows.

        Returns
        -------
        value : float
            The loss.
        gradient : array
            Like `student_logits`.

        Raises
        ------
        ValueError
            If labels or teacher logits are missing or not finite, lengths differ, or weights are
            negative or all zero.
        """
        xp = namespace(student_logits)
        if not xp.isdtype(student_logits.dtype, "real floating"):
            raise ValueError(
                f"student_logits must be real floating point numbers, got {student_logits.dtype}"
            )
        Z = student_logits if student_logits.ndim == 2 else student_logits[:, None]
        loss = self._make_binary() if Z.shape[1] == 1 else self._multiclass
        if 1 < Z.shape[1] < loss.min_classes:
            raise ValueError(
                f"loss {self.name!r} needs at least {loss.min_classes} classes, got logits of "
                f"{Z.shape[1]}"
            )
        weight, mass = _checked_weight(sample_weight, Z)
        target = Target(self._labels(y, Z, loss), self._teacher(teacher_logits, Z), mass=mass)
        value, gradient = loss.prepare_and_evaluate(Z, target, weight)
        return float(value), xp.reshape(gradient, student_logits.shape)

    def _teacher(self, teacher_logits, Z):
        if not self._multiclass.needs_teacher:
            return None
        if teacher_logits is None:
            raise ValueError(f"loss {self.name!r} compares with a teacher: pass teacher_logits")
        xp = namespace(Z)
        t = xp.astype(_as_array(teacher_logits, Z), Z.dtype, copy=False)
        t = t[:, None] if t.ndim == 1 else t
        widths = (1, 2) if Z.shape[1] == 1 else (Z.shape[1],)
        if t.shape[0] != Z.shape[0] or t.shape[1] not in widths:
            raise ValueError(
                f"teacher_logits has shape {tuple(teacher_logits.shape)} but student_logits "
                f"{tuple(Z.shape)}; pass one logit for each row and class"
            )
        if not _all_finite(t):
            raise ValueError(
                "teacher_logits holds NaN or infinity; take logits from probabilities p by "
                "log((1 - e) p + e / C) with a small e, which is finite also where p is 0"
            )
        return t

    def _labels(self, y, Z, loss):
        if y is None and not loss.needs_labels:
            return None
        if y is None:
            raise ValueError(f"loss {self.name!r} needs labels: pass y")
        y = _as_array(y, Z)
        if y.shape[0] != Z.shape[0]:
            raise ValueError(f"y has {y.shape[0]} rows but student_logits has {Z.shape[0]}")
        xp = namespace(Z)
        if self.name in _DISTILLATION_LOSSES:
            if y.ndim == 2 and isinstance(loss, LabelSmoothingLoss):
                return _checked_soft_labels(y, Z, self.name)
            return _checked_classes(y, max(2, Z.shape[1]))
        if not isinstance(loss, ClassificationLoss):
            return xp.astype(y, Z.dtype)
        if y.ndim == 2:
            return _checked_soft_labels(y, Z, self.name)
        if Z.shape[1] == 1:
            soft = isinstance(loss, BinaryLogLoss)
            return _checked_binary_labels(xp.astype(y, Z.dtype), self.name, soft=soft)
        return _checked_classes(y, Z.shape[1])

    def __getattr__(self, flag):
        if flag.startswith("_"):
            raise AttributeError(flag)
        return getattr(self._multiclass, flag)

    def __repr__(self):
        return f"get_loss({self.name!r})"


def _all_finite(t):
    """Whether no entry is NaN or infinite; for NumPy arrays their sum mostly tells."""
    if is_numpy(t):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.sum(t)):
                return True
    xp = namespace(t)
    return bool(xp.all(xp.isfinite(t)))


def _as_array(values, Z):
    """`values` as an array beside `Z`; an array of Z's library is left where it is."""
    if is_numpy(values) or not hasattr(values, "dtype"):
        return namespace(Z).asarray(values, device=device_of(Z))
    return values


def _checked_classes(y, n_classes):
    """Integer labels 0..K-1."""
    xp = namespace(y)
    if y.ndim != 1:
        raise ValueError(f"y must hold one integer label for each row, got shape {tuple(y.shape)}")
    labels = xp.astype(y, xp.int64, copy=False)
    fit = labels.shape[0] == 0 or (int(xp.min(labels)) >= 0 and int(xp.max(labels)) < n_classes)
    if not fit or (labels is not y and bool(xp.any(labels != y))):
        raise ValueError(
            f"y must hold integer labels from 0 to {n_classes - 1}, one for each of the "
            f"{n_classes} columns of student_logits; encode labels first "
            "(sklearn.preprocessing.LabelEncoder)"
        )
    return labels


def _checked_binary_labels(y, name, *, soft):
    """Labels 0 and 1, or probabilities for the losses that take them."""
    xp = namespace(y)
    outside = xp.any(y < 0) | xp.any(y > 1)
    if not soft:
        outside = outside | xp.any((y != 0) & (y != 1))
    if bool(outside):
        allowed = "labels 0 and 1" + (", or probabilities in between," if soft else "")
        raise ValueError(f"loss {name!r} on one column of logits takes {allowed}, as y")
    return y


def _checked_soft_labels(y, Z, name):
    """Rows of class probabilities for several columns of logits, a column of them for one."""
    xp = namespace(Z)
    y = xp.astype(y, Z.dtype)
    if tuple(y.shape) != tuple(Z.shape):
        raise ValueError(
            f"y has shape {tuple(y.shape)} but student_logits {tuple(Z.shape)}; pass one "
            "probability for each class, or one integer label for each row"
        )
    if Z.shape[1] == 1:
        return _checked_binary_labels(y[:, 0], name, soft=name == "log_loss")
    if bool(xp.any(y < 0)):
        raise ValueError("y holds negative probabilities; rows must be non-negative")
    return y


def _checked_weight(sample_weight, Z):
    """Weights that sum to one, and their sum before."""
    if sample_weight is None:
        return 1.0 / Z.shape[0], float(Z.shape[0])
    xp = namespace(Z)
    weight = xp.astype(_as_array(sample_weight, Z), Z.dtype)
    if tuple(weight.shape) != (Z.shape[0],):
        raise ValueError(f"sample_weight has shape {tuple(weight.shape)}, expected ({Z.shape[0]},)")
    mass = float(xp.sum(weight))
    if not (0 < mass < float("inf")) or bool(xp.any(weight < 0)):
        raise ValueError("sample_weight must be finite and non-negative, with a positive sum")
    return weight / mass, mass
