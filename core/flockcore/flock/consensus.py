"""The consensus engine of every node at once (spec ekk, section 7; corrections Q05-Q10, Q24, Q33).

A node puts a ballot to its electorate: a snapshot of its elected peers, itself included. The votes
come back to it alone, and it decides: early where the outcome is certain, else at the deadline.
Upstream's voters never learn the outcome; here the proposer announces it, and a voter's copy whose
announcement never came ends EXPIRED.

Operations take ``rows`` (node indices) and one argument per row, or one for all. Rows may repeat:
the operations then run in the given order, as the messages of one inbox do.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flockcore.flock.ballot import Content
from flockcore.flock.ballot_box import BallotBox, proposals
from flockcore.flock.codes import Code, MessageKind, Result, Vote
from flockcore.flock.consensus_options import BUSY_VOTE, NEVER, UPSTREAM, ConsensusOptions
from flockcore.flock.counting import contradictions, count, find_seats, first_votes
from flockcore.flock.double_talk import other_content, other_result, other_vote
from flockcore.flock.evidence import Evidence
from flockcore.flock.outbox import (
    EVERYONE,
    NO_COMPLETIONS,
    NO_MESSAGES,
    Completions,
    Outbox,
    Reply,
)
from flockcore.flock.rounds import columns, first_code, flat, in_rounds

__all__ = ["BUSY_VOTE", "NEVER", "UPSTREAM", "Consensus", "ConsensusOptions"]

type Ints = NDArray[np.int64]
type Index = NDArray[np.intp]
type Mask = NDArray[np.bool_]

LAST_BALLOT = 65535


@dataclass(kw_only=True, slots=True)
class Consensus(BallotBox):
    """What nodes do with ballots. Make one with ``Consensus.create``."""

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

        def step(row: Index, kind: Ints, data: Ints, threshold: Ints, without: Ints) -> Reply:
            own = self.own_id[row].astype(np.int64)
            content = Content(own, np.zeros_like(own), kind, data, threshold)
            return self._propose(row, content, without, now=now, min_electors=min_electors)

        return in_rounds(step, rows, kind, data, threshold, without)

    def _propose(
        self, rows: Index, content: Content, without: Ints, *, now: int, min_electors: int
    ) -> Reply:
        self._make_room(rows)
        peers = self.electorate[rows]
        code = first_code(
            rows.size,
            (np.count_nonzero(peers, axis=1) < min_electors, Code.NO_QUORUM),
            (self.table.is_full(rows), Code.BUSY),
            (self._barred(rows, content, now), Code.INHIBITED),
        )
        ballot = np.zeros(rows.size, np.int32)
        go = np.flatnonzero(code == Code.OK)
        if not go.size:
            return Reply(code=code, ballot=ballot)
        rows, content = rows[go], content.take(go)
        fresh = self._number(rows, content.proposer)
        ballot[go] = fresh
        content = replace(content, ballot=fresh)
        deadline = now + self.options.vote_timeout_us
        cell = self.table.insert(rows, content, deadline)
        self._snapshot(rows, cell, content.proposer, peers[go], without[go])
        if self.options.allow_self_vote:
            self._promise(rows, content, now)
        # A ballot that was inhibited before it existed is cancelled by the next tick.
        inhibited = self.inhibitions.active(rows, content.proposer, fresh, now)
        self._wake(rows, np.where(inhibited, now, deadline))
        return Reply(code=code, ballot=ballot, outbox=proposals(rows, content))

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
            *content, wish = given
            return self._on_proposal(row, Content(*content), wish, now)

        return in_rounds(step, rows, proposer, ballot, kind, data, threshold, decision)

    def _on_proposal(self, rows: Index, content: Content, decision: Ints, now: int) -> Reply:
        proposer, ballot = content.proposer, content.ballot
        bad = (proposer <= 0) | (ballot <= 0)
        mine = proposer == self.own_id[rows]
        inhibited = self.inhibitions.active(rows, proposer, ballot, now)
        cell = self.table.find(rows, proposer, ballot)
        held = (cell >= 0) & ~bad & ~mine
        _, evidence = other_content(self.table, self.own_id, cell[held], content.take(held), now)
        barred = self._barred(rows, content, now) & (decision == Vote.YES)
        if self.options.conflicts == "inhibit":
            inhibited |= barred & ~held
        fresh = ~(bad | mine | inhibited | held)
        self._make_room(rows[fresh])
        full = fresh & self.table.is_full(rows)
        code = first_code(
            rows.size,
            (bad, Code.INVALID_ARG),
            (mine, Code.OK),
            (inhibited, Code.INHIBITED),
            (full, Code.BUSY),
        )
        refusal = BUSY_VOTE if self.options.full_answer == "busy" else int(Vote.NO)
        vote = np.where(barred, int(Vote.NO), decision)
        store = fresh & ~full
        self._store(rows[store], content.take(store), vote[store], now)
        stopped = code == Code.INHIBITED
        outbox = _answers(rows, content, np.where(full, refusal, vote), stopped).take(
            fresh | stopped
        )
        return Reply(code=code, outbox=outbox, evidence=evidence)

    def _store(self, rows: Index, content: Content, vote: Ints, now: int) -> None:
        """Keep copies of other nodes' ballots."""
        if not rows.size:
            return
        wait = self.options.result_grace_us if self.options.announce_results else 0
        deadline = now + self.options.vote_timeout_us + wait
        self.table.insert(rows, content, deadline)
        self._wake(rows, deadline)
        yes = vote == Vote.YES
        self._promise(rows[yes], content.take(yes), now)

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

        def step(row: Index, voter: Ints, proposer: Ints, ballot: Ints, vote: Ints) -> Reply:
            return self._on_vote(row, voter, (proposer, ballot), vote, now)

        if self.options.abstain == "open":
            # A voter may then count more than once, so its votes cannot be taken in one go.
            return in_rounds(step, rows, voter, proposer, ballot, vote)
        index, given = columns(rows, voter, proposer, ballot, vote)
        return step(index, *given)

    def _on_vote(
        self, rows: Index, voter: Ints, key: tuple[Ints, Ints], vote: Ints, now: int
    ) -> Reply:
        proposer, ballot = key
        cell = self.table.find(rows, proposer, ballot)
        seat = find_seats(self.table, cell, voter)
        finished = flat(self.table.completed)[cell]
        bad = (voter <= 0) | (proposer <= 0) | (ballot <= 0) | (vote == Vote.INHIBIT)
        code = first_code(
            rows.size,
            (bad, Code.INVALID_ARG),
            (cell < 0, Code.NOT_FOUND),
            (proposer != self.own_id[rows], Code.INVALID_ARG),
            (finished, Code.OK),
            (seat < 0, Code.NOT_FOUND),
        )
        valid = np.flatnonzero((code == Code.OK) & (seat >= 0))
        if not valid.size:
            return Reply(code=code)
        cell, seat, vote, finished = cell[valid], seat[valid], vote[valid], finished[valid]
        first, prior = first_votes(self.table, (seat, vote))
        lies = contradictions(prior, vote)
        said = (prior[lies], vote[lies])
        evidence = other_vote(self.table, self.own_id, seat[lies], said, now)
        first &= ~finished
        if self.options.conflicts != "allow":
            # A late vote could come from a voter whose promise has lapsed.
            first &= flat(self.table.deadline)[cell] > now
        if not first.any():
            return Reply(code=code, evidence=evidence)
        closing = self.options.abstain == "closes"
        done, result = count(self.table, (seat[first], vote[first]), closing=closing)
        completions, outbox = self._finish(done, result)
        return Reply(code=code, outbox=outbox, completions=completions, evidence=evidence)

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

        return in_rounds(step, rows, proposer, ballot, vote)

    def _vote(self, rows: Index, proposer: Ints, ballot: Ints, vote: Ints, now: int) -> Reply:
        cell = self.table.find(rows, proposer, ballot)
        content = self.table.content(cell)
        yes = vote == Vote.YES
        code = first_code(
            rows.size,
            ((proposer <= 0) | (ballot <= 0), Code.INVALID_ARG),
            (cell < 0, Code.NOT_FOUND),
            (flat(self.table.completed)[cell], Code.BUSY),
            (yes & self._barred(rows, content, now), Code.INHIBITED),
        )
        good = code == Code.OK
        self._promise(rows[good & yes], content.take(good & yes), now)
        nobody_stopped = np.zeros(rows.size, np.bool_)
        outbox = _answers(rows, content, vote, nobody_stopped).take(good)
        return Reply(code=code, outbox=outbox)

    def inhibit(self, rows: ArrayLike, proposer: ArrayLike, ballot: ArrayLike, now: int) -> Reply:
        """Inhibit ballots here and tell everyone.

        Returns:
            Codes OK or INVALID_ARG, INHIBIT messages, and ballots that this cancelled.
        """

        def step(row: Index, proposer: Ints, ballot: Ints) -> Reply:
            bad = (proposer <= 0) | (ballot <= 0)
            code = first_code(row.size, (bad, Code.INVALID_ARG))
            row, proposer, ballot = row[~bad], proposer[~bad], ballot[~bad]
            done, results = self._record(row, proposer, ballot, now)
            told = Outbox.of(row, MessageKind.INHIBIT, proposer=proposer, ballot=ballot)
            outbox = Outbox.join([results, told])
            if results.size:
                outbox = outbox.by_sender()
            return Reply(code=code, outbox=outbox, completions=done)

        return in_rounds(step, rows, proposer, ballot)

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
            code = first_code(
                row.size,
                ((sender <= 0) | (proposer <= 0) | (ballot <= 0), Code.INVALID_ARG),
                (mine, Code.OK),
                (~self._may_inhibit(row, sender, proposer, ballot), Code.NOT_FOUND),
            )
            go = (code == Code.OK) & ~mine
            done, results = self._record(row[go], proposer[go], ballot[go], now)
            return Reply(code=code, outbox=results, completions=done)

        return in_rounds(step, rows, sender, proposer, ballot)

    def _may_inhibit(self, rows: Index, sender: Ints, proposer: Ints, ballot: Ints) -> Mask:
        if self.options.inhibit_from == "anyone":
            return np.ones(rows.size, np.bool_)
        cell = self.table.find(rows, proposer, ballot)
        seated = find_seats(self.table, cell, sender) >= 0
        allowed: Mask = seated & (proposer == self.own_id[rows])
        allowed |= sender == proposer
        return allowed

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
        cell = cell[~flat(self.table.completed)[cell]]
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

        def step(row: Index, sender: Ints, *given: Ints) -> Reply:
            *content, said = given
            return self._on_result(row, sender, Content(*content), said, now)

        return in_rounds(step, rows, sender, proposer, ballot, kind, data, threshold, result)

    def _on_result(
        self, rows: Index, sender: Ints, content: Content, result: Ints, now: int
    ) -> Reply:
        proposer, ballot = content.proposer, content.ballot
        final = (result >= Result.APPROVED) & (result <= Result.CANCELLED)
        cell = self.table.find(rows, proposer, ballot)
        mine = proposer == self.own_id[rows]
        code = first_code(
            rows.size,
            ((proposer <= 0) | (ballot <= 0) | (sender != proposer) | ~final, Code.INVALID_ARG),
            (mine, Code.OK),
            (cell < 0, Code.NOT_FOUND),
        )
        heard = (code == Code.OK) & ~mine
        at, said = cell[heard], result[heard]
        differs, lies = other_content(self.table, self.own_id, at, content.take(heard), now)
        swapped = other_result(self.table, self.own_id, at, said, now)
        at, said = at[~differs], said[~differs].astype(np.uint8)
        told = flat(self.table.announced)
        told[at] = np.where(told[at] == 0, said, told[at])
        still = ~flat(self.table.completed)[at]
        completions, _ = self._finish(at[still], said[still])
        return Reply(code=code, completions=completions, evidence=Evidence.join([lies, swapped]))


def _answers(rows: Index, content: Content, vote: Ints, stopped: Mask) -> Outbox:
    """Answer ballots: a vote to the proposer, or an inhibition to everyone."""
    answers = Outbox.of(
        rows,
        MessageKind.VOTE,
        destination=np.where(stopped, EVERYONE, content.proposer),
        proposer=content.proposer,
        ballot=content.ballot,
        value=np.where(stopped, 0, vote),
    )
    answers.kind[stopped] = MessageKind.INHIBIT
    return answers
