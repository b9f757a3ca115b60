"""Tasks, slack and module states of the original runtime (module.json)."""

import numpy as np
import pytest

from flockcore.flock.admission import announce
from flockcore.flock.codes import Health
from flockcore.flock.heartbeat import Heartbeat
from flockcore.flock.settings import TopologyOptions
from flockcore.flock.states import next_states, reform, ticks
from flockcore.flock.tasks import Tasks
from flockcore.flock.topology import Topology
from golden import cases

NODE = np.array([1], dtype=np.intp)
TICKING = np.array([False, True, False])


def run_tasks(data):
    """One module's events, on the middle one of three nodes."""
    tasks = Tasks.empty(3)
    have = np.array([0, data["caps"], 0], dtype=np.int64)
    own = [0] * 6
    for priority, period, need, deadline, duration in data["tasks"]:
        _, number = tasks.add(NODE, priority=priority, period=period, need=need)
        if deadline >= 0:
            tasks.set_deadline(NODE, number, deadline=deadline, duration=duration)
    shown = len(data["tasks"])

    def tick(now):
        rows, slack = tasks.update_slack(now, TICKING)
        own[5] = int(slack[0]) if rows.size else 65536
        rows, ran = tasks.run(now, TICKING, have)
        return [
            0,
            int(ran[0]) if rows.size else -1,
            own[5],
            list(own),
            "".join(map(str, tasks.state[1, :shown])),
            "".join(map(str, tasks.critical[1, :shown].astype(int))),
            tasks.slack[1, :shown].tolist(),
        ]

    def event(name, *given):
        number = np.array(given[:1], dtype=np.intp)
        match name:
            case "t":
                return tick(given[0])
            case "rdy":
                return int(tasks.ready(NODE, number)[0])
            case "blk":
                return int(tasks.block(NODE, number)[0])
            case "clr":
                return int(tasks.clear_deadline(NODE, number)[0])
            case "dl":
                codes = tasks.set_deadline(NODE, number, deadline=given[1], duration=given[2])
                return int(codes[0])
            case "cap":
                have[1] = given[0]
            case "upd":
                own[:3] = given
        return 0

    return [event(*one) for one in data["events"]]


def run_states(rows, min_neighbours):
    """One tick of every row at once: row by row an observer of its own, all of them module 9."""
    count = len(rows)
    before = np.array([row[1] for row in rows], dtype=np.uint8)
    neighbours = np.array([row[2] for row in rows])
    death = np.array([row[3] for row in rows])
    options = TopologyOptions(min_neighbours=min_neighbours)
    topology = Topology.empty(options, own=np.full(count, 8, dtype=np.int32), slots=16)
    heartbeat = Heartbeat.create(nodes=count, slots=16)
    for place in range(7):
        rows_here = np.flatnonzero(neighbours > place)
        ids = np.full(len(rows_here), 9 + place, dtype=np.int32)
        announce(topology, rows_here, ids, ids.astype(np.int64) - 8)
    # Slot 0 holds the first neighbour; slot 15 stands for module 60, which is tracked, not known.
    silent = np.flatnonzero(death)
    edges = silent * 16 + np.where(death[silent] == 1, 0, 15)
    heartbeat.add(edges, 1_000)
    heartbeat.receive(edges, np.zeros(len(edges), dtype=np.uint8), 1_000)

    active = ticks(before)
    dead = heartbeat.tick(2_000_000, active).into(Health.DEAD)
    topology.lose(dead)
    died = np.isin(np.arange(count), dead // 16)
    reforming = reform(before, died)
    after = next_states(before, topology.count, min_neighbours)
    # The original reports the end of REFORMING only, and nothing that returns to itself (Q14).
    source = np.where(reforming, 5, before)
    calls = [
        [[a, b]] if a != b else [] for a, b in zip(source.tolist(), after.tolist(), strict=True)
    ]
    shown = zip(rows, after.tolist(), topology.count.tolist(), calls, died.tolist(), strict=True)
    return [[*row[:4], state, n, call, int(lost)] for row, state, n, call, lost in shown]


@pytest.mark.parametrize("case", cases("module"))
def test_module(case):
    if case.data["kind"] == "tasks":
        assert run_tasks(case.data) == case.data["out"]
        return
    for least in sorted({row[0] for row in case.data["rows"]}):
        rows = [row for row in case.data["rows"] if row[0] == least]
        assert run_states(rows, least) == rows
