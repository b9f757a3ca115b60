"""The hodge layer on real runs: logs that travel over a lossy network, and what is made of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.hodge import layer
from flockcore.hodge.deltas import STEP, DeltaLog
from flockcore.hodge.layer import CURL_UNIT
from flockcore.hodge.options import CurlOptions
from flockcore.hodge.solver import SolverOptions
from flockcore.kernel.faults import (
    Clear,
    Crash,
    Delay,
    Duplicate,
    Heal,
    Join,
    Leave,
    Loss,
    Mend,
    Partition,
    Reconcile,
    Reorder,
    SetField,
    Storm,
    Write,
)
from flockcore.kernel.layer import Status
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

NODES = 16
LEFT = tuple(range(8))
NUISANCES = (
    Loss(start=1, probability=0.2),
    Duplicate(start=1, probability=0.2),
    Delay(start=1, min_us=1_000, mean_us=4_000),
    Reorder(start=1, probability=0.2, by_us=9_000),
)


def flock_of(*faults, ticks=0, nodes=NODES, layout="two-clusters", k=5, **more):
    plan = Scenario(nodes=nodes, layout=layout, k=k, faults=faults, **more)
    simulation = Simulation(plan, digests=False)
    simulation.run(ticks)
    return simulation


def chains(simulation):
    """What every node knows, as bytes."""
    return [simulation.hodge.chain(node).tobytes() for node in range(simulation.scenario.nodes)]


def triangle(simulation, within=range(NODES)):
    """Corners of the first triangle all of whose corners are among `within`."""
    found = simulation.hodge.state.mesh.plan.complex.triangles
    return tuple(found[np.isin(found, list(within)).all(axis=1)][0].tolist())


def verdict(simulation, name):
    return next(one for one in simulation.verdicts("hodge") if one.name == name)


def curls(simulation):
    return simulation.series.column("curl_norm") * CURL_UNIT


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_replicas_differ_before_the_heal_and_are_the_same_bytes_after(seed):
    sim = flock_of(
        Partition(start=20, until=200, groups=(LEFT,)),
        Storm(start=30, until=170, every=10, rate=2.0),
        *NUISANCES,
        seed=seed,
        ticks=195,
    )
    left, right = chains(sim)[:8], chains(sim)[8:]
    assert set(left).isdisjoint(right), "the sides know different things"
    before = [sim.hodge.curl_norm(node) for node in (0, 15)]
    assert min(before) > 0.1
    arrived = sim.hodge.state.replicas.learned
    assert len(np.unique(arrived)) > 1, "entries came in different orders"
    sim.run(300)
    assert len(set(chains(sim))) == 1
    norms = {sim.hodge.curl_norm(node) for node in range(NODES)}
    assert len(norms) == 1
    (after,) = norms
    written = sim.hodge.written()
    assert sim.hodge.knowledge(3).flow.tobytes() == written.flow.tobytes()
    assert after == pytest.approx(np.linalg.norm(written.curls))
    sim.inject(Reconcile())
    sim.run(1)
    settled = {sim.hodge.settled(node).tobytes() for node in range(NODES)}
    assert len(settled) == 1, "the same bytes, without a vote"
    assert sim.hodge.curl_norm(0) < 1e-9
    assert verdict(sim, "No curl is left").status is Status.HOLDS


def test_letters_pass_between_pieces_of_the_complex():
    sim = flock_of(Storm(start=20, until=100, every=5), seed=3453, ticks=160)
    projector = sim.hodge.state.mesh.plan.projector
    assert projector.betti[0] == 2
    (bridge,) = sim.hodge.state.mesh.bridges
    assert len(set(projector.homology.components[bridge])) == 2
    assert len(set(chains(sim))) == 1
    assert sim.hodge.statistics().entries > 8


def test_a_sum_does_not_depend_on_the_order_of_arrival():
    rng = np.random.default_rng(4)
    entries = [
        (int(rng.integers(5)), rng.integers(0, 9, 3), rng.integers(-(2**40), 2**40, 3))
        for _ in range(40)
    ]
    flows = set()
    for _ in range(5):
        rng.shuffle(entries)
        log = DeltaLog.empty()
        for node, edges, deltas in entries:
            log.append(node, edges, deltas, 0)
        flows.add(log.chain(log.length, 9).tobytes())
    assert len(flows) == 1


def test_a_prefix_holds_the_first_entries_alone():
    log = DeltaLog.empty()
    assert log.append(7, np.array([0, 1]), np.array([5, 6]), 1) == (0, 1)
    assert log.append(3, np.array([1]), np.array([100]), 2) == (1, 1)
    assert log.append(7, np.array([0]), np.array([-2]), 3) == (0, 2)
    assert log.chain(np.array([1]), 2).tolist() == [5, 6]
    assert log.chain(np.array([2, 0]), 2).tolist() == [3, 6]
    assert log.chain(np.array([2, 1]), 2).tolist() == [3, 106]
    assert log.flow(np.array([1, 0]), 2).tolist() == [5 * STEP, 6 * STEP]
    column, first, last = np.array([0, 0, 1]), np.array([1, 2, 1]), np.array([2, 2, 1])
    assert log.lines(column, first, last).tolist() == [3, 1, 1]


def test_each_side_mends_what_it_knows_and_the_rest_appears_at_the_heal():
    sim = flock_of(
        Partition(start=20, until=200, groups=(LEFT,)),
        Storm(start=30, until=120, every=10, rate=2.0),
        Reconcile(start=150),
        Reconcile(start=300),
        ticks=320,
    )
    curl = curls(sim)
    assert curl[140] > 0.1
    assert curl[160:200].max() < 1e-9
    assert curl[220:299].min() > 0.1, "the other side's entries had not been mended here"
    assert curl[301:].max() < 1e-9


def test_automatic_reconciliation_follows_when_it_is_quiet():
    plan = CurlOptions(reconcile="automatic", quiet_us=30_000)
    sim = flock_of(ticks=20, curl=plan)
    corners = triangle(sim)
    sim.inject(Write(node=corners[0], path=corners))
    sim.run(20)
    assert curls(sim)[-1] > 0.1
    sim.run(40)
    assert curls(sim)[-1] < 1e-9


def test_mending_begins_and_ends_by_hand():
    sim = flock_of(ticks=20)
    corners = triangle(sim)
    sim.inject(Write(node=corners[0], path=corners))
    sim.run(60)
    assert curls(sim)[-1] > 0.1
    sim.inject(Mend(quiet_us=20_000))
    sim.run(2)
    assert curls(sim)[-1] < 1e-9, "who has been without news for long mends at once"
    sim.inject(Clear(kind="mend"))
    sim.inject(Write(node=corners[0], path=corners))
    sim.run(60)
    assert curls(sim)[-1] > 0.1
    sim.seek(82)
    assert curls(sim)[-1] < 1e-9


def test_projection_keeps_every_nodes_total_and_balancing_evens_queues():
    sim = flock_of(SetField(start=5, node=4, component=0, value=1.0), ticks=10)
    ends = sim.hodge.state.mesh.plan.complex.edges

    def totals():
        flow = sim.hodge.settled(0)
        return np.bincount(ends[:, 1], flow, NODES) - np.bincount(ends[:, 0], flow, NODES)

    corners = triangle(sim)
    sim.inject(Write(node=corners[0], path=corners, rate=0.75))
    sim.inject(Write(node=corners[1], path=corners[:2], rate=0.5, shape="path"))
    sim.run(60)
    before = totals()
    sim.inject(Reconcile())
    sim.run(1)
    assert np.abs(totals() - before).max() < 1e-9
    sim.inject(Reconcile(aim="balance"))
    sim.run(1)
    queues = sim.flock.own[0] / 65536.0 * 32.0
    assert np.ptp(queues + totals()) < 1e-6, "queues after one unit of time"
    assert sim.hodge.curl_norm(0) < 1e-9


def test_a_star_to_all_neighbours_is_a_gradient():
    sim = flock_of(ticks=20)
    ends = sim.hodge.state.mesh.plan.complex.edges
    near = set(ends[(ends == 3).any(axis=1)].reshape(-1).tolist()) - {3}
    sim.inject(Write(node=3, path=(3, *sorted(near)), rate=0.5, shape="star"))
    sim.run(30)
    known = sim.hodge.knowledge(9)
    assert np.count_nonzero(known.flow) == len(near)
    assert np.allclose(known.parts.gradient, known.flow)
    assert sim.hodge.curl_norm(9) < 1e-12


def test_seeking_and_forking_lead_to_the_same_replicas():
    faults = (
        Partition(start=20, until=90, groups=(LEFT,)),
        Storm(start=30, until=80, every=9),
        Crash(start=40, until=60, nodes=(3, 12)),
        *NUISANCES,
    )
    straight = flock_of(*faults, ticks=150)
    sim = flock_of(*faults, ticks=150)
    want = chains(straight)
    for tick in (75, 30, 120):
        sim.seek(tick)
        assert chains(sim) == chains(flock_of(*faults, ticks=tick))
    sim.seek(150)
    assert chains(sim) == want
    fork = sim.fork()
    assert chains(fork) == want
    corners = triangle(sim)
    fork.inject(Write(node=corners[0], path=corners))
    fork.run(40)
    sim.run(40)
    assert fork.hodge.written().flow.tobytes() != sim.hodge.written().flow.tobytes()
    fork.undo()
    assert chains(fork) == want


def test_the_flock_does_not_feel_the_layer():
    quiet, loud = flock_of(*NUISANCES, ticks=80), flock_of(*NUISANCES, Storm(start=5), ticks=80)
    assert loud.hodge.statistics().messages > 0
    assert quiet.digests()["flock"] == loud.digests()["flock"]


def test_a_restarted_node_learns_again_and_keeps_its_own_log():
    sim = flock_of(ticks=20)
    corners = triangle(sim)
    sim.inject(Write(node=corners[0], path=corners))
    sim.run(30)
    sim.inject(Crash(nodes=(corners[0], corners[1]), until=sim.tick + 20))
    sim.run(21)
    flows = [np.abs(sim.hodge.knowledge(node).flow).sum() for node in corners[:2]]
    assert flows[0] > 0
    sim.run(40)
    assert len(set(chains(sim))) == 1
    sim.inject(Write(node=corners[0], path=corners))
    sim.run(40)
    assert sim.hodge.state.log.length.tolist() == [2]
    assert len(set(chains(sim))) == 1


def test_leaving_and_joining_change_the_mesh_and_nothing_else_does():
    sim = flock_of(Partition(start=5, until=120, groups=(LEFT,)), ticks=100)
    mesh = sim.hodge.state.mesh
    before = mesh.plan.complex.edges.tolist()
    assert before == flock_of().hodge.state.mesh.plan.complex.edges.tolist(), "no election"
    sim.inject(Leave(nodes=(2,)))
    sim.run(1)
    assert mesh.plan.complex.edges.tolist() == [pair for pair in before if 2 not in pair]
    sim.inject(Join(node=2, x=900, y=300))
    sim.run(1)
    ends = sim.hodge.state.mesh.plan.complex.edges
    assert len(ends) == len(np.unique(ends, axis=0))
    near = ends[(ends == 2).any(axis=1)]
    assert len(near) >= 5
    sim.seek(100)
    assert sim.hodge.state.mesh.plan.complex.edges.tolist() == before


def test_a_flow_survives_the_departure_of_a_stranger():
    sim = flock_of(ticks=20)
    corners = triangle(sim)
    other = next(node for node in range(NODES) if node not in corners)
    sim.inject(Write(node=corners[0], path=corners))
    sim.run(30)
    norm = sim.hodge.curl_norm(corners[0])
    sim.inject(Leave(nodes=(other,)))
    sim.run(30)
    kept = np.abs(sim.hodge.knowledge(corners[0]).flow)
    assert np.flatnonzero(kept).size == 3
    assert 0 < sim.hodge.curl_norm(corners[0]) <= norm


def test_writes_that_cannot_be_made_are_refused_with_a_reason():
    sim = flock_of(ticks=5)
    ends = {tuple(pair) for pair in sim.hodge.state.mesh.plan.complex.edges.tolist()}
    far = next((0, b) for b in range(1, NODES) if (0, b) not in ends)
    with pytest.raises(FlockError, match=rf"no edge joins nodes 0 and {far[1]}; node 0 is joined"):
        sim.inject(Write(node=0, path=far))
    with pytest.raises(FlockError, match="path"):
        sim.inject(Write(node=0, path=(0, 0)))
    with pytest.raises(FlockError, match="rate"):
        sim.inject(Write(node=0, path=triangle(sim), rate=float("nan")))
    sim.inject(Crash(nodes=(0,)))
    sim.run(1)
    with pytest.raises(FlockError, match="node 0 is not running"):
        sim.inject(Write(node=0, path=triangle(sim)))
    assert not len(sim.hodge.state.log.writer)


def test_a_flock_that_is_too_large_says_so():
    sim = flock_of(nodes=1_001, layout="blob", ticks=1)
    with pytest.raises(FlockError, match=r"flows are live in flocks of 2 to 1,000 nodes"):
        sim.inject(Storm())
    assert {one.status for one in sim.verdicts("hodge")} == {Status.UNKNOWN}
    assert {one.reason for one in sim.verdicts("hodge")} == {"off: 2 to 1,000 nodes are live"}
    assert not sim.hodge.statistics().live


def test_agreement_is_unknown_during_a_cut_and_violated_when_letters_never_come():
    sim = flock_of(Partition(start=20, groups=(LEFT,)), Storm(start=30, until=60), ticks=100)
    assert verdict(sim, "Replicas agree").status is Status.UNKNOWN
    sim.inject(Heal())
    sim.inject(Loss(probability=1.0))
    sim.run(250)
    assert verdict(sim, "Replicas agree").status is Status.VIOLATED
    sim.inject(Clear(kind="loss"))
    sim.run(150)
    assert verdict(sim, "Replicas agree").status is Status.HOLDS


def test_a_hole_keeps_its_flow():
    sim = flock_of(nodes=20, layout="ring", k=4, ticks=5)
    assert sim.hodge.state.mesh.plan.projector.betti[:2] == (1, 1)
    sim.inject(Write(node=0, path=tuple(range(20))))
    sim.run(60)
    assert verdict(sim, "No obstruction").status is Status.UNKNOWN
    assert "round 1 hole" in verdict(sim, "No obstruction").reason
    sim.inject(Reconcile())
    sim.run(1)
    assert verdict(sim, "No curl is left").status is Status.HOLDS
    assert np.linalg.norm(sim.hodge.settled(0)) > 0.5


def test_events_and_statistics_tell_what_was_written():
    sim = flock_of(ticks=20)
    corners = triangle(sim)
    sim.inject(Write(node=corners[0], path=corners, rate=-1.5))
    sim.run(40)
    sim.inject(Reconcile())
    sim.run(1)
    texts = [event.text for event in sim.events() if event.kind == "flow"]
    assert texts == [
        f"n{corners[0]:02d} writes entry 1: up to 1.5 on 3 edges",
        f"{NODES} nodes remove the curl they know of",
    ]
    told = sim.hodge.statistics()
    assert (told.writers, told.entries, told.lines, told.behind) == (1, 1, 3, 0)
    assert told.octets > 0
    assert sim.series.column("flow_bytes").sum() == told.octets


def test_lamps_tell_of_a_solver_stopped_early_and_of_parts_that_are_none():
    sim = flock_of(Storm(start=5, every=3), nodes=40, seed=3, ticks=80)
    first, second = sim.hodge.state.mesh.plan.complex.edges[7].tolist()
    sim.inject(Write(node=first, path=(first, second), rate=2.0, shape="path"))
    sim.run(30)
    names = ("Parts are orthogonal", "Node totals kept", "Solver converged")
    assert {verdict(sim, name).status for name in names} == {Status.HOLDS}
    known = sim.hodge.knowledge(0)
    parts, projection = known.parts, known.projection
    known.__dict__["parts"] = replace(parts, curl=parts.curl + parts.gradient)
    assert verdict(sim, names[0]).status is Status.VIOLATED
    known.__dict__["projection"] = replace(projection, flow=1.01 * projection.flow)
    assert verdict(sim, names[1]).status is Status.VIOLATED
    sim.hodge._library.clear()
    sim.hodge.state.mesh.plan.projector.options = SolverOptions(limit=1)
    assert verdict(sim, names[2]).status is Status.VIOLATED
    assert "cap of 1 pass" in verdict(sim, names[2]).reason


def test_nobody_running_leaves_everything_unknown():
    sim = flock_of(Storm(start=5, until=30), ticks=40)
    sim.inject(Crash(nodes=tuple(range(NODES))))
    sim.run(2)
    assert {one.status for one in sim.verdicts("hodge")} == {Status.UNKNOWN}
    assert {one.reason for one in sim.verdicts("hodge")} == {"no node runs"}
    assert sim.hodge.columns()["curl_norm"] == 0


def test_full_logs_refuse_by_hand_and_keep_what_is_there(monkeypatch):
    sim = flock_of(Storm(start=5, until=60, every=5), ticks=20)
    monkeypatch.setattr(layer, "MAX_LINES", len(sim.hodge.state.log.edge) + 2)
    before = sim.hodge.statistics().entries
    corners = triangle(sim)
    with pytest.raises(FlockError, match=r"the logs are full; 1\d lines in all are allowed"):
        sim.inject(Write(node=corners[0], path=corners))
    sim.run(60)
    assert sim.hodge.statistics().entries == before


def test_scripted_writes_that_cannot_be_made_are_passed_over():
    sim = flock_of(ticks=1)
    ends = {tuple(pair) for pair in sim.hodge.state.mesh.plan.complex.edges.tolist()}
    far = next((0, b) for b in range(1, NODES) if (0, b) not in ends)
    sim = flock_of(Write(start=5, node=0, path=far), ticks=20)
    assert sim.hodge.statistics().entries == 0
