r"""Selections for smooth functions: which block is updated next.

A selection has two faces. With fixed blocks it scores each block and answers with the best; with
variable blocks it scores each variable and answers with the :math:`\tau` best. G is the gradient.

======== =================================================== =====================================
rule     fixed blocks: largest                               variable blocks: largest :math:`\tau`
======== =================================================== =====================================
gs       :math:`\|G_b\|`                                     :math:`|G_i|`
gsl      :math:`\|G_b\|^2 / L_b`                             --
gsd      :math:`\sum_{i \in b} G_i^2 / L_i`                  :math:`|G_i| / \sqrt{L_i}`
gsd-h    --                                                  :math:`|G_i|/\sqrt{\sum_j|H_{ij}|}`
gsq      :math:`G_b^\top H_b^{-1} G_b`                       --
iht      --                                                  support of a sparse minimiser of
                                                             :math:`G^\top d + d^\top H d / 2`
======== =================================================== =====================================

Ties go to the lowest index. ``score_norm="l1"`` replaces the sums of squares of fixed blocks by
sums of absolute values, :math:`\sum |G_i|`, :math:`\sum |G_i| / \sqrt{L_b}` and
:math:`\sum |G_i| / \sqrt{L_i}`: so do the programs of the paper.

References
----------
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

import numpy as np

__all__ = [
    "Blocks",
    "CyclicBlocks",
    "FixedGreedy",
    "Forest",
    "HardThresholding",
    "Permutation",
    "RandomBlocks",
    "RandomCoordinates",
    "Replay",
    "TopScores",
    "top",
]

_GREEDY_PATIENCE = 3
_RANDOM_SWEEPS = 10
_THRESHOLDING_STEPS = 10
_STILL = 1e-10


class Blocks:
    """Fixed blocks, laid end to end so that their sums are one call.

    Parameters
    ----------
    problem : Problem
        Gives the constants of the blocks.
    blocks : list of arrays
        The blocks.
    """

    def __init__(self, problem, blocks):
        self.problem = problem
        self.blocks = blocks
        self._order = np.concatenate(blocks)
        sizes = np.array([len(block) for block in blocks])
        self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._sizes = sizes
        self._roots = None

    def __len__(self):
        return len(self.blocks)

    def __getitem__(self, key):
        return self.blocks[key]

    def sums(self, values):
        """Sums of an array's entries over each block."""
        return np.add.reduceat(values[self._order], self._starts)

    def largest(self, values):
        """Largest entry of an array in each block."""
        return np.maximum.reduceat(values[self._order], self._starts)

    def lipschitz(self):
        """Constants ``L_b`` of all blocks."""
        problem = self.problem
        return np.array([problem.block_lipschitz(b, key) for key, b in enumerate(self.blocks)])

    def quadratic_scores(self, gradient):
        """``G_b' H_b^+ G_b`` of all blocks."""
        if self._roots is None:
            self._roots = self._stacked_roots()
        scores = np.empty(len(self.blocks))
        for keys, members, roots in self._roots:
            images = np.matmul(roots, gradient[members][:, :, None])
            scores[keys] = np.sum(images[:, :, 0] ** 2, axis=1)
        return scores

    def _stacked_roots(self):
        """Per block size: the blocks, their members, and the roots of their inverses."""
        stacks = []
        for size in np.unique(self._sizes):
            keys = np.flatnonzero(self._sizes == size)
            members = np.stack([self.blocks[key] for key in keys])
            roots = np.zeros((len(keys), size, size))
            for row, key in enumerate(keys):
                root = self.problem.bound_factor(self.blocks[key], int(key)).root
                roots[row, : len(root)] = root
            stacks.append((keys, members, roots))
        return stacks


class Selection:
    """Base of selections.

    Attributes
    ----------
    needs_gradient : bool
        Whether :meth:`choose` asks for the whole gradient.
    """

    needs_gradient = False

    def choose(self, descent):
        """The next block and its key: its number among the fixed blocks, or None."""
        raise NotImplementedError

    def patience(self, descent):
        """Updates in a row that may move nothing before the point counts as final."""
        return _GREEDY_PATIENCE


class Replay(Selection):
    """The blocks of a list, in its order, and then no more."""

    def __init__(self, sequence):
        self.sequence = iter(sequence)

    def choose(self, descent):
        return next(self.sequence, None), None

    def patience(self, descent):
        return np.inf


class CyclicBlocks(Selection):
    """Fixed blocks in turn."""

    def __init__(self, blocks):
        self.blocks = blocks

    def choose(self, descent):
        key = descent.index % len(self.blocks)
        return self.blocks[key], key

    def patience(self, descent):
        return len(self.blocks) + 1


class RandomBlocks(Selection):
    """Fixed blocks at random: uniformly, or in proportion to their constants."""

    def __init__(self, blocks, weights=None):
        self.blocks = blocks
        self.chances = None if weights is None else _chances(weights)

    def choose(self, descent):
        key = int(descent.rng.choice(len(self.blocks), p=self.chances))
        return self.blocks[key], key

    def patience(self, descent):
        return _RANDOM_SWEEPS * len(self.blocks)


class RandomCoordinates(Selection):
    """Variables without replacement: uniformly, or in proportion to their constants."""

    def __init__(self, weights=None):
        self.chances = None if weights is None else _chances(weights)

    def choose(self, descent):
        n_variables = descent.problem.n_variables
        size = min(descent.block_size(), n_variables)
        if self.chances is not None:
            size = min(size, np.count_nonzero(self.chances))
        chosen = descent.rng.choice(n_variables, size, replace=False, p=self.chances)
        return np.sort(chosen), None

    def patience(self, descent):
        return _RANDOM_SWEEPS * descent.sweep()


class Permutation(Selection):
    """Runs of a random permutation of the variables, drawn anew when it is used up."""

    def __init__(self):
        self.order = np.empty(0, dtype=np.int64)

    def choose(self, descent):
        if not len(self.order):
            self.order = descent.rng.permutation(descent.problem.n_variables)
        size = descent.block_size()
        block, self.order = self.order[:size], self.order[size:]
        return block, None

    def patience(self, descent):
        return 2 * descent.sweep() + 1


class FixedGreedy(Selection):
    """The fixed block of the largest score.

    Parameters
    ----------
    blocks : Blocks
        The blocks.
    score : callable
        ``score(descent)`` gives one number per block.
    """

    needs_gradient = True

    def __init__(self, blocks, score):
        self.blocks = blocks
        self.score = score

    def choose(self, descent):
        key = int(np.argmax(self.score(descent)))
        return self.blocks[key], key


class TopScores(Selection):
    """The variables of the largest scores.

    Parameters
    ----------
    score : callable
        ``score(descent)`` gives one number per variable.
    """

    needs_gradient = True

    def __init__(self, score):
        self.score = score

    def choose(self, descent):
        return top(self.score(descent), descent.block_size()), None


class HardThresholding(Selection):
    r"""The support of a sparse minimiser of the quadratic bound, by iterative hard thresholding.

    Ten times :math:`d \leftarrow \mathrm{keep}_\tau(d - (G + H d) / \lambda_{\max}(H))`.

    Parameters
    ----------
    init : {"descent", "code"}
        Start at :math:`-G / L` and at :math:`-G / \sqrt L`, and take the one of the two supports
        and the block of gsd that promises most; or, as the programs of the paper do, start at
        :math:`+G / \sqrt L` and take what comes.
    """

    needs_gradient = True

    def __init__(self, init):
        self.init = init

    def choose(self, descent):
        problem = descent.problem
        G = descent.gradient()
        size = descent.block_size()
        roots = np.sqrt(problem.divisors)
        if self.init == "code":
            return self._support(problem, G, G / roots, size), None
        starts = (-G / problem.divisors, -G / roots)
        candidates = [self._support(problem, G, start, size) for start in starts]
        candidates.append(top(np.abs(G) / roots, size))
        return max(candidates, key=lambda block: _promise(problem, G, block)), None

    @staticmethod
    def _support(problem, G, d, size):
        for _ in range(_THRESHOLDING_STEPS):
            before = d
            d = d - (G + problem.datafit.bound_product(d)) / problem.bound_norm
            kept = top(np.abs(d), size)
            d = _only(d, kept)
            if np.linalg.norm(d - before) < _STILL:
                break
        return kept


class Forest(Selection):
    """A forest of the graph, gathered greedily by score; at random where there is none.

    Parameters
    ----------
    score : callable or None
        ``score(descent)`` gives one number per variable; None draws an order.
    """

    def __init__(self, score=None):
        self.score = score
        self.needs_gradient = score is not None

    def choose(self, descent):
        from ._forests import greedy_forest

        if self.score is None:
            order = descent.rng.permutation(descent.problem.n_variables)
        else:
            order = np.argsort(-self.score(descent), kind="stable")
        return greedy_forest(descent.problem.graph, order), None

    def patience(self, descent):
        return _GREEDY_PATIENCE if self.score else _RANDOM_SWEEPS


def top(scores, count):
    """Indices of the largest scores, ascending; of equal scores the lowest indices."""
    if count >= len(scores):
        return np.arange(len(scores))
    threshold = np.partition(scores, -count)[-count]
    above = np.flatnonzero(scores > threshold)
    equal = np.flatnonzero(scores == threshold)
    return np.sort(np.concatenate([above, equal[: count - len(above)]]))


def _only(d, kept):
    sparse = np.zeros_like(d)
    sparse[kept] = d[kept]
    return sparse


def _promise(problem, gradient, block):
    """Twice the decrease of the quadratic bound that a block can bring."""
    return float(np.sum((problem.bound_factor(block).root @ gradient[block]) ** 2))


def _chances(weights):
    total = np.sum(weights)
    return weights / total if total > 0 else None
