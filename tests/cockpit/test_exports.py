import dataclasses
import json

import pytest

from flockcore.errors import FlockError
from flockcore.kernel.faults import Crash, Loss, Partition
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit.exports import FORMAT, RunRecord


@pytest.fixture(scope="module")
def simulation():
    """A run with everything that a record has to hold: injections, a new seed, a step back."""
    made = Simulation(Scenario(nodes=8, faults=(Loss(start=3, probability=0.1),)), seed=4)
    made.run(20)
    made.inject(Partition(groups=((0, 1, 2),), until=40))
    made.run(20)
    made.seek(30)
    made = made.fork(seed=9)
    made.inject(Crash(nodes=(5,)))
    made.run(15)
    return made


@pytest.fixture(scope="module")
def record(simulation):
    return RunRecord.of(simulation)


def test_a_record_holds_what_determines_the_run_and_what_came_of_it(simulation, record):
    assert record.ticks == simulation.tick == 45
    assert record.digests[-1] == simulation.digest()
    assert record.schedule == ((0, 4), (31, 9))
    assert [fault.kind_name for fault in record.injected] == ["partition", "crash"]
    for name, column in record.statistics.items():
        assert column == simulation.series.column(name).tolist()


def test_a_record_survives_json(record):
    again = RunRecord.from_json(record.to_json())
    assert again == record
    assert json.loads(record.to_json())["format"] == FORMAT


def test_a_record_verifies_itself(record):
    told = []
    result = RunRecord.from_json(record.to_json()).verify(progress=told.append)
    assert result.differs_at is None
    assert told == list(range(46))
    assert "identical" in result.sentence


@pytest.mark.parametrize("tick", [0, 13, 45])
def test_the_first_tick_that_differs_is_found(record, tick):
    digests = list(record.digests)
    for later in range(tick, len(digests)):
        digests[later] = "0" * 64
    result = dataclasses.replace(record, digests=tuple(digests)).verify()
    assert result.differs_at == tick
    assert f"differs at tick {tick}: the state" in result.sentence


def test_a_changed_statistic_is_found(record):
    name = next(iter(record.statistics))
    column = list(record.statistics[name])
    column[7] += 1
    changed = dataclasses.replace(record, statistics={**record.statistics, name: column})
    result = changed.verify()
    assert result.differs_at == 7
    assert name in result.sentence


def test_another_version_is_mentioned_when_it_differs(record):
    changed = dataclasses.replace(record, engine="0.0.0", digests=("0" * 64, *record.digests[1:]))
    assert "recorded by version 0.0.0" in changed.verify().sentence


def test_the_recorded_future_beyond_the_playhead_stays_out(simulation):
    looking_back = simulation.fork()
    looking_back.run(5)
    looking_back.inject(Crash(nodes=(1,)))
    looking_back.run(5)
    looking_back.seek(20)
    record = RunRecord.of(looking_back)
    assert record.ticks == 20
    assert record.injected == ()
    assert record.schedule == ((0, 4),)


def test_a_run_that_cannot_be_repeated_is_not_exported(simulation, monkeypatch):
    fork = simulation.fork()
    monkeypatch.setattr(fork, "digest", lambda: "0" * 64)
    with pytest.raises(FlockError, match="not the same"):
        RunRecord.of(fork)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "other"}, "'other'"),
        ({"scenario": {"nodes": 0}}, "empty flock"),
        ({"ticks": 3}, "one per tick"),
        ({"digests": []}, "one per tick"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [[5, 1]]}, "seeds"),
        ({"seeds": 3}, "wrong type"),
        ({"statistics": {"alive": [1]}}, "'alive' has 1 values"),
        ({"injected": [{"kind": "crash", "nodes": [99]}]}, "99"),
        ({"engine": None, "injected": None}, "wrong type"),
    ],
)
def test_a_broken_record_is_named(record, change, words):
    table = {**json.loads(record.to_json()), **change}
    with pytest.raises(FlockError, match=words):
        RunRecord.from_json(json.dumps(table))


def test_a_missing_key_is_named(record):
    table = json.loads(record.to_json())
    del table["digests"]
    with pytest.raises(FlockError, match="'digests'"):
        RunRecord.from_json(json.dumps(table))
