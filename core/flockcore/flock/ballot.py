"""Ballot tables and their evaluation (spec ekk, section 7).

A ballot is known by (proposer, ballot id). Every node keeps a short table of ballots in order of
arrival: its own, with the electorate that they were put to, and copies of other nodes' ballots,
whose electorate it does not know.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.codes import Result

__all__ = [
    "SIMPLE_MAJORITY",
    "STRICT_MAJORITY",
    "SUPERMAJORITY",
    "TWO_THIRDS",
    "UNANIMOUS",
    "BallotTable",
    "Content",
    "compact",
    "evaluate",
    "forget",
]

type Ints = NDArray[np.int64]
type Index = NDArray[np.intp]
type Mask = NDArray[np.bool_]

SIMPLE_MAJORITY = 32768
"""One half: a tie passes, so two halves of a split flock can both approve (Q09)."""
STRICT_MAJORITY = 32769
"""More than one half: of two competing ballots at most one passes."""
TWO_THIRDS = 43690
"""The floor of two thirds: two of three pass."""
SUPERMAJORITY = 43908
"""0.67, above two thirds: three of three are needed, five of six (Q09)."""
UNANIMOUS = 65536
"""Everyone."""


def evaluate(eligible: Ints, votes: Ints, yes: Ints, threshold: Ints) -> NDArray[np.uint8]:
    """Decide ballots from their counts, early where the outcome is already certain.

    With ratio(a) = floor(a * 65536 / eligible), spec section 7: approved as soon as ratio(yes)
    reaches the threshold, rejected as soon as ratio(yes + silent) can no longer reach it.

    Args:
        eligible: Size of each electorate, (n,).
        votes: Votes counted so far, (n,).
        yes: YES among them, (n,).
        threshold: Raw Q16.16 threshold, (n,); any integer is allowed.

    Returns:
        ``Result`` numbers, (n,): PENDING, APPROVED or REJECTED.
    """
    size = np.maximum(eligible, 1).astype(np.int64)
    silent = np.maximum(eligible - votes, 0)
    reached = (yes * np.int64(65536)) // size >= threshold
    reachable = ((yes + silent) * np.int64(65536)) // size >= threshold
    open_still = (silent > 0) & reachable
    result = np.where(open_still, int(Result.PENDING), int(Result.REJECTED))
    result = np.where(reached & reachable & (eligible > 0), int(Result.APPROVED), result)
    return result.astype(np.uint8)


def compact(columns: tuple[NDArray[np.generic], ...], rows: Index, keep: Mask) -> None:
    """Close the gaps in some rows of a table, in place, keeping the order of what stays.

    Args:
        columns: Arrays (N, B, ...) that share the first two axes.
        rows: Unique rows, (n,).
        keep: Which entries of these rows stay, (n, B); the others become 0.
    """
    if not keep.any():
        for column in columns:
            column[rows] = 0
        return
    order = np.argsort(~keep, axis=1, kind="stable")
    stays = np.take_along_axis(keep, order, axis=1)
    for column in columns:
        depth = (1,) * (column.ndim - 2)
        moved = np.take_along_axis(column[rows], order.reshape(order.shape + depth), axis=1)
        moved[~stays] = 0
        column[rows] = moved


def forget(table: object, rows: Index) -> None:
    """Zero some rows of every array field of a table dataclass."""
    for each in fields(table):  # type: ignore[arg-type]
        getattr(table, each.name)[rows] = 0


@dataclass(frozen=True, slots=True)
class Content:
    """Proposals as struct-of-arrays, each of shape (n,).

    Attributes:
        proposer: Id of the proposer.
        ballot: Ballot id.
        kind: ``ProposalKind`` number.
        data: Argument.
        threshold: Raw Q16.16 threshold.
    """

    proposer: Ints
    ballot: Ints
    kind: Ints
    data: Ints
    threshold: Ints

    def take(self, which: Index | Mask) -> Self:
        """Pick proposals by index or mask."""
        return type(self)(
            self.proposer[which],
            self.ballot[which],
            self.kind[which],
            self.data[which],
            self.threshold[which],
        )


@dataclass(kw_only=True, slots=True)
class BallotTable:
    """Ballots of N nodes, B places each; an entry with proposer 0 is free.

    A *cell* is the flat index ``row * B + place``.

    Attributes:
        proposer: Id of the proposer, (N, B).
        ballot: 16-bit ballot id, never 0, (N, B).
        kind: ``ProposalKind`` number, (N, B).
        data: Argument of the proposal, (N, B).
        threshold: Raw Q16.16, (N, B).
        deadline: Time in microseconds from which on a tick ends the ballot, (N, B).
        votes: Votes counted, (N, B).
        yes: YES among them, (N, B).
        no: NO among them, (N, B).
        eligible: Size of the electorate; 0 in copies of other nodes' ballots, (N, B).
        result: ``Result`` number, (N, B).
        completed: Whether the result is final, (N, B).
        announced: Result that the proposer announced, 0 before, (N, B).
        closed: Bit i is set once voter i's vote is final, (N, B).
        voter: Ids of the electorate, 0 behind its end, (N, B, V).
        vote: Last counted vote of each voter, (N, B, V).
    """

    proposer: NDArray[np.int32]
    ballot: NDArray[np.int32]
    kind: NDArray[np.int16]
    data: NDArray[np.int64]
    threshold: NDArray[np.int64]
    deadline: NDArray[np.int64]
    votes: NDArray[np.int16]
    yes: NDArray[np.int16]
    no: NDArray[np.int16]
    eligible: NDArray[np.int16]
    result: NDArray[np.uint8]
    completed: NDArray[np.bool_]
    announced: NDArray[np.uint8]
    closed: NDArray[np.int32]
    voter: NDArray[np.int32]
    vote: NDArray[np.uint8]

    @classmethod
    def empty(cls, count: int, places: int, voters: int) -> Self:
        """Make the table of ``count`` nodes with ``places`` ballots of ``voters`` voters each."""
        shape = (count, places)
        return cls(
            proposer=np.zeros(shape, np.int32),
            ballot=np.zeros(shape, np.int32),
            kind=np.zeros(shape, np.int16),
            data=np.zeros(shape, np.int64),
            threshold=np.zeros(shape, np.int64),
            deadline=np.zeros(shape, np.int64),
            votes=np.zeros(shape, np.int16),
            yes=np.zeros(shape, np.int16),
            no=np.zeros(shape, np.int16),
            eligible=np.zeros(shape, np.int16),
            result=np.zeros(shape, np.uint8),
            completed=np.zeros(shape, np.bool_),
            announced=np.zeros(shape, np.uint8),
            closed=np.zeros(shape, np.int32),
            voter=np.zeros((*shape, voters), np.int32),
            vote=np.zeros((*shape, voters), np.uint8),
        )

    @property
    def places(self) -> int:
        """Number of ballots that a node can hold."""
        return int(self.proposer.shape[1])

    def columns(self) -> tuple[NDArray[np.generic], ...]:
        """Return every array of the table."""
        return tuple(getattr(self, each.name) for each in fields(self))

    def find(self, rows: Index, proposer: Ints, ballot: Ints) -> Index:
        """Look ballots up: cells (n,), -1 where the node holds no such ballot."""
        hit = (self.proposer[rows] == proposer[:, None]) & (self.ballot[rows] == ballot[:, None])
        place = hit.argmax(axis=1)
        cell = rows * self.places + place
        return np.where(hit.any(axis=1) & (proposer > 0), cell, -1)

    def drop_finished(self, rows: Index) -> None:
        """Drop every finished ballot of ``rows`` (unique)."""
        keep = (self.proposer[rows] > 0) & ~self.completed[rows]
        compact(self.columns(), rows, keep)

    def is_full(self, rows: Index) -> Mask:
        """Tell which of ``rows`` have no free place, (n,)."""
        full: Mask = self.proposer[rows, -1] > 0
        return full

    def content(self, cell: Index) -> Content:
        """Read what the ballots in some cells are about."""
        columns = (self.proposer, self.ballot, self.kind, self.data, self.threshold)
        return Content(*(column.reshape(-1)[cell].astype(np.int64) for column in columns))

    def insert(self, rows: Index, content: Content, deadline: int) -> Index:
        """Add one ballot to each of ``rows`` (unique, with a free place); return the cells."""
        place = (self.proposer[rows] > 0).sum(axis=1)
        self.proposer[rows, place] = content.proposer
        self.ballot[rows, place] = content.ballot
        self.kind[rows, place] = content.kind
        self.data[rows, place] = content.data
        self.threshold[rows, place] = content.threshold
        self.deadline[rows, place] = deadline
        return rows * self.places + place
