"""Every course of one observer's heartbeats, explored to closure (spec ekk, section 17, column MC).

Two peers, time in half periods, a horizon of eight periods. Each row of one `Heartbeat` is one
state and stands beside its twin: per peer (health, last seen, missed), or None if untracked. All
states of one moment are closed under the events of that moment before time moves on.
"""

from itertools import pairwise

import numpy as np
import pytest

from flockcore.flock.codes import Health
from flockcore.flock.heartbeat import Heartbeat, HeartbeatOptions

PERIOD = 2
HORIZON = 8 * PERIOD
START = 1
PEERS = 2
UNKNOWN, ALIVE, SUSPECT, DEAD = Health
FRESH = (UNKNOWN, 0, 0)
ALLOWED = {(0, 1), (1, 2), (1, 3), (2, 1), (2, 3), (3, 1)}
EVENTS = [
    ("tick",),
    ("receive", 0, 1),
    *[(name, peer) for name in ("add", "remove", "receive") for peer in range(PEERS)],
]
COLUMNS = ("health", "tracked", "deadline", "sequence", "average_gap")


def belief(entry, now, timeout):
    """One entry after a tick."""
    if entry is None or entry[0] == UNKNOWN:
        return entry
    missed = max(entry[2], (now - entry[1]) // PERIOD)
    health = ALIVE if missed == 0 else SUSPECT if missed < timeout else DEAD
    return (health, entry[1], missed)


def successor(twin, event, now, timeout):
    """The twin after an event at `now`."""
    name, *peers = event
    if name == "tick":
        return tuple(belief(entry, now, timeout) for entry in twin)
    entries = list(twin)
    for peer in peers:
        if name == "add":
            entries[peer] = entries[peer] or FRESH
        elif name == "remove":
            entries[peer] = None
        elif entries[peer] is not None:
            entries[peer] = (ALIVE, now, 0)
    return tuple(entries)


def callbacks(before, after):
    """Moves of both peers: (peer, from, to), a leap from ALIVE to DEAD in two steps."""
    moves = []
    for peer, (old, new) in enumerate(zip(before, after, strict=True)):
        if old is None or new is None or old[0] == new[0]:
            continue
        path = [old[0], SUSPECT, DEAD] if (old[0], new[0]) == (ALIVE, DEAD) else [old[0], new[0]]
        moves += [(peer, *step) for step in pairwise(path)]
    return moves


class Model:
    """All states of one moment, row by row."""

    def __init__(self, timeout):
        self.options = HeartbeatOptions(period_us=PERIOD, timeout_count=timeout, track_gaps=False)
        self.timeout = timeout
        self.steps = 0

    def apply(self, heartbeat, event, now):
        """One event in every row; returns the transitions, if the event has any."""
        name, *peers = event
        if name == "tick":
            return heartbeat.tick(now)
        rows = np.arange(len(heartbeat.health))[:, None] * PEERS
        edges = (rows + np.array(peers, dtype=np.intp)).reshape(-1)
        if name == "receive":
            return heartbeat.receive(edges, np.zeros(len(edges), dtype=np.uint8), now)
        heartbeat.add(edges, now) if name == "add" else heartbeat.remove(edges)
        return None

    def step(self, twins, rows, event, now):
        """Successors of `twins`, whose library rows are `rows`, checked against the library."""
        heartbeat = Heartbeat.create(self.options, nodes=len(twins), slots=PEERS)
        for name, column in rows.items():
            getattr(heartbeat, name)[...] = column
        moves = self.apply(heartbeat, event, now)
        after = [successor(twin, event, now, self.timeout) for twin in twins]
        self.compare(heartbeat, after, now if event == ("tick",) else None)
        if moves is not None:
            self.compare_moves(moves, twins, after)
        self.steps += len(twins)
        return after, {name: getattr(heartbeat, name) for name in COLUMNS}

    def compare(self, heartbeat, twins, ticked):
        blank = (UNKNOWN, 0, 0)
        entries = np.array([[entry or blank for entry in twin] for twin in twins])
        tracked = [[entry is not None for entry in twin] for twin in twins]
        np.testing.assert_array_equal(heartbeat.tracked, tracked)
        np.testing.assert_array_equal(heartbeat.health, entries[:, :, 0])
        np.testing.assert_array_equal(heartbeat.last_seen(), entries[:, :, 1])
        if ticked is not None:
            np.testing.assert_array_equal(heartbeat.missed(), entries[:, :, 2])

    def compare_moves(self, moves, before, after):
        """PHB-2, PHB-6 and PHB-7."""
        told = zip(*(one.tolist() for one in (moves.edge, moves.before, moves.after)), strict=True)
        found = [(*divmod(edge, PEERS), old, new) for edge, old, new in told]
        wanted = [
            (row, *move)
            for row, pair in enumerate(zip(before, after, strict=True))
            for move in callbacks(*pair)
        ]
        assert found == wanted
        changes = [
            (old[0], new[0])
            for twin, twin_after in zip(before, after, strict=True)
            for old, new in zip(twin, twin_after, strict=True)
            if old is not None and old[0] != new[0]
        ]
        assert moves.changed == len(changes)
        assert set(changes) <= ALLOWED

    def moment(self, states, now):
        """Close `states` under the events at `now`."""
        frontier = states
        while frontier:
            twins = list(frontier)
            rows = {name: np.array([frontier[twin][name] for twin in twins]) for name in COLUMNS}
            frontier = {}
            for event in EVENTS:
                after, columns = self.step(twins, rows, event, now)
                for row, twin in enumerate(after):
                    if twin not in states and twin not in frontier:
                        frontier[twin] = {name: columns[name][row] for name in COLUMNS}
            states = states | frontier
        return states


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [1, 2, 3])
def test_phb_two_peers_explored_to_closure(timeout, capsys):
    """PHB-1, 2, 3, 5, 6 and 7: the library follows its twin through every interleaving."""
    model = Model(timeout)
    empty = Heartbeat.create(model.options, nodes=1, slots=PEERS)
    states = {(None, None): {name: getattr(empty, name)[0] for name in COLUMNS}}
    seen = 0
    for now in range(START, START + HORIZON + 1):
        states = model.moment(states, now)
        seen += len(states)
    with capsys.disabled():
        print(
            f"\nheartbeat, {PEERS} peers, {HORIZON} half periods, timeout {timeout}: "
            f"{seen} states, {model.steps} steps, closed"
        )


@pytest.mark.parametrize("timeout", [1, 2, 3])
def test_phb_4_a_peer_leaves_alive_only_by_a_whole_period_of_silence(timeout, capsys):
    """Every schedule of heartbeats over three periods of four ticks, one schedule a row."""
    period, moments = 4, 12
    rows = np.arange(2**moments)
    heard = rows[:, None] >> np.arange(moments) & 1 == 1
    options = HeartbeatOptions(period_us=period, timeout_count=timeout, track_gaps=False)
    heartbeat = Heartbeat.create(options, nodes=len(rows), slots=1)
    heartbeat.add(rows, 0)
    heartbeat.receive(rows, np.zeros(len(rows), dtype=np.uint8), START)
    left, silent = np.zeros(len(rows), dtype=np.bool_), np.zeros(len(rows), dtype=np.intp)
    for moment in range(moments):
        now = START + 1 + moment
        hearing = rows[heard[:, moment]]
        heartbeat.receive(hearing, np.zeros(len(hearing), dtype=np.uint8), now)
        heartbeat.tick(now)
        silent = np.where(heard[:, moment], 0, silent + 1)
        left |= heartbeat.health[:, 0] != ALIVE
        np.testing.assert_array_equal(heartbeat.health[:, 0] != ALIVE, silent >= period)
    with capsys.disabled():
        print(f"\nheartbeat, timeout {timeout}: {len(rows)} schedules, {(~left).sum()} stay ALIVE")
