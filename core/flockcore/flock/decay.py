"""How published fields fade with age (spec ekk, sections 3, 4.3 and 4.6).

The original knows one model, a rational approximation of the exponential that it cuts at five time
constants (Q13); here it is `Decay.RATIONAL`. All models are exact integer arithmetic with the same
bits on every platform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from flockcore.errors import FlockError
from flockcore.flock.fixed import INT32_MAX, INT32_MIN, ONE

__all__ = [
    "FIELD_COUNT",
    "MAX_TAU_US",
    "Component",
    "ComponentProfile",
    "Decay",
    "DecayProfile",
    "factor",
    "fade",
    "rational_factor",
]

FIELD_COUNT = 6
"""Components of a field."""

MAX_TAU_US = 2**44
"""Largest time constant of a profile, about half a year: products then fit int64."""

type Values = NDArray[np.int64]


class Component(IntEnum):
    """A field's components, in the order of every (6, N) table."""

    LOAD = 0
    THERMAL = 1
    POWER = 2
    CUSTOM_0 = 3
    CUSTOM_1 = 4
    SLACK = 5


class Decay(IntEnum):
    """Decay models; x is age / tau.

    RATIONAL is 1 / (1 + x + x^2 / 2), and 0 from x = 5 on: the only model of the original.
    LINEAR is 1 - x, and 0 from x = 1 on. STEP is 1 before x = 1 and 0 from then on. EXPONENTIAL is
    exp(-x), rounded to the nearest raw unit.
    """

    RATIONAL = 0
    LINEAR = 1
    STEP = 2
    EXPONENTIAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentProfile:
    """How one component fades.

    Attributes:
        model: Decay model.
        tau_us: Time constant in microseconds, 1..`MAX_TAU_US`.
        floor: Least value that a sample yields, raw Q16.16.
        ceiling: Greatest value that a sample yields, raw Q16.16.
        default: What stands in where there is nothing to sample, raw Q16.16.
    """

    model: Decay = Decay.RATIONAL
    tau_us: int = 100_000
    floor: int = INT32_MIN
    ceiling: int = INT32_MAX
    default: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.tau_us <= MAX_TAU_US:
            raise FlockError(f"tau_us is {self.tau_us}; 1 to {MAX_TAU_US} is allowed")
        if not INT32_MIN <= self.floor <= self.ceiling <= INT32_MAX:
            raise FlockError(
                f"floor is {self.floor} and ceiling {self.ceiling}; floor <= ceiling within "
                f"{INT32_MIN} to {INT32_MAX} is allowed"
            )
        if not INT32_MIN <= self.default <= INT32_MAX:
            raise FlockError(f"default is {self.default}; {INT32_MIN} to {INT32_MAX} is allowed")

    @property
    def bounded(self) -> bool:
        """Whether a sample may be cut to the floor or the ceiling."""
        return self.floor > INT32_MIN or self.ceiling < INT32_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayProfile:
    """How all components fade, and from which age on a field is refused.

    Attributes:
        components: One profile per `Component`, in order.
        max_age_us: Age in microseconds beyond which a sample is FIELD_EXPIRED.
        laws: Model, time constant, and the components that share them; made from `components`.
        bounded: Components with a floor or ceiling of their own; made from `components`.
        never_zero: Components whose samples are not 0 even if 0 was published.
    """

    components: tuple[ComponentProfile, ...] = (ComponentProfile(),) * FIELD_COUNT
    max_age_us: int = 500_000
    laws: tuple[tuple[Decay, int, tuple[int, ...]], ...] = field(
        init=False, repr=False, compare=False
    )
    bounded: tuple[int, ...] = field(init=False, repr=False, compare=False)
    never_zero: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the settings and group the components."""
        if len(self.components) != FIELD_COUNT:
            raise FlockError(f"{len(self.components)} components given; {FIELD_COUNT} are needed")
        if self.max_age_us < 0:
            raise FlockError(f"max_age_us is {self.max_age_us}; 0 or more is allowed")
        sharing: dict[tuple[Decay, int], list[int]] = {}
        for number, one in enumerate(self.components):
            sharing.setdefault((one.model, one.tau_us), []).append(number)
        laws = tuple((*law, tuple(which)) for law, which in sharing.items())
        object.__setattr__(self, "laws", laws)
        bounds = [(number, one) for number, one in enumerate(self.components) if one.bounded]
        object.__setattr__(self, "bounded", tuple(number for number, _ in bounds))
        never_zero = (number for number, one in bounds if not one.floor <= 0 <= one.ceiling)
        object.__setattr__(self, "never_zero", tuple(never_zero))

    @classmethod
    def uniform(
        cls,
        *,
        model: Decay = Decay.RATIONAL,
        tau_us: int = 100_000,
        max_age_us: int = 500_000,
        special: Mapping[Component, ComponentProfile] | None = None,
    ) -> "DecayProfile":
        """Return a profile with one law for all components but the `special` ones."""
        common = ComponentProfile(model=model, tau_us=tau_us)
        own = special or {}
        return cls(
            components=tuple(own.get(one, common) for one in Component), max_age_us=max_age_us
        )

    @property
    def defaults(self) -> Values:
        """What stands in for missing samples, raw Q16.16, shape (6, 1)."""
        return np.array([[one.default] for one in self.components], dtype=np.int64)


def fade(
    values: Values,
    age: NDArray[np.int64] | int,
    profile: DecayProfile,
    parts: Sequence[int] = tuple(range(FIELD_COUNT)),
) -> Values:
    """Return what is left of fields of some age: floor(value factor / 2^16), within its bounds.

    Args:
        values: Raw Q16.16 within int32, shape (p, n).
        age: Microseconds, 0 or more, shape (n,) or one for all.
        profile: How the components fade.
        parts: The component of each row, all of them by default, shape (p,).

    Returns:
        Raw Q16.16, shape (p, n).
    """
    if len(profile.laws) == 1:
        model, tau_us, _ = profile.laws[0]
        faded: Values = values * _factor_of(model, age, tau_us)
        faded >>= 16
    else:
        faded = np.empty(values.shape, dtype=np.int64)
        for model, tau_us, which in profile.laws:
            rows = [row for row, part in enumerate(parts) if part in which]
            if rows:
                faded[rows] = values[rows] * _factor_of(model, age, tau_us) >> 16
    for row, part in zip(faded, parts, strict=True):
        if part in profile.bounded:
            one = profile.components[part]
            np.clip(row, one.floor, one.ceiling, out=row)
    return faded


def _factor_of(model: Decay, age: NDArray[np.int64] | int, tau_us: int) -> Values | int:
    return _one_factor(model, age, tau_us) if isinstance(age, int) else factor(model, age, tau_us)


@lru_cache(maxsize=256)
def _one_factor(model: Decay, age: int, tau_us: int) -> int:
    return int(factor(model, np.array([age], dtype=np.int64), tau_us)[0])


def factor(model: Decay, age: NDArray[np.int64], tau_us: int) -> Values:
    """Return the decay factor after some age.

    Args:
        model: Decay model.
        age: Microseconds, 0 or more, any shape.
        tau_us: Time constant in microseconds, 1..`MAX_TAU_US`.

    Returns:
        Raw Q16.16 within 0..ONE, shape of `age`.
    """
    match model:
        case Decay.RATIONAL:
            return _rational(age, tau_us)
        case Decay.LINEAR:
            return (np.maximum(tau_us - age, 0) << 16) // tau_us
        case Decay.STEP:
            return np.where(age < tau_us, ONE, 0)
        case Decay.EXPONENTIAL:
            return _exponential(age, tau_us)


def _rational(age: NDArray[np.int64], tau_us: int) -> Values:
    """Return `rational_factor` where nothing overflows, in few operations."""
    end = 5 * tau_us
    x = (np.minimum(age, end) << 16) // tau_us
    divisor = ONE + x + (x * x >> 17)
    left: Values = (1 << 32) // divisor
    left *= age < end
    return left


def rational_factor(elapsed: NDArray[np.uint64], tau: NDArray[np.uint64]) -> Values:
    """Return the original's decay factor for any unsigned 64-bit arguments (``exp_decay``).

    With x = elapsed / tau it is 1 / (1 + x + x^2 / 2). It is 0 from five time constants on, for
    tau = 0, and where the original's 64-bit products would overflow (spec section 3).

    Args:
        elapsed: Microseconds, uint64, any shape.
        tau: Time constant in microseconds, uint64, shape of `elapsed`.

    Returns:
        Raw Q16.16 within 0..ONE.
    """
    largest = np.iinfo(np.uint64).max
    multiple = np.where(tau > largest // 5, 0, tau) * np.uint64(5)
    gone = (elapsed >= multiple) | (elapsed > largest >> 16)
    x = (np.where(gone, 0, elapsed) << np.uint64(16)) // np.where(tau == 0, 1, tau)
    divisor = x.astype(np.int64)
    divisor += ONE + (divisor * divisor >> 17)
    left = np.where(gone, 0, (1 << 32) // divisor)
    return np.where((elapsed == 0) & (tau > 0), ONE, left)


# ---------------------------------------------------------------- the true exponential

_LOG2_E = 1_549_082_005  # log2(e) 2^30, rounded
_LN_2 = 744_261_118  # ln(2) 2^30, rounded
_END = 13  # exp(-13) 2^16 rounds to 0


def _powers_of_two() -> Values:
    """Return 2^(30 - j/64), rounded, for j = 0..63, from exact roots of long integers."""
    root = 1 << 199
    for _ in range(6):
        root = isqrt(root << 200)
    power, table = 1 << 200, []
    for _ in range(64):
        table.append((power + (1 << 169)) >> 170)
        power = power * root >> 200
    return np.array(table, dtype=np.int64)


_POWERS = _powers_of_two()


def _exponential(age: NDArray[np.int64], tau_us: int) -> Values:
    """Return exp(-age / tau) as 2^-(n + j/64 + r): a shift, a table, a parabola.

    With age / tau in 26 fractional bits the error before the final rounding is below 1 % of a raw
    unit; and since the parabola lies above the true curve, no step of the table ever rises.
    """
    elapsed = np.minimum(age, _END * tau_us)
    x, rest = np.divmod(elapsed, tau_us)
    for _ in range(2):
        digits, rest = np.divmod(rest << 13, tau_us)
        x = (x << 13) + digits
    y = x * _LOG2_E >> 30
    u = (y & 0xFFFFF) * _LN_2 >> 26
    fraction = _POWERS[y >> 20 & 63] * (2**30 - u + (u * u >> 31)) >> 30
    halving = y >> 26
    left: Values = fraction + (np.int64(1) << halving + 13) >> halving + 14
    return left
