"""Every course of one observer's topology, explored to closure (spec ekk, section 17, column MC).

Each row of one `Topology` is one state, so an event is applied to a whole frontier at once. A state
is the complete content of a row but for what cannot matter: counters, and distances of peers that
are not known.
"""

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest

from flockcore.flock.admission import announce
from flockcore.flock.codes import Health
from flockcore.flock.heartbeat import Heartbeat, HeartbeatOptions
from flockcore.flock.settings import TopologyOptions
from flockcore.flock.topology import Topology

OWN = 2
STATE = ("peer", "distance", "known", "barred", "chosen", "elected", "count")
BELIEF = ("health", "tracked", "deadline")


def rows_of(engine, rows):
    """A copy of an engine that holds some of its rows."""
    columns = {one.name: getattr(engine, one.name) for one in fields(engine)}
    return replace(
        engine,
        **{name: one[rows].copy() for name, one in columns.items() if isinstance(one, np.ndarray)},
    )


def joined(parts):
    """The rows of several engines, one after another."""
    names = [
        one.name for one in fields(parts[0]) if isinstance(getattr(parts[0], one.name), np.ndarray)
    ]
    columns = {name: np.concatenate([getattr(one, name) for one in parts]) for name in names}
    return replace(parts[0], **columns)


def keys_of(engine, names):
    """One byte string for each row."""
    columns = [getattr(engine, name) for name in names]
    columns = [np.ascontiguousarray(one.reshape(len(one), -1)).view(np.uint8) for one in columns]
    return [row.tobytes() for row in np.concatenate(columns, axis=1)]


def unseen(keys, seen):
    """Rows whose key is new, each key once; the keys are noted."""
    rows = []
    for row, key in enumerate(keys):
        if key not in seen:
            seen.add(key)
            rows.append(row)
    return rows


class Model:
    """States by peer: 0 unknown, then 1 + 2 * distance + barred."""

    def __init__(self, k, peers, distances, bars):
        self.k, self.peers, self.distances = k, peers, distances
        self.kinds = 1 + 2 * distances
        self.weights = self.kinds ** np.arange(len(peers))
        options = TopologyOptions(k=k, min_neighbours=0)
        self.start = Topology.empty(options, own=np.array([OWN], np.int32), slots=len(peers))
        self.start.ranked = False
        self.wanted = self.table()
        self.events = [
            *[("discover", *one) for one in itertools.product(peers, range(distances), bars)],
            *[("lose", peer) for peer in peers],
            ("elect",),
        ]

    def table(self):
        """The k nearest for every combination of states, by sorting (PTP-1)."""
        rows = []
        for combination in itertools.product(range(self.kinds), repeat=len(self.peers)):
            able = [
                ((state - 1) // 2, peer)
                for state, peer in zip(reversed(combination), self.peers, strict=True)
                if state and (state - 1) % 2 == 0
            ]
            ids = [peer for _, peer in sorted(able)[: self.k]]
            rows.append(ids + [-1] * (self.k - len(ids)))
        return np.array(rows)

    def states(self, topology):
        """State of each peer in each row, shape (rows, peers)."""
        found = np.zeros((len(topology.own), len(self.peers)), dtype=np.int64)
        kind = np.where(topology.known, 1 + 2 * topology.distance + topology.barred, 0)
        for column, peer in enumerate(self.peers):
            found[:, column] = np.where(topology.peer == peer, kind, 0).sum(axis=1)
        return found

    def apply(self, topology, event):
        rows = np.arange(len(topology.own))
        if event[0] == "discover":
            _, peer, far, bar = event
            columns = (np.full(len(rows), one) for one in (np.int32(peer), far, bar))
            told = announce(topology, rows, *columns)
            assert not told.code.any()
            return told.changed
        if event[0] == "lose":
            return topology.lose(np.flatnonzero((topology.peer == event[1]) & topology.known))
        return topology.elect(rows)

    def expected(self, states, event):
        states = states.copy()
        if event[0] == "discover":
            _, peer, far, bar = event
            states[:, self.peers.index(peer)] = 1 + 2 * far + bar
        elif event[0] == "lose":
            states[:, self.peers.index(event[1])] = 0
        return states

    def check(self, before, after, changed, event):
        """PTP-1, PTP-2, PTP-4, PTP-6 and PTP-7 for one event in every row."""
        states = self.expected(self.states(before), event)
        np.testing.assert_array_equal(self.states(after), states)
        ids = after.elected_peers()
        np.testing.assert_array_equal(ids, self.wanted[states @ self.weights])
        different = (ids != before.elected_peers()).any(axis=1)
        np.testing.assert_array_equal(changed, np.flatnonzero(different))
        assert OWN not in ids
        if event[0] == "lose":
            assert event[1] not in ids


def closure(model):
    seen, frontier, steps = set(keys_of(model.start, STATE)), model.start, 0
    while len(frontier.own):
        fresh = []
        for event in model.events:
            after = rows_of(frontier, slice(None))
            changed = model.apply(after, event)
            model.check(frontier, after, changed, event)
            steps += len(after.own)
            after.distance[~after.known] = 0
            fresh.append(rows_of(after, unseen(keys_of(after, STATE), seen)))
        frontier = joined(fresh)
    return len(seen), steps


@pytest.mark.slow
@pytest.mark.parametrize(
    ("peers", "distances", "bars"),
    [([0, 1, 3, 4, 5], 2, [False]), ([0, 1, 3, 4], 2, [False, True])],
    ids=["six ids", "five ids, barred or not"],
)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_ptp_elections_explored_to_closure(k, peers, distances, bars, capsys):
    states, steps = closure(Model(k, peers, distances, bars))
    with capsys.disabled():
        print(f"\ntopology, {len(peers) + 1} ids, k={k}: {states} states, {steps} steps, closed")


TIMEOUT = 2
NOW = 1000
PEERS = 3


def advance(topology, heartbeat, announced, heard):
    """One tick of the module: read messages, judge silence, forget the dead (G1 to G3)."""
    rows = np.arange(len(topology.own))[:, None] * PEERS
    edges = (rows + np.array(announced, dtype=np.intp)).reshape(-1)
    topology.discover(edges, heartbeat.health.reshape(-1)[edges] == Health.DEAD)
    heartbeat.add(edges, NOW)
    edges = (rows + np.array(heard, dtype=np.intp)).reshape(-1)
    moves = heartbeat.receive(edges, np.zeros(len(edges), dtype=np.uint8), NOW)
    topology.discover(moves.into(Health.ALIVE))
    topology.lose(heartbeat.tick(NOW).into(Health.DEAD))


def rewind(heartbeat):
    """Shift time so that the next tick is at `NOW` again: only ages matter."""
    living = (heartbeat.health == Health.ALIVE) | (heartbeat.health == Health.SUSPECT)
    heartbeat.deadline[living] -= 1
    dead = heartbeat.health == Health.DEAD
    heartbeat.deadline[dead] -= heartbeat.last_seen()[dead] - (NOW - TIMEOUT)


@pytest.mark.slow
def test_ptp_8_no_dead_peer_is_elected_after_the_tick_explored_to_closure(capsys):
    """Three peers, k = 2: in each tick any of them announce themselves and any are heard."""
    options = TopologyOptions(k=2, min_neighbours=0)
    topology = Topology.empty(options, own=np.array([PEERS], np.int32), slots=PEERS)
    topology.peer[...] = topology.distance[...] = np.arange(PEERS)
    rules = HeartbeatOptions(period_us=1, timeout_count=TIMEOUT, track_gaps=False)
    heartbeat = Heartbeat.create(rules, nodes=1, slots=PEERS)
    subsets = [one for size in range(4) for one in itertools.combinations(range(PEERS), size)]
    seen, steps = set(), 0
    while len(topology.own):
        fresh = []
        for announced, heard in itertools.product(subsets, subsets):
            elections, beliefs = rows_of(topology, slice(None)), rows_of(heartbeat, slice(None))
            advance(elections, beliefs, announced, heard)
            steps += len(elections.own)
            assert not (elections.chosen & (beliefs.health == Health.DEAD)).any()
            able = elections.known & (beliefs.health != Health.DEAD)
            np.testing.assert_array_equal(
                elections.chosen, able & (able.cumsum(axis=1) <= options.k)
            )
            rewind(beliefs)
            parts = zip(keys_of(elections, STATE), keys_of(beliefs, BELIEF), strict=True)
            rows = unseen([one + other for one, other in parts], seen)
            fresh.append((rows_of(elections, rows), rows_of(beliefs, rows)))
        topology, heartbeat = (joined(parts) for parts in zip(*fresh, strict=True))
    with capsys.disabled():
        print(
            f"\ntopology with heartbeats, 3 peers, k=2: {len(seen)} states, {steps} steps, closed"
        )
