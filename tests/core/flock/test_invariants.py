"""Every lamp: what turns it to violated, what to unknown, and a run in which it holds."""

import numpy as np
import pytest

from flockcore.flock import invariants
from flockcore.flock.codes import Health, Result
from flockcore.flock.options import FlockOptions
from flockcore.kernel.faults import (
    Crash,
    Cut,
    Duplicate,
    Equivocate,
    Join,
    Loss,
    Partition,
    Pause,
    Propose,
    Restart,
    Slow,
)
from flockcore.kernel.layer import Status
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

NODES = 12
SPLIT = Partition(groups=(tuple(range(5)),))


def flock_of(*faults, ticks=60, nodes=NODES, **changes):
    """A small flock that ran for `ticks` under scripted faults, and its simulation."""
    sim = Simulation(Scenario(nodes=nodes, k=4, faults=faults, **changes), digests=False)
    sim.run(ticks)
    return sim


def judged(rule, sim):
    """The verdict of one rule; what is shown of it must fit its place."""
    verdict = rule(sim.flock)
    assert verdict in sim.verdicts("flock")
    assert len(verdict.reason) <= 34
    assert any(letter.isdigit() for letter in verdict.reason)
    assert bool(verdict.nodes) == (verdict.status is Status.VIOLATED)
    return verdict


def edge_of(sim, observer, peer):
    """Slot in which `observer` has `peer`."""
    return int(np.flatnonzero(sim.flock.peer[observer] == peer)[0])


def test_the_rules_stand_in_a_fixed_order_and_names_are_short():
    names = [one.name for one in flock_of(ticks=0).verdicts("flock")]
    assert len(set(names)) == len(names) == 8
    assert all(len(name.split()) <= 4 for name in names)
    assert [one.name for one in flock_of(SPLIT, ticks=90).verdicts("flock")] == names


@pytest.mark.slow
def test_a_calm_flock_violates_nothing():
    sim = flock_of(Propose(node=3, start=40), ticks=0)
    for _ in range(120):
        sim.run(1)
        assert not [one for one in sim.verdicts("flock") if one.status is Status.VIOLATED]
    certain = {one.name for one in sim.verdicts("flock") if one.status is Status.HOLDS}
    assert certain == {one.name for one in sim.verdicts("flock")} - {"Liars silenced"}


# ---------------------------------------------------------------------- k elected


def test_nearest_elected():
    sim = flock_of()
    verdict = judged(invariants.nearest_elected, sim)
    assert verdict.name == "k = 4 elected"
    assert verdict.status is Status.HOLDS
    assert verdict.reason == "least 4 of 12"


def test_nearest_elected_is_unknown_before_anybody_is_known():
    assert judged(invariants.nearest_elected, flock_of(ticks=0)).status is Status.UNKNOWN
    everybody = Crash(start=50, nodes=tuple(range(NODES)))
    assert judged(invariants.nearest_elected, flock_of(everybody)).status is Status.UNKNOWN


def test_a_skipped_peer_violates_it():
    sim = flock_of()
    topology = sim.flock.topology
    topology.elected[7, [0, 1]] = topology.elected[7, [1, 0]]
    verdict = judged(invariants.nearest_elected, sim)
    assert (verdict.status, verdict.nodes) == (Status.VIOLATED, (7,))
    assert verdict.reason == "n07 skips a nearer peer"


def test_fewer_slots_than_neighbours_still_hold():
    sim = flock_of(nodes=4)
    assert judged(invariants.nearest_elected, sim).reason == "least 3 of 4"
    assert judged(invariants.nearest_elected, sim).status is Status.HOLDS


# ---------------------------------------------------------------------- no false DEAD


@pytest.mark.slow
def test_a_partition_makes_false_deaths():
    sim = flock_of(Partition(start=30, until=110, groups=(tuple(range(5)),)), ticks=29)
    assert judged(invariants.no_false_death, sim).status is Status.HOLDS
    sim.run_to(100)
    verdict = judged(invariants.no_false_death, sim)
    assert verdict.status is Status.VIOLATED
    assert verdict.reason == "n00 holds 7 live as DEAD"
    assert verdict.nodes == tuple(range(NODES))
    sim.run_to(140)
    assert judged(invariants.no_false_death, sim).status is Status.HOLDS


def test_a_true_death_is_not_false():
    sim = flock_of(Crash(start=20, nodes=(3,)), ticks=100)
    verdict = judged(invariants.no_false_death, sim)
    assert (verdict.status, verdict.reason) == (Status.HOLDS, "11 DEAD, all of them down")


def test_false_death_is_unknown_before_anybody_was_heard():
    assert judged(invariants.no_false_death, flock_of(ticks=0)).status is Status.UNKNOWN
    deaf = flock_of(Loss(probability=1.0))
    assert judged(invariants.no_false_death, deaf).status is Status.UNKNOWN


# ---------------------------------------------------------------------- no dead neighbour


def test_no_dead_neighbour_holds_through_deaths():
    sim = flock_of(Crash(start=20, nodes=(3, 4)), ticks=100)
    verdict = judged(invariants.no_dead_neighbour, sim)
    assert (verdict.status, verdict.reason) == (Status.HOLDS, "40 links, none to a DEAD")


def test_no_dead_neighbour_is_unknown_before_elections():
    assert judged(invariants.no_dead_neighbour, flock_of(ticks=0)).status is Status.UNKNOWN


def test_an_elected_peer_held_dead_violates_it():
    sim = flock_of()
    peer = sim.flock.elected_peers()[2, 1]
    sim.flock.heartbeat.health[2, edge_of(sim, 2, peer)] = Health.DEAD
    verdict = judged(invariants.no_dead_neighbour, sim)
    assert (verdict.status, verdict.nodes) == (Status.VIOLATED, (2,))


# ---------------------------------------------------------------------- one result per ballot


def test_one_result():
    sim = flock_of(Propose(start=30, node=5, kind=1))
    verdict = judged(invariants.one_result, sim)
    assert (verdict.status, verdict.reason) == (Status.HOLDS, "0 of 1 decided twice")


def test_one_result_is_unknown_without_a_decided_ballot():
    assert judged(invariants.one_result, flock_of(ticks=0)).status is Status.UNKNOWN
    opened = flock_of(Propose(start=59, node=5, kind=1))
    assert judged(invariants.one_result, opened).status is Status.UNKNOWN


def test_two_results_violate_it():
    sim = flock_of(Propose(start=30, node=5, kind=1), ticks=59)
    # A voter that believes the contrary, as the original's voters always do (Q06).
    sim.flock.records.logs["endings"].append(
        60,
        1,
        node=2,
        proposer=5,
        ballot=1,
        kind=1,
        data=0,
        result=Result.REJECTED,
        votes=5,
        yes=0,
        no=5,
        eligible=5,
    )
    assert judged(invariants.one_result, sim).status is Status.HOLDS
    sim.run(1)
    verdict = judged(invariants.one_result, sim)
    assert (verdict.status, verdict.nodes) == (Status.VIOLATED, (5,))
    sim.step(-1)
    assert judged(invariants.one_result, sim).status is Status.HOLDS


@pytest.mark.slow
def test_the_originals_voters_violate_it():
    """They never learn the result, and end their copies REJECTED (Q06)."""
    options = FlockOptions(announce_results=False)
    sim = flock_of(Propose(start=30, node=5, kind=1), ticks=75, flock=options)
    assert judged(invariants.one_result, sim).status is Status.HOLDS
    sim.run_to(100)
    verdict = judged(invariants.one_result, sim)
    assert (verdict.status, verdict.nodes) == (Status.VIOLATED, (5,))


@pytest.mark.slow
def test_a_voter_that_never_hears_the_result_holds_none():
    deaf = Loss(start=31, probability=1.0, targets=(4, 6))
    sim = flock_of(Propose(start=30, node=5, kind=1), deaf, ticks=110)
    assert (sim.flock.records.logs["endings"].rows()["result"] == Result.EXPIRED).any()
    assert judged(invariants.one_result, sim).status is Status.HOLDS


# ---------------------------------------------------------------------- approvals have votes


def test_approvals_have_votes():
    sim = flock_of(Propose(start=30, node=5, kind=1))
    verdict = judged(invariants.quorum_kept, sim)
    assert (verdict.status, verdict.reason) == (Status.HOLDS, "1 approved, all covered")


def test_approvals_are_unknown_before_the_first():
    assert judged(invariants.quorum_kept, flock_of(ticks=5)).status is Status.UNKNOWN


def test_an_approval_short_of_votes_violates_it():
    sim = flock_of(Propose(start=30, node=5, kind=1))
    log = sim.flock.records.logs["endings"]
    views = log.rows()
    mine = int(np.flatnonzero(views["node"] == 5)[0])
    column = log._columns["yes"][: len(log)]
    column.flags.writeable = True
    column[mine] = 1
    verdict = judged(invariants.quorum_kept, sim)
    assert (verdict.status, verdict.nodes) == (Status.VIOLATED, (5,))
    assert verdict.reason == "n05 approved with 1 of 5"


# ---------------------------------------------------------------------- inboxes drain


def test_inboxes_drain():
    assert judged(invariants.inboxes_drain, flock_of()).status is Status.HOLDS


def test_inboxes_are_unknown_before_anything_was_sent():
    assert judged(invariants.inboxes_drain, flock_of(ticks=0)).status is Status.UNKNOWN


@pytest.mark.slow
def test_more_copies_than_can_be_read_violate_it():
    options = FlockOptions(receive_budget=3, inbox="fifo")
    sim = flock_of(Duplicate(start=10, probability=1.0), ticks=120, nodes=30, flock=options)
    verdict = judged(invariants.inboxes_drain, sim)
    assert verdict.status is Status.VIOLATED
    assert verdict.reason.endswith("unread")


@pytest.mark.slow
def test_a_slow_node_has_less_room():
    options = FlockOptions(inbox="fifo", inbox_limit=None)
    sim = flock_of(Slow(start=2, nodes=(4,), every=40), flock=options, ticks=239, nodes=30)
    verdict = judged(invariants.inboxes_drain, sim)
    assert (verdict.status, verdict.nodes) == (Status.VIOLATED, (4,))


@pytest.mark.slow
def test_a_stopped_node_has_no_inbox_to_drain():
    sim = flock_of(Pause(start=20, nodes=(4,)), ticks=200)
    assert sim.flock.channel.backlog()[4] > 0
    assert judged(invariants.inboxes_drain, sim).status is Status.HOLDS


# ---------------------------------------------------------------------- views converge


def test_views_converge():
    sim = flock_of(ticks=100)
    verdict = judged(invariants.views_converge, sim)
    assert verdict.status is Status.HOLDS
    assert verdict.reason == "132 beliefs, 0 in doubt"


@pytest.mark.slow
@pytest.mark.parametrize("cut", [SPLIT, Cut(source=1, target=2)])
def test_views_of_a_cut_flock_are_unknown(cut):
    verdict = judged(invariants.views_converge, flock_of(cut, ticks=150))
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason.startswith("cannot be told in")


def test_views_are_unknown_shortly_after_a_fault():
    sim = flock_of(Crash(start=100, nodes=(3,)), ticks=101)
    verdict = judged(invariants.views_converge, sim)
    assert (verdict.status, verdict.reason) == (Status.UNKNOWN, "can be told in 69 ticks")
    sim.run_to(170)
    assert judged(invariants.views_converge, sim).status is Status.HOLDS


def test_a_wrong_belief_violates_it():
    sim = flock_of(ticks=100)
    sim.flock.heartbeat.health[6, 2] = Health.DEAD
    verdict = judged(invariants.views_converge, sim)
    assert (verdict.status, verdict.nodes) == (Status.VIOLATED, (6,))
    assert verdict.reason == "1 wrong in 1 views"


@pytest.mark.slow
def test_a_lasting_loss_violates_it():
    sim = flock_of(Loss(start=40, probability=1.0, targets=(2,)), ticks=150)
    verdict = judged(invariants.views_converge, sim)
    assert (verdict.status, verdict.nodes) == (Status.VIOLATED, (2,))


@pytest.mark.slow
def test_who_was_not_heard_yet_is_no_wrong_view():
    """A node that starts anew waits up to a discovery period for the others' announcements."""
    sim = flock_of(
        Crash(start=40, nodes=(3,)),
        Restart(start=120, nodes=(3,)),
        Join(start=300, node=11, x=500, y=300),
        absent=(11,),
        ticks=0,
    )
    seen = set()
    for _ in range(420):
        sim.run(1)
        seen.add(judged(invariants.views_converge, sim).status)
    assert seen == {Status.HOLDS, Status.UNKNOWN}


# ---------------------------------------------------------------------- liars silenced


def quarantined():
    """A flock of which all have put node 4 into quarantine."""
    return flock_of(
        Equivocate(start=20, nodes=(4,)),
        Propose(start=60, node=4, kind=1),
        ticks=200,
    )


@pytest.mark.slow
def test_liars_are_silenced():
    sim = quarantined()
    verdict = judged(invariants.liars_silenced, sim)
    assert verdict.status is Status.HOLDS
    assert verdict.reason.endswith("quarantines in force")


def test_liars_are_unknown_before_a_quarantine():
    assert judged(invariants.liars_silenced, flock_of()).status is Status.UNKNOWN


@pytest.mark.slow
def test_a_liar_still_heard_violates_it():
    sim = quarantined()
    holder = int(np.flatnonzero(sim.flock.state.quarantine.holds(np.arange(NODES), 5))[0])
    sim.flock.heartbeat.tracked[holder, edge_of(sim, holder, 4)] = True
    verdict = judged(invariants.liars_silenced, sim)
    assert (verdict.status, verdict.nodes) == (Status.VIOLATED, (holder,))


# ---------------------------------------------------------------------- wording


def test_reasons_fit_in_the_largest_flocks():
    worst = [
        invariants._node(199_999) + " holds 63 live as DEAD",
        invariants._node(199_999) + " ballot 65535 ended 2 ways",
        invariants._node(199_999) + " approved with 15 of 16",
        invariants._node(199_999) + " skips a nearer peer",
        invariants._node(199_999) + " elects a DEAD peer",
    ]
    assert all(len(text) <= 34 for text in worst)
