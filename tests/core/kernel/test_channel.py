"""The channel agrees with a plain model that keeps one list per node."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.kernel.channel import Channel, InboxRule
from flockcore.kernel.faults import Delay, Duplicate, Fault, Loss, Partition, Reorder
from flockcore.kernel.mail import BODY, FanOut
from flockcore.kernel.network import Network
from flockcore.kernel.rng import Streams
from flockcore.kernel.script import Script

BEAT, LETTER = 1, 4


def complete(nodes: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Everybody hears everybody: peers in id order, and the out-edges of each node."""
    peer = np.array([[p for p in range(nodes) if p != n] for n in range(nodes)], dtype=np.int32)
    edges = np.arange(peer.size, dtype=np.intp)
    order = np.argsort(peer.reshape(-1), kind="stable")
    start = np.r_[0, np.cumsum(np.bincount(peer.reshape(-1), minlength=nodes))].astype(np.intp)
    return peer, (start, edges[order])


def channel(nodes: int, rule: InboxRule, *faults: Fault) -> Channel:
    script = Script(faults)
    network = Network(nodes=nodes, streams=Streams([(0, 11)]), tick_us=1_000)
    network.hold(script.links(1), len(script))
    peer, hearers = complete(nodes)
    return Channel(network=network, peer=peer, hearers=hearers, rule=rule)


@dataclass
class PlainInbox:
    """One node's inbox as a list of (order, kind, source, sequence)."""

    rule: InboxRule
    items: list[list[int]] = field(default_factory=list)

    def put(self, order: int, kind: int, source: int, sequence: int) -> None:
        self.items.append([order, kind, source, sequence])

    def read(self, ticking: bool) -> list[tuple[int, ...]]:
        self.items.sort(key=lambda item: item[0])
        budget = self.rule.budget if ticking else 0
        crowded = not ticking or (budget is not None and len(self.items) > budget)
        if self.rule.newest and crowded:
            self._merge()
        budget = len(self.items) if budget is None else budget
        read, rest = self.items[:budget], self.items[budget:]
        limit = len(rest) if self.rule.limit is None else self.rule.limit
        self.items = rest[:limit]
        return [tuple(item) for item in read]

    def _merge(self) -> None:
        first: dict[int, list[int]] = {}
        kept = []
        for item in self.items:
            if item[1] == BEAT and item[2] in first:
                first[item[2]][3] = item[3]
                continue
            if item[1] == BEAT:
                first[item[2]] = item
            kept.append(item)
        self.items = kept


rules = st.builds(
    InboxRule,
    budget=st.sampled_from([None, 1, 3, 16]),
    limit=st.sampled_from([None, 2, 5]),
    newest=st.booleans(),
    newest_kinds=st.just((BEAT,)),
)


@settings(max_examples=60)
@given(rule=rules, seed=st.integers(0, 10**6), nodes=st.integers(2, 6))
def test_reading_agrees_with_a_list_per_node(rule: InboxRule, seed: int, nodes: int) -> None:
    rng = np.random.default_rng(seed)
    made = channel(nodes, rule)
    plain = [PlainInbox(rule) for _ in range(nodes)]
    everyone = np.ones(nodes, dtype=np.bool_)
    sequence = 0
    for tick in range(12):
        ticking = rng.random(nodes) < 0.8
        got: list[list[tuple[int, ...]]] = [[] for _ in range(nodes)]
        for parcel in made.read(ticking):
            source = made.source(parcel.edge)
            for n in range(len(parcel)):
                got[int(parcel.edge[n] // made.reach)].append(
                    (int(parcel.order[n]), parcel.kind, int(source[n]), int(parcel.sequence[n]))
                )
        assert [sorted(mail) for mail in got] == [
            box.read(bool(t)) for box, t in zip(plain, ticking, strict=True)
        ]
        for kind in (BEAT, LETTER):
            senders = np.flatnonzero(rng.random(nodes) < 0.6)
            sequence += 1
            order = (tick << 20) + senders * 16 + kind
            made.send(
                kind=kind,
                along=made.fan_out(senders),
                order=order,
                tick=tick,
                octets=8,
                sequence=np.full(len(senders), sequence, np.uint8),
            )
            for sender, place in zip(senders.tolist(), order.tolist(), strict=True):
                for receiver in range(nodes):
                    if receiver != sender:
                        plain[receiver].put(place, kind, sender, sequence)
        made.deliver(tick, everyone)
        assert made.backlog().tolist() == [len(box.items) for box in plain]


def test_fan_out_lists_every_hearer_once_and_is_kept() -> None:
    made = channel(5, InboxRule())
    senders = np.array([1, 4])
    out = made.fan_out(senders)
    assert made.fan_out(senders.copy()) is out
    assert out.edge.tolist() == sorted(out.edge.tolist())
    assert sorted(out.source.tolist()) == [1] * 4 + [4] * 4
    assert senders[out.rank].tolist() == out.source.tolist()
    assert sorted(out.target.tolist()) == [0, 0, 1, 2, 2, 3, 3, 4]
    assert np.array_equal(made.source(out.edge), out.source)
    assert np.array_equal(made.edge_from(out.source, out.target), out.edge)


def test_an_edge_out_of_reach_is_told() -> None:
    peer = np.array([[1], [0], [1]], dtype=np.int32)
    hearers = (np.array([0, 1, 3, 3]), np.array([1, 0, 2]))
    network = Network(nodes=3, streams=Streams([(0, 1)]), tick_us=1_000)
    made = Channel(network=network, peer=peer, hearers=hearers, rule=InboxRule())
    assert made.edge_from(np.array([2, 1]), np.array([1, 2])).tolist() == [-1, 2]


def drive(made: Channel, ticks: int, *, restart_at: int | None = None) -> list[bytes]:
    """Send everything to everybody each tick; return what each tick read."""
    everyone = np.ones(made.nodes, dtype=np.bool_)
    seen = []
    for tick in range(ticks):
        if tick == restart_at:
            saved = made.capture()
            made.inbox = []
            made.restore(saved)
        parcels = made.read(everyone)
        seen.append(b"".join(parcel.edge.tobytes() + parcel.body.tobytes() for parcel in parcels))
        body = np.arange(made.nodes * BODY).reshape(made.nodes, BODY) + tick
        senders = np.arange(made.nodes)
        order = (tick << 20) + senders
        along = made.fan_out(senders)
        made.send(kind=LETTER, along=along, order=order, tick=tick, octets=13, body=body)
        made.deliver(tick, everyone)
    return seen


FAULTS = (
    Loss(start=1, probability=0.1),
    Delay(start=1, min_us=500, mean_us=3_000),
    Duplicate(start=1, probability=0.2),
    Reorder(start=1, probability=0.1, by_us=2_000),
)


@pytest.mark.parametrize("restart_at", [1, 7, 13])
def test_capture_and_restore_keep_inbox_and_flight(restart_at: int) -> None:
    rule = InboxRule(budget=3)
    straight = drive(channel(6, rule, *FAULTS), 20)
    assert drive(channel(6, rule, *FAULTS), 20, restart_at=restart_at) == straight


def test_every_copy_is_accounted_for() -> None:
    made = channel(8, InboxRule(), *FAULTS, Partition(start=1, groups=((0, 1, 2),)))
    up = np.ones(8, dtype=np.bool_)
    up[7] = False
    for tick in range(10):
        along = made.fan_out(np.arange(8))
        made.send(kind=BEAT, along=along, order=np.arange(8), tick=tick, octets=8)
        made.deliver(tick, up)
    for tick in range(10, 200):
        made.deliver(tick, up)
    count = made.traffic
    assert count.sent == 10 * 8 * 7
    assert min(count.lost, count.cut, count.down, count.duplicated, count.delayed) > 0
    assert count.sent + count.duplicated == (count.delivered + count.lost + count.cut + count.down)
    assert count.octets == 8 * count.sent


def test_what_is_in_flight_at_a_cut_is_lost() -> None:
    script = Script([Delay(start=1, min_us=5_000), Partition(start=4, groups=((0,),))])
    made = channel(2, InboxRule(), *script.faults[:1])
    along = FanOut.along(
        made.edge_from(np.array([0]), np.array([1])), np.array([0]), np.array([0]), 1
    )
    made.send(kind=BEAT, along=along, order=np.array([0]), tick=1, octets=8)
    made.network.hold(script.links(4), len(script))
    for tick in range(1, 9):
        made.deliver(tick, np.ones(2, dtype=np.bool_))
    assert (made.traffic.cut, made.traffic.delivered) == (1, 0)


def test_a_crash_loses_the_inbox_of_that_node_alone() -> None:
    made = channel(3, InboxRule())
    along = made.fan_out(np.arange(3))
    made.send(kind=BEAT, along=along, order=np.arange(3), tick=0, octets=8)
    made.deliver(0, np.ones(3, dtype=np.bool_))
    made.drop_inbox(np.array([False, True, False]))
    assert made.backlog().tolist() == [2, 0, 2]
