"""Linear students and what they learn from a teacher: one claim for each of ten papers.

Every configuration names its ``part``; the grids of the two presets are in :mod:`.grid`.
"""

from . import few, files, grid, real, special, theory

TITLE = "Distilled linear students"
REFERENCE = (
    "Ten papers on distillation in linear form: KD with SinKD (2402.17110), NKD and USKD "
    "(2303.13005), logit standardisation (2403.01993), MCMI (2401.08732), DHKD (2411.08937), PLD "
    "(2506.12542), LELP (2409.20449), PS-KD (2006.12000), MI-alpha (2109.11105), TSD-KD "
    "(2603.13260)"
)
VERSION = 2

PARTS = {
    "real": real.real,
    "few": few.few,
    "bayes": theory.bayes,
    "mi_alpha": theory.mi_alpha,
    "self": theory.self_distillation,
    "scale": theory.teacher_scale,
    "mcmi": special.mcmi,
    "lelp": special.lelp,
    "dual": special.dual,
}


def configurations(preset: str, data: dict[str, str]) -> list[dict]:
    """List the grid; the embeddings are left out where `data` has no file of them."""
    return grid.configurations(preset, data.get(files.NAME))


def run(configuration: dict) -> dict:
    """Compute one record."""
    return PARTS[configuration["part"]](configuration)
