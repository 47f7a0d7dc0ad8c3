"""Which configurations are run: the declarative part of the study.

A configuration names its problem (data set and size) and its three rules. One that two figures
show is run once. ``score_norm="l1"`` and ``iht_init="code"`` mark the replicas: the rules as the
authors' code has them, which the digitised curves come from; they are run where the paper's data
can be drawn exactly, and nowhere else.
"""

from dataclasses import dataclass, field

FIXED, VARIABLE = "sort", "variable"  # the figures' FB and VB
_EXACT = ("B", "C", "D")
_SUMMED = ("gs", "gsl", "gsd")  # rules of fixed blocks for which the norm matters

# The rules of each figure: (partition, selection).
FIRST_ORDER = [
    *[(FIXED, rule) for rule in ("cyclic", "random", "lipschitz", "gs", "gsl")],
    *[(VARIABLE, rule) for rule in ("perm", "random", "lipschitz", "gs", "gsd-h")],
]
MATRIX = [
    *[(FIXED, rule) for rule in ("gsq", "gs", "gsl", "gsd")],
    *[(VARIABLE, rule) for rule in ("gs", "gsd", "iht")],
]
ORDER = [("order", rule) for rule in ("gs", "gsl", "lipschitz", "random", "cyclic")]
PARTITIONS = [
    (partition, rule) for partition in ("sort", "order", "average") for rule in ("gs", "gsd", "gsl")
]
PENALISED = [
    (partition, update)
    for partition in (FIXED, VARIABLE)
    for update in ("prox-gradient", "prox-newton", "two-metric")
]
FORESTS = {
    "D": [("lattice red-black", "cyclic"), ("lattice combs", "cyclic")],
    "E": [
        ("colours lipschitz", "cyclic"),
        ("colours order", "cyclic"),
        ("forests lipschitz", "cyclic"),
        ("forests order", "cyclic"),
    ],
}
TREES = ("tree-gs", "tree-gsl", "tree-gsd", "tree-random")


@dataclass(frozen=True)
class _Preset:
    """What differs between the presets: panels are (data set, size, block sizes)."""

    gradient: list[tuple]
    bound: list[tuple]
    newton: list[tuple]
    adaptive: list[tuple]
    partitions: list[tuple]
    forests: list[tuple]
    penalised: list[tuple]
    replicas: list[tuple] = field(default_factory=list)  # runs of their own, beside the panels
    seeds: int = 1
    max_iter: int = 500


_ALL = ("A", "B", "C", "D", "E")
_WIDE = [(name, "paper", (5, 50, 100)) for name in _ALL]
_NARROW = [(name, "paper", (5, 20, 50)) for name in _ALL]

_PRESETS = {
    "quick": _Preset(
        gradient=[
            ("A", "small", (5, 20)),
            ("B", "paper", (5, 50)),
            ("C", "small", (5,)),
            ("D", "paper", (5,)),
            ("E", "paper", (5, 50)),
        ],
        bound=[
            ("A", "small", (5, 20)),
            ("B", "small", (5, 20)),
            ("C", "small", (5,)),
            ("D", "paper", (5, 100)),
            ("E", "paper", (5,)),
        ],
        newton=[("B", "small", (5, 20)), ("C", "small", (20,))],
        adaptive=[("A", "small", (5,)), ("B", "small", (5, 20)), ("C", "small", (20,))],
        partitions=[("A", "small", (5, 20)), ("D", "paper", (5,))],
        forests=[("D", "paper"), ("E", "paper")],
        penalised=[("A_l1", "paper", (5, 50))],
        replicas=[
            ("B", "paper", "gradient", 5, (VARIABLE, "gsd"), 500),
            ("B", "paper", "bound", 50, (FIXED, "gsd"), 500),
            ("B", "paper", "bound", 50, (VARIABLE, "gsd"), 500),
            ("B", "paper", "newton", 50, (FIXED, "gsd"), 500),
            ("B", "paper", "newton", 50, (VARIABLE, "gsd"), 500),
            ("C", "paper", "gradient", 5, (VARIABLE, "gs"), 100),
            ("C", "paper", "gradient", 5, (FIXED, "gs"), 100),
            ("C", "paper", "bound", 5, (VARIABLE, "gsd"), 100),
            ("C", "paper", "newton", 5, (VARIABLE, "gsd"), 100),
        ],
    ),
    "paper": _Preset(
        gradient=_WIDE,
        bound=_WIDE,
        newton=[(name, "paper", (5, 50, 100)) for name in ("B", "C")],
        adaptive=_NARROW,
        partitions=_NARROW,
        forests=[("D", "paper"), ("E", "paper")],
        penalised=[("A_l1", "paper", (5, 50, 100))],
        replicas=[
            ("B", "paper", "gradient", 5, (VARIABLE, "gsd"), 500),
            ("C", "paper", "bound", 5, (VARIABLE, "gsd"), 500),
        ],
        seeds=3,
    ),
}


def configurations(preset: str) -> list[dict]:
    """List all configurations of a preset, each once, grouped by problem."""
    size = _PRESETS[preset]
    listed = [
        *_smooth(size.gradient, "gradient", FIRST_ORDER, size),
        *_smooth(size.bound, "bound", MATRIX, size),
        # Figure 5 has one curve more than figure 11.
        *_smooth(_at(size.bound, ("A", "C", "E"), 5), "bound", [(VARIABLE, "gsd-h")], size),
        *_smooth(size.newton, "newton", MATRIX, size),
        *_smooth(size.adaptive, "gradient", ORDER, size),
        *_smooth(size.adaptive, "adaptive", ORDER, size),
        *_smooth(size.partitions, "gradient", PARTITIONS, size),
        *_replicas(size),
        *_forests(size),
        *_penalised(size),
        *_active(size),
    ]
    unique = {repr(sorted(one.items())): one for one in listed}
    return sorted(unique.values(), key=lambda one: (one["data"], one["size"]))


def _at(panels, names, block_size):
    return [(name, size, (block_size,)) for name, size, _ in panels if name in names]


def _smooth(panels, update, rules, preset):
    return [
        one
        for name, size, block_sizes in panels
        for block_size in block_sizes
        for rule in rules
        for one in _variants(name, size, update, block_size, rule, preset.max_iter)
    ]


def _variants(name, size, update, block_size, rule, max_iter, only_replica=False):
    """Our rule and, where its result can be compared with the paper's, the authors' form of it."""
    partition, selection = rule
    plain = {
        "part": "smooth",
        "data": name,
        "size": size,
        "update": update,
        "block_size": block_size,
        "partition": partition,
        "selection": selection,
        "max_iter": max_iter,
        **_seed(selection),
    }
    replica = dict(plain)
    if size == "paper" and name in _EXACT:
        if partition != VARIABLE and selection in _SUMMED:
            replica["score_norm"] = "l1"
        if selection == "iht":
            replica["iht_init"] = "code"
    if only_replica or replica == plain:
        return [replica]
    return [plain, replica]


def _seed(selection):
    return {"random_state": 0} if selection in ("random", "perm", "lipschitz") else {}


def _replicas(preset):
    return [
        one
        for name, size, update, block_size, rule, max_iter in preset.replicas
        for one in _variants(name, size, update, block_size, rule, max_iter, only_replica=True)
    ]


def _forests(preset):
    found = []
    for name, size in preset.forests:
        common = {"part": "forest", "data": name, "size": size, "update": "exact"}
        common["max_iter"] = preset.max_iter
        found += [{**common, "partition": p, "selection": s} for p, s in FORESTS[name]]
        found += [{**common, "partition": VARIABLE, "selection": tree} for tree in TREES[:-1]]
        found.append(
            {**common, "partition": VARIABLE, "selection": "tree-random", "random_state": 0}
        )
        found.append({**common, "partition": VARIABLE, "selection": "gs", "block_size": "N^(1/3)"})
    return found


def _penalised(preset):
    return [
        {
            "part": "penalised",
            "data": name,
            "size": size,
            "update": update,
            "block_size": block_size,
            "partition": partition,
            "selection": selection,
            "max_iter": preset.max_iter,
            **_seed(selection),
        }
        for name, size, block_sizes in preset.penalised
        for block_size in block_sizes
        for selection in ("gs-q", "random")
        for partition, update in PENALISED
    ]


def _active(preset):
    """Where the theory of the active set applies: strongly convex, fixed blocks, prox steps."""
    found = []
    for size in ("tall", "equal"):
        common = {"part": "active", "data": "A_l1", "size": size, "update": "prox-gradient"}
        common |= {"block_size": 5, "partition": FIXED, "max_iter": 20_000}
        found += [{**common, "selection": rule} for rule in ("cyclic", "gs-q")]
        found += [
            {**common, "selection": "random", "random_state": seed} for seed in range(preset.seeds)
        ]
    return found
