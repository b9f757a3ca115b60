"""Ballots, evidence and quarantine on the floor (spec ekk, sections 8, 9.3 and 9.8)."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.ballot import SUPERMAJORITY
from flockcore.flock.codes import Code, Health, MessageKind, ProposalKind
from flockcore.flock.codes import Result as BallotResult
from flockcore.flock.evidence import EvidenceOptions
from flockcore.flock.options import FlockOptions
from flockcore.flock.outbox import Completions, Outbox, Reply
from flockcore.flock.quarantine import to_letters
from flockcore.flock.readings import Readings
from flockcore.flock.reports import Tally
from flockcore.flock.voting import answer, join_replies, post
from flockcore.kernel.faults import Equivocate
from flockcore.kernel.mail import Parcel
from flockcore.kernel.records import Records

__all__ = ["Floor"]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]

_BACKOFF_TICKS = 16
_EVIDENCE_LEAD_TICKS = 4


class Floor(Readings, ABC):
    """What nodes put to the vote, how they answer, and what they do about liars.

    Attributes:
        options: deviations from the original, by name.
        ids: id of each node, ascending, shape (N,).
        row_of: node by id.
        evidence_options: how evidence is judged.
        lies: who equivocates now, and about what.
        tally: counts of the present tick.
        records: where events are written.
        present_tick: the present tick.
    """

    options: FlockOptions
    ids: NDArray[np.int32]
    row_of: Indices
    evidence_options: EvidenceOptions
    lies: tuple[Equivocate, ...]
    tally: Tally
    records: Records
    present_tick: int

    def _read_letters(self, letters: list[Parcel], now: int) -> list[Reply]:
        if not letters:
            return []
        state = self.state
        before = np.count_nonzero(state.consensus.table.proposer, axis=1)
        self._log_votes(letters)
        replies = answer(state.consensus, state.book, state.channel, self.ids, letters, now)
        grown = np.count_nonzero(state.consensus.table.proposer, axis=1) - before
        state.counters.started += np.maximum(grown, 0)
        return replies

    def _log_votes(self, letters: list[Parcel]) -> None:
        for parcel in letters:
            if parcel.kind == MessageKind.VOTE:
                self.records.logs["votes"].append(
                    self.present_tick,
                    len(parcel),
                    node=parcel.edge // self.slots,
                    voter=self.state.channel.source(parcel.edge),
                    ballot=parcel.body[:, 1],
                    vote=parcel.body[:, 2],
                )

    def _settle(self, replies: list[Reply], now: int, tick: int) -> None:
        """Send what the engine has to say, count what ended, act on quarantines."""
        replies = [reply for reply in replies if not reply.is_silent]
        if not replies:
            return
        outbox, ended = join_replies(replies)
        self.count_endings(ended, tick)
        self._enforce(ended, now)
        evidence = [reply.evidence for reply in replies if reply.evidence.size]
        for piece in evidence:
            fresh = self.state.book.add(piece, self.evidence_options, now)
            seen = fresh & (piece.witness[:, 0] == self.ids[piece.holder])
            if seen.any():
                outbox = Outbox.join([outbox, to_letters(piece.take(seen))])
                self._plan(piece.holder[seen], piece.suspect[seen], tick)
        self.post(outbox, tick)

    def post(self, outbox: Outbox, tick: int, *, command: bool = False) -> None:
        """Send letters and count them."""
        if not outbox.size:
            return
        state = self.state
        sender, copies, octets = post(
            state.channel,
            outbox,
            row_of=self.row_of,
            lied=self._lied(outbox),
            tick=tick,
            command=command,
        )
        np.add.at(state.counters.sent, sender, copies)
        np.add.at(state.counters.octets, sender, octets)

    def _lied(self, outbox: Outbox) -> Mask:
        """Tell about which letters their senders equivocate, shape (letters,)."""
        lied = np.zeros(outbox.size, dtype=np.bool_)
        for lie in self.lies:
            about = np.isin(outbox.sender, lie.nodes)
            lied |= about if lie.ballot is None else about & (outbox.ballot == lie.ballot)
        return lied

    def count_endings(self, ended: Completions, tick: int) -> None:
        """Count and log ballots that ended."""
        if not ended.size:
            return
        counters = self.state.counters
        for results, counter in (
            ((BallotResult.APPROVED, BallotResult.REJECTED), counters.completed),
            ((BallotResult.CANCELLED,), counters.cancelled),
            ((BallotResult.TIMEOUT,), counters.timed_out),
            ((BallotResult.EXPIRED,), counters.expired),
        ):
            np.add.at(counter, ended.row[np.isin(ended.result, results)], 1)
        self.tally.endings(ended, self.ids)
        self.records.logs["endings"].append(
            tick,
            ended.size,
            node=ended.row,
            proposer=self.row_of[ended.proposer],
            ballot=ended.ballot,
            kind=ended.kind,
            data=ended.data,
            result=ended.result,
            votes=ended.votes,
            yes=ended.yes,
            no=ended.no,
            eligible=ended.eligible,
        )

    def _enforce(self, ended: Completions, now: int) -> None:
        """Silence the suspects of approved quarantines where there is evidence (Q26)."""
        mine = (ended.kind == ProposalKind.QUARANTINE) & (ended.result == BallotResult.APPROVED)
        if not (self.options.enforce_quarantine and mine.any()):
            return
        row, suspect = ended.row[mine], ended.data[mine]
        row, first = np.unique(row, return_index=True)
        suspect = suspect[first]
        believed = self.state.book.accuses(row, suspect) & (suspect != self.ids[row])
        row, suspect = row[believed], suspect[believed]
        done = self.state.quarantine.execute(row, suspect, now) == Code.OK
        edge = self.state.channel.edge_from(self.row_of[suspect[done]], row[done])
        edge = edge[edge >= 0]
        self.state.heartbeat.remove(edge)
        changed = self.state.topology.lose(edge)
        self.reelect(np.concatenate([changed, self.state.topology.bar(edge)]))
        self.records.logs["notes"].append(
            self.present_tick,
            int(done.sum()),
            code=1,
            node=row[done],
            other=self.row_of[suspect[done]],
        )
        self.tally.recount(self)

    def _plan(self, holder: Indices, suspect: NDArray[np.int32], tick: int) -> None:
        """Plan to ask for a quarantine, after a draw so that not everybody asks at once."""
        words = self.network.streams.raw("flock/backoff", tick, self.world.nodes)
        wait = (words[holder] % np.uint64(_BACKOFF_TICKS)).astype(np.int64)
        free = self.state.accusations.suspect[holder] == 0
        self.state.accusations.suspect[holder[free]] = suspect[free]
        self.state.accusations.due[holder[free]] = tick + _EVIDENCE_LEAD_TICKS + wait[free]
        self.records.logs["notes"].append(
            tick, len(holder), code=0, node=holder, other=self.row_of[suspect]
        )

    def _accuse(self, now: int, tick: int, ticking: Mask) -> None:
        plans = self.state.accusations
        if not plans.suspect.any():
            return
        due = np.flatnonzero((plans.suspect > 0) & (plans.due <= tick) & ticking)
        if not len(due):
            return
        suspect = plans.suspect[due].copy()
        plans.suspect[due] = 0
        table = self.state.consensus.table
        asked = (table.kind[due] == ProposalKind.QUARANTINE) & (table.proposer[due] > 0)
        known = (asked & (table.data[due] == suspect[:, None])).any(axis=1)
        go = ~known & ~self.state.quarantine.holds(due, suspect)
        for row, one in zip(due[go].tolist(), suspect[go].tolist(), strict=True):
            self.propose(row, ProposalKind.QUARANTINE, one, SUPERMAJORITY, now, tick, without=one)

    def propose(
        self,
        row: int,
        kind: int,
        data: int,
        threshold: int,
        now: int,
        tick: int,
        *,
        without: int = 0,
        command: bool = False,
    ) -> tuple[int, int]:
        """Open a ballot among the elected neighbours of a node (section 9.8).

        Returns:
            The code, and the ballot id (0 where refused).
        """
        state = self.state
        rows = np.array([row], dtype=np.intp)
        edges = state.topology.elected_edges()[rows]
        peers = np.where(edges >= 0, self.ids[state.channel.source(np.maximum(edges, 0))], 0)
        if self.options.electorate == "heard":
            health = state.heartbeat.health.reshape(-1)[np.maximum(edges, 0)]
            peers = np.where((health == Health.ALIVE) | (health == Health.SUSPECT), peers, 0)
        state.consensus.set_electorate(rows, peers)
        reply = state.consensus.propose(
            rows,
            kind,
            data,
            threshold,
            now,
            min_electors=state.topology.min_neighbours if self.options.quorum_guard else 0,
            without=without,
        )
        code, ballot = int(reply.code[0]), int(reply.ballot[0])
        if code == Code.OK:
            state.counters.started[row] += 1
            self.tally.opened += 1
        electors = np.full(16, -1, dtype=np.int32)
        electorate = state.consensus.electorate[row]
        voters = [int(self.row_of[one]) for one in electorate if one > 0 and one != without]
        electors[: len(voters)] = voters
        if self.options.allow_self_vote:
            electors[len(voters)] = row
        self.records.logs["proposals"].append(
            tick,
            1,
            node=row,
            code=code,
            ballot=ballot,
            kind=kind,
            data=data,
            threshold=threshold,
            voters=electors,
        )
        self.post(reply.outbox, tick, command=command)
        return code, ballot

    @abstractmethod
    def reelect(self, rows: Indices) -> None:
        """Take note of rows whose elected set changed."""
