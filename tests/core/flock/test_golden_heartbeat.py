"""Failure detection recorded from the original runtime (vectors/ekk/heartbeat.json)."""

import numpy as np
import pytest

from flockcore.flock.codes import Code, Health
from flockcore.flock.heartbeat import Heartbeat
from flockcore.flock.settings import HeartbeatOptions
from golden import cases

CAPACITY = 64
LETTER = {Health.ALIVE: "A", Health.SUSPECT: "S", Health.DEAD: "D"}


class Recorded:
    """One observer, driven by the events of a case; `order` lists the tracked ids."""

    def __init__(self, data):
        period, timeout, broadcast, gaps = data["cfg"]
        options = HeartbeatOptions(
            period_us=period,
            timeout_count=timeout,
            auto_broadcast=bool(broadcast),
            track_gaps=bool(gaps),
        )
        self.heartbeat = Heartbeat.create(options, nodes=1, slots=CAPACITY)
        self.order, self.slot = [], {}

    def edges(self, number):
        return np.array([self.slot[number]] if number in self.slot else [], dtype=np.intp)

    def added(self, number):
        if number == 0:
            return [Code.INVALID_ARG, None, None]
        free = sorted(set(range(CAPACITY)) - set(self.slot.values()))
        if number not in self.slot:
            if not free:
                return [Code.NO_MEMORY, None, None]
            self.order.append(number)
            self.slot[number] = free[0]
        return [self.heartbeat.add(self.edges(number), 0).item(), None, None]

    def removed(self, number):
        if number not in self.slot:
            return [Code.NOT_FOUND, None, None]
        code = self.heartbeat.remove(self.edges(number)).item()
        self.order.remove(number)
        del self.slot[number]
        return [code, None, None]

    def received(self, number, sequence, now):
        if number == 0:
            return [Code.INVALID_ARG, None, None]
        edges = self.edges(number)
        moves = self.heartbeat.receive(edges, np.full(len(edges), sequence, np.uint8), now)
        mean = self.heartbeat.average_gap[0, edges].tolist()
        return [Code.OK, moves, mean[0] if mean else None]

    def ticked(self, now):
        moves = self.heartbeat.tick(now)
        return [moves.changed, moves, len(self.heartbeat.due_to_send(now))]

    def told(self, moves):
        """The callbacks as recorded, in the order of tracking: "S3 D5"."""
        if moves is None:
            return ""
        number = {slot: one for one, slot in self.slot.items()}
        said = [
            (number[edge], LETTER[after])
            for edge, after in zip(moves.edge.tolist(), moves.after.tolist(), strict=True)
        ]
        said.sort(key=lambda one: self.order.index(one[0]))
        return " ".join(f"{letter}{one}" for one, letter in said)

    def column(self, table):
        return [table[0, self.slot[number]].item() for number in self.order]


@pytest.mark.parametrize("case", cases("heartbeat"))
def test_heartbeat(case):
    run = Recorded(case.data)
    apply = {"a": run.added, "x": run.removed, "r": run.received, "t": run.ticked}
    for (name, *arguments), wanted in zip(case.data["events"], case.data["out"], strict=True):
        code, moves, extra = apply[name](*arguments)
        health = "".join(map(str, run.column(run.heartbeat.health)))
        row = [code, health, run.column(run.heartbeat.missed()), run.told(moves), extra]
        if "Q22" in case.relaxed:
            row[3] = wanted[3]
        assert row == wanted, (name, arguments)
    beats = run.heartbeat
    tables = (beats.health, beats.last_seen(), beats.missed(), beats.sequence, beats.average_gap)
    columns = [run.order, *(run.column(table) for table in tables)]
    assert [list(one) for one in zip(*columns, strict=True)] == case.data["final"]
