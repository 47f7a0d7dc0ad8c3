"""Linear students that learn from a teacher, and teachers that teach them well."""

from ._distilled import DistilledLogisticRegression
from ._mcmi import MCMILogisticRegression
from ._self_distilled import SelfDistilledLogisticRegression
from ._teacher import teacher_logits

__all__ = [
    "DistilledLogisticRegression",
    "MCMILogisticRegression",
    "SelfDistilledLogisticRegression",
    "teacher_logits",
]
