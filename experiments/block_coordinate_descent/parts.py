"""The parts of the study: from one configuration to one record."""

import numpy as np

from . import active, blocks, paths, sets


def smooth(configuration: dict) -> dict:
    """Gap after each iteration of one combination of rules."""
    return {**_facts(configuration), **paths.curve(_steps(configuration))}


def forest(configuration: dict) -> dict:
    """Gap after each exact update of forests, and how many unknowns the blocks hold."""
    size = {}
    if configuration.get("block_size") == "N^(1/3)":
        problem = sets.load(configuration["data"], configuration["size"])
        size = {"block_size": blocks.general_size(problem.data.n_variables)}
    lengths = []

    def watched():
        for step in _steps({**configuration, **size}):
            if step.iteration:
                lengths.append(len(step.iterate.block))
            yield step

    record = paths.curve(watched())
    return {**_facts(configuration), **record, "mean_block": float(np.mean(lengths))}


def penalised(configuration: dict) -> dict:
    """Gap after each iteration, and when the support became that of the optimum.

    ``identified`` is the first iteration with the optimum's support, ``settled`` the one from
    which on every iterate had it; None if there is none.
    """
    steps = _steps(configuration)
    support = sets.load(configuration["data"], configuration["size"]).x_star > 0
    watch = active.SupportWatch(support)
    record = paths.curve(watch(steps), every=True)
    return {**_facts(configuration), **record, "nonzero": int(support.sum()), **watch.record()}


def active_set(configuration: dict) -> dict:
    """Measured identification of the support beside what the theory bounds it by."""
    problem = sets.load(configuration["data"], configuration["size"])
    constants = active.constants(problem, configuration)
    watch = active.SupportWatch(problem.x_star > 0, problem.x_star, constants["radius"])
    record = paths.curve(watch(_steps(configuration)))
    return {**_facts(configuration), **record, **constants, **watch.record()}


def _steps(configuration):
    rules = paths.rules_of(configuration)
    return paths.follow(
        configuration["data"], configuration["size"], rules, configuration["max_iter"]
    )


def _facts(configuration):
    problem = sets.load(configuration["data"], configuration["size"])
    return {
        "n_variables": problem.data.n_variables,
        "exact": bool(problem.data.exact),
    }


PARTS = {"smooth": smooth, "forest": forest, "penalised": penalised, "active": active_set}
