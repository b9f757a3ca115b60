"""How logs travel: every node learns the entries of every writer over the lossy network.

What a node has is a row of numbers: of each writer the first so many entries. A writer sends a new
entry to its neighbours in the complex, and whoever learns something passes it on. What gets lost on
the way is found by anti-entropy (Demers et al. 1987): once a period a node sends its neighbours a
summary of its row; whose row differs answers with the row, and is sent what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from flockcore.kernel.mail import BODY, FanOut, Parcel
from flockcore.kernel.rng import pair_key, spread

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Indices, Integers, Mask
    from flockcore.hodge.deltas import DeltaLog
    from flockcore.kernel.channel import Channel

__all__ = ["ENTRY_OCTETS", "HEADER_OCTETS", "FlowKind", "Letters", "Replicas", "summaries"]

HEADER_OCTETS = 16
"""Bytes of a summary, of one number of a row, or of the head of a batch of entries."""
ENTRY_OCTETS = 12
"""Bytes of one line of an entry: an edge and a delta."""


class FlowKind(IntEnum):
    """Message kinds of the hodge layer; those of the flock are other numbers, below 16 too."""

    SUMMARY = 11
    HAVE = 12
    ENTRIES = 13


def summaries(versions: Integers) -> Integers:
    """Return a number per row that differs where rows differ, but for chance, shape (N,)."""
    rows, columns = versions.shape
    column = np.broadcast_to(np.arange(columns, dtype=np.intp), (rows, columns))
    mixed = spread(np.uint64(0), pair_key(column, versions.astype(np.intp)))
    mixed[versions == 0] = 0
    summed: Integers = mixed.sum(axis=1, dtype=np.uint64).view(np.int64)
    return summed


@dataclass(slots=True)
class Letters:
    """Letters to single nodes, as struct of arrays.

    Attributes:
        kind: message kind.
        sender: sender of each, shape (n,).
        target: receiver of each, shape (n,).
        column: writer that each is about, shape (n,).
        first: first entry, or 0, shape (n,).
        last: last entry, or the number known, shape (n,).
    """

    kind: FlowKind
    sender: Indices
    target: Indices
    column: Indices
    first: Integers
    last: Integers


@dataclass(slots=True)
class Replicas:
    """What every node has of every writer's log.

    Attributes:
        versions: entries that each node has of each writer, shape (N, A).
        learned: tick at which each node last learned anything, shape (N,).
        sent: copies sent by each node, shape (N,).
        octets: bytes of these, shape (N,).
    """

    versions: Integers
    learned: Integers
    sent: Integers
    octets: Integers

    @classmethod
    def empty(cls, nodes: int) -> Replicas:
        """Return `nodes` replicas that have nothing."""
        return cls(
            np.zeros((nodes, 0), dtype=np.int64),
            *(np.zeros(nodes, dtype=np.int64) for _ in range(3)),
        )

    def wrote(self, log: DeltaLog, node: int, column: int, number: int, tick: int) -> None:
        """Note that `node` has an entry of its own."""
        missing = len(log.writer) - self.versions.shape[1]
        if missing:
            self.versions = np.pad(self.versions, ((0, 0), (0, missing)))
        self.versions[node, column] = number
        self.learned[node] = tick

    def forget(self, rows: Indices, log: DeltaLog) -> None:
        """Let restarted nodes have nothing but their own log, which they keep on disk."""
        self.versions[rows] = 0
        for column in np.flatnonzero(np.isin(log.writer, rows)):
            self.versions[log.writer[column], column] = log.length[column]

    def read(self, parcels: list[Parcel], channel: Channel, tick: int) -> list[Letters]:
        """Take what arrived; returns what is to be sent, answers first."""
        out: list[Letters] = []
        news: list[Letters] = []
        for kind in FlowKind:
            for parcel in parcels:
                if parcel.kind != kind:
                    continue
                rows, sender = parcel.edge // channel.reach, channel.source(parcel.edge)
                order = np.lexsort((parcel.body[:, 1], parcel.order, rows))
                rows, sender, body = rows[order], sender[order], parcel.body[order]
                if kind is FlowKind.SUMMARY:
                    out += self._compare(rows, sender, body[:, 0])
                elif kind is FlowKind.HAVE:
                    out += self._answer(rows, sender, body[:, 0].astype(np.intp), body[:, 2])
                else:
                    news += self._take(rows, body[:, 0].astype(np.intp), body[:, 1:3], tick)
        return out + news

    def _compare(self, rows: Indices, sender: Indices, summary: Integers) -> list[Letters]:
        """Answer a summary that differs with one's own row."""
        differs = summaries(self.versions)[rows] != summary
        rows, sender = rows[differs], sender[differs]
        columns = self.versions.shape[1]
        column = np.tile(np.arange(columns, dtype=np.intp), len(rows))
        mine, to = rows.repeat(columns), sender.repeat(columns)
        last = self.versions[mine, column]
        return [Letters(FlowKind.HAVE, mine, to, column, np.zeros_like(last), last)]

    def _answer(
        self, rows: Indices, sender: Indices, column: Indices, theirs: Integers
    ) -> list[Letters]:
        """Send what the other lacks, or tell how much one has when one lacks it oneself."""
        mine = self.versions[rows, column]
        more, less = mine > theirs, mine < theirs
        return [
            Letters(
                FlowKind.ENTRIES,
                rows[more],
                sender[more],
                column[more],
                theirs[more] + 1,
                mine[more],
            ),
            Letters(
                FlowKind.HAVE,
                rows[less],
                sender[less],
                column[less],
                np.zeros(int(less.sum()), dtype=np.int64),
                mine[less],
            ),
        ]

    def _take(self, rows: Indices, column: Indices, entries: Integers, tick: int) -> list[Letters]:
        """Take entries that continue what one has; returns them for all neighbours (target -1)."""
        first, last = entries[:, 0], entries[:, 1]
        before = self.versions.copy()
        waiting = np.ones(len(rows), dtype=np.bool_)
        while True:
            mine = self.versions[rows, column]
            fits = waiting & (first <= mine + 1) & (last > mine)
            if not fits.any():
                break
            np.maximum.at(self.versions, (rows[fits], column[fits]), last[fits])
            waiting &= ~fits
        row, which = np.nonzero(self.versions != before)
        self.learned[row] = tick
        everybody = np.full(len(row), -1, dtype=np.intp)
        return [
            Letters(
                FlowKind.ENTRIES,
                row,
                everybody,
                which,
                before[row, which] + 1,
                self.versions[row, which],
            )
        ]

    def post(self, letters: list[Letters], log: DeltaLog, channel: Channel, tick: int) -> None:
        """Send letters, and count them."""
        for one in letters:
            for to_all in (False, True):
                mine = (one.target < 0) == to_all
                if mine.any():
                    self._post(one, mine, log, channel, tick)

    def _post(
        self, letters: Letters, mine: Mask, log: DeltaLog, channel: Channel, tick: int
    ) -> None:
        sender, target = letters.sender[mine], letters.target[mine]
        column, first, last = letters.column[mine], letters.first[mine], letters.last[mine]
        size = np.full(len(sender), HEADER_OCTETS, dtype=np.int64)
        if letters.kind is FlowKind.ENTRIES:
            size += ENTRY_OCTETS * log.lines(column, first.astype(np.intp), last.astype(np.intp))
        body = np.zeros((len(sender), BODY), dtype=np.int64)
        body[:, 0], body[:, 1], body[:, 2] = column, first, last
        if target[0] >= 0:
            edge = channel.edge_from(sender, target)
            rank = np.flatnonzero(edge >= 0)
            along = FanOut.along(edge[rank], rank, sender, channel.reach)
        else:
            along = channel.fan_out(sender)
        self._hand_over(letters.kind, along, body, size, channel, tick)

    def summarise(self, rows: Indices, channel: Channel, tick: int) -> None:
        """Send the summaries of `rows` to their neighbours."""
        body = np.zeros((len(rows), BODY), dtype=np.int64)
        body[:, 0] = summaries(self.versions)[rows]
        size = np.full(len(rows), HEADER_OCTETS, dtype=np.int64)
        self._hand_over(FlowKind.SUMMARY, channel.fan_out(rows), body, size, channel, tick)

    def _hand_over(
        self,
        kind: FlowKind,
        along: FanOut,
        body: Integers,
        size: Integers,
        channel: Channel,
        tick: int,
    ) -> None:
        copies = np.bincount(along.rank, minlength=len(body))
        np.add.at(self.sent, along.senders, copies)
        np.add.at(self.octets, along.senders, copies * size)
        order = (tick << 24) + (along.senders.astype(np.int64) << 4) + int(kind)
        channel.send(
            kind=int(kind),
            along=along,
            order=order,
            tick=tick,
            octets=HEADER_OCTETS,
            body=body,
        )
        # The channel counts one length for all; entries are longer than their heads.
        channel.traffic.octets += int((copies * (size - HEADER_OCTETS)).sum())
