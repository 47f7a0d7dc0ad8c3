"""What the paper claims, and what we add, each beside what was measured.

Numbers after "expected here" are not the paper's: they were found before, independently, and
are in place to notice a change.
"""

from . import claims_data, claims_paths, claims_theory

CLAIMS = [
    *claims_theory.TABLE,
    *claims_data.TABLE,
    *claims_theory.LIMITS,
    *claims_paths.FIGURES,
    *claims_theory.BOUNDS,
    *claims_paths.BEYOND,
]
