"""Which partition, selection and update go together; what "auto" stands for; who builds them."""

from dataclasses import dataclass

import numpy as np

from ._composite_updates import ProxGradientUpdate, ProxNewtonUpdate, TwoMetricUpdate
from ._partitions import PARTITIONS, make_blocks
from ._problem import has
from ._scores import block_score, coordinate_score
from ._selections import (
    Blocks,
    CyclicBlocks,
    FixedGreedy,
    Forest,
    HardThresholding,
    Permutation,
    RandomBlocks,
    RandomCoordinates,
    Replay,
    TopScores,
)
from ._updates import (
    AdaptiveUpdate,
    BoundUpdate,
    CubicUpdate,
    ExactUpdate,
    GradientUpdate,
    NewtonUpdate,
)

__all__ = ["Rules", "resolve"]


@dataclass(frozen=True)
class _Selection:
    """What a selection needs: kind of blocks, kind of problem, methods of the datafit."""

    blocks: str = "any"  # "fixed", "variable" or "any"
    problem: str = "any"  # "smooth", "penalised" or "any"
    needs: tuple = ()
    graph: bool = False
    instead: str = ""


_SELECTIONS = {
    "cyclic": _Selection(),
    "random": _Selection(),
    "perm": _Selection("variable", instead="use 'cyclic' or 'random'"),
    "lipschitz": _Selection(),
    "gs": _Selection(problem="smooth", instead="use 'gs-q', 'gs-r' or 'gs-s'"),
    "gsl": _Selection("fixed", "smooth", instead="use 'gsd', or 'gsd-h'"),
    "gsd": _Selection(problem="smooth", needs=("lipschitz",), instead="use 'gs-q'"),
    "gsd-h": _Selection("variable", "smooth", ("bound_row_sums",), instead="use 'gsd'"),
    "gsq": _Selection("fixed", "smooth", ("hessian_bound",), instead="use 'iht' or 'gsd'"),
    "iht": _Selection(
        "variable",
        "smooth",
        ("lipschitz", "bound_product", "bound_norm", "hessian_bound"),
        instead="use 'gsq'",
    ),
    "gs-q": _Selection(problem="penalised", needs=("lipschitz",), instead="use 'gsd'"),
    "gs-r": _Selection(problem="penalised", needs=("lipschitz",), instead="use 'gsd'"),
    "gs-s": _Selection(problem="penalised", instead="use 'gs'"),
    "tree-gs": _Selection("variable", "smooth", graph=True),
    "tree-gsl": _Selection("variable", "smooth", ("lipschitz",), True),
    "tree-gsd": _Selection("variable", "smooth", ("bound_row_sums",), True),
    "tree-random": _Selection("variable", "smooth", graph=True),
}

# Update: kind of problem, methods of the datafit, and what to use instead.
_UPDATES = {
    "gradient": ("smooth", ("block_lipschitz",), "prox-gradient", GradientUpdate),
    "bound": ("smooth", ("hessian_bound",), "prox-newton", BoundUpdate),
    "adaptive": ("smooth", (), "prox-gradient", AdaptiveUpdate),
    "newton": ("smooth", ("hessian_block",), "prox-newton", NewtonUpdate),
    "cubic": ("smooth", ("hessian_block", "third_order"), "prox-newton", CubicUpdate),
    "exact": ("smooth", ("hessian_bound",), "prox-newton", ExactUpdate),
    "prox-gradient": ("penalised", ("block_lipschitz",), "gradient", ProxGradientUpdate),
    "prox-newton": ("penalised", (), "newton", ProxNewtonUpdate),
    "two-metric": ("penalised", ("lipschitz", "block_lipschitz"), "newton", TwoMetricUpdate),
}

_DEFAULT_SIZE = 10
_WHOLE = 2000
_PART = 256


@dataclass(frozen=True)
class Rules:
    """What `resolve` has decided.

    Attributes
    ----------
    selection : Selection
        Chooses blocks.
    update : Update
        Changes them.
    block_size : int or None
        Number of variables in a variable block; None lets it follow the support.
    n_blocks : int or None
        Number of fixed blocks; None without them.
    names : tuple of str
        Partition, selection and update in words.
    """

    selection: object
    update: object
    block_size: int | None
    n_blocks: int | None
    names: tuple


def resolve(problem, partition, selection, update, block_size, rng, options):
    """Check a combination of rules and build them.

    Parameters
    ----------
    problem : Problem
        What is minimised.
    partition, selection, update, block_size
        As in :func:`skkd.solvers.minimize_bcd`.
    rng : numpy.random.Generator
        For the partition "random".
    options : dict
        `score_norm`, `iht_init` and `adaptive_shrink`.

    Returns
    -------
    rules : Rules
        What to iterate with.
    """
    _check_options(options)
    _check_name("partition", partition, PARTITIONS)
    fixed = not (isinstance(partition, str) and partition == "variable")
    size = _block_size(problem, block_size, fixed)
    if isinstance(selection, str):
        selection = _automatic_selection(problem, selection, fixed)
        _check_selection(problem, selection, fixed)
    update = _automatic_update(problem, update, partition, selection)
    _check_update(problem, update, selection)
    _check_graph(problem, partition)
    blocks = make_blocks(partition, problem, size or _DEFAULT_SIZE, rng)
    _check_blocks(problem, blocks, selection)
    updater = _make_update(problem, update, options)
    grouped = None if blocks is None else Blocks(problem, blocks)
    selector = _make_selection(problem, selection, grouped, updater, options)
    names = tuple(
        rule if isinstance(rule, str) else "given" for rule in (partition, selection, update)
    )
    return Rules(selector, updater, size, None if blocks is None else len(blocks), names)


def _check_options(options):
    for name, allowed in (("score_norm", ("l2", "l1")), ("iht_init", ("descent", "code"))):
        if options[name] not in allowed:
            raise ValueError(f"{name} must be one of {allowed}, got {options[name]!r}")
    shrink = options["adaptive_shrink"]
    if not 0 < shrink <= 1:
        raise ValueError(
            f"adaptive_shrink must lie in (0, 1], got {shrink}: 1 never lets an estimate fall, "
            "0.9 is a good choice below it"
        )


def _check_name(role, name, allowed):
    if isinstance(name, str) and name not in allowed:
        raise ValueError(f"{role} must be one of {sorted(allowed)}, got {name!r}")


def _block_size(problem, block_size, fixed):
    """The size of blocks as a number; None where it follows the support."""
    if isinstance(block_size, str):
        if block_size != "auto":
            raise ValueError(f"block_size must be a positive integer or 'auto', got {block_size!r}")
        if fixed:
            return min(_DEFAULT_SIZE, problem.n_variables)
        if problem.penalty is not None:
            return None
        return problem.n_variables if problem.n_variables <= _WHOLE else _PART
    if not isinstance(block_size, (int, np.integer)) or block_size < 1:
        raise ValueError(f"block_size must be a positive integer or 'auto', got {block_size!r}")
    return min(int(block_size), problem.n_variables)


def _automatic_selection(problem, selection, fixed):
    if selection != "auto":
        return selection
    greedy = "gsd" if problem.penalty is None else "gs-q"
    if problem.offers("lipschitz"):
        return greedy
    if problem.penalty is None:
        return "gs"
    return "gs-s"


def _automatic_update(problem, update, partition, selection):
    if not isinstance(update, str) or update != "auto":
        return update
    if problem.penalty is not None:
        curved = problem.offers("hessian_block") or problem.offers("hessian_bound")
        return "prox-newton" if curved else "prox-gradient"
    if problem.quadratic and problem.offers("hessian_bound"):
        forests = isinstance(selection, str) and selection.startswith("tree-")
        on_graph = isinstance(partition, str) and partition in ("red-black", "tree")
        return "exact" if forests or on_graph else "bound"
    for candidate in ("newton", "bound", "gradient"):
        if all(problem.offers(method) for method in _UPDATES[candidate][1]):
            return candidate
    return "adaptive"


def _check_selection(problem, name, fixed):
    _check_name("selection", name, [*_SELECTIONS, "auto"])
    rule = _SELECTIONS[name]
    remedy = f"; {rule.instead}" if rule.instead else ""
    kind = "fixed" if fixed else "variable"
    if rule.blocks not in ("any", kind):
        reason = {
            "gsl": "the best of all blocks of a size cannot be found without trying them",
            "gsq": "the best of all blocks of a size cannot be found without trying them",
        }.get(name, "it is a rule for blocks that change")
        if fixed and name.startswith("tree-"):
            remedy = "; use partition='variable', or a rule such as 'cyclic'"
        raise ValueError(
            f"selection {name!r} needs {rule.blocks} blocks, but they are {kind}: {reason}{remedy}"
        )
    _check_kind(problem, "selection", name, rule.problem, remedy)
    _check_methods(problem, "selection", name, rule.needs)
    if name == "lipschitz":
        _check_methods(problem, "selection", name, ("block_lipschitz" if fixed else "lipschitz",))
    if rule.graph and getattr(problem.datafit, "graph", None) is None:
        raise ValueError(
            f"selection {name!r} needs a datafit with a graph, and {_name(problem.datafit)} has "
            "none: use GraphQuadratic, or selection='gsd'"
        )


def _check_update(problem, name, selection):
    if not isinstance(name, str):
        raise ValueError(f"update must be the name of a rule, got {name!r}")
    _check_name("update", name, [*_UPDATES, "auto"])
    kind, methods, instead, _ = _UPDATES[name]
    _check_kind(problem, "update", name, kind, f"; use {instead!r}")
    _check_methods(problem, "update", name, methods)
    if name == "exact" and not problem.quadratic:
        raise ValueError(
            f"update 'exact' needs a quadratic, and {_name(problem.datafit)} is none: use 'newton'"
        )
    if isinstance(selection, str) and selection.startswith("tree-") and name != "exact":
        raise ValueError(
            f"selection {selection!r} makes blocks that only update 'exact' handles in linear "
            f"time, got update {name!r}: use 'exact'"
        )
    if name in ("prox-newton", "two-metric"):
        curved = problem.offers("hessian_block") or problem.offers("hessian_bound")
        if not curved:
            _check_methods(problem, "update", name, ("hessian_block",))
    if name == "two-metric" and not has(problem.penalty, "pieces"):
        raise ValueError(
            f"update 'two-metric' needs a penalty made of absolute values, squares and bounds, and "
            f"{_name(problem.penalty)} is none (it has no method pieces): use 'prox-newton'"
        )
    if selection == "gsl" and name != "adaptive":
        _check_methods(problem, "selection", "gsl", ("block_lipschitz",))


def _check_kind(problem, role, name, kind, remedy):
    if kind == "smooth" and problem.penalty is not None:
        raise ValueError(
            f"{role} {name!r} is for smooth functions, but there is a penalty "
            f"({_name(problem.penalty)}), which it would not see{remedy}"
        )
    if kind == "penalised" and problem.penalty is None:
        raise ValueError(f"{role} {name!r} needs a penalty, and there is none{remedy}")


def _check_methods(problem, role, name, methods):
    missing = [method for method in methods if not problem.offers(method)]
    if missing:
        raise ValueError(
            f"{role} {name!r} needs {', '.join(missing)} of the datafit, which "
            f"{_name(problem.datafit)} does not define: define it, or choose another {role}"
        )


def _check_graph(problem, partition):
    on_graph = isinstance(partition, str) and partition in ("red-black", "tree")
    if on_graph and getattr(problem.datafit, "graph", None) is None:
        raise ValueError(
            f"partition {partition!r} needs a datafit with a graph, and {_name(problem.datafit)} "
            "has none: use GraphQuadratic, or partition='sort'"
        )


def _check_blocks(problem, blocks, selection):
    """Fixed blocks must reach every variable, and must not cut a group."""
    if blocks is not None:
        reached = np.zeros(problem.n_variables, dtype=bool)
        reached[np.concatenate(blocks)] = True
        if not np.all(reached):
            raise ValueError(
                f"{np.count_nonzero(~reached)} of {problem.n_variables} variables are in no block "
                f"and would never move, the first is {int(np.argmin(reached))}: put each in one"
            )
    if problem.penalty is None or problem.penalty.is_separable:
        return
    if blocks is None and isinstance(selection, str):
        raise ValueError(
            f"{_name(problem.penalty)} couples variables, so blocks cannot be any variables: use "
            "fixed blocks that are groups or unions of groups, such as partition=penalty.groups"
        )
    labels = getattr(problem.penalty, "labels", None)
    chosen = selection if blocks is None else blocks
    if labels is not None and any(_cuts_a_group(labels, block) for block in chosen):
        raise ValueError(
            "a block holds only a part of a group: use blocks that are groups or unions of groups, "
            "such as partition=penalty.groups"
        )


def _cuts_a_group(labels, block):
    touched = np.unique(labels[block])
    return np.count_nonzero(np.isin(labels, touched)) != len(block)


def _make_update(problem, name, options):
    if name == "adaptive":
        return AdaptiveUpdate(problem, options["adaptive_shrink"])
    return _UPDATES[name][3](problem)


def _make_selection(problem, selection, blocks, update, options):
    if not isinstance(selection, str):
        return Replay(selection)
    if blocks is None:
        return _variable_selection(problem, selection, options)
    if selection == "cyclic":
        return CyclicBlocks(blocks)
    if selection == "random":
        return RandomBlocks(blocks)
    if selection == "lipschitz":
        return RandomBlocks(blocks, blocks.lipschitz())
    constants = None
    if isinstance(update, AdaptiveUpdate):  # the estimates are what is known of the constants

        def constants():
            return blocks.largest(update.estimates)

    separable = problem.penalty is None or problem.penalty.is_separable
    score = block_score(
        selection, blocks, options["score_norm"], separable=separable, constants=constants
    )
    return FixedGreedy(blocks, score)


def _variable_selection(problem, selection, options):
    if selection in ("cyclic", "perm"):
        return Permutation()
    if selection == "random":
        return RandomCoordinates()
    if selection == "lipschitz":
        return RandomCoordinates(problem.lipschitz)
    if selection == "iht":
        return HardThresholding(options["iht_init"])
    if selection.startswith("tree-"):
        return Forest(None if selection == "tree-random" else coordinate_score(selection))
    return TopScores(coordinate_score(selection))


def _name(part):
    return type(part).__name__
