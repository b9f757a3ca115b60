"""Topology against its slow twin, and the properties of spec ekk, section 17."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.flock.admission import announce
from flockcore.flock.codes import Code
from flockcore.flock.reach import Metric, Reach, carry, reach
from flockcore.flock.settings import TopologyOptions
from flockcore.flock.topology import Topology
from flockcore.kernel.state import capture, restore
from topology_twin import TopologyTwin

IDS = st.integers(0, 6)
FAR = st.integers(0, 4)


def alone(k=3, slots=7, own=4):
    """One observer and its twin."""
    options = TopologyOptions(k=k, min_neighbours=min(3, k))
    made = Topology.empty(options, own=np.array([own], dtype=np.int32), slots=slots)
    return made, TopologyTwin(own=own, k=k, capacity=slots)


def tell(topology, peer, far, barred=False):
    """One announcement to row 0; returns (code, changed)."""
    told = announce(
        topology, np.array([0]), np.array([peer], np.int32), np.array([far]), np.array([barred])
    )
    return told.code.item(), len(told.changed) == 1


def edge_of(topology, peer, row=0):
    slots = np.flatnonzero((topology.peer[row] == peer) & topology.known[row])
    return row * topology.slots + slots


def forget(topology, peer):
    """One loss at row 0; returns (code, changed)."""
    edges = edge_of(topology, peer)
    elected = topology.chosen.reshape(-1)[edges].any()
    return (Code.OK if elected else Code.NOT_FOUND), len(topology.lose(edges)) == 1


def known_of(topology, row=0):
    mask = topology.known[row]
    columns = (topology.peer, topology.distance, topology.barred)
    peers, far, barred = (column[row][mask].tolist() for column in columns)
    return {peer: state for peer, *state in zip(peers, far, barred, strict=True)}


def assert_same(topology, twin, row=0):
    ids = [peer for peer in topology.elected_peers()[row].tolist() if peer >= 0]
    assert ids == twin.ids() == [peer for _, peer in twin.wanted()]
    assert known_of(topology, row) == {peer: list(state) for peer, state in twin.known.items()}
    assert topology.count[row] == len(ids)
    slots = topology.elected[row][: len(ids)]
    assert set(np.flatnonzero(topology.chosen[row])) == set(slots)
    assert (topology.elected[row][len(ids) :] == -1).all()


BARRED = st.sampled_from([False, False, False, True])
EVENTS = st.one_of(
    *[st.tuples(st.just("discover"), st.integers(-1, 5), FAR, BARRED)] * 5,
    st.tuples(st.just("lose"), st.integers(0, 5)),
    st.tuples(st.just("elect")),
)


@pytest.mark.slow
@given(st.lists(EVENTS, min_size=20, max_size=60), st.integers(1, 4), st.integers(1, 7))
def test_ptp_1_4_6_one_observer_follows_its_twin(events, k, slots):
    topology, twin = alone(k=k, slots=slots)
    for name, *rest in events:
        if name == "discover":
            assert tell(topology, *rest) == twin.discover(*rest)
        elif name == "lose":
            assert forget(topology, *rest) == twin.lose(*rest)
        else:
            assert len(topology.elect(np.array([0]))) == twin.elect()
        assert_same(topology, twin)
        assert len(set(twin.ids())) == len(twin.ids()) <= k
        assert not {topology.own[0], -1} & set(twin.ids())


@pytest.mark.slow
@given(st.data(), st.integers(1, 5), st.integers(2, 9))
def test_many_observers_follow_their_twins(data, k, nodes):
    """Bulk operations on the slots of a reach table: discover, lose, bar, unbar, k."""
    options = TopologyOptions(k=k, min_neighbours=0)
    positions = np.array(
        data.draw(st.lists(st.tuples(FAR, FAR, FAR), min_size=nodes, max_size=nodes))
    )
    near = reach(Metric.PHYSICAL, positions, 6)
    topology = Topology.over(near, options)
    twins = [TopologyTwin(own=row, k=k) for row in range(nodes)]
    used = np.flatnonzero(near.peer.reshape(-1) >= 0)
    actions = st.sampled_from(["discover", "lose", "bar", "unbar", "k"])
    for action in data.draw(st.lists(actions, max_size=8)):
        before = [twin.ids() for twin in twins]
        edges = np.array(data.draw(st.lists(st.sampled_from(used), unique=True)), dtype=np.intp)
        if action == "discover":
            barred = np.array([data.draw(st.booleans()) for _ in edges], dtype=np.bool_)
            changed = topology.discover(edges, barred)
            for edge, bar in zip(edges, barred, strict=True):
                row, slot = divmod(edge, 6)
                twins[row].discover(int(near.peer[row, slot]), int(near.distance[row, slot]), bar)
        elif action == "k":
            wanted = data.draw(st.integers(1, 6))
            changed = topology.set_neighbours(wanted)
            for twin in twins:
                twin.k = wanted
                twin.elect()
        elif action == "lose":
            changed = topology.lose(edges)
            for row, slot in (divmod(edge, 6) for edge in edges):
                twins[row].lose(int(near.peer[row, slot]))
        else:
            edges = edges[topology.known.reshape(-1)[edges]]
            changed = getattr(topology, action)(edges)
            for row, slot in (divmod(edge, 6) for edge in edges):
                peer, far = int(near.peer[row, slot]), int(near.distance[row, slot])
                twins[row].known[peer] = (far, action == "bar")
                twins[row].elect()
        for row, twin in enumerate(twins):
            assert_same(topology, twin, row)
            assert (row in changed) == (before[row] != twin.ids())


@pytest.mark.slow
@given(st.dictionaries(IDS, st.tuples(FAR, st.booleans())), st.randoms(use_true_random=False))
def test_ptp_2_order_of_discovery_does_not_matter(peers, random):
    orders = [list(peers), random.sample(list(peers), len(peers))]
    sets = []
    for order in orders:
        topology, _ = alone(k=3, slots=10)
        for peer in order:
            tell(topology, peer, *peers[peer])
        sets.append(topology.elected_peers().tolist())
    assert sets[0] == sets[1]


@pytest.mark.slow
@given(st.sets(st.integers(5, 9), min_size=2), FAR)
def test_ptp_5_a_worse_candidate_changes_nothing(peers, far):
    topology, _ = alone(k=2)
    for peer in peers:
        tell(topology, peer, far)
    held = topology.elections.copy()
    assert tell(topology, 11, far) == (Code.OK, False)
    assert topology.elections == held


@pytest.mark.slow
@given(st.dictionaries(IDS, FAR, min_size=1), st.data())
def test_ptp_7_a_lost_peer_is_replaced_by_the_next_nearest(peers, data):
    topology, twin = alone(k=3, slots=10)
    for peer, far in peers.items():
        tell(topology, peer, far)
        twin.discover(peer, far)
    if not twin.elected:
        return
    lost = data.draw(st.sampled_from(twin.ids()))
    assert forget(topology, lost)[0] == Code.OK
    assert lost not in known_of(topology)
    rest = sorted((far, peer) for peer, far in peers.items() if peer not in (lost, 4))
    ids = [peer for peer in topology.elected_peers()[0].tolist() if peer >= 0]
    assert ids == [peer for _, peer in rest[:3]]


def test_a_lost_peer_that_is_not_elected_is_forgotten_unless_the_original_is_wanted():
    for keep, known in ((False, {1, 2}), (True, {1, 2, 3})):
        topology, _ = alone(k=2)
        for peer in (1, 2, 3):
            tell(topology, peer, peer)
        assert not len(topology.lose(edge_of(topology, 3), keep_unelected=keep))
        assert set(known_of(topology)) == known


def test_ptp_9_a_peer_heard_again_keeps_its_distance():
    near = reach(Metric.PHYSICAL, np.array([[0, 0, 0], [30, 40, 0], [3, 4, 0]]), 2)
    topology = Topology.over(near)
    topology.discover(np.arange(6))
    before = topology.distance.copy()
    topology.lose(np.array([1]))
    topology.discover(np.array([0, 1]))
    np.testing.assert_array_equal(topology.distance, before)
    np.testing.assert_array_equal(topology.elected_peers()[0, :2], [2, 1])


def test_ptp_10_a_full_table_refuses_and_stays():
    topology, _ = alone(k=7, slots=64, own=100)
    for peer in range(64):
        assert tell(topology, peer, peer)[0] == Code.OK
    before = capture(topology)
    assert tell(topology, 64, 0) == (Code.NO_MEMORY, False)
    after = capture(topology)
    assert all((before[name] == after[name]).all() for name in before)
    forget(topology, 0)
    assert tell(topology, 64, 0)[0] == Code.OK


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), max_size=60), st.integers(8, 90))
def test_ptp_11_gaps_between_announcements(steps, period):
    options = TopologyOptions(k=5, min_neighbours=3, discovery_period_us=period)
    topology = Topology.empty(options, own=np.array([0], dtype=np.int32), slots=5)
    twin, now, last = TopologyTwin(own=0, k=5), 0, 0
    for step, count in steps:
        now += step
        topology.count[0] = count
        twin.elected = [(0, 0)] * count
        told = topology.tick(now)
        sent, urgent = twin.tick(now, period, 3)
        assert (told.due[0], told.urgent[0]) == (sent == 1, urgent)
        assert topology.last_discovery[0] == twin.last
        if sent:
            assert now - last >= (period if count >= 3 else period // 4)
            last = now
        assert now - last < period


def test_nodes_that_do_not_tick_do_not_announce():
    topology = Topology.empty(own=np.arange(3, dtype=np.int32), slots=2)
    told = topology.tick(2_000_000, np.array([True, False, True]))
    assert told.due.tolist() == [True, False, True]
    assert topology.discovery_sequence.tolist() == [1, 0, 1]
    assert topology.tick(2_000_000).due.tolist() == [False, True, False]


@pytest.mark.slow
@given(st.data(), st.integers(2, 9))
def test_rebase_carries_known_peers_to_the_new_table(data, nodes):
    places = st.lists(st.tuples(FAR, FAR, FAR), min_size=nodes, max_size=nodes)
    old, new = (reach(Metric.PHYSICAL, np.array(data.draw(places)), 4) for _ in range(2))
    topology = Topology.over(old, TopologyOptions(k=2, min_neighbours=0))
    used = np.flatnonzero(old.peer.reshape(-1) >= 0)
    topology.discover(np.array(data.draw(st.lists(st.sampled_from(used), unique=True)), np.intp))
    ids, knew = topology.elected_peers(), [set(known_of(topology, row)) for row in range(nodes)]
    changed = topology.rebase(new, *carry(old.peer, new.peer))
    for row in range(nodes):
        twin = TopologyTwin(own=row, k=2)
        for peer, far in zip(new.peer[row].tolist(), new.distance[row].tolist(), strict=True):
            if peer in knew[row]:
                twin.discover(peer, far)
        assert_same(topology, twin, row)
    np.testing.assert_array_equal(changed, np.flatnonzero((topology.elected_peers() != ids).any(1)))


def test_reset_gives_a_row_a_fresh_start():
    topology = Topology.over(reach(Metric.LOGICAL, np.zeros((9, 3), dtype=np.int64), 5))
    fresh = capture(topology)
    topology.discover(np.arange(45))
    topology.tick(1_000_000)
    kept = capture(topology)
    topology.reset(np.array([2]))
    for name, array in capture(topology).items():
        if array.ndim and name != "elections":
            np.testing.assert_array_equal(array[2], fresh[name][2])
            np.testing.assert_array_equal(np.delete(array, 2, 0), np.delete(kept[name], 2, 0))


def test_state_is_captured_whole():
    near = reach(Metric.LOGICAL, np.zeros((6, 3), dtype=np.int64), 4)
    topology = Topology.over(near)
    topology.discover(np.arange(24))
    kept = capture(topology)
    topology.set_neighbours(2)
    topology.lose(np.arange(0, 24, 3))
    other = Topology.over(near)
    restore(other, kept)
    restore(topology, kept)
    assert topology.k == other.k == 7
    for row in range(6):
        assert topology.elected_peers()[row].tolist() == other.elected_peers()[row].tolist()


def test_elections_of_many_rows_go_in_chunks():
    near = reach(Metric.LOGICAL, np.zeros((9000, 3), dtype=np.int64), 3)
    topology = Topology.over(near, TopologyOptions(k=2, min_neighbours=0))
    assert len(topology.discover(np.arange(27_000))) == 9000
    np.testing.assert_array_equal(topology.elected_peers(), near.peer[:, :2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 16}, "k is 16; 1 to 15 is allowed"),
        ({"k": 0}, "k is 0; 1 to 15"),
        ({"k": 2}, "min_neighbours is 3; 0 to k=2"),
        ({"discovery_period_us": 0}, "discovery_period_us is 0; 1 or more"),
    ],
)
def test_settings_are_checked(options, message):
    with pytest.raises(FlockError, match=message):
        TopologyOptions(**options)


def test_k_and_slots_are_checked():
    topology = Topology.over(Reach(np.zeros((1, 4), np.int32), np.zeros((1, 4), np.int64)))
    with pytest.raises(FlockError, match="k is 16; 1 to 15 is allowed"):
        topology.set_neighbours(16)
    with pytest.raises(FlockError, match="65 slots; 1 to 64"):
        Topology.empty(own=np.zeros(1, np.int32), slots=65)
