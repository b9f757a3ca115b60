"""Exploring the consensus engine to closure: every state is a few rows of one engine.

All states of a depth are expanded at once: an action is one call on all of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.consensus import Consensus, ConsensusOptions

LEFT_OUT = {"own_id", "due", "next_due", "options"}

type Bytes = NDArray[np.uint8]
type Words = NDArray[np.uint64]

_BLOCK = 2048
"""States that are named at once: their words stay in the processor's cache."""


def arrays(part: object) -> Iterator[np.ndarray]:
    """Walk the arrays that tell states apart (``due`` is only a hint when to look)."""
    for each in fields(part):
        if each.name in LEFT_OUT:
            continue
        value = getattr(part, each.name)
        if is_dataclass(value):
            yield from arrays(value)
        else:
            yield value


class States:
    """Some states: an engine with ``nodes`` rows a state, and notes beside it."""

    def __init__(self, engine: Consensus, nodes: int, notes: NDArray[np.int64]) -> None:
        self.engine, self.nodes, self.notes = engine, nodes, notes

    @property
    def size(self) -> int:
        return len(self.notes)

    def rows(self, node: int) -> NDArray[np.intp]:
        """Rows of one node in every state."""
        return np.arange(self.size) * self.nodes + node

    def pack(self) -> Bytes:
        parts = [each.reshape(self.size, -1).view(np.uint8) for each in arrays(self.engine)]
        parts.append(self.notes.view(np.uint8))
        return np.concatenate(parts, axis=1)


class Space:
    """What all states have in common."""

    def __init__(
        self, options: ConsensusOptions, *, nodes: int, electors: int, places: int, notes: int
    ) -> None:
        self.options, self.nodes, self.notes = options, nodes, notes
        self.electors, self.places = electors, places

    def blank(self, size: int) -> States:
        engine = Consensus.create(
            size * self.nodes,
            options=self.options,
            own_id=np.tile(np.arange(1, self.nodes + 1), size),
            electors=self.electors,
            places=self.places,
        )
        return States(engine, self.nodes, np.zeros((size, self.notes), np.int64))

    def unpack(self, packed: Bytes) -> States:
        states = self.blank(len(packed))
        at = 0
        for each in [*arrays(states.engine), states.notes]:
            view = each.reshape(len(packed), -1).view(np.uint8)
            view[...] = packed[:, at : at + view.shape[1]]
            at += view.shape[1]
        # Wake every tick: the hint when to look is not part of a state.
        states.engine.due[:] = 0
        states.engine.next_due = 0
        return states

    def explore(self, start: States, expand: Callable[[States], Iterator[States]]) -> int:
        """Count the states reachable from ``start``; ``expand`` yields what each action makes."""
        seen, checks = np.zeros((2, 0), np.uint64)
        frontier = start.pack()
        while len(frontier):
            names, frontier = _distinct(*_names(frontier), frontier)
            place = np.searchsorted(seen, names[0])
            known = np.zeros(len(place), np.bool_)
            inside = place < len(seen)
            known[inside] = seen[place[inside]] == names[0][inside]
            _same(checks[place[known]], names[1][known])
            place, names, frontier = place[~known], names[:, ~known], frontier[~known]
            seen, checks = (
                np.insert(old, place, new) for old, new in zip((seen, checks), names, strict=True)
            )
            if not len(frontier):
                break
            made = [each.pack() for each in expand(self.unpack(frontier)) if each.size]
            frontier = np.concatenate(made) if made else frontier[:0]
        return len(seen)


def _distinct(names: Words, checks: Words, packed: Bytes) -> tuple[Words, Bytes]:
    """Return each name once, ascending, above its check, and the states of those names."""
    order = np.argsort(names)
    names, checks = names[order], checks[order]
    again = names[1:] == names[:-1]
    _same(checks[1:][again], checks[:-1][again])
    first = np.concatenate([[True], ~again])
    return np.stack([names[first], checks[first]]), packed[order[first]]


def _same(one: Words, other: Words) -> None:
    """States of one name must be one state: 64 more bits say so."""
    if not np.array_equal(one, other):
        raise AssertionError("two states have one name")


def _names(packed: Bytes) -> tuple[Words, Words]:
    """Name states by 64 bits, and by 64 others to check these."""
    padded = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    words = padded.view(np.uint64)
    weights = np.random.Generator(np.random.Philox(7)).integers(
        1, 2**64, (2, words.shape[1]), dtype=np.uint64
    )
    # Most words are the same in all these states: they add the same to every name.
    varies = (words != words[:1]).any(axis=0)
    names = np.tile(_mixed(words[:1, ~varies], weights[:, ~varies]), len(words))
    words, weights = words[:, varies], weights[:, varies]
    for start in range(0, len(words), _BLOCK):
        names[:, start : start + _BLOCK] += _mixed(words[start : start + _BLOCK], weights)
    return names[0], names[1]


def _mixed(words: Words, weights: Words) -> Words:
    """Sum the scrambled words of each state, once for each row of weights."""
    once = words ^ (words >> np.uint64(29))
    sums = np.empty((len(weights), len(words)), np.uint64)
    for total, weight in zip(sums, weights, strict=True):
        odd = weight | np.uint64(1)
        mixed = once + weight
        mixed *= odd
        mixed ^= mixed >> np.uint64(32)
        mixed *= odd
        mixed.sum(axis=1, dtype=np.uint64, out=total)
    return sums
