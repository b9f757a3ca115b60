from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.kernel.faults import Crash, Flap, Join, Leave, Pause, Restart, Resume, Slow
from flockcore.kernel.script import Script
from flockpit.instruments.detection_times import (
    Outages,
    detect,
    distribution,
    false_alarms,
    outages_of,
    quantile,
)

NODES = 5


def triples(outages):
    return list(
        zip(outages.subject.tolist(), outages.start.tolist(), outages.stop.tolist(), strict=True)
    )


@st.composite
def outages(draw):
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, NODES - 1), st.integers(0, 30), st.integers(1, 20)),
            max_size=8,
        )
    )
    return Outages.of((subject, start, start + long) for subject, start, long in rows)


@st.composite
def events(draw):
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 60), st.integers(0, NODES - 1), st.integers(0, NODES - 1)),
            max_size=40,
        )
    )
    table = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def detect_slowly(tick, observer, subject, known):
    found = {}
    for number, (down, start, stop) in enumerate(triples(known)):
        for at, who, whom in zip(tick, observer, subject, strict=True):
            if whom == down and start <= at < stop and (number, who) not in found:
                found[(number, int(who))] = int(at) - start
    return found


@pytest.mark.slow
@given(events(), outages())
def test_each_observer_detects_an_outage_once_at_its_first_word(rows, known):
    found = detect(*rows, known)
    pairs = zip(found.outage.tolist(), found.observer.tolist(), strict=True)
    assert dict(zip(pairs, found.delay.tolist(), strict=True)) == detect_slowly(*rows, known)


@pytest.mark.slow
@given(events(), outages())
def test_first_and_last_observer_bound_every_delay(rows, known):
    found = detect(*rows, known)
    for number in range(len(known)):
        mine = found.delay[found.outage == number]
        assert found.noticed[number] == len(mine)
        assert found.first[number] == (mine.min() if len(mine) else -1)
        assert found.last[number] == (mine.max() if len(mine) else -1)


@pytest.mark.slow
@given(events(), outages())
def test_a_word_is_false_when_its_subject_is_in_no_outage(rows, known):
    tick, _, subject = rows
    down = {(s, t) for s, start, stop in triples(known) for t in range(start, stop)}
    expected = [(int(s), int(t)) not in down for s, t in zip(subject, tick, strict=True)]
    assert false_alarms(tick, subject, known).tolist() == expected


@given(outages())
def test_outages_of_a_node_are_apart_and_in_order(known):
    rows = triples(known)
    assert rows == sorted(rows)
    for (one, _, stop), (other, start, _) in pairwise(rows):
        assert one != other or stop < start


def test_a_crash_lasts_until_the_restart_of_that_node():
    script = Script((Crash(start=10, nodes=(1, 2)), Restart(start=40, nodes=(2,))))
    assert triples(outages_of(script.spans))[1] == (2, 10, 40)
    assert triples(outages_of(script.spans))[0][:2] == (1, 10)


def test_pauses_and_departures_are_outages_too():
    script = Script(
        (
            Pause(start=5, nodes=(0,)),
            Resume(start=9, nodes=(0,)),
            Leave(start=20, nodes=(3,)),
            Join(start=30, node=3, x=0, y=0),
        )
    )
    assert triples(outages_of(script.spans)) == [(0, 5, 9), (3, 20, 30)]


def test_a_flapping_crash_is_several_outages():
    script = Script((Flap(start=10, fault=Pause(nodes=(4,)), on=5, off=5, times=2),))
    assert triples(outages_of(script.spans)) == [(4, 10, 15), (4, 20, 25)]


def test_a_slow_node_is_up():
    assert triples(outages_of(Script((Slow(start=10, nodes=(1,), every=4),)).spans)) == []


@given(st.lists(st.integers(0, 500), min_size=1), st.floats(0.01, 1.0))
def test_a_quantile_is_the_least_delay_that_reaches_its_share(delays, share):
    delay = np.array(delays, dtype=np.int64)
    found = quantile(delay, share)
    assert np.count_nonzero(delay <= found) >= share * len(delay) - 1e-9
    assert np.count_nonzero(delay < found) < share * len(delay) + 1e-9
    assert found in delays


def test_nothing_has_no_quantile():
    assert quantile(np.zeros(0, dtype=np.int64), 0.5) is None


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=900), st.integers(0, 50))
def test_a_distribution_ascends_from_nothing_to_what_was_found(delays, missing):
    delay, total = np.array(delays, dtype=np.int64), len(delays) + missing
    x, y = distribution(delay, total, most=100)
    assert len(x) == len(y) <= 101
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()
    assert y[0] == 0.0
    assert y[-1] == pytest.approx(len(delays) / total)
