r"""Dense NumPy rows, block by block, so that X is read once per evaluation.

Each block of rows gives its logits and, while it is still in cache, its share of the gradient.
Blocks are grouped into runs, the runs shared among threads and their results added in order: the
cut depends on the shape of X alone, and so results do not depend on the number of threads. BLAS
is held to one thread meanwhile, because waking threads costs more than a block of work.

A normalised gradient divides by a mass that is known only at the end of the pass. Each block
returns its own normalised gradient and the log of its mass, and blocks are merged as in a
streaming log-sum-exp; nothing overflows and nothing is read twice.

Floor: one read of X, ``X.nbytes`` over the memory bandwidth; n k exponentials; 4 n p k flops.
"""

import math

import numpy as np

from .._threads import blas_threads, run_in_threads, single_blas_thread
from ..losses import BinaryLogLoss, ExponentialLoss, MultinomialLogLoss, PerceptronLoss
from ..losses._compiled import SMALL
from ._rows import Evaluation, Rows

__all__ = ["BlockedRows", "CompiledMarginRows", "CompiledSoftmaxRows"]

# A block is read twice, so it should stay in cache between, and it should be long enough that the
# fixed cost of a dozen NumPy calls, under one lock, stays small. Measured from 2^17 to 2^22: the
# time falls until 2^21, where the third-level cache serves the second reading. Up to twice that
# if its logits are then enough for the compiled losses.
_BLOCK_BYTES = 2**21
# Runs: enough to keep a dozen threads busy, few enough that merging them costs nothing.
_RUNS = 16


class BlockedRows(Rows):
    """Any loss that is a sum over rows; the loss itself runs as NumPy code on each block."""

    def __init__(self, loss, X, target, weight, fit_intercept, n_logits=1):
        super().__init__(loss, X, target, weight, fit_intercept)
        self.n_threads = blas_threads()
        self.runs = _cut(X, n_logits)

    def logits(self, W):
        with single_blas_thread():
            Z = np.empty((W.shape[1], self.X.shape[0]), dtype=self.X.dtype)
            run_in_threads(lambda run: self._fill_logits(W, run, Z), self.runs, self.n_threads)
        return Z.T

    def evaluate(self, W, normalized):
        Z = np.empty((W.shape[1], self.X.shape[0]), dtype=self.X.dtype)

        def one_run(run):
            merged = _Merged()
            for block in run:
                z = self._block_logits(W, block)
                Z[:, block] = z.T
                target, weight = self._rows_of(block)
                R, log_mass = self.residual(z, target, weight, normalized)
                merged.add(self._block_pullback(R, block), log_mass)
                merged.count(*self.wrongness(z, target, weight))
            return merged

        merged = self._merge(one_run)
        log_mass = merged.log_mass if normalized else None
        errors, margin = merged.wrongness if self.tracks_errors else (None, None)
        return Evaluation(Z.T, merged.gradient(normalized, W.dtype), log_mass, errors, margin)

    def value_and_gradient(self, W):
        def one_run(run):
            merged = _Merged()
            for block in run:
                value, R = self.block_value_and_residual(self._block_logits(W, block), block)
                merged.add(self._block_pullback(R, block), None, value)
            return merged

        merged = self._merge(one_run)
        return merged.value, merged.gradient(False, W.dtype)

    def block_value_and_residual(self, Z, block):
        """Loss of a block and its gradient in the block's logits."""
        return self.loss.value_and_gradient(Z, *self._rows_of(block))

    def linearize(self, W):
        def prepare(run):
            return [
                (block, self.loss.linearize(self._block_logits(W, block), *self._rows_of(block)))
                for block in run
            ]

        with single_blas_thread():
            prepared = run_in_threads(prepare, self.runs, self.n_threads)

        def hessian_product(V):
            def one_run(run):
                merged = _Merged()
                for block, product in run:
                    R = product(self._block_logits(V, block))
                    merged.add(self._block_pullback(R, block), None)
                return merged

            return self._merge(one_run, prepared).gradient(False, W.dtype)

        return hessian_product

    def column_squares(self):
        def one_run(run):
            merged = _Merged()
            for block in run:
                weight = self._rows_of(block)[1]
                squares = self.X[block] ** 2
                uniform = isinstance(weight, float)
                merged.add(weight * squares.sum(axis=0) if uniform else weight @ squares, None)
            return merged

        return self._merge(one_run).gradient(False, self.X.dtype)

    def gram(self):
        p = self.X.shape[1]
        last = int(self.fit_intercept)

        def one_run(run):
            merged = _Merged()
            for block in run:
                rows, weight = self.X[block], self._rows_of(block)[1]
                uniform = isinstance(weight, float)
                scaled = weight * rows if uniform else weight[:, None] * rows
                M = np.empty((p + last, p + last))
                M[:p, :p] = rows.T @ scaled
                if last:
                    M[p, :p] = M[:p, p] = scaled.sum(axis=0)
                    M[p, p] = weight * len(rows) if uniform else weight.sum()
                merged.add(M, None)
            return merged

        return self._merge(one_run).gradient(False, self.X.dtype)

    def _merge(self, one_run, runs=None):
        with single_blas_thread():
            return self._sum(one_run, self.runs if runs is None else runs)

    def _sum(self, one_run, runs):
        parts = run_in_threads(one_run, runs, self.n_threads)
        merged = parts[0]
        for part in parts[1:]:
            merged.merge(part)
        return merged

    def _rows_of(self, block):
        weight = self.weight
        return self.target.rows(block), weight if isinstance(weight, float) else weight[block]

    def _fill_logits(self, W, run, Z):
        for block in run:
            Z[:, block] = self._block_logits(W, block).T

    def _block_logits(self, W, block):
        """Logits of a block, laid out class by class."""
        p = self.X.shape[1]
        Z = _transposed_product(self.X[block], W[:p])
        if self.fit_intercept:
            Z += W[-1][:, None]
        return Z.T

    def _block_pullback(self, R, block):
        G = np.empty((self.X.shape[1] + int(self.fit_intercept), R.shape[1]))
        G[: self.X.shape[1]] = _transposed_product(self.X[block].T, R).T
        if self.fit_intercept:
            G[-1] = R.sum(axis=0, dtype=np.float64)
        return G


class CompiledSoftmaxRows(BlockedRows):
    """Multinomial log loss with the softmax of a block compiled; products stay with BLAS."""

    def __init__(self, loss, X, target, weight, fit_intercept, n_logits=1):
        super().__init__(loss, X, target, weight, fit_intercept, n_logits)
        self._weights = np.atleast_1d(np.asarray(weight, dtype=np.float64))

    @staticmethod
    def supports(loss, X, target):
        """Hard labels, as integers."""
        return type(loss) is MultinomialLogLoss and np.issubdtype(target.y.dtype, np.integer)

    def block_value_and_residual(self, Z, block):
        from .._kernels.linear_pass import softmax_block

        scratch = np.empty((5, Z.shape[0]))
        R = np.ascontiguousarray(Z.T)
        return softmax_block(R, self.target.y, self._weights, block.start, scratch), R.T


class CompiledMarginRows(BlockedRows):
    """One logit and a loss of the margin: the whole pass is compiled."""

    def __init__(self, loss, X, target, weight, fit_intercept, n_logits=1):
        super().__init__(loss, X, target, weight, fit_intercept, n_logits)
        self._weights = np.atleast_1d(np.asarray(weight, dtype=np.float64))
        self._signs = np.where(target.y > 0.5, 1.0, -1.0).astype(X.dtype)
        # Where all margins are beyond this, every pull equals exp(-m) to rounding, and products
        # of pulls and weights come near underflow: the exponential loss's pass rescales them.
        self._far = 20.0 if X.dtype == np.float32 else 300.0

    @staticmethod
    def supports(loss, X, target):
        """Rows stored one after the other, hard labels, and a loss that the kernel knows."""
        known = type(loss) in (BinaryLogLoss, ExponentialLoss, PerceptronLoss)
        return known and X.flags.c_contiguous and bool(np.all((target.y == 0) | (target.y == 1)))

    def evaluate(self, W, normalized):
        Z, merged = self._pass(W, self._kernel_loss(), want_value=False)
        if normalized and type(self.loss) is BinaryLogLoss and merged.margin > self._far:
            Z, merged = self._pass(W, self._exponential(), want_value=False)
        log_mass = merged.log_mass if normalized else None
        gradient = merged.gradient(normalized, W.dtype)[:, None]
        return Evaluation(Z[:, None], gradient, log_mass, *merged.wrongness)

    def value_and_gradient(self, W):
        _, merged = self._pass(W, self._kernel_loss(), want_value=True)
        return merged.value, merged.gradient(False, W.dtype)[:, None]

    def _pass(self, W, kind, *, want_value):
        from .._kernels.linear_pass import margin_pass

        n, p = self.X.shape
        w = np.ascontiguousarray(W[:p, 0])
        b = W[p, 0] if self.fit_intercept else W.dtype.type(0)
        Z = np.empty(n, dtype=self.X.dtype)

        def one_run(run):
            rows = slice(run[0].start, run[-1].stop)
            weights = self._weights if self._weights.shape[0] == 1 else self._weights[rows]
            g = np.empty(p + 1)
            value, mass, shift, errors, margin = margin_pass(
                self.X[rows], self._signs[rows], weights, w, b, kind, want_value, Z[rows], g
            )
            merged = _Merged()
            merged.set_unscaled(g if self.fit_intercept else g[:-1], value, mass, shift)
            merged.count(errors, margin)
            return merged

        return Z, self._sum(one_run, self.runs)  # the kernel calls no BLAS

    def _kernel_loss(self):
        from .._kernels import linear_pass

        return {
            BinaryLogLoss: linear_pass.LOGISTIC,
            ExponentialLoss: linear_pass.EXPONENTIAL,
            PerceptronLoss: linear_pass.PERCEPTRON,
        }[type(self.loss)]

    @staticmethod
    def _exponential():
        from .._kernels import linear_pass

        return linear_pass.EXPONENTIAL


class _Merged:
    """Running sum of block results, in float64.

    What is summed is ``exp(shift)`` times the stored numbers. Plain gradients have shift 0;
    normalised ones carry the log of their mass, so that their sum is a weighted mean.
    """

    def __init__(self):
        self.shift = -math.inf
        self.sum = None
        self.mass = 0.0
        self._value = 0.0
        self.errors = 0.0
        self.margin = math.inf

    def add(self, gradient, log_mass, value=0.0):
        """Add a block: a plain gradient, or a normalised one with the log of its mass."""
        if log_mass is None:
            self._accumulate(gradient, float(value), 0.0, 0.0)
        else:
            self._accumulate(gradient, 0.0, 1.0, float(log_mass))

    def set_unscaled(self, gradient, value, mass, shift):
        """Start from sums that are to be multiplied by ``exp(shift)``."""
        self._accumulate(gradient, value, mass, shift)

    def count(self, errors, margin):
        """Add a block's wrong weight and smallest margin."""
        if errors is not None:
            self.errors += float(errors)
            self.margin = min(self.margin, float(margin))

    def merge(self, other):
        """Add another running sum."""
        if other.sum is not None:
            self._accumulate(other.sum, other._value, other.mass, other.shift)
        self.count(other.errors, other.margin)

    @property
    def value(self):
        """The summed loss; infinite where it overflows."""
        return np.float64(self._value) * _exp(self.shift)

    @property
    def log_mass(self):
        """Log of the summed mass."""
        return np.float64(math.log(self.mass) + self.shift if self.mass > 0 else -math.inf)

    @property
    def wrongness(self):
        """Weight of wrong rows and smallest margin."""
        return np.float64(self.errors), np.float64(self.margin)

    def gradient(self, normalized, dtype):
        """The summed gradient, divided by the mass if normalised; zero where no row pulls."""
        if normalized:
            return (self.sum / (self.mass or 1.0)).astype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            return (self.sum * _exp(self.shift)).astype(dtype)

    def _accumulate(self, gradient, value, mass, shift):
        if shift == -math.inf:  # a block of no pull at all
            gradient, value, mass = 0.0 * gradient, 0.0, 0.0
        if self.sum is None:
            self.sum, self._value, self.mass, self.shift = gradient, value, mass, shift
            return
        if shift > self.shift:
            factor = math.exp(self.shift - shift)
            self.sum, self._value, self.mass = (
                self.sum * factor,
                self._value * factor,
                self.mass * factor,
            )
            self.shift = shift
        factor = math.exp(shift - self.shift) if shift > -math.inf else 0.0
        self.sum = self.sum + factor * gradient
        self._value += factor * value
        self.mass += factor * mass


def _transposed_product(A, B):
    """``(A @ B).T``, class by class; one column goes to BLAS as the vector that it is."""
    return (A @ B[:, 0])[None, :] if B.shape[1] == 1 else B.T @ A.T


def _exp(x):
    return math.exp(x) if x < 709.0 else math.inf


def _cut(X, n_logits):
    """Runs of blocks of rows, as lists of slices; a function of shapes and the type of X only."""
    n = X.shape[0]
    in_cache = _BLOCK_BYTES // max(1, X.shape[1] * X.itemsize)
    compiled = SMALL // n_logits + 1
    wanted = compiled if n_logits > 1 and compiled <= 2 * in_cache else in_cache
    count = max(1, n // max(16, in_cache, wanted))
    count -= count % 2 if count > 1 else 0  # two threads get the same
    ends = [n * i // count for i in range(count + 1)]
    blocks = [slice(low, high) for low, high in zip(ends[:-1], ends[1:], strict=True)]
    per_run = -(-count // _RUNS)
    return [blocks[low : low + per_run] for low in range(0, count, per_run)]
