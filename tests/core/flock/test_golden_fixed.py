"""Fixed-point arithmetic of the original runtime (fixed.json)."""

import numpy as np
import pytest

from flockcore.flock import fixed
from flockcore.flock.decay import rational_factor
from golden import cases


def exp_decay(elapsed, tau):
    return rational_factor(elapsed.astype(np.uint64), tau.astype(np.uint64))


OPERATIONS = {
    "mul": fixed.mul,
    "div": fixed.div,
    "exp_decay": exp_decay,
    "lerp": fixed.lerp,
    "abs": fixed.absolute,
    "sqrt": fixed.sqrt,
    "to_q15": fixed.to_q15,
    "from_q15": fixed.from_q15,
    "q15_mul": fixed.q15_mul,
    "q15_add": fixed.q15_add,
    "q15_sub": fixed.q15_sub,
    "mul_wide": fixed.mul_wide,
    "div_wide": fixed.div_wide,
    "float_to_fixed": fixed.from_float,
    "can_perform": lambda have, need: (have & need) == need,
}


def column(values):
    """Exact integers where there are any (they may exceed int64), else float32."""
    if any(isinstance(value, float) for value in values):
        return np.array(values, dtype=np.float32)
    fits = max(values) < 2**63
    return np.array(values, dtype=np.int64 if fits else np.uint64)


@pytest.mark.parametrize("case", cases("fixed"))
def test_operation(case):
    *arguments, expected = (list(values) for values in zip(*case.data["rows"], strict=True))
    found = OPERATIONS[case.data["op"]](*map(column, arguments))
    assert found.tolist() == expected
