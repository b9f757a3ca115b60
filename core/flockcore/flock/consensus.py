"""The consensus engine of every node at once (spec ekk, section 7; corrections Q05-Q10, Q24, Q33).

A node puts a ballot to its electorate: a snapshot of its elected peers, itself included. The votes
come back to it alone, and it decides: early where the outcome is certain, else at the deadline.
Upstream's voters never learn the outcome; here the proposer announces it, and a voter's copy whose
announcement never came ends EXPIRED.

Operations take ``rows`` (node indices) and one argument per row, or one for all. Rows may repeat:
the operations then run in the given order, as the messages of one inbox do.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flockcore.errors import FlockError
from flockcore.flock.ballot import BallotTable, evaluate, forget
from flockcore.flock.codes import Code, MessageKind, Result, Vote
from flockcore.flock.evidence import NO_EVIDENCE, Evidence, equivocation, fingerprint
from flockcore.flock.inhibition import BallotHistory, Inhibitions, Promises
from flockcore.flock.outbox import (
    EVERYONE,
    NO_COMPLETIONS,
    NO_MESSAGES,
    NOTHING,
    Completions,
    Outbox,
    Reply,
)

__all__ = ["BUSY_VOTE", "NEVER", "UPSTREAM", "Consensus", "ConsensusOptions"]

type Ints = NDArray[np.int64]
type Index = NDArray[np.intp]
type Mask = NDArray[np.bool_]
type Codes = NDArray[np.int8]

BUSY_VOTE = 4
"""Answer of a voter without room for the ballot: counted, but neither YES nor NO."""
NEVER = int(np.iinfo(np.int64).max)
"""A time that does not come."""
LAST_BALLOT = 65535


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsensusOptions:
    """How ballots run. The defaults are the corrected behaviour; ``UPSTREAM`` is the other.

    Attributes:
        vote_timeout_us: Life of a ballot.
        inhibit_duration_us: Life of an inhibition.
        allow_self_vote: The proposer belongs to its electorate and says YES at once.
        require_all_neighbours: A ballot that lacks votes at its deadline ends TIMEOUT, not
            REJECTED.
        announce_results: The proposer announces the outcome, and a voter's copy that hears none
            ends EXPIRED (upstream: no announcement, it ends REJECTED; Q06).
        result_grace_us: How long a voter's copy waits for the announcement beyond its deadline.
        inhibit_from: Whose inhibition counts: the electorate's and the proposer's, or anyone's
            (upstream; Q10).
        ballot_history: Finished ballots that a node remembers (upstream: 0; Q33).
        full_table: What a full table does with a new ballot: make room by dropping finished ones,
            or refuse (upstream; Q05).
        abstain: A recorded ABSTAIN closes the voter's slot, or leaves it open, counting the voter
            again (upstream; Q07).
        full_answer: Vote of a node whose table is full: BUSY, or NO (upstream), which looks like
            an opinion.
        conflict: Ballots of one kind are independent (upstream), or compete: who has promised a
            YES to one refuses the others with NO, or inhibits them (PCN-15).
    """

    vote_timeout_us: int = 50_000
    inhibit_duration_us: int = 100_000
    allow_self_vote: bool = True
    require_all_neighbours: bool = False
    announce_results: bool = True
    result_grace_us: int = 10_000
    inhibit_from: Literal["electorate", "anyone"] = "electorate"
    ballot_history: int = 16
    full_table: Literal["evict_finished", "refuse"] = "evict_finished"
    abstain: Literal["closes", "reopens"] = "closes"
    full_answer: Literal["busy", "no"] = "busy"
    conflict: Literal["independent", "refuse", "inhibit"] = "independent"

    def __post_init__(self) -> None:
        """Refuse values that cannot be used."""
        for name in ("vote_timeout_us", "inhibit_duration_us"):
            if getattr(self, name) <= 0:
                raise FlockError(f"{name} is {getattr(self, name)}; allowed: more than 0")
        if self.result_grace_us < 0:
            raise FlockError(f"result_grace_us is {self.result_grace_us}; allowed: 0 or more")
        if not 0 <= self.ballot_history <= 1024:
            raise FlockError(f"ballot_history is {self.ballot_history}; allowed: 0..1024")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise FlockError(
                    f"{name} is {getattr(self, name)!r}; allowed: {', '.join(allowed)}"
                )


_CHOICES = {
    "inhibit_from": ("electorate", "anyone"),
    "full_table": ("evict_finished", "refuse"),
    "abstain": ("closes", "reopens"),
    "full_answer": ("busy", "no"),
    "conflict": ("independent", "refuse", "inhibit"),
}

UPSTREAM = ConsensusOptions(
    announce_results=False,
    inhibit_from="anyone",
    ballot_history=0,
    full_table="refuse",
    abstain="reopens",
    full_answer="no",
)
"""The original runtime, anomalies included (ids still skip 0, Q24)."""


@dataclass(kw_only=True, slots=True)
class Consensus:
    """Ballots, electorates and inhibitions of N nodes.

    Make one with ``Consensus.create``.

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
            promises=Promises.empty(count, 0 if options.conflict == "independent" else places),
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
        given = np.asarray(ids, np.int32).reshape(index.size, -1)
        keep = (given > 0) & (given != self.own_id[index][:, None])
        for later in range(1, given.shape[1]):
            keep[:, later] &= ~(given[:, :later] == given[:, later : later + 1]).any(axis=1)
        if (keep[:, 1:] & ~keep[:, :-1]).any():
            order = np.argsort(~keep, axis=1, kind="stable")
            given, keep = (np.take_along_axis(each, order, axis=1) for each in (given, keep))
        width = min(self.electorate.shape[1], given.shape[1])
        self.electorate[index] = 0
        self.electorate[index, :width] = np.where(keep, given, 0)[:, :width]

    def electorate_size(self, rows: ArrayLike) -> NDArray[np.intp]:
        """Return how many peers the electorate of each row has, (n,)."""
        members = self.electorate[np.asarray(rows, np.intp)] > 0
        return members.sum(axis=-1, dtype=np.intp)

    def propose(
        self,
        rows: ArrayLike,
        kind: ArrayLike,
        data: ArrayLike,
        threshold: ArrayLike,
        now: int,
        *,
        min_electors: int = 0,
        without: ArrayLike = 0,
    ) -> Reply:
        """Put new ballots to the electorates.

        Args:
            rows: Proposing nodes, (n,).
            kind: ``ProposalKind`` numbers.
            data: Arguments of the proposals.
            threshold: Raw Q16.16 thresholds; any integer.
            now: Time in microseconds.
            min_electors: Quorum guard: with fewer peers in the electorate the answer is
                NO_QUORUM (Q08; upstream: 0).
            without: Id to leave out of the electorate (the suspect of a quarantine), 0 = none.

        Returns:
            Codes OK, NO_QUORUM, BUSY (table full) or INHIBITED (a competing ballot was promised
            a YES), ballot ids, and the PROPOSAL messages.
        """

        def step(row: Index, *given: Ints) -> Reply:
            return self._propose(row, *given, now=now, min_electors=min_electors)

        return _in_rounds(step, rows, kind, data, threshold, without)

    def _propose(
        self,
        rows: Index,
        kind: Ints,
        data: Ints,
        threshold: Ints,
        without: Ints,
        *,
        now: int,
        min_electors: int,
    ) -> Reply:
        own = self.own_id[rows].astype(np.int64)
        self._make_room(rows)
        peers = self.electorate[rows]
        code = _codes(
            rows.size,
            (np.count_nonzero(peers, axis=1) < min_electors, Code.NO_QUORUM),
            (self.table.is_full(rows), Code.BUSY),
            (self.promises.bar(rows, own, np.zeros_like(own), kind, now), Code.INHIBITED),
        )
        ballot = np.zeros(rows.size, np.int32)
        go = np.flatnonzero(code == Code.OK)
        if not go.size:
            return Reply(code=code, ballot=ballot)
        rows, own, kind, data, threshold = (x[go] for x in (rows, own, kind, data, threshold))
        ballot[go] = self._number(rows, own)
        fresh = ballot[go].astype(np.int64)
        deadline = now + self.options.vote_timeout_us
        cell = self.table.insert(
            rows,
            proposer=own,
            ballot=fresh,
            kind=kind,
            data=data,
            threshold=threshold,
            deadline=deadline,
        )
        self._snapshot(rows, cell, own, peers[go], without[go])
        if self.options.allow_self_vote:
            self._promise(rows, own, fresh, kind, now)
        # A ballot that was inhibited before it existed is cancelled by the next tick.
        inhibited = self.inhibitions.active(rows, own, fresh, now)
        self._wake(rows, np.where(inhibited, now, deadline))
        outbox = Outbox.of(
            rows,
            MessageKind.PROPOSAL,
            proposer=own,
            ballot=fresh,
            value=kind,
            data=data,
            threshold=threshold,
        )
        return Reply(code=code, ballot=ballot, outbox=outbox)

    def _number(self, rows: Index, own: Ints) -> Ints:
        """Take the next ballot id, past 0 (Q24) and past ids that are still in the table."""
        ballot = self.next_ballot[rows].astype(np.int64)
        for _ in range(self.table.places):
            taken = self.table.find(rows, own, ballot) >= 0
            if not taken.any():
                break
            ballot = np.where(taken, ballot % LAST_BALLOT + 1, ballot)
        self.next_ballot[rows] = ballot % LAST_BALLOT + 1
        return ballot

    def _snapshot(
        self, rows: Index, cell: Index, own: Ints, peers: NDArray[np.int32], without: Ints
    ) -> None:
        """Fill in the electorate of new own ballots and count the own vote."""
        place = cell - rows * self.table.places
        if without.any():
            stays = (peers > 0) & (peers != without[:, None])
            order = np.argsort(~stays, axis=1, kind="stable")
            peers = np.take_along_axis(np.where(stays, peers, 0), order, axis=1)
        size = np.count_nonzero(peers, axis=1)
        self.table.voter[rows, place, :-1] = peers
        if self.options.allow_self_vote:
            self.table.voter[rows, place, size] = own
            self.table.vote[rows, place, size] = Vote.YES
            self.table.closed[rows, place] = 1 << size
            self.table.votes[rows, place] = 1
            self.table.yes[rows, place] = 1
            size = size + 1
        self.table.eligible[rows, place] = size

    def on_proposal(
        self,
        rows: ArrayLike,
        proposer: ArrayLike,
        ballot: ArrayLike,
        kind: ArrayLike,
        data: ArrayLike,
        threshold: ArrayLike,
        now: int,
        *,
        decision: ArrayLike = Vote.YES,
    ) -> Reply:
        """Take PROPOSAL messages and answer them with a vote.

        Args:
            rows: Receiving nodes, (n,).
            proposer: Ids of the senders.
            ballot: Ballot ids.
            kind: ``ProposalKind`` numbers.
            data: Arguments.
            threshold: Raw Q16.16 thresholds.
            now: Time in microseconds.
            decision: The vote to give if one is given.

        Returns:
            Codes OK, INVALID_ARG, INHIBITED (with an INHIBIT broadcast) or BUSY (table full),
            VOTE messages, and evidence against proposers that sent two contents under one id.
        """

        def step(row: Index, *given: Ints) -> Reply:
            return self._on_proposal(row, *given, now=now)

        return _in_rounds(step, rows, proposer, ballot, kind, data, threshold, decision)

    def _on_proposal(
        self,
        rows: Index,
        proposer: Ints,
        ballot: Ints,
        kind: Ints,
        data: Ints,
        threshold: Ints,
        decision: Ints,
        *,
        now: int,
    ) -> Reply:
        bad = (proposer <= 0) | (ballot <= 0)
        mine = proposer == self.own_id[rows]
        inhibited = self.inhibitions.active(rows, proposer, ballot, now)
        cell = self.table.find(rows, proposer, ballot)
        held = (cell >= 0) & ~bad & ~mine
        evidence = self._double_talk(rows, cell, held, kind, data, threshold, now)
        barred = self.promises.bar(rows, proposer, ballot, kind, now) & (decision == Vote.YES)
        if self.options.conflict == "inhibit":
            inhibited |= barred & ~held
        fresh = ~(bad | mine | inhibited | held)
        self._make_room(rows[fresh])
        full = fresh & self.table.is_full(rows)
        code = _codes(
            rows.size,
            (bad, Code.INVALID_ARG),
            (mine, Code.OK),
            (inhibited, Code.INHIBITED),
            (full, Code.BUSY),
        )
        store = fresh & ~full
        vote = np.where(barred, int(Vote.NO), decision)
        self._store(store, rows, proposer, ballot, kind, data, threshold, vote, now)
        refusal = BUSY_VOTE if self.options.full_answer == "busy" else int(Vote.NO)
        stopped = code == Code.INHIBITED
        speaks = fresh | stopped
        outbox = Outbox.of(
            rows[speaks],
            MessageKind.VOTE,
            destination=np.where(stopped, EVERYONE, proposer)[speaks],
            proposer=proposer[speaks],
            ballot=ballot[speaks],
            value=np.where(stopped, 0, np.where(full, refusal, vote))[speaks],
        )
        outbox.kind[stopped[speaks]] = MessageKind.INHIBIT
        return Reply(code=code, outbox=outbox, evidence=evidence)

    def _store(self, which: Mask, rows: Index, *given: Ints | int) -> None:
        """Keep copies of other nodes' ballots, with the vote that was given."""
        now = int(given[-1])
        rows = rows[which]
        if not rows.size:
            return
        proposer, ballot, kind, data, threshold, vote = (np.asarray(x)[which] for x in given[:-1])
        wait = self.options.result_grace_us if self.options.announce_results else 0
        deadline = now + self.options.vote_timeout_us + wait
        self.table.insert(
            rows,
            proposer=proposer,
            ballot=ballot,
            kind=kind,
            data=data,
            threshold=threshold,
            deadline=deadline,
        )
        self._wake(rows, deadline)
        yes = vote == Vote.YES
        self._promise(rows[yes], proposer[yes], ballot[yes], kind[yes], now)

    def _double_talk(
        self,
        rows: Index,
        cell: Index,
        held: Mask,
        kind: Ints,
        data: Ints,
        threshold: Ints,
        now: int,
    ) -> Evidence:
        """Compare the contents given for held ballots with those held."""
        at = cell[held]
        if not at.size:
            return NO_EVIDENCE
        table = self.table
        old = tuple(
            _flat(x)[at].astype(np.int64) for x in (table.kind, table.data, table.threshold)
        )
        new = (kind[held], data[held], threshold[held])
        differs = (old[0] != new[0]) | (old[1] != new[1]) | (old[2] != new[2])
        if not differs.any():
            return NO_EVIDENCE
        holder, at = rows[held][differs], at[differs]
        return equivocation(
            holder,
            self.own_id[holder],
            _flat(table.proposer)[at],
            _flat(table.ballot)[at].astype(np.int64),
            fingerprint(*(x[differs] for x in old)),
            fingerprint(*(x[differs] for x in new)),
            now,
        )

    def on_vote(
        self,
        rows: ArrayLike,
        voter: ArrayLike,
        proposer: ArrayLike,
        ballot: ArrayLike,
        vote: ArrayLike,
        now: int,
    ) -> Reply:
        """Count VOTE messages; the first vote of a voter is the one that counts.

        Args:
            rows: Receiving nodes, (n,).
            voter: Ids of the senders.
            proposer: Ids of the ballots' proposers.
            ballot: Ballot ids.
            vote: ``Vote`` numbers; above 3 counts as a vote that is neither YES nor NO.
            now: Time in microseconds.

        Returns:
            Codes OK, INVALID_ARG or NOT_FOUND (no such ballot, or not in its electorate),
            ballots that this decided, RESULT messages, and evidence against voters that said
            both YES and NO.
        """
        if self.options.abstain == "reopens":
            # A voter may then count more than once, so its votes cannot be taken in one go.
            def step(row: Index, *given: Ints) -> Reply:
                return self._on_vote(row, *given, now=now)

            return _in_rounds(step, rows, voter, proposer, ballot, vote)
        index, columns = _columns(rows, voter, proposer, ballot, vote)
        return self._on_vote(index, *columns, now=now)

    def _on_vote(
        self, rows: Index, voter: Ints, proposer: Ints, ballot: Ints, vote: Ints, *, now: int
    ) -> Reply:
        table = self.table
        cell = table.find(rows, proposer, ballot)
        seats = table.voter.reshape(-1, table.voter.shape[2])[cell] == voter[:, None]
        seated = seats.any(axis=1)
        bad = (voter <= 0) | (proposer <= 0) | (ballot <= 0) | (vote == Vote.INHIBIT)
        finished = _flat(table.completed)[cell]
        code = _codes(
            rows.size,
            (bad, Code.INVALID_ARG),
            (cell < 0, Code.NOT_FOUND),
            (proposer != self.own_id[rows], Code.INVALID_ARG),
            (finished, Code.OK),
            (~seated, Code.NOT_FOUND),
        )
        valid = np.flatnonzero((code == Code.OK) & seated)
        if not valid.size:
            return Reply(code=code)
        seat = cell[valid] * table.voter.shape[2] + seats[valid].argmax(axis=1)
        fresh, evidence = self._first_votes(rows, valid, cell, seat, voter, vote, now)
        fresh = fresh[~finished[fresh]]
        if self.options.conflict != "independent":
            # A late vote could come from a voter whose promise has lapsed.
            fresh = fresh[_flat(table.deadline)[cell[fresh]] > now]
        if not fresh.size:
            return Reply(code=code, evidence=evidence)
        spot = np.zeros(rows.size, np.intp)
        spot[valid] = seat
        done, result = self._count(cell[fresh], spot[fresh], vote[fresh])
        completions, outbox = self._finish(done, result)
        return Reply(code=code, outbox=outbox, completions=completions, evidence=evidence)

    def _first_votes(
        self,
        rows: Index,
        valid: Index,
        cell: Index,
        seat: Index,
        voter: Ints,
        vote: Ints,
        now: int,
    ) -> tuple[Index, Evidence]:
        """Pick the votes of seats that are still open; YES beside NO in one seat is evidence."""
        table = self.table
        width = table.voter.shape[2]
        closed = (_flat(table.closed)[cell[valid]] >> (seat % width)) & 1 == 1
        first = np.ones(valid.size, np.bool_)
        prior = _flat(table.vote)[seat].astype(np.int64)
        if valid.size > 1:
            _, head, group = np.unique(seat, return_index=True, return_inverse=True)
            first = head[group] == np.arange(valid.size)
            prior = np.where(closed, prior, vote[valid][head[group]])
        repeat = closed | ~first
        both = (prior == Vote.YES) & (vote[valid] == Vote.NO)
        both |= (prior == Vote.NO) & (vote[valid] == Vote.YES)
        lies = np.flatnonzero(repeat & both)
        if not lies.size:
            return valid[~repeat], NO_EVIDENCE
        at = valid[lies]
        evidence = equivocation(
            rows[at],
            self.own_id[rows[at]],
            voter[at].astype(np.int32),
            _flat(table.ballot)[cell[at]].astype(np.int64),
            fingerprint(prior[lies]),
            fingerprint(vote[at]),
            now,
        )
        return valid[~repeat], evidence

    def _count(self, cell: Index, seat: Index, vote: Ints) -> tuple[Index, NDArray[np.uint8]]:
        """Add first votes, in order, up to the one that decides; return what they decided."""
        table = self.table
        arrival = np.arange(cell.size)
        if cell.size > 1:
            arrival = np.argsort(cell, kind="stable")
            cell, seat, vote = cell[arrival], seat[arrival], vote[arrival]
        head = np.ones(cell.size, np.bool_)
        head[1:] = cell[1:] != cell[:-1]
        start = np.flatnonzero(head)
        group = np.cumsum(head) - 1
        rank = np.arange(cell.size) - start[group]
        yes = _running(vote == Vote.YES, start, group)
        no = _running(vote == Vote.NO, start, group)
        votes = _flat(table.votes)[cell] + rank + 1
        total_yes = _flat(table.yes)[cell] + yes
        result = evaluate(
            _flat(table.eligible)[cell].astype(np.int64),
            votes.astype(np.int64),
            total_yes.astype(np.int64),
            _flat(table.threshold)[cell],
        )
        end = np.append(start[1:], cell.size) - 1
        decided = np.where(result != Result.PENDING, np.arange(cell.size), cell.size)
        last = np.minimum(np.minimum.reduceat(decided, start), end)
        counted = np.arange(cell.size) <= last[group]
        self._close_seats(cell[counted], seat[counted], vote[counted])
        at = cell[last]
        _flat(table.no)[at] += no[last].astype(np.int16)
        _flat(table.votes)[at] = votes[last]
        _flat(table.yes)[at] = total_yes[last]
        over = result[last] != Result.PENDING
        order = np.argsort(arrival[last[over]], kind="stable")
        return at[over][order], result[last[over]][order]

    def _close_seats(self, cell: Index, seat: Index, vote: Ints) -> None:
        table = self.table
        _flat(table.vote)[seat] = vote
        bit = np.left_shift(1, seat % table.voter.shape[2]).astype(np.int32)
        if self.options.abstain == "reopens":
            bit[vote == Vote.ABSTAIN] = 0
        np.bitwise_or.at(_flat(table.closed), cell, bit)

    def vote(
        self, rows: ArrayLike, proposer: ArrayLike, ballot: ArrayLike, vote: ArrayLike, now: int
    ) -> Reply:
        """Send votes by hand to the proposers of held ballots.

        Returns:
            Codes OK, INVALID_ARG, NOT_FOUND, BUSY (the ballot has finished) or INHIBITED (a
            competing ballot was promised a YES), and VOTE messages.
        """

        def step(row: Index, proposer: Ints, ballot: Ints, vote: Ints) -> Reply:
            return self._vote(row, proposer, ballot, vote, now)

        return _in_rounds(step, rows, proposer, ballot, vote)

    def _vote(self, rows: Index, proposer: Ints, ballot: Ints, vote: Ints, now: int) -> Reply:
        cell = self.table.find(rows, proposer, ballot)
        kind = _flat(self.table.kind)[cell].astype(np.int64)
        yes = vote == Vote.YES
        code = _codes(
            rows.size,
            ((proposer <= 0) | (ballot <= 0), Code.INVALID_ARG),
            (cell < 0, Code.NOT_FOUND),
            (_flat(self.table.completed)[cell], Code.BUSY),
            (yes & self.promises.bar(rows, proposer, ballot, kind, now), Code.INHIBITED),
        )
        good = code == Code.OK
        pledged = good & yes
        self._promise(rows[pledged], proposer[pledged], ballot[pledged], kind[pledged], now)
        outbox = Outbox.of(
            rows[good],
            MessageKind.VOTE,
            destination=proposer[good],
            proposer=proposer[good],
            ballot=ballot[good],
            value=vote[good],
        )
        return Reply(code=code, outbox=outbox)

    def inhibit(self, rows: ArrayLike, proposer: ArrayLike, ballot: ArrayLike, now: int) -> Reply:
        """Inhibit ballots here and tell everyone.

        Returns:
            Codes OK or INVALID_ARG, INHIBIT messages, and ballots that this cancelled.
        """

        def step(row: Index, proposer: Ints, ballot: Ints) -> Reply:
            bad = (proposer <= 0) | (ballot <= 0)
            code = _codes(row.size, (bad, Code.INVALID_ARG))
            row, proposer, ballot = row[~bad], proposer[~bad], ballot[~bad]
            done, results = self._record(row, proposer, ballot, now)
            told = Outbox.of(row, MessageKind.INHIBIT, proposer=proposer, ballot=ballot)
            outbox = Outbox.join([results, told])
            if results.size:
                outbox = outbox.by_sender()
            return Reply(code=code, outbox=outbox, completions=done)

        return _in_rounds(step, rows, proposer, ballot)

    def on_inhibit(
        self,
        rows: ArrayLike,
        sender: ArrayLike,
        proposer: ArrayLike,
        ballot: ArrayLike,
        now: int,
    ) -> Reply:
        """Take INHIBIT messages.

        With ``inhibit_from="electorate"`` the proposer's counts everywhere, and a voter's at the
        proposer, which then announces CANCELLED; any other sender gets NOT_FOUND.

        Returns:
            Codes OK, INVALID_ARG or NOT_FOUND, ballots that this cancelled, RESULT messages.
        """

        def step(row: Index, sender: Ints, proposer: Ints, ballot: Ints) -> Reply:
            mine = sender == self.own_id[row]
            code = _codes(
                row.size,
                ((sender <= 0) | (proposer <= 0) | (ballot <= 0), Code.INVALID_ARG),
                (mine, Code.OK),
                (~self._may_inhibit(row, sender, proposer, ballot), Code.NOT_FOUND),
            )
            go = (code == Code.OK) & ~mine
            done, results = self._record(row[go], proposer[go], ballot[go], now)
            return Reply(code=code, outbox=results, completions=done)

        return _in_rounds(step, rows, sender, proposer, ballot)

    def _may_inhibit(self, rows: Index, sender: Ints, proposer: Ints, ballot: Ints) -> Mask:
        if self.options.inhibit_from == "anyone":
            return np.ones(rows.size, np.bool_)
        cell = self.table.find(rows, proposer, ballot)
        voters = self.table.voter.reshape(-1, self.table.voter.shape[2])[cell]
        seated = (voters == sender[:, None]).any(axis=1) & (cell >= 0)
        at_proposer: Mask = seated & (proposer == self.own_id[rows])
        return at_proposer | (sender == proposer)

    def _record(
        self, rows: Index, proposer: Ints, ballot: Ints, now: int
    ) -> tuple[Completions, Outbox]:
        """Inhibit ballots at ``rows`` (unique), cancelling those that are open there."""
        if not rows.size:
            return NO_COMPLETIONS, NO_MESSAGES
        expiry = now + self.options.inhibit_duration_us
        self.inhibitions.record(rows, proposer, ballot, expiry)
        self._wake(rows, expiry)
        cell = self.table.find(rows, proposer, ballot)
        cell = cell[cell >= 0]
        cell = cell[~_flat(self.table.completed)[cell]]
        return self._finish(cell, np.full(cell.size, int(Result.CANCELLED), np.uint8))

    def on_result(
        self,
        rows: ArrayLike,
        sender: ArrayLike,
        proposer: ArrayLike,
        ballot: ArrayLike,
        kind: ArrayLike,
        data: ArrayLike,
        threshold: ArrayLike,
        result: ArrayLike,
        now: int,
    ) -> Reply:
        """Take RESULT messages: the copy of a ballot ends with the proposer's result.

        A result that comes with other contents than the copy's is evidence and ends nothing; so is
        a second, different result.

        Returns:
            Codes OK, INVALID_ARG (a 0, no final result, or not sent by the proposer) or
            NOT_FOUND; copies that ended; evidence.
        """

        def step(row: Index, *given: Ints) -> Reply:
            return self._on_result(row, *given, now=now)

        return _in_rounds(step, rows, sender, proposer, ballot, kind, data, threshold, result)

    def _on_result(
        self,
        rows: Index,
        sender: Ints,
        proposer: Ints,
        ballot: Ints,
        kind: Ints,
        data: Ints,
        threshold: Ints,
        result: Ints,
        *,
        now: int,
    ) -> Reply:
        final = (result >= Result.APPROVED) & (result <= Result.CANCELLED)
        cell = self.table.find(rows, proposer, ballot)
        mine = proposer == self.own_id[rows]
        code = _codes(
            rows.size,
            ((proposer <= 0) | (ballot <= 0) | (sender != proposer) | ~final, Code.INVALID_ARG),
            (mine, Code.OK),
            (cell < 0, Code.NOT_FOUND),
        )
        heard = (code == Code.OK) & ~mine
        lies = self._double_talk(rows, cell, heard, kind, data, threshold, now)
        swapped = self._double_result(rows, cell, heard, result, now)
        if lies.size:
            heard &= ~np.isin(rows, lies.holder)
        at, said = cell[heard], result[heard].astype(np.uint8)
        told = _flat(self.table.announced)
        told[at] = np.where(told[at] == 0, said, told[at])
        still = ~_flat(self.table.completed)[at]
        completions, _ = self._finish(at[still], said[still])
        evidence = Evidence.join([lies, swapped])
        return Reply(code=code, completions=completions, evidence=evidence)

    def _double_result(
        self, rows: Index, cell: Index, heard: Mask, result: Ints, now: int
    ) -> Evidence:
        at = cell[heard]
        before = _flat(self.table.announced)[at].astype(np.int64)
        differs = (before != 0) & (before != result[heard])
        if not differs.any():
            return NO_EVIDENCE
        holder, at = rows[heard][differs], at[differs]
        return equivocation(
            holder,
            self.own_id[holder],
            _flat(self.table.proposer)[at],
            _flat(self.table.ballot)[at].astype(np.int64),
            fingerprint(before[differs]),
            fingerprint(result[heard][differs]),
            now,
        )

    def result(self, rows: ArrayLike, proposer: ArrayLike, ballot: ArrayLike) -> NDArray[np.uint8]:
        """Return what the rows know of ballots: ``Result`` numbers, (n,); PENDING if unknown."""
        index, (proposers, ballots) = _columns(rows, proposer, ballot)
        cell = self.table.find(index, proposers, ballots)
        past = self.history.result_of(index, proposers, ballots)
        return np.where(cell >= 0, _flat(self.table.result)[cell], past).astype(np.uint8)

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
        proposer = _flat(table.proposer)[cell].astype(np.int64)
        ballot = _flat(table.ballot)[cell].astype(np.int64)
        inhibited = self.inhibitions.active(row, proposer, ballot, now)
        ends = inhibited | (_flat(table.deadline)[cell] <= now)
        cell, inhibited = cell[ends], inhibited[ends]
        remote = proposer[ends] != self.own_id[row[ends]]
        votes = _flat(table.votes)[cell].astype(np.int64)
        eligible = _flat(table.eligible)[cell].astype(np.int64)
        yes = _flat(table.yes)[cell].astype(np.int64)
        result = evaluate(eligible, votes, yes, _flat(table.threshold)[cell])
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
        _flat(table.result)[cell] = result
        _flat(table.completed)[cell] = True
        row = cell // table.places
        names = ("proposer", "ballot", "kind", "data", "votes", "yes", "no", "eligible")
        columns = {name: _flat(getattr(table, name))[cell] for name in names}
        completions = Completions(row=row, result=result, **columns)
        void = (result != Result.APPROVED) & (result != Result.EXPIRED)
        self.promises.release(row[void], columns["proposer"][void], columns["ballot"][void])
        own = columns["proposer"] == self.own_id[row]
        if not (self.options.announce_results and own.any()):
            return completions, NO_MESSAGES
        outbox = Outbox.of(
            row[own],
            MessageKind.RESULT,
            proposer=columns["proposer"][own],
            ballot=columns["ballot"][own],
            value=columns["kind"][own],
            data=columns["data"][own],
            threshold=_flat(table.threshold)[cell[own]],
            result=result[own],
        )
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

    def _promise(self, rows: Index, proposer: Ints, ballot: Ints, kind: Ints, now: int) -> None:
        """Bind YES votes where ballots compete.

        A ballot approved at the end of its life may overlap a rival that started just before and
        lives as long again: so a promise binds for two lives.
        """
        until = now + 2 * self.options.vote_timeout_us + self.options.result_grace_us
        self.promises.make(rows, proposer, ballot, kind, now, until)

    def _wake(self, rows: Index, at: Ints | int) -> None:
        """Have a tick look at ``rows`` (unique) by time ``at``."""
        if rows.size:
            self.due[rows] = np.minimum(self.due[rows], at)
            self.next_due = min(self.next_due, int(np.min(at)))


def _flat[T: np.generic](column: NDArray[T]) -> NDArray[T]:
    """View a C-contiguous column by cell (or by seat)."""
    return column.reshape(-1)


def _codes(size: int, *rules: tuple[Mask, Code]) -> Codes:
    """Return the code of the first rule that applies, else OK."""
    code = np.zeros(size, np.int8)
    for applies, value in reversed(rules):
        code[applies] = value
    return code


def _running(hit: Mask, start: Index, group: Index) -> Index:
    """Count hits up to and including each entry within its group."""
    total = np.cumsum(hit)
    return total - (total[start] - hit[start])[group]


def _columns(rows: ArrayLike, *given: ArrayLike) -> tuple[Index, list[Ints]]:
    index = np.atleast_1d(np.asarray(rows, np.intp))
    return index, [np.broadcast_to(np.asarray(each, np.int64), index.shape) for each in given]


def _in_rounds(step: Callable[..., Reply], rows: ArrayLike, *given: ArrayLike) -> Reply:
    """Run ``step`` on rounds of unique rows: the k-th occurrence of a row goes in round k."""
    index, columns = _columns(rows, *given)
    if index.size < 2 or bool((index[1:] > index[:-1]).all()):
        return step(index, *columns)
    order = np.argsort(index, kind="stable")
    head = np.ones(index.size, np.bool_)
    head[1:] = index[order][1:] != index[order][:-1]
    start = np.flatnonzero(head)
    rank = np.empty(index.size, np.intp)
    rank[order] = np.arange(index.size) - start[np.cumsum(head) - 1]
    code = np.zeros(index.size, np.int8)
    ballot = np.zeros(index.size, np.int32)
    replies = []
    for turn in range(int(rank.max()) + 1):
        which = np.flatnonzero(rank == turn)
        reply = step(index[which], *(column[which] for column in columns))
        code[which] = reply.code
        if reply.ballot.size:
            ballot[which] = reply.ballot
        replies.append(reply)
    return Reply(
        code=code,
        ballot=ballot if replies[0].ballot.size else replies[0].ballot,
        outbox=Outbox.join(reply.outbox for reply in replies),
        completions=Completions.join(reply.completions for reply in replies),
        evidence=Evidence.join([reply.evidence for reply in replies]),
    )
