"""Evidence, quarantine, and the properties PBZ-1 to PBZ-3."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.flock.ballot import SUPERMAJORITY, UNANIMOUS
from flockcore.flock.codes import Code, MessageKind, ModuleState, ProposalKind, Result, Vote
from flockcore.flock.consensus import Consensus, ConsensusOptions
from flockcore.flock.evidence import (
    NO_EVIDENCE,
    TRANSITIONS,
    UPSTREAM_EVIDENCE,
    Evidence,
    EvidenceKind,
    EvidenceOptions,
    equivocation,
    fingerprint,
    state_invalid,
    timing_anomaly,
    verify,
)
from flockcore.flock.quarantine import (
    EvidenceBook,
    Quarantine,
    from_letters,
    propose_quarantine,
    to_letters,
)

DEFAULT = EvidenceOptions()
NOW = 1000

ids = st.integers(-1, 70)
pieces = st.lists(
    st.tuples(
        st.integers(0, 6),
        ids,
        st.integers(0, 9),
        st.tuples(ids, ids, ids),
        st.one_of(
            st.binary(min_size=24, max_size=24),
            st.lists(st.integers(0, 8), min_size=24, max_size=24).map(bytes),
        ),
    ),
    min_size=1,
    max_size=20,
)
choices = st.builds(
    EvidenceOptions,
    distinct_witnesses=st.booleans(),
    local_transitions=st.booleans(),
    timing_threshold_us=st.none() | st.integers(0, 2**40),
    min_witnesses=st.integers(1, 3),
    highest_id=st.sampled_from([None, 63]),
)


def evidence_of(rows: list) -> Evidence:
    return Evidence(
        holder=np.arange(len(rows)),
        kind=np.array([row[0] for row in rows], np.uint8),
        suspect=np.array([row[1] for row in rows], np.int32),
        witness=np.array([row[3] for row in rows], np.int32),
        count=np.array([row[2] for row in rows], np.int16),
        payload=np.array([list(row[4]) for row in rows], np.uint8),
        time=np.zeros(len(rows), np.int64),
    )


def slow_verify(row: tuple, options: EvidenceOptions) -> bool:
    kind, suspect, count, witnesses, payload = row
    highest = options.highest_id or 10**9
    witnesses = witnesses[: min(count, 3)]
    if not 1 <= suspect <= highest or count < options.min_witnesses:
        return False
    if any(not 1 <= each <= highest or each == suspect for each in witnesses):
        return False
    if options.distinct_witnesses and len(set(witnesses)) < len(witnesses):
        return False

    def number(start: int, size: int) -> int:
        return int.from_bytes(payload[start : start + size], "little")

    if kind == EvidenceKind.EQUIVOCATION:
        return number(4, 8) != number(12, 8)
    if kind == EvidenceKind.TIMING_ANOMALY:
        own = options.timing_threshold_us
        return abs(number(0, 8) - number(8, 8)) > (number(16, 8) if own is None else own)
    if kind == EvidenceKind.STATE_INVALID:
        before, after = payload[0], payload[1]
        if options.local_transitions:
            return before < 7 and after < 7 and not TRANSITIONS[before, after]
        bit = 8 * before + after
        return bit < 32 and not number(2, 4) >> bit & 1
    return False


class TestVerify:
    @pytest.mark.slow
    @given(pieces, choices)
    def test_equals_its_twin(self, rows: list, options: EvidenceOptions) -> None:
        believed = verify(evidence_of(rows), options)
        assert believed.tolist() == [slow_verify(row, options) for row in rows]

    @pytest.mark.slow
    @given(pieces, choices)
    def test_what_is_never_believed(self, rows: list, options: EvidenceOptions) -> None:
        """PBZ-1."""
        evidence = evidence_of(rows)
        believed = evidence.take(verify(evidence, options))
        assert not (believed.kind == EvidenceKind.INVALID_MAC).any()
        looked_at = np.arange(3) < believed.count[:, None]
        assert not (looked_at & (believed.witness == believed.suspect[:, None])).any()
        assert (believed.suspect > 0).all()
        assert (~looked_at | (believed.witness > 0)).all()
        if options.highest_id:
            assert (believed.suspect <= options.highest_id).all()

    def test_the_accuser_sets_no_threshold(self) -> None:
        """Q26: upstream believes the threshold that comes with the evidence."""
        row, one = np.zeros(1, np.intp), np.ones(1, np.int32)
        expected, actual, none = (np.array([x]) for x in (1000, 1001, 0))
        evidence = timing_anomaly(row, one, one + 1, expected, actual, none, NOW)
        assert verify(evidence, UPSTREAM_EVIDENCE).tolist() == [True]
        assert verify(evidence, DEFAULT).tolist() == [False]

    def test_the_accuser_draws_no_table(self) -> None:
        """Q26: any step can be judged, and a possible one accuses nobody."""
        steps = np.array(list(product(ModuleState, repeat=2)))
        row = np.arange(len(steps))
        witness, suspect = np.full((2, len(steps)), [[1], [2]], np.int32)
        evidence = state_invalid(row, witness, suspect, *steps.T, NOW)
        expected = ~TRANSITIONS[steps[:, 0], steps[:, 1]]
        assert verify(evidence, DEFAULT).tolist() == expected.tolist()
        possible = [ModuleState.ACTIVE, ModuleState.DEGRADED, ModuleState.ISOLATED]
        assert TRANSITIONS[np.ix_([*possible, ModuleState.REFORMING], possible)].all()
        assert not TRANSITIONS[ModuleState.DISCOVERING, ModuleState.ISOLATED]

    def test_options_are_checked(self) -> None:
        with pytest.raises(FlockError, match=r"min_witnesses is 4; allowed: 1\.\.3"):
            EvidenceOptions(min_witnesses=4)
        with pytest.raises(FlockError, match="timing_threshold_us is -1"):
            EvidenceOptions(timing_threshold_us=-1)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=20, unique=True))
def test_fingerprints_differ(numbers: list) -> None:
    marks = fingerprint(np.array(numbers))
    assert len(set(marks.tolist())) == len(numbers)
    assert (marks >= 0).all()
    swapped = fingerprint(np.array(numbers), np.array(numbers[::-1]))
    assert (swapped != marks).all()


class TestSeenWithOwnEyes:
    def test_yes_and_no(self) -> None:
        """In one call, in two, and after the ballot has ended."""
        engine = Consensus.create(1)
        engine.set_electorate([0], [[2, 3, 4]])
        engine.propose([0], 0, 0, UNANIMOUS, NOW)
        lies = engine.on_vote([0, 0], 2, 1, 1, [Vote.YES, Vote.NO], NOW).evidence
        assert lies.suspect.tolist() == [2]
        assert lies.witness.tolist() == [[1, 0, 0]]
        assert lies.number(0, 4).tolist() == [1]
        engine.on_vote([0], 3, 1, 1, Vote.NO, NOW)
        assert engine.result([0], 1, 1)[0] == Result.REJECTED
        late = engine.on_vote([0], 3, 1, 1, Vote.YES, NOW).evidence
        assert late.suspect.tolist() == [3]
        assert verify(Evidence.join([lies, late]), DEFAULT).all()

    @pytest.mark.parametrize("first", [Vote.ABSTAIN, 4])
    def test_a_change_of_mind_is_no_lie(self, first: int) -> None:
        """ABSTAIN and BUSY contradict nothing, and neither does a repeat."""
        engine = Consensus.create(1)
        engine.set_electorate([0], [[2, 3, 4]])
        engine.propose([0], 0, 0, UNANIMOUS, NOW)
        votes = [first, Vote.YES, Vote.YES]
        assert engine.on_vote([0] * 3, 2, 1, 1, votes, NOW).evidence.size == 0

    def test_two_contents_under_one_number(self) -> None:
        engine = Consensus.create(1)
        engine.on_proposal([0], 9, 1, 0, 5, UNANIMOUS, NOW)
        assert engine.on_proposal([0], 9, 1, 0, 5, UNANIMOUS, NOW).evidence.size == 0
        lies = engine.on_proposal([0], 9, 1, 0, 6, UNANIMOUS, NOW).evidence
        assert lies.suspect.tolist() == [9]

    def test_the_result_of_another_content(self) -> None:
        """Half of the flock was told something else: the announcement gives it away."""
        engine = Consensus.create(1)
        engine.on_proposal([0], 9, 1, 0, 5, UNANIMOUS, NOW)
        heard = engine.on_result([0], 9, 9, 1, 0, 6, UNANIMOUS, Result.APPROVED, NOW)
        assert heard.evidence.suspect.tolist() == [9]
        assert heard.completions.size == 0

    def test_two_results(self) -> None:
        engine = Consensus.create(1)
        engine.on_proposal([0], 9, 1, 0, 5, UNANIMOUS, NOW)
        for result, lies in ((Result.APPROVED, 0), (Result.APPROVED, 0), (Result.REJECTED, 1)):
            heard = engine.on_result([0], 9, 9, 1, 0, 5, UNANIMOUS, result, NOW)
            assert heard.evidence.size == lies
        assert engine.result([0], 9, 1)[0] == Result.APPROVED


def lie_about(suspect: int, *, holder: int = 0, witness: int = 1) -> Evidence:
    """One node saw ``suspect`` say two things."""
    one = np.array([1])
    return equivocation(
        np.array([holder]),
        np.array([witness], np.int32),
        np.array([suspect], np.int32),
        one,
        one,
        one + 1,
        NOW,
    )


class TestLetters:
    def test_there_and_back(self) -> None:
        numbers = np.arange(1, 4)
        row, witness = np.arange(3), np.arange(1, 4, dtype=np.int32)
        sent = Evidence.join(
            [
                timing_anomaly(row, witness, witness + 5, numbers, numbers * 10**6, numbers, NOW),
                equivocation(row, witness, witness + 5, numbers, numbers, numbers + 1, NOW),
                state_invalid(row, witness, witness + 5, numbers, numbers - 1, NOW),
            ]
        )
        out = to_letters(sent)
        assert (out.kind == MessageKind.EVIDENCE).all()
        back = from_letters(
            out.sender,
            out.sender + 1,
            out.proposer,
            out.ballot,
            out.value,
            out.data,
            out.threshold,
            NOW,
        )
        assert back.suspect.tolist() == sent.suspect.tolist()
        assert back.witness.tolist() == sent.witness.tolist()
        assert verify(back, DEFAULT).tolist() == verify(sent, DEFAULT).tolist()
        assert verify(sent, DEFAULT).any()

    def test_nothing_of_an_unknown_kind(self) -> None:
        assert from_letters([0], 1, 2, 1, EvidenceKind.INVALID_MAC, 1, 2, NOW).size == 0
        assert to_letters(NO_EVIDENCE).size == 0


class TestBook:
    def test_one_entry_a_suspect(self) -> None:
        book = EvidenceBook.empty(2)
        assert book.add(lie_about(9), DEFAULT, NOW).tolist() == [True]
        again = Evidence.join([lie_about(9, witness=w) for w in (1, 2, 3, 4)])
        assert book.add(again, DEFAULT, NOW).tolist() == [False] * 4
        assert book.witness[0, 0].tolist() == [1, 2, 3]
        assert book.accuses([0, 0, 0, 1], [9, 8, 0, 9]).tolist() == [True, False, False, False]

    def test_nothing_unbelievable(self) -> None:
        book = EvidenceBook.empty(1)
        assert book.add(lie_about(1, witness=1), DEFAULT, NOW).tolist() == [False]
        assert book.suspect.max() == 0

    def test_the_oldest_makes_room(self) -> None:
        book = EvidenceBook.empty(1, places=2)
        every = Evidence.join([lie_about(suspect) for suspect in (7, 8, 9)])
        assert book.add(every, DEFAULT, NOW).tolist() == [True] * 3
        assert book.suspect[0].tolist() == [8, 9]

    def test_votes(self) -> None:
        """NO to a quarantine without evidence, YES to everything else."""
        book = EvidenceBook.empty(1)
        book.add(lie_about(9), DEFAULT, NOW)
        kinds = [ProposalKind.QUARANTINE, ProposalKind.QUARANTINE, ProposalKind.SHUTDOWN]
        votes = book.decide([0, 0, 0], kinds, [9, 8, 8])
        assert votes.tolist() == [Vote.YES, Vote.NO, Vote.YES]

    def test_reset(self) -> None:
        book = EvidenceBook.empty(2)
        book.add(lie_about(9), DEFAULT, NOW)
        book.reset([0])
        assert not book.accuses([0], 9)[0]


class TestQuarantine:
    @pytest.mark.slow
    @given(
        st.lists(
            st.tuples(st.sampled_from("xl"), st.integers(0, 1), st.integers(-1, 5)), max_size=30
        )
    )
    def test_equals_a_set(self, script: list) -> None:
        """PBZ-2: idempotent, counted, never oneself."""
        fast = Quarantine.create(2, places=3)
        slow: list[set] = [set(), set()]
        for what, row, suspect in script:
            own = row + 1
            if what == "x":
                code = fast.execute([row], suspect, NOW)[0]
                if suspect <= 0 or suspect == own:
                    assert code == Code.INVALID_ARG
                elif len(slow[row] | {suspect}) > 3:
                    assert code == Code.NO_MEMORY
                else:
                    assert code == Code.OK
                    slow[row].add(suspect)
            else:
                code = fast.lift([row], suspect)[0]
                assert code == (Code.OK if suspect > 0 else Code.INVALID_ARG)
                slow[row].discard(suspect)
            assert fast.count([0, 1]).tolist() == [len(each) for each in slow]
            assert fast.active == sum(map(len, slow))
            held = [fast.holds([row] * 7, range(-1, 6)).tolist() for row in (0, 1)]
            assert held == [[suspect in each for suspect in range(-1, 6)] for each in slow]

    def test_three_ids_to_closure(self) -> None:
        """PBZ-2: every state of one node with id 3 and the suspects 1, 2, 3."""
        seen, frontier = set(), [()]
        while frontier:
            path = frontier.pop()
            book = Quarantine.create(1, own_id=[3], places=3)
            for what, suspect in path:
                getattr(book, what)([0], suspect, *([NOW] if what == "execute" else []))
            state = frozenset(book.suspect[0].tolist()) - {0}
            assert 3 not in state
            assert book.active == book.count([0])[0] == len(state)
            if state in seen:
                continue
            seen.add(state)
            frontier += [(*path, (w, s)) for w in ("execute", "lift") for s in (1, 2, 3)]
        print(f"PBZ-2: 3 ids: {len(seen)} states, closed")
        assert len(seen) == 4

    def test_reset(self) -> None:
        book = Quarantine.create(2)
        book.execute([0, 1], 9, NOW)
        book.reset([0])
        assert (book.active, book.count([0, 1]).tolist()) == (1, [0, 1])


class TestProposal:
    def test_the_suspect_has_no_vote(self) -> None:
        """Q26: it is left out of the electorate."""
        engine = Consensus.create(1)
        engine.set_electorate([0], [[7, 9, 8]])
        reply = propose_quarantine(engine, 9, lie_about(9), DEFAULT, NOW)
        assert reply.code.tolist() == [Code.OK]
        assert reply.outbox.value.tolist() == [ProposalKind.QUARANTINE]
        assert reply.outbox.threshold.tolist() == [SUPERMAJORITY]
        assert engine.table.voter[0, 0, :4].tolist() == [7, 8, 1, 0]
        assert engine.table.eligible[0, 0] == 3

    @pytest.mark.parametrize(
        ("wanted", "accused", "code"),
        [(9, 9, Code.OK), (8, 9, Code.INVALID_ARG), (0, 9, Code.INVALID_ARG)],
    )
    def test_the_evidence_must_match(self, wanted: int, accused: int, code: Code) -> None:
        engine = Consensus.create(1)
        reply = propose_quarantine(engine, wanted, lie_about(accused), DEFAULT, NOW)
        assert reply.code.tolist() == [code]

    def test_from_the_lie_to_the_lifting(self) -> None:
        """PBZ-3: four nodes; node 4 lies to node 1, which makes the others drop its messages."""
        nodes = np.arange(4)
        engine = Consensus.create(4, options=ConsensusOptions())
        electorate = np.array([[2, 3, 4], [1, 3, 4], [1, 2, 4], [1, 2, 3]])
        engine.set_electorate(nodes, electorate)
        engine.propose([0], 0, 0, UNANIMOUS, NOW)
        lies = engine.on_vote([0, 0], 4, 1, 1, [Vote.YES, Vote.NO], NOW).evidence
        book, ward = EvidenceBook.empty(4), Quarantine.create(4)
        fresh = lies.take(book.add(lies, DEFAULT, NOW))
        told = to_letters(fresh)
        others = nodes[1:]
        heard = from_letters(
            others, 1, told.proposer, told.ballot, told.value, told.data, told.threshold, NOW
        )
        assert book.add(heard, DEFAULT, NOW).tolist() == [True, True, True]
        ask = propose_quarantine(engine, fresh.suspect, fresh, DEFAULT, NOW).outbox
        content = (ask.value, ask.data, ask.threshold)
        wish = book.decide(others, ask.value, ask.data)
        said = engine.on_proposal(others, 1, ask.ballot, *content, NOW, decision=wish).outbox
        told = engine.on_vote([0] * 3, said.sender + 1, 1, said.ballot, said.value, NOW)
        assert told.completions.result.tolist() == [Result.APPROVED]
        news = told.outbox
        content = (news.value, news.data, news.threshold, news.result)
        heard = engine.on_result(others, 1, 1, news.ballot, *content, NOW).completions
        ended = np.append(told.completions.row, heard.row)
        codes = ward.execute(ended, 4, NOW)
        assert codes.tolist() == [Code.OK, Code.OK, Code.OK, Code.INVALID_ARG]
        assert ward.holds(nodes, 4).tolist() == [True, True, True, False]
        kept = np.where(ward.holds(nodes.repeat(3), electorate.ravel()), 0, electorate.ravel())
        engine.set_electorate(nodes, kept.reshape(4, 3))
        assert engine.electorate_size(nodes).tolist() == [2, 2, 2, 3]
        ward.lift(nodes, 4)
        assert ward.active == 0
