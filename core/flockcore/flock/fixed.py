"""Fixed-point arithmetic: Q16.16 in 32 bits and Q1.15 in 16 bits (spec ekk, section 3).

All functions work element by element on integers or int64 arrays of *raw* values, which are
``value * 65536`` (Q16.16) or ``value * 32768`` (Q1.15). Arguments lie within int32 or int16, so
every intermediate product fits int64 exactly. *Floor* rounds toward minus infinity, *trunc* toward
zero.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flockcore.errors import FlockError

__all__ = [
    "HALF",
    "INT16_MAX",
    "INT16_MIN",
    "INT32_MAX",
    "INT32_MIN",
    "ONE",
    "absolute",
    "div",
    "div_wide",
    "from_float",
    "from_q15",
    "isqrt",
    "lerp",
    "mul",
    "mul_wide",
    "q15_add",
    "q15_mul",
    "q15_sub",
    "saturate",
    "sqrt",
    "to_q15",
]

ONE = 1 << 16
"""1.0 in Q16.16."""
HALF = ONE // 2
"""0.5 in Q16.16."""
INT32_MAX = 2**31 - 1
INT32_MIN = -(2**31)
INT16_MAX = 2**15 - 1
INT16_MIN = -(2**15)

_LARGEST_ROOT = 3_037_000_499  # floor of the square root of the largest int64

type Raw = int | NDArray[np.int64]
type Result = NDArray[np.int64]


def saturate(value: Raw) -> Result:
    """Clamp to the 32 bits of Q16.16."""
    return _clamp(value, INT32_MIN, INT32_MAX)


def _clamp(value: Raw, low: int, high: int) -> Result:
    return np.minimum(np.maximum(_int64(value), low), high)


def _int64(value: Raw) -> Result:
    return np.asarray(value, dtype=np.int64)


def mul(a: Raw, b: Raw) -> Result:
    """Return the Q16.16 product: floor(a b / 2^16), saturated."""
    return saturate(mul_wide(a, b))


def mul_wide(a: Raw, b: Raw) -> Result:
    """Return the Q16.16 product floor(a b / 2^16) in 64 bits, not saturated."""
    return _int64(a) * b >> 16


def div(a: Raw, b: Raw) -> Result:
    """Return the Q16.16 quotient trunc(a 2^16 / b), saturated.

    A division by zero yields the largest value for `a` >= 0 and the smallest one otherwise.
    """
    dividend, divisor = _int64(a), _int64(b)
    by_zero = divisor == 0
    quotient = saturate(div_wide(dividend, divisor + by_zero))
    return np.where(by_zero, np.where(dividend >= 0, INT32_MAX, INT32_MIN), quotient)


def div_wide(a: Raw, b: Raw) -> Result:
    """Return the Q16.16 quotient trunc(a 2^16 / b) in 64 bits, not saturated.

    Raises:
        FlockError: If a divisor is zero.
    """
    dividend, divisor = _int64(a), _int64(b)
    if not np.all(divisor):
        raise FlockError("a divisor of div_wide is 0; any other value is allowed")
    magnitude = (np.abs(dividend) << 16) // np.abs(divisor)
    return np.where((dividend < 0) ^ (divisor < 0), -magnitude, magnitude)


def lerp(a: Raw, b: Raw, t: Raw) -> Result:
    """Return a + floor((b - a) t / 2^16), with `t` clamped to 0..ONE."""
    start = _int64(a)
    return start + ((_int64(b) - start) * _clamp(t, 0, ONE) >> 16)


def absolute(x: Raw) -> Result:
    """Return the absolute value; the smallest value maps to the largest."""
    return saturate(np.abs(_int64(x)))


def sqrt(x: Raw) -> Result:
    """Return the Q16.16 square root floor(sqrt(x 2^16)), exact; 0 for negative `x` (Q12)."""
    return isqrt(_int64(x) << 16)


def isqrt(x: Raw) -> Result:
    """Return floor(sqrt(x)) of any int64, exact; 0 for negative `x`.

    The root of float64 is off by at most one, which the squares correct.
    """
    positive = np.maximum(_int64(x), 0)
    root = np.minimum(np.sqrt(positive.astype(np.float64)).astype(np.int64), _LARGEST_ROOT)
    root = root - (root * root > positive)
    above = np.minimum(root + 1, _LARGEST_ROOT)
    return np.where(above * above <= positive, above, root)


def from_float(value: ArrayLike) -> Result:
    """Return the Q16.16 raw value of a float32, trunc(value 2^16).

    Raises:
        FlockError: If a value is not a number or outside [-32768, 32768).
    """
    single = np.asarray(value, dtype=np.float32)
    if not np.all((single >= -32768) & (single < 32768)):
        raise FlockError(f"{value!r} does not fit Q16.16; -32768 <= value < 32768 is allowed")
    return np.trunc(single * np.float32(ONE)).astype(np.int64)


def to_q15(x: Raw) -> Result:
    """Convert Q16.16 to Q1.15: floor(x / 2), saturated to 16 bits."""
    return _clamp(_int64(x) >> 1, INT16_MIN, INT16_MAX)


def from_q15(x: Raw) -> Result:
    """Convert Q1.15 to Q16.16."""
    return _int64(x) * 2


def q15_mul(a: Raw, b: Raw) -> Result:
    """Return the Q1.15 product floor(a b / 2^15); only -1 times -1 saturates."""
    return _clamp(_int64(a) * b >> 15, INT16_MIN, INT16_MAX)


def q15_add(a: Raw, b: Raw) -> Result:
    """Return the Q1.15 sum, saturated."""
    return _clamp(_int64(a) + b, INT16_MIN, INT16_MAX)


def q15_sub(a: Raw, b: Raw) -> Result:
    """Return the Q1.15 difference, saturated."""
    return _clamp(_int64(a) - b, INT16_MIN, INT16_MAX)
