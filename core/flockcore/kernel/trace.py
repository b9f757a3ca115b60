"""A record of single messages: who sent what to whom, and what became of each copy.

Statistics count; a trace names. It is made on demand, by re-executing a window of ticks with a
recorder on the channel, so that an ordinary run pays nothing for it.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from flockcore.kernel.mail import FanOut
    from flockcore.kernel.network import Network

__all__ = ["Fate", "Recorder", "Trace"]

type Indices = NDArray[np.intp]

_NEVER = -1


class Fate(IntEnum):
    """What became of one copy of a message."""

    DELIVERED = 0
    LOST = 1
    CUT = 2
    DOWN = 3
    IN_FLIGHT = 4


@dataclass(frozen=True, slots=True)
class Trace:
    """Copies of messages, as struct of arrays over n copies; messages in the order of sending.

    Attributes:
        message: number of the message that the copy belongs to: a broadcast is one message, shape
            (n,).
        tick: tick of sending, shape (n,).
        kind: message kind, shape (n,).
        source: sender, shape (n,).
        target: receiver, shape (n,).
        sequence: 8-bit sequence number, shape (n,).
        delivered: tick at whose end the copy came into the inbox; -1 when it did not, shape (n,).
        fate: a `Fate`, shape (n,); IN_FLIGHT when the window ended first.
        body: content, zeros for kinds without, shape (n, B).
    """

    message: NDArray[np.int64]
    tick: NDArray[np.int64]
    kind: NDArray[np.int64]
    source: Indices
    target: Indices
    sequence: NDArray[np.uint8]
    delivered: NDArray[np.int64]
    fate: NDArray[np.uint8]
    body: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.message)

    def take(self, index: Indices | NDArray[np.bool_]) -> "Trace":
        """Return the copies at `index`."""
        return Trace(*(getattr(self, item.name)[index] for item in fields(self)))


class Recorder:
    """What a channel tells while it is traced."""

    def __init__(self, *, kinds: Collection[int] | None = None) -> None:
        """Start with nothing recorded.

        Args:
            kinds: Message kinds to record; None records all.
        """
        self._kinds = kinds
        self._batches: list[Trace] = []
        self._due: list[NDArray[np.int64]] = []
        self._messages = 0
        self._open = 0

    def sent(
        self,
        *,
        kind: int,
        along: "FanOut",
        index: Indices | None,
        due: NDArray[np.int64],
        tick: int,
        sequence: NDArray[np.uint8] | None = None,
        body: NDArray[np.int64] | None = None,
    ) -> None:
        """Record one call of the channel's `send`.

        Args:
            kind: Message kind.
            along: The edges, one per copy.
            index: The copies that travel, as positions along the edges; None means all.
            due: Tick at whose end each travelling copy is due; one for all if they are alike.
            tick: The present tick.
            sequence: Sequence number per sender, or None.
            body: Content per sender, shape (senders, B), or None.
        """
        if self._kinds is not None and kind not in self._kinds:
            return
        count = len(along.edge)
        travelling = np.arange(count, dtype=np.intp) if index is None else index
        lost = np.ones(count, dtype=np.bool_)
        lost[travelling] = False
        copies = np.r_[travelling, np.flatnonzero(lost)]
        rank = along.rank[copies]
        fate = np.full(len(copies), Fate.LOST, dtype=np.uint8)
        fate[: len(travelling)] = Fate.IN_FLIGHT
        self._batches.append(
            Trace(
                message=self._messages + rank.astype(np.int64),
                tick=np.full(len(copies), tick, dtype=np.int64),
                kind=np.full(len(copies), kind, dtype=np.int64),
                source=along.source[copies],
                target=along.target[copies],
                sequence=np.zeros(len(copies), np.uint8) if sequence is None else sequence[rank],
                delivered=np.full(len(copies), _NEVER, dtype=np.int64),
                fate=fate,
                body=np.zeros((len(copies), 0), np.int64) if body is None else body[rank],
            )
        )
        dues = np.full(len(copies), _NEVER, dtype=np.int64)
        dues[: len(travelling)] = due
        self._due.append(dues)
        self._messages += int(along.rank.max(initial=-1)) + 1

    def arrived(self, tick: int, reachable: NDArray[np.bool_], network: "Network") -> None:
        """Record one call of the channel's `deliver`: what is due arrives, or is stopped.

        Args:
            tick: The present tick.
            reachable: Nodes whose inbox takes messages, shape (N,).
            network: The faults that hold.
        """
        first_open = len(self._batches)
        for number in range(self._open, len(self._batches)):
            batch, due = self._batches[number], self._due[number]
            now = np.flatnonzero((batch.fate == Fate.IN_FLIGHT) & (due <= tick))
            passing = network.open(batch.source[now], batch.target[now])
            down = ~reachable[batch.target[now]]
            fate = np.where(down, Fate.DOWN, np.where(passing, Fate.DELIVERED, Fate.CUT))
            batch.fate[now] = fate
            batch.delivered[now[fate == Fate.DELIVERED]] = tick
            if first_open > number and (batch.fate == Fate.IN_FLIGHT).any():
                first_open = number
        self._open = first_open

    def trace(self) -> Trace:
        """Return what was recorded; the messages are in the order of sending."""
        batches = self._batches or [_nothing()]
        width = max(batch.body.shape[1] for batch in batches)
        whole: dict[str, NDArray[Any]] = {}
        for item in fields(Trace):
            pieces = [getattr(batch, item.name) for batch in batches]
            if item.name == "body":
                pieces = [np.pad(piece, ((0, 0), (0, width - piece.shape[1]))) for piece in pieces]
            whole[item.name] = np.concatenate(pieces)
        return Trace(**whole)


def _nothing() -> Trace:
    whole: dict[str, NDArray[Any]] = {
        item.name: np.zeros(0, dtype=np.int64) for item in fields(Trace)
    }
    return Trace(**{**whole, "body": np.zeros((0, 0), dtype=np.int64)})
