"""A simulation as a whole: one seed one run, there and back, forks, branches, refusals."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.flock.codes import NodeStatus
from flockcore.kernel.faults import (
    AddTask,
    Clear,
    Crash,
    Cut,
    Delay,
    Duplicate,
    Equivocate,
    Flap,
    Heal,
    Inhibit,
    Join,
    Leave,
    Lift,
    Loss,
    Partition,
    Pause,
    Propose,
    Provision,
    Reorder,
    Require,
    Restart,
    Resume,
    SetField,
    SetNeighbours,
    Slow,
)
from flockcore.scenario import NetworkOptions, Scenario
from flockcore.simulation import Simulation

NODES = 12
PLAN = Scenario(
    nodes=NODES,
    seed=5,
    k=4,
    absent=(NODES - 1,),
    network=NetworkOptions(loss=0.02, duplicate=0.05),
    faults=(
        Partition(start=30, until=90, groups=((0, 1, 2, 3),)),
        Crash(start=45, until=70, nodes=(7,)),
        Propose(start=40, node=5, kind=1),
        Equivocate(start=20, nodes=(4,)),
    ),
)
"""A small flock in which much happens early."""


def straight(ticks, scenario=PLAN, seed=None, script=()):
    """A run without detours; `script` replaces the scenario's faults."""
    plan = scenario.replace(faults=script) if script else scenario
    sim = Simulation(plan, seed=seed)
    sim.run(ticks)
    return sim


def columns(sim, stop):
    """All statistics of the ticks before `stop`, as one array."""
    return np.stack([sim.series.column(name, stop) for name in sim.series.names])


def logged(sim, stop):
    """All log rows of the ticks before `stop`, hashed."""
    mark = hashlib.sha256()
    for name, log in sorted(sim.records.logs.items()):
        for column, values in sorted(log.rows(0, stop).items()):
            mark.update(f"{name} {column}".encode() + values.tobytes())
    return mark.hexdigest()


# ---------------------------------------------------------------------- one seed, one run


@pytest.mark.slow
def test_ten_runs_of_one_seed_have_one_digest():
    assert len({straight(60).digest() for _ in range(10)}) == 1


@pytest.mark.slow
def test_ten_seeds_have_ten_digests():
    assert len({straight(60, seed=seed).digest() for seed in range(10)}) == 10


def test_the_scenario_gives_the_seed_unless_told():
    assert Simulation(PLAN).schedule == ((0, 5),)
    assert Simulation(PLAN, seed=5).digest() == Simulation(PLAN).digest()


@pytest.mark.slow
def test_two_processes_agree():
    program = (
        "from flockcore.scenario import Scenario\n"
        "from flockcore.simulation import Simulation\n"
        f"sim = Simulation(Scenario.from_toml({PLAN.to_toml()!r}))\n"
        "sim.run(100)\n"
        "print(sim.digest())\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert found == [straight(100).digest()] * 2


def test_the_networks_base_is_part_of_the_script():
    network = NetworkOptions(
        loss=0.1, duplicate=0.1, delay_min_us=1_000, delay_mean_us=500, reorder=0.1
    )
    spots = tuple((10 * n, 5 * n) for n in range(NODES))
    plan = PLAN.replace(network=network, layout="explicit", positions=spots)
    sim = straight(30, plan)
    assert [type(one) for one in sim.script.faults[:4]] == [Loss, Duplicate, Delay, Reorder]
    assert sim.injected == ()
    assert (sim.network.touched[:4] > 0).all()
    assert sim.flock.positions.tolist() == [list(spot) for spot in spots]
    sim.inject(Clear(kind="loss"))
    lost = sim.network.touched[0]
    sim.run(20)
    assert sim.network.touched[0] == lost


def test_digests_come_by_layer():
    sim = Simulation(PLAN)
    before = sim.digests()
    assert set(before) == {"world", "flock"}
    sim.inject(Crash(nodes=(3,)))
    assert sim.digests() == before
    sim.run(1)
    after = sim.digests()
    assert all(after[name] != before[name] for name in before)
    assert all(len(text) == 64 for text in (sim.digest(), *after.values()))
    # A layer in which nothing happened has no state, and no part in the digest.
    sim.inject(Provision())
    sim.run(1)
    assert set(sim.digests()) == {"world", "flock", "barrier"}


# ---------------------------------------------------------------------- live faults, there and back

_NODE = st.integers(0, NODES - 1)
_SOME = st.lists(_NODE, min_size=1, max_size=3, unique=True).map(tuple)
_GROUPS = st.permutations(range(NODES)).flatmap(
    lambda order: st.sampled_from(
        ((tuple(order[:4]),), (tuple(order[:3]), tuple(order[3:8])), (tuple(order[:1]),))
    )
)
_TIME = st.sampled_from((500, 3_000, 12_000))
_CHANCE = st.sampled_from((0.05, 0.3, 1.0))
_PLACE = st.integers(0, 900)
_PASSING = st.one_of(
    st.builds(Partition, groups=_GROUPS),
    st.builds(Partition, groups=_GROUPS, one_way=st.sampled_from((((0, 1),), ((1, 0),)))),
    st.tuples(_NODE, _NODE, st.booleans())
    .filter(lambda ends: ends[0] != ends[1])
    .map(lambda ends: Cut(source=ends[0], target=ends[1], both=ends[2])),
    st.builds(Crash, nodes=_SOME),
    st.builds(Loss, probability=_CHANCE, targets=st.one_of(st.just(()), _SOME)),
)
_LASTING = st.one_of(
    _PASSING,
    st.builds(Delay, min_us=_TIME, mean_us=_TIME, sources=st.one_of(st.just(()), _SOME)),
    st.builds(Duplicate, probability=_CHANCE),
    st.builds(Reorder, probability=_CHANCE, by_us=_TIME),
    st.builds(Pause, nodes=_SOME),
    st.builds(Slow, nodes=_SOME, every=st.integers(2, 12)),
    st.builds(Equivocate, nodes=_SOME),
    st.builds(Flap, fault=_PASSING, on=st.integers(1, 9), off=st.integers(1, 9), times=st.just(3)),
)
_ONCE = st.one_of(
    st.builds(Restart, nodes=_SOME),
    st.builds(Resume, nodes=_SOME),
    st.builds(Leave, nodes=_SOME),
    st.builds(Join, node=_NODE, x=_PLACE, y=_PLACE),
    st.builds(Heal),
    st.builds(Clear, kind=st.sampled_from(("loss", "partition", "slow", "flap", "equivocate"))),
    st.builds(Propose, node=_NODE, kind=st.sampled_from((0, 1)), data=st.integers(0, 99)),
    st.builds(Propose, node=_NODE, kind=st.just(4), data=_NODE),
    st.builds(Inhibit, node=_NODE, proposer=_NODE, ballot=st.integers(1, 2)),
    st.builds(SetField, node=_NODE, component=st.integers(0, 4), value=st.sampled_from((0.0, 0.7))),
    st.builds(SetNeighbours, k=st.integers(3, 15)),
    st.builds(AddTask, node=_NODE, period_us=_TIME, deadline_us=st.one_of(st.none(), _TIME)),
    st.builds(Lift, node=_NODE),
    st.builds(
        Provision,
        policy=st.sampled_from(("strict_all", "combined")),
        ready=st.integers(0, NODES),
        failed=st.integers(0, NODES),
        seat=_NODE,
        least_us=_TIME,
        mean_us=_TIME,
        fail=st.sampled_from((0.0, 0.3)),
    ),
    st.builds(Require, policy=st.just("threshold"), ready=st.integers(0, NODES)),
)
_BREAKAGE = st.one_of(
    _LASTING,
    st.tuples(_LASTING, st.integers(1, 40)).map(lambda pair: _until(*pair)),
    _ONCE,
)


def _until(fault, ticks):
    return type(fault)(**{**vars(fault), "start": 1, "until": 1 + ticks})


_LIVE = st.lists(st.tuples(st.integers(0, 12), _BREAKAGE), min_size=3, max_size=14)


def run_live(story, until):
    """A run in which the story is injected by hand, where it is not refused."""
    sim = Simulation(PLAN.replace(faults=()))
    marks = {0: sim.digest()}
    for wait, fault in story:
        for _ in range(wait):
            sim.run(1)
            marks[sim.tick] = sim.digest()
        try:
            sim.inject(fault)
        except FlockError:
            continue
    while sim.tick < until:
        sim.run(1)
        marks[sim.tick] = sim.digest()
    return sim, marks


@pytest.mark.slow
@given(_LIVE, st.lists(st.integers(0, 130), min_size=3, max_size=3))
@settings(max_examples=5)
def test_seeking_gives_what_a_straight_run_gives(story, goals):
    sim, marks = run_live(story, 90)
    end = sim.tick
    series, logs = columns(sim, end + 1), logged(sim, end + 1)
    counted = (sim.network.passed.tolist(), sim.network.touched.tolist())
    for goal in goals:
        goal = min(goal, end)
        sim.seek(goal)
        assert (sim.tick, sim.digest()) == (goal, marks[goal])
    sim.seek(end)
    assert sim.digest() == marks[end]
    assert np.array_equal(columns(sim, end + 1), series)
    assert logged(sim, end + 1) == logs
    assert (sim.network.passed.tolist(), sim.network.touched.tolist()) == counted
    # The script as data, run from the start without a hand on it, is the same run.
    if sim.script.faults[-1:] != sim.script.faults[:1]:
        again = Simulation(PLAN.replace(faults=sim.injected))
        again.run(end)
        assert again.digest() == marks[end]
        assert np.array_equal(columns(again, end + 1), series)


@pytest.mark.slow
@given(_LIVE, st.integers(0, 60))
@settings(max_examples=4)
def test_a_fork_without_a_seed_goes_the_same_way(story, ticks):
    sim, _ = run_live(story, 40)
    other = sim.fork()
    assert other.digest() == sim.digest()
    sim.run(ticks)
    other.run(ticks)
    assert other.digest() == sim.digest()
    assert np.array_equal(columns(other, other.tick + 1), columns(sim, sim.tick + 1))
    assert other.network.touched.tolist() == sim.network.touched.tolist()


@pytest.mark.slow
@given(_LIVE)
@settings(max_examples=4)
def test_running_counts_equal_a_recount(story):
    sim, _ = run_live(story, 60)
    running = sim.flock.tally.beliefs.tolist()
    sim.flock.tally.recount(sim.flock)
    assert sim.flock.tally.beliefs.tolist() == running


# ---------------------------------------------------------------------- playhead


def test_stepping_back_and_on():
    sim = straight(60)
    here = sim.digest()
    sim.step(-1)
    assert sim.tick == 59
    assert sim.recorded_until == 60
    sim.step()
    assert sim.digest() == here
    sim.step(-1000)
    assert sim.tick == 0
    assert sim.digest() == Simulation(PLAN).digest()
    sim.step(0)
    assert sim.tick == 0


def test_seeking_beyond_the_record_runs_on():
    sim = straight(30)
    sim.seek(10)
    sim.seek(70)
    assert sim.tick == sim.recorded_until == 70
    assert sim.digest() == straight(70).digest()


def test_seeking_back_leaves_the_future_readable():
    sim = straight(80)
    future = columns(sim, 81)
    rows = logged(sim, 81)
    sim.seek(20)
    assert sim.series.column("alive").shape == (21,)
    assert np.array_equal(columns(sim, 81), future)
    assert logged(sim, 81) == rows
    assert all(event.tick <= 20 for event in sim.events())


def test_time_counts_from_zero_in_microseconds():
    sim = straight(25)
    assert sim.now_us == 25_000
    sim.run_to(30)
    assert sim.tick == 30


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda sim: sim.run(-1), "allowed is 0 or more"),
        (lambda sim: sim.run_to(5), "allowed is 0 or more"),
        (lambda sim: sim.seek(-1), "allowed is 0 or later"),
        (lambda sim: sim.undo(), "nothing to undo"),
        (lambda sim: sim.switch("branch 9"), "there are: none"),
        (lambda sim: sim.inject(Crash(nodes=(NODES,))), "0 to 11|0..11"),
        (lambda sim: sim.inject(Restart(nodes=(1, 2))), "none of nodes 1, 2 is crashed"),
        (lambda sim: sim.inject(Resume(nodes=(1,))), "none of nodes 1 is paused"),
        (lambda sim: sim.inject(Join(node=1, x=0, y=0)), "node 1 is a member already"),
        (lambda sim: sim.inject(Propose(node=11)), "node 11 is not running"),
        (lambda sim: sim.inject(Inhibit(node=11, proposer=1, ballot=1)), "is not running"),
        (lambda sim: sim.inject(Propose(node=1, kind=4, data=NODES)), "nodes 0 to 11"),
    ],
)
def test_a_refusal_changes_nothing(call, words):
    sim = straight(12)
    sim.seek(10)
    before = (sim.digest(), sim.tick, sim.recorded_until, sim.script, sim.schedule, sim.can_undo)
    series = columns(sim, 13)
    with pytest.raises(FlockError, match=words):
        call(sim)
    assert (
        sim.digest(),
        sim.tick,
        sim.recorded_until,
        sim.script,
        sim.schedule,
        sim.can_undo,
    ) == before
    assert np.array_equal(columns(sim, 13), series)
    assert sim.branches == {}
    sim.seek(40)
    assert sim.digest() == straight(40).digest()


# ---------------------------------------------------------------------- injection


def test_an_injection_begins_at_the_next_tick():
    sim = straight(10)
    made = sim.inject(Crash(nodes=(3,), start=500, until=520))
    assert (made.start, made.until) == (11, 31)
    assert sim.injected == (made,)
    assert sim.flock.truth[3] == NodeStatus.UP
    sim.run(1)
    assert sim.flock.truth[3] == NodeStatus.CRASHED
    sim.seek(30)
    assert sim.flock.truth[3] == NodeStatus.CRASHED
    sim.run(1)
    assert sim.flock.truth[3] == NodeStatus.UP


@pytest.mark.slow
def test_an_injection_equals_a_scripted_fault():
    sim = straight(24)
    sim.inject(Pause(nodes=(2, 6), until=30))
    sim.run(40)
    plan = PLAN.replace(faults=(*PLAN.faults, *sim.injected))
    assert straight(64, plan).digest() == sim.digest()


def test_several_injections_at_one_tick_keep_their_order():
    sim = straight(10)
    sim.inject(SetField(node=1, component=0, value=0.25))
    sim.inject(SetField(node=1, component=0, value=0.75))
    sim.run(1)
    assert sim.flock.own[0, 1] == 0.75 * 65536


@pytest.mark.slow
def test_an_injection_in_the_past_keeps_the_future():
    sim = straight(80)
    future = sim.digest()
    sim.seek(25)
    sim.inject(Loss(probability=1.0))
    assert list(sim.branches) == ["branch 1"]
    assert sim.recorded_until == 25
    assert len(sim.series.column("alive", 1000)) == 26
    assert max(log.rows()["tick"].max(initial=0) for log in sim.records.logs.values()) <= 25
    sim.seek(80)
    broken = sim.digest()
    assert broken != future
    sim.switch("branch 1")
    assert (sim.tick, sim.branch) == (25, "branch 1")
    assert sim.recorded_until == 80
    sim.seek(80)
    assert sim.digest() == future
    assert list(sim.branches) == ["main"]
    sim.switch("main")
    assert (sim.tick, sim.digest()) == (80, broken)


def test_the_scenarios_own_future_outlives_an_injection():
    sim = straight(10)
    sim.seek(5)
    sim.inject(SetField(node=1, component=0, value=0.5))
    sim.seek(50)
    assert sim.network.divided


@pytest.mark.slow
def test_undo_brings_the_future_back():
    sim = straight(80)
    future = sim.digest()
    sim.seek(25)
    here = sim.digest()
    sim.inject(Partition(groups=((1, 2),)))
    sim.run(30)
    sim.undo()
    assert (sim.tick, sim.digest(), sim.branch) == (25, here, "main")
    assert sim.recorded_until == 80
    assert sim.branches == {}
    assert not sim.can_undo
    sim.seek(80)
    assert sim.digest() == future


@pytest.mark.slow
def test_undo_of_an_injection_at_the_end_forgets_what_followed():
    sim = straight(25)
    script = sim.script
    sim.inject(Loss(probability=1.0))
    sim.inject(Crash(nodes=(1,)))
    sim.run(30)
    sim.undo()
    assert (sim.tick, sim.recorded_until) == (25, 25)
    sim.undo()
    assert sim.script is script
    sim.run(30)
    assert sim.digest() == straight(55).digest()


@pytest.mark.slow
def test_undo_belongs_to_its_branch():
    sim = straight(30)
    sim.inject(Loss(probability=0.5))
    sim.run(50)
    kept = sim.digest()
    sim.seek(40)
    sim.inject(Crash(nodes=(1,)))
    sim.run(20)
    sim.switch("branch 1")
    # Undone here is the loss, which this branch has; the crash of the other one stays.
    sim.undo()
    assert (sim.tick, sim.branch) == (30, "branch 1")
    assert sim.injected == ()
    sim.run(10)
    assert sim.digest() == straight(40).digest()
    sim.switch("main")
    assert [type(one) for one in sim.injected] == [Loss, Crash]
    sim.undo()
    assert [type(one) for one in sim.injected] == [Loss]
    sim.seek(80)
    assert sim.digest() == kept


# ---------------------------------------------------------------------- forks


@pytest.mark.slow
def test_a_fork_shares_the_past_and_goes_its_own_way():
    sim = straight(40)
    other = sim.fork(seed=99)
    assert other.digest() == sim.digest()
    assert other.schedule == ((0, 5), (41, 99))
    assert np.array_equal(columns(other, 41), columns(sim, 41))
    past = [sim.series.column("sent", 41).copy()]
    sim.run(30)
    other.run(30)
    assert other.digest() != sim.digest()
    assert np.array_equal(other.series.column("sent", 41), past[0])
    for tick in (0, 17, 40):
        sim.seek(tick)
        other.seek(tick)
        assert other.digest() == sim.digest()
    other.seek(70)
    sim.seek(70)
    assert other.digest() != sim.digest()


@pytest.mark.slow
def test_a_fork_in_the_past_has_no_future():
    sim = straight(60)
    sim.seek(30)
    sim.inject(Crash(nodes=(8,)))
    sim.run(20)
    sim.seek(20)
    other = sim.fork()
    assert (other.tick, other.recorded_until) == (20, 20)
    assert other.injected == ()
    other.run(40)
    assert other.digest() == straight(60).digest()
    assert sim.recorded_until == 50


@pytest.mark.slow
def test_a_fork_is_independent():
    sim = straight(20)
    other = sim.fork()
    other.inject(Crash(nodes=(1, 2, 3)))
    other.run(40)
    assert sim.tick == 20
    assert sim.injected == ()
    sim.run(40)
    assert sim.digest() == straight(60).digest()
    assert other.branches == {}
    assert other.branch == "main"


@pytest.mark.slow
def test_reading_does_not_change_the_run():
    sim, blind = Simulation(PLAN, digests=False), Simulation(PLAN)
    for _ in range(60):
        sim.run(1)
        sim.statistics(), sim.verdicts(), sim.events(), sim.flock.ballots()
        sim.flock.majority_belief(), sim.flock.belief(0), sim.flock.silence(0)
    blind.run(60)
    assert sim.digest() == blind.digest()
    events = sim.events()
    assert [one.tick for one in events] == sorted(one.tick for one in events)
    assert {one.kind for one in events} >= {"health", "state", "ballot"}
