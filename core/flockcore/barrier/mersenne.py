"""Pinned random draws: CPython's `random.Random`, value for value, without its loops.

Recorded schedules were drawn from CPython's Mersenne Twister (spec barrier, section 7). numpy has
the same generator; what a draw does with its 32-bit words is redone here on arrays.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flockcore.barrier.arrays import Indices, Integers, Mask

    type Words = NDArray[np.uint32]

__all__ = ["Twister"]

_WORD = 32
_SHORT = 511  # up to this many draws a plain loop is as fast


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
        keys = [number >> (_WORD * place) & 0xFFFFFFFF for place in range(words)]
        # Of numpy's type: Python's overflow where C's long has 32 bits, as in browsers.
        self._seeding.seed([np.uint32(key) for key in keys])
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

    def chances(self, count: int, probability: float) -> Mask:
        """Draw whether each of `uniforms` is below a probability, shape (count,)."""
        words = self._take(2 * count)
        # The first 27 bits tell, except where they are those of the probability itself.
        first = words[0::2] >> np.uint32(5)
        border = int(probability * 2.0**27)
        below: Mask = first < border
        tied = np.flatnonzero(first == border)
        second = words[1::2][tied] >> np.uint32(6)
        below[tied] = (border * 2.0**26 + second) * 2.0**-53 < probability
        return below

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
            # As long as bounds have the same number of bits, that is: down to a power of two.
            last = 1 << (bound.bit_length() - 1)
            targets[last - 1 : bound] = self._falling(bound, last)[::-1]
            bound = last - 1
        if bound > 1:
            targets[1:bound] = self._falling_slowly(bound, 2)[::-1]
        return targets

    def _falling(self, bound: int, last: int) -> Integers | list[int]:
        """Draw below `bound`, below `bound` - 1, and so on down to `last`, all of as many bits."""
        plan = _plan(bound, last)
        words = self._take(len(plan.low))
        taken = np.flatnonzero(plan.accepted(words))[: bound - last + 1]
        if len(taken) < bound - last + 1 or not plan.was_near(taken):
            self._give_back(words)
            return self._falling_slowly(bound, last)
        self._give_back(words[taken[-1] + 1 :])
        return words[taken] >> np.uint32(_WORD - bound.bit_length())

    def _falling_slowly(self, bound: int, end: int) -> list[int]:
        """Draw below `bound`, below `bound` - 1, and so on down to `end`, 2 or more."""
        drawn: list[int] = []
        stream = iter(self._take(bound + bound // 2 + 8).tolist())
        while bound >= end:
            last = max(end, 1 << (bound.bit_length() - 1))
            shift = _WORD - bound.bit_length()
            limit, step, lowest = bound << shift, 1 << shift, last << shift
            for word in stream:
                if word < limit:
                    drawn.append(word >> shift)
                    limit -= step
                    if limit < lowest:
                        break
            bound = limit >> shift
            if bound >= last:
                stream = iter(self._take(bound + bound // 2 + 8).tolist())
        self._give_back(np.array(list(stream), dtype=np.uint32))
        return drawn

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


@dataclass(frozen=True, eq=False, slots=True)
class _Plan:
    """How to go through L words of draws whose bound falls, all of as many bits.

    A draw below b takes words until one, shifted to the bits of b, is below b; that is, until a
    word is below b shifted the other way. How many draws come before word t is guessed. As long as
    no guess is off by more than `slack`, a word below `low` is accepted for sure, and one that is
    not below `low` + `width` is not. The few others are gone through one by one, and in the end it
    is verified that no guess was off by more: guesses rise, so that is to say that draw j was
    neither `earliest[j]` or before, nor after `latest[j]`.
    """

    bound: int
    shift: int
    low: Words
    width: Words
    earliest: Indices
    latest: Indices

    def accepted(self, words: Words) -> Mask:
        """Return which words are accepted, provided that `was_near`, shape (L,)."""
        accepted: Mask = words < self.low
        doubted = np.flatnonzero(words - self.low < self.width)
        surely = np.cumsum(accepted, dtype=np.int32)[doubted]
        values = (words[doubted] >> np.uint32(self.shift)).astype(np.int32) + surely
        bound, verdicts = self.bound, []
        for value in values.tolist():
            verdict = value < bound
            bound -= verdict
            verdicts.append(verdict)
        accepted[doubted] = verdicts
        return accepted

    def was_near(self, taken: Indices) -> bool:
        """Return whether no guess was off by more than the slack, from the words of the draws."""
        return bool((taken <= self.latest).all() and (taken > self.earliest).all())


@lru_cache(maxsize=64)
def _plan(bound: int, last: int) -> _Plan:
    """Return the plan of draws below `bound` down to `last`."""
    bits = bound.bit_length()
    # A draw below b takes 2**bits / b words on average. Only the guess depends on these sums.
    spent = np.cumsum(float(1 << bits) / np.arange(bound, last - 1, -1, dtype=np.float64))
    length = int(spent[-1]) + 5 * isqrt(bound - last + 1) + 16
    beyond = np.arange(1, length + 1, dtype=np.float64) * 2 + spent[-1]
    guess = np.searchsorted(np.concatenate([spent, beyond]), np.arange(length), side="right")
    # Positions have 32 bits in the browser, too few for what follows.
    guess = guess.astype(np.int64)
    slack = 5 * isqrt(bound - last + 1) // 3 + 12
    draws = np.arange(bound - last + 1)
    # Word t with j draws before it was guessed well if guess[t] is in j - slack ... j + slack. Of
    # such words the last is that of draw j, and the first the one after that of draw j - 1.
    latest = np.searchsorted(guess, draws + slack, side="right") - 1
    earliest = np.searchsorted(guess, draws + 1 - slack, side="left") - 2
    shift = _WORD - bits
    low = np.maximum(bound - guess - slack, 0) << shift
    high = np.minimum((bound - guess + slack) << shift, (1 << _WORD) - 1)
    return _Plan(
        bound=bound,
        shift=shift,
        low=low.astype(np.uint32),
        width=(high - low).astype(np.uint32),
        earliest=earliest.astype(np.intp),
        latest=latest.astype(np.intp),
    )


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
    # The next larger place with the same target; the target, n higher, for the largest. Sums in
    # place of np.where, which is slow where truth values follow no pattern.
    alone = target + count
    further = place[:-1] - alone[1:]
    further *= target[1:] == target[:-1]
    alone[1:] += further
    following = np.empty(count, dtype=np.intp)
    following[place] = alone
    # The smallest place above p whose target is p, the last one written; else p itself.
    source = places.copy()
    source[target] = place
    itself = np.flatnonzero(targets == places)
    source[itself] = np.where(following[itself] < count, following[itself], itself)
    while True:
        further = source.take(source, mode="clip")
        if np.array_equal(further, source):
            break
        source = further
    return np.concatenate([source, places]).take(following, mode="clip")
