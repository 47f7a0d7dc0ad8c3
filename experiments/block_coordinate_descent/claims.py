"""What the paper claims, and what we add, each beside what was measured."""

from .claims_active import ACTIVE
from .claims_order import ORDERS
from .claims_paper import COMPARISON

CLAIMS = [*ORDERS, *ACTIVE, *COMPARISON]
