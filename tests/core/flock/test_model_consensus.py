"""Ballots explored to closure (spec section 17): every order, repeat and loss of messages.

Each property is also shown to have teeth: with the upstream option that breaks it, it breaks.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from closure import Space, States
from flockcore.flock.ballot import STRICT_MAJORITY, SUPERMAJORITY, UNANIMOUS, compact
from flockcore.flock.codes import Code, MessageKind, Result, Vote
from flockcore.flock.consensus import BUSY_VOTE, Consensus, ConsensusOptions
from flockcore.flock.outbox import Outbox, Reply

pytestmark = pytest.mark.slow

LIFE = 2
ONE = np.int64(65536)
OUTSIDER = 9


class ViolationError(AssertionError):
    """A property that does not hold; the message names it."""


def demand(holds: np.ndarray, what: str) -> None:
    if not np.all(holds):
        raise ViolationError(what)


def copy_of(space: Space, states: States) -> States:
    return space.unpack(states.pack())


# --- one proposer, two ballots: PCN-2 to PCN-5, PCN-7, PCN-9, PCN-13 -------------------------


class Counting:
    """Votes arrive in any order, repeated or never; note 0 is the time, before or at the deadline.

    A voter may say anything each time: honest repeats and equivocation are both covered.
    """

    def __init__(self, peers: int, answers: tuple, **chosen: object) -> None:
        options = ConsensusOptions(vote_timeout_us=LIFE, ballot_history=0, **chosen)
        self.peers, self.answers = range(2, 2 + peers), answers
        self.space = Space(options, nodes=1, electors=peers, places=2, notes=1)
        start = self.space.blank(1)
        start.engine.set_electorate([0], [list(self.peers)])
        start.engine.propose([0, 0], 0, [1, 2], [STRICT_MAJORITY, SUPERMAJORITY], 0)
        self.start = start

    def count(self) -> int:
        return self.space.explore(self.start, self.expand)

    def expand(self, states: States) -> Iterator[States]:
        self.check_state(states.engine)
        for late in (0, 1):
            part = states.notes[:, 0] == late
            if part.any():
                yield from self.at(self.space.unpack(states.pack()[part]), late * LIFE)

    def at(self, states: States, now: int) -> Iterator[States]:
        for ballot in (1, 2):
            for voter, vote in product(self.peers, self.answers):
                after = copy_of(self.space, states)
                reply = after.engine.on_vote(after.rows(0), voter, 1, ballot, vote, now)
                self.check_step(states, after, reply, by_tick=False)
                yield after
            after = copy_of(self.space, states)
            reply = after.engine.on_inhibit(after.rows(0), self.peers[0], 1, ballot, now)
            self.check_step(states, after, reply, by_tick=False)
            yield after
            self.check_strangers(states, ballot, now)
        after = copy_of(self.space, states)
        reply = after.engine.tick(now)
        self.check_step(states, after, reply, by_tick=True)
        if now >= LIFE:
            table = after.engine.table
            demand(table.completed | (table.proposer == 0), "PCN-9")
        yield after
        if now < LIFE:
            after = copy_of(self.space, states)
            after.notes[:, 0] = 1
            yield after

    def check_strangers(self, states: States, ballot: int, now: int) -> None:
        """PCN-7 and PCN-13: who has no say changes nothing."""
        before = states.pack()
        for voter, proposer, vote in [
            (OUTSIDER, 1, Vote.YES),
            (self.peers[0], 8, Vote.YES),
            (self.peers[0], 1, Vote.INHIBIT),
        ]:
            after = copy_of(self.space, states)
            after.engine.on_vote(after.rows(0), voter, proposer, ballot, vote, now)
            demand(after.pack() == before, "PCN-7")
        after = copy_of(self.space, states)
        after.engine.on_inhibit(after.rows(0), OUTSIDER, 1, ballot, now)
        demand(after.pack() == before, "PCN-13")

    def check_state(self, engine: Consensus) -> None:
        t = engine.table
        said_yes = ((t.vote == Vote.YES) & (t.voter > 0)).sum(axis=2)
        closed = np.bitwise_count(t.closed)
        approved = t.result == Result.APPROVED
        demand(~approved | (t.yes * ONE >= t.eligible * t.threshold), "PCN-2")
        demand(t.yes == said_yes, "PCN-2")
        demand((t.yes + t.no <= t.votes) & (t.votes <= t.eligible), "PCN-5")
        demand(t.votes == closed, "PCN-5")

    def check_step(self, before: States, after: States, reply: Reply, *, by_tick: bool) -> None:
        old, new = before.engine.table, after.engine.table
        kept = (old.proposer == new.proposer) & (old.ballot == new.ballot) & (old.proposer > 0)
        final = old.completed & kept
        for name in ("result", "votes", "yes", "no", "closed"):
            demand(~final | (getattr(old, name) == getattr(new, name)), "PCN-4")
        ended = (old.proposer > 0) & ~old.completed & (new.completed | ~kept)
        ended &= by_tick | new.completed
        demand(reply.completions.size == ended.sum(), "PCN-4")
        if by_tick:
            return
        silent = new.eligible - np.bitwise_count(new.closed)
        reachable = (new.yes + silent) * ONE >= new.eligible * new.threshold
        demand(~(ended & (new.result == Result.REJECTED) & reachable), "PCN-3")


EVERY_ANSWER = (Vote.ABSTAIN, Vote.YES, Vote.NO, BUSY_VOTE)


@pytest.mark.parametrize(
    ("peers", "answers", "self_vote"),
    [
        (2, EVERY_ANSWER, True),
        (3, (Vote.ABSTAIN, Vote.YES, Vote.NO), True),
        (3, EVERY_ANSWER, False),
    ],
)
def test_counting(peers: int, answers: tuple, self_vote: bool) -> None:
    states = Counting(peers, answers, allow_self_vote=self_vote).count()
    voters = peers + self_vote
    print(f"PCN-2..5, 7, 9, 13: {voters} voters, 2 ballots: {states} states, closed")


@pytest.mark.parametrize(
    ("chosen", "broken"),
    [({"abstain": "open"}, "PCN-[35]"), ({"inhibit_from": "anyone"}, "PCN-13")],
)
def test_counting_as_upstream(chosen: dict, broken: str) -> None:
    with pytest.raises(ViolationError, match=broken):
        Counting(2, EVERY_ANSWER, **chosen).count()


# --- a full table: PCN-10 -------------------------------------------------------------------


class FullTable:
    """Own ballots and others' come and end; own numbers are renamed, for only equality counts."""

    def __init__(self, places: int, **chosen: object) -> None:
        options = ConsensusOptions(vote_timeout_us=LIFE, ballot_history=0, **chosen)
        self.places = places
        self.space = Space(options, nodes=1, electors=1, places=places, notes=1)
        self.start = self.space.blank(1)
        self.start.engine.set_electorate([0], [[2]])

    def count(self) -> int:
        return self.space.explore(self.start, self.expand)

    def expand(self, states: States) -> Iterator[States]:
        table = states.engine.table
        stuck = ((table.proposer > 0) & ~table.completed).all(axis=1)
        for after, code in self.arrivals(states):
            demand((code == Code.BUSY) == stuck, "PCN-10")
            yield self.renamed(after)
        for ballot, vote in product(range(1, self.places + 1), (Vote.YES, Vote.NO)):
            after = copy_of(self.space, states)
            after.engine.on_vote(after.rows(0), 2, 1, ballot, vote, 0)
            yield self.renamed(after)
        for other in range(7, 8 + self.places):
            after = copy_of(self.space, states)
            after.engine.on_result(after.rows(0), other, other, 1, 0, 0, 0, Result.APPROVED, 0)
            yield self.renamed(after)
        after = copy_of(self.space, states)
        after.engine.tick(10 * LIFE + 10**6)
        yield self.renamed(after)

    def arrivals(self, states: States) -> Iterator[tuple[States, np.ndarray]]:
        after = copy_of(self.space, states)
        yield after, after.engine.propose(after.rows(0), 0, 0, UNANIMOUS, 0).code
        for other in range(7, 8 + self.places):
            known = (states.engine.table.proposer == other).any(axis=1)
            after = copy_of(self.space, states)
            code = after.engine.on_proposal(after.rows(0), other, 1, 0, 0, 0, 0).code
            table = states.engine.table
            stuck = ((table.proposer > 0) & ~table.completed).all(axis=1)
            yield after, np.where(known, np.where(stuck, Code.BUSY, Code.OK), code)

    def renamed(self, states: States) -> States:
        table = states.engine.table
        own = table.proposer == 1
        rank = np.cumsum(own, axis=1)
        table.ballot[own] = rank[own]
        states.engine.next_ballot[:] = rank[:, -1] + 1
        return states


@pytest.mark.parametrize("places", [2, 3])
def test_full_table(places: int) -> None:
    states = FullTable(places).count()
    print(f"PCN-10: table of {places}: {states} states, closed")


def test_full_table_as_upstream() -> None:
    with pytest.raises(ViolationError, match="PCN-10"):
        FullTable(2, full_table="refuse").count()


# --- nodes and messages: PCN-14, PCN-15 -----------------------------------------------------


class Soup(ABC):
    """Nodes and the messages ever sent: any may arrive at any time, again, or never.

    Note 0 is the time, note 1 holds one bit a message.
    """

    def __init__(self, options: ConsensusOptions, *, nodes: int, horizon: int, places: int) -> None:
        self.nodes, self.horizon = nodes, horizon
        self.space = Space(options, nodes=nodes, electors=nodes - 1, places=places, notes=3)
        self.bits: dict[tuple, int] = {}
        self.start = self.space.blank(1)
        everyone = np.arange(1, nodes + 1)
        for node in range(nodes):
            self.start.engine.set_electorate([node], everyone[None, :])

    def count(self) -> int:
        return self.space.explore(self.start, self.expand)

    def bit(self, *message: int) -> int:
        return 1 << self.bits.setdefault(message, len(self.bits))

    def sent(self, states: States, outbox: Outbox) -> None:
        """Put messages into the soup: (kind, sender id, proposer, ballot, value or result)."""
        if not outbox.size:
            return
        state, node = np.divmod(outbox.sender, self.nodes)
        what = np.where(outbox.kind == MessageKind.RESULT, outbox.result, outbox.value)
        said = np.stack([outbox.kind, node + 1, outbox.proposer, outbox.ballot, what], axis=1)
        for message in np.unique(said, axis=0):
            chosen = (said == message).all(axis=1)
            states.notes[state[chosen], 1] |= self.bit(*message.tolist())

    def expand(self, states: States) -> Iterator[States]:
        self.check(states)
        packed = states.pack()
        for now in np.unique(states.notes[:, 0]):
            part = packed[states.notes[:, 0] == now]
            yield from self.at(part, int(now))

    def at(self, packed: np.ndarray, now: int) -> Iterator[States]:
        states = self.space.unpack(packed)
        for message, place in list(self.bits.items()):
            there = packed[(states.notes[:, 1] >> place) & 1 == 1]
            if len(there):
                yield from self.deliver(there, message, now)
        yield from self.act(packed, now)
        if now < self.horizon:
            after = self.space.unpack(packed)
            after.notes[:, 0] += 1
            yield after

    def deliver(self, packed: np.ndarray, message: tuple, now: int) -> Iterator[States]:
        kind, sender, proposer, ballot, value = message
        for node in range(self.nodes):
            if node + 1 == sender:
                continue
            wishes = self.wishes() if kind == MessageKind.PROPOSAL else (Vote.YES,)
            if kind == MessageKind.VOTE and node + 1 != proposer:
                continue
            for wish in wishes:
                after = self.space.unpack(packed)
                rows, engine = after.rows(node), after.engine
                if kind == MessageKind.PROPOSAL:
                    content = (value, 0, STRICT_MAJORITY)
                    reply = engine.on_proposal(rows, sender, ballot, *content, now, decision=wish)
                elif kind == MessageKind.VOTE:
                    reply = engine.on_vote(rows, sender, proposer, ballot, value, now)
                elif kind == MessageKind.INHIBIT:
                    reply = engine.on_inhibit(rows, sender, proposer, ballot, now)
                else:
                    content = (0, 0, STRICT_MAJORITY)
                    reply = engine.on_result(rows, sender, proposer, ballot, *content, value, now)
                self.sent(after, reply.outbox)
                self.note(after, reply)
                yield after

    def wishes(self) -> tuple:
        return (Vote.YES, Vote.NO)

    @abstractmethod
    def act(self, packed: np.ndarray, now: int) -> Iterator[States]:
        """Yield what every message and every command makes of some states."""

    @abstractmethod
    def check(self, states: States) -> None:
        """Raise where a property does not hold."""

    def note(self, states: States, reply: Reply) -> None:  # noqa: B027 - most need nothing
        """Keep what a property needs to remember."""


class OneBallot(Soup):
    """PCN-14: a proposer and two voters, each ticking when it likes, some inhibiting."""

    def __init__(self, inhibiting: tuple = (), horizon: int = 4, **chosen: object) -> None:
        self.inhibiting = inhibiting
        options = ConsensusOptions(
            vote_timeout_us=LIFE,
            result_grace_us=1,
            inhibit_duration_us=2,
            ballot_history=1,
        )
        options = replace(options, **chosen)
        super().__init__(options, nodes=3, horizon=horizon, places=1)
        self.sent(self.start, self.start.engine.propose([0], 0, 0, STRICT_MAJORITY, 0).outbox)

    def act(self, packed: np.ndarray, now: int) -> Iterator[States]:
        for node in range(self.nodes):
            after = self.space.unpack(packed)
            ticking = np.arange(after.size * self.nodes) % self.nodes == node
            self.sent(after, after.engine.tick(now, ticking).outbox)
            yield after
            if node in self.inhibiting and now < LIFE:
                after = self.space.unpack(packed)
                self.sent(after, after.engine.inhibit(after.rows(node), 1, 1, now).outbox)
                yield after

    def check(self, states: States) -> None:
        engine = states.engine
        rows = [states.rows(node) for node in range(self.nodes)]
        held = [engine.table.result[row, 0] for row in rows]
        past = [engine.history.result[row, 0] for row in rows]
        verdict = np.maximum(held[0], past[0])
        for believed in (*held[1:], *past[1:]):
            split = (verdict == Result.APPROVED) & (believed == Result.REJECTED)
            split |= (verdict == Result.REJECTED) & (believed == Result.APPROVED)
            demand(~split, "PCN-14")


@pytest.mark.parametrize(("inhibiting", "horizon"), [((), 4), ((0,), 2), ((1,), 3)])
def test_one_ballot(inhibiting: tuple, horizon: int) -> None:
    states = OneBallot(inhibiting, horizon).count()
    extra = f", inhibitions by {inhibiting[0] + 1}" if inhibiting else ""
    print(f"PCN-14: 3 nodes, 1 ballot, loss, repeats{extra}: {states} states, closed")


def test_one_ballot_as_upstream() -> None:
    with pytest.raises(ViolationError, match="PCN-14"):
        OneBallot(announce_results=False).count()


class Rivals(Soup):
    """PCN-15: four voters, two of them propose the same kind, each when it likes.

    Note 2 remembers: bits 0, 1 which has proposed, 2 overlap, 3, 4 which was approved. States from
    which the two can no longer both win are not expanded, and results are not delivered: that of
    an approved ballot frees no voter, and after any other one there is no second winner.
    """

    def __init__(self, horizon: int = 4, **chosen: object) -> None:
        options = ConsensusOptions(
            vote_timeout_us=LIFE,
            result_grace_us=0,
            ballot_history=0,
            conflicts="one_yes",
        )
        super().__init__(replace(options, **chosen), nodes=4, horizon=horizon, places=2)

    def expand(self, states: States) -> Iterator[States]:
        memory = states.notes[:, 2]
        open_still = memory & 3 != 3
        open_still |= memory & 4 == 4
        table = states.engine.table
        for node in (0, 1):
            rows = states.rows(node)
            running = (table.proposer[rows] == node + 1) & ~table.completed[rows]
            running &= table.deadline[rows] > states.notes[:, :1]
            running = running.any(axis=1)
            proposed, won = memory >> node & 1 == 1, memory >> (3 + node) & 1 == 1
            open_still &= ~proposed | running | won
        self.check(states)
        if open_still.any():
            yield from super().expand(self.space.unpack(states.pack()[open_still]))

    def sent(self, states: States, outbox: Outbox) -> None:
        super().sent(states, outbox.take(outbox.kind != MessageKind.RESULT))
        table = states.engine.table
        keep = table.proposer == states.engine.own_id[:, None]
        others = (~keep & (table.proposer > 0)).any(axis=1)
        gaps = (keep[:, 1:] & ~keep[:, :-1]).any(axis=1)
        rows = np.flatnonzero(others | gaps)
        compact(table.columns(), rows, keep[rows])

    def wishes(self) -> tuple:
        return (Vote.YES,)

    def act(self, packed: np.ndarray, now: int) -> Iterator[States]:
        for node in (0, 1):
            after = self.space.unpack(packed)
            fresh = np.flatnonzero(after.notes[:, 2] >> node & 1 == 0)
            table = after.engine.table
            other = after.rows(1 - node)[fresh]
            rival = (table.proposer[other] == 2 - node) & ~table.completed[other]
            reply = after.engine.propose(after.rows(node)[fresh], 0, 0, STRICT_MAJORITY, now)
            made = reply.code == Code.OK
            after.notes[fresh[made], 2] |= 1 << node
            after.notes[fresh[made & rival.any(axis=1)], 2] |= 4
            self.sent(after, reply.outbox)
            yield after
        if now < self.horizon:
            after = self.space.unpack(packed)
            reply = after.engine.tick(now)
            self.sent(after, reply.outbox)
            self.note(after, reply)
            after.notes[:, 0] += 1
            yield after

    def note(self, states: States, reply: Reply) -> None:
        done = reply.completions
        state, node = np.divmod(done.row, self.nodes)
        won = (done.proposer == node + 1) & (done.result == Result.APPROVED)
        states.notes[state[won], 2] |= 8 << node[won]

    def check(self, states: States) -> None:
        both = (states.notes[:, 2] & 28) == 28
        demand(~both, "PCN-15")


def test_rivals() -> None:
    states = Rivals().count()
    print(f"PCN-15: 4 voters, 2 proposers: {states} states, closed")


def test_rivals_as_upstream() -> None:
    with pytest.raises(ViolationError, match="PCN-15"):
        Rivals(conflicts="allow").count()
