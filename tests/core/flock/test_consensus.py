"""The consensus engine against its plain twin, and the properties PCN-1 to PCN-17."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus_twin import SlowConsensus, slow_evaluate
from flockcore.errors import FlockError
from flockcore.flock.ballot import (
    SIMPLE_MAJORITY,
    STRICT_MAJORITY,
    SUPERMAJORITY,
    TWO_THIRDS,
    UNANIMOUS,
    evaluate,
)
from flockcore.flock.codes import Code, MessageKind, Result, Vote
from flockcore.flock.consensus import BUSY_VOTE, NEVER, UPSTREAM, Consensus, ConsensusOptions
from flockcore.flock.inhibition import BallotHistory
from flockcore.flock.outbox import EVERYONE
from flockcore.kernel.state import capture, restore

THRESHOLDS = (SIMPLE_MAJORITY, STRICT_MAJORITY, TWO_THIRDS, SUPERMAJORITY, UNANIMOUS)
NODES = 3
PEERS = 5
ELECTORS = 4

options = st.builds(
    ConsensusOptions,
    vote_timeout_us=st.integers(1, 4),
    inhibit_duration_us=st.integers(1, 6),
    allow_self_vote=st.booleans(),
    require_all_neighbours=st.booleans(),
    announce_results=st.booleans(),
    result_grace_us=st.integers(0, 2),
    inhibit_from=st.sampled_from(["electorate", "anyone"]),
    ballot_history=st.integers(0, 3),
    full_table=st.sampled_from(["evict_finished", "refuse"]),
    abstain=st.sampled_from(["closes", "open"]),
    full_answer=st.sampled_from(["busy", "no"]),
    conflicts=st.sampled_from(["allow", "one_yes", "inhibit"]),
)

node = st.integers(0, NODES - 1)
peer = st.sampled_from([1, 2, 3, 1, 2, 3, 4, 5, 0])
number = st.sampled_from([1, 1, 1, 2, 2, 3, 0])
content = st.sampled_from(
    [
        (0, 0, STRICT_MAJORITY),
        (0, 0, STRICT_MAJORITY),
        (0, 1, SIMPLE_MAJORITY),
        (1, 0, UNANIMOUS),
        (4, 2, TWO_THIRDS),
    ]
)
answer = st.sampled_from([Vote.YES, Vote.YES, Vote.NO, Vote.ABSTAIN, Vote.INHIBIT, BUSY_VOTE])


def batch(name: str, *parts: st.SearchStrategy) -> st.SearchStrategy:
    """Several events of one kind, handed over in a single call."""
    return st.tuples(st.just(name), st.lists(st.tuples(node, *parts), min_size=1, max_size=8))


events = st.one_of(
    st.tuples(st.just("electorate"), node, st.lists(peer, max_size=7)),
    batch("propose", content),
    batch("on_proposal", peer, number, content, st.sampled_from(Vote)),
    batch("on_vote", peer, st.tuples(peer, number), answer),
    batch("on_own_vote", peer, number, answer),
    batch("vote", st.tuples(peer, number), st.sampled_from(Vote)),
    batch("inhibit", st.tuples(peer, number)),
    batch("on_inhibit", peer, st.tuples(peer, number)),
    batch("on_result", peer, st.tuples(peer, number), content, st.integers(0, 5)),
    st.tuples(st.just("tick"), st.integers(0, 3), st.lists(st.booleans(), min_size=3, max_size=3)),
)


class Pair:
    """One engine of three nodes beside three twins."""

    def __init__(self, chosen: ConsensusOptions, places: int) -> None:
        self.fast = Consensus.create(NODES, options=chosen, electors=ELECTORS, places=places)
        self.slow = [SlowConsensus(i + 1, chosen, ELECTORS, places) for i in range(NODES)]
        self.now = 10

    def run(self, event: tuple) -> None:
        for twin in self.slow:
            twin.sent, twin.ended, twin.liars = [], [], []
        name, *rest = event
        if name == "electorate":
            row, ids = rest
            self.fast.set_electorate([row], np.array([ids], np.int32))
            self.slow[row].set_electorate(ids)
        elif name == "tick":
            self.tick(*rest)
        else:
            getattr(self, name)(rest[0])
        self.compare_state()

    def tick(self, step: int, ticking: list) -> None:
        self.now += step
        reply = self.fast.tick(self.now, np.array(ticking))
        for twin, on in zip(self.slow, ticking, strict=True):
            if on:
                twin.tick(self.now)
        self.compare_reply(reply)

    def call(self, operation: str, items: list, flatten: list, slow_calls: list, **named) -> None:
        rows = [item[0] for item in items]
        columns = zip(*flatten, strict=True)
        reply = getattr(self.fast, operation)(rows, *map(list, columns), self.now, **named)
        codes = [int(call()) for call in slow_calls]
        assert reply.code.tolist() == codes
        self.compare_reply(reply)

    def propose(self, items: list) -> None:
        calls = [lambda i=i, c=c: self.slow[i].propose(*c, self.now, 1) for i, c in items]
        self.call("propose", items, [c for _, c in items], calls, min_electors=1)

    def on_proposal(self, items: list) -> None:
        calls = [
            lambda i=i, p=p, b=b, c=c, wish=wish: self.slow[i].on_proposal(p, b, c, wish, self.now)
            for i, p, b, c, wish in items
        ]
        rows = [(p, b, *c) for _, p, b, c, _ in items]
        self.call("on_proposal", items, rows, calls, decision=[item[-1] for item in items])

    def on_vote(self, items: list) -> None:
        calls = [
            lambda i=i, v=v, k=k, x=x: self.slow[i].on_vote(v, k, x, self.now)
            for i, v, k, x in items
        ]
        self.call("on_vote", items, [(v, *k, x) for _, v, k, x in items], calls)

    def on_own_vote(self, items: list) -> None:
        """Votes that come to the right node."""
        self.on_vote([(i, v, (i + 1, b), x) for i, v, b, x in items])

    def vote(self, items: list) -> None:
        calls = [lambda i=i, k=k, x=x: self.slow[i].vote(k, x, self.now) for i, k, x in items]
        self.call("vote", items, [(*k, x) for _, k, x in items], calls)

    def inhibit(self, items: list) -> None:
        calls = [lambda i=i, k=k: self.slow[i].inhibit(k, self.now) for i, k in items]
        self.call("inhibit", items, [k for _, k in items], calls)

    def on_inhibit(self, items: list) -> None:
        calls = [lambda i=i, s=s, k=k: self.slow[i].on_inhibit(s, k, self.now) for i, s, k in items]
        self.call("on_inhibit", items, [(s, *k) for _, s, k in items], calls)

    def on_result(self, items: list) -> None:
        calls = [
            lambda i=i, s=s, k=k, c=c, x=x: self.slow[i].on_result(s, k, c, x)
            for i, s, k, c, x in items
        ]
        self.call("on_result", items, [(s, *k, *c, x) for _, s, k, c, x in items], calls)

    def compare_reply(self, reply) -> None:
        out, done, accused = reply.outbox, reply.completions, reply.evidence
        sent = (
            out.destination,
            out.kind,
            out.proposer,
            out.ballot,
            out.value,
            out.data,
            out.threshold,
            out.result,
        )
        ended = (
            done.proposer,
            done.ballot,
            done.kind,
            done.data,
            done.result,
            done.votes,
            done.yes,
            done.no,
            done.eligible,
        )
        for row, twin in enumerate(self.slow):
            assert lines(sent, out.sender == row) == twin.sent
            assert lines(ended, done.row == row) == twin.ended
            assert sorted(accused.suspect[accused.holder == row].tolist()) == sorted(twin.liars)

    def compare_state(self) -> None:
        table, stopped = self.fast.table, self.fast.inhibitions
        columns = (
            table.proposer,
            table.ballot,
            table.kind,
            table.data,
            table.threshold,
            table.deadline,
            table.votes,
            table.yes,
            table.no,
            table.eligible,
            table.result,
        )
        for row, twin in enumerate(self.slow):
            used = table.proposer[row] > 0
            assert lines([c[row] for c in columns], used) == [each.row() for each in twin.table]
            assert table.completed[row][used].tolist() == [each.finished for each in twin.table]
            kept = lines(
                [stopped.proposer[row], stopped.ballot[row], stopped.expiry[row]],
                stopped.proposer[row] > 0,
            )
            assert kept == [(*key, expiry) for key, expiry in twin.inhibitions]
            assert self.fast.next_ballot[row] == twin.next_ballot
            keys = [(p, b) for p in range(PEERS + 1) for b in range(4)]
            known = self.fast.result([row] * len(keys), *map(list, zip(*keys, strict=True)))
            assert known.tolist() == [int(twin.result(key)) for key in keys]


def lines(columns, which) -> list[tuple]:
    picked = [np.asarray(column)[which].tolist() for column in columns]
    return list(zip(*picked, strict=True))


@pytest.mark.slow
@settings(max_examples=400)
@given(options, st.integers(1, 4), st.booleans(), st.lists(events, max_size=40))
def test_equals_its_twin(
    chosen: ConsensusOptions, places: int, settled: bool, script: list
) -> None:
    pair = Pair(chosen, places)
    if settled:
        for row in range(NODES):
            pair.run(("electorate", row, list(range(1, PEERS + 1))))
        pair.run(("propose", [(row, (0, 0, STRICT_MAJORITY)) for row in (0, 0, 1, 2)]))
    for event in script:
        pair.run(event)


@pytest.mark.slow
@given(options, st.lists(events, max_size=15), st.lists(events, max_size=10))
def test_state_can_be_captured(chosen: ConsensusOptions, before: list, after: list) -> None:
    pair = Pair(chosen, 3)
    for event in before:
        pair.run(event)
    held = capture(pair.fast)
    for event in after:
        pair.run(event)
    expected = capture(pair.fast)
    restore(pair.fast, held)
    copy = Consensus.create(NODES, options=chosen, electors=ELECTORS, places=3)
    restore(copy, held)
    again, pair.fast = pair.fast, copy
    assert all((capture(again)[name] == held[name]).all() for name in held)
    assert set(expected) == set(held)
    assert "options" not in held


class TestEvaluate:
    @pytest.mark.slow
    def test_equals_the_integer_specification(self) -> None:
        """PCN-1: all n <= 8, votes, yes and a grid of thresholds around every ratio."""
        ratios = {65536 * a // n + d for n in range(1, 9) for a in range(n + 1) for d in (-1, 0, 1)}
        grid = sorted(ratios | {-3, 0, 1, *THRESHOLDS, 65599})
        cases = [
            (n, v, y, t) for n in range(9) for v in range(n + 2) for y in range(v + 1) for t in grid
        ]
        columns = np.array(cases, np.int64).T
        expected = [int(slow_evaluate(*case)) for case in cases]
        assert evaluate(*columns).tolist() == expected

    @pytest.mark.slow
    @given(st.integers(1, 2**16 - 1), st.data())
    def test_bridge_lemma(self, n: int, data: st.DataObject) -> None:
        """PCN-1: floor(y*65536/n) >= t iff y*65536 >= n*t."""
        yes = data.draw(st.integers(0, n))
        threshold = data.draw(st.integers(-3, 65599) | st.just(yes * 65536 // n))
        assert (yes * 65536 // n >= threshold) == (yes * 65536 >= n * threshold)

    @pytest.mark.parametrize(
        ("threshold", "needed"),
        [
            (SIMPLE_MAJORITY, [1, 1, 2, 2, 3, 3, 4, 4]),
            (STRICT_MAJORITY, [1, 2, 2, 3, 3, 4, 4, 5]),
            (SUPERMAJORITY, [1, 2, 3, 3, 4, 5, 5, 6]),
            (TWO_THIRDS, [1, 2, 2, 3, 4, 4, 5, 6]),
            (UNANIMOUS, [1, 2, 3, 4, 5, 6, 7, 8]),
        ],
    )
    def test_needed_votes(self, threshold: int, needed: list) -> None:
        sizes = np.repeat(np.arange(1, 9), 9)
        yes = np.minimum(np.tile(np.arange(9), 8), sizes)
        approved = evaluate(sizes, sizes, yes, np.full(72, threshold)) == Result.APPROVED
        least = [int(yes[(sizes == n) & approved].min()) for n in range(1, 9)]
        assert least == needed


def one(**chosen: object) -> Consensus:
    """One node, id 1, with electorate 2, 3, 4."""
    engine = Consensus.create(1, options=ConsensusOptions(**chosen))
    engine.set_electorate([0], [[2, 3, 4]])
    return engine


class TestVotes:
    @pytest.mark.parametrize("threshold", THRESHOLDS)
    @pytest.mark.parametrize("size", [2, 3, 4])
    def test_order_does_not_matter(self, threshold: int, size: int) -> None:
        """PCN-6: every order of the same first votes decides alike."""
        peers = np.arange(2, 2 + size)
        for said in product((Vote.YES, Vote.NO), repeat=size):
            orders = np.array(list(permutations(range(size))))
            nodes = np.arange(len(orders))
            engine = Consensus.create(len(nodes), own_id=np.full(len(nodes), 1))
            engine.set_electorate(nodes, np.tile(peers, (len(nodes), 1)))
            engine.propose(nodes, 0, 0, threshold, 0)
            every = np.repeat(nodes, size)
            votes = np.array(said)[orders]
            engine.on_vote(every, peers[orders].ravel(), 1, 1, votes.ravel(), 0)
            assert len(set(engine.table.result[:, 0].tolist())) == 1
            yes = 1 + sum(vote == Vote.YES for vote in said)
            expected = slow_evaluate(size + 1, size + 1, yes, threshold)
            assert engine.table.result[0, 0] == expected

    def test_an_abstention_closes_the_slot(self) -> None:
        """PCN-5, Q07."""
        engine = one()
        engine.propose([0], 0, 0, SUPERMAJORITY, 0)
        for vote in (Vote.ABSTAIN, Vote.ABSTAIN, Vote.YES):
            engine.on_vote([0], 2, 1, 1, vote, 0)
        assert engine.table.votes[0, 0] == 2
        assert engine.table.yes[0, 0] == 1

    def test_the_snapshot_holds(self) -> None:
        """PCN-8: a later electorate changes no open ballot."""
        engine = one()
        engine.propose([0], 0, 0, UNANIMOUS, 0)
        engine.set_electorate([0], [[7, 8]])
        assert engine.on_vote([0], 7, 1, 1, Vote.YES, 0).code[0] == Code.NOT_FOUND
        done = engine.on_vote([0, 0, 0], [2, 3, 4], 1, 1, Vote.YES, 0).completions
        assert done.result.tolist() == [Result.APPROVED]
        assert done.eligible.tolist() == [4]

    def test_same_number_of_other_proposers(self) -> None:
        """PCN-11: (proposer, number) is the name, not the number."""
        engine = one()
        engine.propose([0], 0, 5, STRICT_MAJORITY, 0)
        engine.on_proposal([0, 0], [2, 3], 1, 0, [6, 7], STRICT_MAJORITY, 0)
        engine.on_vote([0, 0], [2, 3], 1, 1, Vote.YES, 0)
        engine.on_inhibit([0], 3, 3, 1, 0)
        results = engine.result([0, 0, 0], [1, 2, 3], 1).tolist()
        assert results == [Result.APPROVED, Result.PENDING, Result.CANCELLED]

    def test_a_lone_node_cannot_propose(self) -> None:
        """PCN-16, Q08: the guard refuses; without it a lone node approves at the deadline."""
        engine = Consensus.create(1)
        refused = engine.propose([0], 0, 0, UNANIMOUS, 0, min_electors=3)
        assert refused.code[0] == Code.NO_QUORUM
        assert refused.outbox.size == 0
        assert engine.propose([0], 0, 0, UNANIMOUS, 0).code[0] == Code.OK
        assert engine.tick(50_000).completions.result.tolist() == [Result.APPROVED]

    @given(st.integers(0, 5), st.integers(0, 3))
    def test_quorum(self, electors: int, least: int) -> None:
        """PCN-16: without quorum nothing is proposed, hence nothing approved."""
        engine = Consensus.create(1)
        engine.set_electorate([0], np.arange(2, 2 + electors)[None, :])
        code = engine.propose([0], 0, 0, 0, 0, min_electors=least).code[0]
        assert code == (Code.OK if electors >= least else Code.NO_QUORUM)


class TestNumbers:
    def test_zero_is_skipped(self) -> None:
        """PCN-17, Q24."""
        engine = one()
        engine.next_ballot[:] = 65535
        given_out = [int(engine.propose([0], 0, 0, UNANIMOUS, 0).ballot[0]) for _ in range(2)]
        assert given_out == [65535, 1]

    @pytest.mark.slow
    @given(st.lists(st.integers(65530, 65535) | st.integers(1, 5), min_size=1, max_size=12))
    def test_unique_among_live_ballots(self, starts: list) -> None:
        """PCN-17: wherever the counter stands."""
        engine = one()
        for start in starts:
            engine.next_ballot[:] = start
            reply = engine.propose([0], 0, 0, UNANIMOUS, 0)
            live = engine.table.ballot[0][engine.table.proposer[0] > 0].tolist()
            assert len(set(live)) == len(live)
            assert all(1 <= ballot <= 65535 for ballot in live)
            if reply.code[0] == Code.OK:
                assert reply.ballot[0] == live[-1]

    def test_a_restart_keeps_the_counter(self) -> None:
        """Else a restarted node would look like an equivocator."""
        engine = one()
        engine.propose([0], 0, 0, UNANIMOUS, 0)
        engine.reset([0])
        assert engine.table.proposer.max() == 0
        assert engine.electorate.max() == 0
        assert engine.due[0] == NEVER
        engine.set_electorate([0], [[2]])
        assert engine.propose([0], 0, 0, UNANIMOUS, 0).ballot[0] == 2


class TestInhibition:
    def test_until_its_expiry_and_not_after(self) -> None:
        """PCN-12."""
        engine = one(inhibit_duration_us=100)
        engine.inhibit([0], 9, 1, 0)
        assert engine.on_proposal([0], 9, 1, 0, 0, 0, 99).code[0] == Code.INHIBITED
        assert engine.on_proposal([0], 9, 1, 0, 0, 0, 100).code[0] == Code.OK

    def test_refreshing_extends(self) -> None:
        """PCN-12."""
        engine = one(inhibit_duration_us=100)
        engine.inhibit([0], 9, 1, 0)
        engine.inhibit([0], 9, 1, 50)
        engine.tick(120)
        assert engine.on_proposal([0], 9, 1, 0, 0, 0, 149).code[0] == Code.INHIBITED

    def test_the_oldest_of_five_is_dropped(self) -> None:
        """PCN-12."""
        engine = one()
        engine.inhibit([0] * 5, 9, [1, 2, 3, 4, 5], 0)
        assert engine.inhibitions.ballot[0].tolist() == [2, 3, 4, 5]
        assert engine.on_proposal([0], 9, 1, 0, 0, 0, 1).code[0] == Code.OK

    def test_a_ballot_inhibited_before_it_exists(self) -> None:
        """The next tick cancels it, as upstream does."""
        engine = one(inhibit_from="anyone")
        engine.on_inhibit([0], 9, 1, 1, 0)
        engine.propose([0], 0, 0, UNANIMOUS, 10)
        assert engine.tick(10).completions.result.tolist() == [Result.CANCELLED]

    @pytest.mark.parametrize(("sender", "cancels"), [(2, True), (9, False)])
    def test_only_voters_cancel(self, sender: int, cancels: bool) -> None:
        """PCN-13, Q10: and the proposer tells everyone."""
        engine = one()
        engine.propose([0], 0, 0, UNANIMOUS, 0)
        reply = engine.on_inhibit([0], sender, 1, 1, 5)
        assert reply.code[0] == (Code.OK if cancels else Code.NOT_FOUND)
        assert reply.outbox.result.tolist() == ([Result.CANCELLED] if cancels else [])
        assert engine.inhibitions.proposer[0].max() == int(cancels)


class TestOutcome:
    def test_voters_learn_it(self) -> None:
        """PCN-14, Q06."""
        engine = Consensus.create(2)
        engine.set_electorate([0], [[2]])
        said = engine.propose([0], 1, 7, UNANIMOUS, 0).outbox
        engine.on_proposal([1], 1, said.ballot, said.value, said.data, said.threshold, 10)
        told = engine.on_vote([0], 2, 1, 1, Vote.YES, 20).outbox
        assert told.destination.tolist() == [EVERYONE]
        assert told.kind.tolist() == [MessageKind.RESULT]
        content = (told.value, told.data, told.threshold)
        heard = engine.on_result([1], 1, 1, told.ballot, *content, told.result, 30)
        done = heard.completions
        assert done.row.tolist() == [1]
        assert done.result.tolist() == [Result.APPROVED]
        assert done.data.tolist() == [7]

    def test_without_news_a_copy_expires(self) -> None:
        """Q06: later than the proposer's deadline, and not as REJECTED."""
        engine = Consensus.create(1)
        engine.on_proposal([0], 9, 1, 0, 0, UNANIMOUS, 0)
        assert engine.tick(59_999).completions.size == 0
        assert engine.tick(60_000).completions.result.tolist() == [Result.EXPIRED]

    def test_only_the_proposer_announces(self) -> None:
        engine = Consensus.create(1)
        engine.on_proposal([0], 9, 1, 0, 0, UNANIMOUS, 0)
        forged = engine.on_result([0], 8, 9, 1, 0, 0, UNANIMOUS, Result.APPROVED, 1)
        assert forged.code[0] == Code.INVALID_ARG
        assert engine.result([0], 9, 1)[0] == Result.PENDING

    def test_history(self) -> None:
        """Q33: the newest results are kept."""
        engine = one(ballot_history=2)
        for _ in range(3):
            engine.propose([0], 0, 0, UNANIMOUS, 0)
        engine.tick(50_000)
        known = engine.result([0, 0, 0], 1, [1, 2, 3]).tolist()
        assert known == [Result.PENDING, Result.REJECTED, Result.REJECTED]

    def test_the_newest_entry_of_a_ballot_counts(self) -> None:
        """A repeat that comes after the end makes a new copy, with an end of its own."""
        history = BallotHistory.empty(1, 2)
        row, key = np.zeros(1, np.intp), np.ones(1, np.int64)
        for result in (Result.EXPIRED, Result.REJECTED, Result.APPROVED, Result.CANCELLED):
            history.add(row, key, key, np.array([result], np.uint8))
            assert history.result_of(row, key, key)[0] == result

    def test_missing_votes(self) -> None:
        engine = one(require_all_neighbours=True)
        engine.propose([0], 0, 0, UNANIMOUS, 0)
        assert engine.tick(50_000).completions.result.tolist() == [Result.TIMEOUT]


class TestFullTable:
    def test_finished_ballots_make_room(self) -> None:
        """PCN-10, Q05."""
        engine = one()
        for ballot in range(1, 7):
            assert engine.propose([0], 0, 0, SIMPLE_MAJORITY, 0).code[0] == Code.OK
            engine.on_vote([0], 2, 1, ballot, Vote.YES, 0)
        assert engine.result([0] * 6, 1, [1, 2, 3, 4, 5, 6]).tolist() == [Result.APPROVED] * 6

    def test_busy_is_not_an_opinion(self) -> None:
        """Section 14: a full table is answered by BUSY, which is counted but is not NO."""
        engine = one()
        for _ in range(4):
            engine.propose([0], 0, 0, UNANIMOUS, 0)
        reply = engine.on_proposal([0], 9, 1, 0, 0, UNANIMOUS, 0)
        assert reply.code[0] == Code.BUSY
        assert reply.outbox.value.tolist() == [BUSY_VOTE]
        engine.on_vote([0], 2, 1, 1, BUSY_VOTE, 0)
        table = engine.table
        assert (table.votes[0, 0], table.yes[0, 0], table.no[0, 0]) == (2, 1, 0)


class TestConflicts:
    def test_one_yes(self) -> None:
        """PCN-15: a rival of the same kind gets NO, another kind and a quarantine do not."""
        engine = Consensus.create(1, options=ConsensusOptions(conflicts="one_yes"))
        kinds = [0, 0, 1, 4]
        said = engine.on_proposal([0] * 4, [7, 8, 9, 8], [1, 1, 1, 2], kinds, 0, 0, 0).outbox
        assert said.value.tolist() == [Vote.YES, Vote.NO, Vote.YES, Vote.YES]
        said = engine.on_proposal([0], 9, 2, 4, 1, 0, 60_000).outbox
        assert said.value.tolist() == [BUSY_VOTE]

    def test_inhibit(self) -> None:
        engine = Consensus.create(1, options=ConsensusOptions(conflicts="inhibit"))
        said = engine.on_proposal([0, 0], [7, 8], 1, 0, 0, 0, 0)
        assert said.outbox.kind.tolist() == [MessageKind.VOTE, MessageKind.INHIBIT]

    def test_a_failed_ballot_frees_its_voters(self) -> None:
        engine = Consensus.create(1, options=ConsensusOptions(conflicts="one_yes"))
        engine.on_proposal([0], 7, 1, 0, 0, 0, 0)
        engine.on_result([0], 7, 7, 1, 0, 0, 0, Result.REJECTED, 10)
        said = engine.on_proposal([0], 8, 1, 0, 0, 0, 20).outbox
        assert said.value.tolist() == [Vote.YES]

    def test_an_approved_ballot_binds_for_two_lives(self) -> None:
        engine = Consensus.create(1, options=ConsensusOptions(conflicts="one_yes"))
        engine.on_proposal([0], 7, 1, 0, 0, 0, 0)
        engine.on_result([0], 7, 7, 1, 0, 0, 0, Result.APPROVED, 10)
        first = engine.on_proposal([0], 8, 1, 0, 0, 0, 109_999).outbox
        second = engine.on_proposal([0], 8, 2, 0, 0, 0, 110_000).outbox
        assert [int(first.value[0]), int(second.value[0])] == [Vote.NO, Vote.YES]

    def test_a_new_promise_takes_the_place_of_a_lapsed_one(self) -> None:
        """Two places; each promise binds for 110 ms."""
        chosen = ConsensusOptions(conflicts="one_yes")
        engine = Consensus.create(1, options=chosen, places=2)
        for kind, now in ((0, 0), (1, 50_000), (2, 120_000), (3, 170_000)):
            engine.tick(now)
            said = engine.on_proposal([0], 7, kind + 1, kind, 0, 0, now).outbox
            assert said.value.tolist() == [Vote.YES]
        assert sorted(engine.promises.kind[0].tolist()) == [2, 3]

    def test_no_rival_of_a_promise_is_proposed(self) -> None:
        engine = Consensus.create(1, options=ConsensusOptions(conflicts="one_yes"))
        engine.on_proposal([0], 7, 1, 0, 0, 0, 0)
        assert engine.propose([0], 0, 0, 0, 0).code[0] == Code.INHIBITED
        assert engine.propose([0], 1, 0, 0, 0).code[0] == Code.OK


class TestTicks:
    def test_who_does_not_tick_ends_nothing(self) -> None:
        """PCN-9: the first tick at or after the deadline ends the ballot."""
        engine = Consensus.create(2)
        engine.on_proposal([0, 1], 9, 1, 0, 0, UNANIMOUS, 0)
        ended = engine.tick(70_000, np.array([True, False])).completions
        assert ended.row.tolist() == [0]
        assert engine.tick(80_000).completions.row.tolist() == [1]

    def test_nothing_is_due_before(self) -> None:
        engine = one()
        engine.propose([0], 0, 0, UNANIMOUS, 0)
        assert engine.next_due == 50_000
        engine.tick(50_000)
        assert engine.next_due == NEVER

    def test_every_deadline_is_kept(self) -> None:
        engine = one(inhibit_duration_us=70_000)
        engine.propose([0], 0, 0, UNANIMOUS, 0)
        engine.propose([0], 0, 0, UNANIMOUS, 10_000)
        engine.inhibit([0], 9, 1, 10_000)
        assert engine.tick(50_000).completions.ballot.tolist() == [1]
        assert engine.next_due == 60_000
        assert engine.tick(60_000).completions.ballot.tolist() == [2]
        assert engine.next_due == 80_000
        engine.tick(80_000)
        assert engine.inhibitions.proposer.max() == 0
        assert engine.next_due == NEVER


class TestOptions:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("vote_timeout_us", 0),
            ("inhibit_duration_us", -1),
            ("result_grace_us", -1),
            ("ballot_history", 2000),
            ("inhibit_from", "nobody"),
            ("conflicts", "maybe"),
        ],
    )
    def test_bad_values_are_named(self, name: str, value: object) -> None:
        with pytest.raises(FlockError, match=f"{name} is .*allowed"):
            ConsensusOptions(**{name: value})

    def test_bad_sizes_are_named(self) -> None:
        with pytest.raises(FlockError, match="electors 40"):
            Consensus.create(3, electors=40)

    def test_upstream_differs_in_every_deviation(self) -> None:
        corrected = ConsensusOptions()
        for name in ("announce_results", "inhibit_from", "ballot_history", "full_table", "abstain"):
            assert getattr(UPSTREAM, name) != getattr(corrected, name)


def test_electorate_is_clean() -> None:
    """First occurrences, without 0, the own id and what is too much."""
    engine = Consensus.create(2, electors=3)
    engine.set_electorate([0, 1], [[5, 0, 5, 1, 6, 2], [2, -1, 9, 9, 8, 0]])
    assert engine.electorate.tolist() == [[5, 6, 2], [9, 8, 0]]
    assert engine.electorate_size([0, 1]).tolist() == [3, 2]
