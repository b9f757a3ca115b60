"""The tours tell the truth: each claim of a stop, checked against the run at that very tick."""

import numpy as np
import pytest

from flockcore.barrier.codes import Decision, Host, Phase
from flockcore.barrier.state import Stage
from flockcore.barrier.windows import windows
from flockcore.flock.codes import Health, ModuleState, NodeStatus, Result
from flockcore.hodge.layer import CURL_UNIT
from flockcore.hodge.operators import divergence
from flockcore.hodge.workload import QUEUE_SCALE
from flockcore.kernel.faults import Provision
from flockcore.kernel.layer import Status
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

pytestmark = pytest.mark.slow

ALIVE, SUSPECT, DEAD = Health.ALIVE, Health.SUSPECT, Health.DEAD


class Story:
    """A run of a scenario, moved from stop to stop of its tour."""

    def __init__(self, name):
        self.scenario = Scenario.load(name)
        self.simulation = Simulation(self.scenario)
        self.stops = {stop.title: stop for stop in self.scenario.tour}
        self.every = np.arange(self.scenario.nodes)

    def at(self, title):
        """Go to a stop; its focus, if it has one."""
        self.simulation.run_to(self.stops[title].tick)
        return self.stops[title].focus

    @property
    def flock(self):
        return self.simulation.flock

    def beliefs(self):
        """Who believes what of whom, shape (N, N); 255 on the diagonal."""
        return np.stack([self.flock.belief(node) for node in self.every])

    def believed(self, node, health):
        return np.flatnonzero(self.flock.belief(node) == health).tolist()

    def elected(self, node):
        return {int(peer) for peer in self.flock.elected_peers()[node] if peer >= 0}

    def electors(self, node):
        return {other for other in self.every.tolist() if node in self.elected(other)}

    def ballots(self, *nodes):
        """(proposer, result, closed) of every ballot so far, in order of opening."""
        found = sorted(self.flock.ballots(), key=lambda one: (one.opened, one.proposer))
        return [
            (one.proposer, one.result, one.closed)
            for one in found
            if not nodes or one.proposer in nodes
        ]

    def all_alive(self):
        """Whether everyone believes everyone ALIVE."""
        beliefs = self.beliefs()
        return bool((beliefs[beliefs != 255] == ALIVE).all())

    def texts(self, kind):
        return [event.text for event in self.simulation.events(0) if event.kind == kind]


def other_sides(sides):
    """Pairs of nodes on different sides, shape (N, N)."""
    return sides[:, None] != sides[None, :]


def test_calm_flock():
    story = Story("calm-flock")
    story.at("Sixty strangers")
    assert set(np.unique(story.beliefs())) == {Health.UNKNOWN, 255}
    story.at("A flock without a leader")
    assert story.all_alive()
    assert (story.flock.elected_peers() >= 0).sum(axis=1).tolist() == [7] * 60
    focus = story.at("One node works hard")
    assert story.flock.own[0, focus] == 65536
    loads = story.flock.gradients[0]
    near = sorted(story.electors(focus))
    assert (loads[near] > 0).all()
    story.at("A ballot, settled")
    assert story.ballots() == [(18, Result.APPROVED, 203)]
    assert story.all_alive()
    story.at("A little lost mail")
    assert (story.beliefs() == SUSPECT).any()
    story.at("Calm again")
    assert story.all_alive()
    assert not story.simulation.series.column("dead").any()


def test_split_brain():
    story = Story("split-brain")
    halves = other_sides(story.every >= 24)
    focus = story.at("Before the cut")
    assert story.all_alive()
    before = [story.elected(node) for node in story.every]
    assert {21, 22, 23} < story.elected(focus)
    story.at("Doubt")
    beliefs = story.beliefs()
    assert (beliefs[halves] == SUSPECT).all()
    assert (beliefs[~halves & (beliefs != 255)] == ALIVE).all()
    story.at("A question cut off")
    (asked,) = story.flock.ballots()
    assert (asked.proposer, asked.result, asked.closed) == (24, Result.REJECTED, 249)
    assert len([voter for voter in asked.voters if voter < 24]) == 3
    assert [vote is None for vote in asked.votes] == [voter < 24 for voter in asked.voters]
    story.at("Two flocks")
    beliefs = story.beliefs()
    assert (beliefs[halves] == DEAD).all()
    assert (story.flock.truth == NodeStatus.UP).all()
    assert all((peer >= 24) == (node >= 24) for node in story.every for peer in story.elected(node))
    assert (story.flock.elected_peers() >= 0).all()
    story.at("Two plans")
    assert story.ballots(12, 36) == [(12, Result.APPROVED, 403), (36, Result.APPROVED, 404)]
    story.at("Healed")
    assert story.all_alive()
    assert [story.elected(node) for node in story.every] == before
    story.at("One flock votes")
    assert story.ballots(24)[-1] == (24, Result.APPROVED, 1203)


def test_one_way_cut():
    story = Story("one-way-cut")
    silent = story.every < 16
    focus = story.at("Seen from the right")
    assert story.believed(focus, DEAD) == list(range(16))
    assert (story.flock.truth == NodeStatus.UP).all()
    beliefs = story.beliefs()
    assert (beliefs[np.ix_(~silent, silent)] == DEAD).all()
    assert (beliefs[silent][beliefs[silent] != 255] == ALIVE).all()
    focus = story.at("Seen from the left")
    assert {peer for peer in story.elected(focus) if peer >= 16}
    assert all(node < 16 for node in story.electors(focus))
    story.at("Asking without being heard")
    assert story.ballots(15) == [(15, Result.REJECTED, 450)]
    focus = story.at("The heard side decides")
    assert min(story.elected(focus)) >= 16
    assert story.ballots(16) == [(16, Result.APPROVED, 502)]
    story.at("Heard again")
    assert story.all_alive()


def test_three_way_split():
    story = Story("three-way-split")
    thirds = other_sides(story.every // 3)
    focus = story.at("Nine nodes, seven neighbours each")
    assert len(story.elected(focus)) == 7
    assert story.ballots() == [(0, Result.APPROVED, 102)]
    story.at("Three groups of three")
    assert (story.beliefs()[thirds] == SUSPECT).all()
    focus = story.at("DEGRADED everywhere")
    assert (story.beliefs()[thirds] == DEAD).all()
    assert story.elected(focus) == {3, 5}
    assert (story.flock.module_state == ModuleState.DEGRADED).all()
    story.at("Nobody decides")
    assert len(story.ballots()) == 1
    assert sum("NO_QUORUM" in text for text in story.texts("ballot")) == 3
    focus = story.at("Healed")
    assert (story.flock.module_state == ModuleState.ACTIVE).all()
    assert len(story.elected(focus)) == 7
    story.at("Now they may")
    assert story.ballots(1) == [(1, Result.APPROVED, 1002)]
    assert len(story.ballots()) == 2


def test_flapping_link():
    story = Story("flapping-link")
    focus = story.at("Two neighbours")
    assert 25 in story.elected(24)
    assert 24 in story.elected(25)
    before = story.elected(focus)
    story.at("A short failure")
    assert story.believed(24, SUSPECT) == [25]
    assert story.elected(24) == before
    story.at("Forgotten at once")
    assert story.all_alive()
    story.at("A long failure")
    assert story.believed(24, DEAD) == [25]
    assert 25 not in story.elected(24)
    assert len(story.elected(24)) == 7
    story.at("Back from the dead")
    assert story.elected(24) == before
    story.at("Quiet")
    assert story.all_alive()
    assert story.simulation.series.column("suspect").max() == 2
    assert story.simulation.series.column("dead").max() == 2


def test_slow_observer():
    story = Story("slow-observer")
    focus = story.at("Before")
    assert len(story.believed(focus, ALIVE)) == 47
    electors = story.electors(focus)
    story.at("Late")
    assert all(story.flock.belief(node)[focus] == SUSPECT for node in story.every if node != focus)
    story.at("The sick one accuses")
    accused = story.believed(focus, DEAD)
    assert accused
    beliefs = story.beliefs()
    beliefs[focus] = 255
    assert not (beliefs == DEAD).any()
    before = story.elected(focus)
    story.at("Its neighbours change, theirs do not")
    assert story.elected(focus) != before
    assert story.electors(focus) == electors
    story.at("Up to speed")
    assert story.all_alive()
    changes = story.flock.records.logs["health"].rows()
    observers = changes["edge"] // story.flock.slots
    assert set(observers[changes["after"] == DEAD].tolist()) == {focus}


def test_rolling_crash():
    story = Story("rolling-crash")
    story.at("Six nodes are gone")
    assert story.all_alive()
    assert (story.flock.truth[:6] == NodeStatus.CRASHED).all()
    before = [story.elected(node) for node in story.every]
    story.at("Doubt")
    assert (story.beliefs()[6:, :6] == SUSPECT).all()
    story.at("Detected")
    assert (story.beliefs()[6:, :6] == DEAD).all()
    assert all(min(story.elected(node)) >= 6 for node in range(6, 48))
    assert all(len(story.elected(node)) == 7 for node in range(6, 48))
    story.at("The first come back")
    assert (story.beliefs()[12:, :6] == ALIVE).all()
    assert all(story.elected(node) < set(range(6)) for node in range(6))
    assert any(story.elected(node) & set(range(6)) for node in range(12, 48))
    story.at("The wave rolls on")
    assert all(len(story.elected(node)) == 7 for node in range(42, 48))
    story.at("All new, same flock")
    assert story.all_alive()
    assert [story.elected(node) for node in story.every] == before
    assert (story.simulation.flock.world.incarnation == 1).all()


def test_ballot_storm():
    story = Story("ballot-storm")
    story.at("One plan")
    assert story.ballots() == [(22, Result.APPROVED, 123)]
    story.at("Inhibited")
    assert story.ballots()[-1][:2] == (22, Result.CANCELLED)
    story.at("All at once")
    storm = story.ballots()[2:]
    assert len(storm) == 8
    assert [one[0] for one in storm if one[1] == Result.APPROVED] == [17]
    assert sum(one[1] == Result.REJECTED for one in storm) == 7
    story.at("One after the other")
    assert [one[:2] for one in story.ballots()[10:]] == [
        (node, Result.APPROVED) for node in (17, 18, 19, 22)
    ]
    story.at("Half of the mail is lost")
    assert story.ballots()[14:] == [
        (node, Result.REJECTED, 1170 + 20 * place) for place, node in enumerate((17, 18, 22, 27))
    ]
    story.at("Clear weather")
    assert story.ballots()[-1] == (22, Result.APPROVED, 1453)


def test_equivocator():
    story = Story("equivocator")
    focus = story.at("Before")
    assert len(story.electors(focus)) == 6
    story.at("Yes and no")
    assert story.ballots() == [(21, Result.APPROVED, 263)]
    assert "n21 holds evidence against n24" in story.texts("quarantine")
    story.at("Quarantine")
    (quarantine,) = (one for one in story.flock.ballots() if one.opened > 263)
    assert (quarantine.proposer, quarantine.result) == (21, Result.APPROVED)
    assert focus is not None
    assert 24 not in quarantine.voters
    assert story.electors(24) == set()
    assert sum("drops all messages of n24" in text for text in story.texts("quarantine")) == 47
    focus = story.at("Talking to nobody")
    assert len(story.believed(focus, ALIVE)) == 47
    assert story.ballots(24) == [(24, Result.PENDING, None)]
    focus = story.at("Lifted")
    assert story.all_alive()
    assert len(story.electors(focus)) == 6
    assert story.ballots(24) == [(24, Result.REJECTED, 450)]
    story.at("Trusted again")
    assert story.ballots(24)[-1] == (24, Result.APPROVED, 1253)


def curl_norms(story):
    return story.simulation.series.column("curl_norm") * CURL_UNIT


def test_curl_storm():
    story = Story("curl-storm")
    hodge = story.simulation.hodge
    story.at("Flows that agree")
    assert hodge.statistics().entries == 3
    first = hodge.settled(0)
    assert curl_norms(story)[-1] < 1e-9
    complex_ = hodge.state.mesh.plan.complex
    arriving = divergence(complex_, first)
    assert arriving[13] < -1
    assert arriving[37] < -1
    assert arriving[25] > 1
    story.at("Two sides write apart")
    assert hodge.statistics().replicas == 2
    sides = [{hodge.chain(node).tobytes() for node in half} for half in (range(20), range(20, 40))]
    assert [len(side) for side in sides] == [1, 1]
    assert sides[0] != sides[1]
    story.at("Each side at peace with itself")
    assert curl_norms(story)[-1] < 1e-9
    story.at("Together they are not")
    assert hodge.statistics().replicas == 1
    assert curl_norms(story)[-1] > 10
    assert len({hodge.curl_norm(node) > 1 for node in story.every}) == 1
    story.at("Mended without a vote")
    assert curl_norms(story)[-1] < 1e-9
    assert len({hodge.settled(node).tobytes() for node in story.every}) == 1
    assert np.abs(hodge.settled(0) - first).max() < 1e-6


def test_harmonic_hole():
    story = Story("harmonic-hole")
    hodge = story.simulation.hodge
    story.at("A ring with a hole")
    complex_ = hodge.state.mesh.plan.complex
    assert np.bincount(complex_.edges.reshape(-1)).tolist() == [4] * 24
    assert hodge.state.mesh.plan.projector.betti == (1, 1, 0)
    focus = story.at("Curl: a local quarrel")
    assert focus == 3
    assert np.flatnonzero(hodge.knowledge(0).flow).size == 3
    story.at("All the way round")
    parts = hodge.knowledge(0).parts
    assert np.linalg.norm(parts.curl) > 1
    assert np.linalg.norm(parts.harmonic) > 1
    story.at("What stays")
    assert curl_norms(story)[-1] < 1e-9
    left = hodge.settled(5)
    assert np.linalg.norm(left - hodge.knowledge(5).parts.harmonic) < 1e-9


def test_bowtie_conflict():
    story = Story("bowtie-conflict")
    hodge = story.simulation.hodge
    knot = story.at("Two flocks, one knot")
    ends = hodge.state.mesh.plan.complex.edges
    across = ends[(ends[:, 0] < knot) & (ends[:, 1] > knot)]
    assert not len(across)
    story.at("Two quarrels")
    left, right = hodge.knowledge(0), hodge.knowledge(8)
    for side in (left, right):
        assert np.allclose(side.parts.curl, side.flow)
        assert np.linalg.norm(side.flow) == pytest.approx(np.sqrt(3))
    assert not (left.flow * right.flow).any()
    story.at("One sum")
    assert len({hodge.chain(node).tobytes() for node in story.every}) == 1
    merged = hodge.knowledge(4)
    assert np.array_equal(merged.flow, left.flow + right.flow)
    apart = left.projection.flow + right.projection.flow
    assert np.allclose(merged.projection.flow, apart, atol=1e-12)
    story.simulation.run_to(650)
    once = hodge.settled(4)
    story.at("Once is enough")
    assert np.array_equal(hodge.settled(4), once)
    assert np.abs(once).max() < 1e-9


def test_hot_node():
    story = Story("hot-node")
    hodge, flock = story.simulation.hodge, story.simulation.flock
    focus = story.at("One queue is full")
    loads = flock.own[0]
    assert loads[focus] == 2 * np.delete(loads, focus).max() == 2 * np.delete(loads, focus).min()
    assert hodge.statistics().entries == 0
    complex_ = hodge.state.mesh.plan.complex

    def outflow():
        return -divergence(complex_, hodge.settled(focus))[focus]

    story.at("Work in circles")
    assert abs(outflow()) < 1e-12
    story.at("Consistent, and as hot as before")
    assert curl_norms(story)[-1] < 1e-9
    assert abs(outflow()) < 1e-9
    story.at("Balanced")
    flow = hodge.settled(focus)
    assert curl_norms(story)[-1] < 1e-9
    leaving = np.where(complex_.edges[:, 0] == focus, flow, -flow)
    assert (leaving[(complex_.edges == focus).any(axis=1)] > 0).all()
    queues = loads / 65536 * QUEUE_SCALE
    assert np.ptp(queues + divergence(complex_, flow)) < 1e-9


def counts(barrier):
    """READY, FAILED and PROVISIONING hosts as the controller counts them."""
    row = barrier.columns()
    return row["barrier_ready"], row["barrier_failed"], row["barrier_prov"]


def false_words(barrier):
    return np.flatnonzero(barrier.false_ready).tolist()


def truly(barrier):
    return barrier.true_counts[0]


def told(prediction):
    return prediction.ends_in, prediction.ready, prediction.failed, prediction.report


def verdict(simulation, name):
    return next(one for one in simulation.verdicts("barrier") if one.name == name).status


def test_strict_all_straggler():
    story = Story("strict-all-straggler")
    sim, barrier = story.simulation, story.simulation.barrier
    story.at("Sixty hosts are imaged")
    start = (Decision.PROCEED, 60, 0, 60)
    assert told(barrier.prediction()) == told(barrier.foretold) == start
    assert counts(barrier) == (0, 0, 60)
    story.at("Reports come in")
    assert counts(barrier)[0] == truly(barrier) == 25
    slow = story.at("The straggler stops")
    assert barrier.state.left[slow] == 5
    assert barrier.prediction().ends_in is Decision.HOLD
    story.at("59 of 60")
    assert counts(barrier) == (59, 0, 1)
    assert np.flatnonzero(barrier.word == Host.PROVISIONING).tolist() == [slow]
    assert story.believed(0, DEAD) == [slow]
    assert verdict(sim, "All hosts report") is Status.UNKNOWN
    story.at("It goes on")
    assert truly(barrier) == 60
    assert barrier.held == 1
    story.at("The gate opens")
    assert (barrier.phase, barrier.decided_tick) == (Phase.CONVERGE, 909)
    assert barrier.decided_at == (60, 0, 0, 60)
    assert verdict(sim, "Prediction matches") is Status.HOLDS


def test_threshold_80_of_90():
    story = Story("threshold-80-of-90")
    sim, barrier = story.simulation, story.simulation.barrier
    story.at("Two crash while they are imaged")
    assert np.flatnonzero(barrier.word == Host.FAILED).tolist() == [17, 44]
    story.at("One in five is lost")
    assert counts(barrier)[:2] == (63, 5)
    assert (truly(barrier), barrier.held) == (64, 1)
    state = barrier.state
    waiting = np.flatnonzero((state.stage == Stage.IMAGED) & ~state.heard)
    assert (state.ended[waiting] < 299).all()
    assert not state.reports
    story.at("80 of 90")
    assert barrier.decided_tick == 606
    assert barrier.decided_at == (80, 5, 5, 85)
    assert told(barrier.prediction()) == (Decision.PROCEED, 80, 5, 85)
    assert np.count_nonzero(~state.heard) == 5
    story.at("A false-ready window")
    assert false_words(barrier) == [23, 31, 40, 62, 71]
    assert not sim.world.up[[8, *false_words(barrier)]].any()
    assert truly(barrier) == 78
    assert barrier.false_window
    story.at("The window closes")
    assert truly(barrier) >= 80
    found = windows(sim.series.column("barrier_window"), 1_000)
    assert (found.start.tolist(), found.end.tolist()) == ([800], [1095])
    assert found.total_us == found.longest_us == 295_000
    story.at("One word stays false")
    assert truly(barrier) == 84
    assert false_words(barrier) == [31]
    assert barrier.truth[31] == Host.PROVISIONING
    assert verdict(sim, "Ready means up") is Status.VIOLATED


def test_mass_failure():
    story = Story("mass-failure")
    sim, barrier = story.simulation, story.simulation.barrier
    story.at("Well on its way")
    assert counts(barrier)[:2] == (16, 0)
    assert told(barrier.prediction()) == told(barrier.foretold) == (Decision.PROCEED, 60, 2, 62)
    story.at("A rack goes dark")
    assert np.count_nonzero(sim.world.crashed) == 35
    assert counts(barrier)[1] == 30
    end = told(barrier.prediction())
    assert end == (Decision.FAIL, 58, 32, 90)
    five = story.at("Who knows it first")
    beliefs = story.beliefs()
    assert not (beliefs == DEAD).any()
    assert len(story.believed(0, SUSPECT)) > 30
    assert five in false_words(barrier)
    assert len(false_words(barrier)) == 5
    story.at("Waiting for the inevitable")
    assert counts(barrier) == (52, 32, 6)
    assert barrier.phase is Phase.BARRIER
    story.at("FAILED, when all are in")
    assert (barrier.phase, barrier.decided_tick) == (Phase.FAILED, 570)
    assert barrier.decided_at == (58, 32, 0, 90)
    assert told(barrier.prediction()) == end
    story.at("Five false words")
    assert len(false_words(barrier)) == 5
    assert not sim.series.column("barrier_window").any()


def test_a_gate_that_may_fail_early_says_so_409_ms_before():
    scenario = Scenario.load("mass-failure")
    provision, *others = scenario.faults
    hasty = Provision(**{**vars(provision), "early": True})
    sim = Simulation(scenario.replace(faults=(hasty, *others), tour=()))
    sim.run(200)
    assert (sim.barrier.phase, sim.barrier.decided_tick) == (Phase.FAILED, 570 - 409)


def test_late_report():
    story = Story("late-report")
    sim, barrier = story.simulation, story.simulation.barrier
    story.at("Half of the reports")
    assert (truly(barrier), barrier.held) == (18, 9)
    heard = np.flatnonzero(barrier.word == Host.READY)
    assert len(heard) == 9
    assert heard.max() < 30
    story.at("All are ready, half are heard")
    assert truly(barrier) == 60
    assert (counts(barrier)[0], barrier.held) == (30, 30)
    story.at("Said, and no longer true")
    five = false_words(barrier)
    assert five == np.flatnonzero(sim.world.crashed).tolist()
    assert len(five) == 5
    assert set(five) <= set(story.believed(0, DEAD))
    story.at("The gate converges late")
    assert (barrier.phase, barrier.decided_tick) == (Phase.CONVERGE, 719)
    assert counts(barrier)[0] == 56
    assert truly(barrier) == 55
    assert barrier.false_window
    story.at("Restarted is not ready")
    assert set(five) <= set(story.believed(0, ALIVE))
    assert (barrier.state.stage[five] == Stage.IMAGING).any()
    assert barrier.false_window
    story.at("Word and truth agree")
    assert truly(barrier) == 60
    assert not false_words(barrier)
    found = windows(sim.series.column("barrier_window"), 1_000)
    assert (found.start.tolist(), found.total_us) == ([719], 247_000)
