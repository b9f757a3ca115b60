"""The lossy network: what becomes of each copy of a message.

A copy passes the faults that hold, in script order: loss, duplication, delay and reordering when it
is sent, partitions and cuts when it is delivered, so that what is in flight at a cut is lost. Every
draw depends on (seed, fault, message kind, tick, sender, receiver) alone, and every fault counts
what it let pass and what it touched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flockcore.kernel.faults import (
    Cut,
    Delay,
    Duplicate,
    LinkFault,
    Loss,
    Partition,
    Reorder,
)
from flockcore.kernel.rng import (
    EXPONENTIAL_BINS,
    Streams,
    chance,
    exponential_table,
    spread,
)
from flockcore.kernel.script import Span

__all__ = ["KINDS_LIMIT", "Copies", "Dispatch", "LossRule", "Network"]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]
type LossRule = Callable[[Indices, Indices, int], Mask]

KINDS_LIMIT = 16
"""Message kinds are numbers below this: each has its own draws."""

_BIN_SHIFT = np.uint64(64 - (EXPONENTIAL_BINS.bit_length() - 1))


class Copies(Protocol):
    """Copies of messages, as struct of arrays over n copies, worked out as far as they are read."""

    @property
    def source(self) -> Indices:
        """Sender of each copy, shape (n,)."""

    @property
    def target(self) -> Indices:
        """Receiver of each copy, shape (n,)."""

    @property
    def pairs(self) -> NDArray[np.uint64]:
        """`flockcore.kernel.rng.pair_key` of each copy, shape (n,)."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What becomes of a batch of copies when it is sent.

    Attributes:
        index: the copies that travel, as positions in the batch; a repeated position is a
            duplicate; None means all of them, once.
        ticks: ticks of delay of each copy that travels; None means none.
    """

    index: Indices | None
    ticks: NDArray[np.int64] | None


@dataclass(slots=True)
class _Divide:
    """A partition, ready for look-up: the side of each node and the pairs of sides that are cut."""

    ordinal: int
    side: Indices
    blocked: Mask  # flat (sides * sides)
    sides: int


@dataclass(slots=True)
class _LinkStage:
    """A fault on the links between two sets of nodes; None means all nodes."""

    ordinal: int
    fault: LinkFault
    source: Mask | None
    target: Mask | None
    name: str
    bound: np.uint64 = field(default=np.uint64(0))

    def touches(self, copies: Copies, index: Indices | None) -> Mask | None:
        """Return which of the copies at `index` the fault concerns; None means all."""
        within = None if self.source is None else self.source[copies.source]
        if self.target is not None:
            aimed = self.target[copies.target]
            within = aimed if within is None else within & aimed
        return within if within is None or index is None else within[index]


class Network:
    """The network faults that hold, applied to batches of copies.

    Args:
        nodes: number of nodes N.
        streams: the draws of the run.
        tick_us: length of a tick in microseconds; delays are rounded up to whole ticks.
        loss_rule: replaces all drawn loss: which copies (sources, targets, tick) are lost; for
            replaying recorded runs.

    Attributes:
        passed: copies that each fault let pass, by ordinal of the script.
        touched: copies that each fault dropped, repeated, delayed or reordered, by ordinal.
    """

    def __init__(
        self,
        *,
        nodes: int,
        streams: Streams,
        tick_us: int,
        loss_rule: LossRule | None = None,
    ) -> None:
        self.nodes = nodes
        self.streams = streams
        self.tick_us = tick_us
        self.loss_rule = loss_rule
        self.passed = np.zeros(0, dtype=np.int64)
        self.touched = np.zeros(0, dtype=np.int64)
        self._divides: list[_Divide] = []
        self._cuts: list[tuple[int, NDArray[np.int64]]] = []
        self._stages: list[_LinkStage] = []
        self._held: tuple[Span, ...] = ()

    def hold(self, spans: Sequence[Span], faults: int) -> None:
        """Let exactly `spans` hold from now on.

        Args:
            spans: the network faults that hold.
            faults: length of the script, so that every ordinal has a counter.
        """
        if faults != len(self.passed):
            fresh = np.zeros(faults, dtype=np.int64)
            self.passed = np.append(self.passed, fresh)[:faults]
            self.touched = np.append(self.touched, fresh)[:faults]
        if tuple(spans) == self._held:
            return
        self._held = tuple(spans)
        self._divides = [
            self._divide(span.ordinal, span.fault)
            for span in spans
            if isinstance(span.fault, Partition)
        ]
        self._cuts = [
            (span.ordinal, self._cut_pairs(span.fault))
            for span in spans
            if isinstance(span.fault, Cut)
        ]
        self._stages = [
            self._stage(span.ordinal, span.fault)
            for span in spans
            if isinstance(span.fault, LinkFault)
        ]

    @property
    def divided(self) -> bool:
        """Whether any partition or cut holds."""
        return bool(self._divides or self._cuts)

    @property
    def repeats(self) -> bool:
        """Whether one message may arrive more than once."""
        return any(isinstance(stage.fault, Duplicate) for stage in self._stages)

    def sides(self) -> Indices:
        """Return a label per node, equal for nodes that no partition separates, shape (N,)."""
        label = np.zeros(self.nodes, dtype=np.intp)
        for divide in self._divides:
            _, label = np.unique(label * divide.sides + divide.side, return_inverse=True)
        return label.astype(np.intp)

    def open(self, source: Indices, target: Indices) -> Mask:
        """Return which links carry traffic from `source` to `target`; counts nothing."""
        passing = np.ones(np.shape(source), dtype=np.bool_)
        for divide in self._divides:
            crossing = divide.side[source] * divide.sides + divide.side[target]
            passing &= ~divide.blocked[crossing]
        for _, pairs in self._cuts:
            passing &= ~np.isin(_pair(source, target), pairs)
        return passing

    def cross(self, source: Indices, target: Indices) -> Mask | None:
        """Return which copies are delivered across the cuts that hold, and count them.

        Returns:
            None when nothing is cut, else a mask over the copies.
        """
        if not self.divided:
            return None
        passing = np.ones(len(source), dtype=np.bool_)
        for divide in self._divides:
            near, far = divide.side[source], divide.side[target]
            stopped = divide.blocked[near * divide.sides + far]
            self.touched[divide.ordinal] += np.count_nonzero(stopped)
            self.passed[divide.ordinal] += np.count_nonzero((near != far) & ~stopped)
            passing &= ~stopped
        for ordinal, pairs in self._cuts:
            stopped = np.isin(_pair(source, target), pairs)
            self.touched[ordinal] += np.count_nonzero(stopped)
            passing &= ~stopped
        return passing

    def dispatch(self, copies: Copies, *, kind: int, tick: int) -> Dispatch:
        """Decide what becomes of copies that are sent at `tick`.

        Args:
            copies: who sends what to whom.
            kind: message kind, below `KINDS_LIMIT`: each kind has its own draws.
            tick: the tick of sending.
        """
        index: Indices | None = None
        ticks: NDArray[np.int64] | None = None
        if self.loss_rule is not None:
            index = np.flatnonzero(~self.loss_rule(copies.source, copies.target, tick))
        for stage in self._stages:
            if isinstance(stage.fault, Loss) and self.loss_rule is not None:
                continue
            word = self._word(stage, kind, tick)
            index, ticks = self._pass(stage, word, copies, index, ticks)
        return Dispatch(index, ticks)

    def _pass(
        self,
        stage: _LinkStage,
        word: np.uint64,
        copies: Copies,
        index: Indices | None,
        ticks: NDArray[np.int64] | None,
    ) -> tuple[Indices | None, NDArray[np.int64] | None]:
        within = stage.touches(copies, index)
        draw = spread(word, copies.pairs if index is None else copies.pairs[index])
        match stage.fault:
            case Loss():
                kept = draw >= stage.bound
                if within is not None:
                    kept |= ~within
                return self._keep(stage.ordinal, within, kept, index, ticks)
            case Duplicate():
                again = draw < stage.bound
                if within is not None:
                    again &= within
                return self._repeat(stage.ordinal, again, index, ticks)
            case Delay(min_us=least, mean_us=mean):
                late = least + (
                    exponential_table()[(draw >> _BIN_SHIFT).view(np.int64)] * mean >> 16
                )
                waits = -(-late // self.tick_us)
                if within is not None:
                    waits = np.where(within, waits, 0)
            case Reorder(by_us=by):
                waits = np.where(draw < stage.bound, -(-by // self.tick_us), 0)
                if within is not None:
                    waits = np.where(within, waits, 0)
            case _:  # pragma: no cover - the vocabulary is closed
                raise AssertionError(stage.fault)
        moved = np.count_nonzero(waits)
        self.touched[stage.ordinal] += moved
        self.passed[stage.ordinal] += len(waits) - moved
        return index, waits if ticks is None else ticks + waits

    def _keep(
        self,
        ordinal: int,
        within: Mask | None,
        kept: Mask,
        index: Indices | None,
        ticks: NDArray[np.int64] | None,
    ) -> tuple[Indices, NDArray[np.int64] | None]:
        keep = kept.nonzero()[0]
        concerned = len(kept) if within is None else np.count_nonzero(within)
        gone = len(kept) - len(keep)
        self.touched[ordinal] += gone
        self.passed[ordinal] += concerned - gone
        return (keep if index is None else index[keep]), (None if ticks is None else ticks[keep])

    def _repeat(
        self,
        ordinal: int,
        again: Mask,
        index: Indices | None,
        ticks: NDArray[np.int64] | None,
    ) -> tuple[Indices, NDArray[np.int64] | None]:
        extra = np.flatnonzero(again)
        twice = np.concatenate([np.arange(len(again), dtype=np.intp), extra])
        self.touched[ordinal] += len(extra)
        self.passed[ordinal] += len(again) - len(extra)
        # The second copy comes a tick later, so that it is a message of its own to the receiver.
        waits = np.zeros(len(twice), dtype=np.int64)
        waits[len(again) :] = 1
        if ticks is not None:
            waits += ticks[twice]
        return (twice if index is None else index[twice]), waits

    def _word(self, stage: _LinkStage, kind: int, tick: int) -> np.uint64:
        word: np.uint64 = self.streams.raw(stage.name, tick, KINDS_LIMIT)[kind]
        return word

    def _divide(self, ordinal: int, fault: Partition) -> _Divide:
        sides = len(fault.groups) + 1
        side = np.full(self.nodes, sides - 1, dtype=np.intp)
        for number, group in enumerate(fault.groups):
            side[np.asarray(group, dtype=np.intp)] = number
        blocked = np.zeros((sides, sides), dtype=np.bool_)
        if fault.one_way:
            for near, far in fault.one_way:
                blocked[near, far] = True
        else:
            blocked[:] = ~np.eye(sides, dtype=np.bool_)
        return _Divide(ordinal, side, blocked.reshape(-1), sides)

    def _cut_pairs(self, fault: Cut) -> NDArray[np.int64]:
        ends = [(fault.source, fault.target)]
        if fault.both:
            ends.append((fault.target, fault.source))
        near, far = np.array(ends, dtype=np.intp).T
        return _pair(near, far)

    def _stage(self, ordinal: int, fault: LinkFault) -> _LinkStage:
        name = f"network/{fault.kind_name}/{ordinal}"
        stage = _LinkStage(
            ordinal, fault, self._members(fault.sources), self._members(fault.targets), name
        )
        if isinstance(fault, Loss | Duplicate | Reorder):
            stage.bound = chance(fault.probability)
        return stage

    def _members(self, nodes: tuple[int, ...]) -> Mask | None:
        if not nodes:
            return None
        mask = np.zeros(self.nodes, dtype=np.bool_)
        mask[np.asarray(nodes, dtype=np.intp)] = True
        return mask


def _pair(source: Indices, target: Indices) -> NDArray[np.int64]:
    return (source.astype(np.int64) << 32) | target.astype(np.int64)
