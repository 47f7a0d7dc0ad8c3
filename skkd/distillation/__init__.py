"""Linear students that learn from a teacher, and teachers that teach them well."""

from ._distilled import DistilledLogisticRegression
from ._dual_head import DualHeadDistilledClassifier
from ._lelp import LELPDistilledClassifier
from ._lelp_targets import LELPTargets, mlp_embedding
from ._mcmi import MCMILogisticRegression
from ._mi_alpha import MIAlphaProjection
from ._mi_bound import mi_alpha_bound
from ._self_distilled import SelfDistilledLogisticRegression
from ._teacher import teacher_logits

__all__ = [
    "DistilledLogisticRegression",
    "DualHeadDistilledClassifier",
    "LELPDistilledClassifier",
    "LELPTargets",
    "MCMILogisticRegression",
    "MIAlphaProjection",
    "SelfDistilledLogisticRegression",
    "mi_alpha_bound",
    "mlp_embedding",
    "teacher_logits",
]
