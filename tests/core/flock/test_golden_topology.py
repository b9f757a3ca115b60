"""Elections recorded from the original runtime, row for row (vectors/ekk/topology.json)."""

import numpy as np
import pytest

from flockcore.flock.admission import announce
from flockcore.flock.codes import Code
from flockcore.flock.reach import Metric, distance
from flockcore.flock.settings import TopologyOptions
from flockcore.flock.topology import Topology
from golden import cases

CAPACITY = 64
DISCOVERY_PERIOD_US = 1_000_000


class Recorded:
    """One observer, driven by the events of a case. A node's index is its recorded id less one."""

    def __init__(self, data):
        self.metric, self.own = Metric(data["metric"]), data["my_id"] - 1
        self.places = np.zeros((256, 3), dtype=np.int64)
        self.places[self.own] = data["my_pos"]
        options = TopologyOptions(
            k=data["k"], min_neighbours=data["min"], discovery_period_us=DISCOVERY_PERIOD_US
        )
        own = np.array([self.own], dtype=np.int32)
        self.topology = Topology.empty(options, own=own, slots=CAPACITY)

    def far(self, peer):
        return distance(
            self.metric,
            np.array([self.own]),
            np.array([peer]),
            positions=self.places,
            custom=lambda a, b: (a + 1) ^ (b + 1),
        )

    def discovered(self, number, *place):
        peer = number - 1
        if peer not in (self.own, -1):
            self.places[peer] = place
        one = np.array([peer], dtype=np.int32)
        told = announce(self.topology, np.array([0]), one, self.far(peer))
        return [told.code.item(), len(told.changed)]

    def lost(self, number):
        if number == 0:
            return [Code.INVALID_ARG, 0]
        topology = self.topology
        edges = np.flatnonzero((topology.peer[0] == number - 1) & topology.known[0])
        code = Code.OK if topology.chosen[0, edges].any() else Code.NOT_FOUND
        return [code, len(topology.lose(edges, keep_unelected=True))]

    def reelected(self):
        changed = len(self.topology.elect(np.array([0])))
        return [int(self.topology.count[0]), changed]

    def ticked(self, now):
        told = self.topology.tick(now)
        return [int(told.urgent[0]), 0, int(told.due[0])]

    def neighbours(self):
        slots = self.topology.elected[0, : self.topology.count[0]]
        peers, far = self.topology.peer[0, slots], self.topology.distance[0, slots]
        return [[peer + 1, away] for peer, away in zip(peers.tolist(), far.tolist(), strict=True)]


@pytest.mark.parametrize("case", cases("topology"))
def test_topology(case):
    run = Recorded(case.data)
    apply = {"d": run.discovered, "l": run.lost, "r": run.reelected, "t": run.ticked}
    before = []
    for (name, *arguments), wanted in zip(case.data["events"], case.data["out"], strict=True):
        code, changed, *sent = apply[name](*arguments)
        elected = run.neighbours()
        row = [code, changed, int(run.topology.known.sum())]
        row += [elected if elected != before else 0, *sent]
        if "Q15" in case.relaxed:
            row[1] = wanted[1]
        assert row == wanted, (name, arguments)
        before = elected
