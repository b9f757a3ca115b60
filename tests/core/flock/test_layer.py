"""The flock layer on real runs: what nodes believe, elect, feel, decide, and what is counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import field_twin
from flockcore.errors import FlockError
from flockcore.flock.codes import Code, Health, ModuleState, NodeStatus, Result, Vote
from flockcore.flock.decay import Component
from flockcore.flock.options import FlockOptions
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
    Reorder,
    Restart,
    Resume,
    SetField,
    SetNeighbours,
    Slow,
)
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

NODES = 12
PERIOD = 10
"""Heartbeat period in ticks."""
LEFT = tuple(range(5))


def flock_of(*faults, ticks=60, nodes=NODES, k=4, **changes):
    """A simulation of a small flock that ran for `ticks` under scripted faults."""
    plan = Scenario(nodes=nodes, k=k, faults=faults, **changes)
    sim = Simulation(plan, digests=False)
    sim.run(ticks)
    return sim


def nearest(sim, allowed=None):
    """The k nearest by (distance, number) among `allowed`, node by node, the slow way."""
    places = sim.world.position.tolist()
    members = range(len(places)) if allowed is None else allowed

    def distance(a, b):
        gaps = zip(places[a], places[b], strict=True)
        return int(np.floor(np.sqrt(sum((one - other) ** 2 for one, other in gaps))))

    k = sim.flock.topology.k
    return {
        node: sorted((m for m in members if m != node), key=lambda m: (distance(node, m), m))[:k]
        for node in members
    }


def elected(sim, node):
    """Elected peers of a node, nearest first."""
    return [peer for peer in sim.flock.elected_peers()[node].tolist() if peer >= 0]


def believed(sim, observer, subject):
    """What one holds of another."""
    return Health(int(sim.flock.belief(observer)[subject]))


def endings(sim):
    """Result of each ballot at each node that holds one, by (node, proposer, ballot)."""
    rows = sim.flock.records.logs["endings"].rows(0, sim.tick + 1)
    keys = zip(*(rows[name].tolist() for name in ("node", "proposer", "ballot")), strict=True)
    return dict(zip(keys, map(Result, rows["result"].tolist()), strict=True))


# ---------------------------------------------------------------------- the whole flock (PSY)


@pytest.mark.parametrize("nodes", [4, 12, 40])
def test_psy_1_everybody_is_active_with_its_nearest_soon(nodes):
    sim = flock_of(nodes=nodes, ticks=PERIOD + 3, k=3)
    assert (sim.flock.module_state == ModuleState.ACTIVE).all()
    wanted = nearest(sim)
    assert all(elected(sim, node) == wanted[node] for node in range(nodes))


@given(
    order=st.permutations(range(NODES)),
    first=st.integers(1, NODES - 1),
    cut_at=st.integers(20, 60),
)
@settings(max_examples=5)
@pytest.mark.slow
def test_psy_2_and_3_sides_keep_to_themselves_and_find_back(order, first, cut_at):
    group = tuple(order[:first])
    sim = flock_of(ticks=cut_at)
    before = sim.flock.elected_peers()
    sim.inject(Partition(groups=(group,)))
    sim.run(5 * PERIOD + 2)
    sides = [set(group), set(range(NODES)) - set(group)]
    for side in sides:
        for node in side:
            assert set(elected(sim, node)) <= side
            isolated = sim.flock.module_state[node] == ModuleState.ISOLATED
            assert isolated == (not elected(sim, node))
    sim.run(30)
    sim.inject(Heal())
    sim.run(PERIOD + 2)
    assert np.array_equal(sim.flock.elected_peers(), before)
    assert (sim.flock.module_state == ModuleState.ACTIVE).all()


@pytest.mark.slow
def test_psy_4_isolated_is_who_elects_nobody():
    sim = flock_of(
        Partition(start=30, until=100, groups=((2,), (5, 6), (7, 8, 9))),
        Crash(start=120, nodes=(3,)),
        ticks=0,
    )
    seen = set()
    for _ in range(240):
        sim.run(1)
        up = sim.world.up & (sim.flock.module_state != ModuleState.DISCOVERING)
        alone = sim.flock.topology.count == 0
        isolated = sim.flock.module_state == ModuleState.ISOLATED
        assert np.array_equal(isolated[up], alone[up])
        seen |= set(sim.flock.module_state.tolist())
    assert seen >= {ModuleState.ACTIVE, ModuleState.DEGRADED, ModuleState.ISOLATED}


@pytest.mark.slow
def test_psy_6_backlog_stays_bounded_under_every_nuisance():
    sim = flock_of(
        Delay(start=10, min_us=3_000, mean_us=4_000),
        Duplicate(start=10, probability=0.2),
        Reorder(start=10, probability=0.2, by_us=7_000),
        ticks=150,
        nodes=40,
    )
    assert sim.series.column("backlog").max() <= 40 * 39
    assert sim.series.column("backlog")[-50:].max() < 200


@pytest.mark.slow
def test_ptp_8_no_tick_ends_with_a_dead_neighbour():
    sim = flock_of(
        Partition(start=30, until=120, groups=(LEFT,)),
        Loss(start=10, probability=0.3),
        Crash(start=50, until=150, nodes=(9, 10)),
        ticks=0,
    )
    for _ in range(260):
        sim.run(1)
        edges = sim.flock.topology.elected_edges()
        health = sim.flock.heartbeat.health.reshape(-1)[np.maximum(edges, 0)]
        assert not ((edges >= 0) & (health == Health.DEAD)).any()
    assert sim.series.column("dead").max() > 0


# ---------------------------------------------------------------------- heartbeats


def test_phb_3_suspect_after_one_period_and_dead_after_five():
    sim = flock_of(ticks=40)
    sim.inject(Crash(nodes=(6,)))
    sim.run(2)
    there = sim.flock.peer == 6
    heard = np.where(there, sim.flock.heartbeat.last_seen(), 0).max(axis=1)
    observers = [node for node in range(NODES) if node != 6]
    tick_us, origin = 1_000, sim.flock.clock.now(0)
    for _ in range(60):
        now = origin + sim.tick * tick_us
        for node in observers:
            silent = now - heard[node]
            wanted = (
                Health.DEAD
                if silent >= 50_000
                else Health.SUSPECT
                if silent >= 10_000
                else Health.ALIVE
            )
            assert believed(sim, node, 6) is wanted
        sim.run(1)
    assert {believed(sim, node, 6) for node in observers} == {Health.DEAD}
    assert sim.flock.majority_belief()[6] == Health.DEAD


def test_across_a_cut_and_nowhere_else():
    sim = flock_of(Partition(start=40, groups=(LEFT,)), ticks=110)
    for observer in range(NODES):
        for subject in set(range(NODES)) - {observer}:
            same = (observer in LEFT) == (subject in LEFT)
            assert believed(sim, observer, subject) is (Health.ALIVE if same else Health.DEAD)
    assert len(set(sim.flock.sides().tolist())) == 2


def test_a_one_way_partition_deafens_one_side_alone():
    sim = flock_of(Partition(start=40, groups=(LEFT,), one_way=((0, 1),)), ticks=110)
    assert believed(sim, 8, 1) is Health.DEAD
    assert believed(sim, 1, 8) is Health.ALIVE


def test_a_cut_link_separates_two_nodes_alone():
    sim = flock_of(Cut(start=40, source=3, target=9, both=False), ticks=110)
    assert believed(sim, 9, 3) is Health.DEAD
    others = [(9, 4), (3, 9), (8, 3)]
    assert {believed(sim, *pair) for pair in others} == {Health.ALIVE}


def test_silence_is_told_since_the_last_heartbeat():
    sim = flock_of(Crash(start=40, nodes=(6,)), ticks=80)
    silence = sim.flock.silence(2)
    assert silence[2] == -1
    assert 30_000 < silence[6] <= 52_000
    assert silence[[0, 1, 3, 4]].max() <= 10_000
    assert flock_of(ticks=0).flock.silence(2).max() == -1


@pytest.mark.slow
def test_a_pause_is_a_false_death_and_a_late_awakening():
    sim = flock_of(Pause(start=40, until=140, nodes=(4,)), ticks=139)
    flock = sim.flock
    assert flock.truth[4] == NodeStatus.PAUSED
    assert believed(sim, 1, 4) is Health.DEAD
    # Its inbox takes what comes, the newest heartbeat of each sender at most.
    assert 0 < flock.channel.backlog()[4] <= 256
    assert believed(sim, 4, 1) is Health.ALIVE
    assert sim.world.incarnation[4] == 0
    sim.run(PERIOD + 6)
    assert flock.truth[4] == NodeStatus.UP
    assert flock.channel.backlog()[4] == 0
    assert believed(sim, 1, 4) is Health.ALIVE
    assert {believed(sim, 4, other) for other in range(NODES) if other != 4} == {Health.ALIVE}


@pytest.mark.slow
def test_a_paused_inbox_is_bounded():
    options = FlockOptions(inbox="fifo", inbox_limit=20)
    sim = flock_of(Pause(start=20, nodes=(4,)), ticks=120, flock=options)
    # What came in this tick is sorted out when the inbox is looked at next.
    assert 20 <= sim.flock.channel.backlog()[4] <= 20 + NODES
    assert sim.series.column("dropped_full").sum() > 0
    sim.inject(Resume(nodes=(4,)))
    sim.run(30)
    assert sim.flock.channel.backlog()[4] <= 16


@pytest.mark.slow
def test_a_slow_node_lags_and_is_told_from_a_healthy_one():
    sim = flock_of(Slow(start=20, until=200, nodes=(4,), every=70), ticks=199)
    assert sim.flock.truth[4] == NodeStatus.SLOW
    ran = sim.flock.state.counters.ticks
    assert ran[4] == 19 + 2
    assert ran[5] == 199
    # The others cannot help taking it for dead; it is no fault of the healthy ones' clocks.
    assert sim.series.column("false_dead").sum() > 0
    sim.run(60)
    assert sim.flock.truth[4] == NodeStatus.UP
    assert believed(sim, 1, 4) is Health.ALIVE


@pytest.mark.slow
def test_unknown_peers_are_dropped_when_wanted():
    # Node 9 is the last to announce itself: cut at tick 20 it is known, but was never heard.
    cut = Partition(start=20, groups=((2,),))
    kept = flock_of(cut, ticks=100)
    dropped = flock_of(cut, ticks=100, flock=FlockOptions(drop_unknown=True))
    assert believed(kept, 2, 9) is Health.UNKNOWN
    assert elected(kept, 2) == [9]
    assert believed(dropped, 2, 9) is Health.DEAD
    assert elected(dropped, 2) == []
    assert dropped.flock.module_state[2] == ModuleState.ISOLATED


@pytest.mark.slow
def test_replays_are_ignored_when_wanted():
    faults = (Duplicate(start=1, probability=0.5), Delay(start=1, min_us=0, mean_us=20_000))
    wary = flock_of(*faults, ticks=60, flock=FlockOptions(reject_replays=True))
    naive = flock_of(*faults, ticks=60)
    assert wary.flock.heartbeat.replays > 0
    assert naive.flock.heartbeat.replays == 0
    assert believed(wary, 1, 2) is not Health.UNKNOWN


# ---------------------------------------------------------------------- members come and go


@pytest.mark.slow
def test_a_crash_loses_everything_and_a_restart_begins_anew():
    sim = flock_of(Crash(start=40, nodes=(6,)), Propose(start=39, node=6), ticks=140)
    flock = sim.flock
    assert flock.truth[6] == NodeStatus.CRASHED
    assert flock.channel.backlog()[6] == 0
    assert sim.series.column("dropped_dead").sum() > 0
    sim.inject(Restart(nodes=(6, 2)))
    sim.run(1)
    assert sim.world.incarnation.tolist() == [0] * 6 + [1] + [0] * 5
    assert flock.module_state[6] == ModuleState.DISCOVERING
    assert {believed(sim, 6, other) for other in range(NODES) if other != 6} == {Health.UNKNOWN}
    assert flock.gradients[:, 6].any() == bool(flock.own[:, 6].any())
    sim.run(PERIOD + 2)
    assert {believed(sim, other, 6) for other in range(NODES) if other != 6} == {Health.ALIVE}
    sim.run(1_010)
    assert elected(sim, 6) == nearest(sim)[6]
    # The ballot counter outlives the crash: a number used twice would look like a lie.
    sim.inject(Propose(node=6))
    sim.run(1)
    assert [view.ballot for view in flock.ballots() if view.proposer == 6] == [1, 2]


def test_of_two_overlapping_faults_of_a_node_the_other_goes_on():
    faults = (
        Pause(start=10, until=40, nodes=(0, 1)),
        Pause(start=20, until=60, nodes=(1,)),
        Slow(start=10, until=40, nodes=(2, 3), every=3),
        Slow(start=20, until=60, nodes=(3,), every=5),
        Crash(start=10, until=40, nodes=(4, 5)),
        Crash(start=20, until=60, nodes=(5,)),
    )
    sim = flock_of(*faults, ticks=45)
    world = sim.world
    assert np.flatnonzero(world.paused).tolist() == [1]
    assert world.every[2:4].tolist() == [1, 5]
    assert np.flatnonzero(world.crashed).tolist() == [5]
    sim.run(20)
    assert not (world.paused | world.crashed).any()
    assert (world.every == 1).all()
    assert world.incarnation[4:6].tolist() == [1, 1]


def test_a_crash_with_an_end_restarts():
    sim = flock_of(Crash(start=40, until=60, nodes=(6,)), ticks=60)
    assert sim.flock.truth[6] == NodeStatus.UP
    assert sim.world.incarnation[6] == 1


def test_a_flapping_crash_counts_incarnations():
    sim = flock_of(Flap(start=20, fault=Crash(nodes=(6,)), on=10, off=10, times=3), ticks=100)
    assert sim.world.incarnation[6] == 3


@pytest.mark.slow
def test_leaving_and_joining_elsewhere():
    sim = flock_of(Leave(start=40, nodes=(6,)), ticks=110)
    flock = sim.flock
    assert flock.truth[6] == NodeStatus.ABSENT
    assert {believed(sim, other, 6) for other in range(NODES) if other != 6} == {Health.DEAD}
    before = flock.heartbeat.health.copy()
    events = sim.events()
    sim.inject(Join(node=6, x=5, y=7))
    sim.run(1)
    assert flock.positions[6].tolist() == [5, 7]
    assert sim.world.incarnation[6] == 1
    assert before.shape == flock.heartbeat.health.shape
    # What was kept of other peers moved along with them.
    for observer in set(range(NODES)) - {6}:
        for subject in set(range(NODES)) - {6, observer}:
            assert believed(sim, observer, subject) is Health.ALIVE
    # The past is told as it was, though slots have changed hands.
    assert [one for one in sim.events() if one.tick <= 110] == events
    sim.run(1_020)
    wanted = nearest(sim)
    assert all(elected(sim, node) == wanted[node] for node in range(NODES))
    assert believed(sim, 6, 0) is Health.ALIVE


@pytest.mark.slow
def test_an_absent_node_takes_no_seat_in_the_reach_until_it_joins():
    sim = flock_of(Join(start=50, node=11, x=300, y=300), absent=(11,), nodes=NODES, reach=10)
    sim.seek(49)
    assert not (sim.flock.peer == 11).any()
    assert (sim.flock.peer[11] == -1).sum() in (0, 10)
    assert sim.flock.truth[11] == NodeStatus.ABSENT
    sim.seek(51)
    assert (sim.flock.peer == 11).any()
    sim.run(20)
    heard = [node for node in range(NODES) if 11 in sim.flock.peer[node]]
    assert {believed(sim, node, 11) for node in heard} == {Health.ALIVE}


@pytest.mark.slow
def test_messages_under_way_find_their_way_after_a_join():
    """A join reshuffles who is in whose reach: what is in flight keeps its two ends, or is lost."""
    sim = flock_of(
        Delay(start=1, min_us=6_000), Pause(start=30, nodes=(2,)), absent=(11,), reach=8, ticks=48
    )

    def ends(parcels):
        channel = sim.flock.channel
        return [
            (int(source), int(edge) // channel.reach)
            for parcel in parcels
            for source, edge in zip(channel.source(parcel.edge), parcel.edge, strict=True)
        ]

    before = ends(sim.flock.channel.under_way)
    sim.flock.world.absent[11] = False
    sim.flock.reconnect(sim.flock.find_reach())
    after = ends(sim.flock.channel.under_way)
    hears = {(int(s), node) for node in range(NODES) for s in sim.flock.peer[node]}
    assert 11 in sim.flock.peer
    assert after == [pair for pair in before if pair in hears]
    assert 0 < len(after) < len(before)


def test_k_changes_in_a_running_flock():
    sim = flock_of(SetNeighbours(start=40, k=6), SetNeighbours(start=50, k=3), ticks=45)
    assert all(elected(sim, node) == peers for node, peers in nearest(sim).items())
    assert sim.flock.elected_peers().shape == (NODES, 6)
    sim.run(10)
    assert sim.flock.elected_peers().shape == (NODES, 3)
    sim.seek(42)
    assert sim.flock.elected_peers().shape == (NODES, 6)
    assert sim.flock.links.edge.shape == (6, NODES)


# ---------------------------------------------------------------------- the module's tick, PMD


def test_pmd_1_modules_that_do_not_run_do_not_change():
    sim = flock_of(Pause(start=3, nodes=(2,)), Crash(start=3, nodes=(3,)), ticks=40)
    assert sim.flock.module_state[[2, 3]].tolist() == [ModuleState.DISCOVERING] * 2
    sim.flock.state.module[5] = ModuleState.SHUTDOWN
    sim.run(10)
    assert sim.flock.module_state[5] == ModuleState.SHUTDOWN


@pytest.mark.slow
def test_pmd_2_to_4_every_tick_publishes_and_says_whether_it_was_degraded():
    sim = flock_of(
        Partition(start=40, until=140, groups=(LEFT,)), Slow(start=1, nodes=(8,), every=3), ticks=0
    )
    total = np.zeros(NODES, dtype=np.int64)
    degraded = np.zeros(NODES, dtype=np.int64)
    for _ in range(160):
        sim.run(1)
        state, now = sim.flock.state, sim.flock.clock.now(sim.tick)
        ticking = sim.world.ticking(sim.tick)
        assert (state.region.published_at[ticking] == now).all()
        assert (state.region.published_at[~ticking] < now).all()
        assert set(state.outcome.tolist()) <= {Code.OK, Code.DEGRADED}
        total += ticking
        degraded += ticking & (state.outcome == Code.DEGRADED)
        assert np.array_equal(state.counters.ticks, total)
        assert np.array_equal(state.counters.degraded, degraded)
        assert np.array_equal(state.stale[ticking], state.outcome[ticking] == Code.DEGRADED)
    assert (sim.flock.region.source == np.arange(1, NODES + 1)).all()


def test_pmd_3_degraded_is_who_can_sample_none_of_its_neighbours():
    # Both neighbours sides are cut: the fields are out of reach at once, the beliefs follow.
    sim = flock_of(Partition(start=40, groups=((2,),)), ticks=42)
    assert sim.flock.state.outcome[2] == Code.DEGRADED
    assert sim.flock.stale[2]
    kept = sim.flock.gradients[:, 2].copy()
    sim.run(3)
    assert np.array_equal(sim.flock.gradients[:, 2], kept)
    sim.run(60)
    # Nobody is left to sample: that is no longer partial data.
    assert sim.flock.state.outcome[2] == Code.OK
    assert np.array_equal(sim.flock.gradients[:, 2], -sim.flock.own[:, 2])


def twin_gradient(sim, before, own, node, *, live=True):
    """Section 4.5 for one node, sample by sample: lower-numbered nodes have published already."""
    flock, now = sim.flock, sim.flock.clock.now(sim.tick)
    total, weights = [0] * 6, 0
    eligible = 0
    for peer, edge in zip(elected(sim, node), _edges(sim, node), strict=True):
        held = int(flock.heartbeat.health.reshape(-1)[edge])
        if held not in (Health.ALIVE, Health.SUSPECT):
            continue
        eligible += 1
        fresh = peer < node and sim.world.ticking(sim.tick)[peer]
        values = flock.own[:, peer] if fresh else before.values[:, peer]
        age = 0 if fresh else now - int(before.published_at[peer])
        if age > 500_000 or (live and _separated(sim, node, peer)):
            continue
        weight = field_twin.weight(held, int(flock.topology.distance.reshape(-1)[edge]))
        factor = field_twin.exp_decay(age, 100_000)
        weights += weight
        for c in range(6):
            total[c] += field_twin.mul(field_twin.mul(int(values[c]), factor), weight)
    if eligible and not weights:
        return None
    mean = [field_twin.trunc_div(s * 65_536, weights) if weights else 0 for s in total]
    return [field_twin.saturate(mean[c] - int(own[c, node])) for c in range(6)]


def _edges(sim, node):
    edges = sim.flock.topology.elected_edges()[node]
    return edges[edges >= 0].tolist()


def _separated(sim, node, peer):
    side = sim.flock.sides()
    return side[node] != side[peer]


@pytest.mark.slow
@pytest.mark.parametrize("region", ["live", "shared"])
def test_pmd_10_gradients_are_section_4_5_of_the_elected(region):
    sim = flock_of(
        Partition(start=30, until=120, groups=(LEFT,)),
        Crash(start=50, until=130, nodes=(9,)),
        Slow(start=1, nodes=(8,), every=4),
        Loss(start=10, probability=0.2),
        SetField(start=15, node=2, component=1, value=0.7),
        AddTask(start=20, node=3, deadline_us=90_000_000),
        ticks=5,
        flock=FlockOptions(region=region),
    )
    rng = np.random.default_rng(3)
    compared = 0
    for _ in range(150):
        fields = sim.flock.own
        fields[Component.POWER] = rng.integers(-(2**20), 2**20, NODES)
        before = type(sim.flock.region)(
            *(getattr(sim.flock.region, name).copy() for name in ("values", "published_at")),
            *(sim.flock.region.source, sim.flock.region.sequence, sim.flock.region.counter),
        )
        own = fields.copy()
        sim.run(1)
        # Commands take effect before the tick's gradients, slack after them.
        keep = [c for c in range(6) if c != Component.SLACK]
        own[keep] = sim.flock.own[keep]
        for node in np.flatnonzero(sim.world.ticking(sim.tick)).tolist():
            wanted = twin_gradient(sim, before, own, node, live=region == "live")
            assert sim.flock.stale[node] == (wanted is None)
            if wanted is not None:
                assert sim.flock.gradients[:, node].tolist() == wanted
                compared += 1
    assert compared > 1_000


def test_a_shared_region_is_read_across_a_cut():
    cut = Partition(start=40, groups=((2,),))
    shared = flock_of(cut, ticks=42, flock=FlockOptions(region="shared"))
    live = flock_of(cut, ticks=42)
    assert not shared.flock.stale[2]
    assert live.flock.stale[2]


def test_tasks_run_and_drive_slack():
    sim = flock_of(
        AddTask(start=10, node=3, period_us=5_000),
        AddTask(start=10, node=4, need=1),
        AddTask(start=10, node=5, deadline_us=50_000_000, duration_us=1_000),
        ticks=30,
    )
    runs = sim.flock.state.counters.task_runs
    assert runs[[3, 4, 5, 6]].tolist() == [5, 0, 1, 0]
    slack = sim.flock.own[Component.SLACK]
    assert slack[6] == 65_536
    assert 0 < slack[5] < 33_000
    for _ in range(8):
        sim.inject(AddTask(node=3))
    sim.run(1)
    assert sim.flock.state.counters.task_runs[3] == 6


# ---------------------------------------------------------------------- ballots


@pytest.mark.slow
def test_a_ballot_is_decided_and_announced():
    sim = flock_of(Propose(start=30, node=5, kind=1, data=9), ticks=31)
    (view,) = sim.flock.ballots()
    assert view.is_open
    assert view.result is Result.PENDING
    assert set(view.voters) == {5, *elected(sim, 5)}
    assert [said for said in view.votes if said is not None] == [Vote.YES]
    sim.run(10)
    (view,) = sim.flock.ballots()
    assert (view.result, view.data, view.opened) == (Result.APPROVED, 9, 30)
    assert endings(sim) == {(node, 5, 1): Result.APPROVED for node in range(NODES)}
    counters = sim.flock.state.counters
    assert counters.started.tolist() == counters.completed.tolist() == [1] * NODES
    sim.seek(29)
    assert sim.flock.ballots() == []


def test_a_node_without_neighbours_may_not_propose():
    cut = Partition(start=30, groups=((2,),))
    sim = flock_of(cut, Propose(start=100, node=2), ticks=100)
    codes = sim.flock.records.logs["proposals"].rows()["code"].tolist()
    assert codes == [Code.NO_QUORUM]
    assert sim.flock.ballots() == []
    assert any("NO_QUORUM" in event.text for event in sim.events())
    lax = flock_of(
        cut, Propose(start=100, node=2), ticks=160, flock=FlockOptions(quorum_guard=False)
    )
    assert [view.result for view in lax.flock.ballots()] == [Result.APPROVED]


def test_a_cut_ballot_ends_at_its_deadline():
    sim = flock_of(
        Partition(start=40, groups=((5,),)), Propose(start=41, node=5, threshold=65_536), ticks=100
    )
    (view,) = sim.flock.ballots()
    assert (view.result, view.closed) == (Result.REJECTED, 91)
    assert sim.series.column("rejected").sum() == 1


@pytest.mark.slow
def test_an_inhibition_by_a_voter_cancels_and_by_a_stranger_does_not():
    sim = flock_of(ticks=30)
    voters = elected(sim, 5)
    stranger = next(n for n in range(NODES) if n != 5 and n not in voters)
    for node, wanted in ((voters[0], Result.CANCELLED), (stranger, Result.APPROVED)):
        branch = sim.fork()
        branch.inject(Loss(probability=1.0, sources=tuple(voters[1:])))
        branch.inject(Propose(node=5, threshold=26_000))
        branch.run(1)
        branch.inject(Inhibit(node=node, proposer=5, ballot=1))
        branch.run(70)
        assert branch.flock.ballots()[0].result is wanted
    assert branch.flock.state.counters.cancelled.max() <= 1


def test_who_does_not_run_proposes_nothing():
    sim = flock_of(Crash(start=20, nodes=(5,)), Propose(start=30, node=5), ticks=40)
    assert len(sim.flock.records.logs["proposals"]) == 0


@pytest.mark.slow
def test_only_those_heard_may_vote_when_wanted():
    faults = (Crash(start=2, nodes=(1, 2)), Propose(start=40, node=5))
    heard = flock_of(*faults, ticks=60, flock=FlockOptions(electorate="heard"))
    everybody = flock_of(*faults, ticks=60)
    assert not {1, 2} & set(heard.flock.ballots()[0].voters)
    assert len(everybody.flock.ballots()[0].voters) == 5


def test_more_neighbours_than_an_electorate_holds():
    sim = flock_of(SetNeighbours(start=20, k=11), Propose(start=40, node=5), ticks=60)
    (view,) = sim.flock.ballots()
    assert len(view.voters) == 8
    assert None not in view.votes[:4]
    assert view.result is Result.APPROVED


# ---------------------------------------------------------------------- liars


def lying_flock(*more, ticks, **changes):
    """Node 4 votes twice on a ballot of one that has it among its voters."""
    calm = flock_of()
    proposer = next(node for node in range(NODES) if 4 in elected(calm, node))
    faults = (Equivocate(start=20, nodes=(4,)), Propose(start=60, node=proposer, threshold=65_536))
    return flock_of(*faults, *more, ticks=ticks, **changes), proposer


@pytest.mark.slow
def test_a_liar_is_found_out_voted_out_silenced_and_let_back():
    sim, proposer = lying_flock(ticks=64)
    votes = sim.flock.records.logs["votes"].rows()
    mine = votes["vote"][(votes["voter"] == 4) & (votes["node"] == proposer)]
    assert mine.tolist() == [Vote.YES, Vote.NO]
    notes = sim.flock.records.logs["notes"].rows()
    assert (notes["code"][0], notes["node"][0], notes["other"][0]) == (0, proposer, 4)
    sim.run(60)
    flock = sim.flock
    decided = [view for view in flock.ballots() if view.kind == 4]
    assert decided
    assert decided[0].result is Result.APPROVED
    assert 4 not in decided[0].voters
    holders = np.flatnonzero(flock.state.quarantine.holds(np.arange(NODES), 5)).tolist()
    assert proposer in holders
    assert 4 not in holders
    for node in holders:
        assert believed(sim, node, 4) is Health.UNKNOWN
        assert 4 not in elected(sim, node)
    assert any(event.kind == "quarantine" for event in sim.events())
    sim.run(1_100)
    # Announcements of the silenced are dropped, too.
    assert all(4 not in elected(sim, node) for node in holders)
    assert sim.statistics()["flock"].quarantined == len(holders)
    sim.inject(Clear(kind="equivocate"))
    sim.inject(Lift(node=4))
    sim.run(1_020)
    assert flock.state.quarantine.active == 0
    assert all(elected(sim, node) == peers for node, peers in nearest(sim).items())


@pytest.mark.slow
def test_without_enforcement_a_liar_stays():
    sim, _ = lying_flock(ticks=160, flock=FlockOptions(enforce_quarantine=False))
    assert any(view.result is Result.APPROVED for view in sim.flock.ballots() if view.kind == 4)
    assert sim.flock.state.quarantine.active == 0


@pytest.mark.slow
def test_a_proposer_that_tells_two_things_is_found_out():
    sim = flock_of(
        Equivocate(start=20, nodes=(4,)), Propose(start=60, node=4, kind=1, data=6), ticks=160
    )
    assert sim.flock.state.quarantine.active > 0
    accused = sim.flock.records.logs["notes"].rows()["other"]
    assert set(accused.tolist()) == {4}


@pytest.mark.slow
def test_a_lie_may_concern_one_ballot_alone():
    calm = flock_of()
    proposer = next(node for node in range(NODES) if 4 in elected(calm, node))
    sim = flock_of(
        Equivocate(start=20, nodes=(4,), ballot=2),
        Propose(start=40, node=proposer, threshold=65_536),
        Propose(start=60, node=proposer, threshold=65_536),
        ticks=80,
    )
    votes = sim.flock.records.logs["votes"].rows()
    mine = (votes["voter"] == 4) & (votes["node"] == proposer)
    said = {n: votes["vote"][mine & (votes["ballot"] == n)].tolist() for n in (1, 2)}
    assert said == {1: [Vote.YES], 2: [Vote.YES, Vote.NO]}


def test_a_cleared_lie_is_over_at_once_and_after_seeking():
    sim = flock_of(Equivocate(start=20, nodes=(4,)), ticks=30)
    sim.inject(Clear(kind="equivocate"))
    sim.run(1)
    assert sim.flock.lies == ()
    sim.seek(25)
    assert len(sim.flock.lies) == 1
    sim.seek(31)
    assert sim.flock.lies == ()
    ended = flock_of(Equivocate(start=20, until=30, nodes=(4,)), ticks=30)
    assert ended.flock.lies == ()


def test_a_quarantine_without_evidence_finds_no_majority():
    sim = flock_of(Propose(start=40, node=5, kind=4, data=4), ticks=120)
    assert sim.flock.ballots()[0].result is Result.REJECTED
    assert 4 not in sim.flock.ballots()[0].voters
    sim.inject(Lift(node=4))
    sim.run(1)
    assert sim.flock.state.quarantine.active == 0


# ---------------------------------------------------------------------- counters and options


@pytest.mark.slow
def test_faults_count_what_they_passed_and_touched():
    faults = (
        Loss(start=1, probability=0.25),
        Duplicate(start=1, probability=0.25),
        Delay(start=1, min_us=1_500, sources=(1,)),
        Reorder(start=1, probability=0.5, by_us=2_000, targets=(2,)),
        Partition(start=1, groups=(LEFT,)),
        Cut(start=1, source=6, target=7),
    )
    sim = flock_of(*faults, ticks=80)
    passed, touched = sim.network.passed.tolist(), sim.network.touched.tolist()
    columns = {name: int(sim.series.column(name).sum()) for name in sim.series.names}
    assert touched[0] == columns["dropped_loss"]
    assert passed[0] == columns["sent"] - touched[0]
    assert touched[1] == columns["duplicated"]
    assert passed[1] + touched[1] == passed[0]
    assert touched[2] > 0
    assert (
        passed[2] == columns["sent"] - columns["dropped_loss"] + columns["duplicated"] - touched[2]
    )
    assert touched[3] / (touched[3] + passed[3]) > 0.3 or passed[3] > touched[3]
    assert touched[4] > touched[5] > 0
    assert columns["dropped_cut"] == touched[4] + touched[5]
    under_way = sum(len(parcel) for _, parcel in sim.flock.channel._flight)
    arrived = columns["delivered"] + columns["dropped_cut"] + columns["dropped_dead"]
    assert columns["sent"] - touched[0] + touched[1] == arrived + under_way
    assert columns["sent"] == sim.flock.state.counters.sent.sum()
    assert columns["bytes"] == sim.flock.state.counters.octets.sum()


def test_statistics_agree_with_what_they_count():
    sim = flock_of(Crash(start=20, nodes=(3,)), Propose(start=30, node=5), ticks=120)
    found = sim.statistics()["flock"]
    assert (found.nodes, found.up) == (NODES, NODES - 1)
    assert found.beliefs["DEAD"] == NODES - 1
    assert found.states["ACTIVE"] >= NODES - 1
    assert found.messages == sim.series.column("sent").sum()
    assert found.octets == sim.series.column("bytes").sum()
    assert found.backlog == sim.flock.channel.backlog().sum()
    # The crashed node opened no ballot of its own; all others hold one.
    assert found.ballots == found.completed == NODES - 1
    assert found.ticks == 120 * NODES - 101


@pytest.mark.slow
def test_the_originals_wiring_runs_and_feels_nobody():
    sim = flock_of(
        Crash(start=40, nodes=(3,)), ticks=160, flock=FlockOptions.upstream(start_us=1_000_000)
    )
    flock = sim.flock
    assert np.array_equal(flock.gradients[:, 5], -flock.own[:, 5])
    assert (flock.module_state[[0, 5]] == ModuleState.ACTIVE).all()
    # Whoever died without being elected stays known (Q02).
    stay = flock.topology.known & (flock.peer == 3)
    assert stay.any()


@pytest.mark.slow
def test_a_clock_from_zero_waits_for_its_first_announcement():
    options = FlockOptions(start_us=0, start_stagger=False)
    sim = flock_of(ticks=249, flock=options)
    assert (sim.flock.module_state == ModuleState.DISCOVERING).all()
    sim.run(PERIOD + 5)
    assert (sim.flock.module_state == ModuleState.ACTIVE).all()


def test_a_flock_of_one_and_of_two():
    one = flock_of(nodes=1, ticks=30)
    assert one.flock.module_state.tolist() == [ModuleState.DISCOVERING]
    assert one.flock.majority_belief().tolist() == [255]
    two = flock_of(nodes=2, ticks=30)
    assert two.flock.module_state.tolist() == [ModuleState.ACTIVE] * 2
    assert elected(two, 0) == [1]


def test_renewal_is_refused_for_who_is_not_there():
    sim = flock_of(Leave(start=5, nodes=(2,)), ticks=10)
    with pytest.raises(FlockError, match="there is none now"):
        sim.inject(Restart(nodes=(2,)))
    sim.inject(Crash(nodes=(2, 3)))
    sim.run(1)
    assert sim.flock.truth[[2, 3]].tolist() == [NodeStatus.ABSENT, NodeStatus.CRASHED]
    with pytest.raises(FlockError, match=r"allowed are crashed nodes \(3\)"):
        sim.inject(Restart(nodes=(1,)))
    with pytest.raises(FlockError, match=r"a node that is absent \(2\)"):
        sim.inject(Join(node=3, x=0, y=0))
