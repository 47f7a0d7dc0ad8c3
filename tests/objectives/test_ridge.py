"""Ridges with a strength of their own for each variable."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.objectives._datafits import CASES, blocks, points, problem

ROWS = [case for case in CASES if case.name not in ("graph", "svm-dual")]


@pytest.mark.parametrize("layout", ["F", "csc_matrix"])
@pytest.mark.parametrize("case", ROWS, ids=str)
class TestStrengths:
    def make(self, case, layout):
        plain, A, _ = problem(case, layout, l2=0.0)
        strengths = np.random.default_rng(3).random(plain.n_variables)
        strengths[::3] = 0.0
        return plain, problem(case, layout, l2=strengths)[0], strengths

    def test_add_their_squares(self, case, layout):
        plain, ridged, strengths = self.make(case, layout)
        rng = np.random.default_rng(0)
        for x in points(plain, rng):
            value = plain.value(x) + 0.5 * strengths @ x**2
            assert ridged.value(x) == pytest.approx(value, rel=1e-13)
            assert_allclose(ridged.gradient(x), plain.gradient(x) + strengths * x, atol=1e-12)
            for block in blocks(plain, rng):
                own = np.diag(strengths[block])
                hessian = plain.hessian_block(x, block) + own
                assert_allclose(ridged.hessian_block(x, block), hessian, atol=1e-12)
                bound = plain.hessian_bound(block) + own
                assert_allclose(ridged.hessian_bound(block), bound, atol=1e-12)
                assert ridged.block_lipschitz(block) == pytest.approx(
                    np.linalg.eigvalsh(bound)[-1], rel=1e-10
                )

    def test_enter_every_constant(self, case, layout):
        plain, ridged, strengths = self.make(case, layout)
        d = np.random.default_rng(1).standard_normal(plain.n_variables)
        assert_allclose(ridged.lipschitz(), plain.lipschitz() + strengths)
        assert_allclose(ridged.bound_row_sums(), plain.bound_row_sums() + strengths)
        assert_allclose(ridged.bound_product(d), plain.bound_product(d) + strengths * d)
        whole = ridged.hessian_bound(np.arange(plain.n_variables))
        assert ridged.bound_norm() >= (1 - 1e-9) * np.linalg.eigvalsh(whole)[-1]

    def test_move_with_a_state(self, case, layout):
        _, ridged, _ = self.make(case, layout)
        rng = np.random.default_rng(2)
        state = ridged.init(rng.standard_normal(ridged.n_variables))
        for block in blocks(ridged, rng):
            d = rng.standard_normal(block.size)
            ahead = state.line(block, d)(1.0)
            state.apply(block, d)
            assert ahead == pytest.approx(ridged.value(state.x), rel=1e-12)
            assert state.value() == pytest.approx(ridged.value(state.x), rel=1e-12)
            assert_allclose(state.gradient(), ridged.gradient(state.x), atol=1e-10)


@pytest.mark.parametrize("l2", [[1.0], [[1.0]], np.full(6, -1.0), np.full(6, np.nan)])
def test_bad_strengths_are_refused(l2):
    with pytest.raises(ValueError, match="one such number for each of the 6 variables"):
        problem(ROWS[0], l2=l2)
