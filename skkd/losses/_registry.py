"""Losses by name, behind a facade that takes plain arrays."""

from .._backend import device_of, is_numpy, namespace
from ._base import Target
from ._log_loss import BinaryLogLoss, MultinomialLogLoss
from ._margin import ExponentialLoss, PerceptronLoss, SquaredHingeLoss
from ._pairwise import MulticlassPerceptronLoss, PairwiseLoss
from ._squared import SquaredLoss

__all__ = ["NamedLoss", "get_loss", "list_losses"]

# name -> (loss for one column of logits, loss for several); None where there is no such form.
_LOSSES = {
    "log_loss": (BinaryLogLoss, MultinomialLogLoss),
    "kesler_log_loss": (BinaryLogLoss, lambda: PairwiseLoss(BinaryLogLoss())),
    "exponential": (ExponentialLoss, lambda: PairwiseLoss(ExponentialLoss())),
    "perceptron": (PerceptronLoss, MulticlassPerceptronLoss),
    "kesler_perceptron": (PerceptronLoss, lambda: PairwiseLoss(PerceptronLoss())),
    "squared_hinge": (SquaredHingeLoss, lambda: PairwiseLoss(SquaredHingeLoss())),
    "squared_error": (SquaredLoss, SquaredLoss),
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
    return sorted(_LOSSES)


def get_loss(name, **params):
    """Loss of that name as a function of plain arrays of logits.

    Parameters
    ----------
    name : str
        One of :func:`list_losses`.
    **params : dict
        Parameters of the loss; those of this family have none.

    Returns
    -------
    loss : NamedLoss
        An object with ``value_and_gradient(student_logits, teacher_logits=None, y=None,
        sample_weight=None)`` and the flags ``convex``, ``needs_teacher``, ``needs_labels``,
        ``batch_coupled``, ``stateful`` and ``min_classes``.

    Raises
    ------
    ValueError
        If no loss has that name.
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
    """
    if name not in _LOSSES:
        raise ValueError(f"unknown loss {name!r}; known losses are {', '.join(list_losses())}")
    if params:
        raise TypeError(f"loss {name!r} takes no parameters, got {', '.join(sorted(params))}")
    return NamedLoss(name, *_LOSSES[name])


class NamedLoss:
    """A loss in binary and multiclass form; the number of columns of the logits decides.

    Parameters
    ----------
    name : str
        Name in the registry.
    binary, multiclass : callable
        Makers of the loss for one column of logits and for several.
    """

    def __init__(self, name, binary, multiclass):
        self.name = name
        self._binary = binary()
        self._multiclass = multiclass()

    def value_and_gradient(self, student_logits, teacher_logits=None, y=None, sample_weight=None):
        """Mean loss over the rows and its gradient in the logits.

        Parameters
        ----------
        student_logits : array of shape (n,) or (n, k)
            Logits; one column means a binary problem (or one output).
        teacher_logits : array of shape (n, k), default=None
            Logits of a teacher, for losses that need one.
        y : array of shape (n,) or (n, k)
            Integer labels, class probabilities, or values for a regression loss.
        sample_weight : array of shape (n,), default=None
            Non-negative weights; the result is the weighted mean.

        Returns
        -------
        value : float
            The loss.
        gradient : array
            Like `student_logits`.

        Raises
        ------
        ValueError
            If labels are missing, lengths differ, or weights are negative or all zero.
        """
        xp = namespace(student_logits)
        Z = student_logits if student_logits.ndim == 2 else student_logits[:, None]
        loss = self._binary if Z.shape[1] == 1 else self._multiclass
        target = Target(self._labels(y, Z, loss), teacher_logits)
        weight = self._weight(sample_weight, Z)
        value, gradient = loss.value_and_gradient(Z, target, weight)
        return float(value), xp.reshape(gradient, student_logits.shape)

    def _labels(self, y, Z, loss):
        if y is None:
            raise ValueError(f"loss {self.name!r} needs labels: pass y")
        xp = namespace(Z)
        y = xp.asarray(y, device=device_of(Z)) if is_numpy(Z) else y
        if y.shape[0] != Z.shape[0]:
            raise ValueError(f"y has {y.shape[0]} rows but student_logits has {Z.shape[0]}")
        integer_labels = isinstance(loss, (MultinomialLogLoss, PairwiseLoss)) and y.ndim == 1
        return y if integer_labels else xp.astype(y, Z.dtype)

    def _weight(self, sample_weight, Z):
        if sample_weight is None:
            return 1.0 / Z.shape[0]
        xp = namespace(Z)
        if tuple(sample_weight.shape) != (Z.shape[0],):
            raise ValueError(
                f"sample_weight has shape {tuple(sample_weight.shape)}, expected ({Z.shape[0]},)"
            )
        mass = float(xp.sum(sample_weight))
        if mass <= 0 or bool(xp.any(sample_weight < 0)):
            raise ValueError("sample_weight must be non-negative with a positive sum")
        return xp.astype(sample_weight, Z.dtype) / mass

    def __getattr__(self, flag):
        if flag.startswith("_"):
            raise AttributeError(flag)
        return getattr(self._multiclass, flag)

    def __repr__(self):
        return f"get_loss({self.name!r})"
