"""What is remembered from tick to tick never changes what is sensed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.flock import sensing
from flockcore.kernel.faults import (
    AddTask,
    Crash,
    Delay,
    Join,
    Leave,
    Loss,
    Partition,
    Pause,
    Restart,
    Resume,
    SetField,
    SetNeighbours,
    Slow,
)
from flockcore.scenario import NetworkOptions, Scenario
from flockcore.simulation import Simulation

NODES = 12
TICKS = 60

_node = st.integers(0, NODES - 1)
_when = st.integers(1, TICKS - 5)
_some = st.lists(_node, min_size=1, max_size=4, unique=True).map(tuple)
_faults = st.one_of(
    st.builds(Loss, probability=st.floats(0.05, 0.6), start=_when),
    st.builds(Delay, min_us=st.just(3_000), mean_us=st.just(2_000), start=_when),
    st.builds(lambda nodes, start: Partition(groups=(nodes,), start=start), _some, _when),
    st.builds(Crash, nodes=_some, start=_when),
    st.builds(Restart, nodes=_some, start=_when),
    st.builds(Pause, nodes=_some, start=_when),
    st.builds(Resume, nodes=_some, start=_when),
    st.builds(Slow, nodes=_some, every=st.integers(2, 5), start=_when),
    st.builds(Leave, nodes=_some, start=_when),
    st.builds(Join, node=_node, x=st.just(100), y=st.just(200), start=_when),
    st.builds(
        SetField, node=_node, component=st.integers(0, 4), value=st.floats(0, 1), start=_when
    ),
    st.builds(SetNeighbours, k=st.integers(3, 6), start=_when),
    st.builds(
        AddTask,
        node=_node,
        period_us=st.sampled_from([0, 5_000]),
        deadline_us=st.sampled_from([None, 20_000, 90_000_000]),
        start=_when,
    ),
)


def counted(monkeypatch):
    """Count how often everybody's neighbours are averaged."""
    calls = []
    whole = sensing.sense

    def sense(**arguments):
        calls.append(arguments["now"])
        return whole(**arguments)

    monkeypatch.setattr(sensing, "sense", sense)
    return calls


@pytest.mark.slow
@settings(max_examples=25)
@given(faults=st.lists(_faults, max_size=8), seed=st.integers(0, 99))
def test_with_and_without_memory_the_same_is_felt(faults, seed):
    plan = Scenario(nodes=NODES, k=4, seed=seed, faults=tuple(faults), load_pattern="hill")
    remembering, forgetting = (Simulation(plan, digests=False) for _ in range(2))
    for _ in range(TICKS):
        remembering.run(1)
        forgetting.flock._sensing.forget()
        forgetting.run(1)
        one, other = remembering.flock.state, forgetting.flock.state
        assert np.array_equal(one.gradient, other.gradient)
        assert np.array_equal(one.stale, other.stale)
    assert remembering.digest() == forgetting.digest()


def test_a_calm_flock_is_averaged_once(monkeypatch):
    calls = counted(monkeypatch)
    sim = Simulation(Scenario(nodes=40, load_pattern="hill"))
    sim.run(60)
    calls.clear()
    sim.run(200)
    assert not calls
    assert sim.flock.state.gradient.any()


@pytest.mark.parametrize(
    "change",
    [
        SetField(node=3, component=0, value=0.5),
        SetNeighbours(k=5),
        Pause(nodes=(3,)),
        Partition(groups=((0, 1, 2),)),
    ],
    ids=lambda change: change.kind_name,
)
def test_what_changes_the_samples_is_noticed(monkeypatch, change):
    sim = Simulation(Scenario(nodes=40, load_pattern="hill"))
    sim.run(60)
    calls = counted(monkeypatch)
    sim.inject(change)
    sim.run(2)
    assert calls


def test_a_few_changed_beliefs_are_averaged_alone(monkeypatch):
    sim = Simulation(Scenario(nodes=200, load_pattern="hill", network=NetworkOptions(loss=0.02)))
    sim.run(80)
    calls = counted(monkeypatch)
    amended = []
    amend = sensing._amend
    monkeypatch.setattr(
        sensing, "_amend", lambda *given: (amended.append(len(given[2])), amend(*given))
    )
    sim.run(40)
    assert len(calls) < 5
    assert sum(amended) > 20
    assert max(amended) <= 25
