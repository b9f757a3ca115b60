"""Memory of cancelled ballots, of finished ones, and of promises among competing ones."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.ballot import compact
from flockcore.flock.codes import Result

__all__ = ["BallotHistory", "Inhibitions", "Promises"]

type Ints = NDArray[np.int64]
type Index = NDArray[np.intp]
type Mask = NDArray[np.bool_]


@dataclass(kw_only=True, slots=True)
class Inhibitions:
    """Ballots that a node refuses for a while, oldest first; proposer 0 = free (spec section 7).

    Attributes:
        proposer: Id of the ballot's proposer, (N, I).
        ballot: Ballot id, (N, I).
        expiry: Time in microseconds at which the entry ends, (N, I).
    """

    proposer: NDArray[np.int32]
    ballot: NDArray[np.int32]
    expiry: NDArray[np.int64]

    @classmethod
    def empty(cls, count: int, places: int) -> Self:
        """Make the table of ``count`` nodes."""
        shape = (count, places)
        return cls(
            proposer=np.zeros(shape, np.int32),
            ballot=np.zeros(shape, np.int32),
            expiry=np.zeros(shape, np.int64),
        )

    def _match(self, rows: Index, proposer: Ints, ballot: Ints) -> Mask:
        hit: Mask = self.proposer[rows] == proposer[:, None]
        hit &= self.ballot[rows] == ballot[:, None]
        return hit

    def active(self, rows: Index, proposer: Ints, ballot: Ints, now: int) -> Mask:
        """Tell which ballots are inhibited at their row at ``now``, (n,)."""
        hit = self._match(rows, proposer, ballot) & (self.expiry[rows] > now)
        return hit.any(axis=1) & (proposer > 0)

    def record(self, rows: Index, proposer: Ints, ballot: Ints, expiry: int) -> None:
        """Note one ballot per row of ``rows`` (unique); a known one keeps its place."""
        hit = self._match(rows, proposer, ballot)
        known = hit.any(axis=1)
        self.expiry[rows[known], hit.argmax(axis=1)[known]] = expiry
        fresh = rows[~known]
        full = fresh[self.proposer[fresh, -1] > 0]
        for column in (self.proposer, self.ballot, self.expiry):
            column[full, :-1] = column[full, 1:]
            column[full, -1] = 0
        place = (self.proposer[fresh] > 0).sum(axis=1)
        self.proposer[fresh, place] = proposer[~known]
        self.ballot[fresh, place] = ballot[~known]
        self.expiry[fresh, place] = expiry

    def drop_expired(self, rows: Index, now: int) -> None:
        """Drop the entries of ``rows`` (unique) that have expired at ``now``."""
        used = self.proposer[rows] > 0
        keep = used & (self.expiry[rows] > now)
        changed = (keep != used).any(axis=1)
        compact((self.proposer, self.ballot, self.expiry), rows[changed], keep[changed])


@dataclass(kw_only=True, slots=True)
class BallotHistory:
    """Results of ballots that left the table, a ring per node (Q33).

    Attributes:
        proposer: Id of the proposer, 0 = empty, (N, H).
        ballot: Ballot id, (N, H).
        result: ``Result`` number, (N, H).
        head: Place of the next entry, (N,).
    """

    proposer: NDArray[np.int32]
    ballot: NDArray[np.int32]
    result: NDArray[np.uint8]
    head: NDArray[np.int16]

    @classmethod
    def empty(cls, count: int, places: int) -> Self:
        """Make the history of ``count`` nodes; ``places`` may be 0."""
        shape = (count, places)
        return cls(
            proposer=np.zeros(shape, np.int32),
            ballot=np.zeros(shape, np.int32),
            result=np.zeros(shape, np.uint8),
            head=np.zeros(count, np.int16),
        )

    def add(self, rows: Index, proposer: Ints, ballot: Ints, result: NDArray[np.uint8]) -> None:
        """Note one finished ballot per row of ``rows`` (unique)."""
        places = self.proposer.shape[1]
        if not places:
            return
        place = self.head[rows]
        self.proposer[rows, place] = proposer
        self.ballot[rows, place] = ballot
        self.result[rows, place] = result
        self.head[rows] = (place + 1) % places

    def result_of(self, rows: Index, proposer: Ints, ballot: Ints) -> NDArray[np.uint8]:
        """Return the newest noted result per row, PENDING where there is none, (n,)."""
        places = self.proposer.shape[1]
        if not places:
            return np.full(rows.size, int(Result.PENDING), np.uint8)
        hit = (self.proposer[rows] == proposer[:, None]) & (self.ballot[rows] == ballot[:, None])
        age = (self.head[rows][:, None] - 1 - np.arange(places)) % places
        newest = np.where(hit, age, places).argmin(axis=1)
        found = self.result[rows, newest]
        return np.where(hit.any(axis=1), found, int(Result.PENDING)).astype(np.uint8)


@dataclass(kw_only=True, slots=True)
class Promises:
    """YES votes that exclude a YES to a competing ballot, one per proposal kind (PCN-15).

    Attributes:
        proposer: Id of the proposer that was promised a YES, 0 = free, (N, P).
        ballot: Ballot id, (N, P).
        kind: ``ProposalKind`` number: ballots of one kind compete, (N, P).
        until: Time in microseconds until which the promise binds, (N, P).
    """

    proposer: NDArray[np.int32]
    ballot: NDArray[np.int32]
    kind: NDArray[np.int16]
    until: NDArray[np.int64]

    @classmethod
    def empty(cls, count: int, places: int) -> Self:
        """Make the promises of ``count`` nodes; ``places`` is 0 where ballots do not compete."""
        shape = (count, places)
        return cls(
            proposer=np.zeros(shape, np.int32),
            ballot=np.zeros(shape, np.int32),
            kind=np.zeros(shape, np.int16),
            until=np.zeros(shape, np.int64),
        )

    def bar(self, rows: Index, proposer: Ints, ballot: Ints, kind: Ints, now: int) -> Mask:
        """Tell where a YES to this ballot would break a promise, or none can be kept, (n,)."""
        binds = (self.proposer[rows] > 0) & (self.until[rows] > now)
        same = (self.proposer[rows] == proposer[:, None]) & (self.ballot[rows] == ballot[:, None])
        rival = binds & (self.kind[rows] == kind[:, None]) & ~same
        barred: Mask = rival.any(axis=1) | (binds & ~same).all(axis=1)
        return barred

    def make(
        self, rows: Index, proposer: Ints, ballot: Ints, kind: Ints, now: int, until: int
    ) -> None:
        """Promise a YES in each of ``rows`` (unique, not barred)."""
        same = (self.proposer[rows] == proposer[:, None]) & (self.ballot[rows] == ballot[:, None])
        free = (self.proposer[rows] == 0) | (self.until[rows] <= now)
        place = np.where(same.any(axis=1), same.argmax(axis=1), free.argmax(axis=1))
        self.proposer[rows, place] = proposer
        self.ballot[rows, place] = ballot
        self.kind[rows, place] = kind
        self.until[rows, place] = until

    def release(self, rows: Index, proposer: Ints, ballot: Ints) -> None:
        """Drop the promises to ballots that are known not to have been approved."""
        if not self.proposer.shape[1]:
            return
        hit = (self.proposer[rows] == proposer[:, None]) & (self.ballot[rows] == ballot[:, None])
        found = hit.any(axis=1)
        self.proposer[rows[found], hit.argmax(axis=1)[found]] = 0
