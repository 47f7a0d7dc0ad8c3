"""What the paper claims, and what we add, each beside what was measured.

Numbers of "the authors' program" were obtained by running it (:mod:`.authors`); the paper's own are
in figures only.
"""

from . import claims_growth, claims_real, claims_theory

CLAIMS = [
    *claims_growth.GROWTH,
    *claims_real.POPULATION,
    *claims_real.REAL,
    *claims_theory.ASSUMPTIONS,
    *claims_theory.BOUND,
]
