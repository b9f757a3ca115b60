"""Counter-based randomness: every draw is a function of where it is used, never of call order.

A stream is named by (seed, name, tick). Philox (Salmon et al. 2011, "Parallel random numbers: as
easy as 1, 2, 3") turns it into raw 64-bit words; nothing but integer work follows, so a draw has
the same bits on every platform. Draws per message copy spread one such word over (source, target)
pairs by the finaliser of SplitMix64 (Steele et al. 2014): the cost grows with the copies that are
sent instead of with all the pairs that could have sent one.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXPONENTIAL_BINS", "Streams", "chance", "exponential_table", "pair_key", "spread"]

EXPONENTIAL_BINS = 1024
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@cache
def _key(seed: int, name: str) -> tuple[int, int]:
    hashed = sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(hashed[:8], "little"), int.from_bytes(hashed[8:16], "little")


class Streams:
    """The draws of one run, under a schedule of seeds.

    A fork keeps the past and continues under another seed, so a run has a schedule: the seed in
    force at a tick is the last one whose tick is not later.

    Args:
        schedule: (tick, seed) pairs in ascending order of tick; the first tick is 0.
    """

    def __init__(self, schedule: Sequence[tuple[int, int]]) -> None:
        self.schedule = tuple((int(tick), int(seed)) for tick, seed in schedule)
        # A new generator asks the system for entropy that a given key then replaces: one, moved
        # from draw to draw, costs a quarter.
        self._philox = np.random.Philox(key=0)
        self._state: Any = self._philox.state

    def seed_at(self, tick: int) -> int:
        """Return the seed in force at `tick`."""
        if len(self.schedule) == 1:
            return self.schedule[0][1]
        return next(seed for start, seed in reversed(self.schedule) if start <= tick)

    def raw(self, name: str, tick: int, count: int) -> NDArray[np.uint64]:
        """Return `count` raw words of the stream `name` at `tick`, shape (count,)."""
        place = self._state["state"]
        place["key"][:] = _key(self.seed_at(tick), name)
        place["counter"][:] = 0, 0, tick, 0
        self._philox.state = self._state
        return self._philox.random_raw(count)


def pair_key(source: NDArray[np.intp], target: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Return one spread word per (source, target) pair, to be combined with a stream's word."""
    pair = (source.astype(np.uint64) << np.uint64(32)) | target.astype(np.uint64)
    return pair * _GOLDEN


def spread(word: np.uint64, pairs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return one 64-bit draw per pair: SplitMix64's finaliser of the word plus the pair."""
    mixed = pairs + word
    shifted = mixed >> np.uint64(30)
    mixed ^= shifted
    mixed *= _MIX_1
    mixed ^= np.right_shift(mixed, np.uint64(27), out=shifted)
    mixed *= _MIX_2
    mixed ^= np.right_shift(mixed, np.uint64(31), out=shifted)
    return mixed


def chance(probability: float) -> np.uint64:
    """Return the bound below which a draw means "yes"; probability 0..1 in steps of 2^-32."""
    steps = min(max(round(probability * 2**32), 0), 2**32)
    return np.uint64(min(steps << 32, 2**64 - 1))


@cache
def exponential_table() -> NDArray[np.int64]:
    """Return the quantiles of the unit exponential at bin midpoints, in 2^-16, shape (1024,).

    Computed in decimal arithmetic, so that the integers are the same on every platform.
    """
    with localcontext() as context:
        context.prec = 28
        bins = 2 * EXPONENTIAL_BINS
        values = [
            int((-(Decimal(bins - 2 * i - 1) / Decimal(bins)).ln() * 65536).to_integral_value())
            for i in range(EXPONENTIAL_BINS)
        ]
    return np.array(values, dtype=np.int64)
