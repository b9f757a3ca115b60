"""The state of ballots at every node, how they end, and what is forgotten when (spec section 7)."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flockcore.errors import FlockError
from flockcore.flock.ballot import BallotTable, Content, evaluate, forget
from flockcore.flock.codes import MessageKind, ProposalKind, Result
from flockcore.flock.consensus_options import NEVER, ConsensusOptions
from flockcore.flock.inhibition import BallotHistory, Inhibitions, Promises
from flockcore.flock.outbox import (
    NO_COMPLETIONS,
    NO_MESSAGES,
    NOTHING,
    Completions,
    Outbox,
    Reply,
)
from flockcore.flock.rounds import columns, flat

__all__ = ["BallotBox", "proposals"]

type Ints = NDArray[np.int64]
type Index = NDArray[np.intp]
type Mask = NDArray[np.bool_]


@dataclass(kw_only=True, slots=True)
class BallotBox:
    """Ballots, electorates and inhibitions of N nodes.

    Make one with ``create``.

    Attributes:
        own_id: Id of each node, (N,).
        electorate: Ids of the present electorate without the node itself, 0 behind its end, (N, E).
        next_ballot: Id of the next ballot to propose, 1..65535, (N,).
        table: The ballots.
        inhibitions: The inhibited ballots.
        history: Results of ballots that left the table.
        promises: YES votes given where ballots compete.
        due: Earliest time at which a tick has something to do, at most, (N,).
        next_due: Least entry of ``due``, at most.
        options: How ballots run.
    """

    own_id: NDArray[np.int32]
    electorate: NDArray[np.int32]
    next_ballot: NDArray[np.int32]
    table: BallotTable
    inhibitions: Inhibitions
    history: BallotHistory
    promises: Promises
    due: NDArray[np.int64]
    next_due: int
    options: ConsensusOptions = field(metadata={"derived": True})

    @classmethod
    def create(
        cls,
        count: int,
        *,
        options: ConsensusOptions | None = None,
        own_id: ArrayLike | None = None,
        electors: int = 7,
        places: int = 4,
    ) -> Self:
        """Make the engine of ``count`` nodes.

        Args:
            count: Number of nodes N.
            options: How ballots run; default: corrected behaviour.
            own_id: Ids, (N,); default: index + 1.
            electors: Most peers in an electorate, 1..30.
            places: Ballots and inhibitions that a node can hold.

        Raises:
            FlockError: A number is out of range.
        """
        options = options or ConsensusOptions()
        if count < 1 or not 1 <= electors <= 30 or places < 1:
            raise FlockError(
                f"count is {count}, electors {electors}, places {places}; "
                "allowed: count and places from 1, electors 1..30"
            )
        ids = np.arange(1, count + 1) if own_id is None else np.asarray(own_id)
        return cls(
            own_id=ids.astype(np.int32),
            electorate=np.zeros((count, electors), np.int32),
            next_ballot=np.ones(count, np.int32),
            table=BallotTable.empty(count, places, electors + 1),
            inhibitions=Inhibitions.empty(count, places),
            history=BallotHistory.empty(count, options.ballot_history),
            promises=Promises.empty(count, 0 if options.conflicts == "allow" else places),
            due=np.full(count, NEVER, np.int64),
            next_due=NEVER,
            options=options,
        )

    def reset(self, rows: ArrayLike) -> None:
        """Forget everything at ``rows`` (restart, join) but the ballot counter.

        A restarted node that numbered its ballots anew would look like an equivocator.
        """
        index = np.atleast_1d(np.asarray(rows, np.intp))
        for part in (self.table, self.inhibitions, self.history, self.promises):
            forget(part, index)
        self.electorate[index] = 0
        self.due[index] = NEVER

    def set_electorate(self, rows: ArrayLike, ids: ArrayLike) -> None:
        """Replace electorates: first occurrences, without 0, the own id and duplicates.

        Ballots already open keep the electorate that they were put to.

        Args:
            rows: Unique rows, (n,).
            ids: Ids in order of election, 0 or less where there is none, (n, k).
        """
        index = np.atleast_1d(np.asarray(rows, np.intp))
        # One row per place in the order of election: whole columns are compared at once.
        given = np.ascontiguousarray(np.asarray(ids, np.int32).reshape(index.size, -1).T)
        keep = (given > 0) & (given != self.own_id[index])
        for later in range(1, given.shape[0]):
            for earlier in range(later):
                keep[later] &= given[later] != given[earlier]
        if (keep[1:] & ~keep[:-1]).any():
            order = np.argsort(~keep, axis=0, kind="stable")
            given, keep = (np.take_along_axis(each, order, axis=0) for each in (given, keep))
        width = min(self.electorate.shape[1], given.shape[0])
        chosen = np.zeros((index.size, self.electorate.shape[1]), np.int32)
        chosen[:, :width] = np.where(keep, given, 0)[:width].T
        self.electorate[index] = chosen

    def electorate_size(self, rows: ArrayLike) -> NDArray[np.intp]:
        """Return how many peers the electorate of each row has, (n,)."""
        members = self.electorate[np.asarray(rows, np.intp)] > 0
        return members.sum(axis=-1, dtype=np.intp)

    def result(self, rows: ArrayLike, proposer: ArrayLike, ballot: ArrayLike) -> NDArray[np.uint8]:
        """Return what the rows know of ballots: ``Result`` numbers, (n,); PENDING if unknown."""
        index, (proposers, ballots) = columns(rows, proposer, ballot)
        cell = self.table.find(index, proposers, ballots)
        past = self.history.result_of(index, proposers, ballots)
        return np.where(cell >= 0, flat(self.table.result)[cell], past).astype(np.uint8)

    def tick(self, now: int, ticking: Mask | None = None) -> Reply:
        """End the ballots that are inhibited or overdue, and forget old inhibitions.

        Args:
            now: Time in microseconds.
            ticking: Which nodes tick, (N,); default: all.

        Returns:
            Ballots that ended, in order of row and table, and RESULT messages.
        """
        if now < self.next_due:
            return NOTHING
        due = self.due <= now
        if ticking is not None:
            due &= ticking
        rows = np.flatnonzero(due)
        if not rows.size:
            return NOTHING
        completions, outbox = self._expire(rows, now)
        self.inhibitions.drop_expired(rows, now)
        if completions.size:
            ended = np.zeros(self.due.size, np.bool_)
            ended[completions.row] = True
            self._drop_finished(np.flatnonzero(ended))
        open_until = np.where(
            (self.table.proposer[rows] > 0) & ~self.table.completed[rows],
            self.table.deadline[rows],
            NEVER,
        )
        entries = np.where(
            self.inhibitions.proposer[rows] > 0, self.inhibitions.expiry[rows], NEVER
        )
        self.due[rows] = np.minimum(open_until.min(axis=1), entries.min(axis=1))
        self.next_due = int(self.due.min())
        return Reply(outbox=outbox, completions=completions)

    def _expire(self, rows: Index, now: int) -> tuple[Completions, Outbox]:
        """Finish the inhibited and the overdue ballots of ``rows``."""
        table = self.table
        open_still = (table.proposer[rows] > 0) & ~table.completed[rows]
        which, place = np.nonzero(open_still)
        row = rows[which]
        cell = row * table.places + place
        proposer = flat(table.proposer)[cell].astype(np.int64)
        ballot = flat(table.ballot)[cell].astype(np.int64)
        inhibited = self.inhibitions.active(row, proposer, ballot, now)
        ends = inhibited | (flat(table.deadline)[cell] <= now)
        cell, inhibited = cell[ends], inhibited[ends]
        remote = proposer[ends] != self.own_id[row[ends]]
        votes = flat(table.votes)[cell].astype(np.int64)
        eligible = flat(table.eligible)[cell].astype(np.int64)
        yes = flat(table.yes)[cell].astype(np.int64)
        result = evaluate(eligible, votes, yes, flat(table.threshold)[cell])
        short = self.options.require_all_neighbours & (votes < eligible)
        undecided = np.where(short, int(Result.TIMEOUT), int(Result.REJECTED))
        result = np.where(result == Result.PENDING, undecided, result)
        if self.options.announce_results:
            result = np.where(remote, int(Result.EXPIRED), result)
        result = np.where(inhibited, int(Result.CANCELLED), result)
        return self._finish(cell, result.astype(np.uint8))

    def _finish(self, cell: Index, result: NDArray[np.uint8]) -> tuple[Completions, Outbox]:
        """Make results final; announce those of own ballots."""
        if not cell.size:
            return NO_COMPLETIONS, NO_MESSAGES
        table = self.table
        flat(table.result)[cell] = result
        flat(table.completed)[cell] = True
        row = cell // table.places
        names = ("proposer", "ballot", "kind", "data", "votes", "yes", "no", "eligible")
        taken = {name: flat(getattr(table, name))[cell] for name in names}
        completions = Completions(row=row, result=result, **taken)
        void = (result != Result.APPROVED) & (result != Result.EXPIRED)
        self.promises.release(row[void], taken["proposer"][void], taken["ballot"][void])
        own = taken["proposer"] == self.own_id[row]
        if not (self.options.announce_results and own.any()):
            return completions, NO_MESSAGES
        outbox = proposals(row[own], table.content(cell[own]))
        outbox.kind[:] = MessageKind.RESULT
        outbox.result[:] = result[own]
        return completions, outbox

    def _make_room(self, rows: Index) -> None:
        """Drop finished ballots where the table is full (Q05)."""
        if self.options.full_table == "refuse":
            return
        full = rows[self.table.is_full(rows)]
        if full.size:
            self._drop_finished(full[self.table.completed[full].any(axis=1)])

    def _drop_finished(self, rows: Index) -> None:
        """Move the finished ballots of ``rows`` (unique) to the history."""
        table = self.table
        for place in range(table.places):
            gone = rows[table.completed[rows, place]]
            self.history.add(
                gone,
                table.proposer[gone, place],
                table.ballot[gone, place],
                table.result[gone, place],
            )
        table.drop_finished(rows)

    def _barred(self, rows: Index, content: Content, now: int) -> Mask:
        """Tell where a YES to a ballot would break a promise, (n,)."""
        if self.options.conflicts == "allow":
            return np.zeros(rows.size, np.bool_)
        competes: Mask = content.kind != ProposalKind.QUARANTINE
        return competes & self.promises.bar(
            rows, content.proposer, content.ballot, content.kind, now
        )

    def _promise(self, rows: Index, content: Content, now: int) -> None:
        """Bind YES votes where ballots compete.

        A ballot approved at the end of its life may overlap a rival that started just before and
        lives as long again: so a promise binds for two lives.
        """
        if self.options.conflicts == "allow":
            return
        competes = content.kind != ProposalKind.QUARANTINE
        content = content.take(competes)
        until = now + 2 * self.options.vote_timeout_us + self.options.result_grace_us
        self.promises.make(
            rows[competes], content.proposer, content.ballot, content.kind, now, until
        )

    def _wake(self, rows: Index, at: Ints | int) -> None:
        """Have a tick look at ``rows`` (unique) by time ``at``."""
        if rows.size:
            self.due[rows] = np.minimum(self.due[rows], at)
            self.next_due = min(self.next_due, int(np.min(at)))


def proposals(rows: Index, content: Content) -> Outbox:
    """Broadcast ballots."""
    return Outbox.of(
        rows,
        MessageKind.PROPOSAL,
        proposer=content.proposer,
        ballot=content.ballot,
        value=content.kind,
        data=content.data,
        threshold=content.threshold,
    )
