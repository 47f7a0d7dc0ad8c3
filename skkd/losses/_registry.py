"""Losses by name, behind a facade that takes plain arrays."""

from .._backend import device_of, is_numpy, namespace
from ._base import ClassificationLoss, Target
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
        value, gradient = loss.value_and_gradient(Z, target, _checked_weight(sample_weight, Z))
        return float(value), xp.reshape(gradient, student_logits.shape)

    def _labels(self, y, Z, loss):
        if y is None:
            raise ValueError(f"loss {self.name!r} needs labels: pass y")
        y = _as_array(y, Z)
        if y.shape[0] != Z.shape[0]:
            raise ValueError(f"y has {y.shape[0]} rows but student_logits has {Z.shape[0]}")
        xp = namespace(Z)
        if not isinstance(loss, ClassificationLoss):
            return xp.astype(y, Z.dtype)
        if y.ndim == 2:
            return _checked_soft_labels(y, Z, self.name)
        if Z.shape[1] == 1:
            soft = isinstance(loss, BinaryLogLoss)
            return _checked_binary_labels(xp.astype(y, Z.dtype), self.name, soft=soft)
        return _checked_classes(y, Z)

    def __getattr__(self, flag):
        if flag.startswith("_"):
            raise AttributeError(flag)
        return getattr(self._multiclass, flag)

    def __repr__(self):
        return f"get_loss({self.name!r})"


def _as_array(values, Z):
    """`values` as an array beside `Z`; an array of Z's library is left where it is."""
    if is_numpy(values) or not hasattr(values, "dtype"):
        return namespace(Z).asarray(values, device=device_of(Z))
    return values


def _checked_classes(y, Z):
    """Integer labels 0..K-1."""
    xp = namespace(Z)
    labels = xp.astype(y, xp.int64)
    n_classes = Z.shape[1]
    if bool(xp.any(labels < 0) | xp.any(labels >= n_classes) | xp.any(labels != y)):
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
    """Weights that sum to one."""
    if sample_weight is None:
        return 1.0 / Z.shape[0]
    xp = namespace(Z)
    weight = xp.astype(_as_array(sample_weight, Z), Z.dtype)
    if tuple(weight.shape) != (Z.shape[0],):
        raise ValueError(f"sample_weight has shape {tuple(weight.shape)}, expected ({Z.shape[0]},)")
    mass = float(xp.sum(weight))
    if not (0 < mass < float("inf")) or bool(xp.any(weight < 0)):
        raise ValueError("sample_weight must be finite and non-negative, with a positive sum")
    return weight / mass
