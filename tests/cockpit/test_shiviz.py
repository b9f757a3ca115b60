import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.flock.codes import MessageKind
from flockcore.kernel.trace import Fate, Trace
from flockpit import shiviz

NODES = 4


@st.composite
def traces(draw):
    rows = []
    for message in range(draw(st.integers(0, 12))):
        tick = message // 3 + 1
        source = draw(st.integers(0, NODES - 1))
        kind = draw(st.sampled_from([MessageKind.HEARTBEAT, MessageKind.VOTE]))
        for target in draw(st.sets(st.integers(0, NODES - 1), min_size=1)) - {source} or {
            (source + 1) % NODES
        }:
            fate = draw(st.sampled_from(Fate))
            late = tick + draw(st.integers(0, 3)) if fate == Fate.DELIVERED else -1
            rows.append((message, tick, kind, source, target, message % 256, late, fate))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 8).T
    return Trace(*columns, body=np.zeros((len(rows), 0), np.int64))


def parse(text):
    """Reads a log as ShiViz does: by the expression in its first line."""
    parser, delimiter, rest = text.split("\n", 2)
    assert delimiter == ""
    found = re.finditer(parser.replace("(?<", "(?P<"), rest)
    events = [
        (one["host"], json.loads(one["clock"]), int(one["tick"]), one["event"]) for one in found
    ]
    assert 2 * len(events) == rest.count("\n")
    return events


@given(traces())
def test_clocks_are_vector_clocks(trace):
    events = parse(shiviz.log(trace))
    sends = len(np.unique(trace.message))
    assert len(events) == sends + np.count_nonzero(trace.fate == Fate.DELIVERED)
    assert_vector_clocks(events)


def assert_vector_clocks(events):
    seen = {}
    for host, clock, _, _ in events:
        assert clock[host] == len(seen.setdefault(host, [])) + 1
        seen[host].append(clock)
        for other, count in clock.items():
            # Each entry names an event that is written, and all that this one has seen.
            if other != host:
                earlier = seen[other][count - 1]
                assert all(clock[name] >= value for name, value in earlier.items())


@given(traces())
def test_an_arrival_happens_after_its_sending_and_only_then(trace):
    events = parse(shiviz.log(trace))
    ticks = [tick for _, _, tick, _ in events]
    assert ticks == sorted(ticks)
    for place, (host, clock, _, event) in enumerate(events):
        if event.startswith("receives"):
            source = f"node-{event.rsplit(' ', 1)[1]}"
            assert clock[source] >= 1
            assert any(
                other == source and before[source] <= clock[source]
                for other, before, _, text in events[:place]
                if text.startswith("sends")
            )
            assert host != source


def copies(*rows):
    columns = np.array(rows, dtype=np.int64).T
    return Trace(*columns, body=np.zeros((len(rows), 0), np.int64))


def test_a_sending_says_what_became_of_its_copies():
    trace = copies(
        (0, 3, MessageKind.HEARTBEAT, 0, 1, 7, 3, Fate.DELIVERED),
        (0, 3, MessageKind.HEARTBEAT, 0, 2, 7, -1, Fate.LOST),
        (0, 3, MessageKind.HEARTBEAT, 0, 3, 7, -1, Fate.CUT),
        (1, 4, MessageKind.VOTE, 2, 0, 0, -1, Fate.DOWN),
    )
    assert shiviz.log(trace) == (
        "(?<host>\\S+) (?<clock>\\{.*\\})\\n(?<tick>\\d+) (?<event>.*)\n\n"
        'node-0 {"node-0": 1}\n3 sends HEARTBEAT #7 to 3 nodes (1 lost, 1 stopped by a cut)\n'
        'node-1 {"node-0": 1, "node-1": 1}\n3 receives HEARTBEAT #7 from node 0\n'
        'node-2 {"node-2": 1}\n4 sends VOTE to node 0 (1 to nodes that are down)\n'
    )


@given(traces(), st.integers(1, 30))
def test_a_long_log_keeps_the_latest_ticks_and_says_so(trace, limit):
    whole = parse(shiviz.log(trace))
    cut = parse(shiviz.log(trace, limit=limit))
    if len(whole) <= limit:
        assert cut == whole
        return
    (host, clock, first, text), *kept = cut
    assert (host, clock) == ("flockpit", {"flockpit": 1})
    assert 1 <= len(kept) <= limit
    assert f"{len(kept)} of {len(whole)} events" in text
    assert kept[0][2] == first
    # Nothing newer was left out, unless one tick alone is too much.
    assert kept[-1][2] == whole[-1][2] or first == max(trace.tick)
    assert_vector_clocks(kept)


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (MessageKind.PROPOSAL, (18, 3, 1, 9, 0, 0), "PROPOSAL of ballot 3 of node 17: power limit"),
        (MessageKind.VOTE, (18, 3, 1, 0, 0, 0), "VOTE yes on ballot 3 of node 17"),
        (MessageKind.VOTE, (18, 3, 77, 0, 0, 0), "VOTE 77 on ballot 3 of node 17"),
        (MessageKind.RESULT, (18, 3, 0, 0, 0, 2), "RESULT rejected of ballot 3 of node 17"),
        (MessageKind.INHIBIT, (18, 3, 0, 0, 0, 0), "INHIBIT of ballot 3 of node 17"),
        (MessageKind.EVIDENCE, (18, 3, 0, 0, 0, 0), "EVIDENCE to"),
    ],
)
def test_letters_say_what_they_are_about(kind, body, words):
    plain = copies((0, 3, kind, 0, 1, 0, 3, Fate.DELIVERED))
    trace = dataclasses.replace(plain, body=np.array([body], dtype=np.int64))
    assert f"sends {words}" in shiviz.log(trace)
