import pytest

from flockcore import swarm
from flockcore.drawing import draw
from flockcore.errors import FlockError
from flockcore.kernel.faults import KINDS, Command, Crash, Partition, Propose, Provision
from flockcore.kernel.layer import Status, Verdict
from flockcore.kernel.script import Script
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockcore.token import decode

PLANS = [draw(seed) for seed in range(300)]


def test_a_plan_is_a_function_of_its_seed():
    assert draw(11) == PLANS[11]
    assert draw(11) != draw(12)
    with pytest.raises(FlockError, match="seed -1"):
        draw(-1)


def test_every_kind_of_fault_and_command_is_drawn():
    drawn = {fault.kind_name for plan in PLANS for fault in plan.scenario.faults}
    assert drawn == set(KINDS)


def test_parameters_vary():
    for name in ("nodes", "k", "reach", "metric", "layout", "period_us", "network", "flock"):
        values = {getattr(plan.scenario, name) for plan in PLANS}
        assert len(values) > 3 or name in {"metric", "period_us"}, name
        assert len(values) > 1


def test_after_the_safety_phase_nothing_strikes():
    for plan in PLANS:
        script = Script(plan.scenario.faults)
        assert script.holding(plan.safety + 1) == []
        assert script.links(plan.safety + 1) == []
        for fault in plan.scenario.faults:
            if isinstance(fault, Command) and fault.kind_name != "lift":
                assert fault.start <= plan.safety
        assert plan.scenario.ticks > plan.safety + 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_run_of_the_swarm_holds(seed):
    outcome = swarm.trial(seed)
    assert outcome.failure is None, outcome.report("")


@pytest.mark.slow
def test_a_violation_is_narrowed_down_to_its_tick(monkeypatch):
    plain = Simulation.verdicts
    broken = Verdict("no miracles", Status.VIOLATED, "node 3 walked on water")
    monkeypatch.setattr(
        Simulation,
        "verdicts",
        lambda self, name=None: [*plain(self), *([broken] if self.tick >= 33 else [])],
    )
    outcome = swarm.trial(1)
    assert outcome.failure == swarm.Failure("safety", "no miracles", 33, "node 3 walked on water")
    report = outcome.report("9.9")
    for words in ("seed 1:", "no miracles", "tick 33", "9.9", "nodes", outcome.token):
        assert words in report
    content = decode(outcome.token)
    assert content.tick == 33
    again = Simulation(content.scenario)
    again.run(33)
    assert again.digest() == content.digest


def lacking(*faults, ticks=120, **more):
    """Name of what a flock lacks after some ticks; None when it is well."""
    simulation = Simulation(Scenario(nodes=8, faults=faults, **more))
    simulation.run(ticks)
    found = swarm.unrecovered(simulation)
    return None if found is None else found[0]


def test_a_calm_flock_lacks_nothing():
    assert lacking() is None


@pytest.mark.slow
def test_what_a_flock_lacks_is_named():
    assert lacking(Crash(start=50, nodes=(3,))) == "everybody runs"
    assert lacking(Partition(start=50, groups=((0, 1),))) == "everybody is alive to all"
    assert lacking(Propose(start=119, node=2)) == "no ballot is open"
    imaged = Provision(start=120, least_us=0, mean_us=0)
    assert lacking(imaged) == "reports are heard"


def test_neighbours_that_are_not_the_nearest_are_named():
    simulation = Simulation(Scenario(nodes=12, k=3))
    simulation.run(60)
    elected = simulation.flock.topology.elected
    elected[4, [0, 1]] = elected[4, [1, 0]]
    assert swarm.unrecovered(simulation)[0] == "the nearest are elected"


@pytest.mark.slow
def test_a_lasting_violation_is_no_recovery(monkeypatch):
    broken = Verdict("No false DEAD", Status.VIOLATED, "node 1 is buried alive")
    monkeypatch.setattr(Simulation, "verdicts", lambda self, name=None: [broken])
    simulation = Simulation(Scenario(nodes=5))
    simulation.run(60)
    assert swarm.unrecovered(simulation) == ("No false DEAD", "node 1 is buried alive")
    outcome = swarm.trial(1)
    assert outcome.failure.phase == "liveness"
    assert outcome.failure.tick >= outcome.plan.scenario.ticks
