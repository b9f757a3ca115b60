"""Heartbeat against its slow twin, and the properties of spec ekk, section 17."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.flock.codes import Code, Health
from flockcore.flock.heartbeat import NEVER, Heartbeat, HeartbeatOptions
from flockcore.kernel.state import capture, restore
from heartbeat_twin import HeartbeatTwin

ALLOWED = {(0, 1), (1, 2), (1, 3), (2, 1), (2, 3), (3, 1)}
CHAINS = {(0, 1), (1, 2), (2, 3), (2, 1), (3, 1)}
PERIOD = 20

STEP = st.integers(0, 3 * PERIOD)
EVENTS = st.one_of(
    st.tuples(st.just("receive"), st.sets(st.integers(0, 3)), st.integers(0, 255)),
    st.tuples(st.just("tick")),
    st.tuples(st.just("tick")),
    st.tuples(st.just("add"), st.integers(0, 3)),
    st.tuples(st.just("remove"), st.integers(0, 3)),
)


def detector(slots=4, nodes=1, **options):
    return Heartbeat.create(HeartbeatOptions(**options), nodes=nodes, slots=slots)


def hear(heartbeat, peers, now, sequence=0):
    edges = np.array(sorted(peers), dtype=np.intp)
    return heartbeat.receive(edges, np.full(len(edges), sequence, np.uint8), now)


def chain(moves):
    return [
        (edge, before, after)
        for edge, before, after in zip(
            moves.edge.tolist(), moves.before.tolist(), moves.after.tolist(), strict=True
        )
    ]


def assert_same(heartbeat, twin):
    missed, last = heartbeat.missed()[0], heartbeat.last_seen()[0]
    for slot in range(heartbeat.slots):
        entry = twin.entries.get(slot)
        assert heartbeat.tracked[0, slot] == (entry is not None)
        wanted = (
            (0, 0, 0, 0, 0)
            if entry is None
            else (entry.health, entry.last_seen, entry.missed, entry.sequence, entry.average)
        )
        columns = (heartbeat.health[0], last, missed, heartbeat.sequence[0])
        assert (*(column[slot] for column in columns), heartbeat.average_gap[0, slot]) == wanted


@pytest.mark.slow
@given(st.lists(st.tuples(STEP, EVENTS), max_size=40), st.integers(1, 6), st.booleans())
def test_phb_1_2_6_7_one_observer_follows_its_twin(script, timeout, gaps):
    heartbeat = detector(period_us=PERIOD, timeout_count=timeout, track_gaps=gaps)
    twin, now = HeartbeatTwin(PERIOD, timeout, gaps), 1
    for step, (name, *rest) in script:
        now += step
        before = heartbeat.health[0].copy()
        if name == "receive":
            moves = hear(heartbeat, rest[0], now, rest[1])
            wanted = [move for one in sorted(rest[0]) for move in twin.receive(one, rest[1], now)]
            assert chain(moves) == wanted
        elif name == "tick":
            moves = heartbeat.tick(now)
            twin.entries = dict(sorted(twin.entries.items()))
            assert (moves.changed, chain(moves)) == twin.tick(now)
        else:
            code = getattr(twin, name)(rest[0])
            arguments = (now,) if name == "add" else ()
            assert getattr(heartbeat, name)(np.array(rest), *arguments).tolist() == [code]
            assert_same(heartbeat, twin)
            continue
        assert moves.changed == (before != heartbeat.health[0]).sum()
        pairs = zip(before.tolist(), heartbeat.health[0].tolist(), strict=True)
        assert {pair for pair in pairs if pair[0] != pair[1]} <= ALLOWED
        assert {step[1:] for step in chain(moves)} <= CHAINS
        assert_same(heartbeat, twin)


@pytest.mark.slow
@given(st.lists(st.tuples(STEP, st.integers(0, 63), st.integers(0, 7)), max_size=20))
def test_many_observers_are_as_many_detectors(script):
    """Bits of the second number choose edges, of the third the nodes that tick."""
    crowd, now = detector(slots=2, nodes=3, period_us=PERIOD, timeout_count=2), 1
    singles = [detector(slots=2, period_us=PERIOD, timeout_count=2) for _ in range(3)]
    crowd.add(np.arange(6), now)
    for single in singles:
        single.add(np.arange(2), now)
    for step, heard, ticking in script:
        now += step
        hear(crowd, [edge for edge in range(6) if heard >> edge & 1], now)
        crowd.tick(now, np.array([bool(ticking >> row & 1) for row in range(3)]))
        for row, single in enumerate(singles):
            hear(single, [slot for slot in range(2) if heard >> (2 * row + slot) & 1], now)
            if ticking >> row & 1:
                single.tick(now)
    together = capture(crowd)
    for row, single in enumerate(singles):
        for name, array in capture(single).items():
            if array.ndim:
                np.testing.assert_array_equal(array[0], together[name][row])


@given(st.integers(1, 500), st.integers(1, 8), st.lists(st.integers(1, 90), max_size=40))
def test_phb_3_silence_is_suspect_then_dead_at_the_first_tick_due(last, timeout, steps):
    heartbeat = detector(period_us=PERIOD, timeout_count=timeout)
    heartbeat.add(np.arange(4), 0)
    hear(heartbeat, [1], last)
    now = last
    for step in steps:
        now += step
        heartbeat.tick(now)
        if now >= last + timeout * PERIOD:
            wanted = Health.DEAD
        else:
            wanted = Health.SUSPECT if now >= last + PERIOD else Health.ALIVE
        assert heartbeat.health[0].tolist() == [0, wanted, 0, 0]


@given(st.lists(st.integers(1, PERIOD - 1), max_size=40), st.integers(1, 8))
def test_phb_4_a_peer_that_is_heard_in_time_stays_alive(gaps, timeout):
    heartbeat, now = detector(period_us=PERIOD, timeout_count=timeout), 1
    heartbeat.add(np.arange(4), 0)
    hear(heartbeat, [2], now)
    for gap in gaps:
        now += gap
        assert heartbeat.tick(now).changed == 0
        assert hear(heartbeat, [2], now).changed == 0


@given(st.integers(0, 9 * PERIOD))
def test_phb_5_one_heartbeat_is_enough_and_an_untracked_one_is_nothing(silence):
    heartbeat = detector(period_us=PERIOD, timeout_count=3)
    heartbeat.add(np.array([0]), 0)
    hear(heartbeat, [0], 5)
    heartbeat.tick(5 + silence)
    before = capture(heartbeat)
    assert hear(heartbeat, [1, 3], 6 + silence).changed == 0
    assert all((before[name] == array).all() for name, array in capture(heartbeat).items())
    moves = hear(heartbeat, [0, 1], 6 + silence)
    assert moves.into(Health.ALIVE).tolist() == ([0] if silence >= PERIOD else [])
    assert heartbeat.health[0, 0] == Health.ALIVE
    assert heartbeat.missed()[0, 0] == 0


@given(st.lists(STEP, max_size=60), st.integers(1, 3 * PERIOD))
def test_phb_8_one_heartbeat_per_period_and_tick(steps, period):
    heartbeat, now, last, sent = detector(period_us=period), 0, 0, 0
    for step in steps:
        now += step
        due = heartbeat.due_to_send(now)
        assert len(due) == (now - last >= period)
        assert not len(heartbeat.due_to_send(now))
        if len(due):
            last, sent = now, sent + 1
        assert heartbeat.send_sequence[0] == sent % 256


@pytest.mark.slow
@given(st.integers(0, 10**6))
def test_phb_9_the_mean_comes_within_seven_of_a_constant_gap(gap):
    heartbeat = detector()
    heartbeat.add(np.array([0]), 0)
    for turn in range(120):
        hear(heartbeat, [0], 1 + turn * gap)
        assert heartbeat.average_gap[0, 0] <= gap
    assert heartbeat.average_gap[0, 0] >= gap - 7


@given(st.integers(1, 5), st.integers(0, 2000), st.integers(0, 2000))
def test_phb_10_a_clock_that_steps_back_kills_nobody(timeout, heard, later):
    heartbeat = detector(period_us=PERIOD, timeout_count=timeout)
    heartbeat.add(np.arange(4), 0)
    hear(heartbeat, [0], max(heard, later, 1))
    for now in (min(heard, later), 0):
        assert heartbeat.tick(now).changed == 0
        hear(heartbeat, [1], now)
        assert heartbeat.average_gap[0, 1] == 0
        assert heartbeat.tick(now).changed == 0


def test_nodes_that_do_not_tick_neither_judge_nor_send():
    heartbeat = detector(slots=1, nodes=2, period_us=PERIOD)
    heartbeat.add(np.arange(2), 0)
    hear(heartbeat, [0, 1], 1)
    only_second = np.array([False, True])
    assert heartbeat.tick(1 + PERIOD, only_second).edge.tolist() == [1]
    assert heartbeat.due_to_send(PERIOD, only_second).tolist() == [1]
    assert heartbeat.missed().tolist() == [[0], [1]]
    assert heartbeat.tick(1 + 5 * PERIOD).edge.tolist() == [0, 0, 1]


def test_nobody_sends_without_auto_broadcast():
    assert not len(detector(auto_broadcast=False).due_to_send(10**9))


def test_silence_counts_from_the_last_heartbeat():
    heartbeat = detector(period_us=PERIOD)
    heartbeat.add(np.array([0, 1, 2]), 0)
    hear(heartbeat, [0, 2], 100)
    for now, edge in ((170, 0), (450, 2)):
        hear(heartbeat, [edge], now - 40)
        heartbeat.tick(now)
    assert heartbeat.silence(500)[0].tolist() == [370, NEVER, 90, NEVER]
    assert heartbeat.last_seen(np.array([2, 1, 0])).tolist() == [410, 0, 130]


def test_replays_are_refused_on_request():
    heartbeat = detector(period_us=PERIOD, timeout_count=2, reject_replays=True)
    heartbeat.add(np.arange(4), 0)
    for now, sequence in ((10, 250), (15, 3), (20, 3), (22, 251)):
        hear(heartbeat, [0], now, sequence)
    assert heartbeat.last_seen(np.array([0])) == 15
    assert (heartbeat.replays, heartbeat.gaps) == (2, 8)
    assert heartbeat.tick(60).into(Health.DEAD).tolist() == [0]
    assert hear(heartbeat, [0, 1], 61, 0).edge.tolist() == [0, 1]
    assert hear(heartbeat, [0, 1, 2], 62, 0).edge.tolist() == [2]
    assert (heartbeat.replays, heartbeat.gaps) == (4, 8)


def test_peers_never_heard_expire_on_request():
    for expire, moves in ((False, []), (True, [(1, 0, 3)])):
        heartbeat = detector(period_us=PERIOD, timeout_count=2, expire_unknown=expire)
        heartbeat.add(np.array([1]), 7)
        assert not chain(heartbeat.tick(6 + 2 * PERIOD))
        assert chain(heartbeat.tick(7 + 2 * PERIOD)) == moves
        assert heartbeat.last_seen()[0, 1] == 0
    assert chain(hear(heartbeat, [1], 100)) == [(1, 3, 1)]
    assert heartbeat.average_gap[0, 1] == 0


def test_rebase_moves_entries_and_reset_clears_them():
    heartbeat = detector(nodes=2, period_us=PERIOD)
    heartbeat.add(np.arange(8), 0)
    hear(heartbeat, [0, 1, 5], 30)
    heartbeat.rebase(np.array([1, 5]), np.array([3, 4]))
    assert heartbeat.health.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert heartbeat.tracked.tolist() == heartbeat.health.astype(bool).tolist()
    assert heartbeat.tick(30 + PERIOD).edge.tolist() == [3, 4]
    heartbeat.due_to_send(30 + PERIOD)
    heartbeat.reset(np.array([1]))
    fresh, now = capture(detector(nodes=2)), capture(heartbeat)
    for name, array in now.items():
        if array.ndim:
            np.testing.assert_array_equal(array[1], fresh[name][1])
    assert heartbeat.health[0, 3] == Health.SUSPECT


def test_state_is_captured_whole():
    heartbeat = detector(period_us=PERIOD)
    heartbeat.add(np.arange(4), 0)
    hear(heartbeat, [0, 1], 30)
    kept = capture(heartbeat)
    first = [chain(heartbeat.tick(now)) for now in range(30, 200, 7)]
    restore(heartbeat, kept)
    assert [chain(heartbeat.tick(now)) for now in range(30, 200, 7)] == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"period_us": 0}, "period_us is 0; 1 or more"),
        ({"timeout_count": 0}, "timeout_count is 0; 1 to 255"),
        ({"timeout_count": 256}, "timeout_count is 256; 1 to 255"),
    ],
)
def test_settings_are_checked(options, message):
    with pytest.raises(FlockError, match=message):
        HeartbeatOptions(**options)


def test_codes_of_add_and_remove():
    heartbeat = detector()
    assert heartbeat.add(np.array([1, 2]), 0).tolist() == [Code.OK, Code.OK]
    assert heartbeat.add(np.array([0, 2]), 0).tolist() == [Code.OK, Code.ALREADY_EXISTS]
    assert heartbeat.remove(np.array([3, 1])).tolist() == [Code.NOT_FOUND, Code.OK]
