"""Claims about the order of methods, checked in the same words on our runs and on the figures.

The column "paper" is what the check finds on the curves of the paper's figures: where a claim
fails there too, that is shown.
"""

from collections.abc import Callable

from experiments._harness import Claim, Outcome

from . import paper
from .runs import Key, Runs, on_runs, panels, tally

DENSE = ("A", "B", "C")
_PLAIN = {"sort": ("cyclic", "random", "lipschitz"), "variable": ("perm", "random", "lipschitz")}
_GREEDY = {"sort": ("gs", "gsl"), "variable": ("gs", "gsd-h")}
_DECADE = 10.0


def _first_order(runs):
    """Pairs (greedy runs, other runs) of each gradient panel and kind of blocks."""
    for panel in panels(runs, update="gradient"):
        for partition in _PLAIN:
            greedy = [panel[partition, r] for r in _GREEDY[partition] if (partition, r) in panel]
            plain = [panel[partition, r] for r in _PLAIN[partition] if (partition, r) in panel]
            if greedy and plain:
                yield greedy, plain


def _best(runs):
    return min(runs, key=lambda run: run.order)


def _greedy_best(runs: Runs) -> Outcome:
    return tally(_best(greedy).beats(_best(plain)) for greedy, plain in _first_order(runs))


def _greedy_each(runs: Runs) -> Outcome:
    pairs = (
        one.beats(other)
        for greedy, plain in _first_order(runs)
        for one in greedy
        for other in plain
    )
    return tally(pairs, "pairs")


def _compare(runs, better, worse, **wanted):
    """Whether one rule beats another, in each panel that has both."""
    for panel in panels(runs, **wanted):
        if better in panel and worse in panel:
            yield panel[better].beats(panel[worse])


def _variable_beats_fixed(runs: Runs) -> Outcome:
    pairs = [(("variable", "gsd"), ("sort", "gsd")), (("variable", "iht"), ("sort", "gsq"))]
    return tally(
        held for pair in pairs for held in _compare(runs, *pair, data=DENSE, update="bound")
    )


def _curvature_beats_gs(runs: Runs) -> Outcome:
    gs = ("variable", "gs")
    found = tally(
        held
        for rule in ("gsd", "iht")
        for held in _compare(runs, ("variable", rule), gs, data=DENSE, update="bound")
    )
    if found.holds is None:
        return found
    ratios = [
        panel[gs].gap / panel["variable", "gsd"].gap
        for panel in panels(runs, data="A", update="bound", block_size=5)
        if gs in panel and ("variable", "gsd") in panel
    ]
    text = f"; A, size 5: gap of GS {ratios[0]:.2g} times that of GSD" if ratios else ""
    return Outcome(f"{found.measured}{text}", found.holds)


def _gsl_beats_gs(runs: Runs) -> Outcome:
    gsl, gs = ("sort", "gsl"), ("sort", "gs")
    return tally(_compare(runs, gsl, gs, data=DENSE, update="gradient"))


def _gsl_ties_on_lattice(runs: Runs) -> Outcome:
    ratios = [
        panel["sort", "gsl"].gap / panel["sort", "gs"].gap
        for panel in panels(runs, data="D", update="gradient")
        if ("sort", "gsl") in panel and ("sort", "gs") in panel
    ]
    if not ratios:
        return Outcome("no such panels", None)
    text = f"ratio of gaps {', '.join(f'{one:.3f}' for one in ratios)}"
    return Outcome(text, all(0.95 <= one <= 1.05 for one in ratios))


def _partitions(runs: Runs) -> Outcome:
    held, texts = [], []
    for panel in panels(runs, data="A", update="gradient"):
        three = [panel.get((name, "gsl")) for name in ("sort", "average", "order")]
        if None not in three:
            held.append(three[0].beats(three[1]) and three[1].beats(three[2]))
            texts.append(" < ".join(str(run) for run in three))
    found = tally(held)
    return Outcome("; ".join([found.measured, *texts]), found.holds)


def _forest_order(data: str, names: list[tuple[str, str]]) -> Callable[[Runs], Outcome]:
    def check(runs: Runs) -> Outcome:
        found = panels(runs, data=data, update="exact")
        if not found or any(name not in found[0] for name in names):
            return Outcome(f"no runs of forests on {data}", None)
        run = [found[0][name] for name in names]
        held = all(one.beats(other) for one, other in zip(run, run[1:], strict=False))
        return Outcome(" < ".join(str(one) for one in run), held)

    return check


def _larger_blocks(runs: Runs) -> Outcome:
    """Each greedy variable rule, at neighbouring block sizes."""
    sizes = {}
    for key, run in runs.items():
        greedy = key.selection in ("gs", "gsd", "gsd-h", "iht")
        if key.partition == "variable" and greedy and key.update in ("gradient", "bound", "newton"):
            group = (key.data, key.size, key.update, key.selection)
            sizes.setdefault(group, []).append((key.block_size, run))
    pairs = []
    for one in sizes.values():
        ordered = [run for _, run in sorted(one, key=lambda pair: pair[0])]
        pairs += [not a.beats(b) for a, b in zip(ordered, ordered[1:], strict=False)]
    return tally(pairs, "pairs of sizes")


def _lattice_thresholding(runs: Runs) -> Outcome:
    key = Key("D", "paper", 100, "bound", "variable", "iht")
    others = [key._replace(selection=rule) for rule in ("gs", "gsd")]
    if any(one not in runs for one in (key, *others)):
        return Outcome("D with blocks of 100 is not in the results", None)
    ratio = min(runs[one].gap for one in others) / runs[key].gap
    return Outcome(f"gap of GS and GSD {ratio:.3g} times that of GSQ", ratio >= _DECADE)


def _adaptive(runs: Runs) -> Outcome:
    held, texts = [], []
    for key, run in runs.items():
        chosen = (key.data in ("B", "C"), key.update == "adaptive", key.selection == "gsl")
        fixed = runs.get(key._replace(update="gradient"))
        if all(chosen) and fixed is not None and key.block_size >= 20:
            held.append(run.beats(fixed))
            texts.append(f"{key.data}, {key.block_size}: {run} and {fixed}")
    found = tally(held)
    return Outcome("; ".join([found.measured, *texts]), found.holds)


def _newton(runs: Runs) -> Outcome:
    held, ratios = [], []
    for key, run in runs.items():
        bound = runs.get(key._replace(update="bound"))
        if key.update == "newton" and bound is not None:
            held.append(run.beats(bound))
            ratios.append(bound.gap / max(run.gap, 1e-8))
    found = tally(held, "pairs")
    text = f"; gaps {min(ratios):.2g} to {max(ratios):.2g} times smaller" if ratios else ""
    return Outcome(f"{found.measured}{text}", found.holds)


def _claim(id_: str, sentence: str, check: Callable[[Runs], Outcome]) -> Claim:
    """Name a claim whose paper's number is the same check on the paper's curves."""
    return Claim(id_, sentence, check(paper.curves()).measured, on_runs(check))


_GREEDY_TREE = ("variable", "tree-gs")
_RANDOM_TREE = ("variable", "tree-random")
_GENERAL = ("variable", "gs")
_RED_BLACK = ("lattice red-black", "cyclic")
_COMBS = ("lattice combs", "cyclic")

ORDERS = [
    _claim(
        "c1-best",
        "Gradient steps: the best greedy rule beats every rule that is not greedy, at equal block "
        "size, with fixed and with variable blocks.",
        _greedy_best,
    ),
    _claim(
        "c1-each",
        "Each greedy rule (GS, GSL) beats each that is not greedy: in how many pairs.",
        _greedy_each,
    ),
    _claim(
        "c2-variable",
        "Matrix steps on A, B, C: GSD and GSQ with variable blocks beat the same with fixed ones.",
        _variable_beats_fixed,
    ),
    _claim(
        "c3-curvature",
        "Matrix steps on A, B, C, variable blocks: GSD and GSQ beat GS.",
        _curvature_beats_gs,
    ),
    _claim("c4-dense", "Gradient steps on A, B, C, fixed blocks: GSL beats GS.", _gsl_beats_gs),
    _claim(
        "c4-lattice",
        "On D, where all constants are nearly equal, they tie (gaps within 5 %).",
        _gsl_ties_on_lattice,
    ),
    _claim(
        "c5-partition",
        "GSL with gradient steps on A: sort beats average beats order.",
        _partitions,
    ),
    _claim(
        "c6-lattice",
        "Exact forests on D: greedy tree < lattice combs < random tree < red-black < dense blocks "
        "of equal cost.",
        _forest_order("D", [_GREEDY_TREE, _COMBS, _RANDOM_TREE, _RED_BLACK, _GENERAL]),
    ),
    _claim(
        "c6-moons",
        "On E: greedy tree < tree partition (visited by constants) < the same by index < "
        "random tree < red-black < dense blocks.",
        _forest_order(
            "E",
            [
                _GREEDY_TREE,
                ("forests lipschitz", "cyclic"),
                ("forests order", "cyclic"),
                _RANDOM_TREE,
                ("colours lipschitz", "cyclic"),
                _GENERAL,
            ],
        ),
    ),
    _claim(
        "c7-size",
        "Greedy variable blocks: a larger block is never worse per iteration.",
        _larger_blocks,
    ),
    _claim(
        "c9-lattice",
        "Matrix steps on D, blocks of 100: GSQ, which sees what is off the diagonal, beats GS and "
        "GSD by an order of magnitude at least.",
        _lattice_thresholding,
    ),
    _claim(
        "adaptive",
        "Order partition, GSL, blocks of 20 and more, B and C: estimated constants beat the bound "
        "(gaps).",
        _adaptive,
    ),
    _claim(
        "newton",
        "B and C: Newton with line search beats the constant bound, rule by rule.",
        _newton,
    ),
]
