"""Pinned random draws: CPython's `random.Random`, value for value, without its loops.

Recorded schedules were drawn from CPython's Mersenne Twister (spec barrier, section 7). numpy has
the same generator; what a draw does with its 32-bit words is redone here on arrays.
"""

from __future__ import annotations

import operator
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flockcore.barrier.arrays import Indices, Integers, Mask

    type Words = NDArray[np.uint32]

__all__ = ["Twister"]

_WORD = 32
_SHORT = 511  # below this many steps a plain loop is faster than arrays


class Twister:
    """Draws of ``random.Random(seed)``.

    Args:
        seed: any whole number; as there, its sign is of no account.
    """

    def __init__(self, seed: int) -> None:
        # Seeded twice, because without a number it would ask the system for randomness.
        self._bits = np.random.MT19937(0)
        self._seeding = np.random.RandomState(self._bits)
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """Begin again as ``random.Random(seed)``."""
        number = abs(operator.index(seed))
        words = max(1, -(-number.bit_length() // _WORD))
        # A list of words seeds by the array initialisation, which is what CPython always does.
        self._seeding.seed([number >> (_WORD * place) & 0xFFFFFFFF for place in range(words)])
        self._spare = np.zeros(0, dtype=np.uint32)

    def below(self, count: int) -> int:
        """Draw a whole number of 0 or more and below `count`, at most 2**32 - 1."""
        bits = count.bit_length()
        while True:
            drawn = int(self._take(1)[0]) >> (_WORD - bits)
            if drawn < count:
                return drawn

    def uniform(self) -> float:
        """Draw a number in [0, 1)."""
        return float(self.uniforms(1)[0])

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """Draw numbers in [0, 1), shape (count,); each takes two words, 27 and 26 bits of them."""
        words = self._take(2 * count)
        numbers = (words[0::2] >> np.uint32(5)).astype(np.float64)
        numbers *= 2.0**26
        numbers += words[1::2] >> np.uint32(6)
        numbers *= 2.0**-53
        return numbers

    def shuffled(self, count: int) -> Indices:
        """Return 0..count-1 as ``shuffle`` leaves them, shape (count,)."""
        return _shuffle(self._targets(count))

    def _targets(self, count: int) -> Indices:
        """Draw the place in 0..i with which place i is swapped, for i from count - 1 down to 1.

        Returns:
            Target of each place, shape (count,); place 0 is its own.
        """
        targets = np.zeros(count, dtype=np.intp)
        bound = count
        while bound > _SHORT:
            bits = bound.bit_length()
            last = max(1 << (bits - 1), _SHORT + 1)
            drawn = self._falling(bound, bound - last + 1, bits)
            targets[last - 1 : bound] = drawn[::-1]
            bound = last - 1
        if bound > 1:
            targets[1:bound] = self._falling_slowly(bound)[::-1]
        return targets

    def _falling_slowly(self, bound: int) -> list[int]:
        """Draw below `bound`, below `bound` - 1, and so on down to 2."""
        drawn: list[int] = []
        words: list[int] = []
        read = 0
        while bound > 1:
            last = 1 << (bound.bit_length() - 1)
            shift = _WORD - bound.bit_length()
            if read == len(words):
                words += self._take(2 * bound + 16).tolist()
            for word in words[read:]:
                read += 1
                value = word >> shift
                if value < bound:
                    drawn.append(value)
                    bound -= 1
                    if bound < last:
                        break
        self._give_back(np.array(words[read:], dtype=np.uint32))
        return drawn

    def _falling(self, bound: int, count: int, bits: int) -> Integers:
        """Draw below `bound`, below `bound` - 1, and so on, `count` times, all of `bits` bits."""
        parts: list[Integers] = []
        while count:
            likely = (count << (bits + 1)) // (2 * bound - count)
            words = self._take(likely + likely // 16 + 4 * isqrt(count) + 16)
            values = (words >> np.uint32(_WORD - bits)).astype(np.int32)
            taken = np.flatnonzero(_accepted(values, bound))[:count]
            parts.append(values[taken])
            bound -= len(taken)
            count -= len(taken)
            if not count:
                self._give_back(words[taken[-1] + 1 :])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _take(self, count: int) -> Words:
        missing = count - len(self._spare)
        if missing > 0:
            fresh: Words = self._bits.random_raw(missing).astype(np.uint32)
            if not len(self._spare):
                return fresh
            self._spare = np.concatenate([self._spare, fresh])
        words, self._spare = self._spare[:count], self._spare[count:]
        return words

    def _give_back(self, words: Words) -> None:
        self._spare = np.concatenate([words, self._spare]) if len(self._spare) else words


def _accepted(values: Integers, bound: int) -> Mask:
    """Return which values a draw accepts whose bound falls by one with each value accepted.

    A value is accepted if it is below `bound` less the number of those accepted before it. That
    number is guessed, then counted from the guess's verdicts; only values near their bound are
    still in doubt, and those are few and gone through one by one. What is returned is exact: if the
    number ever was further off than what counts as near, it is counted again.
    """
    before = _guess(len(values), bound)
    near = isqrt(len(values)) + 8
    while True:
        before += values
        accepted = before < bound
        np.cumsum(accepted, dtype=np.int32, out=before)
        before -= accepted
        margin = values + before
        margin -= bound
        doubted = np.flatnonzero(np.abs(margin) <= near)
        guessed = accepted[doubted]
        surely = margin[doubted] - (np.cumsum(guessed) - guessed)
        settled = np.array(_one_by_one(surely.tolist()), dtype=np.bool_)
        drift = np.cumsum(settled) - np.cumsum(guessed)
        accepted[doubted] = settled
        if not len(drift) or max(drift.max(), -drift.min()) <= near:
            return accepted
        np.cumsum(accepted, dtype=np.int32, out=before)
        before -= accepted


def _one_by_one(margins: list[int]) -> list[bool]:
    taken = 0
    verdicts = []
    for margin in margins:
        verdict = margin + taken < 0
        taken += verdict
        verdicts.append(verdict)
    return verdicts


def _guess(length: int, bound: int) -> NDArray[np.int32]:
    """Guess how many of the first t values are accepted: bound * (1 - exp(-t / 2**bits)).

    The exponential is a quotient of polynomials; nothing exact depends on it.
    """
    x = np.arange(length, dtype=np.float32)
    x *= np.float32(1 / (1 << bound.bit_length()))
    square = x * x
    square *= np.float32(1 / 12)
    square += 1
    x *= np.float32(0.5)
    fallen = x / (square + x)
    fallen *= np.float32(2 * bound)
    return fallen.astype(np.int32)


def _shuffle(targets: Indices) -> Indices:
    """Swap place i with place targets[i] <= i, for i from the last down to 1, on 0, 1, 2, ...

    Place i is final after its own step. What step i finds at its target p was put there by the
    latest earlier step with that target, the next larger i' with targets[i'] = p, or else is p;
    and what i' put there is what it found at place i' itself. So sources form a forest, and the
    value that arrives is the number of a root.
    """
    count = len(targets)
    places = np.arange(count, dtype=np.intp)
    if count < 2:
        return places
    width = count.bit_length()
    largest = (1 << width) - 1
    # Sorted by target, and from the largest place to the smallest.
    keys: Integers = targets.astype(np.int32 if 2 * width < _WORD else np.int64)
    keys <<= width
    keys += largest
    keys -= places.astype(keys.dtype)
    keys.sort()
    place = (largest - (keys & largest)).astype(np.intp)
    target = (keys >> width).astype(np.intp)
    # The next larger place with the same target; -1 for the largest.
    following = np.empty(count, dtype=np.intp)
    following[place[0]] = -1
    following[place[1:]] = np.where(target[1:] == target[:-1], place[:-1], -1)
    # The smallest place above p whose target is p, the last one written; else p itself.
    source = places.copy()
    source[target] = place
    itself = np.flatnonzero(targets == places)
    source[itself] = np.where(following[itself] < 0, itself, following[itself])
    while True:
        further = source.take(source, mode="clip")
        if np.array_equal(further, source):
            break
        source = further
    return np.where(following < 0, targets, source.take(following, mode="clip"))
