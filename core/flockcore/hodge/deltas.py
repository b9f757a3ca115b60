"""Append-only logs of edge flows, one for each writer, in exact fixed point.

A writer appends an entry: a few edges and what it adds to the flow along each, in steps of 2^-20.
Entries of one writer are numbered from 1. Whoever has received the first v entries of a writer
knows its prefix v, and a flow is a sum of prefixes. Sums of integers do not depend on their order,
so two nodes that know the same prefixes hold the same flow, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Floats, Indices, Integers

__all__ = ["STEP", "DeltaLog", "to_steps"]

STEP = 2.0**-20
"""Unit of a delta."""


def to_steps(rate: float) -> int:
    """Return a rate in units of `STEP`, rounded to the nearest."""
    return round(rate / STEP)


@dataclass(slots=True)
class DeltaLog:
    """The entries of all writers, one line for each edge of each entry, in order of writing.

    Attributes:
        writer: nodes that have written, in order of their first entry, shape (A,).
        length: entries of each, shape (A,).
        column: position of each line's writer in `writer`, shape (L,).
        number: number of the entry that a line belongs to, shape (L,).
        edge: the edge, shape (L,).
        delta: what is added to its flow, in units of `STEP`, shape (L,).
        tick: tick of writing, shape (L,).
    """

    writer: Integers
    length: Integers
    column: Integers
    number: Integers
    edge: Integers
    delta: Integers
    tick: Integers

    @classmethod
    def empty(cls) -> Self:
        """Return the logs of a flock that has not written."""
        return cls(*(np.zeros(0, dtype=np.int64) for _ in range(7)))

    def append(self, node: int, edges: Indices, deltas: Integers, tick: int) -> tuple[int, int]:
        """Append one entry of `node`; returns its column and number."""
        at = np.flatnonzero(self.writer == node)
        if len(at):
            column = int(at[0])
        else:
            column = len(self.writer)
            self.writer = np.append(self.writer, node)
            self.length = np.append(self.length, 0)
        self.length[column] += 1
        number = int(self.length[column])
        count = len(edges)
        self.column = np.append(self.column, np.full(count, column))
        self.number = np.append(self.number, np.full(count, number))
        self.edge = np.append(self.edge, edges)
        self.delta = np.append(self.delta, deltas)
        self.tick = np.append(self.tick, np.full(count, tick))
        return column, number

    def lines(self, column: Indices, first: Indices, last: Indices) -> Indices:
        """Return how many lines entries `first` to `last` of writers have, shape (n,)."""
        most = int(self.length.max(initial=0))
        table = np.zeros((len(self.writer), most + 1), dtype=np.int64)
        np.add.at(table, (self.column, self.number), 1)
        total = np.cumsum(table, axis=1)
        counts: Indices = total[column, last] - total[column, first - 1]
        return counts

    def chain(self, prefix: Integers, edges: int) -> Integers:
        """Return the flow that prefixes add up to, in units of `STEP`, shape (edges,).

        Args:
            prefix: entries known of each writer, shape (A,); writers beyond its end count as 0.
            edges: number of edges.
        """
        known = np.zeros(len(self.writer), dtype=np.int64)
        known[: len(prefix)] = prefix
        mine = self.number <= known[self.column]
        flow = np.zeros(edges, dtype=np.int64)
        np.add.at(flow, self.edge[mine], self.delta[mine])
        return flow

    def flow(self, prefix: Integers, edges: int) -> Floats:
        """Return `chain` as numbers, exactly."""
        return self.chain(prefix, edges).astype(np.float64) * STEP
