"""Fixed-point arithmetic against plain integers, and the properties PFX-1, 2 and 5."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import field_twin
from flockcore.errors import FlockError
from flockcore.flock import fixed

LOW, HIGH = fixed.INT32_MIN, fixed.INT32_MAX
EDGES = st.sampled_from([0, 1, -1, fixed.HALF, fixed.ONE, -fixed.ONE, HIGH, LOW, LOW + 1])
RAW = st.integers(LOW, HIGH) | st.integers(-70_000, 70_000) | EDGES
ROW = st.lists(st.tuples(RAW, RAW, RAW), min_size=1, max_size=20)
Q15 = st.integers(fixed.INT16_MIN, fixed.INT16_MAX)


def columns(rows):
    return [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]


def each(function, rows):
    return [function(*row) for row in rows]


@given(ROW)
def test_products_and_quotients_agree_with_plain_integers(rows):
    a, b, _ = columns(rows)
    pairs = [row[:2] for row in rows]
    assert fixed.mul(a, b).tolist() == each(field_twin.mul, pairs)
    assert fixed.div(a, b).tolist() == each(field_twin.div, pairs)
    assert fixed.mul_wide(a, b).tolist() == each(lambda x, y: x * y // 65536, pairs)
    divisor = np.where(b == 0, 7, b)
    expected = each(lambda x, y: field_twin.trunc_div(x * 65536, y or 7), pairs)
    assert fixed.div_wide(a, divisor).tolist() == expected


@given(ROW)
def test_results_stay_in_32_bits(rows):
    a, b, t = columns(rows)
    results = [fixed.mul(a, b), fixed.div(a, b), fixed.lerp(a, b, t), fixed.absolute(a)]
    for result in [*results, fixed.saturate(a + b), fixed.sqrt(a)]:
        assert result.dtype == np.int64
        assert (result >= LOW).all()
        assert (result <= HIGH).all()


@given(ROW)
def test_one_is_neutral_and_products_commute(rows):
    a, b, _ = columns(rows)
    assert np.array_equal(fixed.mul(a, fixed.ONE), a)
    assert np.array_equal(fixed.div(a, fixed.ONE), a)
    assert np.array_equal(fixed.mul(a, b), fixed.mul(b, a))


@given(RAW, RAW.filter(bool))
def test_a_quotient_undoes_a_product(a, b):
    product, quotient = field_twin.mul(a, b), fixed.div(fixed.mul(a, b), b).item()
    assume(LOW < product < HIGH)
    assume(LOW < quotient < HIGH)
    assert abs(quotient - a) <= math.ceil(65536 / abs(b))


@given(ROW)
def test_lerp_stays_between_its_ends(rows):
    a, b, t = columns(rows)
    found = fixed.lerp(a, b, t)
    expected = each(
        lambda x, y, s: x if s <= 0 else y if s >= 65536 else x + ((y - x) * s >> 16), rows
    )
    assert found.tolist() == expected
    assert (np.minimum(a, b) <= found).all()
    assert (found <= np.maximum(a, b)).all()


@given(st.lists(Q15, min_size=1), Q15)
def test_q15_operations_are_exact_and_clamped(values, other):
    a = np.array(values)
    assert np.array_equal(fixed.to_q15(fixed.from_q15(a)), a)
    for function, exact in [
        (fixed.q15_mul, lambda x: x * other >> 15),
        (fixed.q15_add, lambda x: x + other),
        (fixed.q15_sub, lambda x: x - other),
    ]:
        expected = [field_twin.saturate(exact(value), bits=16) for value in values]
        assert function(a, other).tolist() == expected


@given(st.lists(RAW, min_size=1))
def test_q16_to_q15(values):
    found = fixed.to_q15(np.array(values))
    assert found.tolist() == [field_twin.saturate(value >> 1, bits=16) for value in values]


@given(st.lists(RAW, min_size=1))
def test_root_of_fixed_point_is_exact(values):
    expected = [math.isqrt(max(value, 0) * 65536) for value in values]
    assert fixed.sqrt(np.array(values)).tolist() == expected


SQUARES = st.integers(0, 3_037_000_499).flatmap(
    lambda root: st.sampled_from([root * root - 1, root * root, root * root + 1])
)


@given(st.lists(SQUARES | st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integer_root_is_exact(values):
    expected = [math.isqrt(max(value, 0)) for value in values]
    assert fixed.isqrt(np.array(values, dtype=np.int64)).tolist() == expected


@given(st.integers(1, 3_037_000_499), st.sampled_from([-1, 0, 1]))
def test_integer_roots_beside_squares(root, step):
    near = root * root + step
    assert fixed.isqrt(np.array([near])).item() == math.isqrt(near)


@given(st.floats(-32768, 32768, exclude_max=True, width=32))
def test_floats_are_truncated(value):
    assert fixed.from_float(value).item() == math.trunc(value * 65536)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 32768.0, -32769.0, [1.0, 1e9]])
def test_floats_that_do_not_fit_are_refused(value):
    with pytest.raises(FlockError, match="-32768 <= value < 32768"):
        fixed.from_float(value)


def test_wide_division_by_zero_is_refused():
    with pytest.raises(FlockError, match="divisor"):
        fixed.div_wide(np.array([1, 2]), np.array([1, 0]))


def test_functions_take_plain_integers():
    assert fixed.mul(fixed.ONE, fixed.HALF) == fixed.HALF
    assert fixed.div(1, 0) == HIGH
    assert fixed.div(-1, 0) == LOW
    assert fixed.absolute(LOW) == HIGH
    assert fixed.lerp(0, 100, fixed.HALF) == 50
