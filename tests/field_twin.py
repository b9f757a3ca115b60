"""Fixed point, decay, field region and aggregation in plain Python, one number at a time.

Written from spec ekk, sections 3 and 4, as the slow, obvious twins of `flockcore.flock.fixed`,
`decay`, `fields` and `aggregation`.
"""

from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from math import floor

from flockcore.flock.codes import Code, Health
from flockcore.flock.decay import Decay, DecayProfile

ONE = 65536
LARGEST_TIME = 2**64 - 1


def saturate(value: int, bits: int = 32) -> int:
    return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, value))


def trunc_div(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def mul(a: int, b: int) -> int:
    return saturate(a * b // ONE)


def div(a: int, b: int) -> int:
    if b == 0:
        return 2**31 - 1 if a >= 0 else -(2**31)
    return saturate(trunc_div(a * ONE, b))


def exp_decay(elapsed: int, tau: int) -> int:
    if tau == 0:
        return 0
    if elapsed == 0:
        return ONE
    if tau > LARGEST_TIME // 5 or elapsed >= 5 * tau or elapsed > LARGEST_TIME // ONE:
        return 0
    x = elapsed * ONE // tau
    if x > 2**31 - 1:
        return 0
    return div(ONE, ONE + x + (mul(x, x) >> 1))


def true_exponential(elapsed: int, tau: int) -> Decimal:
    """Return exp(-elapsed / tau) in raw units, to fifty digits."""
    with localcontext(prec=50):
        return ONE * (Decimal(-elapsed) / tau).exp()


def decay_factor(model: Decay, elapsed: int, tau: int) -> int:
    if model == Decay.RATIONAL:
        return exp_decay(elapsed, tau)
    if model == Decay.STEP:
        return ONE if elapsed < tau else 0
    if model == Decay.LINEAR:
        return (tau - elapsed) * ONE // tau if elapsed < tau else 0
    if elapsed > 20 * tau:
        return 0
    return floor(true_exponential(elapsed, tau) + Decimal("0.5"))


def weight(health: int, distance: int) -> int:
    full = {Health.ALIVE: ONE, Health.SUSPECT: ONE // 2}.get(health, 0)
    return mul(full, div(ONE, ONE + distance * 256)) if distance > 0 else full


@dataclass
class Slot:
    values: list[int] = field(default_factory=lambda: [0] * 6)
    published_at: int = 0
    source: int = 0
    sequence: int = 0
    counter: int = 0


class SlowRegion:
    """The field region as a list of slots."""

    def __init__(self, nodes: int) -> None:
        self.slots = [Slot() for _ in range(nodes)]

    def publish(self, row: int, values: list[int], sequence: int, now: int) -> int:
        if not 0 <= row < len(self.slots):
            return Code.INVALID_ARG
        counter = self.slots[row].counter + 2
        self.slots[row] = Slot(list(values), now, row + 1, sequence, counter)
        return Code.OK

    def sample(self, row: int, now: int, profile: DecayProfile) -> tuple[int, list[int]]:
        defaults = [one.default for one in profile.components]
        if not 0 <= row < len(self.slots):
            return Code.INVALID_ARG, defaults
        slot = self.slots[row]
        if slot.counter % 2 == 1:
            return Code.BUSY, defaults
        if slot.source == 0:
            return Code.NOT_FOUND, defaults
        age = max(now - slot.published_at, 0)
        if age > profile.max_age_us:
            return Code.FIELD_EXPIRED, defaults
        faded = [
            mul(value, decay_factor(one.model, age, one.tau_us))
            for value, one in zip(slot.values, profile.components, strict=True)
        ]
        bounded = [
            max(one.floor, min(one.ceiling, value))
            for value, one in zip(faded, profile.components, strict=True)
        ]
        return Code.OK, bounded

    def collect(self, max_age: int, now: int) -> int:
        old = [
            slot
            for slot in self.slots
            if slot.source and slot.counter % 2 == 0 and now - slot.published_at > max_age
        ]
        for slot in old:
            counter = slot.counter + 2
            slot.__init__()
            slot.counter = counter
        return len(old)


def aggregate(
    samples: list[list[int] | None], healths: list[int], weights: list[int]
) -> tuple[list[int], bool, int]:
    """Return (average, degraded, sum of weights) of one node; a failed sample is None."""
    sums, total, eligible, good = [0] * 6, 0, 0, 0
    for values, health, share in zip(samples, healths, weights, strict=True):
        if health not in (Health.ALIVE, Health.SUSPECT):
            continue
        eligible += 1
        if values is None:
            continue
        good += 1
        sums = [before + mul(value, share) for before, value in zip(sums, values, strict=True)]
        total += share
    average = [trunc_div(one * ONE, total) if total else 0 for one in sums]
    return average, eligible > 0 and good == 0, total
