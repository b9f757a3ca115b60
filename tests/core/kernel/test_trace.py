"""A trace agrees with what the channel counts and with what comes out of its inboxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.kernel.channel import Channel, InboxRule
from flockcore.kernel.faults import Cut, Delay, Duplicate, Loss, Partition
from flockcore.kernel.mail import BODY, Traffic
from flockcore.kernel.network import Network
from flockcore.kernel.rng import Streams
from flockcore.kernel.script import Script
from flockcore.kernel.trace import Fate, Recorder

NODES = 6
BEAT, LETTER = 1, 4
FAULTS = st.lists(
    st.sampled_from(
        [
            Loss(start=1, probability=0.3),
            Duplicate(start=1, probability=0.4),
            Delay(start=1, min_us=0, mean_us=2_000),
            Partition(start=3, until=6, groups=((0, 1, 2),)),
            Cut(start=2, source=4, target=5),
        ]
    ),
    unique=True,
)


def build(faults):
    script = Script(faults)
    network = Network(nodes=NODES, streams=Streams([(0, 5)]), tick_us=1_000)
    ids = range(NODES)
    peer = np.array([[p for p in ids if p != n] for n in ids], dtype=np.int32)
    order = np.argsort(peer.reshape(-1), kind="stable").astype(np.intp)
    start = np.arange(NODES + 1, dtype=np.intp) * (NODES - 1)
    rule = InboxRule(budget=None, limit=None, newest=False)
    return script, Channel(network=network, peer=peer, hearers=(start, order), rule=rule)


def play(script, channel, ticks, down):
    """Every node broadcasts a beat each tick and node 0 a letter; yields what is read."""
    everyone = np.arange(NODES, dtype=np.intp)
    totals = {"sent": 0, "delivered": 0, "lost": 0, "cut": 0, "down": 0, "duplicated": 0}
    read = []
    for tick in range(1, ticks + 1):
        channel.traffic = Traffic()
        channel.network.hold(script.links(tick), len(script))
        for parcel in channel.read(np.ones(NODES, dtype=bool)):
            sources, targets = channel.source(parcel.edge), parcel.edge // channel.reach
            for source, target in zip(sources, targets, strict=True):
                read.append((tick - 1, parcel.kind, int(source), int(target)))
        beats = channel.fan_out(everyone)
        numbers = np.full(NODES, tick, dtype=np.uint8)
        channel.send(kind=BEAT, along=beats, order=everyone, tick=tick, octets=10, sequence=numbers)
        letter = channel.fan_out(everyone[:1])
        body = np.full((1, BODY), tick, dtype=np.int64)
        channel.send(
            kind=LETTER, along=letter, order=everyone[:1] + NODES, tick=tick, octets=10, body=body
        )
        reachable = np.ones(NODES, dtype=bool)
        reachable[down] = False
        channel.deliver(tick, reachable)
        for name in totals:
            totals[name] += getattr(channel.traffic, name)
    return totals, read


@settings(deadline=None, max_examples=50)
@given(faults=FAULTS, ticks=st.integers(1, 8), down=st.sets(st.integers(0, NODES - 1)))
def test_every_copy_has_the_fate_that_the_channel_counted(faults, ticks, down):
    script, channel = build(faults)
    channel.recorder = Recorder()
    totals, read = play(script, channel, ticks + 1, sorted(down))
    trace = channel.recorder.trace()
    counts = np.bincount(trace.fate, minlength=5)
    assert counts[Fate.DELIVERED] == totals["delivered"]
    assert counts[Fate.LOST] == totals["lost"]
    assert counts[Fate.CUT] == totals["cut"]
    assert counts[Fate.DOWN] == totals["down"]
    assert len(trace) == totals["sent"] + totals["duplicated"]
    arrived = trace.take((trace.fate == Fate.DELIVERED) & (trace.delivered <= ticks))
    rows = zip(arrived.delivered, arrived.kind, arrived.source, arrived.target, strict=True)
    assert sorted(tuple(map(int, row)) for row in rows) == sorted(read)


def test_a_broadcast_is_one_message():
    script, channel = build([])
    channel.recorder = Recorder()
    play(script, channel, 2, [])
    trace = channel.recorder.trace()
    assert trace.message.max() == 2 * (NODES + 1) - 1
    assert np.bincount(trace.message).tolist() == [NODES - 1] * (2 * (NODES + 1))
    first = trace.take(trace.message == 0)
    assert set(first.source) == {0}
    assert set(first.sequence) == {1}
    letters = trace.take(trace.kind == LETTER)
    assert set(letters.body[letters.tick == 2].reshape(-1)) == {2}


@pytest.mark.parametrize("kinds", [None, {LETTER}, set()])
def test_kinds_may_be_left_out(kinds):
    script, channel = build([])
    channel.recorder = Recorder(kinds=kinds)
    play(script, channel, 1, [])
    found = set(channel.recorder.trace().kind)
    assert found == ({BEAT, LETTER} if kinds is None else kinds)


def test_recording_changes_nothing():
    faults = [Loss(start=1, probability=0.3), Delay(start=1, min_us=0, mean_us=2_000)]
    script, plain = build(faults)
    _, traced = build(faults)
    traced.recorder = Recorder()
    assert play(script, plain, 6, []) == play(script, traced, 6, [])
    assert np.array_equal(plain.network.touched, traced.network.touched)
