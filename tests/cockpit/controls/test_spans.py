"""What stands on the timeline."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.kernel.faults import Crash, Heal, Loss, Partition, Pause, Propose, Restart, Resume
from flockcore.scenario import NetworkOptions, Scenario
from flockcore.simulation import Simulation
from flockpit.controls.spans import Bar, bars, checkpoints, decisions, lanes, ticks


def simulation(*faults, **changes):
    return Simulation(Scenario(nodes=12, ticks=300, title="Small", faults=faults, **changes))


def test_a_partition_ends_with_its_heal():
    sim = simulation(Partition(start=20, groups=((0, 1),)), Heal(start=50))
    assert bars(sim) == [Bar(20, 50, "partition 2", deadly=False)]


def test_a_crash_ends_when_its_last_node_is_restarted():
    crash = Crash(start=20, nodes=(1, 2))
    sim = simulation(crash, Restart(start=40, nodes=(1,)), Restart(start=60, nodes=(2,)))
    assert bars(sim) == [Bar(20, 60, "crash 1, 2", deadly=True)]


def test_a_pause_ends_with_the_resume():
    sim = simulation(Pause(start=20, nodes=(1,)), Resume(start=30, nodes=(1,)))
    assert [(bar.start, bar.stop) for bar in bars(sim)] == [(20, 30)]


def test_commands_and_the_networks_own_faults_are_no_bars():
    sim = simulation(
        Propose(start=9, node=1), Loss(start=30, probability=0.1), network=NetworkOptions(loss=0.02)
    )
    assert [bar.text for bar in bars(sim)] == ["loss 10 %"]


@given(
    st.lists(st.tuples(st.integers(0, 900), st.none() | st.integers(1, 300)), max_size=12),
    st.integers(200, 2000),
)
def test_no_bar_lies_on_another(spans, width):
    found = [
        Bar(start, None if long is None else start + long, "fault 1", deadly=False)
        for start, long in sorted(spans, key=lambda span: span[0])
    ]
    chosen = lanes(found, 1000, width)
    for lane in set(chosen):
        mine = [bar for bar, its in zip(found, chosen, strict=True) if its == lane]
        for before, after in pairwise(mine):
            assert before.stop is not None
            assert before.stop <= after.start


@pytest.mark.parametrize(
    ("length", "tick_us", "expected"),
    [
        (2000, 1000, [0, 0.5, 1, 1.5, 2]),
        (1600, 1000, [0, 0.5, 1, 1.5]),
        (20_000, 1000, [0, 5, 10, 15, 20]),
        (60, 1000, [0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06]),
    ],
)
def test_the_axis_has_round_times(length, tick_us, expected):
    assert ticks(length, tick_us) == expected


def test_ballots_stand_where_they_end():
    sim = simulation(Propose(start=60, node=3))
    sim.run(200)
    ((tick, outcome),) = decisions(sim)
    assert 60 < tick < 200
    assert outcome == "holds"


def test_an_open_ballot_stands_where_it_was_opened():
    sim = simulation(Propose(start=60, node=3))
    sim.run(60)
    assert decisions(sim) == [(60, "open")]


def test_the_first_checkpoint_is_the_start():
    assert checkpoints(simulation())[0] == 0
